//! Two folders of models of one fleet, such as before and after a refit, machine by machine.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use surprisal::Reading;

use super::folder::{FleetRows, Folder, FreshRows, Member, names_by_stem};
use crate::applied::{Selection, SelectionSettings};
use crate::data::ReadOptions;
use crate::divergence::readings::{Agreement, Pair};
use crate::divergence::{Estimate, SamplingSettings, between};
use crate::error::{Error, Result};
use crate::observer::{Event, Observer};

/// Settings of the comparison of two folders.
#[derive(Clone, Debug, Default)]
pub struct RefitSettings {
    /// How the files of rows are read.
    pub reading: ReadOptions,
    /// Which rows are anomalous. The held-out rows of two fits are not the same, so that all rows of the files are taken.
    pub selection: SelectionSettings,
    /// Sizes of the samples if there are too many rows to enumerate.
    pub sampling: SamplingSettings,
}

/// What became of the comparison of the models of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefitState {
    /// A model cannot be taken, as the state of [`status`](super::status()) has it, or the models cannot be compared with each other
    /// or on the rows of the machine.
    Failed,
    /// Both models were compared.
    Compared,
    /// Only the first folder has a model.
    OnlyA,
    /// Only the second folder has a model.
    OnlyB,
    /// There are rows, but no model in either folder.
    NoModel,
}

/// The models of one machine in two folders, A and B.
#[derive(Clone, Debug, Serialize)]
pub struct Refit {
    /// Name of the machine.
    pub machine: String,
    /// What became of the comparison.
    pub state: RefitState,
    /// KL(A‖B) in nats per row; `None`, as is the next, unless both models could be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl_a_b: Option<Estimate>,
    /// KL(B‖A) in nats per row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl_b_a: Option<Estimate>,
    /// How both models agree on the normal rows of the machine; `None` without such rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_normal_data: Option<Agreement>,
    /// How both models agree on its rows with an anomalous label; `None` without such rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_anomalous_data: Option<Agreement>,
    /// Why both cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Compares the models of each machine in two folders, A and B, and, if there is `data`, on the rows of the machine.
///
/// The divergences are those of [`between`]. Failures come first, then the machines whose models differ most, by the sum of both KL
/// divergences. Models that cannot be read or compared do not stop the others. A row that lacks a reading which training rows never
/// lack is left out.
///
/// # Errors
/// [`Error::Io`] if a folder or the files cannot be read; [`Error::Input`] if no model in a folder is that of a machine, or the files
/// lack the column that names machines; [`Error::Cancelled`] if the observer cancels.
pub fn compare_refits(
    [a, b]: [&Path; 2],
    data: Option<FleetRows>,
    settings: &RefitSettings,
    observer: &dyn Observer,
) -> Result<Vec<Refit>> {
    let [a, b] = [Folder::read(a)?, Folder::read(b)?];
    let fresh = data.map(|data| fresh_rows([&a, &b], data, settings, observer)).transpose()?;
    let stems = names_by_stem(&[&a, &b], fresh.as_ref());
    let [mut a, mut b] = [a, b].map(|folder| folder.models(&stems));
    let of_rows = fresh.iter().flat_map(|fresh| fresh.machines.keys());
    let names: BTreeSet<String> = a.keys().chain(b.keys()).chain(of_rows).cloned().collect();
    let (mut all, mut pairs) = (Vec::new(), Vec::new());
    for name in names {
        let alone = |state: RefitState| Refit::of(name.clone(), state);
        match (a.remove(&name), b.remove(&name)) {
            (Some(Ok(of_a)), Some(Ok(of_b))) => pairs.push((name, [of_a, of_b])),
            (Some(Ok(_)), None) => all.push(alone(RefitState::OnlyA)),
            (None, Some(Ok(_))) => all.push(alone(RefitState::OnlyB)),
            (None, None) => all.push(alone(RefitState::NoModel)),
            (of_a, of_b) => {
                let faults =
                    [("A", of_a), ("B", of_b)].into_iter().filter_map(|(folder, model)| Some((folder, model?.err()?)));
                let faults: Vec<String> = faults.map(|(folder, error)| format!("{folder}: {error}")).collect();
                all.push(Refit { error: Some(faults.join("; ")), ..alone(RefitState::Failed) });
            }
        }
    }
    observer.event(Event::Stage { name: "machines", steps: pairs.len() });
    let compared: Vec<Refit> = pairs
        .into_par_iter()
        .map(|(name, models)| {
            if observer.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let mut refit = Refit::of(name, RefitState::Compared);
            if let Err(error) = refit.compare(&models, fresh.as_ref(), settings) {
                (refit.state, refit.error) = (RefitState::Failed, Some(error));
            }
            observer.event(Event::Step);
            Ok(refit)
        })
        .collect::<Result<_>>()?;
    all.extend(compared);
    all.sort_by(|a, b| {
        let apart = b.apart().total_cmp(&a.apart());
        a.state.cmp(&b.state).then(apart).then_with(|| a.machine.cmp(&b.machine))
    });
    Ok(all)
}

/// Reads rows as the fits of both folders read theirs.
fn fresh_rows(
    [a, b]: [&Folder; 2],
    data: FleetRows,
    settings: &RefitSettings,
    observer: &dyn Observer,
) -> Result<FreshRows> {
    if a.column != b.column {
        let message = format!(
            "the models of A name their machines in the column `{}`, those of B in `{}`; compare them without rows, or fit one of both again",
            a.column, b.column
        );
        return Err(Error::Incomparable(message));
    }
    let mut options = settings.selection.read_options(settings.reading.clone());
    if let (None, [of_a, of_b]) = (&options.label, [a.label(), b.label()])
        && of_a != of_b
    {
        let named = |label: Option<&str>| {
            label.map_or("no label column".to_owned(), |name| format!("the label column `{name}`"))
        };
        let message =
            format!("A was fitted with {}, B with {}; name the label column of the rows", named(of_a), named(of_b));
        return Err(Error::option("--label", message));
    }
    [a, b].iter().for_each(|folder| folder.add_options(&mut options));
    FreshRows::read(&a.column, data, options, observer)
}

impl Refit {
    fn of(machine: String, state: RefitState) -> Self {
        let (kl_a_b, kl_b_a, on_normal_data, on_anomalous_data) = Default::default();
        Self { machine, state, kl_a_b, kl_b_a, on_normal_data, on_anomalous_data, error: None }
    }

    /// Returns how much both models differ.
    fn apart(&self) -> f64 {
        self.kl_a_b.zip(self.kl_b_a).map_or(0.0, |(there, back)| there.value + back.value)
    }

    /// Compares both models. An error is in words.
    fn compare(
        &mut self,
        [a, b]: &[Member; 2],
        fresh: Option<&FreshRows>,
        settings: &RefitSettings,
    ) -> Result<(), String> {
        let divergences = between(&a.artefact, &b.artefact, &settings.sampling).map_err(words)?;
        (self.kl_a_b, self.kl_b_a) = (Some(divergences.forward), Some(divergences.reverse));
        let rows = fresh.and_then(|fresh| Some((fresh, fresh.machines.get(&self.machine)?)));
        if let Some((fresh, rows)) = rows {
            let pair = Pair::new(&a.artefact, &b.artefact).map_err(words)?;
            [self.on_normal_data, self.on_anomalous_data] =
                on_rows(&pair, [a, b], (fresh, rows), &settings.selection).map_err(words)?;
        }
        Ok(())
    }
}

fn words(error: Error) -> String {
    format!("{error:#}")
}

/// Returns how two models agree on the normal rows of a machine, and on its anomalous rows.
fn on_rows(
    pair: &Pair,
    members: [&Member; 2],
    (fresh, rows): (&FreshRows, &[usize]),
    settings: &SelectionSettings,
) -> Result<[Option<Agreement>; 2]> {
    let [a, b] = [fresh.for_model(members[0], rows)?, fresh.for_model(members[1], rows)?];
    // Each model may leave out other rows.
    let of_b: HashMap<_, usize> = (0..b.rows()).map(|row| (b.origin(row), row)).collect();
    let selection = Selection::of(&members[0].artefact, &a, settings)?;
    let agreement = |wanted: bool| -> Result<Option<Agreement>> {
        let of_kind = selection.of_kind(&a, wanted).into_iter();
        let both = of_kind.filter_map(|row| Some((row, *of_b.get(&a.origin(row))?)));
        let (in_a, in_b): (Vec<usize>, Vec<usize>) = both.unzip();
        let readings = members[0].artefact.schema.all_readings(&a, &in_a)?.into_iter();
        let both = readings.zip(members[1].artefact.schema.all_readings(&b, &in_b)?);
        let is_whole = |(in_a, in_b): &(Vec<Reading>, Vec<Reading>)| {
            !members[0].artefact.lacks(in_a) && !members[1].artefact.lacks(in_b)
        };
        let (in_a, in_b): (Vec<_>, Vec<_>) = both.filter(is_whole).unzip();
        if in_a.is_empty() { Ok(None) } else { pair.agreement(&[in_a, in_b]).map(Some) }
    };
    Ok([agreement(false)?, agreement(true)?])
}
