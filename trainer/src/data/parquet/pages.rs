//! Pages of a Parquet file, found and decompressed here: the crate that decodes them takes memory by the sizes and counts that
//! stand in them.

use std::collections::HashMap;

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use parquet::file::reader::RowGroupReader;
use parquet::record::reader::RowIter;
use parquet::schema::types::Type as Schema;

use super::thrift;

fn damaged() -> ParquetError {
    ParquetError::General("a page is damaged".into())
}

/// The fields of a page header, by (field that holds their structure, or 0; their own identifier).
struct Header(HashMap<(i16, i16), i64>);

/// Fields that hold the structure of each kind of page.
const DATA: i16 = 5;
const DICTIONARY: i16 = 7;
const DATA_V2: i16 = 8;

impl Header {
    fn get(&self, of: i16, id: i16) -> Option<i64> {
        self.0.get(&(of, id)).copied()
    }

    /// Returns a number that is not negative.
    fn count(&self, of: i16, id: i16) -> Option<u32> {
        self.get(of, id).and_then(|value| i32::try_from(value).ok()?.try_into().ok())
    }

    fn encoding(&self, of: i16, id: i16) -> Option<Encoding> {
        #[allow(deprecated, reason = "old files have it")]
        Some(match self.get(of, id)? {
            0 => Encoding::PLAIN,
            2 => Encoding::PLAIN_DICTIONARY,
            3 => Encoding::RLE,
            4 => Encoding::BIT_PACKED,
            5 => Encoding::DELTA_BINARY_PACKED,
            6 => Encoding::DELTA_LENGTH_BYTE_ARRAY,
            7 => Encoding::DELTA_BYTE_ARRAY,
            8 => Encoding::RLE_DICTIONARY,
            9 => Encoding::BYTE_STREAM_SPLIT,
            _ => return None,
        })
    }
}

/// Takes a page from the start of `chunk`: (header, body, size of the body after decompression).
fn next<'b>(chunk: &mut &'b [u8]) -> Option<(Header, &'b [u8], usize)> {
    let mut header = Header(HashMap::new());
    thrift::read(chunk, &mut |of, id, value| _ = header.0.insert((of, id), value))?;
    let (unpacked, packed) = (header.count(0, 2)?, header.count(0, 3)?);
    let (body, rest) = chunk.split_at_checked(packed as usize)?;
    *chunk = rest;
    Some((header, body, unpacked as usize))
}

/// Returns where the pages of a column stand in a file.
fn range(column: &ColumnChunkMetaData) -> Option<std::ops::Range<usize>> {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    let start = usize::try_from(start).ok()?;
    Some(start..start.checked_add(usize::try_from(column.compressed_size()).ok()?)?)
}

/// Returns the number of bytes of all pages of a column after decompression, or `None` if they are damaged.
pub(super) fn unpacked(file: &[u8], column: &ColumnChunkMetaData) -> Option<u64> {
    let mut chunk = file.get(range(column)?)?;
    let mut total = 0;
    while !chunk.is_empty() {
        total += next(&mut chunk)?.2 as u64;
    }
    Some(total)
}

/// A group of rows.
pub(super) struct Group<'a> {
    pub file: &'a Bytes,
    pub metadata: &'a RowGroupMetaData,
    /// Largest number of values of a page.
    pub most: usize,
}

impl RowGroupReader for Group<'_> {
    fn metadata(&self) -> &RowGroupMetaData {
        self.metadata
    }

    fn num_columns(&self) -> usize {
        self.metadata.num_columns()
    }

    fn get_column_page_reader(&self, at: usize) -> Result<Box<dyn PageReader>> {
        let column = self.metadata.column(at);
        let range = range(column).filter(|range| range.end <= self.file.len()).ok_or_else(damaged)?;
        let descriptor = column.column_descr();
        Ok(Box::new(Pages {
            chunk: self.file.slice(range),
            compression: column.compression(),
            kind: descriptor.physical_type(),
            is_optional: descriptor.max_def_level() > 0,
            most: self.most,
        }))
    }

    fn get_column_bloom_filter(&self, _: usize) -> Option<&Sbbf> {
        None
    }

    fn get_row_iter(&self, projection: Option<Schema>) -> Result<RowIter<'_>> {
        RowIter::from_row_group(projection, self)
    }
}

/// The pages of a column that are left.
struct Pages {
    chunk: Bytes,
    compression: Compression,
    kind: Type,
    is_optional: bool,
    most: usize,
}

impl Pages {
    /// Decompresses a body behind its first bytes, which are not compressed.
    fn decompressed(&self, body: &[u8], plain: usize, unpacked: usize) -> Option<Bytes> {
        let (levels, values) = body.split_at_checked(plain)?;
        let size = unpacked.checked_sub(plain)?;
        let values = match self.compression {
            Compression::UNCOMPRESSED => values.to_vec(),
            _ if size == 0 => Vec::new(),
            Compression::SNAPPY => {
                let mut bytes = vec![0; size];
                let length = snap::raw::Decoder::new().decompress(values, &mut bytes).ok()?;
                (length == size).then_some(bytes)?
            }
            Compression::ZSTD(_) => zstd::bulk::decompress(values, size).ok().filter(|bytes| bytes.len() == size)?,
            _ => return None,
        };
        Some(if plain == 0 { values.into() } else { [levels, &values].concat().into() })
    }

    fn page(&self, header: &Header, body: &[u8], unpacked: usize) -> Option<Page> {
        let count = |of, id| header.count(of, id).filter(|&count| count as usize <= self.most);
        let page = match header.get(0, 1)? {
            0 => Page::DataPage {
                buf: self.decompressed(body, 0, unpacked)?,
                num_values: count(DATA, 1)?,
                encoding: header.encoding(DATA, 2)?,
                def_level_encoding: header.encoding(DATA, 3)?,
                rep_level_encoding: header.encoding(DATA, 4)?,
                statistics: None,
            },
            2 => Page::DictionaryPage {
                buf: self.decompressed(body, 0, unpacked)?,
                num_values: count(DICTIONARY, 1)?,
                encoding: header.encoding(DICTIONARY, 2)?,
                is_sorted: false,
            },
            _ => {
                let (def_levels_byte_len, rep_levels_byte_len) = (header.count(DATA_V2, 5)?, header.count(DATA_V2, 6)?);
                let levels = def_levels_byte_len.checked_add(rep_levels_byte_len)? as usize;
                let is_compressed = header.get(DATA_V2, 7) != Some(0);
                Page::DataPageV2 {
                    buf: if is_compressed { self.decompressed(body, levels, unpacked)? } else { body.to_vec().into() },
                    num_values: count(DATA_V2, 1)?,
                    encoding: header.encoding(DATA_V2, 4)?,
                    num_nulls: count(DATA_V2, 2)?,
                    num_rows: count(DATA_V2, 3)?,
                    def_levels_byte_len,
                    rep_levels_byte_len,
                    is_compressed,
                    statistics: None,
                }
            }
        };
        self.is_bounded(&page).then_some(page)
    }

    /// Returns whether the numbers of values in a page are those that it can hold.
    fn is_bounded(&self, page: &Page) -> bool {
        let levels = match page {
            Page::DictionaryPage { buf, num_values, .. } => {
                let least = if self.kind == Type::FIXED_LEN_BYTE_ARRAY { 1 } else { 4 };
                return (*num_values as usize).saturating_mul(least) <= buf.len();
            }
            Page::DataPageV2 { def_levels_byte_len, rep_levels_byte_len, .. } => {
                def_levels_byte_len.saturating_add(*rep_levels_byte_len) as usize
            }
            Page::DataPage { buf, .. } if self.is_optional => {
                let length = buf.first_chunk().map_or(u32::MAX, |length| u32::from_le_bytes(*length));
                (length as usize).saturating_add(4)
            }
            Page::DataPage { .. } => 0,
        };
        let lists = match page.encoding() {
            Encoding::DELTA_LENGTH_BYTE_ARRAY => 1,
            Encoding::DELTA_BYTE_ARRAY => 2,
            _ => return true,
        };
        let Some(mut values) = page.buffer().get(levels..) else { return false };
        (0..lists).all(|_| deltas(&mut values).is_some_and(|count| count <= page.num_values().into()))
    }
}

/// Takes numbers as packed differences from the start of `bytes`, and returns how many they are.
fn deltas(bytes: &mut &[u8]) -> Option<u64> {
    let [block, parts, count, _] = [0; 4].map(|_| thrift::varint(bytes));
    let (block, parts, count) = (block?, parts?, count?);
    let per_part = block.checked_div(parts).filter(|&numbers| numbers > 0)?;
    let mut left = count.saturating_sub(1);
    while left > 0 {
        thrift::varint(bytes)?;
        let (widths, rest) = bytes.split_at_checked(usize::try_from(parts).ok()?)?;
        *bytes = rest;
        for &width in widths {
            // The last parts of a block may have widths without numbers.
            if left > 0 {
                let length = u64::from(width).checked_mul(per_part)? / 8;
                *bytes = bytes.get(usize::try_from(length).ok()?..)?;
                left = left.saturating_sub(per_part);
            }
        }
    }
    Some(count)
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        while !self.chunk.is_empty() {
            let mut rest = &self.chunk[..];
            let (header, body, unpacked) = next(&mut rest).ok_or_else(damaged)?;
            // An index of pages holds no values.
            let page = (header.get(0, 1) != Some(1)).then(|| self.page(&header, body, unpacked).ok_or_else(damaged));
            let read = self.chunk.len() - rest.len();
            self.chunk = self.chunk.slice(read..);
            if let Some(page) = page {
                return page.map(Some);
            }
        }
        Ok(None)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Err(damaged())
    }

    fn skip_next_page(&mut self) -> Result<()> {
        Err(damaged())
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        Ok(true)
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
