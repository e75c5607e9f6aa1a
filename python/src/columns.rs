//! Data from Python: files, or columns in memory.

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use rayon::prelude::*;
use surprisal_trainer::data::{Frame, ReadOptions, Texts};
use surprisal_trainer::{Error, Result};

use crate::number::Number;

/// Where rows come from.
#[derive(FromPyObject)]
pub enum Source {
    /// Columns, each with its name.
    Columns(Vec<(String, Values)>),
    /// A file, whose name may have wildcards.
    Path(PathBuf),
}

/// The cells of a column.
#[derive(FromPyObject)]
pub enum Values {
    /// (type, numbers in the byte order of this machine, a byte per row that is not zero where the reading is missing).
    Numbers(String, PyBackedBytes, Option<PyBackedBytes>),
    /// A text per row.
    Texts(Vec<String>),
}

impl Values {
    /// Returns the cells as texts.
    pub fn texts(self) -> Texts {
        match self {
            Self::Texts(texts) => texts.into_iter().collect(),
            Self::Numbers(kind, bytes, missing) => {
                let missing = missing.as_deref();
                match kind.as_str() {
                    "f8" => texts(&bytes, f64::from_ne_bytes, missing),
                    "u8" => texts(&bytes, u64::from_ne_bytes, missing),
                    _ => texts(&bytes, i64::from_ne_bytes, missing),
                }
            }
        }
    }
}

/// Returns the texts of numbers of N bytes.
fn texts<T: Number, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T, missing: Option<&[u8]>) -> Texts {
    let is_missing = |row: usize| missing.is_some_and(|missing| missing.get(row).is_some_and(|&flag| flag != 0));
    let (numbers, _) = bytes.as_chunks::<N>();
    let text = |(row, &bytes)| if is_missing(row) { String::new() } else { number(bytes).text() };
    numbers.iter().enumerate().map(text).collect()
}

/// Makes a frame of columns.
pub fn frame(columns: Vec<(String, Values)>, options: &ReadOptions) -> Result<Frame, Error> {
    let columns = columns.into_par_iter().map(|(name, values)| (name, values.texts())).collect();
    Frame::from_columns("data", columns, options)
}
