//! Labelled data sets, and the training and test files that a protocol makes of them.

use anyhow::{Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::split::{SplitStrategy, split};
use xtask::setup::root;

/// The column of the files that marks anomalies.
pub const LABEL: &str = "anomaly";

/// A file with normal and anomalous rows.
pub struct Set<'f> {
    frame: &'f Frame,
    /// The positions of the columns that are readings.
    columns: Vec<usize>,
    /// The normal rows, in file order.
    pub normal: Vec<usize>,
    /// The anomalous rows, in file order.
    pub anomalous: Vec<usize>,
}

/// The normal rows of a set, split into training and test rows.
pub struct Halves {
    /// The rows to fit.
    pub train: Vec<usize>,
    /// The normal rows to test.
    pub fresh: Vec<usize>,
}

/// A folder with `train.csv`, which has normal rows only, and `test.csv`.
pub struct Task {
    /// The path of the folder.
    pub folder: PathBuf,
    /// `[row]`: whether the row of `test.csv` is anomalous.
    pub anomalous: Vec<bool>,
}

/// Reads a file, plain or gzipped.
///
/// # Errors
/// The file is missing or malformed.
pub fn read(path: &Path) -> Result<Frame> {
    ensure!(
        path.exists(),
        "{} cannot be found; pass the folder that holds adbench/, shuttle/ and skab/ by --data DIR",
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
    /// Creates a set. `is_anomalous` gets each cell of the column `label`; rows for which it returns `None` are left out.
    ///
    /// # Errors
    /// There is no such column, or there are no rows of one kind.
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
        ensure!(normal > 1 && anomalous > 0, "{shown}: {normal} normal and {anomalous} anomalous rows; expected both");
        Ok(())
    }

    /// Draws this number of rows from a larger set and drops the others.
    ///
    /// # Errors
    /// No rows of one kind are left.
    pub fn keep(&mut self, rows: usize) -> Result<()> {
        let all = self.normal.len() + self.anomalous.len();
        if all <= rows {
            return Ok(());
        }
        let mut every = [&self.normal[..], &self.anomalous].concat();
        every.sort_unstable();
        let share = rows as f64 / all as f64;
        let kept = split(every, [share, 0.0, 0.0, 1.0 - share], SplitStrategy::Shuffled { seed: 0 }).train;
        for rows in [&mut self.normal, &mut self.anomalous] {
            rows.retain(|row| kept.binary_search(row).is_ok());
        }
        self.check()
    }

    /// Creates a set whose column `anomaly` is zero on normal rows.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn labelled(frame: &'f Frame) -> Result<Self> {
        Self::new(frame, LABEL, |text| text.parse::<f64>().ok().map(|value| value != 0.0))
    }

    /// Splits the normal rows into halves, in file order or after a seeded shuffle.
    pub fn halves(&self, seed: Option<u64>) -> Halves {
        match seed {
            Some(seed) => self.share(self.normal.len() / 2, seed),
            None => {
                let (train, fresh) = self.normal.split_at(self.normal.len() / 2);
                Halves { train: train.to_vec(), fresh: fresh.to_vec() }
            }
        }
    }

    /// Draws this number of normal rows for training after a seeded shuffle; the others are fresh.
    pub fn share(&self, rows: usize, seed: u64) -> Halves {
        let share = rows as f64 / self.normal.len() as f64;
        let shares = split(self.normal.clone(), [share, 0.0, 0.0, 1.0 - share], SplitStrategy::Shuffled { seed });
        Halves { train: shares.train, fresh: shares.held_out }
    }

    /// Writes both files below `target/bench/anomaly`.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn task(&self, name: &str, rows: &Halves) -> Result<Task> {
        let fresh = rows.fresh.iter().map(|&row| (row, false));
        let test: Vec<(usize, bool)> = fresh.chain(self.anomalous.iter().map(|&row| (row, true))).collect();
        let train: Vec<(usize, bool)> = rows.train.iter().map(|&row| (row, false)).collect();
        write(name, self.frame, &self.columns, &train, &test)
    }
}

/// Writes the training and the test file of a task from rows and their labels.
///
/// # Errors
/// The files cannot be written.
pub fn write(
    name: &str,
    frame: &Frame,
    columns: &[usize],
    train: &[(usize, bool)],
    test: &[(usize, bool)],
) -> Result<Task> {
    let folder = root().join("target/bench/anomaly").join(name);
    fs::create_dir_all(&folder)?;
    for (file, rows) in [("train.csv", train), ("test.csv", test)] {
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
    Ok(Task { folder, anomalous: test.iter().map(|&(_, anomalous)| anomalous).collect() })
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
            digest: 0,
            unit: "line",
            mixed: Vec::new(),
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
