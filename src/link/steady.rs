//! What the link says, by the same instructions whatever the logit; where in the table it is read depends on the logit.

use super::{Logit, Nats, STEP, entry, table};
use crate::steady::{Mask, least};

/// Where the table has the logit, and whether it speaks against this bit.
fn place(logit: Logit, bit: Mask) -> (u32, Mask) {
    let step = logit.rounded();
    let step = bit.pick(step, -step);
    let against = Mask::negative(step);
    (least(against.pick(-step, step), table::LAST as i32) as u32, against)
}

/// The mass of this bit, as of [`Logit::mass`].
pub(crate) fn mass(logit: Logit, bit: Mask) -> u32 {
    let (at, against) = place(logit, bit);
    let rare = i32::from(entry(&table::RARE_MASS, at));
    against.pick(rare, 65536 - rare) as u32
}

/// As [`Logit::surprisal`].
pub(crate) fn surprisal(logit: Logit, bit: Mask) -> Nats {
    let (at, against) = place(logit, bit);
    let rest = ((at << STEP) as i32).wrapping_add(entry(&table::RARE_REST, at).into());
    Nats(u32::from(entry(&table::LIKELY_NATS, at)).wrapping_add(against.pick(rest, 0) as u32))
}
