//! Bearing faults detected by features of a raw signal, and the instructions per window on boards.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use surprisal::{Libm, Math, Micromath, Nats, Reading};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Header;
use surprisal_trainer::evaluate::{auc_roc, mean};
use surprisal_trainer::windows::Signal;
use xtask::board::Board;
use xtask::command::Surprisal;
use xtask::firmware::{self, Run};
use xtask::measure::{self, LIMIT};
use xtask::setup::{self, root};

const FAULTS: [&str; 3] = ["ball_007", "inner_race_007", "outer_race_007"];
/// Values `WINDOW:HOP` of the option `--signal` of `surprisal fit`, both in samples at 48 kHz.
const WINDOWS: [&str; 3] = ["2048:2048", "2048:512", "2048:256"];
/// The AUC-ROC, in 0..=1, that each fault must reach with the math of the trainer, [`Libm`].
const LEAST_AUC: f64 = 0.999;

/// Fits a model to the first half of the normal bearing's signal, prints how well its scores separate the second half
/// from signals with faults (AUC), and counts instructions per window.
///
/// # Errors
/// A file is missing, a program fails, or the AUC of a fault is too low.
pub fn run(data: &Path) -> Result<()> {
    for name in FAULTS.iter().chain(&["normal"]) {
        let path = data.join(name).with_extension("npy");
        ensure!(
            path.exists(),
            "{} cannot be found; pass the folder of normal.npy, ball_007.npy, inner_race_007.npy and outer_race_007.npy \
             (drive end, 48 kHz) by --data DIR",
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
    for windows in WINDOWS {
        let (model, file) = ("target/bench/bearing.srp", "target/bench/sound.npy");
        surprisal.run(&["fit", file, "--signal", windows, "--sampling-rate", "48000", "-o", model])?;
        let artefact = Artefact::read(&root().join(model))?;
        type Scores = fn(&Artefact, &[f32]) -> Result<Vec<Nats>>;
        for (name, scores) in [("Libm", scores::<Libm> as Scores), ("Micromath", scores::<Micromath>)] {
            let normal = scores(&artefact, second)?;
            let (count, nats) = (normal.len(), mean(&normal));
            let mut line = format!("{windows:<10} {name:<10} {count:>4} normal windows of {nats:.1} nats; AUC");
            for (fault, samples) in FAULTS.iter().zip(&faults) {
                let auc = auc(&normal, &scores(&artefact, samples)?).context("a signal is shorter than one window")?;
                line += &format!("  {fault} {auc:.4}");
                if name == "Libm" {
                    least = least.min(auc);
                }
            }
            println!("{line}");
        }
    }
    instructions()?;
    ensure!(least >= LEAST_AUC, "smallest AUC of a fault {least:.4}, expected at least {LEAST_AUC}");
    Ok(())
}

/// Returns `[window]` the surprisals of the windows of a signal, whose features are computed with the math library `M`.
fn scores<M: Math>(artefact: &Artefact, samples: &[f32]) -> Result<Vec<Nats>> {
    let windows = artefact.notes.fit.signal.context("the model has no windows of a signal; fit with --signal")?;
    let rows = windows.rows::<M>(samples);
    let rows = rows.iter().map(|row| row.iter().copied().map(Reading::Real).collect());
    Ok(artefact.surprisals(&rows.collect::<Vec<_>>())?)
}

fn auc(normal: &[Nats], anomalous: &[Nats]) -> Option<f64> {
    let labels: Vec<bool> = (0..normal.len() + anomalous.len()).map(|row| row >= normal.len()).collect();
    auc_roc(&[normal, anomalous].concat(), &labels)
}

/// Prints the number of instructions to compute the features of a window, on a core with and one without an FPU.
fn instructions() -> Result<()> {
    setup::qemu()?;
    for name in ["m4f", "m0"] {
        let board = Board::named(name).map_err(anyhow::Error::msg)?;
        setup::targets(&[board])?;
        let program = measure::program(&board, "features", &["--features", "signal"], &[])?;
        let how = Run { dir: root(), icount: Some(firmware::SHIFT), limit: LIMIT };
        let output = firmware::run(&board.metered(), &program, how)?;
        ensure!(output.status.success(), "{} ended with {}", program.display(), output.status);
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            println!("{} instructions, {line}", board.core);
        }
    }
    Ok(())
}
