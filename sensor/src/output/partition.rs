//! Where rows lie in the lake, and what their files are called: (table, month) → folder, (input, ordinal) → name.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use schemas::month::Month;

/// One month of one table: the unit of a folder. Times are UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Partition {
    /// Name of the table, which is the name of its folder.
    pub(crate) table: &'static str,
    /// Month of the rows' `ts`.
    pub(crate) month: Month,
}

impl Partition {
    /// `<lake>/<table>/year=2026/month=9`: plain integers, as SQL engines read them without a cast.
    pub(crate) fn folder(&self, lake: &Path) -> PathBuf {
        let Month { year, month } = self.month;
        lake.join(self.table).join(format!("year={year}")).join(format!("month={month}"))
    }
}

/// What a run reads, as far as file names tell: the sensor's name and the hash of the capture. Files whose names
/// begin alike come from the same input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Input {
    hash: String,
    prefix: String,
}

impl Input {
    /// `hash` is that of the sensor's name and the capture's content, in 16 hex digits.
    pub(crate) fn new(sensor: &str, hash: &str) -> Result<Self> {
        if hash.len() != HASH_DIGITS || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            bail!("the hash of an input is {HASH_DIGITS} hex digits, not {hash:?}");
        }
        let hash = hash.to_ascii_lowercase();
        Ok(Self { prefix: format!("{}-{hash}-", in_file_name(sensor)), hash })
    }

    /// The hash, for the metadata of files: names do not outlive compaction.
    pub(crate) fn hash(&self) -> &str {
        &self.hash
    }

    /// Name of the file with this number in its folder.
    pub(crate) fn file_name(&self, ordinal: u32) -> String {
        format!("{}{ordinal:05}.parquet", self.prefix)
    }

    /// The number of a published file of this input; `None` for the files of others.
    pub(crate) fn ordinal(&self, file_name: &str) -> Option<u32> {
        let digits = file_name.strip_prefix(&self.prefix)?.strip_suffix(".parquet")?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok()
    }

    /// Whether this is an unfinished file of this input, left behind by a run that was killed.
    pub(crate) fn is_leftover(&self, file_name: &str) -> bool {
        file_name
            .strip_prefix('.')
            .and_then(|name| name.strip_suffix(".tmp"))
            .is_some_and(|name| self.ordinal(name).is_some())
    }

    /// Name of the file that keeps two runs of the same input from writing into one lake at once.
    pub(crate) fn lock_name(&self) -> String {
        format!(".{}lock", self.prefix)
    }
}

/// The name of a file while it is written: readers skip it, DuckDB's globs (which do read `.x.parquet`) included.
pub(crate) fn temporary_name(file_name: &str) -> String {
    format!(".{file_name}.tmp")
}

/// A sensor's name with everything that a file name, a glob or a shell could take amiss written `_`. Names that
/// become alike are still told apart by the hash, which covers the name as it is.
pub(crate) fn in_file_name(sensor: &str) -> String {
    let mut name: String = sensor
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' })
        .take(MAX_SENSOR_NAME)
        .collect();
    // Readers skip files that begin with a dot or an underscore; a leading dash looks like an option.
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name.insert_str(0, "sensor");
    }
    name
}

/// Digits of an input's hash in file names.
const HASH_DIGITS: usize = 16;

/// Characters of the sensor's name in file names; file systems end a name at 255 bytes.
const MAX_SENSOR_NAME: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_plain_integers_in_the_path() {
        let partition = Partition { table: "dns", month: Month { year: 2026, month: 9 } };
        assert_eq!(partition.folder(Path::new("/lake")), Path::new("/lake/dns/year=2026/month=9"));
    }

    #[test]
    fn finds_its_own_files_and_leaves_those_of_others() {
        let input = Input::new("edge-1", "0123456789ABCDEF").unwrap();
        let name = input.file_name(3);
        assert_eq!(name, "edge-1-0123456789abcdef-00003.parquet");
        assert_eq!(input.ordinal(&name), Some(3));
        assert_eq!(input.ordinal(&input.file_name(1_234_567)), Some(1_234_567));
        assert!(input.is_leftover(&temporary_name(&name)));
        assert!(!input.is_leftover(&name));
        for other in [
            "edge-1-0123456789abcdef-x.parquet",
            "edge-1-0123456789abcdef-+3.parquet",
            "edge-1-0123456789abcdee-00003.parquet",
            "edge-0123456789abcdef-00003.parquet",
            "edge-1-0123456789abcdef-00003.parquet.bak",
            ".edge-1-0123456789abcdef-00003.parquet",
        ] {
            assert_eq!(input.ordinal(other), None, "{other}");
            assert!(!input.is_leftover(other), "{other}");
        }
    }

    #[test]
    fn a_sensor_name_cannot_leave_its_folder_or_hide_its_files() {
        for (sensor, name) in [
            ("../../etc", "sensor.._.._etc"),
            (".hidden", "sensor.hidden"),
            ("_x", "sensor_x"),
            ("-rf", "sensor-rf"),
            ("", "sensor"),
            ("Zürich 1*", "Z_rich_1_"),
        ] {
            assert_eq!(in_file_name(sensor), name);
        }
        assert_eq!(in_file_name(&"x".repeat(300)).len(), MAX_SENSOR_NAME);
    }

    #[test]
    fn a_hash_of_another_form_is_refused() {
        for hash in ["", "0123", "0123456789abcdeg", "0123456789abcdef0"] {
            assert!(Input::new("s", hash).is_err(), "{hash}");
        }
    }
}
