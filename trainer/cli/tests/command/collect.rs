//! Captures of a board's log become the CSV that `fit` reads, whatever lies between the rows.

use crate::QUICK;
use crate::data::Folder;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// What a terminal shows of a board that is started twice: levels, times, colours, places, half lines.
const LOG: &str = "\
      Flashing ✔ 100% [####################]  20.00 KiB\n\
0.001 [INFO ] awake (pico src/lib.rs:40)\n\
surprisal: current,valve\n\
0.002 surprisal: 512,1\n\
\u{1b}[32mINFO\u{1b}[0m surprisal: -3,0\u{1b}[0m\n\
└─ capture::main @ src/bin/capture.rs:20\n\
surprisal: 5\n\
surprisal: 513,surprisal: 514,1\n\
surprisal: 1.5,\n\
[INFO ] surprisal: 515,0 (capture src/bin/capture.rs:20)\r\n\
surprisal: current,valve\n\
surprisal: 516,1\n\
surprisal: 51,7";

#[test]
fn rows_are_found_in_a_log_and_half_lines_counted() {
    let folder = Folder::new();
    folder.write("capture.log", LOG);
    let csv = "current,valve\n512,1\n-3,0\n1.5,\n515,0\n516,1\n";
    assert_eq!(folder.text("collect capture.log"), csv);
    assert_eq!(folder.text("collect capture.log -o rows.csv"), "");
    assert_eq!(folder.read("rows.csv"), csv.as_bytes());
    let value = folder.json("collect capture.log -o rows.csv");
    let wanted =
        serde_json::json!({ "rows": 5, "columns": ["current", "valve"], "sessions": 2, "dropped": [7, 8, 13] });
    assert_eq!(value, wanted);
    let said = folder.run("collect capture.log");
    let said = String::from_utf8_lossy(&said.stderr);
    assert!(said.contains("rows: 5; sessions: 2; incomplete lines left out: 3, the first on line 7"), "{said}");
}

#[test]
fn a_start_of_the_board_begins_a_session() {
    let folder = Folder::new();
    folder.write("capture.log", LOG);
    let sessions = folder.text("collect capture.log --sessions");
    assert_eq!(sessions, "session,current,valve\n1,512,1\n1,-3,0\n1,1.5,\n1,515,0\n2,516,1\n");
    // The log begins in the midst of a session, whose names a later start tells.
    folder.write("late.log", format!("surprisal: 9,9\n{LOG}"));
    let late = folder.text("collect late.log --sessions");
    assert!(late.starts_with("session,current,valve\n1,9,9\n2,512,1\n"), "{late}");
    assert!(late.ends_with("\n3,516,1\n"), "{late}");
}

#[test]
fn lines_of_numbers_do_where_nothing_is_marked() {
    let folder = Folder::new();
    folder.write("serial.txt", "hello\r\nready, steady\r\ncurrent,valve\r\n1,0\r\n2,\r\n3\r\n4,1\r\n");
    assert_eq!(folder.text("collect serial.txt"), "current,valve\n1,0\n2,\n4,1\n");
    folder.write("bare.txt", "1,0\n2,1\n");
    assert_eq!(folder.text("collect bare.txt"), "x0,x1\n1,0\n2,1\n");
}

#[test]
fn a_capture_comes_by_pipe_as_well() {
    let folder = Folder::new();
    folder.write("capture.log", LOG);
    let mut command = Command::new(env!("CARGO_BIN_EXE_surprisal"));
    let log = std::fs::File::open(folder.path("capture.log")).expect("a file");
    let output = command.args(["collect", "-"]).stdin(Stdio::from(log)).output().expect("the command runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), folder.text("collect capture.log"));
}

#[test]
fn what_is_collected_can_be_fitted() {
    let folder = Folder::new();
    let rows = (0..400).fold("surprisal: load,heat\n".to_owned(), |mut log, t| {
        let load = t * 7 % 5;
        writeln!(log, "surprisal: {load},{}", 10 * load + t % 7).map(|()| log).expect("a string takes all")
    });
    folder.write("capture.log", rows);
    folder.text("collect capture.log -o rows.csv --sessions");
    folder.text(&format!("fit rows.csv --ignore session --false-alarm 0.1 {QUICK} -o model.srp"));
}

#[test]
fn a_capture_without_rows_is_refused() {
    let folder = Folder::new();
    folder.write("empty.log", "");
    folder.write("silent.log", "0.1 [INFO ] awake\n└─ surprisal::hal::watch\nError: no probe was found\n");
    folder.write("half.log", "surprisal: a,b\nsurprisal: 1\n");
    folder.write("two.log", "surprisal: a,b\nsurprisal: 1,2\nsurprisal: a,c\nsurprisal: 1,2\n");
    folder.write("named.log", "surprisal: session\nsurprisal: 1\n");
    folder.refuses("collect empty.log -o rows.csv", &["empty.log: no rows", "`surprisal: 1,2`", "capture"]);
    folder.refuses("collect silent.log -o rows.csv", &["silent.log: no rows"]);
    folder
        .refuses("collect half.log -o rows.csv", &["half.log: no complete row", "line 2", "2 comma-separated numbers"]);
    folder.refuses("collect two.log -o rows.csv", &["two.log: line 3", "a,c here and a,b before"]);
    folder.refuses("collect named.log --sessions", &["--sessions"]);
    folder.refuses("collect none.log", &["none.log", "check the path"]);
    folder.refuses("collect two.log -o two.log", &["two.log"]);
}
