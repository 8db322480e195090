//! Queries over a part of the lake: these files of a table, and of them these times.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{Expr, col, lit};
use schemas::table::table;

use super::table::LakeTable;
use super::{Lake, Trouble, files, session};

/// What a query sees of a table.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The table.
    pub table: &'static str,
    /// The files of it.
    pub files: Vec<PathBuf>,
    /// From when to when, the end left out, in microseconds.
    pub ts: (i64, i64),
}

impl Lake {
    /// Hands the rows of an answer to `each` as they come, as if the lake had only so much of some tables; before the first
    /// of them an empty batch that tells the columns.
    ///
    /// # Errors
    /// What is wrong with the query, why it could not be carried out, and what `each` returns.
    pub fn stream_within(
        &self,
        sql: &str,
        scopes: &[Scope],
        mut each: impl FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        let session = session(&self.root, &self.known, &self.environment)?;
        let time = |ts: i64| lit(ScalarValue::TimestampMicrosecond(Some(ts), Some("UTC".into())));
        for scope in scopes {
            let Some(table) = table(scope.table) else { continue };
            let whole = LakeTable::new(&self.root, table, self.known.clone(), Some(scope.files.clone()));
            let is_within: Expr = col("ts").gt_eq(time(scope.ts.0)).and(col("ts").lt(time(scope.ts.1)));
            let part = session.read_table(Arc::new(whole))?.filter(is_within)?.into_view();
            session.deregister_table(scope.table)?;
            session.register_table(scope.table, part)?;
        }
        self.attempt(&session, sql, |batch| each(&batch).map_err(Trouble::Told)).map_err(Trouble::told)
    }

    /// Reads all of these files, where a query over them failed; says whether one is damaged of which that was not known.
    pub fn find_damage(&self, scopes: &[Scope]) -> bool {
        let before = self.damaged().len();
        for scope in scopes {
            let Some(table) = table(scope.table) else { continue };
            for file in scope.files.iter().filter_map(|path| files::find(path).ok()) {
                if self.known.is_sound(&file, table.arrow_schema()) {
                    self.known.read_whole(&file);
                }
            }
        }
        self.damaged().len() > before
    }
}
