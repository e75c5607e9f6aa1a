//! The alarms that a board would raise on the rows of a file, in their order, and thresholds at other rates.

use serde::Serialize;
use surprisal::{AlarmRule, Detector, Monitor, PValue, Report};

use crate::applied::Applied;
use crate::calibrate::rate_interval;
use crate::counted::counted;
use crate::evaluate::Alarms;
use crate::pipeline::finite;

/// Seconds per day.
pub(crate) const DAY: f64 = 86_400.0;
/// Rates of false alarms for which [`sweep`] lists thresholds, in parts per million.
const SWEPT: [u32; 9] = [100_000, 50_000, 20_000, 10_000, 5000, 2000, 1000, 500, 100];

/// The rule by which a board raises alarms, and how many rows it reads.
#[derive(Clone, Copy, Debug)]
pub struct AlarmSettings {
    /// The rule of the monitor.
    pub rule: AlarmRule,
    /// Number of rows per second, with which alarms per day are known.
    pub rate: Option<f64>,
}

impl Default for AlarmSettings {
    fn default() -> Self {
        Self { rule: AlarmRule::EVERY, rate: None }
    }
}

impl AlarmSettings {
    /// Returns how many alarms there are per day if `alarms` were raised in `rows` rows, or `None` without a rate.
    ///
    /// ```
    /// use surprisal_trainer::alarms::AlarmSettings;
    /// let every_second = AlarmSettings { rate: Some(1.0), ..AlarmSettings::default() };
    /// assert_eq!(every_second.per_day(1, 86_400), Some(1.0));
    /// assert_eq!(AlarmSettings::default().per_day(1, 86_400), None);
    /// ```
    pub fn per_day(&self, alarms: usize, rows: usize) -> Option<f64> {
        self.rate.filter(|_| rows > 0).map(|rate| alarms as f64 / rows as f64 * rate * DAY)
    }

    /// Returns the rule as a text, such as "3 of 5 rows, none within 60 rows of another".
    pub fn words(&self) -> String {
        let votes = match (self.rule.votes, self.rule.of) {
            (1, 1) => "every anomalous row".to_owned(),
            (votes, of) => format!("{votes} of {of} rows"),
        };
        match usize::from(self.rule.hold_off) {
            0 => votes,
            rows => format!("{votes}, none within {} of another", counted(rows, "row")),
        }
    }
}

/// The alarms that a board raises on the rows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Raised {
    /// Number of alarms.
    pub alarms: usize,
    /// Number of rows at which the cumulative sum reports a trend.
    pub trends: usize,
    /// Number of alarms on rows that are labelled as normal; `None` without labels.
    pub on_normal_rows: Option<usize>,
    /// Number of those per day, without labels of all alarms, if the number of rows per second is known.
    pub false_alarms_per_day: Option<f64>,
}

impl Raised {
    /// Counts the alarms in the reports of a monitor on each scored row.
    pub fn of(applied: &Applied, reports: &[Report], settings: &AlarmSettings) -> Self {
        let count = |wanted: &dyn Fn(usize) -> bool| (0..reports.len()).filter(|&at| wanted(at)).count();
        let is_normal = |at: usize| applied.kind(at) == Some(false);
        let false_alarms = count(&|at| is_normal(at) && reports[at].alarm);
        Self {
            alarms: count(&|at| reports[at].alarm),
            trends: count(&|at| reports[at].trend),
            on_normal_rows: applied.anomalous.is_some().then_some(false_alarms),
            false_alarms_per_day: settings.per_day(false_alarms, count(&is_normal)),
        }
    }
}

/// A threshold for a rate of false alarms, and the alarms that it gives on the rows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Threshold {
    /// The promised rate of false alarms: a share of normal rows.
    pub rate: f64,
    /// The anomaly score above which a row is anomalous, in nats; `None` if the calibration rows are too few for the rate.
    pub threshold: Option<f64>,
    /// Rates of anomalous verdicts on the rows; `None` without a threshold.
    #[serde(flatten)]
    pub found: Option<Alarms>,
    /// Number of alarms per day that a board raises on normal rows, if the number of rows per second is known.
    pub false_alarms_per_day: Option<f64>,
}

/// Returns the thresholds at several rates of false alarms, that of the fit among them, from the largest rate to the smallest.
pub fn sweep(applied: &Applied, settings: &AlarmSettings) -> Vec<Threshold> {
    let detector = applied.artefact.detector();
    let mut rates: Vec<u32> = SWEPT.into_iter().chain([detector.false_alarm_ppm]).filter(|&ppm| ppm > 0).collect();
    rates.sort_unstable_by(|a, b| b.cmp(a));
    rates.dedup();
    rates.into_iter().map(|ppm| threshold(applied, &detector, ppm, settings)).collect()
}

fn threshold(applied: &Applied, detector: &Detector, ppm: u32, settings: &AlarmSettings) -> Threshold {
    // The rate of the fit has its exact threshold; between the levels of p-values that of another rate is interpolated.
    let at = if ppm == detector.false_alarm_ppm { *detector } else { detector.at(PValue::from_ppm(ppm)) };
    let rate = f64::from(ppm) / 1e6;
    let Some(threshold) = finite(at.threshold) else {
        return Threshold { rate, threshold: None, found: None, false_alarms_per_day: None };
    };
    let alarms = applied.verdicts(&at);
    let raised = Raised::of(applied, &applied.monitored(&at, settings.rule), settings);
    let found = Some(applied.alarms(&alarms));
    Threshold { rate, threshold: Some(threshold), found, false_alarms_per_day: raised.false_alarms_per_day }
}

impl Applied {
    /// Returns the report of a board's monitor on each scored row. A session of the file restarts sums and votes, and so does a
    /// row whose predecessor in the file is not scored. Rows without a reading are no rows for the monitor, and raise nothing: the
    /// surprisal of lost cells would feed a trend of the normal rows after them.
    pub fn monitored(&self, detector: &Detector, rule: AlarmRule) -> Vec<Report> {
        let mut monitor = Monitor::new();
        monitor.rule = rule;
        let resumes = self.resumes();
        let each = self.scores.iter().zip(resumes).enumerate().map(|(at, (score, is_start))| {
            if is_start {
                monitor.resume();
            }
            if !self.is_blank(at) {
                return monitor.push(detector, score);
            }
            // The monitor stays as it is.
            let mut report = monitor.clone().push(detector, score);
            (report.trend, report.is_agreed, report.alarm) = (false, false, false);
            report
        });
        each.collect()
    }

    /// Returns for each scored row whether it does not follow the one before: a session begins with it, or the row before it
    /// in the file is not scored. The first row counts as following.
    pub fn resumes(&self) -> Vec<bool> {
        let mut starts = self.frame.starts.iter().copied().peekable();
        let mut next = None;
        let each = self.rows.iter().map(|&row| {
            let mut is_start = next.is_some_and(|next| next != row);
            next = Some(row + 1);
            while starts.next_if(|&start| start <= row).is_some() {
                is_start = true;
            }
            is_start
        });
        each.collect()
    }
}

/// Returns the 90 % interval of the share of normal rows above the threshold of a detector, if rows are independent.
pub fn promised_interval(&Detector { false_alarm_ppm, rows, .. }: &Detector) -> (f64, f64) {
    let k = (u64::from(false_alarm_ppm) * (u64::from(rows) + 1) / 1_000_000) as usize;
    rate_interval(k, rows as usize)
}

/// Returns a text on the threshold of a detector, the rate that it promises, and how well the calibration rows determine it.
pub fn of_threshold(detector: &Detector) -> String {
    let Detector { threshold, false_alarm_ppm, rows, .. } = *detector;
    let (low, high) = promised_interval(detector);
    let percent = |share: f64| (1e6 * share).round() / 1e4;
    format!(
        "alarm above an anomaly score of {threshold} nats: at most {} % of normal rows that are like the {rows} calibration rows \
         (90 % interval, if rows are independent: {} to {} %)",
        percent(f64::from(false_alarm_ppm) / 1e6),
        percent(low),
        percent(high)
    )
}

/// Returns a text that explains why a detector has no threshold and how a fit gets one.
pub fn no_alarm(detector: &Detector) -> String {
    no_alarm_but(detector, "fit with --false-alarm", "rows with --calibrate")
}

/// Returns a text that explains why a detector has no threshold. `lower` is followed by a rate.
pub fn no_alarm_but(Detector { rows, false_alarm_ppm, .. }: &Detector, lower: &str, more: &str) -> String {
    let rate = 1.05 / (f64::from(*rows) + 1.0);
    // Two digits: rounding takes less than the margin of 5 %.
    let decimals = (1.0 - rate.log10().floor()) as usize;
    let remedy = if rate < 0.5 {
        format!("{lower} {rate:.decimals$} (in place of --alarms-per-day, if you gave that), or ")
    } else {
        String::new()
    };
    // One row more than this many is needed for a rate of one in as many.
    let needed = 1_000_000u32.div_ceil((*false_alarm_ppm).max(1)) - 1;
    let rate = if *false_alarm_ppm == 0 { "less than 1".to_owned() } else { false_alarm_ppm.to_string() };
    format!(
        "no alarm ever: {rows} calibration rows are too few for a rate of {rate} false alarms per million rows; {remedy}give at \
         least {needed} {more}"
    )
}
