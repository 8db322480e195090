//! The SQL of a hunt with its marks: `{{param}}`, `{{in COLUMN param}}`, `{{like COLUMN param}}`, `{{under COLUMN param}}` (a
//! domain or below), `{{within COLUMN param}}` (a network), and `{{exclude TABLE [ALIAS]}}`, where a site's exclusions go.
//!
//! The tests on a column are false where it is null, so that `NOT {{in …}}` finds what is not there at all.

use anyhow::{Result, bail};

use super::param::{Checked, Kind, Param};
use super::{exclude, literal, nearest};

/// A template, in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Sql(String),
    Value(String),
    Test { test: Test, column: String, param: String },
    Exclude { table: String, alias: Option<String> },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Test {
    In,
    Like,
    Under,
    Within,
}

const TESTS: [(&str, Test); 4] =
    [("in", Test::In), ("like", Test::Like), ("under", Test::Under), ("within", Test::Within)];

impl Template {
    /// Reads the marks, and checks that what they name is known.
    pub(super) fn parse(sql: &str, params: &[(String, Param)]) -> Result<Self> {
        let mut parts = Vec::new();
        let mut rest = sql;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((mark, after)) = after.split_once("}}").filter(|(mark, _)| !mark.contains(['{', '\n']))
            else {
                bail!(
                    "a mark in the SQL that does not end: {{{{{}",
                    after.lines().next().unwrap_or_default()
                );
            };
            parts.push(Part::Sql(before.to_owned()));
            parts.push(Part::parse(mark.trim(), params)?);
            rest = after;
        }
        parts.push(Part::Sql(rest.to_owned()));
        for (name, _) in params {
            if !parts.iter().any(|part| part.param() == Some(name.as_str())) {
                bail!("parameter '{name}' is not used in the SQL");
            }
        }
        Ok(Self(parts))
    }

    /// The tables that have a place for exclusions.
    pub(super) fn places(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Exclude { table, .. } => Some(table.as_str()),
            _ => None,
        })
    }

    /// The SQL with values and exclusions in their places.
    pub(super) fn render(
        &self,
        value: &dyn Fn(&str) -> Result<Checked>,
        exclusions: &[&exclude::Exclusion],
    ) -> Result<String> {
        let mut sql = String::new();
        for part in &self.0 {
            match part {
                Part::Sql(text) => sql.push_str(text),
                Part::Value(param) => sql.push_str(&match value(param)? {
                    Checked::Number(number) => literal::number(number),
                    Checked::Text(text) => literal::text(&text),
                    Checked::Texts(_) | Checked::Subnets(_) => {
                        bail!("the list '{param}' stands alone in the SQL")
                    }
                }),
                Part::Test { test, column, param } => {
                    let (Checked::Texts(values) | Checked::Subnets(values)) = value(param)? else {
                        bail!("'{param}' is no list");
                    };
                    sql.push_str(&match test {
                        Test::In => literal::is_in(column, &values),
                        Test::Like => literal::is_like(column, &values)?,
                        Test::Under => literal::is_under(column, &values)?,
                        Test::Within => literal::is_within(column, &values)?,
                    });
                }
                Part::Exclude { table, alias } => {
                    for exclusion in exclusions {
                        if let Some(test) = exclusion.sql(table, alias.as_deref())? {
                            sql.push_str(&format!(" AND NOT {test}"));
                        }
                    }
                }
            }
        }
        Ok(sql)
    }
}

impl Part {
    fn parse(mark: &str, params: &[(String, Param)]) -> Result<Self> {
        let known = |name: &str| match params.iter().find(|(known, _)| known == name) {
            Some((_, param)) => Ok(param.kind),
            None => {
                let near = nearest(name, params.iter().map(|(name, _)| name.as_str()));
                bail!("the SQL asks for the parameter '{name}', which is not declared{near}")
            }
        };
        let (word, rest) = mark.split_once(' ').unwrap_or((mark, ""));
        if word == "exclude" {
            let mut names = rest.split_whitespace().map(str::to_owned);
            let (Some(table), alias, None) = (names.next(), names.next(), names.next()) else {
                bail!("{{{{{mark}}}}} is not {{{{exclude TABLE [ALIAS]}}}}");
            };
            exclude::known_table(&table)?;
            return Ok(Self::Exclude { table, alias });
        }
        if rest.is_empty() {
            return match known(mark)? {
                Kind::Number | Kind::Text => Ok(Self::Value(mark.to_owned())),
                Kind::Texts | Kind::Subnets => {
                    bail!("the list '{mark}' stands alone in the SQL: write {{{{in COLUMN {mark}}}}}")
                }
            };
        }
        let Some((_, test)) = TESTS.iter().find(|(name, _)| *name == word) else {
            let near = nearest(word, TESTS.iter().map(|(name, _)| *name).chain(["exclude"]));
            bail!("the SQL has a mark of the unknown kind '{word}'{near}");
        };
        let Some((column, param)) = rest.rsplit_once(' ') else {
            bail!("{{{{{mark}}}}} names no parameter");
        };
        match (test, known(param)?) {
            (Test::Within, Kind::Subnets) | (Test::In | Test::Like | Test::Under, Kind::Texts) => {}
            (Test::Within, _) => bail!("parameter '{param}' must be of type subnets for {{{{within}}}}"),
            _ => bail!("parameter '{param}' must be of type texts for {{{{{word}}}}}"),
        }
        Ok(Self::Test { test: *test, column: column.trim().to_owned(), param: param.to_owned() })
    }

    fn param(&self) -> Option<&str> {
        match self {
            Self::Value(param) | Self::Test { param, .. } => Some(param),
            Self::Sql(_) | Self::Exclude { .. } => None,
        }
    }
}
