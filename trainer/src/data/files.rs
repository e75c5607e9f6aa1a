//! Several files as one frame, and file names with wildcards.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::{Cells, Frame, Texts, checksum};
use crate::error::{Error, Result};

/// Returns the paths with wildcards (`*`, `?`, `[…]`) replaced by the files that match, in the order of their names. A
/// path that exists stays as it is. A file that matches is left out if it is there already, or has its own path.
///
/// # Errors
/// [`Error::Input`] if a path has wildcards and no file matches, or two paths without wildcards lead to the same file.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let is_pattern = |path: &Path| !path.exists() && path.to_string_lossy().contains(['*', '?', '[']);
    let file = |path: &Path| path.canonicalize().ok().filter(|file| file.is_file());
    // By the file itself, the path that leads to it.
    let mut known: HashMap<PathBuf, &Path> = HashMap::new();
    for path in paths.iter().filter(|path| !is_pattern(path)) {
        if let Some(before) = file(path).and_then(|file| known.insert(file, path)) {
            let other = if before == path { String::new() } else { format!(", also as {}", before.display()) };
            let message = format!("is named twice{other}, so that its rows would count twice; name each file once");
            return Err(Error::input(path, message));
        }
    }
    let mut all = Vec::new();
    for path in paths {
        if !is_pattern(path) {
            all.push(path.clone());
            continue;
        }
        let pattern = path.to_string_lossy();
        let fault = |message: &str| Error::input(path, message);
        let matches = glob::glob(&pattern).map_err(|error| fault("is no pattern of file names").caused_by(error))?;
        let mut matches: Vec<PathBuf> = matches.filter_map(|path| path.ok().filter(|path| path.is_file())).collect();
        if matches.is_empty() {
            return Err(fault("no file matches; check the pattern and the folder"));
        }
        matches.retain(|matching| file(matching).is_none_or(|file| known.insert(file, path).is_none()));
        all.append(&mut matches);
    }
    Ok(all)
}

/// Joins the rows of several files. Columns are matched by name, and every file begins a session.
///
/// # Errors
/// The first error of a file, and [`Error::Input`] if a file has other columns than the first.
pub(crate) fn join(frames: impl Iterator<Item = Result<Frame>>) -> Result<Frame> {
    let mut frames = frames.peekable();
    let Some(mut all) = frames.next().transpose()? else { return Ok(Frame::default()) };
    if frames.peek().is_none() {
        return Ok(all);
    }
    let mut digests = all.digest.to_le_bytes().to_vec();
    all.files = vec![(all.path.clone(), 0)];
    let mut codes: Vec<HashMap<String, u32>> = all.columns.iter().map(|column| known(&column.cells)).collect();
    for frame in frames {
        let frame = frame?;
        check_columns(&all, &frame)?;
        let first = all.rows();
        let positions = frame.positions(all.columns.iter().map(|column| &column.name))?;
        for ((column, codes), at) in all.columns.iter_mut().zip(&mut codes).zip(positions) {
            append(&mut column.cells, &frame.columns[at].cells, codes);
        }
        all.starts.push(first);
        all.starts.extend(frame.starts.iter().map(|row| first + row));
        all.lines.extend(&frame.lines);
        all.files.push((frame.path, first));
        all.skipped += frame.skipped;
        all.bytes += frame.bytes;
        all.remarks.extend(frame.remarks);
        digests.extend(frame.digest.to_le_bytes());
    }
    let others =
        if all.files.len() == 2 { "1 other file".into() } else { format!("{} other files", all.files.len() - 1) };
    all.path = format!("{} and {others}", all.path.display()).into();
    all.digest = checksum(&digests);
    Ok(all)
}

/// Returns the index of each distinct text of a column.
fn known(cells: &Cells) -> HashMap<String, u32> {
    match cells {
        Cells::Text(texts) => (0..).zip(&texts.distinct).map(|(code, text)| (text.clone(), code)).collect(),
        _ => HashMap::new(),
    }
}

fn append(cells: &mut Cells, more: &Cells, codes: &mut HashMap<String, u32>) {
    match (cells, more) {
        (Cells::Text(texts), Cells::Text(more)) => {
            let code = |text: &String| {
                // The code of a new text is that of the last cell, which is taken off again.
                Texts::push(texts, text, codes);
                texts.codes.pop().unwrap_or_default()
            };
            let each: Vec<u32> = more.distinct.iter().map(code).collect();
            texts.codes.extend(more.codes.iter().map(|&code| each[code as usize]));
        }
        (Cells::Real(values), Cells::Real(more)) => values.extend(more),
        (Cells::Integer(values), Cells::Integer(more)) => values.extend(more),
        // Files of one command are read in one way.
        _ => {}
    }
}

fn check_columns(first: &Frame, other: &Frame) -> Result<()> {
    let names = |frame: &Frame| frame.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>();
    let (expected, found) = (names(first), names(other));
    let absent = |from: &[String], names: &[String]| {
        let absent: Vec<_> = names.iter().filter(|name| !from.contains(name)).take(30).cloned().collect();
        absent.join("`, `")
    };
    let (lacks, adds) = (absent(&found, &expected), absent(&expected, &found));
    if lacks.is_empty() && adds.is_empty() {
        return Ok(());
    }
    let parts = [("missing", lacks), ("additional", adds)].into_iter().filter(|(_, names)| !names.is_empty());
    let parts: Vec<String> = parts.map(|(how, names)| format!("{how} `{names}`")).collect();
    let message = format!(
        "its columns differ from those of {}: {}; pass files of the same columns together",
        first.path.display(),
        parts.join(", ")
    );
    Err(Error::input(&other.path, message))
}
