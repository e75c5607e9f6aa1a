//! Options of `keygen`, `sign` and `verify`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct SignArgs {
    /// Model: a .srp file that `fit` wrote.
    pub model: PathBuf,
    /// PEM file with the private key.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Release number of the table. Devices refuse a number that is not higher than the one in use.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub release: u32,
    /// Refuse to sign unless firmware that was compiled with this model, a .srp file, takes the table.
    #[arg(long, value_name = "MODEL")]
    pub like: Option<PathBuf>,
    /// Update to write, such as pump.sru.
    #[arg(short, value_name = "FILE")]
    pub output: PathBuf,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Update: a file that `sign` wrote.
    pub update: PathBuf,
    /// Public key as 64 hexadecimal digits, or a PEM file with either half of the key.
    #[arg(long, value_name = "KEY")]
    pub key: String,
    /// Also check that the update holds the table of this model, a .srp file.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<PathBuf>,
}
