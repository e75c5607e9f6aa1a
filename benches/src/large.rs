//! Large files: what a fit of a sample takes and loses, beside a fit of all rows.

use anyhow::{Context, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use xtask::command::Surprisal;

/// Number of rows of the public file on household power whose kind the first file is of.
const ROWS: usize = 2_075_259;
/// Number of rows of the test files, which follow those of the fit.
const TEST_ROWS: usize = 200_000;
const SEED: u64 = 1;

#[derive(clap::Args)]
pub struct Large {
    /// Number of rows of each file
    #[arg(long, default_value_t = ROWS)]
    rows: usize,
    /// Families to fit
    #[arg(long, default_values = ["tables", "linear-trees"])]
    family: Vec<String>,
    /// Fit samples only; all rows take long with terms over bits
    #[arg(long)]
    sample_only: bool,
}

/// A machine that writes one row of readings per minute.
struct Machine {
    random: ChaCha8Rng,
    minute: usize,
    /// States that change slowly.
    slow: [f64; 4],
    /// Minutes for which each appliance stays on.
    on: [usize; 3],
}

/// Names of the columns, and the function that draws the next row.
type Kind = (&'static str, &'static str, fn(&mut Machine) -> String);

/// The files: one like those of a household's meter, and one of a pump with three modes.
const KINDS: [Kind; 2] = [
    ("household", "active,reactive,voltage,current,kitchen,laundry,heater", Machine::household),
    ("pump", "speed,flow,pressure,current,temperature,vibration,valve", Machine::pump),
];

impl Machine {
    fn new() -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(SEED), minute: 0, slow: [0.0; 4], on: [0; 3] }
    }

    /// Draws from a distribution that is nearly normal, with mean 0 and deviation 1: a sum of twelve uniform numbers.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.random.random::<f64>()).sum::<f64>() - 6.0
    }

    /// Moves a slow state, whose deviation is 1, and returns it.
    fn drift(&mut self, at: usize, memory: f64) -> f64 {
        self.slow[at] = memory * self.slow[at] + (1.0 - memory * memory).sqrt() * self.noise();
        self.slow[at]
    }

    /// Draws a household's power in kW and kvar, voltage, current, and the energy of three circuits in Wh.
    fn household(&mut self) -> String {
        self.minute += 1;
        let hour = (self.minute / 60 % 24) as f64;
        let day = (-((hour - 20.0) / 3.0).powi(2)).exp() + 0.6 * (-((hour - 8.0) / 2.0).powi(2)).exp();
        let base = 0.2 + 0.25 * (0.6 * self.drift(0, 0.995)).exp() * (0.4 + day);
        let circuits: [f64; 3] = std::array::from_fn(|at| {
            let (rate, length, power) = [(0.004, 40, 38.0), (0.003, 60, 36.0), (0.02, 90, 18.0)][at];
            if self.on[at] == 0 && self.random.random_bool(rate * (0.2 + day)) {
                self.on[at] = self.random.random_range(5..length);
            }
            let is_on = self.on[at] > 0;
            self.on[at] = self.on[at].saturating_sub(1);
            if is_on { power + (self.noise()).round() } else { f64::from(self.random.random_bool(0.2)) }
        });
        let active = base + circuits.iter().sum::<f64>() * 0.06 + 0.01 * self.noise();
        let reactive = (0.05 + 0.05 * (self.drift(1, 0.98)).abs() + 0.02 * active).max(0.0);
        let voltage = 241.0 + 2.5 * self.drift(2, 0.999) - 0.6 * active + 0.4 * self.noise();
        let current = 1000.0 * (active * active + reactive * reactive).sqrt() / voltage;
        let [kitchen, laundry, heater] = circuits;
        format!("{active:.3},{reactive:.3},{voltage:.2},{current:.1},{kitchen},{laundry},{heater}")
    }

    /// Draws a pump's speed, flow, pressure, current, temperature, vibration and the position of its valve.
    fn pump(&mut self) -> String {
        self.minute += 1;
        if self.on[0] == 0 {
            self.on = [self.random.random_range(40..400), (self.on[1] + self.random.random_range(1..3)) % 3, 0];
        }
        self.on[0] -= 1;
        let mode = self.on[1];
        let load = 1.0 / (1.0 + (-self.drift(0, 0.99)).exp());
        let speed = [600.0, 1400.0, 2200.0][mode] + [100.0, 500.0, 600.0][mode] * load + 8.0 * self.noise();
        let flow = [0.004 * speed, 0.045 * speed, 95.0 - 40.0 * load][mode] + 0.8 * self.noise();
        let pressure = [120.0, 150.0 + 2.2 * flow, 380.0 + 120.0 * load][mode] + 0.02 * speed + 3.0 * self.noise();
        let current = 0.6 + flow * pressure / 9000.0 + speed / 1500.0 + 0.06 * self.noise();
        let temperature = 25.0 + 6.0 * current + 2.0 * self.drift(1, 0.999) + 0.3 * self.noise();
        let vibration = 0.2 + speed / 4000.0 + 0.3 * (0.5 * self.noise()).exp() * load;
        let valve = ["shut", "open", "half"][mode];
        format!("{speed:.0},{flow:.1},{pressure:.0},{current:.2},{temperature:.1},{vibration:.3},{valve}")
    }

    fn write(&mut self, (_, header, row): Kind, path: &Path, rows: usize) -> Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "{header}")?;
        (0..rows).try_for_each(|_| writeln!(file, "{}", row(self)))?;
        Ok(file.flush()?)
    }
}

/// Fits each file with each family, a sample of its rows and all rows. Prints the time, the peak memory, the
/// log-density of rows of another file in units of the readings, what all rows gain and what the fit of the sample
/// expected them to gain.
///
/// # Errors
/// A fit fails.
pub fn run(args: &Large) -> Result<()> {
    let surprisal = Surprisal::build()?;
    let folder = std::env::temp_dir().join(format!("surprisal-large-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let measured = KINDS.into_iter().try_for_each(|kind| {
        let name = kind.0;
        let (data, test) = (folder.join(format!("{name}.csv")), folder.join(format!("{name}-test.csv")));
        let mut machine = Machine::new();
        machine.write(kind, &data, args.rows)?;
        machine.write(kind, &test, TEST_ROWS)?;
        println!("{name}: {} rows of 7 columns, {} MB", args.rows, std::fs::metadata(&data)?.len() / 1_000_000);
        args.family.iter().try_for_each(|family| compare(&surprisal, &data, &test, family, args.sample_only))
    });
    std::fs::remove_dir_all(&folder)?;
    measured
}

fn compare(surprisal: &Surprisal, data: &Path, test: &Path, family: &str, sample_only: bool) -> Result<()> {
    let fit = |most: &[&str]| -> Result<(Value, f64)> {
        let mut command = surprisal.command(&[]);
        command.arg("fit").arg(data).arg("--test").arg(test).args(["--family", family, "--json"]).args(most);
        let (report, seconds, peak) = measure(command.arg("-o").arg(data.with_extension("srp")))?;
        let density = number(&report, "test_ll")? - number(&report, "log_unit")?;
        let rows = number(&report, "train_rows")?;
        println!("  {family:<13} {rows:>8} rows: {seconds:>6.1} s, {peak:>5} MiB, {density:.4} nats per test row");
        Ok((report, density))
    };
    let (sample, of_sample) = fit(&[])?;
    if sample_only {
        return Ok(());
    }
    let (_, of_all) = fit(&["--max-rows", "all"])?;
    let gain = &sample["sampling"]["gain"];
    let expected = |key| gain[key].as_f64().map_or("unknown".into(), |nats| format!("{nats:.4}"));
    println!(
        "  {family:<13} all rows gain {:.4} nats; the sample expects {} to {} (a quarter loses {}, and fits differ by {})",
        of_all - of_sample,
        expected("least"),
        expected("most"),
        expected("over_quarter"),
        expected("chance")
    );
    Ok(())
}

fn number(report: &Value, key: &str) -> Result<f64> {
    report[key].as_f64().with_context(|| format!("the report has no number `{key}`"))
}

/// Runs a command, and returns its JSON, its seconds and its largest resident memory in MiB; zero where the system
/// does not say.
pub fn measure(command: &mut Command) -> Result<(Value, f64, u64)> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (status, mut peak) = (format!("/proc/{}/status", child.id()), 0);
    // A full pipe would stop the command.
    let mut stdout = child.stdout.take().context("the output is piped")?;
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        stdout.read_to_end(&mut bytes).map(|_| bytes)
    });
    while child.try_wait()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let seconds = start.elapsed().as_secs_f64();
    let output = reader.join().expect("a reader does not panic")?;
    let report = serde_json::from_slice(&output).with_context(|| format!("{command:?} failed"))?;
    Ok((report, seconds, peak >> 10))
}
