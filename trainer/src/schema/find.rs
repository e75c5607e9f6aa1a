//! The meaning of a column, from its cells.

use surprisal::{Kind, total_order};

use super::toml::{ColumnKind, ColumnOverride};
use super::{ColumnEncoding, from_total_order, integer, parse};
use crate::data::{Frame, is_missing};
use crate::error::{Error, Result};

/// The outermost quantile levels, in standard deviations of a normal distribution.
const REACH: f64 = 3.0;
/// A column with at most this many values gets a cell a value.
const FEW: usize = 16;
/// A column of text with more values than this is taken for an identifier.
const MANY: usize = 64;
/// No cell counts as narrower than this share of the column's standard deviation, and over as much the density falls
/// beyond its ends.
const GRAIN: f64 = 0.1;

/// Finds how a column becomes bits. What kinds of values there are is read off the whole file, so that a rare one is
/// known wherever its row went; how often they come, and so every edge, from the given rows alone.
pub(super) fn encoding(
    frame: &Frame,
    file: usize,
    source: u16,
    rows: &[usize],
    cells: usize,
    wish: ColumnOverride,
) -> Result<ColumnEncoding> {
    let texts_of = &frame.columns[file];
    let name = &texts_of.name;
    let fault = |message: String| Error::input(&frame.path, message).column(name);
    let mut counts = vec![0usize; texts_of.texts.len()];
    rows.iter().for_each(|&row| counts[texts_of.codes[row] as usize] += 1);
    let texts = texts_of.texts.iter().map(String::as_str).zip(counts);
    let (missing, present): (Vec<(&str, usize)>, Vec<_>) = texts.partition(|(text, _)| is_missing(text));
    let total: usize = present.iter().map(|(_, count)| count).sum();
    if total == 0 {
        return Err(fault(format!("no readings in the training rows; leave it out with --ignore {name}")));
    }

    let numbers: Vec<(f64, usize)> =
        present.iter().filter_map(|&(text, count)| parse(text).map(|number| (number, count))).collect();
    let numeric: usize = numbers.iter().map(|(_, count)| count).sum();
    let mut encoding = ColumnEncoding {
        file,
        source,
        kind: Kind::Category,
        may_miss: wish.missing.unwrap_or(false) || !missing.is_empty(),
        ..ColumnEncoding::default()
    };
    let by_code = wish.kind == Some(ColumnKind::Category);
    let all_whole = numbers.len() == present.len() && numbers.iter().all(|&(number, _)| integer(number).is_some());
    if by_code && !all_whole || wish.kind.is_none() && 2 * numeric < total {
        category(&mut encoding, &present).map_err(|count| {
            let decimal = |text: &str| parse(&text.replacen(',', ".", 1)).is_some();
            let cause = if present.iter().all(|(text, _)| decimal(text)) {
                "has decimal commas; write numbers with a point, or leave it out"
            } else {
                "looks like an identifier or a time; leave it out"
            };
            fault(format!("{cause} with --ignore {name}: {count} different texts, a category has at most {MANY}"))
        })?;
        return Ok(encoding);
    }
    if numbers.len() < present.len() {
        let bad = |row: &usize| !is_missing(texts_of.text(*row)) && parse(texts_of.text(*row)).is_none();
        let row = (0..frame.rows()).find(bad).expect("a text that is no number was counted");
        let text = texts_of.text(row);
        let message = format!("expected a number, as in most rows, found `{text}`; correct the cell or leave it empty");
        return Err(frame.fault(row, file, message));
    }
    if let Some(kind @ (ColumnKind::Integer | ColumnKind::Flag)) = wish.kind {
        let fits =
            |number: f64| integer(number).is_some_and(|value| kind == ColumnKind::Integer || (0..=1).contains(&value));
        let bad = |row: &usize| parse(texts_of.text(*row)).is_some_and(|number| !fits(number));
        if let Some(row) = (0..frame.rows()).find(bad) {
            let (text, expected) = (
                texts_of.text(row),
                match kind {
                    ColumnKind::Flag => "a flag (0 or 1)",
                    _ => "a whole number of 32 bits",
                },
            );
            let message =
                format!("expected {expected} by the schema file, found `{text}`; make the column `real` there");
            return Err(frame.fault(row, file, message));
        }
    }
    let known = number(&mut encoding, numbers, cells, wish.kind);
    if 2 * known < present.len() {
        let numbers = present.len();
        return Err(fault(format!(
            "needs more digits than an f32 or i32 holds ({numbers} numbers, of which {known} stay distinct), as a counter \
             or a time does; leave it out with --ignore {name}, or rescale it"
        )));
    }
    Ok(encoding)
}

/// Makes the column a category: codes by name, so that they do not depend on the order of rows; outcomes by frequency.
/// Returns the number of texts as an error if there are too many.
fn category(encoding: &mut ColumnEncoding, present: &[(&str, usize)]) -> Result<(), usize> {
    if present.len() > MANY {
        return Err(present.len());
    }
    let mut by_name = present.to_vec();
    by_name.sort_unstable();
    encoding.labels = by_name.iter().map(|(text, _)| (*text).to_owned()).collect();
    encoding.values = by_frequency((0..).zip(by_name.iter().map(|(_, count)| *count)));
    encoding.constant = by_name.iter().filter(|(_, count)| *count > 0).count() == 1;
    Ok(())
}

/// Values with the most frequent first.
fn by_frequency(values: impl Iterator<Item = (i32, usize)>) -> Vec<i32> {
    let mut values: Vec<(i32, usize)> = values.collect();
    values.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    values.into_iter().map(|(value, _)| value).collect()
}

/// Returns how many numbers can be told apart.
fn number(encoding: &mut ColumnEncoding, numbers: Vec<(f64, usize)>, cells: usize, wish: Option<ColumnKind>) -> usize {
    let whole: Option<Vec<(i32, usize)>> = numbers.iter().map(|&(x, count)| Some((integer(x)?, count))).collect();
    let whole = whole.filter(|_| wish != Some(ColumnKind::Real));
    let keys = match &whole {
        Some(whole) => merged(whole.clone()),
        None => merged(numbers.iter().map(|&(x, count)| (total_order(x as f32), count)).collect()),
    };
    encoding.constant = keys.iter().filter(|(_, count)| *count > 0).count() == 1;
    let bits = keys.iter().all(|(value, _)| (0..=1).contains(value));
    if whole.is_none() {
        encoding.kind = Kind::Real;
        cut(encoding, &keys, cells, |key| f64::from(from_total_order(key)));
    } else if wish == Some(ColumnKind::Flag) || wish.is_none() && bits {
        let ones: usize = keys.iter().filter(|(value, _)| *value == 1).map(|(_, count)| count).sum();
        let total: usize = keys.iter().map(|(_, count)| count).sum();
        encoding.kind = Kind::Flag { flipped: 2 * ones > total };
    } else if wish == Some(ColumnKind::Category) {
        encoding.values = by_frequency(keys.iter().copied());
    } else {
        encoding.kind = Kind::Integer;
        cut(encoding, &keys, cells, f64::from);
    }
    keys.len()
}

/// Ascending, equal keys as one.
fn merged(mut keys: Vec<(i32, usize)>) -> Vec<(i32, usize)> {
    keys.sort_unstable();
    keys.chunk_by(|a, b| a.0 == b.0).map(|equal| (equal[0].0, equal.iter().map(|(_, count)| count).sum())).collect()
}

/// Edges, pivot, widths and reach from ascending keys and their counts.
fn cut(encoding: &mut ColumnEncoding, keys: &[(i32, usize)], cells: usize, real: impl Fn(i32) -> f64) {
    let keys: Vec<(i32, usize)> = keys.iter().copied().filter(|(_, count)| *count > 0).collect();
    encoding.values = edges(&keys, cells);
    let total: usize = keys.iter().map(|(_, count)| count).sum();
    // The cell of the median is the one that is reached without a one.
    let mut below = 0;
    let median = keys.iter().find(|(_, count)| {
        below += count;
        2 * below >= total
    });
    let pivot = encoding.values.iter().position(|&edge| median.is_some_and(|&(key, _)| key <= edge));
    encoding.pivot = if encoding.may_miss { 0 } else { pivot.unwrap_or(0) as u16 };

    // The distance between neighbouring values is as fine as the sensor tells.
    let mut gaps: Vec<f64> = keys.windows(2).map(|pair| real(pair[1].0) - real(pair[0].0)).collect();
    gaps.sort_by(f64::total_cmp);
    let resolution = gaps.get(gaps.len() / 2).copied().unwrap_or(1.0);
    let over = |of: &dyn Fn(f64) -> f64| {
        keys.iter().map(|&(key, count)| count as f64 * of(real(key))).sum::<f64>() / total as f64
    };
    let mean = over(&|x| x);
    let grain = (GRAIN * over(&|x| (x - mean).powi(2)).sqrt()).max(resolution);
    encoding.tail_scale = grain.log2().round().clamp(-126.0, 127.0) as i8;
    let few = keys.len() <= FEW;
    let mut widths: Vec<f64> = encoding
        .values
        .windows(2)
        .map(|pair| if few { grain } else { (real(pair[1]) - real(pair[0])).max(grain) })
        .collect();
    if let (Some(first), false) = (widths.first_mut(), few) {
        *first = (real(encoding.values[1]) - real(keys[0].0)).max(grain);
    }
    encoding.unit = widths.iter().copied().fold(f64::INFINITY, f64::min).ln();
    encoding.log_widths = log_widths(&widths);
}

/// Ascending edges e of cells (e, e']: one just below the smallest value, the largest value, and between them either
/// every value (if there are few) or the values at quantile levels that are evenly spaced in probit units.
fn edges(values: &[(i32, usize)], cells: usize) -> Vec<i32> {
    let total: usize = values.iter().map(|(_, count)| count).sum();
    let (first, last) = (values[0].0, values[values.len() - 1].0);
    let mut edges = vec![first.saturating_sub(1)];
    if values.len() <= FEW {
        edges.extend(values.iter().map(|(value, _)| *value));
    } else {
        let level = |k: usize| {
            let z = REACH * (2.0 * k as f64 / cells as f64 - 1.0);
            0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
        };
        let mut below = 0;
        let mut levels = (1..cells).map(level).peekable();
        for &(value, count) in values {
            below += count;
            if levels.next_if(|&level| below as f64 >= level * total as f64).is_some() {
                while levels.next_if(|&level| below as f64 >= level * total as f64).is_some() {}
                edges.push(value);
            }
        }
        edges.push(last);
    }
    edges.dedup();
    edges
}

/// ln of each cell's width over the narrowest one's, in units of 1/2048 nat. The outcomes below and above the range
/// count as wide as the widest cell.
fn log_widths(widths: &[f64]) -> Vec<u16> {
    let narrowest = widths.iter().copied().fold(f64::INFINITY, f64::min);
    let log = |width: f64| ((width / narrowest).ln() * 2048.0).round().clamp(0.0, 65535.0) as u16;
    let widest = log(widths.iter().copied().fold(0.0, f64::max));
    std::iter::once(widest).chain(widths.iter().map(|&width| log(width))).chain(std::iter::once(widest)).collect()
}
