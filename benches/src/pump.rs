//! A pump with five sensors, three modes and six kinds of fault: data made for the benchmark of blame.
//!
//! The modes change both the levels of the sensors and the relations among them: idle (slow, hardly any flow), transfer
//! (pressure rises with the flow) and throttled (the valve closes as the pump speeds up, and pressure rises while the
//! flow falls). A fault affects one sensor alone.

use anyhow::Result;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fmt::Write as _;
use std::fs;

use super::sets::{self, LABEL, Task};

/// The sensors, in the order of the columns.
pub const SENSORS: [&str; 5] = ["speed", "flow", "pressure", "current", "temperature"];
/// The names of the kinds of fault.
pub const FAULTS: [&str; 6] = ["stuck", "offset", "drift", "spike", "swapped scale", "noise"];
/// The number of normal rows for training.
const TRAIN: usize = 8000;
/// The number of episodes of each fault at each sensor, and the number of rows of each.
const EPISODES: usize = 8;
const ROWS: usize = 60;
const SEED: u64 = 1;

/// One row of readings.
type Row = [f64; SENSORS.len()];

/// The state of a simulated pump.
struct Pump {
    random: ChaCha8Rng,
    mode: usize,
    /// Rows until the mode changes.
    left: usize,
    /// The demand within a mode, in 0..=1.
    load: f64,
    temperature: f64,
}

impl Pump {
    fn new(seed: u64) -> Self {
        let mut pump = Self { random: ChaCha8Rng::seed_from_u64(seed), mode: 0, left: 0, load: 0.5, temperature: 35.0 };
        // The temperature settles.
        (0..500).for_each(|_| {
            pump.step();
        });
        pump
    }

    /// Draws from a distribution that is nearly normal, with mean 0 and deviation 1: a sum of twelve uniform numbers.
    fn noise(&mut self) -> f64 {
        (0..12).map(|_| self.random.random::<f64>()).sum::<f64>() - 6.0
    }

    /// Returns the readings of the next second.
    fn step(&mut self) -> Row {
        if self.left == 0 {
            self.mode = (self.mode + self.random.random_range(1..3)) % 3;
            self.left = self.random.random_range(40..200);
        }
        self.left -= 1;
        self.load = (self.load + 0.08 * self.noise()).clamp(0.0, 1.0);
        let load = self.load;
        let speed = [600.0, 1400.0, 2200.0][self.mode] + [100.0, 500.0, 600.0][self.mode] * load;
        let speed = speed + 8.0 * self.noise();
        let (flow, pressure) = match self.mode {
            0 => (4.0 + 0.004 * speed, 120.0 + 0.02 * speed),
            1 => (0.045 * speed, 150.0 + 2.2 * 0.045 * speed),
            _ => (95.0 - 40.0 * load, 380.0 + 0.08 * speed + 120.0 * load),
        };
        let (flow, pressure) = (flow + 0.8 * self.noise(), pressure + 3.0 * self.noise());
        // Electrical power: hydraulic power and friction.
        let current = 0.6 + flow * pressure / 9000.0 + speed / 1500.0 + 0.06 * self.noise();
        self.temperature += 0.05 * (25.0 + 6.0 * current - self.temperature);
        let temperature = self.temperature + 0.3 * self.noise();
        [speed.round(), tenths(flow), pressure.round(), (100.0 * current).round() / 100.0, tenths(temperature)]
    }
}

fn tenths(value: f64) -> f64 {
    (10.0 * value).round() / 10.0
}

/// The rows of the test file: normal rows, in each of which one sensor is faulty.
pub struct Faults {
    /// The files of the rows. All rows of the test file count as anomalous.
    pub task: Task,
    /// `[row]`: (index of the fault in [`FAULTS`], index of the faulty sensor) of a row of the test file.
    pub rows: Vec<(usize, usize)>,
}

/// Simulates a pump and writes a file of normal rows and a file of rows with faults.
///
/// A row of an episode whose reading the fault does not change is left out.
///
/// # Errors
/// The files cannot be written.
pub fn faults() -> Result<Faults> {
    let mut pump = Pump::new(SEED);
    let train: Vec<Row> = (0..TRAIN).map(|_| pump.step()).collect();
    let deviations: [f64; SENSORS.len()] = std::array::from_fn(|sensor| {
        let mean = train.iter().map(|row| row[sensor]).sum::<f64>() / TRAIN as f64;
        (train.iter().map(|row| (row[sensor] - mean).powi(2)).sum::<f64>() / TRAIN as f64).sqrt()
    });
    let (mut test, mut rows) = (Vec::new(), Vec::new());
    for fault in 0..FAULTS.len() {
        for (sensor, deviation) in deviations.into_iter().enumerate() {
            for _ in 0..EPISODES {
                let sign = if pump.random.random::<bool>() { 1.0 } else { -1.0 };
                let size = sign * deviation * (0.5 + 1.5 * pump.random.random::<f64>());
                let mut stuck = None;
                for at in 0..ROWS {
                    let row = pump.step();
                    let own = row[sensor];
                    let wrong = match fault {
                        0 => *stuck.get_or_insert(own),
                        1 => own + size,
                        2 => own + 2.0 * size * (at + 1) as f64 / ROWS as f64,
                        3 if at % 6 == 5 => own + 2.0 * size,
                        3 => own,
                        4 => 1.8 * own + 32.0,
                        _ => own + deviation * pump.noise(),
                    };
                    let resolution = [1.0, 10.0, 1.0, 100.0, 10.0][sensor];
                    let mut faulty = row;
                    faulty[sensor] = (resolution * wrong).round() / resolution;
                    if faulty[sensor] != own {
                        test.push(faulty);
                        rows.push((fault, sensor));
                    }
                }
            }
        }
    }
    let folder = sets::folder("blame-pump")?;
    for (file, rows, label) in [("train.csv", &train, 0), ("test.csv", &test, 1)] {
        let mut text = format!("{},{LABEL}\n", SENSORS.join(","));
        for row in rows {
            row.iter().try_for_each(|reading| write!(text, "{reading},"))?;
            writeln!(text, "{label}")?;
        }
        fs::write(folder.join(file), text)?;
    }
    Ok(Faults { task: Task { folder, anomalous: vec![true; rows.len()] }, rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_change_relations_among_sensors() {
        let mut pump = Pump::new(0);
        let mut rows: [Vec<Row>; 3] = Default::default();
        for _ in 0..3000 {
            let row = pump.step();
            rows[pump.mode].push(row);
        }
        // Pressure rises with the flow in the second mode, and falls in the third.
        let covariance = |rows: &[Row]| {
            let mean = |sensor: usize| rows.iter().map(|row| row[sensor]).sum::<f64>() / rows.len() as f64;
            let (flow, pressure) = (mean(1), mean(2));
            rows.iter().map(|row| (row[1] - flow) * (row[2] - pressure)).sum::<f64>()
        };
        assert!(covariance(&rows[1]) > 0.0 && covariance(&rows[2]) < 0.0);
    }
}
