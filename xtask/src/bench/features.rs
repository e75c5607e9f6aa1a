//! `cargo xtask bench features`: bearing faults told by features of a raw signal, and what a window of them costs.

use crate::board::Board;
use crate::firmware::{self, Run};
use crate::setup::{self, root};
use crate::shuttle::Surprisal;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::time::Duration;
use surprisal::{Libm, Math, Micromath, Nats, Reading};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Header;
use surprisal_trainer::evaluate::{auc_roc, mean};
use surprisal_trainer::windows::Signal;

const FAULTS: [&str; 3] = ["ball_007", "inner_race_007", "outer_race_007"];
/// What windows of 2,048 samples are fitted with, at 48 kHz.
const HOPS: [&str; 3] = ["2048:2048", "2048:512", "2048:256"];
/// What each fault must reach with the trainer's own math.
const LEAST_AUC: f64 = 0.999;

/// Fits the first half of the sound bearing's signal, tells its second half from the faults, and counts instructions;
/// an error if a fault is not told.
pub fn run(data: &Path) -> Result<()> {
    for name in FAULTS.iter().chain(&["normal"]) {
        let path = data.join(name).with_extension("npy");
        ensure!(
            path.exists(),
            "{} is not there; pass the folder of normal.npy, ball_007.npy, inner_race_007.npy and outer_race_007.npy (drive end, \
             48 kHz) by --data DIR",
            path.display()
        );
    }
    let signal = |name: &str| -> Result<Vec<f32>> {
        let signal = Signal::read(&data.join(name).with_extension("npy"), Header::Auto)?;
        Ok(signal.channels.into_iter().next().with_context(|| format!("{name}: no samples"))?.1)
    };
    let scratch = root().join("target/bench");
    fs::create_dir_all(&scratch)?;
    let sound = signal("normal")?;
    let (first, second) = sound.split_at(sound.len() / 2);
    npyz::to_file_1d(scratch.join("sound.npy"), first.to_vec())?;
    let faults: Vec<Vec<f32>> = FAULTS.into_iter().map(signal).collect::<Result<_>>()?;
    let surprisal = Surprisal::build()?;
    let mut least = 1.0f64;
    for windows in HOPS {
        let model = "target/bench/bearing.srp";
        let file = "target/bench/sound.npy";
        surprisal.run(&["fit", file, "--signal", windows, "--sampling-rate", "48000", "-o", model])?;
        let artefact = Artefact::read(&root().join(model))?;
        for (name, rows) in
            [("Libm", scores::<Libm> as fn(&Artefact, &[f32]) -> Result<Vec<Nats>>), ("Micromath", scores::<Micromath>)]
        {
            let ordinary = rows(&artefact, second)?;
            let mut line = format!(
                "{windows:<10} {name:<10} {:>4} sound windows of {:.1} nats; AUC",
                ordinary.len(),
                mean(&ordinary)
            );
            for (fault, samples) in FAULTS.iter().zip(&faults) {
                let auc = auc(&ordinary, &rows(&artefact, samples)?).context("both have windows")?;
                line += &format!("  {fault} {auc:.4}");
                if name == "Libm" {
                    least = least.min(auc);
                }
            }
            println!("{line}");
        }
    }
    instructions()?;
    ensure!(least >= LEAST_AUC, "an AUC of {least:.4}, expected at least {LEAST_AUC}");
    Ok(())
}

/// The scores of a signal's windows, with features by this math.
fn scores<M: Math>(artefact: &Artefact, samples: &[f32]) -> Result<Vec<Nats>> {
    let windows = artefact.notes.fit.signal.context("a signal was fitted")?;
    let rows = windows.rows::<M>(samples);
    let rows = rows.iter().map(|row| row.iter().copied().map(Reading::Real).collect());
    Ok(artefact.surprisals(&rows.collect::<Vec<_>>())?)
}

fn auc(ordinary: &[Nats], odd: &[Nats]) -> Option<f64> {
    let labels: Vec<bool> = (0..ordinary.len() + odd.len()).map(|row| row >= ordinary.len()).collect();
    auc_roc(&[ordinary, odd].concat(), &labels)
}

/// Prints what a window costs with an FPU and without.
fn instructions() -> Result<()> {
    let boards = ["m4f", "m0"].map(|name| Board::named(name).map_err(anyhow::Error::msg));
    setup::qemu()?;
    let dir = root().join("examples/cortex-m");
    for board in boards {
        let board = board?;
        let toolchain = setup::targets(&[board.target])?;
        let program = firmware::build(&toolchain, &dir, &board, &["--features", "bench", "--bin", "features"])?;
        let how = Run { dir: &dir, icount: Some(firmware::SHIFT), limit: Duration::from_secs(120) };
        let output = firmware::run(&board.metered(), &program, how)?;
        ensure!(output.status.success(), "{} ended with {}", program.display(), output.status);
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            println!("{} instructions, {line}", board.core);
        }
    }
    Ok(())
}
