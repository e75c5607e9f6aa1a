//! The output of a command, as text and as JSON.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;
use surprisal_trainer::output;

use crate::args::OutArgs;

/// The output of a command: text for people, and JSON for programs.
#[derive(Debug)]
pub struct Answer {
    /// Output as text or CSV.
    pub text: String,
    /// Output as one JSON object.
    pub value: Value,
}

impl OutArgs {
    /// Computes the answer and writes its text to the output file, if any, which must not be one of `inputs`.
    pub fn deliver(&self, inputs: &[&Path], answer: impl FnOnce() -> Result<Answer>) -> Result<Answer> {
        let Some(path) = &self.output else { return answer() };
        output::check(path, inputs)?;
        let answer = answer()?;
        output::write_whole(path, answer.text.as_bytes(), inputs)?;
        Ok(Answer { text: String::new(), ..answer })
    }
}

/// Returns a header and rows as CSV text.
pub fn csv_text<R: IntoIterator<Item = T>, T: AsRef<[u8]>>(
    header: &[impl AsRef<[u8]>],
    rows: impl IntoIterator<Item = R>,
) -> Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(header)?;
    rows.into_iter().try_for_each(|row| csv.write_record(row))?;
    Ok(String::from_utf8(csv.into_inner()?)?)
}
