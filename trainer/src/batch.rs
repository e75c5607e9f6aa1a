//! Scores many rows on the host, with the same results as [`Table::score`] on single rows and much faster.
//!
//! Rows are processed in blocks that are stored by bit: the values of one bit in all rows of a block are adjacent, as
//! masks. Every step of the model is then an operation on whole blocks, which the compiler vectorises: a weight is
//! added under the mask of its bit, and a tree is evaluated from the leaves up, where each split selects between two
//! blocks.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use surprisal::{
    Activation, Column, Constraint, EncodeError, Kind, Logit, NadeSlices, Nats, Reading, RowScore, Table, Terms,
};

mod block;
mod transpose;

use block::{BLOCK_ROWS, Block, add_masked};
use transpose::{BitTerms, transpose};

/// A table prepared for scoring rows in blocks.
pub struct Batch<'a, 't, const N: usize, const H: usize, const K: usize> {
    table: &'a Table<'t, N, H, K>,
    /// Columns in model order, each with the range of its bits.
    columns: Vec<(Column<'t>, Range<usize>)>,
    bit_terms: Vec<BitTerms>,
    /// Surprisal of a bit at each logit of a grid, from the lowest logit, in units of 1/65536 nat: `[bit value][step]`.
    link: Box<[[u32; STEPS]; 2]>,
    arch: pulp::Arch,
}

/// Number of logits in the grid on which surprisal is tabulated, rounded up to a power of two.
const STEPS: usize = 1024;
/// Index of logit 0 in the grid on which surprisal is tabulated.
const EVEN: i32 = STEPS as i32 / 2;

/// Buffers for scoring one block of rows.
#[derive(Default)]
struct Buffers {
    /// Mask of each bit in each row, -1 for a one and 0 for a zero: `[bit][row]`.
    masks: Vec<Block<i16>>,
    /// Log-widths of the readings' bins that are not zero, as (column, row, log-width).
    log_widths: Vec<(usize, usize, Nats)>,
    /// Surprisal of each column in model order, in units of 1/65536 nat: `[column][row]`.
    nats: Vec<Block<u32>>,
    /// Weighted sums of the hidden units and their outputs, each `[unit][row]`.
    hidden: [Vec<Block<i16>>; 2],
    /// Stack of the values of subtrees during the evaluation of a tree.
    stack: Vec<Block<i16>>,
}

impl<'a, 't, const N: usize, const H: usize, const K: usize> Batch<'a, 't, N, H, K> {
    /// Prepares a table: regroups its weights by the bit whose logit they add to.
    ///
    /// Returns `None` for a table with a mixture, whose posterior changes with every bit of every row, for a table
    /// without columns, and for an unknown activation or malformed trees. [`Table`] scores single rows of every table.
    pub fn new(table: &'a Table<'t, N, H, K>) -> Option<Self> {
        let Terms { linear, trees, hidden, mixture } = table.model.terms();
        let columns: Vec<_> = table.encoder.columns().collect();
        let known = matches!(hidden.slices().activation, Activation::Relu | Activation::Sigmoid | Activation::Identity);
        if mixture.bits() > 0 || columns.is_empty() || !known || table.encoder.bits() != linear.bits() {
            return None;
        }
        let at = |step: usize| Logit::from_raw((step as i32 - EVEN) << 11);
        let link = [false, true].map(|bit| std::array::from_fn(|step| at(step).surprisal(bit).raw()));
        Some(Self { table, columns, bit_terms: transpose(linear, trees)?, link: link.into(), arch: pulp::Arch::new() })
    }

    /// Returns the result of [`Table::score`] for each row, computed on several threads.
    ///
    /// # Errors
    /// [`EncodeError`] if a reading does not fit its column; if several rows have errors, the error of the first one.
    pub fn scores(&self, rows: &[Vec<Reading>]) -> Result<Vec<RowScore>, EncodeError> {
        let detector = &self.table.detector;
        let score_row = |columns: &[(u16, &Block<u32>)], slot: usize| {
            let own = columns.iter().map(|(source, nats)| (*source, Nats::from_raw(nats[slot])));
            RowScore::of(detector, &own.collect::<Vec<_>>())
        };
        self.blocks(rows, |columns, rows| (0..rows).map(|slot| score_row(columns, slot)).collect())
    }

    /// Returns the result of [`Table::surprisal`] for each row, computed on several threads.
    ///
    /// # Errors
    /// [`EncodeError`] if a reading does not fit its column; if several rows have errors, the error of the first one.
    pub fn surprisals(&self, rows: &[Vec<Reading>]) -> Result<Vec<Nats>, EncodeError> {
        self.blocks(rows, |columns, rows| {
            let mut totals = Block::splat(Nats::ZERO);
            for (_, nats) in columns {
                totals.iter_mut().zip(nats.iter()).for_each(|(total, &nats)| *total += Nats::from_raw(nats));
            }
            totals[..rows].to_vec()
        })
    }

    /// Calls `of` with the scored columns of each block, as (source, surprisal of each row), and the block's number of
    /// rows, and concatenates the results.
    fn blocks<T: Clone + Send>(
        &self,
        rows: &[Vec<Reading>],
        of: impl Fn(&[(u16, &Block<u32>)], usize) -> Vec<T> + Sync,
    ) -> Result<Vec<T>, EncodeError> {
        let block = |buffers: &mut Buffers, rows: &[Vec<Reading>]| {
            // Columns are encoded one after the other, so that the first error need not be in the first row with an
            // error.
            let first_error = |error| {
                rows.iter().find_map(|row| self.table.encoder.encode(row, &mut [false; N]).err()).unwrap_or(error)
            };
            self.encode(buffers, rows).map_err(first_error)?;
            self.arch.dispatch(Score(self, buffers));
            let constraints = self.table.model.constraints();
            let is_scored = |bits: &Range<usize>| constraints.get(bits.start) != Some(&Constraint::OBSERVED.raw());
            let columns = self.columns.iter().zip(&buffers.nats).filter(|((_, bits), _)| is_scored(bits));
            let scored: Vec<_> = columns.map(|((column, _), nats)| (column.source, nats)).collect();
            Ok(of(&scored, rows.len()))
        };
        let blocks = rows.par_chunks(BLOCK_ROWS).map_init(Buffers::default, block);
        // Collected in order, so that the first error does not depend on the threads.
        let blocks: Vec<Result<Vec<T>, EncodeError>> = blocks.collect();
        Ok(blocks.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Encodes the rows of a block: writes the masks and the log-widths to `buffers`.
    fn encode(&self, buffers: &mut Buffers, rows: &[Vec<Reading>]) -> Result<(), EncodeError> {
        // Slots without a row keep their old values, which are not read.
        buffers.masks.resize(self.bit_terms.len(), Block::splat(0));
        buffers.nats.resize(self.columns.len(), Block::splat(0));
        buffers.log_widths.clear();
        for (at, (column, own)) in self.columns.iter().enumerate() {
            let mut row = [false; N];
            let bits = row.get_mut(..own.len()).ok_or(EncodeError::TooManyBits)?;
            let masks = &mut buffers.masks[own.clone()];
            for (slot, readings) in rows.iter().enumerate() {
                // A shortcut for the most common kind of column.
                if let (Kind::Flag { flipped }, [mask]) = (column.kind, &mut *masks)
                    && let Some(Reading::Integer(value @ 0..=1)) = readings.get(usize::from(column.source))
                {
                    mask[slot] = -i16::from((*value == 1) != flipped);
                    continue;
                }
                bits.fill(false);
                let width = column.encode(readings, bits)?;
                masks.iter_mut().zip(&*bits).for_each(|(mask, &bit)| mask[slot] = -i16::from(bit));
                // The log-widths of flags and categories are zero.
                if width > Nats::ZERO {
                    buffers.log_widths.push((at, slot, width));
                }
            }
        }
        Ok(())
    }

    /// Computes the surprisal of each column in each row of a block from the masks.
    #[inline(always)]
    fn score_block(&self, buffers: &mut Buffers) {
        let (terms, constraints) = (self.table.model.terms(), self.table.model.constraints());
        let Buffers { masks, log_widths, nats, hidden: [sums, units], stack } = buffers;
        let NadeSlices { activation, shift, biases, gains, inputs, outputs, scales } = terms.hidden.slices();
        *sums = biases.iter().map(|&bias| Block::splat(bias)).collect();
        units.resize(sums.len(), Block::splat(0));
        activate(activation, gains, sums, units);
        let width = biases.len();
        for ((_, own), nats) in self.columns.iter().zip(&mut *nats) {
            let mut total = Block::splat(0);
            for i in own.clone() {
                let mut logits = self.bit_terms[i].logits(masks, stack);
                if let Some(&scale) = scales.get(i) {
                    add_hidden(&mut logits, &outputs[i * width..][..width], units, i32::from(scale), shift);
                }
                add_surprisal(
                    &self.link,
                    &mut total,
                    &logits,
                    masks,
                    i,
                    Constraint::from_raw(constraints.get(i).copied().unwrap_or(Constraint::FREE.raw())),
                );
                if width > 0 && masks[i].iter().any(|&mask| mask != 0) {
                    for (sum, &weight) in sums.iter_mut().zip(&inputs[i * width..]) {
                        add_masked(sum, &masks[i], weight.into());
                    }
                    activate(activation, gains, sums, units);
                }
            }
            *nats = total;
        }
        for &(column, slot, width) in &*log_widths {
            nats[column][slot] = (Nats::from_raw(nats[column][slot]) + width).raw();
        }
    }
}

/// The task of scoring one block with the widest vector instructions of the processor.
struct Score<'b, 'a, 't, const N: usize, const H: usize, const K: usize>(&'b Batch<'a, 't, N, H, K>, &'b mut Buffers);

impl<const N: usize, const H: usize, const K: usize> WithSimd for Score<'_, '_, '_, N, H, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.score_block(self.1);
    }
}

/// Applies the activation function to the sums of the hidden units in the integer arithmetic of [`surprisal::Nade`].
#[inline(always)]
fn activate(activation: Activation, gains: &[u16], sums: &[Block<i16>], units: &mut [Block<i16>]) {
    for (u, (units, sums)) in units.iter_mut().zip(sums).enumerate() {
        let each = units.iter_mut().zip(sums.iter());
        match activation {
            Activation::Relu => each.for_each(|(unit, &sum)| *unit = sum.max(0)),
            Activation::Sigmoid => each.for_each(|(unit, &sum)| {
                let logit = Logit::from_raw(i32::from(sum).wrapping_mul(gains[u].into()));
                *unit = (logit.mass().of(true) >> 1) as i16;
            }),
            _ => each.for_each(|(unit, &sum)| *unit = sum),
        }
    }
}

/// Adds the term of the hidden layer to the logits in the integer arithmetic of [`surprisal::Nade`].
#[inline(always)]
fn add_hidden(logits: &mut Block<i32>, weights: &[i8], units: &[Block<i16>], scale: i32, shift: u32) {
    let mut sums = Block::splat(0i32);
    for (&weight, units) in weights.iter().zip(units) {
        let terms = units.iter().map(|&unit| i32::from(weight) * i32::from(unit));
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum = sum.wrapping_add(term));
    }
    for (logit, sum) in logits.iter_mut().zip(*sums) {
        let (high, low) = ((sum >> 16).wrapping_mul(scale), (sum as u16 as u32).wrapping_mul(scale as u32));
        *logit = logit.saturating_add(high.wrapping_shl(16 - shift).wrapping_add((low >> shift) as i32));
    }
}

/// Adds the surprisal of bit `i` in each row to `total`, in units of 1/65536 nat.
#[inline(always)]
fn add_surprisal(
    link: &[[u32; STEPS]; 2],
    total: &mut Block<u32>,
    logits: &Block<i32>,
    masks: &[Block<i16>],
    i: usize,
    constraint: Constraint,
) {
    if constraint == Constraint::OBSERVED {
        return;
    }
    let mut nats = Block::splat(0);
    for ((nats, &logit), &mask) in nats.iter_mut().zip(logits.iter()).zip(masks[i].iter()) {
        let step = (Logit::from_raw(logit).step() + EVEN) as usize % STEPS;
        *nats = link[usize::from(mask != 0)][step];
    }
    if let Some((parent, when, value)) = constraint.condition() {
        for ((nats, &parent), &mask) in nats.iter_mut().zip(masks[parent].iter()).zip(masks[i].iter()) {
            if (parent != 0) == when {
                *nats = if (mask != 0) == value { Nats::ZERO } else { Nats::IMPOSSIBLE }.raw();
            }
        }
    }
    total.iter_mut().zip(*nats).for_each(|(total, nats)| *total = total.saturating_add(nats));
}
