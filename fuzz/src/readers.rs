//! The readers of files, each with what the commands do with a file that it takes.

use std::fmt::Write;
use std::path::Path;

use surprisal_trainer::collect::Capture;
use surprisal_trainer::data::{Frame, Header, ReadOptions};
use surprisal_trainer::schema::toml::Overrides;
use surprisal_trainer::schema::{Schema, SchemaOptions};
use surprisal_trainer::windows::{Signal, read};

use super::{LIMITS, options, use_frame, with_file};

/// Files of rows as text, in any dialect: separators, encodings, preambles, bad lines, missing codes, decimal commas.
pub fn rows(input: &[u8]) {
    let (options, _, content) = options(input);
    if let Ok(frame) = Frame::from_bytes(Path::new("rows.csv"), content.to_vec(), &options) {
        use_frame(frame, &options);
    }
}

/// Arrays in NumPy's formats, `.npy` and `.npz`, as rows and as raw signals.
pub fn arrays(input: &[u8]) {
    let (options, windows, content) = options(input);
    if let Ok(frame) = Frame::from_bytes(Path::new("rows.npy"), content.to_vec(), &options) {
        use_frame(frame, &options);
    }
    with_file(".npy", content, |path| {
        let _ = Signal::read_with(path, &options);
        let _ = windows.map(|windows| read(Some(windows), &[path.to_owned()], &options));
    });
}

/// Compressed files, `.gz` and `.zst`, of rows, logs and signals.
pub fn compressed(input: &[u8]) {
    let (options, _, content) = options(input);
    with_file(".gz", content, |path| {
        if let Ok(frame) = Frame::read_with(path, &options) {
            use_frame(frame, &options);
        }
        let _ = Signal::read_with(path, &options);
    });
}

/// Sounds in RIFF format, `.wav`, as raw signals.
pub fn sounds(input: &[u8]) {
    let (options, windows, content) = options(input);
    with_file(".wav", content, |path| {
        let _ = Signal::read_with(path, &options);
        let Some(Ok(frame)) = windows.map(|windows| read(Some(windows), &[path.to_owned()], &options)) else { return };
        use_frame(frame, &options);
    });
}

/// Logs of a serial port, which `surprisal collect` converts to CSV.
pub fn logs(input: &[u8]) {
    let path = Path::new("capture.log");
    let Ok(capture) = Capture::parse(path, &String::from_utf8_lossy(input)) else { return };
    let _ = capture.sessions();
    let _ = capture.csv(true);
    let Ok(csv) = capture.csv(false) else { return };
    // The rows are numbers under names, which `fit` reads next.
    let options = ReadOptions { header: Header::Yes, limits: LIMITS, ..ReadOptions::default() };
    if let Ok(frame) = Frame::from_bytes(path, csv.into_bytes(), &options) {
        use_frame(frame, &options);
    }
}

/// Schema files in TOML, applied to a small table of every kind of column.
pub fn schemas(input: &[u8]) {
    with_file(".toml", input, |path| {
        let Ok(overrides) = Overrides::read(path) else { return };
        let mut text = "real,whole,kind,flag,same\n".to_owned();
        for i in 0..40 {
            let kind = ["low", "mid", "Bad"][i / 5 % 3];
            writeln!(text, "{}.5,{},{kind},{},3", i * 7 % 40, i * i % 17, i / 4 % 2).expect("a text takes any line");
        }
        let options = ReadOptions { missing: overrides.codes(), limits: LIMITS, ..ReadOptions::default() };
        let Ok(frame) = Frame::from_bytes(Path::new("rows.csv"), text.into_bytes(), &options) else { return };
        let _ = Schema::describe(&frame, &[], &options.missing);
        let rows: Vec<usize> = (0..frame.rows()).collect();
        let settings = SchemaOptions { overrides, ..SchemaOptions::default() };
        if let Ok(schema) = Schema::find(&frame, &rows, &settings) {
            let _ = schema.warnings(&frame, &rows);
            let _ = schema.all_readings(&frame, &rows).and_then(|readings| schema.encode(&readings));
        }
    });
}
