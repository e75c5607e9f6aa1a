//! One hidden layer: a neural autoregressive distribution estimator (Larochelle & Murray, *The Neural Autoregressive
//! Distribution Estimator*, 2011), in integers.

use super::Part;
use crate::error::TableError;
use crate::link::Logit;

/// What a hidden unit makes of its sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Activation {
    /// max(0, sum).
    #[default]
    Relu,
    /// 2¹⁵ / (1 + e^-(gain · sum)), from the link's table.
    Sigmoid,
    /// The sum itself: the layer is a linear model of low rank.
    Identity,
}

impl Activation {
    pub(crate) const fn code(self) -> u32 {
        match self {
            Self::Relu => 0,
            Self::Sigmoid => 1,
            Self::Identity => 2,
        }
    }

    pub(crate) const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::Relu),
            1 => Some(Self::Sigmoid),
            2 => Some(Self::Identity),
            _ => None,
        }
    }
}

/// logit_i = scale_i · Σ_u v_iu · f(c_u + Σ_{j<i, x_j=1} w_ju), with `i8` weights, `i16` sums, one scale a bit.
///
/// Only ones update the layer: a one at j adds the H weights w_j to the sums and refreshes the units; each free bit then
/// takes H multiplications. The state is `6·H` bytes; H is the room for units, of which a table may use fewer.
///
/// Rectified and linear units need no scale of their own, as one may be moved from w to v without changing anything.
///
/// ```
/// use surprisal::{Activation, Logit, Nade, Part};
/// // Two bits and one unit, which wakes up when the first bit is a one, and then speaks for the second.
/// let nade = Nade::<1>::new(Activation::Relu, 0, &[-20], &[], &[100, 0], &[0, 3], &[0, 512]).unwrap();
/// let mut state = Part::<2>::start(&nade);
/// assert_eq!(nade.logit(&mut state, &[true, false], 1), Logit::ZERO);
/// Part::<2>::observe(&nade, &mut state, 0);
/// assert_eq!(nade.logit(&mut state, &[true, false], 1), Logit::from_raw(512 * 3 * (100 - 20)));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Nade<'t, const H: usize> {
    activation: Activation,
    shift: u32,
    biases: &'t [i16],
    gains: &'t [u16],
    inputs: &'t [i8],
    outputs: &'t [i8],
    scales: &'t [u16],
}

/// The hidden layer after the bits seen so far.
#[derive(Clone, Copy, Debug)]
pub struct Hidden<const H: usize> {
    pub(crate) sums: [i16; H],
    pub(crate) units: [i32; H],
}

impl<'t, const H: usize> Nade<'t, H> {
    /// No hidden layer: every logit is zero.
    pub const EMPTY: Self = Self {
        activation: Activation::Relu,
        shift: 0,
        biases: &[],
        gains: &[],
        inputs: &[],
        outputs: &[],
        scales: &[],
    };

    /// A layer of `biases.len()` units for `scales.len()` bits.
    ///
    /// `inputs` are the w and `outputs` the v, both bit after bit, a byte a unit. `biases` are the c, in units of a w.
    /// `gains`, one a unit and for sigmoids only, are in units of 1/65536 nat a unit of the sum. `scales`, one a bit, are in
    /// units of 2^-shift/65536 nat. The sums must stay within `i16` (the trainer sees to it; they wrap otherwise).
    ///
    /// # Errors
    /// [`TableError::Shape`] when a length does not fit the others or the shift exceeds 16; [`TableError::TooDeep`] when
    /// there are more than H units.
    pub const fn new(
        activation: Activation,
        shift: u32,
        biases: &'t [i16],
        gains: &'t [u16],
        inputs: &'t [i8],
        outputs: &'t [i8],
        scales: &'t [u16],
    ) -> Result<Self, TableError> {
        let (units, bits) = (biases.len(), scales.len());
        if units > H {
            return Err(TableError::TooDeep { words: if units > 65535 { 65535 } else { units as u16 } });
        }
        let gains_fit = match activation {
            Activation::Sigmoid => gains.len() == units,
            _ => gains.is_empty(),
        };
        let weights = units as u64 * bits as u64;
        if units > 0 && bits == 0
            || !gains_fit
            || inputs.len() as u64 != weights
            || outputs.len() as u64 != weights
            || shift > 16
        {
            return Err(TableError::Shape("hidden layer"));
        }
        Ok(Self { activation, shift, biases, gains, inputs, outputs, scales })
    }

    /// How many bits the layer is for; none if it has no units.
    pub const fn bits(&self) -> usize {
        self.scales.len()
    }

    /// How many units it has.
    pub const fn units(&self) -> usize {
        self.biases.len()
    }

    /// What it was made of, as [`new`](Self::new) takes it.
    #[allow(clippy::type_complexity, reason = "the arguments of `new`")]
    pub const fn slices(&self) -> (Activation, u32, &'t [i16], &'t [u16], &'t [i8], &'t [i8], &'t [u16]) {
        (self.activation, self.shift, self.biases, self.gains, self.inputs, self.outputs, self.scales)
    }

    /// The weights of bit `i`, a byte a unit.
    pub(crate) fn row(&self, weights: &'t [i8], i: usize) -> &'t [i8] {
        let units = self.biases.len();
        let start = i.saturating_mul(units);
        weights.get(start..start.saturating_add(units)).unwrap_or_default()
    }

    /// The logit of bit `i`, in the same instructions whatever the units.
    #[inline(always)]
    pub(crate) fn share(&self, hidden: &Hidden<H>, i: usize) -> Logit {
        let Some(&scale) = self.scales.get(i).filter(|_| H > 0) else { return Logit::ZERO };
        let row = self.row(self.outputs, i);
        // As many units as there is room for are the usual case, and a loop of known length.
        let sum = row.first_chunk::<H>().map_or_else(|| dot(row, &hidden.units), |row| dot(row, &hidden.units));
        // (sum · scale) >> shift without a product of more than 32 bits.
        let high = (sum >> 16).wrapping_mul(i32::from(scale));
        let low = (sum as u16 as u32).wrapping_mul(u32::from(scale));
        Logit::from_raw(high.wrapping_shl(16 - self.shift).wrapping_add((low >> self.shift) as i32))
    }

    fn refresh(&self, hidden: &mut Hidden<H>) {
        let each = hidden.units.iter_mut().zip(&hidden.sums);
        match self.activation {
            Activation::Relu => each.for_each(|(unit, &sum)| *unit = sum.max(0).into()),
            Activation::Identity => each.for_each(|(unit, &sum)| *unit = sum.into()),
            Activation::Sigmoid => each.zip(self.gains).for_each(|((unit, &sum), &gain)| {
                let logit = Logit::from_raw(i32::from(sum).wrapping_mul(i32::from(gain)));
                *unit = (logit.mass().of(true) >> 1) as i32;
            }),
        }
    }
}

impl<const N: usize, const H: usize> Part<N> for Nade<'_, H> {
    type State = Hidden<H>;

    fn start(&self) -> Hidden<H> {
        let mut hidden = Hidden { sums: [0; H], units: [0; H] };
        hidden.sums.iter_mut().zip(self.biases).for_each(|(sum, &bias)| *sum = bias);
        self.refresh(&mut hidden);
        hidden
    }

    fn logit(&self, hidden: &mut Hidden<H>, _: &[bool; N], i: usize) -> Logit {
        self.share(hidden, i)
    }

    fn observe(&self, hidden: &mut Hidden<H>, i: usize) {
        if H == 0 {
            return;
        }
        let row = self.row(self.inputs, i);
        match row.first_chunk::<H>() {
            Some(row) => add(&mut hidden.sums, row),
            None => add(&mut hidden.sums, row),
        }
        self.refresh(hidden);
    }
}

#[inline(always)]
fn dot(weights: &[i8], units: &[i32]) -> i32 {
    weights.iter().zip(units).fold(0, |sum, (&v, &unit)| sum.wrapping_add(i32::from(v).wrapping_mul(unit)))
}

#[inline(always)]
fn add(sums: &mut [i16], weights: &[i8]) {
    sums.iter_mut().zip(weights).for_each(|(sum, &weight)| *sum = sum.wrapping_add(i16::from(weight)));
}
