//! `surprisal.toml`: options of a project, which apply to every command that is run in the same folder.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::{Arg, ArgAction, Command};
use toml::{Table, Value};

/// Name of the file in the current folder.
const FILE: &str = "surprisal.toml";
/// Largest file, in bytes, that is read.
const LARGEST: u64 = 1 << 16;

/// Returns the arguments with the options of the project inserted before those of the user, and the inserted options.
///
/// Keys at the top of the file apply to every command that has the option; keys of a table such as `[fit]` apply to this
/// command. An option that the user gives, or that contradicts an option that the user gives, is left out.
pub fn with_options(command: &mut Command, mut arguments: Vec<OsString>) -> Result<(Vec<OsString>, Vec<String>)> {
    command.build();
    let is_command = |argument: &OsString| argument.to_str().and_then(|name| command.find_subcommand(name)).is_some();
    let (Some(file), Some(at)) = (read(Path::new(FILE))?, arguments.iter().skip(1).position(is_command)) else {
        return Ok((arguments, Vec::new()));
    };
    let at = at + 1;
    let chosen = arguments[at].to_str().and_then(|name| command.find_subcommand(name)).context(FILE)?;
    let given = |arg: &Arg| arguments[at..].iter().any(|argument| sets(argument, arg));
    let mut options = Vec::new();
    for (key, value) in options_of(&file, command, chosen)? {
        let Some(arg) = find(chosen, key) else { continue };
        let contradicted = chosen.get_arg_conflicts_with(arg).into_iter().any(given);
        if !given(arg) && !contradicted {
            options.extend(words(key, arg, value)?);
        }
    }
    arguments.splice(at + 1..at + 1, options.iter().map(OsString::from));
    Ok((arguments, options))
}

fn read(path: &Path) -> Result<Option<Table>> {
    let size = match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("{FILE}: cannot be read"))?.len(),
    };
    if size > LARGEST {
        bail!("{FILE}: expected at most {LARGEST} bytes of options, found {size}; remove what is no option");
    }
    let text = std::fs::read_to_string(path).with_context(|| format!("{FILE}: cannot be read as text"))?;
    Ok(Some(text.parse().with_context(|| format!("{FILE}: expected lines such as label = \"fault\""))?))
}

/// Returns the keys and values for a command. A key in its table comes before the same key at the top.
fn options_of<'f>(file: &'f Table, all: &Command, chosen: &Command) -> Result<Vec<(&'f str, &'f Value)>> {
    let mut options = Vec::new();
    for (key, value) in file {
        let Value::Table(table) = value else {
            if !all.get_subcommands().any(|command| find(command, key).is_some()) {
                bail!("{FILE}: no command has an option --{key}; correct the name or remove the line");
            }
            options.push((key.as_str(), value));
            continue;
        };
        let Some(command) = all.find_subcommand(key) else {
            bail!("{FILE}: [{key}] is no command; expected the name of a command, such as [fit]");
        };
        if let Some(unknown) = table.keys().find(|key| find(command, key).is_none()) {
            bail!("{FILE}: `surprisal {key}` has no option --{unknown}; see `surprisal {key} --help`");
        }
        if command.get_name() == chosen.get_name() {
            options.retain(|(name, _)| !table.contains_key(*name));
            options.extend(table.iter().map(|(key, value)| (key.as_str(), value)));
        }
    }
    let own = file.get(chosen.get_name()).and_then(Value::as_table);
    let is_first = |(key, value): &(&str, &Value)| own.and_then(|own| own.get(*key)).is_none_or(|own| own == *value);
    options.retain(is_first);
    Ok(options)
}

/// Returns the option of a command with this name. The option `-o` is called `output`.
fn find<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    let is_named = |arg: &&Arg| arg.get_long() == Some(key) || (key == "output" && arg.get_short() == Some('o'));
    command.get_arguments().find(is_named)
}

/// Returns whether an argument of the command line sets this option.
fn sets(argument: &OsString, arg: &Arg) -> bool {
    let Some(argument) = argument.to_str() else { return false };
    let name = argument.split('=').next().unwrap_or_default();
    let mut longs = arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default());
    match name.strip_prefix("--") {
        Some(name) => longs.any(|long| long == name),
        None => argument.starts_with('-') && arg.get_short().is_some_and(|short| argument[1..].starts_with(short)),
    }
}

/// Returns an option as words of a command line.
fn words(key: &str, arg: &Arg, value: &Value) -> Result<Vec<String>> {
    let name = |value: &str| match arg.get_long() {
        Some(long) => format!("--{long}={value}"),
        None => format!("-{}{value}", arg.get_short().unwrap_or('o')),
    };
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    Ok(match value {
        Value::Boolean(set) if is_flag => set.then(|| format!("--{key}")).into_iter().collect(),
        _ if is_flag => bail!("{FILE}: {key}: expected true or false, found {}", described(value)),
        Value::Array(values) if matches!(arg.get_action(), ArgAction::Append) => {
            values.iter().map(|value| Ok(name(&scalar(key, value)?))).collect::<Result<_>>()?
        }
        value => vec![name(&scalar(key, value)?)],
    })
}

fn scalar(key: &str, value: &Value) -> Result<String> {
    Ok(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        _ => bail!("{FILE}: {key}: expected a text in quotes or a number, found {}", described(value)),
    })
}

fn described(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the text \"{text}\""),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(flag) => flag.to_string(),
        other => format!("the {} of TOML", other.type_str()),
    }
}
