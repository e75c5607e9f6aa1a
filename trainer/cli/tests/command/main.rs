//! The `surprisal` command as its user meets it: the real binary on real files.

#[path = "../../../../tests/support/budget.rs"]
mod budget;
mod c_header;
mod collect;
mod compare;
mod data;
mod escapes;
mod faults;
mod field;
mod json_fields;
mod labels;
mod logged;
mod manners;
mod new;
mod operation;
mod fleet;
mod fleet_folders;
mod fleets;
mod help;
mod known;
mod large;
mod like;
mod output;
mod packets;
mod report;
mod robust;
mod search;
mod signal;
mod signing;
mod streams;
mod telemetry;
mod time;
use data::{Folder, mixed, number};
use std::io::Write;
/// Quick and simple enough for tests that are about something else.
const QUICK: &str = "--family linear --order natural --strength 5";

#[test]
fn fit_reports_what_it_did() {
    let folder = Folder::with_data();
    folder.write("more.csv", mixed(300, 0, 2));
    for (family, orders) in [("tables", ["chow-liu"].as_slice()), ("linear-trees", &["natural", "learned"])] {
        // The first is the default.
        let option = if family == "tables" { String::new() } else { format!("--family {family}") };
        let command = format!("fit data.csv --label label --test more.csv --false-alarm 0.05 {option} -o model.srp");
        let report = folder.json(&command);
        assert_eq!((&report["family"], &report["output"]), (&family.into(), &"model.srp".into()));
        assert!(orders.contains(&report["order"].as_str().unwrap()));
        check_report(&folder, &report);
        // The load alone, ln 3 nats, is in three columns.
        assert!(number(&report, "valid_ll") > number(&report, "marginal_valid_ll") + 1.0, "{report}");
    }
    let without_test = folder.json(&format!("fit data.csv --label label -o other.srp {QUICK}"));
    assert!(without_test.get("test_ll").is_none() && without_test.get("float_test_ll").is_none());
}

/// Checks the numbers in the report on a fit of `data.csv`.
fn check_report(folder: &Folder, report: &serde_json::Value) {
    assert_eq!((number(report, "columns"), number(report, "test_rows")), (5.0, 300.0));
    assert_eq!(number(report, "train_rows"), 320.0, "80 % of the normal rows");
    assert_eq!(number(report, "file_bytes"), folder.read("model.srp").len() as f64);
    assert!(number(report, "table_bytes") < number(report, "file_bytes"));
    assert!(number(report, "seconds") >= 0.0 && number(report, "threshold") > 0.0);
    assert!(number(report, "entropy") > 0.0 && number(report, "deviation") > 0.0);
    assert!(number(report, "reference") > 0.0 && number(report, "decision_interval") > 0.0);
    assert_eq!(number(report, "average_run_length"), 10_000.0);

    let bits = number(report, "bits");
    let kl = number(report, "kl_quantisation");
    assert!((0.0..budget::KL_A_BIT * bits).contains(&kl), "{kl}");
    for rows in ["valid", "test"] {
        let [float, integer] = [format!("float_{rows}_ll"), format!("{rows}_ll")].map(|key| number(report, &key));
        assert!((float - integer).abs() < budget::FLOAT_TO_INTEGER_A_BIT * bits, "{rows}: {float} and {integer}");
    }
}

#[test]
fn every_family_beats_marginals() {
    let folder = Folder::with_data();
    folder.write("more.csv", mixed(300, 0, 2));
    let ll = |family: &str| {
        let report =
            folder.json(&format!("fit data.csv --label label --test more.csv --family {family} -o {family}.srp"));
        assert_eq!(report["family"], family);
        number(&report, "test_ll")
    };
    let marginal = ll("marginal");
    for family in ["chow-liu", "tree", "linear", "linear-trees"] {
        // The load alone, ln 3 nats, is told by three columns.
        assert!(ll(family) > marginal + 1.0, "{family}");
    }
}

#[test]
fn eval_tells_anomalous_rows_from_normal_ones() {
    let folder = Folder::with_data();
    folder.json(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let value = folder.json("eval model.srp data.csv");
    assert_eq!(number(&value, "rows"), 420.0);
    assert_eq!(number(&value, "mean_nats"), -number(&value, "log_likelihood"));
    // By chance they would be 0.5 and 20 / 420.
    assert!((0.7..=1.0).contains(&number(&value, "auc_roc")), "{value}");
    assert!((0.2..=1.0).contains(&number(&value, "auc_pr")), "{value}");
    for key in ["auc_roc_sum", "auc_roc_largest"] {
        assert!((0.5..=1.0).contains(&number(&value, key)), "{value}");
    }
    let [normal, anomalous] = ["normal", "anomalous"].map(|kind| number(&value[kind], "alarms"));
    assert_eq!(number(&value, "recall"), anomalous / 20.0);
    assert_eq!(number(&value, "false_alarm_rate"), normal / 400.0);
    assert!(value.get("drift").is_none());
    let held_out = folder.json("eval model.srp data.csv --held-out");
    assert_eq!(number(&held_out, "rows"), 60.0, "a tenth of the normal rows and every anomalous one");

    folder.json(&format!("fit data.csv --ignore label {QUICK} -o plain.srp"));
    let plain = folder.json("eval plain.srp data.csv");
    assert!(plain.get("auc_roc").is_none());
    assert!(number(&folder.json("eval plain.srp data.csv --label label"), "auc_roc") > 0.5);
}

/// Without labels `eval` tells how far the rows are from those of the fit.
#[test]
fn eval_without_labels_measures_drift() {
    let folder = Folder::with_data();
    folder.json(&format!("fit data.csv --label label --false-alarm 0.05 {QUICK} -o model.srp"));
    let without_label =
        |csv: String| csv.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect::<String>();
    folder.write("same.csv", without_label(mixed(400, 0, 3)));
    folder.write("anomalous.csv", without_label(mixed(200, 200, 4)));
    let same = folder.json("eval model.srp same.csv");
    assert_eq!((&same["drift"]["drifted"], same.get("auc_roc")), (&false.into(), None));
    assert!(number(&same["drift"], "estimate").abs() < 4.0 * number(&same["drift"], "error"), "{same}");
    assert_eq!(number(&same, "alarm_rate"), number(&same, "alarms") / 400.0);
    let report = folder.json("eval model.srp anomalous.csv");
    assert_eq!(report["drift"]["drifted"], true, "{report}");
    assert!(number(&report["drift"], "estimate") > 0.0 && number(&report, "alarm_rate") > number(&same, "alarm_rate"));
    assert!(folder.text("eval model.srp anomalous.csv").contains("drifted: "));
}

#[test]
fn score_eval_and_explain_agree() {
    let folder = Folder::with_data();
    folder.json(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let scores = folder.json("score model.srp data.csv");
    let nats: Vec<f64> = scores["nats"].as_array().unwrap().iter().map(|nats| nats.as_f64().unwrap()).collect();
    let mean = nats.iter().sum::<f64>() / nats.len() as f64;
    assert_eq!(nats.len(), 420);
    assert!((mean - number(&folder.json("eval model.srp data.csv"), "mean_nats")).abs() < budget::F64_SUM);

    let csv = folder.text("score model.srp data.csv");
    assert_eq!(
        (csv.lines().next(), csv.lines().count()),
        (Some("line,nats,anomaly,p,anomalous,severity,trend,alarm,largest,column,blamed,expected"), 421)
    );
    let eighth: Vec<&str> = csv.lines().nth(7).unwrap().split(',').collect();
    assert_eq!(eighth[0], "8");
    assert!((eighth[1].parse::<f64>().unwrap() - nats[6]).abs() < budget::F64_SUM);
    let cell = |row: usize, key: &str| scores[key][row].clone();
    assert_eq!(eighth[9], cell(6, "column"));
    assert!(["0", "1"].contains(&eighth[4]));
    for (row, nats) in nats.iter().enumerate() {
        let [p, largest, anomaly] = ["p", "largest", "anomaly"].map(|key| cell(row, key).as_f64().unwrap());
        // 40 calibration rows tell no p-value below 1/41.
        assert!((0.024..=1.0).contains(&p) && (0.0..=*nats).contains(&largest), "{p}, {largest}");
        assert!(anomaly >= largest, "no column is moved below itself: {anomaly}, {largest}");
    }
    assert_eq!(folder.text("score model.srp data.csv -o scores.csv"), "");
    assert_eq!(folder.read("scores.csv"), csv.as_bytes());

    let explained = folder.json("explain model.srp data.csv --top 3");
    let rows = explained["rows"].as_array().unwrap();
    let anomaly: Vec<f64> = (0..420).map(|row| cell(row, "anomaly").as_f64().unwrap()).collect();
    let most = anomaly.iter().position(|&one| one == anomaly.iter().copied().fold(0.0, f64::max)).unwrap();
    assert_eq!((rows.len(), number(&rows[0], "line")), (3, (most + 2) as f64), "the most anomalous rows first");
    for row in rows {
        let columns = row["columns"].as_array().unwrap();
        let sum: f64 = columns.iter().map(|column| number(column, "nats")).sum();
        assert_eq!(columns.len(), 5);
        assert!((sum - number(row, "nats")).abs() < budget::F64_SUM);
        assert!(columns.iter().all(|column| number(column, "baseline") >= 0.0));
        let line = number(row, "line") as usize;
        assert_eq!(number(row, "nats"), nats[line - 2]);
        let excess = |column: &serde_json::Value| number(column, "nats") - number(column, "baseline");
        assert!(columns.windows(2).all(|pair| excess(&pair[0]) >= excess(&pair[1])), "{columns:?}");
        let largest = columns.iter().map(|column| number(column, "nats")).fold(0.0, f64::max);
        assert_eq!(cell(line - 2, "largest"), largest);
    }
    let one = folder.json("explain model.srp data.csv --line 8");
    assert_eq!((number(&one["rows"][0], "line"), number(&one["rows"][0], "nats")), (8.0, nats[6]));
}

#[test]
fn a_mean_over_the_last_rows_goes_beside_the_scores() {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let value = folder.json("score model.srp data.csv --mean 3");
    let list = |key: &str| value[key].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    let (nats, recent) = (list("nats"), list("recent"));
    assert_eq!((recent[0], recent.len()), (nats[0], 420));
    assert!((recent[419] - (nats[417] + nats[418] + nats[419]) / 3.0).abs() < budget::F64_SUM);
    assert!(
        folder
            .text("score model.srp data.csv --mean 3")
            .starts_with("line,nats,anomaly,p,anomalous,severity,trend,alarm,largest,column,blamed,expected,recent\n")
    );
    folder.refuses("score model.srp data.csv --mean 0", &["--mean"]);
    folder.refuses(
        &format!("fit data.csv --average-run-length 1 {QUICK} -o none.srp"),
        &["--average-run-length", "2..=1000000000"],
    );
}

#[test]
fn samples_are_rows_that_the_model_takes_for_normal() {
    let folder = Folder::with_data();
    folder.json("fit data.csv --ignore label -o model.srp");
    let csv = folder.text("sample model.srp -n 300 --seed 5");
    assert_eq!(csv, folder.text("sample model.srp -n 300 --seed 5"));
    assert_ne!(csv, folder.text("sample model.srp -n 300 --seed 6"));
    assert_eq!((csv.lines().next(), csv.lines().count()), (Some("mode,heat,shake,door,humid"), 301));
    // `eval` wants the column that the model leaves out as well.
    let lines = csv.lines().enumerate().map(|(at, line)| format!("{line},{}\n", if at == 0 { "label" } else { "0" }));
    folder.write("sampled.csv", lines.collect::<String>());
    let [sampled, real] =
        ["sampled.csv", "data.csv"].map(|file| number(&folder.json(&format!("eval model.srp {file}")), "mean_nats"));
    assert!((sampled - real).abs() < 1.0, "{sampled} and {real}");
}

#[test]
fn inspect_names_the_columns_and_the_limits() {
    let folder = Folder::with_data();
    let report = folder.json(&format!("fit data.csv --label label {QUICK} -o model.srp --seed 7"));
    let value = folder.json("inspect model.srp");
    let column = |name: &str| {
        let columns = value["columns"].as_array().unwrap();
        columns.iter().find(|column| column["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone()
    };
    assert_eq!(column("mode")["labels"].as_array().unwrap().len(), 3);
    assert_eq!((column("shake")["kind"].as_str(), column("heat")["kind"].as_str()), (Some("integer"), Some("real")));
    assert_eq!((&column("humid")["may_miss"], &column("heat")["may_miss"]), (&true.into(), &false.into()));
    assert_eq!(
        (number(&value, "bits"), number(&value, "table_bytes")),
        (number(&report, "bits"), number(&report, "table_bytes"))
    );
    for key in ["entropy", "deviation", "reference", "decision_interval", "average_run_length"] {
        assert_eq!(value[key], report[key], "{key}");
    }
    assert!(value["columns"].as_array().unwrap().iter().map(|column| number(column, "baseline")).sum::<f64>() > 1.0);
    assert_eq!((number(&value["fit"], "seed"), &value["fit"]["family"]), (7.0, &"linear".into()));
    assert!(folder.text("inspect model.srp").contains("humid"));
}

#[test]
fn export_writes_the_bare_table_or_its_source() {
    let folder = Folder::with_data();
    let report = folder.json(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let value = folder.json("export model.srp -o table.srp");
    let table = folder.read("table.srp");
    assert_eq!(
        (table.len() as f64, number(&value, "table_bytes")),
        (number(&report, "table_bytes"), table.len() as f64)
    );
    assert!(folder.read("model.srp").starts_with(&table));
    folder.json("export model.srp -o table.rs");
    let source = String::from_utf8(folder.read("table.rs")).unwrap();
    for word in ["pub static TABLE", "pub const BITS", "\"humid\""] {
        assert!(source.contains(word), "{word}");
    }
    folder.refuses("export model.srp -o table.txt", &["table.txt", ".rs", ".srp"]);
    folder.refuses("eval table.srp data.csv", &["table.srp", "bare table"]);
}

#[test]
fn the_seed_decides_every_byte_and_the_threads_none() {
    let folder = Folder::with_data();
    let fit = |options: &str| {
        folder.json(&format!("fit data.csv --label label -o model.srp {options}"));
        folder.read("model.srp")
    };
    let first = fit("--seed 3 --threads 1");
    assert!(first == fit("--seed 3 --threads 2"));
    assert!(first != fit("--seed 4 --threads 2"));
}

#[test]
fn the_file_never_exceeds_the_flash() {
    let folder = Folder::with_data();
    for (size, bytes) in [("1500", 1500), ("1.75KiB", 1792), ("2k", 2048), ("3KiB", 3072), ("1MiB", 1 << 20)] {
        folder.json(&format!("fit data.csv --label label --flash {size} -o model.srp"));
        let found = folder.read("model.srp").len();
        assert!(found <= bytes, "{size}: {found} bytes");
    }
    folder.refuses("fit data.csv --label label --flash 300 -o none.srp", &["pass at least --flash "]);
    folder.refuses("fit data.csv --label label --flash 0 -o none.srp", &["--flash"]);
}

/// Rows that chose the settings are predicted too well to calibrate on.
#[test]
fn a_detector_rests_on_rows_that_chose_nothing() {
    let folder = Folder::with_data();
    folder.write("valid.csv", mixed(200, 0, 7));
    folder.write("quiet.csv", mixed(120, 0, 8));
    let rows = |options: &str| {
        let report = folder.json(&format!("fit data.csv --label label {QUICK} {options} -o model.srp"));
        [number(&report, "train_rows"), number(&report, "valid_rows"), number(&report, "calibration_rows")]
    };
    assert_eq!(rows(""), [280.0, 40.0, 40.0]);
    assert_eq!(rows("--calibrate quiet.csv"), [320.0, 40.0, 120.0]);
    assert_eq!(rows("--valid valid.csv"), [400.0, 150.0, 50.0]);
    assert_eq!(rows("--valid valid.csv --calibrate quiet.csv"), [400.0, 200.0, 120.0]);
}

/// A sample of a column that touches zero used to leave its cell.
#[test]
fn samples_of_reals_around_zero_stay_in_their_cells() {
    let folder = Folder::new();
    let rows: String =
        (0..400).map(|i| format!("{},{}\n", f64::from(i % 40 - 20) * 0.25, f64::from(i % 23) * 0.5)).collect();
    folder.write("data.csv", rows);
    folder.text(&format!("fit data.csv {QUICK} -o model.srp"));
    folder.write("samples.csv", folder.text("sample model.srp -n 2000"));
    assert!(!folder.read("samples.csv").starts_with(b"-0,"));
    assert_eq!(number(&folder.json("eval model.srp samples.csv --header yes"), "rows"), 2000.0);
}

/// What kinds of values there are is read off the whole file; how often they come, from normal rows alone.
#[test]
fn odd_rows_have_no_say_in_the_fit() {
    let folder = Folder::with_data();
    let table = |name: &str| {
        folder.json(&format!("fit {name}.csv --label label {QUICK} -o {name}.srp --seed 2"));
        folder.text(&format!("export {name}.srp -o {name}-table.srp"));
        folder.read(&format!("{name}-table.srp"))
    };
    let change =
        |line: &str| if line.ends_with(",1") { "full,1e30,-2000000,1,,1\n".to_owned() } else { format!("{line}\n") };
    let changed: String = mixed(400, 20, 1).lines().map(change).collect();
    assert!(changed.contains("1e30"));
    folder.write("changed.csv", changed);
    assert!(table("data") == table("changed"));
}

#[test]
fn one_table_comes_out_whatever_the_dress_of_the_file() {
    let folder = Folder::with_data();
    let csv = mixed(400, 20, 1);
    let headless: String = csv.lines().skip(1).map(|line| format!("{line}\n")).collect();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(csv.as_bytes()).unwrap();
    folder.write("zipped.csv", zip.finish().unwrap());
    folder.write("semicolon.csv", csv.replace(',', ";"));
    folder.write("tab.csv", csv.replace(',', "\t"));
    folder.write("crlf.csv", csv.replace('\n', "\r\n"));
    folder.write("bom.csv", format!("\u{FEFF}{csv}"));
    folder.write("spaced.csv", csv.replace(',', " , "));
    folder.write("quoted.csv", csv.replace("idle", "\"idle\""));
    folder.write("headless.csv", &headless);
    let table = |name: &str, options: &str| {
        folder.json(&format!("fit {name}.csv {options} {QUICK} -o model.srp"));
        folder.text("export model.srp -o table.srp");
        folder.read("table.srp")
    };
    let expected = table("data", "--label label");
    for name in ["zipped", "semicolon", "tab", "crlf", "bom", "spaced", "quoted"] {
        assert!(table(name, "--label label") == expected, "{name}");
    }
    assert!(table("data", "--label label --header yes") == expected);
    // Without a header the columns have numbers for names; the rest of what the board reads is the same.
    // Bytes 12 to 19 hold the checksum, and the fingerprint of the names.
    let nameless = |table: Vec<u8>| [&table[..12], &table[20..]].concat();
    let expected = nameless(expected);
    assert!(nameless(table("headless", "--label x5 --header no")) == expected);
    assert!(nameless(table("headless", "--label x5")) == expected, "a first line with numbers is no header");
}

#[test]
fn columns_are_known_by_their_names_wherever_they_stand() {
    let folder = Folder::with_data();
    folder.json(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    let moved = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let [mode, heat, shake, door, humid, _label] = cells[..] else { panic!("six columns: {line}") };
        format!("{humid},{shake},{mode},extra,{door},{heat}\n")
    };
    folder.write("moved.csv", mixed(400, 20, 1).lines().map(moved).collect::<String>());
    let scores = |name: &str| folder.text(&format!("score model.srp {name}.csv"));
    assert_eq!(scores("moved"), scores("data"));
    let columns = |name: &str| folder.json(&format!("explain model.srp {name}.csv"));
    assert_eq!(columns("moved"), columns("data"));
}
