//! Notes of model files from strangers: whatever a field holds, reading the file is an error, or every operation works.

use std::path::Path;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::data::Header;
use surprisal_trainer::divergence::{SamplingSettings, models};
use surprisal_trainer::export::{c_source, rust_source};
use surprisal_trainer::history::History;
use surprisal_trainer::pipeline::{Job, run};
use surprisal_trainer::sample::sample;
use surprisal_trainer::table::cost::Cost;
use surprisal_trainer::windows::Windows;
use surprisal_trainer::{Error, with_shape};

/// A model file in parts, and the data that it was fitted on.
struct Base {
    table: Vec<u8>,
    notes: Value,
    data: tempfile::TempPath,
}

fn base(suffix: &str, data: &[u8], adapt: impl FnOnce(&mut Job)) -> Base {
    let file = tempfile::Builder::new().suffix(suffix).tempfile().unwrap();
    std::fs::write(file.path(), data).unwrap();
    let mut job = Job::new(file.path());
    adapt(&mut job);
    let (artefact, _) = run(&job).expect("the data can be fitted");
    let notes = serde_json::to_value(&artefact.notes).unwrap();
    Base { table: artefact.table_bytes().to_vec(), notes, data: file.into_temp_path() }
}

/// Rows of numbers, flags, categories and missing cells, with a label.
fn rows(extra: &str) -> String {
    let row = |i: usize| {
        let (level, mode) = (i * 7 % 40, ["low", "mid", "high"][i / 9 % 3]);
        let gap = if i.is_multiple_of(11) { String::new() } else { (i * 3 % 50).to_string() };
        format!("{level}.5,{},{mode},{gap},{}{extra}\n", i / 4 % 2, u8::from(i.is_multiple_of(97)))
    };
    format!("level,on,mode,gap,fault{}\n", extra.replace('7', "unused")) + &(0..600).map(row).collect::<String>()
}

fn bases() -> Vec<Base> {
    let label = |job: &mut Job| job.label = Some(("fault".into(), "0".into()));
    let signal: String = (0..6000).map(|t| format!("{}\n", (t * t % 977) as f64 / 9.0)).collect();
    vec![
        base(".csv", rows(",7").as_bytes(), |job| {
            label(job);
            job.ignore.push("unused".into());
        }),
        base(".csv", rows("").as_bytes(), |job| {
            label(job);
            job.history = Some(History { window: 3, session: None });
        }),
        base(".csv", format!("across\n{signal}").as_bytes(), |job| {
            job.signal = Some(Windows::new(64, 32, 4, Some(400.0)).unwrap());
        }),
    ]
}

/// Writes table and notes as a file with a valid checksum.
fn file(table: &[u8], notes: &[u8]) -> tempfile::TempPath {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(notes);
    let file = tempfile::Builder::new().suffix(".srp").tempfile().unwrap();
    let bytes = [table, &(notes.len() as u32).to_le_bytes(), &crc.to_le_bytes(), notes].concat();
    std::fs::write(file.path(), bytes).unwrap();
    file.into_temp_path()
}

/// Runs every operation of the host on a model. Errors are fine, panics are not.
fn use_everything(artefact: &Artefact, data: &Path) {
    let _ = rust_source(artefact);
    let _ = artefact.notes.fit.summary();
    let _ = with_shape!(artefact.shape, N, H, K => artefact.table::<N, H, K>().map(|table| Cost::of(&table)));
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let _ = sample(artefact, 5, &mut random, |_| Ok::<(), Error>(()));
    let _ = models(artefact, artefact, &SamplingSettings { rows: 20, pairs: 8, seed: 0 });
    if let Ok(frame) = artefact.frame(data, Header::Yes) {
        let rows: Vec<usize> = (0..frame.rows()).collect();
        let readings = artefact.schema.all_readings(&frame, &rows);
        let _ = readings.and_then(|readings| artefact.scores(&readings));
        let _ = artefact.held_out(&frame);
    }
}

/// Every path to a value within the notes, the objects and lists on the way included.
fn paths(value: &Value, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    found.push(at.clone());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().take(3).enumerate().map(|(k, value)| (k.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        at.push(name);
        paths(child, at, found);
        at.pop();
    }
}

/// The value as it is, smaller, larger, of other types, absent.
fn mutations(value: &Value) -> Vec<Option<Value>> {
    let huge = json!(u64::MAX);
    let mut all = vec![None];
    all.extend([json!(null), json!(0), json!(-1), json!(1), json!(2147483648_u64), huge, json!(1e300)].map(Some));
    all.extend([json!(0.5), json!(""), json!("\u{1b}[2J\n"), json!([]), json!({}), json!(true)].map(Some));
    all.extend(
        [json!([0, 0, 0, 0]), json!(["a", "a"]), json!([[0, ["x"]], [0, []]]), json!([9, 9.5, -3, 1])].map(Some),
    );
    all.extend(
        [json!({ "window": 4097 }), json!({ "window": 0 }), json!({ "window": 1, "hop": 0, "bands": 65535 })].map(Some),
    );
    if let Value::Array(items) = value {
        all.push(Some(items.iter().skip(1).cloned().collect()));
        all.push(Some(items.iter().chain(items).cloned().collect()));
        all.push(Some(items.iter().rev().cloned().collect()));
    }
    if let Some(number) = value.as_u64() {
        all.extend([number + 1, number.saturating_sub(1), 2 * number].map(|number| Some(json!(number))));
    }
    all
}

/// Replaces the value at a path, or removes it.
fn set(notes: &mut Value, path: &[String], new: Option<Value>) {
    let Some((last, parents)) = path.split_last() else {
        *notes = new.unwrap_or(Value::Null);
        return;
    };
    let pointer: String = parents.iter().map(|name| format!("/{name}")).collect();
    match (notes.pointer_mut(&pointer), new) {
        (Some(Value::Object(fields)), Some(new)) => _ = fields.insert(last.clone(), new),
        (Some(Value::Object(fields)), None) => _ = fields.remove(last),
        (Some(Value::Array(items)), Some(new)) => items[last.parse::<usize>().unwrap()] = new,
        (Some(Value::Array(items)), None) => _ = items.remove(last.parse().unwrap()),
        _ => {}
    }
}

#[test]
fn every_field_of_the_notes_may_hold_anything() {
    for Base { table, mut notes, data } in bases() {
        // Fields that are optional are mutated as well.
        for (field, value) in [("left_out", json!([])), ("labels", json!([])), ("names", json!([]))] {
            let fields = notes.as_object_mut().unwrap();
            fields.entry(field).or_insert(value);
        }
        for field in ["gamma", "strength", "terms", "split", "history", "signal"] {
            notes["fit"].as_object_mut().unwrap().entry(field).or_insert(Value::Null);
        }
        let mut found = Vec::new();
        paths(&notes, &mut Vec::new(), &mut found);
        let (mut refused, mut used) = (0, 0);
        for path in found {
            let pointer: String = path.iter().map(|name| format!("/{name}")).collect();
            for new in mutations(notes.pointer(&pointer).unwrap()) {
                let mut changed = notes.clone();
                set(&mut changed, &path, new);
                let file = file(&table, &serde_json::to_vec(&changed).unwrap());
                match Artefact::read(&file) {
                    Ok(artefact) => {
                        used += 1;
                        use_everything(&artefact, &data);
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(matches!(error, Error::Model { .. }), "{changed}: {error:?}");
                    }
                }
            }
        }
        assert!(refused > 100 && used > 20, "{refused} refused, {used} used");
    }
}

/// The table itself may belong to other notes: every pair of a table and notes is refused or works.
#[test]
fn notes_of_another_model_are_refused_or_work() {
    let bases = bases();
    for Base { table, .. } in &bases {
        for Base { notes, data, .. } in &bases {
            let file = file(table, &serde_json::to_vec(notes).unwrap());
            if let Ok(artefact) = Artefact::read(&file) {
                use_everything(&artefact, data);
            }
        }
    }
}

#[test]
fn notes_of_any_length_and_depth_are_refused() {
    let Base { table, .. } = bases().swap_remove(0);
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let (names, nested) = (json!({ "columns": 3, "names": vec!["x"; 100_000], "fit": {} }), "{\"a\":".repeat(50_000));
    for notes in ["", "{}", "null", &deep, &nested, &names.to_string(), "\u{0}\u{0}"] {
        let file = file(&table, notes.as_bytes());
        assert!(matches!(Artefact::read(&file), Err(Error::Model { .. })), "{:.40}", notes);
    }
    let whole = std::fs::read(file(&table, b"{}")).unwrap();
    for length in [table.len(), table.len() + 3, table.len() + 8, whole.len() - 1] {
        let cut = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(cut.path(), &whole[..length]).unwrap();
        assert!(matches!(Artefact::read(cut.path()), Err(Error::Model { .. })), "{length} bytes");
    }
}

/// Every path to a text within the notes.
fn texts(notes: &Value) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    paths(notes, &mut Vec::new(), &mut found);
    let pointer = |path: &[String]| path.iter().map(|name| format!("/{name}")).collect::<String>();
    found.into_iter().filter(|path| notes.pointer(&pointer(path)).is_some_and(Value::is_string)).collect()
}

/// Exported source holds texts of the notes in comments and string literals only, and in names as letters and digits.
#[test]
fn no_text_of_the_notes_becomes_code() {
    const EVIL: &str = "0.1\npub fn evil() {}\r\"]; pub fn evil() {} // \u{2028}*/\\\u{202e}";
    // The name of the field whose column has the text as its name.
    const NAME: &str = "n0_1_pub_fn_evil_pub_fn_evil";
    let mut exported = 0;
    for Base { table, mut notes, .. } in bases() {
        notes["fit"]["terms"] = json!("linear-trees");
        for path in texts(&notes) {
            let mut changed = notes.clone();
            set(&mut changed, &path, Some(json!(EVIL)));
            let Ok(artefact) = Artefact::read(&file(&table, &serde_json::to_vec(&changed).unwrap())) else { continue };
            let source = rust_source(&artefact).unwrap();
            assert!(!source.contains(['\r', '\u{2028}', '\u{202e}']), "{path:?}");
            for line in source.lines().filter(|line| line.contains("evil")) {
                let line = &line.replace(NAME, "name").replace("N01PubFnEvilPubFnEvil", "Name");
                let (code, _) = line.trim_start().split_once("//").unwrap_or((line, ""));
                let literal = line.trim_start().strip_prefix(&format!("{EVIL:?},"));
                assert!(code.is_empty() || literal.is_some() || !code.contains("evil"), "{path:?}: {line}");
            }
            exported += 1;
        }
    }
    assert!(exported > 10, "{exported}");
}

/// Returns C source with a space in place of each comment and each string.
fn code_of_c(source: &str) -> String {
    let (mut code, mut rest) = (String::new(), source);
    while let Some(at) = rest.find(['/', '"']) {
        let (before, from) = rest.split_at(at);
        code += before;
        rest = if let Some(comment) = from.strip_prefix("/*") {
            code.push(' ');
            comment.split_once("*/").expect("a comment ends").1
        } else if let Some(mut string) = from.strip_prefix('"') {
            code.push(' ');
            while !string.starts_with('"') {
                assert!(!string.starts_with('\n'), "a string ends in its line");
                string = &string[if string.starts_with('\\') { 2 } else { 1 }..];
            }
            &string[1..]
        } else {
            code.push('/');
            &from[1..]
        };
    }
    code + rest
}

/// An exported header holds texts of the notes in comments and strings only, and in names as letters and digits.
#[test]
fn no_text_of_the_notes_becomes_c_code() {
    let mut exported = 0;
    let ends = ["*/", "*\\", "*\"", "*\n", "*\t", "\"", "*/\\\u{202e}", "*/*", "\\\n", "*??/"];
    for (Base { table, mut notes, .. }, end) in
        ends.iter().flat_map(|end| bases().into_iter().map(move |base| (base, end)))
    {
        notes["fit"]["terms"] = json!("linear-trees");
        for path in texts(&notes) {
            let mut changed = notes.clone();
            set(&mut changed, &path, Some(json!(format!("a{end}; int evil; /* {end} */ int evil; //"))));
            let Ok(artefact) = Artefact::read(&file(&table, &serde_json::to_vec(&changed).unwrap())) else { continue };
            let Ok(header) = c_source(&artefact, "pump") else { continue };
            assert!(!header.contains(['\r', '\u{2028}', '\u{202e}']), "{path:?} {end:?}");
            let code = code_of_c(&header);
            let mut words = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            assert!(!words.any(|word| word == "evil"), "{path:?} {end:?}: {code}");
            exported += 1;
        }
    }
    assert!(exported > 10, "{exported}");
}
