//! What was measured, `docs/device.json` where it is kept, and `docs/device.md` where it is shown.

use super::{ALONE, WEIGHED};
use crate::board::BOARDS;
use crate::setup::root;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use surprisal_trainer::output::write_whole;

/// Below this line the page is printed.
const PRINTED: &str = "\n## As printed\n";
/// Verbs that are printed among others; the last one has no stack of its own.
const VERBS: [&str; 11] = [
    "encode",
    "surprisal",
    "steady",
    "score",
    "explain",
    "surprise",
    "push",
    "sample",
    "compress",
    "decompress",
    "bit",
];
/// No number may grow by more than one part in so many.
const PARTS: u64 = 200;

/// By board and table (`m0 golden/shuttle`), then by verb.
type Figures = BTreeMap<String, BTreeMap<String, Vec<u64>>>;

/// All numbers, and what they depend on.
#[derive(Default)]
pub struct Snapshot {
    /// The compiler.
    rustc: String,
    /// Size and checksum of each table.
    pub tables: BTreeMap<String, Vec<u64>>,
    figures: Figures,
}

impl Snapshot {
    /// Nothing yet, by this compiler.
    pub fn by(rustc: String) -> Self {
        Self { rustc, ..Self::default() }
    }

    /// The one that is kept; an empty one if none is.
    pub fn read() -> Result<Self> {
        let Ok(text) = fs::read_to_string(path()) else { return Ok(Self::default()) };
        let value: Value = serde_json::from_str(&text).context("docs/device.json is damaged")?;
        let part = |name: &str| value[name].clone();
        let parsed = || -> serde_json::Result<Self> {
            Ok(Self {
                rustc: serde_json::from_value(part("rustc"))?,
                tables: serde_json::from_value(part("tables"))?,
                figures: serde_json::from_value(part("figures"))?,
            })
        };
        parsed().context("docs/device.json is not as expected; make it anew by --update")
    }

    /// Takes in one line of numbers.
    pub fn add(&mut self, board: &str, group: &str, table: &str, verb: &str, numbers: Vec<u64>) {
        self.figures.entry(format!("{board} {group}/{table}")).or_default().insert(verb.to_owned(), numbers);
    }

    /// Takes in all of another.
    pub fn take(&mut self, newer: Self) -> Result<()> {
        let replaced = self.figures.keys().all(|key| newer.figures.contains_key(key));
        ensure!(
            replaced || self.rustc == newer.rustc,
            "docs/device.json is of {} and this is {}: take in all boards and tables, or none",
            self.rustc,
            newer.rustc
        );
        self.rustc = newer.rustc;
        // What is told of tables that are no more, or not the same any more, goes.
        let same =
            |table: &str| newer.tables.get(table).is_none_or(|identity| self.tables.get(table) == Some(identity));
        self.figures.retain(|key, _| same(key.split(' ').nth(1).unwrap_or_default()));
        self.tables.extend(newer.tables);
        self.figures.extend(newer.figures);
        Ok(())
    }

    /// What is dearer than here, and what else is to be said of another's numbers.
    pub fn compare(&self, measured: &Self) -> (Vec<String>, Vec<String>) {
        let (mut grown, mut notes) = (Vec::new(), Vec::new());
        for (key, verbs) in &measured.figures {
            let table = key.split(' ').nth(1).unwrap_or_default();
            if self.tables.get(table).is_some_and(|kept| kept != &measured.tables[table]) {
                let said = format!("{key}: another table than the one of docs/device.json");
                // The golden ones change on purpose only.
                if table.starts_with("golden/") {
                    grown.push(said)
                } else {
                    notes.push(said)
                }
                continue;
            }
            for (verb, numbers) in verbs {
                let Some(kept) = self.figures.get(key).and_then(|verbs| verbs.get(verb)) else {
                    grown.push(format!("{key} {verb}: not in docs/device.json"));
                    continue;
                };
                let said = || format!("{key} {verb}: {numbers:?}, was {kept:?}");
                let exceeds = |(new, old): (&u64, &u64)| *new > old + old / PARTS;
                if numbers.len() != kept.len() || numbers.iter().zip(kept).any(exceeds) {
                    grown.push(said());
                } else if kept.iter().zip(numbers).any(exceeds) {
                    notes.push(said());
                }
            }
        }
        if self.rustc != measured.rustc && !self.rustc.is_empty() {
            notes.append(&mut grown);
            notes.push(format!(
                "docs/device.json is of {}, and this is {}: nothing counts as grown",
                self.rustc, measured.rustc
            ));
        }
        (grown, notes)
    }

    /// One line a board and table.
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

    /// Writes both files.
    pub fn write(&self) -> Result<()> {
        write_whole(&path(), self.json()?.as_bytes(), &[])?;
        let page = root().join("docs/device.md");
        let text = fs::read_to_string(&page)?;
        let (prose, _) = text.split_once(PRINTED).context("docs/device.md has no place for what is printed")?;
        Ok(write_whole(&page, format!("{prose}{PRINTED}\n```text\n{}```\n", self.page()).as_bytes(), &[])?)
    }

    /// For people: what matters most of it.
    pub fn page(&self) -> String {
        let mut page = format!("{}\n", self.rustc);
        let boards: Vec<&str> = BOARDS.iter().map(|board| board.name).filter(|board| self.has(board)).collect();
        let weighed: Vec<&str> = boards.iter().copied().filter(|board| WEIGHED.contains(board)).collect();
        let three = |numbers: &[u64]| numbers[..3].iter().map(|number| format!("{number:>7}")).collect::<String>();
        for board in &weighed {
            let title = format!("{board}: instructions of a verb alone: mean, max, worst");
            self.section(&mut page, &title, 22, &ALONE, |table, verb| {
                Some(three(self.numbers(board, table, &format!("{verb} alone"))?))
            });
        }
        for verb in ["surprisal", "score"] {
            let title = format!("instructions of `{verb}` among others: mean, max, worst");
            self.section(&mut page, &title, 22, &boards, |table, board| Some(three(self.numbers(board, table, verb)?)));
        }
        for (at, title) in [(0, "mean instructions among others"), (3, "bytes of stack among others")] {
            for board in &weighed {
                let verbs = &VERBS[..if at == 0 { VERBS.len() } else { VERBS.len() - 1 }];
                self.section(&mut page, &format!("{board}: {title}"), 11, verbs, |table, verb| {
                    Some(self.numbers(board, table, verb)?[at].to_string())
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
        for board in &weighed {
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

    /// A line a table, a cell a column.
    fn section(
        &self,
        page: &mut String,
        title: &str,
        width: usize,
        columns: &[&str],
        cell: impl Fn(&str, &str) -> Option<String>,
    ) {
        let mut line = format!("\n{title}\n{:<20}", "");
        columns.iter().for_each(|column| write!(line, "{column:>width$}").expect("a string takes all"));
        for table in self.tables.keys() {
            write!(line, "\n{table:<20}").expect("a string takes all");
            for column in columns {
                let cell = cell(table, column).unwrap_or_default();
                write!(line, "{cell:>width$}").expect("a string takes all");
            }
        }
        *page += &(line.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n");
    }

    fn numbers(&self, board: &str, table: &str, verb: &str) -> Option<&[u64]> {
        Some(self.figures.get(&format!("{board} {table}"))?.get(verb)?)
    }

    fn has(&self, board: &str) -> bool {
        self.figures.keys().any(|key| key.split(' ').next() == Some(board))
    }
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

    #[test]
    fn half_a_percent_is_the_most_that_a_number_may_grow() {
        let kept = snapshot("rustc 1", 7, [1000, 30]);
        let grown = |numbers| kept.compare(&snapshot("rustc 1", 7, numbers)).0.len();
        assert_eq!([[1000, 30], [1005, 30], [900, 20]].map(grown), [0; 3]);
        assert_eq!([[1006, 30], [1000, 31]].map(grown), [1; 2]);
    }

    #[test]
    fn what_is_not_kept_counts_as_grown() {
        let mut measured = snapshot("rustc 1", 7, [1000, 30]);
        measured.add("m3", "group", "table", "score", vec![1, 1]);
        assert_eq!(
            snapshot("rustc 1", 7, [1000, 30]).compare(&measured).0,
            ["m3 group/table score: not in docs/device.json"]
        );
    }

    #[test]
    fn another_compiler_or_table_is_told_and_not_blamed() {
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
