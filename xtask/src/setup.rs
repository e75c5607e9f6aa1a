//! Finds the tools that the commands need, installs those that it can, and names the others.
//!
//! Compiler targets come from rustup. On Debian, QEMU, C compilers, Java and Chromium come from apt if this runs as root. Tools that are written in
//! Rust are built into `target/tools`, unless they are on the path already.

use crate::board::{BOARDS, Board};
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

/// The version of `qemu-run` that the demo was tried with.
const QEMU_RUN: &str = "0.3.1";
/// The version of `cargo-deny` that `deny.toml` was written for.
const CARGO_DENY: &str = "0.20.2";
/// The version of `mdbook` that `docs/book.toml` was written for.
const MDBOOK: &str = "0.5.4";
/// The minimum supported Rust version of the device crate, as in `rust-version` of its `Cargo.toml`.
pub const DEVICE_MSRV: &str = "1.88";
/// The minimum supported Rust version of the trainer and the command, which is also that of this crate.
pub const TRAINER_MSRV: &str = env!("CARGO_PKG_RUST_VERSION");
/// The tools that check packages of the ecosystems, with the versions that docs/boards.md names.
const PYTHON: [&str; 4] =
    ["platformio==6.2.0", "idf-component-manager==3.1.2", "pykwalify==1.8.0", "kconfiglib==14.1.0"];
/// The emulators of all boards.
const QEMU: [&str; 2] = ["qemu-system-arm", "qemu-system-riscv32"];

/// Returns the folder of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}

/// Returns a command that runs cargo in the folder of the repository, with the compiler that built this program.
pub fn cargo() -> Command {
    let mut command = clean("cargo");
    command.current_dir(root());
    command
}

/// Returns a command that runs cargo of a Rust version in the folder of the repository.
pub fn cargo_of(version: &str) -> Command {
    let mut command = clean("rustup");
    command.args(["run", version, "cargo"]).current_dir(root());
    command
}

/// Returns a shell that runs a line of commands, with the compiler that built this program.
pub fn shell(line: &str) -> Command {
    let mut command = clean("sh");
    command.args(["-c", line]);
    command
}

/// Runs a command whose output is shown.
///
/// # Errors
/// It does not start, or fails.
pub fn succeed(command: &mut Command) -> Result<()> {
    let name = Path::new(command.get_program()).display().to_string();
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    let words: Vec<_> = command.get_args().map(|word| word.display().to_string()).collect();
    ensure!(status.success(), "`{name} {}` ended with {status}", words.join(" "));
    Ok(())
}

/// Returns the compiler's description of itself, such as "rustc 1.95.0 (59807616e 2026-04-14)".
///
/// # Errors
/// The compiler does not start.
pub fn rustc_version() -> Result<String> {
    output(clean("rustc").arg("-V"))
}

/// Prepares everything that `cargo xtask test` needs.
///
/// # Errors
/// Something is missing and cannot be installed; the error names the command that installs it.
pub fn everything() -> Result<()> {
    for name in ["rustfmt", "clippy"] {
        if !has_component(name) {
            say(&format!("rustup component add {name}"));
            output(clean("rustup").args(["component", "add", name]))
                .with_context(|| format!("{name} is missing; install it with `rustup component add {name}`"))?;
        }
    }
    targets(BOARDS)?;
    qemu()?;
    qemu_run()?;
    msrv()?;
    cargo_deny()?;
    mdbook()?;
    c()?;
    python()?;
    java()?;
    python_tools()?;
    chromium()?;
    Ok(())
}

/// Checks that a component of the compiler, `rustfmt` or `clippy`, is there.
///
/// # Errors
/// The component is missing.
pub fn component(name: &str) -> Result<()> {
    ensure!(has_component(name), "{name} is missing; install it with `rustup component add {name}`");
    Ok(())
}

fn has_component(name: &str) -> bool {
    let subcommand = if name == "rustfmt" { "fmt" } else { name };
    output(cargo().args([subcommand, "--version"])).is_ok()
}

/// Adds the compiler targets of these boards, where they are missing.
///
/// # Errors
/// rustup cannot add a target.
pub fn targets(boards: &[Board]) -> Result<()> {
    let mut missing: Vec<&str> = boards.iter().map(|board| board.target).filter(|target| !has_core(target)).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("rustup target add {}", missing.join(" "));
    say(&by_hand);
    output(clean("rustup").args(["target", "add"]).args(&missing))
        .with_context(|| format!("the compiler cannot build for {}; run `{by_hand}`", missing.join(", ")))?;
    // rustup may add the targets to another toolchain than the one in use.
    missing.retain(|target| !has_core(target));
    ensure!(
        missing.is_empty(),
        "`{by_hand}` succeeded, but {} lacks the targets; select its toolchain",
        rustc_version()?
    );
    Ok(())
}

/// Returns whether the compiler has the `core` library of a target.
fn has_core(target: &str) -> bool {
    let Ok(folder) = output(clean("rustc").args(["--print", "target-libdir", "--target", target])) else {
        return false;
    };
    let is_core = |name: &OsStr| name.to_string_lossy().starts_with("libcore-");
    fs::read_dir(folder).is_ok_and(|mut files| files.any(|file| file.is_ok_and(|file| is_core(&file.file_name()))))
}

/// Installs the toolchains of the minimum supported Rust versions, and the target of the smallest board, where missing.
///
/// # Errors
/// rustup cannot fetch them.
pub fn msrv() -> Result<()> {
    let target = BOARDS[0].target;
    for (version, targets) in [(DEVICE_MSRV, &[target][..]), (TRAINER_MSRV, &[])] {
        let listed = output(clean("rustup").args(["target", "list", "--installed", "--toolchain", version]));
        if listed.is_ok_and(|listed| targets.iter().all(|target| listed.lines().any(|line| line == *target))) {
            continue;
        }
        let by_hand = format!("rustup toolchain install {version} --profile minimal --target {target}");
        say(&by_hand);
        output(clean("rustup").args(by_hand.split(' ').skip(1))).with_context(|| {
            format!("rustup cannot install Rust {version}, a minimum supported version; run `{by_hand}` where it can")
        })?;
    }
    Ok(())
}

/// Finds the emulators of all boards. Installs them on Debian as root.
///
/// # Errors
/// They are missing and cannot be installed.
pub fn qemu() -> Result<()> {
    let missing = || QEMU.iter().any(|program| !starts(program));
    if missing() {
        let packages = ["qemu-system-arm", "qemu-system-misc"];
        apt(&packages).with_context(|| {
            format!(
                "QEMU is missing; install {} (on Debian: `apt-get install {}`)",
                QEMU.join(" and "),
                packages.join(" ")
            )
        })?;
        ensure!(!missing(), "{} were installed, but do not start", QEMU.join(" and "));
    }
    Ok(())
}

/// Finds make, two C compilers for the host and one for Arm, with their libraries. Installs them on Debian as root.
///
/// # Errors
/// They are missing and cannot be installed.
pub fn c() -> Result<()> {
    let packages = [
        "gcc",
        "g++",
        "make",
        "clang",
        "libc6-dev",
        "gcc-arm-none-eabi",
        "libnewlib-arm-none-eabi",
        "libstdc++-arm-none-eabi-newlib",
    ];
    if !["gcc", "g++", "make", "clang", "arm-none-eabi-gcc", "arm-none-eabi-g++"]
        .iter()
        .all(|compiler| starts(compiler))
    {
        apt(&packages).with_context(|| {
            format!(
                "a C compiler is missing; install gcc, clang, make and arm-none-eabi-gcc with newlib (on Debian: `apt-get install {}`)",
                packages.join(" ")
            )
        })?;
    }
    Ok(())
}

/// Finds Python 3. Installs it on Debian as root.
///
/// # Errors
/// It is missing and cannot be installed.
pub fn python() -> Result<()> {
    if !starts("python3") {
        apt(&["python3"]).context("Python 3 is missing; install python3 (on Debian: `apt-get install python3`)")?;
    }
    Ok(())
}

/// Finds Java, which Spark needs. Installs it on Debian as root.
///
/// # Errors
/// It is missing and cannot be installed.
pub fn java() -> Result<()> {
    if !starts("java") {
        apt(&["default-jre-headless"]).context(
            "Java is missing; install version 17 or later (on Debian: `apt-get install default-jre-headless`)",
        )?;
    }
    Ok(())
}

/// Makes a new virtual environment of Python. Installs Python on Debian as root.
///
/// # Errors
/// Python or its module `venv` is missing and cannot be installed.
pub fn python_environment(folder: &Path) -> Result<()> {
    let make = || output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(folder));
    if make().is_err() {
        let packages = ["python3", "python3-venv"];
        apt(&packages).with_context(|| {
            format!(
                "Python or its module venv is missing; install it (on Debian: `apt-get install {}`)",
                packages.join(" ")
            )
        })?;
        make()?;
    }
    Ok(())
}

/// Returns the name of a browser without a window. Installs Chromium on Debian as root.
///
/// # Errors
/// It is missing and cannot be installed.
pub fn chromium() -> Result<String> {
    let found = || ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|program| starts(program));
    if found().is_none() {
        apt(&["chromium"]).context("Chromium is missing; install it (on Debian: `apt-get install chromium`)")?;
    }
    found().map(str::to_owned).context("chromium was installed, but does not start")
}

/// Returns the folder with the programs of a virtual environment for Python, which is made in `target/tools` with the tools that
/// check packages of the ecosystems. Installs CMake and what Python lacks on Debian as root.
///
/// # Errors
/// Something is missing and cannot be installed.
pub fn python_tools() -> Result<PathBuf> {
    if !starts("cmake") {
        apt(&["cmake"]).context("CMake is missing; install it (on Debian: `apt-get install cmake`)")?;
    }
    let environment = root().join("target/tools/python");
    // The list of what was installed, written at the end.
    let (bin, installed) = (environment.join("bin"), environment.join("installed"));
    if fs::read_to_string(&installed).is_ok_and(|list| list == PYTHON.join(" ")) {
        return Ok(bin);
    }
    python_environment(&environment)?;
    say(&format!("pip install {}", PYTHON.join(" ")));
    output(Command::new(bin.join("pip")).args(["install", "--quiet"]).args(PYTHON))
        .with_context(|| format!("pip cannot install {}", PYTHON.join(" ")))?;
    fs::write(installed, PYTHON.join(" "))?;
    Ok(bin)
}

/// Returns the program `qemu-run`, which runs Arm firmware and decodes its defmt log.
///
/// # Errors
/// It is missing and cannot be built.
pub fn qemu_run() -> Result<PathBuf> {
    tool("qemu-run", QEMU_RUN)
}

/// Returns the program `cargo-deny`, which checks licences and duplicates.
///
/// # Errors
/// It is missing and cannot be built.
pub fn cargo_deny() -> Result<PathBuf> {
    tool("cargo-deny", CARGO_DENY)
}

/// Returns the program `mdbook`, which makes web pages of `docs/`.
///
/// # Errors
/// It is missing and cannot be built.
pub fn mdbook() -> Result<PathBuf> {
    tool("mdbook", MDBOOK)
}

/// Finds a program on the path, or builds it from crates.io into `target/tools`.
fn tool(name: &str, version: &str) -> Result<PathBuf> {
    if starts(name) {
        return Ok(name.into());
    }
    let tools = root().join("target/tools");
    let program = tools.join("bin").join(name);
    if !program.exists() {
        let by_hand = format!("cargo install {name} --locked --version {version}");
        say(&format!("{by_hand} (a few minutes, once)"));
        // Each runs for seconds here, and compiles sooner without optimisation.
        let mut install = cargo();
        install.args(by_hand.split(' ').skip(1)).arg("--debug").arg("--root").arg(&tools);
        output(install.env("CARGO_PROFILE_DEV_DEBUG", "0"))
            .with_context(|| format!("{name} is missing; install it with `{by_hand}`"))?;
    }
    Ok(program)
}

/// Installs Debian packages.
fn apt(packages: &[&str]) -> Result<()> {
    if output(Command::new("id").arg("-u")).ok().as_deref() != Some("0") || !starts("apt-get") {
        bail!("cannot install {} here: that needs root and apt-get", packages.join(" "));
    }
    static UPDATE: Once = Once::new();
    UPDATE.call_once(|| {
        say("apt-get update");
        // One of several sources may be unreachable; whether that matters shows in the installation.
        let _ = output(Command::new("apt-get").args(["-q", "update"]));
    });
    say(&format!("apt-get install {}", packages.join(" ")));
    let mut install = Command::new("apt-get");
    install.args(["-q", "install", "-y", "--no-install-recommends"]).args(packages);
    output(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}

/// Returns a command without the variables that cargo sets for the programs it runs.
fn clean(program: &str) -> Command {
    let mut command = Command::new(program);
    for name in ["CARGO", "RUSTC", "RUSTDOC", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    command
}

/// Returns whether a program can be started.
fn starts(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// Runs a command and returns its standard output without the last line break.
///
/// # Errors
/// The command does not start or fails; the error holds the last lines of its standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let words: Vec<_> = [command.get_program()].into_iter().chain(command.get_args()).take(8).collect();
    let name = words.join(OsStr::new(" ")).display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{name}`"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = text.lines().collect();
        bail!("`{name}` failed:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn say(step: &str) {
    eprintln!("setup: {step}");
}
