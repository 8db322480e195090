//! Functions of Spark's that the engine lacks, or has slower: entries of maps, and texts by regular expressions.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, ListArray, ListBuilder, MapArray, StringArray, StringBuilder, UInt64Array,
    make_array, make_comparator,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::compute::{SortOptions, cast, take};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::{as_int64_array, as_string_array};
use datafusion::common::{exec_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    create_udf,
};
use datafusion::prelude::SessionContext;
use regex::Regex;

/// Makes the functions known to a session.
pub(super) fn register(session: &SessionContext) {
    session.register_udf(ScalarUDF::new_from_impl(MapValue::new()));
    session.register_udf(ScalarUDF::new_from_impl(ElementAt(Signature::any(2, Volatility::Immutable))));
    session.register_udf(ScalarUDF::new_from_impl(OrEmpty(Signature::any(1, Volatility::Immutable))));
    session.register_udf(split());
    session.register_udf(regexp_extract());
}

/// The value of a key in a map; null where there is none.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct MapValue(Signature);

impl MapValue {
    pub(super) fn new() -> Self {
        Self(Signature::any(2, Volatility::Immutable))
    }
}

impl ScalarUDFImpl for MapValue {
    fn name(&self) -> &'static str {
        "map_value"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        value_type(arguments.first())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [map, key] = arguments.args.as_slice() else {
            return plan_err!("map_value takes a map and a key");
        };
        let map = map.to_array(arguments.number_rows)?;
        let Some(map) = map.as_map_opt() else { return plan_err!("map_value takes a map") };
        Ok(ColumnarValue::Array(values(map, key, arguments.number_rows)?))
    }
}

fn value_type(map: Option<&DataType>) -> Result<DataType> {
    if let Some(DataType::Map(entries, _)) = map
        && let DataType::Struct(parts) = entries.data_type()
        && let [_, value] = &parts[..]
    {
        return Ok(value.data_type().clone());
    }
    plan_err!("a map was expected")
}

fn values(map: &MapArray, key: &ColumnarValue, rows: usize) -> Result<ArrayRef> {
    let keys = map.keys();
    let places: UInt64Array = match key {
        ColumnarValue::Scalar(key) => {
            let key = key.cast_to(keys.data_type())?;
            match (keys.as_string_opt::<i32>(), key.try_as_str().flatten()) {
                (Some(keys), Some(key)) => found(map, rows, |entry, _| keys.value(entry) == key),
                (_, None) if key.is_null() => UInt64Array::new_null(rows),
                _ => {
                    let key = key.to_array_of_size(1)?;
                    let compare = make_comparator(keys, &key, SortOptions::default())?;
                    found(map, rows, |entry, _| compare(entry, 0).is_eq())
                }
            }
        }
        ColumnarValue::Array(key) => {
            let key = cast(key, keys.data_type())?;
            let compare = make_comparator(keys, &key, SortOptions::default())?;
            found(map, rows, |entry, row| !key.is_null(row) && compare(entry, row).is_eq())
        }
    };
    Ok(take(map.values(), &places, None)?)
}

/// For each row the entry of its map that fits.
fn found(map: &MapArray, rows: usize, fits: impl Fn(usize, usize) -> bool) -> UInt64Array {
    let offsets = map.value_offsets();
    let entry = |row: usize| {
        if map.is_null(row) {
            return None;
        }
        let (start, end) = (*offsets.get(row)?, *offsets.get(row + 1)?);
        let place = (start..end).find(|entry| usize::try_from(*entry).is_ok_and(|entry| fits(entry, row)))?;
        u64::try_from(place).ok()
    };
    (0..rows).map(entry).collect()
}

/// A field of each struct in a list, as a list.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct EachField(Signature);

impl EachField {
    pub(super) fn new() -> Self {
        Self(Signature::any(2, Volatility::Immutable))
    }
}

impl ScalarUDFImpl for EachField {
    fn name(&self) -> &'static str {
        "each_field"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("each_field goes by the name of the field")
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let name = arguments.scalar_arguments.get(1).copied().flatten();
        let name = name.and_then(|name| name.try_as_str().flatten()).unwrap_or_default();
        let Some(DataType::List(item)) = arguments.arg_fields.first().map(|field| field.data_type()) else {
            return plan_err!("each_field takes a list of structs");
        };
        let DataType::Struct(fields) = item.data_type() else {
            return plan_err!("each_field takes a list of structs");
        };
        let Some((_, field)) = fields.find(name) else {
            let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
            return plan_err!("there is no field '{name}' in each of these, only {}", names.join(", "));
        };
        let list = DataType::List(Arc::new(Field::new_list_field(field.data_type().clone(), true)));
        Ok(Arc::new(Field::new(self.name(), list, true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [list, ColumnarValue::Scalar(name)] = arguments.args.as_slice() else {
            return plan_err!("each_field takes a list and a name");
        };
        let list = list.to_array(arguments.number_rows)?;
        let found = list.as_list_opt::<i32>().and_then(|list| Some((list, list.values().as_struct_opt()?)));
        let (Some((list, structs)), Some(name)) = (found, name.try_as_str().flatten()) else {
            return plan_err!("each_field takes a list of structs");
        };
        let Some(values) = structs.column_by_name(name) else {
            return plan_err!("there is no field '{name}'");
        };
        // A field of a struct that is null may hold something.
        let nulls = NullBuffer::union(values.nulls(), structs.nulls());
        let values = make_array(values.to_data().into_builder().nulls(nulls).build()?);
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        let list = ListArray::try_new(item, list.offsets().clone(), values, list.nulls().cloned())?;
        Ok(ColumnarValue::Array(Arc::new(list)))
    }
}

/// `element_at`: of a map by the key, of a list from 1, or from its end below zero.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ElementAt(Signature);

impl ScalarUDFImpl for ElementAt {
    fn name(&self) -> &'static str {
        "element_at"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments.first() {
            Some(DataType::List(entry)) => Ok(entry.data_type().clone()),
            map => value_type(map),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [collection, key] = arguments.args.as_slice() else {
            return plan_err!("element_at takes a map or a list, and a key");
        };
        let rows = arguments.number_rows;
        let collection = collection.to_array(rows)?;
        if let Some(map) = collection.as_map_opt() {
            return Ok(ColumnarValue::Array(values(map, key, rows)?));
        }
        let Some(list) = collection.as_list_opt::<i32>() else {
            return plan_err!("element_at takes a map or a list");
        };
        let places = cast(&key.to_array(rows)?, &DataType::Int64)?;
        let places = as_int64_array(&places)?;
        let entry = |row: usize| {
            if list.is_null(row) || places.is_null(row) {
                return None;
            }
            let (length, place) = (i64::from(list.value_length(row)), places.value(row));
            let place = if place < 0 { length + place } else { place - 1 };
            let offset = i64::from(*list.value_offsets().get(row)?);
            (0..length).contains(&place).then(|| u64::try_from(offset + place).ok())?
        };
        let places: UInt64Array = (0..rows).map(entry).collect();
        Ok(ColumnarValue::Array(take(list.values(), &places, None)?))
    }
}

/// A list, the empty one where there is none.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OrEmpty(Signature);

impl ScalarUDFImpl for OrEmpty {
    fn name(&self) -> &'static str {
        "or_empty"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [list @ DataType::List(_)] => Ok(list.clone()),
            _ => plan_err!("or_empty takes a list"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [list] = arguments.args.as_slice() else { return plan_err!("or_empty takes a list") };
        let list = list.to_array(arguments.number_rows)?;
        let Some(list) = list.as_list_opt::<i32>() else { return plan_err!("or_empty takes a list") };
        let DataType::List(entry) = list.data_type() else { return plan_err!("or_empty takes a list") };
        // Behind a null there may lie entries, which must not come to light.
        let lengths = (0..list.len()).map(|row| if list.is_null(row) { 0 } else { list.value(row).len() });
        let offsets = OffsetBuffer::from_lengths(lengths);
        let kept: UInt64Array = (0..list.len())
            .filter(|row| !list.is_null(*row))
            .flat_map(|row| list.value_offsets().get(row..row + 2).map_or(0..0, |ends| ends[0]..ends[1]))
            .map(|place| u64::try_from(place).ok())
            .collect();
        let entries = take(list.values(), &kept, None)?;
        Ok(ColumnarValue::Array(Arc::new(ListArray::try_new(entry.clone(), offsets, entries, None)?)))
    }
}

/// Regular expressions by their texts, each put together once.
#[derive(Default)]
struct Expressions<'a>(HashMap<&'a str, Regex>);

impl<'a> Expressions<'a> {
    fn of(&mut self, text: &'a str) -> Result<&Regex> {
        if !self.0.contains_key(text) {
            let expression =
                Regex::new(text).map_err(|error| DataFusionError::Execution(format!("'{text}': {error}")))?;
            self.0.insert(text, expression);
        }
        match self.0.get(text) {
            Some(expression) => Ok(expression),
            None => exec_err!("'{text}' is no regular expression"),
        }
    }
}

/// `split(text, expression, limit)`: the parts between what the expression matches; at most `limit` of them where that is more
/// than zero.
fn split() -> ScalarUDF {
    let list = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    create_udf(
        "split",
        vec![DataType::Utf8, DataType::Utf8, DataType::Int64],
        list,
        Volatility::Immutable,
        Arc::new(|arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [texts, patterns, limits] = arrays.as_slice() else {
                return plan_err!("split takes a text, an expression, a limit");
            };
            let (texts, patterns, limits) =
                (as_string_array(texts)?, as_string_array(patterns)?, as_int64_array(limits)?);
            let mut expressions = Expressions::default();
            let mut parts = ListBuilder::new(StringBuilder::new());
            for ((text, pattern), limit) in texts.iter().zip(patterns.iter()).zip(limits.iter()) {
                let (Some(text), Some(pattern), Some(limit)) = (text, pattern, limit) else {
                    parts.append_null();
                    continue;
                };
                let expression = expressions.of(pattern)?;
                match usize::try_from(limit) {
                    Ok(limit) if limit > 0 => {
                        expression.splitn(text, limit).for_each(|part| parts.values().append_value(part))
                    }
                    _ => expression.split(text).for_each(|part| parts.values().append_value(part)),
                }
                parts.append(true);
            }
            Ok(ColumnarValue::Array(Arc::new(parts.finish())))
        }),
    )
}

/// `regexp_extract(text, expression, group)`: empty where nothing matches.
fn regexp_extract() -> ScalarUDF {
    create_udf(
        "regexp_extract",
        vec![DataType::Utf8, DataType::Utf8, DataType::Int64],
        DataType::Utf8,
        Volatility::Immutable,
        Arc::new(|arguments: &[ColumnarValue]| {
            let arrays = ColumnarValue::values_to_arrays(arguments)?;
            let [texts, patterns, groups] = arrays.as_slice() else {
                return plan_err!("regexp_extract takes a text, an expression, a group");
            };
            let (texts, patterns, groups) =
                (as_string_array(texts)?, as_string_array(patterns)?, as_int64_array(groups)?);
            let mut expressions = Expressions::default();
            let mut found = StringBuilder::new();
            for ((text, pattern), group) in texts.iter().zip(patterns.iter()).zip(groups.iter()) {
                let (Some(text), Some(pattern), Some(group)) = (text, pattern, group) else {
                    found.append_null();
                    continue;
                };
                let expression = expressions.of(pattern)?;
                let group = usize::try_from(group).ok().filter(|group| *group < expression.captures_len());
                let Some(group) = group else { return exec_err!("'{pattern}' has no such group") };
                let part = expression
                    .captures(text)
                    .and_then(|captures| captures.get(group))
                    .map_or("", |part| part.as_str());
                found.append_value(part);
            }
            let found: StringArray = found.finish();
            Ok(ColumnarValue::Array(Arc::new(found)))
        }),
    )
}
