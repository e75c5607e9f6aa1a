//! `new`: projects for every board, and names and combinations that are refused.

use crate::data::Folder;

/// The content of a file of a project as text.
fn text(folder: &Folder, name: &str) -> String {
    String::from_utf8(folder.read(name)).expect("text")
}

#[test]
fn projects_have_the_columns_of_their_model() {
    let folder = Folder::with_data();
    folder.json("fit data.csv --label label --family linear --order natural --strength 5 -o model.srp");
    let field = "temperature";
    for board in ["microbit", "pico", "nucleo", "qemu-m3", "qemu-m4"] {
        let report = folder.json(&format!("new my-{board} --board {board}"));
        assert_eq!(report["output"], format!("my-{board}"));
        assert!(report["files"].as_array().unwrap().contains(&format!("my-{board}/Cargo.toml").into()), "{report}");
        let manifest = text(&folder, &format!("my-{board}/Cargo.toml"));
        assert!(manifest.contains(&format!("name = \"my-{board}\"")), "{manifest}");
        // The device crate comes from the repository that the command was built in.
        let (_, patch) = manifest.split_once("[patch.crates-io]\nsurprisal = { path = \"").expect("a patch");
        let repository = patch.split('"').next().unwrap();
        assert!(std::path::Path::new(repository).join("src/packet.rs").exists(), "{manifest}");
        assert!(
            manifest.contains(concat!("surprisal = { version = \"", env!("CARGO_PKG_VERSION"), "\"")),
            "{manifest}"
        );
        assert!(text(&folder, &format!("my-{board}/src/rows.rs")).contains(&format!("Row {{ {field}: ")));
        let readme = text(&folder, &format!("my-{board}/README.md"));
        assert!(readme.contains(&format!("--board {board} --lang rust --model model.srp")), "{readme}");
        assert!(readme.contains("is an example: replace it"), "{readme}");
        for file in ["README.md", "Cargo.toml", "src/main.rs", "src/lib.rs", "src/tests.rs", "src/rows.rs"] {
            let text = text(&folder, &format!("my-{board}/{file}"));
            assert!(!text.contains('@'), "{board}, {file}: {text}");
        }
    }
    folder.text("new own --board qemu-m4 --lang c --model model.srp");
    let main = text(&folder, "own/main.c");
    assert!(main.contains("} ROWS[] = {") && main.contains("model_row row;") && !main.contains('@'), "{main}");
    let readme = text(&folder, "own/README.md");
    assert!(!readme.contains("is an example") && !readme.contains('@'), "{readme}");
    assert!(text(&folder, "own/Makefile").contains("mps2-an386"));
}

#[test]
fn names_and_combinations_are_checked() {
    let folder = Folder::new();
    for name in ["9lives", "a/b", "..", "ü", "a.b", "_"] {
        folder.refuses(&format!("new {name} --board pico"), &["no name of a project", "letters, digits"]);
    }
    for name in
        ["test", "surprisal", "fn", "core", "Self", "crate", "rp2040-hal", "lsm303agr", "critical-section", "capture"]
    {
        folder.refuses(&format!("new {name} --board pico"), &[&format!("{name}-monitor")]);
    }
    folder.refuses("new monitor --board pico --lang c", &["--lang", "qemu-m3", "--package"]);
    folder.refuses("new monitor --board arduino", &["microbit", "pico", "nucleo", "qemu-m3", "qemu-m4"]);
    folder.refuses("new monitor", &["--board"]);
    folder.refuses("new monitor --board pico --model none.srp", &["none.srp", "cannot be read"]);
    std::fs::create_dir(folder.path("monitor")).unwrap();
    // An empty folder is as good as none.
    folder.text("new monitor --board pico");
    folder.refuses("new monitor --board pico", &["monitor", "exists already", "another name"]);
    folder.write("taken", "a file");
    folder.refuses("new taken --board pico", &["taken", "exists already"]);
}
