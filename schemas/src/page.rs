//! Pages: writes the pages of one column chunk and what readers want to know about them.

use std::cell::RefCell;
use std::ops::Range;

use bytes::Bytes;
use parquet::basic::{BoundaryOrder, Compression, Encoding, ZstdLevel};
use parquet::bloom_filter::Sbbf;
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{
    ColumnChunkMetaData, ColumnIndexBuilder, OffsetIndexBuilder, PageEncodingStats,
};
use parquet::file::statistics::Statistics;
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use crate::encoding::{bits, hybrid};
use crate::leaf::Levels;

/// A column chunk, ready to be spliced into a file.
#[derive(Debug)]
pub struct EncodedColumn {
    pub(crate) bytes: Bytes,
    pub(crate) close: ColumnCloseResult,
}

impl EncodedColumn {
    /// Size in the file, without footer and bloom filter.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// Most rows of a page: what a reader that seeks by page index has to decode at least.
pub(crate) const PAGE_ROWS: usize = 20_000;

/// Bytes of values after which a page ends.
pub(crate) const PAGE_BYTES: usize = 1 << 20;

/// The level of compression: higher ones cost more than they gain on such columns.
pub(crate) const ZSTD_LEVEL: i32 = 1;

/// What one data page covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRange {
    pub(crate) rows: usize,
    pub(crate) entries: Range<usize>,
    pub(crate) values: Range<usize>,
}

/// Least and greatest value of a page, as Parquet's statistics write them, and whether they are whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) least: Vec<u8>,
    pub(crate) greatest: Vec<u8>,
}

/// Writes the pages of one column chunk.
pub(crate) struct ChunkWriter {
    descriptor: ColumnDescPtr,
    sink: TrackedWrite<Vec<u8>>,
    offsets: OffsetIndexBuilder,
    index: ColumnIndexBuilder,
    bounds: Vec<Option<Bounds>>,
    compressed: usize,
    uncompressed: usize,
    rows: usize,
    entries: usize,
    nulls: usize,
    dictionary_encoding: Option<Encoding>,
    data_encoding: Encoding,
    data_pages: i32,
    data_offset: Option<u64>,
    buffer: Vec<u8>,
}

impl ChunkWriter {
    pub(crate) fn new(descriptor: ColumnDescPtr) -> Self {
        let index = ColumnIndexBuilder::new(descriptor.physical_type());
        Self {
            descriptor,
            sink: TrackedWrite::new(Vec::new()),
            offsets: OffsetIndexBuilder::new(),
            index,
            bounds: Vec::new(),
            compressed: 0,
            uncompressed: 0,
            rows: 0,
            entries: 0,
            nulls: 0,
            dictionary_encoding: None,
            data_encoding: Encoding::PLAIN,
            data_pages: 0,
            data_offset: None,
            buffer: Vec::new(),
        }
    }

    /// Writes the dictionary, before any data page.
    pub(crate) fn dictionary(&mut self, plain: &[u8], entries: usize) -> Result<()> {
        let buf = compress(plain)?.into();
        let page = Page::DictionaryPage {
            buf,
            num_values: entries as u32,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        self.dictionary_encoding = Some(Encoding::PLAIN);
        self.write(page, plain.len())?;
        Ok(())
    }

    /// Writes a data page of the entries of `range`; `values` appends the encoded values that are there. Without
    /// `bounds` the page is taken to hold no value at all.
    pub(crate) fn data(
        &mut self,
        levels: &Levels,
        range: &PageRange,
        encoding: Encoding,
        bounds: Option<Bounds>,
        values: impl FnOnce(&mut Vec<u8>),
    ) -> Result<()> {
        let mut plain = std::mem::take(&mut self.buffer);
        plain.clear();
        write_levels(&levels.repetition, levels.max_repetition, &range.entries, &mut plain);
        write_levels(&levels.definition, levels.max_definition, &range.entries, &mut plain);
        values(&mut plain);
        let page = Page::DataPage {
            buf: compress(&plain)?.into(),
            num_values: range.entries.len() as u32,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        let (offset, size) = self.write(page, plain.len())?;
        self.buffer = plain;
        self.data_offset.get_or_insert(offset);
        self.data_encoding = encoding;
        self.data_pages += 1;
        self.offsets.append_offset_and_size(offset as i64, size as i32);
        self.offsets.append_row_count(range.rows as i64);
        let nulls = range.entries.len() - range.values.len();
        let shown = bounds.clone().unwrap_or_default();
        self.index.append(bounds.is_none(), shown.least, shown.greatest, nulls as i64);
        self.bounds.push(bounds);
        self.rows += range.rows;
        self.entries += range.entries.len();
        self.nulls += nulls;
        Ok(())
    }

    /// Ends the chunk. `order` compares bounds as readers do; `statistics` are those of the whole chunk, made from
    /// the number of nulls. `unordered` says that the bounds must not be relied upon (not-a-number values).
    pub(crate) fn close(
        mut self,
        order: impl Fn(&[u8], &[u8]) -> std::cmp::Ordering,
        statistics: impl FnOnce(u64) -> Statistics,
        bloom_filter: Option<Sbbf>,
        indexed: bool,
    ) -> Result<EncodedColumn> {
        self.index.set_boundary_order(boundary_order(&self.bounds, order));
        let mut encodings = vec![Encoding::RLE, self.data_encoding];
        let mut pages = vec![PageEncodingStats {
            page_type: parquet::basic::PageType::DATA_PAGE,
            encoding: self.data_encoding,
            count: self.data_pages,
        }];
        if let Some(encoding) = self.dictionary_encoding {
            encodings.push(encoding);
            pages.insert(
                0,
                PageEncodingStats {
                    page_type: parquet::basic::PageType::DICTIONARY_PAGE,
                    encoding,
                    count: 1,
                },
            );
        }
        let metadata = ColumnChunkMetaData::builder(self.descriptor)
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_encodings(encodings)
            .set_page_encoding_stats(pages)
            .set_total_compressed_size(self.compressed as i64)
            .set_total_uncompressed_size(self.uncompressed as i64)
            .set_num_values(self.entries as i64)
            .set_data_page_offset(self.data_offset.unwrap_or_default() as i64)
            .set_dictionary_page_offset(self.dictionary_encoding.map(|_| 0))
            .set_statistics(statistics(self.nulls as u64))
            .build()?;
        Ok(EncodedColumn {
            bytes: self.sink.into_inner()?.into(),
            close: ColumnCloseResult {
                bytes_written: self.compressed as u64,
                rows_written: self.rows as u64,
                metadata,
                bloom_filter,
                column_index: if indexed { Some(self.index.build()?) } else { None },
                offset_index: Some(self.offsets.build()),
            },
        })
    }

    fn write(&mut self, page: Page, uncompressed: usize) -> Result<(u64, usize)> {
        let spec =
            SerializedPageWriter::new(&mut self.sink).write_page(CompressedPage::new(page, uncompressed))?;
        self.compressed += spec.compressed_size;
        self.uncompressed += spec.uncompressed_size;
        Ok((spec.offset, spec.compressed_size))
    }
}

/// Cuts the rows of a chunk into pages; `size` says how many bytes some values take, at most.
pub(crate) fn page_ranges(levels: &Levels, size: impl Fn(Range<usize>) -> usize) -> Vec<PageRange> {
    let mut ranges = Vec::new();
    let is_value = |entry: usize| {
        levels.definition.get(entry).is_none_or(|&definition| definition == levels.max_definition)
    };
    let starts_row = |entry: usize| levels.repetition.get(entry).is_none_or(|&level| level == 0);
    let entries = if levels.definition.is_empty() { levels.rows } else { levels.definition.len() };
    let mut start = 0;
    let mut values = 0;
    while start < entries {
        // A whole page at once where its rows are small, which is nearly always.
        let (end, rows) = end_of_rows(levels, start, entries);
        let there = levels.definition.get(start..end).map_or(end - start, |levels_of_page| {
            levels_of_page.iter().filter(|&&definition| definition == levels.max_definition).count()
        });
        if end - start <= 4 * PAGE_ROWS && size(values..values + there) <= PAGE_BYTES {
            ranges.push(PageRange { rows, entries: start..end, values: values..values + there });
            start = end;
            values += there;
            continue;
        }
        let mut rows = 0;
        let mut bytes = 0;
        let mut end = start;
        let mut there = values;
        while end < entries {
            if starts_row(end) {
                if rows == PAGE_ROWS || bytes >= PAGE_BYTES || end - start >= 4 * PAGE_ROWS {
                    break;
                }
                rows += 1;
            }
            if is_value(end) {
                bytes += size(there..there + 1);
                there += 1;
            }
            end += 1;
        }
        ranges.push(PageRange { rows, entries: start..end, values: values..there });
        start = end;
        values = there;
    }
    ranges
}

/// Where [`PAGE_ROWS`] rows from `start` on end, and how many rows that is: there may be fewer.
fn end_of_rows(levels: &Levels, start: usize, entries: usize) -> (usize, usize) {
    if levels.max_repetition == 0 {
        let end = entries.min(start + PAGE_ROWS);
        return (end, end - start);
    }
    // By the thousand as long as they fit, which the compiler turns into a few instructions each.
    const STRIDE: usize = 1024;
    let mut rows = 0;
    let mut at = start;
    for stride in levels.repetition.get(start..).unwrap_or_default().chunks(STRIDE) {
        let begun = stride.iter().filter(|&&level| level == 0).count();
        if rows + begun <= PAGE_ROWS {
            rows += begun;
            at += stride.len();
            continue;
        }
        for &level in stride {
            if level == 0 && rows == PAGE_ROWS {
                return (at, rows);
            }
            rows += usize::from(level == 0);
            at += 1;
        }
    }
    (entries, rows)
}

/// Appends the levels of a page with their length before them; none where there is but one level.
fn write_levels(levels: &[u8], max: u8, entries: &Range<usize>, out: &mut Vec<u8>) {
    if max == 0 {
        return;
    }
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    hybrid(levels.get(entries.clone()).unwrap_or_default(), bits(u64::from(max)), out);
    let length = ((out.len() - at - 4) as u32).to_le_bytes();
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&length);
    }
}

/// Whether the pages' bounds rise or fall, so that a reader may search them by halves.
fn boundary_order(
    bounds: &[Option<Bounds>],
    order: impl Fn(&[u8], &[u8]) -> std::cmp::Ordering,
) -> BoundaryOrder {
    let rising = |a: &&Bounds, b: &&Bounds| {
        order(&a.least, &b.least).is_le() && order(&a.greatest, &b.greatest).is_le()
    };
    if bounds.iter().flatten().is_sorted_by(rising) {
        BoundaryOrder::ASCENDING
    } else if bounds.iter().flatten().is_sorted_by(|a, b| rising(b, a)) {
        BoundaryOrder::DESCENDING
    } else {
        BoundaryOrder::UNORDERED
    }
}

/// Compresses a page with this thread's context, which is costly to make.
fn compress(plain: &[u8]) -> Result<Vec<u8>> {
    thread_local! {
        static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
    }
    COMPRESSOR
        .with_borrow_mut(|compressor| {
            let compressor = match compressor {
                Some(compressor) => compressor,
                None => compressor.insert(zstd::bulk::Compressor::new(ZSTD_LEVEL)?),
            };
            compressor.compress(plain)
        })
        .map_err(|error: std::io::Error| ParquetError::External(Box::new(error)))
}
