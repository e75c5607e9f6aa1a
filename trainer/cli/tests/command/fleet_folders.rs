//! Folders of models for `surprisal fleet`: files that are there twice, damaged, not to be replaced, or of other rows.

use serde_json::Value;

use crate::data::Folder;
use crate::fleet::{NINE, fleet};
use crate::fleets::{machines, of, partly};

#[test]
fn no_list_replaces_a_model() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..3], 300, 13));
    folder.text("fit all.csv --by machine --label label --shared -o models");
    folder.text("fit all.csv --by machine --label label -o own");
    for file in ["models/b.cal", "models/shared.srp", "models/fleet.jsonl", "own/b.srp", "own/fleet.jsonl"] {
        let before = folder.read(file);
        let status = format!("fleet status {} all.csv -o {file}", &file[..file.find('/').unwrap()]);
        for command in
            [status, format!("fleet compare own models -o {file}"), format!("fleet compare models own -o {file}")]
        {
            folder.refuses(&command, &[file, "would be overwritten"]);
            assert!(folder.read(file) == before, "{command}");
        }
    }
    #[cfg(unix)]
    {
        let before = folder.read("own/b.srp");
        std::fs::create_dir(folder.path("pages")).unwrap();
        std::os::unix::fs::symlink("../own/b.srp", folder.path("pages/index.html")).unwrap();
        folder.refuses("fleet report own all.csv -o pages", &["index.html", "would be overwritten"]);
        assert!(folder.read("own/b.srp") == before);
    }
    assert!(folder.text("fleet status own all.csv -o own/list.txt").is_empty());
}

#[test]
fn two_files_of_one_machine_are_a_fault() {
    let folder = Folder::new();
    folder.write("all.csv", fleet(&NINE[..4], 300, 14));
    folder.text("fit all.csv --by machine --label label -o models");
    folder.text("fit all.csv --by machine --label label -o before");
    // The last fit of b fails, and a copy of its model is in the folder; c is copied by another name, and d is there twice in two ways.
    folder.write("few.csv", fleet(&[NINE[1]], 5, 15));
    assert_eq!(folder.run("fit few.csv --by machine --label label -o models").status.code(), Some(2));
    for (from, to) in [("b", "b-copy.srp"), ("c", "a.srp"), ("c", "x.srp"), ("d", "d.cal")] {
        let bytes = if to == "d.cal" { b"damaged".to_vec() } else { folder.read(&format!("models/{from}.srp")) };
        folder.write(&format!("models/{to}"), bytes);
    }
    let expected = [
        (
            "b",
            vec![
                "models/b-copy.srp and models/b.srp are both models of this machine; remove one",
                "its last fit failed",
            ],
        ),
        ("c", vec!["models/a.srp and models/c.srp are both", "models/a.srp and models/x.srp are both"]),
        ("d", vec!["models/d.cal"]),
    ];
    let rows_of = |name: &str| if name == "c" { 0 } else { 50 };
    let machines_with_rows = [NINE[0], NINE[1], NINE[3]];
    folder.write("fresh.csv", fleet(&machines_with_rows, 50, 16));
    let (status, _) = partly(&folder, "fleet status models fresh.csv");
    let (report, _) = partly(&folder, "fleet report models fresh.csv -o pages");
    let (compared, _) = partly(&folder, "fleet compare before models");
    let (reverse, _) = partly(&folder, "fleet compare models before fresh.csv");
    for (value, counts) in [(status, true), (report, true), (compared, false), (reverse, false)] {
        assert_eq!(machines(&value).len(), 4, "{value}");
        for (name, reasons) in &expected {
            let one = of(&value, name);
            let error = one["error"].as_str().unwrap();
            assert!(one["state"] == "failed" && reasons.iter().all(|reason| error.contains(reason)), "{one}");
            assert!(!counts || one["rows"] == rows_of(name), "{one}");
        }
        assert!(of(&value, "a/1").get("error").is_none(), "{value}");
    }
}

#[test]
fn a_damaged_model_is_counted_once_whatever_the_names() {
    let folder = Folder::new();
    let twins = [("P1", 20.0), ("p1", 21.0), ("a/1", 20.5)];
    folder.write("all.csv", fleet(&twins, 300, 17));
    let fits = folder.json("fit all.csv --by machine --label label -o models");
    folder.text("fit all.csv --by machine --label label -o before");
    for fit in fits["fleet"]["machines"].as_array().unwrap() {
        let (name, file) = (fit["machine"].as_str().unwrap(), format!("models/{}", fit["file"].as_str().unwrap()));
        let whole = folder.read(&file);
        folder.write(&file, "damaged");
        let one = |value: &Value, count: usize| {
            assert_eq!(machines(value).len(), count, "{name}: {value}");
            assert_eq!(
                (&machines(value)[0]["machine"], &machines(value)[0]["state"]),
                (&name.into(), &"failed".into())
            );
        };
        // All machines have rows, or the damaged one alone.
        let own: Vec<_> = twins.iter().filter(|twin| twin.0 == name).copied().collect();
        for rows in [&twins[..], &own] {
            folder.write("fresh.csv", fleet(rows, 50, 18));
            one(&partly(&folder, "fleet status models fresh.csv").0, 3);
            one(&partly(&folder, "fleet compare before models fresh.csv").0, 3);
            one(&partly(&folder, "fleet compare models models fresh.csv").0, 3);
        }
        folder.write(&file, whole);
    }
}

#[test]
fn folders_whose_rows_are_read_in_different_ways_are_refused() {
    let folder = Folder::new();
    let rows = fleet(&NINE[..2], 300, 24);
    folder.write("old.csv", &rows);
    folder.write("engine.csv", rows.replacen("machine,", "engine,", 1));
    folder.write("fault.csv", rows.replacen(",label", ",fault", 1));
    folder.text("fit old.csv --by machine --label label -o old");
    folder.text("fit engine.csv --by engine --label label -o engine");
    folder.text("fit fault.csv --by machine --label fault -o fault");
    folder.text("fit old.csv --by machine --ignore label -o none");
    for (a, b) in [("old", "engine"), ("engine", "old")] {
        folder.text(&format!("fleet compare {a} {b}"));
        let columns = ["A name their machines in the column", "B in", "`machine`", "`engine`"];
        folder.refuses(&format!("fleet compare {a} {b} old.csv"), &columns);
    }
    let label = ["--label", "A was fitted with the label column `label`, B with the label column `fault`"];
    folder.refuses("fleet compare old fault old.csv", &label);
    folder.refuses(
        "fleet compare none old old.csv",
        &["A was fitted with no label column, B with the label column `label`"],
    );
    folder.text("fleet compare old fault");
    let value = folder.json("fleet compare old fault old.csv --label label");
    assert_eq!(of(&value, "b")["on_normal_data"]["rows"], 300, "{value}");

    // Machines with rows alone are listed last.
    folder.write("more.csv", fleet(&[NINE[0], ("new", 20.0)], 50, 25));
    let value = folder.json("fleet compare old old more.csv");
    assert_eq!((&machines(&value)[2]["machine"], &machines(&value)[2]["state"]), (&"new".into(), &"no-model".into()));
    let listed = folder.text("fleet compare old old more.csv");
    assert!(listed.lines().last().unwrap().starts_with("no model ") && listed.ends_with("  new\n"), "{listed}");
}
