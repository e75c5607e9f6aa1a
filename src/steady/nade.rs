//! Every bit is added, under a mask, and refreshes the units.

use super::{Mask, Steady};
use crate::link::{self, Logit};
use crate::part::{Activation, Hidden, Nade};

impl<const N: usize, const H: usize> Steady<N> for Nade<'_, H> {
    fn steady_logit(&self, hidden: &mut Hidden<H>, _: &[Mask; N], i: usize) -> Logit {
        self.share(hidden, i)
    }

    fn steady_observe(&self, hidden: &mut Hidden<H>, seen: &[Mask; N], i: usize, _: Mask) {
        let (activation, _, _, gains, inputs, ..) = self.slices();
        let Some(&Mask(mask)) = seen.get(i).filter(|_| H > 0) else { return };
        for (sum, &weight) in hidden.sums.iter_mut().zip(self.row(inputs, i)) {
            *sum = sum.wrapping_add((weight & mask).into());
        }
        let each = hidden.units.iter_mut().zip(&hidden.sums);
        match activation {
            Activation::Relu => each.for_each(|(unit, &sum)| *unit = (sum & !(sum >> 15)).into()),
            Activation::Identity => each.for_each(|(unit, &sum)| *unit = sum.into()),
            Activation::Sigmoid => each.zip(gains).for_each(|((unit, &sum), &gain)| {
                let logit = Logit::from_raw(i32::from(sum).wrapping_mul(gain.into()));
                *unit = (link::steady::mass(logit, Mask::ALL) >> 1) as i32;
            }),
        }
    }
}
