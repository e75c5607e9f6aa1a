//! The journal of a search: the layers fitted so far, so that an interrupted search can resume.
//!
//! The first line names the format. Each further line is one layer: the CRC-32 of its JSON text in hexadecimal, a space,
//! and the text. A line is appended when its layer is complete, and a damaged line is skipped.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::data::checksum;
use crate::error::{Error, Result};
use crate::fit::layer::LayerSettings;
use crate::model::{FloatModel, HiddenLayer};

/// The first line of a journal.
const HEADER: &[u8] = b"surprisal search journal 1\n";

/// The largest journal that is read, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// A file of fitted layers, each under a key of its data and settings.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    known: HashMap<String, Layer>,
    file: Mutex<File>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    key: String,
    #[serde(flatten)]
    layer: Layer,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Layer {
    valid_ll: f64,
    of_bits: Vec<f32>,
    biases: Vec<f32>,
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

impl Layer {
    /// Returns whether the lengths are those of a layer of so many units on so many bits, and all numbers are finite.
    fn fits(&self, units: usize, bits: usize) -> bool {
        let lengths = [self.of_bits.len(), self.biases.len(), self.inputs.len(), self.outputs.len()];
        lengths == [bits, units, bits * units, bits * units]
            && self.valid_ll.is_finite()
            && [&self.of_bits, &self.biases, &self.inputs, &self.outputs].into_iter().flatten().all(|x| x.is_finite())
    }
}

impl Journal {
    /// Returns the journal that belongs to an output: `model.srp` has the journal `model.srp.surprisal-search`.
    pub fn beside(output: &Path) -> PathBuf {
        let mut path = output.as_os_str().to_owned();
        path.push(".surprisal-search");
        path.into()
    }

    /// Opens a journal and reads its layers, or starts a new one. Damaged lines are skipped.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can neither be read nor created, and [`Error::Input`] if it is no journal; such a file stays
    /// as it is.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = || Error::io(path, "cannot be written, but the search keeps its state there; check the folder");
        let bytes = match std::fs::metadata(path) {
            Ok(found) if found.is_file() && found.len() <= MAX_BYTES => std::fs::read(path).map_err(failed())?,
            Ok(_) => return Err(foreign(path)),
            Err(_) => Vec::new(),
        };
        // A power failure can cut even the first line short.
        let begun = HEADER.starts_with(&bytes);
        if !begun && !bytes.starts_with(HEADER) {
            return Err(foreign(path));
        }
        let known = bytes.split(|&byte| byte == b'\n').filter_map(entry).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed())?;
        let missing: &[u8] = match bytes.last() {
            _ if begun => &HEADER[bytes.len()..],
            Some(b'\n') => b"",
            _ => b"\n",
        };
        file.write_all(missing).map_err(failed())?;
        Ok(Self { path: path.to_owned(), known, file: Mutex::new(file) })
    }

    /// Returns the number of layers that were read.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns whether no layer was read.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Returns the layer with these settings under a key, and its mean log-likelihood of the validation rows, in nats per
    /// row.
    ///
    /// The layer has one bias per bit, so that `constraints` states the number of bits.
    pub fn recall(&self, key: &str, settings: &LayerSettings, constraints: &[u16]) -> Option<(FloatModel, f64)> {
        let layer = self.known.get(&full_key(key, settings))?;
        if !layer.fits(settings.shape.units, constraints.len()) {
            return None;
        }
        let hidden = HiddenLayer {
            activation: settings.shape.activation,
            biases: layer.biases.clone(),
            inputs: layer.inputs.clone(),
            outputs: layer.outputs.clone(),
        };
        Some((FloatModel::of_layer(hidden, &layer.of_bits, constraints), layer.valid_ll))
    }

    /// Appends a layer. If it cannot be written, a resumed search fits it again.
    pub fn keep(&self, key: &str, settings: &LayerSettings, model: &FloatModel, valid_ll: f64) {
        let Some(hidden) = &model.hidden else { return };
        let layer = Layer {
            valid_ll,
            of_bits: model.conditionals.iter().map(|conditional| conditional.bias as f32).collect(),
            biases: hidden.biases.clone(),
            inputs: hidden.inputs.clone(),
            outputs: hidden.outputs.clone(),
        };
        let entry = Entry { key: full_key(key, settings), layer };
        if let (Ok(text), Ok(mut file)) = (serde_json::to_string(&entry), self.file.lock()) {
            let _ = file.write_all(format!("{:08x} {text}\n", checksum(text.as_bytes())).as_bytes());
        }
    }

    /// Removes the file if it holds no layer.
    pub fn remove_if_empty(&self) {
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() <= HEADER.len() as u64) {
            self.remove();
        }
    }

    /// Removes the file, when the search is complete.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn foreign(path: &Path) -> Error {
    Error::input(
        path,
        "the search keeps its state in this file, but it is not a journal of surprisal; move it or choose another --output",
    )
}

/// Returns the key of a layer among all layers for the same data.
fn full_key(key: &str, settings: &LayerSettings) -> String {
    format!("{key} {settings:?}")
}

/// Reads a line, if it is undamaged.
fn entry(line: &[u8]) -> Option<(String, Layer)> {
    let (sum, text) = (line.get(..8)?, line.get(9..)?);
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    let Entry { key, layer } = serde_json::from_slice(text).ok().filter(|_| sum == checksum(text))?;
    Some((key, layer))
}
