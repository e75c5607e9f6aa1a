//! A model for another machine of the same kind, or another season: calibration and constant offsets from its normal rows,
//! with the model as it is.

use std::cmp::Ordering;

use rayon::prelude::*;
use surprisal::{Encoder, EncoderSlices, Nats, OffsetSums, Reading, concordance, grain, search_offsets};

use crate::artefact::{Artefact, ROWS_AT_ONCE, Recalibrated};
use crate::calibrate::{Calibration, Rates, reach};
use crate::counted::counted;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::golden::with_golden_rows;
use crate::resemblance::lag_of;
use crate::row_table::RowTable;
use crate::schema::ColumnEncoding;
use crate::warning::Warning;
use crate::{with_shape, with_views};

mod shifted;
mod stored;

use shifted::{ShiftedView, less, shifted_values};
pub use stored::read;
pub(crate) use stored::{ENDING, Stored};

/// Least number of rows from which a calibration is computed.
const LEAST: usize = 20;
/// One row in this many determines offsets, and baselines of views; all others determine thresholds, so that these rows stay
/// exchangeable with fresh rows.
const OFFSETS_SHARE: usize = 3;
/// Largest number of rows that determine offsets.
const OFFSETS_ROWS: usize = 600;

/// Calibrates a model anew by rows of a file, which must be normal, and with `offsets` shifts its numeric columns by
/// constants.
///
/// Offsets maximise the likelihood of one row in three, column by column, and are kept where they gain more than a parameter
/// costs and chance gives, see [`surprisal::Table::offsets`]; rows that resemble each other count as one. A shift of cells and
/// prototypes by a constant leaves all densities normalised, and costs nothing on the board.
///
/// # Errors
/// [`Error::Option`] for time series with offsets, whose model sees differences from a prediction; [`Error::Input`] if the
/// rows are fewer than 20; the errors of [`Schema::all_readings`](crate::schema::Schema::all_readings).
pub fn recalibrate(
    artefact: &Artefact,
    frame: &Frame,
    rows: &[usize],
    rates: Rates,
    offsets: bool,
) -> Result<(Artefact, Calibration)> {
    if rows.len() < LEAST {
        let rows = counted(rows.len(), "normal row");
        let message = format!("{rows}, but a calibration needs at least {LEAST}; supply more rows");
        return Err(Error::input(&frame.path, message));
    }
    if offsets && artefact.notes.fit.history.is_some() {
        let message = "a time series is scored by its differences from a prediction, which constants do not change; leave the \
                       option out";
        return Err(Error::option("--offsets", message));
    }
    let is_for_offsets = |at: usize| offsets && at.is_multiple_of(OFFSETS_SHARE);
    let part = |wanted: bool| -> Vec<usize> {
        (0..rows.len()).filter(|&at| is_for_offsets(at) == wanted).map(|at| rows[at]).collect()
    };
    let (first, rest) = (part(true), part(false));
    let readings = artefact.schema.all_readings(frame, &rest)?;
    let adjustment = Adjustment::find(artefact, frame, [&first, rows], &readings, rates)?;
    let done = adjustment.applied(artefact, &readings, frame.digest)?;
    Ok((done, adjustment.calibration))
}

/// Rise of a column's mean surprisal beyond which its readings are hardly those of the column, in units of 1/1024 nat:
/// they are seven times as rare as before.
const STRANGE: u16 = 2048;

/// Returns a warning for each column whose readings surprise a calibrated model far more than they did before the calibration.
/// `offsets` tells whether the calibration allowed for constant differences.
pub fn strange_columns(before: &Artefact, after: &Artefact, frame: &Frame, offsets: bool) -> Vec<Warning> {
    let baselines = [before, after].map(|artefact| artefact.detector().baselines);
    let warning = |encoding: &ColumnEncoding| {
        let [old, new] = baselines.map(|each| each.get(usize::from(encoding.source)).copied());
        let (old, new) = (old?, new?);
        let remedy = "; --offsets removes a constant difference";
        let remedy = if offsets || !encoding.is_number() { "" } else { remedy };
        (new > old.saturating_add(STRANGE)).then(|| Warning {
            file: frame.path.display().to_string(),
            column: before.schema.name(encoding).to_owned(),
            message: format!(
                "its readings surprise by {:.1} nats in the mean, by {:.1} before: check that it is the same quantity in the same \
                 unit, and that these rows are normal{remedy}",
                f64::from(new) / 1024.0,
                f64::from(old) / 1024.0
            ),
        })
    };
    before.schema.columns.iter().filter_map(warning).collect()
}

/// What a calibration for another machine changes in a table.
pub(crate) struct Adjustment {
    /// `[source]`: by how much more this machine's readings are than those of the machine of the fit.
    pub offsets: Vec<f64>,
    /// `[view][column]`: baselines of the views; none if they stay as they are.
    pub baselines: Vec<Vec<u16>>,
    /// Threshold, quantiles, and baselines of a model of bits.
    pub calibration: Calibration,
    /// Squared distance from a prototype that normal rows exceed rarely.
    pub reach: u32,
}

impl Adjustment {
    /// Finds offsets and baselines by the rows `first`, no offsets if there are none; and the calibration by `readings` of rows
    /// that neither they nor the fit have seen. `stream` are normal rows in the order in which they came.
    pub fn find(
        artefact: &Artefact,
        frame: &Frame,
        [first, stream]: [&[usize]; 2],
        readings: &[Vec<Reading>],
        rates: Rates,
    ) -> Result<Self> {
        let (mut offsets, mut baselines) = (vec![0.0; artefact.schema.columns.len()], Vec::new());
        let mut shifted = artefact.clone();
        if !first.is_empty() {
            let few: Vec<usize> = first.iter().copied().step_by(first.len().div_ceil(OFFSETS_ROWS)).collect();
            // So many of these rows resemble each other, if rows do as long as they did in the fit.
            let lag = lag_of(artefact.notes.fit.stretch.unwrap_or(1));
            let alike = (lag * few.len()).div_ceil(stream.len()).max(1);
            offsets = find_offsets(artefact, &artefact.schema.all_readings(frame, &few)?, alike)?;
            shifted = rebuilt(artefact, &offsets, None, &[])?;
            let some = &first[..first.len().min(ROWS_AT_ONCE)];
            baselines = shifted.open()?.view_baselines(&shifted.schema.all_readings(frame, some)?)?;
            shifted = rebuilt(&shifted, &[], None, &baselines)?;
        }
        let stream: Vec<Nats> = shifted.scores_of(frame, stream, &())?.iter().map(|score| score.nats).collect();
        let calibration = Calibration::of(&shifted, readings, &stream, rates)?;
        let reach = reach(&shifted, readings, rates.false_alarm)?;
        Ok(Self { offsets, baselines, calibration, reach })
    }

    /// Returns the table of this machine, with golden rows among `readings`. `digest` is that of its rows.
    pub fn applied(&self, artefact: &Artefact, readings: &[Vec<Reading>], digest: u32) -> Result<Artefact> {
        let done = rebuilt(artefact, &self.offsets, Some((&self.calibration, self.reach)), &self.baselines)?;
        let mut done = with_golden_rows(&done, readings, None)?;
        // Offsets count from the machine of the fit, also if the model was calibrated before.
        let before = artefact.notes.fit.recalibrated.as_ref().map_or(&[][..], |done| &done.offsets);
        let named = |encoding: &ColumnEncoding| {
            let name = artefact.schema.name(encoding);
            let old = before.iter().find(|(column, _)| column == name).map_or(0.0, |(_, offset)| *offset);
            let offset = old + self.offsets[usize::from(encoding.source)];
            (offset != 0.0).then(|| (name.to_owned(), offset))
        };
        done.notes.fit.recalibrated = Some(Recalibrated {
            rows: self.calibration.view().rows as usize,
            digest,
            offsets: artefact.schema.columns.iter().filter_map(named).collect(),
        });
        Ok(done)
    }
}

/// Returns the offsets, `[source]`, that make the rows most likely: zero for columns that are no numbers, and where too
/// few rows gain by one. So many of the rows as `alike` count as one. If it is 1, a board finds the same, see
/// [`surprisal::Table::offsets`].
fn find_offsets(artefact: &Artefact, rows: &[Vec<Reading>], alike: usize) -> Result<Vec<f64>> {
    let table = artefact.open()?;
    let independent = rows.len().div_ceil(alike);
    let mut scales = vec![Reading::Missing; artefact.schema.columns.len()];
    table.offset_scales(&mut scales);
    let (mut offsets, mut scratch) = (scales.clone(), scales.clone());
    let solutions = [&mut offsets[..], &mut scratch];
    search_offsets(&scales, &grains(rows, &scales), together(rows), solutions, independent, |offsets, other| {
        let mut sums = sums(&*table, rows, offsets, other)?;
        sums.nats /= alike as u64;
        sums.gain /= alike as i64;
        sums.squares /= alike as u64;
        Ok::<_, Error>(sums)
    })?;
    let number = |offset: Reading| match offset {
        Reading::Integer(offset) => offset.into(),
        Reading::Real(offset) => offset.into(),
        Reading::Missing => 0.0,
    };
    Ok(offsets.into_iter().map(number).collect())
}

/// Returns the [`grain`] of each reading that has a scale, as [`search_offsets`] takes them.
pub fn grains(rows: &[Vec<Reading>], scales: &[Reading]) -> Vec<Reading> {
    let of_column = |(at, scale): (usize, &Reading)| {
        if scale.is_missing() { Reading::Missing } else { grain(rows.iter().map(|row| row[at])) }
    };
    scales.iter().enumerate().map(of_column).collect()
}

/// Returns the [`concordance`] of two columns of these rows.
pub fn together(rows: &[Vec<Reading>]) -> impl Fn(usize, usize) -> Ordering {
    |one, other| concordance(rows.iter().map(|row| (row[one], row[other])))
}

/// Returns the sums by which [`search_offsets`] finds the offsets of rows.
///
/// # Errors
/// [`Error::Encode`] if a row does not fit the table.
pub fn sums(
    table: &dyn RowTable,
    rows: &[Vec<Reading>],
    offsets: &[Reading],
    other: Option<&[Reading]>,
) -> Result<OffsetSums> {
    let of_row = |row: &Vec<Reading>| -> Result<(Nats, Nats)> {
        let nats = |offsets: &[Reading]| Ok::<_, Error>(table.score(&less_offsets(row, offsets))?.nats);
        let own = nats(offsets)?;
        Ok((own, other.map_or(Ok(own), nats)?))
    };
    let mut sums = OffsetSums::default();
    for (own, other) in rows.par_iter().map(of_row).collect::<Result<Vec<_>>>()? {
        sums.push(own, other);
    }
    Ok(sums)
}

/// Returns a row less these offsets.
pub fn less_offsets(row: &[Reading], offsets: &[Reading]) -> Vec<Reading> {
    row.iter().zip(offsets).map(|(reading, &offset)| reading.less(offset)).collect()
}

/// Returns an artefact whose columns are shifted by offsets (`[source]`, none if empty), with (a calibration, the reach of
/// its prototypes) and baselines of views (none if empty) in place of its own.
fn rebuilt(
    artefact: &Artefact,
    offsets: &[f64],
    calibration: Option<(&Calibration, u32)>,
    baselines: &[Vec<u16>],
) -> Result<Artefact> {
    let mut bytes = Vec::new();
    let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    let offset = |source: u16| offsets.get(usize::from(source)).copied().unwrap_or(0.0);
    match artefact.shape.views {
        0 => with_shape!(artefact.shape, N, H, K => {
            let mut table = artefact.table::<N, H, K>()?;
            let values = shifted_values(&table.encoder, &offset);
            table.encoder = Encoder::new(EncoderSlices { values: &values, ..table.encoder.slices() });
            if let Some((calibration, _)) = calibration {
                table.detector = calibration.view();
            }
            table.write(&mut sink);
        }),
        _ => with_views!(artefact.shape, C, V => {
            let mut table = artefact.view_table::<C, V>()?;
            let shifted: Vec<ShiftedView> = table.views.iter().map(|view| ShiftedView::of(view, &offset)).collect();
            for (at, (view, shifted)) in table.views.iter_mut().zip(&shifted).enumerate() {
                *view = shifted.view(view)?;
                if let Some((_, reach)) = calibration.filter(|_| view.prototypes.count() > 0) {
                    view.reach = reach;
                }
                if let Some(baselines) = baselines.get(at) {
                    view.baselines = baselines;
                }
            }
            if let Some((calibration, _)) = calibration {
                table.detector = calibration.view();
            }
            table.write(&mut sink);
        }),
    }
    artefact.with_table(&bytes)
}
