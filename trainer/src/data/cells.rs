//! Operations on the cells of a column.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::Hash;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Cell, Cells, Frame, Texts, is_missing};

impl Cells {
    /// Returns the cell of a row.
    pub fn get(&self, row: usize) -> Cell<'_> {
        match self {
            Self::Text(texts) => Cell::Text(&texts.distinct[texts.codes[row] as usize]),
            Self::Real(values) => Cell::Real(values[row]),
            Self::Integer(values) => Cell::Integer(values[row]),
        }
    }

    /// Applies a function to the cell of each row, and returns the results as `[row]`. The function is called once per
    /// distinct text.
    pub fn map<T: Clone>(&self, mut function: impl FnMut(Cell<'_>) -> T) -> Vec<T> {
        match self {
            Self::Text(texts) => {
                let each: Vec<T> = texts.distinct.iter().map(|text| function(Cell::Text(text))).collect();
                texts.codes.iter().map(|&code| each[code as usize].clone()).collect()
            }
            Self::Real(values) => values.iter().map(|&value| function(Cell::Real(value))).collect(),
            Self::Integer(values) => values.iter().map(|&value| function(Cell::Integer(value))).collect(),
        }
    }

    /// Returns (cell, number of its occurrences in `rows`) for each distinct cell of the column; the number may be
    /// zero.
    ///
    /// `rows` holds row indices. Texts are in the order in which they first appear.
    pub fn counts(&self, rows: &[usize]) -> Vec<(Cell<'_>, usize)> {
        match self {
            Self::Text(texts) => {
                let mut counts = vec![0; texts.distinct.len()];
                rows.iter().for_each(|&row| counts[texts.codes[row] as usize] += 1);
                texts.distinct.iter().map(|text| Cell::Text(text)).zip(counts).collect()
            }
            Self::Real(values) => {
                let counts = counts_of(values.iter().map(|value| value.to_bits()), rows, |row| values[row].to_bits());
                counts.map(|(bits, count)| (Cell::Real(f32::from_bits(bits)), count)).collect()
            }
            Self::Integer(values) => counts_of(values.iter().copied(), rows, |row| values[row])
                .map(|(value, count)| (Cell::Integer(value), count))
                .collect(),
        }
    }

    /// Returns the cells of the rows with these indices, in the given order.
    pub fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Text(texts) => {
                let mut selected = Texts::default();
                // A machine of a fleet has few of all texts.
                let mut codes = HashMap::new();
                for &row in rows {
                    let from = texts.codes[row];
                    let code = *codes.entry(from).or_insert_with(|| {
                        selected.distinct.push(texts.distinct[from as usize].clone());
                        selected.distinct.len() as u32 - 1
                    });
                    selected.codes.push(code);
                }
                Self::Text(selected)
            }
            Self::Real(values) => Self::Real(rows.iter().map(|&row| values[row]).collect()),
            Self::Integer(values) => Self::Integer(rows.iter().map(|&row| values[row]).collect()),
        }
    }
}

/// Yields (value, number of its occurrences) for each distinct value in `all`, where occurrences are counted over the
/// indices in `rows` and `value` returns the value of a row.
fn counts_of<K: Hash + Eq>(
    all: impl Iterator<Item = K>,
    rows: &[usize],
    value: impl Fn(usize) -> K,
) -> impl Iterator<Item = (K, usize)> {
    let mut counts: HashMap<K, usize> = all.map(|value| (value, 0)).collect();
    rows.iter().for_each(|&row| *counts.entry(value(row)).or_default() += 1);
    counts.into_iter()
}

impl FromIterator<String> for Texts {
    fn from_iter<T: IntoIterator<Item = String>>(texts: T) -> Self {
        let (mut column, mut codes) = (Self::default(), HashMap::new());
        texts.into_iter().for_each(|text| column.push(&text, &mut codes));
        column
    }
}

impl Frame {
    /// Empties a random share of the cells of the columns for which `is_reading` is true.
    pub(crate) fn empty_at_random(&mut self, share: f64, seed: u64, stream: u64, is_reading: impl Fn(&str) -> bool) {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Not the stream of the split.
        random.set_stream(u64::MAX - stream);
        for column in self.columns.iter_mut().filter(|column| is_reading(&column.name)) {
            let mut is_lost = || random.random_bool(share);
            match &mut column.cells {
                Cells::Text(texts) => {
                    let empty = texts.distinct.iter().position(String::is_empty).unwrap_or(texts.distinct.len());
                    if empty == texts.distinct.len() {
                        texts.distinct.push(String::new());
                    }
                    texts.codes.iter_mut().filter(|_| is_lost()).for_each(|code| *code = empty as u32);
                }
                Cells::Real(values) => values.iter_mut().filter(|_| is_lost()).for_each(|value| *value = f32::NAN),
                Cells::Integer(values) => values.iter_mut().filter(|_| is_lost()).for_each(|value| *value = None),
            }
        }
    }
}

impl Texts {
    /// Replaces the distinct texts for which `others` holds a text. Texts that become equal are one text.
    pub(super) fn replace(&mut self, others: &[Option<String>]) {
        if others.iter().all(Option::is_none) {
            return;
        }
        let (mut column, mut known, mut codes) = (Self::default(), HashMap::new(), Vec::new());
        for (text, other) in self.distinct.iter().zip(others) {
            column.push(other.as_ref().unwrap_or(text), &mut known);
            codes.extend(column.codes.pop());
        }
        column.codes = self.codes.iter().map(|&code| codes[code as usize]).collect();
        *self = column;
    }

    /// Appends a cell. `codes` maps each distinct text so far to its index in `distinct`.
    pub(super) fn push(&mut self, text: &str, codes: &mut HashMap<String, u32>) {
        // Runs of equal cells are common; they need no hashing.
        if let Some(&last) = self.codes.last()
            && self.distinct[last as usize] == text
        {
            return self.codes.push(last);
        }
        let code = codes.get(text).copied().unwrap_or_else(|| {
            let code = self.distinct.len() as u32;
            self.distinct.push(text.to_owned());
            codes.insert(text.to_owned(), code);
            code
        });
        self.codes.push(code);
    }
}

impl<'a> Cell<'a> {
    /// Returns whether the cell stands for a missing reading.
    pub fn is_missing(self) -> bool {
        match self {
            Self::Text(text) => is_missing(text),
            Self::Real(value) => value.is_nan(),
            Self::Integer(value) => value.is_none(),
        }
    }

    /// Returns the number in the cell, or `None` if the cell is a text that is not a number, or a missing residual.
    pub fn number(self) -> Option<f64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Real(value) => Some(value.into()),
            Self::Integer(value) => value.map(f64::from),
        }
    }

    /// Returns the cell as text. A number becomes the shortest text that parses as the same number.
    pub fn text(self) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Real(value) => value.to_string().into(),
            Self::Integer(value) => value.map_or(String::new(), |value| value.to_string()).into(),
        }
    }
}
