//! The example device on its emulated board takes an update, refuses four others, rejects one after its trial, and keeps scoring
//! all the while.

use crate::examples::SHOWN;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::time::Duration;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::signing::PrivateKey;
use xtask::board::Board;
use xtask::command::Surprisal;
use xtask::firmware::{self, Run};
use xtask::setup::{self, root};

/// The key whose public half the example holds.
const KEY: &str = "examples/update/demo.pem";
/// What the device says of each update and start, in this order.
const SAID: [&str; 17] = [
    "release 1 in use, the table of the firmware",
    "threshold of the fit",
    "cut.sru: refused, 1840 bytes of the update are missing",
    "forged.sru: refused, the signature does not fit the key",
    "foreign.sru: refused, the table is for rows with fingerprint",
    "old.sru: refused, release 1 is not newer than release 1",
    "threshold of this pump after 200 rows",
    "release 2 in use, on trial",
    "release 2: ",
    "release 3 in use, on trial",
    "release 3: ",
    "release 3: rejected",
    "release 2 in use, confirmed",
    "threshold of this pump after 199 rows",
    "restart",
    "release 2 in use, confirmed",
    "threshold of this pump",
];

/// Fits, signs, runs the device, and compares every score with the host.
///
/// # Errors
/// A step fails, the device says something else, or a score differs.
pub fn run() -> Result<()> {
    let board = Board::named("m0").map_err(anyhow::Error::msg)?;
    setup::targets(&[board])?;
    setup::qemu()?;
    let dir = root().join("target/update");
    fs::create_dir_all(&dir)?;
    let (key, other) = (root().join(KEY), dir.join("other.pem"));
    let key = key.to_str().context("the folder of the repository is no text")?;
    if !other.exists() {
        PrivateKey::generate().write_new(&other)?;
    }

    let surprisal = Surprisal::build()?;
    surprisal.run(&["collect", SHOWN, "-o", "target/update/pump.csv"])?;
    let rows = fs::read_to_string(dir.join("pump.csv"))?;
    let narrow: Option<String> = rows.lines().map(|row| Some(row.rsplit_once(',')?.0.to_owned() + "\n")).collect();
    fs::write(dir.join("narrow.csv"), narrow.context("the rows have more than one column")?)?;
    let call = |args: &str| surprisal.run_in(&dir, &args.split(' ').collect::<Vec<_>>());
    call("fit pump.csv -o pump.srp")?;
    call("fit pump.csv --like pump.srp --seed 5 --false-alarm 0.02 -o better.srp")?;
    call("fit narrow.csv -o narrow.srp")?;
    call("fit pump.csv --like pump.srp --seed 6 --false-alarm 0.4 -o restless.srp")?;
    call(&format!("sign better.srp --like pump.srp --key {key} --release 2 -o better.sru"))?;
    call(&format!("sign restless.srp --like pump.srp --key {key} --release 3 -o restless.sru"))?;
    call(&format!("sign pump.srp --key {key} --release 1 -o old.sru"))?;
    call(&format!("sign narrow.srp --key {key} --release 3 -o foreign.sru"))?;
    call("sign better.srp --key other.pem --release 3 -o forged.sru")?;
    call(&format!("verify better.sru --key {key} --model better.srp"))?;
    let whole = fs::read(dir.join("better.sru"))?;
    fs::write(dir.join("cut.sru"), &whole[..whole.len() - 1840])?;

    let frame = Frame::read(&dir.join("pump.csv"), Header::Auto)?;
    // `[release - 1]`: the scores of the rows.
    let expected = ["pump.srp", "better.srp", "restless.srp"].map(|model| scores(&dir.join(model), &frame));
    let expected: Vec<_> = expected.into_iter().collect::<Result<_>>()?;
    let readings =
        rows.lines().skip(1).flat_map(|row| row.split(',')).map(|cell| Ok(cell.parse::<i32>()?.to_le_bytes()));
    fs::write(dir.join("readings.bin"), readings.collect::<Result<Vec<_>>>()?.as_flattened())?;

    let program = firmware::build(&root().join("examples/update"), &board, &[])?;
    let output = firmware::run(&board, &program, Run { dir: &dir, icount: None, limit: Duration::from_secs(120) })?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("\n{text}");
    ensure!(output.status.success(), "the device ended with {}", output.status);
    ensure!(
        text.lines().count() == SAID.len() && text.lines().zip(SAID).all(|(line, said)| line.starts_with(said)),
        "the device should say:\n{}",
        SAID.join("\n")
    );
    for (file, releases) in [("scores-1.bin", &[1, 2, 3, 2][..]), ("scores-2.bin", &[2])] {
        let bytes = fs::read(dir.join(file))?;
        let words: Vec<u32> = bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
        let lines = words.as_chunks::<3>().0;
        ensure!(lines.len() == expected[0].len(), "{file}: {} of {} rows were scored", lines.len(), expected[0].len());
        let mut at = 0;
        for (run, release) in lines.chunk_by(|one, next| one[0] == next[0]).zip(releases) {
            ensure!(run[0][0] == *release, "{file}: release {} scores rows of release {release}", run[0][0]);
            let host = &expected[*release as usize - 1][at..];
            let same = run.iter().zip(host).filter(|(line, host)| **host == line[1..]).count();
            println!("{file}: release {release} scored {} rows, {same} of them as the host", run.len());
            ensure!(same == run.len(), "device and host disagree");
            at += run.len();
        }
        ensure!(at == lines.len(), "{file}: more releases than {releases:?} scored rows");
    }
    Ok(())
}

/// Returns the surprisal and the anomaly score of each row, in units of 1/65536 nat.
fn scores(model: &Path, frame: &Frame) -> Result<Vec<[u32; 2]>> {
    let artefact = Artefact::read(model)?;
    let rows: Vec<usize> = (0..frame.rows()).collect();
    let scores = artefact.scores_of(frame, &rows, &())?;
    Ok(scores.iter().map(|score| [score.nats.raw(), score.anomaly.raw()]).collect())
}
