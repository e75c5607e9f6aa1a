//! The fields of the JSON that each command prints are those that docs/commands.md lists.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::QUICK;
use crate::data::{Folder, flags, mixed, random};
use rand::RngExt;

/// Objects whose fields are columns of the data, or notes that the page does not list.
const OPEN: [&str; 13] = [
    "calibrate offsets",
    "score time",
    "inspect each_view[].prototypes[]",
    "inspect fit",
    "report against",
    "report blame",
    "report columns[]",
    "report detection",
    "report likelihood",
    "report provenance",
    "report sampled",
    "report summary",
    "report top_rows[]",
];
/// Objects that the page explains once: estimates and warnings.
const SHARED: [&[&str]; 2] = [&["exact", "infinite", "standard_error", "value"], &["column", "file", "message"]];

/// Returns the fields of each command as the page lists them, `[command]`: `a`, `a.b`, `a[].b`.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = include_str!("../../../../docs/commands.md");
    let (mut fields, mut command) = (BTreeMap::new(), String::new());
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("### `") {
            command = name.trim_end_matches('`').to_owned();
        } else if let (Some(row), false) = (line.strip_prefix("| `"), command.is_empty()) {
            let names = row.split('|').next().unwrap().split('`').step_by(2).filter(|name| !name.trim().is_empty());
            fields.entry(command.clone()).or_insert_with(BTreeSet::new).extend(names.map(str::to_owned));
        }
    }
    fields
}

/// Adds the names of all fields of a value.
fn collect(command: &str, value: &Value, path: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| collect(command, value, &format!("{path}[]"), fields)),
        Value::Object(object) => {
            let names: Vec<&str> = object.keys().map(String::as_str).collect();
            if OPEN.contains(&format!("{command} {path}").as_str()) || SHARED.contains(&names.as_slice()) {
                return;
            }
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(command, value, &path, fields);
                fields.insert(path);
            }
        }
        _ => {}
    }
}

/// Rows with time stamps and without labels.
fn timed() -> String {
    let rows = mixed(400, 0, 3);
    let line = |(at, row): (usize, &str)| match at {
        0 => format!("time,{row}\n"),
        _ => format!("{at},{row}\n"),
    };
    rows.lines().map(|row| row.rsplit_once(',').unwrap().0).enumerate().map(line).collect()
}

/// Runs every command in the ways that make all of its fields appear.
#[test]
fn the_page_lists_the_fields_of_every_command() {
    let folder = Folder::with_data();
    folder.write("timed.csv", timed());
    folder.write("later.csv", timed());
    folder.write("log.txt", "surprisal: a,b\nsurprisal: 1,2\nsurprisal: 3,4\n");
    let mut coins = random(5);
    let bits: Vec<Vec<bool>> = (0..400)
        .map(|_| {
            let first: bool = coins.random();
            vec![first, first, first != coins.random_bool(0.1), coins.random_bool(0.3)]
        })
        .collect();
    folder.write("flags.csv", flags(&bits));
    let many: Vec<Vec<bool>> = (0..400).map(|_| (0..24).map(|_| coins.random_bool(0.5)).collect()).collect();
    folder.write("many.csv", flags(&many));
    let samples: String = (0..8000).map(|_| format!("{}\n", coins.random_range(-500..500))).collect();
    folder.write("signal.csv", format!("x\n{samples}"));
    // A code for missing readings that nobody named, and a reading that is missing in no training row.
    let coded =
        |(at, row): (usize, &str)| if at % 100 == 7 { "idle,-999,5,0,50,0\n".into() } else { format!("{row}\n") };
    folder.write("glitch.csv", mixed(400, 0, 4).lines().enumerate().map(coded).collect::<String>());
    folder.write("lost.csv", "f0,f1,f2,f3\n1,1,,0\n0,0,0,0\n");

    let commands = [
        "fit data.csv --label label --false-alarm 0.05 -o model.srp",
        &format!("fit data.csv --label label --test data.csv --like model.srp --false-alarm 0.05 {QUICK} -o bits.srp"),
        "fit data.csv --label label --family linear-trees --flash 1500 -o small.srp",
        "fit data.csv --label label --max-rows 200 -o sample.srp",
        "fit glitch.csv --ignore label -o glitch.srp",
        "fit timed.csv --time time --false-alarm 0.05 -o timed.srp",
        "fit signal.csv --signal 32 -o signal.srp",
        "fit flags.csv --family linear-trees -o flags.srp",
        "fit many.csv --family marginal -o many.srp",
        "fit many.csv --family marginal --seed 1 -o again.srp",
        "calibrate model.srp data.csv --held-out --offsets -o unit.srp",
        "eval model.srp data.csv --sweep --rate 1",
        "eval timed.srp timed.csv",
        "score model.srp data.csv",
        "score timed.srp timed.csv later.csv --mean 3",
        "score signal.srp signal.csv",
        "score flags.srp lost.csv",
        "explain model.srp data.csv",
        "explain signal.srp signal.csv",
        "compare model.srp unit.srp data.csv",
        "compare model.srp data.csv",
        "compare bits.srp data.csv",
        "compare many.srp again.srp -n 100 --pairs 8",
        "report model.srp data.csv --rate 1 -o report.html",
        "report timed.srp timed.csv --against timed.srp -o timed.html",
        "fit data.csv --label label --by mode -o models",
        "fit data.csv --label label --by mode --shared -o shared",
        "fleet status models data.csv",
        "fleet report models data.csv -o pages",
        "fleet compare models shared data.csv",
        "completions bash",
        "man -o pages",
        "inspect model.srp",
        "inspect bits.srp",
        "sample bits.srp",
        "export model.srp -o model.rs",
        "export model.srp -o model.h",
        "new monitor --board qemu-m3",
        "keygen -o key.pem",
        "sign model.srp --key key.pem --release 2 -o model.sru",
        "verify model.sru --key key.pem",
        "schema data.csv",
        "collect log.txt",
        "features signal.csv --signal 32",
        "compress model.srp data.csv -o data.srpd",
        "decompress model.srp data.srpd -o back.csv",
    ];
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for command in commands {
        let name = command.split(' ').next().unwrap();
        collect(name, &folder.json(command), "", found.entry(name.to_owned()).or_default());
    }
    let documented = documented();
    assert_eq!(documented.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "commands");
    for (command, fields) in found {
        let missing: Vec<_> = fields.difference(&documented[&command]).collect();
        let stale: Vec<_> = documented[&command].difference(&fields).collect();
        assert!(missing.is_empty(), "docs/commands.md does not list these fields of {command}: {missing:?}");
        assert!(stale.is_empty(), "docs/commands.md lists fields that {command} did not print: {stale:?}");
    }
}
