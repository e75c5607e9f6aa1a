//! `cargo benches device --peers`: measures other libraries and this one on the same rows and boards, with the same
//! timer.

use super::WEIGHED;
use super::c::{self, Cost, Model};
use super::tables::{Fitter, LAYER, Table, scratch};
use crate::baseline::Python;
use crate::fitted::Quality;
use crate::sets::{self, LABEL, Set, Task};
use anyhow::{Result, ensure};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use surprisal::{Activation, LinearSlices, Logit, NadeSlices, Reading, RowScore};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Header;
use surprisal_trainer::with_shape;
use xtask::board::Board;
use xtask::setup::{self, root};
use xtask::shuttle::DATA;

/// The number of rows on which instructions are counted, evenly spaced over the normal test rows.
const ROWS: usize = 32;
/// The share of the normal rows that are training rows, in 0..=1.
const SHARE: f64 = 0.9;
/// The largest index of the link table, which maps logits in steps of 1/32 nat to surprisals.
const LAST: i32 = 352;
/// The models of this project: the printed name, and the options of `surprisal fit`.
const OURS: [(&str, &[&str]); 9] = [
    ("tables", &["--family", "tables"]),
    ("tables, one view", &["--family", "tables", "--views", "1", "--cells", "16"]),
    ("marginal", &["--family", "marginal"]),
    ("chow-liu", &["--family", "chow-liu"]),
    ("chow-liu8", &["--family", "chow-liu", "--cells", "8"]),
    ("lintree", &["--family", "linear-trees"]),
    ("lintree16", &["--family", "linear-trees", "--cells", "16"]),
    ("lintree8", &["--family", "linear-trees", "--cells", "8"]),
    ("flagship", &["--family", "linear-trees+hidden", "--units", "16", "--activation", "relu", "--restarts", "1"]),
];
/// The goals: (board, instructions, flash) of emlearn's best model, as multiples of the instructions and the flash of a
/// model of this project with at least the same AUC.
const GOALS: [(&str, f64, f64); 2] = [("m0", 20.0, 0.0), ("m4f", 4.0, 2.0)];

/// A printed line: a model with its AUC-ROC in percent, and `[board]` its costs.
struct Line {
    name: String,
    auc: f64,
    costs: Vec<Cost>,
}

struct Peers<'d> {
    boards: Vec<Board>,
    fitter: Fitter<'d>,
    python: Python,
}

/// Measures this project's models, a hidden layer in C and emlearn's models, and prints their costs. `data` is the
/// folder that holds `debd/`.
///
/// # Errors
/// A tool is missing, a program fails, or two implementations of the same model disagree.
pub fn run(data: &Path) -> Result<()> {
    let boards: Vec<Board> =
        WEIGHED.iter().map(|name| Board::named(name)).collect::<Result<_, _>>().map_err(anyhow::Error::msg)?;
    setup::c()?;
    setup::qemu()?;
    setup::targets(&boards)?;
    let peers = Peers { boards, fitter: Fitter::new(data)?, python: Python::find()? };
    println!("{}\narm-none-eabi-gcc {}", setup::rustc_version()?, c::version()?);
    peers.nade()?;
    let shuttle = sets::read(&root().join(DATA))?;
    let set = Set::new(&shuttle, "Class", |text| Some(text != "Rad.Flow"))?;
    let halves = set.share((SHARE * set.normal.len() as f64) as usize, 0);
    peers.anomaly("shuttle", 0, &set.task("peers-shuttle", &halves)?)?;
    let path = scratch("digits.csv")?;
    peers.python.digits(&path)?;
    let digits = sets::read(&path)?;
    let set = Set::new(&digits, "digit", |text| Some(text == "8"))?;
    peers.anomaly("digits", 16, &set.task("peers-digits", &set.share(1000, 8))?)
}

impl Peers<'_> {
    /// Measures the same hidden layer in Rust and in C, checks that all scores are equal, and prints the costs.
    fn nade(&self) -> Result<()> {
        let table = self.fitter.table("nade", "plants64", LAYER)?;
        let artefact = Artefact::read(&table.source.with_extension("srp"))?;
        let folder = scratch("peers-nade")?;
        fs::create_dir_all(&folder)?;
        let (mut rows, mut nats) = (Vec::new(), Vec::new());
        with_shape!(artefact.shape, N, H, K => {
            let ours = artefact.table::<N, H, K>()?;
            for readings in &table.normal {
                let mut bits = [false; N];
                ours.encoder.encode(readings, &mut bits)?;
                nats.push(ours.model.surprisal(&bits).raw());
                rows.push(bits.map(i16::from).to_vec());
            }
            let terms = ours.model.terms();
            fs::write(folder.join("nade.h"), header(terms.linear.slices(), terms.hidden.slices())?)?;
        });
        c::write_rows(&folder, "uint8_t", &rows)?;
        let model = Model { source: "nade.c", folder: &folder, name: "nade", headers: &folder };
        let costs = self.in_c(&model)?;
        for (cost, board) in costs.iter().zip(&self.boards) {
            ensure!(cost.scores == nats, "{}: nade.c and `Model::surprisal` return different surprisals", board.name);
        }
        let ours = self.in_rust("model", &table)?;
        let mean = nats.iter().map(|&nats| f64::from(nats)).sum::<f64>() / 65536.0 / nats.len() as f64;
        let title = format!(
            "hidden layer of 64 bits and 16 units, bits to nats: {} rows of {mean:.4} nats, all equal to the last bit",
            rows.len()
        );
        let lines = [("C, i16, gcc -O2", costs), ("surprisal, i8", ours)];
        let lines = lines.map(|(name, costs)| Line { name: name.into(), auc: f64::NAN, costs });
        self.print(&title, &lines);
        Ok(())
    }

    /// Measures anomaly detection on a task: AUC and costs of this project's models and of models that emlearn
    /// converts.
    ///
    /// emlearn's models get readings divided by `divisor`, or scaled readings if it is zero.
    fn anomaly(&self, name: &str, divisor: u8, task: &Task) -> Result<()> {
        let mut lines = self.of_emlearn(divisor, task)?;
        let theirs = lines.len();
        for (model, options) in OURS {
            let train = task.folder.join("train.csv");
            let label = ["--label", LABEL, "--keep-constant", "--flash", "64KiB"];
            let args: Vec<String> = label.iter().chain(options).map(|&word| word.to_owned()).collect();
            let (artefact, source) = self.fitter.fit(&format!("{name}-{model}"), &args, &[train])?;
            let frame = artefact.frame(&task.folder.join("test.csv"), Header::Yes)?;
            let every: Vec<usize> = (0..frame.rows()).collect();
            let readings = artefact.schema.all_readings(&frame, &every)?;
            let scores = artefact.scores(&readings)?;
            let few: Vec<Vec<Reading>> = spaced(task).map(|row| readings[row].clone()).collect();
            let rows = source.with_extension("rows");
            let table = Table::new(model, source, rows, artefact.table_bytes(), &few)?;
            for (operation, statistic) in [("surprisal", "sum"), ("score", "anomaly")] {
                let of = |row: &RowScore| if statistic == "sum" { row.nats } else { row.anomaly }.into();
                let auc = Quality::of(&scores.iter().map(of).collect::<Vec<f64>>(), &task.anomalous).roc;
                let costs = self.in_rust(operation, &table)?;
                lines.push(Line { name: format!("{model}, {statistic}"), auc, costs });
            }
        }
        let (normal, all) = (task.normal(), task.anomalous.len());
        let title = format!("{name}: readings to a score; {normal} normal and {} anomalous rows test", all - normal);
        self.print(&title, &lines);
        self.judge(&lines[..theirs], &lines[theirs..]);
        Ok(())
    }

    fn of_emlearn(&self, divisor: u8, task: &Task) -> Result<Vec<Line>> {
        let (headers, names) = self.python.emlearn(divisor, task)?;
        let frame = sets::read(&task.folder.join("test.csv"))?;
        let cells = |row: usize| -> Result<Vec<i16>> {
            let cells = frame.columns.iter().filter(|column| column.name != LABEL);
            cells.map(|column| Ok(column.text(row).parse::<f64>()? as i16)).collect()
        };
        let all: Vec<Vec<i16>> = (0..frame.rows()).map(cells).collect::<Result<_>>()?;
        let bytes: Vec<u8> = all.iter().flatten().flat_map(|cell| cell.to_ne_bytes()).collect();
        let path = task.folder.join("test.rows");
        fs::write(&path, bytes)?;
        let counted: Vec<usize> = spaced(task).collect();
        let few: Vec<Vec<i16>> = counted.iter().map(|&row| all[row].clone()).collect();
        c::write_rows(&task.folder, "int16_t", &few)?;
        let mut lines = Vec::new();
        for name in &names {
            eprintln!("emlearn: {name}");
            let model = Model { source: "emlearn.c", folder: &task.folder, name, headers: &headers };
            let scores: Vec<f64> = model.on_host(&path)?.into_iter().map(|bits| f32::from_bits(bits).into()).collect();
            let costs = self.in_c(&model)?;
            for (row, bits) in costs.iter().flat_map(|cost| counted.iter().zip(&cost.scores)) {
                let (host, board) = (scores[*row], f64::from(f32::from_bits(*bits)));
                ensure!(
                    (host - board).abs() <= 1e-3 * host.abs().max(1.0),
                    "{name}: a row scores {host} on the host and {board} on a board, expected a relative \
                     difference of at most 0.001"
                );
            }
            lines.push(Line { name: format!("emlearn {name}"), auc: Quality::of(&scores, &task.anomalous).roc, costs });
        }
        Ok(lines)
    }

    /// Returns `[board]` the costs of a program in C. Flash and RAM are those beyond a program without a model.
    fn in_c(&self, model: &Model) -> Result<Vec<Cost>> {
        self.boards.iter().map(|board| model.alone_on(board)).collect()
    }

    fn in_rust(&self, operation: &str, table: &Table) -> Result<Vec<Cost>> {
        self.boards.iter().map(|board| super::in_rust(board, operation, table)).collect()
    }

    fn print(&self, title: &str, lines: &[Line]) {
        let mut text = format!("\n{title}\n{:<24}{:>7}", "", "AUC");
        let mut costs = String::new();
        for board in &self.boards {
            text += &format!("{:>13}{:>8}{:>6}{:>7}", board.name, "flash", "RAM", "stack");
        }
        for Line { name, auc, costs: each } in lines {
            let auc = if auc.is_nan() { String::new() } else { format!("{auc:.2}") };
            costs += &format!("{name:<24}{auc:>7}");
            for Cost { instructions, stack, flash, ram, .. } in each {
                costs += &format!("{instructions:>13}{flash:>8}{ram:>6}{stack:>7}");
            }
            costs.push('\n');
        }
        print!("{text}\n{costs}");
    }

    /// Compares emlearn's best model (by AUC) with the model of this project that has at least this AUC and takes the
    /// fewest instructions, or with the best one if there is none. Prints whether the [`GOALS`] are met.
    fn judge(&self, theirs: &[Line], ours: &[Line]) {
        let by_auc = |a: &&Line, b: &&Line| a.auc.total_cmp(&b.auc);
        let (Some(best), Some(our_best)) = (theirs.iter().max_by(by_auc), ours.iter().max_by(by_auc)) else { return };
        for (at, board) in self.boards.iter().enumerate() {
            let as_good = ours.iter().filter(|line| line.auc >= best.auc);
            let line = as_good.min_by_key(|line| line.costs[at].instructions).unwrap_or(our_best);
            let (cost, other) = (&line.costs[at], &best.costs[at]);
            let fewer = other.instructions as f64 / cost.instructions as f64;
            let smaller = other.flash as f64 / cost.flash as f64;
            let met = line.auc >= best.auc
                && GOALS.iter().any(|goal| goal.0 == board.name && fewer >= goal.1 && smaller >= goal.2);
            println!(
                "{:<4} {} takes {fewer:.2} times the instructions and {smaller:.2} times the flash of {}, AUC {:+.2}: {}",
                board.name,
                best.name,
                line.name,
                line.auc - best.auc,
                if met { "met" } else { "not met" }
            );
        }
    }
}

/// Yields the indices of [`ROWS`] evenly spaced normal rows of the test file, in which normal rows come first.
fn spaced(task: &Task) -> impl Iterator<Item = usize> {
    let normal = task.normal();
    (0..ROWS).map(move |i| i * normal / ROWS)
}

/// Returns a C header with the biases and the hidden layer of a model, and the link table.
///
/// Weights are widened to `int16_t`, which C multiplies fastest.
fn header(linear: LinearSlices, hidden: NadeSlices) -> Result<String> {
    let NadeSlices { shift, inputs, outputs, .. } = hidden;
    ensure!(
        hidden.activation == Activation::Relu,
        "nade.c supports the activation relu only, found {:?}; fit with --activation relu",
        hidden.activation
    );
    let (bits, units) = (hidden.scales.len(), hidden.biases.len());
    let mut text = format!("#define BITS {bits}\n#define UNITS {units}\n#define SHIFT {shift}\n#define LAST {LAST}\n");
    let mut array =
        |kind: &str, name: &str, numbers: String| writeln!(text, "static const {kind} {name} = {{{numbers}}};");
    array("int16_t", "BIASES[BITS]", c::list(linear.biases))?;
    array("int16_t", "STARTS[UNITS]", c::list(hidden.biases))?;
    array("uint16_t", "SCALES[BITS]", c::list(hidden.scales))?;
    for (name, weights) in [("INPUTS", inputs), ("OUTPUTS", outputs)] {
        let rows: Vec<String> = weights.chunks(units).map(|row| format!("{{{}}}", c::list(row))).collect();
        array("int16_t", &format!("{name}[BITS][UNITS] __attribute__((aligned(4)))"), rows.join(", "))?;
    }
    let nats = |step: i32| Logit::from_raw(step << 11).surprisal(true).raw();
    array("uint32_t", "NATS[2 * LAST + 1]", c::list(&(-LAST..=LAST).map(nats).collect::<Vec<_>>()))?;
    Ok(text)
}
