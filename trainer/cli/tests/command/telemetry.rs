//! `compress` and `decompress`: cells come back as they are written, and damage costs no more than it hits.

use std::fs;

use rand::RngExt;

use crate::QUICK;
use crate::data::{Folder, random};

/// Rows as loggers write them: decimals, states, gaps, and cells that are written otherwise than the rest of their column.
pub fn rows(count: usize, seed: u64, odd: bool) -> String {
    let mut coins = random(seed);
    let mut text = "stamp;celsius;turns;state;on;volts\n".to_owned();
    let (mut celsius, mut turns) = (2100, 1500);
    for at in 0..count {
        celsius += coins.random_range(-7..=7);
        turns += coins.random_range(-20..=20);
        let state = ["idle", "run", "stop"][coins.random_range(0..3)];
        let on = u8::from(state == "run");
        let volts = f64::from(coins.random_range(2280..2320)) / 10.0;
        let mut cells = [
            format!("{at}"),
            format!("{}.{:02}", celsius / 100, celsius % 100),
            if coins.random_range(0..20) == 0 { "NA".to_owned() } else { turns.to_string() },
            state.to_owned(),
            on.to_string(),
            format!("{volts}"),
        ];
        if odd && coins.random_range(0..5) == 0 {
            let strange = ["1e3", "-0.0", "007", "", "nan", "\"a;\"\"b\"", "99999999999", "0.123456789", "?"];
            cells[coins.random_range(1..6)] = strange[coins.random_range(0..strange.len())].to_owned();
        }
        text += &(cells.join(";") + "\n");
    }
    text
}

/// The rows without their first column.
pub fn without_stamp(text: &str) -> String {
    text.lines().map(|line| line.split_once(';').unwrap().1.to_owned() + "\n").collect()
}

pub fn with_models() -> Folder {
    let folder = Folder::new();
    folder.write("train.csv", rows(600, 1, false));
    folder.text("fit train.csv --ignore stamp -o tables.srp");
    folder.text(&format!("fit train.csv --ignore stamp {QUICK} -o bits.srp"));
    folder.text("fit train.csv --ignore stamp --window 3 -o series.srp");
    folder
}

#[test]
fn cells_come_back_as_they_are_written() {
    let folder = with_models();
    for (seed, odd) in [(2, false), (3, true)] {
        let text = rows(700, seed, odd);
        folder.write("rows.csv", &text);
        for model in ["tables", "bits", "series"] {
            for options in ["", "--packet 16", "--bytes 222"] {
                let said = folder.text(&format!("compress {model}.srp rows.csv -o rows.srpd {options}"));
                assert!(said.starts_with("rows.srpd: 700 rows in "), "{said}");
                folder.text(&format!("decompress {model}.srp rows.srpd -o back.csv"));
                let back = fs::read_to_string(folder.path("back.csv")).unwrap();
                assert_eq!(back, without_stamp(&text), "{model} {options}");
                let size = fs::metadata(folder.path("rows.srpd")).unwrap().len() as usize;
                assert!(odd || size * 3 < text.len(), "{model} {options}: {size} bytes of {}", text.len());
            }
        }
    }
}

#[test]
fn rows_come_from_standard_input_and_compressed_files() {
    let folder = with_models();
    let text = rows(50, 4, false);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    fs::write(folder.path("rows.csv.gz"), encoder.finish().unwrap()).unwrap();
    folder.text("compress tables.srp rows.csv.gz -o rows.srpd");
    folder.text("decompress tables.srp rows.srpd -o back.csv");
    assert_eq!(fs::read_to_string(folder.path("back.csv")).unwrap(), without_stamp(&text));
}

#[test]
fn damage_costs_the_packets_that_it_hits() {
    let folder = with_models();
    let text = rows(300, 5, false);
    folder.write("rows.csv", &text);
    folder.text("compress tables.srp rows.csv --packet 50 -o rows.srpd");
    let bytes = fs::read(folder.path("rows.srpd")).unwrap();
    let middle = bytes.len() - 200;
    let damaged = |change: &dyn Fn(&mut Vec<u8>), left: usize, word: &str| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        fs::write(folder.path("damaged.srpd"), bytes).unwrap();
        let output = folder.run("decompress tables.srp damaged.srpd -o back.csv");
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(message.contains("damaged.srpd: ") && message.contains(word), "{message}");
        let back = fs::read_to_string(folder.path("back.csv")).unwrap();
        assert_eq!(back.lines().count(), left + 1);
        let whole = without_stamp(&text);
        assert!(back.lines().all(|line| whole.lines().any(|row| row == line)));
    };
    damaged(&|bytes| bytes[middle] ^= 4, 250, "the 250 rows of all other packets are in back.csv");
    damaged(&|bytes| _ = bytes.remove(middle), 250, "do not belong to a packet");
    damaged(&|bytes| bytes.splice(middle..middle, [0; 9]).for_each(drop), 250, "do not belong to a packet");
    // The last packet holds the number of rows, so that whole packets are missed as well.
    damaged(&|bytes| bytes.truncate(bytes.len() - 1), 300, "do not belong to a packet");
    let ends = packets(&bytes);
    damaged(&|bytes| bytes.truncate(ends[4]), 250, "the end of the file is missing");
    damaged(&|bytes| drop(bytes.drain(ends[1]..ends[2])), 250, "which held 300 rows");
}

/// Returns where the packets of a file end, without the header.
pub fn packets(bytes: &[u8]) -> Vec<usize> {
    let mut at = 12 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    let mut ends = Vec::new();
    while at < bytes.len() {
        let is_long = bytes[at] & 0x80 != 0;
        let length = if is_long { u16::from_be_bytes([bytes[at] & 0x7F, bytes[at + 1]]) } else { bytes[at].into() };
        at += usize::from(length) + if is_long { 6 } else { 4 };
        ends.push(at);
    }
    ends
}

/// Texts go with their rows or with none: no cell comes back as another.
#[test]
fn lost_texts_and_lost_rows_change_no_other_rows() {
    let folder = with_models();
    let text = rows(100, 6, true);
    folder.write("rows.csv", &text);
    folder.text("compress tables.srp rows.csv --packet 20 --bytes 2000 -o rows.srpd");
    let bytes = fs::read(folder.path("rows.srpd")).unwrap();
    let ends = packets(&bytes);
    assert!(ends.len() > 8, "there are packets of texts");
    let whole = without_stamp(&text);
    for lost in ends.windows(2) {
        for is_cut in [true, false] {
            let mut damaged = bytes.clone();
            if is_cut {
                damaged.drain(lost[0]..lost[1]);
            } else {
                damaged[lost[1] - 1] ^= 1;
            }
            fs::write(folder.path("damaged.srpd"), damaged).unwrap();
            let output = folder.run("decompress tables.srp damaged.srpd -o back.csv");
            assert_eq!(output.status.code(), Some(2), "packet {lost:?}");
            let back = fs::read_to_string(folder.path("back.csv")).unwrap();
            assert!(back.lines().all(|line| whole.lines().any(|row| row == line)), "packet {lost:?}: {back}");
        }
    }
}

/// Decimals that are finer than the cells of the model are kept.
#[test]
fn many_decimals_come_back() {
    let folder = Folder::new();
    let mut coins = random(9);
    let mut number =
        |scale: i32, decimals: usize| format!("{:.decimals$}", f64::from(coins.random_range(-scale..scale)) / 1e3);
    let train: String = (0..600).map(|_| format!("{}\n", number(100_000, 1))).collect();
    folder.write("train.csv", format!("x\n{train}"));
    for family in ["tables", "linear-trees"] {
        folder.text(&format!("fit train.csv --family {family} -o model.srp"));
        for decimals in [7, 8, 9] {
            let fine: String = (0..300).map(|_| format!("{}\n", number(2000, decimals))).collect();
            folder.write("fine.csv", format!("x\n{fine}"));
            folder.text("compress model.srp fine.csv -o fine.srpd");
            folder.text("decompress model.srp fine.srpd -o back.csv");
            assert_eq!(
                fs::read_to_string(folder.path("back.csv")).unwrap(),
                format!("x\n{fine}"),
                "{family} {decimals}"
            );
        }
    }
}

#[test]
fn other_models_and_headers_are_refused_before_anything_is_written() {
    let folder = with_models();
    folder.write("rows.csv", rows(60, 6, false));
    folder.text("compress tables.srp rows.csv -o rows.srpd");
    let refused = |arguments: &str, words: &[&str]| {
        let output = folder.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{message}");
        words.iter().for_each(|word| assert!(message.contains(word), "{word}: {message}"));
        assert!(!folder.path("none.csv").exists());
    };
    refused("decompress bits.srp rows.srpd -o none.csv", &["rows.srpd", "another model"]);
    refused("decompress tables.srp rows.srpd --decimals 1,2 -o none.csv", &["rows.srpd", "leave out --decimals"]);
    refused("decompress tables.srp rows.csv -o none.csv", &["rows.csv", "no packet of this model"]);
    refused("compress tables.srp train.csv -o train.csv", &["train.csv"]);
    let mut bytes = fs::read(folder.path("rows.srpd")).unwrap();
    bytes[20] ^= 1;
    fs::write(folder.path("head.srpd"), bytes).unwrap();
    refused("decompress tables.srp head.srpd -o none.csv", &["head.srpd", "header is damaged"]);
    folder.write("short.csv", "stamp;celsius\n1;2\n");
    refused("compress tables.srp short.csv -o none.csv", &["short.csv", "turns"]);
    folder.write("ragged.csv", rows(5, 7, false) + "1;2;3\n");
    refused(
        "compress tables.srp ragged.csv -o none.csv",
        &["ragged.csv", "line 7", "3 cells, expected 6", "--skip-bad 1"],
    );
    refused("compress tables.srp rows.csv --bytes 5 -o none.csv", &["--bytes", "a row does not fit"]);
}

/// The header tells the model, so that a file without a whole packet is damaged, and not one of another model.
#[test]
fn a_file_whose_only_packet_is_damaged_is_of_no_other_model() {
    let folder = with_models();
    folder.write("rows.csv", rows(20, 6, false));
    for model in ["tables", "bits", "series"] {
        folder.text(&format!("compress {model}.srp rows.csv -o rows.srpd"));
        let bytes = folder.read("rows.srpd");
        let ends = packets(&bytes);
        assert_eq!(ends.len(), 2, "a packet of rows and the last packet");
        let flipped = |at: usize| bytes.iter().enumerate().map(|(i, byte)| byte ^ u8::from(i == at)).collect();
        let cut = |length: usize| bytes[..length].to_vec();
        for damaged in [flipped(ends[0] - 1), flipped(ends[0] - 30), cut(ends[0] - 1), cut(ends[0] - 40)] {
            folder.write("damaged.srpd", damaged);
            let output = folder.run(&format!("decompress {model}.srp damaged.srpd -o none.csv"));
            let message = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{message}");
            let words = ["damaged.srpd: was compressed with this model", "damaged or cut short", "copy the file again"];
            words.iter().for_each(|word| assert!(message.contains(word), "{word}: {message}"));
            assert!(!message.contains("pass the model") && !folder.path("none.csv").exists(), "{message}");
        }
    }
}

#[test]
fn packets_of_a_board_need_no_header() {
    let folder = Folder::new();
    let mut coins = random(8);
    let mut line = || format!("{},{}\n", coins.random_range(10..40), coins.random_range(0..5));
    let body: String = (0..400).map(|_| line()).collect();
    folder.write("train.csv", format!("a,b\n{body}"));
    folder.text("fit train.csv -o model.srp");
    folder.text("compress model.srp train.csv --packet 16 -o rows.srpd");
    let bytes = fs::read(folder.path("rows.srpd")).unwrap();
    let header = 12 + u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize;
    fs::write(folder.path("bare.bin"), &bytes[header..]).unwrap();
    folder.text("decompress model.srp bare.bin --decimals 0,0 -o back.csv");
    assert_eq!(fs::read_to_string(folder.path("back.csv")).unwrap(), format!("a,b\n{body}"));
}
