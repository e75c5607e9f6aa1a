//! The first stages of a fit: reads the files, and splits their rows by purpose.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use surprisal::Nats;

use super::job::Job;
use crate::artefact::{Artefact, Provenance};
use crate::counted::counted;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::history::{History, split_strategy};
use crate::observer::{Event, Observer};
use crate::predictor::PredictorTable;
use crate::resemblance::stretch;
use crate::schema::{CELLS, Schema, SchemaOptions, without_bad_rows};
use crate::split::{SHARES, SplitRows, VALID_SHARES, check_enough, labels_of, normal_rows, split};
use crate::warning::Warning;
use crate::windows;

/// Largest number of rows whose order tells how much neighbours resemble each other.
const STREAM: usize = 20_000;

/// First stage: the files of a job, with all their rows.
pub(super) struct Loaded<'j> {
    job: &'j Job,
    train: Frame,
    valid: Option<Frame>,
    calibrate: Option<Frame>,
    test: Option<Frame>,
}

/// Second stage: the rows for each purpose. The rows of a time series are residuals of its predictor.
pub(super) struct Split<'j> {
    pub job: &'j Job,
    /// The predictor of a time series with the names of its channels, or `None` if rows do not depend on earlier rows.
    prediction: Option<Prediction<'j>>,
    /// [training, validation, calibration, held-out] shares of the rows, if one file was split.
    pub shares: Option<[f64; 4]>,
    /// Number of consecutive rows that got into the same share, if it is not 1.
    pub stretch: Option<usize>,
    pub train: FrameRows,
    pub valid: FrameRows,
    pub calibrate: FrameRows,
    pub test: Option<FrameRows>,
    /// Rows of the training file that the fit may see, in the order in which they came.
    pub seen: Vec<usize>,
    /// Numbers of [training, validation, calibration] rows before the fit takes a sample of them.
    pub counts: [usize; 3],
    /// What was recognised in the files and may surprise.
    pub remarks: Vec<Warning>,
}

/// A file, and the indices of some of its rows.
pub(super) struct FrameRows {
    pub frame: Arc<Frame>,
    pub rows: Vec<usize>,
}

impl FrameRows {
    /// Returns the surprisals of the rows.
    pub fn surprisals(&self, artefact: &Artefact) -> Result<Vec<Nats>> {
        Ok(artefact.scores_of(&self.frame, &self.rows, &())?.iter().map(|score| score.nats).collect())
    }
}

/// A fitted predictor, and the names of its channels.
struct Prediction<'j> {
    history: &'j History,
    channels: Vec<String>,
    predictor: PredictorTable,
    /// Warnings about the rows before the prediction.
    warnings: Vec<Warning>,
}

impl<'j> Loaded<'j> {
    /// Takes the training rows of a job, and reads its other files.
    pub fn new(job: &'j Job, train: Frame, observer: &dyn Observer) -> Result<Self> {
        // Only the training rows must have the columns of time stamps.
        train.require_stamps(&job.time)?;
        let optional = |path: &Option<PathBuf>| path.as_ref().map(|path| read(job, path, observer)).transpose();
        let mut loaded = Self {
            job,
            train: prepared(job, train)?,
            valid: optional(&job.valid)?,
            calibrate: optional(&job.calibrate)?,
            test: optional(&job.test)?,
        };
        let train = loaded.train.digest;
        let others =
            [("--valid", &mut loaded.valid), ("--calibrate", &mut loaded.calibrate), ("--test", &mut loaded.test)];
        for (option, frame) in others {
            if let Some(frame) = frame.as_mut().filter(|frame| frame.digest == train) {
                let message = format!(
                    "{option} names the rows of the fit, which the model knows too well for figures and rates that hold for new \
                     rows; pass rows of another day, or leave {option} out, and the fit keeps a share of its rows for that"
                );
                let file = frame.path.display().to_string();
                frame.remarks.push(Warning { file, column: String::new(), message });
            }
        }
        if let Some(share) = job.may_fail {
            let frames = [Some(&mut loaded.train), loaded.valid.as_mut(), loaded.calibrate.as_mut()];
            for (stream, frame) in (1..).zip(frames.into_iter().flatten()) {
                let ignored = ignored(job, frame);
                frame.empty_at_random(share, job.seed, stream, |name| !ignored.contains(name));
                frame.mark_blank(|name| !ignored.contains(name));
            }
        }
        Ok(loaded)
    }

    /// Returns what was recognised in the files and may surprise.
    pub fn remarks(&self) -> Vec<Warning> {
        let others = [&self.valid, &self.calibrate, &self.test].into_iter().flatten();
        std::iter::once(&self.train).chain(others).flat_map(|frame| frame.remarks.clone()).collect()
    }

    /// Splits the normal rows of the files. Fits the predictor of a time series on the training rows.
    pub fn split(self) -> Result<Split<'j>> {
        let (job, remarks) = (self.job, self.remarks());
        let prediction = job.history.as_ref().map(|history| Prediction::fit(job, history, &self.train)).transpose()?;
        let predicted = |frame: Frame| match &prediction {
            Some(prediction) => prediction.residuals(job, &frame),
            None => Ok(frame),
        };
        let other = |frame: Option<Frame>| -> Result<Option<FrameRows>> {
            let Some(frame) = frame else { return Ok(None) };
            let frame = predicted(frame)?;
            let rows = normal_rows(&frame, job.label.as_ref())?;
            Ok(Some(FrameRows { frame: Arc::new(frame), rows }))
        };
        let frame = Arc::new(predicted(self.train)?);
        let (rows, shares, mut stretch) = split_training(job, &frame)?;
        check_enough(&frame, [rows.train.len(), usize::MAX, usize::MAX])?;
        let part = |rows| FrameRows { frame: Arc::clone(&frame), rows };
        let (mut valid, mut calibrate) = (part(rows.valid), part(rows.calibrate));
        if let Some(FrameRows { frame, rows }) = other(self.valid)? {
            let shares = if self.calibrate.is_some() { [0.0, 1.0, 0.0, 0.0] } else { VALID_SHARES };
            let (split, own) = split_rows(job, &frame, rows, shares);
            stretch = own;
            calibrate = FrameRows { frame: Arc::clone(&frame), rows: split.calibrate };
            valid = FrameRows { frame, rows: split.valid };
        }
        if let Some(rows) = other(self.calibrate)? {
            calibrate = rows;
        }
        let train = part(rows.train);
        let mut seen = [&train, &valid, &calibrate]
            .into_iter()
            .filter(|part| Arc::ptr_eq(&part.frame, &train.frame))
            .flat_map(|part| part.rows.iter().copied())
            .collect::<Vec<usize>>();
        seen.sort_unstable();
        let counts = [train.rows.len(), valid.rows.len(), calibrate.rows.len()];
        let split = Split {
            job,
            shares,
            stretch,
            train,
            valid,
            calibrate,
            test: other(self.test)?,
            counts,
            seen,
            prediction,
            remarks,
        };
        split.check_enough()?;
        Ok(split.limited())
    }
}

impl<'j> Split<'j> {
    /// Returns the same rows for a job with other choices.
    pub fn with_job(self, job: &'j Job) -> Self {
        Self { job, ..self }.limited()
    }

    /// Checks that there are enough rows of each kind.
    pub fn check_enough(&self) -> Result<()> {
        check_enough(&self.train.frame, [&self.train, &self.valid, &self.calibrate].map(|part| part.rows.len()))
    }

    /// Returns normal rows in the order in which they came: the last of the file that the calibration rows are from, without
    /// the held-out rows.
    pub fn stream(&self) -> FrameRows {
        let FrameRows { frame, rows } = &self.calibrate;
        let rows = if Arc::ptr_eq(frame, &self.train.frame) { &self.seen } else { rows };
        let rows = rows[rows.len().saturating_sub(STREAM)..].to_vec();
        FrameRows { frame: Arc::clone(frame), rows }
    }

    /// Returns the provenance of a fit to the training rows, without order, settings and terms of the model.
    pub fn provenance(&self) -> Provenance {
        let (job, FrameRows { frame, rows }) = (self.job, &self.train);
        Provenance {
            version: env!("CARGO_PKG_VERSION").into(),
            family: job.choices.family,
            seed: job.seed,
            digest: frame.digest,
            train_rows: rows.len(),
            split: self.shares,
            stretch: self.stretch,
            rows: Some(frame.rows()),
            sampled_from: self.sampled_from(),
            time: job.time.clone(),
            missing: job.read_options().missing,
            channels_left_out: frame.left_out.clone(),
            machine: job.machine.clone(),
            contamination: job.contamination.map(|contamination| contamination.to_string()),
            may_fail: job.may_fail,
            signal: job.signal,
            history: job.history.clone(),
            ..Provenance::default()
        }
    }

    /// Returns whether a modelled column holds numbers.
    pub fn has_numbers(&self) -> Result<bool> {
        Ok(self.schema(CELLS)?.columns.iter().any(|encoding| encoding.is_number() && !encoding.observed))
    }

    /// Finds the schema of the training rows with `cells` cells (bins) per numeric column.
    pub fn schema(&self, cells: usize) -> Result<Schema> {
        self.schema_of(&self.train.rows, cells)
    }

    /// Finds the schema of a model of bits.
    ///
    /// # Errors
    /// Those of [`schema`](Self::schema), and [`Error::Input`] if there are too many bits.
    pub fn schema_in_bits(&self, cells: usize) -> Result<Schema> {
        let schema = self.schema(cells)?;
        schema.check_bits(&self.train.frame)?;
        Ok(schema)
    }

    /// Finds the schema of some of the training rows.
    pub fn schema_of(&self, rows: &[usize], cells: usize) -> Result<Schema> {
        self.schema_with(rows, &schema_options(self.job, &self.train.frame, cells))
    }

    /// Finds the schema of some of the training rows, in which a column may be constant by chance.
    pub fn schema_of_few(&self, rows: &[usize], cells: usize) -> Result<Schema> {
        let options = schema_options(self.job, &self.train.frame, cells);
        self.schema_with(rows, &SchemaOptions { keep_constant: true, ..options })
    }

    fn schema_with(&self, rows: &[usize], options: &SchemaOptions) -> Result<Schema> {
        let mut schema = Schema::find(&self.train.frame, rows, options)?;
        if let Some(Prediction { channels, predictor, .. }) = &self.prediction {
            History::observe_states(&mut schema, channels, predictor);
        }
        schema.observe(&self.job.given)?;
        Ok(schema)
    }

    /// Returns the remarks on the files, and the warnings about the normal rows of the training file before the prediction of
    /// a time series.
    ///
    /// The warnings are reported to the observer; the remarks were reported when the files were read.
    pub fn warnings(&self, schema: &Schema, observer: &dyn Observer) -> Result<Vec<Warning>> {
        let found = match &self.prediction {
            Some(prediction) => prediction.warnings.clone(),
            None => warnings(self.job, schema, &self.train.frame)?,
        };
        found.iter().for_each(|warning| observer.event(Event::Warning(warning)));
        Ok(self.remarks.iter().cloned().chain(found).collect())
    }
}

/// Reads a file of a job.
fn read(job: &Job, path: &Path, observer: &dyn Observer) -> Result<Frame> {
    let frame = windows::read_observed(job.signal, &[path.to_owned()], &job.read_options(), observer)?;
    if let Some((column, normal)) = job.label.as_ref().filter(|(column, _)| frame.position(column).is_err()) {
        let message = format!(
            "no column `{column}`, which says by --label which rows are normal; add it, with `{normal}` in the rows that are"
        );
        return Err(Error::input(&frame.path, message));
    }
    prepared(job, frame)
}

/// Returns the rows of the job's machine as the job's columns, without bad rows as far as the job permits.
fn prepared(job: &Job, mut frame: Frame) -> Result<Frame> {
    if let Some(machine) = &job.machine {
        frame = frame.of_machine(machine, &job.time)?;
    }
    if let Some(like) = &job.like {
        like.arrange(&mut frame, |name| job.unmodelled().chain(&job.ignore).any(|other| other == name))?;
    }
    let absent = |error: Error| Error::option("--missing", error.to_string());
    if job.signal.is_none() {
        frame.positions(job.reading.missing.columns.keys()).map_err(absent)?;
        let options = schema_options(job, &frame, CELLS);
        frame = without_bad_rows(frame, &options, job.reading.skip_bad)?;
    }
    let ignored = ignored(job, &frame);
    frame.mark_blank(|name| !ignored.contains(name));
    let blank = frame.blank.iter().filter(|&&blank| blank).count();
    let every: Vec<usize> = (0..frame.rows()).filter(|&row| !frame.is_blank(row)).collect();
    let labels = labels_of(&frame, &every, job.label.as_ref())?;
    let unlabelled = labels.iter().flatten().filter(|label| label.is_none()).count();
    let mut remark = |rows: usize, what: &str, column: &str| {
        if rows > 0 {
            let (file, column) = (frame.path.display().to_string(), column.to_owned());
            frame.remarks.push(Warning { file, column, message: format!("{} {what}", counted(rows, "row")) });
        }
    };
    remark(blank, "without any reading left out of the fit, because such rows are not normal", "");
    if let Some((column, _)) = &job.label {
        remark(unlabelled, "without a label left out of the fit, because they may be anomalous", column);
    }
    Ok(frame)
}

/// Returns the names of the columns that are not modelled.
fn ignored(job: &Job, frame: &Frame) -> HashSet<String> {
    let options = schema_options(job, frame, CELLS);
    options.ignore.iter().chain(options.overrides.ignored()).cloned().collect()
}

/// Returns the warnings about the normal rows of a file.
fn warnings(job: &Job, schema: &Schema, frame: &Frame) -> Result<Vec<Warning>> {
    Ok(schema.warnings(frame, &normal_rows(frame, job.label.as_ref())?))
}

impl<'j> Prediction<'j> {
    /// Fits a predictor on the training rows of a file.
    fn fit(job: &Job, history: &'j History, train: &Frame) -> Result<Self> {
        let every: Vec<usize> = (0..train.rows()).collect();
        let schema = Schema::find(train, &every, &schema_options(job, train, CELLS))?;
        let channels = schema.columns.iter().map(|encoding| schema.name(encoding).to_owned()).collect();
        let (rows, ..) = split_training(job, &history.complete(train, job.label.as_ref())?)?;
        let valid = if rows.valid.is_empty() { &rows.train } else { &rows.valid };
        let predictor = history.fit(train, &schema, &rows.train, valid)?;
        Ok(Self { history, channels, predictor, warnings: warnings(job, &schema, train)? })
    }

    fn residuals(&self, job: &Job, frame: &Frame) -> Result<Frame> {
        self.history.residuals(frame, &self.channels, &self.predictor, job.label.as_ref())
    }
}

fn schema_options(job: &Job, frame: &Frame, cells: usize) -> SchemaOptions {
    let overrides = job.like.as_ref().map_or_else(|| job.overrides.clone(), |like| like.overrides(&job.overrides));
    SchemaOptions {
        // A channel that was left out is no column.
        ignore: job
            .ignore
            .iter()
            .filter(|name| !frame.left_out.contains(name))
            .chain(job.unmodelled())
            .cloned()
            .chain(job.like.iter().flat_map(|like| like.left_out(frame)))
            .collect(),
        keep_constant: job.keep_constant,
        keep: job.keep.clone(),
        is_emptied: job.may_fail.is_some(),
        is_time_series: job.history.is_some(),
        cells,
        overrides,
    }
}

/// Splits rows of a file, and returns the length of the stretches in which they are split, if it is not 1.
fn split_rows(job: &Job, frame: &Frame, rows: Vec<usize>, shares: [f64; 4]) -> (SplitRows, Option<usize>) {
    let is_split = shares.iter().filter(|&&share| share > 0.0).count() > 1;
    let is_shuffled = is_split && job.signal.is_none() && job.history.is_none();
    let stretch = is_shuffled.then(|| stretch(frame, &rows, &ignored(job, frame))).filter(|&stretch| stretch > 1);
    (split(rows, shares, split_strategy(job.signal, job.history.as_ref(), job.seed, stretch)), stretch)
}

/// Splits the normal rows of the training file; rows for which the job has a separate file get no share of it. Returns
/// the rows, if there was a split the [training, validation, calibration, held-out] shares, and the length of stretches.
fn split_training(job: &Job, train: &Frame) -> Result<(SplitRows, Option<[f64; 4]>, Option<usize>)> {
    let normal = normal_rows(train, job.label.as_ref())?;
    if job.valid.is_some() {
        return Ok((SplitRows { train: normal, ..SplitRows::default() }, None, None));
    }
    let mut shares = SHARES;
    for (share, file) in [(2, &job.calibrate), (3, &job.test)] {
        if file.is_some() {
            shares[0] += std::mem::take(&mut shares[share]);
        }
    }
    let (rows, stretch) = split_rows(job, train, normal, shares);
    Ok((rows, Some(shares), stretch))
}
