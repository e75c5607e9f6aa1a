//! The alarms that a board would raise on the rows of a file, in their order.

use surprisal::{Detector, Monitor, Report};
use surprisal_trainer::counted::counted;

use crate::args::AlarmArgs;
use crate::rows::Applied;

/// Seconds per day.
const DAY: f64 = 86_400.0;

impl Applied {
    /// Returns the report of a board's monitor on each scored row. A session of the file restarts sums and votes, and so does a
    /// row whose predecessor in the file is not scored.
    pub fn monitored(&self, detector: &Detector, args: &AlarmArgs) -> Vec<Report> {
        let mut monitor = Monitor::new();
        monitor.rule = args.rule();
        let mut starts = self.frame.starts.iter().copied().peekable();
        let mut next = None;
        let each = self.rows.iter().zip(&self.scores).map(|(&row, score)| {
            let mut is_start = next.is_some_and(|next| next != row);
            next = Some(row + 1);
            while starts.next_if(|&start| start <= row).is_some() {
                is_start = true;
            }
            if is_start {
                monitor.resume();
            }
            monitor.push(detector, score)
        });
        each.collect()
    }
}

impl AlarmArgs {
    /// Returns how many alarms there are per day if `alarms` were raised in `rows` rows, or `None` without a rate.
    pub fn per_day(&self, alarms: usize, rows: usize) -> Option<f64> {
        self.rate.filter(|_| rows > 0).map(|rate| alarms as f64 / rows as f64 * rate * DAY)
    }

    /// Returns the rule as a text, such as "3 of 5 rows, none within 60 rows of another".
    pub fn words(&self) -> String {
        let votes = match self.votes {
            (1, 1) => "every anomalous row".to_owned(),
            (votes, of) => format!("{votes} of {of} rows"),
        };
        match usize::from(self.hold_off) {
            0 => votes,
            rows => format!("{votes}, none within {} of another", counted(rows, "row")),
        }
    }
}
