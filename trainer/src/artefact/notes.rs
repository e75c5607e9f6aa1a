//! Notes: the part of a `.srp` file that only the host reads, as JSON after the table.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::data::checksum;
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::history::History;
use crate::names::Named;
use crate::schema::Schema;
use crate::windows::Windows;

/// Names and provenance of a model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// The names of the file's columns; empty if they have the default names x0, x1, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The number of columns in the file.
    pub columns: usize,
    /// The positions of the columns that are not modelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<usize>,
    /// The texts of each category column by code, with the position of the column in the file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(usize, Vec<String>)>,
    /// The column that marks anomalies, and its value on normal rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<(String, String)>,
    /// The provenance of the model.
    pub fit: Provenance,
}

/// The provenance of a model: everything that is needed to fit it again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of the trainer.
    pub version: String,
    /// The model family.
    pub family: Family,
    /// The order of the columns.
    pub order: String,
    /// The least gain of a split, in nats of the training set; `None` if it differs between bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// The strength of the penalty or pseudo-count; `None` if it differs between bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// The terms of the model, if the settings do not describe it completely.
    #[serde(default, alias = "parts", skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// The seed of the split and of the fit.
    pub seed: u64,
    /// The CRC-32 of the training file.
    pub digest: u32,
    /// The number of training rows.
    pub train_rows: usize,
    /// The shares of training, validation, calibration and held-out rows, if one file was split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<[f64; 4]>,
    /// The earlier rows that each row depends on, for a time series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// The windows of a raw signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Windows>,
}

impl Provenance {
    /// Describes the fit in one line: "linear-trees, learned order, split gain 2.5, strength 5, seed 0; 1600 training rows".
    pub fn summary(&self) -> String {
        let mut settings = match (self.gamma, self.strength, &self.terms) {
            (Some(gamma), Some(strength), _) => format!("split gain {gamma}, strength {strength}"),
            (_, _, Some(terms)) => terms.clone(),
            _ => "settings by conditional".into(),
        };
        if let (Some(_), Some(terms)) = (self.gamma, &self.terms) {
            settings = format!("{terms}, {settings}");
        }
        let (family, order) = (self.family.name(), &self.order);
        format!("{family}, {order} order, {settings}, seed {}; {} training rows", self.seed, self.train_rows)
    }
}

impl Notes {
    /// The largest number of columns in a file. Names of so many columns are generated at no cost that matters.
    const MOST_COLUMNS: usize = 1 << 16;

    /// Creates the notes of a schema and a fit.
    pub fn new(schema: &Schema, label: Option<(String, String)>, fit: Provenance) -> Self {
        let modelled: HashSet<usize> = schema.columns.iter().map(|encoding| encoding.file).collect();
        let labelled = schema.columns.iter().filter(|encoding| !encoding.labels.is_empty());
        Self {
            names: if schema.is_unnamed() { Vec::new() } else { schema.names.clone() },
            columns: schema.names.len(),
            left_out: (0..schema.names.len()).filter(|column| !modelled.contains(column)).collect(),
            labels: labelled.map(|encoding| (encoding.file, encoding.labels.clone())).collect(),
            label,
            fit,
        }
    }

    /// Returns the notes as they stand in the file: length, CRC-32, JSON.
    pub fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("notes are plain data");
        [&(json.len() as u32).to_le_bytes()[..], &checksum(&json).to_le_bytes(), &json].concat()
    }

    /// Checks the notes against each other. Nothing that passes makes the host panic or run out of memory.
    ///
    /// # Errors
    /// [`Error::Inconsistent`] with the field and what was expected of it.
    pub(super) fn check(&self) -> Result<()> {
        let Self { names, columns, left_out, labels, fit, .. } = self;
        require(
            *columns <= Self::MOST_COLUMNS,
            "columns",
            format!("{columns}, expected at most {}", Self::MOST_COLUMNS),
        )?;
        let distinct: HashSet<&str> = names.iter().map(String::as_str).collect();
        let named = names.is_empty() || names.len() == *columns && distinct.len() == *columns;
        require(named, "names", format!("{} names, expected {columns} different ones", names.len()))?;
        let positions: HashSet<usize> = left_out.iter().copied().collect();
        let inside = |at: &usize| at < columns;
        let known = left_out.iter().all(inside) && positions.len() == left_out.len();
        require(known, "left_out", format!("expected different positions below {columns}"))?;
        let positions: HashSet<usize> = labels.iter().map(|(at, _)| *at).collect();
        let known = positions.iter().all(inside) && positions.len() == labels.len();
        require(known, "labels", format!("expected different positions below {columns}"))?;
        if let Some(shares) = fit.split {
            let valid = shares.iter().all(|share| (0.0..=1.0).contains(share)) && shares.iter().sum::<f64>() < 1.001;
            require(valid, "fit.split", format!("{shares:?}, expected four shares that add up to at most 1"))?;
        }
        if let Some(Windows { window, hop, bands, rate }) = fit.signal {
            let sized = (2..=65536).contains(&window) && (1..=window).contains(&hop);
            let valid = sized && bands <= 64 && window >= 2 * usize::from(bands);
            let valid = valid && rate.is_none_or(|rate| rate.is_finite() && rate > 0.0);
            let expected = "expected a window of 2 to 65536 samples, at least twice the bands, and a hop within it";
            require(valid, "fit.signal", expected)?;
        }
        Ok(())
    }
}

/// Fails unless a field of the notes is as expected.
pub(super) fn require(valid: bool, field: &str, found: impl Into<String>) -> Result<()> {
    if valid { Ok(()) } else { Err(Error::Inconsistent(format!("notes, `{field}`: {}; fit again", found.into()))) }
}
