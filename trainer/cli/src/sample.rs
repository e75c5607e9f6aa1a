//! `surprisal sample`: draws rows from a model and writes each row at once, so that memory does not grow with the
//! number of rows.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Error, Result};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::escape::escaped_json;
use surprisal_trainer::output::Output;
use surprisal_trainer::recalibrate;
use surprisal_trainer::sample::{sample as draw, sampled_columns};

use crate::args::OutArgs;
use crate::terminal::is_closed;

/// Draws rows and writes them as CSV to the output file or to standard output, or as JSON to standard output.
pub fn sample(model: &Path, rows: u64, seed: u64, out: &OutArgs, json: bool) -> Result<()> {
    let artefact = recalibrate::read(model)?;
    if let Some(path) = &out.output {
        let mut output = Output::create(path, &[model])?;
        let written = as_csv(&artefact, rows, seed, &mut output);
        written.map_err(|error| match error.downcast::<io::Error>() {
            Ok(error) => output.failed(error).into(),
            Err(error) => error,
        })?;
        output.commit()?;
    }
    if json || out.output.is_none() {
        let mut stdout = BufWriter::new(io::stdout().lock());
        let write = if json { as_json } else { as_csv };
        let written = write(&artefact, rows, seed, &mut stdout).and_then(|()| Ok(stdout.flush()?));
        match written.map_err(Error::downcast::<io::Error>) {
            Err(Ok(error)) if is_closed(&error) => {}
            Err(Ok(error)) => return Err(error).context("standard output"),
            Err(Err(error)) => return Err(error),
            Ok(()) => {}
        }
    }
    Ok(())
}

fn as_csv(artefact: &Artefact, rows: u64, seed: u64, to: &mut dyn Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let mut write = |cells: Vec<String>| match csv.write_record(cells).map_err(csv::Error::into_kind) {
        Err(csv::ErrorKind::Io(error)) => Err(Error::new(error)),
        Err(other) => Err(Error::msg(format!(
            "a row cannot be written as CSV ({other:?}); this is a bug of surprisal, please report it"
        ))),
        Ok(()) => Ok(()),
    };
    write(sampled_columns(artefact)?)?;
    draw(artefact, rows, &mut ChaCha8Rng::seed_from_u64(seed), write)?;
    Ok(csv.flush()?)
}

fn as_json(artefact: &Artefact, rows: u64, seed: u64, to: &mut dyn Write) -> Result<()> {
    write!(to, "{{\"columns\":{},\"rows\":[", escaped_json(&serde_json::to_string(&sampled_columns(artefact)?)?))?;
    let mut separator = "";
    draw(artefact, rows, &mut ChaCha8Rng::seed_from_u64(seed), |cells| {
        write!(to, "{separator}{}", escaped_json(&serde_json::to_string(&cells)?))?;
        separator = ",";
        Ok::<(), Error>(())
    })?;
    Ok(writeln!(to, "]}}")?)
}
