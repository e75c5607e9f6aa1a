//! A mixture of trees that share their structure (Meilă & Jordan, *Learning with Mixtures of Trees*, 2000; one tree alone is
//! that of Chow & Liu, *Approximating Discrete Probability Distributions with Dependence Trees*, 1968) and the strength of
//! their edges: a latent class model with direct effects (Hagenaars, *Latent Structure Models with Direct Effects between
//! Indicators*, 1988).

use super::Part;
use crate::error::TableError;
use crate::link::{Logit, Mass};

/// p(x) = Σ_k π_k ∏_i p_k(x_i | x_parent(i)), where logit p_k(x_i = 1 | x_parent) = a_ik + d_i · x_parent, and a bit's
/// parent is an earlier bit, or none.
///
/// logit_i = ln A - ln B, with A = Σ_k w_k · p_k(x_i = 1 | x_parent) and B the same for a zero. The w_k are the weights
/// of the components after the bits seen so far: π_k times the product of p_k over those that were asked for. Forced bits
/// are not, and so tell nothing of the component.
///
/// A weight has 16 bits and an exponent of its own, so that no component is ever lost. Each bit costs it less than 2⁻¹⁵
/// of itself, A and B lose less than 2⁻¹⁵ of themselves a component, and their logarithms 1/8192 nat: together less than
/// the link's rounding, as long as rows have fewer than 500 bits or so, and most often far less.
/// Each asked bit costs four multiplications a component; the state is `4·K` bytes and the last bit asked for.
///
/// ```
/// use surprisal::{Logit, Mixture, Part};
/// // Two bits, and two components as likely as each other: one of ones and one of zeros, without parents.
/// let logits = [48, -48, 48, -48]; // ±48 · (64 + 48)/2048 = ±2.625 nats
/// let mixture = Mixture::<2>::new(&[1, 1], &[[0, 0], [0, 0]], &logits).unwrap();
/// let mut state = Part::<2>::start(&mixture);
/// assert_eq!(mixture.logit(&mut state, &[true, false], 0), Logit::ZERO);
/// // A one speaks for the first component, 0.932 to 0.068: the odds of another are 0.932² + 0.068² to 2 · 0.932 · 0.068.
/// let logit = mixture.logit(&mut state, &[true, false], 1);
/// assert_eq!(logit.raw() / 656, 193); // 1.93 nats
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mixture<'t, const K: usize> {
    priors: &'t [u16],
    parents: &'t [[u8; 2]],
    logits: &'t [i8],
}

/// How likely each component is after the bits seen so far.
#[derive(Clone, Copy, Debug)]
pub struct Posterior<const K: usize> {
    /// A weight is `mantissa · 2^-exponent`; every mantissa has its highest bit set, the smallest exponent is zero.
    pub(crate) mantissas: [u16; K],
    pub(crate) exponents: [u16; K],
    /// The last bit that was asked for. What it turned out to be is weighed when the next one is.
    asked: Option<usize>,
}

impl<'t, const K: usize> Mixture<'t, K> {
    /// No components: every logit is zero.
    pub const EMPTY: Self = Self { priors: &[], parents: &[], logits: &[] };

    /// `priors.len()` components for `parents.len()` bits.
    ///
    /// `priors` are the π_k up to a common factor. `parents` are, for each bit, how many bits before its own its parent lies
    /// (0 for none), and a code of d_i, an `i8` as `u8`. `logits` are codes of the a_ik, bit after bit, one a component. What a
    /// code stands for is said by [`logit_of`](Self::logit_of).
    ///
    /// # Errors
    /// [`TableError::TooDeep`] when there are more than K components; [`TableError::Shape`] when a length does not fit the
    /// others or a prior is zero; [`TableError::Order`] when a parent lies before the first bit.
    pub const fn new(priors: &'t [u16], parents: &'t [[u8; 2]], logits: &'t [i8]) -> Result<Self, TableError> {
        let components = priors.len();
        if components > K {
            return Err(TableError::TooDeep { words: if components > 65535 { 65535 } else { components as u16 } });
        }
        if components == 0 && parents.is_empty() && logits.is_empty() {
            return Ok(Self::EMPTY);
        }
        if logits.is_empty() || logits.len() as u64 != components as u64 * parents.len() as u64 {
            return Err(TableError::Shape("mixture"));
        }
        let mut priors_left = priors;
        while let Some((prior, rest)) = priors_left.split_first() {
            if *prior == 0 {
                return Err(TableError::Shape("mixture priors"));
            }
            priors_left = rest;
        }
        let (mut left, mut bit) = (parents, 0);
        while let Some((parent, rest)) = left.split_first() {
            if parent[0] as usize > bit {
                return Err(TableError::Order { bit: bit as u16 });
            }
            left = rest;
            bit += 1;
        }
        Ok(Self { priors, parents, logits })
    }

    /// The logit that a code stands for: code · (64 + |code|)/2048 nat. Codes lie 1/32 nat apart around zero, where a
    /// logit matters most, and reach beyond ±11 nats.
    ///
    /// ```
    /// use surprisal::{Logit, Mixture};
    /// assert_eq!(Mixture::<0>::logit_of(-64), Logit::from_raw(-4 << 16));
    /// ```
    pub const fn logit_of(code: i8) -> Logit {
        let code = code as i32;
        Logit::from_raw(code * (64 + code.abs()) * 32)
    }

    /// How many bits it is for; none if it has no components.
    pub const fn bits(&self) -> usize {
        self.parents.len()
    }

    /// How many components it has.
    pub const fn components(&self) -> usize {
        self.priors.len()
    }

    /// The slices it was made of, as [`new`](Self::new) takes them.
    pub const fn slices(&self) -> (&'t [u16], &'t [[u8; 2]], &'t [i8]) {
        (self.priors, self.parents, self.logits)
    }

    /// p_k(x_i = 1 | x_parent) of each component; of none past the last bit.
    fn masses(&self, seen: &[bool], i: usize) -> impl Iterator<Item = Mass> {
        let components = self.priors.len();
        let start = i.saturating_mul(components);
        let logits = self.logits.get(start..start.saturating_add(components)).unwrap_or_default();
        let [gap, weight] = self.parents.get(i).copied().unwrap_or_default();
        let parent = gap > 0 && seen.get(i.wrapping_sub(usize::from(gap))).copied().unwrap_or(false);
        let effect = if parent { Self::logit_of(weight as i8) } else { Logit::ZERO };
        logits.iter().map(move |&logit| (Self::logit_of(logit) + effect).mass())
    }

    /// Weighs what bit `i` turned out to be.
    fn settle(&self, posterior: &mut Posterior<K>, seen: &[bool], i: usize) {
        let bit = seen.get(i).copied().unwrap_or(false);
        let weights = posterior.mantissas.iter_mut().zip(&mut posterior.exponents);
        for ((mantissa, exponent), mass) in weights.zip(self.masses(seen, i)) {
            let product = u32::from(*mantissa).wrapping_mul(mass.of(bit));
            let zeros = product.leading_zeros();
            *mantissa = (product.wrapping_shl(zeros) >> 16) as u16;
            *exponent = exponent.saturating_add(zeros as u16);
        }
        self.level(posterior);
    }

    /// Makes the smallest exponent zero.
    fn level(&self, posterior: &mut Posterior<K>) {
        let exponents = || posterior.exponents.iter().take(self.priors.len());
        let least = exponents().copied().min().unwrap_or(0);
        posterior.exponents.iter_mut().for_each(|exponent| *exponent = exponent.saturating_sub(least));
    }
}

/// ln(1 + j/32) in units of 1/65536 nat. Between the entries, a straight line is too low by less than 1/8192 nat.
#[rustfmt::skip]
pub(crate) static LN: [u16; 33] = [
    0, 2017, 3973, 5873, 7719, 9515, 11262, 12965, 14624, 16242, 17821, 19364, 20870, 22343, 23783, 25193,
    26573, 27924, 29248, 30546, 31818, 33067, 34292, 35494, 36675, 37835, 38975, 40095, 41196, 42280, 43345, 44394,
    45426,
];

/// ln x but for a constant, in units of 1/65536 nat.
fn ln(x: u64) -> i32 {
    let zeros = x.leading_zeros();
    // What follows the highest bit: five bits to look up, sixteen to draw the line.
    let rest = (x.wrapping_shl(zeros).wrapping_shl(1) >> 43) as u32;
    let entry = |at: u32| LN.get(at as usize).map_or(0, |&entry| u32::from(entry));
    let (low, high) = (entry(rest >> 16), entry((rest >> 16) + 1));
    let line = high.wrapping_sub(low).wrapping_mul(rest & 0xFFFF) >> 16;
    low.wrapping_add(line) as i32 - zeros as i32 * 45426
}

impl<const N: usize, const K: usize> Part<N> for Mixture<'_, K> {
    type State = Posterior<K>;

    fn start(&self) -> Posterior<K> {
        let mut posterior = Posterior { mantissas: [0; K], exponents: [0; K], asked: None };
        let weights = posterior.mantissas.iter_mut().zip(&mut posterior.exponents);
        for ((mantissa, exponent), &prior) in weights.zip(self.priors) {
            let zeros = prior.leading_zeros();
            (*mantissa, *exponent) = (prior.wrapping_shl(zeros), zeros as u16);
        }
        self.level(&mut posterior);
        posterior
    }

    fn logit(&self, posterior: &mut Posterior<K>, seen: &[bool; N], i: usize) -> Logit {
        if K == 0 || i >= self.bits() {
            return Logit::ZERO;
        }
        if let Some(asked) = posterior.asked.filter(|&asked| asked < i) {
            self.settle(posterior, seen, asked);
        }
        posterior.asked = Some(i);
        let (mut ones, mut zeros) = (0u64, 0u64);
        let weights = posterior.mantissas.iter().zip(&posterior.exponents);
        for ((&mantissa, &exponent), mass) in weights.zip(self.masses(seen, i)) {
            let weigh = |bit| u32::from(mantissa).wrapping_mul(mass.of(bit)).checked_shr(exponent.into()).unwrap_or(0);
            ones += u64::from(weigh(true));
            zeros += u64::from(weigh(false));
        }
        Logit::from_raw(ln(ones) - ln(zeros))
    }

    fn observe(&self, _: &mut Posterior<K>, _: usize) {}
}
