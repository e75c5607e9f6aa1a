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
    assert!(scores.starts_with("sample,nats,anomaly,p,anomalous,largest,column,blamed,expected\n"));
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
    folder.write("small.npy", vector([1u8, 2, 3].into_iter()));
    folder.write("short.npy", vector([1i16, 2, 3].into_iter()));
    folder.write("word.csv", "1\n2\nthree\n4\n");
    for (file, words) in [
        ("cut.npy", &["cut.npy", "i2", "uncut"][..]),
        ("text.npy", &["text.npy", "numpy.save"]),
        ("small.npy", &["small.npy", "u1", "expected f32, f64, i16 or i32"]),
        ("short.npy", &["3 samples", "window of 4"]),
        ("word.csv", &["word.csv: line 3, column `x0`", "`three`"]),
        ("none.npy", &["none.npy", "check the path"]),
    ] {
        folder.refuses(&format!("features {file} --signal 4 --bands 2"), words);
    }
    folder.refuses("features motor.npy", &["--signal 2048:512"]);
    folder.refuses("features motor.npy --signal 8 --bands 5", &["10 samples", "--bands fewer"]);
    folder.refuses("features motor.npy --signal 8:9", &["WINDOW:HOP"]);
    folder.refuses("features motor.npy --signal 8 --sampling-rate 0", &["samples per second"]);
    folder.refuses("fit motor.npy --signal 128 --label x0 -o motor.srp", &["--label", "--signal"]);
    folder.refuses("fit motor.npy --signal 4096 --family marginal -o motor.srp", &["at least 20 are needed"]);
}
