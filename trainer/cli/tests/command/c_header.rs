//! `export -o NAME.h`: a header that a C compiler takes, whatever the names of columns and categories are.

use std::fmt::Write as _;
use std::process::Command;

use rand::RngExt;

use super::data::{Folder, random};

/// Columns with three texts each, whose names are words of C, C++ or Rust, or names that the header gives to other things.
const COLUMNS: [&str; 18] = [
    "row",
    "readings",
    "columns",
    "table",
    "a",
    "a_b",
    "from",
    "class",
    "int32_t",
    "linux",
    "missing",
    "self",
    "constexpr",
    "h",
    "Ünit",
    "x y",
    "x-y",
    "a*\\ int evil; /*",
];

/// Rows whose columns are independent of each other.
fn odd_names() -> String {
    let mut random = random(7);
    let quoted: Vec<String> = COLUMNS.iter().map(|name| format!("\"{name}\"")).collect();
    let mut text = quoted.join(",") + ",level\n";
    for row in 0..600_usize {
        for column in 0..COLUMNS.len() {
            let texts = [["b_c", "other", "??/"], ["c", "words", "window"]][column % 2];
            write!(text, "{},", texts[random.random_range(0..3)]).expect("a string takes all");
        }
        writeln!(text, "{}", row * 37 % 101).expect("a string takes all");
    }
    text
}

#[test]
fn a_c_compiler_takes_a_header_of_any_names() {
    let folder = Folder::new();
    folder.write("odd.csv", odd_names());
    folder.json("fit odd.csv --family tables -o odd.srp");
    folder.text("export odd.srp -o table.h");
    folder.text("export odd.srp -o b.h");
    folder.write(
        "both.c",
        "#include \"table.h\"\n#include \"b.h\"\nint sum(void) { return (int)(table_table[0] + b_table[0]); }\n",
    );
    for standard in ["c99", "gnu11"] {
        // A linker of this name is there wherever this test was built.
        let mut compiler = Command::new("cc");
        let flags = ["-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror", "-fsyntax-only", "both.c"];
        let output =
            compiler.arg(format!("-std={standard}")).args(flags).current_dir(folder.path(".")).output().unwrap();
        assert!(output.status.success(), "{standard}: {}", String::from_utf8_lossy(&output.stderr));
    }
    // The trait of the same name keeps its name.
    folder.text("export odd.srp -o odd.rs");
    assert!(String::from_utf8(folder.read("odd.rs")).unwrap().contains("pub enum From_ {"));
    // One prefix for two models of different columns: the compiler says which headers, and not what is defined twice.
    folder.write("other.csv", odd_names().replace("level", "height"));
    folder.json("fit other.csv --family tables -o other.srp");
    folder.text("export odd.srp -o pump-a.h");
    folder.text("export other.srp -o pump_a.h");
    folder.write("clash.c", "#include \"pump-a.h\"\n#include \"pump_a.h\"\n");
    let output = Command::new("cc").args(["-fsyntax-only", "clash.c"]).current_dir(folder.path(".")).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && message.contains("names that begin with pump_a"), "{message}");
    for name in ["surprisal.h", "Surprisal.h", "surprisal_score.h"] {
        folder.refuses(&format!("export odd.srp -o {name}"), &["C reader"]);
    }
    // Names of other headers, whatever the case, because some file systems make no difference.
    for (output, word) in [("String.h", "string"), ("float.h", "float"), ("time --package arduino", "time")] {
        folder.refuses(&format!("export odd.srp -o {output}"), &[&format!("{word}.h"), &format!("{word}_model")]);
        assert!(!folder.path("time").exists() && !folder.path("surprisal").exists());
    }
    folder.text("export odd.srp -o time_model.h");
}

/// The reader is written beside a header, and a file of another content is kept and named.
#[test]
fn the_c_reader_is_written_once() {
    let folder = Folder::new();
    folder.write("odd.csv", odd_names());
    folder.json("fit odd.csv --family tables -o odd.srp");
    assert!(folder.text("export odd.srp -o b.h").contains("compile it into the firmware"));
    let reader = folder.read("surprisal.c");
    assert!(folder.text("export odd.srp -o b.h").contains("as it is"));
    let report = folder.json("export odd.srp -o b.h");
    assert_eq!((&report["prefix"], &report["reader"]), (&"b".into(), &vec!["surprisal.h", "surprisal.c"].into()));
    folder.write("surprisal.c", "mine");
    assert!(folder.text("export odd.srp -o b.h").contains("kept, although it differs"));
    assert_eq!(folder.read("surprisal.c"), b"mine");
    assert!(reader.len() > 10_000);
}

/// A package is new, its names begin with its folder's, and the reader lies beside it once.
#[test]
fn packages_share_one_reader() {
    let folder = Folder::with_data();
    folder.json("fit data.csv --label label --family linear --order natural --strength 5 -o model.srp");
    std::fs::create_dir(folder.path("libraries")).unwrap();
    let report = folder.json("export model.srp --package arduino -o libraries/pump-a");
    assert_eq!(report["prefix"], "pump_a");
    assert!(report["reader"].as_array().unwrap().contains(&"libraries/surprisal/src/surprisal.c".into()), "{report}");
    let header = String::from_utf8(folder.read("libraries/pump-a/src/pump_a.h")).unwrap();
    assert!(header.contains("pump_a_table[PUMP_A_TABLE_WORDS]"));
    for file in ["library.properties", "README.md", "examples/score/score.ino"] {
        let text = String::from_utf8(folder.read(&format!("libraries/pump-a/{file}"))).unwrap();
        assert!(!text.contains('@') && text.contains("pump_a"), "{file}: {text}");
    }
    // A new fit replaces the header, and the reader stays where it is.
    let text = folder.text("export model.srp -o libraries/pump-a/src/pump_a.h");
    assert!(
        text.contains("libraries/pump-a/src/../../surprisal/src/surprisal.c: the C reader of the library"),
        "{text}"
    );
    assert_eq!(std::fs::read_dir(folder.path("libraries/pump-a/src")).unwrap().count(), 1);
    // A name without ASCII letters is that of the model.
    assert_eq!(folder.json("export model.srp --package arduino -o libraries/ü")["prefix"], "model");
    let text = folder.text("export model.srp --package arduino -o libraries/valve");
    assert!(text.contains("as it is"), "{text}");

    folder.refuses("export model.srp --package arduino -o libraries/valve", &["libraries/valve", "exists already"]);
    folder.refuses("export model.srp --package zephyr -o libraries/tank", &["libraries/surprisal", "this ecosystem"]);
    folder.refuses("export model.srp --package arduino -o surprisal", &["C reader"]);
    folder.refuses("export model.srp --package arduino -o none/tank", &["none", "folder exists"]);
    folder.refuses("export model.srp --package mbed -o tank", &["zephyr", "arduino", "platformio", "esp-idf"]);
    assert!(!folder.path("libraries/tank").exists() && !folder.path("none").exists());
    folder.write("libraries/surprisal/src/surprisal.c", "mine");
    let text = folder.text("export model.srp --package arduino -o libraries/tank");
    assert!(text.contains("kept, although it differs"), "{text}");
}

/// Where the folder of a model cannot be written, that of the reader is not written either.
#[test]
fn a_package_is_written_whole_or_not_at_all() {
    let folder = Folder::with_data();
    folder.json("fit data.csv --label label --family linear --order natural --strength 5 -o model.srp");
    // The name of the header is too long for a file, but that of the folder is not.
    let long = "a".repeat(254);
    let mut targets = vec![
        (".", "new folder"),
        ("..", "new folder"),
        ("libraries/..", "new folder"),
        (long.as_str(), "cannot be written"),
    ];
    #[cfg(unix)]
    {
        std::fs::create_dir(folder.path("empty")).unwrap();
        std::os::unix::fs::symlink("empty", folder.path("link")).unwrap();
        std::os::unix::fs::symlink("nothing", folder.path("dangling")).unwrap();
        targets.extend(["link", "link/", "dangling"].map(|link| (link, "symbolic link")));
    }
    for (target, message) in targets {
        folder.refuses(&format!("export model.srp --package zephyr -o {target}"), &[target, message]);
        assert!(!folder.path("surprisal").exists(), "{target}");
        assert!(!folder.path(&long).exists() && !folder.path("nothing").exists(), "{target}");
    }
    folder.text("export model.srp --package zephyr -o ./pump/");
    assert!(folder.path("surprisal/src/surprisal.c").exists() && folder.path("pump/src/pump.h").exists());
}
