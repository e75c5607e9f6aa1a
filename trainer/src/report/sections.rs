//! The page from top to bottom.

use super::columns::OfColumn;
use super::content::Content;
use super::html::{self, absent, escaped_html, page as whole, paragraph, section};
use super::likelihood::Smaller;
use super::summary::{Grade, Summary};
use super::words::{count, counted, number};
use super::{detection, figures, provenance, tables, timeline};
use crate::evaluate::mean;

/// Largest number of columns that have a bar.
const BARS: usize = 30;
/// Number of columns whose outcomes are drawn.
const MARGINALS: usize = 6;

/// Share of the nats that a model saves which a smaller table may lose.
const DISPENSABLE: f64 = 0.05;

/// Returns the page.
pub fn page(content: &Content) -> String {
    let sections = [
        ("scores", "Scores", scores(content)),
        ("thresholds", "Thresholds and alarms", thresholds(content)),
        ("curves", "ROC and precision", curves(content)),
        ("timeline", "Timeline", over_time(content)),
        ("calibration", "Calibration", calibration(content)),
        ("columns", "Columns", columns(content)),
        ("rows", "The most surprising rows", rows(content)),
        ("sampled", "Real and drawn rows", sampled(content)),
        ("reliability", "Reliability", reliability(content)),
        ("size", "Likelihood and size", size(content)),
        ("drift", "Drift and rounding", drift(content)),
        ("provenance", "Provenance", origin(content)),
    ];
    let settings = content.settings;
    let title = match settings.other.is_empty() {
        true => format!("{}: is this model good enough?", settings.model),
        false => format!("{} against {}", settings.model, settings.other),
    };
    let mut body = format!("<h1>{}</h1>\n", escaped_html(&title));
    body += &first_screen(content);
    let links = sections.iter().map(|(id, name, _)| format!("<a href=\"#{id}\">{}</a> ", escaped_html(name)));
    body += &format!("<nav>{}</nav>\n", links.collect::<String>());
    if let Some(other) = &content.other {
        let names = [&*settings.model, &*settings.other];
        let both = tables::against(names, &content.own.summary.tiles, &other.summary.tiles);
        body += &section("against", "Against the other model", &(both + &advantage(content)));
    }
    body.extend(sections.iter().map(|(id, name, content)| section(id, name, content)));
    whole(&title, &body)
}

fn first_screen(content: &Content) -> String {
    let Summary { grade, verdict, reasons, tiles } = &content.own.summary;
    let class = match grade {
        Grade::Yes => "yes",
        Grade::Partly => "partly",
        Grade::No => "no",
    };
    let mut html = html::verdict(class, verdict) + "<ul class=\"tiles\">\n";
    for tile in tiles {
        let value = tile.value.map_or("unknown".into(), number);
        let interval = tile.interval.map_or(String::new(), |[low, high]| {
            format!("<span>90 % interval {} to {}</span>", number(low), number(high))
        });
        let (what, note) = (escaped_html(&tile.what), escaped_html(&tile.note));
        html += &format!("<li><span class=\"what\">{what}</span><b>{value}</b>{interval}<span>{note}</span></li>\n");
    }
    html += "</ul>\n";
    html.extend(reasons.iter().map(|reason| paragraph(reason)));
    html.extend(content.own.applied.of_fit().map(|warning| paragraph(&format!("Caution: {}.", warning.message))));
    html + "<p class=\"soft\">Intervals count rows as independent; rows that follow each other closely make them too narrow. The \
            best grade asks for a kept promise on false alarms, for intervals of recall, of all anomalous rows and of each kind, that \
            begin at 90 % or above (without labels, for no drift), and for a model that saves nats.</p>\n"
}

fn advantage(content: &Content) -> String {
    match &content.advantage {
        Some(Ok(found)) => {
            let error = found.error.map_or(String::new(), |error| format!(" ± {}", number(error)));
            let word = if found.nats >= 0.0 { "more" } else { "less" };
            paragraph(&format!(
                "On {} normal rows, this model makes a row {word} likely than the other by {}{error} nats (mean and standard error).",
                count(found.rows),
                number(found.nats.abs())
            ))
        }
        Some(Err(error)) => absent(&format!("The likelihoods of both models cannot be compared: {error}.")),
        None => String::new(),
    }
}

fn scores(content: &Content) -> String {
    let models: Vec<_> = std::iter::once(&content.own).chain(&content.other).collect();
    let applied: Vec<_> = models.iter().map(|model| model.applied).collect();
    let both: Vec<_> = models.iter().map(|model| (model.applied, &model.detection)).collect();
    figures::histogram(&both, figures::range(&applied))
}

fn thresholds(content: &Content) -> String {
    let (detection, settings) = (&content.own.detection, &content.settings.alarms);
    let mut html = if detection.thresholds.is_empty() {
        absent("The model has no calibration, and so no thresholds; fit again with calibration rows.")
    } else {
        tables::thresholds(detection, settings)
    };
    html += &match (detection.labels.is_empty(), detection.anomalous_rows) {
        (false, _) => tables::labels(detection, settings),
        (true, Some(_)) => absent("No row has an anomalous label, so that there is no recall."),
        (true, None) => {
            absent("The rows have no labels, so that there is no recall; name a column with --label if there is one.")
        }
    };
    let raised = detection.raised;
    let of_normal = raised.on_normal_rows.map_or(String::new(), |alarms| {
        format!(", {} of them on the {} normal rows", count(alarms), count(detection.normal_rows))
    });
    html + &paragraph(&format!(
        "By the rule “{}”, a board raises {} on these rows{of_normal}, and reports a trend of several rows {}.",
        detection.rule,
        counted(raised.alarms, "alarm"),
        counted(raised.trends, "time"),
    ))
}

fn curves(content: &Content) -> String {
    let own = detection::curves(content.own.applied);
    let other = content.other.as_ref().and_then(|other| detection::curves(other.applied));
    let names = [&*content.settings.model, &*content.settings.other];
    let all: Vec<_> =
        [&own, &other].into_iter().zip(names).filter_map(|(curves, name)| Some((name, curves.as_ref()?))).collect();
    if all.is_empty() {
        return absent("Curves need both normal and anomalous rows; these rows have labels of one kind or none.");
    }
    figures::curves(&all, &content.own.detection)
}

fn over_time(content: &Content) -> String {
    let own = &content.own;
    let range = figures::range(&[own.applied]);
    let mut html = timeline::chart(own.applied, &own.reports, range, own.detection.threshold).figure();
    html += &match timeline::regimes(own.applied) {
        Some(chart) => chart.figure(),
        None => absent("The model has no prototypes, so that there are no regimes to show."),
    };
    html
}

fn calibration(content: &Content) -> String {
    let detection = &content.own.detection;
    if detection.p_values.is_empty() {
        return absent("There are no p-values: the model has no calibration, or no row is normal.");
    }
    figures::p_values(&detection.p_values, detection.anomalous_rows.is_some())
}

fn columns(content: &Content) -> String {
    let all = &content.columns.each;
    if all.is_empty() {
        return absent("The model scores no column.");
    }
    let [normal, anomalous] = content.columns.rows;
    let shown: Vec<OfColumn> = all.iter().take(BARS).cloned().collect();
    let mut html = figures::columns(&shown, anomalous > 0);
    if all.len() > BARS {
        html += &paragraph(&format!("Shown are the {BARS} most important of {} columns.", all.len()));
    }
    html += &importance(all);
    html += &paragraph(&format!("Means are over {} normal and {} anomalous rows.", count(normal), count(anomalous)));
    html + &match content.blame.labels.is_empty() {
        true => absent("No row is above the threshold, so that no column is blamed."),
        false => tables::blame(&content.blame, all, content.own.detection.anomalous_rows.is_some()),
    }
}

/// Returns a sentence on the columns that reveal most.
fn importance(all: &[OfColumn]) -> String {
    let excess = |column: &OfColumn| match column.anomalous {
        Some(anomalous) => (anomalous - column.normal, anomalous, column.normal),
        None => (column.normal - column.baseline, column.normal, column.baseline),
    };
    let words = |column: &OfColumn| {
        let (_, own, other) = excess(column);
        format!("{} ({} in place of {})", column.column, number(own), number(other))
    };
    let most: Vec<String> = all.iter().filter(|column| excess(column).0 > 0.5).take(3).map(words).collect();
    let kind = if all[0].anomalous.is_some() { "Anomalous rows" } else { "These rows" };
    paragraph(&match most.is_empty() {
        true => format!("{kind} are not more surprising in any one column, by half a nat or more."),
        false => format!("{kind} are more surprising most of all in {}, in nats.", most.join(", ")),
    })
}

fn rows(content: &Content) -> String {
    let applied = content.own.applied;
    if content.top.is_empty() {
        return absent("There are no rows.");
    }
    let is_series = applied.artefact.notes.fit.history.is_some();
    tables::top(&content.top, &content.columns.each, applied.frame.unit, is_series)
}

fn sampled(content: &Content) -> String {
    let found = match &content.sampled {
        Err(error) => return absent(&format!("The model cannot draw rows: {error}.")),
        Ok(found) if found.rows < 2 => return absent("There are too few normal rows to compare drawn rows with."),
        Ok(found) => found,
    };
    let mut marginals: Vec<_> = found.columns.iter().collect();
    marginals.sort_by(|a, b| b.total_variation.total_cmp(&a.total_variation));
    let variations: Vec<f64> = marginals.iter().map(|marginal| marginal.total_variation).collect();
    let mut html = paragraph(&format!(
        "{} rows that the model draws stand beside as many normal rows of the file. Per column, the total variation between both is \
         {} on average and {} at most; 0 is equal, 1 is apart. Below are the columns that differ most: the dots should stand on the \
         bars.",
        count(found.rows),
        number(mean(&variations)),
        number(variations.first().copied().unwrap_or(0.0))
    ));
    marginals.truncate(MARGINALS);
    html += &figures::marginals(&marginals);
    html += &match found.columns.len() {
        0 | 1 => absent("One column alone has no pairwise dependence."),
        _ => tables::dependence(found),
    };
    if found.left_out > 0 {
        html += &paragraph(&format!("{} less important columns are not compared.", found.left_out));
    }
    html
}

fn reliability(content: &Content) -> String {
    match &content.own.likelihood {
        Some(likelihood) => figures::reliability(&likelihood.reliability),
        None => absent("There are too few normal rows to compare probabilities with frequencies."),
    }
}

fn size(content: &Content) -> String {
    let names = [&*content.settings.model, &*content.settings.other];
    let models = [Some(&content.own), content.other.as_ref()];
    let all: Vec<_> =
        models.into_iter().zip(names).filter_map(|(model, name)| Some((name, model?.likelihood.as_ref()?))).collect();
    let Some((_, own)) = all.first() else {
        return absent("There are too few normal rows to measure a likelihood.");
    };
    let mut html = figures::sizes(&all);
    html += &tables::likelihoods(&all, &provenance::work_in_words(content.own.applied));
    html += &paragraph(&format!("Means are over {} normal rows.", count(own.rows)));
    let saved = own.independent - own.model;
    html += &smaller(&own.smaller, own.bytes, own.model, saved).map_or(String::new(), |words| paragraph(&words));
    html + &own.no_smaller.as_deref().map_or(String::new(), absent)
}

/// Returns a sentence on the smallest table that keeps nearly all that the model saves against independent columns, or is
/// better than the model. `nats` and `saved` are those of the model, per row.
fn smaller(tables: &[Smaller], bytes: usize, nats: f64, saved: f64) -> Option<String> {
    let keeps = |smaller: &&Smaller| smaller.nats - nats <= DISPENSABLE * saved.max(0.0);
    let smallest = tables.iter().filter(keeps).min_by_key(|smaller| smaller.bytes)?;
    let lost = smallest.nats - nats;
    let head = format!(
        "A table of about {} bytes in place of {}, without {},",
        count(smallest.bytes),
        count(bytes),
        smallest.without
    );
    if lost < 0.0 {
        let gained = number(-lost);
        return Some(format!(
            "{head} is smaller and better: it lowers the mean surprisal of these rows by {gained} nats."
        ));
    }
    (lost > 0.0 && saved > 0.0).then(|| {
        let (lost, saved) = (number(lost), number(saved));
        format!("{head} would lose at most {lost} nats per row of the {saved} that this model saves against independent columns.")
    })
}

fn drift(content: &Content) -> String {
    let drift = content.own.detection.drift;
    let rows = if content.own.detection.anomalous_rows.is_some() { "normal rows" } else { "rows" };
    let mut html = match drift.error {
        Some(error) => paragraph(&format!(
            "Drift: the {rows} have {} ± {} nats more surprisal per row than the calibration rows, which is {}significant. Scores above \
             the largest calibration score count as that score.",
            number(drift.estimate),
            number(error),
            if drift.drifted { "" } else { "not " }
        )),
        None => absent("Drift needs at least two rows here and in the calibration."),
    };
    html += &match content.own.likelihood.as_ref().and_then(|likelihood| likelihood.rounding) {
        Some(nats) => paragraph(&format!(
            "Rounding: probabilities are multiples of 1/65536. That costs at most {} nats per normal row if each is off by one such unit.",
            number(nats)
        )),
        None => absent(
            "Rounding: the file of a model of bits does not hold the weights before quantisation, so that their cost cannot be measured \
             here; `surprisal fit` prints it.",
        ),
    };
    html
}

fn origin(content: &Content) -> String {
    let look_for = "Keep these with the page: they say which file, options and versions give it again.";
    let mut html = tables::facts("This model and these rows", look_for, &provenance::facts(content.own.applied));
    if let Some(other) = &content.other {
        html += &tables::facts("The other model", look_for, &provenance::facts(other.applied));
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_table_loses_or_is_better() {
        let table = |bytes, nats| Smaller { bytes, nats, without: "heat".into() };
        let words = |tables: &[Smaller], saved| smaller(tables, 2000, 5.0, saved);
        let loses = words(&[table(1500, 5.1), table(1000, 7.0)], 3.0).unwrap();
        assert!(loses.contains("1,500 bytes in place of 2,000") && loses.contains("at most 0.1 nats"), "{loses}");
        for saved in [3.0, -3.0] {
            let better = words(&[table(1500, 2.5)], saved).unwrap();
            assert!(better.contains("smaller and better") && better.contains("by 2.5 nats"), "{better}");
            assert!(!better.contains("lose") && !better.contains('-'), "{better}");
        }
        // A model that saves nothing has nothing to lose.
        assert_eq!(words(&[table(1500, 5.1)], -3.0), None);
        assert_eq!(words(&[table(1000, 7.0)], 3.0), None);
    }
}
