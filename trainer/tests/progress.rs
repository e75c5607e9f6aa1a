//! Progress while files are read: whatever their kind, each stage announces its steps and takes them.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Mutex;

use surprisal_trainer::data::ReadOptions;
use surprisal_trainer::observer::{Event, Observer};
use surprisal_trainer::windows::{self, Windows};

/// Counts (steps announced, steps taken) of each stage.
#[derive(Default)]
struct Stages(Mutex<Vec<(String, usize, usize)>>);

impl Observer for Stages {
    fn event(&self, event: Event<'_>) {
        let mut stages = self.0.lock().expect("no panic");
        match event {
            Event::Stage { name, steps } => stages.push((name.to_owned(), steps, 0)),
            Event::Step => stages.last_mut().expect("a stage precedes its steps").2 += 1,
            _ => {}
        }
    }
}

/// Samples of sixteen bits that do not compress.
fn noise(count: usize) -> Vec<i16> {
    (0..count as u64).map(|k| (k.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 45) as i16).collect()
}

fn npy(samples: &[i16], columns: usize) -> Vec<u8> {
    let header =
        format!("{{'descr': '<i2', 'fortran_order': False, 'shape': ({}, {columns}), }}", samples.len() / columns);
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let format = b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1F\0\0\x80\x3E\0\0\x02\0\x10\0data";
    [b"RIFF", &(36 + data.len() as u32).to_le_bytes()[..], format, &(data.len() as u32).to_le_bytes(), &data].concat()
}

#[test]
fn every_kind_of_file_reports_its_progress() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let samples = noise(2_000_000);
    let text: String = "a,b\n".to_owned()
        + &samples.chunks(2).take(400_000).map(|row| format!("{},{}\n", row[0], row[1])).collect::<String>();
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let zipped = zip.write_all(text.as_bytes()).and_then(|()| zip.finish()).expect("a vector takes any bytes");
    let windows = Windows::new(64, 64, 4, None).expect("long enough");
    // (file, windows of a signal, smallest number of MiB that reading takes).
    let files: [(&str, Vec<u8>, Option<Windows>, usize); 5] = [
        ("rows.csv", text.into_bytes(), None, 4),
        ("rows.csv.gz", zipped, None, 2),
        ("rows.npy", npy(&samples, 2), None, 3),
        ("signal.npy", npy(&samples, 2), Some(windows), 3),
        ("sound.wav", wav(&samples), Some(windows), 3),
    ];
    for (name, bytes, windows, least) in files {
        let path: PathBuf = folder.path().join(name);
        std::fs::write(&path, bytes).expect("the folder can be written");
        let stages = Stages::default();
        windows::read_observed(windows, &[path], &ReadOptions::default(), &stages).expect("a plain file");
        let stages = stages.0.into_inner().expect("no panic");
        assert!(stages.len() >= 2 && stages[0].0.starts_with("reading "), "{name}: {stages:?}");
        assert!(stages[0].2 >= least, "{name}: {stages:?}");
        for (stage, steps, taken) in &stages {
            // The last part of a MiB is no step.
            assert!((*steps - 1..=*steps).contains(taken), "{name}: {stage}: {taken} of {steps}");
        }
    }
}
