//! Encoded rows, by column: what every learner reads.

use surprisal::Guard;

/// Rows of bits, each column twice: as a bit set for counting, and as the list of its ones for walking.
#[derive(Clone, Debug)]
pub struct Bits {
    /// How many rows.
    pub rows: usize,
    /// For each bit, 64 rows a word.
    pub sets: Vec<Vec<u64>>,
    /// For each bit, the rows in which it is one, ascending.
    pub ones: Vec<Vec<u32>>,
}

impl Bits {
    /// Room for `n` bits a row, no rows yet.
    pub fn new(n: usize) -> Self {
        Self { rows: 0, sets: vec![Vec::new(); n], ones: vec![Vec::new(); n] }
    }

    /// The same rows with their bits in another order; `order[i]` is the present place of bit i.
    pub fn reordered(&self, order: &[usize]) -> Self {
        let pick = |i: &usize| (self.sets[*i].clone(), self.ones[*i].clone());
        let (sets, ones) = order.iter().map(pick).unzip();
        Self { rows: self.rows, sets, ones }
    }

    /// How many bits a row.
    pub fn width(&self) -> usize {
        self.sets.len()
    }

    /// Appends a row.
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

    /// Is bit `i` of `row` a one?
    pub fn get(&self, row: usize, i: usize) -> bool {
        self.sets[i][row / 64] >> (row % 64) & 1 == 1
    }

    /// Writes a row to the start of `out`.
    pub fn row(&self, row: usize, out: &mut [bool]) {
        for (i, bit) in out.iter_mut().take(self.sets.len()).enumerate() {
            *bit = self.get(row, i);
        }
    }

    /// All rows.
    pub fn every(&self) -> Vec<u64> {
        let mut set = vec![u64::MAX; self.rows.div_ceil(64)];
        if let (Some(last), rest @ 1..) = (set.last_mut(), self.rows % 64) {
            *last = (1 << rest) - 1;
        }
        set
    }

    /// The rows in which bit `i` is free, that is, neither given nor forced by its guard.
    pub fn free(&self, guards: &[u16], i: usize) -> Vec<u64> {
        let mut set = self.every();
        if guards.get(i) == Some(&Guard::GIVEN.raw()) {
            set.fill(0);
        }
        if let Some((parent, when, _)) = guards.get(i).and_then(|&guard| Guard::from_raw(guard).condition()) {
            for (free, &parent) in set.iter_mut().zip(&self.sets[parent]) {
                *free &= if when { !parent } else { parent };
            }
        }
        set
    }
}

/// How many rows a set holds.
pub fn count(set: &[u64]) -> usize {
    set.iter().map(|word| word.count_ones() as usize).sum()
}

/// How many rows both sets hold.
pub fn count_both(a: &[u64], b: &[u64]) -> usize {
    a.iter().zip(b).map(|(a, b)| (a & b).count_ones() as usize).sum()
}

/// The rows of a set, ascending.
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
