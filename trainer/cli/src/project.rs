//! `surprisal.toml`: options of a project, which apply to every command that is run in the same folder.

use std::collections::BTreeMap;
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

/// Options of which each has a meaning only beside another: (option, the other, whether the other may be one that the user types;
/// if not, the option describes what the file names).
const BESIDE: [(&str, &str, bool); 5] = [
    ("normal", "label", false),
    ("session", "window", false),
    ("sampling-rate", "signal", false),
    ("bands", "signal", false),
    ("rate", "alarms-per-day", true),
];

/// Returns the arguments with the options of the project inserted before those of the user, and the inserted options.
///
/// Keys at the top of the file apply to every command that has the option; keys of a table such as `[fit]` apply to this
/// command. An option that the user gives, that contradicts an option that the user gives, or that belongs to one which the
/// user gives, is left out.
pub fn with_options(command: &mut Command, mut arguments: Vec<OsString>) -> Result<(Vec<OsString>, Vec<String>)> {
    command.build();
    let named = |command: &Command, argument: &OsString| {
        argument.to_str().and_then(|name| command.find_subcommand(name)).is_some()
    };
    let Some(mut at) = arguments.iter().skip(1).position(|argument| named(command, argument)).map(|at| at + 1) else {
        return Ok((arguments, Vec::new()));
    };
    let Some(file) = read(Path::new(FILE))? else { return Ok((arguments, Vec::new())) };
    let first = arguments[at].to_str().unwrap_or_default().to_owned();
    let mut chosen = command.find_subcommand(&first).context(FILE)?;
    if let Some(next) = arguments.get(at + 1).filter(|next| named(chosen, next)) {
        chosen = next.to_str().and_then(|name| chosen.find_subcommand(name)).context(FILE)?;
        at += 1;
    }
    let given: Vec<&Arg> = chosen
        .get_arguments()
        .filter(|arg| arguments[at..].iter().any(|argument| sets(argument, arg, chosen)))
        .collect();
    let is_given = |key: &str| given.iter().any(|arg| arg.get_long() == Some(key));
    let found = options_of(&file, command, &first)?;
    let mut options = Vec::new();
    for (&key, &value) in &found {
        let Some(arg) = find(chosen, key) else { continue };
        let contradicts = |other: &&Arg| {
            let conflict =
                |a: &Arg, b: &Arg| chosen.get_arg_conflicts_with(a).iter().any(|arg| arg.get_id() == b.get_id());
            conflict(arg, other) || conflict(other, arg)
        };
        let lacks = |&(option, other, may_be_typed): &(&str, &str, bool)| {
            let is_there = if is_given(other) { may_be_typed } else { found.contains_key(other) };
            option == key && find(chosen, other).is_some() && !is_there
        };
        let is_replaced = BESIDE.iter().any(lacks);
        if !given.iter().any(|other| other.get_id() == arg.get_id()) && !given.iter().any(contradicts) && !is_replaced {
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
fn options_of<'f>(file: &'f Table, all: &Command, chosen: &str) -> Result<BTreeMap<&'f str, &'f Value>> {
    let has = |command: &Command, key: &str| {
        find(command, key).is_some() || command.get_subcommands().any(|command| find(command, key).is_some())
    };
    let mut options = BTreeMap::new();
    for (key, value) in file.iter().filter(|(_, value)| !value.is_table()) {
        if !all.get_subcommands().any(|command| has(command, key)) {
            bail!("{FILE}: no command has an option --{key}; correct the name or remove the line");
        }
        options.insert(key.as_str(), value);
    }
    for (name, table) in file.iter().filter_map(|(name, value)| Some((name, value.as_table()?))) {
        let Some(command) = all.find_subcommand(name) else {
            bail!("{FILE}: [{name}] is no command; expected the name of a command, such as [fit]");
        };
        if let Some(unknown) = table.keys().find(|key| !has(command, key)) {
            bail!("{FILE}: `surprisal {name}` has no option --{unknown}; see `surprisal {name} --help`");
        }
        if name == chosen {
            options.extend(table.iter().map(|(key, value)| (key.as_str(), value)));
        }
    }
    Ok(options)
}

/// Returns the option of a command with this name. The option `-o` is called `output`.
fn find<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    let is_named = |arg: &&Arg| arg.get_long() == Some(key) || (key == "output" && arg.get_short() == Some('o'));
    command.get_arguments().find(is_named)
}

/// Returns whether an argument of the command line sets this option of a command.
fn sets(argument: &OsString, arg: &Arg, command: &Command) -> bool {
    let Some(argument) = argument.to_str() else { return false };
    if let Some(name) = argument.strip_prefix("--") {
        let name = name.split('=').next().unwrap_or_default();
        return arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default()).any(|long| long == name);
    }
    // Flags may stand together, and the first option with a value takes the rest.
    for short in argument.strip_prefix('-').unwrap_or_default().chars() {
        if arg.get_short() == Some(short) {
            return true;
        }
        let is_flag = |arg: &Arg| arg.get_short() == Some(short) && !arg.get_action().takes_values();
        if !command.get_arguments().any(is_flag) {
            return false;
        }
    }
    false
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
