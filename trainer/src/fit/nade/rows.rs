//! Rows stored as lists of the bits that are one, the input of the hidden layer's objective.

use surprisal::Constraint;

use crate::bits::{Bits, PerBit};

/// Number of rows that the kernel processes together, so that one load of a weight serves all of these rows.
pub const BLOCK: usize = 16;

/// Rows of bits, each stored as the list of the bits that are one, with optional offsets of the logits.
#[derive(Clone, Debug)]
pub struct SparseRows {
    /// Number of bits per row.
    pub width: usize,
    /// Indices of the bits that are one, row after row.
    ones: Vec<u16>,
    /// Start of each row in `ones`, followed by the end of the last row.
    starts: Vec<u32>,
    /// Conditional constraints as (bit, parent, when): the bit is implied where the parent equals `when`.
    pub(super) constraints: Vec<(u16, u16, bool)>,
    /// Logits to which the layer adds its logits, in nats: `[row][bit]`, flattened. Empty if there is no offset.
    offset: Vec<f32>,
}

impl SparseRows {
    /// Converts rows from storage by bit. The logits of the layer add to `offset` (`[bit][row]`, in nats), if present.
    pub fn new(bits: &Bits, constraints: &[u16], offset: Option<&PerBit>) -> Self {
        let mut each: Vec<Vec<u16>> = vec![Vec::new(); bits.rows];
        for (i, ones) in bits.ones.iter().enumerate() {
            ones.iter().for_each(|&row| each[row as usize].push(i as u16));
        }
        let mut starts = vec![0];
        starts.extend(each.iter().scan(0, |end, ones| {
            *end += ones.len() as u32;
            Some(*end)
        }));
        let condition = |(i, &raw): (usize, &u16)| {
            let (parent, when, _) = Constraint::from_raw(raw).condition()?;
            Some((i as u16, parent as u16, when))
        };
        let constraints = constraints.iter().enumerate().filter_map(condition).collect();
        let offset = offset.map_or_else(Vec::new, |offset| {
            (0..bits.rows).flat_map(|row| offset.iter().map(move |bit| bit[row] as f32)).collect()
        });
        Self { width: bits.width(), ones: each.concat(), starts, constraints, offset }
    }

    /// Returns the number of rows.
    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the indices of the bits that are one in a row, in ascending order.
    pub fn ones(&self, row: usize) -> &[u16] {
        &self.ones[self.starts[row] as usize..self.starts[row + 1] as usize]
    }

    /// Returns the number of bits that are one, over all rows.
    pub(super) fn total_ones(&self) -> usize {
        self.ones.len()
    }

    /// Returns whether the rows have an offset to which the layer adds its logits.
    pub(super) fn has_offset(&self) -> bool {
        !self.offset.is_empty()
    }

    /// Returns the offsets of the logits of a row, in nats: `[bit]`. Empty if the rows have no offset.
    pub(super) fn offset(&self, row: usize) -> &[f32] {
        if self.offset.is_empty() { &[] } else { &self.offset[row * self.width..][..self.width] }
    }

    /// Returns the logit of each bit's share of ones, in nats, with half a row of each value added: `[bit]`.
    pub(super) fn marginal_logits(&self) -> Vec<f32> {
        let mut counts = vec![0.5; self.width];
        self.ones.iter().for_each(|&i| counts[usize::from(i)] += 1.0);
        let rows = self.len() as f32 + 1.0;
        counts.into_iter().map(|ones: f32| (ones / (rows - ones)).ln()).collect()
    }
}
