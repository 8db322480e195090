//! Exclusions: what a site does not want to see in a hunt, by the column of a table.

use anyhow::{Result, bail};
use schemas::column::{DataType, Field};
use schemas::table::{Table, tables};
use serde::Deserialize;
use toml::Value;

use super::{literal, nearest};

/// The name that stands for every hunt.
pub(super) const EVERY: &str = "*";

/// One exclusion of a site.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// The hunt, or `*` for all that read a table with the column.
    pub hunt: String,
    /// The column, with dots for what is inside a struct.
    pub column: String,
    /// Patterns, with % for anything.
    #[serde(default)]
    pub like: Option<OneOrMore>,
    /// Values.
    #[serde(default)]
    pub equals: Option<Value>,
    /// Networks.
    #[serde(default)]
    pub subnet: Option<OneOrMore>,
    /// Why: for those who read the file later.
    #[serde(default)]
    pub why: Option<String>,
}

/// A text, or a list of them.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// More.
    More(Vec<String>),
}

impl OneOrMore {
    fn list(&self) -> &[String] {
        match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::More(texts) => texts,
        }
    }
}

impl Exclusion {
    /// Whether it is for the hunt of this name.
    pub(super) fn is_for(&self, hunt: &str) -> bool {
        self.hunt == hunt || self.hunt == EVERY
    }

    /// Checks what can be known without a hunt: that it says one thing, of a column that some table has.
    pub(super) fn check(&self) -> Result<()> {
        let said = [self.like.is_some(), self.equals.is_some(), self.subnet.is_some()];
        if said.iter().filter(|is_said| **is_said).count() != 1 {
            bail!(
                "the exclusion of '{}' from '{}' needs one of like, equals and subnet",
                self.column,
                self.hunt
            );
        }
        let with_it: Vec<&Table> =
            tables().into_iter().filter(|table| column(table, &self.column).is_some()).collect();
        let Some(table) = with_it.first() else {
            let known: Vec<String> =
                tables().into_iter().flat_map(|table| columns(&table.fields, "")).collect();
            bail!(
                "no table has the column '{}'{}",
                self.column,
                nearest(&self.column, known.iter().map(String::as_str))
            );
        };
        self.sql(table.name, None).map(drop)
    }

    /// The test for what is left out, where the table has the column.
    pub(super) fn sql(&self, table: &str, alias: Option<&str>) -> Result<Option<String>> {
        let Some(data_type) = column(known_table(table)?, &self.column) else { return Ok(None) };
        let expression = match alias {
            Some(alias) => format!("{alias}.{}", self.column),
            None => self.column.clone(),
        };
        let is_text = matches!(data_type, DataType::String);
        let sql = match (&self.like, &self.equals, &self.subnet) {
            (Some(patterns), ..) if is_text => literal::is_like(&expression, patterns.list())?,
            (_, _, Some(networks)) if is_text => literal::is_within(&expression, networks.list())?,
            (_, Some(values), _) => self.equal(&expression, data_type, values)?,
            _ => bail!("the column '{}' is no text, so that only equals can exclude it", self.column),
        };
        Ok(Some(sql))
    }

    fn equal(&self, expression: &str, data_type: &DataType, values: &Value) -> Result<String> {
        let values = match values {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        let wrong = |value: &Value| anyhow::anyhow!("the column '{}' is never {value}", self.column);
        let literals: Result<Vec<String>> = values
            .iter()
            .map(|value| match (data_type, value) {
                (DataType::String, Value::String(text)) => Ok(literal::text(text)),
                (DataType::Int32 | DataType::Int64, Value::Integer(number)) => Ok(number.to_string()),
                (DataType::Boolean, Value::Boolean(flag)) => Ok(flag.to_string()),
                _ => Err(wrong(value)),
            })
            .collect();
        let literals = literals?;
        if literals.is_empty() {
            return Ok("FALSE".to_owned());
        }
        Ok(format!("({expression} IS NOT NULL AND {expression} IN ({}))", literals.join(", ")))
    }
}

/// The table, or an error with the one whose name is nearest.
pub(super) fn known_table(name: &str) -> Result<&'static Table> {
    match tables().into_iter().find(|table| table.name == name) {
        Some(table) => Ok(table),
        None => bail!("no table '{name}'{}", nearest(name, tables().into_iter().map(|table| table.name))),
    }
}

/// The type of a column that is no struct; with dots for what is inside one.
pub(super) fn column<'a>(table: &'a Table, path: &str) -> Option<&'a DataType> {
    let mut fields = &table.fields;
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let field = fields.iter().find(|field| field.name == part)?;
        match (&field.data_type, parts.peek()) {
            (DataType::Struct(inner), Some(_)) => fields = inner,
            (DataType::Struct(_), None) | (_, Some(_)) => return None,
            (data_type, None) => return Some(data_type),
        }
    }
    None
}

/// All columns, with dots for what is inside structs.
pub(crate) fn columns(fields: &[Field], prefix: &str) -> Vec<String> {
    let mut out = Vec::new();
    for field in fields {
        let path = format!("{prefix}{}", field.name);
        match &field.data_type {
            DataType::Struct(inner) => out.extend(columns(inner, &format!("{path}."))),
            _ => out.push(path),
        }
    }
    out
}
