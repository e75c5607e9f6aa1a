//! The tables whose costs on boards are measured, and the rows that they score.

use anyhow::{Context, Result, bail, ensure};
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use surprisal::{EncodeError, Reading};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::output::write_whole;
use surprisal_trainer::row_table;
use surprisal_trainer::shape::Shape;
use surprisal_trainer::table::cost::Cost;
use surprisal_trainer::with_shape;
use xtask::command::Surprisal;
use xtask::measure;
use xtask::setup::root;
use xtask::shuttle::{DATA, READINGS};

/// The number of rows that each table scores, evenly spaced over the held-out rows.
const ROWS: usize = 256;
/// The names of the tables in `tests/golden`.
const GOLDEN: [&str; 3] = ["shuttle", "flagship", "mixture"];
/// The options of `surprisal fit` for a hidden layer.
pub const LAYER: &[&str] = &["--units", "16", "--activation", "relu", "--restarts", "1"];
/// The groups of fitted tables: the model family, which names the group, and further options of `surprisal fit`.
const FAMILIES: [(&str, &[&str]); 6] =
    [("marginal", &[]), ("linear", &[]), ("tree", &[]), ("lintree", &[]), ("nade", LAYER), ("flagship", LAYER)];
/// The data sets of each group: three public sets of binary data, and the shuttle data of the repository.
const SETS: [&str; 4] = ["nltcs", "plants", "accidents", "shuttle"];

/// A table that is measured, with the rows that it scores.
pub struct Table {
    /// The name of the table in the program, such as `shuttle`.
    pub name: String,
    /// The path of the Rust source that `surprisal export` wrote.
    pub source: PathBuf,
    /// The numbers of bits, hidden units and mixture components.
    pub shape: Shape,
    /// The upper bound of the instructions to score one row of bits, or `None` for a table of views.
    pub cost: Option<Cost>,
    /// [size in bytes, checksum] of the table.
    pub identity: Vec<u64>,
    /// The path of the file of rows, in the format that `tests/device/src/tally.rs` reads.
    pub rows: PathBuf,
    /// `[row][column]`: the readings of the rows that the table judges as normal.
    pub normal: Vec<Vec<Reading>>,
}

/// Tables that are measured in one program. They differ in size, so the compiler generates code for each of them.
pub struct Group {
    /// The name of the group, such as `golden` or a model family.
    pub name: &'static str,
    /// The tables, in the order in which the program measures them.
    pub tables: Vec<Table>,
}

impl Group {
    /// Returns the groups of the tables in `tests/golden`: models of bits, and a table of views.
    ///
    /// # Errors
    /// A file is missing or damaged.
    pub fn golden() -> Result<Vec<Self>> {
        let table = |name: &&str| {
            let path = root().join("tests/golden").join(name);
            let table = fs::read(path.with_extension("srp"))?;
            let rows = scratch(&format!("golden-{name}.rows"))?;
            Table::new(name, path.with_extension("rs"), rows, &table, &golden_rows()?)
        };
        let group = |names: &[&str]| -> Result<Self> {
            Ok(Self { name: "golden", tables: names.iter().map(table).collect::<Result<_>>()? })
        };
        Ok(vec![group(&GOLDEN)?, group(&["views"])?])
    }

    /// Returns the tables of views of the shuttle data: one view of the readings, and two views.
    ///
    /// # Errors
    /// A file is missing, or a fit fails.
    pub fn views(fitter: &Fitter) -> Result<Self> {
        let sets = [("shuttle1", &["--views", "1", "--cells", "16"][..]), ("shuttle", &[])];
        let tables = sets.map(|(set, options)| fitter.table("tables", set, options));
        Ok(Self { name: "tables", tables: tables.into_iter().collect::<Result<_>>()? })
    }

    /// Returns whether the tables are tables of views, which have no operations on bits.
    pub fn has_views(&self) -> bool {
        self.tables.iter().any(|table| table.cost.is_none())
    }

    /// Returns the groups of fitted tables. A table is fitted to the files in `data` unless an earlier run did so.
    ///
    /// # Errors
    /// A file is missing, or a fit fails.
    pub fn fitted(data: &Path) -> Result<Vec<Self>> {
        let fitter = Fitter::new(data)?;
        let group = |(family, options): &(&'static str, &[&str])| {
            let tables = SETS.iter().map(|set| fitter.table(family, set, options)).collect::<Result<_>>()?;
            Ok(Self { name: family, tables })
        };
        let mut groups: Vec<Self> = FAMILIES.iter().map(group).collect::<Result<_>>()?;
        // In programs of their own, because the flash of the smallest board does not hold all tables of a family.
        let others = [("shuttle16", &["--cells", "16"][..]), ("shuttle8", &["--cells", "8"]), ("plants64", &[])];
        let others = others.map(|(set, options)| fitter.table("lintree", set, options));
        groups.push(Self { name: "lintree", tables: others.into_iter().collect::<Result<_>>()? });
        groups.push(Self { name: "nade", tables: vec![fitter.table("nade", "plants64", LAYER)?] });
        groups.push(Self::views(&fitter)?);
        Ok(groups)
    }

    /// Writes the Rust source that includes the tables and rows in the measuring program, and returns its path.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn source(&self) -> Result<PathBuf> {
        let mut text = String::new();
        for Table { name, source, .. } in &self.tables {
            writeln!(text, "#[path = {source:?}]\nmod {name};")?;
        }
        // One type per table, because associated constants belong to types.
        text += "pub struct Nth<const AT: usize>;\n";
        let mut calls = String::new();
        for (at, Table { name, rows, shape, .. }) in self.tables.iter().enumerate() {
            let Shape { bits, units, components, .. } = shape;
            let sizes = format!("{bits}, {units}, {components}, {{ {name}::COLUMNS.len() }}");
            writeln!(
                text,
                "impl crate::measure::Subject<{sizes}> for Nth<{at}> {{\n    \
                 const NAME: &'static str = {name:?};\n    \
                 const TABLE: &'static surprisal::Table<'static, {bits}, {units}, {components}> = &{name}::TABLE;\n    \
                 const ROWS: crate::tally::Rows = crate::tally::Rows(include_bytes!({rows:?}));\n}}"
            )?;
            writeln!(calls, "    crate::measure::measure::<Nth<{at}>, {sizes}>(meter);")?;
        }
        writeln!(text, "pub fn measure(meter: &crate::meter::Instructions) {{\n{calls}}}")?;
        let path = scratch(&format!("{}.rs", self.name))?;
        write_changed(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// Fits tables with the command `surprisal`, and reuses tables of earlier runs whose inputs are the same.
pub struct Fitter<'d> {
    data: &'d Path,
    surprisal: Surprisal,
}

impl<'d> Fitter<'d> {
    /// Builds the command `surprisal`, and creates a fitter for data files in the folder `data`, which holds `debd/`.
    ///
    /// # Errors
    /// The command `surprisal` does not build.
    pub fn new(data: &'d Path) -> Result<Self> {
        Ok(Self { data, surprisal: Surprisal::build()? })
    }

    /// Fits a model family to the data set `set` with further options of `surprisal fit`.
    ///
    /// The set `plants64` is the first 64 columns of `plants`; `shuttle16` and `shuttle8` are other names of `shuttle`.
    ///
    /// # Errors
    /// A file is missing, or the fit fails.
    pub fn table(&self, family: &str, set: &str, options: &[&str]) -> Result<Table> {
        let (mut args, files): (Vec<String>, Vec<PathBuf>) = if set.starts_with("shuttle") {
            let args = ["--label", "Class", "--normal", "Rad.Flow", "--flash", "64KiB"];
            (args.map(str::to_owned).into(), vec![root().join(DATA)])
        } else {
            let [train, valid, test] = ["train", "valid", "test"].map(|part| self.file(set, part));
            let files = vec![train?, valid?, test?];
            (vec!["--valid".into(), files[1].display().to_string(), "--flash".into(), "16KiB".into()], files)
        };
        args.extend(["--family", family].iter().chain(options).map(|&word| word.to_owned()));
        let (artefact, source) = self.fit(&format!("{family}-{set}"), &args, &files)?;
        let readings = if let [.., test] = &files[1..] {
            let frame = artefact.frame(test, Header::Auto)?;
            let every: Vec<usize> = (0..ROWS).map(|i| i * frame.rows() / ROWS).collect();
            artefact.schema.all_readings(&frame, &every)?
        } else {
            // Every fit with the default seed holds these rows out.
            golden_rows()?
        };
        Table::new(set, source.clone(), source.with_extension("rows"), artefact.table_bytes(), &readings)
    }

    /// Fits a model to the first of `files`. Returns the model and the path of its exported Rust source.
    ///
    /// `files` must list all files that `args` name, because a change of one of them causes a new fit.
    ///
    /// # Errors
    /// The fit fails.
    pub fn fit(&self, name: &str, args: &[String], files: &[PathBuf]) -> Result<(Artefact, PathBuf)> {
        let key = key(args, files.iter().chain([&self.surprisal.0]))?;
        let [model, source] = ["srp", "rs"].map(|suffix| scratch(&format!("{name}-{key:016x}.{suffix}")));
        let (model, source) = (model?, source?);
        let shown = model.display().to_string();
        if !model.exists() {
            eprintln!("{name}");
            let data = files[0].display().to_string();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            self.surprisal.json(&[&["fit", &data, "-o", &shown], &args[..]].concat())?;
        }
        self.surprisal.json(&["export", &shown, "-o", &source.display().to_string()])?;
        Ok((Artefact::read(&model)?, source))
    }

    /// Returns the path of a file of a set of binary data; `part` is `train`, `valid` or `test`. The file of a set
    /// whose name ends in `64`, the first 64 columns, is written first.
    fn file(&self, set: &str, part: &str) -> Result<PathBuf> {
        let file = |set: &str| self.data.join(format!("debd/{set}.{part}.csv.gz"));
        let (whole, cut) = match set.strip_suffix("64") {
            Some(whole) => (file(whole), Some(64)),
            None => (file(set), None),
        };
        ensure!(
            whole.exists(),
            "{} cannot be found; pass the folder that holds debd/, the binary density-estimation benchmark, by --data DIR, \
             or measure only the tables of the repository by --golden",
            whole.display()
        );
        let Some(columns) = cut else { return Ok(whole) };
        let frame = Frame::read(&whole, Header::Auto)?;
        let cells = |row| frame.columns[..columns].iter().map(|cells| cells.text(row)).collect::<Vec<_>>().join(",");
        let text: String = (0..frame.rows()).map(|row| cells(row) + "\n").collect();
        let path = scratch(&format!("{set}.{part}.csv"))?;
        write_changed(&path, text.as_bytes())?;
        Ok(path)
    }
}

/// Returns [`ROWS`] rows `[row][column]` of `tests/golden/shuttle.readings`, half of them normal and half anomalous.
fn golden_rows() -> Result<Vec<Vec<Reading>>> {
    let bytes = fs::read(root().join("tests/golden/shuttle.readings"))?;
    let (readings, _) = bytes.as_chunks::<2>();
    let (rows, _) = readings.as_chunks::<READINGS>();
    let of = |row: &[[u8; 2]; READINGS]| row.map(|reading| Reading::Integer(i16::from_le_bytes(reading).into())).into();
    Ok((0..ROWS).map(|i| of(&rows[i * rows.len() / ROWS])).collect())
}

impl Table {
    /// Creates a table from its bytes, and writes the file `rows`, with the rows of `readings` (`[row][column]`) for
    /// it.
    ///
    /// Rows that the table judges as normal come first, then the others, then four rows in which all readings are
    /// equal.
    ///
    /// # Errors
    /// The table is damaged, or a reading is not an integer of 16 bits.
    pub fn new(name: &str, source: PathBuf, rows: PathBuf, table: &[u8], readings: &[Vec<Reading>]) -> Result<Self> {
        let words: Vec<u32> = table.as_chunks().0.iter().map(|&word| u32::from_ne_bytes(word)).collect();
        let shape = Shape::of(bytemuck::cast_slice(&words))?;
        let of_bits = || -> Result<Cost> {
            Ok(with_shape!(shape, N, H, K => {
                Cost::of(&surprisal::Table::<N, H, K>::from_bytes(bytemuck::cast_slice(&words), surprisal::Fingerprint::ANY)?)
            }))
        };
        let cost = if shape.views == 0 { Some(of_bits()?) } else { None };
        let opened = row_table::open(bytemuck::cast_slice(&words), shape)?;
        let is_anomalous = |row: &Vec<Reading>| -> Result<bool, EncodeError> {
            Ok(opened.detector().judge(opened.score(row)?.anomaly).is_anomalous())
        };
        let verdicts: Vec<bool> = readings.iter().map(is_anomalous).collect::<Result<_, _>>()?;
        let (normal, anomalous): (Vec<_>, Vec<_>) = readings.iter().zip(verdicts).partition(|(_, verdict)| !verdict);
        let columns = readings.first().map_or(0, Vec::len);
        let extremes = [0, 1, i16::MIN, i16::MAX].map(|value| vec![Reading::Integer(value.into()); columns]);
        let mut values = Vec::new();
        for reading in normal.iter().chain(&anomalous).map(|(row, _)| *row).chain(&extremes).flatten() {
            let Reading::Integer(value) = reading else {
                bail!("{name}: expected readings that are integers, found {reading:?}")
            };
            values.push(*value);
        }
        write_changed(&rows, &measure::rows(normal.len(), &values)?)?;
        // The header of a table holds its length and checksum.
        let identity = words
            .get(2..4)
            .context("the table is too short for a header; fit it again")?
            .iter()
            .map(|&word| u32::from_le(word).into())
            .collect();
        let normal = normal.into_iter().map(|(row, _)| row.clone()).collect();
        Ok(Self { name: name.into(), source, shape, cost, identity, rows, normal })
    }
}

/// Returns a hash of everything that a fit depends on: the arguments and the contents of the files.
fn key<'f>(args: &[String], files: impl Iterator<Item = &'f PathBuf>) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    args.hash(&mut hasher);
    for file in files {
        fs::read(file)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// Returns the path of the file `name` in `target/bench/device`, and creates the folder.
///
/// # Errors
/// The folder cannot be created.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let dir = root().join("target/bench/device");
    fs::create_dir_all(&dir)?;
    Ok(dir.join(name))
}

/// Writes a file unless it has this content already. An unchanged file keeps its modification time, so cargo does not
/// rebuild the programs that include it.
///
/// # Errors
/// The file cannot be written.
pub fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if !fs::read(path).is_ok_and(|there| there == bytes) {
        write_whole(path, bytes, &[])?;
    }
    Ok(())
}
