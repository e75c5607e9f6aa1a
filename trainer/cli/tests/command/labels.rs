//! Labels of rows: which rows are normal, which are anomalous, and of which nobody said so; and rows without a reading.

use crate::QUICK;
use crate::data::{Folder, mixed, number};

/// A file with the last cell of every `step`th row replaced.
fn with_labels(csv: &str, step: usize, label: &str) -> String {
    let line = |(at, line): (usize, &str)| match at {
        0 => format!("{line}\n"),
        at if at % step == 0 => format!("{},{label}\n", line.rsplit_once(',').expect("several columns").0),
        _ => format!("{line}\n"),
    };
    csv.lines().enumerate().map(line).collect()
}

#[test]
fn rows_without_a_label_are_neither_normal_nor_anomalous() {
    let folder = Folder::with_data();
    let whole = mixed(400, 20, 1);
    folder.text(&format!("fit data.csv --label label --false-alarm 0.05 {QUICK} -o model.srp"));
    for empty in ["", "NA", "?"] {
        // Rows 7, 14, …: 57 normal ones and 3 anomalous ones.
        folder.write("gaps.csv", with_labels(&whole, 7, empty));
        let value = folder.json("eval model.srp gaps.csv");
        assert_eq!((number(&value, "rows"), number(&value, "rows_without_label")), (420.0, 60.0));
        assert_eq!((number(&value["normal"], "rows"), number(&value["anomalous"], "rows")), (343.0, 17.0));
        assert_eq!(number(&value, "recall"), number(&value["anomalous"], "alarms") / 17.0);
        assert_eq!(number(&value, "false_alarm_rate"), number(&value["normal"], "alarms") / 343.0);
        for command in ["eval model.srp gaps.csv", "report model.srp gaps.csv -o page.html"] {
            assert!(folder.text(command).contains("60 rows without a label left out"), "{command}");
        }
        assert!(String::from_utf8_lossy(&folder.read("page.html")).contains("60 rows without a label left out"));
        let report = folder.json("report model.srp gaps.csv -o page.html");
        let detection = &report["detection"];
        assert_eq!((number(detection, "normal_rows"), number(detection, "anomalous_rows")), (343.0, 17.0));
        assert_eq!(number(detection, "rows_without_label"), 60.0);
        for key in ["recall", "false_alarms"] {
            assert_eq!(
                number(&detection[key], "share"),
                number(&value, if key == "recall" { key } else { "false_alarm_rate" })
            );
        }
        assert_eq!((&detection["auc_pr"], &detection["precision"]), (&value["auc_pr"], &value["precision"]));
        // Rows without a label neither calibrate nor are compared.
        assert_eq!(number(&folder.json("calibrate model.srp gaps.csv -o again.srp"), "rows"), 343.0);
        let compared = folder.json("compare model.srp again.srp gaps.csv");
        assert_eq!(number(&compared["on_normal_data"], "rows"), 343.0);
        assert_eq!(number(&compared["on_anomalous_data"], "rows"), 17.0);
        // Nor are they fitted.
        let output = folder.run(&format!("fit gaps.csv --label label {QUICK} -o gaps.srp --json"));
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && notes.contains("60 rows without a label left out"), "{notes}");
        let fitted: serde_json::Value = serde_json::from_slice(&output.stdout).expect("an object");
        assert_eq!(number(&fitted, "train_rows"), 240.0, "70 % of the 343 rows that are labelled as normal");
    }
    // Other texts that stand for a missing reading may well be labels, of faults or of normal rows.
    for text in ["none", "-", "nan", "null", "*"] {
        folder.write("texts.csv", with_labels(&whole, 7, text));
        let value = folder.json("eval model.srp texts.csv");
        assert_eq!((number(&value["anomalous"], "rows"), number(&value, "rows_without_label")), (77.0, 0.0), "{text}");
        let value = folder.json(&format!("eval model.srp texts.csv --normal={text}"));
        assert_eq!((number(&value["normal"], "rows"), number(&value, "rows_without_label")), (60.0, 0.0), "{text}");
    }
}

#[test]
fn labels_of_which_none_is_that_of_normal_rows_are_refused() {
    let folder = Folder::new();
    let words = mixed(400, 20, 1).replace(",0\n", ",ok\n").replace(",1\n", ",bad\n");
    folder.write("words.csv", words);
    folder.write("data.csv", mixed(400, 20, 1));
    folder.text(&format!("fit words.csv --label label --normal ok {QUICK} -o model.srp"));
    for command in ["eval model.srp data.csv", "report model.srp data.csv -o page.html"] {
        folder.refuses(command, &["`label`", "no row with the value `ok`", "--normal", "`0`, `1`", "--normal ok"]);
    }
    let answer = ["`label`", "no row with the value `ok`", "--normal, one of `0`, `1`"];
    folder.refuses("calibrate model.srp data.csv -o unit.srp", &answer);
    folder.text("calibrate model.srp data.csv --normal 0 -o unit.srp");
    let value = folder.json("eval model.srp data.csv --normal 0");
    assert_eq!((number(&value["normal"], "rows"), number(&value["anomalous"], "rows")), (400.0, 20.0));
    // A file of anomalous rows only is one that the user knows.
    let value = folder.json("eval model.srp data.csv --normal ok");
    assert_eq!((number(&value["normal"], "rows"), number(&value["anomalous"], "rows")), (0.0, 420.0));
    assert_eq!(
        (&value["normal"]["mean_nats"], &value["auc_roc"]),
        (&serde_json::Value::Null, &serde_json::Value::Null)
    );
    // The value of the fit counts for its column, also if the column is named; scores need no labels.
    folder.json("eval model.srp words.csv --label label");
    folder.text("score model.srp data.csv");
    folder.text(&format!("fit data.csv --ignore label {QUICK} -o plain.srp"));
    folder.refuses("eval plain.srp data.csv --normal 0", &["--normal", "--label"]);
    assert!(number(&folder.json("eval plain.srp data.csv --label label --normal 0"), "auc_roc") > 0.5);
    // Other files of a fit need the column as well.
    let bare: String =
        mixed(100, 0, 2).lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    folder.write("bare.csv", bare);
    for option in ["--calibrate", "--test", "--valid"] {
        folder.refuses(
            &format!("fit data.csv --label label {option} bare.csv {QUICK} -o other.srp"),
            &["bare.csv", "no column `label`", "--label", "add it, with `0`"],
        );
    }
    folder.refuses(&format!("fit data.csv --label LABEL {QUICK} -o other.srp"), &["did you mean `label`?"]);
}

#[test]
fn rows_without_a_reading_are_left_out_of_figures() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label --false-alarm 0.05 {QUICK} -o model.srp"));
    for label in ["", "label"] {
        let rows = mixed(200, 10, 5);
        let rows: String = rows
            .lines()
            .map(|line| if label.is_empty() { line.rsplit_once(',').unwrap().0.to_owned() } else { line.to_owned() } + "\n")
            .collect();
        let blank = if label.is_empty() { "NA,,,,\n" } else { "NA,,,,,0\n" };
        folder.write("rows.csv", &rows);
        // In front, where a cumulative sum would pass them on to the rows behind.
        let (head, lines) = rows.split_once('\n').unwrap();
        folder.write("blank.csv", format!("{head}\n{}{lines}", blank.repeat(3)));
        let [mut without, mut with] =
            ["rows", "blank"].map(|name| folder.json(&format!("eval model.srp {name}.csv --rate 1")));
        assert_eq!((number(&with, "rows"), number(&with, "rows_without_reading")), (213.0, 3.0));
        for key in [
            "mean_nats",
            "drift",
            "alarm_rate",
            "normal",
            "anomalous",
            "auc_roc",
            "precision",
            "f1",
            "alarms",
            "raised",
        ] {
            assert_eq!(without[key].take(), with[key].take(), "{key}");
        }
        let [without, with] =
            ["rows", "blank"].map(|name| folder.json(&format!("report model.srp {name}.csv -o p.html")));
        for key in
            ["mean_nats", "normal_rows", "false_alarms", "recall", "p_values", "drift", "auc_roc", "alarms", "raised"]
        {
            assert_eq!(without["detection"][key], with["detection"][key], "{key}");
        }
        let top = |report: &serde_json::Value| -> Vec<f64> {
            report["top_rows"].as_array().unwrap().iter().map(|row| number(row, "line")).collect()
        };
        assert_eq!(top(&without).iter().map(|line| line + 3.0).collect::<Vec<_>>(), top(&with));
        // Their lines stay, so that lines of the answer are those of the file, but no column is at fault.
        let scored = folder.json("score model.srp blank.csv");
        assert_eq!(
            (&scored["blamed"][0], &scored["alarm"][0], &scored["trend"][0]),
            (&"".into(), &false.into(), &false.into())
        );
        assert_eq!(scored["nats"].as_array().map(Vec::len), Some(213));
        let text = folder.text("explain model.srp blank.csv --line 2");
        assert!(text.contains("no reading, so that nothing is known") && !text.contains("at fault"), "{text}");
    }
    folder.write("nothing.csv", format!("mode,heat,shake,door,humid\n{}", "NA,,,,\n".repeat(3)));
    let value = folder.json("eval model.srp nothing.csv");
    assert_eq!((&value["mean_nats"], &value["alarm_rate"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn figures_on_rows_of_the_fit_carry_a_warning() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let warned = |command: &str| {
        let output = folder.run(command);
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).contains("knows its training rows too well")
    };
    folder.write("fresh.csv", mixed(100, 5, 3));
    for command in ["eval model.srp", "report -o page.html model.srp", "calibrate -o again.srp model.srp"] {
        assert!(warned(&format!("{command} data.csv")), "{command}");
        assert!(
            !warned(&format!("{command} data.csv --held-out")) && !warned(&format!("{command} fresh.csv")),
            "{command}"
        );
    }
    assert_eq!(folder.json("eval model.srp data.csv")["warnings"].as_array().map(Vec::len), Some(1));
    // Calibration rows that are training rows make a promise that does not hold.
    for option in ["--calibrate", "--valid", "--test"] {
        let output = folder.run(&format!("fit data.csv --label label {option} data.csv {QUICK} -o other.srp"));
        let notes = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && notes.contains(&format!("{option} names the rows of the fit")), "{notes}");
    }
}

#[test]
fn a_file_counts_once() {
    let folder = Folder::with_data();
    for (twice, also) in [("data.csv data.csv", ""), ("data.csv ./data.csv", "also as data.csv")] {
        folder.refuses(&format!("fit {twice} --label label {QUICK} -o other.srp"), &["data.csv", "named twice", also]);
    }
    // A wildcard names what is not named yet.
    folder.write("dawn.csv", mixed(100, 0, 2));
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    for (files, rows) in [("*.csv data.csv", 520.0), ("data.csv da*.csv d*.csv", 520.0), ("data.csv dat*.csv", 420.0)] {
        assert_eq!(number(&folder.json(&format!("eval model.srp {files}")), "rows"), rows, "{files}");
    }
}

#[test]
fn eval_and_report_choose_the_same_rows_for_alarms_and_drift() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label --false-alarm 0.05 {QUICK} -o model.srp"));
    let fresh = mixed(200, 0, 3);
    folder.write("some.csv", with_labels(&fresh, 3, ""));
    folder.write("none.csv", with_labels(&fresh, 1, ""));
    for (file, rows) in [("some.csv", 134.0), ("none.csv", 200.0)] {
        let value = folder.json(&format!("eval model.srp {file}"));
        let detection = folder.json(&format!("report model.srp {file} -o page.html"))["detection"].take();
        assert_eq!(number(&detection, "normal_rows"), rows, "{file}");
        assert_eq!(value["alarm_rate"], detection["false_alarms"]["share"], "{file}");
        assert_eq!(value["drift"]["estimate"], detection["drift"]["estimate"], "{file}");
        // A column without any label counts as no labels.
        assert_eq!(value.get("normal").is_some(), file == "some.csv", "{value}");
        assert_eq!(detection["anomalous_rows"].is_null(), file == "none.csv", "{detection}");
    }
    let blank = format!("{}NA,,,,,0\n", "mode,heat,shake,door,humid,label\n");
    folder.write("blank.csv", blank);
    let text = folder.text("eval model.srp blank.csv");
    assert!(!text.contains("alarms: ") && !text.contains("alarms on"), "{text}");
}

#[test]
fn a_code_of_missing_readings_may_be_a_label() {
    let folder = Folder::new();
    let signs = mixed(400, 20, 1).replace(",1\n", ",-1\n").replace(",0\n", ",1\n");
    folder.write("signs.csv", &signs);
    folder.text(&format!("fit signs.csv --ignore label --missing=-1 {QUICK} -o model.srp"));
    let value = folder.json("eval model.srp signs.csv --label label --normal 1");
    assert_eq!((number(&value["normal"], "rows"), number(&value["anomalous"], "rows")), (400.0, 20.0));
}

#[test]
fn windows_with_rows_without_a_label_do_not_calibrate() {
    let folder = Folder::with_data();
    // Rows 100, 200, 300 and 400, the last normal one.
    folder.write("gaps.csv", with_labels(&mixed(400, 20, 1), 100, ""));
    folder.text(&format!("fit data.csv --label label --window 3 {QUICK} -o model.srp"));
    let rows = |file: &str| number(&folder.json(&format!("calibrate model.srp {file} -o again.srp")), "rows");
    assert_eq!((rows("data.csv"), rows("gaps.csv")), (397.0, 397.0 - 13.0));
}

/// Rows without a normal one among them can be scored; only a fit needs normal rows.
#[test]
fn rows_that_are_all_odd_are_scored() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let anomalous: Vec<String> =
        mixed(400, 20, 1).lines().filter(|line| !line.ends_with(",0")).map(|line| line.to_owned() + "\n").collect();
    folder.write("anomalous.csv", anomalous.concat());
    let report = folder.json("eval model.srp anomalous.csv");
    assert_eq!((number(&report, "rows"), &report["auc_roc"]), (20.0, &serde_json::Value::Null));
    assert_eq!((number(&report["anomalous"], "rows"), number(&report["normal"], "rows")), (20.0, 0.0));
    assert!(report["warnings"].to_string().contains("all labels count as anomalous"), "{report}");
    assert_eq!(folder.json("eval model.srp anomalous.csv --normal 0")["warnings"].as_array().map(Vec::len), Some(0));
    // The normal value is not known of another column.
    folder.write("other.csv", anomalous.concat().replacen("label", "fault", 1));
    folder.refuses("eval model.srp other.csv --label fault", &["`fault`", "no row with the value `0`", "--normal 0"]);
}
