//! A fleet of simulated machines: what the fits of all their tables take.

use crate::large::measure;
use anyhow::{Context, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use surprisal_trainer::evaluate::mean;
use xtask::command::Surprisal;

const SEED: u64 = 1;

#[derive(clap::Args)]
pub struct Fleet {
    /// Number of machines
    #[arg(long, default_value_t = 100)]
    machines: usize,
    /// Number of rows of each machine
    #[arg(long, default_value_t = 5000)]
    rows: usize,
    /// Numbers of threads
    #[arg(long, default_values_t = [1, 2])]
    threads: Vec<usize>,
}

/// Fits the fleet with these numbers of threads, with tables of their own and with a shared one, and prints time, peak memory, mean
/// size of a machine's file, how many machines share, and the mean surprisal of their validation rows.
///
/// # Errors
/// A fit fails.
pub fn run(args: &Fleet) -> Result<()> {
    let surprisal = Surprisal::build()?;
    let folder = std::env::temp_dir().join(format!("surprisal-fleet-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!(
        "{:>8} {:>6} {:>8} {:>7} {:>8} {:>14} {:>6} {:>12} {:>8} {:>7}",
        "machines", "rows", "threads", "tables", "seconds", "s per machine", "MiB", "file bytes", "sharing", "nats"
    );
    let data = folder.join("fleet.csv");
    write(&data, args.machines, args.rows)?;
    let runs = args.threads.iter().flat_map(|&threads| [(threads, false), (threads, true)]);
    let measured = runs.into_iter().try_for_each(|(threads, is_shared)| {
        let machines = args.machines;
        let mut command = surprisal.command(&[]);
        command.arg("fit").arg(&data).args(["--by", "machine", "--json", "--threads", &threads.to_string()]);
        command.args(is_shared.then_some("--shared"));
        let models = folder.join(format!("models-{threads}-{is_shared}"));
        let (report, seconds, peak) = measure(command.arg("-o").arg(&models))?;
        let fits = report["fleet"]["machines"].as_array().context("the report lists machines")?;
        let of = |name: &str| fits.iter().filter_map(|fit| fit["fitted"][name].as_f64()).collect::<Vec<f64>>();
        let (bytes, nats, each) = (mean(&of("file_bytes")), mean(&of("nats")), seconds / machines as f64);
        let sharing = report["fleet"]["shared"]["machines"].as_u64().unwrap_or(0);
        let tables = if is_shared { "shared" } else { "own" };
        println!(
            "{machines:>8} {:>6} {threads:>8} {tables:>7} {seconds:>8.1} {each:>14.3} {peak:>6} {bytes:>12.0} {sharing:>8} {nats:>7.3}",
            args.rows
        );
        Ok(())
    });
    std::fs::remove_dir_all(&folder)?;
    measured
}

/// Writes rows of pumps that have the same physics and differ in their sensors, one row of each by turns.
fn write(path: &Path, machines: usize, rows: usize) -> Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let offsets: Vec<[f64; 6]> = (0..machines).map(|_| std::array::from_fn(|_| random.random::<f64>() - 0.5)).collect();
    let mut file = BufWriter::new(File::create(path)?);
    writeln!(file, "machine,speed,flow,pressure,current,temperature,vibration,mode,valve")?;
    for _ in 0..rows {
        for (machine, offset) in offsets.iter().enumerate() {
            let mut noise = || (0..4).map(|_| random.random::<f64>()).sum::<f64>() - 2.0;
            let load = 0.5 + 0.2 * noise();
            let mode = usize::from(load > 0.35) + usize::from(load > 0.6);
            let speed = [600.0, 1400.0, 2200.0][mode] + 300.0 * load + 8.0 * noise() + 20.0 * offset[0];
            let flow = 0.04 * speed * load + noise() + offset[1];
            let pressure = 120.0 + 2.2 * flow + 3.0 * noise() + 5.0 * offset[2];
            let current = 0.6 + flow * pressure / 9000.0 + 0.06 * noise() + 0.1 * offset[3];
            let temperature = 25.0 + 6.0 * current + 0.5 * noise() + 2.0 * offset[4];
            let vibration = 0.2 + speed / 4000.0 + 0.05 * noise() + 0.05 * offset[5];
            let valve = u8::from(noise() > 1.2);
            writeln!(
                file,
                "pump{machine},{speed:.0},{flow:.1},{pressure:.0},{current:.2},{temperature:.1},{vibration:.3},{},{valve}",
                ["idle", "half", "full"][mode]
            )?;
        }
    }
    Ok(file.flush()?)
}
