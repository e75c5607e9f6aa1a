//! `surprisal schema`: describes the kinds of a file's columns as TOML.

use std::path::Path;

use anyhow::Result;
use serde_json::json;
use surprisal_trainer::data::{Frame, Header};
use surprisal_trainer::schema::{Schema, SchemaOptions, toml};

use crate::answer::Answer;

pub fn schema(data: &Path, header: Header, ignore: &[String]) -> Result<Answer> {
    let frame = Frame::read(data, header)?;
    let rows: Vec<usize> = (0..frame.rows()).collect();
    let given = SchemaOptions {
        keep_constant: true,
        keep: frame.columns.iter().map(|column| column.name.clone()).collect(),
        ignore: ignore.to_vec(),
        ..SchemaOptions::default()
    };
    let text = toml::write(&frame, &Schema::find(&frame, &rows, &given)?.columns);
    Ok(Answer { value: json!({ "schema": text }), text })
}
