//! Compressors of text, and models of independent columns.

use std::collections::HashMap;
use std::io::{Read, Write};

use anyhow::{Context, Result, anyhow};
use constriction::stream::Encode;
use constriction::stream::model::{DefaultContiguousCategoricalEntropyModel, DefaultUniformModel};
use constriction::stream::stack::DefaultAnsCoder;
use flate2::Compression;
use flate2::write::GzEncoder;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Largest size of a dictionary, the default of the command `zstd --train`.
const DICTIONARY: usize = 112_640;

/// Returns the number of bytes that a text takes, given a dictionary for texts of its kind.
pub type Peer = fn(&[u8], &[u8]) -> Result<usize>;

/// Compressors at their strongest common settings.
pub const PEERS: [(&str, Peer); 5] =
    [("gzip", gzip), ("xz", xz), ("brotli", brotli), ("zstd", zstd), ("zstd+dict", zstd_with)];

fn gzip(text: &[u8], _: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text)?;
    Ok(encoder.finish()?.len())
}

fn xz(text: &[u8], _: &[u8]) -> Result<usize> {
    let mut bytes = Vec::new();
    liblzma::read::XzEncoder::new(text, 9).read_to_end(&mut bytes)?;
    Ok(bytes.len())
}

fn brotli(text: &[u8], _: &[u8]) -> Result<usize> {
    let mut bytes = Vec::new();
    brotli::CompressorReader::new(text, 1 << 16, 11, 24).read_to_end(&mut bytes)?;
    Ok(bytes.len())
}

fn zstd(text: &[u8], _: &[u8]) -> Result<usize> {
    zstd_with(text, &[])
}

/// Compresses by Zstandard with everything left out that the receiver of packets can know.
fn zstd_with(text: &[u8], dictionary: &[u8]) -> Result<usize> {
    let mut compressor = Compressor::with_dictionary(19, dictionary)?;
    for parameter in
        [CParameter::ContentSizeFlag(false), CParameter::ChecksumFlag(false), CParameter::DictIdFlag(false)]
    {
        compressor.set_parameter(parameter)?;
    }
    // The format without its first four bytes, which are the same in all frames, is an experimental option.
    Ok(compressor.compress(text)?.len() - 4)
}

/// Trains a dictionary on packets of so many training rows.
pub fn dictionary(train: &str, rows: usize) -> Vec<u8> {
    let lines: Vec<&str> = train.split_inclusive('\n').collect();
    let samples: Vec<String> = lines.chunks(rows).map(|part| part.concat()).collect();
    // Few samples of little variety make no dictionary.
    zstd::dict::from_samples(&samples, DICTIONARY).unwrap_or_default()
}

/// Models of columns, each on its own: the shares of the texts of the training rows, by `constriction`.
pub struct Columns {
    columns: Vec<(HashMap<String, usize>, DefaultContiguousCategoricalEntropyModel)>,
}

impl Columns {
    /// Counts the texts of each column. An unknown text has the weight of half a row.
    pub fn new<'a>(rows: impl Iterator<Item = &'a str>) -> Self {
        let mut counts: Vec<HashMap<String, f64>> = Vec::new();
        for row in rows {
            for (at, cell) in row.split(',').enumerate() {
                if counts.len() <= at {
                    counts.push(HashMap::new());
                }
                *counts[at].entry(cell.to_owned()).or_default() += 1.0;
            }
        }
        let column = |counts: HashMap<String, f64>| {
            let mut texts: Vec<(String, f64)> = counts.into_iter().collect();
            texts.sort_by(|(a, _), (b, _)| a.cmp(b));
            let weights: Vec<f64> = texts.iter().map(|(_, count)| *count).chain([0.5]).collect();
            let model =
                DefaultContiguousCategoricalEntropyModel::from_floating_point_probabilities_fast(&weights, None);
            let codes = texts.into_iter().enumerate().map(|(code, (text, _))| (text, code)).collect();
            (codes, model.expect("the weights are positive"))
        };
        Self { columns: counts.into_iter().map(column).collect() }
    }

    /// Returns the number of bytes that rows take. A text that no training row has takes eight bits per character, and eight
    /// for their number.
    pub fn bytes<'a>(&self, rows: impl Iterator<Item = &'a str>) -> Result<usize> {
        let mut coder = DefaultAnsCoder::new();
        let fault = |error| anyhow!("constriction: {error:?}");
        for row in rows {
            for (cell, (codes, model)) in row.split(',').zip(&self.columns) {
                let code = codes.get(cell).copied();
                if code.is_none() {
                    let byte = DefaultUniformModel::new(256);
                    let length = u8::try_from(cell.len()).context("a cell of more than 255 bytes")?;
                    for symbol in cell.bytes().chain([length]) {
                        coder.encode_symbol(usize::from(symbol), byte).map_err(fault)?;
                    }
                }
                coder.encode_symbol(code.unwrap_or(codes.len()), model).map_err(fault)?;
            }
        }
        Ok(coder.num_valid_bits().div_ceil(8))
    }
}
