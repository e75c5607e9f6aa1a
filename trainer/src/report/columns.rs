//! What each column contributes: its surprisal, the blame for anomalous rows, and the most surprising rows.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use surprisal::{Nats, Reading};

use super::interval::spread;
use crate::applied::Applied;
use crate::error::Result;

/// Largest number of rows of a kind whose columns are explained, times columns.
const EXPLAINED: usize = 2_000_000;
/// Largest number of rows for which blame is searched, times the square of the columns.
const BLAMED: usize = 400_000;
/// Number of the most surprising rows that are listed.
const TOP: usize = 12;
/// Largest number of values of the label in the matrix of blame.
const MOST_LABELS: usize = 20;

/// What one column contributes.
#[derive(Clone, Debug, Serialize)]
pub struct OfColumn {
    /// Name of the column.
    pub column: String,
    /// Position of its reading.
    pub source: u16,
    /// Mean surprisal in rows without an anomalous label, in nats.
    pub normal: f64,
    /// Mean surprisal in rows with an anomalous label, in nats.
    pub anomalous: Option<f64>,
    /// Mean surprisal in the calibration rows, in nats.
    pub baseline: f64,
    /// Nats per row that the model saves against the frequencies of the column alone.
    pub saved: Option<f64>,
}

/// Contributions of all scored columns, the most important first.
pub struct Columns {
    /// The columns.
    pub each: Vec<OfColumn>,
    /// Number of explained rows without and with an anomalous label.
    pub rows: [usize; 2],
}

/// Returns the contributions of the columns. `saved_by` are the nats that each position saves.
///
/// # Errors
/// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
pub fn columns(applied: &Applied, saved_by: &[(u16, f64)]) -> Result<Columns> {
    let schema = &applied.artefact.schema;
    let most = (EXPLAINED / schema.columns.len().max(1)).clamp(100, 20_000);
    let kinds = [false, true].map(|kind| spread(&applied.of_kind(kind), most));
    let mut means = Vec::new();
    for chosen in &kinds {
        let each = applied.explain(chosen)?;
        let mut sums = vec![0.0; schema.columns.len()];
        each.iter().for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &nats)| *sum += f64::from(nats)));
        means.push(sums.into_iter().map(|sum| sum / chosen.len().max(1) as f64).collect::<Vec<f64>>());
    }
    let detector = applied.artefact.detector();
    let has_anomalous = !kinds[1].is_empty();
    let mut each: Vec<OfColumn> = schema
        .columns
        .iter()
        .filter(|encoding| !encoding.observed)
        .map(|encoding| {
            let at = usize::from(encoding.source);
            OfColumn {
                column: schema.name(encoding).to_owned(),
                source: encoding.source,
                normal: means[0][at],
                anomalous: has_anomalous.then(|| means[1][at]),
                baseline: detector.baseline(encoding.source).into(),
                saved: saved_by.iter().find(|(source, _)| *source == encoding.source).map(|(_, nats)| *nats),
            }
        })
        .collect();
    // What anomalous rows add, or without them what the rows add to the calibration rows; then what the model saves.
    let importance = |column: &OfColumn| match column.anomalous {
        Some(anomalous) => anomalous - column.normal,
        None => (column.normal - column.baseline).max(0.0) + column.saved.unwrap_or(0.0).max(0.0),
    };
    each.sort_by(|a, b| importance(b).total_cmp(&importance(a)));
    Ok(Columns { each, rows: kinds.map(|rows| rows.len()) })
}

/// Which columns are blamed in rows of each label value that the threshold calls anomalous.
#[derive(Clone, Debug, Serialize)]
pub struct BlameMatrix {
    /// Value of the label, the number of rows that were searched, and the number of those by blamed column.
    pub labels: Vec<(String, usize, BTreeMap<String, usize>)>,
    /// Whether only some of the rows were searched.
    pub is_sample: bool,
}

/// Returns the matrix of blame; without labels it has one row of all alarms.
///
/// # Errors
/// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
pub fn blame_matrix(applied: &Applied) -> Result<BlameMatrix> {
    let verdicts = applied.verdicts(&applied.artefact.detector());
    let mut by_label: HashMap<String, Vec<usize>> = HashMap::new();
    for at in (0..verdicts.len()).filter(|&at| verdicts[at]) {
        let label = match (&applied.anomalous, applied.kind(at)) {
            (_, None) => continue,
            (None, _) => "all alarms".to_owned(),
            (_, Some(true)) => applied.label_of(at).into_owned(),
            (_, Some(false)) => "false alarms".to_owned(),
        };
        by_label.entry(label).or_default().push(at);
    }
    let mut by_label: Vec<_> = by_label.into_iter().collect();
    by_label.sort_by(|a, b| (b.1.len(), &a.0).cmp(&(a.1.len(), &b.0)));
    by_label.truncate(MOST_LABELS);
    let columns = applied.artefact.schema.columns.len();
    let most = (BLAMED / (columns * columns).max(1) / by_label.len().max(1)).clamp(5, 300);
    let mut matrix = BlameMatrix { labels: Vec::new(), is_sample: false };
    for (label, rows) in by_label {
        let chosen = spread(&rows, most);
        matrix.is_sample |= chosen.len() < rows.len();
        let mut counts = BTreeMap::new();
        for blamed in applied.blame(&chosen)? {
            *counts.entry(blamed.column).or_insert(0) += 1;
        }
        matrix.labels.push((label, chosen.len(), counts));
    }
    Ok(matrix)
}

/// One of the most surprising rows.
#[derive(Clone, Debug, Serialize)]
pub struct TopRow {
    /// Line of the file, or sample of a signal.
    pub line: u64,
    /// The file, if there are several.
    pub file: Option<String>,
    /// Time stamp.
    pub time: Option<String>,
    /// Value of the label.
    pub label: Option<String>,
    /// Surprisal in nats.
    pub nats: f64,
    /// Anomaly score in nats.
    pub anomaly: f64,
    /// Whether the threshold calls the row anomalous.
    pub is_alarm: bool,
    /// Column that is most likely at fault.
    pub blamed: String,
    /// Its reading.
    pub value: String,
    /// The value that would make the row most normal; empty if it is unknown.
    pub expected: String,
    /// The column that explains the row as well, if the row does not tell them apart.
    pub or: Option<String>,
    /// (position, reading, nats) of each column.
    #[serde(skip)]
    pub columns: Vec<(u16, String, f64)>,
}

/// Returns the rows with the largest anomaly scores, the largest first.
///
/// # Errors
/// [`Error::Encode`](crate::Error::Encode) if a reading does not fit its column.
pub fn top_rows(applied: &Applied) -> Result<Vec<TopRow>> {
    let Applied { artefact, frame, rows, scores, .. } = applied;
    let mut chosen = applied.with_reading();
    chosen.sort_by_key(|&at| std::cmp::Reverse(scores[at].anomaly));
    chosen.truncate(TOP);
    let detector = artefact.detector();
    let aligned = artefact.schema.aligned(frame)?;
    let (explained, blamed) = (applied.explain(&chosen)?, applied.blame(&chosen)?);
    let mut top = Vec::new();
    for ((&at, each), blamed) in chosen.iter().zip(explained).zip(blamed) {
        let row = rows[at];
        let reading = |file: usize| frame.columns[file].text(row).into_owned();
        let of = aligned.of_source(blamed.blame.column);
        let columns = aligned.columns.iter().map(|encoding| {
            let nats = each.get(usize::from(encoding.source)).copied().unwrap_or(Nats::ZERO);
            (encoding.source, reading(encoding.file), f64::from(nats))
        });
        let is_known = blamed.blame.expected != Reading::Missing;
        top.push(TopRow {
            line: frame.lines[row],
            file: (!frame.files.is_empty()).then(|| frame.path_of(row).display().to_string()),
            time: applied.time_of(row),
            label: applied.label.as_ref().map(|_| applied.label_of(at).into_owned()),
            nats: scores[at].nats.into(),
            anomaly: scores[at].anomaly.into(),
            is_alarm: detector.judge(scores[at].anomaly).is_anomalous(),
            value: of.filter(|_| is_known).map_or(String::new(), |encoding| reading(encoding.file)),
            or: blamed.runner_up.filter(|_| blamed.blame.is_ambiguous()),
            blamed: if is_known { blamed.column } else { String::new() },
            expected: blamed.expected,
            columns: columns.collect(),
        });
    }
    Ok(top)
}
