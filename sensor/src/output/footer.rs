//! What a file of the lake says of itself in its footer, read without its rows.

use std::fs::File;

use anyhow::Result;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use schemas::lake::INPUTS_KEY;
use schemas::table::{TABLE_KEY, TS_MAX_KEY};

/// What a file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Footer {
    /// The table that its rows are of; none where it is not one of ours.
    pub(crate) table: Option<String>,
    /// Greatest `ts`, in microseconds.
    pub(crate) newest: Option<i64>,
    /// Hashes of the inputs that its rows are from.
    pub(crate) inputs: Vec<String>,
}

impl Footer {
    /// Reads the footer of a file.
    pub(crate) fn read(file: &File) -> Result<Self> {
        let options = ParquetMetaDataOptions::new()
            .with_encoding_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
            .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let metadata = ParquetMetaDataReader::new()
            .with_metadata_options(Some(options))
            .with_page_index_policy(PageIndexPolicy::Skip)
            .with_prefetch_hint(Some(PREFETCH))
            .parse_and_finish(file)?;
        Ok(Self {
            table: entry(&metadata, TABLE_KEY).map(str::to_owned),
            newest: entry(&metadata, TS_MAX_KEY).and_then(|ts| ts.parse().ok()),
            inputs: inputs(&metadata),
        })
    }
}

/// Hashes of the inputs that a file's rows are from.
pub(crate) fn inputs(metadata: &ParquetMetaData) -> Vec<String> {
    let inputs = entry(metadata, INPUTS_KEY).unwrap_or_default();
    inputs.split(',').filter(|hash| !hash.is_empty()).map(str::to_owned).collect()
}

/// An entry of a file's own metadata.
pub(crate) fn entry<'m>(metadata: &'m ParquetMetaData, key: &str) -> Option<&'m str> {
    let entries = metadata.file_metadata().key_value_metadata()?;
    entries.iter().find(|entry| entry.key == key)?.value.as_deref()
}

/// Bytes read at the end of a file at once: more than the footer of most.
const PREFETCH: usize = 64 << 10;
