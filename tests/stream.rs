//! Rows in time: what the integers leave of a row is what a naive chain in floats leaves of it.

mod support {
    pub mod budget;
    pub mod naive;
    pub mod random;
}

use proptest::prelude::*;
use support::random::{Dice, cases};
use support::{budget, naive};
use surprisal::{EncodeError, Predictor, PredictorSlices, Reading, Stream, TableError};

const CHANNELS: usize = 5;
const WINDOW: usize = 4;

/// The words of a random predictor; about a channel of four is a state.
fn words(dice: &mut Dice) -> Vec<i32> {
    let mut channel = |_| match dice.between(0, 7) {
        0 | 1 => [Predictor::STATE, 0],
        2 => [dice.between(-126, 126) as i32, dice.word() as i32],
        _ => [dice.between(-8, 12) as i32, dice.between(-9999, 9999) as i32],
    };
    [WINDOW as i32].into_iter().chain((0..CHANNELS).flat_map(&mut channel)).collect()
}

/// Those of so many numbers; weights of one are 4096.
fn weights(numbers: usize, dice: &mut Dice) -> Vec<i16> {
    let most = if dice.one_in(3) { 32767 } else { 5000 };
    let count = 2 * numbers * numbers + numbers * numbers.saturating_sub(1) / 2;
    (0..count).map(|_| dice.between(-most, most) as i16).collect()
}

/// What a channel may say: often something sound, sometimes the ends of what there is.
fn reading(state: bool, dice: &mut Dice) -> Reading {
    match dice.between(0, 15) {
        0 => Reading::Missing,
        1 => Reading::Integer([i32::MIN, i32::MAX, i32::MIN + 1][dice.between(0, 2) as usize]),
        2..=5 if !state => Reading::Real(dice.between(-4000, 4000) as f32 / 64.0),
        6 if !state => Reading::Real(f32::from_bits(dice.word() as u32)),
        7 if !state => Reading::Real([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0][dice.between(0, 3) as usize]),
        _ => Reading::Integer(dice.between(-300, 300) as i32),
    }
}

fn numbers(readings: &[Reading], words: &[i32]) -> Vec<Option<f64>> {
    let channels = readings.iter().zip(words[1..].as_chunks().0);
    let numbers = channels.filter(|(_, [reach, _])| *reach != Predictor::STATE);
    numbers.map(|(&reading, &[reach, centre])| naive::steps(reading, reach, centre)).collect()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn integer_residuals_equal_float_residuals(seed: u64) {
        let mut dice = Dice(seed);
        let words = words(&mut dice);
        let is_state: Vec<bool> = words[1..].as_chunks().0.iter().map(|[reach, _]| *reach == Predictor::STATE).collect();
        let count = is_state.iter().filter(|state| !**state).count();
        let weights = weights(count, &mut dice);
        let predictor = Predictor::new(PredictorSlices { words: &words, weights: &weights }).unwrap();
        let mut stream = Stream::<CHANNELS, WINDOW>::new();
        // Rows of numbers, each with its last value where it misses; and the readings before.
        let mut held: Vec<Vec<f64>> = Vec::new();
        let mut before = [Reading::Missing; CHANNELS];
        for _ in 0..40 {
            if dice.one_in(20) {
                stream.reset();
                held.clear();
            }
            let readings: [Reading; CHANNELS] = std::array::from_fn(|channel| reading(is_state[channel], &mut dice));
            let mut row = [Reading::Missing; 2 * CHANNELS];
            row[..CHANNELS].copy_from_slice(&readings);
            let whole = stream.push(&predictor, &mut row).unwrap();
            let now = numbers(&readings, &words);
            let last = held.last().cloned().unwrap_or(vec![0.0; count]);
            held.push(now.iter().zip(last).map(|(now, last)| now.unwrap_or(last)).collect());
            prop_assert_eq!(whole, held.len() > WINDOW);
            if whole {
                let (past, whole) = (&held[held.len() - 1 - WINDOW..held.len() - 1], &held[held.len() - 1]);
                let (mut number, mut rest) = (0, &weights[..]);
                for channel in 0..CHANNELS {
                    let left = row[channel];
                    if is_state[channel] {
                        prop_assert_eq!(left, readings[channel]);
                        continue;
                    }
                    let (own, others) = rest.split_at(2 * count + number);
                    match (left, now[number]) {
                        (Reading::Integer(left), Some(_)) => {
                            let wanted = naive::residual(own, past, whole, number);
                            let off = (f64::from(left) - wanted).abs();
                            prop_assert!(off <= budget::residual(own, count), "{} and {}", left, wanted);
                        }
                        (left, now) => prop_assert!(now.is_none() && !matches!(left, Reading::Integer(_))),
                    }
                    (number, rest) = (number + 1, others);
                }
                let states = (0..CHANNELS).filter(|&channel| is_state[channel]);
                for (told, channel) in row[CHANNELS..].iter().zip(states) {
                    let known = match before[channel] {
                        // Taken for the next one: its own stands for a missing one.
                        Reading::Integer(i32::MIN) => Reading::Integer(i32::MIN + 1),
                        known => known,
                    };
                    prop_assert_eq!(*told, known);
                }
            }
            before = readings;
        }
    }

    #[test]
    fn a_refused_row_leaves_no_trace(seed: u64) {
        let mut dice = Dice(seed);
        let words = [2, 0, 0, Predictor::STATE, 0];
        let predictor = Predictor::new(PredictorSlices { words: &words, weights: &[4096, 2048] }).unwrap();
        let mut streams = [(); 2].map(|()| Stream::<2, 2>::new());
        for _ in 0..20 {
            let row = [reading(false, &mut dice), reading(true, &mut dice), Reading::Missing];
            let refused = streams[0].push(&predictor, &mut [row[0], Reading::Real(1.0), row[2]]);
            prop_assert_eq!(refused, Err(EncodeError::WrongType { column: 1 }));
            prop_assert_eq!(streams[0].push(&predictor, &mut [row[0], row[1]]), Err(EncodeError::NoReading { column: 2 }));
            let [one, other] = streams.each_mut().map(|stream| {
                let mut row = row;
                (stream.push(&predictor, &mut row), row)
            });
            prop_assert_eq!(format!("{one:?}"), format!("{other:?}")); // what is no number equals nothing
        }
    }
}

/// NaN is a missing reading, in numbers and in states.
#[test]
fn a_nan_does_what_a_missing_reading_does() {
    let mut dice = Dice(5);
    let words = [2, 0, 0, Predictor::STATE, 0];
    let predictor = Predictor::new(PredictorSlices { words: &words, weights: &[4096, 2048] }).unwrap();
    let mut streams = [(); 2].map(|()| Stream::<2, 2>::new());
    for _ in 0..200 {
        let row = [reading(false, &mut dice), reading(true, &mut dice), Reading::Missing];
        let with = |gap: Reading| row.map(|reading| if reading == Reading::Missing { gap } else { reading });
        let [missing, nan] = [(0, Reading::Missing), (1, Reading::Real(f32::NAN))].map(|(at, gap)| {
            let mut row = with(gap);
            (streams[at].push(&predictor, &mut row), row)
        });
        assert_eq!(format!("{missing:?}"), format!("{nan:?}").replace("Real(NaN)", "Missing"));
    }
}

#[test]
fn a_predictor_of_another_shape_is_refused() {
    let refused = |words: &[i32], weights: &[i16]| {
        assert_eq!(
            Predictor::new(PredictorSlices { words, weights }).err(),
            Some(TableError::Inconsistent("predictor")),
            "{words:?}"
        );
    };
    refused(&[], &[0]);
    refused(&[0, 0, 0], &[0, 0]);
    refused(&[4097, 0, 0], &[0, 0]);
    refused(&[1, 0], &[0, 0]);
    refused(&[1, 0, 0], &[0]);
    refused(&[1, 0, 0, 0, 0], &[0; 8]);
    assert!(Predictor::new(PredictorSlices { words: &[1, 0, 0, 0, 0], weights: &[0; 9] }).is_ok());
    let predictor = Predictor::new(PredictorSlices { words: &[2, 0, 0], weights: &[0, 0] }).unwrap();
    let absent = Err(EncodeError::StreamSize { window: 2 });
    assert_eq!(Stream::<1, 3>::new().push(&predictor, &mut [Reading::Integer(1)]), absent);
    assert_eq!(Stream::<2, 2>::new().push(&predictor, &mut [Reading::Integer(1); 2]), absent);
}
