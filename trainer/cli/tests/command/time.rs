//! Columns of time stamps: carried through to every output, never modelled, and gaps begin sessions.

use std::collections::HashSet;
use std::fmt::Write as _;

use rand::RngExt;

use crate::data::{Folder, number, random};

const FIT: &str = "--family marginal --false-alarm 0.05 -o model.srp";

/// Rows with a time stamp, one per minute but for the rows after which `gap` minutes more pass.
fn rows(count: usize, gaps: &[(usize, i64)], stamp: impl Fn(i64) -> String) -> String {
    let (mut random, mut minute) = (random(5), 0);
    let mut text = String::from("clock,heat,flow\n");
    let mut heat = 20.0;
    for row in 0..count {
        heat += 0.2 * (20.0 - heat) + random.random::<f64>() - 0.5;
        let flow = random.random_range(0..50);
        writeln!(text, "{},{heat:.3},{flow}", stamp(minute)).unwrap();
        minute += 1 + gaps.iter().find(|(at, _)| *at == row).map_or(0, |(_, more)| *more);
    }
    text
}

fn iso(minute: i64) -> String {
    let (day, hour, minute) = (1 + minute / 1440, minute / 60 % 24, minute % 60);
    format!("2024-03-{day:02} {hour:02}:{minute:02}:00")
}

#[test]
fn time_stamps_of_common_forms_find_the_same_gaps() {
    let day = |minute: i64| (1 + minute / 1440, minute / 60 % 24, minute % 60);
    let forms: [&dyn Fn(i64) -> String; 10] = [
        &iso,
        &|minute| iso(minute).replace(' ', "T") + "Z",
        &|minute| iso(minute).replace(' ', "T") + ".250+01:00",
        &|minute| (1_700_000_000 + 60 * minute).to_string(),
        &|minute| (1_700_000_000_000 + 60_000 * minute).to_string(),
        &|minute| format!("{}.5", 1_700_000_000 + 60 * minute),
        &|minute| format!("{:02}/03/2024 {:02}:{:02}:00", day(minute).0, day(minute).1, day(minute).2),
        &|minute| format!("{:02}.03.2024 {:02}:{:02}", day(minute).0, day(minute).1, day(minute).2),
        &|minute| format!("03/{:02}/2024 {:02}:{:02}:00", 12 + day(minute).0, day(minute).1, day(minute).2),
        &|minute| format!("{:02}:{:02}:00", day(minute).1, day(minute).2),
    ];
    for form in forms {
        let folder = Folder::new();
        folder.write("data.csv", rows(1600, &[(300, 120), (900, 30)], form));
        let report = folder.json(&format!("fit data.csv --time clock {FIT}"));
        let warnings = report["warnings"].to_string();
        assert_eq!(number(&report, "columns"), 2.0);
        for words in ["2 gaps", "usual step is 60 s", "2 h 1 min ahead at line 303", "31 min ahead at line 903"] {
            assert!(warnings.contains(words), "{}: no {words:?} in {warnings}", form(0));
        }
        assert!(!warnings.contains("irregular"), "{warnings}");
    }
}

#[test]
fn the_stamp_is_beside_every_row_and_the_next_file_needs_none() {
    let folder = Folder::new();
    folder.write("data.csv", rows(600, &[], iso));
    folder.json(&format!("fit data.csv --time clock {FIT}"));
    let scores = folder.text("score model.srp data.csv");
    let mut lines = scores.lines();
    assert!(lines.next().unwrap().starts_with("line,clock,nats,"));
    assert!(lines.next().unwrap().starts_with("2,2024-03-01 00:00:00,"));
    assert!(folder.text("explain model.srp data.csv --line 62").starts_with("line 62, 2024-03-01 01:00:00: "));
    assert!(folder.text("eval model.srp data.csv").contains("from 2024-03-01 00:00:00 to 2024-03-01 09:59:00"));
    let json = folder.json("score model.srp data.csv");
    assert_eq!(json["time"]["clock"][1], "2024-03-01 00:01:00");
    let without: String =
        rows(600, &[], iso).lines().map(|line| line.split_once(',').unwrap().1.to_owned() + "\n").collect();
    folder.write("without.csv", without);
    let untimed = folder.json("score model.srp without.csv");
    assert_eq!(untimed["nats"], json["nats"]);
    assert!(folder.text("score model.srp without.csv").starts_with("line,nats,"));
}

#[test]
fn a_stamp_keeps_its_place_beside_a_column_of_the_output_with_its_name() {
    let folder = Folder::new();
    folder.write("data.csv", rows(600, &[], iso));
    folder.json(&format!("fit data.csv --time clock {FIT}"));
    let plain = folder.json("score model.srp data.csv --mean 3");
    for own in plain.as_object().unwrap().keys().chain([&"line".into(), &"regime".into()]) {
        folder.write("named.csv", rows(600, &[], iso).replace("clock", own));
        let named = folder.json(&format!("score model.srp named.csv --time {own} --mean 3"));
        assert_eq!(named["time"][own], plain["time"]["clock"], "{own}");
        for (key, value) in plain.as_object().unwrap().iter().filter(|(key, _)| *key != "time" && *key != "warnings") {
            assert_eq!(&named[key], value, "{own}: {key}");
        }
        let text = folder.text(&format!("score model.srp named.csv --time {own} --mean 3"));
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        let is_own = plain.get(own).is_some_and(|value| value.is_array() && own != "warnings") || own == "line";
        assert_eq!(header[1], if is_own { format!("{own}_2") } else { own.clone() });
        let names: HashSet<&str> = header.iter().copied().collect();
        assert_eq!(names.len(), header.len(), "{header:?}");
    }
}

#[test]
fn date_and_time_of_day_may_be_in_two_columns() {
    let folder = Folder::new();
    let text = rows(3000, &[(1000, 2000)], iso).replace("clock,", "day;hour;").replace([' ', ','], ";");
    folder.write("data.csv", text);
    folder.refuses(&format!("fit data.csv {FIT}"), &["hour", "--ignore hour", "--time hour"]);
    let report = folder.json(&format!("fit data.csv --time day --time hour {FIT}"));
    assert!(report["warnings"].to_string().contains("33 h 21 min ahead at line 1003"), "{report}");
    assert!(folder.text("score model.srp data.csv").starts_with("line,day,hour,nats"));
}

#[test]
fn each_file_has_its_own_form_of_time_stamps_and_its_own_rate() {
    let folder = Folder::new();
    folder.write("iso.csv", rows(400, &[(199, 600)], iso));
    folder
        .write("milliseconds.csv", rows(400, &[(99, 90)], |minute| (1_700_000_000_000 + 60_000 * minute).to_string()));
    folder.write("hours.csv", rows(400, &[], |minute| (1_700_000_000 + 3600 * minute).to_string()));
    let files = "iso.csv milliseconds.csv hours.csv";
    let report = folder.json(&format!("fit {files} --time clock --window 8 {FIT}"));
    let warnings = report["warnings"].as_array().unwrap();
    let gaps = |file: &str| {
        let of_file = warnings.iter().filter(|warning| warning["file"] == file);
        of_file
            .map(|warning| warning["message"].as_str().unwrap())
            .filter(|text| text.starts_with("1 gap or step"))
            .count()
    };
    assert_eq!(["iso.csv", "milliseconds.csv", "hours.csv"].map(gaps), [1, 1, 0], "{report}");
    // Three files and two gaps are five sessions.
    assert_eq!(folder.text(&format!("score model.srp {files}")).lines().count(), 1 + 1200 - 5 * 8);
}

#[test]
fn compare_finds_the_same_sessions() {
    let folder = Folder::new();
    folder.write("gaps.csv", rows(800, &[(399, 600)], iso));
    folder.json(&format!("fit gaps.csv --time clock --window 8 {FIT}"));
    let rows_of = |options: &str| folder.json(&format!("compare model.srp gaps.csv {options}"))["data_rows"].clone();
    assert_eq!([rows_of(""), rows_of("--time clock")], [784, 784]);
    folder.refuses("compare model.srp gaps.csv --time watch", &["no column `watch`", "clock"]);
    folder.refuses("compare model.srp model.srp --time clock", &["--time", "model.srp is a model", "leave them out"]);
    folder.refuses("compare model.srp model.srp --skip-bad 1", &["options for reading", "leave them out"]);
}

#[test]
fn a_gap_begins_a_session_of_a_series() {
    let folder = Folder::new();
    folder.write("gaps.csv", rows(800, &[(199, 600), (399, -300), (599, 90)], iso));
    folder.write("whole.csv", rows(800, &[], iso));
    let fit = |name: &str| folder.json(&format!("fit {name}.csv --time clock --window 8 {FIT}"));
    let count = |report: &serde_json::Value| {
        ["train_rows", "valid_rows", "calibration_rows"].map(|key| number(report, key)).iter().sum::<f64>()
    };
    let (whole, gaps) = (fit("whole"), fit("gaps"));
    assert!(count(&gaps) < count(&whole) - 15.0, "{gaps} {whole}");
    assert!(gaps["warnings"].to_string().contains("back at line 402"), "{gaps}");
    // Eight rows at the beginning of each of the four sessions have no score.
    assert_eq!(folder.text("score model.srp gaps.csv").lines().count(), 1 + 800 - 4 * 8);
    assert!(number(&folder.json("eval model.srp gaps.csv --held-out"), "rows") > 20.0);
}

#[test]
fn a_line_that_is_left_out_begins_a_session() {
    let folder = Folder::new();
    folder.write("whole.csv", rows(800, &[], iso));
    folder.json(&format!("fit whole.csv --time clock --window 8 {}", FIT.replace("model", "whole")));
    let nul = "\0".repeat(40);
    // Line 402 is the row with index 400; two bad lines at the end begin no session.
    let bad = ["1,2,3,4,5", "1", "2024-03-01 06:40:00,\"20,3", "2024-03-01 06:40:00,2\x000.1,7", &nul];
    for bad in bad.iter().chain(&["2024-03-01 06:40:00,off,7", "2024-03-01 06:40:00,20.1,inf"]) {
        let mut lines: Vec<String> = rows(800, &[], iso).lines().map(str::to_owned).collect();
        lines[401] = (*bad).to_owned();
        lines.extend([(*bad).to_owned(), (*bad).to_owned()]);
        folder.write("data.csv", lines.join("\n") + "\n");
        // Two sessions of 400 and 399 rows.
        let scored = 1 + 799 - 2 * 8;
        assert_eq!(folder.text("score whole.srp data.csv --skip-bad 3").lines().count(), scored, "{bad:?}");
        let report = folder.json(&format!("fit data.csv --time clock --window 8 --skip-bad 3 {FIT}"));
        assert!(report["warnings"].to_string().contains("a new session begins after each"), "{report}");
        let text = folder.text("score model.srp data.csv --skip-bad 3");
        assert_eq!(text.lines().count(), scored, "{bad:?}");
        assert!(text.contains("\n401,") && !text.contains("\n410,") && text.contains("\n411,"), "{bad:?}: {text}");
    }
}

#[test]
fn an_irregular_rate_is_a_warning() {
    let folder = Folder::new();
    let seconds = |minute: i64| (60 * minute + minute * minute * 37 % 41).to_string();
    folder.write("data.csv", rows(600, &[], seconds));
    let report = folder.json(&format!("fit data.csv --time clock {FIT}"));
    assert!(report["warnings"].to_string().contains("the rate is irregular"), "{report}");
}

#[test]
fn a_stamp_that_cannot_be_read_is_named_and_so_is_the_remedy_for_a_clock() {
    let folder = Folder::new();
    folder.write("data.csv", rows(600, &[], iso).replace("2024-03-01 01:00:00", "later"));
    let words = [
        "data.csv: line 62",
        "column `clock`",
        "`later`",
        "2006-12-16T17:24:00",
        "16/12/2006",
        "since 1970",
        "--ignore",
    ];
    folder.refuses(&format!("fit data.csv --time clock {FIT}"), &words);
    folder.write("rising.csv", rows(600, &[], |minute| (7 * minute).to_string()));
    folder.refuses(&format!("fit rising.csv {FIT}"), &["only rises", "--ignore clock", "--time clock"]);
    folder.json(&format!("fit rising.csv --time clock {FIT}"));
    folder.write("texts.csv", rows(600, &[], iso));
    folder.refuses(&format!("fit texts.csv {FIT}"), &["--ignore clock", "--time clock"]);
    folder.refuses(&format!("fit texts.csv --time watch {FIT}"), &["no column `watch`"]);
    folder.json(&format!("fit texts.csv --time clock {FIT}"));
    folder.refuses("score model.srp texts.csv --time watch", &["no column `watch`"]);
    // Date and time of day in the wrong order.
    let apart = rows(600, &[], iso).replace("clock", "date,clock").replace("2024-03-01 ", "2024-03-01,");
    folder.write("apart.csv", apart);
    folder.json(&format!("fit apart.csv --time date --time clock {FIT}"));
    let output = folder.run(&format!("fit apart.csv --time clock --time date {FIT}"));
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(message.contains("in the order date, time of day") && !message.contains("rows before it"), "{message}");
}
