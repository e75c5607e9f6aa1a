//! The logic of the firmware on the host.

use crate::rows::ROWS;
use crate::{Scorer, self_test};

#[test]
fn golden_rows_have_the_scores_of_the_fit() {
    assert_eq!(self_test(), Ok(()));
}

#[test]
fn every_row_is_scored() {
    let mut scorer = Scorer::default();
    let judged = ROWS.iter().filter_map(|(row, failed)| scorer.score(row, failed).expect("a row of the model"));
    let lines: Vec<String> = judged.map(|judgement| judgement.to_string()).collect();
//@rows     assert_eq!(lines.len(), ROWS.len());
//@series     assert_eq!(lines.len(), ROWS.len() - crate::table::WINDOW);
    assert!(lines.iter().all(|line| line.contains(" nats, p ")), "{lines:?}");
}
