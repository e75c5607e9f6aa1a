//! The tables that are measured, and rows for them.

use crate::setup::root;
use crate::shuttle::{DATA, READINGS, Surprisal};
use anyhow::{Context, Result, bail, ensure};
use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use surprisal::Reading;
use surprisal_trainer::artefact::{Artefact, Shape};
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::output::write_whole;
use surprisal_trainer::table::cost::Cost;
use surprisal_trainer::with_shape;

/// Rows of a table, evenly spaced over those held out.
const ROWS: usize = 256;
/// Tables that are in the repository.
const GOLDEN: [&str; 3] = ["shuttle", "flagship", "mixture"];
/// Of a hidden layer.
pub const LAYER: &[&str] = &["--units", "16", "--activation", "relu", "--restarts", "1"];
/// The families of the others.
const FAMILIES: [(&str, &[&str]); 6] =
    [("marginal", &[]), ("linear", &[]), ("tree", &[]), ("lintree", &[]), ("nade", LAYER), ("flagship", LAYER)];
/// Public binary sets, and the sensor readings of the repository.
const SETS: [&str; 4] = ["nltcs", "plants", "accidents", "shuttle"];

/// A table of a program.
pub struct Table {
    /// Its name in the program.
    pub name: String,
    /// As `surprisal export` wrote it.
    pub source: PathBuf,
    /// What sizes its state.
    shape: Shape,
    /// What a row of bits costs at most.
    pub cost: Cost,
    /// Its size and checksum.
    pub identity: Vec<u64>,
    /// Rows for it, as `tests/device/src/tally.rs` reads them.
    pub rows: PathBuf,
    /// The readings among them that the table calls ordinary.
    pub ordinary: Vec<Vec<Reading>>,
}

/// Tables that share a program. Their shapes differ, so that each has its own code, as it would alone.
pub struct Group {
    /// What they have in common.
    pub name: &'static str,
    /// The tables.
    pub tables: Vec<Table>,
}

impl Group {
    /// The tables of `tests/golden`, which every machine has.
    pub fn golden() -> Result<Self> {
        let table = |name: &&str| {
            let path = root().join("tests/golden").join(name);
            let table = fs::read(path.with_extension("srp"))?;
            let rows = scratch(&format!("golden-{name}.rows"))?;
            Table::new(name, path.with_extension("rs"), rows, &table, &golden_rows()?)
        };
        Ok(Self { name: "golden", tables: GOLDEN.iter().map(table).collect::<Result<_>>()? })
    }

    /// The other groups, fitted on the files of `data` unless that was done before.
    pub fn fitted(data: &Path) -> Result<Vec<Self>> {
        let fitter = Fitter::new(data)?;
        let group = |(family, options): &(&'static str, &[&str])| {
            let tables = SETS.iter().map(|set| fitter.table(family, set, options)).collect::<Result<_>>()?;
            Ok(Self { name: family, tables })
        };
        let mut groups: Vec<Self> = FAMILIES.iter().map(group).collect::<Result<_>>()?;
        // Those of lin+tree in another program, as the least of boards has no flash for all in one.
        let others = [("shuttle16", &["--cells", "16"][..]), ("shuttle8", &["--cells", "8"]), ("plants64", &[])];
        let others = others.map(|(set, options)| fitter.table("lintree", set, options));
        groups.push(Self { name: "lintree", tables: others.into_iter().collect::<Result<_>>()? });
        groups.push(Self { name: "nade", tables: vec![fitter.table("nade", "plants64", LAYER)?] });
        Ok(groups)
    }

    /// Writes the program's part that names the tables, and says where.
    pub fn source(&self) -> Result<PathBuf> {
        let mut text = String::new();
        for Table { name, source, .. } in &self.tables {
            writeln!(text, "#[path = {source:?}]\nmod {name};")?;
        }
        // A type a table, as what is constant to the compiler belongs to one.
        text += "pub struct Nth<const AT: usize>;\n";
        let mut calls = String::new();
        for (at, Table { name, rows, shape, .. }) in self.tables.iter().enumerate() {
            let Shape { bits, units, components } = shape;
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

/// Fits tables, each once.
pub struct Fitter<'d> {
    data: &'d Path,
    surprisal: Surprisal,
}

impl<'d> Fitter<'d> {
    /// `data` is the folder of `debd/`.
    pub fn new(data: &'d Path) -> Result<Self> {
        Ok(Self { data, surprisal: Surprisal::build()? })
    }

    /// One of a family on one of the sets; `plants64` are the first 64 columns of `plants`, `shuttle16` and
    /// `shuttle8` are `shuttle` with other options.
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
            // Held out by every fit with the default seed.
            golden_rows()?
        };
        Table::new(set, source.clone(), source.with_extension("rows"), artefact.table_bytes(), &readings)
    }

    /// Fits the first of `files`, which are all that `args` name, and exports the table to the path that is returned.
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

    /// A file of a binary set.
    fn file(&self, set: &str, part: &str) -> Result<PathBuf> {
        let file = |set: &str| self.data.join(format!("debd/{set}.{part}.csv.gz"));
        let (whole, cut) = match set.strip_suffix("64") {
            Some(whole) => (file(whole), Some(64)),
            None => (file(set), None),
        };
        ensure!(
            whole.exists(),
            "{} is not there; pass the folder that holds debd/, the binary density-estimation benchmark, by --data DIR, or \
             measure the repository's own tables alone by --golden",
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

/// Of the rows of `tests/golden`, half are ordinary and half odd.
fn golden_rows() -> Result<Vec<Vec<Reading>>> {
    let bytes = fs::read(root().join("tests/golden/shuttle.readings"))?;
    let (readings, _) = bytes.as_chunks::<2>();
    let (rows, _) = readings.as_chunks::<READINGS>();
    let of = |row: &[[u8; 2]; READINGS]| row.map(|reading| Reading::Integer(i16::from_le_bytes(reading).into())).into();
    Ok((0..ROWS).map(|i| of(&rows[i * rows.len() / ROWS])).collect())
}

impl Table {
    /// Writes `rows`: those of `readings` that the table calls ordinary, then the others, and a few in which all readings
    /// are the same.
    pub fn new(name: &str, source: PathBuf, rows: PathBuf, table: &[u8], readings: &[Vec<Reading>]) -> Result<Self> {
        let words: Vec<u32> = table.as_chunks().0.iter().map(|&word| u32::from_ne_bytes(word)).collect();
        let shape = Shape::of(bytemuck::cast_slice(&words))?;
        let cost = with_shape!(shape, N, H, K => {
            Cost::of(&surprisal::Table::<N, H, K>::from_bytes(bytemuck::cast_slice(&words))?)
        });
        let (ordinary, odd): (Vec<_>, Vec<_>) = with_shape!(shape, N, H, K => {
            let table = surprisal::Table::<N, H, K>::from_bytes(bytemuck::cast_slice(&words))?;
            let verdicts: Vec<_> = readings.iter().map(|row| table.judge(row)).collect::<Result<_, _>>()?;
            readings.iter().zip(verdicts).partition(|(_, verdict)| !verdict.is_anomalous())
        });
        let columns = readings.first().map_or(0, Vec::len);
        let extremes = [0, 1, i16::MIN, i16::MAX].map(|value| vec![Reading::Integer(value.into()); columns]);
        let mut bytes = u16::try_from(ordinary.len())?.to_le_bytes().to_vec();
        for reading in ordinary.iter().chain(&odd).map(|(row, _)| *row).chain(&extremes).flatten() {
            let Reading::Integer(value) = reading else { bail!("{name}: a reading is no integer") };
            bytes.extend(i16::try_from(*value).context("a reading does not fit 16 bits")?.to_le_bytes());
        }
        write_changed(&rows, &bytes)?;
        // Length and checksum stand in the head of a table.
        let identity = words.get(2..4).context("no table")?.iter().map(|&word| u32::from_le(word).into()).collect();
        let ordinary = ordinary.into_iter().map(|(row, _)| row.clone()).collect();
        Ok(Self { name: name.into(), source, shape, cost, identity, rows, ordinary })
    }
}

/// Of all that a fit depends on.
fn key<'f>(args: &[String], files: impl Iterator<Item = &'f PathBuf>) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    args.hash(&mut hasher);
    for file in files {
        fs::read(file)?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

/// A path below `target/bench/device`.
pub fn scratch(name: &str) -> Result<PathBuf> {
    let dir = root().join("target/bench/device");
    fs::create_dir_all(&dir)?;
    Ok(dir.join(name))
}

/// A file that is as it should be keeps its time, so that nothing is built anew.
pub fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if !fs::read(path).is_ok_and(|there| there == bytes) {
        write_whole(path, bytes, &[])?;
    }
    Ok(())
}
