//! The charts of the page, except those over time.

use super::chart::{Axis, BarRow, Chart, Marks, Paint, Series, bars};
use super::columns::OfColumn;
use super::detection::{Curves, Detection, PShare};
use super::likelihood::{Bin, Likelihood};
use super::sampled::Marginal;
use super::words::{number, shortened};
use crate::applied::Applied;

/// Number of bins of the histogram of scores.
const BINS: usize = 48;

/// Returns the smallest and the largest score of the axes: all scores, but at least a hundredth of a nat.
pub fn range(models: &[&Applied]) -> (f64, f64) {
    let of = |applied: &&Applied| -> Vec<f64> {
        let rows = applied.with_reading();
        rows.into_iter().map(|at| applied.scores[at].anomaly.into()).collect()
    };
    let scores = || models.iter().flat_map(of);
    let low = scores().filter(|score| *score > 0.0).fold(f64::INFINITY, f64::min);
    let high = scores().fold(0.1, f64::max).min(1e5);
    (low.max(0.01).min(0.95 * high), high)
}

/// Returns the histogram of the anomaly scores. `models` are the model of the page and, if any, the other one.
pub fn histogram(models: &[(&Applied, &Detection)], range: (f64, f64)) -> String {
    let (low, high) = (range.0.ln(), range.1.ln());
    let width = (high - low) / BINS as f64;
    let edge = |at: usize| (low + width * at as f64).exp();
    let counted = |applied: &Applied, kind: bool| -> Option<Vec<f64>> {
        let chosen = applied.of_kind(kind);
        let mut shares = vec![0.0; BINS];
        for &at in &chosen {
            let score = f64::from(applied.scores[at].anomaly).max(range.0);
            let bin = ((score.ln() - low) / width) as usize;
            shares[bin.min(BINS - 1)] += 100.0 / chosen.len() as f64;
        }
        (!chosen.is_empty()).then_some(shares)
    };
    let bars = |shares: &[f64]| {
        let bar = |(at, &share): (usize, &f64)| (share > 0.0).then(|| [edge(at), edge(at + 1), 0.0, share]);
        Marks::Bars(shares.iter().enumerate().filter_map(bar).collect())
    };
    let outline = |shares: &[f64]| {
        Marks::Line(
            shares.iter().enumerate().flat_map(|(at, &share)| [(edge(at), share), (edge(at + 1), share)]).collect(),
        )
    };
    let (applied, detection) = models[0];
    let labelled = detection.anomalous_rows.is_some();
    let (normal, anomalous) = (counted(applied, false), counted(applied, true));
    let old = models.get(1).map_or([None, None], |(other, _)| [false, true].map(|kind| counted(other, kind)));
    let most = [&normal, &anomalous, &old[0], &old[1]].into_iter().flatten().flatten().fold(1.0, |a: f64, &b| a.max(b));
    let mut series = Vec::new();
    if let (Some(threshold), [low, high]) = (detection.threshold, detection.threshold_interval) {
        if let (Some(low), Some(high)) = (low, high) {
            let band = vec![[low.min(threshold), high.max(threshold), 0.0, most * 1.05]];
            series.push(Series::new("90 % interval of the threshold", Paint::Band, Marks::Bars(band)));
        }
        let line = vec![(threshold, 0.0), (threshold, most * 1.05)];
        series.push(Series::new(format!("threshold, {} nats", number(threshold)), Paint::Alarm, Marks::Dashes(line)));
    }
    let name = if labelled { "normal rows" } else { "rows" };
    series.extend(normal.as_ref().map(|shares| Series::new(name, Paint::Normal, bars(shares))));
    series.extend(anomalous.as_ref().map(|shares| Series::new("anomalous rows", Paint::Anomalous, bars(shares))));
    for (shares, (paint, kind)) in old.iter().zip([(Paint::Other, "normal"), (Paint::Ink, "anomalous")]) {
        let name = format!("other model, {kind} rows");
        series.extend(shares.as_ref().map(|shares| Series::new(name, paint, outline(shares))));
    }
    let look_for = if anomalous.is_some() {
        "A good model leaves a gap between both kinds of rows, and the threshold stands in it. Anomalous rows to the left of the \
         threshold are missed, normal rows to its right are false alarms."
    } else {
        "Rows to the right of the threshold raise alarms. A second hill on the right is another state of the machine rather than \
         chance."
    };
    Chart::new(
        "Anomaly scores",
        look_for,
        Axis::positive("anomaly score, nats", range.0, range.1),
        Axis::linear("% of the rows of a kind", 0.0, most * 1.05),
        series,
    )
    .figure()
}

/// Returns the ROC curve and the precision-recall curve. `all` holds the curves of each model with its name.
pub fn curves(all: &[(&str, &Curves)], detection: &Detection) -> String {
    let paints = [Paint::Normal, Paint::Other];
    let named = |name: &str| if all.len() > 1 { name.to_owned() } else { String::new() };
    let least = 0.5 / detection.normal_rows.max(1) as f64;
    let lines = |of: fn(&Curves) -> &Vec<(f64, f64)>| -> Vec<Series> {
        all.iter()
            .zip(paints)
            .map(|((name, curves), paint)| Series::new(named(name), paint, Marks::Line(of(curves).clone())))
            .collect()
    };
    let mut roc = lines(|curves| &curves.roc);
    let diagonal =
        (0..=100).map(|at| (least.powf(1.0 - f64::from(at) / 100.0), least.powf(1.0 - f64::from(at) / 100.0)));
    roc.push(Series::new("chance", Paint::Grid, Marks::Line(diagonal.collect())));
    let mut precision = lines(|curves| &curves.precision);
    if let (Some(alarms), Some(recall), true) =
        (detection.false_alarms, detection.recall, detection.threshold.is_some())
    {
        let dot = |at| Series::new("at the threshold", Paint::Alarm, Marks::Dots(vec![at]));
        roc.push(dot((alarms.share, recall.share)));
        precision.extend(detection.precision.map(|precision| dot((recall.share, precision))));
    }
    let roc = Chart::new(
        "ROC curve",
        "The higher the curve rises on the left, the more anomalous rows are found at few false alarms. The horizontal axis is \
         logarithmic, because false alarms must be rare to be of use.",
        Axis::log("share of false alarms", least, 1.0),
        Axis::linear("recall", 0.0, 1.0),
        roc,
    );
    let precision = Chart::new(
        "Precision and recall",
        "A curve that stays near the top finds anomalous rows with few false alarms among the alarms. Precision depends on how many \
         anomalous rows the file holds; in the field they are rarer.",
        Axis::linear("recall", 0.0, 1.0),
        Axis::linear("precision", 0.0, 1.0),
        precision,
    );
    roc.figure() + &precision.figure()
}

/// Returns the chart of promised against observed p-values.
pub fn p_values(points: &[PShare], labelled: bool) -> String {
    let least = points.iter().map(|point| point.promised).fold(1.0, f64::min).max(1e-6) / 2.0;
    let band = points.iter().map(|point| (point.promised, point.low.max(least), point.high.max(least))).collect();
    let ideal = points.iter().map(|point| (point.promised, point.promised)).collect();
    let dots = points.iter().filter(|point| point.observed.hits > 0);
    let whiskers =
        points.iter().map(|point| (point.promised, point.observed.low.max(least), point.observed.high.max(least)));
    let rows = if labelled { "normal rows" } else { "rows" };
    Chart::new(
        "Calibration of p-values",
        format!(
            "Of the {rows}, a share of 1 % should have p-values of at most 1 %, and so on along the line. Points above the band are \
             more alarms than promised; points below it mean a threshold that is too careful. The band is what the number of \
             calibration rows leaves open, the bars are what the number of these rows leaves open (90 % each, for independent rows)."
        ),
        Axis::log("promised share", least * 2.0, 1.0),
        Axis::log("observed share", least, 1.0),
        vec![
            Series::new("open by calibration", Paint::Band, Marks::Area(band)),
            Series::new("promise", Paint::Ink, Marks::Dashes(ideal)),
            Series::new("90 % interval", Paint::Normal, Marks::Whiskers(whiskers.collect())),
            Series::new("observed", Paint::Normal, Marks::Dots(dots.map(|point| (point.promised, point.observed.share)).collect())),
        ],
    )
    .figure()
}

/// Returns the bars of what the columns contribute.
pub fn columns(columns: &[OfColumn], has_anomalous: bool) -> String {
    let row = |column: &OfColumn| {
        let mut each = vec![(Paint::Normal, column.normal)];
        let mut text = number(column.normal);
        if let Some(anomalous) = column.anomalous {
            each.push((Paint::Anomalous, anomalous));
            text = format!("{text} and {}", number(anomalous));
        } else {
            each.push((Paint::Other, column.baseline));
            text = format!("{text}, calibration {}", number(column.baseline));
        }
        text += &column.saved.map_or(String::new(), |saved| format!("; saves {}", number(saved)));
        BarRow { name: column.column.clone(), bars: each, text }
    };
    let rows: Vec<_> = columns.iter().map(row).collect();
    let (legend, look_for): (&[(Paint, &str)], &str) = if has_anomalous {
        (
            &[(Paint::Normal, "normal rows"), (Paint::Anomalous, "anomalous rows")],
            "The longer the bar of anomalous rows against that of normal rows, the more the column reveals faults. “Saves” is what \
             the columns before it in model order tell of this one, in nats per normal row; the first of them saves nothing.",
        )
    } else {
        (
            &[(Paint::Normal, "these rows"), (Paint::Other, "calibration rows")],
            "A bar that is longer than that of the calibration rows shows the column that drifts. “Saves” is what the columns \
             before it in model order tell of this one, in nats per row; the first of them saves nothing.",
        )
    };
    bars("Mean surprisal of each column, nats", look_for, &rows, legend)
}

/// Returns the chart of predicted probability against observed frequency.
pub fn reliability(bins: &[Bin]) -> String {
    let ideal = (0..=100).map(|at| (f64::from(at) - 50.0) / 5.5).map(|logit: f64| 1.0 / (1.0 + (-logit).exp()));
    let whiskers = bins.iter().map(|bin| (bin.predicted, bin.observed.low, bin.observed.high)).collect();
    Chart::new(
        "Reliability of the conditionals",
        "Of all outcomes to which the model gives a probability of 10 %, a tenth should happen, and so on along the line. Points \
         below the line are outcomes that the model expects too often, points above it too seldom. The scale spreads both ends.",
        Axis::logit("predicted probability"),
        Axis::logit("observed frequency"),
        vec![
            Series::new("ideal", Paint::Ink, Marks::Dashes(ideal.map(|share| (share, share)).collect())),
            Series::new("90 % interval", Paint::Normal, Marks::Whiskers(whiskers)),
            Series::new("observed", Paint::Normal, Marks::Dots(bins.iter().map(|bin| (bin.predicted, bin.observed.share)).collect())),
        ],
    )
    .figure()
}

/// Returns the chart of likelihood against size. `all` holds each model with its name.
pub fn sizes(all: &[(&str, &Likelihood)]) -> String {
    let (_, own) = all[0];
    let mut points = vec![(own.independent_bytes, own.independent), (own.bytes, own.model)];
    points.extend(own.smaller.iter().map(|smaller| (smaller.bytes, smaller.nats)));
    points.extend(all.iter().map(|(_, likelihood)| (likelihood.bytes, likelihood.model)));
    let extent = |of: fn(&(usize, f64)) -> f64| {
        let values = points.iter().map(of);
        (values.clone().fold(f64::INFINITY, f64::min), values.fold(f64::NEG_INFINITY, f64::max))
    };
    let ((least, most), (low, high)) = (extent(|point| point.0 as f64), extent(|point| point.1));
    let dot = |name: &str, paint, bytes: usize, nats| Series::new(name, paint, Marks::Dots(vec![(bytes as f64, nats)]));
    let mut series = Vec::new();
    if !own.smaller.is_empty() {
        let line = own.smaller.iter().map(|smaller| (smaller.bytes as f64, smaller.nats)).collect();
        series.push(Series::new("with fewer conditionals", Paint::Anomalous, Marks::Dots(line)));
    }
    series.push(dot("independent columns", Paint::Ink, own.independent_bytes, own.independent));
    for ((name, likelihood), paint) in all.iter().zip([Paint::Normal, Paint::Other]) {
        series.push(dot(name, paint, likelihood.bytes, likelihood.model));
    }
    let margin = (0.08 * (high - low)).max(0.05);
    Chart::new(
        "Surprisal against size",
        "Lower is better, further left is smaller. A point that is nearly as low as the model, but far to its left, says that a \
         smaller table would do.",
        Axis::log("bytes of the table", (least * 0.8).max(1.0), most * 1.25),
        Axis::linear("mean surprisal of normal rows, nats", low - margin, high + margin),
        series,
    )
    .figure()
}

/// Returns the charts of the columns that differ most between real and drawn rows.
pub fn marginals(marginals: &[&Marginal]) -> String {
    let chart = |marginal: &&Marginal| {
        let bars = marginal.real.iter().enumerate();
        let bars = bars.map(|(at, &share)| [at as f64 - 0.4, at as f64 + 0.4, 0.0, 100.0 * share]).collect();
        let dots = marginal.drawn.iter().enumerate().map(|(at, &share)| (at as f64, 100.0 * share)).collect();
        let most = marginal.real.iter().chain(&marginal.drawn).fold(0.01, |a: f64, &b| a.max(b));
        Chart {
            width: 420,
            height: 200,
            ..Chart::new(
                &shortened(&marginal.column),
                format!("Total variation {}.", number(marginal.total_variation)),
                Axis::linear("outcome", -0.6, marginal.real.len() as f64 - 0.4),
                Axis::linear("% of rows", 0.0, 105.0 * most),
                vec![
                    Series::new("file", Paint::Normal, Marks::Bars(bars)),
                    Series::new("drawn", Paint::Other, Marks::Dots(dots)),
                ],
            )
        }
        .figure()
    };
    format!("<div class=\"pair\">{}</div>", marginals.iter().map(chart).collect::<String>())
}
