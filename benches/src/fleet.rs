//! A fleet of simulated machines: what the fits of all their tables take.

use crate::large::measure;
use anyhow::{Context, Result};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
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
}

/// Fits the fleet with one thread and with two, and prints time, peak memory and sizes.
///
/// # Errors
/// A fit fails.
pub fn run(args: &Fleet) -> Result<()> {
    let surprisal = Surprisal::build()?;
    let folder = std::env::temp_dir().join(format!("surprisal-fleet-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    println!(
        "{:>8} {:>6} {:>8} {:>8} {:>16} {:>6} {:>12}",
        "machines", "rows", "threads", "seconds", "s per machine", "MiB", "table bytes"
    );
    let measured = [1, 2].into_iter().try_for_each(|threads| {
        let machines = args.machines;
        let data = folder.join("fleet.csv");
        write(&data, machines, args.rows)?;
        let mut command = surprisal.command(&[]);
        command.arg("fit").arg(&data).args(["--by", "machine", "--json", "--threads", &threads.to_string()]);
        let models = folder.join(format!("models-{threads}"));
        let (report, seconds, peak) = measure(command.arg("-o").arg(&models))?;
        let fits = report["fleet"]["machines"].as_array().context("the report lists machines")?;
        let bytes: Vec<u64> = fits.iter().filter_map(|fit| fit["fitted"]["table_bytes"].as_u64()).collect();
        let mean = bytes.iter().sum::<u64>() / bytes.len().max(1) as u64;
        let each = seconds / machines as f64;
        println!("{machines:>8} {:>6} {threads:>8} {seconds:>8.1} {each:>16.3} {peak:>6} {mean:>12}", args.rows);
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
