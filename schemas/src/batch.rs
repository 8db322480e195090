//! Rows on their way from a worker to the lake: one batch a table, with the arena its values lie in.

use crate::anomaly::Anomaly;
use crate::arena::{self, Arena};
use crate::dns::Dns;
use crate::envelope::Nanoseconds;
use crate::envelope::{Envelope, Row};
use crate::file::File;
use crate::flows::Flow;
use crate::ftp::Ftp;
use crate::http::Http;
use crate::kerberos::Kerberos;
use crate::sensor_stats::SensorStats;
use crate::table::Record;
use crate::tls::Tls;
use crate::x509::X509;

/// Rows of one table and their variable-length values.
#[derive(Debug)]
pub struct Batch<R> {
    /// In the order of emission; appended to by [`Batch::push`].
    pub rows: Vec<Row<R>>,
    /// What the rows' ranges point into.
    pub arena: Arena,
    summary: Summary,
    /// Rows are neither made nor kept.
    unkept: bool,
}

/// What merging has to know of rows, noted while they are at hand anyway.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Summary {
    rows: usize,
    /// Bytes that rows and values hold, each row for itself: the same however rows are spread over batches.
    pub(crate) held: usize,
    /// Least and greatest time; meaningless without rows.
    pub(crate) ts: (Nanoseconds, Nanoseconds),
}

/// How much a batch held.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    rows: usize,
    arena: arena::Mark,
    summary: Summary,
}

impl<R> Default for Batch<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), arena: Arena::default(), summary: Summary::default(), unkept: false }
    }
}

impl<R: Record> Batch<R> {
    /// Appends a row whose record is made with access to the arena.
    pub fn push(&mut self, envelope: Envelope, record: impl FnOnce(&mut Arena) -> R) {
        if self.unkept {
            return;
        }
        let record = record(&mut self.arena);
        self.add(Row { envelope, record });
    }

    /// Appends a row whose values are in the arena.
    pub(crate) fn add(&mut self, row: Row<R>) {
        self.summary.note(&row, &self.arena);
        self.rows.push(row);
    }

    /// A state to go back to.
    pub(crate) fn mark(&self) -> Mark {
        Mark { rows: self.rows.len(), arena: self.arena.mark(), summary: self.summary }
    }

    /// Goes back to a state.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        self.rows.truncate(mark.rows);
        self.arena.truncate(mark.arena);
        self.summary = mark.summary;
    }

    /// Takes the rows out and leaves room for about as many: the next ones need not be moved as they grow in number.
    #[must_use]
    pub fn take(&mut self) -> Self {
        let next = Self {
            rows: Vec::with_capacity(roomy(self.rows.len())),
            arena: self.arena.as_roomy(),
            summary: Summary::default(),
            unkept: self.unkept,
        };
        std::mem::replace(self, next)
    }

    /// Bytes held by rows and values.
    pub fn held(&self) -> usize {
        self.rows.len() * size_of::<Row<R>>() + self.arena.held()
    }

    /// What merging has to know.
    pub(crate) fn summary(&self) -> Summary {
        if self.summary.rows == self.rows.len() {
            return self.summary;
        }
        // Someone changed `rows` by hand.
        let mut summary = Summary::default();
        self.rows.iter().for_each(|row| summary.note(row, &self.arena));
        summary
    }
}

/// Room for a little more than there was.
pub(crate) fn roomy(length: usize) -> usize {
    length + length / 8
}

impl Summary {
    fn note<R: Record>(&mut self, row: &Row<R>, arena: &Arena) {
        let ts = row.envelope.ts;
        let (least, greatest) = if self.rows == 0 { (ts, ts) } else { self.ts };
        self.ts = (least.min(ts), greatest.max(ts));
        self.held += held(row, arena);
        self.rows += 1;
    }
}

/// Bytes of a row and its values.
pub(crate) fn held<R: Record>(row: &Row<R>, arena: &Arena) -> usize {
    size_of::<Row<R>>() + row.record.held(arena)
}

/// Calls a macro with every table: field of [`Records`], type of its record, its columns, what its rows are.
macro_rules! every_table {
    ($call:ident) => {
        $call! {
            flows: Flow, FLOWS, "Flows that ended.";
            flows_open: Flow, FLOWS_OPEN, "Flows that live on.";
            dns: Dns, DNS, "DNS exchanges.";
            http: Http, HTTP, "HTTP requests with their responses.";
            tls: Tls, TLS, "TLS handshakes.";
            x509: X509, X509, "Certificates.";
            kerberos: Kerberos, KERBEROS, "Kerberos exchanges.";
            ftp: Ftp, FTP, "FTP commands with their replies.";
            file: File, FILE, "Files.";
            anomaly: Anomaly, ANOMALY, "What was odd.";
            sensor_stats: SensorStats, SENSOR_STATS, "What the sensor did.";
        }
    };
}
pub(crate) use every_table;

macro_rules! records {
    ($($table:ident: $record:ty, $columns:ident, $doc:literal;)*) => {
        /// One batch of every table: what a worker fills.
        #[derive(Debug, Default)]
        pub struct Records {
            $(#[doc = $doc] pub $table: Batch<$record>,)*
        }

        impl Records {
            /// Batches that stay empty whatever is pushed: for benchmarks of what comes before rows.
            pub fn unkept() -> Self {
                Self { $($table: Batch { unkept: true, ..Batch::default() },)* }
            }

            /// Takes all rows out; see [`Batch::take`].
            #[must_use]
            pub fn take(&mut self) -> Self {
                Self { $($table: self.$table.take(),)* }
            }

            /// Rows by table.
            pub fn counts(&self) -> Counts {
                [$(self.$table.rows.len() as u64,)*]
            }

            /// Greatest `ts` of all rows; none where there are no rows.
            pub fn newest(&self) -> Option<Nanoseconds> {
                [$((!self.$table.rows.is_empty()).then(|| self.$table.summary().ts.1),)*].into_iter().flatten().max()
            }

            /// Bytes held by rows and values.
            pub fn held(&self) -> usize {
                [$(self.$table.held(),)*].iter().sum()
            }
        }

        /// Names of the tables, in the order of the docs.
        pub const TABLE_NAMES: [&str; TABLES] = [$(stringify!($table),)*];

        /// How many tables there are.
        pub const TABLES: usize = [$(stringify!($table),)*].len();

        /// Rows by table, in the order of [`TABLE_NAMES`].
        pub type Counts = [u64; TABLES];
    };
}
every_table!(records);
