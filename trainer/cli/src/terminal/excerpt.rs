//! Shows the line of an input file that holds an error.

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use surprisal_trainer::Error;
use surprisal_trainer::escape::escaped;

/// Longest line, in bytes, that is shown.
const LONGEST: u64 = 4096;

/// Returns the line that an input error names, with the cell marked, as lines of text with colours. Returns `None` if the
/// error names no line, or if the line cannot be shown because the file is compressed or binary, or because the line holds
/// control characters other than tabs, or characters that reorder or hide their neighbours.
pub fn excerpt(error: &Error) -> Option<String> {
    let Error::Input { path, place: Some(place), message, .. } = error else { return None };
    if place.unit != "line" {
        return None;
    }
    let line = nth_line(path, place.number)?;
    let found = message.split_once("found `").and_then(|(_, rest)| rest.split_once('`')).map(|(found, _)| found);
    let span = found.and_then(|found| only_match(&line, found)).unwrap_or(0..line.len());
    let number = usize::try_from(place.number).ok()?;
    let path = path.display().to_string();
    let path = escaped(&path);
    let snippet = Snippet::source(&line).line_start(number).path(&*path).annotation(AnnotationKind::Primary.span(span));
    let report = [Group::with_level(Level::ERROR).element(snippet)];
    Some(Renderer::styled().render(&report) + "\n")
}

/// Returns a line of a text file, counted from 1, without its end.
fn nth_line(path: &Path, number: u64) -> Option<String> {
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|data| data.is_file()))?;
    let mut reader = BufReader::new(file);
    for _ in 1..number {
        reader.skip_until(b'\n').ok()?;
    }
    let mut line = Vec::new();
    reader.take(LONGEST + 1).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8(line).ok().filter(|line| line.len() as u64 <= LONGEST)?;
    let line = line.trim_end_matches(['\n', '\r']).trim_start_matches('\u{feff}');
    let is_plain = matches!(escaped(&line.replace('\t', " ")), Cow::Borrowed(_));
    (!line.trim().is_empty() && is_plain).then(|| line.to_owned())
}

/// Returns the range of a cell in a line, if the line holds its text once.
fn only_match(line: &str, cell: &str) -> Option<std::ops::Range<usize>> {
    let mut matches = line.match_indices(cell).filter(|(_, text)| !text.is_empty());
    let (start, text) = matches.next()?;
    matches.next().is_none().then(|| start..start + text.len())
}
