//! Columns that `fit` warns of or refuses, as the user sees it, and the advice followed.

use rand::RngExt;

use crate::data::{Folder, random};

const MARGINAL: &str = "--family marginal -o model.srp";

/// Returns 400 rows of a clock, a temperature with a glitch of 65535 in every 80th row, and a pressure.
fn logged() -> String {
    let mut random = random(9);
    let mut row = |k: u32| {
        let [heat, press] = [2000..2600, 9000..9900].map(|range| f64::from(random.random_range(range)) / 100.0);
        let heat = if k % 80 == 79 { 65535.0 } else { heat };
        format!("{},{heat},{press}\n", 1_709_280_000 + 10 * k)
    };
    format!("time,heat,press\n{}", (0..400).map(&mut row).collect::<String>())
}

#[test]
fn a_clock_is_refused_and_the_advice_works() {
    let folder = Folder::new();
    folder.write("log.csv", logged());
    let words = [
        "log.csv: column `time`: only rises, from `17092800",
        "out of range; leave it out with --ignore time, or carry it along as a time stamp with --time time, or keep it with \
         --keep time",
    ];
    folder.refuses(&format!("fit log.csv {MARGINAL}"), &words);
    folder.refuses(&format!("fit log.csv --window 3 {MARGINAL}"), &["--ignore time", "--keep time"]);
    folder.refuses(&format!("fit log.csv --keep nope {MARGINAL}"), &["log.csv", "no column `nope`"]);
    for (option, columns) in [("--ignore time", 2), ("--time time", 2), ("--keep time", 3)] {
        assert_eq!(folder.json(&format!("fit log.csv {option} {MARGINAL}"))["columns"], columns);
    }
}

/// A meter that stands still in some rows is a counter, in rows but not in a time series; a level that falls once is not.
#[test]
fn a_meter_that_never_falls_is_refused() {
    let folder = Folder::new();
    let meter = |at: usize| at / 4 * 10;
    let rows = |energy: &dyn Fn(usize) -> usize| {
        let line = |(at, line): (usize, &str)| {
            let rest = line.split_once(',').map_or("", |(_, rest)| rest);
            if at == 0 { format!("energy,{rest}\n") } else { format!("{},{rest}\n", energy(at)) }
        };
        logged().lines().enumerate().map(line).collect::<String>()
    };
    folder.write("meter.csv", rows(&meter));
    folder.refuses(
        &format!("fit meter.csv {MARGINAL}"),
        &["column `energy`: never falls", "--ignore energy", "--keep energy"],
    );
    for option in ["--keep energy", "--window 3"] {
        assert_eq!(folder.json(&format!("fit meter.csv {option} {MARGINAL}"))["columns"], 3, "{option}");
    }
    let reset: &dyn Fn(usize) -> usize = &|at| meter(at % 300);
    let step: &dyn Fn(usize) -> usize = &|at| at / 20;
    for (name, energy) in [("reset.csv", reset), ("step.csv", step)] {
        folder.write(name, rows(energy));
        assert_eq!(folder.json(&format!("fit {name} {MARGINAL}"))["columns"], 3, "{name}");
    }
}

/// The schema file shows what is suspicious, and keeps a column with one line.
#[test]
fn a_schema_file_keeps_a_clock() {
    let folder = Folder::new();
    folder.write("log.csv", logged());
    let schema = folder.text("schema log.csv");
    let remark = "# it only rises, as a clock or a counter does: \"ignore\" leaves it out\n";
    assert!(schema.contains(remark) && schema.matches("# keep = true\n").count() == 1, "{schema}");
    folder.write("schema.toml", &schema);
    let command = format!("fit log.csv --schema schema.toml {MARGINAL}");
    folder.refuses(&command, &["`time`"]);
    folder.write("schema.toml", schema.replace("# keep", "keep"));
    assert_eq!(folder.json(&command)["columns"], 3);
    folder.write("schema.toml", schema.replacen("kind = \"integer\"", "kind = \"ignore\"", 1));
    assert_eq!(folder.json(&command)["columns"], 2);
}

#[test]
fn a_constant_column_is_kept_by_name() {
    let folder = Folder::new();
    folder.write(
        "log.csv",
        logged()
            .lines()
            .map(|line| line.to_owned() + if line.starts_with('t') { ",dead\n" } else { ",7\n" })
            .collect::<String>(),
    );
    folder.refuses(&format!("fit log.csv --keep time {MARGINAL}"), &["`dead`", "constant", "--keep-constant"]);
    assert_eq!(folder.json(&format!("fit log.csv --keep time --keep dead {MARGINAL}"))["columns"], 4);
}

/// A warning stands on standard error and in the JSON, and the output is what it was.
#[test]
fn a_sentinel_is_warned_of_and_the_advice_works() {
    let folder = Folder::new();
    folder.write("log.csv", logged());
    let output = folder.run(&format!("fit log.csv --ignore time --false-alarm 0.05 {MARGINAL}"));
    let (errors, text) = (String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success() && text.starts_with("model.srp: "), "{text}{errors}");
    let expected = "warning: log.csv: column `heat`: 65535 occurs 5 times in 400 normal rows, far from most values (20";
    assert!(errors.starts_with(expected) && errors.lines().count() == 1, "{errors}");
    let report = folder.json(&format!("fit log.csv --ignore time --false-alarm 0.05 {MARGINAL}"));
    assert_eq!(
        format!("warning: {}: column `heat`:", report["warnings"][0]["file"].as_str().unwrap()),
        &expected[..32]
    );
    assert_eq!(report["warnings"].as_array().map(Vec::len), Some(1), "{report}");

    folder.write("empty.csv", logged().replace(",65535,", ",,"));
    let output = folder.run(&format!("fit empty.csv --ignore time --false-alarm 0.05 {MARGINAL}"));
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A number counts once, in however many ways it is written.
#[test]
fn spellings_of_a_number_are_one_number() {
    let folder = Folder::new();
    let mut random = random(4);
    for spellings in [
        &["0", "-0", "0.0", "-0.0", "1"][..],
        &["1", "1.0", "1.00", "2", "2.0", "2.00"],
        &["3", "3e0", "+3", "03", "4"],
    ] {
        let rows =
            (0..400).map(|row| format!("{},{}\n", random.random_range(0..500), spellings[row % spellings.len()]));
        folder.write("log.csv", format!("a,b\n{}", rows.collect::<String>()));
        assert_eq!(folder.json(&format!("fit log.csv {MARGINAL}"))["columns"], 2, "{spellings:?}");
    }
}

/// Numbers that an `f32` does not hold are named as such, with a remedy.
#[test]
fn numbers_out_of_the_range_of_a_board_are_named() {
    let folder = Folder::new();
    let mut random = random(5);
    let mut rows = |scale: &str| {
        let rows =
            (0..400).map(|_| format!("{},{:.4}{scale}\n", random.random_range(0..500), random.random::<f64>() + 1.0));
        format!("a,b\n{}", rows.collect::<String>())
    };
    folder.write("log.csv", rows("e300"));
    folder.refuses(&format!("fit log.csv {MARGINAL}"), &["line 2, column `b`", "at most 3.4e38", "in a larger unit"]);
    folder.write("log.csv", rows("e-300"));
    let words = ["column `b`", "nearer to zero than the smallest f32", "another unit", "--ignore b"];
    folder.refuses(&format!("fit log.csv {MARGINAL}"), &words);
    folder.text(&format!("fit log.csv --ignore b {MARGINAL}"));
}

/// A model of sessions says which column it misses.
#[test]
fn a_file_without_the_sessions_of_the_model_is_told_of_them() {
    let folder = Folder::new();
    let mut random = random(6);
    let mut row = |row: usize| format!("{},{},{}\n", row / 100, random.random_range(0..50), random.random_range(0..90));
    let rows: String = (0..800).map(&mut row).collect();
    folder.write("runs.csv", format!("run,a,b\n{rows}"));
    folder.text(&format!("fit runs.csv --window 2 --session run {MARGINAL}"));
    let bare: String = rows.lines().map(|line| line.split_once(',').unwrap().1.to_owned() + "\n").collect();
    folder.write("bare.csv", format!("a,b\n{bare}"));
    folder.refuses("score model.srp bare.csv", &["bare.csv", "no column `run`", "--session", "one value in all rows"]);
    let one: String = bare.lines().map(|line| format!("7,{line}\n")).collect();
    folder.write("one.csv", format!("run,a,b\n{one}"));
    folder.text("score model.srp one.csv");
}
