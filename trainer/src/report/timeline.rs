//! Scores, alarms, faults and regimes in the order of the rows, thinned out so that no alarm is lost.

use surprisal::Report;

use super::chart::{Axis, Chart, Marks, Paint, Series};
use crate::applied::Applied;

/// Largest number of columns of pixels.
const BUCKETS: usize = 400;
/// Largest number of rectangles of the chart of regimes.
const RECTANGLES: usize = 2000;

/// Returns a chart of the scores in the order of the rows. `range` are the smallest and the largest score of the axis.
pub fn chart(applied: &Applied, reports: &[Report], range: (f64, f64), threshold: Option<f64>) -> Chart {
    let rows = applied.rows.len();
    let count = rows.clamp(1, BUCKETS);
    let bucket = |at: usize| at * rows / count..((at + 1) * rows / count).max(at * rows / count + 1).min(rows);
    // Room for two lanes of alarms above the scores.
    let (low, high) = range;
    let y = Axis::positive("anomaly score, nats", low, high);
    let top = y.at(1.25);
    let y = Axis::positive("anomaly score, nats", low, top);
    let (mut normal, mut anomalous, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let (mut false_alarms, mut alarms) = (Vec::new(), Vec::new());
    for at in 0..count {
        let own = bucket(at);
        let (left, right) = (own.start as f64, own.end as f64);
        let middle = 0.5 * (left + right);
        for (kind, scores, lane) in [(false, &mut normal, &mut false_alarms), (true, &mut anomalous, &mut alarms)] {
            let of_kind = || own.clone().filter(|&row| applied.kind(row) == Some(kind));
            if let Some(most) = of_kind().map(|row| applied.scores[row].anomaly).max() {
                scores.push((middle, f64::from(most).clamp(low, high)));
            }
            if of_kind().any(|row| reports[row].alarm) {
                let lane_at = if kind { 0.93 } else { 0.84 };
                lane.push((middle, y.at(lane_at), y.at(lane_at + 0.06)));
            }
        }
        if own.clone().any(|row| applied.is_anomalous(row)) {
            faults.push([left, right, low, y.at(0.82)]);
        }
    }
    merge(&mut faults);
    let is_labelled = applied.anomalous.is_some();
    let mut series = Vec::new();
    if !faults.is_empty() {
        series.push(Series::new("labelled as fault", Paint::Band, Marks::Bars(faults)));
        series.push(Series::new("largest score of anomalous rows", Paint::Anomalous, Marks::Dots(anomalous)));
    }
    let name = if is_labelled { "largest score of normal rows" } else { "largest score" };
    series.push(Series::new(name, Paint::Normal, Marks::Line(normal)));
    if let Some(threshold) = threshold {
        let across = vec![(0.0, threshold), (rows as f64, threshold)];
        series.push(Series::new("threshold", Paint::Alarm, Marks::Dashes(across)));
    }
    if !alarms.is_empty() {
        series.push(Series::new("alarm on a fault (upper lane)", Paint::Anomalous, Marks::Whiskers(alarms)));
    }
    if !false_alarms.is_empty() {
        let name = if is_labelled { "false alarm (lower lane)" } else { "alarm" };
        series.push(Series::new(name, Paint::Alarm, Marks::Whiskers(false_alarms)));
    }
    let what = match (is_labelled, rows > BUCKETS) {
        (true, _) => "Alarms should stand over shaded faults and nowhere else.",
        (false, _) => {
            "Look for stretches in which the line stays near the threshold: a change of the machine, not one odd row."
        }
    };
    let thinned = format!(
        " Each point is the largest score of up to {} consecutive scored rows, so that no alarm is lost.",
        rows.div_ceil(count)
    );
    let look_for = format!("{what}{}", if rows > BUCKETS { thinned.as_str() } else { "" });
    Chart {
        height: 300,
        ..Chart::new(
            "Scores and alarms over the file",
            look_for,
            Axis::linear("scored row, in the order of the file", 0.0, rows as f64),
            y,
            series,
        )
    }
}

/// Joins rectangles that touch.
fn merge(bars: &mut Vec<[f64; 4]>) {
    let mut merged: Vec<[f64; 4]> = Vec::new();
    for &bar in bars.iter() {
        match merged.last_mut() {
            Some(last) if last[1] >= bar[0] => last[1] = bar[1],
            _ => merged.push(bar),
        }
    }
    *bars = merged;
}

/// Returns a chart of the regimes in the order of the rows; `None` for a model without regimes.
pub fn regimes(applied: &Applied) -> Option<Chart> {
    let rows = applied.rows.len();
    let most = applied.scores.iter().filter_map(|score| score.regime).map(|regime| regime.index).max()?;
    // Rows of many regimes in random order would fill every cell of the chart.
    let count = rows.clamp(1, (RECTANGLES / (usize::from(most) + 1)).min(BUCKETS));
    let mut dots = Vec::new();
    let mut far = Vec::new();
    for at in 0..count {
        let own = at * rows / count..(at + 1) * rows / count;
        let mut seen: Vec<(u8, bool)> = own
            .clone()
            .filter_map(|row| applied.scores[row].regime)
            .map(|regime| (regime.index, regime.is_far))
            .collect();
        seen.sort_unstable();
        seen.dedup();
        for (index, is_far) in seen {
            let (list, low) = if is_far { (&mut far, 0.42) } else { (&mut dots, 0.0) };
            let low = f64::from(index) - low;
            list.push([own.start as f64, own.end as f64, low, low + 0.42]);
        }
    }
    let names: Vec<String> =
        (0..=most).map(|index| if most < 20 || index % 10 == 0 { index.to_string() } else { String::new() }).collect();
    Some(Chart {
        height: 70 + (16 * u32::from(most)).clamp(60, 260),
        ..Chart::new(
            "Operating regimes over the file",
            "Each row belongs to the nearest prototype, its regime. Look for a regime that appears only in faults, and for rows \
             that are far from every regime: the machine then does something that the training rows never did.",
            Axis::linear("scored row, in the order of the file", 0.0, rows as f64),
            Axis::named("regime", &names),
            vec![
                Series::new("near the prototype (upper half)", Paint::Normal, Marks::Bars(dots)),
                Series::new("far from every prototype (lower half)", Paint::Anomalous, Marks::Bars(far)),
            ],
        )
    })
}
