//! Raw signals: the same features whatever the file, the same windows in every command, and what is refused.

use crate::data::{Folder, number};
use made_up::motor;
use npyz::{AutoSerialize, WriterBuilder};
use std::fmt::Write as _;

#[path = "../../../../tests/support/signal.rs"]
mod made_up;

const FIT: &str = "fit motor.npy --signal 128:32 --bands 2 --family linear --order natural --strength 5 -o motor.srp";

/// A .npy file; with two channels, by samples or by channels.
fn npy<T: AutoSerialize + Copy>(samples: &[T], channels: usize, order: npyz::Order) -> Vec<u8> {
    let mut bytes = Vec::new();
    let shape = [(samples.len() / channels) as u64, channels as u64];
    let shape = if channels == 1 { &shape[..1] } else { &shape };
    let options = npyz::WriteOptions::new().default_dtype().shape(shape).order(order);
    let mut writer = options.writer(&mut bytes).begin_nd().expect("a header");
    writer.extend(samples.iter().copied()).expect("samples");
    writer.finish().expect("the end");
    bytes
}

fn vector<T: AutoSerialize + Copy>(samples: impl Iterator<Item = T>) -> Vec<u8> {
    npy(&samples.collect::<Vec<T>>(), 1, npyz::Order::C)
}

/// A folder with the signals of a sound and of a worn motor.
fn with_motor() -> Folder {
    let folder = Folder::new();
    folder.write("motor.npy", vector(motor(false).take(9000)));
    folder.write("worn.npy", vector(motor(true).skip(9000).take(4000)));
    folder
}

#[test]
fn every_kind_of_file_gives_the_same_features() {
    let folder = Folder::new();
    let sound = || motor(false).take(700);
    folder.write("i16.npy", vector(sound()));
    folder.write("i32.npy", vector(sound().map(i32::from)));
    folder.write("f32.npy", vector(sound().map(f32::from)));
    folder.write("f64.npy", vector(sound().map(f64::from)));
    folder.write("plain.csv", sound().fold(String::new(), |mut csv, x| writeln!(csv, "{x}").map(|()| csv).unwrap()));
    let wanted = folder.text("features i16.npy --signal 100:50 --sampling-rate 8000 --bands 4");
    assert!(
        wanted.starts_with("mean,rms,peak_to_peak,crest,kurtosis,crossings,band_500,band_1500,band_2500,band_3500\n")
    );
    assert_eq!(wanted.lines().count(), 1 + 13);
    for file in ["i32.npy", "f32.npy", "f64.npy", "plain.csv"] {
        assert_eq!(
            folder.text(&format!("features {file} --signal 100:50 --sampling-rate 8000 --bands 4")),
            wanted,
            "{file}"
        );
    }
}

#[test]
fn channels_stand_side_by_side() {
    let folder = Folder::new();
    let (left, right): (Vec<i16>, Vec<i16>) = motor(false).zip(motor(true)).take(400).unzip();
    let paired: Vec<i16> = left.iter().zip(&right).flat_map(|(&left, &right)| [left, right]).collect();
    folder.write("c.npy", npy(&paired, 2, npyz::Order::C));
    folder.write("fortran.npy", npy(&[left.clone(), right.clone()].concat(), 2, npyz::Order::Fortran));
    folder.write(
        "both.csv",
        paired.chunks(2).fold("x0,x1\n".to_owned(), |csv, pair| format!("{csv}{},{}\n", pair[0], pair[1])),
    );
    folder.write("right.npy", vector(right.into_iter()));
    let wanted = folder.text("features c.npy --signal 200 --bands 0");
    assert!(
        wanted.starts_with("x0.mean,x0.rms,x0.peak_to_peak,x0.crest,x0.kurtosis,x0.crossings,x1.mean,"),
        "{wanted}"
    );
    for file in ["fortran.npy", "both.csv"] {
        assert_eq!(folder.text(&format!("features {file} --signal 200 --bands 0")), wanted, "{file}");
    }
    let right = folder.text("features right.npy --signal 200 --bands 0");
    let last =
        |text: &str| text.lines().last().unwrap().split(',').rev().take(6).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(last(&wanted), last(&right));
}

#[test]
fn a_model_of_a_signal_takes_signals() {
    let folder = with_motor();
    let report = folder.json(FIT);
    assert_eq!(number(&report, "columns"), 8.0);
    // 278 windows; three between two shares are in none.
    assert_eq!(number(&report, "train_rows"), 195.0);
    assert_eq!((number(&report, "valid_rows"), number(&report, "calibration_rows")), (24.0, 25.0));
    let scores = folder.text("score motor.srp motor.npy --held-out");
    let samples: Vec<usize> =
        scores.lines().skip(1).map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert!(
        scores.starts_with("sample,nats,anomaly,p,anomalous,severity,trend,alarm,largest,column,blamed,expected\n")
    );
    assert_eq!((samples.first(), samples.last()), (Some(&(253 * 32 + 1)), Some(&(277 * 32 + 1))));
    let [sound, worn] = ["motor.npy --held-out", "worn.npy"].map(|file| folder.json(&format!("eval motor.srp {file}")));
    assert!(number(&worn, "mean_nats") > number(&sound, "mean_nats") + 10.0);
    assert!(folder.text("explain motor.srp worn.npy --top 1").starts_with("sample "));
    assert!(folder.text("inspect motor.srp").contains("128 samples of a signal, every 32 samples"));
}

#[test]
fn the_board_gets_the_same_features() {
    let folder = with_motor();
    folder.text(&format!("{FIT} --ignore mean --ignore band_0"));
    folder.text("export motor.srp -o motor.rs");
    let source = String::from_utf8(folder.read("motor.rs")).unwrap();
    let channel = "Features { window: 128, hop: 32, bands: 2, features: &[Feature::Rms, Feature::PeakToPeak, Feature::Crest, \
                   Feature::Kurtosis, Feature::Crossings, Feature::band(1, 2)] },";
    assert!(source.contains(channel) && source.contains("CHANNELS: [Features<'static>; 1]"), "{source}");
    assert!(!source.contains("// Integer"), "features are real on the board");
}

#[test]
fn signals_that_cannot_be_used() {
    let folder = with_motor();
    let whole = folder.read("motor.npy");
    folder.write("cut.npy", &whole[..whole.len() / 2]);
    folder.write("text.npy", "0,1\n");
    folder.write("short.npy", vector([1i16, 2, 3].into_iter()));
    folder.write("word.csv", "1\n2\nthree\n4\n");
    for (file, words) in [
        ("cut.npy", &["cut.npy", "i2", "uncut"][..]),
        ("text.npy", &["text.npy", "numpy.save"]),
        ("short.npy", &["3 samples", "window of 4"]),
        ("word.csv", &["word.csv: line 3, column `x0`", "`three`"]),
        ("none.npy", &["none.npy", "check the path"]),
    ] {
        folder.refuses(&format!("features {file} --signal 4 --bands 2"), words);
    }
    folder.refuses("features motor.npy", &["--signal 2048:512"]);
    folder.refuses("features motor.npy --signal 8 --bands 5", &["10 samples", "--bands fewer"]);
    folder.refuses("features motor.npy --signal 8:9", &["WINDOW:HOP"]);
    folder.refuses("features motor.npy --signal 8 --sampling-rate 0", &["above zero"]);
    folder.refuses("fit motor.npy --signal 128 --label x0 -o motor.srp", &["--label", "--signal"]);
    folder.refuses("fit motor.npy --signal 4096 --family marginal -o motor.srp", &["at least 20 are needed"]);
}

#[test]
fn a_channel_beside_the_signal_is_left_out() {
    let folder = Folder::new();
    let (left, right): (Vec<i16>, Vec<i16>) = motor(false).zip(motor(true)).take(9000).unzip();
    let rows = left.iter().zip(&right).enumerate();
    let csv = rows.fold("time,ax,ay\n".to_owned(), |mut csv, (at, (x, y))| {
        writeln!(csv, "{}.{:03},{x},{y}", at / 1000, at % 1000).map(|()| csv).unwrap()
    });
    folder.write("motor.csv", &csv);
    let without: String = csv.lines().map(|line| line.split_once(',').expect("a time").1.to_owned() + "\n").collect();
    folder.write("plain.csv", without);
    let fit = "--signal 128:32 --bands 2 --family linear --order natural --strength 5 -o motor.srp";
    let words = ["column `time`: only rises", "--ignore time", "--keep time"];
    folder.refuses(&format!("fit motor.csv {fit}"), &words);
    let found = folder.json(&format!("fit motor.csv --ignore time {fit}"));
    let scores = folder.text("score motor.srp motor.csv");
    assert_eq!(scores, folder.text("score motor.srp plain.csv"), "a file without the channel");
    let expected = folder.json(&format!("fit plain.csv {fit}"));
    assert_eq!((&found["valid_ll"], &found["columns"]), (&expected["valid_ll"], &expected["columns"]));
    folder.refuses(&format!("fit motor.csv --ignore time --ignore nope {fit}"), &["`nope`"]);
    folder.refuses(&format!("fit plain.csv --ignore ax --ignore ay {fit}"), &["every channel is left out"]);
    assert_eq!(
        folder.text("features motor.csv --ignore time --signal 128:32"),
        folder.text("features plain.csv --signal 128:32")
    );
}

#[test]
fn a_clock_beside_the_signal_stamps_each_window_and_no_window_spans_a_gap() {
    let folder = Folder::new();
    let (left, right): (Vec<i16>, Vec<i16>) = motor(false).zip(motor(true)).take(9000).unzip();
    // Half a second is missing after 4500 samples; the first windows after it begin at sample 4501.
    let seconds = |at: usize| at as f64 / 1000.0 + if at < 4500 { 0.0 } else { 0.5 };
    let stamps: [&dyn Fn(usize) -> String; 2] =
        [&|at| format!("{:.3}", seconds(at)), &|at| format!("2024-03-01T00:00:{:06.3}", seconds(at))];
    let windows = 2 * ((4500 - 128) / 32 + 1);
    let fit = "--signal 128:32 --bands 2 --family linear --order natural --strength 5 -o motor.srp";
    for stamp in stamps {
        let rows = left.iter().zip(&right).enumerate();
        let csv = rows.fold("clock,ax,ay\n".to_owned(), |mut csv, (at, (x, y))| {
            writeln!(csv, "{},{x},{y}", stamp(at)).map(|()| csv).unwrap()
        });
        folder.write("motor.csv", &csv);
        let report = folder.json(&format!("fit motor.csv --time clock {fit}"));
        assert_eq!(report["columns"], 16);
        assert!(report["warnings"].to_string().contains("0.501 s ahead at line 4502"), "{report}");
        let scores = folder.text("score motor.srp motor.csv");
        assert!(scores.starts_with("sample,clock,nats,"), "{scores}");
        assert_eq!(scores.lines().count(), 1 + windows);
        for sample in [1, 33, 4501, 4533] {
            assert!(scores.contains(&format!("\n{sample},{},", stamp(sample - 1))), "{sample}: {scores}");
        }
        assert!(folder.text("explain motor.srp motor.csv --line 4501").contains(&format!(", {}: ", stamp(4500))));
        assert!(folder.text("eval motor.srp motor.csv").contains(&format!("time stamps from {} to ", stamp(0))));
        assert!(number(&folder.json("eval motor.srp motor.csv --held-out"), "rows") > 10.0);
        folder.text("export motor.srp -o motor.rs");
        assert_eq!(String::from_utf8(folder.read("motor.rs")).unwrap().matches("Feature::Mean").count(), 2);
        let features = folder.text("features motor.csv --signal 128:32 --time clock");
        assert!(features.lines().next().unwrap().ends_with(",clock") && features.lines().count() == 1 + windows);
        if stamp(0).contains(':') {
            folder.refuses(&format!("fit motor.csv {fit}"), &["line 2", "--time clock", "--ignore clock"]);
        }
        // Without stamps there is no gap.
        let plain: String = csv.lines().map(|line| line.split_once(',').expect("a time").1.to_owned() + "\n").collect();
        folder.write("plain.csv", plain);
        assert_eq!(folder.text("score motor.srp plain.csv").lines().count(), 1 + (9000 - 128) / 32 + 1);
        folder.refuses("score motor.srp plain.csv --time clock", &["no channel `clock`"]);
    }
    folder.refuses(&format!("fit plain.csv --time rms {fit}"), &["no channel `rms`", "leave --time out"]);
    let clock: Vec<f64> = (0..9000).map(seconds).collect();
    let sound = |sides: &[i16]| vector(sides.iter().map(|&x| f64::from(x)).collect::<Vec<_>>().into_iter());
    folder.write("motor.npz", stored(&[("clock.npy", vector(clock.into_iter())), ("ax.npy", sound(&left))]));
    let features = folder.text("features motor.npz --signal 128:32 --time clock");
    assert!(features.starts_with("mean,") && features.contains(",5\n"), "{features}");
    assert_eq!(features.lines().count(), 1 + windows);
    folder.write("clock.npz", stored(&[("clock.npy", vector((0..9000).map(seconds)))]));
    folder.refuses("features clock.npz --signal 128:32 --time clock", &["every channel is left out"]);
    let named: String = (0..600).map(|at| format!("{at},{}\n", left[at])).collect();
    folder.write("named.csv", format!("mean,ax\n{named}"));
    folder.refuses("features named.csv --signal 128:32 --time mean", &["column `mean`", "rename the column"]);
}

#[test]
fn no_window_of_a_signal_spans_a_line_that_is_left_out() {
    let folder = Folder::new();
    let mut lines: Vec<String> = motor(false).take(1000).map(|x| format!("{x},{x}")).collect();
    lines[500] = "1,2,3".into();
    folder.write("motor.csv", format!("ax,ay\n{}\n", lines.join("\n")));
    let features = folder.text("features motor.csv --signal 100:100 --skip-bad 1");
    assert_eq!(features.lines().count(), 1 + 5 + 4, "500 and 499 samples");
    folder.refuses("features motor.csv --signal 600 --skip-bad 1", &["500 samples in the longest session"]);
}

/// A sound of whole samples, as a recorder writes it.
fn wav(samples: &[i16], channels: u16) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((36 + data.len() as u32).to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0");
    bytes.extend(channels.to_le_bytes());
    bytes.extend(8000u32.to_le_bytes());
    bytes.extend((8000 * 2 * u32::from(channels)).to_le_bytes());
    bytes.extend((2 * channels).to_le_bytes());
    bytes.extend(b"\x10\0data");
    bytes.extend((data.len() as u32).to_le_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn sounds_and_whole_numbers_are_signals() {
    let folder = Folder::new();
    let sound: Vec<i16> = motor(false).take(700).collect();
    folder.write("i16.npy", vector(sound.iter().copied()));
    folder.write("sound.wav", wav(&sound, 1));
    folder.write("i64.npy", vector(sound.iter().map(|&x| i64::from(x))));
    let wanted = folder.text("features i16.npy --signal 100:50");
    for file in ["sound.wav", "i64.npy"] {
        assert_eq!(folder.text(&format!("features {file} --signal 100:50")), wanted, "{file}");
    }
    folder.write("u8.npy", vector(sound.iter().map(|&x| (x / 256 + 128) as u8)));
    folder.text("features u8.npy --signal 100:50");
    let whole = folder.read("sound.wav");
    for length in [0, 11, 12, 30, 44, 45, 300] {
        folder.write("cut.wav", &whole[..length]);
        folder.refuses("features cut.wav --signal 100:50", &["cut.wav"]);
    }
    folder.refuses("fit sound.wav -o model.srp", &["sound.wav", "--signal 2048:512"]);
}

#[test]
fn arrays_of_rows_are_tables() {
    let folder = Folder::new();
    let rows: Vec<f32> =
        motor(false).zip(motor(true)).take(600).flat_map(|(x, y)| [f32::from(x) / 8.0, f32::from(y)]).collect();
    folder.write("rows.npy", npy(&rows, 2, npyz::Order::C));
    let text = rows.chunks(2).fold("x0,x1\n".to_owned(), |csv, row| format!("{csv}{},{}\n", row[0], row[1]));
    folder.write("rows.csv", text);
    let fit = |file: &str| number(&folder.json(&format!("fit {file} --family marginal -o model.srp")), "valid_ll");
    assert_eq!(fit("rows.npy"), fit("rows.csv"));
    let column = |at: usize| rows.iter().skip(at).step_by(2).copied();
    folder.write("rows.npz", stored(&[("x0.npy", vector(column(0))), ("x1.npy", vector(column(1)))]));
    assert_eq!(fit("rows.npz"), fit("rows.csv"));
    folder.write("uneven.npz", stored(&[("a.npy", vector(column(0))), ("b.npy", vector(column(1).take(9)))]));
    folder.refuses("fit uneven.npz -o model.srp", &["column `b`", "9 rows", "`a` has 600"]);
    folder.write("book.xlsx", stored(&[("[Content_Types].xml", b"<xml/>".to_vec())]));
    folder.refuses("fit book.xlsx -o model.srp", &["an Excel workbook", "CSV"]);
    let mut damaged = folder.read("rows.npz");
    damaged[300] ^= 1;
    folder.write("damaged.npz", damaged);
    folder.refuses("fit damaged.npz -o model.srp", &["damaged.npz", "damaged"]);
}

/// A ZIP archive of files that are not compressed.
fn stored(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let crc = surprisal_trainer::data::checksum(content).to_le_bytes();
        let size = (content.len() as u32).to_le_bytes();
        let common =
            [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &crc, &size, &size, &(name.len() as u16).to_le_bytes(), &[0, 0]]
                .concat();
        let at = (archive.len() as u32).to_le_bytes();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &[0; 10], &at, name.as_bytes()].concat());
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
    }
    let count = (files.len() as u16).to_le_bytes();
    let (size, at) = ((directory.len() as u32).to_le_bytes(), (archive.len() as u32).to_le_bytes());
    archive.extend([&directory[..], b"PK\x05\x06\0\0\0\0", &count, &count, &size, &at, &[0, 0]].concat());
    archive
}
