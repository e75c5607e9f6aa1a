//! Control characters from files: escaped in every text and in JSON, exact in CSV.

use crate::QUICK;
use crate::data::{Folder, mixed};

/// A title change, a colour, a bell, a C1 escape, a right-to-left override and a line break.
const HOSTILE: &str = "a\u{1b}]0t\u{7}\u{1b}[31mb\u{9b}1m\u{202e}c\nd";

fn is_clean(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    !text.chars().any(|character| character.is_control() && character != '\n' || character == '\u{202e}')
}

/// Rows with a column and a category of hostile names.
fn with_model() -> Folder {
    let folder = Folder::new();
    let quoted = format!("\"{HOSTILE}\"");
    let csv = mixed(400, 20, 1).replacen("heat", &quoted, 1).replace("idle", &quoted);
    folder.write("data.csv", csv);
    folder.text(&format!("fit data.csv --label label {QUICK} -o model.srp"));
    folder
}

#[test]
fn texts_escape_what_comes_from_files() {
    let folder = with_model();
    for command in [
        &*format!("fit data.csv --label label {QUICK} -o model.srp"),
        "schema data.csv",
        "eval model.srp data.csv",
        "explain model.srp data.csv --top 30",
        "inspect model.srp",
        "compare model.srp data.csv",
        "compare model.srp model.srp",
        "export model.srp -o table.rs",
    ] {
        let output = folder.run(command);
        assert!(output.status.success(), "{command}");
        assert!(is_clean(&output.stdout) && is_clean(&output.stderr), "{command}: {output:?}");
    }
    let inspected = folder.text("inspect model.srp");
    // The names in the schema file are still those of the data.
    folder.text("schema data.csv -o schema.toml");
    folder.text(&format!("fit data.csv --label label --schema schema.toml {QUICK} -o model.srp"));
    assert!(inspected.contains("a\\u{1b}]0t\\u{7}\\u{1b}[31mb\\u{9b}1m\\u{202e}c\\nd"), "{inspected}");
}

#[test]
fn data_formats_keep_what_comes_from_files() {
    let folder = with_model();
    for command in ["inspect model.srp --json", "sample model.srp -n 3 --json", "score model.srp data.csv --json"] {
        assert!(is_clean(&folder.run(command).stdout), "{command}");
    }
    let value = folder.json("inspect model.srp");
    assert!(value["columns"].as_array().unwrap().iter().any(|column| column["name"] == HOSTILE));
    assert_eq!(folder.json("sample model.srp -n 3")["columns"][1], HOSTILE);
    let sampled = folder.text("sample model.srp -n 50");
    assert!(sampled.contains(&format!("\"{HOSTILE}\"")), "{sampled}");
    let value = folder.json("score model.srp data.csv");
    let csv = folder.text("score model.srp data.csv");
    let named = |name: &&serde_json::Value| **name == HOSTILE;
    let count = value["column"].as_array().unwrap().iter().filter(named).count();
    assert!(count > 0);
    assert_eq!(csv.matches(HOSTILE).count(), count);
}

#[test]
fn errors_escape_what_comes_from_files() {
    let folder = with_model();
    let hostile = format!("\"{HOSTILE}\"");
    folder.write("cell.csv", mixed(400, 20, 1).replacen("idle,2", &format!("idle,{hostile}2"), 1));
    folder.write("named.csv", mixed(400, 20, 1).replacen("heat", &hostile, 1).replacen("idle,2", "idle,x2", 1));
    folder.write("twice.csv", format!("x,{hostile},{hostile}\n0,1,2\n"));
    folder.write("label.csv", mixed(400, 20, 1).replace(",0\n", &format!(",{hostile}\n")));
    folder.write("log.txt", "surprisal: a\u{9b}1m\nsurprisal: 1\nsurprisal: b\u{1b}]c\nsurprisal: 1\n");
    folder.write("schema.toml", "[columns.heat]\nkind = \"\u{1b}[31m\"\n");
    folder.write("order.txt", "he\u{1b}[31mat\n");
    folder.write("signal.csv", format!("x\n1\n2\n{hostile}\n"));
    for (command, word) in [
        ("fit cell.csv --label label -o out.srp", "\\u{1b}"),
        ("fit named.csv --label label -o out.srp", "\\u{1b}"),
        ("fit twice.csv -o out.srp", "\\u{1b}"),
        ("fit label.csv --label label --normal x -o out.srp", "\\u{1b}"),
        ("fit data.csv --label none -o out.srp", "\\u{1b}"),
        ("fit data.csv --label label --schema schema.toml -o out.srp", "schema.toml"),
        ("fit data.csv --label label --family linear --order order.txt -o out.srp", "\\u{1b}"),
        ("collect log.txt", "log.txt"),
        ("features signal.csv --signal 2 --bands 0", "\\u{1b}"),
        ("eval model.srp cell.csv", "\\u{1b}"),
    ] {
        folder.refuses(command, &[word]);
        let output = folder.run(command);
        assert!(is_clean(&output.stderr), "{command}: {:?}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Files that an attack made: notes with terminal escapes.
#[test]
fn notes_with_escapes_are_shown_escaped() {
    let folder = Folder::new();
    folder.write("model.srp", include_bytes!("escapes.srp"));
    let output = folder.run("inspect model.srp");
    assert!(is_clean(&output.stdout) && is_clean(&output.stderr), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\\u{1b}"), "{output:?}");
}
