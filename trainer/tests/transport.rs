//! Checks the Wasserstein distance against all pairings of few rows, and its two algorithms against each other.

#[path = "../../tests/support/budget.rs"]
mod budget;
#[path = "../../tests/support/naive.rs"]
mod naive;
#[path = "../../tests/support/random.rs"]
mod random;

use budget::F64_SUM;
use random::Dice;
use surprisal_trainer::divergence::transport;

fn close(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < F64_SUM
}

/// Compares with every matching of six units of mass.
#[test]
fn wasserstein_is_the_cheapest_of_all_pairings() {
    let mut dice = Dice(1);
    for _ in 0..60 {
        let sizes = [dice.between(1, 3) as usize, dice.between(1, 3) as usize, dice.between(2, 3) as usize];
        let mut units = || -> Vec<Vec<u16>> {
            (0..6).map(|_| sizes.iter().map(|&size| dice.between(0, size as i64 - 1) as u16).collect()).collect()
        };
        let (a, b) = (units(), units());
        let steps = |i: usize, j: usize| a[i].iter().zip(&b[j]).map(|(x, y)| u32::from(x.abs_diff(*y))).sum::<u32>();
        fn cheapest(at: usize, taken: u8, steps: &dyn Fn(usize, usize) -> u32) -> u32 {
            let free = (0..6).filter(|j| taken >> j & 1 == 0);
            free.map(|j| steps(at, j) + cheapest(at + 1, taken | 1 << j, steps)).min().unwrap_or(0)
        }
        let expected = f64::from(cheapest(0, 0, &steps)) / 6.0;
        let spread = |units: &[Vec<u16>]| {
            let mut masses = vec![0.0; sizes.iter().product()];
            for unit in units {
                masses[unit.iter().zip(sizes).fold(0, |at, (&x, size)| at * size + usize::from(x))] += 1.0 / 6.0;
            }
            masses
        };
        assert!(close(transport::matched(&a, &b), expected));
        assert!(close(transport::exact(&spread(&a), &spread(&b), &sizes), expected));
    }
}

/// The minimum-cost flow and the assignment are two algorithms for the same number.
#[test]
fn flow_and_assignment_agree_on_many_rows() {
    let mut dice = Dice(2);
    for bits in [3, 5, 8] {
        let mut rows = |odds: i64| -> Vec<Vec<u16>> {
            (0..200).map(|_| (0..bits).map(|_| u16::from(dice.one_in(odds))).collect()).collect()
        };
        let (a, b) = (rows(2), rows(5));
        let masses = |rows: &[Vec<u16>]| {
            let mut masses = vec![0.0; 1 << bits];
            rows.iter().for_each(|row| {
                masses[row.iter().fold(0, |at, &bit| 2 * at + usize::from(bit))] += 1.0 / 200.0;
            });
            masses
        };
        let flow = transport::exact(&masses(&a), &masses(&b), &vec![2; bits]);
        assert!(close(flow, transport::matched(&a, &b)), "{bits} bits: {flow}");
    }
}
