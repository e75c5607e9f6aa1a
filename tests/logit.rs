//! The link at every point of its grid, and at the edges of every step.

mod support {
    pub mod budget;
    pub mod naive;
}

use support::{budget, naive};
use surprisal::{Logit, Nats};

const LAST: i32 = 352;
/// Units of a logit in a step of the grid.
const STEP: i32 = 2048;

/// Every step, the raw values where rounding changes, and the ends of the number range.
fn logits() -> impl Iterator<Item = Logit> {
    let around = |step: i32| {
        let middle = step * STEP;
        [-STEP / 2 - 1, -STEP / 2, -1, 0, 1, STEP / 2 - 1, STEP / 2].map(|offset| middle + offset)
    };
    let ends = [i32::MIN, i32::MIN + 1, -1 << 30, 1 << 30, i32::MAX - STEP / 2, i32::MAX - 1, i32::MAX];
    (-LAST - 2..=LAST + 2).flat_map(around).chain(ends).map(Logit::from_raw)
}

#[test]
fn a_logit_is_rounded_to_its_nearest_step_and_ties_go_up() {
    for logit in logits() {
        assert_eq!(f64::from(logit.step()), naive::step(f64::from(logit.raw())), "{logit:?}");
    }
}

#[test]
fn both_masses_are_positive_and_add_up_to_one() {
    for logit in logits() {
        let mass = logit.mass();
        assert!(mass.of(true) >= 1 && mass.of(false) >= 1, "{logit:?}");
        assert_eq!(mass.of(true) + mass.of(false), 65536, "{logit:?}");
    }
}

#[test]
fn a_mass_is_the_rounded_sigmoid_of_its_step() {
    for step in -LAST..=LAST {
        let logit = Logit::from_raw(step * STEP);
        assert_eq!(f64::from(logit.mass().of(true)), naive::mass(f64::from(step)), "step {step}");
    }
}

#[test]
fn masses_and_surprisals_depend_on_the_step_alone() {
    for logit in logits() {
        let on_grid = Logit::from_raw(logit.step() * STEP);
        assert_eq!(logit.mass(), on_grid.mass());
        assert_eq!([false, true].map(|bit| logit.surprisal(bit)), [false, true].map(|bit| on_grid.surprisal(bit)));
    }
}

#[test]
fn a_surprisal_is_minus_ln_of_its_mass_to_half_a_unit() {
    for logit in logits() {
        for bit in [false, true] {
            let exact = -(f64::from(logit.mass().of(bit)) / 65536.0).ln();
            let error = f64::from(logit.surprisal(bit)) - exact;
            assert!(error.abs() <= budget::NATS_OF_A_BIT, "{logit:?}, {bit}: off by {error}");
        }
    }
}

#[test]
fn a_larger_logit_never_makes_a_one_less_likely() {
    let mut ascending: Vec<Logit> = logits().collect();
    ascending.sort();
    for pair in ascending.windows(2) {
        assert!(pair[0].mass() <= pair[1].mass());
        assert!(pair[0].surprisal(true) >= pair[1].surprisal(true));
        assert!(pair[0].surprisal(false) <= pair[1].surprisal(false));
    }
}

#[test]
fn the_two_outcomes_mirror_each_other() {
    for step in 0..=LAST {
        let (logit, mirrored) = (Logit::from_raw(step * STEP), Logit::from_raw(-step * STEP));
        assert_eq!(logit.mass().of(true), mirrored.mass().of(false));
        assert_eq!(logit.surprisal(true), mirrored.surprisal(false));
        assert_eq!(logit.surprisal(false), mirrored.surprisal(true));
    }
}

#[test]
fn of_all_coins_exactly_the_mass_decide_for_a_one() {
    for step in -LAST..=LAST {
        let mass = Logit::from_raw(step * STEP).mass();
        let ones = (0..=u16::MAX).filter(|&coin| mass.decide(coin)).count();
        assert_eq!(ones as u32, mass.of(true), "step {step}");
    }
}

#[test]
fn logits_add_up_and_stop_at_the_ends() {
    let [most, least] = [i32::MAX, i32::MIN].map(Logit::from_raw);
    assert_eq!(most + Logit::from_raw(1), most);
    assert_eq!(least + Logit::from_raw(-1), least);
    assert_eq!(most + least, Logit::from_raw(-1));
    assert_eq!(Logit::from_raw(7) + Logit::ZERO, Logit::from_raw(7));
}

#[test]
fn nats_print_as_rounded_to_three_decimals() {
    let all_of_two_nats = 0..2 << 16;
    let a_sweep = (0..u32::MAX).step_by(65_521);
    for nats in all_of_two_nats.chain(a_sweep).chain([u32::MAX - 1, u32::MAX]).map(Nats::from_raw) {
        // A tie lies on a multiple of 1/16 nat: there the core rounds up, and a float to even.
        let exact = f64::from(nats) * 1000.0;
        let rounded = (exact + 0.5).floor();
        assert_eq!(f64::from(nats.millinats()), rounded, "{nats:?}");
        assert_eq!(nats.to_string(), format!("{:.3}", rounded / 1000.0), "{nats:?}");
        if exact.fract() != 0.5 {
            assert_eq!(nats.to_string(), format!("{:.3}", f64::from(nats)), "{nats:?}");
        }
    }
}

#[test]
fn sums_of_nats_stop_at_the_impossible() {
    let one = Nats::from_raw(1);
    assert_eq!(Nats::IMPOSSIBLE + one, Nats::IMPOSSIBLE);
    assert_eq!([Nats::IMPOSSIBLE, Nats::IMPOSSIBLE, one].into_iter().sum::<Nats>(), Nats::IMPOSSIBLE);
    assert_eq!(one.saturating_sub(Nats::IMPOSSIBLE), Nats::ZERO);
    assert_eq!([one; 5].into_iter().sum::<Nats>(), Nats::from_raw(5));
}
