//! Rows to try the model with.

use crate::table::Row;

/// Each row with the positions of the columns whose sensors did not answer. The rows come from the model.
#[allow(clippy::approx_constant, reason = "readings are no constants")]
pub const ROWS: [(Row, &[usize]); @COUNT@] = [
@ROWS@];
