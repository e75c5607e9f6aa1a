//! Checks the fit of mixtures of trees against optimality conditions and against planted distributions.

#[path = "../../tests/support/budget.rs"]
mod budget;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::{Constraint, Term};
use surprisal_trainer::bits::Bits;
use surprisal_trainer::fit::mixture::bit::BitParameters;
use surprisal_trainer::fit::mixture::em::Em;
use surprisal_trainer::fit::mixture::{MixtureSettings, fit};
use surprisal_trainer::model::{FloatConditional, FloatMixture, FloatModel, mean_log_likelihood};
use surprisal_trainer::table::mixture::MixtureTable;

const N: usize = 8;

fn model(mixture: FloatMixture, constraints: &[u16]) -> FloatModel {
    let conditionals = vec![FloatConditional::default(); mixture.gaps.len()];
    FloatModel { conditionals, constraints: constraints.to_vec(), mixture: Some(mixture), ..FloatModel::default() }
}

/// Draws a random mixture of `components` trees over N bits, and rows from it.
fn planted(components: usize, rows: usize, seed: u64) -> (FloatMixture, Bits) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mixture = FloatMixture {
        priors: (0..components).map(|_| 1.0 / components as f64).collect(),
        gaps: (0..N).map(|i| random.random_range(0..=i) as u8).collect(),
        weights: (0..N).map(|_| random.random_range(-2.0..2.0)).collect(),
        biases: (0..N * components).map(|_| random.random_range(-2.5..2.5)).collect(),
    };
    let rows = model(mixture.clone(), &[]).sample(rows, &mut random);
    (mixture, rows)
}

/// Returns constraints that leave bit 3 free after a one at 1, and bit 6 after a zero at 2.
fn constraints() -> Vec<u16> {
    let mut constraints = [Constraint::FREE; N];
    constraints[3] = Constraint::implied(1, false, false);
    constraints[6] = Constraint::implied(2, true, true);
    constraints.map(Constraint::raw).to_vec()
}

/// Returns the rows with implied bits set to their implied values.
fn satisfying(bits: &Bits, constraints: &[u16]) -> Bits {
    let mut satisfying = Bits::new(bits.width());
    let mut row = vec![false; bits.width()];
    for at in 0..bits.rows {
        bits.row(at, &mut row);
        for (i, &constraint) in constraints.iter().enumerate() {
            row[i] = Constraint::from_raw(constraint).implied_value(&row).unwrap_or(row[i]);
        }
        satisfying.push(&row);
    }
    satisfying
}

#[test]
fn no_step_lowers_the_objective() {
    for seed in 0..4 {
        let (_, rows) = planted(3, 700, seed);
        for constraints in [Vec::new(), constraints()] {
            let rows = satisfying(&rows, &constraints);
            for (components, pseudo_count) in [(1, 2.0), (2, 0.01), (5, 2.0)] {
                let mut em = Em::new(
                    &rows,
                    &constraints,
                    &MixtureSettings { components, pseudo_count, ..MixtureSettings::default() },
                );
                em.start(seed);
                let mut last = f64::NEG_INFINITY;
                for step in 0..40 {
                    let reached = em.step();
                    let slack = budget::EM_STEP * reached.abs();
                    assert!(
                        reached >= last - slack,
                        "seed {seed}, {components} components, step {step}: {reached} < {last}"
                    );
                    last = reached;
                }
            }
        }
    }
}

/// Returns the mutual information of two bits, in nats of the whole set.
fn information(bits: &Bits, i: usize, j: usize) -> f64 {
    let mut joint = [[0.0f64; 2]; 2];
    (0..bits.rows).for_each(|row| joint[usize::from(bits.get(row, i))][usize::from(bits.get(row, j))] += 1.0);
    let n = bits.rows as f64;
    let term = |a: usize, b: usize| {
        let (of_a, of_b) = (joint[a][0] + joint[a][1], joint[0][b] + joint[1][b]);
        if joint[a][b] > 0.0 { joint[a][b] * (joint[a][b] * n / (of_a * of_b)).ln() } else { 0.0 }
    };
    [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(a, b)| term(a, b)).iter().sum()
}

#[test]
fn one_component_is_the_best_tree_in_the_order() {
    for seed in 10..16 {
        let (_, rows) = planted(1, 1500, seed);
        let settings = MixtureSettings { components: 1, pseudo_count: 1e-3, ..MixtureSettings::default() };
        let mixture = fit(&rows, &rows, &[], &settings);
        let parent_cost = 0.5 * 1500f64.ln();
        for i in 0..N {
            let parent = (0..i).max_by(|&a, &b| information(&rows, i, a).total_cmp(&information(&rows, i, b)));
            let parent = parent.filter(|&j| information(&rows, i, j) > parent_cost);
            assert_eq!(usize::from(mixture.gaps[i]), parent.map_or(0, |j| i - j), "seed {seed}, bit {i}");
            for value in [false, true] {
                let among = |row: &usize| parent.is_none_or(|j| rows.get(*row, j) == value);
                let count = (0..rows.rows).filter(among).count() as f64;
                let share = (0..rows.rows).filter(among).filter(|&row| rows.get(row, i)).count() as f64 / count;
                let logit = mixture.biases[i] + if value { mixture.weights[i] } else { 0.0 };
                assert!((1.0 / (1.0 + (-logit).exp()) - share).abs() < budget::PSEUDO_COUNT, "seed {seed}, bit {i}");
            }
        }
    }
}

#[test]
fn bit_parameters_end_at_a_stationary_point() {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    for case in 0..200 {
        // Counts from a thousandth of a row to thousands of them.
        let mut count = || random.random_range(-7.0..8.0f64).exp();
        let counts: Vec<[[f64; 2]; 2]> = (0..1 + case % 9).map(|_| [[count(), count()], [count(), count()]]).collect();
        let row = BitParameters::fit(&counts);
        let reached = row.log_likelihood(&counts);
        for at in 0..=counts.len() {
            for step in [-1e-2, 1e-2] {
                let mut moved = row.clone();
                *moved.biases.get_mut(at).unwrap_or(&mut moved.weight) += step;
                let slack = budget::EM_STEP * reached.abs();
                assert!(moved.log_likelihood(&counts) <= reached + slack, "case {case}, logit {at}");
            }
        }
    }
}

#[test]
fn two_planted_components_are_found() {
    for seed in 20..24 {
        let (truth, rows) = planted(2, 6000, seed);
        let fresh = model(truth.clone(), &[]).sample(4000, &mut ChaCha8Rng::seed_from_u64(seed + 100));
        let mixture = fit(&rows, &fresh, &[], &MixtureSettings { components: 2, ..MixtureSettings::default() });
        let ll = |mixture: &FloatMixture| mean_log_likelihood(&mixture.logits(&fresh, &[]), &fresh, &[]);
        let lost = ll(&truth) - ll(&mixture);
        assert!(lost < budget::PLANTED_MIXTURE, "seed {seed}: {lost} nats a row worse than the truth");
    }
}

#[test]
fn implied_bits_have_no_influence_on_the_fit_or_the_posterior() {
    let constraints = constraints();
    let (mut mixture, rows) = planted(2, 1500, 30);
    let right = satisfying(&rows, &constraints);
    let fitted = fit(&right, &right, &constraints, &MixtureSettings { components: 2, ..MixtureSettings::default() });
    // The value of an implied bit matters to its children only, so that the opposite value changes no other logit.
    mixture.gaps.fill(0);
    let mut wrong = Bits::new(N);
    let mut row = vec![false; N];
    for at in 0..right.rows {
        right.row(at, &mut row);
        for i in [3, 6] {
            row[i] = row[i] != Constraint::from_raw(constraints[i]).implied_value(&row).is_some();
        }
        wrong.push(&row);
    }
    assert_eq!(mixture.logits(&right, &constraints), mixture.logits(&wrong, &constraints));
    // The expectation step returns the likelihood of the logits.
    let rows = surprisal_trainer::fit::mixture::em::EmRows::new(&right, &constraints);
    let mut em = Em::new(&right, &constraints, &MixtureSettings::default());
    let of_logits = mean_log_likelihood(&fitted.logits(&right, &constraints), &right, &constraints);
    em.mixture = fitted;
    assert!((em.log_likelihood(&rows) - of_logits).abs() < budget::F64_SUM);
}

#[test]
fn quantised_logits_are_near_those_of_the_floats() {
    for seed in 40..44 {
        let (_, rows) = planted(4, 2000, seed);
        let mixture = fit(&rows, &rows, &[], &MixtureSettings { components: 4, ..MixtureSettings::default() });
        let table = MixtureTable::new(&mixture);
        let part = table.view::<4>().expect("the mixture is valid");
        let logits = mixture.logits(&rows, &[]);
        let (mut row, mut lost) = ([false; N], 0.0);
        for at in 0..rows.rows {
            rows.row(at, &mut row);
            let mut state = Term::<N>::start(&part);
            for (i, logits) in logits.iter().enumerate() {
                let off = f64::from(part.logit(&mut state, &row, i).raw()) / 65536.0 - logits[at];
                let p = 1.0 / (1.0 + (-logits[at]).exp());
                lost += 0.5 * p * (1.0 - p) * off * off;
            }
        }
        let lost = lost / (rows.rows * N) as f64;
        assert!(lost < budget::KL_A_BIT, "seed {seed}: {lost} nats a bit");
    }
}

#[test]
fn threads_do_not_matter() {
    let (_, rows) = planted(3, 3000, 50);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| fit(&rows, &rows, &[], &MixtureSettings { components: 3, ..MixtureSettings::default() }))
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_mixture_of_flags_fits_into_a_kibibyte_and_is_read_back() {
    use surprisal_trainer::fit::Family;
    use surprisal_trainer::pipeline::{Job, run};
    let (truth, rows) = planted(3, 3000, 60);
    let line = |row: usize| {
        let cells: Vec<&str> = (0..N).map(|i| if rows.get(row, i) { "1" } else { "0" }).collect();
        cells.join(",") + "\n"
    };
    let file = tempfile::Builder::new().suffix(".csv").tempfile().expect("a file can be made");
    let names: Vec<String> = (0..N).map(|i| format!("flag{i}")).collect();
    let text = names.join(",") + "\n" + &(0..rows.rows).map(line).collect::<String>();
    std::fs::write(file.path(), text).expect("the file can be written");
    let mut job = Job::new(file.path());
    (job.choices.family, job.flash) = (Family::Mixture, Some(1024));
    let (artefact, report) = run(&job).expect("it fits");
    assert!(report.file_bytes <= 1024 && artefact.shape.components > 1);
    assert_eq!(artefact.shape.bits, N);
    let best = mean_log_likelihood(&truth.logits(&rows, &[]), &rows, &[]);
    assert!((report.valid_ll - best).abs() < budget::VALIDATION, "{} is not near {best}", report.valid_ll);
    assert!(report.kl_quantisation < budget::KL_A_BIT * N as f64);
}
