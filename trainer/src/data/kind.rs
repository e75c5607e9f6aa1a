//! Kinds of files, by their first bytes.

/// What a file is, by its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text, as far as the first bytes tell.
    Text,
    /// An array in NumPy's format.
    Npy,
    /// A ZIP archive, which may hold NumPy arrays or a spreadsheet.
    Zip,
    /// A sound in RIFF format.
    Wav,
    /// A table in Parquet format.
    #[cfg(feature = "parquet")]
    Parquet,
    /// A file that cannot be read: what it is, and what to do.
    Other(&'static str, &'static str),
}

/// Advice for files that another program reads.
const SAVE_AS_CSV: &str = "save it as CSV in the program that reads it";
const UNPACK: &str = "unpack it and pass the file in it";
const TO_CSV: &str =
    "convert it to CSV, for example with duckdb: COPY (FROM 'FILE') TO 'rows.csv', or with pandas: to_csv";
const PARQUET: &str = "install the command with `cargo install surprisal-cli --features parquet`, or convert it to CSV, for \
                       example with duckdb: COPY (FROM 'FILE') TO 'rows.csv', or with pandas: to_csv";

/// (first bytes, name, advice) of kinds that cannot be read.
const OTHERS: [(&[u8], &str, &str); 21] = [
    (b"PAR1", "a Parquet file", PARQUET),
    (b"ARROW1", "an Arrow (Feather) file", TO_CSV),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV, for example with sqlite3 -header -csv"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write its table as CSV, or its samples with numpy.save"),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", "write its table as CSV, for example with writematrix"),
    (b"%PDF-", "a PDF document", SAVE_AS_CSV),
    (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "an old Excel or Word file", "save the sheet as CSV"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", "pass a file of readings"),
    (b"\xFF\xD8\xFF", "a JPEG image", "pass a file of readings"),
    (b"GIF8", "a GIF image", "pass a file of readings"),
    (b"\x1F\x8B", "a gzip file in a compressed file", "decompress it once"),
    (b"\x28\xB5\x2F\xFD", "a Zstandard file in a compressed file", "decompress it once"),
    (b"BZh", "a bzip2 file", "decompress it with bunzip2, or compress it with gzip or zstd"),
    (b"\xFD7zXZ\0", "an xz file", "decompress it with unxz, or compress it with gzip or zstd"),
    (b"\x04\x22\x4D\x18", "an LZ4 file", "decompress it with unlz4, or compress it with gzip or zstd"),
    (b"7z\xBC\xAF\x27\x1C", "a 7-Zip archive", UNPACK),
    (b"Rar!\x1A\x07", "a RAR archive", UNPACK),
    (b"\x7FELF", "a program (ELF)", "pass a file of readings"),
    (b"SRPL", "a model of surprisal", "pass a file of readings; a model comes first in `score`, `eval` and `explain`"),
    (b"OggS", "an Ogg file", "convert the sound to .wav"),
    (b"fLaC", "a FLAC file", "convert the sound to .wav"),
];

impl Kind {
    /// Returns the kind of a file with these bytes, after decompression.
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.starts_with(b"\x93NUMPY") {
            return Self::Npy;
        }
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            return Self::Zip;
        }
        if (bytes.starts_with(b"RIFF") || bytes.starts_with(b"RF64")) && bytes.get(8..12) == Some(b"WAVE") {
            return Self::Wav;
        }
        #[cfg(feature = "parquet")]
        if bytes.starts_with(b"PAR1") {
            return Self::Parquet;
        }
        if bytes.get(257..262) == Some(b"ustar") {
            return Self::Other("a tar archive", UNPACK);
        }
        if let Some((_, name, advice)) = OTHERS.iter().find(|(start, ..)| bytes.starts_with(start)) {
            return Self::Other(name, advice);
        }
        markup(bytes).unwrap_or(Self::Text)
    }
}

/// Recognises JSON and markup, which are texts but no tables.
fn markup(bytes: &[u8]) -> Option<Kind> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    let start = text.get(..64.min(text.len()))?.to_ascii_lowercase();
    let is_object = start.starts_with(b"{") && start.get(1..)?.trim_ascii_start().starts_with(b"\"");
    let is_array = start.starts_with(b"[") && start.get(1..)?.trim_ascii_start().starts_with(b"{");
    if is_object || is_array {
        return Some(Kind::Other(
            "JSON",
            "convert it to CSV, one row of readings per line, for example with jq or pandas",
        ));
    }
    let is_markup = [&b"<?xml"[..], b"<!doctype", b"<html"].iter().any(|tag| start.starts_with(tag));
    is_markup.then_some(Kind::Other("XML or HTML", "download or export the data as CSV"))
}
