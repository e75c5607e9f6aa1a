//! A mixture of trees that share their structure (Meilă & Jordan, *Learning with Mixtures of Trees*, 2000) and the
//! strength of their edges: a latent class model with direct effects (Hagenaars, *Latent Structure Models with Direct
//! Effects between Indicators*, 1988). With one component it is the tree of Chow & Liu, *Approximating Discrete
//! Probability Distributions with Dependence Trees*, 1968.

use super::Term;
use crate::error::TableError;
use crate::logit::{Logit, Mass};

/// A mixture of K trees: p(x) = Σ_k π_k ∏_i p_k(x_i | x_parent(i)).
///
/// The logit of p_k(x_i = 1 | x_parent(i)) is a_ik + d_i · x_parent(i). The parent of a bit is an earlier bit, or none.
///
/// The term is logit_i = ln A - ln B, with A = Σ_k w_k · p_k(x_i = 1 | x_parent(i)) and B = Σ_k w_k · p_k(x_i = 0 |
/// x_parent(i)). The weight w_k of a component is π_k times the product of p_k over the evaluated bits before i.
/// Implied and observed bits are not evaluated, so they carry no evidence about the component.
///
/// A weight is a mantissa of 16 bits and an exponent, so that no component is ever lost. Each bit changes a weight by a
/// rounding error below 2⁻¹⁵ of itself, A and B lose less than 2⁻¹⁵ of themselves per component, and their logarithms
/// lose 1/8192 nat. The sum of these errors is less than the rounding of the logit to the grid of the link table for
/// rows of up to about 500 bits, and mostly far less.
///
/// Each evaluated bit takes five multiplications per component: two decode logits, three multiply weights. The state is
/// `4·K` bytes and the index of the last evaluated bit.
///
/// ```
/// use surprisal::{Logit, Mixture, MixtureSlices, Term};
/// // Two bits without parents, and two equally likely components: one favours ones, the other zeros.
/// let logits = [48, -48, 48, -48]; // ±48 · (64 + 48)/2048 = ±2.625 nats
/// let slices = MixtureSlices { priors: &[1, 1], parents: &[[0, 0], [0, 0]], logits: &logits };
/// let mixture = Mixture::<2>::new(slices)?;
/// let mut state = Term::<2>::start(&mixture);
/// assert_eq!(mixture.logit(&mut state, &[true, false], 0), Logit::ZERO);
/// // After a one the components weigh 0.932 and 0.068.
/// // The odds of a second one are 0.932² + 0.068² to 2 · 0.932 · 0.068.
/// let logit = mixture.logit(&mut state, &[true, false], 1);
/// assert_eq!(logit.raw() / 656, 193); // 1.93 nats
/// # Ok::<(), surprisal::TableError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mixture<'t, const K: usize> {
    slices: MixtureSlices<'t>,
}

/// The storage of [`Mixture`], for n bits and at most K components.
#[derive(Clone, Copy, Debug)]
pub struct MixtureSlices<'t> {
    /// `[component]`: the prior probabilities π_k up to a common factor, each at least 1.
    pub priors: &'t [u16],
    /// `[bit]`, n elements: the distance back to the bit's parent, or 0 for no parent; and the code of d_i, an `i8` as
    /// `u8`.
    pub parents: &'t [[u8; 2]],
    /// `[bit][component]`: the codes of the a_ik, as [`Mixture::logit_of`] decodes them.
    pub logits: &'t [i8],
}

/// The weights of the components given the evaluated bits so far, up to a common factor.
#[derive(Clone, Copy, Debug)]
pub struct Posterior<const K: usize> {
    /// The weight of a component is `mantissa · 2^-exponent`. Each mantissa has its highest bit set, and the smallest
    /// exponent is zero.
    mantissas: [u16; K],
    exponents: [u16; K],
    /// The index of the last evaluated bit. Its value updates the weights when the next bit is evaluated.
    evaluated: Option<usize>,
}

impl<'t, const K: usize> Mixture<'t, K> {
    /// A mixture without components: every logit is zero.
    pub const EMPTY: Self = Self { slices: MixtureSlices { priors: &[], parents: &[], logits: &[] } };

    /// Checks the storage and creates a mixture of `priors.len()` components for `parents.len()` bits.
    ///
    /// # Errors
    /// [`TableError::TooManyComponents`] if there are more than K components; [`TableError::Inconsistent`] if the
    /// lengths of the slices do not fit each other or a prior is zero; [`TableError::Order`] if the distance to a
    /// parent leads beyond the first bit.
    pub const fn new(slices: MixtureSlices<'t>) -> Result<Self, TableError> {
        let MixtureSlices { priors, parents, logits } = slices;
        let components = priors.len();
        if components > K {
            let components = if components > 65535 { 65535 } else { components as u16 };
            return Err(TableError::TooManyComponents { components });
        }
        if components == 0 && parents.is_empty() && logits.is_empty() {
            return Ok(Self::EMPTY);
        }
        if logits.is_empty() || logits.len() as u64 != components as u64 * parents.len() as u64 {
            return Err(TableError::Inconsistent("mixture"));
        }
        let mut priors_left = priors;
        while let Some((prior, rest)) = priors_left.split_first() {
            if *prior == 0 {
                return Err(TableError::Inconsistent("mixture priors"));
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
        Ok(Self { slices })
    }

    /// Decodes a logit of a component: code · (64 + |code|)/2048 nat.
    ///
    /// Neighbouring codes differ by 1/32 nat around zero, where a logit matters most, and the largest exceed ±11 nats.
    ///
    /// ```
    /// use surprisal::{Logit, Mixture};
    /// assert_eq!(Mixture::<0>::logit_of(-64), Logit::from_raw(-4 << 16));
    /// ```
    pub const fn logit_of(code: i8) -> Logit {
        let code = code as i32;
        Logit::from_raw(code * (64 + code.abs()) * 32)
    }

    /// Returns the number of bits that the mixture describes, n; 0 for [`EMPTY`](Self::EMPTY).
    pub const fn bits(&self) -> usize {
        self.slices.parents.len()
    }

    /// Returns the number of components.
    pub const fn components(&self) -> usize {
        self.slices.priors.len()
    }

    /// Returns the storage that [`new`](Self::new) checked.
    pub const fn slices(&self) -> MixtureSlices<'t> {
        self.slices
    }

    /// Yields p_k(x_i = 1 | x_parent(i)) for each component k, given the earlier bits in `seen`. Yields nothing past
    /// the last bit.
    fn masses(&self, seen: &[bool], i: usize) -> impl Iterator<Item = Mass> {
        let MixtureSlices { priors, parents, logits } = self.slices;
        // The product does not wrap for a bit of the table, because the logits of all bits are in memory.
        let start = i.wrapping_mul(priors.len());
        let logits = logits.get(start..).and_then(|rest| rest.get(..priors.len())).unwrap_or_default();
        let [gap, weight] = parents.get(i).copied().unwrap_or_default();
        let parent = gap > 0 && seen.get(i.wrapping_sub(usize::from(gap))).copied().unwrap_or(false);
        let effect = if parent { Self::logit_of(weight as i8) } else { Logit::ZERO };
        logits.iter().map(move |&logit| (Self::logit_of(logit) + effect).mass())
    }

    /// Multiplies the weight of each component by the probability that it gives the value of bit `i`.
    fn update(&self, posterior: &mut Posterior<K>, seen: &[bool], i: usize) {
        let bit = seen.get(i).copied().unwrap_or(false);
        let weights = posterior.mantissas.iter_mut().zip(&mut posterior.exponents);
        for ((mantissa, exponent), mass) in weights.zip(self.masses(seen, i)) {
            let product = u32::from(*mantissa).wrapping_mul(mass.of(bit));
            let zeros = product.leading_zeros();
            *mantissa = (product.wrapping_shl(zeros) >> 16) as u16;
            *exponent = exponent.saturating_add(zeros as u16);
        }
        self.normalise(posterior);
    }

    /// Subtracts the smallest exponent from all exponents, so that the smallest becomes zero.
    fn normalise(&self, posterior: &mut Posterior<K>) {
        let exponents = || posterior.exponents.iter().take(self.slices.priors.len());
        let least = exponents().copied().min().unwrap_or(0);
        posterior.exponents.iter_mut().for_each(|exponent| *exponent = exponent.saturating_sub(least));
    }
}

/// ln(1 + j/32) in units of 1/65536 nat. A straight line between two entries is too low by less than 1/8192 nat.
#[rustfmt::skip]
static LN: [u16; 33] = [
    0, 2017, 3973, 5873, 7719, 9515, 11262, 12965, 14624, 16242, 17821, 19364, 20870, 22343, 23783, 25193,
    26573, 27924, 29248, 30546, 31818, 33067, 34292, 35494, 36675, 37835, 38975, 40095, 41196, 42280, 43345, 44394,
    45426,
];

/// Returns ln x - 63 ln 2, for x > 0, in units of 1/65536 nat. Only differences are used, so the constant does not
/// matter.
fn ln(x: u64) -> i32 {
    let zeros = x.leading_zeros();
    // The bits below the highest one: five for the look-up, sixteen for the interpolation.
    let rest = (x.wrapping_shl(zeros).wrapping_shl(1) >> 43) as u32;
    let entry = |at: u32| LN.get(at as usize).map_or(0, |&entry| u32::from(entry));
    let (low, high) = (entry(rest >> 16), entry((rest >> 16) + 1));
    let line = high.wrapping_sub(low).wrapping_mul(rest & 0xFFFF) >> 16;
    low.wrapping_add(line) as i32 - zeros as i32 * 45426
}

impl<const N: usize, const K: usize> Term<N> for Mixture<'_, K> {
    type State = Posterior<K>;

    fn start(&self) -> Posterior<K> {
        let mut posterior = Posterior { mantissas: [0; K], exponents: [0; K], evaluated: None };
        let weights = posterior.mantissas.iter_mut().zip(&mut posterior.exponents);
        for ((mantissa, exponent), &prior) in weights.zip(self.slices.priors) {
            let zeros = prior.leading_zeros();
            (*mantissa, *exponent) = (prior.wrapping_shl(zeros), zeros as u16);
        }
        self.normalise(&mut posterior);
        posterior
    }

    fn logit(&self, posterior: &mut Posterior<K>, seen: &[bool; N], i: usize) -> Logit {
        if K == 0 || i >= self.bits() {
            return Logit::ZERO;
        }
        if let Some(before) = posterior.evaluated.filter(|&before| before < i) {
            self.update(posterior, seen, before);
        }
        posterior.evaluated = Some(i);
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
