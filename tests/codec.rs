//! The range coder: rows come back, take what they surprise, and any bytes are rows.

mod support {
    pub mod budget;
    pub mod naive;
    pub mod outcomes;
    pub mod random;
}

use proptest::prelude::*;
use support::budget;
use support::naive;
use support::outcomes::RandomTables;
use support::random::{Dice, Random, UNITS, cases, tables};
use surprisal::{Compressor, Constraint, Decompressor, EncodeError, Logit, Mass, Model, Nats, Terms};

/// Room for the widest random table.
const N: usize = 10;

fn model<'r>(random: &'r Random, constraints: &'r [u16]) -> Model<'r, N, Terms<'r, UNITS>> {
    let terms = Terms { linear: random.linear(), trees: random.forest(), hidden: random.nade(), ..Terms::EMPTY };
    Model::new(terms, constraints, random.bits).expect("the constraints are valid")
}

/// The bytes of what `push` hands to a compressor.
fn bytes(push: impl FnOnce(&mut Compressor<&mut dyn FnMut(u8)>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |byte| bytes.push(byte);
    let mut compressor = Compressor::new(&mut sink as &mut dyn FnMut(u8));
    push(&mut compressor);
    compressor.finish();
    bytes
}

/// Bits and their masses, of which many are as small as can be.
fn bits(dice: &mut Dice) -> (bool, Mass) {
    let steepness = [0, 3, 30_000][dice.between(0, 2) as usize];
    let mass = Logit::from_raw((dice.between(-steepness, steepness) << 7) as i32).mass();
    // As likely as it says, or as unlikely.
    (mass.decide(dice.coin()) != dice.one_in(3), mass)
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn rows_come_back_and_take_their_surprisal(random in tables(1usize..=N), seed: u64, rows in 1usize..20) {
        let mut dice = Dice(seed);
        let constraints = random.with_observed_bits(&mut dice);
        let model = model(&random, &constraints);
        let is_observed = |i: &usize| constraints.get(*i) == Some(&Constraint::OBSERVED.raw());
        let mut row = |_| {
            let mut row = model.sample(|| dice.coin());
            (0..random.bits).filter(is_observed).for_each(|i| row[i] = dice.one_in(2));
            row
        };
        let rows = (0..rows).map(&mut row).filter(|row| model.surprisal(row) < Nats::IMPOSSIBLE);
        let rows: Vec<[bool; N]> = rows.collect();
        let packed = bytes(|into| rows.iter().for_each(|row| model.compress(row, into).expect("a sample is possible")));
        let nats: f64 = rows.iter().map(|row| f64::from(model.surprisal(row))).sum();
        let free = (rows.len() * random.bits) as f64;
        let limit = nats / 256f64.ln() + free * budget::BYTES_OF_A_BIT + 1.0;
        prop_assert!(packed.len() as f64 <= limit, "{} bytes for {} nats", packed.len(), nats);
        let mut from = Decompressor::new(packed.into_iter());
        for row in rows {
            // The other side knows what is given.
            let mut again = [false; N];
            (0..random.bits).filter(is_observed).for_each(|i| again[i] = row[i]);
            model.decompress(&mut again, &mut from);
            prop_assert_eq!(again, row);
        }
    }

    #[test]
    fn a_row_that_a_constraint_rules_out_writes_nothing(random in tables(2usize..=N), seed: u64) {
        let (model, row) = (model(&random, &random.constraints), Dice(seed).row::<N>());
        let packed = bytes(|into| {
            let ruled_out = (0..random.bits)
                .find(|&i| naive::implied(&random.constraints, &row, i).is_some_and(|value| value != row[i]));
            let wanted = ruled_out.map_or(Ok(()), |bit| Err(EncodeError::Impossible { bit: bit as u16 }));
            assert_eq!(model.compress(&row, into), wanted);
            if ruled_out.is_some() {
                // As if it had not been asked.
                (0..64).for_each(|i| into.push(i % 3 == 0, Logit::ZERO.mass()));
            }
        });
        if model.surprisal(&row) == Nats::IMPOSSIBLE {
            let alone = bytes(|into| (0..64).for_each(|i| into.push(i % 3 == 0, Logit::ZERO.mass())));
            prop_assert_eq!(packed, alone);
        }
    }

    #[test]
    fn any_bytes_are_possible_rows(random in tables(1usize..=N), packed: Vec<u8>) {
        let (model, mut row) = (model(&random, &random.constraints), [false; N]);
        let mut from = Decompressor::new(packed.into_iter());
        for _ in 0..20 {
            model.decompress(&mut row, &mut from);
            prop_assert!(model.surprisal(&row) < Nats::IMPOSSIBLE);
        }
    }

    #[test]
    fn rows_of_outcomes_come_back_and_take_their_surprisal(
        outcomes in prop::collection::vec(1u16..=256, 1..=N),
        seed: u64,
        rows in 1usize..20,
    ) {
        let mut dice = Dice(seed);
        let random = RandomTables::new(&outcomes, true, &mut dice);
        let tables = random.tables();
        let is_observed = |column: usize| random.columns[column][1] == 0;
        let uniform = |dice: &mut Dice| -> Vec<u8> {
            outcomes.iter().map(|&outcomes| dice.between(0, i64::from(outcomes) - 1) as u8).collect()
        };
        let rows: Vec<Vec<u8>> = (0..rows).map(|_| {
            let mut row = uniform(&mut dice);
            if dice.one_in(2) {
                tables.sample(&mut row, || dice.coin());
            }
            row
        }).collect();
        let packed = bytes(|into| rows.iter().for_each(|row| tables.compress(row, into)));
        // The exact masses, without the rounding of surprisals.
        let (mut nats, mut scored) = (0.0, 0.0);
        for row in &rows {
            let mut walk = tables.walk();
            for &outcome in row {
                if let Some(masses) = walk.next(row).expect("the row has the columns of the tables") {
                    nats -= (f64::from(masses.mass(outcome)) / 65536.0).ln();
                    scored += 1.0;
                }
            }
        }
        let limit = nats / 256f64.ln() + scored * budget::BYTES_OF_A_BIT + 1.0;
        prop_assert!(packed.len() as f64 <= limit, "{} bytes for {} nats", packed.len(), nats);
        let mut from = Decompressor::new(packed.into_iter());
        for row in rows {
            let known = |column: usize| if is_observed(column) { row[column] } else { 0 };
            let mut again: Vec<u8> = (0..row.len()).map(known).collect();
            tables.decompress(&mut again, &mut from);
            prop_assert_eq!(again, row);
        }
    }

    #[test]
    fn any_bytes_are_possible_rows_of_outcomes(
        outcomes in prop::collection::vec(1u16..=256, 1..=N),
        seed: u64,
        packed: Vec<u8>,
    ) {
        let random = RandomTables::new(&outcomes, false, &mut Dice(seed));
        let mut from = Decompressor::new(packed.into_iter().chain([255; 8]));
        for _ in 0..20 {
            let mut row = vec![0; outcomes.len()];
            random.tables().decompress(&mut row, &mut from);
            prop_assert!(row.iter().zip(&outcomes).all(|(&outcome, &outcomes)| u16::from(outcome) < outcomes));
        }
    }

    /// Of so many bits some carry through bytes of 255.
    #[test]
    fn bits_of_any_mass_come_back(seed: u64) {
        let mut dice = Dice(seed);
        let pushed: Vec<(bool, Mass)> = (0..5000).map(|_| bits(&mut dice)).collect();
        let packed = bytes(|into| pushed.iter().for_each(|&(bit, mass)| into.push(bit, mass)));
        let mut from = Decompressor::new(packed.into_iter());
        prop_assert!(pushed.iter().all(|&(bit, mass)| from.pull(mass) == bit));
    }
}

#[test]
fn nothing_at_all_takes_nothing() {
    assert_eq!(bytes(|_| {}), []);
}

/// No compressor ends there: the number lies beyond the first interval.
#[test]
fn the_largest_number_is_bits_too() {
    let mut from = Decompressor::new([255; 64].into_iter());
    assert!((0..400).all(|_| !from.pull(Logit::ZERO.mass())));
}
