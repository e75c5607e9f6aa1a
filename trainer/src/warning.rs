//! Warnings: findings in a file that do not prevent a fit but may spoil it.

use std::fmt;

use serde::Serialize;

/// Finding in an input file that does not prevent a fit, with advice.
///
/// A fit reports each warning to its [`Observer`](crate::observer::Observer) and lists all of them in its
/// [`FitReport`](crate::pipeline::FitReport).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Path of the file, as text.
    pub file: String,
    /// Name of the column that the warning is about; empty if it is about the whole file.
    pub column: String,
    /// What was found, and advice.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column.as_str() {
            "" => write!(f, "{}: {}", self.file, self.message),
            column => write!(f, "{}: column `{column}`: {}", self.file, self.message),
        }
    }
}
