//! What the user says of columns, in a file that `surprisal schema` begins for them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use surprisal::Kind;

use super::{CELLS, Schema};
use crate::data::{Frame, is_missing};
use crate::error::{Error, Result};
use crate::escape::{escaped, quoted};

/// What a column's values mean, as the user writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// Numbers, read as `f32`, by cell.
    Real,
    /// Whole numbers, by cell.
    Integer,
    /// Texts or codes without an order, one outcome each.
    Category,
    /// 0 or 1.
    Flag,
    /// Not modelled.
    Ignore,
}

/// What the user fixes of one column; the rest is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnOverride {
    /// What its values mean.
    pub kind: Option<ColumnKind>,
    /// How many cells a column of more values gets between its smallest and its largest.
    pub cells: Option<usize>,
    /// May it miss readings, even if no training row does?
    pub missing: Option<bool>,
}

/// What the user fixes, column by column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// By name.
    #[serde(default)]
    pub columns: BTreeMap<String, ColumnOverride>,
}

/// The fewest and the most cells that make sense.
const RANGE: std::ops::RangeInclusive<usize> = 2..=256;

impl Overrides {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not TOML, or says what is not known, with its line; a number of cells out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        let advice = format!("cannot be read; `surprisal schema DATA -o {shown}` writes one");
        let text = std::fs::read_to_string(path).map_err(Error::io(path, advice))?;
        let overrides: Self = ::toml::from_str(&text).map_err(|error| {
            let message =
                "not a schema file as `surprisal schema` writes it; a column has only the keys kind, cells and missing";
            Error::input(path, message).caused_by(error)
        })?;
        for (name, wish) in &overrides.columns {
            if let Some(cells) = wish.cells.filter(|cells| !RANGE.contains(cells)) {
                let message = format!("cells = {cells}; expected {} to {}", RANGE.start(), RANGE.end());
                return Err(Error::input(path, message).column(name));
            }
        }
        Ok(overrides)
    }

    /// What is said of a column.
    pub fn of(&self, name: &str) -> ColumnOverride {
        self.columns.get(name).copied().unwrap_or_default()
    }

    /// The columns that are not to be modelled.
    pub fn ignored(&self) -> impl Iterator<Item = &String> {
        self.columns.iter().filter(|(_, wish)| wish.kind == Some(ColumnKind::Ignore)).map(|(name, _)| name)
    }
}

/// The file for a data file, with what was found of every column.
pub fn write(frame: &Frame, schema: &Schema) -> String {
    let mut out = format!(
        "# What the columns of {} mean. Change what is wrong and pass this file to `surprisal fit --schema`; what is\n\
         # left out is found again.\n\
         #   kind     real, integer (both by cell), category (no order), flag (0 or 1), or ignore\n\
         #   cells    how many a column of more values gets; chosen on validation rows where this is not given\n\
         #   missing  true if the board may have no reading, even if no training row lacks it\n",
        escaped(&frame.path.display().to_string())
    );
    for (file, cells_of) in frame.columns.iter().enumerate() {
        let encoding = schema.columns.iter().find(|encoding| encoding.file == file);
        let missing = cells_of.codes.iter().filter(|&&code| is_missing(&cells_of.texts[code as usize])).count();
        let values = cells_of.texts.iter().filter(|text| !is_missing(text)).count();
        let key = quoted(&cells_of.name);
        let mut push = |text: String| out.push_str(&text);
        push(format!("\n[columns.{key}]\n# {values} different values"));
        if let Some((least, most)) = range(&cells_of.texts) {
            push(format!(", {least} to {most}"));
        }
        push(format!("; {missing} rows miss it\n"));
        match encoding {
            None => push("kind = \"ignore\"\n".into()),
            Some(encoding) => {
                if encoding.constant && !encoding.may_miss {
                    push("# it never changes: \"ignore\" leaves it out\n".into());
                }
                let kind = match encoding.kind {
                    Kind::Flag { .. } => "flag",
                    Kind::Integer => "integer",
                    Kind::Real => "real",
                    _ => "category",
                };
                push(format!("kind = \"{kind}\"\n"));
                if matches!(encoding.kind, Kind::Integer | Kind::Real) {
                    push(format!("# cells = {CELLS}\n"));
                }
                push(format!("missing = {}\n", encoding.may_miss));
            }
        }
    }
    out
}

/// The smallest and the largest of numbers; none if there is another text.
fn range(texts: &[String]) -> Option<(f64, f64)> {
    let numbers: Option<Vec<f64>> =
        texts.iter().filter(|text| !is_missing(text)).map(|text| text.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| !numbers.is_empty())?;
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    Some((least, numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max)))
}
