//! Laws of the search for offsets, on surprisals that are given: it keeps what many rows support, and leaves no valley of coarse
//! readings.

use std::cmp::Ordering;

use surprisal::{Nats, OffsetSums, Reading, concordance, grain, search_offsets};

/// A single row of many cannot carry an offset, however much it gains, and neither can five.
#[test]
fn a_row_counts_for_four_nats_at_most() {
    for few in 1..=6 {
        let found = found([4, 0], 0, 100, Ordering::Equal, |row, [a, _]| match a {
            0 => {
                if row < few {
                    40
                } else {
                    5
                }
            }
            1 => {
                if row < few {
                    10
                } else {
                    5
                }
            }
            _ => 99,
        });
        assert_eq!(found[0] != Reading::Missing, few >= 6, "{few} rows");
    }
}

/// Offsets that stay are judged again without those that do not.
#[test]
fn an_offset_that_another_one_needs_goes_with_it() {
    // In tenths of a nat: the first one gains 2.2 beside the second one, and 0.1 alone.
    let needed = |_, each: [i32; 2]| match each {
        [0, 0] => 50,
        [1, 0] => 49,
        [1, 1] => 48,
        [0, 1] => 70,
        _ => 990,
    };
    assert_eq!(found([4, 4], 0, 16, Ordering::Equal, needed), [Reading::Missing; 2]);
    // The first one gains 2 nats in most rows, and costs one row far more than all of them gain without the second one.
    let costly = |row, each: [i32; 2]| match (row, each) {
        (0, [0, 0]) | (0, [1, 1]) => 100,
        (0, [1, 0]) => 1100,
        (0, [0, 1]) => 80,
        (_, [a @ 0..=1, 0..=1]) => 50 - 20 * a as u32,
        _ => 990,
    };
    assert_eq!(found([4, 4], 0, 16, Ordering::Equal, costly), [Reading::Missing; 2]);
}

/// A sensor that tells multiples of 10 alone is found to read multiples of 10 more, also if any other offset is less likely than
/// none.
#[test]
fn offsets_of_coarse_readings_are_multiples_of_their_grain() {
    for truth in -30..=30 {
        let tenths = |_, [a, _]: [i32; 2]| {
            let apart = (a - 10 * truth).unsigned_abs();
            apart + if a % 10 == 0 { 0 } else { 60 }
        };
        let expected = if truth == 0 { Reading::Missing } else { Reading::Integer(10 * truth) };
        assert_eq!(found([100, 0], 10, 50, Ordering::Equal, tenths)[0], expected);
    }
    // Offsets are the decimal numbers to the last bit: a neighbour of one is as unlikely as any other number.
    for truth in -30..=30 {
        let (scales, grains) = ([Reading::Real(9.7)], [Reading::from_decimal(7, 1)]);
        let mut found = [Reading::Missing];
        let nats = |offset: Reading| match offset.to_decimal(1) {
            Some(tenths) if tenths % 7 == 0 => (tenths - 7 * truth).unsigned_abs() << 10,
            _ => 60 << 16,
        };
        search_offsets(
            &scales,
            &grains,
            |_, _| Ordering::Equal,
            [&mut found, &mut [Reading::Missing]],
            50,
            |offsets, other| {
                let [own, other] = [offsets[0], other.map_or(offsets[0], |other| other[0])]
                    .map(|offset| Nats::from_raw(nats(if offset.is_missing() { Reading::Real(0.0) } else { offset })));
                let mut sums = OffsetSums::default();
                (0..50).for_each(|_| sums.push(own, other));
                Ok::<_, ()>(sums)
            },
        )
        .expect("no error");
        let expected = if truth == 0 { Reading::Missing } else { Reading::from_decimal(7 * truth, 1) };
        assert_eq!(found, [expected]);
    }
    assert_eq!(grain([3, 23, 23, 13, -37].map(Reading::Integer).into_iter()), Reading::Integer(10));
    let three = [1.7, 0.2, -0.7].map(Reading::Real).into_iter();
    assert_eq!(grain(three.chain([Reading::Missing, Reading::Real(0.8)])), Reading::Real(0.3));
    for none in [&[][..], &[Reading::Integer(5)], &[Reading::Real(0.5); 2]] {
        assert_eq!(grain(none.iter().copied()), Reading::Missing);
    }
}

/// Two sensors that tell the same, or the opposite, and are off by as much: an offset of one alone is far less likely than none.
#[test]
fn sensors_that_tell_the_same_move_together() {
    for truth in (-40..=40_i32).filter(|truth| truth.abs() > 1) {
        for (together, sign) in [(Ordering::Greater, 1), (Ordering::Less, -1)] {
            let tenths = |_, [a, b]: [i32; 2]| (a - truth).unsigned_abs() + 5 * (a - sign * b).unsigned_abs();
            let both = [truth, sign * truth].map(Reading::Integer);
            assert_eq!(found([64, 64], 0, 50, together, tenths), both);
            assert_eq!(found([64, 64], 0, 50, Ordering::Equal, tenths), [Reading::Missing; 2], "alone");
        }
    }
}

/// Sensors that tell the same cannot go one without the other, so that both are judged together.
#[test]
fn sensors_that_move_together_are_judged_together() {
    // In tenths of a nat per row; two parameters cost 3.7 nats of 40 rows.
    for (gain, is_kept) in [(1, false), (20, true)] {
        let tenths = |_, [a, b]: [i32; 2]| if a == b { 50 - gain.min(gain * a.unsigned_abs()) } else { 200 };
        let found = found([4, 4], 0, 40, Ordering::Greater, tenths);
        assert_eq!(found.map(|offset| offset != Reading::Missing), [is_kept; 2], "{gain}");
    }
}

/// An offset that many rows support stays, also if the others that its sensor moves together with are noise.
#[test]
fn noise_of_others_does_not_count_against_an_offset() {
    let tenths = |row, each: [i32; 2]| match each {
        [a @ 0..=1, b @ 0..=1] => 50 - u32::from(row < 50 && a == 1) - u32::from(row == 99 && b == 1),
        _ => 990,
    };
    for together in [Ordering::Equal, Ordering::Greater, Ordering::Less] {
        let found = found([4, 4], 0, 100, together, tenths);
        assert_eq!(found, [Reading::Integer(1), Reading::Missing], "{together:?}");
    }
}

/// The longest searches: many sensors that all move together, and sums that fall with each call, so that each move is made, or fall
/// never.
#[test]
fn the_search_ends() {
    for columns in [1_u64, 2, 30] {
        let scales = vec![Reading::Integer(4096); columns as usize];
        for falls in [false, true] {
            let (mut offsets, mut scratch, mut calls) = (scales.clone(), scales.clone(), 0);
            let solutions = [&mut offsets[..], &mut scratch];
            search_offsets(
                &scales,
                &[],
                |_, _| Ordering::Greater,
                solutions,
                100,
                |_, other| {
                    calls += 1 + u64::from(other.is_some());
                    let nats = if falls { u64::MAX / 2 - (calls << 20) } else { 1 << 20 };
                    Ok::<_, ()>(OffsetSums { nats, gain: 0, squares: 0 })
                },
            )
            .expect("no error");
            let most = 1224 * columns + 2 * columns * columns;
            assert!(calls <= most, "{calls} of {most}");
            // Each column moves 16 times by each of nine steps in four passes, alone and with others.
            assert!(!falls || calls > 4 * 9 * 16 * (2 * columns - 1), "{calls}");
        }
    }
}

/// Kendall's τ of pairs that are half of the rows apart, counted one by one.
#[test]
fn sensors_rise_and_fall_together_in_most_pairs_of_rows() {
    let later = |pairs: &[(i32, i32)]| {
        let number = Reading::Integer;
        let first = pairs.iter().map(|_| (number(0), number(0)));
        first.chain(pairs.iter().map(|&(a, b)| (number(a), number(b)))).collect::<Vec<_>>()
    };
    let [same, opposite, tied] = [(1, 7), (-2, 3), (0, 1)];
    for (pairs, expected) in [
        (&[same, same, same, tied][..], Ordering::Greater),
        (&[same, same, tied, tied], Ordering::Equal),
        (&[same, same, same, opposite], Ordering::Equal),
        (&[opposite, opposite, opposite, tied], Ordering::Less),
        (&[same], Ordering::Greater),
        (&[], Ordering::Equal),
    ] {
        assert_eq!(concordance(later(pairs).into_iter()), expected, "{pairs:?}");
    }
    // A reading that is lost, or a number of another type, is no pair.
    for none in [Reading::Missing, Reading::Real(1.0)] {
        let rows = [(Reading::Integer(0), Reading::Integer(0)), (Reading::Integer(1), none)];
        assert_eq!(concordance(rows.into_iter()), Ordering::Equal);
    }
}

/// The offsets that are found with these scales, and this grain of the first reading, if rows have these surprisals, in tenths of a nat.
fn found(
    scales: [i32; 2],
    grain: i32,
    rows: usize,
    together: Ordering,
    tenths: impl Fn(usize, [i32; 2]) -> u32,
) -> [Reading; 2] {
    let number = |reading| if let Reading::Integer(value) = reading { value } else { 0 };
    let nats = |row, each| Nats::from_raw(tenths(row, each) * 65536 / 10);
    let mut found = [Reading::Missing; 2];
    let solutions = [&mut found[..], &mut [Reading::Missing; 2]];
    search_offsets(
        &scales.map(Reading::Integer),
        &[Reading::Integer(grain)],
        |_, _| together,
        solutions,
        rows,
        |offsets, other| {
            // An offset is what the machine reads more.
            let one = [number(offsets[0]), number(offsets[1])];
            let two = other.map_or(one, |other| [number(other[0]), number(other[1])]);
            let mut sums = OffsetSums::default();
            (0..rows).for_each(|row| sums.push(nats(row, one), nats(row, two)));
            Ok::<_, ()>(sums)
        },
    )
    .expect("no error");
    found
}
