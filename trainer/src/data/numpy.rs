//! Arrays in NumPy's formats: `.npy` and archives of them, `.npz`.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use flate2::read::DeflateDecoder;
use npyz::{NpyFile, Order};
use rawzip::{CompressionMethod, ZipArchive};

use super::input::{InputLimits, Observed, read_to_limit};
use super::kind::Kind;
use super::options::ReadOptions;
use super::{Cells, Frame, FrameColumn, Texts, checksum, default_name};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};

/// Largest size of the header of a .npy file, in bytes: the limit that NumPy's reader has as well.
const NPY_HEADER: usize = 10_000;
/// Deepest nesting of brackets in the header of a .npy file. The parser of headers recurses into each, and reads the last
/// value within each twice or, within a brace, three times: its time grows exponentially with the nesting.
const NPY_NESTING: usize = 6;

/// Number of numbers per step of progress.
const STEP: usize = 1 << 18;

/// Numbers of one column.
#[derive(Clone, Debug)]
pub(crate) enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
    Whole(Vec<i64>),
}

impl Numbers {
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Whole(values) => values.len(),
        }
    }

    /// Returns the numbers as `f32`, the type that the board computes with.
    pub fn samples(self) -> Vec<f32> {
        match self {
            Self::F32(values) => values,
            Self::F64(values) => values.into_iter().map(|value| value as f32).collect(),
            Self::Whole(values) => values.into_iter().map(|value| value as f32).collect(),
        }
    }

    /// Returns the numbers as texts, so that kinds of columns are found as in a file of text.
    pub fn texts(&self, observer: &dyn Observer) -> Texts {
        fn push<T: ToString>(values: &[T], observer: &dyn Observer) -> Texts {
            let (mut texts, mut codes) = (Texts::default(), HashMap::new());
            for some in values.chunks(STEP) {
                some.iter().for_each(|value| texts.push(&value.to_string(), &mut codes));
                observer.event(Event::Step);
            }
            texts
        }
        match self {
            Self::F32(values) => push(values, observer),
            Self::F64(values) => push(values, observer),
            Self::Whole(values) => push(values, observer),
        }
    }

    /// Returns every `step`-th number from the index `from` on, `count` in all.
    fn strided(&self, from: usize, step: usize, count: usize) -> Self {
        fn pick<T: Copy>(values: &[T], from: usize, step: usize, count: usize) -> Vec<T> {
            values.iter().skip(from).step_by(step.max(1)).take(count).copied().collect()
        }
        match self {
            Self::F32(values) => Self::F32(pick(values, from, step, count)),
            Self::F64(values) => Self::F64(pick(values, from, step, count)),
            Self::Whole(values) => Self::Whole(pick(values, from, step, count)),
        }
    }
}

/// Columns of a file of arrays, each with its name, and whether they are one array with one axis.
pub(crate) struct Arrays {
    pub columns: Vec<(String, Numbers)>,
    is_vector: bool,
}

/// Reads the table of a `.npy` file with two axes, or of the arrays in a `.npz` file.
///
/// # Errors
/// [`Error::Input`] if the file is damaged, is a signal, or holds arrays that are no columns of numbers.
pub(crate) fn table(path: &Path, bytes: &[u8], options: &ReadOptions, observer: &dyn Observer) -> Result<Frame> {
    let Arrays { columns, is_vector } = arrays(path, bytes, &options.limits, observer)?;
    if is_vector {
        let message = "a .npy file with one axis is a raw signal; fit it with --signal, for example --signal 2048:512, or pass rows as CSV";
        return Err(Error::input(path, message));
    }
    let rows = columns.first().map_or(0, |(_, numbers)| numbers.len());
    options.limits.check_cells(path, rows, columns.len())?;
    if rows == 0 {
        return Err(Error::input(path, "no rows; expected an array of rows x columns"));
    }
    let steps = columns.len() * rows.div_ceil(STEP);
    observer.event(Event::Stage { name: &format!("columns of {}", path.display()), steps });
    let column = |(name, numbers): (String, Numbers)| FrameColumn { name, cells: Cells::Text(numbers.texts(observer)) };
    Ok(Frame {
        path: path.to_owned(),
        columns: columns.into_iter().map(column).collect(),
        lines: (1..=rows as u64).collect(),
        unit: "row",
        digest: checksum(bytes),
        bytes: bytes.len(),
        ..Frame::default()
    })
}

/// Reads the columns of a `.npy` or `.npz` file.
///
/// # Errors
/// [`Error::Input`] if the file is damaged, exceeds the limits, or holds arrays that are no columns of numbers.
pub(crate) fn arrays(path: &Path, bytes: &[u8], limits: &InputLimits, observer: &dyn Observer) -> Result<Arrays> {
    if Kind::of(bytes) != Kind::Zip {
        let (columns, axes) = array(path, bytes, "", limits, observer)?;
        return Ok(Arrays { columns, is_vector: axes == 1 });
    }
    let damaged =
        |error: rawzip::Error| Error::input(path, "is a damaged ZIP archive; copy the whole file").caused_by(error);
    let archive = ZipArchive::from_slice(bytes).map_err(damaged)?;
    let mut entries = archive.entries();
    let (mut columns, mut left): (Vec<(String, Numbers)>, _) = (Vec::new(), *limits);
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        let file = String::from_utf8_lossy(entry.file_path().as_ref()).into_owned();
        let Some(name) = file.strip_suffix(".npy") else {
            let what = if file.starts_with("xl/") || file == "[Content_Types].xml" {
                "an Excel workbook; save the sheet as CSV"
            } else {
                "a ZIP archive; unpack it and pass the file in it"
            };
            return Err(Error::input(path, format!("is {what}")));
        };
        let stored = archive.get_entry(entry.wayfinder()).map_err(damaged)?;
        let advice = "is a damaged ZIP archive; copy the whole file";
        let content = match entry.compression_method() {
            CompressionMethod::STORE => read_to_limit(stored.verifying_reader(stored.data()), path, &left, advice)?,
            CompressionMethod::DEFLATE => {
                let data = Observed::new(stored.data(), path, stored.data().len() as u64, observer);
                read_to_limit(stored.verifying_reader(DeflateDecoder::new(data)), path, &left, advice)?
            }
            _ => return Err(Error::input(path, "has an unknown compression; write it with numpy.savez")),
        };
        left = left.after(content.len());
        columns.append(&mut array(path, &content, name, limits, observer)?.0);
        limits.check_columns(path, columns.len())?;
    }
    let rows = columns.first().map_or(0, |(_, numbers)| numbers.len());
    if let Some((name, numbers)) = columns.iter().find(|(_, numbers)| numbers.len() != rows) {
        let message = format!(
            "the array has {} rows, but `{}` has {rows}; save arrays of one length",
            numbers.len(),
            columns[0].0
        );
        return Err(Error::input(path, message).column(name));
    }
    Ok(Arrays { columns, is_vector: false })
}

/// Reads the columns of one array, and its number of axes. `name` is the name of the array in an archive, or empty.
fn array(
    path: &Path,
    bytes: &[u8],
    name: &str,
    limits: &InputLimits,
    observer: &dyn Observer,
) -> Result<(Vec<(String, Numbers)>, usize)> {
    let fault = |message: String| {
        let error = Error::input(path, message);
        if name.is_empty() { error } else { error.column(name) }
    };
    let not_npy =
        || fault("not a .npy file; write it with numpy.save, and fit a signal with --signal; or pass CSV".into());
    if !has_plain_header(bytes) {
        return Err(not_npy());
    }
    let reader = Observed::new(bytes, path, bytes.len() as u64, observer);
    let file = NpyFile::new(reader).map_err(|error| not_npy().caused_by(error))?;
    let (shape, order, dtype) = (file.shape().to_vec(), file.order(), file.dtype().descr());
    let count = match shape[..] {
        [_] => 1,
        [_, channels] => usize::try_from(channels).unwrap_or(usize::MAX),
        _ => return Err(fault(format!("{} axes; expected samples, or samples x channels", shape.len()))),
    };
    // A header may promise more than the file has.
    let expected = shape.iter().try_fold(1u64, |all, axis| all.checked_mul(*axis));
    if expected.is_none_or(|all| all > bytes.len() as u64) {
        return Err(fault("cut short; copy the whole file".into()));
    }
    limits.check_columns(path, count)?;
    let flat = numbers(file).map_err(|error| {
        let expected = "expected real or whole numbers of 8 to 64 bits, uncut; convert with numpy.astype";
        fault(format!("cannot be read to the end as numbers of type {dtype}; {expected}")).caused_by(error)
    })?;
    let length = flat.len() / count.max(1);
    if count == 1 {
        let name = if name.is_empty() { default_name(0) } else { name.to_owned() };
        return Ok((vec![(name, flat)], shape.len()));
    }
    let column = |at: usize| {
        let numbers = match order {
            Order::C => flat.strided(at, count, length),
            Order::Fortran => flat.strided(at * length, 1, length),
        };
        (if name.is_empty() { default_name(at) } else { format!("{name}_{at}") }, numbers)
    };
    Ok(((0..count).map(column).collect(), shape.len()))
}

/// Returns whether the header of a .npy file is complete, within [`NPY_HEADER`] and [`NPY_NESTING`], one dictionary
/// without others in it, and the product of its numbers does not overflow.
fn has_plain_header(bytes: &[u8]) -> bool {
    let header = match *bytes {
        [_, _, _, _, _, _, 1, _, a, b, ref rest @ ..] => rest.get(..u16::from_le_bytes([a, b]).into()),
        [_, _, _, _, _, _, _, _, a, b, c, d, ref rest @ ..] => rest.get(..u32::from_le_bytes([a, b, c, d]) as usize),
        _ => None,
    };
    let Some(header) = header.filter(|header| header.len() <= NPY_HEADER) else { return false };
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in header {
        match byte {
            b'{' if depth > 0 => return false,
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    let mut numbers = header.split(|byte| !byte.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    deepest <= NPY_NESTING && numbers.try_fold(1_u64, |all, digits| all.checked_mul(number(digits)?.max(1))).is_some()
}

/// Reads all numbers of an array.
fn numbers(file: NpyFile<impl Read>) -> std::io::Result<Numbers> {
    let mut file = file;
    macro_rules! try_types {
        ($($type:ty => $variant:ident, $convert:expr;)*) => {$(
            file = match file.try_data::<$type>() {
                Ok(numbers) => {
                    let numbers: std::io::Result<Vec<_>> = numbers.map(|number| number.map($convert)).collect();
                    return Ok(Numbers::$variant(numbers?));
                }
                Err(file) => file,
            };
        )*};
    }
    try_types! {
        f32 => F32, |number| number;
        f64 => F64, |number| number;
        i16 => Whole, i64::from;
        i32 => Whole, i64::from;
        i64 => Whole, |number| number;
        u8 => Whole, i64::from;
        i8 => Whole, i64::from;
        u16 => Whole, i64::from;
        u32 => Whole, i64::from;
        u64 => F64, |number: u64| number as f64;
        bool => Whole, i64::from;
    }
    Err(std::io::Error::other(format!("the type {} is no number", file.dtype().descr())))
}
