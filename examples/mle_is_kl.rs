//! Maximum likelihood is minimum KL(data‖model), on a set of 86 rows of three bits.
//!
//! ```sh
//! cargo run -p surprisal-trainer --example mle_is_kl
//! ```
//!
//! Every probability is a product of the masses that a board uses.

use std::collections::BTreeMap;

use surprisal::{Linear, LinearSlices, LinearWeights, Model};
use surprisal_trainer::divergence::{Divergences, probability};

type Row = [bool; 3];

/// Rows of a machine that is mostly all off or all on: 45 rows 000, 35 rows 111, and one row of each other pattern.
fn data() -> Vec<Row> {
    let rows = (0..8u8).map(|code| [code & 4 != 0, code & 2 != 0, code & 1 != 0]);
    rows.flat_map(|row| vec![row; [45, 1, 1, 1, 1, 1, 1, 35][code(&row)]]).collect()
}

fn code(row: &Row) -> usize {
    row.iter().fold(0, |code, &bit| 2 * code + usize::from(bit))
}

/// Probability of a row under a family of models with one parameter: all bits are independent and have the same logit.
/// The family is unimodal and cannot give high probability to both 000 and 111.
fn family(logit: f64, row: &Row) -> f64 {
    let biases = [(logit * 1024.0).round() as i16; 3];
    let slices = LinearSlices { biases: &biases, scales: &[], weights: LinearWeights::Dense(&[]) };
    let linear = Linear::new(slices).expect("three biases");
    probability(&Model::<3, _>::new(linear, &[], 3).expect("three bits"), row)
}

/// Returns KL(data‖model) and KL(model‖data), by enumeration.
fn divergences(frequencies: &BTreeMap<Row, f64>, logit: f64) -> (f64, f64) {
    let exact = Divergences::exact(frequencies.iter().map(|(row, &p)| (p, family(logit, row))));
    (exact.forward.value, exact.reverse.value)
}

/// Prints the example; its assertions are a test of the trainer.
#[cfg_attr(test, test)]
fn main() {
    let rows = data();
    let mut frequencies = BTreeMap::new();
    rows.iter().for_each(|row| *frequencies.entry(*row).or_insert(0.0) += 1.0 / rows.len() as f64);
    let (off, on) = ([false; 3], [true; 3]);

    println!("Data: {} rows; 000 in {:.3} of them, 111 in {:.3}.", rows.len(), frequencies[&off], frequencies[&on]);
    println!("\n1. Which member of the family is nearest depends on the direction of KL.\n");
    println!("   p(bit)   q(000)   q(111)   KL(data || q)   KL(q || data)");
    let line = |logit: f64| {
        let (forward, reverse) = divergences(&frequencies, logit);
        let chance = 1.0 / (1.0 + (-logit).exp());
        let [q_off, q_on] = [&off, &on].map(|row| family(logit, row));
        println!("   {chance:>6.3}   {q_off:.4}   {q_on:.4}   {forward:>13.4}   {reverse:>13.4}");
    };
    [-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0].into_iter().for_each(line);
    // Every member on the logit grid of 1/32 nat.
    let logits = || (-256..=256).map(|step| f64::from(step) / 32.0);
    let least = |kl: &dyn Fn(f64) -> f64| logits().min_by(|a, b| kl(*a).total_cmp(&kl(*b))).expect("some logit");
    let covering = least(&|logit| divergences(&frequencies, logit).0);
    let seeking = least(&|logit| divergences(&frequencies, logit).1);
    println!("   least KL(data || q), which covers both modes:");
    line(covering);
    println!("   least KL(q || data), which seeks one of them, the likelier:");
    line(seeking);

    assert!(family(covering, &off) > 0.08 && family(covering, &on) > 0.08, "forward KL covers both modes");
    assert!(family(seeking, &off) > 0.8 && family(seeking, &on) < 0.01, "reverse KL drops one mode");
    // KL(data || q) penalises a low probability of a frequent row.
    let charge = frequencies[&on] * (frequencies[&on] / family(seeking, &on)).ln();
    println!("   the row 111 alone costs the latter {charge:.2} of its KL(data || q).");
    assert!(charge > divergences(&frequencies, covering).0);

    println!("\n2. Maximum likelihood: gradient ascent on the mean of ln q(row), from a poor start.\n");
    println!("   step   mean of -ln q   KL(data || q)   difference");
    let entropy: f64 = frequencies.values().map(|p| -p * p.ln()).sum();
    let surprisal = |logit: f64| rows.iter().map(|row| -family(logit, row).ln()).sum::<f64>() / rows.len() as f64;
    let share = rows.iter().flatten().filter(|&&bit| bit).count() as f64 / rows.len() as f64;
    let (mut logit, mut before) = (-4.0, None);
    for step in 0..8 {
        let (nll, kl) = (surprisal(logit), divergences(&frequencies, logit).0);
        println!("   {step:>4}   {nll:>13.6}   {kl:>13.6}   {:>10.6}", nll - kl);
        assert!((nll - kl - entropy).abs() < 1e-12, "the difference is the entropy of the data for every model");
        if let Some((last_nll, last_kl)) = before.replace((nll, kl)) {
            let (fall, fall_of_kl): (f64, f64) = (last_nll - nll, last_kl - kl);
            assert!((fall - fall_of_kl).abs() < 1e-12, "both fall by the same amount");
            assert!(fall > -1e-12, "every step is an improvement");
        }
        // d/dlogit of the mean of ln q(row): observed ones minus expected ones.
        logit += share - 3.0 / (1.0 + f64::exp(-logit));
    }
    println!("\n   The difference is the entropy of the data, {entropy:.6}: no model can change it,");
    println!("   so the likeliest model is the one with the least KL(data || q).");
    assert!(
        (surprisal(logit) - surprisal(covering)).abs() < 1e-3,
        "gradient ascent ends at the member that part 1 found"
    );
}
