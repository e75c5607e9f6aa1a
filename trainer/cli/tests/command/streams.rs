//! Standard output and standard error: full or closed, they never make the command panic; samples flow.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::QUICK;
use crate::data::{Folder, mixed};

fn with_model() -> Folder {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    folder.write("log.txt", "surprisal: a\nsurprisal: 1\n");
    folder
}

fn command(folder: &Folder, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_surprisal"));
    command.args(arguments.split_whitespace()).current_dir(folder.path(""));
    command
}

#[cfg(target_os = "linux")]
fn full() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").expect("the device that is full").into()
}

/// One command of each kind, the last two at fault.
const COMMANDS: [&str; 14] = [
    "--help",
    "--version",
    "fit data.csv --label label --family linear --order natural --strength 5 -o out.srp",
    "collect log.txt",
    "schema data.csv",
    "eval model.srp data.csv",
    "score model.srp data.csv",
    "score model.srp data.csv --json",
    "explain model.srp data.csv",
    "sample model.srp -n 100",
    "sample model.srp -n 100 --json",
    "inspect model.srp",
    "inspect nowhere.srp",
    "fit --nonsense",
];

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_output_is_a_fault() {
    let folder = with_model();
    for arguments in COMMANDS {
        let output = command(&folder, arguments).stdout(full()).output().expect("the command runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        assert!(!message.contains("panicked"), "{arguments}: {message}");
        let at_fault = ["nowhere", "--nonsense"].iter().any(|word| arguments.contains(word));
        assert!(at_fault || message.contains("standard output"), "{arguments}: {message}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_changes_nothing() {
    let folder = with_model();
    for arguments in COMMANDS {
        let free = command(&folder, arguments).stderr(Stdio::null()).output().expect("the command runs");
        let output = command(&folder, arguments).stderr(full()).output().expect("the command runs");
        assert_eq!(output.status.code(), free.status.code(), "{arguments}");
        if !arguments.starts_with("fit") {
            assert_eq!(output.stdout, free.stdout, "{arguments}");
        }
        let both = command(&folder, arguments).stdout(full()).stderr(full()).status().expect("the command runs");
        assert_eq!(both.code(), Some(2), "{arguments}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_is_named() {
    let folder = with_model();
    for arguments in ["score model.srp data.csv", "sample model.srp -n 100000", "inspect model.srp"] {
        folder.refuses(
            &format!("{arguments} -o /dev/full"),
            &["/dev/full", "cannot be written", "free space on its disk"],
        );
    }
}

/// No number of rows takes memory, and a reader that has seen enough ends the command without a fault.
#[test]
fn a_closed_pipe_ends_the_command() {
    let folder = with_model();
    for arguments in [
        "sample model.srp -n 18446744073709551615",
        "sample model.srp -n 18446744073709551615 --json",
        "score model.srp data.csv",
        "schema data.csv",
    ] {
        let mut child = command(&folder, arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut start = [0; 16];
        child.stdout.take().expect("a pipe").read_exact(&mut start).expect("some output");
        let output = child.wait_with_output().expect("it ends");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*message), (Some(0), ""), "{arguments}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn samples_take_no_memory() {
    let folder = with_model();
    let peak = |rows: usize| {
        let mut child = command(&folder, &format!("sample model.srp -n {rows}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let mut stdout = child.stdout.take().expect("a pipe");
        let (mut buffer, mut lines, mut most) = (vec![0; 1 << 16], 0, 0);
        loop {
            let read = stdout.read(&mut buffer).expect("output");
            if read == 0 {
                break;
            }
            lines += buffer[..read].iter().filter(|&&byte| byte == b'\n').count();
            let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let kilobytes =
                status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().split(' ').next()?.parse().ok());
            most = most.max(kilobytes.unwrap_or(0));
        }
        assert!(child.wait().expect("it ends").success());
        assert_eq!(lines, rows + 1);
        most
    };
    // More than a pipe holds, so that the command still runs when its memory is read.
    let (few, many): (usize, usize) = (peak(20_000), peak(400_000));
    assert!(few > 0 && many < few + 4096, "{few} kB for 20,000 rows, {many} kB for 400,000");
}

/// A series is drawn the same way, row by row.
#[test]
fn a_series_flows_too() {
    let folder = Folder::new();
    let rows: String = (0..300).map(|t| format!("{},{}\n", t % 17, (t * 7) % 23)).collect();
    folder.write("data.csv", format!("a,b\n{rows}"));
    folder.text(&format!("fit data.csv --window 4 {QUICK} -o model.srp"));
    let mut child = command(&folder, "sample model.srp -n 18446744073709551615")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the command runs");
    let mut start = [0; 64];
    child.stdout.take().expect("a pipe").read_exact(&mut start).expect("some output");
    assert!(child.wait().expect("it ends").success());
    let text = folder.text("sample model.srp -n 40 --seed 3");
    let value = folder.json("sample model.srp -n 40 --seed 3");
    let listed: Vec<String> = value["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let cells: Vec<&str> = row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
            cells.join(",")
        })
        .collect();
    assert_eq!(text.lines().skip(1).collect::<Vec<_>>(), listed);
}

#[test]
fn the_number_of_threads_has_a_range() {
    let folder = Folder::new();
    folder.write("data.csv", mixed(400, 20, 1));
    for threads in ["0", "1025", "100000", "-1", "many"] {
        folder.refuses(&format!("schema data.csv --threads={threads}"), &["--threads"]);
    }
    folder.refuses("schema data.csv --threads 2000", &["1..=1024"]);
    folder.text("schema data.csv --threads 3");
}
