//! Which months a condition leaves: files of the others are not even opened.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Int32Array, TimestampMicrosecondArray, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use schemas::month::Month;

/// The months of a lake, as what is known of the rows in each: `year`, `month`, and between which times `ts` lies.
struct Months<'a>(&'a [(i32, i32)]);

/// Whether rows of each of `months` may meet a condition over the columns of `schema`.
///
/// # Errors
/// The condition cannot be evaluated.
pub(super) fn may_hold(
    months: &[(i32, i32)],
    condition: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
) -> Result<Vec<bool>> {
    PruningPredicateBuilder::new().with_file_schema(schema).try_build(condition)?.prune(&Months(months))
}

impl Months<'_> {
    fn bound(&self, column: &Column, upper: bool) -> Option<ArrayRef> {
        let months = self.0.iter();
        match column.name.as_str() {
            "year" => Some(Arc::new(months.map(|month| month.0).collect::<Int32Array>())),
            "month" => Some(Arc::new(months.map(|month| month.1).collect::<Int32Array>())),
            "ts" => {
                // A folder that is called as no month is may hold any time.
                let times: TimestampMicrosecondArray = months
                    .map(|&(year, month)| {
                        let month = u8::try_from(month).ok().filter(|month| (1..=12).contains(month))?;
                        let range = Month { year, month }.range();
                        let nanoseconds = if upper { range.end - 1 } else { range.start };
                        i64::try_from(nanoseconds.div_euclid(1000)).ok()
                    })
                    .collect();
                Some(Arc::new(times.with_timezone("UTC")))
            }
            _ => None,
        }
    }
}

impl PruningStatistics for Months<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, false)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bound(column, true)
    }

    fn num_containers(&self) -> usize {
        self.0.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = matches!(column.name.as_str(), "year" | "month" | "ts");
        known.then(|| Arc::new(UInt64Array::from(vec![0; self.0.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &std::collections::HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
