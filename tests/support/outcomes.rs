//! Random outcome tables.
#![allow(dead_code, reason = "each test takes what it needs")]

use surprisal::{OutcomeTables, OutcomeTablesSlices};

use super::random::Dice;

/// The storage of random outcome tables.
#[derive(Clone, Debug, Default)]
pub struct RandomTables {
    pub columns: Vec<[u16; 3]>,
    pub groups: Vec<u8>,
    pub splits: Vec<u32>,
    pub rows: Vec<u16>,
}

impl RandomTables {
    /// Draws a table for columns with these numbers of outcomes. If `may_observe`, some columns are observed.
    pub fn new(outcomes: &[u16], may_observe: bool, dice: &mut Dice) -> Self {
        let mut random = Self::default();
        for (column, &count) in outcomes.iter().enumerate() {
            let parent = match column {
                1.. if dice.one_in(3) => OutcomeTables::TREE,
                1.. if !dice.one_in(3) => dice.between(0, column as i64 - 1) as u16,
                _ => OutcomeTables::NO_PARENT,
            };
            let of_parent = outcomes.get(usize::from(parent)).map(|&outcomes| i64::from(outcomes));
            let own = match of_parent {
                _ if may_observe && dice.one_in(5) => 0,
                Some(of_parent) => dice.between(1, of_parent.min(8)) as u16,
                None if parent == OutcomeTables::TREE => dice.between(2, 8) as u16,
                None => 1,
            };
            random.columns.push([count, own, parent]);
            if own > 0 && parent == OutcomeTables::TREE {
                tree(own - 1, column, &mut random.splits, dice);
            } else if own > 0 {
                let groups = (0..of_parent.unwrap_or(0)).map(|_| dice.between(0, i64::from(own) - 1) as u8);
                random.groups.extend(groups);
            }
            (0..own).for_each(|_| random.rows.extend(sums(count, dice)));
        }
        random
    }

    pub fn tables(&self) -> OutcomeTables<'_> {
        let Self { columns, groups, splits, rows } = self;
        let slices = OutcomeTablesSlices { columns, groups, splits, rows };
        OutcomeTables::new(slices).expect("the random tables are valid")
    }
}

/// Appends a tree of `size` splits over the columns before `column`, in preorder.
fn tree(size: u16, column: usize, splits: &mut Vec<u32>, dice: &mut Dice) {
    if let Some(rest) = size.checked_sub(1) {
        let left = dice.between(0, rest.into()) as u16;
        let (tested, threshold) = (dice.between(0, column as i64 - 1) as u16, dice.between(0, 5) as u8);
        splits.push(OutcomeTables::split(tested, threshold, left as u8, (rest - left) as u8));
        tree(left, column, splits, dice);
        tree(rest - left, column, splits, dice);
    }
}

/// Draws a row of cumulative masses: level, steep, or with masses of one.
fn sums(outcomes: u16, dice: &mut Dice) -> Vec<u16> {
    let exponent = dice.between(0, 3) as i32;
    let weights: Vec<f64> = (0..outcomes).map(|_| (dice.between(1, 1000) as f64).powi(exponent * 2)).collect();
    let (whole, spare) = (weights.iter().sum::<f64>(), 65536 - u32::from(outcomes));
    let mut sum = 0;
    let masses = weights.iter().map(|weight| 1 + (weight / whole * f64::from(spare)) as u32);
    masses
        .take(usize::from(outcomes) - 1)
        .map(|mass| {
            sum += mass;
            sum as u16
        })
        .collect()
}
