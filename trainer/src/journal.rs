//! Journal of a long search: the layers fitted so far, so that an interrupted search can resume. One line of JSON per layer,
//! appended when the layer is complete.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{FloatModel, HiddenLayer};
use crate::names::Named;

/// A file of fitted layers, each under a key of its data and settings.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    known: HashMap<String, Entry>,
    file: Mutex<File>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    key: String,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    valid_ll: f64,
    activation: String,
    of_bits: Vec<f32>,
    biases: Vec<f32>,
    inputs: Vec<f32>,
    outputs: Vec<f32>,
}

impl Journal {
    /// Opens a journal and reads its layers. An incomplete last line is skipped.
    ///
    /// # Errors
    /// [`Error::Io`] if the file can neither be read nor created.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = || Error::io(path, "cannot be written, but the search keeps its state there; check the folder");
        let text = if path.exists() { std::fs::read_to_string(path).map_err(failed())? } else { String::new() };
        let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
        let known = lines.map(|line| (line.key, line.entry)).collect();
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed())?;
        if !text.is_empty() && !text.ends_with('\n') {
            file.write_all(b"\n").map_err(failed())?;
        }
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

    /// Returns the layer under a key and its mean log-likelihood of the validation rows, in nats per row.
    pub fn recall(&self, key: &str, constraints: &[u16]) -> Option<(FloatModel, f64)> {
        let entry = self.known.get(key)?;
        let hidden = HiddenLayer {
            activation: Named::named(&entry.activation).ok()?,
            biases: entry.biases.clone(),
            inputs: entry.inputs.clone(),
            outputs: entry.outputs.clone(),
        };
        Some((FloatModel::of_layer(hidden, &entry.of_bits, constraints), entry.valid_ll))
    }

    /// Appends a layer. If it cannot be written, a resumed search fits it again.
    pub fn keep(&self, key: &str, model: &FloatModel, valid_ll: f64) {
        let Some(hidden) = &model.hidden else { return };
        let entry = Entry {
            valid_ll,
            activation: hidden.activation.name().into(),
            of_bits: model.conditionals.iter().map(|conditional| conditional.bias as f32).collect(),
            biases: hidden.biases.clone(),
            inputs: hidden.inputs.clone(),
            outputs: hidden.outputs.clone(),
        };
        if let (Ok(mut line), Ok(mut file)) =
            (serde_json::to_vec(&Line { key: key.to_owned(), entry }), self.file.lock())
        {
            line.push(b'\n');
            let _ = file.write_all(&line);
        }
    }

    /// Removes the file if it is empty.
    pub fn remove_if_empty(&self) {
        if std::fs::metadata(&self.path).is_ok_and(|file| file.len() == 0) {
            self.remove();
        }
    }

    /// Removes the file, when the search is complete.
    pub fn remove(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
