//! Signed updates: the table of a model as a device receives it, with a release number and an Ed25519 signature (RFC 8032).
//!
//! The layout is that of the device crate's [`UpdateHeader`]; `docs/updates.md` describes it.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use ed25519_compact::{KeyPair, PublicKey, Signature};
use surprisal::UpdateHeader;

use crate::data::input::{InputLimits, read_bytes};
use crate::error::{Error, Result};

/// The part of an update that is signed starts here.
const SIGNED: usize = UpdateHeader::SIGNATURE_BYTES;
/// A key file is a few lines.
const LIMITS: InputLimits = InputLimits { bytes: 1 << 16, ..InputLimits::DEFAULT };

/// The private key with which an owner signs updates.
///
/// ```
/// use surprisal_trainer::signing::{PrivateKey, Update};
/// let key = PrivateKey::generate();
/// # let file = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/shuttle.srp"));
/// # let table = &file[..u32::from_le_bytes(file[8..12].try_into()?) as usize];
/// let bytes = key.sign(table, 7); // `artefact.table_bytes()`
/// let update = Update::from_bytes("shuttle.sru".as_ref(), bytes)?;
/// assert_eq!(update.release(), 7);
/// assert!(update.is_signed_by(&key.public()));
/// assert!(!update.is_signed_by(&PrivateKey::generate().public()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct PrivateKey(KeyPair);

/// The public key, by which devices know the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerKey([u8; 32]);

impl PrivateKey {
    /// Generates a key from the random numbers of the operating system.
    pub fn generate() -> Self {
        Self(KeyPair::generate())
    }

    /// Reads a key from a PEM file, as [`write_new`](Self::write_new) or `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Inconsistent`] if it holds no unencrypted Ed25519 key.
    pub fn read(path: &Path) -> Result<Self> {
        let text = text_of(path)?;
        KeyPair::from_pem(&text).map(Self).map_err(|_| {
            Error::Inconsistent(format!(
                "{}: holds no private Ed25519 key in PEM without a password; pass the file that `surprisal keygen` wrote",
                path.display()
            ))
        })
    }

    /// Writes the key to a new PEM file, which on Unix only its owner may read.
    ///
    /// # Errors
    /// [`Error::Io`] if the file exists, because devices trust the key in it, or if it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                let reason = "it exists already, and a key is never overwritten; choose another name";
                Error::io(path, "cannot be written")(std::io::Error::other(reason))
            }
            _ => Error::io(path, "cannot be written")(error),
        })?;
        let written = file.write_all(self.0.sk.to_pem().as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| {
            // Half a key is of no use.
            let _ = fs::remove_file(path);
            Error::io(path, "cannot be written")(error)
        })
    }

    /// Returns the public half.
    pub fn public(&self) -> OwnerKey {
        OwnerKey(*self.0.pk)
    }

    /// Returns an update with this table: its header, signed, and the bytes of the table. `release` is at least 1.
    pub fn sign(&self, table: &[u8], release: u32) -> Vec<u8> {
        let header = UpdateHeader { signature: [0; SIGNED], release, length: table.len() as u32 };
        let mut bytes = [&header.to_bytes()[..], table].concat();
        let signature = self.0.sk.sign(&bytes[SIGNED..], None);
        bytes[..SIGNED].copy_from_slice(signature.as_ref());
        bytes
    }
}

impl OwnerKey {
    /// Reads a key from 64 hexadecimal digits or, if `text` is something else, from the PEM file of that name, which may
    /// hold either half.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; [`Error::Inconsistent`] if it holds no Ed25519 key.
    pub fn read(text: &str) -> Result<Self> {
        if let Some(key) = from_hex(text) {
            return Ok(Self(key));
        }
        let path = Path::new(text);
        let pem = text_of(path)?;
        let public = KeyPair::from_pem(&pem).map(|pair| pair.pk).or_else(|_| PublicKey::from_pem(&pem));
        public.map(|key| Self(*key)).map_err(|_| {
            Error::Inconsistent(format!(
                "{text}: holds no Ed25519 key in PEM; pass the file that `surprisal keygen` wrote, or the 64 digits that it printed"
            ))
        })
    }

    /// Returns the bytes that firmware passes to [`Received::verify`](surprisal::Received::verify).
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the key as 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// An update that is complete and undamaged.
#[derive(Clone, Debug)]
pub struct Update {
    header: UpdateHeader,
    bytes: Vec<u8>,
}

impl Update {
    /// Reads the file of an update.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read; the errors of [`from_bytes`](Self::from_bytes).
    pub fn read(path: &Path) -> Result<Self> {
        let advice = "cannot be read; pass the file that `surprisal sign` wrote";
        Self::from_bytes(path, read_bytes(path, &InputLimits::default(), advice)?)
    }

    /// Reads the bytes of an update. `path` names them in messages.
    ///
    /// # Errors
    /// [`Error::Model`] if the bytes are no update, are cut, or hold a damaged table.
    pub fn from_bytes(path: &Path, bytes: Vec<u8>) -> Result<Self> {
        let (header, _) = UpdateHeader::split(&bytes).map_err(|error| Error::model(path, error.to_string()))?;
        Ok(Self { header, bytes })
    }

    /// Returns the release number.
    pub const fn release(&self) -> u32 {
        self.header.release
    }

    /// Returns the bytes of the table.
    pub fn table(&self) -> &[u8] {
        &self.bytes[UpdateHeader::BYTES..]
    }

    /// Returns whether the owner of the key signed the update.
    pub fn is_signed_by(&self, key: &OwnerKey) -> bool {
        let signature = Signature::new(self.header.signature);
        PublicKey::new(key.0).verify(&self.bytes[SIGNED..], &signature).is_ok()
    }
}

fn text_of(path: &Path) -> Result<String> {
    let advice = "cannot be read as a key; pass a PEM file, or the 64 digits of a public key where one is asked for";
    Ok(String::from_utf8_lossy(&read_bytes(path, &LIMITS, advice)?).into_owned())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect();
    let bytes: Vec<u8> = digits?.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect();
    (text.len() == 64).then(|| bytes.try_into().ok())?
}
