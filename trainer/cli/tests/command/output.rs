//! Output files: never over an input, whole or not at all, with the right permissions, and nothing left behind.

use crate::QUICK;
use crate::data::Folder;

/// A folder with every file that a command can read. All of them are valid.
fn with_inputs() -> Folder {
    let folder = Folder::with_data();
    for copy in ["valid.csv", "calibrate.csv", "test.csv"] {
        folder.write(copy, folder.read("data.csv"));
    }
    folder.write("order.txt", "heat\nshake\nmode\nhumid\ndoor\n");
    folder.text("schema data.csv --ignore label -o schema.toml");
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    folder.write("log.txt", "surprisal: a\nsurprisal: 1\n");
    folder.write("signal.csv", "1\n2\n3\n4\n");
    folder
}

/// Every command that writes a file, and the files that it reads.
const READERS: [(&str, &[&str]); 11] = [
    (
        "fit data.csv --label label --valid valid.csv --calibrate calibrate.csv --test test.csv --schema schema.toml \
         --order order.txt --family linear --strength 5",
        &["data.csv", "valid.csv", "calibrate.csv", "test.csv", "schema.toml", "order.txt"],
    ),
    ("schema data.csv", &["data.csv"]),
    ("collect log.txt", &["log.txt"]),
    ("features signal.csv --signal 2 --bands 0", &["signal.csv"]),
    ("eval model.srp data.csv", &["model.srp", "data.csv"]),
    ("score model.srp data.csv", &["model.srp", "data.csv"]),
    ("explain model.srp data.csv", &["model.srp", "data.csv"]),
    ("compare model.srp data.csv", &["model.srp", "data.csv"]),
    ("sample model.srp", &["model.srp"]),
    ("inspect model.srp", &["model.srp"]),
    ("export model.srp", &["model.srp"]),
];

#[test]
fn a_dash_is_no_output() {
    let folder = with_inputs();
    for (command, _) in READERS {
        folder.refuses(&format!("{command} -o -"), &["-", "file"]);
        assert!(!folder.path("-").exists(), "{command}");
    }
}

#[test]
fn no_output_replaces_an_input() {
    let folder = with_inputs();
    for (command, inputs) in READERS {
        for input in inputs {
            folder.refuses(&format!("{command} -o {input}"), &[input, "input", "overwritten"]);
            folder.refuses(&format!("{command} -o ./../{}/{input}", folder.name()), &[input, "input"]);
        }
    }
}

/// A search keeps a file beside the output, which must be no input either.
#[test]
fn no_journal_replaces_an_input() {
    let folder = with_inputs();
    folder.write("model.srp.surprisal-search", folder.read("data.csv"));
    let command = "fit model.srp.surprisal-search --label label --family auto -o model.srp";
    folder.refuses(command, &["model.srp.surprisal-search", "input"]);
}

#[cfg(unix)]
#[test]
fn no_output_replaces_an_input_by_a_link() {
    let folder = with_inputs();
    for (command, inputs) in READERS {
        for input in inputs {
            for (link, hard) in [("hard.srp", true), ("soft.srp", false)] {
                let path = folder.path(link);
                let _ = std::fs::remove_file(&path);
                if hard {
                    std::fs::hard_link(folder.path(input), &path).expect("a hard link");
                } else {
                    std::os::unix::fs::symlink(input, &path).expect("a symbolic link");
                }
                folder.refuses(&format!("{command} -o {link}"), &[link, "input"]);
                std::fs::remove_file(&path).expect("a link");
            }
        }
    }
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_permissions_and_a_new_one_gets_those_of_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;
    let folder = with_inputs();
    let mode = |name: &str| std::fs::metadata(folder.path(name)).expect("a file").permissions().mode() & 0o7777;
    for wanted in [0o600, 0o640, 0o644, 0o664, 0o755, 0o444] {
        for (command, output) in
            [("score model.srp data.csv", "out.csv"), ("sample model.srp", "out.csv"), ("export model.srp", "out.rs")]
        {
            folder.write(output, "old");
            std::fs::set_permissions(folder.path(output), PermissionsExt::from_mode(wanted)).expect("permissions");
            folder.text(&format!("{command} -o {output}"));
            assert_eq!(mode(output), wanted, "{command}");
            assert_ne!(folder.read(output), b"old");
            std::fs::remove_file(folder.path(output)).expect("a file");
        }
    }
    for (umask, wanted) in [("022", 0o644), ("077", 0o600), ("002", 0o664)] {
        let script = format!("umask {umask}; exec \"$0\" inspect model.srp -o new.txt");
        let mut command = Command::new("sh");
        command.args(["-c", &script, env!("CARGO_BIN_EXE_surprisal")]).current_dir(folder.path(""));
        assert!(command.status().expect("a shell").success());
        assert_eq!(mode("new.txt"), wanted, "umask {umask}");
        std::fs::remove_file(folder.path("new.txt")).expect("a file");
    }
}

/// What a killed process left is removed; what only looks like it, or belongs to a living one, stays.
#[cfg(unix)]
#[test]
fn temporary_files_of_dead_processes_are_removed() {
    let folder = with_inputs();
    let mut child = std::process::Command::new("true").spawn().expect("a process");
    let dead = child.id();
    child.wait().expect("it ends");
    let alive = std::process::id();
    let leftovers = [format!(".surprisal-{dead}-a1B2c3.tmp"), format!(".surprisal-{dead}-zzzzzz.tmp")];
    let others = [
        format!(".surprisal-{alive}-a1B2c3.tmp"),
        format!(".surprisal-{dead}-a1B2c.tmp"),
        format!(".surprisal-{dead}-a1B2c3d.tmp"),
        format!(".surprisal-{dead}-a1B2-3.tmp"),
        format!(".surprisal-0{dead}-a1B2c3.tmp"),
        format!(".surprisal-{dead}-a1B2c3.tmp.csv"),
        format!("x.surprisal-{dead}-a1B2c3.tmp"),
        ".surprisal--a1B2c3.tmp".to_owned(),
        ".surprisal-x-a1B2c3.tmp".to_owned(),
        ".tmpa1B2c3".to_owned(),
    ];
    leftovers.iter().chain(&others).for_each(|name| folder.write(name, "kept"));
    let directory = format!(".surprisal-{dead}-folder.tmp");
    std::fs::create_dir(folder.path(&directory)).expect("a folder");
    folder.text("inspect model.srp -o out.txt");
    for name in &leftovers {
        assert!(!folder.path(name).exists(), "{name} is left");
    }
    for name in others.iter().chain([&directory]) {
        assert!(folder.path(name).exists(), "{name} was removed");
    }
}

/// Process ids differ in a container, so that a lock protects the file of a process that seems dead.
#[cfg(target_os = "linux")]
#[test]
fn a_locked_temporary_file_is_kept() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let folder = with_inputs();
    let mut ended = Command::new("true").spawn().expect("a shell command");
    ended.wait().expect("it ends");
    let name = format!(".surprisal-{}-a1B2c3.tmp", ended.id());
    folder.write(&name, "kept");
    let mut holder = Command::new("flock");
    holder.arg(folder.path(&name)).args(["-c", "echo locked; read line"]);
    let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("util-linux has flock");
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("it reports");
    folder.text("inspect model.srp -o out.txt");
    assert!(folder.path(&name).exists(), "{name} was removed");
    drop(holder.stdin.take());
    holder.wait().expect("it ends");
    folder.text("inspect model.srp -o out.txt");
    assert!(!folder.path(&name).exists(), "{name} is left");
}

/// A process that is killed while it writes leaves the target alone, and its own file under a name that tells whose it is.
#[cfg(unix)]
#[test]
fn a_killed_process_leaves_the_target_alone() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    let folder = with_inputs();
    folder.write("out.csv", "old");
    let mut command = Command::new(env!("CARGO_BIN_EXE_surprisal"));
    command.args("sample model.srp -n 1000000000000 -o out.csv".split(' ')).current_dir(folder.path(""));
    let mut child = command.stdout(Stdio::null()).spawn().expect("the command runs");
    let prefix = format!(".surprisal-{}-", child.id());
    let temporary = || folder.names().into_iter().find(|name| name.starts_with(&prefix));
    let start = Instant::now();
    while temporary().is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "no temporary file");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(temporary().is_some_and(|name| name.ends_with(".tmp")));
    assert_eq!(folder.read("out.csv"), b"old");
    folder.text("sample model.srp -n 3 -o out.csv");
    assert_eq!((temporary(), folder.read("out.csv").iter().filter(|&&byte| byte == b'\n').count()), (None, 4));
}

/// `-o` takes the answer of every command that would print one.
#[test]
fn every_answer_can_go_to_a_file() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    for command in [
        "eval model.srp data.csv",
        "score model.srp data.csv",
        "explain model.srp data.csv",
        "inspect model.srp",
        "sample model.srp",
    ] {
        let answer = folder.text(command);
        assert_eq!(folder.text(&format!("{command} -o answer.txt")), "");
        assert_eq!(folder.read("answer.txt"), answer.as_bytes(), "{command}");
    }
}

/// A link's target takes the output, and so does a device.
#[cfg(unix)]
#[test]
fn an_output_goes_where_its_name_leads() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    folder.write("target.csv", "old");
    std::os::unix::fs::symlink("target.csv", folder.path("link.csv")).expect("a link");
    folder.text("score model.srp data.csv -o link.csv");
    assert!(
        folder.path("link.csv").is_symlink() && folder.read("target.csv").starts_with(b"line,nats,anomaly,p,anomalous")
    );
    folder.text("score model.srp data.csv -o /dev/null");
    assert!(!std::path::Path::new("/dev/null").is_file());
    std::os::unix::fs::symlink("new.csv", folder.path("dangling.csv")).expect("a link");
    folder.text("score model.srp data.csv -o dangling.csv");
    assert!(folder.path("dangling.csv").is_symlink() && folder.path("new.csv").is_file());
}
