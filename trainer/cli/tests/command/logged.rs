//! The files of `tests/field`: each gives a right model, or a message whose advice leads to one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::data::{Folder, number};
use crate::field::lines;

const FIT: &str = "--family marginal --false-alarm 0.05 -o model.srp";
/// Files that are read: the options, and what the command says that it recognised.
const READ: [(&str, &str, &str); 20] = [
    ("decimal_comma_few_only.csv", "", "`20,5` as 20.5"),
    ("mixed_decimal_comma.csv", "", "`20,5` as 20.5"),
    ("glitch_65535.csv", "", "65535 occurs 5 times"),
    ("glitch_test.csv", "--label label", ""),
    ("header_number.csv", "", ""),
    ("label_minus1.csv", "--label y --normal -1", ""),
    ("nan_variant_00.csv", "", ""),
    ("nan_variant_01.csv", "", ""),
    ("nan_variant_02.csv", "", ""),
    ("nan_variant_03.csv", "", ""),
    ("nan_variant_04.csv", "", ""),
    ("nul_bytes.csv", "", "1 line of NUL bytes left out"),
    ("semis.log", "", ""),
    ("sentinel_999_3pct.csv", "", "-999 occurs 105 times"),
    ("tep_head.dat", "", ""),
    ("trailing_empty_rows.csv", "", "114 rows without any cell"),
    ("trailing_sep_data.csv", "", ""),
    ("truncated.csv", "", "the last line, 602, is cut short"),
    ("unit_suffix_few.csv", "", "in the unit `V`"),
    ("units_row.csv", "", "line 2 skipped as a row of units"),
];
/// Files that are refused: the words of the message, and the options of its advice.
const REFUSED: [(&str, &str, &str); 10] = [
    ("consts.csv", "constant in the 420 training rows", "--ignore b --ignore c --ignore d"),
    ("dup_names.csv", "only rises", "--ignore TIME --ignore TIME_2"),
    ("epoch.csv", "only rises", "--ignore time"),
    ("epoch_next.csv", "only rises", "--ignore time"),
    ("latin1.csv", "only rises", "--ignore Zeit"),
    ("nan_variant_05.csv", "found `inf` and in 9 more rows", "--missing inf"),
    ("nan_variant_06.csv", "found `-inf` and in 9 more rows", "--missing='-inf'"),
    ("nan_variant_07.csv", "found `ovf` and in 9 more rows", "--missing ovf"),
    ("signal_time.csv", "only rises", "--ignore time"),
    ("toa5.dat", "looks like an identifier or a time", "--ignore RECORD --ignore TIMESTAMP"),
];
/// Logs of a serial port, which `surprisal collect` converts.
const LOGS: [&str; 3] = ["arduino_ts.log", "nan.log", "plotter.log"];
/// Files in another encoding than UTF-8.
const ENCODED: [(&str, &str); 1] = [("utf16.txt", "read as UTF-16")];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field").join(name)
}

/// A folder with a copy of this file.
fn with(names: &[&str]) -> Folder {
    let folder = Folder::new();
    names.iter().for_each(|name| folder.write(name, fs::read(path(name)).expect("a file of this repository")));
    folder
}

#[test]
fn every_file_is_in_a_list() {
    let listed: BTreeSet<&str> =
        READ.iter().chain(&REFUSED).map(|(name, ..)| *name).chain(LOGS).chain(ENCODED.map(|(name, _)| name)).collect();
    let files = fs::read_dir(path("")).expect("the folder").map(|file| file.expect("a file").file_name());
    let files: BTreeSet<String> = files.map(|name| name.into_string().expect("a name")).collect();
    let listed: BTreeSet<String> = listed.into_iter().chain(["README.md"]).map(str::to_owned).collect();
    assert_eq!(files, listed);
}

#[test]
fn what_is_read_is_a_model_of_numbers() {
    for (name, options, remark) in READ.into_iter().chain(ENCODED.map(|(name, remark)| (name, "", remark))) {
        let folder = with(&[name]);
        let report = folder.json(&format!("fit {name} {options} {FIT}"));
        assert!(report["warnings"].to_string().contains(remark), "{name}: {}", report["warnings"]);
        let inspected = folder.text("inspect model.srp");
        assert!(!inspected.contains("category"), "{name}: a number became a category: {inspected}");
        assert!(number(&report, "train_rows") >= 30.0, "{name}");
    }
}

#[test]
fn advice_leads_to_a_model() {
    for (name, words, advice) in REFUSED {
        let folder = with(&[name]);
        let parts: Vec<&str> = advice.split(" --").collect();
        folder.refuses(&format!("fit {name} {FIT}"), &[&[name, words], &parts[..1]].concat());
        // A shell removes the quotes.
        folder.text(&format!("fit {name} {} {FIT}", advice.replace('\'', "")));
    }
}

#[test]
fn logs_of_a_serial_port_are_converted_first() {
    for name in LOGS {
        let folder = with(&[name]);
        folder.refuses(&format!("fit {name} {FIT}"), &[name, "surprisal collect"]);
        folder.text(&format!("collect {name} -o rows.csv"));
        let report = folder.json(&format!("fit rows.csv {FIT}"));
        assert_eq!(number(&report, "columns"), 3.0, "{name}");
    }
}

/// Codes of missing readings that are declared give the model of the file whose cells are blank.
#[test]
fn declared_codes_are_blank_cells() {
    let folder = with(&["sentinel_999_3pct.csv", "glitch_test.csv"]);
    let text = fs::read_to_string(path("sentinel_999_3pct.csv")).expect("a file of this repository");
    let blank =
        |cell: &str| if cell.parse::<f64>().is_ok_and(|number| number <= -999.0) { "" } else { cell }.to_owned();
    let rows = text.lines().map(|line| line.split(',').map(blank).collect::<Vec<_>>().join(",") + "\n");
    folder.write("blank.csv", rows.collect::<String>());
    let declared = "--missing temp=-999 --missing press=-9990";
    for family in ["tables", "linear-trees"] {
        folder.text(&format!("fit blank.csv --family {family} -o blank.srp"));
        folder.text(&format!("fit sentinel_999_3pct.csv {declared} --family {family} -o declared.srp"));
        let [blank, declared] = ["blank", "declared"].map(|model| {
            let report = folder.json(&format!("eval {model}.srp glitch_test.csv --label label"));
            ["recall", "precision", "auc_roc"].map(|key| number(&report, key))
        });
        assert_eq!(blank, declared, "{family}");
    }
}

#[test]
fn unknown_texts_are_counted_and_named() {
    let folder = Folder::new();
    let text = lines("temp,on\n", |[temp, _]| format!("{temp:.2},{}", if temp > 20.0 { "True" } else { "False" }));
    folder.write("data.csv", &text);
    folder.json(&format!("fit data.csv {FIT}"));
    folder.write("new.csv", text.replace("True", "TRUE").replacen("False", "Maybe", 3));
    for command in ["score", "eval"] {
        let output = folder.run(&format!("{command} model.srp new.csv"));
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.contains("`Maybe` in 3 rows"), "{told}");
        assert!(told.contains("rows, spelled `True` in training"), "{told}");
        assert!(folder.json(&format!("{command} model.srp new.csv"))["warnings"].to_string().contains("`TRUE`"));
    }
}

#[test]
fn labelled_rows_that_are_all_normal_report_drift() {
    let folder = Folder::new();
    folder.write("data.csv", lines("temp,press,bad\n", |[temp, press]| format!("{temp},{press},0")));
    folder.json(&format!("fit data.csv --label bad {FIT}"));
    let value = folder.json("eval model.srp data.csv");
    assert!(value["drift"]["drifted"].is_boolean() && value["alarm_rate"].is_number(), "{value}");
}

#[test]
fn a_point_groups_thousands_where_other_columns_have_decimal_commas() {
    let folder = Folder::new();
    let comma = |number: f64| format!("{number:.1}").replace('.', ",");
    let text = lines("temp;count\n", |[temp, press]| {
        format!(
            "{};{}",
            comma(temp),
            if press > 1040.0 { format!("1.{:03}", press as u32 % 1000) } else { "987".into() }
        )
    });
    folder.write("data.csv", &text);
    let report = folder.json(&format!("fit data.csv {FIT}"));
    assert!(report["warnings"].to_string().contains("as 10"), "{}", report["warnings"]);
    let inspected = folder.text("schema data.csv");
    assert!(inspected.contains("1089") || inspected.contains("1088"), "{inspected}");
}

#[test]
fn names_with_a_number_sign_are_no_comments() {
    let folder = Folder::new();
    let text = lines("tag,temp\n", |[temp, press]| {
        format!("{}{},{temp:.2}", if press > 1045.0 { "p" } else { "#" }, temp as u32 % 3)
    });
    folder.write("data.csv", &text);
    assert_eq!(number(&folder.json(&format!("fit data.csv {FIT}")), "train_rows"), 420.0);
}

/// The split of the rows is that of the fit only if the same rows are read.
#[test]
fn held_out_rows_are_those_of_the_fit() {
    let folder = Folder::new();
    let text = lines("temp,press\n", |[temp, press]| format!("{temp:.2},{press:.1}")).replacen("\n2", "\novf\n2", 1);
    folder.write("data.csv", text.replacen("ovf\n", "ovf,1000.0\n", 1));
    folder.text(&format!("fit data.csv --skip-bad 1 {FIT}"));
    folder.refuses("score model.srp data.csv --held-out", &["--skip-bad"]);
    folder.text("score model.srp data.csv --held-out --skip-bad 1");
}
