//! Sounds in RIFF format, `.wav`, as raw signals.

use std::path::Path;

use hound::{SampleFormat, WavReader};

use super::default_name;
use super::input::{InputLimits, Observed};
use super::numpy::Numbers;
use crate::error::{Error, Result};
use crate::observer::Observer;

/// Reads the channels of a sound as (name, samples). Whole samples keep their values, for example -32768 to 32767.
///
/// # Errors
/// [`Error::Input`] if the file is damaged, compressed, or has too many channels.
pub(crate) fn channels(
    path: &Path,
    bytes: &[u8],
    limits: &InputLimits,
    observer: &dyn Observer,
) -> Result<Vec<(String, Numbers)>> {
    let damaged = |error: hound::Error| {
        let message =
            "cannot be read as a sound of uncompressed samples; write it as PCM of 16 bits, and copy the whole file";
        Error::input(path, message).caused_by(error)
    };
    let mut reader = WavReader::new(Observed::new(bytes, path, bytes.len() as u64, observer)).map_err(damaged)?;
    let spec = reader.spec();
    let count = usize::from(spec.channels).max(1);
    limits.check_columns(path, count)?;
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(damaged)?,
        SampleFormat::Int => {
            let samples = reader.samples::<i32>().map(|sample| sample.map(|sample| sample as f32));
            samples.collect::<Result<_, _>>().map_err(damaged)?
        }
    };
    let length = samples.len() / count;
    let channel = |at: usize| Numbers::F32(samples.iter().skip(at).step_by(count).take(length).copied().collect());
    Ok((0..count).map(|at| (default_name(at), channel(at))).collect())
}
