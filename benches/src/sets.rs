//! Labelled data sets, and the training and test files that are written from them.

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::split::{SplitStrategy, split};
use xtask::setup::root;

/// The name of the column that marks anomalous rows: 1, or 0 for normal rows.
pub const LABEL: &str = "anomaly";

/// A data file with labels: the indices of its normal and of its anomalous rows.
pub struct Set<'f> {
    frame: &'f Frame,
    /// The indices of the columns that are readings, in file order.
    columns: Vec<usize>,
    /// The indices of the normal rows, in file order.
    pub normal: Vec<usize>,
    /// The indices of the anomalous rows, in file order.
    pub anomalous: Vec<usize>,
}

/// The normal rows of a set, split into training and test rows.
pub struct Halves {
    /// The indices of the training rows.
    pub train: Vec<usize>,
    /// The indices of the normal test rows.
    pub fresh: Vec<usize>,
}

impl Halves {
    /// Returns the halves with the training rows in random order: rows of a file in its order may resemble their neighbours.
    pub fn in_random_order(mut self, seed: u64) -> Self {
        self.train.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        self
    }
}

/// A folder with the files `train.csv`, which has normal rows only, and `test.csv`.
pub struct Task {
    /// The path of the folder.
    pub folder: PathBuf,
    /// `[row]`: whether the row of `test.csv` is anomalous.
    pub anomalous: Vec<bool>,
}

/// Reads a CSV file, plain or gzipped.
///
/// # Errors
/// The file is missing or malformed.
pub fn read(path: &Path) -> Result<Frame> {
    ensure!(
        path.exists(),
        "{} cannot be found; pass the folder that holds adbench/, oddbench/, shuttle/ and skab/ by --data DIR",
        path.display()
    );
    Ok(Frame::read(path, Header::Auto)?)
}

impl Task {
    /// Returns the number of normal test rows.
    pub fn normal(&self) -> usize {
        self.anomalous.iter().filter(|anomalous| !**anomalous).count()
    }
}

impl<'f> Set<'f> {
    /// Creates a set from a file and its label column. `is_anomalous` maps a cell of the column `label` to whether its
    /// row is anomalous, or to `None` to leave the row out.
    ///
    /// # Errors
    /// There is no column `label`, fewer than two normal rows, or no anomalous row.
    pub fn new(frame: &'f Frame, label: &str, is_anomalous: impl Fn(&str) -> Option<bool>) -> Result<Self> {
        let of = frame.position(label)?;
        let rows = |kind: bool| {
            (0..frame.rows()).filter(|&row| is_anomalous(&frame.columns[of].text(row)) == Some(kind)).collect()
        };
        let columns = (0..frame.columns.len()).filter(|&column| column != of).collect();
        let set = Self { frame, columns, normal: rows(false), anomalous: rows(true) };
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<()> {
        let (shown, normal, anomalous) = (self.frame.path.display(), self.normal.len(), self.anomalous.len());
        ensure!(
            normal > 1 && anomalous > 0,
            "{shown}: {normal} normal and {anomalous} anomalous rows; expected at least 2 and 1"
        );
        Ok(())
    }

    /// Reduces the set to about `rows` rows by random choice. A set with fewer rows is not changed.
    ///
    /// # Errors
    /// Fewer than two normal rows or no anomalous row are left.
    pub fn keep(&mut self, rows: usize) -> Result<()> {
        let all = self.normal.len() + self.anomalous.len();
        if all <= rows {
            return Ok(());
        }
        let mut every = [&self.normal[..], &self.anomalous].concat();
        every.sort_unstable();
        let share = rows as f64 / all as f64;
        let kept = split(every, [share, 0.0, 0.0, 1.0 - share], SplitStrategy::Shuffled { seed: 0, stretch: 1 }).train;
        for rows in [&mut self.normal, &mut self.anomalous] {
            rows.retain(|row| kept.binary_search(row).is_ok());
        }
        self.check()
    }

    /// Creates a set from a file with the column `anomaly`, which is zero in normal rows.
    ///
    /// # Errors
    /// The errors of [`new`](Self::new).
    pub fn labelled(frame: &'f Frame) -> Result<Self> {
        Self::new(frame, LABEL, |text| text.parse::<f64>().ok().map(|value| value != 0.0))
    }

    /// Splits the normal rows into halves, after a shuffle with this seed, or in file order for `None`.
    pub fn halves(&self, seed: Option<u64>) -> Halves {
        match seed {
            Some(seed) => self.share(self.normal.len() / 2, seed),
            None => {
                let (train, fresh) = self.normal.split_at(self.normal.len() / 2);
                Halves { train: train.to_vec(), fresh: fresh.to_vec() }
            }
        }
    }

    /// Draws `rows` normal rows for training at random; the other normal rows are test rows.
    pub fn share(&self, rows: usize, seed: u64) -> Halves {
        let share = rows as f64 / self.normal.len() as f64;
        let shares =
            split(self.normal.clone(), [share, 0.0, 0.0, 1.0 - share], SplitStrategy::Shuffled { seed, stretch: 1 });
        Halves { train: shares.train, fresh: shares.held_out }
    }

    /// Writes the training and the test file to the folder `name` below `target/bench/anomaly`.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn task(&self, name: &str, rows: &Halves) -> Result<Task> {
        let fresh = rows.fresh.iter().map(|&row| (row, false));
        let test: Vec<(usize, bool)> = fresh.chain(self.anomalous.iter().map(|&row| (row, true))).collect();
        let train: Vec<(usize, bool)> = rows.train.iter().map(|&row| (row, false)).collect();
        write(name, &self.columns, (self.frame, &train), (self.frame, &test))
    }
}

/// Rows of a file: the file, and (index of the row, whether it is anomalous) for each.
pub type Rows<'f> = (&'f Frame, &'f [(usize, bool)]);

/// Writes the training and the test file of a task. `columns` are the indices of the readings, in both files.
///
/// # Errors
/// The files cannot be written.
pub fn write(name: &str, columns: &[usize], train: Rows<'_>, test: Rows<'_>) -> Result<Task> {
    let folder = folder(name)?;
    for (file, (frame, rows)) in [("train.csv", train), ("test.csv", test)] {
        let mut text = String::new();
        for &column in columns {
            write!(text, "{},", frame.columns[column].name)?;
        }
        writeln!(text, "{LABEL}")?;
        for &(row, anomalous) in rows {
            for &column in columns {
                write!(text, "{},", frame.columns[column].text(row))?;
            }
            writeln!(text, "{}", u8::from(anomalous))?;
        }
        fs::write(folder.join(file), text)?;
    }
    Ok(Task { folder, anomalous: test.1.iter().map(|&(_, anomalous)| anomalous).collect() })
}

/// Creates the folder of the task `name`, and returns its path.
///
/// # Errors
/// The folder cannot be created.
pub fn folder(name: &str) -> Result<PathBuf> {
    let folder = root().join("target/bench/anomaly").join(name);
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use surprisal_trainer::data::{Cells, FrameColumn};

    fn frame(labels: &[&str]) -> Frame {
        let cells = Cells::Text(labels.iter().map(|&label| label.to_owned()).collect());
        Frame {
            path: "simulated".into(),
            columns: vec![FrameColumn { name: LABEL.into(), cells }],
            lines: (1..=labels.len() as u64).collect(),
            unit: "line",
            ..Frame::default()
        }
    }

    #[test]
    fn the_first_half_trains_in_file_order_and_any_half_when_shuffled() {
        let labels = ["0", "1", "0.0", "0", "x", "0", "0"];
        let frame = frame(&labels);
        let set = Set::labelled(&frame).unwrap();
        assert_eq!((&set.normal[..], &set.anomalous[..]), (&[0, 2, 3, 5, 6][..], &[1][..]));
        let Halves { train, fresh } = set.halves(None);
        assert_eq!((train, fresh), (vec![0, 2], vec![3, 5, 6]));
        for seed in 0..3 {
            let Halves { train, fresh } = set.halves(Some(seed));
            assert_eq!(train.len(), 2);
            let mut all = [train, fresh].concat();
            all.sort_unstable();
            assert_eq!(all, set.normal);
        }
    }

    #[test]
    fn a_larger_set_is_drawn_from() {
        let labels: Vec<&str> = (0..60).map(|row| if row % 3 == 0 { "1" } else { "0" }).collect();
        let frame = frame(&labels);
        let mut set = Set::labelled(&frame).unwrap();
        set.keep(60).unwrap();
        assert_eq!((set.normal.len(), set.anomalous.len()), (40, 20));
        set.keep(30).unwrap();
        assert_eq!(set.normal.len() + set.anomalous.len(), 30);
        assert!(set.normal.is_sorted() && set.anomalous.iter().all(|row| row % 3 == 0) && set.anomalous.len() > 2);
    }

    #[test]
    fn a_set_without_anomalous_rows_is_refused() {
        let frame = frame(&["0", "0"]);
        assert!(Set::labelled(&frame).is_err());
    }
}
