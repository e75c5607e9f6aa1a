//! Checks that any four shares split rows into disjoint lists.

use proptest::prelude::*;
use surprisal_trainer::split::{SplitStrategy, split};

proptest! {
    /// The shares of a model file come from strangers, so that even a sum above 1 must not lead to a panic.
    #[test]
    fn shares_of_any_sum_give_disjoint_ascending_rows(
        rows in 0usize..2000, shares in prop::array::uniform4(0.0..=1.0f64), gap in 0usize..5, seed: u64, shuffled: bool,
    ) {
        let strategy = if shuffled { SplitStrategy::Shuffled { seed } } else { SplitStrategy::InOrder { gap } };
        let found = split((0..rows).collect(), shares, strategy);
        let lists = [&found.train, &found.valid, &found.calibrate, &found.held_out];
        let mut all: Vec<usize> = lists.into_iter().flatten().copied().collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), count, "a row is in two lists");
        prop_assert!(all.last().is_none_or(|&last| last < rows));
        prop_assert!(lists.into_iter().all(|list| list.is_sorted()));
        if shuffled && shares.iter().sum::<f64>() >= 1.0 {
            prop_assert_eq!(count, rows);
        }
    }
}
