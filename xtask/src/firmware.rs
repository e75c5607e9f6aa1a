//! Builds programs for boards and runs them under QEMU.

use crate::board::Board;
use crate::setup;
use anyhow::{Context, Result, bail};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The value of [`Run::icount`] with which an instruction lasts several ticks of any board's timer, so that single
/// instructions are resolved.
pub const SHIFT: u8 = 8;

/// Builds the package in `dir` for a board in release mode, and returns the path of the program.
///
/// `args` are further arguments of `cargo build`, and must select exactly one program.
///
/// # Errors
/// The build fails, or leaves no program or several.
pub fn build(dir: &Path, board: &Board, args: &[&str]) -> Result<PathBuf> {
    let mut cargo = setup::cargo();
    cargo.args(["build", "--target", board.target]).args(args);
    build_with(cargo, dir)
}

/// Runs a `cargo build` command in `dir` in release mode, and returns the path of the one program that it builds.
///
/// # Errors
/// As for [`build`].
pub fn build_with(mut cargo: Command, dir: &Path) -> Result<PathBuf> {
    let output = cargo
        .args(["--release", "--quiet", "--message-format=json-render-diagnostics"])
        .current_dir(dir)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{} does not build", dir.display());
    }
    // The path is not guessed, because CARGO_TARGET_DIR may point anywhere.
    let programs: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect();
    match <[PathBuf; 1]>::try_from(programs) {
        Ok([program]) => Ok(program),
        Err(programs) => bail!("{}: expected one program, found {programs:?}", dir.display()),
    }
}

/// Options of a run of a program under QEMU.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The folder that the program's file names are relative to.
    pub dir: &'a Path,
    /// `Some(s)`: every instruction takes 2^s ns of the emulated clock, so that timers count instructions.
    pub icount: Option<u8>,
    /// The time after which the program is killed, because a fault on a microcontroller is an endless loop.
    pub limit: Duration,
}

/// Runs a program on an emulated board to its end. The exit status is that of the program.
///
/// # Errors
/// QEMU does not start, or the program does not end in time; the error then holds its output.
pub fn run(board: &Board, program: &Path, how: Run) -> Result<Output> {
    let mut qemu = Command::new(board.qemu[0]);
    qemu.args(&board.qemu[1..])
        .args(["-nographic", "-monitor", "none", "-serial", "none"])
        .args(["-semihosting-config", "enable=on,target=native"])
        .arg("-kernel")
        .arg(program)
        .current_dir(how.dir);
    if let Some(shift) = how.icount {
        qemu.args(["-icount", &format!("shift={shift}")]);
    }
    let output = within(how.limit, qemu)?;
    match output {
        Ended::Itself(output) => Ok(output),
        Ended::Killed(output) => bail!(
            "{} on {} did not end within {} s (a fault is an endless loop); its output:\n{}{}",
            program.display(),
            board.core,
            how.limit.as_secs(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        ),
    }
}

enum Ended {
    Itself(Output),
    Killed(Output),
}

/// Runs a command to its end, or kills it at the limit.
fn within(limit: Duration, mut command: Command) -> Result<Ended> {
    let deadline = Instant::now() + limit;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    // A full pipe would stop the program, so both are read while it runs.
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let mut killed = false;
    let status = loop {
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            None => {
                killed = true;
                child.kill()?;
                break child.wait()?;
            }
        }
    };
    let [stdout, stderr] = [stdout, stderr].map(|reader| reader.join().expect("a reader never panics"));
    let output = Output { status, stdout: stdout?, stderr: stderr? };
    Ok(if killed { Ended::Killed(output) } else { Ended::Itself(output) })
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<std::io::Result<Vec<u8>>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes))?;
        Ok(bytes)
    })
}
