//! A grammar as part of the model: strings that break it have probability zero, and the likelihood of all others rises
//! by what they had.
//!
//! ```sh
//! cargo run -p surprisal-trainer --example grammar
//! ```
//!
//! The strings are commands of a small protocol: `STOP`, `GET <channel>` and `SET <channel> <value>`. Every token has fixed
//! bits, and a token that a command does not have is padding, which is zeros. The grammar says when there is padding.
//! Every probability is a product of the masses that a board uses.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use surprisal::{Constraint, Model};
use surprisal_trainer::bits::Bits;
use surprisal_trainer::divergence::{Divergences, probability};
use surprisal_trainer::fit::{Family, FitSettings, fit};
use surprisal_trainer::model::FloatModel;
use surprisal_trainer::schema::Schema;
use surprisal_trainer::table::linear::LinearTable;
use surprisal_trainer::table::quantise::quantise;

/// Bits of a string: `STOP` or not, `SET` or not, one of four channels, one of eight values.
const N: usize = 7;
const STOP: usize = 0;
const SET: usize = 1;
const CHANNEL: Range<usize> = 2..4;
const VALUE: Range<usize> = 4..7;
const STRINGS: usize = 4000;
const SAMPLES: usize = 100_000;
/// A board rounds a logit to 1/32 nat, and a table rounds a bias to 1/1024 nat; a surprisal changes by at most as much.
const ROUNDING: f64 = 1.0 / 64.0 + 1.0 / 2048.0;
/// The mean cost of that rounding per bit, in nats, as `tests/support/budget.rs` derives it.
const MEAN_ROUNDING: f64 = 1e-4;

type Row = [bool; N];

/// The grammar, one constraint per bit: `STOP` is followed by padding, and only `SET` has a value.
fn grammar() -> Vec<u16> {
    let implied = |parent: usize, when| Constraint::implied(parent as u16, when, false).raw();
    let mut constraints = vec![Constraint::FREE.raw(), implied(STOP, true)];
    constraints.extend(CHANNEL.map(|_| implied(STOP, true)));
    constraints.extend(VALUE.map(|_| implied(SET, false)));
    constraints
}

/// The grammar once more, in words of its own, to check the constraints against.
fn is_grammatical(row: &Row) -> bool {
    let (channel, value) = (row[CHANNEL].contains(&true), row[VALUE].contains(&true));
    match (row[STOP], row[SET]) {
        (true, set) => !set && !channel && !value,
        (false, false) => !value,
        (false, true) => true,
    }
}

/// The text of a row, grammatical or not.
fn text(row: &Row) -> String {
    let number = |bits: Range<usize>| row[bits].iter().fold(0, |number, &bit| 2 * number + u8::from(bit));
    let (channel, value) = (number(CHANNEL), number(VALUE));
    let mut text = String::from(if row[STOP] { "STOP" } else { "" });
    text += if row[SET] { "SET" } else { ["GET", ""][usize::from(row[STOP])] };
    if !row[STOP] || channel > 0 {
        text += &format!(" {}", char::from(b'A' + channel));
    }
    if row[SET] || value > 0 {
        text += &format!(" {value}");
    }
    text
}

/// Strings of a controller that reads all channels, sets some of them, mostly to low values, and seldom stops.
fn strings() -> Vec<Row> {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut string = || {
        let mut row = [false; N];
        let kind = random.random_range(0..10);
        row[STOP] = kind == 0;
        row[SET] = kind > 5;
        let channel = CHANNEL.filter(|_| !row[STOP]).filter(|_| random.random_range(0..3) == 0);
        channel.collect::<Vec<_>>().into_iter().for_each(|bit| row[bit] = true);
        let often = if row[CHANNEL.start] { 4 } else { 2 };
        VALUE.filter(|_| row[SET]).collect::<Vec<_>>().into_iter().for_each(|bit| {
            row[bit] = random.random_range(0..often) == 0;
        });
        row
    };
    (0..STRINGS).map(|_| string()).collect()
}

/// Fits the strings under constraints, and quantises the model as for a board.
fn fitted(family: Family, strings: &[Row], constraints: &[u16]) -> LinearTable {
    let mut bits = Bits::new(N);
    strings.iter().for_each(|row| bits.push(row));
    let settings = FitSettings { family, gamma: 0.0, max_splits: 0, tree_features: None, l2: 0.3 };
    let conditionals = fit(&bits, constraints, &settings, &[0.1], &|| {}).swap_remove(0);
    let model = FloatModel { conditionals, ..FloatModel::default() };
    quantise(&Schema::default(), &model).expect("seven bits fit a table").linear
}

/// Returns the probability of every row, in the order of their bits: `[row]`.
fn probabilities(table: &LinearTable, constraints: &[u16]) -> Vec<f64> {
    rows().map(|row| probability(&model(table, constraints), &row)).collect()
}

fn model<'t>(table: &'t LinearTable, constraints: &'t [u16]) -> Model<'t, N, surprisal::Linear<'t>> {
    Model::new(table.view().expect("checked by the fit"), constraints, N).expect("seven bits")
}

fn rows() -> impl Iterator<Item = Row> {
    (0..1 << N).map(|code: usize| std::array::from_fn(|bit| code >> (N - 1 - bit) & 1 == 1))
}

fn index(row: &Row) -> usize {
    row.iter().fold(0, |code, &bit| 2 * code + usize::from(bit))
}

/// Turns a table of independent bits into its distribution over grammatical strings alone. That is a table of the same
/// form: only the odds of `STOP` and `SET` change, because each kind of command loses another share of its mass.
fn conditioned(free: &LinearTable) -> LinearTable {
    // From the masses that the board uses, not from the biases before their rounding.
    let one = |bit: usize| {
        let mass = surprisal::Logit::from_raw(i32::from(free.biases[bit]) * 64).mass();
        f64::from(mass.of(true)) / 65536.0
    };
    let padding = |bits: Range<usize>| bits.map(|bit| 1.0 - one(bit)).product::<f64>();
    let stop = one(STOP) * (1.0 - one(SET)) * padding(CHANNEL) * padding(VALUE);
    let get = (1.0 - one(STOP)) * (1.0 - one(SET)) * padding(VALUE);
    let set = (1.0 - one(STOP)) * one(SET);
    let bias = |odds: f64| (odds.ln() * 1024.0).round() as i16;
    let mut table = free.clone();
    table.biases[STOP] = bias(stop / (get + set));
    table.biases[SET] = bias(set / get);
    table
}

/// Draws rows from a model and returns how many break the grammar, and the first few as text.
fn ungrammatical(table: &LinearTable, constraints: &[u16]) -> (usize, String) {
    let (mut random, model) = (ChaCha8Rng::seed_from_u64(2), model(table, constraints));
    let drawn: Vec<Row> = (0..SAMPLES).map(|_| model.sample(|| random.random())).collect();
    let first: Vec<String> = drawn.iter().take(8).map(text).collect();
    (drawn.iter().filter(|row| !is_grammatical(row)).count(), first.join(", "))
}

/// Prints the example; its assertions are a test of the trainer.
#[cfg_attr(test, test)]
fn main() {
    let (strings, grammar) = (strings(), grammar());
    let grammatical: Vec<bool> = rows().map(|row| is_grammatical(&row)).collect();
    assert!(strings.iter().all(is_grammatical));
    let count = grammatical.iter().filter(|grammatical| **grammatical).count();
    println!("{STRINGS} strings, such as {}.", strings[..6].iter().map(text).collect::<Vec<_>>().join(", "));
    println!("The grammar allows {count} of {} rows of {N} bits.", grammatical.len());
    let mean = |p: &[f64]| strings.iter().map(|row| p[index(row)].ln()).sum::<f64>() / STRINGS as f64;

    println!("\nMean of ln p over the strings, in nats per string:\n");
    println!("                            without   mass on the          with the grammar");
    println!("                            grammar     grammar     -ln    implied    fitted");
    let mut gains = Vec::new();
    for (name, family) in [("independent bits", Family::Marginal), ("logistic rows", Family::Linear)] {
        let free = fitted(family, &strings, &[]);
        let p = probabilities(&free, &[]);
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-12, "masses add up to one");
        let mass: f64 = p.iter().zip(&grammatical).filter(|row| *row.1).map(|row| row.0).sum();
        let [implied, refitted] = [free.clone(), fitted(family, &strings, &grammar)].map(|table| {
            let q = probabilities(&table, &grammar);
            assert!((q.iter().sum::<f64>() - 1.0).abs() < 1e-12, "masses add up to one");
            // Constraints and grammar agree: what breaks the grammar has probability zero, and nothing else has.
            assert!(q.iter().zip(&grammatical).all(|(q, grammatical)| (*q > 0.0) == *grammatical));
            mean(&q)
        });
        println!("   {name:<18} {:>12.4} {mass:>13.4} {:>7.4} {implied:>10.4} {refitted:>9.4}", mean(&p), -mass.ln());
        assert!(refitted > implied - MEAN_ROUNDING * N as f64 && refitted > mean(&p) - mass.ln() - 2.0 * ROUNDING);
        gains.push((free, p, mass, refitted));
    }

    let (free, p, mass, refitted) = gains.swap_remove(0);
    let gain = -mass.ln();
    let conditioned = conditioned(&free);
    let q = probabilities(&conditioned, &grammar);
    println!("\nThe independent bits, conditioned on the grammar, as a table:");
    println!("   the mean rises by {:.4} nats; -ln of the mass on the grammar is {gain:.4}.", mean(&q) - mean(&p));
    let pairs = || p.iter().zip(&q).filter(|row| *row.1 > 0.0);
    let farthest = pairs().map(|(p, q)| ((q / p).ln() - gain).abs()).fold(0.0, f64::max);
    println!("   no string is farther from that than {farthest:.4}; rounding allows {:.4}.", 2.0 * ROUNDING);
    assert!(farthest < 2.0 * ROUNDING, "STOP and SET are rounded anew, all other bits keep their masses");
    // Over the conditioned distribution p / mass, the rise is -ln(mass) less the KL of the rounding, as an identity.
    let rise: f64 = pairs().map(|(p, q)| p / mass * (q / p).ln()).sum();
    let exact = |row: (f64, bool)| if row.1 { row.0 / mass } else { 0.0 };
    let wanted = p.iter().copied().zip(grammatical.iter().copied()).map(exact);
    let kl = Divergences::exact(wanted.zip(q.iter().copied())).forward.value;
    println!("   the rounding costs KL(exact || table) = {kl:.6} nats per string.");
    assert!((rise - (gain - kl)).abs() < 1e-12 && kl < 2.0 * MEAN_ROUNDING);
    assert!(refitted > mean(&q) - MEAN_ROUNDING * N as f64, "the likeliest table of this form is the refitted one");

    println!("\n{SAMPLES} samples:");
    let (broken, first) = ungrammatical(&free, &[]);
    println!("   without grammar: {broken} break it, {:.0} expected; {first}", (1.0 - mass) * SAMPLES as f64);
    let error = (mass * (1.0 - mass) / SAMPLES as f64).sqrt();
    assert!((broken as f64 / SAMPLES as f64 - (1.0 - mass)).abs() < 4.0 * error, "four standard errors");
    let (broken, first) = ungrammatical(&conditioned, &grammar);
    println!("   with grammar: {broken} break it; {first}");
    assert_eq!(broken, 0);
}
