//! The rows of one machine among those of a fleet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Frame;
use crate::error::{Error, Result};

/// One machine of a fleet: the rows that have its name in a column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// Name of the column that names the machine of a row. The column is not modelled.
    pub column: String,
    /// Name of the machine.
    pub name: String,
}

impl Frame {
    /// Returns the names of the machines in a column, in alphabetical order, each with the indices of its rows. Rows whose
    /// cell is missing belong to no machine.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such column.
    pub fn machines(&self, column: &str) -> Result<BTreeMap<String, Vec<usize>>> {
        let cells = &self.columns[self.position(column)?].cells;
        // One entry per distinct text, then one push per row.
        let names = cells.map(|cell| (!cell.is_missing()).then(|| cell.text().into_owned()));
        let mut machines = BTreeMap::<String, Vec<usize>>::new();
        for (row, name) in names.into_iter().enumerate() {
            if let Some(name) = name {
                machines.entry(name).or_default().push(row);
            }
        }
        Ok(machines)
    }

    /// Returns the rows of a machine, with the digest that they would have in a file of their own, and with the sessions that
    /// gaps between its time stamps begin, which are in the columns `time`.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such column, no row of the machine, or a time stamp cannot be read.
    pub fn of_machine(&self, machine: &Machine, time: &[String]) -> Result<Self> {
        let Machine { column, name } = machine;
        let machines = self.machines(column)?;
        let rows = machines.get(name).ok_or_else(|| {
            let names: Vec<_> = machines.keys().take(20).map(|name| format!("`{name}`")).collect();
            let message = format!("no row of the machine `{name}`; the file has {}", names.join(", "));
            Error::input(&self.path, message).column(column)
        })?;
        self.with_own_sessions(rows, time)
    }

    /// Returns some rows of one machine, with the sessions that gaps between their time stamps begin.
    pub(crate) fn with_own_sessions(&self, rows: &[usize], time: &[String]) -> Result<Self> {
        let mut frame = self.rows_of_a_machine(rows);
        if frame.positions(time).is_ok() {
            frame.find_sessions(time)?;
        }
        Ok(frame)
    }

    /// Returns some rows, with a digest of their cells in place of that of the file, so that a machine's rows are the same rows
    /// whatever other machines the file holds.
    pub(crate) fn rows_of_a_machine(&self, rows: &[usize]) -> Self {
        let mut frame = self.select(rows);
        frame.digest = frame.digest_of_cells();
        frame
    }
}
