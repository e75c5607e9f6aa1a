//! Checks that no input file exhausts time, memory or the stack: each kind of hostile file is refused with an error that
//! names the file and the limit.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::collect::Capture;
use surprisal_trainer::data::input::InputLimits;
use surprisal_trainer::data::{Frame, Header, ReadOptions, checksum};
use surprisal_trainer::history::History;
use surprisal_trainer::order;
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::schema::toml::{self, Overrides};
use surprisal_trainer::schema::{Schema, SchemaOptions};
use surprisal_trainer::windows::{self, Signal, Windows};

/// Time that a file of many columns may take in each step, in a test build on a slow machine.
const PATIENCE: Duration = Duration::from_secs(20);

const SMALL: InputLimits =
    InputLimits { bytes: 1 << 20, row_bytes: 1000, columns: 50, cells: 2000, ..InputLimits::DEFAULT };

fn within(limits: InputLimits) -> ReadOptions {
    ReadOptions { header: Header::No, limits, ..ReadOptions::default() }
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).expect("the folder can be written");
        self.path(name)
    }
}

/// Asserts that a result is an error that names the file and the words.
fn refused<T>(result: surprisal_trainer::Result<T>, path: &Path, words: &[&str]) {
    let Err(error) = result else { panic!("{}: not refused", path.display()) };
    let message = format!("{error:#}");
    assert!(message.starts_with(&format!("{}: ", path.display())), "{message}");
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message:?}");
    }
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    zip.write_all(content).and_then(|()| zip.finish()).expect("a vector takes any bytes")
}

/// The parser of headers reads nested values more than once, which took minutes for sixteen brackets.
#[test]
fn nested_headers_of_arrays_take_no_time() {
    let folder = Folder::new();
    let read = |header: &str| {
        let length = (header.len() as u16).to_le_bytes();
        let bytes = [b"\x93NUMPY\x01\x00", &length[..], header.as_bytes(), &[0; 64]].concat();
        let (path, begin) = (folder.write("nested.npy", bytes), Instant::now());
        let result = Frame::read(&path, Header::Auto);
        assert!(begin.elapsed() < PATIENCE, "{header:.60}");
        (result, path)
    };
    for open in ["{", "[", "(", "{[", "{'a':", "{'a':[(", "[1,(2,"] {
        for depth in 1..=16 {
            let (result, path) = read(&format!("{}{}", open.repeat(depth), " ".repeat(9_000)));
            refused(result, &path, &["not a .npy file"]);
        }
    }
    // Types with fields are still called by their names.
    let fields = "[('a', '<f4', (2,)), ('b', [('c', '<i2')])]";
    let (result, path) = read(&format!("{{'descr': {fields}, 'fortran_order': False, 'shape': (1,), }}"));
    refused(result, &path, &["numbers of type", "'c'"]);
}

#[test]
fn a_gzip_bomb_is_refused() {
    let folder = Folder::new();
    let limit = SMALL.bytes as usize;
    for (name, content) in [("zeros", vec![0; limit + 1]), ("rows", b"1\n".repeat(limit / 2 + 1))] {
        let path = folder.write(name, gzip(&content));
        assert!(path.metadata().expect("a file").len() < 10_000);
        refused(Frame::read_with(&path, &within(SMALL)), &path, &["more than 1 MiB after decompression"]);
        refused(Signal::read_with(&path, &within(SMALL)), &path, &["more than 1 MiB after decompression"]);
    }
    // A bomb within a bomb is text to the reader, and not decompressed again.
    let path = folder.write("nested", gzip(&gzip(&vec![b'1'; limit])));
    assert!(Frame::read_with(&path, &within(SMALL)).is_err());
}

#[test]
fn as_many_bytes_as_the_limit_are_read() {
    let folder = Folder::new();
    let limits = InputLimits { bytes: 400, ..SMALL };
    let path = folder.write("data.csv", "1\n".repeat(200));
    assert_eq!(Frame::read_with(&path, &within(limits)).expect("400 bytes").rows(), 200);
    let limits = InputLimits { bytes: 399, ..SMALL };
    refused(Frame::read_with(&path, &within(limits)), &path, &["more than 399 bytes"]);
}

#[cfg(unix)]
#[test]
fn a_device_is_refused_by_every_reader() {
    let folder = Folder::new();
    let npy = folder.path("zero.npy");
    std::os::unix::fs::symlink("/dev/zero", &npy).expect("a link");
    let zero = Path::new("/dev/zero");
    let words = &["is a device"];
    refused(Frame::read(zero, Header::Auto), zero, words);
    refused(Signal::read(zero, Header::Auto), zero, words);
    refused(Signal::read(&npy, Header::Auto), &npy, words);
    refused(Overrides::read(zero), zero, words);
    refused(order::from_file(&Schema::default(), zero), zero, words);
    refused(Artefact::read(zero), zero, words);
    refused(Capture::read(zero), zero, words);
}

#[cfg(unix)]
#[test]
fn an_endless_pipe_is_refused() {
    let folder = Folder::new();
    for name in ["pipe.csv", "pipe.npy"] {
        let path = folder.path(name);
        let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo runs");
        assert!(made.success());
        let pipe = path.clone();
        let writer = std::thread::spawn(move || {
            let mut pipe = std::fs::OpenOptions::new().write(true).open(pipe).expect("the reader opens the pipe");
            while pipe.write_all(&b"1\n".repeat(5000)).is_ok() {}
        });
        refused(Signal::read_with(&path, &within(SMALL)), &path, &["more than 1 MiB"]);
        writer.join().expect("the pipe is closed");
    }
}

#[test]
fn a_row_without_an_end_is_refused() {
    let folder = Folder::new();
    let path = folder.write("one_cell", "1".repeat(2000));
    refused(Frame::read_with(&path, &within(SMALL)), &path, &["line 1: a row of more than 1000 bytes"]);
    let path = folder.write("commas", ",".repeat(2000));
    refused(Frame::read_with(&path, &within(SMALL)), &path, &["2001 columns", "at most 50"]);
    // A quote without an end costs its line, and not the rest of the file.
    let path = folder.write("an_open_quote", format!("1\n2\n\"{}", "3\n".repeat(1000)));
    let refusal = Frame::read_with(&path, &within(InputLimits { cells: 5000, ..SMALL }));
    refused(refusal, &path, &["line 3: opens a quote that is not closed", "--skip-bad 1"]);
    // Neither does a row of quoted line breaks without an end.
    let path = folder.write("quoted_cells", format!("1,1\n{}", "\"\n\",".repeat(1000)));
    refused(Frame::read_with(&path, &within(SMALL)), &path, &["line 2: "]);
    // The limit is per row: many rows together may be longer.
    let path = folder.write("rows", format!("{}\n", "1".repeat(900)).repeat(20));
    assert_eq!(Frame::read_with(&path, &within(SMALL)).expect("short rows").rows(), 20);
}

#[test]
fn several_files_share_the_limits() {
    let folder = Folder::new();
    let file = |name: &str, rows: usize| folder.write(name, "1,2\n".repeat(rows));
    let (large, rest, more) = (file("large.csv", 700), file("rest.csv", 300), file("more.csv", 301));
    let read = |paths: &[&PathBuf], limits| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| (*path).clone()).collect();
        windows::read(None, &paths, &within(limits))
    };
    assert_eq!(read(&[&large, &rest], SMALL).expect("2000 cells").rows(), 1000);
    refused(read(&[&large, &more], SMALL), &more, &["more than 2000 cells", "all files together"]);
    refused(read(&[&large, &rest, &more], SMALL), &more, &["more than 2000 cells"]);
    let limits = InputLimits { bytes: 4000, cells: 10_000, ..SMALL };
    assert_eq!(read(&[&large, &rest], limits).expect("4000 bytes").rows(), 1000);
    let zipped = folder.write("more.csv.gz", gzip("1,2\n".repeat(301).as_bytes()));
    for path in [&more, &zipped] {
        refused(read(&[&large, path], limits), path, &["more than 4000 bytes", "all files together"]);
    }
}

#[test]
fn too_many_columns_or_cells_are_refused() {
    let folder = Folder::new();
    let path = folder.write("columns.csv", "1,".repeat(50) + "1\n");
    refused(Frame::read_with(&path, &within(SMALL)), &path, &["51 columns", "at most 50"]);
    let path = folder.write("cells.csv", "1,2\n".repeat(1001));
    refused(Frame::read_with(&path, &within(SMALL)), &path, &["more than 2000 cells (2 columns)"]);
    let path = folder.write("cells.csv", "1,2\n".repeat(1000));
    assert!(Frame::read_with(&path, &within(SMALL)).is_ok());
    // Overlapping windows make many cells of few samples. They are counted before they are computed.
    let path = folder.write("signal.csv", "1\n".repeat(1_100_000));
    let start = Instant::now();
    let windows = Windows::new(512, 1, 256, None).expect("long enough");
    refused(windows.frame(&path, &Header::No.into()), &path, &["more than 67108864 cells (262 columns)"]);
    assert!(start.elapsed() < PATIENCE);
}

/// Returns a .npy file with a header text and a number of bytes of samples.
fn npy(version: u8, header: &str, samples: usize) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + samples, 0);
    bytes
}

#[test]
fn a_npy_header_that_promises_too_much_is_refused() {
    let folder = Folder::new();
    let dictionary = |shape: &str| format!("{{'descr': '<i2', 'fortran_order': False, 'shape': {shape}, }}\n");
    let path = folder.write("good.npy", npy(1, &dictionary("(100,)"), 200));
    assert_eq!(Signal::read(&path, Header::Auto).expect("a signal").channels[0].1.len(), 100);
    for shape in [
        "(1000000000000,)",
        "(18446744073709551615,)",
        "(0, 1152921504606846976)",
        "(0, 70000)",
        "(4294967296, 4294967296, 0)",
        "(4294967296, 4294967296)",
        "(99999999999999999999999,)",
        "(-1,)",
        "(2, 2, 2)",
        "()",
    ] {
        let path = folder.write("bad.npy", npy(1, &dictionary(shape), 200));
        refused(Signal::read(&path, Header::Auto), &path, &[]);
    }
    // No channel and no sample is a signal without a window.
    let path = folder.write("none.npy", npy(1, &dictionary("(1152921504606846976, 0)"), 0));
    refused(
        Windows { window: 4, hop: 1, bands: 0, rate: None }.frame(&path, &Header::Auto.into()),
        &path,
        &["0 samples"],
    );
    for open in ["(", "[", "{1:", "[('a',", "{", "((1,),"] {
        for header in [open.repeat(9000 / open.len()), format!("{{'descr': {}", open.repeat(9000 / open.len()))] {
            for version in [1, 2, 3] {
                let path = folder.write("deep.npy", npy(version, &header, 0));
                refused(Signal::read(&path, Header::Auto), &path, &["not a .npy file"]);
            }
        }
    }
    let mut bytes = npy(2, "", 0);
    bytes[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    let path = folder.write("long.npy", bytes);
    refused(Signal::read(&path, Header::Auto), &path, &["not a .npy file"]);
}

#[test]
fn a_damaged_npy_file_never_panics() {
    let folder = Folder::new();
    let good = npy(1, "{'descr': '<i2', 'fortran_order': False, 'shape': (10, 2), }\n", 40);
    for at in 0..good.len() - 40 {
        for byte in [0, b'(', b'9', b'\'', 0xFF, good[at] ^ 1, good[at].wrapping_add(1)] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            let _ = Signal::read(&folder.write("bad.npy", bytes), Header::Auto);
        }
    }
    for length in 0..good.len() {
        let path = folder.write("bad.npy", &good[..length]);
        refused(Signal::read(&path, Header::Auto), &path, &[]);
    }
}

#[test]
fn a_deep_or_huge_schema_file_is_refused() {
    let folder = Folder::new();
    let deep = 200_000;
    for (name, text) in [
        ("arrays", "a = ".to_owned() + &"[".repeat(deep)),
        ("tables", "a = ".to_owned() + &"{a = ".repeat(deep)),
        ("key", "a.".repeat(deep) + "a = 1"),
        ("header", format!("[{}a]", "a.".repeat(deep))),
        ("columns", format!("[columns.{}a]\nkind = \"real\"", "a.".repeat(deep))),
        ("kind", format!("[columns.a]\nkind = {}", "[".repeat(deep))),
        ("headers", "[[a]]\n".repeat(deep)),
        ("quotes", "\"".repeat(deep)),
    ] {
        let path = folder.write(name, text);
        refused(Overrides::read(&path), &path, &[]);
    }
    let path = folder.write("huge", "#".repeat((16 << 20) + 1));
    refused(Overrides::read(&path), &path, &["more than 16 MiB"]);
    refused(order::from_file(&Schema::default(), &path), &path, &["more than 16 MiB"]);
    let path = folder.write("binary", [b'#', 0xFF]);
    refused(Overrides::read(&path), &path, &["UTF-8"]);
}

#[test]
fn deep_notes_of_a_model_are_refused() {
    let folder = Folder::new();
    let path = folder.write("data.csv", (0..60).map(|i| format!("{},{}\n", i % 2, i % 3 / 2)).collect::<String>());
    let (artefact, _) = run(&Job::new(&path)).expect("flags can be fitted");
    for notes in ["[".repeat(1 << 20), "{\"a\":".repeat(1 << 20), "{\"fit\":".to_owned() + &"[".repeat(1 << 20)] {
        let notes = notes.into_bytes();
        let head = [(notes.len() as u32).to_le_bytes(), checksum(&notes).to_le_bytes()].concat();
        let path = folder.write("bad.srp", [artefact.table_bytes(), &head, &notes].concat());
        refused(Artefact::read(&path), &path, &["fit again"]);
    }
}

/// A file of 60,000 columns: each step takes seconds at most, and a fit is refused.
#[test]
fn a_wide_file_is_handled_in_linear_time() {
    const WIDE: usize = 60_000;
    let folder = Folder::new();
    let row = |cell: &dyn Fn(usize) -> String| (0..WIDE).map(cell).collect::<Vec<_>>().join(",") + "\n";
    let name = |at: usize| format!("a rather long name of the column number {at}");
    let rows: String = (0..30).map(|k| row(&|at| ((k + at) % 2).to_string())).collect();
    let path = folder.write("wide.csv", row(&name) + &rows);
    let timed = |step: &str, work: &mut dyn FnMut()| {
        let start = Instant::now();
        work();
        assert!(start.elapsed() < PATIENCE, "{step}: {:?}", start.elapsed());
    };
    let mut frame = None;
    timed("read", &mut || frame = Some(Frame::read(&path, Header::Auto).expect("a table")));
    let frame = frame.expect("it was read");
    let every: Vec<usize> = (0..frame.rows()).collect();
    timed("duplicates", &mut || {
        let twice = folder.write("twice.csv", row(&|at| name(at % (WIDE - 1))));
        let twice = Frame::read(&twice, Header::Yes);
        assert!(twice.is_err(), "no rows");
    });
    timed("refuse", &mut || {
        refused(Schema::find(&frame, &every, &SchemaOptions::default()), &path, &["60000 columns", "at most 4095"]);
        refused(run(&Job::new(&path)).map(|_| ()), &path, &["60000 columns", "at most 4095"]);
        let job = Job { history: Some(History { window: 2, session: None }), ..Job::new(&path) };
        refused(run(&job).map(|_| ()), &path, &["60000 columns", "at most 4095"]);
    });
    let mut options = SchemaOptions::default();
    timed("ignore", &mut || {
        let toml: String = (4000..WIDE).map(|at| format!("[columns.\"{}\"]\nkind = \"ignore\"\n", name(at))).collect();
        let file = folder.write("wide.toml", toml);
        options.overrides = Overrides::read(&file).expect("a schema file");
        let schema = Schema::find(&frame, &every, &options).expect("4000 flags");
        assert_eq!(schema.columns.len(), 4000);
        assert_eq!(schema.all_readings(&frame, &every).expect("the same file").len(), 30);
        assert!(toml::write(&frame, &schema.columns).len() > WIDE);
    });
    timed("signal", &mut || {
        let windows = Windows::new(2, 2, 0, None).expect("long enough");
        refused(windows.frame(&path, &Header::Auto.into()), &path, &["360000 columns", "at most 65536"]);
    });
}

/// The time to fit a predictor grows with the fourth power of the number of numeric columns.
#[test]
fn a_time_series_of_too_many_numbers_is_refused() {
    let folder = Folder::new();
    let rows = (0..60).map(|k| (0..300).map(|at| ((7 * k + at) % 5).to_string()).collect::<Vec<_>>().join(",") + "\n");
    let path = folder.write("data.csv", rows.collect::<String>());
    let mut job = Job { history: Some(History { window: 2, session: None }), ..Job::new(&path) };
    job.keep_constant = true;
    refused(run(&job).map(|_| ()), &path, &["300 numeric columns", "at most 256"]);
}
