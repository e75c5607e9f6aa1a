//! Names of the files of machines.

use std::collections::HashMap;

use crate::data::checksum;

/// Largest number of bytes of a machine's name that its file name holds.
const LONGEST: usize = 150;
/// Names that Windows keeps for devices, whatever their ending.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "com", "lpt"];
/// Name of the table that machines share.
const SHARED: &str = "shared";

/// Returns the names of the files of machines without their endings: letters, digits, `-`, `_` and dots other than the first stay, and each other byte
/// becomes `%` and its two hexadecimal digits. A long name is cut, and a name that another equals but for capital letters, or
/// that is a device's or the shared table's, gets a checksum, so that any two machines have different files on every file system.
pub(super) fn file_names<'m>(machines: impl Iterator<Item = &'m str> + Clone) -> Vec<String> {
    let mut counts = HashMap::<String, usize>::new();
    machines.clone().for_each(|machine| *counts.entry(escaped(machine).to_lowercase()).or_default() += 1);
    let name = |machine: &str| {
        let plain = escaped(machine);
        let is_device = DEVICES.contains(&plain.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase().as_str());
        let is_taken = is_device || plain.to_lowercase() == SHARED;
        let is_own = counts[&plain.to_lowercase()] == 1 && plain.len() <= LONGEST && !is_taken;
        let cut: String = plain.chars().take(LONGEST).collect();
        if is_own { plain } else { format!("{cut}%%{:08x}", checksum(machine.as_bytes())) }
    };
    machines.map(name).collect()
}

/// Returns the name of the page of a machine whose model has a file with this name without its ending. The name of the list of pages
/// is not that of a page, on any file system.
pub(super) fn page_name(stem: &str) -> String {
    let mark = if stem.eq_ignore_ascii_case("index") { "%%" } else { "" };
    format!("{stem}{mark}.html")
}

/// Returns a text in which each byte that is no letter, digit, `-`, `_` or dot other than the first is `%` and its two hexadecimal digits,
/// as a name of a file or as the address of one in the same folder.
pub(super) fn escaped(text: &str) -> String {
    let mut name = String::new();
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
            b'.' if at > 0 => name.push('.'),
            _ => name += &format!("%{byte:02X}"),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use super::{file_names, page_name};

    #[test]
    fn machines_have_different_and_harmless_files() {
        let long = ["a", "b"].map(|end| "x".repeat(300) + end);
        let mut machines = vec!["pump 7", "pump/7", "pump%207", "..", ".", "7.5", "é", "con\n", "a.srp", "P1", "p1"];
        machines.extend(["NUL", "com1", "Shared"]);
        machines.extend(long.iter().map(String::as_str));
        let names = file_names(machines.iter().copied());
        assert_eq!(names[..6], ["pump%207", "pump%2F7", "pump%25207", "%2E.", "%2E", "7.5"]);
        for (at, name) in names.iter().enumerate() {
            assert!(!name.contains(['/', '\\', '\n']) && !name.starts_with('.') && name.len() < 200, "{name}");
            let is_other = |other: &String| other.to_lowercase() != name.to_lowercase();
            assert!(names[..at].iter().all(is_other), "{name}");
        }
        assert!(names[11].starts_with("NUL%%") && names[12].starts_with("com1%%"), "{names:?}");
        assert!(names[13].starts_with("Shared%%"), "{names:?}");
    }

    #[test]
    fn no_page_has_the_name_of_the_list() {
        let machines = ["index", "Index", "INDEX%", "index%%", "pump"];
        let pages: Vec<String> = machines.iter().map(|machine| page_name(machine)).collect();
        assert_eq!(pages, ["index%%.html", "Index%%.html", "INDEX%.html", "index%%.html", "pump.html"]);
        // No machine's file has two percent signs without a checksum.
        assert!(file_names(["index", "index%%"].into_iter()).iter().all(|name| !name.ends_with("%%")));
    }
}
