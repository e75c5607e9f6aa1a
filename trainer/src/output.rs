//! Writes output files atomically and never over an input file.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Writes a file atomically through [`Output`]: after an error, the target keeps its old content.
///
/// # Errors
/// [`Error::Io`] if the folder does not exist or the file cannot be written; [`Error::OutputIsInput`] if `path` leads
/// to one of `inputs`.
pub fn write_whole(path: &Path, bytes: &[u8], inputs: &[&Path]) -> Result<()> {
    let mut output = Output::create(path, inputs)?;
    output.write_all(bytes).map_err(|error| output.failed(error))?;
    output.commit()
}

/// Writes a folder with files, all of them or none: `files` holds (path in the folder with `/` between folders, content).
/// The folder must be new or empty.
///
/// # Errors
/// [`Error::Io`] if `path` is a file or a folder that is not empty, if its parent folder does not exist, or if a file cannot
/// be written.
pub fn write_folder(path: &Path, files: &[(String, String)]) -> Result<()> {
    check_folder(path)?;
    let parent = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let written = (|| {
        let scratch = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempdir_in(parent)?;
        // Only the owner may read the temporary folder itself.
        let folder = scratch.path().join("folder");
        fs::create_dir(&folder)?;
        for (name, content) in files {
            let file = folder.join(name);
            fs::create_dir_all(file.parent().unwrap_or(&folder))?;
            fs::write(file, content)?;
        }
        if path.is_dir() {
            fs::remove_dir(path)?;
        }
        fs::rename(&folder, path)
    })();
    written.map_err(|error| failure(path, error))
}

/// Returns an error unless a folder at `path` could be written: there is nothing yet, or an empty folder.
///
/// # Errors
/// [`Error::Io`] if `path` is a file or a folder that is not empty, or cannot be read.
pub fn check_folder(path: &Path) -> Result<()> {
    let taken = match fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(_) if path.is_file() => true,
        Err(error) => return Err(failure(path, error)),
    };
    if taken {
        let reason = "it exists already and is not overwritten; choose another name, or delete it first";
        return Err(Error::io(path, "cannot be written")(io::Error::other(reason)));
    }
    Ok(())
}

/// Returns an error if `path` leads to one of `inputs`, also through a symbolic link or a hard link, or to a private key.
///
/// Call this function before long work to find the error at once; [`Output::create`] checks again.
///
/// # Errors
/// [`Error::OutputIsInput`] if `path` leads to one of `inputs`; [`Error::Io`] if it leads to a private key in PEM;
/// [`Error::Option`] if it is `-`.
pub fn check(path: &Path, inputs: &[&Path]) -> Result<()> {
    if path == Path::new("-") {
        return Err(Error::option(
            "-o",
            "`-` is no file, and results of this kind do not go to standard output; name a file",
        ));
    }
    // Writing to a pipe or a device overwrites no input.
    if path.is_file() && inputs.iter().any(|input| is_same(path, input)) {
        return Err(Error::OutputIsInput(path.to_owned()));
    }
    if is_private_key(path) {
        let reason = "it holds a private key, which is not overwritten; choose another name";
        return Err(Error::io(path, "cannot be written")(io::Error::other(reason)));
    }
    Ok(())
}

/// Returns whether a file begins as a private key in PEM, without which the devices that know its owner take no update again.
fn is_private_key(path: &Path) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN PRIVATE KEY-----";
    let mut start = [0; BEGIN.len()];
    path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == BEGIN
}

/// A file being written. Its content replaces the target when it is [committed](Self::commit); if it is dropped before,
/// the target keeps its old content.
///
/// The content goes to a temporary file `.surprisal-PID-XXXXXX.tmp` in the target's folder, which is then renamed. A
/// new file gets the permissions of the umask, a replaced file keeps its permissions. Temporary files of processes that
/// died are removed from the same folder. A pipe or a device is written to directly, and a symbolic link's target is
/// replaced.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    target: PathBuf,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Temporary(BufWriter<NamedTempFile>),
    Direct(BufWriter<File>),
}

impl Output {
    /// Opens an output file at `path`, which must not lead to one of `inputs`.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder does not exist or cannot be written; [`Error::OutputIsInput`] if `path` leads to one
    /// of `inputs`.
    pub fn create(path: &Path, inputs: &[&Path]) -> Result<Self> {
        check(path, inputs)?;
        let failed = |error| failure(path, error);
        let target = path.canonicalize().or_else(|_| dangling(path)).unwrap_or_else(|_| path.to_owned());
        let replaced = fs::metadata(&target).ok();
        if replaced.as_ref().is_some_and(|metadata| !metadata.is_file()) {
            let file = OpenOptions::new().write(true).open(&target).map_err(failed)?;
            return Ok(Self { path: path.to_owned(), target, sink: Sink::Direct(BufWriter::new(file)) });
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        remove_leftovers(folder);
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM);
        // The umask applies to this mode; without it, only the owner could read the file.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(failed)?;
        // Other processes see the lock even where process ids differ, as in a container.
        let _ = try_lock(file.as_file());
        if let Some(replaced) = replaced {
            file.as_file().set_permissions(replaced.permissions()).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), target, sink: Sink::Temporary(BufWriter::new(file)) })
    }

    /// Writes the buffered rest of the file and lets the file replace the target.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be written completely; the target then keeps its old content.
    pub fn commit(self) -> Result<()> {
        let Self { path, target, sink } = self;
        let written = match sink {
            Sink::Direct(file) => file.into_inner().map(drop).map_err(io::IntoInnerError::into_error),
            Sink::Temporary(file) => file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| {
                file.as_file().sync_all()?;
                file.persist(&target).map(drop).map_err(|error| error.error)
            }),
        };
        written.map_err(|error| failure(&path, error))
    }

    /// Converts an I/O error of [`Write`] on this output to [`Error::Io`] with the output's path.
    pub fn failed(&self, error: io::Error) -> Error {
        failure(&self.path, error)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.sink {
            Sink::Temporary(file) => file.write(bytes),
            Sink::Direct(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::Temporary(file) => file.flush(),
            Sink::Direct(file) => file.flush(),
        }
    }
}

/// Returns the file that a symbolic link leads to, though it does not exist yet.
fn dangling(path: &Path) -> io::Result<PathBuf> {
    let target = fs::read_link(path)?;
    Ok(path.parent().map_or(target.clone(), |folder| folder.join(target)))
}

fn failure(path: &Path, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on its disk, or name a file on another with -o"
        }
        _ => "check that the folder exists and is writable",
    };
    Error::io(path, format!("cannot be written; {advice}"))(error)
}

/// Returns whether two paths lead to the same file.
fn is_same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let (Ok(a), Ok(b)) = (fs::metadata(a), fs::metadata(b)) {
            return (a.dev(), a.ino()) == (b.dev(), b.ino());
        }
    }
    a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b)
}

const PREFIX: &str = ".surprisal-";
const SUFFIX: &str = ".tmp";
/// Number of random letters and digits in the name of a temporary file.
const RANDOM: usize = 6;

/// Removes the temporary files of dead processes from a folder. Errors are ignored.
fn remove_leftovers(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let dead = process_of(&entry.file_name()).is_some_and(|process| !is_alive(process));
        let is_file = dead && entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && File::open(entry.path()).is_ok_and(|file| try_lock(&file)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Returns the process id in the name of a temporary file, or `None` for any other file name.
fn process_of(name: &OsStr) -> Option<i32> {
    let (process, random) = name.to_str()?.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.split_once('-')?;
    let exact = random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = process.parse::<i32>().ok().filter(|number| *number > 0 && number.to_string() == process)?;
    exact.then_some(number)
}

/// Locks a file until it is closed; returns false if another process has locked it.
fn try_lock(file: &File) -> bool {
    #[cfg(unix)]
    return rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok();
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Returns whether a process exists; true on systems where this cannot be determined.
fn is_alive(process: i32) -> bool {
    #[cfg(unix)]
    if let Some(process) = rustix::process::Pid::from_raw(process) {
        return rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH);
    }
    let _ = process;
    true
}
