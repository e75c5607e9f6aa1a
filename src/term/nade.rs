//! One hidden layer: a neural autoregressive distribution estimator (Larochelle & Murray, *The Neural Autoregressive
//! Distribution Estimator*, 2011), in integers.

use super::Term;
use crate::error::TableError;
use crate::logit::Logit;

/// The function that turns a hidden unit's sum into its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Activation {
    /// Rectified linear: max(0, sum).
    #[default]
    Relu,
    /// Logistic: 2¹⁵ / (1 + e^-(gain · sum)), from the link table.
    Sigmoid,
    /// Identity: the layer is a linear model of low rank.
    Identity,
}

impl Activation {
    /// Returns the code of the activation in a table: 0, 1 or 2, in the order of the variants.
    pub const fn code(self) -> u32 {
        match self {
            Self::Relu => 0,
            Self::Sigmoid => 1,
            Self::Identity => 2,
        }
    }

    /// Returns the activation with this code, or `None` for any other number.
    pub(crate) const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::Relu),
            1 => Some(Self::Sigmoid),
            2 => Some(Self::Identity),
            _ => None,
        }
    }
}

/// A hidden layer (neural autoregressive distribution estimator, NADE): logit_i = scale_i · Σ_u v_iu · f(c_u + Σ_{j<i,
/// x_j=1} w_ju) over the units u.
///
/// Weights are `i8`, sums are `i16`, and there is one scale per bit. Only ones update the layer: a one at bit j adds
/// the input weight w_ju to the sum of each unit u, and all units are computed again. Each free bit (a bit
/// whose value earlier bits do not imply) takes one multiplication per unit. The state is `6·H` bytes. H is the
/// capacity for units; a table may use fewer.
///
/// Rectified and linear units need no scale, because a factor can move from w to v without any effect.
///
/// ```
/// use surprisal::{Activation, Logit, Nade, NadeSlices, Term};
/// // Two bits and one unit, which becomes active if the first bit is a one, and then favours a one at the second bit.
/// let nade = Nade::<1>::new(NadeSlices {
///     activation: Activation::Relu,
///     shift: 0,
///     biases: &[-20],
///     gains: &[],
///     inputs: &[100, 0],
///     outputs: &[0, 3],
///     scales: &[0, 512],
/// })?;
/// let mut state = Term::<2>::start(&nade);
/// assert_eq!(nade.logit(&mut state, &[true, false], 1), Logit::ZERO);
/// Term::<2>::observe(&nade, &mut state, 0);
/// assert_eq!(nade.logit(&mut state, &[true, false], 1), Logit::from_raw(512 * 3 * (100 - 20)));
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Nade<'t, const H: usize> {
    slices: NadeSlices<'t>,
}

/// The storage of [`Nade`], for n bits and at most H units.
///
/// Every sum of a bias and input weights must fit an `i16`; it wraps otherwise. The trainer ensures this, and it is not
/// checked here.
#[derive(Clone, Copy, Debug)]
pub struct NadeSlices<'t> {
    /// The activation function f of all units.
    pub activation: Activation,
    /// log2 of the divisor of `scales`, at most 16.
    pub shift: u32,
    /// `[unit]`: the biases c_u, in units of an input weight. Their number is the number of units.
    pub biases: &'t [i16],
    /// `[unit]`: the gain of each sigmoid, in 1/65536 nat per unit of the sum. Empty for other activations.
    pub gains: &'t [u16],
    /// `[bit][unit]`: the input weights w_ju, which a one at bit j adds to the sums.
    pub inputs: &'t [i8],
    /// `[bit][unit]`: the output weights v_iu.
    pub outputs: &'t [i8],
    /// `[bit]`, n elements: the factor of the sum over units, in units of 2^-shift/65536 nat.
    pub scales: &'t [u16],
}

/// The sums and values of the hidden units, both `[unit]`, after the bits seen so far.
#[derive(Clone, Copy, Debug)]
pub struct HiddenState<const H: usize> {
    sums: [i16; H],
    units: [i32; H],
}

impl<'t, const H: usize> Nade<'t, H> {
    /// A layer without units: every logit is zero.
    pub const EMPTY: Self = Self {
        slices: NadeSlices {
            activation: Activation::Relu,
            shift: 0,
            biases: &[],
            gains: &[],
            inputs: &[],
            outputs: &[],
            scales: &[],
        },
    };

    /// Checks the storage and creates a layer of `biases.len()` units for `scales.len()` bits.
    ///
    /// # Errors
    /// [`TableError::Inconsistent`] if the lengths of the slices do not fit each other or the shift exceeds 16;
    /// [`TableError::TooManyUnits`] if there are more than H units.
    pub const fn new(slices: NadeSlices<'t>) -> Result<Self, TableError> {
        let NadeSlices { activation, shift, biases, gains, inputs, outputs, scales } = slices;
        let (units, bits) = (biases.len(), scales.len());
        if units > H {
            return Err(TableError::TooManyUnits { units: if units > 65535 { 65535 } else { units as u16 } });
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
            return Err(TableError::Inconsistent("hidden layer"));
        }
        Ok(Self { slices })
    }

    /// Returns the number of bits that the layer describes, n; 0 for [`EMPTY`](Self::EMPTY).
    pub const fn bits(&self) -> usize {
        self.slices.scales.len()
    }

    /// Returns the number of hidden units.
    pub const fn units(&self) -> usize {
        self.slices.biases.len()
    }

    /// Returns the storage that [`new`](Self::new) checked.
    pub const fn slices(&self) -> NadeSlices<'t> {
        self.slices
    }

    /// Returns the weights of bit `i`, `[unit]`, from `weights`, a flattened `[bit][unit]`.
    fn row(&self, weights: &'t [i8], i: usize) -> &'t [i8] {
        let units = self.slices.biases.len();
        // The product does not wrap for a bit of the table, because the weights of all bits are in memory.
        let start = i.wrapping_mul(units);
        weights.get(start..start.saturating_add(units)).unwrap_or_default()
    }

    /// Computes the value of every unit from its sum.
    fn refresh(&self, hidden: &mut HiddenState<H>) {
        let each = hidden.units.iter_mut().zip(&hidden.sums);
        match self.slices.activation {
            Activation::Relu => each.for_each(|(unit, &sum)| *unit = sum.max(0).into()),
            Activation::Identity => each.for_each(|(unit, &sum)| *unit = sum.into()),
            Activation::Sigmoid => each.zip(self.slices.gains).for_each(|((unit, &sum), &gain)| {
                let logit = Logit::from_raw(i32::from(sum).wrapping_mul(i32::from(gain)));
                *unit = (logit.mass().of(true) >> 1) as i32;
            }),
        }
    }
}

impl<const N: usize, const H: usize> Term<N> for Nade<'_, H> {
    type State = HiddenState<H>;

    fn start(&self) -> HiddenState<H> {
        let mut hidden = HiddenState { sums: [0; H], units: [0; H] };
        hidden.sums.iter_mut().zip(self.slices.biases).for_each(|(sum, &bias)| *sum = bias);
        self.refresh(&mut hidden);
        hidden
    }

    #[inline(always)]
    fn logit(&self, hidden: &mut HiddenState<H>, _: &[bool; N], i: usize) -> Logit {
        let NadeSlices { shift, outputs, scales, .. } = self.slices;
        let Some(&scale) = scales.get(i).filter(|_| H > 0) else { return Logit::ZERO };
        let row = self.row(outputs, i);
        // A table usually uses all H units, which makes a loop of known length.
        let sum = row.first_chunk::<H>().map_or_else(|| dot(row, &hidden.units), |row| dot(row, &hidden.units));
        // (sum · scale) >> shift without a product of more than 32 bits.
        let high = (sum >> 16).wrapping_mul(i32::from(scale));
        let low = (sum as u16 as u32).wrapping_mul(u32::from(scale));
        Logit::from_raw(high.wrapping_shl(16 - shift).wrapping_add((low >> shift) as i32))
    }

    fn observe(&self, hidden: &mut HiddenState<H>, i: usize) {
        if H == 0 {
            return;
        }
        let row = self.row(self.slices.inputs, i);
        match row.first_chunk::<H>() {
            Some(row) => add(&mut hidden.sums, row),
            None => add(&mut hidden.sums, row),
        }
        self.refresh(hidden);
    }
}

/// Returns Σ_u weight_u · unit_u, wrapping.
#[inline(always)]
fn dot(weights: &[i8], units: &[i32]) -> i32 {
    weights.iter().zip(units).fold(0, |sum, (&v, &unit)| sum.wrapping_add(i32::from(v).wrapping_mul(unit)))
}

/// Adds `weights[u]` to `sums[u]` for each unit u, wrapping.
#[inline(always)]
fn add(sums: &mut [i16], weights: &[i8]) {
    sums.iter_mut().zip(weights).for_each(|(sum, &weight)| *sum = sum.wrapping_add(i16::from(weight)));
}
