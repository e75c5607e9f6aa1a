//! The first inputs of every target: small valid files of each kind, all computed here.

use std::fs;
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use surprisal::UpdateHeader;
use surprisal_trainer::data::checksum;
use surprisal_trainer::fit::Family;
use surprisal_trainer::history::History;
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::windows::Windows;

use super::OPTION_BYTES;
use super::tables::READING_BYTES;

/// Options of a file that is recognised as it is.
const PLAIN: [u8; OPTION_BYTES] = [0; OPTION_BYTES];
/// Options of a signal in windows of six samples with two bands.
const SIGNAL: [u8; OPTION_BYTES] = [0, 0, 1, 0x42];

/// The names of all targets that need no feature.
pub const TARGETS: [&str; 10] =
    ["rows", "arrays", "compressed", "sounds", "logs", "schemas", "models", "tables", "updates", "packets"];

/// Returns small valid inputs of a target, none for other names.
pub fn of(target: &str) -> Vec<Vec<u8>> {
    let with = |options: [u8; OPTION_BYTES], content: &[u8]| [&options[..], content].concat();
    match target {
        "rows" => rows(),
        "arrays" => arrays(|array| {
            [with(PLAIN, array), with(SIGNAL, array), with(PLAIN, &zip(&[("a.npy", array), ("b.npy", array)]))].to_vec()
        }),
        "compressed" => {
            let texts = texts().into_iter().flat_map(|text| [gzip(text.as_bytes()), zstandard(text.as_bytes())]);
            let texts = texts.map(|file| with(PLAIN, &file));
            texts.chain(arrays(|array| vec![with(PLAIN, &gzip(array))])).collect()
        }
        "sounds" => {
            let forms = [(1, 1, 16), (1, 2, 8), (1, 1, 24), (3, 1, 32)];
            forms.map(|(format, channels, bits)| with(SIGNAL, &wav(format, channels, bits))).to_vec()
        }
        "logs" => logs().into_iter().map(String::into_bytes).collect(),
        "schemas" => schemas().into_iter().map(String::into_bytes).collect(),
        "models" => {
            let fitted = jobs().into_iter().map(|job| run(&job).expect("the rows can be fitted").0);
            fitted.map(|artefact| artefact.file_bytes()).collect()
        }
        "tables" => GOLDEN.map(|file| [&[0; READING_BYTES][..], table_of(file)].concat()).to_vec(),
        "updates" => {
            let header = |table: &[u8]| UpdateHeader { signature: [0; 64], release: 1, length: table.len() as u32 };
            GOLDEN.map(table_of).map(|table| [&[47], &header(table).to_bytes()[..], table].concat()).to_vec()
        }
        "packets" => {
            let payload = |at: u8| (0..9 * u32::from(at)).map(|i| (i * 37 % 251) as u8).collect::<Vec<_>>();
            (0..16).map(|at| [&[at, 1 + at % 5, 0, 2, 255, 7][..], &payload(at)].concat()).collect()
        }
        #[cfg(feature = "parquet")]
        "parquet" => super::parquet::tables().iter().map(|table| with(PLAIN, table)).collect(),
        _ => Vec::new(),
    }
}

/// Golden tables of bits, with a hidden layer, of a mixture, of a series and of views.
const GOLDEN: [&[u8]; 5] = [
    include_bytes!("../../tests/golden/shuttle.srp"),
    include_bytes!("../../tests/golden/flagship.srp"),
    include_bytes!("../../tests/golden/mixture.srp"),
    include_bytes!("../../tests/golden/stream.srp"),
    include_bytes!("../../tests/golden/views.srp"),
];

/// Returns a file without its notes.
fn table_of(file: &[u8]) -> &[u8] {
    let length = file[8..12].iter().rev().fold(0, |word, byte| word << 8 | usize::from(*byte));
    &file[..length]
}

/// Returns texts as they are, and with other options: no header, a separator, missing codes and bad lines.
fn rows() -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (at, text) in texts().into_iter().enumerate() {
        inputs.push([&PLAIN[..], text.as_bytes()].concat());
        inputs.push([&[1 + (at as u8 % 5) * 4, 0x20, 0x3f, 0][..], text.as_bytes()].concat());
    }
    let wide: Vec<u8> = "x;y\n1,5;2\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    inputs.push([&PLAIN[..], &[0xff, 0xfe], &wide].concat());
    inputs.push([&PLAIN[..], b"Temp \xb0C,y\n1,2\n3,4\n"].concat());
    inputs
}

/// Returns what `inputs` makes of small arrays of each type.
fn arrays(inputs: impl Fn(&[u8]) -> Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let forms = [
        ("<f4", "(24, 2)", 4),
        ("<i2", "(48,)", 2),
        ("|u1", "(6, 8)", 1),
        ("<f8", "(12, 3)", 8),
        ("|b1", "(32, 1)", 1),
    ];
    let array = |(dtype, shape, size): (&str, &str, usize)| {
        npy(dtype, shape, &(0..96 * size).map(|i| (i * 7 % 61) as u8).collect::<Vec<_>>())
    };
    forms.into_iter().flat_map(|form| inputs(&array(form))).collect()
}

/// Returns rows in the dialects of loggers, spreadsheets and instruments.
fn texts() -> Vec<String> {
    let rows = |row: &dyn Fn(usize) -> String| (0..12).map(row).collect::<String>();
    vec![
        "a,b,fault\n".to_owned() + &rows(&|i| format!("{}.5,{},{}\n", i * 7 % 5, i % 2, i / 11)),
        "Zeit;Druck;Ort\r\n".to_owned() + &rows(&|i| format!("{};1.23{i},5;Halle {}\r\n", i % 4, i % 3)),
        "sep=;\nx;y\n".to_owned() + &rows(&|i| format!("{i};-999\n")),
        "# station 4\n# x y\n".to_owned() + &rows(&|i| format!("  {i}   {}e-3\n", i * i)),
        "TOA5,CR1000\nTIMESTAMP,RECORD,V\nTS,RN,Volts\n,,Avg\n".to_owned()
            + &rows(&|i| format!("\"2024-01-01 00:{i:02}:00\",{i},\"NAN\"\n")),
        "x\ty\n".to_owned() + &rows(&|i| format!("{i} V\t{}%\n", i * 3)) + "x\ty\n1 V\t2%\n",
        "t|u\n".to_owned() + &rows(&|i| format!("1'000'{i:03}|0x{i:02X}\n")),
        "a,b\n1,2\n3\n4,5,6\n\"open,7\n\0\0\0\0\n#N/A,1.#QNAN\nBad,inf\n8".to_owned(),
        rows(&|i| format!("−{i},{}D+02,,true,\"say \"\"{i}\"\"\"\n", i % 7)),
    ]
}

fn logs() -> Vec<String> {
    let rows = |row: &dyn Fn(usize) -> String| (0..6).map(row).collect::<String>();
    vec![
        "surprisal: x,y\n".to_owned() + &rows(&|i| format!("0.{i} INFO surprisal: {i},{} (main.rs:9)\n", i * i)),
        rows(&|i| format!("12:01:0{i}.250 -> temp:{i},press:10{i}\n")),
        "boot\nx;y\n".to_owned() + &rows(&|i| format!("\u{1b}[32m{i};nan\u{1b}[0m\n")) + "x;y\n1;2\n3",
        rows(&|i| format!("{i}\t-{i}.5e3\n")),
    ]
}

fn schemas() -> Vec<String> {
    let column = |name: &str, keys: &str| format!("[columns.{name}]\n{keys}\n");
    vec![
        "missing_codes = [\"-999\", \"Bad\"]\n".to_owned()
            + &column("real", "kind = \"real\"\ncells = 8\nmissing = true")
            + &column("\"whole\"", "kind = \"category\"\nmissing_codes = [\"3\"]"),
        column("kind", "kind = \"category\"") + &column("flag", "kind = \"flag\"") + &column("same", "keep = true"),
        column("same", "kind = \"ignore\"") + &column("whole", "kind = \"integer\"\ncells = 256"),
        "columns = { same = { keep = true }, real = { kind = 'integer' } }\n".to_owned(),
    ]
}

/// Returns jobs that fit small models of every family, of a time series and of a signal.
fn jobs() -> Vec<Job> {
    let folder = std::env::temp_dir();
    let row = |i: usize| {
        let (level, mode) = (i * 7 % 40, ["low", "mid", "high"][i / 9 % 3]);
        let gap = if i.is_multiple_of(11) { String::new() } else { (i * 3 % 50).to_string() };
        format!("{level}.5,{},{mode},{gap},{}\n", i / 4 % 2, u8::from(i.is_multiple_of(97)))
    };
    let rows = folder.join("surprisal-fuzz-rows.csv");
    let text = "level,on,mode,gap,fault\n".to_owned() + &(0..600).map(row).collect::<String>();
    fs::write(&rows, text).expect("the folder for temporary files can be written to");
    let signal = folder.join("surprisal-fuzz-signal.csv");
    let text: String = (0..6000).map(|t| format!("{}\n", (t * t % 977) as f64 / 9.0)).collect();
    fs::write(&signal, format!("across\n{text}")).expect("the folder for temporary files can be written to");
    let labelled = || {
        let mut job = Job::new(&rows);
        (job.label, job.cells) = (Some(("fault".into(), "0".into())), Some(6));
        job
    };
    // The hidden layer takes longest, so that it comes last.
    let families = [Family::LinearTrees, Family::Tables, Family::Mixture, Family::Tree, Family::LinearTreesHidden];
    let mut jobs: Vec<Job> = families
        .into_iter()
        .map(|family| {
            let mut job = labelled();
            job.choices.family = family;
            if family == Family::LinearTreesHidden {
                (job.choices.layer.units, job.choices.layer.restarts) = (Some(4), Some(1));
            }
            job
        })
        .collect();
    let mut series = labelled();
    series.history = Some(History { window: 3, session: None });
    let mut sound = Job::new(&signal);
    sound.signal = Windows::new(64, 32, 4, Some(400.0)).ok();
    jobs.splice(0..0, [series, sound]);
    jobs
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("a vector takes any bytes")
}

/// Returns a Zstandard frame with one block that is stored as it is, and one block that repeats a byte.
fn zstandard(bytes: &[u8]) -> Vec<u8> {
    let block = |last: usize, kind: usize, size: usize| ((size << 3 | kind << 1 | last) as u32).to_le_bytes();
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend((bytes.len() as u32 + 4).to_le_bytes());
    frame.extend(&block(0, 0, bytes.len())[..3]);
    frame.extend(bytes);
    frame.extend(&block(1, 1, 4)[..3]);
    frame.push(b'\n');
    frame
}

fn npy(dtype: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    let length = (header.len() as u16).to_le_bytes();
    let size: usize = dtype[2..].parse().expect("a type ends in its size");
    let count: usize =
        shape.split(|c: char| !c.is_ascii_digit()).filter_map(|axis| axis.parse::<usize>().ok()).product();
    [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &data[..count * size]].concat()
}

/// Returns a ZIP archive whose files are stored as they are.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut archive, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in files {
        let size = (bytes.len() as u32).to_le_bytes();
        let common = [
            &[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            &checksum(bytes).to_le_bytes(),
            &size,
            &size,
            &(name.len() as u16).to_le_bytes(),
            &[0, 0],
        ]
        .concat();
        let offset = (archive.len() as u32).to_le_bytes();
        directory.extend([b"PK\x01\x02\x14\x00", &common[..], &[0; 10], &offset, name.as_bytes()].concat());
        archive.extend([b"PK\x03\x04", &common[..], name.as_bytes(), bytes].concat());
    }
    let (count, size) = ((files.len() as u16).to_le_bytes(), (directory.len() as u32).to_le_bytes());
    let offset = (archive.len() as u32).to_le_bytes();
    archive.extend(&directory);
    archive.extend([b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &offset, &[0, 0]].concat());
    archive
}

/// Returns a sound of 64 samples. `format` is 1 for whole numbers and 3 for real numbers.
fn wav(format: u16, channels: u16, bits: u16) -> Vec<u8> {
    let frame = channels * bits / 8;
    let data: Vec<u8> = (0..64 * usize::from(frame)).map(|i| (i * 13 % 64) as u8).collect();
    let rate = 8000_u32;
    let chunk = [
        &format.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate.to_le_bytes(),
        &(rate * u32::from(frame)).to_le_bytes(),
        &frame.to_le_bytes(),
        &bits.to_le_bytes(),
    ]
    .concat();
    let size = (data.len() as u32).to_le_bytes();
    let all = (36 + data.len() as u32).to_le_bytes();
    [b"RIFF", &all[..], b"WAVEfmt \x10\0\0\0", &chunk, b"data", &size, &data].concat()
}
