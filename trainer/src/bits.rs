//! Encoded rows stored by bit, the input of every fit.

use rayon::prelude::*;
use surprisal::Constraint;

/// One number per bit and row: `[bit][row]`.
pub type PerBit = Vec<Vec<f64>>;

/// Rows of bits, stored by bit in two forms: a bit set for counting and a list of ones for iteration.
#[derive(Clone, Debug)]
pub struct Bits {
    /// Number of rows.
    pub rows: usize,
    /// Rows in which each bit is one, as a set: `[bit][word]`, 64 rows per word, the lowest bit first.
    pub sets: Vec<Vec<u64>>,
    /// Rows in which each bit is one, as an ascending list: `[bit][..]`.
    pub ones: Vec<Vec<u32>>,
}

impl Bits {
    /// Returns an empty list of rows with `n` bits per row.
    pub fn new(n: usize) -> Self {
        Self { rows: 0, sets: vec![Vec::new(); n], ones: vec![Vec::new(); n] }
    }

    /// Returns the same rows with their bits in another order; `order[i]` is the old index of the new bit i.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let bit = |i: &usize| (self.sets[*i].clone(), self.ones[*i].clone());
        let (sets, ones) = order.iter().map(bit).unzip();
        Self { rows: self.rows, sets, ones }
    }

    /// Returns the number of bits per row.
    pub fn width(&self) -> usize {
        self.sets.len()
    }

    /// Appends a row, given as the value of each bit: `[bit]`.
    pub fn push(&mut self, row: &[bool]) {
        for (i, &bit) in row.iter().take(self.sets.len()).enumerate() {
            if self.rows.is_multiple_of(64) {
                self.sets[i].push(0);
            }
            if bit {
                self.sets[i][self.rows / 64] |= 1 << (self.rows % 64);
                self.ones[i].push(self.rows as u32);
            }
        }
        self.rows += 1;
    }

    /// Returns the value of bit `i` in `row`.
    pub fn get(&self, row: usize, i: usize) -> bool {
        self.sets[i][row / 64] >> (row % 64) & 1 == 1
    }

    /// Writes the bits of a row to the start of `out`: `[bit]`.
    pub fn row(&self, row: usize, out: &mut [bool]) {
        for (i, bit) in out.iter_mut().take(self.sets.len()).enumerate() {
            *bit = self.get(row, i);
        }
    }

    /// Returns the set of all rows, 64 rows per word.
    pub fn every(&self) -> Vec<u64> {
        let mut set = vec![u64::MAX; self.rows.div_ceil(64)];
        if let (Some(last), rest @ 1..) = (set.last_mut(), self.rows % 64) {
            *last = (1 << rest) - 1;
        }
        set
    }

    /// Returns the set of rows in which bit `i` is free, that is, neither observed nor implied by its constraint.
    pub fn free(&self, constraints: &[u16], i: usize) -> Vec<u64> {
        let mut set = self.every();
        if constraints.get(i) == Some(&Constraint::OBSERVED.raw()) {
            set.fill(0);
        }
        if let Some((parent, when, _)) = constraints.get(i).and_then(|&raw| Constraint::from_raw(raw).condition()) {
            for (free, &parent) in set.iter_mut().zip(&self.sets[parent]) {
                *free &= if when { !parent } else { parent };
            }
        }
        set
    }
}

/// Computes numbers `[bit][row]` on several threads, where `row(r)` returns the numbers of all bits of row r.
pub fn per_bit(bits: &Bits, row: impl Fn(usize) -> Vec<f64> + Sync + Send) -> PerBit {
    let by_row: Vec<Vec<f64>> = (0..bits.rows).into_par_iter().map(row).collect();
    (0..bits.width()).into_par_iter().map(|i| by_row.iter().map(|row| row[i]).collect()).collect()
}

/// Returns the number of rows in a set.
pub fn count(set: &[u64]) -> usize {
    set.iter().map(|word| word.count_ones() as usize).sum()
}

/// Returns the number of rows in the intersection of two sets.
pub fn count_both(a: &[u64], b: &[u64]) -> usize {
    a.iter().zip(b).map(|(a, b)| (a & b).count_ones() as usize).sum()
}

/// Iterates over the rows of a set in ascending order.
pub fn members(set: &[u64]) -> impl Iterator<Item = u32> + '_ {
    set.iter().enumerate().flat_map(|(word, &bits)| {
        let mut bits = bits;
        std::iter::from_fn(move || {
            (bits != 0).then(|| {
                let row = word as u32 * 64 + bits.trailing_zeros();
                bits &= bits - 1;
                row
            })
        })
    })
}

/// Returns the numbers in 0..n that are missing from an ascending list.
pub fn complement(listed: &[u32], n: usize) -> Vec<u32> {
    let mut listed = listed.iter().copied().peekable();
    (0..n as u32).filter(|&at| listed.next_if_eq(&at).is_none()).collect()
}

/// Rank of each member of a set of rows: the number of members with a smaller row index.
pub struct Ranks {
    /// Rank of each row, `u32::MAX` outside the set: `[row]`.
    ranks: Vec<u32>,
}

impl Ranks {
    /// Numbers the members of a set of `rows` rows, from zero and in ascending order.
    pub fn new(set: &[u64], rows: usize) -> Self {
        let mut ranks = vec![u32::MAX; rows];
        members(set).zip(0..).for_each(|(row, rank)| ranks[row as usize] = rank);
        Self { ranks }
    }

    /// Returns the ranks of the given rows and skips rows outside the set.
    pub fn of(&self, rows: impl Iterator<Item = u32>) -> Vec<u32> {
        rows.map(|row| self.ranks[row as usize]).filter(|&rank| rank != u32::MAX).collect()
    }
}
