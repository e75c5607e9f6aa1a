//! Whatever is wrong with the input: exit code 2, a message that names the place, and no file left behind.

use crate::data::{Folder, mixed};

const MARGINAL: &str = "--family marginal -o model.srp";

/// The generated file with one line changed; the header is line 1.
fn with_line(line: usize, change: impl Fn(&str) -> String) -> String {
    let csv = mixed(400, 20, 1);
    csv.lines()
        .enumerate()
        .map(|(at, text)| if at + 1 == line { change(text) } else { text.to_owned() } + "\n")
        .collect()
}

/// With cell `column` of a line replaced.
fn with_cell(line: usize, column: usize, cell: &str) -> String {
    with_line(line, |text| {
        let mut cells: Vec<&str> = text.split(',').collect();
        cells[column] = cell;
        cells.join(",")
    })
}

/// A fit of this content must be refused with these words.
fn fit_refuses(content: impl AsRef<[u8]>, options: &str, words: &[&str]) {
    let folder = Folder::new();
    folder.write("bad.csv", content);
    folder.refuses(&format!("fit bad.csv {options} {MARGINAL}"), &[&["bad.csv"], words].concat());
}

/// A folder with a model of the generated file.
fn with_model() -> Folder {
    let folder = Folder::with_data();
    folder.text(&format!("fit data.csv --label label {MARGINAL}"));
    folder
}

#[test]
fn a_cell_that_is_no_number() {
    for line in [2, 57, 219, 400] {
        fit_refuses(with_cell(line, 2, "12x"), "", &[&format!("line {line}"), "`shake`", "12x"]);
        fit_refuses(with_cell(line, 1, "inf"), "", &[&format!("line {line}"), "`heat`", "inf"]);
    }
}

#[test]
fn a_row_of_another_length() {
    fit_refuses(with_line(30, |line| format!("{line},7")), "", &["line 30", "7 cells", "6"]);
    fit_refuses(with_line(31, |line| line.rsplit_once(',').unwrap().0.to_owned()), "", &["line 31", "5 cells", "6"]);
}

#[test]
fn a_file_without_rows() {
    fit_refuses("", "", &["no rows"]);
    fit_refuses("mode,heat,shake\n", "", &["no rows"]);
}

#[test]
fn a_file_that_is_no_text() {
    let rows = [b"a,b\n1,2\n3,\xFF\xFE\n".as_slice(), &b"1,2\n2,3\n".repeat(40)].concat();
    fit_refuses(rows, "", &["line 3, column `b`", "`\u{ff}\u{fe}`", "Windows-1252"]);
    fit_refuses([b"a,b\n1,2\n".as_slice(), &[1, 2, 3, 4, 5, 6, 7]].concat(), "", &["binary file"]);
}

#[test]
fn a_file_that_is_absent() {
    Folder::new().refuses(&format!("fit nowhere.csv {MARGINAL}"), &["nowhere.csv"]);
}

#[test]
fn too_few_rows() {
    fit_refuses(mixed(12, 0, 1), "", &["rows", "supply more"]);
}

#[test]
fn a_sensor_that_never_changes() {
    let constant: String = mixed(400, 0, 1)
        .lines()
        .map(|line| format!("{line},{}\n", if line.starts_with("mode") { "dead" } else { "7" }))
        .collect();
    fit_refuses(&constant, "--ignore label", &["`dead`", "constant", "--ignore dead", "--keep-constant"]);
    // The number counts, not how it is written.
    let written: String = (0..100).map(|i| format!("{},{}\n", if i % 3 == 0 { "7" } else { "7.0" }, i % 9)).collect();
    fit_refuses(written, "", &["`x0`", "constant"]);
    let folder = Folder::new();
    folder.write("data.csv", constant);
    folder.text(&format!("fit data.csv --ignore label --keep-constant {MARGINAL}"));
}

#[test]
fn a_column_that_is_not_there() {
    for option in ["--ignore nope", "--label nope"] {
        fit_refuses(mixed(400, 20, 1), option, &["`nope`", "mode, heat, shake, door, humid, label"]);
    }
    with_model().refuses("eval model.srp data.csv --label nope", &["data.csv", "`nope`"]);
}

#[test]
fn a_label_that_is_never_ordinary() {
    fit_refuses(mixed(400, 20, 1), "--label label --normal fine", &["`label`", "`fine`", "--normal"]);
}

#[test]
fn an_order_that_does_not_name_the_columns() {
    let folder = Folder::with_data();
    let command = "fit data.csv --label label --family linear --order order.txt -o model.srp";
    folder.write("order.txt", "heat\nnope\n");
    folder.refuses(command, &["order.txt", "line 2", "`nope`"]);
    folder.write("order.txt", "heat\nshake\nheat\n");
    folder.refuses(command, &["order.txt", "line 3", "`heat`", "twice"]);
    folder.write("order.txt", "heat\nshake\n");
    folder.refuses(command, &["order.txt", "`mode`"]);
    folder.refuses("fit data.csv --label label --family linear --order nowhere.txt -o model.srp", &["nowhere.txt"]);
    let of_tables = "fit data.csv --label label --order order.txt -o model.srp";
    folder.refuses(of_tables, &["--order", "tables", "--family linear-trees"]);
    folder.write("order.txt", "heat\nshake\n\nmode\nhumid\ndoor\n");
    folder.text(command);
}

#[test]
fn a_zipped_file_that_is_cut_short() {
    use std::io::Write;
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(mixed(400, 20, 1).as_bytes()).unwrap();
    let zip = zip.finish().unwrap();
    for length in [12, zip.len() / 2, zip.len() - 1] {
        fit_refuses(&zip[..length], "", &["cut short"]);
    }
}

#[test]
fn an_option_that_makes_no_sense() {
    let folder = Folder::with_data();
    for option in
        ["--false-alarm 0", "--false-alarm 1.5", "--flash 3lb", "--family oak", "--header perhaps", "--normal 1"]
    {
        folder.refuses(&format!("fit data.csv {option} {MARGINAL}"), &[option.split_once(' ').unwrap().0]);
    }
}

#[test]
fn a_folder_that_does_not_exist() {
    let folder = Folder::with_data();
    folder.refuses("fit data.csv --label label --family marginal -o no/model.srp", &["no/model.srp", "folder"]);
    with_model().refuses("export model.srp -o no/table.rs", &["no/table.rs", "folder"]);
}

#[test]
fn a_failed_fit_leaves_the_last_model_alone() {
    let folder = with_model();
    folder.write("bad.csv", with_cell(9, 1, "warm"));
    folder.refuses(&format!("fit bad.csv {MARGINAL}"), &["bad.csv", "line 9"]);
    folder.refuses("fit data.csv --label label --flash 200 -o model.srp", &["--flash"]);
    folder.text("eval model.srp data.csv");
}

#[test]
fn a_limit_that_no_model_keeps_is_named() {
    let folder = Folder::with_data();
    let limits = [("--flash 200", "pass at least --flash "), ("--ram 1", "pass at least --ram ")];
    for (limit, message) in limits {
        folder.refuses(&format!("fit data.csv --label label --family linear-trees {limit} -o none.srp"), &[message]);
    }
}

#[test]
fn a_signal_that_is_taken_for_rows() {
    let folder = Folder::new();
    folder.write("motor.npy", [0x93, b'N', b'U', b'M', b'P', b'Y']);
    folder.refuses("fit motor.npy -o model.srp", &["motor.npy", "--signal"]);
}

#[test]
fn a_detector_without_a_threshold_says_so_wherever_it_goes() {
    let folder = Folder::with_data();
    let fitted = folder.text(&format!("fit data.csv --false-alarm 0.0001 {MARGINAL}"));
    for text in [fitted, folder.text("inspect model.srp"), folder.text("eval model.srp data.csv")] {
        assert!(text.contains("no alarm ever: ") && text.contains("--false-alarm"), "{text}");
    }
    assert!(folder.text("export model.srp -o table.rs").contains("no alarm ever"));
}

#[test]
fn all_columns_that_a_file_lacks_are_named() {
    let folder = with_model();
    folder.write("few.csv", "mode,Heat\nday,1\n");
    for command in ["eval", "score", "explain", "calibrate -o unit.srp"] {
        folder.refuses(
            &format!("{command} model.srp few.csv"),
            &["few.csv", "no columns `heat` (did you mean `Heat`?), `shake`, `door`", "the columns are mode, Heat"],
        );
    }
}

#[test]
fn a_value_that_training_never_saw() {
    let folder = with_model();
    let cases = [(1, "hot", "heat"), (3, "open", "door")];
    for command in ["eval", "score", "explain"] {
        for (column, cell, name) in cases {
            folder.write("bad.csv", with_cell(6, column, cell));
            folder.refuses(&format!("{command} model.srp bad.csv"), &["bad.csv: line 6", &format!("`{name}`")]);
        }
    }
    for cell in ["True", "false"] {
        folder.write("bad.csv", with_cell(6, 3, cell));
        folder.refuses("score model.srp bad.csv", &["bad.csv: line 6", "`door`", "write 1 for true and 0 for false"]);
    }
    // A sensor that drops out for the first time stops nothing: its column is left out, and the user hears of it.
    for (column, cell, name) in [(1, "", "heat"), (0, "NA", "mode"), (1, "nan", "heat")] {
        folder.write("lacking.csv", with_cell(6, column, cell));
        for command in ["eval", "score", "explain"] {
            let output = folder.run(&format!("{command} model.srp lacking.csv"));
            let notes = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.success() && notes.contains(&format!("column `{name}`: no reading in 1 of")),
                "{notes}"
            );
        }
        let shown = folder.text("explain model.srp lacking.csv --line 6");
        let shown = shown.lines().find(|line| line.trim_start().starts_with(name)).map(str::to_owned);
        let cell = if cell.is_empty() { "missing" } else { cell };
        assert!(shown.as_ref().is_some_and(|line| line.contains(cell)), "{shown:?}");
        let scored = folder.json("score model.srp lacking.csv");
        assert_eq!((&scored["missing"][4], &scored["missing"][5]), (&1.into(), &0.into()));
    }
    // A number out of range is no fault but a surprise, and so is another category or flag, and a missing reading where
    // some were; a fraction among whole numbers falls into the cell of the next one.
    let nats = |name: &str| folder.json(&format!("score model.srp {name}.csv"))["nats"][4].as_f64().unwrap();
    let usual = nats("data");
    for (column, cell) in [(0, "asleep"), (3, "2"), (3, "0.5"), (1, "1e30"), (2, "1e30"), (2, "-9999")] {
        folder.write("odd.csv", with_cell(6, column, cell));
        for command in ["eval", "score", "explain"] {
            folder.text(&format!("{command} model.srp odd.csv"));
        }
        assert!(nats("odd") > usual + 3.0, "{cell}: {} after {usual}", nats("odd"));
    }
    // Numbers that a board cannot hold are refused as a fit refuses them, with the options that help.
    for (column, cell) in [(1, "-inf"), (2, "inf"), (1, "1e300"), (2, "-1e39"), (3, "ovf")] {
        folder.write("odd.csv", with_cell(6, column, cell));
        let name = ["`mode`", "`heat`", "`shake`", "`door`"][column];
        let size = if cell.contains('e') { "at most 3.4e38" } else { "expected a number" };
        for command in ["eval model.srp odd.csv", "score model.srp odd.csv", "explain model.srp odd.csv"] {
            folder.refuses(command, &["line 6", name, cell, size, "--missing", "--skip-bad 1"]);
            folder.text(&format!("{command} --missing={cell}"));
            folder.text(&format!("{command} --skip-bad 1"));
        }
        folder.refuses(&format!("fit odd.csv {MARGINAL}"), &["line 6", name, cell, size, "--missing", "--skip-bad 1"]);
    }
    folder.write("odd.csv", with_cell(6, 2, "1.5"));
    folder.write("even.csv", with_cell(6, 2, "2"));
    let [odd, even] = ["odd", "even"].map(|name| folder.text(&format!("score model.srp {name}.csv")));
    assert_eq!(odd, even);
    folder.write("odd.csv", with_cell(6, 2, "-2000000000"));
    folder.text("eval model.srp odd.csv");
    folder.write("odd.csv", with_cell(6, 4, "?"));
    folder.text("eval model.srp odd.csv");
}

#[test]
fn columns_that_are_not_those_of_training() {
    let folder = with_model();
    folder.write("fewer.csv", "mode,heat\nidle,20.5\n");
    folder.refuses("eval model.srp fewer.csv", &["fewer.csv", "no column", "mode, heat"]);
    folder.write("other.csv", mixed(400, 20, 2));
    folder.refuses("eval model.srp other.csv --held-out", &["other.csv", "--held-out"]);
}

#[test]
fn a_model_that_is_none() {
    let folder = with_model();
    for command in ["eval data.csv data.csv", "inspect data.csv", "sample data.csv", "export data.csv -o table.rs"] {
        folder.refuses(command, &["data.csv", "not a .srp table"]);
    }
    folder.refuses("inspect nowhere.srp", &["nowhere.srp"]);
}

#[test]
fn a_model_that_is_cut_short_or_damaged() {
    let folder = with_model();
    let whole = folder.read("model.srp");
    for length in (0..whole.len()).step_by(31).chain([whole.len() - 1]) {
        folder.write("bad.srp", &whole[..length]);
        folder.refuses("inspect bad.srp", &["bad.srp"]);
    }
    for at in (0..whole.len()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        folder.write("bad.srp", bytes);
        folder.refuses("inspect bad.srp", &["bad.srp"]);
    }
}

#[test]
fn an_output_that_is_an_input() {
    let folder = with_model();
    folder.refuses("fit data.csv --label label -o data.csv", &["data.csv", "input"]);
    folder.refuses("export model.srp -o model.srp", &["model.srp", "input"]);
    folder.refuses("score model.srp data.csv -o model.srp", &["model.srp", "input"]);
    folder.refuses("sample model.srp -o ./model.srp", &["model.srp", "input"]);
}

#[test]
fn a_line_is_counted_as_editors_do() {
    for (name, ending) in [("lf", "\n"), ("crlf", "\r\n"), ("cr", "\r")] {
        let csv = with_cell(101, 1, "oops").replace('\n', ending);
        fit_refuses(csv, "--label label", &["line 101, column `heat`"]);
        let folder = with_model();
        folder.write(name, mixed(400, 20, 1).replace('\n', ending));
        let lines = folder.json(&format!("score model.srp {name}"))["line"].clone();
        assert_eq!((&lines[0], &lines[419]), (&2.into(), &421.into()), "{name}");
    }
}

#[test]
fn a_setting_that_is_no_amount() {
    let folder = Folder::with_data();
    for option in ["--strength=nan", "--strength=-1", "--gamma=inf", "--gamma=-10", "--l2=-3"] {
        folder.refuses(&format!("fit data.csv --label label {option}"), &["zero or more"]);
    }
    folder.refuses("fit data.csv --label label --family tree --strength 0", &["--strength"]);
    folder.refuses("fit data.csv --label label --family chow-liu --order natural", &["--order"]);
}

#[test]
fn numbers_that_cannot_be_told_apart() {
    let time: String = (0..300u64).map(|i| format!("{},{}\n", 1_700_000_000_000 + i * 50, i % 7)).collect();
    fit_refuses(time, "", &["column `x0`", "--ignore x0"]);
}

#[test]
fn two_columns_of_one_name_get_suffixes() {
    let folder = Folder::new();
    let rows: String = (0..200).map(|i| format!("{},{},{}\n", i * 7 % 13, i * 5 % 11, i % 7)).collect();
    folder.write("data.csv", format!("a,a,a_2\n{rows}"));
    let report = folder.json("fit data.csv --family marginal -o out.srp");
    assert_eq!(report["columns"], 3);
    assert!(folder.text("inspect out.srp").contains("a_3"), "a_2 is the name of another column");
}

/// Columns whose names a shell would split or read as options.
#[cfg(unix)]
#[test]
fn the_advice_to_leave_a_column_out_can_be_pasted() {
    use std::process::Command;
    for name in ["flow", "flow rate", "-x", "it's", "$HOME", "a;b"] {
        let folder = Folder::new();
        let rows: String = (0..200).map(|i| format!("7,{},{}\n", i * 7 % 13, i * 5 % 11)).collect();
        folder.write("data.csv", format!("{name},a,b\n{rows}"));
        let told = String::from_utf8_lossy(&folder.run("fit data.csv -o out.srp").stderr).into_owned();
        let (_, advice) = told.split_once("leave it out with ").expect("advice");
        let (option, _) = advice.split_once(", or keep").expect("an option");
        let command = format!("{} fit data.csv {option} -o out.srp", env!("CARGO_BIN_EXE_surprisal"));
        let output = Command::new("sh").args(["-c", &command]).current_dir(folder.path("")).output().expect("a shell");
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_column_that_has_the_name_of_an_added_one_is_refused_before_the_fit() {
    let folder = Folder::new();
    let rows: String = (0..400).map(|i| format!("{},{},{}\n", i * 7 % 13, i / 9 % 2, i / 5 % 2)).collect();
    folder.write("data.csv", format!("flow,valve,valve before\n{rows}"));
    folder.refuses("fit data.csv --window 3 -o out.srp", &["`valve before`", "rename"]);
    folder.write("data.csv", format!("flow,valve,other\n{rows}"));
    folder.text("fit data.csv --window 3 -o out.srp");
}

/// The largest integers are numbers like others, wherever they stand.
#[test]
fn the_largest_integers_do_not_overflow() {
    for number in ["18446744073709551615", "9223372036854775807", "-9223372036854775808", "4294967295", "1e400"] {
        for text in [
            format!("a,b\n{number},1,2\n0,1,2\n1,2,3\n"),
            format!("{number},n,n\n0,1,2\n{number},2,3\n"),
            format!("a,b\n{number},2\n{number},3\n"),
        ] {
            let folder = Folder::new();
            folder.write("data.csv", text);
            for command in
                ["fit data.csv -o m.srp", "fit data.csv --signal 2 -o m.srp", "schema data.csv", "collect data.csv"]
            {
                let output = folder.run(command);
                assert!(matches!(output.status.code(), Some(0 | 2)), "{command} with {number}");
                assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{command} with {number}");
            }
        }
    }
}
