//! The results of the anomaly protocols as tables and as JSON, and the results below their required values.

use serde_json::{Value, json};

use super::fitted::{Alarms, Quality};

/// The significance level of the Kolmogorov-Smirnov test for uniform p-values.
const LEVEL: f64 = 0.001;

/// The fall of the AUC-ROC between two methods that is pointed out, in percent.
const MOST_FALL: f64 = 2.0;

/// How well a method separates the test rows of one split of a set.
struct Outcome {
    protocol: &'static str,
    set: String,
    method: &'static str,
    quality: Quality,
}

/// The results of all protocols.
#[derive(Default)]
pub struct Report {
    outcomes: Vec<Outcome>,
    /// (data set, false-alarm rate that the detector is calibrated for, alarms) per split.
    alarms: Vec<(String, f64, Alarms)>,
    /// The results of the protocol SKAB, as a JSON object.
    pub skab: Value,
    /// The tables of results as text.
    pub text: String,
    /// One message for each result that is below its required value.
    pub missed: Vec<String>,
}

impl Report {
    /// Adds the quality of a method on one split of a set, computed from `[row]` scores and `[row]` whether it is
    /// anomalous.
    pub fn note(
        &mut self,
        protocol: &'static str,
        set: &str,
        method: &'static str,
        scores: &[f64],
        anomalous: &[bool],
    ) {
        self.outcomes.push(Outcome { protocol, set: set.to_owned(), method, quality: Quality::of(scores, anomalous) });
    }

    /// Adds the alarms on one split of a set. `promised` is the rate per row that the detector is calibrated for.
    pub fn note_alarms(&mut self, set: &str, promised: f64, alarms: Alarms) {
        self.alarms.push((set.to_owned(), promised, alarms));
    }

    /// Returns the quality of a method: the mean over sets of the mean over splits, or `None` if a set was not
    /// measured.
    pub fn mean(&self, protocol: &str, sets: &[&str], method: &str) -> Option<Quality> {
        let of_set = |set: &&str| {
            let splits = self
                .outcomes
                .iter()
                .filter(|outcome| outcome.protocol == protocol && outcome.set == *set && outcome.method == method);
            average(&splits.map(|outcome| outcome.quality).collect::<Vec<_>>())
        };
        average(&sets.iter().map(of_set).collect::<Option<Vec<_>>>()?)
    }

    /// Adds a message to `missed` if the result `found` of `what` is less than `least`, or was not measured.
    pub fn floor(&mut self, what: &str, found: Option<f64>, least: f64) {
        match found {
            Some(found) if found >= least => {}
            Some(found) => self.missed.push(format!("{what} {found:.2}, expected at least {least:.2}")),
            None => self.missed.push(format!("{what} was not measured")),
        }
    }

    /// Appends a line to the text.
    pub fn say(&mut self, line: &str) {
        self.text += line.trim_end();
        self.text.push('\n');
    }

    /// Appends the tables of a protocol: a line per set, and the mean of the sets in `of_mean`, or of all if it is
    /// empty.
    pub fn table(&mut self, title: &str, protocol: &str, of_mean: &[&str]) {
        let (mut sets, mut methods) = (Vec::new(), Vec::new());
        for Outcome { set, method, .. } in self.outcomes.iter().filter(|outcome| outcome.protocol == protocol) {
            if !sets.contains(&set.as_str()) {
                sets.push(set);
            }
            if !methods.contains(method) {
                methods.push(method);
            }
        }
        let of_mean = if of_mean.is_empty() { &sets } else { of_mean };
        let mut lines = vec![format!("\n{title}")];
        for (measure, pick) in
            [("AUC-ROC", (|quality| quality.roc) as fn(Quality) -> f64), ("AUC-PR", |quality| quality.pr)]
        {
            let line = |first: &str, sets: &[&str]| {
                let value = |method: &&str| self.mean(protocol, sets, method).map_or(f64::NAN, pick);
                methods.iter().fold(format!("{first:<12}"), |line, method| line + &format!("{:>9.2}", value(method)))
            };
            lines.push(methods.iter().fold(format!("{measure:<12}"), |line, method| line + &format!("{method:>9}")));
            lines.extend(sets.iter().map(|set| line(set, &[set])));
            if sets.len() > 1 {
                lines.push(line("mean", of_mean));
            }
        }
        lines.iter().for_each(|line| self.say(line));
    }

    /// Appends the difference in AUC-ROC between two methods on each of these sets, and the mean difference. Appends
    /// nothing if one of the methods was not measured on a set.
    pub fn differences(&mut self, protocol: &str, [first, second]: [&str; 2], sets: &[&str]) {
        let of = |sets: &[&str], method| self.mean(protocol, sets, method).map(|mean| mean.roc);
        let difference = |sets: &[&str]| Some(of(sets, first)? - of(sets, second)?);
        let Some(each) = sets.iter().map(|&set| Some((set, difference(&[set])?))).collect::<Option<Vec<_>>>() else {
            return;
        };
        let mut line = format!("AUC-ROC, {first} minus {second}:");
        each.iter().for_each(|(set, difference)| line += &format!(" {set} {difference:+.2},"));
        line +=
            &format!(" mean {:+.2}", each.iter().map(|(_, difference)| difference).sum::<f64>() / each.len() as f64);
        self.say(&line);
        for (set, difference) in each.into_iter().filter(|(_, difference)| *difference < -MOST_FALL) {
            self.say(&format!("{set} falls by {:.2}, more than {MOST_FALL}", -difference));
        }
    }

    /// Appends the table of alarm rates and distances of p-values, a line per set and rate, and checks both.
    pub fn alarms_table(&mut self) {
        self.say("\nAlarms on normal test rows, and the distance of their p-values from the uniform distribution");
        self.say("set          promised    fresh  calibration     rate  at most  distances (at most)");
        let mut groups: Vec<(String, f64)> = Vec::new();
        for (set, promised, _) in &self.alarms {
            if !groups.iter().any(|(of, rate)| of == set && rate == promised) {
                groups.push((set.clone(), *promised));
            }
        }
        for (set, promised) in groups {
            let of_group = self.alarms.iter().filter(|(of, rate, _)| *of == set && *rate == promised);
            let splits: Vec<Alarms> = of_group.map(|(.., alarms)| *alarms).collect();
            let (rate, bound) = Alarms::rate(&splits, promised);
            let distances =
                splits.iter().map(|split| format!("{:.4} ({:.4})", split.distance, split.most_distance(LEVEL)));
            let distances = distances.collect::<Vec<_>>().join("  ");
            let Alarms { fresh, calibration, .. } = splits[0];
            self.say(&format!(
                "{set:<12} {promised:>8} {fresh:>8} {calibration:>12} {rate:>8.5} {bound:>8.5}  {distances}"
            ));
            if rate > bound {
                self.missed.push(format!("{set}: {rate:.5} alarms per row, expected at most {bound:.5}"));
            }
            if splits.iter().any(|split| split.distance > split.most_distance(LEVEL)) {
                self.missed.push(format!(
                    "{set}: the distance of the p-values from the uniform distribution is above its limit"
                ));
            }
        }
        self.say(
            "limit of a rate: the promised rate plus three standard errors, from both fresh and calibration rows;",
        );
        self.say(&format!(
            "limit of a distance: two samples of those sizes from one distribution exceed it once in {} times",
            1.0 / LEVEL
        ));
    }

    /// Returns one JSON object with the results of every split and the messages of `missed`.
    pub fn json(&self) -> Value {
        let outcome = |Outcome { protocol, set, method, quality }: &Outcome| json!({ "protocol": protocol, "set": set, "method": method, "auc_roc": quality.roc, "auc_pr": quality.pr });
        let alarms = |(set, promised, alarms): &(String, f64, Alarms)| {
            json!({
                "set": set,
                "promised": promised,
                "fresh": alarms.fresh,
                "calibration": alarms.calibration,
                "raised": alarms.raised,
                "distance": alarms.distance,
                "most_distance": alarms.most_distance(LEVEL),
            })
        };
        json!({
            "outcomes": self.outcomes.iter().map(outcome).collect::<Vec<_>>(),
            "alarms": self.alarms.iter().map(alarms).collect::<Vec<_>>(),
            "skab": self.skab,
            "missed": self.missed,
        })
    }
}

fn average(qualities: &[Quality]) -> Option<Quality> {
    let mean = |of: fn(&Quality) -> f64| qualities.iter().map(of).sum::<f64>() / qualities.len() as f64;
    (!qualities.is_empty()).then(|| Quality { roc: mean(|quality| quality.roc), pr: mean(|quality| quality.pr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_over_splits_first_and_needs_every_set() {
        let anomalous = [false, true];
        let mut report = Report::default();
        // Set a is ranked correctly in one of two splits, set b in its only one.
        report.note("p", "a", "m", &[0.0, 1.0], &anomalous);
        report.note("p", "a", "m", &[1.0, 0.0], &anomalous);
        report.note("p", "b", "m", &[0.0, 1.0], &anomalous);
        assert_eq!(report.mean("p", &["a", "b"], "m").map(|quality| quality.roc), Some(75.0));
        assert_eq!(report.mean("p", &["a", "c"], "m"), None);
        report.floor("a", Some(74.0), 75.0);
        report.floor("b", Some(75.0), 75.0);
        report.floor("c", None, 75.0);
        assert_eq!(report.missed.len(), 2);
    }
}
