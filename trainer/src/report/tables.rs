//! The tables of the page.

use super::columns::{BlameMatrix, OfColumn, TopRow};
use super::detection::{Detection, OfLabel};
use super::html::{Cell, table};
use super::interval::Share;
use super::likelihood::Likelihood;
use super::sampled::Sampled;
use super::summary::Tile;
use super::words::{count, counted, number, per_second, percent, shortened};
use crate::alarms::AlarmSettings;

/// Largest number of columns of a table that is as wide as the columns of the data.
pub const WIDE: usize = 14;
/// Largest number of label values that are listed one by one.
const MOST_LABELS: usize = 20;

fn head<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

/// Returns the table of thresholds at several rates.
pub fn thresholds(detection: &Detection, settings: &AlarmSettings) -> String {
    let labelled = detection.recall.is_some();
    let mut names = head(["promised", "threshold, nats", "observed"]);
    if labelled {
        names.extend(head(["recall", "precision"]));
    }
    if settings.rate.is_some() {
        names.push(if labelled { "false alarms per day" } else { "alarms per day" }.into());
    }
    let missing = || "–".to_owned();
    let row = |threshold: &crate::alarms::Threshold| {
        let own = (threshold.rate - detection.promised).abs() < 1e-9;
        let mark = if own { " (this model)" } else { "" };
        let mut cells = vec![Cell::head(format!("{}{mark}", percent(threshold.rate)))];
        let found = threshold.found;
        cells.push(Cell::new(threshold.threshold.map_or("too few calibration rows".into(), number)));
        let share = |share: Option<f64>| Cell::new(share.map_or_else(missing, percent));
        cells.push(share(found.and_then(|found| found.false_alarm_rate)));
        if labelled {
            cells.push(share(found.and_then(|found| found.recall)));
            cells.push(share(found.and_then(|found| found.precision)));
        }
        if settings.rate.is_some() {
            cells.push(Cell::new(threshold.false_alarms_per_day.map_or_else(missing, number)));
        }
        cells
    };
    let rows: Vec<_> = detection.thresholds.iter().map(row).collect();
    let per_day = match settings.rate {
        Some(rate) => format!(
            " Alarms per day are those that a board raises by the rule “{}” at {}.",
            detection.rule,
            per_second(rate)
        ),
        None => " Give --rate, the number of rows per second, to see alarms per day.".to_owned(),
    };
    let look_for = format!(
        "Take the row whose alarms one can live with: `surprisal fit --false-alarm` and `surprisal calibrate --false-alarm` set it. \
         “Observed” should not be above “promised” by more than chance.{per_day}"
    );
    table("Thresholds", &look_for, &names, &rows)
}

/// Returns the table of recall and delays by label value.
pub fn labels(detection: &Detection, settings: &AlarmSettings) -> String {
    let names = head([
        "label",
        "rows",
        "found",
        "recall",
        "episodes",
        "with alarm",
        "median length",
        "median delay",
        "longest",
    ]);
    let delay = |rows: Option<usize>| match (rows, settings.rate) {
        (None, _) => "–".to_owned(),
        (Some(rows), None) => counted(rows, "row"),
        (Some(rows), Some(rate)) => format!("{}, {} s", counted(rows, "row"), number(rows as f64 / rate)),
    };
    let row = |label: &OfLabel| {
        let Share { hits, of, share, low, high } = label.recall;
        vec![
            Cell::head(&*label.label),
            Cell::new(count(of)),
            Cell::new(count(hits)),
            Cell::heat(
                format!("{} ({} to {})", percent(share), number(100.0 * low), number(100.0 * high)),
                1.0 - share,
                "missed rows are coloured",
            ),
            Cell::new(count(label.episodes)),
            Cell::new(count(label.found)),
            Cell::new(counted(label.median_length, "row")),
            Cell::new(delay(label.median_delay)),
            Cell::new(delay(label.longest_delay)),
        ]
    };
    let rows: Vec<_> = detection.labels.iter().take(MOST_LABELS).map(row).collect();
    let left_out = match detection.labels.len() - rows.len() {
        0 => String::new(),
        count => format!(" {count} rarer values are not listed."),
    };
    let look_for = format!(
        "Look for values with a low recall: the kinds of fault that the model misses (90 % interval in brackets). An episode is a run of consecutive rows of one \
         value; its delay is the number of rows until the first alarm by the rule “{}”. Where the median episode is one row long, \
         the file is not in the order of time, and delays mean little.{left_out}",
        detection.rule
    );
    table("Recall and delay by label", &look_for, &names, &rows)
}

/// Returns the matrix of blame.
pub fn blame(matrix: &BlameMatrix, columns: &[OfColumn], labelled: bool) -> String {
    let total = |name: &str| matrix.labels.iter().filter_map(|(_, _, counts)| counts.get(name)).sum::<usize>();
    let mut blamed: Vec<&str> = columns.iter().map(|column| &*column.column).filter(|name| total(name) > 0).collect();
    blamed.sort_by_key(|name| std::cmp::Reverse(total(name)));
    let left_out = blamed.len().saturating_sub(WIDE);
    blamed.truncate(WIDE);
    let mut names = head(["label", "rows"]);
    names.extend(blamed.iter().map(|name| shortened(name)));
    let row = |(label, rows, counts): &(String, usize, std::collections::BTreeMap<String, usize>)| {
        let mut cells = vec![Cell::head(&**label), Cell::new(count(*rows))];
        for name in &blamed {
            let share = counts.get(*name).copied().unwrap_or(0) as f64 / (*rows).max(1) as f64;
            let text = if share == 0.0 { String::new() } else { format!("{:.0} %", 100.0 * share) };
            cells.push(Cell::heat(text, share, format!("{label}: {name}")));
        }
        cells
    };
    let rows: Vec<_> = matrix.labels.iter().map(row).collect();
    let sample =
        if matrix.is_sample { " Of frequent values an evenly spread part of the rows was searched." } else { "" };
    let wide = if left_out > 0 {
        format!(" {left_out} columns that are blamed more rarely are not shown.")
    } else {
        String::new()
    };
    let what = if labelled {
        "Each row should name the columns that an engineer would suspect for this kind of fault."
    } else {
        "Look for a column that is blamed in most alarms: check this sensor first."
    };
    table(
        "Blamed columns",
        &format!(
            "{what} Of the rows above the threshold, this is the share in which each column is the likeliest at fault.{sample}{wide}"
        ),
        &names,
        &rows,
    )
}

/// Returns the table of the most surprising rows.
pub fn top(rows: &[TopRow], columns: &[OfColumn], unit: &str, is_series: bool) -> String {
    // The columns first that contribute most to these rows.
    let nats = |column: &OfColumn| -> f64 {
        let own = rows.iter().flat_map(|row| &row.columns).filter(|(source, ..)| *source == column.source);
        own.map(|(_, _, nats)| nats).sum()
    };
    let mut shown: Vec<&OfColumn> = columns.iter().collect();
    shown.sort_by(|a, b| nats(b).total_cmp(&nats(a)));
    shown.truncate(WIDE);
    let [files, times, labels] = [
        rows.iter().any(|row| row.file.is_some()),
        rows.iter().any(|row| row.time.is_some()),
        rows.iter().any(|row| row.label.is_some()),
    ];
    let mut names = vec![unit.to_owned()];
    names.extend(
        [(files, "file"), (times, "time"), (labels, "label")]
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| name.to_owned()),
    );
    names.extend(head(["score", "at fault", "value", "expected"]));
    names.extend(shown.iter().map(|column| shortened(&column.column)));
    let row = |row: &TopRow| {
        let mut cells = vec![Cell::head(row.line.to_string())];
        let texts = [(files, &row.file), (times, &row.time), (labels, &row.label)];
        cells.extend(
            texts.into_iter().filter(|(is, _)| *is).map(|(_, text)| Cell::new(text.clone().unwrap_or_default())),
        );
        let or = row.or.as_ref().map_or(String::new(), |other| format!(" or {}", shortened(other)));
        cells.push(Cell::new(number(row.anomaly)));
        cells.push(Cell::new(format!("{}{or}", shortened(&row.blamed))));
        cells.push(Cell::new(shortened(&row.value)));
        cells.push(Cell::new(if row.expected.is_empty() { "–".into() } else { shortened(&row.expected) }));
        let most = row.columns.iter().map(|(_, _, nats)| *nats).fold(1.0, f64::max);
        for column in &shown {
            let own = row.columns.iter().find(|(source, ..)| *source == column.source);
            let Some((_, reading, nats)) = own else {
                cells.push(Cell::new(""));
                continue;
            };
            let hint = format!("{}: {} nats, baseline {}", column.column, number(*nats), number(column.baseline));
            cells.push(Cell::heat(shortened(reading), nats / most, hint));
        }
        cells
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let wide = match columns.len().saturating_sub(WIDE) {
        0 => String::new(),
        count => format!(" {count} columns that contribute less are not shown."),
    };
    let series = if is_series {
        " The model is one of a time series: the readings are differences from the prediction, and there is no expected value."
    } else {
        ""
    };
    table(
        "The most surprising rows",
        &format!(
            "Each cell holds the reading, and its colour the nats that it contributes to the surprisal, against the largest of the \
             row. The column at fault is the one whose replacement makes the row most normal; it need not be the most \
             coloured.{series}{wide}"
        ),
        &names,
        &rows,
    )
}

/// Returns the table of the model, its baselines and smaller tables.
pub fn likelihoods(all: &[(&str, &Likelihood)], work: &str) -> String {
    let (_, own) = all[0];
    let row = |name: String, bytes: Option<usize>, nats: f64, note: String| {
        let bytes = Cell::new(bytes.map_or("–".into(), count));
        let worse = nats - own.model;
        vec![
            Cell::head(name),
            bytes,
            Cell::new(format!("{nats:.3}")),
            Cell::new(format!("{worse:+.3}")),
            Cell::note(note),
        ]
    };
    let mut rows = vec![
        row("uniform".into(), None, own.uniform, "every outcome of a column is equally likely".into()),
        row(
            "independent columns".into(),
            Some(own.independent_bytes),
            own.independent,
            "the frequencies of these very rows".into(),
        ),
    ];
    rows.extend(own.smaller.iter().rev().map(|smaller| {
        row("fewer conditionals".into(), Some(smaller.bytes), smaller.nats, format!("without {}", smaller.without))
    }));
    for (at, (name, likelihood)) in all.iter().enumerate() {
        let note = if at == 0 { work.to_owned() } else { "in the cells of that model".into() };
        rows.push(row((*name).to_owned(), Some(likelihood.bytes), likelihood.model, note));
    }
    let rule = "Each smaller table is this one with some conditionals replaced by the frequencies of their columns, those first \
                that lose least per byte: an upper bound, because a fit with a smaller --flash chooses better.";
    table(
        "Surprisal of normal rows against size",
        &format!(
            "Read the loss of a smaller table in the column of differences: nats per row more than this model. {rule}"
        ),
        &head(["model", "bytes", "nats per row", "difference", ""]),
        &rows,
    )
}

/// Returns two heat maps of pairwise dependence.
pub fn dependence(sampled: &Sampled) -> String {
    let names: Vec<String> = sampled.columns.iter().map(|marginal| shortened(&marginal.column)).collect();
    let off_diagonal = |matrix: &[Vec<f64>]| -> f64 {
        let each = matrix.iter().enumerate().flat_map(|(a, row)| row.iter().enumerate().filter(move |(b, _)| *b != a));
        each.map(|(_, nats)| *nats).fold(0.01, f64::max)
    };
    let most = off_diagonal(&sampled.real).max(off_diagonal(&sampled.drawn));
    let map = |title: &str, look_for: &str, matrix: &[Vec<f64>]| {
        let mut head = vec![String::new()];
        head.extend(names.iter().cloned());
        let row = |(a, row): (usize, &Vec<f64>)| {
            let mut cells = vec![Cell::head(&*names[a])];
            cells.extend(row.iter().enumerate().map(|(b, nats)| match a == b {
                true => Cell::new("·"),
                false => Cell::heat(format!("{nats:.2}"), nats / most, format!("{} and {}", names[a], names[b])),
            }));
            cells
        };
        table(title, look_for, &head, &matrix.iter().enumerate().map(row).collect::<Vec<_>>())
    };
    map(
        "Dependence in the file",
        "Mutual information of each pair of columns, in nats: how much one tells of the other.",
        &sampled.real,
    ) + &map(
        "Dependence in drawn rows",
        "The same for rows that the model draws. Both maps should look alike; a pair that is paler here depends on each other in a way \
         that the model does not know.",
        &sampled.drawn,
    )
}

/// Returns the table of the four numbers of two models.
pub fn against(names: [&str; 2], own: &[Tile], other: &[Tile]) -> String {
    let shown = |tile: &Tile| {
        let value = tile.value.map_or("–".into(), number);
        let interval =
            tile.interval.map_or(String::new(), |[low, high]| format!(" ({} to {})", number(low), number(high)));
        Cell::new(value + &interval)
    };
    let row = |(own, other): (&Tile, &Tile)| {
        let difference = own.value.zip(other.value).map(|(own, other)| own - other);
        let difference = difference.map_or("–".into(), |difference| {
            let sign = if difference > 0.0 { "+" } else { "" };
            format!("{sign}{}", number(difference))
        });
        vec![Cell::head(&*own.what), shown(own), shown(other), Cell::new(difference)]
    };
    let rows: Vec<_> = own.iter().zip(other).map(row).collect();
    table(
        "The four numbers of both models",
        "Differences are this model minus the other. A difference within the intervals may be chance.",
        &head(["", names[0], names[1], "difference"]),
        &rows,
    )
}

/// Returns a table of facts.
pub fn facts(title: &str, look_for: &str, facts: &[(String, String)]) -> String {
    let rows: Vec<_> = facts.iter().map(|(name, value)| vec![Cell::head(&**name), Cell::note(&**value)]).collect();
    table(title, look_for, &head(["", ""]), &rows)
}
