//! Builds the Python package as its users get it, and tests it in an environment of its own.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::command::Surprisal;
use xtask::setup::{self, cargo, root, succeed};

/// The version of maturin that the package was built with.
const MATURIN: &str = "1.16.0";

/// Builds the wheel in one virtual environment, and installs and tests it in another, which is new every time. Both are in
/// `target/python`.
///
/// # Errors
/// Python is missing and cannot be installed, the wheel cannot be built, or a test fails.
pub fn run() -> Result<()> {
    let package = root().join("python");
    let folder = root().join("target/python");
    let wheels = folder.join("wheels");
    let mut lints = cargo();
    // The folder of the workspace, whose dependencies are the same.
    lints.args(["clippy", "--quiet", "--locked", "--target-dir"]).arg(root().join("target"));
    succeed(lints.args(["--", "--deny", "warnings"]).current_dir(&package))?;

    let tools = environment(&folder.join("tools"), false)?;
    pip(&tools, &[&format!("maturin=={MATURIN}")])?;
    let _ = fs::remove_dir_all(&wheels);
    // The profile of tests, which builds in a quarter of the time of a release.
    let mut build = Command::new(tools.join("maturin"));
    build.args(["build", "--quiet", "--locked", "--profile", "dev", "--out"]).arg(&wheels);
    succeed(build.arg("--target-dir").arg(root().join("target")).current_dir(&package))?;
    let found: Vec<PathBuf> = fs::read_dir(&wheels)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let [wheel] = &found[..] else { anyhow::bail!("{}: expected one wheel", wheels.display()) };
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    ensure!(name.contains("cp39-abi3"), "{name} is not for Python 3.9 and later");

    let user = environment(&folder.join("user"), true)?;
    let requirements = package.join("tests/requirements.txt");
    pip(&user, &["--requirement", &requirements.to_string_lossy(), &wheel.to_string_lossy()])?;
    let mut tests = Command::new(user.join("python"));
    tests.args(["-m", "pytest", "--quiet", "--doctest-modules", "--config-file"]).arg(package.join("pyproject.toml"));
    tests.arg("--rootdir").arg(&package).arg(package.join("tests")).args(["--pyargs", "surprisal"]);
    tests.env("SURPRISAL", Surprisal::build()?.0).env("PYTHONDONTWRITEBYTECODE", "1");
    // Not in the folder of the sources, so that the installed package is tested.
    succeed(tests.args(["-p", "no:cacheprovider"]).current_dir(&folder))
}

/// Makes a virtual environment unless it is there, and returns the folder of its programs.
fn environment(folder: &Path, is_new: bool) -> Result<PathBuf> {
    let programs = folder.join("bin");
    if is_new || !programs.join("pip").exists() {
        setup::python_environment(folder)?;
    }
    Ok(programs)
}

fn pip(programs: &Path, packages: &[&str]) -> Result<()> {
    let mut install = Command::new(programs.join("python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(packages);
    succeed(&mut install).context("the Python packages of the tests cannot be installed")
}
