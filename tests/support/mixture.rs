//! Random mixtures of trees, and what they say by definition.
#![allow(dead_code, reason = "each test takes what it needs")]

use surprisal::{Constraint, Mixture, MixtureSlices, Model};

use super::naive;
use super::random::Dice;

/// A random mixture: its slices, and constraints.
#[derive(Clone, Debug)]
pub struct RandomMixture {
    pub bits: usize,
    pub constraints: Vec<u16>,
    pub priors: Vec<u16>,
    pub parents: Vec<[u8; 2]>,
    pub logits: Vec<i8>,
}

impl RandomMixture {
    pub fn new(bits: usize, components: usize, constrained: bool, dice: &mut Dice) -> Self {
        let steepest = if dice.one_in(4) { 128 } else { 40 };
        let parent = |i: usize, dice: &mut Dice| dice.between(0, i.min(255) as i64) as u8;
        let constraint = |i: usize, dice: &mut Dice| match i {
            0 => Constraint::FREE,
            _ if dice.one_in(3) => Constraint::FREE,
            _ => Constraint::implied(dice.between(0, i as i64 - 1) as u16, dice.one_in(2), dice.one_in(2)),
        };
        Self {
            bits,
            constraints: (0..bits).filter(|_| constrained).map(|i| constraint(i, dice).raw()).collect(),
            priors: (0..components)
                .map(|_| dice.between(1, 65535) as u16 >> dice.between(0, 15))
                .map(|p| p.max(1))
                .collect(),
            parents: (0..bits).map(|i| [parent(i, dice), dice.between(-steepest, steepest - 1) as i8 as u8]).collect(),
            logits: (0..bits * components).map(|_| dice.between(-steepest, steepest - 1) as i8).collect(),
        }
    }

    pub fn term<const K: usize>(&self) -> Mixture<'_, K> {
        let Self { priors, parents, logits, .. } = self;
        Mixture::new(MixtureSlices { priors, parents, logits }).expect("the mixture is valid")
    }

    pub fn model<const N: usize, const K: usize>(&self) -> Model<'_, N, Mixture<'_, K>> {
        Model::new(self.term(), &self.constraints, self.bits).expect("the constraints are valid")
    }

    /// p_k(x_i = 1 | x_parent).
    fn of_one(&self, row: &[bool], i: usize, k: usize) -> f64 {
        let logit = |code: i8| f64::from(code) * (64.0 + f64::from(code).abs()) / 2048.0;
        let [gap, weight] = self.parents[i];
        let effect = if gap > 0 && row[i - usize::from(gap)] { logit(weight as i8) } else { 0.0 };
        naive::mass(naive::step((logit(self.logits[i * self.priors.len() + k]) + effect) * 65536.0)) / 65536.0
    }

    /// ln Σ_k π_k ∏_{j<i} p_k(x_j) p_k(x_i = 1) - ln Σ_k π_k ∏_{j<i} p_k(x_j) p_k(x_i = 0), in units of 1/65536 nat; the
    /// products are over free bits.
    pub fn logit(&self, row: &[bool], i: usize) -> f64 {
        let of_bit = |j: usize, k: usize, bit: bool| {
            let p = self.of_one(row, j, k);
            if bit { p } else { 1.0 - p }.ln()
        };
        let weight = |k: usize| {
            let free = (0..i).filter(|&j| naive::implied(&self.constraints, row, j).is_none());
            f64::from(self.priors[k]).ln() + free.map(|j| of_bit(j, k, row[j])).sum::<f64>()
        };
        let ln_sum = |bit: bool| {
            let each: Vec<f64> = (0..self.priors.len()).map(|k| weight(k) + of_bit(i, k, bit)).collect();
            let most = each.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            most + each.iter().map(|term| (term - most).exp()).sum::<f64>().ln()
        };
        (ln_sum(true) - ln_sum(false)) * 65536.0
    }
}
