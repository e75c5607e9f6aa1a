//! Every bit is weighed; what a forced one says of the components is masked.

use super::{Mask, Steady, least};
use crate::link::{self, Logit};
use crate::part::{LN, Mixture, Posterior};

/// The masses of a bit by the components.
fn masses<const K: usize>(mixture: &Mixture<'_, K>, seen: &[Mask], i: usize, bit: Mask) -> impl Iterator<Item = u32> {
    let (priors, parents, logits) = mixture.slices();
    let components = priors.len();
    let start = i.saturating_mul(components);
    let logits = logits.get(start..start.saturating_add(components)).unwrap_or_default();
    let [gap, weight] = parents.get(i).copied().unwrap_or_default();
    let parent = seen.get(i.wrapping_sub(usize::from(gap))).copied().filter(|_| gap > 0).unwrap_or_default();
    let effect = parent.pick(Mixture::<K>::logit_of(weight as i8).raw(), 0);
    logits.iter().map(move |&logit| {
        // Of 22 bits.
        link::steady::mass(Logit::from_raw(Mixture::<K>::logit_of(logit).raw() + effect), bit)
    })
}

/// As `leading_zeros`, for which the smallest cores have a routine that branches.
fn leading_zeros(mut x: u32) -> u32 {
    for by in [1, 2, 4, 8, 16] {
        x |= x >> by;
    }
    (!x).count_ones()
}

/// As that of the mixture, of what is not zero.
fn ln(x: u64) -> i32 {
    let (high, low) = ((x >> 32) as i32, x as i32);
    // Less than zero if there is no higher word.
    let short = Mask::negative((high as u32 >> 1 | high as u32 & 1).wrapping_sub(1) as i32);
    let (high, low) = (short.pick(low, high) as u32, short.pick(0, low) as u32);
    let zeros = leading_zeros(high);
    let rest = (high.wrapping_shl(zeros) | (low >> 1).wrapping_shr(31 - zeros)) << 1 >> 11;
    let entry = |at: u32| LN.get(at as usize).map_or(0, |&entry| u32::from(entry));
    let (from, to) = (entry(rest >> 16), entry((rest >> 16) + 1));
    let line = to.wrapping_sub(from).wrapping_mul(rest & 0xFFFF) >> 16;
    from.wrapping_add(line) as i32 - (zeros as i32 + short.pick(32, 0)) * 45426
}

impl<const N: usize, const K: usize> Steady<N> for Mixture<'_, K> {
    fn steady_logit(&self, posterior: &mut Posterior<K>, seen: &[Mask; N], i: usize) -> Logit {
        if K == 0 || i >= self.bits() {
            return Logit::ZERO;
        }
        let (mut ones, mut zeros) = (0u64, 0u64);
        let weights = posterior.mantissas.iter().zip(&posterior.exponents);
        for ((&mantissa, &exponent), mass) in weights.zip(masses(self, seen, i, Mask::ALL)) {
            let exponent = i32::from(exponent);
            let near = Mask::negative(exponent - 32);
            let weigh = |mass: u32| {
                let weight = u32::from(mantissa).wrapping_mul(mass).wrapping_shr(exponent as u32);
                u64::from(near.pick(weight as i32, 0) as u32)
            };
            ones += weigh(mass);
            zeros += weigh(65536 - mass);
        }
        Logit::from_raw(ln(ones) - ln(zeros))
    }

    fn steady_observe(&self, posterior: &mut Posterior<K>, seen: &[Mask; N], i: usize, free: Mask) {
        let Some(&bit) = seen.get(i).filter(|_| K > 0) else { return };
        let mut lowest = i32::from(u16::MAX);
        let weights = posterior.mantissas.iter_mut().zip(&mut posterior.exponents);
        for ((mantissa, exponent), mass) in weights.zip(masses(self, seen, i, bit)) {
            let product = u32::from(*mantissa).wrapping_mul(mass);
            let zeros = leading_zeros(product);
            *mantissa = free.pick((product.wrapping_shl(zeros) >> 16) as i32, (*mantissa).into()) as u16;
            let sum = least(i32::from(*exponent) + zeros as i32, u16::MAX.into());
            let sum = free.pick(sum, (*exponent).into());
            *exponent = sum as u16;
            lowest = least(lowest, sum);
        }
        let components = posterior.exponents.iter_mut().take(self.components());
        components.for_each(|exponent| *exponent = exponent.wrapping_sub(lowest as u16));
    }
}
