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
    for name in ["surprisal.h", "Surprisal.h", "surprisal_score.h"] {
        folder.refuses(&format!("export odd.srp -o {name}"), &["C reader"]);
    }
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
    folder.write("surprisal.c", "mine");
    assert!(folder.text("export odd.srp -o b.h").contains("kept, although it differs"));
    assert_eq!(folder.read("surprisal.c"), b"mine");
    assert!(reader.len() > 10_000);
}
