//! The command `surprisal`, which writes results to standard output and messages to standard error.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use surprisal_trainer::Error;
use surprisal_trainer::data::ReadOptions;
use surprisal_trainer::escape::escaped_json;
use surprisal_trainer::fleet::Fleet;

mod args;
mod terminal;
mod answer;
mod rows;
mod observer;
mod fit;
mod collect;
mod features;
mod schema;
mod calibrate;
mod eval;
mod score;
mod explain;
mod report;
mod sample;
mod compare;
mod inspect;
mod export;
mod signing;
mod fleet;
mod telemetry;
mod project;
mod shell;
mod new;

use answer::Answer;
use args::{Cli, Command};
use observer::Progress;

/// Exit code for errors in the input, the options or the output.
const FAULT: u8 = 2;
/// Exit code after Ctrl-C: by convention, 128 plus the number of the signal.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let (arguments, options) = match project::with_options(&mut Cli::command(), std::env::args_os().collect()) {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    let added = (!options.is_empty()).then(|| format!("surprisal.toml adds {}", options.join(" ")));
    match Cli::try_parse_from(arguments) {
        Ok(cli) => {
            if cli.quiet {
                terminal::be_quiet();
            }
            added.inspect(|added| terminal::note(format_args!("{added}")));
            run(cli).map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS)
        }
        Err(message) => match message.print() {
            Err(error) if !message.use_stderr() && !terminal::is_closed(&error) => {
                failed(&anyhow::Error::new(error).context("standard output"))
            }
            _ => {
                // The fault may lie in an option that the user did not type.
                added.filter(|_| message.use_stderr()).inspect(|added| terminal::note(format_args!("{added}")));
                ExitCode::from(message.exit_code() as u8)
            }
        },
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    terminal::report(error);
    let cancelled = matches!(error.downcast_ref(), Some(Error::Cancelled));
    ExitCode::from(if cancelled { INTERRUPTED } else { FAULT })
}

fn paths(files: &[PathBuf]) -> Vec<&Path> {
    files.iter().map(PathBuf::as_path).collect()
}

fn run(cli: Cli) -> Result<()> {
    if let Some(threads) = cli.threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global();
        pool.context("--threads: the threads cannot be started; choose a smaller number")?;
    }
    let progress = Progress::new(cli.json);
    let answer: Answer = match cli.command.expanded()? {
        Command::Fit(args) => match &args.by {
            Some(column) => {
                let job = args.job()?;
                let (column, folder) = (column.clone(), args.target().to_owned());
                let fleet = Fleet { column, folder, is_shared: args.shared };
                return fleet::fit(&job, &fleet, &progress, |answer| print(&answer, cli.json));
            }
            None => fit::fit(*args, cli.json)?,
        },
        Command::Fleet { command } => return fleet::run(command, &progress, |answer| print(&answer, cli.json)),
        Command::Collect { capture, sessions, out } => {
            out.deliver(&[&capture], || collect::collect(&capture, sessions))?
        }
        Command::Features { data, signal, ignore, time, reading, out } => {
            let options = ReadOptions { channels_left_out: ignore, time, ..reading.options() };
            out.deliver(&paths(&data), || features::features(&data, &signal, &options, &progress))?
        }
        Command::Schema { data, reading, ignore, out } => {
            out.deliver(&paths(&data), || schema::schema(&data, &reading, &ignore, &progress))?
        }
        Command::Calibrate { rows, output, offsets, rates } => {
            calibrate::calibrate(&rows, &rates, offsets, &output, &progress)?
        }
        Command::Eval { rows, alarms, sweep, out } => {
            out.deliver(&rows.inputs(), || eval::eval(&rows, &alarms, sweep, &progress))?
        }
        Command::Score { rows, alarms, mean, out } => {
            out.deliver(&rows.inputs(), || score::score(&rows, &alarms, mean, &progress, cli.json))?
        }
        Command::Explain { rows, top, line, out } => {
            out.deliver(&rows.inputs(), || explain::explain(&rows, top, line, &progress))?
        }
        Command::Report { rows, alarms, against, output } => {
            report::report(&rows, &alarms, against.as_deref(), &output, &progress)?
        }
        Command::Sample { model, rows, seed, out } => return sample::sample(&model, rows, seed, &out, cli.json),
        Command::Compare { compared, out } => {
            out.deliver(&compared.inputs(), || compare::compare(&compared, &progress))?
        }
        Command::Inspect { model, out } => out.deliver(&[&model], || inspect::inspect(&model))?,
        Command::Compress(args) => telemetry::compress(&args, &progress)?,
        Command::Decompress(args) => telemetry::decompress(&args, &progress)?,
        Command::Completions { shell } => shell::completions(shell),
        Command::Man { output } => shell::man(&output)?,
        Command::Export { model, output, package } => export::export(&model, &output, package)?,
        Command::Keygen { output } => signing::keygen(&output)?,
        Command::Sign(args) => signing::sign(&args)?,
        Command::Verify(args) => signing::verify(&args)?,
        Command::New { name, board, lang, model } => new::new(&name, board, lang, model.as_deref())?,
    };
    print(&answer, cli.json)
}

fn print(answer: &Answer, json: bool) -> Result<()> {
    if json {
        let text = format!("{}\n", escaped_json(&answer.value.to_string()));
        return terminal::print(text.as_bytes());
    }
    terminal::print(answer.text.as_bytes())
}
