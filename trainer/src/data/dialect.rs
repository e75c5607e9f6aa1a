//! Recognises how a file of rows is written, from many of its lines: separator, preamble, header, rows of units.

use std::collections::HashMap;
use std::path::Path;

use super::lines::{Lines, Outcome, Record, Records, Separator};
use super::options::ReadOptions;
use super::serial::is_log;
use super::{Header, is_missing, number};
use crate::error::{Error, Result};
use crate::escape::column_option;

/// How a file of rows is written.
#[derive(Debug, Default)]
pub(crate) struct Dialect {
    pub separator: Option<Separator>,
    /// Names of the columns, if the file has any.
    pub names: Option<Vec<String>>,
    /// Number of cells in a row.
    pub width: usize,
    /// Number of the last line before the rows.
    pub rows_after: u64,
    /// Whether lines that begin with `#` are comments.
    pub has_comments: bool,
    /// Whether most cells of the first column are names, so that a whole row that begins with `#` is no comment.
    pub begins_with_names: bool,
    /// Rows of units below the header, which a file may repeat with the header.
    pub units: Vec<Vec<String>>,
    /// Lines before the header, which a file may repeat with the header.
    pub preamble: Vec<String>,
    /// What was recognised and may surprise.
    pub remarks: Vec<String>,
}

/// Number of lines from which a dialect is recognised.
const LINES: usize = 1000;
/// Number of bytes of these lines after which no more are read, once there are [`ENOUGH`].
const BYTES: usize = 256 << 10;
const ENOUGH: usize = 20;
/// Smallest share of lines that have the same number of cells.
const SHARE: f64 = 0.5;
/// Largest difference of the scores of two separators that are equally good.
const TIE: f64 = 0.02;
/// Largest number of rows of units.
const UNIT_ROWS: usize = 3;

/// Returns whether a line is a comment: it begins with `#`, and not with an error value of a spreadsheet.
pub(crate) fn is_comment(line: &str) -> bool {
    line.starts_with('#') && !is_missing(line.split([',', ';', '\t', '|', ' ']).next().unwrap_or_default())
}

impl Dialect {
    /// Recognises the dialect of a text.
    ///
    /// # Errors
    /// [`Error::Input`] if the text is a log of a serial port, or cells are separated by nothing that is known.
    pub fn find(path: &Path, text: &str, options: &ReadOptions) -> Result<Self> {
        let mut found = Self { rows_after: options.skip.unwrap_or(0) as u64, ..Self::default() };
        let mut lines = sample(text, found.rows_after);
        if let Some((number, separator)) = lines.first().and_then(|&(number, line)| Some((number, declared(line)?))) {
            found.separator = Some(separator);
            found.rows_after = number;
            lines.remove(0);
        }
        serial(path, &lines)?;
        let comments = lines.iter().filter(|(_, line)| is_comment(line)).count();
        found.has_comments = comments > 0 && 2 * comments < lines.len();
        // The last comment before the first row may hold the names, as numpy.savetxt writes them.
        let mut last_comment = None;
        if found.has_comments {
            let first = lines.iter().position(|(_, line)| !is_comment(line)).unwrap_or(0);
            last_comment = first.checked_sub(1).map(|at| lines[at].1.trim_start_matches(['#', ' ']));
            lines.retain(|(_, line)| !is_comment(line));
        }
        let separator = options.separator.or(found.separator).or_else(|| detect(&lines));
        let is_divided = separator.is_some();
        let separator = separator.unwrap_or_else(|| absent(&lines));
        let records = split(&lines, separator);
        found.separator = Some(separator);
        if records.is_empty() {
            return Ok(found);
        }
        found.width = most_frequent(records.iter().map(Record::len));
        if !is_divided {
            one_column(path, &records)?;
        }
        let start = found.start(&records, options);
        found.header(&records, start, options.header);
        found.begins_with_names = numeric_columns(&records[start..], 1) == [false];
        if let (None, Header::Auto, Some(comment)) = (&found.names, options.header, last_comment) {
            let names = split(&[(0, comment)], separator);
            let is_names = |record: &&Record| record.len() == found.width && super::is_header(record.iter());
            found.names = names.first().filter(is_names).map(|record| record.iter().map(str::to_owned).collect());
        }
        Ok(found)
    }

    /// Returns the index of the record with which the table begins, and takes the lines before it as a preamble if that
    /// is clear: they are not split into cells, or the table has a header.
    fn start(&mut self, records: &[Record], options: &ReadOptions) -> usize {
        let rows = records.iter().filter(|record| record.len() == self.width);
        let filled = rows.map(Record::trimmed_len).max().unwrap_or(0);
        let is_of_table = |record: &Record| (filled.max(1)..=self.width).contains(&record.len());
        let mut start = records.iter().position(is_of_table).unwrap_or(0);
        if self.width == 1 {
            let is_row = |record: &Record| number::is_written(record.cell(0)) || is_missing(record.cell(0));
            start = records.iter().position(is_row).unwrap_or(0).saturating_sub(1);
        }
        let is_free = |record: &Record| record.len() == 1 && !number::is_written(record.cell(0));
        let is_clear = records[..start].iter().all(is_free) || is_names(records, start, self.width);
        if start == 0 || options.skip.is_some() || !is_clear {
            return 0;
        }
        self.rows_after = records[start].line - 1;
        self.preamble = records[..start].iter().map(joined).collect();
        let (first, last) = (records[0].line, records[start - 1].line);
        let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
        self.remarks.push(format!("{lines} skipped as a preamble of the table; --skip sets the number of such lines"));
        start
    }

    /// Finds the names of the columns and the rows of units below them.
    fn header(&mut self, records: &[Record], start: usize, header: Header) {
        if header == Header::No || header == Header::Auto && !is_names(records, start, self.width) {
            return;
        }
        // Rows may be longer: a separator at their end makes one more, empty cell.
        let names = &records[start];
        self.names = Some(names.iter().map(str::to_owned).collect());
        (self.rows_after, self.width) = (names.line, names.len());
        if is_numbered(&records[start + 1..], names.len()) {
            self.names.iter_mut().for_each(|names| names.insert(0, "row".to_owned()));
            self.width += 1;
            self.remarks
                .push("the first column has no name, as in tables that R writes; it is called `row`".to_owned());
        }
        let numeric = numeric_columns(&records[start + 1..], self.width);
        for at in start + 1..records.len().min(start + 1 + UNIT_ROWS) {
            if !is_units(records, at, &numeric) {
                break;
            }
            let record = &records[at];
            self.rows_after = record.line;
            self.units.push(record.iter().map(str::to_owned).collect());
            self.remarks.push(format!("line {} skipped as a row of units", record.line));
        }
    }
}

/// Returns the first lines with text as (number, line), after `skip` lines.
fn sample(text: &str, skip: u64) -> Vec<(u64, &str)> {
    let mut bytes = 0;
    let lines = Lines::new(text)
        .filter(|&(number, line)| number > skip && !line.trim_matches(['\0', ' ', '\t', '\u{1a}']).is_empty());
    let mut within = |at: usize, line: &str| {
        bytes += line.len();
        bytes <= BYTES || at < ENOUGH
    };
    lines.take(LINES).enumerate().take_while(|(at, (_, line))| within(*at, line)).map(|(_, line)| line).collect()
}

/// Returns the separator that a first line such as `sep=;` declares, as spreadsheets write it.
fn declared(line: &str) -> Option<Separator> {
    let line = line.trim_matches(['"', '\u{feff}']);
    let separator = line.get(..4).filter(|start| start.eq_ignore_ascii_case("sep=")).map(|_| &line[4..])?;
    Separator::ALL.into_iter().find(|known| separator.as_bytes().first() == Some(&known.byte()))
}

/// Splits lines into records.
fn split(lines: &[(u64, &str)], separator: Separator) -> Vec<Record> {
    // Joined, because a quoted cell may have several lines.
    let text = lines.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("\n");
    let (mut reader, mut record, mut records) =
        (Records::new(&text, separator, usize::MAX), Record::default(), Vec::new());
    while let Some(outcome) = reader.next(&mut record) {
        record.line = lines.get(record.line as usize - 1).map_or(0, |(number, _)| *number);
        if matches!(outcome, Outcome::Row) {
            records.push(record.clone());
        }
    }
    records
}

fn joined(record: &Record) -> String {
    record.iter().collect::<Vec<_>>().join("\t")
}

/// Returns the most frequent value; the largest one on a tie.
fn most_frequent(values: impl Iterator<Item = usize>) -> usize {
    let mut counts: HashMap<usize, usize> = HashMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts.into_iter().max_by_key(|&(value, count)| (count, value)).map_or(0, |(value, _)| value)
}

/// Returns the separator that divides most lines into the same number of sensible cells, or `None` if there is none.
fn detect(lines: &[(u64, &str)]) -> Option<Separator> {
    let mut best: Option<(Separator, f64)> = None;
    for separator in Separator::ALL {
        let records = split(lines, separator);
        let width = most_frequent(records.iter().map(Record::len).filter(|&width| width > 1));
        let rows: Vec<&Record> = records.iter().filter(|record| record.len() == width && width > 1).collect();
        let share = rows.len() as f64 / lines.len().max(1) as f64;
        if share < SHARE || is_one_number(lines, &rows, separator) {
            continue;
        }
        let cells: usize = rows.iter().map(|record| record.len()).sum();
        let sensible: usize = rows.iter().map(|record| record.iter().filter(|cell| is_sensible(cell)).count()).sum();
        let score = share * sensible as f64 / cells.max(1) as f64;
        if best.is_none_or(|(_, most)| score > most + TIE) {
            best = Some((separator, score));
        }
    }
    best.map(|(separator, _)| separator)
}

/// Returns a separator that no line contains, for files of one column.
fn absent(lines: &[(u64, &str)]) -> Separator {
    let is_absent = |separator: &Separator| !lines.iter().any(|(_, line)| line.as_bytes().contains(&separator.byte()));
    [Separator::Comma, Separator::Tab, Separator::Pipe].into_iter().find(is_absent).unwrap_or(Separator::Tab)
}

/// Returns whether a cell is a number, a time, a missing reading or a word, and does not look like several cells.
fn is_sensible(cell: &str) -> bool {
    is_missing(cell)
        || number::is_written(cell)
        || cell.contains(char::is_alphabetic) && !cell.contains([',', ';', '\t', '|'])
        || cell.contains(['-', ':', '/', '.']) && cell.chars().all(|c| c.is_ascii_digit() || "-:/.+ ".contains(c))
}

/// Returns whether rows of two cells are one column of numbers: with decimal commas, or with a space before the unit. Then
/// the first line is one cell, or the second cells are decimals: of one length, with zeros in front.
fn is_one_number(lines: &[(u64, &str)], rows: &[&Record], separator: Separator) -> bool {
    let glue = match separator {
        Separator::Comma => ',',
        Separator::Spaces => ' ',
        _ => return false,
    };
    let is_pair = |record: &&Record| {
        let joined = format!("{}{glue}{}", record.cell(0), record.cell(1));
        let is_number = |decimal| {
            number::parse(&joined, decimal).is_some_and(|read| glue == ',' && decimal == b',' || !read.unit.is_empty())
        };
        record.len() == 2 && (is_number(b',') || is_number(b'.'))
    };
    let is_undivided = |line: &str| !line.trim().contains(glue);
    let length = rows.first().map_or(0, |row| row.cell(1).len());
    let are_decimals = || {
        length > 1
            && glue == ','
            && rows.iter().all(|row| row.cell(1).len() == length)
            && rows.iter().any(|row| row.cell(1).starts_with('0'))
    };
    rows.iter().all(is_pair) && (lines.first().is_some_and(|(_, line)| is_undivided(line)) || are_decimals())
}

/// Returns whether a record names the columns of the records after it.
fn is_names(records: &[Record], at: usize, width: usize) -> bool {
    let Some(record) = records.get(at) else { return false };
    let rows = &records[at + 1..];
    let numeric = numeric_columns(rows, width.max(record.len()));
    let has_unit = |column: usize| {
        let mut units =
            rows.iter().map(|row| number::parse(row.cell(column), b'.').is_some_and(|read| !read.unit.is_empty()));
        units.next().unwrap_or(false)
    };
    let is_number = |(column, cell): &(usize, &str)| {
        let written = [b'.', b','].into_iter().find_map(|decimal| number::parse(cell, decimal));
        cell.parse::<f64>().is_ok_and(|number| !number.is_nan())
            || written.is_some_and(|written| written.unit.is_empty() || has_unit(*column))
    };
    let (numbers, texts): (Vec<_>, Vec<_>) =
        record.iter().enumerate().filter(|(_, cell)| !is_missing(cell)).partition(is_number);
    if numbers.is_empty() {
        return !texts.is_empty();
    }
    let has_fractions = |column: usize| rows.iter().any(|row| row.cell(column).contains(['.', ',']));
    // Positions are names, as tools write them for arrays, above columns of fractions.
    let counts_from = |first: usize| {
        let is_position = |(at, cell): (usize, &str)| cell.parse() == Ok(at + first) && has_fractions(at);
        record.len() > 1 && record.iter().enumerate().all(is_position)
    };
    if counts_from(0) || counts_from(1) {
        return true;
    }
    // Numbers may be names if another name stands above numbers, and they cannot be readings of their columns.
    let recurs = |column: usize, text: &str| rows.iter().any(|row| row.cell(column) == text);
    let is_name = |&(column, text): &(usize, &str)| numeric.get(column) == Some(&true) && !recurs(column, text);
    let is_whole = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    texts.iter().any(is_name)
        && numbers.iter().all(|&(column, text)| is_whole(text) && has_fractions(column) && !recurs(column, text))
}

/// Returns whether all rows have one cell more than there are names, and the first cells number the rows.
fn is_numbered(rows: &[Record], names: usize) -> bool {
    let number = |row: &Record| row.cell(0).parse::<usize>().ok();
    let Some(first) = rows.first().and_then(number) else { return false };
    let mut rows_by_number = rows.iter().enumerate();
    rows.len() > 1
        && rows_by_number.all(|(at, row)| {
            // Numbers of rows end before the largest integer.
            let expected = first.checked_add(at);
            row.trimmed_len() == names + 1 && expected.is_some() && number(row) == expected
        })
}

/// Returns `[column]` whether most cells of the column are numbers.
fn numeric_columns(records: &[Record], width: usize) -> Vec<bool> {
    let mut counts = vec![(0, 0); width];
    for record in records.iter().take(200) {
        for (cell, (numbers, present)) in record.iter().zip(&mut counts) {
            if !is_missing(cell) {
                *present += 1;
                *numbers += usize::from(number::is_written(cell));
            }
        }
    }
    counts.into_iter().map(|(numbers, present)| present > 0 && 2 * numbers > present).collect()
}

/// Returns whether a record holds units: texts above numbers that do not occur again.
fn is_units(records: &[Record], at: usize, numeric: &[bool]) -> bool {
    let record = &records[at];
    let above = || record.iter().enumerate().filter(|(column, _)| numeric.get(*column) == Some(&true));
    let is_text = |cell: &str| !is_missing(cell) && !number::is_written(cell);
    let recurs =
        |column: usize, cell: &str| records[at + 1..].iter().skip(UNIT_ROWS).any(|row| row.cell(column) == cell);
    above().any(|(_, cell)| is_text(cell))
        && above().all(|(column, cell)| !number::is_written(cell) && (is_missing(cell) || !recurs(column, cell)))
}

/// Checks that lines that nothing separates are numbers.
fn one_column(path: &Path, records: &[Record]) -> Result<()> {
    let is_number = |record: &&Record| is_missing(record.cell(0)) || number::is_written(record.cell(0));
    // The first line may be a name.
    if 2 * records.iter().filter(is_number).count() + 1 >= records.len() {
        return Ok(());
    }
    let Some(record) = records.get(1) else { return Ok(()) };
    let start: String = record.cell(0).chars().take(60).collect();
    let message = format!(
        "what separates the cells? `{start}` is one text; pass --separator with one of comma, semicolon, tab, pipe or \
         spaces, and --skip N if the table begins after N lines"
    );
    Err(Error::input(path, message).at("line", record.line))
}

/// Checks that the lines are no log of a serial port, which `collect` converts.
fn serial(path: &Path, lines: &[(u64, &str)]) -> Result<()> {
    let logged = lines.iter().filter(|(_, line)| is_log(line)).count();
    if logged == 0 || 2 * logged < lines.len() {
        return Ok(());
    }
    let file = column_option("collect", &path.display().to_string()).replace('=', " ");
    let message =
        format!("is the log of a serial port; convert it with surprisal {file} -o rows.csv, and pass rows.csv");
    Err(Error::input(path, message))
}
