//! The columns of an earlier model, which a new fit keeps so that firmware for the earlier model can read the new table.

use std::collections::HashSet;
use std::path::Path;

use surprisal::Fingerprint;

use crate::artefact::Artefact;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::escape::{column_option, escaped, ignore_option};
use crate::golden::fingerprint;
use crate::history::last_name;
use crate::recalibrate;
use crate::schema::toml::{ColumnKind, ColumnOverride, Overrides, Pinned};
use crate::schema::{ColumnEncoding, Schema};
use crate::warning::Warning;

/// The option that names the earlier model.
const OPTION: &str = "--like";

/// The columns, kinds and category codes of an earlier model.
#[derive(Clone, Debug)]
pub struct Like {
    /// Name of the file of the model, for messages.
    model: String,
    fingerprint: Fingerprint,
    /// (name, settings that fix the column) of each reading that firmware passes in, in this order.
    columns: Vec<(String, ColumnOverride)>,
    /// Names of all columns of the file that the model was fitted on.
    names: HashSet<String>,
    /// Name of the column that marks anomalies.
    label: Option<String>,
    is_series: bool,
    is_signal: bool,
}

impl Like {
    /// Reads the columns of a `.srp` file.
    ///
    /// # Errors
    /// The errors of [`recalibrate::read`], and [`Error::Model`] if the table has no columns.
    pub fn read(path: &Path) -> Result<Self> {
        let artefact = recalibrate::read(path)?;
        if artefact.schema.columns.is_empty() {
            return Err(Error::model(path, "has no columns that a fit could keep"));
        }
        Ok(Self::new(&artefact, path.display().to_string()))
    }

    /// Returns the columns of a model. `model` names it in messages.
    pub fn new(artefact: &Artefact, model: String) -> Self {
        let Artefact { schema, notes, .. } = artefact;
        let is_series = notes.fit.history.is_some();
        let column = |encoding: &ColumnEncoding| {
            let kind = match ColumnKind::of(encoding.kind) {
                // The table holds residuals of the numbers of a time series, which are integers; the numbers may be any.
                ColumnKind::Integer if is_series => ColumnKind::Real,
                kind => kind,
            };
            let codes = if kind == ColumnKind::Category {
                encoding.codes().map(|(code, text)| (code, text.to_owned())).collect()
            } else {
                Vec::new()
            };
            let settings = ColumnOverride {
                kind: Some(kind),
                missing: encoding.may_miss.then_some(true),
                pinned: Some(Pinned { model: model.clone(), codes }),
                ..ColumnOverride::default()
            };
            (schema.name(encoding).to_owned(), settings)
        };
        Self {
            fingerprint: fingerprint(schema),
            columns: schema.readings_of_a_row().into_iter().map(column).collect(),
            names: schema.names.iter().cloned().collect(),
            label: notes.label.as_ref().map(|(column, _)| column.clone()),
            is_series,
            is_signal: notes.fit.signal.is_some(),
            model,
        }
    }

    /// Returns the name of the file of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Returns the fingerprint that firmware for the model expects.
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Returns what a schema has that the model does not have, as parts of a sentence: "column mode has the new category
    /// "turbo"". Empty if the fingerprints are the same.
    pub fn changes(&self, schema: &Schema) -> Vec<String> {
        let mut changes = Vec::new();
        for encoding in schema.readings_of_a_row() {
            let name = schema.name(encoding);
            let Some(known) = self.settings(name).and_then(|settings| settings.pinned.as_ref()) else {
                changes.push(format!("column {} is new", escaped(name)));
                continue;
            };
            if known.codes.is_empty() {
                continue;
            }
            let is_new = |(code, _): &(i32, &str)| known.codes.iter().all(|(own, _)| own != code);
            let shown = |(code, text): (i32, &str)| {
                if text.is_empty() { format!("code {code}") } else { format!("category \"{}\"", escaped(text)) }
            };
            let added: Vec<String> = encoding.codes().filter(is_new).map(shown).collect();
            if !added.is_empty() {
                changes.push(format!("column {} has the new {}", escaped(name), added.join(" and ")));
            }
        }
        changes
    }

    fn settings(&self, name: &str) -> Option<&ColumnOverride> {
        self.columns.iter().find(|(own, _)| own == name).map(|(_, settings)| settings)
    }

    /// Checks that the new fit is of rows, a time series or a raw signal, as the model is.
    pub(crate) fn check_inputs(&self, is_series: bool, is_signal: bool) -> Result<()> {
        let named = |is_series, is_signal| match (is_series, is_signal) {
            (true, _) => "of a time series (--window)",
            (_, true) => "of a raw signal (--signal)",
            _ => "of rows (without --window and --signal)",
        };
        let (own, new) = (named(self.is_series, self.is_signal), named(is_series, is_signal));
        if own == new {
            return Ok(());
        }
        Err(Error::option(OPTION, format!("{} is a model {own}, but this fit is one {new}; fit as before", self.model)))
    }

    /// Checks that a column that the fit leaves out is not one of the model.
    pub(crate) fn check_left_out(&self, name: &str) -> Result<()> {
        if self.settings(name).is_none() {
            return Ok(());
        }
        let message = format!(
            "the options leave out column `{name}`, but {} models it, and its firmware passes it in; keep the column, or \
             fit without {OPTION}",
            self.model
        );
        Err(Error::option(OPTION, message))
    }

    /// Checks that a schema file gives no column another kind than the model has.
    pub(crate) fn check_overrides(&self, overrides: &Overrides) -> Result<()> {
        for (name, settings) in &overrides.columns {
            let (Some(own), Some(kind)) = (self.settings(name), settings.kind) else { continue };
            // In a time series, numbers of both kinds are the same to the model.
            let is_number = |kind| matches!(kind, ColumnKind::Integer | ColumnKind::Real);
            if own.kind != Some(kind) && !(self.is_series && own.kind.is_some_and(is_number) && is_number(kind)) {
                let message = format!(
                    "the schema file gives column `{name}` another kind than {} has; remove the kind there, or fit without \
                     {OPTION}",
                    self.model
                );
                return Err(Error::option(OPTION, message));
            }
        }
        Ok(())
    }

    /// Returns the settings of a schema file, and those that fix the columns of the model.
    pub(crate) fn overrides(&self, given: &Overrides) -> Overrides {
        let mut overrides = given.clone();
        for (name, own) in &self.columns {
            let settings = overrides.columns.entry(name.clone()).or_default();
            // The kinds agree, and that of the file may be more exact.
            settings.kind = settings.kind.or(own.kind);
            settings.missing = settings.missing.or(own.missing);
            settings.pinned.clone_from(&own.pinned);
        }
        overrides
    }

    /// Returns the names of the columns of a file that the model does not have. The last value of a state, which a time
    /// series adds, is a column of the model.
    pub(crate) fn left_out(&self, frame: &Frame) -> Vec<String> {
        let known: HashSet<String> =
            self.columns.iter().flat_map(|(name, _)| [name.clone(), last_name(name)]).collect();
        frame.columns.iter().map(|column| &column.name).filter(|name| !known.contains(*name)).cloned().collect()
    }

    /// Brings the columns of a file into the order of the model, and adds a remark about columns that the model does not
    /// know. The options name the other columns that `is_named` accepts.
    ///
    /// # Errors
    /// [`Error::Input`] if a column of the model is absent, if a column that marked anomalies is not named, or if a raw
    /// signal has a channel that the model does not know.
    pub(crate) fn arrange(&self, frame: &mut Frame, is_named: impl Fn(&str) -> bool) -> Result<()> {
        let model = &self.model;
        let present: HashSet<&str> = frame.columns.iter().map(|column| column.name.as_str()).collect();
        let absent: Vec<String> = self
            .columns
            .iter()
            .filter(|(name, _)| !present.contains(name.as_str()))
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        if !absent.is_empty() {
            let message = format!(
                "no column {}, which {model} models; add it to the file, or fit without {OPTION} and compile the exported \
                 rows again",
                absent.join(", ")
            );
            return Err(Error::input(&frame.path, message));
        }
        if let Some(label) = self.label.as_deref().filter(|label| present.contains(label) && !is_named(label)) {
            let message = format!(
                "the column marks anomalies in {model}; pass {}, or leave it out with {}",
                column_option("--label", label),
                ignore_option(label)
            );
            return Err(Error::input(&frame.path, message).column(label));
        }
        let unknown: Vec<String> = self
            .left_out(frame)
            .into_iter()
            .filter(|name| !self.names.contains(name) && !is_named(name))
            .map(|name| format!("`{name}`"))
            .collect();
        if !unknown.is_empty() {
            let unknown = unknown.join(", ");
            if self.is_signal {
                let message = format!("{model} has no column {unknown}; leave the channel out with --ignore CHANNEL");
                return Err(Error::input(&frame.path, message));
            }
            let message = format!("left out, because {model} does not have them: {unknown}");
            frame.remarks.push(Warning { file: frame.path.display().to_string(), column: String::new(), message });
        }
        // The columns of the model change places among themselves.
        let order = frame.positions(self.columns.iter().map(|(name, _)| name))?;
        let mut places = order.clone();
        places.sort_unstable();
        let mut columns: Vec<Option<_>> = std::mem::take(&mut frame.columns).into_iter().map(Some).collect();
        let moved: Vec<_> = order.into_iter().map(|from| columns[from].take()).collect();
        places.into_iter().zip(moved).for_each(|(place, column)| columns[place] = column);
        frame.columns = columns.into_iter().flatten().collect();
        Ok(())
    }
}
