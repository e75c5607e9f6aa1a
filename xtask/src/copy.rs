//! Copies firmware packages out of the repository, as a user would.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use surprisal_trainer::output::write_whole;
use xtask::setup::root;

/// The version of the device crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Place where a copied package finds the device crate.
#[derive(Clone, Copy, Debug)]
pub enum Library<'a> {
    /// A path dependency on a folder.
    Path(&'a Path),
    /// A dependency on the published version; this folder is used in place of the registry.
    Published(&'a Path),
}

/// Copies a package, relative to the folder of the repository, and sets its dependency on the device crate. Files that do
/// not change keep their time, so that nothing is rebuilt.
///
/// # Errors
/// A file cannot be copied, or the manifest has no dependency on the device crate.
pub fn copy_package(package: &str, to: &Path, library: Library) -> Result<()> {
    copy_folder(&root().join(package), to)?;
    let path = to.join("Cargo.toml");
    let manifest = fs::read_to_string(root().join(package).join("Cargo.toml"))?;
    let version = format!("version = \"{VERSION}\"");
    let both = format!("{version}, path = \"../..\"");
    ensure!(manifest.contains(&both), "{package}/Cargo.toml: expected `{both}`");
    let manifest = match library {
        Library::Path(folder) => manifest.replace("../..", &folder.display().to_string()),
        Library::Published(folder) => {
            let patch = format!("\n[patch.crates-io]\nsurprisal = {{ path = {folder:?} }}\n");
            manifest.replace(&both, &version) + &patch
        }
    };
    write_changed(&path, manifest.as_bytes())
}

/// Copies the files of a folder and its subfolders, except `target`.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for file in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let file = file?;
        let (from, to) = (file.path(), to.join(file.file_name()));
        if !file.file_type()?.is_dir() {
            write_changed(&to, &fs::read(&from)?)?;
        } else if file.file_name() != "target" {
            copy_folder(&from, &to)?;
        }
    }
    Ok(())
}

fn write_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if !fs::read(path).is_ok_and(|old| old == bytes) {
        write_whole(path, bytes, &[])?;
    }
    Ok(())
}
