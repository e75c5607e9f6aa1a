//! `surprisal fleet report` and `surprisal fleet compare`: pages and differences of all machines.

use std::fmt::Write as _;
use std::process::Command;

use rand::RngExt;
use serde_json::Value;

use crate::data::{Folder, number, random};
use crate::fleet::{NINE, fleet};

/// Names that are no names of files, no HTML, and no name of a page.
const ODD: [(&str, f64); 4] = [("a/1", 20.0), ("b & <i>\"x\"", 20.5), ("index", 21.0), ("pump 7%", 20.2)];

/// Runs a command that does all machines and then ends with exit code 2. Returns what it prints, and its message.
pub fn partly(folder: &Folder, arguments: &str) -> (Value, String) {
    let output = folder.run(&format!("{arguments} --json"));
    let message = String::from_utf8(output.stderr).expect("messages are text");
    assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
    (serde_json::from_slice(&output.stdout).expect("one JSON value"), message)
}

pub fn machines(value: &Value) -> &Vec<Value> {
    value["machines"].as_array().expect("a list of machines")
}

pub fn of<'v>(value: &'v Value, machine: &str) -> &'v Value {
    machines(value).iter().find(|one| one["machine"] == machine).unwrap_or_else(|| panic!("no {machine} in {value}"))
}

fn text(folder: &Folder, name: &str) -> String {
    String::from_utf8(folder.read(name)).expect("a page is text")
}

#[test]
fn each_machine_has_the_page_of_its_report() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&ODD, 400, 1));
    folder.text("fit all.csv --by machine --label label --false-alarm 0.05 -o models");
    let mut fresh = fleet(&[ODD[0], ODD[1], ("index", 29.0), ("new", 20.0)], 200, 2);
    for _ in 0..20 {
        fresh += "a/1,50,90,1\n";
    }
    folder.write("fresh.csv", &fresh);
    let options = "--rate 2 --votes 1:2";
    let value = folder.json(&format!("fleet report models fresh.csv {options} -o pages"));
    let status = folder.json("fleet status models fresh.csv");
    let names = |value: &Value| machines(value).iter().map(|one| one["machine"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&value), names(&status));
    for (page, status) in machines(&value).iter().zip(machines(&status)) {
        for key in ["state", "rows", "alarm_rate", "promised", "drift", "drift_error"] {
            assert_eq!(page[key], status[key], "{key}: {page}");
        }
    }
    assert_eq!(of(&value, "index")["state"], "alarms");
    assert_eq!(of(&value, "a/1")["recall"], 1.0);
    assert_eq!(of(&value, "new")["page"], Value::Null);

    // The page is that of the model's report, and the list leads to it.
    let index = text(&folder, "pages/index.html");
    for (machine, file, page) in [
        ("a/1", "a%2F1", "a%2F1.html"),
        ("b & <i>\"x\"", "b%20%26%20%3Ci%3E%22x%22", "b%20%26%20%3Ci%3E%22x%22.html"),
        ("index", "index", "index%%.html"),
    ] {
        assert_eq!(of(&value, machine)["page"], page);
        let report = folder.json(&format!("report models/{file}.srp fresh.csv {options} -o one.html"));
        assert!(folder.read("one.html") == folder.read(&format!("pages/{page}")), "{machine}");
        assert_eq!(of(&value, machine)["verdict"], report["summary"]["verdict"]);
        assert_eq!(of(&value, machine)["grade"], report["summary"]["grade"]);
        assert_eq!(of(&value, machine)["saved"], report["likelihood"]["saved"]["value"]);
        assert!(index.contains(&format!("<a href=\"{}\">", page.replace('%', "%25"))), "{page}: {index}");
        assert!(index.contains(report["summary"]["verdict"].as_str().unwrap()));
    }
    assert!(index.contains("b &amp; &lt;i&gt;&quot;x&quot;</a>"), "{index}");
    for foreign in ["<script", "<i>", "src=\"", "url(", "http://", "https://", "NaN"] {
        assert!(!index.contains(foreign), "{foreign}: {index}");
    }
    assert!(index.contains("prefers-color-scheme: dark") && index.contains("default-src 'none'"));
    assert!(index.find(">index<") < index.find(">a/1<"), "machines that need attention come first");
    assert!(index.contains("alarms: 1, no model: 1, no rows: 1, ok: 2."), "{index}");
    let files = std::fs::read_dir(folder.path("pages")).unwrap().count();
    assert_eq!(files, 4, "a page for each machine with a model and rows, and the list");
}

#[test]
fn a_report_takes_the_rows_that_report_takes() {
    let folder = Folder::new();
    let mut all = fleet(&NINE[..3], 400, 3);
    for _ in 0..30 {
        all += "b,50,90,1\n";
    }
    folder.write("all.csv", &all);
    folder.text("fit all.csv --by machine --label label --false-alarm 0.05 -o models");
    let value = folder.json("fleet report models all.csv --held-out -o pages");
    assert_eq!((&of(&value, "b")["rows"], &of(&value, "c")["rows"]), (&70.into(), &40.into()));
    folder.text("report models/b.srp all.csv --held-out -o one.html");
    assert!(folder.read("one.html") == folder.read("pages/b.html"));
    // The rows of the fit are named as such in the list, and the value of normal rows can be named.
    let value = folder.json("fleet report models all.csv -o pages");
    assert!(of(&value, "c")["warnings"][0]["message"].as_str().unwrap().contains("was fitted on this file"));
    assert!(text(&folder, "pages/index.html").contains("Caution: the model was fitted on this file"));
    folder.write("named.csv", all.replace(",0\n", ",good\n").replace(",1\n", ",worn\n"));
    let value = folder.json("fleet report models named.csv --label label --normal good -o pages");
    assert_eq!(of(&value, "b")["recall"], 1.0);
    let (value, message) = partly(&folder, "fleet report models named.csv -o pages");
    assert!(message.contains("3 of 3 machines have no report because of a fault; index.html says why"), "{message}");
    assert!(of(&value, "b")["error"].as_str().unwrap().contains("with --normal, one of `good`"), "{value}");

    // Files are read once: standard input as well.
    let program = env!("CARGO_BIN_EXE_surprisal");
    let line = format!("cat all.csv | {program} fleet report models - --held-out -o piped");
    let output = Command::new("sh").current_dir(folder.path("")).args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(folder.read("piped/c.html").starts_with(b"<!DOCTYPE html>"));
}

#[test]
fn a_machine_without_a_page_does_not_stop_the_others() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..4], 300, 4));
    folder.text("fit all.csv --by machine --label label --false-alarm 0.05 --shared -o models");
    folder.text("fit all.csv --by machine --label label --false-alarm 0.05 -o own");
    folder.write("own/b.srp", "damaged");
    let broken = fleet(&NINE[..4], 100, 5).replacen("c,", "c,many", 1);
    folder.write("fresh.csv", &broken);
    let (value, message) = partly(&folder, "fleet report own fresh.csv -o pages");
    assert!(message.contains("2 of 4 machines have no report"), "{message}");
    let states: Vec<_> = machines(&value).iter().map(|one| (&one["machine"], &one["state"], &one["page"])).collect();
    assert_eq!(states[0], (&"b".into(), &"failed".into(), &Value::Null));
    assert_eq!(states[1], (&"c".into(), &"failed".into(), &Value::Null));
    assert_eq!(states[3].2, "d.html");
    let index = text(&folder, "pages/index.html");
    assert!(index.contains("own/b.srp: ") && index.contains("column `load`"), "{index}");
    assert!(!folder.path("pages/b.html").exists() && folder.path("pages/a%2F1.html").exists());
    // Calibrations of a shared table have pages too. A page of an earlier report is replaced, and other files stay.
    folder.write("fresh.csv", fleet(&NINE[..4], 100, 5));
    folder.write("pages/notes.txt", "mine");
    folder.write("pages/d.html", "old");
    assert_eq!(machines(&folder.json("fleet report models fresh.csv -o pages")).len(), 4);
    assert!(folder.read("pages/notes.txt") == b"mine" && folder.read("pages/d.html").len() > 1000);
    folder.text("report models/d.cal fresh.csv -o one.html");
    assert!(folder.path("models/d.srp").exists() || folder.read("one.html") == folder.read("pages/d.html"));

    // A page that cannot be written is the fault of one machine, and inputs are not replaced.
    std::fs::remove_file(folder.path("pages/d.html")).unwrap();
    std::fs::create_dir(folder.path("pages/d.html")).unwrap();
    let (value, _) = partly(&folder, "fleet report models fresh.csv -o pages");
    assert!(of(&value, "d")["error"].as_str().unwrap().contains("pages/d.html: cannot be written"), "{value}");
    assert_eq!(of(&value, "d")["state"], "ok");
    folder.write("index.html", fleet(&NINE[..4], 100, 5));
    folder.refuses("fleet report models index.html -o .", &["index.html", "would be overwritten"]);
    folder.refuses("fleet report models fresh.csv -o fresh.csv", &["fresh.csv is a file; name a folder"]);
    folder.refuses("fleet report models fresh.csv -o ./models/", &["./models/ is the folder of the models"]);
    folder.refuses("fleet report pages fresh.csv -o new", &["holds no model of a machine"]);
    assert!(!folder.path("new").exists());
}

/// Machines before and after a change of one of them.
fn refitted() -> Folder {
    let folder = Folder::new();
    folder.write("before.csv", fleet(&NINE[..5], 400, 6));
    let mut changed = NINE[..4].to_vec();
    (changed[1].1, changed[2].1) = (26.0, 40.0);
    folder.write(
        "after.csv",
        fleet(&changed, 400, 7) + &fleet(&[("z", 20.0)], 400, 8)["machine,load,temperature,label\n".len()..],
    );
    folder.text("fit before.csv --by machine --label label --false-alarm 0.05 -o old");
    folder.text("fit after.csv --by machine --label label --false-alarm 0.05 -o new");
    folder
}

#[test]
fn the_machines_that_changed_most_come_first() {
    let folder = refitted();
    let value = folder.json("fleet compare old new after.csv");
    let names: Vec<_> = machines(&value).iter().map(|one| one["machine"].as_str().unwrap()).collect();
    assert_eq!((&names[..2], &names[4..]), (&["c", "b"][..], &["e", "z"][..]), "{names:?}");
    assert_eq!((&of(&value, "e")["state"], &of(&value, "z")["state"]), (&"only-a".into(), &"only-b".into()));
    // The numbers are those of `compare`.
    for (machine, file) in [("a/1", "a%2F1"), ("b", "b"), ("c", "c"), ("d", "d")] {
        let own = folder.json(&format!("compare old/{file}.srp new/{file}.srp after.csv"));
        let one = of(&value, machine);
        for key in ["kl_a_b", "kl_b_a", "on_normal_data"] {
            assert!(one[key].is_object() && one[key] == own[key], "{machine} {key}: {one} {own}");
        }
        let rows = &one["on_normal_data"];
        let apart = number(rows, "nats_b") - number(rows, "nats_a") - number(&rows["ln_a_b"], "value");
        assert!(apart.abs() < 1e-9, "{rows}");
    }
    let rows = &of(&value, "c")["on_normal_data"];
    assert!(number(rows, "nats_a") > number(rows, "nats_b") + 1.0, "{rows}");
    assert_eq!((number(rows, "rows"), number(rows, "alarms_a")), (400.0, 400.0));
    assert!(number(rows, "alarms_b") < 60.0);
    // Without rows there are only divergences, and a folder does not differ from itself.
    let listed = folder.text("fleet compare old new");
    assert!(listed.lines().nth(2).unwrap().ends_with("  c") && !listed.contains("nats A"), "{listed}");
    for one in machines(&folder.json("fleet compare old old")) {
        assert_eq!((number(&one["kl_a_b"], "value"), number(&one["kl_b_a"], "value")), (0.0, 0.0), "{one}");
        assert!(one.get("on_normal_data").is_none());
    }
    // Alarms on faults are counted apart.
    let mut faults = fleet(&NINE[..2], 50, 9);
    (0..10).for_each(|_| writeln!(faults, "b,50,90,1").unwrap());
    folder.write("faults.csv", &faults);
    let value = folder.json("fleet compare old new faults.csv");
    let rows = &of(&value, "b")["on_anomalous_data"];
    assert_eq!((number(rows, "rows"), number(rows, "alarms_a"), number(rows, "alarms_b")), (10.0, 10.0, 10.0));
    assert!(folder.text("fleet compare old new faults.csv -o list.txt").is_empty());
    assert!(text(&folder, "list.txt").contains("faults"));
}

#[test]
fn models_that_cannot_be_compared_are_listed() {
    let folder = refitted();
    folder.write("new/b.srp", "damaged");
    // The machine c has lost a sensor, and d has rows that lack a reading or cannot be read.
    let header = "machine,load,label\n".to_owned();
    let mut random = random(10);
    let lost: String = (0..400).map(|_| format!("c,{},0\n", random.random_range(0..100))).collect();
    folder.write("lost.csv", header + &lost);
    folder.text("fit lost.csv --by machine --label label -o new");
    let (value, message) = partly(&folder, "fleet compare old new");
    assert!(message.contains("2 of 6 machines cannot be compared; the list says why"), "{message}");
    let names: Vec<_> = machines(&value).iter().map(|one| one["machine"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["b", "c"]);
    assert!(of(&value, "b")["error"].as_str().unwrap().contains("new/b.srp"), "{value}");
    assert!(of(&value, "c")["error"].as_str().unwrap().contains("column"), "{value}");
    assert_eq!(of(&value, "d")["state"], "compared");

    let rows = fleet(&[NINE[3]], 40, 11);
    folder.write("gaps.csv", rows.clone() + "d,,30,0\nd,50,,0\n");
    let (value, _) = partly(&folder, "fleet compare old new gaps.csv");
    assert_eq!(of(&value, "d")["on_normal_data"]["rows"], 40, "rows that lack a reading are left out");
    folder.write("words.csv", rows + "d,many,30,0\n");
    let (value, _) = partly(&folder, "fleet compare old new words.csv");
    let one = of(&value, "d");
    assert!(one["state"] == "failed" && one["kl_a_b"].is_object(), "{one}");
    assert!(one["error"].as_str().unwrap().contains("words.csv: line 42, column `load`"), "{one}");

    // A refit that failed leaves the model from before, which is no refit.
    folder.write("few.csv", fleet(&[NINE[3]], 5, 12));
    assert_eq!(folder.run("fit few.csv --by machine --label label -o new").status.code(), Some(2));
    let (value, _) = partly(&folder, "fleet compare old new");
    assert!(of(&value, "d")["error"].as_str().unwrap().starts_with("B: its last fit failed"), "{value}");
    // Without rows, one that only one folder has, which is out of date there, is listed with the reason as well.
    std::fs::remove_file(folder.path("old/d.srp")).unwrap();
    let (value, _) = partly(&folder, "fleet compare old new");
    assert_eq!(of(&value, "d")["state"], "failed");
    folder.refuses("fleet compare old absent", &["absent: the folder of models cannot be read"]);
    folder.refuses("fleet compare old new words.csv -o words.csv", &["words.csv", "would be overwritten"]);
}

#[test]
fn a_model_that_finds_the_faults_does_not_alarm() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..3], 400, 19));
    folder.text("fit all.csv --by machine --label label --false-alarm 0.05 -o models");
    let healthy = fleet(&NINE[..3], 200, 20);
    let faults = |label: &str| -> String { (0..200).map(|row| format!("b,{},95,{label}\n", row % 100)).collect() };
    folder.write("healthy.csv", &healthy);
    folder.write("labelled.csv", healthy.clone() + &faults("1"));
    folder.write("unlabelled.csv", healthy.clone() + &faults("0"));
    folder.write("faults.csv", healthy.lines().next().unwrap().to_owned() + "\n" + &faults("1"));
    let of_b = |command: &str, file: &str| of(&folder.json(&format!("fleet {command} {file}")), "b").clone();
    for command in ["status models", "report -o pages models"] {
        let (own, labelled) = (of_b(command, "healthy.csv"), of_b(command, "labelled.csv"));
        assert_eq!((&labelled["rows"], &labelled["state"]), (&400.into(), &own["state"]), "{labelled}");
        for key in ["alarm_rate", "drift", "drift_error"] {
            assert_eq!(labelled[key], own[key], "{command} {key}");
        }
        assert_ne!(labelled["state"], "alarms");
        // Without labels, or with anomalous ones alone, the same rows alarm.
        for file in ["unlabelled.csv", "faults.csv"] {
            assert_eq!(of_b(command, file)["state"], "alarms", "{command} {file}");
        }
    }
}

#[test]
fn a_list_that_cannot_be_written_shows_before_the_work_and_old_pages_are_named() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..3], 300, 21));
    folder.text("fit all.csv --by machine --label label -o models");
    std::fs::create_dir_all(folder.path("pages/index.html")).unwrap();
    folder.refuses("fleet report models all.csv -o pages", &["pages/index.html: cannot be written"]);
    assert_eq!(std::fs::read_dir(folder.path("pages")).unwrap().count(), 1, "no page was written");
    std::fs::remove_dir(folder.path("pages/index.html")).unwrap();
    let errors = |file: &str| {
        String::from_utf8(folder.run(&format!("fleet report models {file} -o pages")).stderr)
            .expect("messages are text")
    };
    let old = "which this report did not write and does not list";
    assert!(!errors("all.csv").contains(old) && !errors("all.csv").contains(old));
    folder.write("two.csv", fleet(&NINE[..2], 100, 22));
    folder.write("one.csv", fleet(&NINE[..1], 100, 23));
    let before = folder.read("pages/c.html");
    let message = errors("two.csv");
    assert!(message.contains(&format!("pages: holds c.html, {old}")), "{message}");
    let message = errors("one.csv");
    assert!(message.contains(&format!("pages: holds b.html and 1 more, {old}")), "{message}");
    assert!(folder.read("pages/c.html") == before, "no file is removed");
}
