//! `surprisal fit --by` and `surprisal fleet status`: one table per machine.

use std::fmt::Write as _;

use rand::RngExt;
use serde_json::{Value, json};
use surprisal_trainer::data::checksum;

use crate::data::{Folder, random};
use crate::fleets::partly;

/// Rows of machines with a load, a temperature that follows it, and a level of their own: `rows` of each, by turns.
pub fn fleet(machines: &[(&str, f64)], rows: usize, seed: u64) -> String {
    let mut random = random(seed);
    let mut text = String::from("machine,load,temperature,label\n");
    for _ in 0..rows {
        for (name, level) in machines {
            let load = random.random_range(0..100);
            let noise = random.random::<f64>() - 0.5;
            writeln!(text, "{name},{load},{:.2},0", level + 0.3 * f64::from(load) + 2.0 * noise).unwrap();
        }
    }
    text
}

/// Machines, each with the level of its sensor.
pub const NINE: [(&str, f64); 9] = [
    ("a/1", 20.0),
    ("b", 20.5),
    ("c", 21.0),
    ("d", 20.2),
    ("e", 20.8),
    ("f", 20.4),
    ("g", 20.6),
    ("odd one", 60.0),
    ("short", 20.0),
];

/// The rows of nine machines, of which the last has too few for a fit.
fn rows() -> String {
    let text = fleet(&NINE, 300, 1);
    let mut seen = 0;
    let is_kept = |line: &&str| {
        seen += usize::from(line.starts_with("short,"));
        !line.starts_with("short,") || seen <= 15
    };
    text.lines().filter(is_kept).map(|line| format!("{line}\n")).collect()
}

#[test]
fn each_machine_has_the_table_of_its_own_rows() {
    let folder = Folder::new();
    let all = rows();
    folder.write("all.csv", &all);
    let output = folder.run("fit all.csv --by machine --label label -o models --json");
    assert_eq!(output.status.code(), Some(2), "one machine has too few rows");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("1 of 9 machines have no model"), "{errors}");
    let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let fits = value["fleet"]["machines"].as_array().unwrap();
    assert_eq!(fits.len(), 9);
    assert!(fits[8]["error"].as_str().unwrap().contains("at least"), "{}", fits[8]);
    assert_eq!(value["fleet"]["unlike"][0][0], "odd one");
    assert_eq!(value["fleet"]["unlike"].as_array().map(Vec::len), Some(1), "{}", value["fleet"]["unlike"]);

    // The same rows alone give the same bytes, and the model finds its rows among those of others.
    let header = all.lines().next().unwrap();
    let own: String = all.lines().filter(|line| line.starts_with("a/1,")).map(|line| format!("{line}\n")).collect();
    folder.write("own.csv", format!("{header}\n{own}"));
    folder.text("fit own.csv --by machine --label label -o alone");
    assert!(folder.read("models/a%2F1.srp") == folder.read("alone/a%2F1.srp"));
    let scored = |file: &str| folder.json(&format!("eval models/a%2F1.srp {file} --held-out"));
    assert_eq!(scored("all.csv"), scored("own.csv"));
    assert_eq!(scored("own.csv")["rows"], 30);
    folder.write("other.csv", format!("{header}\nz,1,20,0\n"));
    let errors = folder.run("eval models/a%2F1.srp other.csv");
    assert!(String::from_utf8_lossy(&errors.stderr).contains("no row of the machine `a/1`; the file has `z`"));
}

#[test]
fn an_interrupted_fit_goes_on() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..3], 200, 2));
    let fit = |options: &str| folder.json(&format!("fit all.csv --by machine --label label {options} -o models"));
    assert_eq!(fit("")["fleet"]["kept"], 0);
    let before = folder.read("models/b.srp");
    assert_eq!(fit("")["fleet"]["kept"], 3);
    // A file that is gone or changed is fitted again, as are all files after other settings or rows.
    std::fs::remove_file(folder.path("models/b.srp")).unwrap();
    folder.write("models/c.srp", "damaged");
    // The last line of an interrupted fit is cut short, here that of b. Machines are fitted side by side, in any order.
    let journal = String::from_utf8(folder.read("models/fleet.jsonl")).unwrap();
    let (of_b, others): (Vec<&str>, Vec<&str>) = journal.lines().partition(|line| line.contains("\"b\""));
    assert_eq!(of_b.len(), 1, "{journal}");
    let journal = [others, of_b].concat().join("\n");
    folder.write("models/fleet.jsonl", &journal[..journal.len() - 8]);
    assert_eq!(fit("")["fleet"]["kept"], 1);
    assert!(folder.read("models/b.srp") == before);
    assert_eq!(fit("")["fleet"]["kept"], 3);
    assert_eq!(fit("--seed 1")["fleet"]["kept"], 0);
    folder.write("all.csv", fleet(&NINE[..3], 210, 2));
    assert_eq!(fit("--seed 1")["fleet"]["kept"], 0);
}

#[test]
fn a_status_names_the_machines_that_need_attention() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..3], 1200, 3));
    folder.text("fit all.csv --by machine --label label -o models");
    let mut fresh = fleet(&[("b", 20.5), ("c", 26.0), ("new", 20.0)], 200, 4);
    fresh += ",1,20,0\n";
    folder.write("fresh.csv", fresh);
    let value = folder.json("fleet status models fresh.csv");
    let machines = value["machines"].as_array().unwrap();
    let states: Vec<_> =
        machines.iter().map(|one| (one["machine"].as_str().unwrap(), one["state"].as_str().unwrap())).collect();
    assert_eq!(states, [("c", "alarms"), ("new", "no-model"), ("a/1", "no-rows"), ("b", "ok")]);
    assert!(machines[0]["drift"].as_f64().unwrap() > 1.0, "{}", machines[0]);
    let text = folder.text("fleet status models fresh.csv");
    assert!(text.lines().nth(1).unwrap().starts_with("alarms ") && text.lines().count() == 5, "{text}");
    // Rates and drift of a machine without a model or without rows are null.
    for one in machines {
        let is_scored = !["new", "a/1"].contains(&one["machine"].as_str().unwrap());
        assert!(["alarm_rate", "promised", "drift"].iter().all(|key| one[key].is_number() == is_scored), "{one}");
    }
    // A machine whose table is damaged is listed once.
    folder.write("models/a%2F1.srp", "");
    folder.write("fresh.csv", fleet(&NINE[..3], 100, 4));
    let (value, message) = partly(&folder, "fleet status models fresh.csv");
    assert!(message.contains("1 of 3 machines cannot be scored; the list says why"), "{message}");
    let machines = value["machines"].as_array().unwrap();
    assert_eq!((machines.len(), &machines[0]["machine"], &machines[0]["state"]), (3, &"a/1".into(), &"failed".into()));
    assert_eq!(machines[0]["rows"], 100);
}

#[test]
fn faults_of_a_fleet_are_named() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..2], 100, 5));
    std::fs::create_dir(folder.path("empty")).unwrap();
    for (arguments, expected) in [
        ("fit all.csv --by engine -o models", "no column `engine`"),
        ("fit all.csv --by machine --valid all.csv -o models", "cannot be used with"),
        ("fit all.csv --by machine -o all.csv", "all.csv is a file; name a folder"),
        ("fleet status empty all.csv", "holds no model of a machine"),
        ("fleet status absent all.csv", "absent: the folder of models cannot be read"),
    ] {
        let output = folder.run(arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && errors.contains(expected), "{arguments}: {errors}");
    }
}

/// Two machines that take turns, the second two hours behind, and one gap of the first while the second goes on.
fn clocked(rows: u32) -> String {
    let mut random = random(6);
    let mut text = String::from("machine,time,load,temperature\n");
    for row in 0..rows {
        for (name, behind) in [("m1", 0), ("m2", 7200)] {
            let gap = if name == "m1" && row >= rows / 2 { 3600 } else { 0 };
            let load = random.random_range(0..100);
            let temperature = 20.0 + 0.3 * f64::from(load) + random.random::<f64>();
            writeln!(text, "{name},{},{load},{temperature:.2}", 1_700_000_000 + row + gap - behind).unwrap();
        }
    }
    text
}

#[test]
fn gaps_in_time_are_those_of_each_machine() {
    let folder = Folder::new();
    let all = clocked(400);
    folder.write("all.csv", &all);
    let own: String = all.lines().filter(|line| !line.starts_with("m2")).map(|line| format!("{line}\n")).collect();
    folder.write("own.csv", own);
    let fit = |file: &str, models: &str| {
        folder.json(&format!(
            "fit {file} --by machine --time time --window 2 --family linear --order natural --strength 5 -o {models}"
        ));
        folder.read(&format!("{models}/m1.srp"))
    };
    assert!(fit("all.csv", "models") == fit("own.csv", "alone"));
    let eval = |file: &str| folder.run(&format!("eval models/m1.srp {file}"));
    let (of_all, of_own) = (eval("all.csv"), eval("own.csv"));
    assert_eq!(of_all.stdout, of_own.stdout);
    assert!(String::from_utf8_lossy(&of_all.stderr).contains("1 gap or step backwards"), "{of_all:?}");
}

#[test]
fn a_healthy_fleet_does_not_alarm_and_a_silent_one_says_so() {
    let folder = Folder::new();
    let machines: Vec<(String, f64)> = (0..10).map(|at| (format!("p{at}"), 20.0)).collect();
    let machines: Vec<(&str, f64)> = machines.iter().map(|(name, level)| (name.as_str(), *level)).collect();
    folder.write("all.csv", fleet(&machines, 1500, 7));
    folder.write("fresh.csv", fleet(&machines, 2000, 8));
    folder.text("fit all.csv --by machine --label label -o models");
    let of = |value: Value| -> Vec<String> {
        let machines = value["machines"].as_array().unwrap();
        machines.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    };
    let states = |models: &str| of(folder.json(&format!("fleet status {models} fresh.csv")));
    let healthy = states("models");
    assert!(healthy.iter().all(|state| state == "ok"), "{healthy:?}");
    let text = folder.text("fit all.csv --by machine --label label --false-alarm 0.0001 -o silent");
    assert!(text.contains("10 of these never alarm"), "{text}");
    assert!(states("silent").iter().all(|state| state == "no-threshold"));
    let silent = folder.json("fleet status silent fresh.csv");
    let one = &silent["machines"][0];
    assert!(["alarm_rate", "promised"].iter().all(|key| one[key].is_null()) && one["drift"].is_number(), "{one}");
    // A damaged model is a line of its own, and a refit that fails is not taken for a model.
    folder.write("models/p0.srp", "damaged");
    folder.write("all.csv", fleet(&machines[1..2], 10, 9));
    assert_eq!(folder.run("fit all.csv --by machine --label label -o models").status.code(), Some(2));
    let states = of(partly(&folder, "fleet status models fresh.csv").0);
    assert_eq!(states.iter().filter(|state| *state == "failed").count(), 2, "{states:?}");
}

#[test]
fn machines_share_a_table_unless_one_of_their_own_predicts_better() {
    let folder = Folder::new();
    // The sensors of the last machine are not like the others': its temperature falls with the load.
    let mut all = fleet(&NINE[..7], 400, 7);
    let mut random = random(8);
    for _ in 0..400 {
        let load = random.random_range(0..100);
        writeln!(all, "other,{load},{:.2},0", 70.0 - 0.4 * f64::from(load) + random.random::<f64>()).unwrap();
    }
    folder.write("all.csv", &all);
    let fit = |options: &str| {
        folder.json(&format!("fit all.csv --by machine --label label --false-alarm 0.05 --shared {options} -o models"))
    };
    let value = fit("");
    let fits = value["fleet"]["machines"].as_array().unwrap();
    let files: Vec<_> = fits.iter().map(|fit| fit["file"].as_str().unwrap()).collect();
    assert_eq!(files[..7], ["a%2F1.cal", "b.cal", "c.cal", "d.cal", "e.cal", "f.cal", "g.cal"]);
    assert_eq!(files[7], "other.srp");
    assert_eq!(value["fleet"]["shared"]["machines"], 7);
    assert!(fits[7]["fitted"]["shared_loss"].as_f64().unwrap() > 0.1, "{}", fits[7]);
    for fit in &fits[..7] {
        let fitted = &fit["fitted"];
        assert!(fitted["file_bytes"].as_u64().unwrap() < 1024, "{fitted}");
        assert!(fitted["threshold"].as_f64().unwrap() > 0.0);
    }

    // A machine's level is its offset from the others, and its table is one that a board reads.
    let offset = |name: &str| {
        let inspected = folder.text(&format!("inspect models/{name}"));
        inspected.contains("calibrated anew on 40 rows")
    };
    assert!(files[..7].iter().all(|file| offset(file)));
    let whole = folder.json("eval models/c.cal all.csv --held-out");
    assert_eq!(whole["rows"], 40);
    // The rows that the calibration did not see are those that a fit of the machine alone does not see.
    folder.json("fit all.csv --by machine --label label --false-alarm 0.05 -o own");
    let lines = |model: &str| folder.json(&format!("score {model} all.csv --held-out"))["line"].clone();
    assert_eq!(lines("models/c.cal"), lines("own/c.srp"));
    assert!(whole["false_alarm_rate"].as_f64().is_none_or(|rate| rate < 0.3), "{whole}");
    folder
        .refuses("eval models/shared.srp all.csv --held-out", &["--held-out", "all machines", "the file of a machine"]);
    // Every command takes the file, `compare` in all places.
    let compared = folder.json("compare models/c.cal models/shared.srp");
    assert!(compared["kl_a_b"]["value"].is_number(), "{compared}");
    assert_eq!(folder.json("compare models/c.cal all.csv")["data_rows"], 400);
    assert_eq!(folder.json("compare models/c.cal models/c.cal all.csv")["on_normal_data"]["rows"], 400);
    folder.text("compare models/b.cal models/c.cal");
    folder.refuses("compare models/b.cal models/c.cal all.csv", &["all.csv", "compare models of one machine"]);
    folder.text("export models/c.cal -o c.h");
    folder.text("report models/c.cal all.csv -o c.html");
    let status = folder.json("fleet status models all.csv");
    // Of 40 calibration rows, some threshold is low by chance.
    let is_scored = |one: &Value| one["state"] == "ok" || one["state"] == "alarms";
    assert!(status["machines"].as_array().unwrap().iter().all(is_scored), "{status}");
    // Without the table, calibrations are not taken for an empty folder, which a new fit would fill.
    std::fs::create_dir(folder.path("lost")).unwrap();
    std::fs::copy(folder.path("models/c.cal"), folder.path("lost/c.cal")).unwrap();
    folder.refuses("fleet status lost all.csv", &["lost: cannot be used", "shared.srp", "keep it beside"]);

    // The same again keeps all, a lost calibration is made anew, and without --shared each machine has its own table.
    let before = folder.read("models/b.cal");
    assert_eq!(fit("")["fleet"]["kept"], 8);
    std::fs::remove_file(folder.path("models/b.cal")).unwrap();
    assert_eq!(fit("")["fleet"]["kept"], 7);
    assert!(folder.read("models/b.cal") == before);
    assert!(folder.text("fit all.csv --by machine --label label -o models").contains("8 models of 8 machines"));
    assert!(!folder.path("models/b.cal").exists() && folder.path("models/b.srp").exists());
}

#[test]
fn calibrations_of_machines_are_checked() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..3], 200, 9));
    folder.text("fit all.csv --by machine --label label --shared -o models");
    let whole = String::from_utf8(folder.read("models/b.cal")).unwrap();
    let refused = |expected: &str| {
        let output = folder.run("inspect models/b.cal");
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && errors.contains(expected), "{expected}: {errors}");
    };
    for damaged in [whole.replace("\"rows\":20", "\"rows\":21"), whole[..whole.len() / 2].to_owned(), String::new()] {
        assert!(damaged != whole);
        folder.write("models/b.cal", damaged);
        refused("models/b.cal: is damaged");
    }
    // Calibrations with a correct checksum that no fit writes.
    let json: serde_json::Value = serde_json::from_str(whole.lines().next().unwrap()).unwrap();
    for (field, value) in [
        (
            "recalibrated",
            json!({ "rows": 20, "digest": 0, "offsets": [["load", 1e300], ["temperature", -1e300], ["none", 1]] }),
        ),
        ("detector", json!([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99])),
        ("detector", json!(vec![u32::MAX; 11])),
        ("quantiles", json!([5, 1])),
        ("quantiles", json!(vec![1; 5000])),
        ("baselines", json!(vec![65535; 5000])),
        ("views", json!([])),
        ("views", json!(vec![vec![1; 300]; 9])),
        ("table", json!("../models/shared.srp")),
        ("machine", json!({ "column": "", "name": "" })),
    ] {
        let mut other = json.clone();
        other[field] = value;
        let text = other.to_string();
        folder.write("models/b.cal", format!("{text}\n{:08x}\n", checksum(text.as_bytes())));
        let output = folder.run("score models/b.cal all.csv");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 2)) && !errors.contains("panicked"), "{field}: {errors}");
    }
    folder.write("models/b.cal", &whole);
    folder.text("inspect models/b.cal");
    folder.write("models/shared.srp", folder.read("models/shared.srp").split_last().unwrap().1);
    refused(
        "does not belong to models/shared.srp, which is damaged or of another fit; restore it, or fit the fleet again",
    );
    std::fs::remove_file(folder.path("models/shared.srp")).unwrap();
    refused("models/shared.srp: cannot be read; keep it beside the calibrations of its machines");
    let output = folder.run("fit all.csv --by machine --window 3 --shared -o models");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be used with"));
    let output = folder.run("fit all.csv --shared -o model.srp");
    assert!(String::from_utf8_lossy(&output.stderr).contains("--by"));
}
