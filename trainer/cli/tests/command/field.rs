//! Files as loggers and tools really write them: each gives the model of the plain table, or a message whose advice works.

use std::io::Write as _;

use rand::RngExt;
use serde_json::Value;

use crate::data::{Folder, number, random};

const FIT: &str = "--family marginal --false-alarm 0.05 -o model.srp";

/// Readings of a temperature and a pressure.
fn readings(rows: usize) -> Vec<[f64; 2]> {
    let mut random = random(15);
    let mut draw = |low: u32, high: u32, unit: f64| f64::from(random.random_range(low..high)) / unit;
    (0..rows).map(|_| [draw(1500, 2600, 100.0), draw(10_000, 10_900, 10.0)]).collect()
}

/// The plain table, with one line per row.
fn plain() -> String {
    lines("temp,press\n", |[temp, press]| format!("{temp:.2},{press:.1}"))
}

pub fn lines(header: &str, line: impl Fn([f64; 2]) -> String) -> String {
    header.to_owned() + &readings(600).into_iter().map(|row| line(row) + "\n").collect::<String>()
}

/// The report on a fit of a file with this content.
fn report(content: impl AsRef<[u8]>, options: &str) -> Value {
    let folder = Folder::new();
    folder.write("data.txt", content);
    folder.json(&format!("fit data.txt {options} {FIT}"))
}

/// Asserts that a file gives the same model as the plain table, and that the report says what was recognised.
fn same(content: impl AsRef<[u8]>, options: &str, remarks: &[&str]) {
    let (found, expected) = (report(content, options), report(plain(), ""));
    for key in ["columns", "train_rows", "valid_ll", "entropy", "threshold"] {
        assert_eq!(found[key], expected[key], "{key} {options} {}", found["warnings"]);
    }
    let warnings = found["warnings"].to_string();
    remarks.iter().for_each(|remark| assert!(warnings.contains(remark), "no {remark:?} in {warnings}"));
}

/// Asserts that a fit is refused with these words, and that it succeeds with the options of the advice.
fn refused(content: impl AsRef<[u8]>, words: &[&str], advice: &str) -> Value {
    let folder = Folder::new();
    folder.write("data.txt", content);
    folder.refuses(&format!("fit data.txt {FIT}"), &[&["data.txt", advice], words].concat());
    folder.json(&format!("fit data.txt {advice} {FIT}"))
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(unit).collect()
}

#[test]
fn any_separator_is_recognised() {
    for (separator, header) in
        [(";", "temp;press\n"), ("\t", "temp\tpress\n"), ("|", "temp|press\n"), ("   ", " temp  press\n")]
    {
        let text = lines(header, |[temp, press]| format!("{temp:.2}{separator}{press:.1}"));
        same(text.replace('\n', "\r\n"), "", &[]);
        same(text.replace('\n', "\n\n"), "", &[]);
        same(text.replace('\n', "\r"), "", &[]);
    }
    same(format!("sep=;\n{}", plain().replace(',', ";")), "", &[]);
    same(plain().replace(',', "|"), "--separator |", &[]);
    same(plain().replace("temp,press", "\"temp\",\"press\""), "", &[]);
    same(format!("\u{feff}{}", plain()), "", &[]);
}

#[test]
fn numbers_are_read_as_people_write_them() {
    let comma = |number: String| number.replace('.', ",");
    let text = lines("\"temp\";\"press\"\n", |[temp, press]| comma(format!("\"{temp:.2}\";{press:.1}")));
    same(&text, "", &["20", "numbers are read as in this example"]);
    same(&text, "--decimal ,", &[]);
    let text = lines("temp;press\n", |[temp, press]| {
        format!("{temp:.2};{}.{}", (press / 1000.0) as u32, comma(format!("{:05.1}", press % 1000.0)))
    });
    same(text, "", &[]);
    let text = lines("temp;press\n", |[temp, press]| format!("{temp:.2} °C;{press:.1}hPa"));
    same(text, "", &["in the unit `°C`", "in the unit `hPa`"]);
    let text = lines("temp;press\n", |[temp, press]| format!("+{temp:.2};{press:e}"));
    same(text, "", &[]);
    let text = lines("temp;press\n", |[temp, press]| {
        format!("\u{a0}{temp:.2};{}'{:05.1}", (press / 1000.0) as u32, press % 1000.0)
    });
    same(text, "", &[]);
}

#[test]
fn one_number_in_two_notations_is_asked_about() {
    let text =
        lines("temp;count\n", |[temp, press]| format!("{};{},{:03}", temp as u32, temp as u32, press as u32 % 1000));
    refused(&text, &["`count`", "--decimal comma", "or --decimal point if"], "--decimal comma");
}

#[test]
fn numbers_among_words_are_never_a_category() {
    let some = |word: &str, every: usize| {
        let rows = readings(600).into_iter().enumerate();
        rows.fold("temp,press\n".to_owned(), |text, (at, [temp, press])| {
            let temp = if at % every == 1 { word.to_owned() } else { format!("{}", temp as u32) };
            format!("{text}{temp},{press}\n")
        })
    };
    for (word, every) in [("Bad", 60), ("MM", 2), ("ovf", 9), ("inf", 5), ("-inf", 50)] {
        let quoted = if word.starts_with('-') { format!("--missing='{word}'") } else { format!("--missing {word}") };
        let folder = Folder::new();
        folder.write("data.txt", some(word, every));
        folder.refuses(&format!("fit data.txt {FIT}"), &["`temp`", &format!("`{word}`"), &quoted]);
        folder.write("blank.txt", some("", every));
        let [found, expected] = [format!("data.txt --missing {word}"), "blank.txt".to_owned()]
            .map(|data| number(&folder.json(&format!("fit {data} {FIT}")), "valid_ll"));
        assert_eq!(found, expected, "{word}");
    }
    // Several words in several columns are named at once, and so are the options for all of them.
    let text = some("Bad", 60) + "Ovr,OL\n21,OL\n22,1001\n";
    refused(text, &["`Bad`", "`OL`", "column `press`"], "--missing Bad --missing OL --missing Ovr");
    // Names with numbers among them are a category if the user says so.
    let folder = Folder::new();
    folder.write("data.txt", some("off", 2));
    folder
        .refuses(&format!("fit data.txt {FIT}"), &["surprisal schema data.txt -o schema.toml", "kind = \"category\""]);
    folder.text("schema data.txt -o schema.toml");
    let schema = String::from_utf8(folder.read("schema.toml")).unwrap();
    assert!(schema.contains("# not usable as it is: expected a number"), "{schema}");
    folder.write("schema.toml", schema.replacen("kind = \"ignore\"", "kind = \"category\"", 1));
    assert_eq!(folder.json(&format!("fit data.txt --schema schema.toml {FIT}"))["columns"], 2);
}

#[test]
fn every_spelling_of_nan_is_missing() {
    let with = |word: &str| {
        let rows = readings(600).into_iter().enumerate();
        rows.fold("temp,press\n".to_owned(), |text, (at, [temp, press])| {
            let temp = if at % 60 == 5 { word.to_owned() } else { temp.to_string() };
            format!("{text}{temp},{press}\n")
        })
    };
    let expected = number(&report(with(""), ""), "valid_ll");
    for word in [
        "nan",
        "-nan",
        "-nan(ind)",
        "1.#QNAN",
        "-1.#IND",
        "1.#IND00",
        "#N/A",
        "#DIV/0!",
        "NULL",
        "(null)",
        "NaT",
        "-",
        "--",
        ".",
        "*",
        "N/A",
        "?",
        "NAN",
    ] {
        assert_eq!(number(&report(with(word), ""), "valid_ll"), expected, "{word}");
    }
}

/// Codes of missing readings travel with the model and the schema file.
#[test]
fn codes_of_missing_readings_equal_empty_cells() {
    let with = |[temp, press]: [&str; 2]| {
        let rows = readings(1500).into_iter().enumerate();
        rows.fold("temp,press,label\n".to_owned(), |text, (at, [heat, pressure])| {
            let label = u8::from(at % 50 == 7);
            let heat = if at % 33 == 5 { temp.to_owned() } else { (heat + 9.0 * f64::from(label)).to_string() };
            let pressure = if at % 31 == 9 { press.to_owned() } else { pressure.to_string() };
            format!("{text}{heat},{pressure},{label}\n")
        })
    };
    let folder = Folder::new();
    for (name, codes) in [("blank", ["", ""]), ("coded", ["-999.00", "-9990"]), ("uci", ["-200", "-200.0"])] {
        folder.write(&format!("{name}.csv"), with(codes));
    }
    let recall = |name: &str, options: &str| {
        folder.json(&format!("fit {name}.csv --label label {options} --false-alarm 0.01 -o {name}.srp"));
        let value = folder.json(&format!("eval {name}.srp {name}.csv --held-out"));
        ["recall", "precision", "mean_nats", "auc_roc"].map(|key| number(&value, key))
    };
    let expected = recall("blank", "");
    assert_eq!(recall("coded", "--missing -999 --missing press=-9990"), expected);
    assert_eq!(recall("uci", "--missing -200"), expected);
    // The advice on a value that looks like a code can be pasted.
    let told = String::from_utf8(folder.run("fit coded.csv --label label -o warned.srp").stderr).unwrap();
    assert!(told.contains("--missing='temp=-999'") && told.contains("--missing='press=-9990'"), "{told}");
    assert!(told.contains("occurs 45 times") || told.contains("occurs 4"), "{told}");
    // The same codes by a schema file.
    let schema = folder.text("schema coded.csv --missing -999 --missing press=-9990");
    assert!(
        schema.contains("missing_codes = [\"-999\"]") && schema.contains("missing_codes = [\"-9990\"]"),
        "{schema}"
    );
    folder.write("schema.toml", schema);
    assert_eq!(recall("coded", "--schema schema.toml"), expected);
}

#[test]
fn lines_around_the_table_are_recognised() {
    let quoted = "\"TOA5\",\"Station\",\"CR1000\",\"1234\"\n\"temp\",\"press\"\n\"Deg C\",\"hPa\"\n\"Avg\",\"\"\n";
    let toa5 = plain().replace("temp,press\n", quoted);
    same(&toa5, "", &["line 1 skipped as a preamble", "line 3 skipped as a row of units", "line 4 skipped"]);
    same(plain().replace("press\n", "press\n°C,hPa\n"), "", &["line 2 skipped as a row of units"]);
    same(format!("Logger 7\nStarted: today\n\n{}", plain()), "", &["lines 1 to 2 skipped as a preamble"]);
    same(format!("a,b,c\n1,2,3\n{}", plain()), "--skip 2", &[]);
    same(format!("# made by a tool, version 2\n# temp,press\n{}", plain().replace("temp,press\n", "")), "", &[]);
    same(plain().replace('\n', ",\n").replacen(",\n", "\n", 1), "", &[]);
    same(plain().replace('\n', ";;\n").replace(',', ";") + &";;;\r\n".repeat(40), "", &["40 rows without any cell"]);
    same(plain() + "20.1", "", &["the last line, 602, is cut short"]);
    same(plain() + &"\0".repeat(4000), "", &["1 line of NUL bytes left out"]);
    same(plain() + "temp,press\n", "", &["the header is repeated 1 time"]);
}

#[test]
fn bad_lines_are_all_named_at_once() {
    let mut rows: Vec<String> = plain().lines().map(str::to_owned).collect();
    rows.extend(["1,2,3".into(), "\"20.1,7".into(), "20.1\0,7".into(), "4".into(), "21.0,1005.0".into()]);
    let text = rows.join("\n") + "\n";
    let words =
        ["line 602: 3 cells, expected 2", "line 603: opens a quote", "line 604: holds NUL", "line 605: 1 cells"];
    refused(&text, &words, "--skip-bad 4");
    same(text.replace("21.0,1005.0\n", ""), "--skip-bad 4", &["4 bad lines left out: 602, 603, 604, 605"]);
    let folder = Folder::new();
    folder.write("data.txt", text);
    folder.refuses(&format!("fit data.txt --skip-bad 3 {FIT}"), &["--skip-bad 4"]);
    // Cells that are no numbers count as bad lines.
    let garbage = plain() + "x7,1002.0\n20.5,@@\n";
    same(&garbage, "--skip-bad 2", &["2 rows with cells that are no numbers left out: lines 602, 603"]);
    refused(&garbage, &["line 602, column `temp`: ", "line 603, column `press`: `@@`"], "--skip-bad 2");
}

#[test]
fn encodings_and_compression_are_recognised() {
    same(utf16(&plain().replace(',', "\t"), u16::to_le_bytes), "", &["read as UTF-16"]);
    same(utf16(&plain(), u16::to_be_bytes), "", &["read as UTF-16"]);
    let latin: Vec<u8> =
        plain().replace("temp", "Temp [@C]").bytes().map(|byte| if byte == b'@' { 0xB0 } else { byte }).collect();
    same(latin, "", &["read as Windows-1252"]);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(plain().as_bytes()).unwrap();
    same(gzip.finish().unwrap(), "", &[]);
    same(zstandard(plain().as_bytes()), "", &[]);
}

/// A Zstandard file of two frames with raw blocks.
fn zstandard(content: &[u8]) -> Vec<u8> {
    let frame = |content: &[u8]| {
        let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0xA0];
        frame.extend((content.len() as u32).to_le_bytes());
        frame.extend(&((content.len() as u32) << 3 | 1).to_le_bytes()[..3]);
        frame.extend(content);
        frame
    };
    let (first, second) = content.split_at(content.len() / 2);
    [frame(first), frame(second)].concat()
}

#[test]
fn a_file_of_another_kind_is_called_what_it_is() {
    for (bytes, words) in [
        (&b"PK\x03\x04rest of an archive"[..], ["ZIP archive", "copy the whole file"]),
        (b"PAR1\0\0\0\0", ["a Parquet file", "--features parquet"]),
        (b"SQLite format 3\0", ["SQLite", "CSV"]),
        (b"%PDF-1.7\n", ["a PDF document", "CSV"]),
        (b"\x89PNG\r\n\x1a\n", ["a PNG image", "readings"]),
        (b"{\"temp\": 20.1}\n", ["JSON", "CSV"]),
        (b"RIFF\x24\0\0\0WAVEfmt ", ["a sound", "--signal"]),
        (b"SRPL\0\0\0\0", ["a model", "file of readings"]),
    ] {
        let folder = Folder::new();
        folder.write("data.csv", bytes);
        folder.refuses(&format!("fit data.csv {FIT}"), &[&["data.csv"], &words[..]].concat());
    }
}

#[test]
fn a_log_of_a_serial_port_is_collected() {
    let rows = || readings(80).into_iter().map(|[temp, press]| (temp as u32, press as u32));
    let expected =
        "temp,press\n".to_owned() + &rows().map(|(temp, press)| format!("{temp},{press}\n")).collect::<String>();
    let plotted: String = rows().map(|(temp, press)| format!("temp:{temp},press:{press}\r\n")).collect();
    let spaced: String = rows().map(|(temp, press)| format!("temp:{temp} press:{press}\r\n")).collect();
    let stamped: String = rows().map(|(temp, press)| format!("12:01:07.100 -> {temp},{press}\r\n")).collect();
    let marked: String = rows().map(|(temp, press)| format!("surprisal: {temp},{press}\n")).collect();
    for (log, names) in [(plotted, "temp,press"), (spaced, "temp,press"), (stamped, "x0,x1"), (marked, "x0,x1")] {
        let folder = Folder::new();
        folder.write("serial.log", log);
        folder.refuses(&format!("fit serial.log {FIT}"), &["surprisal collect serial.log -o rows.csv"]);
        folder.text("collect serial.log -o rows.csv");
        assert_eq!(String::from_utf8(folder.read("rows.csv")).unwrap(), expected.replace("temp,press", names));
        folder.text(&format!("fit rows.csv {FIT}"));
    }
}

#[test]
fn columns_in_odd_places() {
    // A header of numbers, constants named at once, labels of -1, names that repeat.
    let text = lines("time,1,2\n", |[temp, press]| format!("{temp:.2},{press:.1},{:.3}", temp * press / 1e3));
    assert_eq!(report(text, "")["columns"], 3);
    let text = lines("a,b,c,d\n", |[temp, _]| format!("5,{temp:.2},off,1.5"));
    let value = refused(text, &["`a`: constant", "(and so are `c`, `d`)"], "--ignore a --ignore c --ignore d");
    assert_eq!(value["columns"], 1);
    let text = lines("temp,y\n", |[temp, press]| format!("{temp:.2},{}", if press > 1085.0 { 1 } else { -1 }));
    let folder = Folder::new();
    folder.write("data.csv", text);
    folder.json(&format!("fit data.csv --label y --normal -1 {FIT}"));
    folder.json("eval model.srp data.csv --label y --normal -1");
    // Positions as names, and rows that R numbers.
    let text = lines("0,1\n", |[temp, press]| format!("{temp:.2},{press:.1}"));
    assert_eq!(report(text, "")["train_rows"], 420);
    let mut row = 0;
    let numbered: String = plain()
        .lines()
        .skip(1)
        .map(|line| {
            row += 1;
            format!("\"{row}\" {}\n", line.replace(',', " "))
        })
        .collect();
    refused(format!("\"temp\" \"press\"\n{numbered}"), &["column `row`: only rises"], "--ignore row");
    // One column of numbers, with decimal commas or with units.
    for text in [
        lines("temp\n", |[temp, _]| format!("{temp:.2}").replace('.', ",")),
        lines("", |[temp, _]| format!("{temp:.2}").replace('.', ",")),
        lines("temp\n", |[temp, _]| format!("{temp:.2} V")),
    ] {
        assert_eq!(report(text, "")["columns"], 1);
    }
    let units = lines(
        "v\n",
        |[temp, press]| if press > 1080.0 { format!("{:.0} mV", temp * 1e3) } else { format!("{temp:.2} V") },
    );
    let folder = Folder::new();
    folder.write("data.txt", units);
    folder.refuses(&format!("fit data.txt {FIT}"), &["column `v`", " mV`", "in one unit"]);
    let codes = lines("code,temp\n", |[temp, press]| {
        format!("{}{},{temp:.2}", press as u32 % 3, ["A", "B", "C"][temp as usize % 3])
    });
    folder.write("data.txt", codes);
    folder.refuses(&format!("fit data.txt {FIT}"), &["column `code`", "kind = \"category\""]);
    // A file without a separator is asked about.
    let folder = Folder::new();
    folder.write("data.txt", "first~second\n".to_owned() + &"a~b\n".repeat(50));
    folder.refuses(&format!("fit data.txt {FIT}"), &["what separates the cells?", "`a~b`", "--separator"]);
}

#[test]
fn several_files_are_sessions() {
    let folder = Folder::new();
    let text = plain();
    let rows: Vec<&str> = text.lines().skip(1).collect();
    for (name, rows) in [("a1.csv", &rows[..300]), ("a2.csv", &rows[300..])] {
        folder.write(name, format!("temp,press\n{}\n", rows.join("\n")));
    }
    folder.write("whole.csv", &text);
    let expected = folder.json(&format!("fit whole.csv {FIT}"));
    for files in ["a1.csv a2.csv", "a*.csv", "a?.csv"] {
        let found = folder.json(&format!("fit {files} {FIT}"));
        assert_eq!(
            (&found["valid_ll"], &found["train_rows"]),
            (&expected["valid_ll"], &expected["train_rows"]),
            "{files}"
        );
    }
    let scores = folder.text("score model.srp a1.csv a2.csv");
    assert!(scores.starts_with("file,line,") && scores.contains("\na2.csv,2,"), "{scores}");
    assert_eq!(folder.json("eval model.srp a?.csv --held-out")["rows"], 60);
    // A window does not reach into another file.
    let series = folder.json(&format!("fit a1.csv a2.csv --window 10 {FIT}"));
    let single = folder.json(&format!("fit whole.csv --window 10 {FIT}"));
    assert!(number(&series, "train_rows") < number(&single, "train_rows"));
    folder.write("other.csv", "temp,flow\n1,2\n");
    folder.refuses(&format!("fit a1.csv other.csv {FIT}"), &["other.csv", "missing `press`", "additional `flow`"]);
    folder.refuses(&format!("fit b*.csv {FIT}"), &["b*.csv: no file matches"]);
    folder.refuses("score model.srp a*.csv -o a1.csv", &["a1.csv", "input"]);
    folder.write("a[12].csv", &text);
    folder.json(&format!("fit a[12].csv {FIT}"));
    assert_eq!(folder.json("eval model.srp a[12].csv")["rows"], 600);
    assert_eq!(folder.json("eval model.srp a*.csv")["rows"], 1200);
}

#[test]
fn a_row_without_readings_is_not_normal() {
    let text = plain() + &"NaN,NaN\n".repeat(30) + "20.11,1003.0\n";
    let value = report(&text, "");
    assert!(value["warnings"].to_string().contains("30 rows without any reading"), "{value}");
    assert_eq!(number(&value, "train_rows"), 421.0);
    let folder = Folder::new();
    folder.write("data.txt", &text);
    folder.json(&format!("fit data.txt {FIT}"));
    assert_eq!(folder.json("eval model.srp data.txt")["rows"], 631);
}
