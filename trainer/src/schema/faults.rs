//! Cells of numeric columns that are no numbers.

use std::collections::BTreeSet;

use surprisal::Kind;

use super::find::finite_number;
use super::toml::{ColumnKind, ColumnOverride};
use super::{ColumnEncoding, Schema, SchemaOptions};
use crate::counted::counted;
use crate::data::{Cells, Frame, is_written};
use crate::error::{Error, Result};
use crate::escape::column_option;
use crate::warning::Warning;

/// Largest number of cells that one message names.
const NAMED: usize = 20;
/// Largest number of texts for which a message suggests that they stand for missing readings.
const CODES: usize = 8;
/// Smallest share of numbers in a column of names. A column with fewer numbers and more names is one of names.
const FEW: f64 = 0.1;
/// Number of rows from which on a sensor without any reading counts as dead.
const MANY_ROWS: usize = 100;

/// A numeric column with cells that are no numbers.
pub(super) struct Faults {
    /// Index of the column in the file.
    pub file: usize,
    /// (text, number of rows) of the cells.
    texts: Vec<(String, usize)>,
    /// Number of rows in which the column is not missing.
    present: usize,
}

impl Faults {
    /// Returns the cells of a column that are no finite numbers although the column is one of numbers, or `None`.
    ///
    /// A column in which numbers and words are mixed is never taken for one of names, unless the user says so or numbers
    /// are few: the words may be codes of missing readings, or the numbers may be written in an unknown way.
    pub fn of(frame: &Frame, file: usize, settings: &ColumnOverride) -> Option<Self> {
        let is_names = matches!(settings.kind, Some(ColumnKind::Category | ColumnKind::Ignore));
        if is_names || matches!(frame.columns[file].cells, Cells::Integer(_)) {
            return None;
        }
        let every: Vec<usize> = (0..frame.rows()).collect();
        let cells = frame.columns[file].cells.counts(&every).into_iter().filter(|(cell, _)| !cell.is_missing());
        let (numbers, words): (Vec<_>, Vec<_>) = cells.partition(|(cell, _)| finite_number(*cell).is_some());
        if words.is_empty() {
            return None;
        }
        let rows = |cells: &[(_, usize)]| cells.iter().map(|(_, count)| count).sum::<usize>();
        let (numeric, total) = (rows(&numbers), rows(&numbers) + rows(&words));
        if settings.kind.is_none() && (numeric as f64) < FEW * total as f64 && numbers.len() < words.len() {
            let written =
                words.iter().filter(|(cell, _)| is_written(&cell.text())).map(|(_, count)| count).sum::<usize>();
            if 2 * written < total {
                return None;
            }
        }
        let texts = words.into_iter().map(|(cell, count)| (cell.text().into_owned(), count)).collect();
        Some(Self { file, texts, present: total })
    }

    /// Returns the same faults for a column of which a model says that it holds numbers.
    fn of_known_kind(self) -> Self {
        Self { present: usize::MAX, ..self }
    }

    /// Returns whether so many cells are words that the column may hold names.
    fn may_be_names(&self) -> bool {
        let is_word = |text: &str| !is_written(text) || has_unit(text);
        let words = self.texts.iter().filter(|(text, _)| is_word(text)).map(|(_, count)| count).sum::<usize>();
        words as f64 > FEW * self.present as f64
    }

    /// Returns the rows of these cells, ascending.
    fn rows(&self, frame: &Frame) -> Vec<usize> {
        let texts: BTreeSet<&str> = self.texts.iter().map(|(text, _)| text.as_str()).collect();
        let is_bad = frame.columns[self.file].cells.map(|cell| texts.contains(&*cell.text()));
        (0..frame.rows()).filter(|&row| is_bad[row]).collect()
    }
}

/// Returns the faults of the columns with these indices.
pub(super) fn find(frame: &Frame, columns: &[usize], options: &SchemaOptions) -> Vec<Faults> {
    let of = |&file: &usize| Faults::of(frame, file, &options.overrides.of(&frame.columns[file].name));
    columns.iter().filter_map(of).collect()
}

/// Returns the error that names the faults of all columns, and what to do. `faults` must not be empty.
pub(super) fn error(frame: &Frame, faults: &[Faults]) -> Error {
    let mut bad_rows = BTreeSet::new();
    let mut named: Vec<(usize, usize, String)> = Vec::new();
    let mut more = 0;
    for fault in faults {
        let rows = fault.rows(frame);
        let cells = &frame.columns[fault.file];
        for (text, count) in &fault.texts {
            if named.len() == NAMED {
                more += count;
                continue;
            }
            let first = rows.iter().copied().find(|&row| cells.text(row) == *text).unwrap_or(0);
            let others = if *count > 1 { format!(" and in {} more rows", count - 1) } else { String::new() };
            named.push((first, fault.file, format!("`{text}`{others}")));
        }
        bad_rows.extend(rows);
    }
    named.sort_by_key(|(row, file, _)| (*row, *file));
    let place = |(row, file, text): &(usize, usize, String)| {
        let (line, column) = (frame.lines[*row], &frame.columns[*file].name);
        format!("{} {line}, column `{column}`: {text}", frame.unit)
    };
    let (row, file, first) = named.first().cloned().unwrap_or_default();
    let others: String = named.iter().skip(1).map(|named| format!("; {}", place(named))).collect();
    let more = if more > 0 { format!("; and {more} more cells") } else { String::new() };
    let expected = if faults.iter().flat_map(|fault| &fault.texts).all(|(text, _)| is_large(text)) {
        "expected a number of at most 3.4e38, the largest that an f32 of a board holds"
    } else if frame.columns[file].cells.counts(&[]).len() > 1 {
        "expected a number, as in other rows"
    } else {
        "expected a number"
    };
    let message =
        format!("{expected}, found {first}{others}{more}; {}", advice(frame, faults, frame.skipped + bad_rows.len()));
    frame.fault(row, file, message)
}

/// Returns what the user can do about the faults. `count` is the number of lines to leave out.
fn advice(frame: &Frame, faults: &[Faults], count: usize) -> String {
    let mut texts: Vec<&str> = faults.iter().flat_map(|fault| &fault.texts).map(|(text, _)| text.as_str()).collect();
    texts.sort_unstable();
    texts.dedup();
    let mut advice = Vec::new();
    let is_word = |text: &&str| ["true", "false"].contains(&text.to_lowercase().as_str());
    if texts.iter().all(is_word) {
        advice.push("write 1 for true and 0 for false if the column holds flags".to_owned());
    }
    if texts.iter().any(|text| is_open(text)) {
        advice.push(
            "pass --decimal comma if commas separate decimals, or --decimal point if they separate thousands"
                .to_owned(),
        );
    }
    if texts.iter().any(|text| is_large(text)) {
        advice.push("write the column in a larger unit".to_owned());
    }
    if texts.iter().any(|text| has_unit(text)) {
        advice.push("write all numbers of a column in one unit".to_owned());
    }
    if texts.len() <= CODES {
        let code = |text: &&str| {
            column_option("--missing", &if text.contains('=') { format!("={text}") } else { (*text).to_owned() })
        };
        let codes: Vec<String> = texts.iter().map(code).collect();
        advice.push(format!("pass {} if that stands for a missing reading", codes.join(" ")));
    }
    if faults.iter().any(Faults::may_be_names) {
        let path = frame.files.first().map_or(&frame.path, |(path, _)| path).display().to_string();
        let file = column_option("schema", &path).replacen("schema=", "schema ", 1);
        advice.push(format!(
            "if the column holds names, write a schema file with surprisal {file} -o schema.toml, set kind = \"category\" \
             there, and pass --schema schema.toml"
        ));
    }
    let (lines, them) = if count == 1 { ("the line", "correct the cell") } else { ("the lines", "correct the cells") };
    advice.push(format!("{them}, or leave {lines} out with --skip-bad {count}"));
    advice.join("; ")
}

/// Returns whether a text is a number with a unit.
fn has_unit(text: &str) -> bool {
    is_written(text) && text.contains(char::is_alphabetic) && text.parse::<f64>().is_err()
}

/// Returns whether a text is a finite number that is too large for an `f32`.
fn is_large(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|number| number.is_finite() && !(number as f32).is_finite())
}

/// Returns whether a text may be a number with a decimal comma or with a group of thousands.
fn is_open(text: &str) -> bool {
    let read = |decimal| crate::data::parse_number(text, decimal).is_some();
    text.contains(',') && read(b',') && read(b'.')
}

/// Leaves out the rows with these indices if `allowed` bad lines permit that, and adds a remark. A session begins
/// after each, because the rows around it are no neighbours.
fn leave_out(mut frame: Frame, rows: &BTreeSet<usize>, allowed: usize) -> Frame {
    let count = frame.skipped + rows.len();
    if rows.is_empty() || count > allowed || rows.len() == frame.rows() {
        return frame;
    }
    let kept: Vec<usize> = (0..frame.rows()).filter(|row| !rows.contains(row)).collect();
    let lines: Vec<String> = rows.iter().take(NAMED).map(|&row| frame.lines[row].to_string()).collect();
    let more = if rows.len() > NAMED { ", …" } else { "" };
    let message = format!(
        "{} with cells that are no numbers left out: {} {}{more}; a new session begins after each",
        counted(rows.len(), "row"),
        if rows.len() == 1 { "line" } else { "lines" },
        lines.join(", ")
    );
    frame.starts.extend(rows.iter().map(|row| row + 1));
    frame.starts.sort_unstable();
    let mut frame = frame.select(&kept);
    frame.starts.retain(|row| (1..kept.len()).contains(row));
    frame.starts.dedup();
    frame.skipped = count;
    frame.remarks.push(Warning { file: frame.path.display().to_string(), column: String::new(), message });
    frame
}

/// Leaves out the rows of a training file with cells that are no numbers, if `allowed` bad lines permit that.
///
/// # Errors
/// [`Error::Input`] if the options name a column that is absent.
pub fn without_bad_rows(frame: Frame, options: &SchemaOptions, allowed: usize) -> Result<Frame> {
    if allowed <= frame.skipped {
        return Ok(frame);
    }
    let columns = Schema::modelled(&frame, options)?;
    let rows = find(&frame, &columns, options).iter().flat_map(|fault| fault.rows(&frame)).collect();
    Ok(leave_out(frame, &rows, allowed))
}

impl Schema {
    /// Leaves out the rows of a file that have a cell that is no finite number in a numeric column of this schema, if `allowed`
    /// bad lines permit that.
    ///
    /// # Errors
    /// The errors of [`aligned`](Self::aligned), and [`Error::Input`] that names the cells if they are not permitted.
    pub fn without_bad_rows(&self, frame: Frame, allowed: usize) -> Result<Frame> {
        let numbers = self.readings_of_a_row().into_iter().filter(|encoding| encoding.labels.is_empty());
        let files = if self.predictor.view().window() > 0 {
            // The file of a time series lacks the columns that the model adds.
            frame.positions(numbers.map(|encoding| &self.names[encoding.file]))?
        } else {
            let aligned = self.aligned(&frame)?;
            numbers.filter_map(|encoding| Some(aligned.of_source(encoding.source)?.file)).collect()
        };
        let real = ColumnOverride { kind: Some(ColumnKind::Real), ..ColumnOverride::default() };
        let faults: Vec<Faults> = files.into_iter().filter_map(|file| Faults::of(&frame, file, &real)).collect();
        if faults.is_empty() {
            return Ok(frame);
        }
        let rows: BTreeSet<usize> = faults.iter().flat_map(|fault| fault.rows(&frame)).collect();
        let fault = error(&frame, &faults.into_iter().map(Faults::of_known_kind).collect::<Vec<_>>());
        let count = frame.rows();
        let frame = leave_out(frame, &rows, allowed);
        if frame.rows() < count { Ok(frame) } else { Err(fault) }
    }

    /// Returns a warning for each category of this schema in which the rows with these indices have texts that no
    /// training row has.
    ///
    /// # Errors
    /// The errors of [`aligned`](Self::aligned).
    pub fn unknown_texts(&self, frame: &Frame, rows: &[usize]) -> Result<Vec<Warning>> {
        let aligned = self.aligned(frame)?;
        let mut warnings = Vec::new();
        for encoding in
            aligned.columns.iter().filter(|encoding| encoding.kind == Kind::Category && !encoding.labels.is_empty())
        {
            let column = &frame.columns[encoding.file];
            let counts = column.cells.counts(rows).into_iter().filter(|(cell, count)| *count > 0 && !cell.is_missing());
            let mut unknown: Vec<(String, usize)> = counts
                .map(|(cell, count)| (cell.text().into_owned(), count))
                .filter(|(text, _)| !encoding.labels.contains(text))
                .collect();
            if unknown.is_empty() {
                continue;
            }
            unknown.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let shown = |(text, count): &(String, usize)| {
                let alike = |label: &&String| label.trim().to_lowercase() == text.trim().to_lowercase();
                let spelled = encoding.labels.iter().find(alike);
                let hint = spelled.map_or(String::new(), |label| format!(", spelled `{label}` in training"));
                format!("`{text}` in {}{hint}", counted(*count, "row"))
            };
            let listed: Vec<String> = unknown.iter().take(NAMED).map(shown).collect();
            let more = if unknown.len() > NAMED {
                format!(", and {}", counted(unknown.len() - NAMED, "more text"))
            } else {
                String::new()
            };
            let message = format!(
                "no training row has {}{more}; such a text counts as a value that was never seen: spell it as in training, \
                 or fit again with rows that have it",
                listed.join(", ")
            );
            warnings.push(Warning { file: frame.path.display().to_string(), column: column.name.clone(), message });
        }
        Ok(warnings)
    }

    /// Returns warnings of what rows with these indices hold that no training row has: texts of categories, and readings that are
    /// missing.
    ///
    /// # Errors
    /// The errors of [`aligned`](Self::aligned).
    pub fn unfamiliar(&self, frame: &Frame, rows: &[usize]) -> Result<Vec<Warning>> {
        let mut found = self.unknown_texts(frame, rows)?;
        found.extend(self.unexpected_missing(frame, rows)?);
        Ok(found)
    }

    /// Returns a warning for each column that the rows with these indices lack although no training row lacks it, so that the
    /// column is left out of their scores, and for each that no one of many rows has.
    ///
    /// # Errors
    /// The errors of [`aligned`](Self::aligned).
    pub fn unexpected_missing(&self, frame: &Frame, rows: &[usize]) -> Result<Vec<Warning>> {
        let aligned = self.aligned(frame)?;
        let warning = |encoding: &ColumnEncoding| {
            let lacking = rows.iter().filter(|&&row| frame.cell(row, encoding.file).is_missing()).count();
            let message = if lacking > 0 && !encoding.may_miss {
                format!(
                    "no reading in {lacking} of {}, although every training row has one: the column is left out of the \
                     scores of these rows",
                    counted(rows.len(), "row")
                )
            } else if lacking == rows.len() && lacking >= MANY_ROWS {
                format!(
                    "no reading in any of {lacking} rows, although training rows have some: is the sensor connected?"
                )
            } else {
                return None;
            };
            let column = frame.columns[encoding.file].name.clone();
            Some(Warning { file: frame.path.display().to_string(), column, message })
        };
        Ok(aligned.columns.iter().filter_map(warning).collect())
    }
}
