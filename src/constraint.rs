//! Constraints: which bits of a row are free, observed, or implied by an earlier bit.

/// The constraint on one bit, as one word: free, observed, or "if bit `parent` is `when`, this bit is `value`".
///
/// A free bit may have either value; the model gives its probability.
///
/// An implied value has probability one: the bit adds no surprisal, its logit is not evaluated, and no sample violates
/// it. An observed bit is context for later bits, but is neither scored nor sampled.
///
/// The word holds the parent in bits 0 to 11, `when` in bit 12, `value` in bit 13, and zeros above. The word 0xFFFF
/// means free, and 0xFFFE means observed.
///
/// ```
/// use surprisal::{Constraint, LinearSlices, LinearWeights, Linear, Model, Nats};
/// // Two bits, "above the first level" and "above the second level": a zero at the first implies a zero at the second.
/// let constraints = [Constraint::FREE.raw(), Constraint::implied(0, false, false).raw()];
/// let slices = LinearSlices { biases: &[0, 0], scales: &[], weights: LinearWeights::Dense(&[]) };
/// let model = Model::<2, _>::new(Linear::new(slices).unwrap(), &constraints, 2).unwrap();
/// assert_eq!(model.surprisal(&[false, false]), Nats::from_raw(45426)); // ln 2, for the first bit alone
/// assert_eq!(model.surprisal(&[false, true]), Nats::IMPOSSIBLE);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Constraint(u16);

impl Constraint {
    /// The bit is free: it may have either value, and the model gives the probability of each.
    pub const FREE: Self = Self(u16::MAX);
    /// The bit is observed: it is context for later bits, but is neither scored nor sampled.
    pub const OBSERVED: Self = Self(u16::MAX - 1);
    const PARENT: u16 = (1 << 12) - 1;

    /// Creates the constraint "if bit `parent` is `when`, this bit is `value`, otherwise it is free". `parent` is below
    /// 4096, and comes before the constrained bit.
    pub const fn implied(parent: u16, when: bool, value: bool) -> Self {
        Self(parent & Self::PARENT | (when as u16) << 12 | (value as u16) << 13)
    }

    /// Creates a constraint from its word, see [`raw`](Self::raw).
    pub const fn from_raw(raw: u16) -> Self {
        Self(raw)
    }

    /// Returns the word that a table stores for the constraint.
    pub const fn raw(self) -> u16 {
        self.0
    }

    /// Returns `(parent, when, value)` of "if bit `parent` is `when`, this bit is `value`", or `None` if the bit is
    /// free or observed.
    pub const fn condition(self) -> Option<(usize, bool, bool)> {
        if self.0 >= Self::OBSERVED.0 {
            return None;
        }
        Some(((self.0 & Self::PARENT) as usize, self.0 >> 12 & 1 == 1, self.value()))
    }

    /// Returns the value that the earlier bits in `seen` (`[bit]`) imply for this bit, or `None` if they imply none.
    /// Free and observed bits never have an implied value.
    pub fn implied_value(self, seen: &[bool]) -> Option<bool> {
        let (parent, ..) = self.condition()?;
        let &bit = seen.get(parent)?;
        // A comparison of numbers takes a Cortex-M0 fewer instructions than one of bools.
        (u16::from(bit) == self.0 >> 12 & 1).then_some(self.value())
    }

    /// Returns the value that the bit has if bit `parent` has the value `when`.
    pub(crate) const fn value(self) -> bool {
        self.0 >> 13 & 1 == 1
    }
}
