//! Find or install what is needed, and say so.
//!
//! A target comes from rustup where rustup can fetch it. Where it cannot, Debian's own compiler and its sources stand
//! in: `core` and `alloc` are built once and put where the compiler looks for them, so that every later build is an
//! ordinary one. Callers see a [`Toolchain`] and never learn which of the two it is.

use crate::board::BOARDS;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;

/// The version of `qemu-run` that the demos were tried with.
const QEMU_RUN: &str = "0.3.1";

/// Debian's compiler, its sources and a linker; the plain `rustc` package is years older.
const DEBIAN_RUST: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "lld"];

/// A compiler that can build for the targets it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// The one that runs this command.
    Own,
    /// The one in /usr, past rustup's proxies, which come first in PATH.
    Debian,
}

impl Toolchain {
    /// A command for cargo that builds with this compiler.
    pub fn cargo(self) -> Command {
        self.tool("cargo")
    }

    fn tool(self, name: &str) -> Command {
        match self {
            Self::Own => clean(name),
            Self::Debian => {
                let mut tool = clean(format!("/usr/bin/{name}"));
                tool.env_remove("RUSTUP_TOOLCHAIN");
                tool.env("RUSTC", "/usr/bin/rustc").env("RUSTDOC", "/usr/bin/rustdoc");
                tool
            }
        }
    }

    /// What the compiler answers to `args`, without the last line break.
    fn rustc(self, args: &[&str]) -> Result<String> {
        output(self.tool("rustc").args(args))
    }

    /// Where the compiler looks for the libraries of a target.
    fn libdir(self, target: &str) -> Result<PathBuf> {
        self.rustc(&["--print", "target-libdir", "--target", target]).map(PathBuf::from)
    }

    /// Which of the targets the compiler has no `core` for; all of them if there is no compiler.
    fn missing<'t>(self, targets: &[&'t str]) -> Vec<&'t str> {
        let has_core = |target: &str| -> Result<bool> {
            let libdir = self.libdir(target)?;
            let core = fs::read_dir(&libdir)?.flatten().any(|file| is_rlib(&file.file_name(), "core"));
            let fresh = fs::read_to_string(libdir.join(STAMP)).map_or(Ok(true), |by| self.version().map(|v| v == by));
            Ok(core && fresh?)
        };
        targets.iter().copied().filter(|target| !has_core(target).unwrap_or(false)).collect()
    }

    /// What the compiler calls itself.
    pub fn version(self) -> Result<String> {
        self.rustc(&["-V"])
    }
}

/// The file beside a `core` of our own making that says which compiler built it: after an upgrade it is of no use.
const STAMP: &str = "built-by";

fn is_rlib(file: &OsStr, library: &str) -> bool {
    let file = file.to_string_lossy();
    file.starts_with(&format!("lib{library}-")) && file.ends_with(".rlib")
}

/// The project's folder.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the project")
}

/// All that any command needs.
pub fn everything() -> Result<()> {
    for component in ["rustfmt", "clippy"] {
        self::component(component)?;
    }
    targets(&BOARDS.iter().map(|board| board.target).collect::<Vec<_>>())?;
    qemu()?;
    qemu_run()?;
    Ok(())
}

/// A compiler for all of these targets.
pub fn targets(triples: &[&str]) -> Result<Toolchain> {
    for toolchain in [Toolchain::Own, Toolchain::Debian] {
        if toolchain.missing(triples).is_empty() {
            return Ok(toolchain);
        }
    }
    let missing = Toolchain::Own.missing(triples);
    say(&format!("rustup target add {}", missing.join(" ")));
    let mut add = clean("rustup");
    add.args(["target", "add"]).args(&missing).env("RUST_BACKTRACE", "0");
    match output(&mut add) {
        // Rustup may have served another compiler than the one in use, so the outcome is looked at.
        Ok(_) if Toolchain::Own.missing(triples).is_empty() => return Ok(Toolchain::Own),
        Ok(_) => say("rustup did, but not for the compiler in use; turning to Debian's"),
        Err(error) => say(&format!("{error:#}\nsetup: turning to Debian's compiler")),
    }
    debian(triples).with_context(|| {
        format!(
            "no compiler for {0}; install one by hand: `rustup target add {0}`, or as root on Debian \
             `apt-get install {1}` and run this again",
            missing.join(" "),
            DEBIAN_RUST.join(" "),
        )
    })?;
    Ok(Toolchain::Debian)
}

/// Gives Debian's compiler the targets that it lacks.
fn debian(triples: &[&str]) -> Result<()> {
    let debian = Toolchain::Debian;
    let has_sources = |sysroot: String| Path::new(&sysroot).join("lib/rustlib/src/rust/library").exists();
    let installed = ["/usr/bin/cargo", "/usr/bin/lld"].iter().all(|program| Path::new(program).exists())
        && debian.rustc(&["--print", "sysroot"]).is_ok_and(has_sources);
    if !installed {
        apt(DEBIAN_RUST)?;
    }

    // The name under which rustc looks for the linker that it would have shipped.
    let host = debian.rustc(&["--print", "host-tuple"])?;
    let bin = debian.libdir(&host)?.with_file_name("bin");
    fs::create_dir_all(&bin)?;
    output(Command::new("ln").args(["-sf", "/usr/bin/lld"]).arg(bin.join("rust-lld")))?;

    let missing = debian.missing(triples);
    say(&format!("building core and alloc for {} (once, about a minute)", missing.join(" ")));
    let dir = root().join("target/setup");
    make_empty(&dir)?;
    fs::write(dir.join("lib.rs"), "#![no_std]\n")?;
    fs::write(
        dir.join("Cargo.toml"),
        "[package]\nname = \"empty\"\nedition = \"2021\"\n[lib]\npath = \"lib.rs\"\n[profile.release]\ndebug = 0\n[workspace]\n",
    )?;
    let mut build = debian.cargo();
    build.args(["build", "--release", "-Zbuild-std=core,alloc", "--target-dir"]).arg(&dir);
    // Without its bitcode `core` could not take part in link-time optimisation.
    build.env("RUSTC_BOOTSTRAP", "1").env("RUSTFLAGS", "-C embed-bitcode=yes").current_dir(&dir);
    for target in &missing {
        build.args(["--target", target]);
    }
    output(&mut build)?;

    for target in &missing {
        let libdir = debian.libdir(target)?;
        // Moved there in one step, so that an interrupted copy is not taken for a good one.
        let part = libdir.with_file_name("part");
        make_empty(&part)?;
        for file in fs::read_dir(dir.join(target).join("release/deps"))? {
            let (path, name) = file.map(|file| (file.path(), file.file_name()))?;
            if ["core", "alloc", "compiler_builtins"].iter().any(|library| is_rlib(&name, library)) {
                fs::copy(path, part.join(name))?;
            }
        }
        fs::write(part.join(STAMP), debian.version()?)?;
        if libdir.exists() {
            fs::remove_dir_all(&libdir)?;
        }
        fs::rename(part, libdir)?;
    }
    fs::remove_dir_all(dir)?;
    Ok(())
}

fn make_empty(dir: &Path) -> Result<()> {
    if dir.exists() {
        fs::remove_dir_all(dir)?;
    }
    Ok(fs::create_dir_all(dir)?)
}

/// The emulators of all boards.
pub fn qemu() -> Result<()> {
    let missing = || BOARDS.iter().any(|board| !starts(board.qemu[0]));
    let packages = ["qemu-system-arm", "qemu-system-misc"];
    if missing() {
        apt(&packages).with_context(|| {
            format!(
                "no QEMU; install qemu-system-arm and qemu-system-riscv32 by hand (on Debian: `apt-get install {}`)",
                packages.join(" ")
            )
        })?;
    }
    if missing() {
        bail!("qemu-system-arm and qemu-system-riscv32 were installed but do not start");
    }
    Ok(())
}

/// A C compiler for boards, with its library, and one for the host.
pub fn c() -> Result<()> {
    let packages = ["gcc", "libc6-dev", "gcc-arm-none-eabi", "libnewlib-arm-none-eabi"];
    if !["cc", "arm-none-eabi-gcc"].iter().all(|compiler| starts(compiler)) {
        apt(&packages).with_context(|| {
            format!(
                "no C compilers; install cc and arm-none-eabi-gcc with newlib by hand (on Debian: `apt-get install {}`)",
                packages.join(" ")
            )
        })?;
    }
    Ok(())
}

/// The cargo runner that decodes what firmware logs by defmt; Arm only.
pub fn qemu_run() -> Result<PathBuf> {
    if starts("qemu-run") {
        return Ok("qemu-run".into());
    }
    let tools = root().join("target/tools");
    let program = tools.join("bin/qemu-run");
    if !program.exists() {
        say(&format!("cargo install qemu-run {QEMU_RUN} (a minute or two)"));
        let mut install = Toolchain::Own.cargo();
        install.args(["install", "qemu-run", "--locked", "--version", QEMU_RUN, "--root"]).arg(&tools);
        output(&mut install).with_context(|| {
            format!("no qemu-run; install it by hand: `cargo install qemu-run --locked --version {QEMU_RUN}`")
        })?;
    }
    Ok(program)
}

/// A component of the compiler in use, such as `clippy`.
pub fn component(name: &str) -> Result<()> {
    let subcommand = if name == "rustfmt" { "fmt" } else { name };
    if output(Toolchain::Own.cargo().args([subcommand, "--version"])).is_ok() {
        return Ok(());
    }
    say(&format!("rustup component add {name}"));
    output(clean("rustup").args(["component", "add", name]))
        .with_context(|| format!("no {name}; install it by hand: `rustup component add {name}`"))?;
    Ok(())
}

/// Installs Debian packages.
fn apt(packages: &[&str]) -> Result<()> {
    if output(Command::new("id").arg("-u")).ok().as_deref() != Some("0") || !starts("apt-get") {
        bail!("cannot install {} here: that takes root and apt-get", packages.join(" "));
    }
    static UPDATE: Once = Once::new();
    UPDATE.call_once(|| {
        say("apt-get update");
        // One unreachable source of many is no obstacle: the installation will tell.
        let _ = output(Command::new("apt-get").args(["-q", "update"]));
    });
    say(&format!("apt-get install {}", packages.join(" ")));
    let mut install = Command::new("apt-get");
    install.args(["-q", "install", "-y", "--no-install-recommends"]).args(packages);
    output(install.env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}

/// A command without what the cargo that runs us left in the environment for its own children.
fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in ["CARGO", "RUSTC", "RUSTDOC", "LD_LIBRARY_PATH"] {
        command.env_remove(name);
    }
    command
}

/// Whether there is such a program.
fn starts(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok()
}

/// What a command prints on stdout; if it fails, an error with the end of what it said.
fn output(command: &mut Command) -> Result<String> {
    let name = [command.get_program()].into_iter().chain(command.get_args()).collect::<Vec<_>>().join(OsStr::new(" "));
    let name = name.display();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<_> = said.lines().collect();
        bail!("{name} failed:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

fn say(step: &str) {
    eprintln!("setup: {step}");
}
