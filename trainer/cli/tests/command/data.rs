//! A folder with generated files, and the command run in it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// A folder of its own for every test.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// With `data.csv`, 400 normal and 20 anomalous rows of every kind of column.
    pub fn with_data() -> Self {
        let folder = Self::new();
        folder.write("data.csv", mixed(400, 20, 1));
        folder
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The name of the folder in the one that holds it.
    pub fn name(&self) -> String {
        let name = self.0.path().file_name().expect("a folder has a name");
        name.to_str().expect("a plain name").to_owned()
    }

    /// The names of the files in it.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).expect("the folder can be read");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a plain name")).collect()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("the folder can be written");
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The name and content of every file, without those in folders.
    pub fn content(&self) -> Vec<(String, Vec<u8>)> {
        let files = self.names().into_iter().filter(|name| self.path(name).is_file());
        let mut content: Vec<_> = files.map(|name| (name.clone(), self.read(&name))).collect();
        content.sort();
        content
    }

    /// Runs `surprisal` with these arguments, separated by spaces.
    pub fn run(&self, arguments: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_surprisal"));
        command.current_dir(self.0.path()).args(arguments.split_whitespace());
        command.output().expect("the command runs")
    }

    /// What it prints when it succeeds.
    pub fn text(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "surprisal {arguments}: {errors}");
        String::from_utf8(output.stdout).expect("the answer is text")
    }

    /// The one object it prints with `--json`.
    pub fn json(&self, arguments: &str) -> Value {
        let text = self.text(&format!("{arguments} --json"));
        assert_eq!((text.matches('\n').count(), text.ends_with('\n')), (1, true), "one line: {text}");
        let value: Value = serde_json::from_str(&text).expect("one JSON value");
        assert!(value.is_object(), "{value}");
        value
    }

    /// Runs what must be refused: exit code 2, nothing on stdout, these words on stderr, and no file changed or left.
    pub fn refuses(&self, arguments: &str, words: &[&str]) {
        let before = self.content();
        let output = self.run(arguments);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "surprisal {arguments}: {message}");
        assert!(output.stdout.is_empty(), "surprisal {arguments}");
        for word in words {
            assert!(message.contains(word), "surprisal {arguments}: no {word:?} in {message:?}");
        }
        let names = |content: &[(String, Vec<u8>)]| content.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let after = self.content();
        assert_eq!(names(&after), names(&before), "surprisal {arguments}");
        assert!(after == before, "surprisal {arguments}: a file was changed");
    }
}

/// The number that a JSON object has under a key.
pub fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no number {key} in {value}"))
}

pub fn random(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Rows of a machine that runs idle, half or full; it is warmer and shakes more when it does more. The last rows are
/// anomalous: they shake as if it did the opposite.
pub fn mixed(normal: usize, anomalous: usize, seed: u64) -> String {
    let mut random = random(seed);
    let mut text = String::from("mode,heat,shake,door,humid,label\n");
    for row in 0..normal + anomalous {
        let is_anomalous = row >= normal;
        let load = random.random_range(0..3);
        let mode = ["idle", "half", "full"][load];
        let heat = 20.0 + 15.0 * load as f64 + 8.0 * random.random::<f64>();
        let shake = 40 * if is_anomalous { 2 - load } else { load } + random.random_range(0..25);
        let door = u8::from(random.random_bool(if load == 0 { 0.4 } else { 0.02 }));
        let humid = if random.random_bool(0.1) {
            String::new()
        } else {
            format!("{:.2}", 60.0 - heat / 2.0 + 3.0 * random.random::<f64>())
        };
        writeln!(text, "{mode},{heat:.3},{shake},{door},{humid},{}", u8::from(is_anomalous))
            .expect("a string takes all");
    }
    text
}

/// Rows of flags with a header x,y,z,…
pub fn flags(rows: &[Vec<bool>]) -> String {
    let names: Vec<String> = (0..rows[0].len()).map(|i| format!("f{i}")).collect();
    let line = |row: &Vec<bool>| row.iter().map(|&bit| u8::from(bit).to_string()).collect::<Vec<_>>().join(",");
    names.join(",") + "\n" + &rows.iter().map(|row| line(row) + "\n").collect::<String>()
}
