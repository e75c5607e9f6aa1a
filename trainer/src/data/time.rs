//! Columns of time stamps: reads them, and finds gaps, steps backwards and irregular rates.

use std::borrow::Cow;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::Offset;

use super::{Cell, Cells, Frame, ReadOptions};
use crate::counted::counted;
use crate::error::{Error, Result};
use crate::warning::Warning;

/// A step of more than this many usual steps is a gap.
const GAP: f64 = 5.0;
/// Largest deviation of a regular step from the usual step, as a fraction of it.
const JITTER: f64 = 0.1;
/// Smallest share of regular steps at a regular rate.
const REGULAR: f64 = 0.9;
/// Largest number of gaps that a message names.
const NAMED: usize = 8;
/// Number of rows by which a form is tried first.
const FIRST: usize = 200;
/// Seconds per day.
const DAY: f64 = 86_400.0;

/// Dates other than ISO 8601, and times of day after them. Where the order of day and month is open, the day is first.
const DATES: [&str; 8] =
    ["%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y"];
const TIMES: [&str; 5] = [" %H:%M:%S%.f", " %H:%M", " %I:%M:%S %p", " %I:%M %p", ""];
/// Times of day without a date.
const CLOCKS: [&str; 2] = ["%H:%M:%S%.f", "%H:%M"];

/// The forms that are read, for messages.
const FORMS: &str = "seconds or milliseconds since 1970, 2006-12-16T17:24:00 (also with a space, a fraction of a second, Z or \
                     an offset), 16/12/2006 17:24:00 or 17:24:00";

/// How the time stamps of a file are written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Numbers of seconds, or of smaller units that their size tells.
    Number,
    /// ISO 8601.
    Iso,
    /// A date and a time of day, by a pattern.
    Date(String),
    /// A time of day, which starts again at midnight.
    Clock(&'static str),
}

impl Form {
    fn all() -> impl Iterator<Item = Self> {
        let dates = DATES.iter().flat_map(|date| TIMES.map(|time| Self::Date(format!("{date}{time}"))));
        [Self::Number, Self::Iso].into_iter().chain(CLOCKS.map(Self::Clock)).chain(dates)
    }

    /// Returns the time in seconds from an origin that all time stamps of this form share.
    fn seconds(&self, text: &str) -> Option<f64> {
        match self {
            Self::Number => text.parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Iso => iso(text),
            Self::Date(pattern) => {
                let parsed = BrokenDownTime::parse(pattern, text).ok()?;
                // A year of four digits, where the pattern has one, may be written with fewer.
                let date = parsed.to_date().ok().filter(|date| date.year() >= 1000)?;
                since_1970(date.to_datetime(parsed.to_time().unwrap_or_default()))
            }
            Self::Clock(pattern) => {
                let time = BrokenDownTime::parse(pattern, text).ok()?.to_time().ok()?;
                let whole = 3600 * i32::from(time.hour()) + 60 * i32::from(time.minute()) + i32::from(time.second());
                Some(f64::from(whole) + f64::from(time.subsec_nanosecond()) * 1e-9)
            }
        }
    }
}

/// Returns the seconds since 1970 of a time stamp by ISO 8601. One without an offset is in a time zone of its own.
fn iso(text: &str) -> Option<f64> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let pieces = PARSER.parse_pieces(text).ok()?;
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    let seconds = since_1970(pieces.date().to_datetime(pieces.time().unwrap_or_default()))?;
    Some(seconds - f64::from(offset.seconds()))
}

fn since_1970(time: DateTime) -> Option<f64> {
    Some(Offset::UTC.to_timestamp(time).ok()?.as_duration().as_secs_f64())
}

/// Returns whether a text is a time stamp with a date or a time of day, so that it is not just a number.
pub(crate) fn is_time(text: &str) -> bool {
    Form::all().skip(1).any(|form| form.seconds(text).is_some())
}

/// Steps between the time stamps of successive rows.
struct Steps {
    /// (row, seconds since the row before it) of all rows but the first of a file.
    each: Vec<(usize, f64)>,
    /// The usual step: the median of those above zero.
    usual: f64,
}

impl Steps {
    /// Returns the steps between time stamps in seconds, `[row]`. Rows of `starts` begin a session already.
    fn of(times: &[Option<f64>], starts: &[usize], form: &Form) -> Self {
        let (mut each, mut last, mut starts) = (Vec::new(), None, starts.iter().peekable());
        for (row, time) in times.iter().enumerate() {
            if starts.next_if_eq(&&row).is_some() {
                last = None;
            }
            let Some(time) = time else { continue };
            if let Some(last) = last {
                let mut step: f64 = time - last;
                // Midnight, unless the clock was set back by less than half a day.
                if matches!(form, Form::Clock(_)) && step < -DAY / 2.0 {
                    step += DAY;
                }
                each.push((row, step));
            }
            last = Some(*time);
        }
        let mut ahead: Vec<f64> = each.iter().map(|(_, step)| *step).filter(|step| *step > 0.0).collect();
        let middle = ahead.len() / 2;
        let usual = if ahead.is_empty() { 0.0 } else { *ahead.select_nth_unstable_by(middle, f64::total_cmp).1 };
        Self { each, usual }
    }

    fn is_break(&self, step: f64) -> bool {
        step < 0.0 || step > GAP * self.usual
    }

    /// Returns (irregular steps, steps) within sessions. A clock that ticks slower than rows come has steps of zero,
    /// which tell nothing.
    fn irregular(&self) -> (usize, usize) {
        let within = self.each.iter().map(|(_, step)| *step).filter(|step| *step > 0.0 && !self.is_break(*step));
        within.fold((0, 0), |(irregular, all), step| {
            (irregular + usize::from((step - self.usual).abs() > JITTER * self.usual), all + 1)
        })
    }
}

impl Frame {
    /// Finds sessions as [`find_sessions`](Self::find_sessions) does, unless a column is absent, because files of devices in
    /// use may come without time stamps, or the rows are those of several machines.
    pub(crate) fn find_sessions_if_any(&mut self, options: &ReadOptions) -> Result<()> {
        let of_many = options.machine.as_ref().is_some_and(|column| self.position(column).is_ok());
        if of_many || self.positions(&options.time).is_err() { Ok(()) } else { self.find_sessions(&options.time) }
    }

    /// Reads the time stamps in the columns with these names, which together make one time stamp. A gap or a step
    /// backwards begins a session, and a remark names it; another remark says if the rate is irregular.
    ///
    /// Without names, nothing happens.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such column, or a time stamp cannot be read.
    pub(super) fn find_sessions(&mut self, names: &[String]) -> Result<()> {
        let columns = self.positions(names)?;
        let Some(&first) = columns.first() else { return Ok(()) };
        let (form, times) = self.times(&columns)?;
        let steps = Steps::of(&times, &self.starts, &form);
        let unit = match form {
            Form::Number => unit(&times),
            _ => 1.0,
        };
        let breaks: Vec<(usize, f64)> = steps.each.iter().copied().filter(|(_, step)| steps.is_break(*step)).collect();
        let mut remarks = Vec::new();
        if !breaks.is_empty() {
            let listed = breaks.iter().take(NAMED).map(|&(row, step)| {
                let (line, length) = (self.lines[row], duration(step.abs() * unit));
                let what = if step < 0.0 { "back" } else { "ahead" };
                format!("{length} {what} at {} {line}", self.unit)
            });
            let listed: Vec<String> = listed.collect();
            let more =
                if breaks.len() > NAMED { format!(", and {} more", breaks.len() - NAMED) } else { String::new() };
            let usual = duration(steps.usual * unit);
            remarks.push(format!(
                "{} or {} backwards in time, where the usual step is {usual}: {}{more}; a session begins after each",
                counted(breaks.len(), "gap"),
                if breaks.len() == 1 { "step" } else { "steps" },
                listed.join(", ")
            ));
        }
        let (irregular, all) = steps.irregular();
        if (irregular as f64) > (1.0 - REGULAR) * all as f64 {
            remarks.push(format!(
                "the rate is irregular: {irregular} of {all} steps differ from the usual step of {} by more than 10 %; \
                 --window counts rows, not time, so write rows at a fixed rate for it",
                duration(steps.usual * unit)
            ));
        }
        let absent = times.iter().filter(|time| time.is_none()).count();
        if absent > 0 {
            remarks.push(format!("{} without a time stamp", counted(absent, "row")));
        }
        let (file, column) = (self.path.display().to_string(), self.columns[first].name.clone());
        let remark = |message| Warning { file: file.clone(), column: column.clone(), message };
        self.remarks.extend(remarks.into_iter().map(remark));
        self.starts.extend(breaks.iter().map(|(row, _)| *row));
        self.starts.sort_unstable();
        self.starts.dedup();
        Ok(())
    }

    /// Checks that there are columns of time stamps with these names.
    ///
    /// # Errors
    /// [`Error::Input`] names the first that is absent.
    pub fn require_stamps(&self, names: &[String]) -> Result<()> {
        // The other columns of a signal are features, which hold no stamps.
        let is_text = |at: usize| matches!(self.columns[at].cells, Cells::Text(_));
        let is_absent = |name: &&String| self.unit == "sample" && !self.position(name).is_ok_and(is_text);
        let absent = names.iter().find(is_absent);
        if let Some(name) = absent {
            let message = format!(
                "no channel `{name}` for --time; check the names in the first line of the file, or leave --time out"
            );
            return Err(Error::input(&self.path, message));
        }
        self.positions(names).map(|_| ())
    }

    /// Returns the form of the time stamps in these columns, and each in the unit of its form: `[row]`.
    fn times(&self, columns: &[usize]) -> Result<(Form, Vec<Option<f64>>)> {
        let text = |row: usize| -> Option<Cow<'_, str>> {
            let mut cells = columns.iter().map(|&column| self.cell(row, column)).filter(|cell| !cell.is_missing());
            let first = cells.next()?.text();
            Some(cells.fold(first, |text, cell| format!("{text} {}", cell.text()).into()))
        };
        let texts = |rows: usize| (0..rows).filter_map(text);
        let failed =
            |form: &Form, rows: usize| (0..rows).find(|&row| text(row).is_some_and(|t| form.seconds(&t).is_none()));
        let mut furthest = None;
        for form in Form::all() {
            if failed(&form, self.rows().min(FIRST)).is_none() {
                match failed(&form, self.rows()) {
                    None if texts(self.rows()).next().is_some() => {
                        let times = (0..self.rows()).map(|row| form.seconds(&text(row)?));
                        return Ok((form.clone(), times.collect()));
                    }
                    failed => furthest = furthest.max(failed),
                }
            }
        }
        // If no form reads the first rows, each row up to the first that none reads has another form.
        let is_unread =
            |&row: &usize| text(row).is_some_and(|text| Form::all().all(|form| form.seconds(&text).is_none()));
        let row = furthest.or_else(|| (0..self.rows()).find(is_unread)).unwrap_or(0);
        let found = text(row).unwrap_or_default();
        let before = if (0..row).any(|row| text(row).is_some()) { " in the form of the rows before it" } else { "" };
        let order = if columns.len() > 1 { "; --time gives the columns in the order date, time of day" } else { "" };
        let message = format!(
            "expected a time stamp{before}, found `{found}`{order}; the forms that are read are {FORMS}; \
             correct the cell, or fit with --ignore in place of --time"
        );
        Err(self.fault(row, columns[0], message))
    }

    /// Returns the time stamp of a row as the file has it: (name, text) of each of the columns with these names that the
    /// file has.
    pub fn time_of(&self, row: usize, names: &[String]) -> Vec<(String, String)> {
        let columns = self.columns.iter().filter(|column| names.contains(&column.name));
        columns.map(|column| (column.name.clone(), column.text(row).into_owned())).collect()
    }
}

/// Returns the unit of numbers that are times, in seconds. Times since 1970 tell their unit by their size.
fn unit(times: &[Option<f64>]) -> f64 {
    match times.iter().flatten().next().map_or(0.0, |time| time.abs()) {
        ..1e11 => 1.0,
        ..1e14 => 1e-3,
        ..1e17 => 1e-6,
        _ => 1e-9,
    }
}

/// Returns a number of seconds as text with one or two units, such as "2 h 15 min" or "60 s".
fn duration(seconds: f64) -> String {
    let whole = |unit: f64, rest: f64, names: [&str; 2]| {
        let (large, small) = ((seconds / unit).floor(), ((seconds % unit) / rest).floor());
        let small = if small > 0.0 { format!(" {small} {}", names[1]) } else { String::new() };
        format!("{large} {}{small}", names[0])
    };
    match seconds {
        ..300.0 => format!("{} s", (seconds * 1e6).round() / 1e6),
        ..7200.0 => whole(60.0, 1.0, ["min", "s"]),
        ..172_800.0 => whole(3600.0, 60.0, ["h", "min"]),
        _ => whole(DAY, 3600.0, ["days", "h"]),
    }
}

impl Cell<'_> {
    /// Returns whether the cell is a time stamp with a date or a time of day.
    pub(crate) fn is_time(self) -> bool {
        matches!(self, Self::Text(text) if is_time(text))
    }
}
