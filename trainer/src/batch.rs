//! Many rows at once, for the host: what one row after another scores, to the last bit, and much faster.
//!
//! Rows are taken by blocks and turned round, so that a bit of all rows of a block lies side by side, as masks. Every step of
//! the model is then one operation on whole blocks, which the compiler makes vectors of: a weight is added where the mask of
//! its bit says so, and a tree is all of its splits from the leaves up, each a choice between two blocks.

use std::ops::{Deref, DerefMut};

use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use surprisal::{Activation, Column, EncodeError, Guard, Kind, Logit, Nats, Reading, Sum, Surprise, Table};

mod turned;

use turned::{Pieces, pieces};

/// Rows of a block.
const LANES: usize = 128;

/// A number for each row of a block, from a cache line's start, so that no vector lies across two.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Lanes<T>([T; LANES]);

impl<T: Copy> Lanes<T> {
    /// The same for all.
    #[inline(always)]
    fn of(value: T) -> Self {
        Self([value; LANES])
    }
}

impl<T> Deref for Lanes<T> {
    type Target = [T; LANES];

    #[inline(always)]
    fn deref(&self) -> &[T; LANES] {
        &self.0
    }
}

impl<T> DerefMut for Lanes<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T; LANES] {
        &mut self.0
    }
}

/// A table whose rows are scored by blocks.
pub struct Batch<'a, 't, const N: usize, const H: usize, const K: usize> {
    table: &'a Table<'t, N, H, K>,
    columns: Vec<Column<'t>>,
    pieces: Vec<Pieces>,
    /// What a zero and what a one costs at each step of the link's grid, from the lowest.
    link: Box<[[u32; STEPS]; 2]>,
    arch: pulp::Arch,
}

/// A power of two that the steps of the link's grid fit into, and the place of even odds.
const STEPS: usize = 1024;
const EVEN: i32 = STEPS as i32 / 2;

/// What a block is worked out in.
#[derive(Default)]
struct Scratch {
    /// Of each bit: all ones or zero.
    masks: Vec<Lanes<i16>>,
    /// By column and lane, what makes a mass a density.
    widths: Vec<(usize, usize, Nats)>,
    /// Of each column in model order, what it costs.
    nats: Vec<Lanes<u32>>,
    /// The hidden layer: sums, and what becomes of them.
    hidden: [Vec<Lanes<i16>>; 2],
    /// Trees under way.
    stack: Vec<Lanes<i16>>,
}

impl<'a, 't, const N: usize, const H: usize, const K: usize> Batch<'a, 't, N, H, K> {
    /// Turns the table's weights round. `None` for a mixture, whose components are weighed anew at every bit of every row, for
    /// a table without columns, and for one whose trees are none: a row at a time makes sense of every table.
    pub fn new(table: &'a Table<'t, N, H, K>) -> Option<Self> {
        let (Sum(Sum(linear, forest), Sum(nade, mixture)), _) = table.model.pieces();
        let columns: Vec<Column<'t>> = table.encoder.columns().collect();
        let known = matches!(nade.slices().0, Activation::Relu | Activation::Sigmoid | Activation::Identity);
        if mixture.bits() > 0 || columns.is_empty() || !known || table.encoder.bits() != linear.bits() {
            return None;
        }
        let at = |step: usize| Logit::from_raw((step as i32 - EVEN) << 11);
        let link = [false, true].map(|bit| std::array::from_fn(|step| at(step).surprisal(bit).raw()));
        Some(Self { table, columns, pieces: pieces(linear, forest)?, link: link.into(), arch: pulp::Arch::new() })
    }

    /// As [`Table::surprise`], of each row; on several threads.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn surprises(&self, rows: &[Vec<Reading>]) -> Result<Vec<Surprise>, EncodeError> {
        let detector = &self.table.detector;
        let of_row = |columns: &[(u16, &Lanes<u32>)], lane: usize| {
            let of_lane = columns.iter().map(|(source, nats)| (*source, Nats::from_raw(nats[lane])));
            Surprise::of(detector, &of_lane.collect::<Vec<_>>())
        };
        self.blocks(rows, |columns, rows| (0..rows).map(|lane| of_row(columns, lane)).collect())
    }

    /// As [`Table::score`], of each row; on several threads.
    ///
    /// # Errors
    /// A reading that does not fit its column.
    pub fn scores(&self, rows: &[Vec<Reading>]) -> Result<Vec<Nats>, EncodeError> {
        self.blocks(rows, |columns, rows| {
            let mut totals = Lanes::of(Nats::ZERO);
            for (_, nats) in columns {
                totals.iter_mut().zip(nats.iter()).for_each(|(total, &nats)| *total += Nats::from_raw(nats));
            }
            totals[..rows].to_vec()
        })
    }

    /// What is made of the scored columns' nats of each block, and of how many rows it has.
    fn blocks<T: Clone + Send>(
        &self,
        rows: &[Vec<Reading>],
        of: impl Fn(&[(u16, &Lanes<u32>)], usize) -> Vec<T> + Sync,
    ) -> Result<Vec<T>, EncodeError> {
        let (_, guards) = self.table.model.pieces();
        let block = |scratch: &mut Scratch, rows: &[Vec<Reading>]| {
            // Columns come first here; the error is that of the first row that has one.
            let by_row = |error| {
                rows.iter().find_map(|row| self.table.encoder.encode(row, &mut [false; N]).err()).unwrap_or(error)
            };
            self.encode(scratch, rows).map_err(by_row)?;
            self.arch.dispatch(Read(self, scratch));
            let (mut scored, mut start) = (Vec::with_capacity(self.columns.len()), 0);
            for (column, nats) in self.columns.iter().zip(&scratch.nats) {
                if guards.get(start) != Some(&Guard::GIVEN.raw()) {
                    scored.push((column.source, nats));
                }
                start += column.bits();
            }
            Ok(of(&scored, rows.len()))
        };
        let blocks = rows.par_chunks(LANES).map_init(Scratch::default, block);
        // Of several errors the first, whatever thread was quickest.
        let blocks: Vec<Result<Vec<T>, EncodeError>> = blocks.collect();
        Ok(blocks.into_iter().collect::<Result<Vec<_>, _>>()?.concat())
    }

    /// Writes the masks, and what makes masses densities.
    fn encode(&self, scratch: &mut Scratch, rows: &[Vec<Reading>]) -> Result<(), EncodeError> {
        // Lanes without a row keep what they had; nobody asks for them.
        scratch.masks.resize(self.pieces.len(), Lanes::of(0));
        scratch.nats.resize(self.columns.len(), Lanes::of(0));
        scratch.widths.clear();
        let mut start = 0;
        for (at, column) in self.columns.iter().enumerate() {
            let mut row = [false; N];
            let bits = row.get_mut(..column.bits()).ok_or(EncodeError::TooWide)?;
            let masks = &mut scratch.masks[start..start + bits.len()];
            for (lane, readings) in rows.iter().enumerate() {
                // The usual case of many columns, and the quickest.
                if let (Kind::Flag { flipped }, [mask]) = (column.kind, &mut *masks)
                    && let Some(Reading::Integer(value @ 0..=1)) = readings.get(usize::from(column.source))
                {
                    mask[lane] = -i16::from((*value == 1) != flipped);
                    continue;
                }
                bits.fill(false);
                let width = column.encode(readings, bits)?;
                masks.iter_mut().zip(&*bits).for_each(|(mask, &bit)| mask[lane] = -i16::from(bit));
                // Those of flags and categories are zero.
                if width > Nats::ZERO {
                    scratch.widths.push((at, lane, width));
                }
            }
            start += bits.len();
        }
        Ok(())
    }

    /// From masks to the nats of columns.
    #[inline(always)]
    fn read(&self, scratch: &mut Scratch) {
        let (Sum(_, Sum(nade, _)), guards) = self.table.model.pieces();
        let Scratch { masks, widths, nats, hidden: [sums, units], stack } = scratch;
        let (activation, shift, biases, gains, inputs, outputs, scales) = nade.slices();
        *sums = biases.iter().map(|&bias| Lanes::of(bias)).collect();
        units.resize(sums.len(), Lanes::of(0));
        activate(activation, gains, sums, units);
        let (mut i, width) = (0, biases.len());
        for (column, nats) in self.columns.iter().zip(&mut *nats) {
            let mut total = Lanes::of(0);
            for _ in 0..column.bits() {
                let mut logits = self.pieces[i].logits(masks, stack);
                if let Some(&scale) = scales.get(i) {
                    add_hidden(&mut logits, &outputs[i * width..][..width], units, i32::from(scale), shift);
                }
                charge(
                    &self.link,
                    &mut total,
                    &logits,
                    masks,
                    i,
                    Guard::from_raw(guards.get(i).copied().unwrap_or(Guard::FREE.raw())),
                );
                if width > 0 && masks[i].iter().any(|&mask| mask != 0) {
                    for (sum, &weight) in sums.iter_mut().zip(&inputs[i * width..]) {
                        add(sum, &masks[i], weight.into());
                    }
                    activate(activation, gains, sums, units);
                }
                i += 1;
            }
            *nats = total;
        }
        for &(column, lane, width) in &*widths {
            nats[column][lane] = (Nats::from_raw(nats[column][lane]) + width).raw();
        }
    }
}

/// A block to be read with the widest vectors there are.
struct Read<'b, 'a, 't, const N: usize, const H: usize, const K: usize>(&'b Batch<'a, 't, N, H, K>, &'b mut Scratch);

impl<const N: usize, const H: usize, const K: usize> WithSimd for Read<'_, '_, '_, N, H, K> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.0.read(self.1);
    }
}

/// Adds a weight where a mask says so.
#[inline(always)]
fn add(sums: &mut Lanes<i16>, mask: &Lanes<i16>, weight: i16) {
    sums.iter_mut().zip(mask.iter()).for_each(|(sum, mask)| *sum = sum.wrapping_add(mask & weight));
}

/// As [`surprisal::Nade`] refreshes its units.
#[inline(always)]
fn activate(activation: Activation, gains: &[u16], sums: &[Lanes<i16>], units: &mut [Lanes<i16>]) {
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

/// Adds what [`surprisal::Nade`] says.
#[inline(always)]
fn add_hidden(logits: &mut Lanes<i32>, weights: &[i8], units: &[Lanes<i16>], scale: i32, shift: u32) {
    let mut sums = Lanes::of(0i32);
    for (&weight, units) in weights.iter().zip(units) {
        let terms = units.iter().map(|&unit| i32::from(weight) * i32::from(unit));
        sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum = sum.wrapping_add(term));
    }
    for (logit, sum) in logits.iter_mut().zip(*sums) {
        let (high, low) = ((sum >> 16).wrapping_mul(scale), (sum as u16 as u32).wrapping_mul(scale as u32));
        *logit = logit.saturating_add(high.wrapping_shl(16 - shift).wrapping_add((low >> shift) as i32));
    }
}

/// Adds what bit `i` costs in each row.
#[inline(always)]
fn charge(
    link: &[[u32; STEPS]; 2],
    total: &mut Lanes<u32>,
    logits: &Lanes<i32>,
    masks: &[Lanes<i16>],
    i: usize,
    guard: Guard,
) {
    if guard == Guard::GIVEN {
        return;
    }
    let mut nats = Lanes::of(0);
    for ((nats, &logit), &mask) in nats.iter_mut().zip(logits.iter()).zip(masks[i].iter()) {
        let step = (Logit::from_raw(logit).step() + EVEN) as usize % STEPS;
        *nats = link[usize::from(mask != 0)][step];
    }
    if let Some((parent, when, value)) = guard.condition() {
        for ((nats, &parent), &mask) in nats.iter_mut().zip(masks[parent].iter()).zip(masks[i].iter()) {
            if (parent != 0) == when {
                *nats = if (mask != 0) == value { Nats::ZERO } else { Nats::IMPOSSIBLE }.raw();
            }
        }
    }
    total.iter_mut().zip(*nats).for_each(|(total, nats)| *total = total.saturating_add(nats));
}
