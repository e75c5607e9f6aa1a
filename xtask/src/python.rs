//! Builds the Python package as its users get it, and tests it in an environment of its own.

use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::command::Surprisal;
use xtask::setup::{self, cargo, root, succeed};

/// The version of maturin that the package was built with.
const MATURIN: &str = "1.16.0";

/// Checks the package, builds its wheel, and installs and tests it in a virtual environment that is new every time.
///
/// # Errors
/// Python is missing and cannot be installed, the wheel cannot be built, or a test fails.
pub fn run() -> Result<()> {
    let mut lints = cargo();
    // The folder of the workspace, whose dependencies are the same.
    lints.args(["clippy", "--quiet", "--locked", "--target-dir"]).arg(root().join("target"));
    succeed(lints.args(["--", "--deny", "warnings"]).current_dir(package()))?;
    let user = environment(&folder().join("user"), true)?;
    pip(&user, &["--requirement", &test_file("requirements.txt"), &wheel()?])?;
    let tests = package().join("tests");
    let arguments =
        ["--doctest-modules", "--ignore-glob", "*engines*", &tests.to_string_lossy(), "--pyargs", "surprisal"];
    pytest(&user, &arguments)
}

/// Runs the fleet jobs on local clusters of Ray and Spark. Their virtual environment stays, because it is large.
///
/// # Errors
/// Python or Java is missing and cannot be installed, the wheel cannot be built, or a test fails.
pub fn engines() -> Result<()> {
    setup::java()?;
    let user = environment(&folder().join("engines"), false)?;
    pip(&user, &["--requirement", &test_file("requirements.txt"), "--requirement", &test_file("engines.txt")])?;
    pip(&user, &["--force-reinstall", "--no-deps", &wheel()?])?;
    pytest(&user, &[&test_file("test_engines.py")])
}

fn package() -> PathBuf {
    root().join("python")
}

/// Returns the folder of the environments and the wheel.
fn folder() -> PathBuf {
    root().join("target/python")
}

/// Returns the path of a file among the tests of the package.
fn test_file(name: &str) -> String {
    package().join("tests").join(name).to_string_lossy().into_owned()
}

/// Builds the wheel in an environment of its own, and returns its path.
fn wheel() -> Result<String> {
    let wheels = folder().join("wheels");
    let tools = environment(&folder().join("tools"), false)?;
    pip(&tools, &[&format!("maturin=={MATURIN}")])?;
    let _ = fs::remove_dir_all(&wheels);
    // The profile of tests, which builds in a quarter of the time of a release.
    let mut build = Command::new(tools.join("maturin"));
    build.args(["build", "--quiet", "--locked", "--profile", "dev", "--out"]).arg(&wheels);
    succeed(build.arg("--target-dir").arg(root().join("target")).current_dir(package()))?;
    let found: Vec<PathBuf> = fs::read_dir(&wheels)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    let [wheel] = &found[..] else { anyhow::bail!("{}: expected one wheel", wheels.display()) };
    let name = wheel.file_name().unwrap_or_default().to_string_lossy();
    ensure!(name.contains("cp39-abi3"), "{name} is not for Python 3.9 and later");
    Ok(wheel.to_string_lossy().into_owned())
}

/// Runs tests with the command `surprisal`.
fn pytest(programs: &Path, arguments: &[&str]) -> Result<()> {
    let mut tests = Command::new(programs.join("python"));
    tests.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "--config-file"]);
    tests.arg(package().join("pyproject.toml")).arg("--rootdir").arg(package()).args(arguments);
    tests.env("SURPRISAL", Surprisal::build()?.0).env("PYTHONDONTWRITEBYTECODE", "1");
    // Not in the folder of the sources, so that the installed package is tested.
    succeed(tests.current_dir(folder()))
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
