//! Checks that blocks of rows have the scores of single rows, to the last bit.

#[path = "../../tests/support"]
mod support {
    pub mod naive;
    pub mod random;
}

use std::path::Path;

use proptest::prelude::*;
use support::random::{Dice, Random, UNITS, cases, tables};
use surprisal::{
    Detector, Encoder, EncoderSlices, Linear, LinearSlices, LinearWeights, Model, Nats, Reading, Table, Terms,
};
use surprisal_trainer::batch::Batch;
use surprisal_trainer::shape::Shape;
use surprisal_trainer::with_shape;

fn same<const N: usize, const H: usize, const K: usize>(table: &Table<N, H, K>, rows: &[Vec<Reading>]) {
    let expected: Vec<_> = rows.iter().map(|row| table.score(row).expect("it fits")).collect();
    let batch = Batch::new(table).expect("no mixture");
    assert_eq!(batch.scores(rows).expect("it fits"), expected);
    let scores: Vec<Nats> = rows.iter().map(|row| table.surprisal(row).expect("it fits")).collect();
    assert_eq!(batch.surprisals(rows).expect("it fits"), scores);
}

proptest! {
    #![proptest_config(cases(200))]

    /// Random tables and rows, possible and impossible, in full, partial and several blocks.
    #[test]
    fn blocks_score_like_single_rows(random in tables(1..=10usize), seed: u64, rows in 0..150usize) {
        let mut dice = Dice(seed);
        let Random { bits, .. } = random;
        let words: Vec<u16> = (0..bits as u16).collect(); // one flag per bit
        let terms = Terms { linear: random.linear(), trees: random.forest(), hidden: random.nade(), ..Terms::EMPTY };
        let constraints = random.with_observed_bits(&mut dice);
        let model = Model::<10, _>::new(terms, &constraints, bits).expect("as laid out");
        let baselines: Vec<u16> = (0..bits).map(|_| dice.between(0, 9000) as u16).collect();
        let detector = Detector { baselines: &baselines, log2_temperature: 2, ..Detector::OFF };
        let encoder = Encoder::new(EncoderSlices { columns: &words, ..EncoderSlices::default() });
        let table = Table::<10, UNITS, 0>::new(encoder, model, detector);
        let flag = |dice: &mut Dice| if dice.one_in(50) { 7 } else { dice.between(0, 1) as i32 };
        let rows: Vec<Vec<Reading>> =
            (0..rows).map(|_| (0..bits).map(|_| Reading::Integer(flag(&mut dice))).collect()).collect();
        same(&table, &rows);
    }
}

/// Real tables: log-widths, missing readings, tails, and observed bits of a time series.
#[test]
fn blocks_of_golden_tables_score_like_single_rows() {
    for name in ["shuttle", "flagship", "motor", "stream"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name).with_extension("srp");
        let words: Vec<u32> = std::fs::read(path)
            .expect("it is there")
            .as_chunks()
            .0
            .iter()
            .map(|&word| u32::from_ne_bytes(word))
            .collect();
        let bytes = bytemuck::cast_slice(&words);
        with_shape!(Shape::of(bytes).expect("a table"), N, H, K => {
            let table = Table::<N, H, K>::from_bytes(bytes, surprisal::Fingerprint::ANY).expect("a table");
            let mut dice = Dice(7);
            let columns = table.encoder.columns().count();
            let rows: Vec<Vec<Reading>> = (0..300)
                .map(|row| {
                    let mut readings = vec![Reading::Missing; columns];
                    for (column, _) in table.encoder.columns() {
                        let (low, high) = if row % 7 == 0 { (i32::MIN, i32::MAX) } else { (-40, 120) };
                        let value = dice.between(low.into(), high.into()) as i32;
                        readings[usize::from(column.source)] = match column.kind {
                            _ if column.may_miss && dice.one_in(9) => Reading::Missing,
                            surprisal::Kind::Real => Reading::Real(value as f32 / 16.0),
                            surprisal::Kind::Flag { .. } => Reading::Integer(value & 1),
                            _ => Reading::Integer(value),
                        };
                    }
                    readings
                })
                .collect();
            same(&table, &rows);
            assert!(table.surprisal(&rows[0]).is_ok_and(|nats| nats > Nats::ZERO));
        });
    }
}

/// A reading that does not fit its column is the same error.
#[test]
fn a_misfit_is_an_error() {
    let columns = [1];
    let slices = LinearSlices { biases: &[0], scales: &[], weights: LinearWeights::Dense(&[]) };
    let terms = Terms { linear: Linear::new(slices).unwrap(), ..Terms::EMPTY };
    let encoder = Encoder::new(EncoderSlices { columns: &columns, ..EncoderSlices::default() });
    let table = Table::<1>::new(encoder, Model::new(terms, &[], 1).unwrap(), Detector::OFF);
    // Two errors in different blocks.
    let mut rows = vec![vec![Reading::Integer(0), Reading::Integer(1)]; 400];
    (rows[130], rows[399]) = (vec![], vec![Reading::Integer(0), Reading::Missing]);
    let batch = Batch::new(&table).expect("no mixture");
    assert_eq!(batch.scores(&rows).unwrap_err(), table.score(&rows[130]).unwrap_err());
}
