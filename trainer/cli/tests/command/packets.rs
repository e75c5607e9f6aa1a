//! `compress` and `decompress`: packets in another order, lost headers, and rows that are written unusually.

use std::fs;

use rand::RngExt;
use surprisal_trainer::data::is_missing;

use crate::QUICK;
use crate::data::{Folder, random};
use crate::telemetry::{packets, rows, with_models, without_stamp};

/// Runs a command that ends with exit code 2, and returns its message.
fn fault(folder: &Folder, arguments: &str) -> String {
    let output = folder.run(arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
    message
}

fn text_of(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.path(name)).unwrap()
}

/// Every packet that is missing, doubled, replaced or exchanged is found, although each one is whole.
#[test]
fn packets_that_are_whole_are_missed_in_another_order() {
    let folder = with_models();
    for odd in [false, true] {
        folder.write("rows.csv", rows(120, 11, odd));
        folder.text("compress tables.srp rows.csv --packet 20 -o rows.srpd");
        let bytes = folder.read("rows.srpd");
        let ends = packets(&bytes);
        let start = 12 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
        let starts: Vec<usize> = [start].into_iter().chain(ends.iter().copied()).collect();
        let all: Vec<&[u8]> = starts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
        let check = |order: &[usize]| {
            let packets: Vec<u8> = order.iter().flat_map(|&at| all[at]).copied().collect();
            folder.write("other.srpd", [&bytes[..start], &packets].concat());
            let message = fault(&folder, "decompress tables.srp other.srpd -o back.csv");
            assert!(message.contains("other.srpd: "), "{order:?}: {message}");
            assert!(odd || message.contains("in another order"), "{order:?}: {message}");
        };
        let count = all.len() - 1;
        for at in 0..count {
            let order: Vec<usize> = (0..=count).collect();
            let next = (at + 1) % count;
            let [mut missing, mut doubled, mut replaced, mut exchanged] = std::array::from_fn(|_| order.clone());
            missing.remove(at);
            doubled.insert(at, at);
            replaced[at] = next;
            exchanged.swap(at, next);
            [missing, doubled, replaced, exchanged].iter().for_each(|order| check(order));
        }
        // Packets behind the last one, and the last one twice.
        [0, count].into_iter().for_each(|more| check(&[&(0..=count).collect::<Vec<_>>()[..], &[more]].concat()));
    }
}

/// Returns whether two cells are the same reading, however they are spelt.
fn is_same(a: &str, b: &str) -> bool {
    a == b || is_missing(a) && b.is_empty() || a.parse::<f64>().is_ok_and(|number| b.parse() == Ok(number))
}

#[test]
fn all_rows_come_back_without_a_header() {
    let folder = with_models();
    for odd in [false, true] {
        let text = rows(300, 12, odd);
        folder.write("rows.csv", &text);
        let cells = |text: &str, separator: u8| -> Vec<csv::StringRecord> {
            let mut reader = csv::ReaderBuilder::new().delimiter(separator).from_reader(text.as_bytes());
            reader.records().map(Result::unwrap).collect()
        };
        let expected = cells(&without_stamp(&text), b';');
        for model in ["tables", "bits", "series"] {
            let report = folder.json(&format!("compress {model}.srp rows.csv --packet 50 -o rows.srpd"));
            let list: Vec<String> = report["decimals"].as_array().unwrap().iter().map(ToString::to_string).collect();
            let said = folder.text(&format!("compress {model}.srp rows.csv --packet 50 -o rows.srpd"));
            let option = format!("--decimals {}", list.join(","));
            assert!(said.contains(&option), "{said}");
            let bytes = folder.read("rows.srpd");
            let start = 12 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
            let same = || {
                let back = cells(&text_of(&folder, "back.csv"), b',');
                assert_eq!(back.len(), expected.len(), "{model}");
                for (back, row) in back.iter().zip(&expected) {
                    assert!(row.iter().zip(back).all(|(a, b)| is_same(a, b)), "{model}: {row:?} {back:?}");
                }
            };
            folder.write("bare.srpd", &bytes[start..]);
            folder.text(&format!("decompress {model}.srp bare.srpd {option} -o back.csv"));
            same();
            // A dump of flash, with erased bytes between the packets and behind them.
            let places: Vec<usize> = [start].into_iter().chain(packets(&bytes)).collect();
            let gaps = [0, 1, 3, 300, 4096].into_iter().cycle();
            let apart = |(ends, gap): (&[usize], usize)| [&bytes[ends[0]..ends[1]], &vec![0xFF; gap]].concat();
            let dump: Vec<u8> = places.windows(2).zip(gaps).flat_map(apart).collect();
            folder.write("dump.bin", [&dump[..], &[0xFF; 5000]].concat());
            folder.text(&format!("decompress {model}.srp dump.bin {option} -o back.csv"));
            same();
            // A damaged header costs no row, wherever it is damaged; damage to anything else is a fault.
            let decompress = format!("decompress {model}.srp damaged.srpd {option} -o back.csv");
            for at in [0, 4, 20] {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1;
                folder.write("damaged.srpd", &damaged);
                let message = fault(&folder, &format!("decompress {model}.srp damaged.srpd -o none.csv"));
                assert!(message.contains("--decimals with the list that `compress` printed") || at == 0, "{message}");
                let report = folder.json(&decompress);
                let warning = report["warnings"][0]["message"].as_str().unwrap();
                assert!(warning.contains(&format!("the header of {start} bytes is damaged")), "{warning}");
                same();
                for position in [bytes.len() - 30, bytes.len() - 1] {
                    let mut more = damaged.clone();
                    more[position] ^= 1;
                    folder.write("damaged.srpd", more);
                    fault(&folder, &decompress);
                }
                let second = places[2];
                damaged.splice(second..second, *b"between packets");
                folder.write("damaged.srpd", damaged);
                let message = fault(&folder, &decompress);
                assert!(message.contains("which are all that the file held"), "{message}");
                same();
            }
            // The front is missing, within a packet and between packets.
            let ends = packets(&bytes);
            folder.write("end.srpd", &bytes[ends[1] + 3..]);
            let message = fault(&folder, &format!("decompress {model}.srp end.srpd {option} -o back.csv"));
            assert!(message.contains("of 300 rows that the file held, whose header is missing"), "{message}");
            folder.write("end.srpd", &bytes[ends[ends.len() - 4]..]);
            let message = fault(&folder, &format!("decompress {model}.srp end.srpd -o none.csv"));
            assert!(message.contains("no header of `compress`") && message.contains("--decimals"), "{message}");
            let message = fault(&folder, &format!("decompress {model}.srp end.srpd {option} -o back.csv"));
            assert!(odd || message.contains("the front of the file is missing"), "{message}");
            assert!(odd || message.contains("which held 300 rows"), "{message}");
        }
        assert!(!folder.path("none.csv").exists());
    }
}

/// Codes that no category has come back as numbers, and missing readings as empty cells.
#[test]
fn unknown_codes_are_numbers() {
    let folder = with_models();
    let text = rows(60, 13, false);
    folder.write("rows.csv", text.replace("idle", "-1"));
    let report = folder.json("compress tables.srp rows.csv -o rows.srpd");
    assert_eq!(report["texts"], 0);
    folder.text("decompress tables.srp rows.srpd -o back.csv");
    assert_eq!(text_of(&folder, "back.csv"), without_stamp(&text.replace("idle", "-1")));
}

/// Two columns that depend on each other, with numbers that `spelt` writes.
fn numbers(count: usize, seed: u64, spelt: impl Fn(f64) -> String) -> String {
    let mut coins = random(seed);
    let mut line = || {
        let hundredths = coins.random_range(-900..900);
        let double = 2 * hundredths + coins.random_range(-3..=3);
        format!("{};{}\n", spelt(f64::from(hundredths) / 100.0), spelt(f64::from(double) / 100.0))
    };
    "level;double\n".to_owned() + &(0..count).map(|_| line()).collect::<String>()
}

#[test]
fn decimal_commas_are_numbers() {
    let folder = Folder::new();
    let with_comma = |number: f64| format!("{number:.2}").replace('.', ",");
    let text = numbers(500, 14, with_comma);
    folder.write("rows.csv", &text);
    folder.write("points.csv", text.replace(',', "."));
    for train in ["rows", "points"] {
        folder.text(&format!("fit {train}.csv {QUICK} -o model.srp"));
        for option in ["", "--decimal comma"] {
            let report = folder.json(&format!("compress model.srp rows.csv -o rows.srpd {option}"));
            assert_eq!((&report["texts"], &report["warnings"]), (&0.into(), &serde_json::json!([])));
            assert!(report["file_bytes"].as_u64().unwrap() * 2 < text.len() as u64, "{report}");
            folder.text("decompress model.srp rows.srpd -o back.csv");
            assert_eq!(text_of(&folder, "back.csv"), text);
        }
        // What the user says is obeyed, and what it costs is said.
        for (name, option) in [("rows", "--decimal point"), ("points", "--decimal comma")] {
            let report = folder.json(&format!("compress model.srp {name}.csv {option} -o rows.srpd"));
            assert_eq!(report["warnings"].as_array().unwrap().len(), 2, "{report}");
            folder.text("decompress model.srp rows.srpd -o back.csv");
            assert_eq!(folder.read("back.csv"), folder.read(&format!("{name}.csv")));
        }
    }
}

/// Columns that are kept as text are named, with what is unusual about their spelling.
#[test]
fn unusual_spellings_are_named() {
    let folder = Folder::new();
    folder.write("train.csv", numbers(500, 15, |number| format!("{number:.2}")));
    folder.text(&format!("fit train.csv {QUICK} -o model.srp"));
    let spellings: [(&dyn Fn(f64) -> String, &str); 8] = [
        (&|number| format!("{number:e}"), "an exponent"),
        (&|number| format!("+{:.2}", number.abs()), "a plus sign"),
        (&|number| format!(".{:02.0}", number.abs()), "no digit before"),
        (&|number| format!("{}.", number.trunc()), "no digit behind"),
        (&|number| format!("{number:.2} mV"), "a unit"),
        (&|number| (number > 0.0).to_string(), "no number"),
        (&|number| format!("000{:.0}", number.abs()), "leading zeros"),
        (&|number| ["NA", "?", "none", "nan"][number.abs() as usize % 4].to_owned(), "missing readings"),
    ];
    for (spelt, word) in spellings {
        let text = numbers(300, 16, spelt);
        folder.write("rows.csv", &text);
        let output = folder.run("compress model.srp rows.csv -o rows.srpd");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{message}");
        for column in ["level", "double"] {
            let start = format!("warning: rows.csv: column `{column}`: ");
            let line =
                message.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{word}: {message}"));
            assert!(line.contains(word) && line.contains("to make the file smaller"), "{word}: {line}");
        }
        folder.text("decompress model.srp rows.srpd -o back.csv");
        assert_eq!(text_of(&folder, "back.csv"), text, "{word}");
    }
}

/// Codes of missing readings cost no more than other missing readings.
#[test]
fn codes_of_missing_readings_are_missing() {
    let folder = Folder::new();
    let spelt = |number: f64| if number > 8.0 { "-999".to_owned() } else { format!("{number:.2}") };
    let text = numbers(500, 17, spelt);
    folder.write("rows.csv", &text);
    folder.text(&format!("fit rows.csv --missing -999 {QUICK} -o model.srp"));
    let with = folder.json("compress model.srp rows.csv -o rows.srpd");
    folder.text("decompress model.srp rows.srpd -o back.csv");
    assert_eq!(text_of(&folder, "back.csv"), text);
    folder.write("empty.csv", text.replace("-999", ""));
    let empty = folder.json("compress model.srp empty.csv -o rows.srpd");
    assert_eq!(with["packet_bytes"], empty["packet_bytes"]);
}

/// Lines that are no rows are treated as `score` treats them, in every part of a long file.
#[test]
fn lines_that_are_no_rows_are_those_of_score() {
    let folder = Folder::new();
    let text = numbers(130_000, 18, |number| format!("{number:.2}"));
    assert!(text.len() > 1 << 20);
    folder.write("train.csv", text.lines().take(500).collect::<Vec<_>>().join("\n"));
    folder.text(&format!("fit train.csv {QUICK} -o model.srp"));
    let mut lines: Vec<&str> = text.lines().collect();
    lines.insert(1, "mm;mm");
    lines.insert(9, "level;double");
    lines.insert(20, "1;2;3");
    lines.insert(30, "\u{feff}\"level\";\"double\"");
    lines.insert(85_000, "4");
    lines.insert(90_000, "mm;mm");
    let joined = lines.join("\n") + "\n5";
    for (name, kept) in [("whole.csv", joined.as_str()), ("short.csv", &(lines[..600].join("\n") + "\n5"))] {
        folder.write(name, kept);
        let (bad, headers) = if name == "whole.csv" { (2, 3) } else { (1, 2) };
        let message = fault(&folder, &format!("compress model.srp {name} -o none.srpd"));
        assert!(message.contains(&format!("--skip-bad {bad}")) && message.contains("line 21: 3 cells"), "{message}");
        assert!(bad == 1 || message.contains("line 85001: 1 cells"), "{message}");
        let report = folder.json(&format!("compress model.srp {name} --skip-bad {bad} -o rows.srpd"));
        let warnings = report["warnings"].to_string();
        let words = ["row of units", "bad line", &format!("the header is repeated {headers} times"), "the last line, "];
        words.iter().for_each(|word| assert!(warnings.contains(word), "{word}: {warnings}"));
        assert!(!warnings.contains("session"), "{warnings}");
        if name == "short.csv" {
            let scored = folder.text(&format!("score model.srp {name} --skip-bad {bad}")).lines().count() - 1;
            assert_eq!(report["rows"], scored);
        }
    }
    folder.text("decompress model.srp rows.srpd -o back.csv");
    let rows = |text: &str| text.lines().filter(|line| line.ends_with(char::is_numeric)).count();
    assert_eq!(rows(&text_of(&folder, "back.csv")), 600 - 5);
}

/// The size that a message advises works, and the one below does not.
#[test]
fn the_advised_size_of_packets_works() {
    let folder = with_models();
    for odd in [false, true] {
        folder.write("rows.csv", rows(200, 19, odd));
        for bytes in [1, 4, 7] {
            let message = fault(&folder, &format!("compress tables.srp rows.csv --bytes {bytes} -o rows.srpd"));
            assert!(message.contains("--bytes"), "{message}");
            let digits = message.split("pass at least ").nth(1).unwrap_or_else(|| panic!("{message}")).trim_end();
            let least: usize = digits.parse().unwrap();
            folder.text(&format!("compress tables.srp rows.csv --bytes {least} -o rows.srpd"));
            fault(&folder, &format!("compress tables.srp rows.csv --bytes {} -o rows.srpd", least - 1));
        }
    }
    // A cell that fits no packet.
    folder.write("rows.csv", rows(10, 20, false).replacen("230", &"x".repeat(40_000), 1));
    let message = fault(&folder, "compress tables.srp rows.csv -o rows.srpd");
    ["rows.csv: line ", "column `volts`", "shorten it", "--ignore"].iter().for_each(|word| {
        assert!(message.contains(word), "{word}: {message}");
    });
    folder.text("fit train.csv --ignore stamp --ignore volts -o other.srp");
    folder.text("compress other.srp rows.csv -o rows.srpd");
}
