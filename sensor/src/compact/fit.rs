//! Rows of files of an older version: columns that they lack are unknown.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ListArray, MapArray, RecordBatch, StructArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Fields, SchemaRef};

/// Whether rows with the columns `from` can have the columns `to`, without losing a value.
pub(super) fn fits(from: &Fields, to: &Fields) -> bool {
    let is_known = |field: &Arc<Field>| {
        to.iter().any(|known| {
            known.name() == field.name()
                && (known.is_nullable() || !field.is_nullable())
                && fits_type(field.data_type(), known.data_type())
        })
    };
    let is_missing = |field: &&Arc<Field>| from.iter().all(|known| known.name() != field.name());
    from.iter().all(is_known) && to.iter().filter(is_missing).all(|field| field.is_nullable())
}

fn fits_type(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Struct(from), DataType::Struct(to)) => fits(from, to),
        (DataType::List(from), DataType::List(to)) | (DataType::Map(from, _), DataType::Map(to, _)) => {
            (to.is_nullable() || !from.is_nullable()) && fits_type(from.data_type(), to.data_type())
        }
        (from, to) => from == to,
    }
}

/// Gives rows the columns of `to`.
pub(super) fn fit(batch: &RecordBatch, to: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    if batch.schema_ref() == to {
        return Ok(batch.clone());
    }
    let columns = fit_columns(batch.schema_ref().fields(), batch.columns(), to.fields(), batch.num_rows())?;
    RecordBatch::try_new(Arc::clone(to), columns)
}

fn fit_columns(
    from: &Fields,
    columns: &[ArrayRef],
    to: &Fields,
    rows: usize,
) -> Result<Vec<ArrayRef>, ArrowError> {
    to.iter()
        .map(|field| {
            let column = from.iter().zip(columns).find(|(known, _)| known.name() == field.name());
            match column {
                Some((_, column)) => fit_column(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), rows)),
            }
        })
        .collect()
}

fn fit_column(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == to {
        return Ok(Arc::clone(column));
    }
    let nulls = column.nulls().cloned();
    Ok(match (column.data_type(), to) {
        (DataType::Struct(from), DataType::Struct(to)) => {
            let columns = fit_columns(from, column.as_struct().columns(), to, column.len())?;
            Arc::new(StructArray::try_new_with_length(to.clone(), columns, nulls, column.len())?)
        }
        (DataType::List(_), DataType::List(to)) => {
            let list = column.as_list::<i32>();
            let values = fit_column(list.values(), to.data_type())?;
            Arc::new(ListArray::try_new(Arc::clone(to), list.offsets().clone(), values, nulls)?)
        }
        (DataType::Map(..), DataType::Map(to, is_sorted)) => {
            let map = column.as_map();
            let entries: ArrayRef = Arc::new(map.entries().clone());
            let entries = fit_column(&entries, to.data_type())?.as_struct().clone();
            Arc::new(MapArray::try_new(Arc::clone(to), map.offsets().clone(), entries, nulls, *is_sorted)?)
        }
        _ => Arc::clone(column),
    })
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, StringArray};
    use arrow_schema::Schema;

    use super::*;

    fn field(name: &str, data_type: DataType, nullable: bool) -> Field {
        Field::new(name, data_type, nullable)
    }

    fn parts(fields: Vec<Field>) -> DataType {
        DataType::Struct(fields.into())
    }

    #[test]
    fn columns_that_are_new_are_unknown_also_within_others() {
        let old = Schema::new(vec![
            field("a", DataType::Int32, false),
            field("s", parts(vec![field("x", DataType::Utf8, true)]), true),
        ]);
        let new = Arc::new(Schema::new(vec![
            field("b", DataType::Utf8, true),
            field(
                "s",
                parts(vec![field("y", DataType::Int32, true), field("x", DataType::Utf8, true)]),
                true,
            ),
            field("a", DataType::Int32, false),
        ]));
        assert!(fits(old.fields(), new.fields()));
        let x: ArrayRef = Arc::new(StringArray::from(vec![Some("one"), None]));
        let s = StructArray::new(vec![field("x", DataType::Utf8, true)].into(), vec![x], None);
        let columns: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(vec![1, 2])), Arc::new(s)];
        let rows = fit(&RecordBatch::try_new(Arc::new(old), columns).unwrap(), &new).unwrap();
        assert_eq!(rows.column(0).null_count(), 2);
        let s = rows.column(1).as_struct();
        assert_eq!((s.column(0).null_count(), s.column(1).as_string::<i32>().value(0)), (2, "one"));
        assert_eq!(rows.column(2).as_ref(), &Int32Array::from(vec![1, 2]) as &dyn Array);
    }

    #[test]
    fn what_would_lose_a_value_does_not_fit() {
        let known: Fields = vec![field("a", DataType::Int32, false), field("b", DataType::Utf8, true)].into();
        for (from, fit) in [
            (vec![field("a", DataType::Int32, false)], true),
            (vec![field("b", DataType::Utf8, true)], false),
            (vec![field("a", DataType::Int32, true)], false),
            (vec![field("a", DataType::Int64, false)], false),
            (vec![field("a", DataType::Int32, false), field("c", DataType::Int32, true)], false),
        ] {
            assert_eq!(fits(&from.clone().into(), &known), fit, "{from:?}");
        }
    }
}
