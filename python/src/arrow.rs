//! Scores as an array of Arrow, by its C interface.

use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_data::ffi::FFI_ArrowArray;
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyCapsule;

/// A column: its name, type in the notation of NumPy, and numbers in the byte order of this machine.
type Column = (String, String, PyBackedBytes);

/// The schema of an array, and the array.
type Capsules<'py> = (Bound<'py, PyCapsule>, Bound<'py, PyCapsule>);

/// Returns columns as capsules of an array of structs. `lost` has a byte per row that is not zero where all columns are null. A column
/// with another number of rows is an error.
#[pyfunction]
pub fn arrow_array<'py>(py: Python<'py>, columns: Vec<Column>, lost: PyBackedBytes) -> PyResult<Capsules<'py>> {
    let (schema, array) = export(columns, &lost).map_err(|error| PyValueError::new_err(error.to_string()))?;
    // The names that consumers look for.
    let schema = PyCapsule::new_with_value(py, schema, c"arrow_schema")?;
    Ok((schema, PyCapsule::new_with_value(py, array, c"arrow_array")?))
}

fn export(columns: Vec<Column>, lost: &[u8]) -> Result<(FFI_ArrowSchema, FFI_ArrowArray), ArrowError> {
    let nulls = NullBuffer::from_iter(lost.iter().map(|&lost| lost == 0));
    let (mut fields, mut children) = (Vec::new(), Vec::new());
    for (name, kind, bytes) in columns {
        let found = |of: DataType, width: usize| {
            let expected = lost.len() * width;
            let message =
                || format!("{name}: expected {expected} bytes for {} rows, found {}", lost.len(), bytes.len());
            if bytes.len() == expected { Ok(of) } else { Err(ArrowError::InvalidArgumentError(message())) }
        };
        let (of, buffer) = match kind.as_str() {
            "u4" => (found(DataType::UInt32, 4)?, numbers(&bytes, u32::from_ne_bytes).into()),
            "f8" => (found(DataType::Float64, 8)?, numbers(&bytes, f64::from_ne_bytes).into()),
            "b1" => (
                found(DataType::Boolean, 1)?,
                BooleanBuffer::from_iter(bytes.iter().map(|&byte| byte != 0)).into_inner(),
            ),
            _ => {
                let message = format!("{name}: expected an array of the type u4, f8 or b1, found {kind}");
                return Err(ArrowError::InvalidArgumentError(message));
            }
        };
        let buffer: Buffer = buffer;
        let array = ArrayData::builder(of.clone()).len(lost.len()).add_buffer(buffer).nulls(Some(nulls.clone()));
        children.push(array.build()?);
        fields.push(Field::new(name, of, true));
    }
    let schema = Schema::new(fields);
    let rows = ArrayData::builder(DataType::Struct(schema.fields.clone())).len(lost.len()).child_data(children);
    Ok((FFI_ArrowSchema::try_from(&schema)?, FFI_ArrowArray::new(&rows.build()?)))
}

/// Splits bytes into numbers of N bytes each. Callers check that none are left over.
fn numbers<T, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
}
