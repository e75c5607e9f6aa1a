//! The measured costs of tables on boards, stored in `docs/device.json` and printed in `docs/device.md`.

use super::WEIGHED;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use surprisal_trainer::output::write_whole;
use xtask::board::BOARDS;
use xtask::setup::root;

/// The heading in `docs/device.md` below which `cargo benches device --update` writes the numbers; the text above the
/// heading is written by hand.
const PRINTED: &str = "\n## As printed\n";
/// The operations that are measured in one program. `bit`, from one sampled bit to the next, has no number for the
/// stack.
const OPERATIONS: [&str; 10] =
    ["encode", "model", "surprisal", "explain", "score", "push", "sample", "compress", "decompress", "bit"];
/// The divisor of a stored number that limits its growth: it may grow by 1/200 of itself, 0.5 %.
const FRACTION: u64 = 200;

/// The numbers of [`Snapshot::add`] by board and table, such as `m0 golden/shuttle`, then by operation, such as
/// `score`.
type Figures = BTreeMap<String, BTreeMap<String, Vec<u64>>>;

/// All measured numbers, with the compiler and the tables that they depend on.
#[derive(Default)]
pub struct Snapshot {
    /// The version of the compiler, as `rustc` prints it.
    rustc: String,
    /// [size in bytes, checksum] of each table by its name, such as `golden/shuttle`.
    pub tables: BTreeMap<String, Vec<u64>>,
    figures: Figures,
}

impl Snapshot {
    /// Creates a snapshot without numbers for a version of the compiler.
    pub fn by(rustc: String) -> Self {
        Self { rustc, ..Self::default() }
    }

    /// Reads the stored snapshot, or returns an empty one if there is none.
    ///
    /// # Errors
    /// The file `docs/device.json` is damaged or has another layout.
    pub fn read() -> Result<Self> {
        let Ok(text) = fs::read_to_string(path()) else { return Ok(Self::default()) };
        let value: Value = serde_json::from_str(&text).context(
            "docs/device.json is not valid JSON; restore it from the repository, or delete it and run with --update",
        )?;
        let field = |name: &str| value[name].clone();
        let parsed = || -> serde_json::Result<Self> {
            Ok(Self {
                rustc: serde_json::from_value(field("rustc"))?,
                tables: serde_json::from_value(field("tables"))?,
                figures: serde_json::from_value(field("figures"))?,
            })
        };
        parsed().context("docs/device.json has another layout; delete it and run with --update")
    }

    /// Adds what was measured for an operation of a table on a board: [mean, max, worst instructions, bytes of stack],
    /// or the program sizes of [`Sizes::numbers`](xtask::size::Sizes::numbers). `group` is the group of tables, such as
    /// `golden`.
    pub fn add(&mut self, board: &str, group: &str, table: &str, operation: &str, numbers: Vec<u64>) {
        self.figures.entry(format!("{board} {group}/{table}")).or_default().insert(operation.to_owned(), numbers);
    }

    /// Replaces numbers by those of a newer snapshot. Numbers for tables that have changed since are dropped.
    ///
    /// # Errors
    /// Numbers of two versions of the compiler would be mixed.
    pub fn take(&mut self, newer: Self) -> Result<()> {
        let replaced = self.figures.keys().all(|key| newer.figures.contains_key(key));
        ensure!(
            replaced || self.rustc == newer.rustc,
            "docs/device.json was measured with {}, and this is {}; measure all boards and tables: run \
             `cargo benches device --update`",
            self.rustc,
            newer.rustc
        );
        self.rustc = newer.rustc;
        // Numbers of tables that have changed are dropped.
        let same =
            |table: &str| newer.tables.get(table).is_none_or(|identity| self.tables.get(table) == Some(identity));
        self.figures.retain(|key, _| same(key.split(' ').nth(1).unwrap_or_default()));
        self.tables.extend(newer.tables);
        self.figures.extend(newer.figures);
        Ok(())
    }

    /// Compares measured numbers with the stored ones, `self`. Returns two lists of messages: numbers that have grown
    /// by more than 0.5 %, which is a failure, and notes on other differences.
    pub fn compare(&self, measured: &Self) -> (Vec<String>, Vec<String>) {
        let (mut grown, mut notes) = (Vec::new(), Vec::new());
        for (key, operations) in &measured.figures {
            let table = key.split(' ').nth(1).unwrap_or_default();
            if self.tables.get(table).is_some_and(|kept| kept != &measured.tables[table]) {
                let message = format!("{key}: the table differs from that of docs/device.json");
                // Golden tables change on purpose only.
                if table.starts_with("golden/") {
                    grown.push(message)
                } else {
                    notes.push(message)
                }
                continue;
            }
            for (operation, numbers) in operations {
                let Some(kept) = self.figures.get(key).and_then(|operations| operations.get(operation)) else {
                    grown.push(format!("{key} {operation}: not in docs/device.json"));
                    continue;
                };
                let message = || format!("{key} {operation}: {numbers:?}, was {kept:?}");
                let exceeds = |(new, old): (&u64, &u64)| *new > old + old / FRACTION;
                if numbers.len() != kept.len() || numbers.iter().zip(kept).any(exceeds) {
                    grown.push(message());
                } else if kept.iter().zip(numbers).any(exceeds) {
                    notes.push(message());
                }
            }
        }
        if self.rustc != measured.rustc && !self.rustc.is_empty() {
            notes.append(&mut grown);
            notes.push(format!(
                "docs/device.json was measured with {}, and this is {}, so nothing counts as regressed",
                self.rustc, measured.rustc
            ));
        }
        (grown, notes)
    }

    /// Returns the content of `docs/device.json`, with one line per board and table.
    ///
    /// # Errors
    /// Never in practice.
    pub fn json(&self) -> Result<String> {
        let lines = |figures: Vec<(&String, Value)>| -> Result<String> {
            let each = figures.into_iter().map(|(key, value)| Ok(format!("    {}: {value}", json!(key))));
            Ok(each.collect::<Result<Vec<_>>>()?.join(",\n"))
        };
        let tables = lines(self.tables.iter().map(|(key, value)| (key, json!(value))).collect())?;
        let figures = lines(self.figures.iter().map(|(key, value)| (key, json!(value))).collect())?;
        Ok(format!(
            "{{\n  \"rustc\": {},\n  \"tables\": {{\n{tables}\n  }},\n  \"figures\": {{\n{figures}\n  }}\n}}\n",
            json!(self.rustc)
        ))
    }

    /// Writes `docs/device.json`, and the part of `docs/device.md` below the heading "As printed".
    ///
    /// # Errors
    /// A file cannot be read or written.
    pub fn write(&self) -> Result<()> {
        write_whole(&path(), self.json()?.as_bytes(), &[])?;
        let page = root().join("docs/device.md");
        let text = fs::read_to_string(&page)?;
        let (prose, _) =
            text.split_once(PRINTED).context("docs/device.md has no heading `## As printed`; add it at the end")?;
        Ok(write_whole(&page, format!("{prose}{PRINTED}\n```text\n{}```\n", self.summary()).as_bytes(), &[])?)
    }

    /// Returns the numbers that most users need as tables of text, for `docs/device.md`: instructions of an operation alone
    /// and bytes of flash.
    pub fn summary(&self) -> String {
        let mut page = format!("{}\n", self.rustc);
        for board in self.weighed() {
            let title = format!("{board}: instructions of an operation alone: mean, max, worst");
            self.section(&mut page, &title, 22, &["model", "surprisal", "score", "sample"], |table, operation| {
                Some(three(self.numbers(board, table, &format!("{operation} alone"))?))
            });
        }
        for board in self.weighed() {
            let columns =
                [("code at 3", "3", 0), ("code at s", "s", 0), ("link", "3", 1), ("table", "3", 2), ("RAM", "3", 4)];
            let title = format!("{board}: bytes that scoring adds");
            self.section(&mut page, &title, 10, &columns.map(|(name, ..)| name), |table, column| {
                let (_, level, at) = columns.iter().find(|(name, ..)| *name == column)?;
                Some(self.numbers(board, table, &format!("bytes at {level}"))?[*at].to_string())
            });
        }
        page
    }

    /// Returns the summary and the numbers of all operations on all boards as tables of text, for the terminal.
    pub fn page(&self) -> String {
        let mut page = self.summary();
        let boards: Vec<&str> = BOARDS.iter().map(|board| board.name).filter(|board| self.has(board)).collect();
        for operation in ["model", "surprisal"] {
            let title = format!("instructions of `{operation}` among others: mean, max, worst");
            self.section(&mut page, &title, 22, &boards, |table, board| {
                Some(three(self.numbers(board, table, operation)?))
            });
        }
        for (at, title) in [(0, "mean instructions among others"), (3, "bytes of stack among others")] {
            for board in self.weighed() {
                let operations = &OPERATIONS[..OPERATIONS.len() - usize::from(at != 0)];
                self.section(&mut page, &format!("{board}: {title}"), 11, operations, |table, operation| {
                    Some(self.numbers(board, table, operation)?[at].to_string())
                });
            }
        }
        self.section(
            &mut page,
            "instructions from one sampled bit to the next, at most",
            10,
            &boards,
            |table, board| Some(self.numbers(board, table, "bit")?[1].to_string()),
        );
        page
    }

    /// Returns the measured boards whose programs are also measured alone and in bytes.
    fn weighed(&self) -> Vec<&'static str> {
        BOARDS.iter().map(|board| board.name).filter(|board| WEIGHED.contains(board) && self.has(board)).collect()
    }

    /// Appends a section to the page: a line per table, with a cell of `width` characters per column.
    ///
    /// `cell` maps the names of a table and a column to a text, or to `None` for an empty cell.
    fn section(
        &self,
        page: &mut String,
        title: &str,
        width: usize,
        columns: &[&str],
        cell: impl Fn(&str, &str) -> Option<String>,
    ) {
        let mut line = format!("\n{title}\n{:<20}", "");
        columns.iter().for_each(|column| write!(line, "{column:>width$}").expect("writing to a string never fails"));
        for table in self.tables.keys() {
            write!(line, "\n{table:<20}").expect("writing to a string never fails");
            for column in columns {
                let cell = cell(table, column).unwrap_or_default();
                write!(line, "{cell:>width$}").expect("writing to a string never fails");
            }
        }
        *page += &(line.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n");
    }

    fn numbers(&self, board: &str, table: &str, operation: &str) -> Option<&[u64]> {
        Some(self.figures.get(&format!("{board} {table}"))?.get(operation)?)
    }

    fn has(&self, board: &str) -> bool {
        self.figures.keys().any(|key| key.split(' ').next() == Some(board))
    }
}

/// Formats mean, max and worst.
fn three(numbers: &[u64]) -> String {
    numbers[..3].iter().map(|number| format!("{number:>7}")).collect()
}

fn path() -> PathBuf {
    root().join("docs/device.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(rustc: &str, checksum: u64, numbers: [u64; 2]) -> Snapshot {
        let mut snapshot = Snapshot::by(rustc.into());
        snapshot.tables.insert("group/table".into(), vec![100, checksum]);
        snapshot.add("m0", "group", "table", "score", numbers.into());
        snapshot
    }

    /// The page is written together with the numbers.
    #[test]
    fn the_page_shows_the_stored_numbers() {
        let page = fs::read_to_string(root().join("docs/device.md")).expect("a page");
        let (_, printed) = page.split_once(PRINTED).expect("a heading");
        let stored = Snapshot::read().expect("stored numbers");
        assert_eq!(printed, format!("\n```text\n{}```\n", stored.summary()));
    }

    #[test]
    fn a_number_may_grow_by_half_a_percent() {
        let kept = snapshot("rustc 1", 7, [1000, 30]);
        let grown = |numbers| kept.compare(&snapshot("rustc 1", 7, numbers)).0.len();
        assert_eq!([[1000, 30], [1005, 30], [900, 20]].map(grown), [0; 3]);
        assert_eq!([[1006, 30], [1000, 31]].map(grown), [1; 2]);
    }

    #[test]
    fn a_number_that_is_not_stored_counts_as_grown() {
        let mut measured = snapshot("rustc 1", 7, [1000, 30]);
        measured.add("m3", "group", "table", "score", vec![1, 1]);
        assert_eq!(
            snapshot("rustc 1", 7, [1000, 30]).compare(&measured).0,
            ["m3 group/table score: not in docs/device.json"]
        );
    }

    #[test]
    fn another_compiler_or_table_is_a_note_and_no_failure() {
        let kept = snapshot("rustc 1", 7, [1000, 30]);
        for measured in [snapshot("rustc 2", 7, [2000, 60]), snapshot("rustc 1", 8, [2000, 60])] {
            let (grown, notes) = kept.compare(&measured);
            assert!(grown.is_empty() && !notes.is_empty());
        }
        assert!(snapshot("rustc 1", 7, [1, 1]).take(snapshot("rustc 2", 7, [2, 2])).is_ok());
        let mut both = snapshot("rustc 1", 7, [1, 1]);
        both.add("m3", "group", "table", "score", vec![1, 1]);
        assert!(both.take(snapshot("rustc 2", 7, [2, 2])).is_err());
    }
}
