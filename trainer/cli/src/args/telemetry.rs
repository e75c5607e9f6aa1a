//! Options of `compress` and `decompress`.

use std::path::PathBuf;

use clap::Args;

use super::ReadingArgs;

/// Options of `compress`.
#[derive(Debug, Args)]
pub struct CompressArgs {
    /// Model: a .srp file that `fit` wrote.
    pub model: PathBuf,
    /// File of rows, plain, .gz or .zst; - reads standard input.
    pub data: PathBuf,
    /// File to write.
    #[arg(short, value_name = "FILE")]
    pub output: PathBuf,
    /// Put at most this many rows into a packet. Damage to a packet costs all its rows.
    #[arg(long, value_name = "ROWS", default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..))]
    pub packet: u16,
    /// Make no packet longer than this, for example the 51 bytes of a slow LoRa frame.
    #[arg(long, value_name = "BYTES", default_value_t = 32767, value_parser = clap::value_parser!(u16).range(1..=32767))]
    pub bytes: u16,
    #[command(flatten)]
    pub reading: ReadingArgs,
}

/// Options of `decompress`.
#[derive(Debug, Args)]
pub struct DecompressArgs {
    /// Model with which the rows were compressed.
    pub model: PathBuf,
    /// File that `compress` wrote, or the packets of a board one after another; - reads standard input.
    pub packets: PathBuf,
    /// File of rows to write.
    #[arg(short, value_name = "FILE")]
    pub output: PathBuf,
    /// Decimals of each reading, for packets of a board exactly as its program has them: 2,0,255 for hundredths, whole numbers
    /// and floats of any value. Leave the option out if its program has none.
    ///
    /// A file of `compress` holds them in its header. If that is lost or damaged, give the list that `compress` printed.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub decimals: Vec<u8>,
}
