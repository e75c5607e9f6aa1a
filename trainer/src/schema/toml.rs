//! The schema file: kinds of columns as TOML, which `surprisal schema` writes and users correct.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use surprisal::Kind;

use super::encoding::{CELLS, ColumnEncoding};
use super::numbering::Numbering;
use crate::data::{Cell, Frame, MissingCodes, input};
use crate::error::{Error, Result};
use crate::escape::{escaped, quoted};

/// Kind of a column in a schema file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Numbers, read as `f32`, divided into cells (bins).
    Real,
    /// Integers of 32 bits, divided into cells (bins).
    Integer,
    /// Texts or codes without an order, one outcome each.
    Category,
    /// A flag: 0 or 1.
    Flag,
    /// Any values; the column is not modelled.
    Ignore,
}

/// Settings of one column in a schema file. A setting that is `None` is determined from the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnOverride {
    /// Kind of the column.
    pub kind: Option<ColumnKind>,
    /// Number of cells (bins), if the column is numeric and has more distinct values.
    pub cells: Option<usize>,
    /// Whether readings may be missing, even if no reading is missing in the training rows.
    pub missing: Option<bool>,
    /// Whether the column is kept although it never changes, or looks like a clock, a counter or an identifier.
    pub keep: Option<bool>,
    /// Codes that stand for a missing reading in the column, such as `-999` or `Bad`.
    #[serde(default)]
    pub missing_codes: Vec<String>,
    /// The settings that `--like` takes from an earlier model. A schema file cannot state them.
    #[serde(skip)]
    pub pinned: Option<Pinned>,
}

/// The settings of a column that `--like` takes from an earlier model, beside the kind of the column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pinned {
    /// Name of the file of the earlier model, for messages.
    pub model: String,
    /// (code, text) of each value of a category, in ascending order of the codes. Texts are empty if the codes are the
    /// values of the file. Other kinds have no codes.
    pub codes: Vec<(i32, String)>,
}

impl Pinned {
    /// Returns whether the column is a category of texts.
    pub fn has_texts(&self) -> bool {
        self.codes.iter().any(|(_, text)| !text.is_empty())
    }
}

impl ColumnKind {
    /// Returns the kind of an encoding.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Flag { .. } => Self::Flag,
            Kind::Integer => Self::Integer,
            Kind::Real => Self::Real,
            _ => Self::Category,
        }
    }
}

impl ColumnOverride {
    /// Returns whether the user says that the values are codes, a category or a flag.
    pub fn is_code(&self) -> bool {
        matches!(self.kind, Some(ColumnKind::Category | ColumnKind::Flag))
    }
}

/// Content of a schema file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// Settings by the name of the column.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnOverride>,
    /// Codes that stand for a missing reading in every column.
    #[serde(default)]
    pub missing_codes: Vec<String>,
}

/// Permitted numbers of cells.
const CELLS_RANGE: std::ops::RangeInclusive<usize> = 2..=256;

impl Overrides {
    /// Reads a schema file of at most 16 MiB.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Input`], with the line, if it is not TOML, has an unknown key
    /// or value, or a number of cells outside 2 to 256.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = input::read_small(path, &format!("cannot be read; `surprisal schema DATA -o {shown}` writes one"))?;
        let overrides: Self = ::toml::from_str(&text).map_err(|error| {
            let message =
                "not a schema file as `surprisal schema` writes it; a column has only the keys kind, cells, missing, keep and \
                 missing_codes, a list of texts";
            Error::input(path, message).caused_by(error)
        })?;
        for (name, column) in &overrides.columns {
            if let Some(cells) = column.cells.filter(|cells| !CELLS_RANGE.contains(cells)) {
                let message = format!("cells = {cells}; expected {} to {}", CELLS_RANGE.start(), CELLS_RANGE.end());
                return Err(Error::input(path, message).column(name));
            }
        }
        Ok(overrides)
    }

    /// Returns the settings of a column.
    pub fn of(&self, name: &str) -> ColumnOverride {
        self.columns.get(name).cloned().unwrap_or_default()
    }

    /// Returns the codes of missing readings of all columns.
    pub fn codes(&self) -> MissingCodes {
        let own = self.columns.iter().filter(|(_, column)| !column.missing_codes.is_empty());
        MissingCodes {
            all: self.missing_codes.clone(),
            columns: own.map(|(name, column)| (name.clone(), column.missing_codes.clone())).collect(),
        }
    }

    /// Yields the names of the columns that are not modelled.
    pub fn ignored(&self) -> impl Iterator<Item = &String> {
        self.columns.iter().filter(|(_, column)| column.kind == Some(ColumnKind::Ignore)).map(|(name, _)| name)
    }
}

/// Returns the schema file of a frame whose columns have these encodings.
pub fn write(frame: &Frame, encodings: &[ColumnEncoding]) -> String {
    write_with(frame, encodings, &MissingCodes::default(), &[])
}

/// Returns the schema file of a frame, which states the codes of missing readings. `faults` are (column, message) of columns
/// that cannot be used as they are; the file leaves them out and says why.
pub(super) fn write_with(
    frame: &Frame,
    encodings: &[ColumnEncoding],
    codes: &MissingCodes,
    faults: &[(usize, String)],
) -> String {
    let mut out = format!(
        "# What the columns of {} mean. Change what is wrong and pass this file to `surprisal fit --schema`; what is\n\
         # left out is found again.\n\
         #   kind     real, integer (both by cell), category (no order), flag (0 or 1), or ignore\n\
         #   cells    how many a column of more values gets; chosen on validation rows where this is not given\n\
         #   missing  true if the board may have no reading, even if no training row lacks it\n\
         #   keep     true keeps a column that never changes, or looks like a clock, a counter or an identifier\n\
         #   missing_codes  texts that stand for a missing reading, for example [\"-999\", \"Bad\"]\n",
        escaped(&frame.path.display().to_string())
    );
    let list = |codes: &[String]| codes.iter().map(|code| quoted(code)).collect::<Vec<_>>().join(", ");
    if !codes.all.is_empty() {
        out += &format!("\nmissing_codes = [{}]\n", list(&codes.all));
    }
    let every: Vec<usize> = (0..frame.rows()).collect();
    for (file, column) in frame.columns.iter().enumerate() {
        let (missing, present): (Vec<_>, Vec<_>) =
            column.cells.counts(&every).into_iter().partition(|(cell, _)| cell.is_missing());
        let missing: usize = missing.iter().map(|(_, count)| count).sum();
        out += &format!("\n[columns.{}]\n# {} different values", quoted(&column.name), present.len());
        if let Some((least, most)) = range(&present) {
            out += &format!(", {least} to {most}");
        }
        out += &format!("; {missing} rows miss it\n");
        if let Some(codes) = codes.columns.get(&column.name) {
            out += &format!("missing_codes = [{}]\n", list(codes));
        }
        if let Some((_, message)) = faults.iter().find(|(at, _)| *at == file) {
            out += &format!("# not usable as it is: {}\n", escaped(message));
        }
        let Some(encoding) = encodings.iter().find(|encoding| encoding.file == file) else {
            out += "kind = \"ignore\"\n";
            continue;
        };
        if encoding.constant && !encoding.may_miss {
            out += "# it never changes: \"ignore\" leaves it out\n";
        }
        let numbering = Numbering::find(frame, file, &every, false);
        if let Some(numbering) = numbering {
            let what = match numbering {
                Numbering::Rising { is_strict: true, .. } => "it only rises, as a clock or a counter does",
                Numbering::Rising { .. } => "it never falls, as a counter does",
                Numbering::Identifier => "it has another whole number in every row, as an identifier has",
            };
            out += &format!("# {what}: \"ignore\" leaves it out\n");
        }
        let kind = match encoding.kind {
            Kind::Flag { .. } => "flag",
            Kind::Integer => "integer",
            Kind::Real => "real",
            _ => "category",
        };
        out += &format!("kind = \"{kind}\"\n");
        if matches!(encoding.kind, Kind::Integer | Kind::Real) {
            out += &format!("# cells = {CELLS}\n");
        }
        out += &format!("missing = {}\n", encoding.may_miss);
        if numbering.is_some() || encoding.constant && !encoding.may_miss {
            out += "# keep = true\n";
        }
    }
    out
}

/// Returns (smallest, largest number) of the cells, or `None` if a cell is not a number or there are no cells. Each
/// element of `present` is (cell, count).
fn range(present: &[(Cell, usize)]) -> Option<(f64, f64)> {
    let numbers: Vec<f64> = present.iter().map(|(cell, _)| cell.number()).collect::<Option<_>>()?;
    let least = numbers.iter().copied().reduce(f64::min)?;
    Some((least, numbers.iter().copied().fold(least, f64::max)))
}
