//! `fit --like`: a new fit keeps the columns, kinds and codes of an earlier model, and so its fingerprint.

use std::fmt::Write as _;

use rand::RngExt;
use surprisal::{Fingerprint, Table, TableError, ViewTable};
use surprisal_trainer::artefact::Artefact;
use surprisal_trainer::golden::fingerprint;

use super::data::{Folder, random};

/// A family of tables, and one of bits.
const FAMILIES: [&str; 2] = ["--family tables", "--family linear --order natural --strength 5 --cells 8"];

/// Rows of a machine in these modes, whose codes `kinds` are numbers. Its level is at most `most`.
fn machine(modes: &[&str], kinds: &[i32], most: i32, seed: u64) -> String {
    let mut random = random(seed);
    let mut text = String::from("mode,heat,level,door,program\n");
    for _ in 0..400 {
        let mode = random.random_range(0..modes.len());
        let heat = 20.25 + 15.0 * mode as f64 + 8.0 * random.random::<f64>();
        let (level, door) = (random.random_range(0..=most), u8::from(random.random_bool(0.3)));
        let program = kinds[random.random_range(0..kinds.len())];
        writeln!(text, "{},{heat:.3},{level},{door},{program}", modes[mode]).expect("a string takes all");
    }
    text
}

/// Returns the rows with their columns in another order, and a column more.
fn turned(text: &str) -> String {
    let mut turned = String::new();
    for (row, line) in text.lines().enumerate() {
        let mut cells: Vec<&str> = line.split(',').collect();
        cells.reverse();
        let more = if row == 0 { "extra".to_owned() } else { (row * 7 % 11).to_string() };
        cells.insert(2, &more);
        writeln!(turned, "{}", cells.join(",")).expect("a string takes all");
    }
    turned
}

/// A folder with an old model of the modes idle, half and full, and programs 3, 7 and 12.
fn with_old(family: &str) -> Folder {
    let folder = Folder::new();
    folder.write("kinds.toml", "[columns.program]\nkind = \"category\"\n");
    folder.write("old.csv", machine(&["full", "half", "idle"], &[12, 7, 3], 9, 1));
    folder.text(&format!("fit old.csv --schema kinds.toml -o old.srp {family}"));
    folder
}

fn read(folder: &Folder, name: &str) -> Artefact {
    Artefact::read(&folder.path(name)).expect("a model file")
}

/// Returns (code, text) of the values of a category.
fn codes(artefact: &Artefact, column: &str) -> Vec<(i32, String)> {
    let found = artefact.schema.columns.iter().find(|encoding| artefact.schema.name(encoding) == column);
    found.expect("a column").codes().map(|(code, text)| (code, text.to_owned())).collect()
}

/// Returns whether firmware that expects a fingerprint takes the table.
fn opened(artefact: &Artefact, expected: Fingerprint) -> Result<(), TableError> {
    match artefact.shape.views {
        0 => Table::<256>::from_bytes(artefact.table_bytes(), expected).map(|_| ()),
        1 => ViewTable::<8, 1>::from_bytes(artefact.table_bytes(), expected).map(|_| ()),
        _ => ViewTable::<8, 2>::from_bytes(artefact.table_bytes(), expected).map(|_| ()),
    }
}

/// Returns the exported types of a row.
fn exported(folder: &Folder, model: &str) -> String {
    folder.text(&format!("export {model} -o row.rs"));
    let text = String::from_utf8(folder.read("row.rs")).expect("source is text");
    std::fs::remove_file(folder.path("row.rs")).expect("the file is there");
    let (start, end) = (text.find("/// Identifies the columns").unwrap(), text.find("#[rustfmt::skip]").unwrap());
    text[start..end].to_owned()
}

#[test]
fn a_new_fit_keeps_the_fingerprint_and_the_row() {
    for family in FAMILIES {
        let folder = with_old(family);
        // Idle is absent, full is rarer, the level is 0 or 1, the columns are in another order, and one is new.
        folder.write("new.csv", turned(&machine(&["half", "half", "full"], &[3, 3, 7], 1, 2)));
        let old = read(&folder, "old.srp");
        let expected = fingerprint(&old.schema);
        let text = folder.text(&format!("fit new.csv --like old.srp -o new.srp {family}"));
        assert!(text.contains(&format!("fingerprint {:08x}, as old.srp", expected.get())), "{text}");
        let new = read(&folder, "new.srp");
        assert_eq!(fingerprint(&new.schema), expected, "{family}");
        assert_eq!((codes(&new, "mode"), codes(&new, "program")), (codes(&old, "mode"), codes(&old, "program")));
        assert_eq!(exported(&folder, "new.srp"), exported(&folder, "old.srp"), "{family}");
        assert_eq!(opened(&new, expected), Ok(()), "{family}");
        // The rows are scored by the names of their columns.
        folder.text("score new.srp new.csv -o scores.csv");
        folder.text("score new.srp old.csv -o scores.csv");
        let report = folder.json(&format!("fit new.csv --like old.srp -o again.srp {family}"));
        assert_eq!(report["fingerprint"], format!("{:08x}", expected.get()));
        let warnings = report["warnings"].to_string();
        assert!(warnings.contains("old.srp does not have them: `extra`"), "{warnings}");
        // Without the option, the kinds and codes are those of the new rows.
        folder.text(&format!("fit new.csv -o other.srp {family}"));
        let other = opened(&read(&folder, "other.srp"), expected);
        assert!(matches!(other, Err(TableError::Fingerprint { .. })), "{other:?}");
    }
}

#[test]
fn a_new_category_gets_the_next_code_and_another_fingerprint() {
    for family in FAMILIES {
        let folder = with_old(family);
        folder.write("new.csv", machine(&["idle", "boost", "half", "full", "idle"], &[3, 5, 7], 9, 3));
        let old = read(&folder, "old.srp");
        let expected = fingerprint(&old.schema);
        let text = folder.text(&format!("fit new.csv --like old.srp -o new.srp {family}"));
        for words in ["column mode has the new category \"boost\"", "column program has the new code 5", "refuses this"]
        {
            assert!(text.contains(words), "no {words:?} in {text}");
        }
        let new = read(&folder, "new.srp");
        assert_eq!(codes(&new, "mode")[..3], codes(&old, "mode"));
        assert_eq!(codes(&new, "mode")[3], (3, "boost".to_owned()));
        assert_eq!(codes(&new, "program").iter().map(|(code, _)| *code).collect::<Vec<_>>(), [3, 5, 7, 12]);
        assert_ne!(fingerprint(&new.schema), expected);
        // Both models score the new rows, and the new one knows them better.
        let report = folder.json("compare old.srp new.srp new.csv");
        let advantage = report["on_normal_data"]["ln_a_b"]["value"].as_f64().expect("a number");
        assert!(advantage < -0.5, "{family}: {report}");
        assert!(matches!(opened(&new, expected), Err(TableError::Fingerprint { .. })), "{family}");
        assert_eq!(opened(&new, fingerprint(&new.schema)), Ok(()), "{family}");
        // A further fit like the new model keeps its codes.
        folder.text(&format!("fit old.csv --like new.srp -o third.srp {family}"));
        assert_eq!(fingerprint(&read(&folder, "third.srp").schema), fingerprint(&new.schema));
    }
}

#[test]
fn columns_that_cannot_be_kept_are_named() {
    let folder = with_old(FAMILIES[1]);
    let new = machine(&["idle", "half", "full"], &[3, 7, 12], 9, 4);
    let command = |more: &str| format!("fit new.csv --like old.srp -o new.srp {} {more}", FAMILIES[1]);
    folder.write("new.csv", new.replacen("heat,level", "warmth,level", 1));
    folder.refuses(&command(""), &["no column `heat`, which old.srp models"]);
    folder.write("new.csv", &new);
    folder.refuses(&command("--ignore heat"), &["leave out column `heat`", "old.srp"]);
    folder.refuses(&command("--window 3"), &["old.srp is a model of rows", "--window"]);
    folder.write("other.toml", "[columns.mode]\nkind = \"real\"\n");
    folder.refuses(&command("--schema other.toml"), &["column `mode` another kind than old.srp has"]);
    // A text where the old model has numbers, codes or flags.
    let with = |place: usize, text: &str| {
        let mut lines: Vec<String> = new.lines().map(str::to_owned).collect();
        let mut cells: Vec<String> = lines[9].split(',').map(str::to_owned).collect();
        cells[place] = text.to_owned();
        lines[9] = cells.join(",");
        lines.join("\n") + "\n"
    };
    let cases = [
        (1, "warm", "column `heat`"),
        (2, "1.5", "column `level`"),
        (3, "2", "column `door`"),
        (4, "eco", "column `program`"),
    ];
    for (place, text, column) in cases {
        folder.write("new.csv", with(place, text));
        folder.refuses(&command(""), &[column, "line 10", &format!("`{text}`")]);
    }
    // Rows are kept from a fit as normal ones only if the label is known.
    folder.write("old.csv", super::mixed(300, 20, 5));
    folder.text(&format!("fit old.csv --label label -o labelled.srp {}", FAMILIES[1]));
    folder.refuses(&format!("fit old.csv --like labelled.srp -o new.srp {}", FAMILIES[1]), &["pass --label label"]);
}

#[test]
fn a_time_series_keeps_its_columns() {
    let folder = Folder::new();
    let family = "--window 2 --family linear --order natural --strength 5 --cells 8";
    folder.write("old.csv", machine(&["full", "half", "idle"], &[12, 7, 3], 9, 1));
    folder.write("new.csv", turned(&machine(&["half", "half", "full"], &[12, 7, 3], 1, 2)));
    folder.text(&format!("fit old.csv -o old.srp {family}"));
    let text = folder.text(&format!("fit new.csv --like old.srp -o new.srp {family}"));
    assert!(text.contains(", as old.srp"), "{text}");
    assert_eq!(exported(&folder, "new.srp"), exported(&folder, "old.srp"));
}
