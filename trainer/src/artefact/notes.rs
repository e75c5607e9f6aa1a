//! Notes: the part of a `.srp` file that only the host reads, as JSON after the table.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::data::{Machine, MissingCodes, checksum};
use crate::error::{Error, Result};
use crate::fit::Family;
use crate::history::History;
use crate::names::Named;
use crate::schema::Schema;
use crate::windows::Windows;

/// Column names, labels and provenance of a model.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Notes {
    /// Names of the columns of the data file; empty if the columns have the default names x0, x1, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Number of columns in the data file.
    pub columns: usize,
    /// Positions in the data file of the columns that are not modelled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<usize>,
    /// (position in the data file, text of each code) for each category column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<(usize, Vec<String>)>,
    /// Name of the column that marks anomalies, and its value in normal rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<(String, String)>,
    /// Data and settings from which the model was fitted.
    pub fit: Provenance,
}

/// A recalibration, as the notes of the model record it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recalibrated {
    /// Number of rows from which threshold and quantiles were computed.
    pub rows: usize,
    /// CRC-32 of their file.
    pub digest: u32,
    /// (column, offset of this machine's readings from those of the machine of the fit) for each column with an offset.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offsets: Vec<(String, f64)>,
}

/// Provenance of a model: data and settings that are needed to fit the model again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the trainer that fitted the model.
    pub version: String,
    /// Family of the model.
    pub family: Family,
    /// Name of the order of the columns, for example `learned`.
    pub order: String,
    /// Smallest gain of a split, in nats of the training set; `None` if it differs between bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gamma: Option<f64>,
    /// Strength of regularisation, whose meaning depends on the family; `None` if it differs between bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<f64>,
    /// Description of the model's terms, if the other settings do not determine them.
    #[serde(default, alias = "parts", skip_serializing_if = "Option::is_none")]
    pub terms: Option<String>,
    /// Seed of the split of the rows and of the fit.
    pub seed: u64,
    /// CRC-32 of the training file.
    pub digest: u32,
    /// Number of rows on which the model was fitted.
    pub train_rows: usize,
    /// Number of rows of the file before it was split, so that a later command notices if it reads other rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<usize>,
    /// Number of training rows of which these are a sample; `None` if they are all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled_from: Option<usize>,
    /// Shares of training, validation, calibration and held-out rows; `None` if separate files were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<[f64; 4]>,
    /// Number of consecutive rows that got into the same share; `None` if it was 1, or the shares follow each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stretch: Option<usize>,
    /// Window of earlier rows on which each row depends, for a time series.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
    /// Columns that make up the time stamp of a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub time: Vec<String>,
    /// Codes that stand for a missing reading.
    #[serde(default, skip_serializing_if = "MissingCodes::is_empty")]
    pub missing: MissingCodes,
    /// Channels of a raw signal that are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels_left_out: Vec<String>,
    /// The machine of a fleet whose rows were fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<Machine>,
    /// Share of the rows that were left out as likely faults, or `auto`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contamination: Option<String>,
    /// Share of the readings that were emptied at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_fail: Option<f64>,
    /// Windows into which a raw signal is cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<Windows>,
    /// Rows of another machine or season from which the calibration was computed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalibrated: Option<Recalibrated>,
}

impl Provenance {
    /// Returns a description of the fit in one line: "linear-trees, learned order, split gain 2.5, strength 5, seed 0;
    /// 1600 training rows".
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
        let of = self.sampled_from.map_or(String::new(), |all| format!(", a sample of {all}"));
        let mut summary =
            format!("{family}, {order} order, {settings}, seed {}; {} training rows{of}", self.seed, self.train_rows);
        if let Some(Recalibrated { rows, digest, offsets }) = &self.recalibrated {
            summary += &format!("; calibrated anew on {rows} rows of a file with the digest {digest:08x}");
            summary += &offsets.iter().map(|(name, offset)| format!(", {name} {offset:+.4}")).collect::<String>();
        }
        summary
    }
}

impl Notes {
    /// Largest number of columns in a data file, small enough that generating default names is cheap.
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

    /// Returns the bytes of the notes in a `.srp` file: length and CRC-32 as little-endian u32, then JSON.
    pub fn bytes(&self) -> Vec<u8> {
        let json = serde_json::to_vec(self).expect("notes are plain data");
        [&(json.len() as u32).to_le_bytes()[..], &checksum(&json).to_le_bytes(), &json].concat()
    }

    /// Checks that the fields of the notes agree, so that the host can use them without panic or excessive memory.
    ///
    /// # Errors
    /// [`Error::Inconsistent`], which names the invalid field and the expected value.
    pub(super) fn check(&self) -> Result<()> {
        let Self { names, columns, left_out, labels, fit, .. } = self;
        require(
            *columns <= Self::MOST_COLUMNS,
            "columns",
            format!("{columns}, expected at most {}", Self::MOST_COLUMNS),
        )?;
        let distinct: HashSet<&str> = names.iter().map(String::as_str).collect();
        let named = names.is_empty() || names.len() == *columns && distinct.len() == *columns;
        require(named, "names", format!("{} names, expected {columns} distinct names", names.len()))?;
        let positions: HashSet<usize> = left_out.iter().copied().collect();
        let inside = |at: &usize| at < columns;
        let known = left_out.iter().all(inside) && positions.len() == left_out.len();
        require(known, "left_out", format!("expected distinct column positions below {columns}"))?;
        let positions: HashSet<usize> = labels.iter().map(|(at, _)| *at).collect();
        let known = positions.iter().all(inside) && positions.len() == labels.len();
        require(known, "labels", format!("expected distinct column positions below {columns}"))?;
        if let Some(shares) = fit.split {
            let valid =
                shares.iter().all(|share| (0.0..=1.0).contains(share)) && shares.iter().sum::<f64>() < 1.0 + 1e-9;
            require(valid, "fit.split", format!("{shares:?}, expected four shares that add up to at most 1"))?;
        }
        if let Some(Windows { window, hop, bands, rate }) = fit.signal {
            let sized = Windows::new(window, hop, bands, rate).is_ok();
            let valid = sized && window <= 65536 && hop <= window && bands <= 64;
            let valid = valid && rate.is_none_or(|rate| rate.is_finite() && rate > 0.0);
            let expected =
                "expected a window of 2 to 65536 samples, at least twice the bands, and a hop up to the window";
            require(valid, "fit.signal", expected)?;
        }
        Ok(())
    }
}

/// Returns an error that names `field` of the notes and describes it by `found`, unless `valid` is true.
pub(super) fn require(valid: bool, field: &str, found: impl Into<String>) -> Result<()> {
    if valid { Ok(()) } else { Err(Error::Inconsistent(format!("notes, `{field}`: {}; fit again", found.into()))) }
}
