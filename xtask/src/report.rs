//! Opens the reports of `surprisal report` in a browser: all figures are drawn, and nothing is loaded.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use xtask::command::Surprisal;
use xtask::setup;
use xtask::shuttle::{DATA, HeldOut, READINGS};

/// The folder of the pages, relative to that of the repository.
const DIR: &str = "target/report";
const MODEL: &str = "target/report/shuttle.srp";
/// Size of a window that shows a whole page.
const WINDOW: &str = "--window-size=1000,10000";
/// Measures the figures of a page, and writes the result into the page. Only the copy that is measured holds it.
const SCRIPT: &str = "<script>
const box = (element) => { const {width, height} = element.getBoundingClientRect(); return [width, height]; };
const figures = [...document.querySelectorAll('figure')].map((figure) => ({
  name: figure.querySelector('.name').textContent, figure: box(figure),
  drawing: box(figure.querySelector('svg, table')),
  marks: figure.querySelectorAll('svg :is(rect, polyline, polygon, circle, line, text), td, th').length,
}));
const loaded = performance.getEntriesByType('resource').map((entry) => entry.name).filter((name) => !name.startsWith('data:'));
const measured = document.createElement('pre');
measured.id = 'measured';
measured.textContent = JSON.stringify({figures, loaded});
document.body.append(measured);
</script></body>";

/// Writes the reports on the shuttle data with labels and on rows without labels, and opens them.
///
/// # Errors
/// A page writes to the console, loads something, or does not draw a figure.
pub fn run() -> Result<()> {
    let chromium = setup::chromium()?;
    let dir = setup::root().join(DIR);
    fs::create_dir_all(&dir)?;
    let surprisal = Surprisal::build()?;
    surprisal.fit_shuttle(MODEL, &[])?;
    surprisal.fit_shuttle("target/report/small.srp", &["--flash", "8KiB"])?;
    let pages = ["shuttle", "unlabelled", "against"].map(|name| format!("{DIR}/{name}.html"));
    let rows = format!("{DIR}/unlabelled.csv");
    surprisal.run(&["report", MODEL, DATA, "--held-out", "--rate", "1", "-o", &pages[0]])?;
    fs::write(setup::root().join(&rows), unlabelled()?)?;
    surprisal.run(&["report", MODEL, &rows, "-o", &pages[1]])?;
    let against = ["--held-out", "--against", "target/report/small.srp", "-o", &pages[2]];
    surprisal.run(&[&["report", MODEL, DATA][..], &against].concat())?;
    for page in &pages {
        let path = setup::root().join(page);
        let figures = open(&chromium, &path)?;
        for theme in ["light", "dark"] {
            screenshot(&chromium, &path, theme)?;
        }
        println!("{page}: {figures} figures drawn, nothing loaded, no message");
    }
    control(&chromium, &setup::root().join(&pages[0]))
}

/// Returns the held-out normal rows of the shuttle data as CSV without labels.
fn unlabelled() -> Result<String> {
    let held_out = HeldOut::of(&setup::root().join(MODEL))?;
    let mut csv = (1..=READINGS).map(|at| format!("V{at}")).collect::<Vec<_>>().join(",") + "\n";
    for (readings, _) in held_out.readings.iter().zip(&held_out.anomalous).filter(|(_, anomalous)| !**anomalous) {
        csv += &(readings.map(|reading| reading.to_string()).join(",") + "\n");
    }
    Ok(csv)
}

/// Opens a page, and returns the number of its figures.
fn open(chromium: &str, path: &Path) -> Result<usize> {
    let page = fs::read_to_string(path)?;
    let (_, messages) = dump(chromium, path)?;
    let message = messages.lines().find(|line| line.contains(":CONSOLE"));
    ensure!(message.is_none(), "{}: the browser says {}", path.display(), message.unwrap_or_default());
    let copy = path.with_extension("measured.html");
    let measured = page.replacen("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'", 1);
    fs::write(&copy, measured.replacen("</body>", SCRIPT, 1))?;
    let (dom, _) = dump(chromium, &copy)?;
    let encoded = dom.split("<pre id=\"measured\">").nth(1).and_then(|rest| rest.split('<').next());
    let encoded = encoded.context("the page was not measured")?;
    let json = encoded.replace("&lt;", "<").replace("&gt;", ">").replace("&nbsp;", "\u{a0}").replace("&amp;", "&");
    let measured: Value = serde_json::from_str(&json)?;
    ensure!(measured["loaded"] == serde_json::json!([]), "{}: loads {}", path.display(), measured["loaded"]);
    let figures = measured["figures"].as_array().context("expected figures")?;
    ensure!(figures.len() == page.matches("<figure").count(), "{}: {} figures are open", path.display(), figures.len());
    for figure in figures {
        let is_drawn = |key: &str| (0..2).all(|at| figure[key][at].as_f64().is_some_and(|size| size > 20.0));
        let drawn = is_drawn("figure") && is_drawn("drawing") && figure["marks"].as_u64() > Some(3);
        ensure!(drawn, "{}: not drawn: {figure}", path.display());
    }
    Ok(figures.len())
}

/// Returns the page as the browser holds it, and the log of the browser.
fn dump(chromium: &str, path: &Path) -> Result<(String, String)> {
    let output = browser(chromium, path)
        .args(["--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom"])
        .arg(address(path))
        .output()
        .context("cannot start chromium")?;
    ensure!(output.status.success(), "chromium ended with {}", output.status);
    Ok((String::from_utf8(output.stdout)?, String::from_utf8_lossy(&output.stderr).into_owned()))
}

/// Writes what the page looks like beside the page.
fn screenshot(chromium: &str, path: &Path, theme: &str) -> Result<()> {
    let code = if theme == "dark" { 0 } else { 1 };
    let image = path.with_extension(format!("{theme}.png"));
    let output = browser(chromium, path)
        .arg(format!("--blink-settings=preferredColorScheme={code}"))
        .args(["--hide-scrollbars", WINDOW])
        .arg(format!("--screenshot={}", image.display()))
        .arg(address(path))
        .output()?;
    ensure!(output.status.success() && image.exists(), "no screenshot of {}", path.display());
    Ok(())
}

fn browser(chromium: &str, path: &Path) -> Command {
    let mut command = Command::new(chromium);
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]);
    command.arg(format!("--user-data-dir={}", path.with_file_name("profile").display()));
    command
}

fn address(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Checks that a page which loads something is found out.
fn control(chromium: &str, path: &Path) -> Result<()> {
    let page = fs::read_to_string(path)?;
    let copy = path.with_file_name("control.html");
    fs::write(&copy, page.replacen("</main>", "<img src=\"https://192.0.2.1/image.png\"></main>", 1))?;
    match open(chromium, &copy) {
        Err(error) if format!("{error:#}").contains("the browser says") => Ok(()),
        Err(error) => Err(error),
        Ok(_) => bail!("a page that loads an image passes the check"),
    }
}
