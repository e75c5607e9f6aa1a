//! Schema files in TOML, applied to a small table of every kind of column.

#![no_main]

use std::fmt::Write;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use surprisal_fuzz::{LIMITS, with_file};
use surprisal_trainer::data::{Frame, ReadOptions};
use surprisal_trainer::schema::toml::Overrides;
use surprisal_trainer::schema::{Schema, SchemaOptions};

fuzz_target!(|input: &[u8]| {
    with_file(".toml", input, |path| {
        let Ok(overrides) = Overrides::read(path) else { return };
        let mut text = "real,whole,kind,flag,same\n".to_owned();
        for i in 0..40 {
            let kind = ["low", "mid", "Bad"][i / 5 % 3];
            writeln!(text, "{}.5,{},{kind},{},3", i * 7 % 40, i * i % 17, i / 4 % 2).expect("a text takes any line");
        }
        let options = ReadOptions { missing: overrides.codes(), limits: LIMITS, ..ReadOptions::default() };
        let Ok(frame) = Frame::from_bytes(Path::new("rows.csv"), text.into_bytes(), &options) else { return };
        let _ = Schema::describe(&frame, &[], &options.missing);
        let rows: Vec<usize> = (0..frame.rows()).collect();
        let settings = SchemaOptions { overrides, ..SchemaOptions::default() };
        if let Ok(schema) = Schema::find(&frame, &rows, &settings) {
            let _ = schema.warnings(&frame, &rows);
            let _ = schema.all_readings(&frame, &rows).and_then(|readings| schema.encode(&readings));
        }
    });
});
