//! `surprisal fleet report`: a page for each machine of a fleet, and one that lists them.

use anyhow::{Result, bail};
use serde_json::json;
use surprisal_trainer::counted::counted;
use surprisal_trainer::fleet::{self, FleetRows, INDEX, MachinePage, PagesSettings};

use super::status_table;
use crate::answer::Answer;
use crate::args::FleetReportArgs;
use crate::observer::Progress;
use crate::terminal::line;

/// Writes the pages.
///
/// # Errors
/// The errors of the library. If some machines have no page, `print` prints the answer first, and then there is an error.
pub fn report(args: FleetReportArgs, progress: &Progress, print: impl FnOnce(Answer) -> Result<()>) -> Result<()> {
    let FleetReportArgs { models, data, output, reading, selection, alarms } = args;
    let settings =
        PagesSettings { reading: reading.options(), selection: selection.settings(), alarms: alarms.settings() };
    let machines = fleet::report(&models, FleetRows::Files(data), &output, &settings, progress)?;
    progress.clear();
    let pages = machines.iter().filter(|one| one.page.is_some()).count();
    let failed = machines.iter().filter(|one| one.status.error.is_some()).count();
    let mut text = status_table(machines.iter().map(|MachinePage { status, .. }| status));
    line!(text, "wrote {} and {}; open it in a browser", counted(pages, "report"), output.join(INDEX).display());
    print(Answer { text: text.into_text(), value: json!({ "output": output, "machines": machines }) })?;
    if failed > 0 {
        bail!("{failed} of {} have no report because of a fault; {INDEX} says why", counted(machines.len(), "machine"));
    }
    Ok(())
}
