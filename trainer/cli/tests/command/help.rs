//! Help: the options that matter fit a screen, and every option stands under its heading.

use std::process::Command;

use crate::data::Folder;

/// What `surprisal` prints on a terminal of 80 columns.
fn help(arguments: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_surprisal"));
    let output = command.args(arguments.split(' ')).env("COLUMNS", "80").output().expect("the command runs");
    assert!(output.status.success(), "{arguments}");
    String::from_utf8(output.stdout).expect("help is text")
}

const COMMANDS: [&str; 12] = [
    "fit", "collect", "features", "schema", "eval", "score", "explain", "report", "sample", "compare", "export", "new",
];

#[test]
fn short_help_fits_a_screen() {
    for command in COMMANDS {
        let text = help(&format!("{command} -h"));
        assert!(text.lines().count() <= 40, "{command}: {} lines", text.lines().count());
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{command}: {widest:?} columns");
    }
    let fit = help("fit -h");
    for option in ["-o", "--label", "--flash", "--family", "--false-alarm", "--schema", "--window"] {
        assert!(fit.contains(&format!(" {option} ")), "{option}: {fit}");
    }
    let options = fit.lines().skip_while(|line| *line != "Options:");
    let count = options.filter(|line| line.trim_start().starts_with('-')).count();
    assert!(count <= 12, "ten options that matter, --json and --help; {count} are listed: {fit}");
}

#[test]
fn every_option_stands_under_its_heading() {
    let text = help("fit --help");
    let heading = |option: &str| {
        let before = text.lines().take_while(|line| line.split_whitespace().next() != Some(option));
        before.filter(|line| line.ends_with(':') && !line.starts_with(' ')).last().unwrap_or_default().to_owned()
    };
    for (option, expected) in [
        ("-o", "Options"),
        ("--false-alarm", "Options"),
        ("--seed", "Options"),
        ("--signal", "Options"),
        ("--bands", "Data"),
        ("--test", "Data"),
        ("--header", "Data"),
        ("--cells", "Columns"),
        ("--keep", "Columns"),
        ("--strength", "Model"),
        ("--l2", "Model"),
        ("--order", "Order"),
        ("--units", "Hidden layers"),
        ("--offset", "Hidden layers"),
        ("--optimizer", "Stochastic gradient"),
        ("--weight-decay", "Stochastic gradient"),
        ("--ram", "Search and limits"),
        ("--ops", "Search and limits"),
        ("--calibrate", "Calibration"),
        ("--average-run-length", "Calibration"),
    ] {
        assert!(heading(option).starts_with(expected), "{option}: under {:?}", heading(option));
    }
}

/// Names and options of earlier versions still work, and nothing shows them.
#[test]
fn former_names_are_read_and_hidden() {
    let text = help("fit --help");
    for former in ["lintree", "flagship", "mean-time"] {
        assert!(!text.contains(former), "{former}");
    }
    let folder = Folder::with_data();
    let fit = |options: &str| {
        folder
            .json(&format!("fit data.csv --label label --order natural --gamma 2 --strength 5 {options} -o model.srp"));
        folder.read("model.srp")
    };
    let named = fit("--family linear-trees --average-run-length 500");
    assert!(named == fit("--family lintree --mean-time 500"));
    assert_eq!(folder.json("inspect model.srp")["average_run_length"], 500);
    // A file of an earlier version names its family by the former name, and its terms `parts`.
    folder.write("old.srp", renamed(&named));
    let inspected = folder.json("inspect old.srp");
    assert_eq!((&inspected["fit"]["family"], &inspected["fit"]["terms"]), (&"linear-trees".into(), &"a + b".into()));
}

/// The same file with the notes of an earlier version.
fn renamed(file: &[u8]) -> Vec<u8> {
    let length = u32::from_le_bytes(file[8..12].try_into().unwrap()) as usize;
    let mut notes: serde_json::Value = serde_json::from_slice(&file[length + 8..]).expect("notes are JSON");
    notes["fit"]["family"] = "lintree".into();
    notes["fit"]["parts"] = "a + b".into();
    let json = serde_json::to_vec(&notes).unwrap();
    let crc = surprisal_trainer::data::checksum(&json);
    [&file[..length], &(json.len() as u32).to_le_bytes(), &crc.to_le_bytes(), &json].concat()
}
