//! Sets with ordinary and odd rows, and what a protocol makes of one: a training and a test file.

use crate::setup::root;
use anyhow::{Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::split::{SplitStrategy, split};

/// The column of the files that says what is an anomaly.
pub const LABEL: &str = "anomaly";

/// A file, and which of its rows are which.
pub struct Set<'f> {
    frame: &'f Frame,
    /// The columns that are readings.
    columns: Vec<usize>,
    /// Rows of the usual state, in file order.
    pub ordinary: Vec<usize>,
    /// All others.
    pub odd: Vec<usize>,
}

/// Which rows train, and which are ordinary and fresh.
pub struct Dealt {
    /// To fit on.
    pub train: Vec<usize>,
    /// To test on, beside the odd ones.
    pub fresh: Vec<usize>,
}

/// A folder with `train.csv`, ordinary rows alone, and `test.csv`.
pub struct Task {
    /// Where it lies.
    pub folder: PathBuf,
    /// For each row of `test.csv`, is it odd?
    pub odd: Vec<bool>,
}

/// Reads a file, plain or gzipped.
pub fn read(path: &Path) -> Result<Frame> {
    ensure!(
        path.exists(),
        "{} is not there; pass the folder that holds adbench/, shuttle/ and skab/ by --data DIR",
        path.display()
    );
    Ok(Frame::read(path, Header::Auto)?)
}

impl<'f> Set<'f> {
    /// `is_odd` is asked for each row's cell of the column `label`; rows that it does not know are left out.
    pub fn new(frame: &'f Frame, label: &str, is_odd: impl Fn(&str) -> Option<bool>) -> Result<Self> {
        let of = frame.position(label)?;
        let rows = |odd: bool| {
            (0..frame.rows()).filter(|&row| is_odd(frame.columns[of].text(row)) == Some(odd)).collect::<Vec<_>>()
        };
        let columns = (0..frame.columns.len()).filter(|&column| column != of).collect();
        let set = Self { frame, columns, ordinary: rows(false), odd: rows(true) };
        set.check()?;
        Ok(set)
    }

    fn check(&self) -> Result<()> {
        let (shown, ordinary, odd) = (self.frame.path.display(), self.ordinary.len(), self.odd.len());
        ensure!(ordinary > 1 && odd > 0, "{shown}: {ordinary} ordinary and {odd} odd rows; a benchmark takes both");
        Ok(())
    }

    /// Draws so many rows of a larger set, and forgets the others.
    pub fn keep(&mut self, rows: usize) -> Result<()> {
        let all = self.ordinary.len() + self.odd.len();
        if all <= rows {
            return Ok(());
        }
        let mut every = [&self.ordinary[..], &self.odd].concat();
        every.sort_unstable();
        let share = rows as f64 / all as f64;
        let kept = split(every, [share, 0.0, 0.0, 1.0 - share], SplitStrategy::Shuffled { seed: 0 }).train;
        for rows in [&mut self.ordinary, &mut self.odd] {
            rows.retain(|row| kept.binary_search(row).is_ok());
        }
        self.check()
    }

    /// A set whose column `anomaly` is zero on ordinary rows.
    pub fn labelled(frame: &'f Frame) -> Result<Self> {
        Self::new(frame, LABEL, |text| text.parse::<f64>().ok().map(|value| value != 0.0))
    }

    /// The first half of the ordinary rows, in file order or after a seeded shuffle, and the others.
    pub fn halves(&self, seed: Option<u64>) -> Dealt {
        match seed {
            Some(seed) => self.share(self.ordinary.len() / 2, seed),
            None => {
                let (train, fresh) = self.ordinary.split_at(self.ordinary.len() / 2);
                Dealt { train: train.to_vec(), fresh: fresh.to_vec() }
            }
        }
    }

    /// So many ordinary rows after a seeded shuffle, and the others.
    pub fn share(&self, rows: usize, seed: u64) -> Dealt {
        let share = rows as f64 / self.ordinary.len() as f64;
        let dealt = split(self.ordinary.clone(), [share, 0.0, 0.0, 1.0 - share], SplitStrategy::Shuffled { seed });
        Dealt { train: dealt.train, fresh: dealt.held_out }
    }

    /// Writes both files below `target/bench/anomaly`.
    pub fn task(&self, name: &str, dealt: &Dealt) -> Result<Task> {
        let fresh = dealt.fresh.iter().map(|&row| (row, false));
        let test: Vec<(usize, bool)> = fresh.chain(self.odd.iter().map(|&row| (row, true))).collect();
        let train: Vec<(usize, bool)> = dealt.train.iter().map(|&row| (row, false)).collect();
        write(name, self.frame, &self.columns, &train, &test)
    }
}

/// The same from rows and what they are.
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
        for &(row, odd) in rows {
            for &column in columns {
                write!(text, "{},", frame.columns[column].text(row))?;
            }
            writeln!(text, "{}", u8::from(odd))?;
        }
        fs::write(folder.join(file), text)?;
    }
    Ok(Task { folder, odd: test.iter().map(|&(_, odd)| odd).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use surprisal_trainer::data::Cells;

    fn frame(labels: &[&str]) -> Frame {
        let mut cells = Cells { name: LABEL.into(), ..Cells::default() };
        for (code, label) in labels.iter().enumerate() {
            cells.texts.push((*label).into());
            cells.codes.push(code as u32);
        }
        Frame {
            path: "made up".into(),
            columns: vec![cells],
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
        assert_eq!((&set.ordinary[..], &set.odd[..]), (&[0, 2, 3, 5, 6][..], &[1][..]));
        let Dealt { train, fresh } = set.halves(None);
        assert_eq!((train, fresh), (vec![0, 2], vec![3, 5, 6]));
        for seed in 0..3 {
            let Dealt { train, fresh } = set.halves(Some(seed));
            assert_eq!(train.len(), 2);
            let mut all = [train, fresh].concat();
            all.sort_unstable();
            assert_eq!(all, set.ordinary);
        }
    }

    #[test]
    fn a_larger_set_is_drawn_from() {
        let labels: Vec<&str> = (0..60).map(|row| if row % 3 == 0 { "1" } else { "0" }).collect();
        let frame = frame(&labels);
        let mut set = Set::labelled(&frame).unwrap();
        set.keep(60).unwrap();
        assert_eq!((set.ordinary.len(), set.odd.len()), (40, 20));
        set.keep(30).unwrap();
        assert_eq!(set.ordinary.len() + set.odd.len(), 30);
        assert!(set.ordinary.is_sorted() && set.odd.iter().all(|row| row % 3 == 0) && set.odd.len() > 2);
    }

    #[test]
    fn a_set_without_odd_rows_is_refused() {
        let frame = frame(&["0", "0"]);
        assert!(Set::labelled(&frame).is_err());
    }
}
