//! A saved hunt, as its TOML file has it, and the SQL that comes of it.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::exclude::{Exclusion, known_table};
use super::param::{Checked, Kind, Param};
use super::site::Site;
use super::template::Template;
use super::{nearest, toml_error};

/// The topics, each of which becomes a notebook.
pub(super) const TOPICS: [&str; 7] = ["dns", "http", "tls", "kerberos", "ftp", "file", "flows"];

/// A saved hunt.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// Its name: that of its file, without `.toml`.
    pub name: String,
    /// What it finds, in a line.
    pub title: String,
    /// One of `dns http tls kerberos ftp file flows`.
    pub topic: String,
    /// Why one asks.
    pub why: String,
    /// What a hit means, and what to do next.
    pub hit: String,
    /// What else looks the same.
    pub false_positives: String,
    /// The technique of ATT&CK, as `T1071.004`.
    pub technique: String,
    /// The tables that it reads, in order of their names.
    pub tables: Vec<&'static str>,
    /// The parameters, by name.
    pub params: Vec<(String, Param)>,
    /// What turns hits into signals, as the file has it.
    pub rule: Option<toml::Value>,
    /// On which captures it finds what.
    pub finds: Vec<Finds>,
    template: Template,
    order_by: String,
    limit: Option<u32>,
}

/// What a hunt finds on a capture of this project.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finds {
    /// The capture, below `pcaps/`.
    pub capture: String,
    /// Parameters that are not as by default.
    #[serde(default)]
    pub params: BTreeMap<String, toml::Value>,
    /// How many rows there are.
    pub count: usize,
    /// Cells of some of them, each in a row of its own.
    #[serde(default)]
    pub rows: Vec<BTreeMap<String, toml::Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    title: String,
    topic: String,
    why: String,
    hit: String,
    false_positives: String,
    technique: String,
    sql: String,
    order_by: String,
    limit: Option<u32>,
    #[serde(default)]
    params: BTreeMap<String, Param>,
    rule: Option<toml::Value>,
    #[serde(default)]
    finds: Vec<Finds>,
}

impl Hunt {
    /// Reads a hunt from the text of its file.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        Self::read(name, text).with_context(|| format!("hunt '{name}'"))
    }

    fn read(name: &str, text: &str) -> Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| toml_error(&error, text))?;
        if !TOPICS.contains(&file.topic.as_str()) {
            bail!(
                "the topic '{}' is none of {}{}",
                file.topic,
                TOPICS.join(", "),
                nearest(&file.topic, TOPICS)
            );
        }
        let params: Vec<(String, Param)> = file.params.into_iter().collect();
        for (name, param) in &params {
            param.kind.check(name, &param.default)?;
        }
        let template = Template::parse(&file.sql, &params)?;
        let hunt = Self {
            name: name.to_owned(),
            title: file.title,
            topic: file.topic,
            why: file.why.trim().to_owned(),
            hit: file.hit.trim().to_owned(),
            false_positives: file.false_positives.trim().to_owned(),
            technique: file.technique,
            tables: tables_of(&file.sql)?,
            params,
            rule: file.rule,
            finds: file.finds,
            template,
            order_by: file.order_by,
            limit: file.limit,
        };
        for finds in &hunt.finds {
            for (name, value) in &finds.params {
                hunt.kind(name)?.check(name, value)?;
            }
        }
        Ok(hunt)
    }

    /// The SQL for a site, the same text for all engines.
    pub fn sql(&self, site: &Site) -> Result<String> {
        self.render(site, &BTreeMap::new())
    }

    /// The SQL with values for some parameters that go before those of the site.
    pub fn sql_with(&self, site: &Site, params: &BTreeMap<String, toml::Value>) -> Result<String> {
        self.render(site, params)
    }

    /// The value of a parameter that is a list of texts, as a site has it.
    pub fn texts(&self, site: &Site, name: &str) -> Result<Vec<String>> {
        let default = self.params.iter().find(|(known, _)| known == name).map(|(_, param)| &param.default);
        let value = site.param(&self.name, name).or(default).context("an undeclared parameter")?;
        match self.kind(name)?.check(name, value)? {
            Checked::Texts(texts) => Ok(texts),
            _ => bail!("parameter '{name}' of hunt '{}' is no list of texts", self.name),
        }
    }

    fn render(&self, site: &Site, own: &BTreeMap<String, toml::Value>) -> Result<String> {
        let value = |name: &str| {
            let (_, param) =
                self.params.iter().find(|(known, _)| known == name).context("an undeclared parameter")?;
            let value = own.get(name).or_else(|| site.param(&self.name, name)).unwrap_or(&param.default);
            param.kind.check(name, value)
        };
        let exclusions: Vec<&Exclusion> =
            site.exclusions.iter().filter(|exclusion| exclusion.is_for(&self.name)).collect();
        let sql =
            self.template.render(&value, &exclusions).with_context(|| format!("hunt '{}'", self.name))?;
        let limit = self.limit.map(|limit| format!("\nLIMIT {limit}")).unwrap_or_default();
        // Engines put nulls first or last as they like.
        let order: Vec<String> =
            self.order_by.split(',').map(|item| format!("{} NULLS LAST", item.trim())).collect();
        Ok(format!("{}\nORDER BY {}{limit}", sql.trim_end(), order.join(", ")))
    }

    /// The tables at whose place in the SQL exclusions go.
    pub(super) fn places(&self) -> Vec<&str> {
        self.template.places().collect()
    }

    /// The type of a parameter, or an error with the one whose name is nearest.
    pub(super) fn kind(&self, name: &str) -> Result<Kind> {
        match self.params.iter().find(|(known, _)| known == name) {
            Some((_, param)) => Ok(param.kind),
            None => {
                let near = nearest(name, self.params.iter().map(|(name, _)| name.as_str()));
                bail!("hunt '{}' has no parameter '{name}'{near}", self.name)
            }
        }
    }
}

/// The tables after FROM and JOIN; what stands there in parentheses is looked at in its turn.
fn tables_of(sql: &str) -> Result<Vec<&'static str>> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let mut tables = Vec::new();
    for pair in words.windows(2) {
        let [keyword, name] = pair else { continue };
        let is_from = keyword.eq_ignore_ascii_case("from") || keyword.eq_ignore_ascii_case("join");
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        // `extract(year FROM ts)` has its parenthesis at the name.
        if is_from && is_name {
            tables.push(known_table(name)?.name);
        }
    }
    tables.sort_unstable();
    tables.dedup();
    Ok(tables)
}
