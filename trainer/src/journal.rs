//! The journal of a search for a model: a file of the hidden layers fitted so far, so that an interrupted search can
//! resume.
//!
//! The first line names the format. Each further line holds one layer: the CRC-32 of its JSON text in hexadecimal, a
//! space, and the text. A line is appended when its layer is complete, and a damaged line is skipped.

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

/// First line of a journal, which names its format.
const HEADER: &[u8] = b"surprisal search journal 1\n";

/// Size in bytes of the largest journal that is read.
const MAX_BYTES: u64 = 1 << 30;

/// A file of fitted hidden layers, each with a key that identifies its data and settings.
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
    /// Returns whether the vectors have the lengths for `units` hidden units and `bits` bits, and all numbers are
    /// finite.
    fn fits(&self, units: usize, bits: usize) -> bool {
        let lengths = [self.of_bits.len(), self.biases.len(), self.inputs.len(), self.outputs.len()];
        lengths == [bits, units, bits * units, bits * units]
            && self.valid_ll.is_finite()
            && [&self.of_bits, &self.biases, &self.inputs, &self.outputs].into_iter().flatten().all(|x| x.is_finite())
    }
}

impl Journal {
    /// Returns the path of the journal of an output file: `model.srp` has the journal `model.srp.surprisal-search`.
    pub fn beside(output: &Path) -> PathBuf {
        let mut path = output.as_os_str().to_owned();
        path.push(".surprisal-search");
        path.into()
    }

    /// Opens a journal and reads its layers, or starts a new one. Damaged lines are skipped.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can neither be read nor created, and [`Error::Input`] if it is not a journal; the file
    /// is not changed then.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = || {
            Error::io(
                path,
                "cannot be used as the journal of the search; check that the file is readable and the folder writable",
            )
        };
        let bytes = match std::fs::metadata(path) {
            Ok(found) if found.is_file() && found.len() > MAX_BYTES => {
                let message = "the journal of a search has more than 1 GiB; delete it to fit all layers again";
                return Err(Error::input(path, message));
            }
            Ok(found) if found.is_file() => std::fs::read(path).map_err(failed())?,
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

    /// Returns the number of layers that were read when the journal was opened.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Returns whether no layer was read when the journal was opened.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Returns the hidden layer that an earlier run of the same search stored under a key and settings, as a model, with
    /// the mean log-likelihood of the validation rows in nats per row.
    ///
    /// `constraints` has one element per bit. Returns `None` if the journal has no such layer.
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

    /// Appends a layer to the file. Write errors are ignored; a resumed search then fits the layer again.
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
            let line = format!("{:08x} {text}\n", checksum(text.as_bytes()));
            let length = file.metadata().map_or(MAX_BYTES, |file| file.len());
            if length + line.len() as u64 <= MAX_BYTES {
                let _ = file.write_all(line.as_bytes());
            }
        }
    }

    /// Removes the journal's file if it holds no layer.
    pub fn remove_if_empty(&self) {
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() <= HEADER.len() as u64) {
            self.remove();
        }
    }

    /// Removes the journal's file. Call this when the search is complete.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn foreign(path: &Path) -> Error {
    Error::input(
        path,
        "the search would write its journal here, but the file is not a journal; move the file or choose another output with -o",
    )
}

/// Returns the key of a layer in the journal: the key of its data followed by its settings.
fn full_key(key: &str, settings: &LayerSettings) -> String {
    format!("{key} {settings:?}")
}

/// Returns the key and the layer of a line, or `None` if the line is damaged.
fn entry(line: &[u8]) -> Option<(String, Layer)> {
    let (sum, text) = (line.get(..8)?, line.get(9..)?);
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    let Entry { key, layer } = serde_json::from_slice(text).ok().filter(|_| sum == checksum(text))?;
    Some((key, layer))
}
