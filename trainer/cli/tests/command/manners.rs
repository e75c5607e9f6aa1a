//! Examples in the help, `surprisal.toml`, the line that an error shows, `--quiet`, completions and man pages.

use std::process::{Command, Output};

use crate::data::Folder;

/// Runs a line as a shell does, with the command on the path.
fn shell(folder: &Folder, line: &str) -> Output {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_surprisal"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.current_dir(folder.path("")).env("PATH", path).args(["-c", line]).output().expect("a shell runs")
}

fn errors(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("messages are text")
}

#[test]
fn examples_of_the_help_work_when_pasted() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.path("examples/data")).unwrap();
    folder.write("examples/data/pico.log", include_str!("../../../../examples/data/pico.log"));
    let listed = |help: &str| -> Vec<String> {
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let lines = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        let names = lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
        names.map(str::to_owned).collect()
    };
    let mut commands = listed(&folder.text("--help"));
    assert!(commands.len() >= 14, "{commands:?}");
    // The other examples use the files that these two write.
    commands.sort_by_key(|command| ["collect", "fit"].iter().position(|first| first == command).unwrap_or(2));
    let of_fleets: Vec<String> =
        listed(&folder.text("fleet --help")).iter().map(|command| format!("fleet {command}")).collect();
    assert!(of_fleets.len() >= 3, "{of_fleets:?}");
    commands.extend(of_fleets);
    for command in commands {
        if command == "fleet compare" {
            assert!(shell(&folder, "surprisal fit pico.csv --by running --seed 1 -o refitted").status.success());
        }
        let text = folder.text(&format!("{command} -h"));
        let example = text.lines().find_map(|line| line.strip_prefix("Example: ")).expect(&command);
        assert!(example.contains(&format!("surprisal {command} ")), "{example}");
        let output = shell(&folder, example);
        assert!(output.status.success(), "{example}: {}", errors(&output));
    }
}

#[test]
fn an_error_shows_the_line_and_marks_the_cell() {
    let folder = Folder::new();
    folder.write("rows.csv", format!("temperature,current,fault\n{}20,x2,0\n", "20,1,0\n21,2,0\n".repeat(50)));
    folder.write("kinds.toml", "[columns.current]\nkind = \"integer\"\n");
    let message = errors(&folder.run("fit rows.csv --schema kinds.toml -o m.srp"));
    let lines: Vec<_> = message.lines().collect();
    assert!(lines[0].starts_with("error: rows.csv: line 102, column `current`:"), "{message}");
    let shown = lines.iter().position(|line| line.ends_with("20,x2,0")).unwrap_or_else(|| panic!("{message}"));
    let cell = lines[shown].find("x2").unwrap();
    assert_eq!(lines[shown + 1].find("^^"), Some(cell), "{message}");
    assert!(!message.contains('\u{1b}'), "no colours where there is no terminal: {message:?}");
}

#[test]
fn a_line_of_unsafe_characters_is_not_shown() {
    let folder = Folder::new();
    folder.write("kinds.toml", "[columns.b]\nkind = \"integer\"\n");
    for cell in ["\u{1b}[31mred", "\u{202e}der", "r\u{200b}ed"] {
        folder.write("rows.csv", format!("a,b\n{}1,{cell}\n", "1,2\n3,4\n".repeat(50)));
        let message = errors(&folder.run("fit rows.csv --schema kinds.toml -o m.srp"));
        assert!(message.starts_with("error: rows.csv: line 102"), "{message}");
        assert!(!message.contains(cell) && !message.contains("-->"), "{message:?}");
    }
}

#[test]
fn the_name_of_a_file_is_escaped_beside_its_line() {
    let folder = Folder::new();
    let name = "ro\u{1b}[31mws.csv";
    folder.write(name, format!("a,b\n{}1,x2\n", "1,2\n3,4\n".repeat(50)));
    folder.write("kinds.toml", "[columns.b]\nkind = \"integer\"\n");
    // With forced colours, no later step removes an escape sequence.
    let line = format!("CLICOLOR_FORCE=1 surprisal fit '{name}' --schema kinds.toml -o m.srp");
    let message = errors(&shell(&folder, &line));
    assert!(message.contains("-->") && message.contains("\u{1b}["), "a line in colours: {message:?}");
    assert_eq!(message.matches("ro\\u{1b}[31mws.csv").count(), 2, "{message:?}");
    assert!(!message.contains("ro\u{1b}"), "{message:?}");
}

#[test]
fn quiet_writes_errors_only() {
    let folder = Folder::with_data();
    // A repeated header is worth a remark.
    let rows = String::from_utf8(folder.read("data.csv")).unwrap();
    folder.write("data.csv", format!("{rows}{rows}"));
    let loud = folder.run("fit data.csv -o m.srp");
    assert!(errors(&loud).contains("the header is repeated"), "{}", errors(&loud));
    let quiet = folder.run("fit data.csv -o m.srp --quiet");
    assert_eq!((errors(&quiet).as_str(), quiet.stdout == loud.stdout), ("", true));
    let fault = folder.run("fit absent.csv -q");
    assert!(errors(&fault).starts_with("error: absent.csv"), "{}", errors(&fault));
}

#[test]
fn a_project_adds_options_that_the_user_does_not_give() {
    let folder = Folder::with_data();
    folder.text("fit data.csv --label label --seed 3 --ignore mode --ignore door -o expected.srp");
    folder.write(
        "surprisal.toml",
        "label = \"label\"\nseed = 9\njson = false\n[fit]\nseed = 3\nignore = [\"mode\", \"door\"]\noutput = \"m.srp\"\n",
    );
    let output = folder.run("fit data.csv");
    assert!(errors(&output).contains("surprisal.toml adds --"), "{}", errors(&output));
    assert!(folder.read("m.srp") == folder.read("expected.srp"));
    // What the user gives replaces what the file says, and what contradicts it is left out.
    folder.text("fit data.csv --seed 4 -o four.srp");
    assert_eq!(folder.json("inspect four.srp")["fit"]["seed"], 4);
    folder.write("surprisal.toml", "[fit]\nfalse-alarm = 0.5\n");
    folder.text("fit data.csv --label label --alarms-per-day 9 --rate 1 -o five.srp");
    assert_ne!(folder.json("inspect five.srp")["false_alarm"], 0.5);
    // The same key may stand in both places, and what belongs to an option that the user replaces is left out.
    folder.write("surprisal.toml", "label = \"label\"\nnormal = \"1\"\n[fit]\nlabel = \"label\"\nnormal = \"0\"\n");
    folder.text("fit data.csv -qo both.srp");
    assert!(errors(&folder.run("fit data.csv --label label -o six.srp")).find("normal").is_none());
    folder.write("surprisal.toml", "[fit]\ncalibrate = \"data.csv\"\noutput = \"other.srp\"\n");
    folder.text("fit data.csv --label label --by mode -qo fleet");
    assert!(!folder.path("other.srp").exists());
    folder.write("surprisal.toml", "[fleet]\nskip-bad = 3\n");
    assert!(errors(&folder.run("fleet status fleet data.csv")).contains("surprisal.toml adds --skip-bad=3"));
    folder.write("surprisal.toml", "label = fault");
    folder.text("--version");
    folder.write("surprisal.toml", "rate = 1\n");
    folder.text("fit data.csv --label label -o six.srp");
    assert!(folder.text("eval six.srp data.csv --held-out").contains("per day"));
    folder.text("fit data.csv --label label --alarms-per-day 900 -o seven.srp");
    // An option of another command does not disturb.
    folder.write("surprisal.toml", "top = 2\n[score]\nmean = 3\n");
    assert_eq!(folder.json("explain m.srp data.csv")["rows"].as_array().map(Vec::len), Some(2));
    folder.json("inspect m.srp");
}

#[test]
fn faults_of_a_project_are_named() {
    let folder = Folder::with_data();
    for (text, expected) in [
        ("labl = \"fault\"", "no command has an option --labl"),
        ("[fti]\nseed = 1", "[fti] is no command"),
        ("[fit]\ntop = 1", "`surprisal fit` has no option --top"),
        ("[fit]\nseed = [1, 2]", "seed: expected a text in quotes or a number, found the array"),
        ("[fit]\njson = 1", "json: expected true or false, found 1"),
        ("label = fault", "expected lines such as label = \"fault\""),
        ("data = \"data.csv\"", "no command has an option --data"),
    ] {
        folder.write("surprisal.toml", text);
        let output = folder.run("fit data.csv");
        assert_eq!((output.status.code(), folder.names().len()), (Some(2), 2), "{text}");
        let message = errors(&output);
        assert!(message.starts_with("error: surprisal.toml: ") && message.contains(expected), "{text}: {message}");
    }
    folder.write("surprisal.toml", "[fit]\nseed = \"many\"\n");
    let message = errors(&folder.run("fit data.csv"));
    assert!(message.contains("'many'") && message.contains("surprisal.toml adds --seed=many"), "{message}");
    folder.write("surprisal.toml", vec![b'#'; 70_000]);
    assert!(errors(&folder.run("fit data.csv")).contains("70000"));
}

#[test]
fn completions_and_man_pages_name_every_command_and_option() {
    let folder = Folder::new();
    let script = folder.text("completions bash");
    folder.write("complete.bash", &script);
    assert!(shell(&folder, "bash -n complete.bash").status.success());
    for name in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = folder.text(&format!("completions {name}"));
        assert!(script.contains("calibrate") && script.contains("average-run-length"), "{name}");
    }
    folder.text("man -o pages");
    let fit = String::from_utf8(folder.read("pages/surprisal-fit.1")).unwrap();
    assert!(fit.starts_with(".ie") || fit.starts_with(".TH"), "{fit}");
    assert!(fit.replace('\\', "").contains("--average-run-length"), "{fit}");
    assert!(folder.read("pages/surprisal.1").len() > 500);
}
