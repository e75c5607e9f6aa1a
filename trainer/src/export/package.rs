//! Writes a model as a library of an ecosystem: a Zephyr module, an Arduino or PlatformIO library, an ESP-IDF component.

use super::c::{READER, c_name, c_source};
use super::example::{Row, c_rows};
use crate::artefact::Artefact;
use crate::error::Result;
use crate::names::Named;

/// An ecosystem with its own form of a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ecosystem {
    /// Zephyr: modules.
    Zephyr,
    /// Arduino: libraries.
    Arduino,
    /// PlatformIO: libraries.
    Platformio,
    /// ESP-IDF: components.
    EspIdf,
}

impl Named for Ecosystem {
    const OPTION: &'static str = "--package";
    const NAMES: &'static [(&'static str, Self)] = &[
        ("zephyr", Self::Zephyr),
        ("arduino", Self::Arduino),
        ("platformio", Self::Platformio),
        ("esp-idf", Self::EspIdf),
    ];
}

/// The files of two libraries: that of a model, and that of the C reader, which all models of a firmware share.
#[derive(Debug)]
pub struct Package {
    /// The start of the names in the header of the model.
    pub name: String,
    /// (path in the folder of the model, content), with `/` between folders.
    pub model: Vec<(String, String)>,
    /// (path in the folder of the reader, content). The folder is called [`Package::READER`] and lies beside that of the
    /// model.
    pub reader: Vec<(String, String)>,
}

impl Package {
    /// The name of the folder of the C reader.
    pub const READER: &'static str = "surprisal";
}

/// Includes files of `trainer/templates/package`: (path in the written folder, path of the template).
macro_rules! templates {
    ($($path:literal: $template:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!("../../templates/package/", $template)))),*]
    };
}

/// (path, template) of the files of a library.
type Templates = &'static [(&'static str, &'static str)];

impl Ecosystem {
    /// Returns the templates of the library of the C reader.
    fn reader(self) -> Templates {
        match self {
            Self::Zephyr => templates! {
                "zephyr/module.yml": "reader/zephyr/module.yml",
                "CMakeLists.txt": "reader/zephyr/CMakeLists.txt",
                "Kconfig": "reader/zephyr/Kconfig",
            },
            Self::Arduino => templates! { "library.properties": "reader/arduino/library.properties" },
            Self::Platformio => templates! { "library.json": "reader/platformio/library.json" },
            Self::EspIdf => templates! {
                "idf_component.yml": "reader/esp-idf/idf_component.yml",
                "CMakeLists.txt": "reader/esp-idf/CMakeLists.txt",
            },
        }
    }

    /// Returns the templates of the library of a model.
    fn model(self) -> Templates {
        match self {
            Self::Zephyr => templates! {
                "zephyr/module.yml": "model/zephyr/module.yml",
                "CMakeLists.txt": "model/zephyr/CMakeLists.txt",
                "Kconfig": "model/zephyr/Kconfig",
                "README.md": "model/zephyr/README.md",
                "samples/score/CMakeLists.txt": "model/zephyr/sample.cmake",
                "samples/score/prj.conf": "model/zephyr/prj.conf",
                "samples/score/sample.yaml": "model/zephyr/sample.yaml",
                "samples/score/src/main.c": "../score.c",
            },
            Self::Arduino => templates! {
                "library.properties": "model/arduino/library.properties",
                "README.md": "model/arduino/README.md",
                "examples/score/score.ino": "model/arduino/score.ino",
            },
            Self::Platformio => templates! {
                "library.json": "model/platformio/library.json",
                "README.md": "model/platformio/README.md",
                "examples/score/platformio.ini": "model/platformio/platformio.ini",
                "examples/score/src/main.c": "../score.c",
            },
            Self::EspIdf => templates! {
                "idf_component.yml": "model/esp-idf/idf_component.yml",
                "CMakeLists.txt": "model/esp-idf/CMakeLists.txt",
                "README.md": "model/esp-idf/README.md",
                "examples/score/CMakeLists.txt": "model/esp-idf/example.cmake",
                "examples/score/main/CMakeLists.txt": "model/esp-idf/main.cmake",
                "examples/score/main/main.c": "../score.c",
            },
        }
    }

    /// Returns the first and the last line of the function with which a program starts.
    fn entry(self) -> [&'static str; 2] {
        match self {
            Self::EspIdf => ["void app_main(void)", ""],
            _ => ["int main(void)", "    return (status == SURPRISAL_OK) ? 0 : 1;\n"],
        }
    }
}

/// Returns the libraries of a model and of the C reader for an ecosystem. `folder` is the name of the folder of the model.
/// The names in the header of the model begin with `name` as lower-case words, so that the models of a firmware need
/// different names.
///
/// # Errors
/// Those of [`c_source`], and [`Error::Option`](crate::Error::Option) if no rows can be drawn from the model of a time series.
pub fn package(artefact: &Artefact, ecosystem: Ecosystem, folder: &str, name: &str) -> Result<Package> {
    let header = c_source(artefact, name)?;
    let name = c_name(name)?;
    let [main, end] = ecosystem.entry();
    let values = [
        ("NAME", name.clone()),
        ("UPPER", name.to_uppercase()),
        ("FOLDER", folder.to_owned()),
        ("VERSION", env!("CARGO_PKG_VERSION").to_owned()),
        ("SELECT", if artefact.shape.views == 0 { "\tselect SURPRISAL_BITS\n".to_owned() } else { String::new() }),
        ("ROWS", c_recorded(&c_rows(artefact, &name)?, &name)),
        ("MAIN", main.to_owned()),
        ("RETURN", end.to_owned()),
    ];
    let files = |templates: Templates| -> Vec<(String, String)> {
        templates.iter().map(|(path, template)| ((*path).to_owned(), filled(template, &values))).collect()
    };
    let (mut model, mut reader) = (files(ecosystem.model()), files(ecosystem.reader()));
    model.push((format!("src/{name}.h"), header));
    reader.push(("README.md".to_owned(), include_str!("../../templates/package/reader/README.md").to_owned()));
    reader.extend(READER.map(|(file, content)| (format!("src/{file}"), content.to_owned())));
    Ok(Package { name, model, reader })
}

/// Returns a template with values in place of `@KEY@`.
pub(super) fn filled(template: &str, values: &[(&str, String)]) -> String {
    values.iter().fold(template.to_owned(), |text, (key, value)| text.replace(&format!("@{key}@"), value))
}

/// Returns the body of the function of C that writes the readings of a recorded row. Sensors that did not answer stand in the
/// row, so that rows can be replaced.
pub(super) fn c_recorded(rows: &[Row], name: &str) -> String {
    let most = rows.iter().map(|row| row.failed.len()).max().unwrap_or(0);
    let mut out = match most {
        0 => format!("    static const {name}_row ROWS[] = {{\n"),
        _ => format!(
            "    static const struct {{\n        {name}_row row;\n        uint16_t failures; /* number of sensors that did not \
             answer */\n        uint16_t failed[{most}]; /* their columns */\n    }} ROWS[] = {{\n"
        ),
    };
    for row in rows {
        let fields: Vec<String> = row.fields.iter().map(|(field, value)| format!(".{field} = {value}")).collect();
        let fields = format!("{{{}}}", fields.join(", "));
        let failed: Vec<String> = row.failed.iter().map(|column| format!("{column}u")).collect();
        out += &match (most, failed.is_empty()) {
            (0, _) => format!("        {fields},\n"),
            (_, true) => format!("        {{{fields}, 0u, {{0u}}}},\n"),
            _ => format!("        {{{fields}, {}u, {{{}}}}},\n", failed.len(), failed.join(", ")),
        };
    }
    let of_row = if most > 0 { ".row" } else { "" };
    out += &format!(
        "    }};\n    if (at >= sizeof ROWS / sizeof ROWS[0]) {{\n        return false;\n    }}\n    \
         {name}_readings(&ROWS[at]{of_row}, readings);\n"
    );
    if most > 0 {
        out += "    for (uint16_t i = 0u; i < ROWS[at].failures; i++) {\n        \
                readings[ROWS[at].failed[i]] = surprisal_missing();\n    }\n";
    }
    out + "    return true;"
}
