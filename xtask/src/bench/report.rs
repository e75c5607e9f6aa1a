//! What was measured, as tables and as JSON, and which floors were missed.

use serde_json::{Value, json};

use super::ours::{Alarms, Quality};

/// The level of the test that p-values are uniform.
const LEVEL: f64 = 0.001;

/// What a method makes of one deal of a set.
struct Outcome {
    protocol: &'static str,
    set: String,
    method: &'static str,
    quality: Quality,
}

/// All of it.
#[derive(Default)]
pub struct Report {
    outcomes: Vec<Outcome>,
    alarms: Vec<(String, f64, Alarms)>,
    /// What SKAB's part has to say.
    pub skab: Value,
    /// The tables.
    pub text: String,
    /// The floors that were not reached.
    pub missed: Vec<String>,
}

impl Report {
    /// Keeps how good a method's scores are.
    pub fn note(&mut self, protocol: &'static str, set: &str, method: &'static str, scores: &[f64], odd: &[bool]) {
        self.outcomes.push(Outcome { protocol, set: set.to_owned(), method, quality: Quality::of(scores, odd) });
    }

    /// Keeps the alarms of one deal of a set.
    pub fn note_alarms(&mut self, set: &str, promised: f64, alarms: Alarms) {
        self.alarms.push((set.to_owned(), promised, alarms));
    }

    /// The mean over sets of the mean over deals; `None` if one was not measured.
    pub fn mean(&self, protocol: &str, sets: &[&str], method: &str) -> Option<Quality> {
        let of_set = |set: &&str| {
            let deals = self
                .outcomes
                .iter()
                .filter(|outcome| outcome.protocol == protocol && outcome.set == *set && outcome.method == method);
            average(&deals.map(|outcome| outcome.quality).collect::<Vec<_>>())
        };
        average(&sets.iter().map(of_set).collect::<Option<Vec<_>>>()?)
    }

    /// Remembers it if a number is below what it must reach.
    pub fn floor(&mut self, what: &str, found: Option<f64>, least: f64) {
        match found {
            Some(found) if found >= least => {}
            Some(found) => self.missed.push(format!("{what} {found:.2}, expected at least {least:.2}")),
            None => self.missed.push(format!("{what} was not measured")),
        }
    }

    /// A line of a table.
    pub fn say(&mut self, line: &str) {
        self.text += line.trim_end();
        self.text.push('\n');
    }

    /// Both measures of a protocol, a line a set, and the mean of the sets named; of all if none of them is.
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

    /// Rates of alarms and distances of p-values, a line a set and rate; floors them by their bounds.
    pub fn alarms_table(&mut self) {
        self.say("\nAlarms on fresh ordinary rows, and how far their p-values are from uniform ones");
        self.say("set          promised    fresh  calibration     rate  at most  distances (at most)");
        let mut groups: Vec<(String, f64)> = Vec::new();
        for (set, promised, _) in &self.alarms {
            if !groups.iter().any(|(of, rate)| of == set && rate == promised) {
                groups.push((set.clone(), *promised));
            }
        }
        for (set, promised) in groups {
            let of_group = self.alarms.iter().filter(|(of, rate, _)| *of == set && *rate == promised);
            let deals: Vec<Alarms> = of_group.map(|(.., alarms)| *alarms).collect();
            let (rate, bound) = Alarms::rate(&deals, promised);
            let distances = deals.iter().map(|deal| format!("{:.4} ({:.4})", deal.distance, deal.most_distance(LEVEL)));
            let distances = distances.collect::<Vec<_>>().join("  ");
            let Alarms { fresh, calibration, .. } = deals[0];
            self.say(&format!(
                "{set:<12} {promised:>8} {fresh:>8} {calibration:>12} {rate:>8.5} {bound:>8.5}  {distances}"
            ));
            if rate > bound {
                self.missed.push(format!("{set}: {rate:.5} alarms a row, expected at most {bound:.5}"));
            }
            if deals.iter().any(|deal| deal.distance > deal.most_distance(LEVEL)) {
                self.missed.push(format!("{set}: p-values are not uniform"));
            }
        }
        self.say("a rate is at most the promise and three standard errors, of the fresh and the calibration rows;");
        self.say(&format!(
            "a distance what two samples of those sizes from one distribution exceed once in {} times",
            1.0 / LEVEL
        ));
    }

    /// Every deal by itself.
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
    fn the_mean_is_over_deals_first_and_wants_every_set() {
        let odd = [false, true];
        let mut report = Report::default();
        // Set a: right and wrong in two deals; set b: right in one.
        report.note("p", "a", "m", &[0.0, 1.0], &odd);
        report.note("p", "a", "m", &[1.0, 0.0], &odd);
        report.note("p", "b", "m", &[0.0, 1.0], &odd);
        assert_eq!(report.mean("p", &["a", "b"], "m").map(|quality| quality.roc), Some(75.0));
        assert_eq!(report.mean("p", &["a", "c"], "m"), None);
        report.floor("a", Some(74.0), 75.0);
        report.floor("b", Some(75.0), 75.0);
        report.floor("c", None, 75.0);
        assert_eq!(report.missed.len(), 2);
    }
}
