//! Which months a condition leaves: files of the others are not even opened.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BooleanArray, Int32Array, TimestampMicrosecondArray, UInt64Array};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

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
                let times = months.map(|&(year, month)| {
                    let later = i32::from(upper);
                    begin_of(year, month + later) - i64::from(later)
                });
                Some(Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")))
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

/// Microseconds from 1970 to the begin of a month (UTC); month 13 is January of the year after.
fn begin_of(year: i32, month: i32) -> i64 {
    let (year, month) =
        if month > 12 { (i64::from(year) + 1, 1) } else { (i64::from(year), i64::from(month)) };
    // Days of the proleptic Gregorian calendar, with years that begin in March, so that leap days come last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    (days + (153 * month + 2) / 5 - 719_468) * 86_400_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_where_the_calendar_says() {
        for (month, seconds) in [
            ((1970, 1), 0),
            ((2026, 11), 1_793_491_200),
            ((2026, 13), 1_798_761_600),
            ((2024, 3), 1_709_251_200),
            ((1969, 12), -2_678_400),
        ] {
            assert_eq!(begin_of(month.0, month.1), seconds * 1_000_000, "{month:?}");
        }
    }
}
