//! Columns that are context for the others: the model conditions on them and does not score them.

use super::{ColumnEncoding, Schema};
use crate::error::{Error, Result};

impl Schema {
    /// Makes the columns with these names context for the others, which is not scored, and moves them to the front.
    ///
    /// # Errors
    /// [`Error::Option`] if no modelled column has one of the names, or no column is left to score.
    pub fn observe(&mut self, names: &[String]) -> Result<()> {
        for name in names {
            let at = self.columns.iter().position(|encoding| self.name(encoding) == name).ok_or_else(|| {
                let columns: Vec<&str> = self.columns.iter().map(|encoding| self.name(encoding)).collect();
                let message = format!("no modelled column `{name}`; the columns are {}", columns.join(", "));
                Error::option("--given", message)
            })?;
            self.columns[at].observed = true;
        }
        if self.columns.iter().all(|encoding| encoding.observed) {
            return Err(Error::option("--given", "no column is left to score; leave at least one out of the option"));
        }
        self.columns.sort_by_key(|encoding| !encoding.observed);
        Ok(())
    }

    /// Returns the logarithm of the unit in which a model of bits states the density of a row: the sum over the scored columns.
    pub fn log_unit(&self) -> f64 {
        self.columns.iter().filter(|encoding| !encoding.observed).map(|encoding| encoding.unit).sum()
    }

    /// Returns the encodings of the readings of a row, in file order: of all columns except last values of states.
    pub fn readings_of_a_row(&self) -> Vec<&ColumnEncoding> {
        let channels = self.predictor.view().width();
        let is_last = |encoding: &ColumnEncoding| channels > 0 && usize::from(encoding.source) >= channels;
        let mut columns: Vec<_> = self.columns.iter().filter(|encoding| !is_last(encoding)).collect();
        columns.sort_by_key(|encoding| encoding.source);
        columns
    }

    /// Returns the names of the columns that the model takes as given, in file order.
    pub fn given(&self) -> Vec<&str> {
        let columns = self.readings_of_a_row();
        columns.into_iter().filter(|encoding| encoding.observed).map(|encoding| self.name(encoding)).collect()
    }
}
