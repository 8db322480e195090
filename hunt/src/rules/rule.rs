//! A rule: what the `[rule]` of a saved hunt says, checked.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use schemas::column::{DataType, Field};
use schemas::table::table;
use serde::{Deserialize, Serialize};

use crate::saved::{Hunt, Site};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at some day.
    Low,
    /// To be looked at soon.
    Medium,
    /// To be looked at now.
    High,
    /// To be acted on now.
    Critical,
}

impl Severity {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A saved hunt that raises signals.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Name of the hunt.
    pub name: String,
    /// What it finds, in a line.
    pub title: String,
    /// Technique of ATT&CK.
    pub technique: String,
    /// How bad a hit is.
    pub severity: Severity,
    /// The SQL for this site.
    pub sql: String,
    /// The tables that it reads.
    pub tables: Vec<&'static str>,
    /// Tables of which all rows count, whatever their time.
    pub context: Vec<&'static str>,
    /// Length of a window, in microseconds.
    pub window: i64,
    /// Columns of the answer that make hits the same.
    pub key: Vec<String>,
    /// Occurrences that there must be in a window.
    pub threshold: i64,
    /// The column of the answer that says how many occurrences a row stands for; else a row is one.
    pub count: Option<String>,
    /// For so long, in microseconds, the same key raises no further signal.
    pub suppress: i64,
    /// The column of the answer that is the originator's address.
    pub src: String,
    /// The column of the answer that is the responder's address.
    pub dst: String,
    /// Where the flows are found that are evidence, where the answer does not tell them.
    pub evidence: Option<Evidence>,
    /// Each row of the answer is for itself, so that many windows can be asked for at once.
    pub by_rows: bool,
}

/// Rows of a table that go with a row of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The table.
    pub table: &'static str,
    /// A column of the answer, the column of the table that has the same value, and whether that is text.
    pub columns: Vec<(String, String, bool)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    severity: Severity,
    key: Vec<String>,
    #[serde(default = "day")]
    window: String,
    #[serde(default = "one")]
    threshold: i64,
    count: Option<String>,
    suppress: Option<String>,
    src: Option<String>,
    dst: Option<String>,
    #[serde(default)]
    context: Vec<String>,
    evidence: Option<BTreeMap<String, String>>,
}

fn day() -> String {
    "1d".to_owned()
}

fn one() -> i64 {
    1
}

impl Rule {
    /// The rule of a hunt; none where it has no `[rule]`.
    ///
    /// # Errors
    /// The `[rule]` says what cannot be, or the SQL of the hunt cannot be made for this site.
    pub fn of(hunt: &Hunt, site: &Site) -> Result<Option<Self>> {
        let Some(value) = &hunt.rule else { return Ok(None) };
        Self::read(hunt, site, value).map(Some).with_context(|| format!("the rule of hunt '{}'", hunt.name))
    }

    fn read(hunt: &Hunt, site: &Site, value: &toml::Value) -> Result<Self> {
        let file = File::deserialize(value.clone())
            .map_err(|error| anyhow::anyhow!("{}", error.message().replace('\n', " ")))?;
        if file.key.is_empty() {
            bail!("key names no column");
        }
        if file.threshold < 1 {
            bail!("a threshold of {} is always reached", file.threshold);
        }
        let window = duration(&file.window).context("window")?;
        if window > LONGEST_WINDOW {
            bail!("a window of {} is longer than 31d", file.window);
        }
        let suppress = file.suppress.as_deref().map_or(Ok(0), duration).context("suppress")?;
        if suppress > LONGEST_SUPPRESS {
            bail!("suppress: longer than 366d");
        }
        let context = file.context.iter().map(|name| {
            let known = hunt.tables.iter().find(|known| *known == name);
            known.copied().with_context(|| format!("context: the hunt reads no table '{name}'"))
        });
        let context = context.collect::<Result<Vec<_>>>()?;
        if context.len() == hunt.tables.len() {
            bail!("context: one table at least must have rows of a time");
        }
        let sql = hunt.sql(site)?;
        let words = words(&sql);
        if words.iter().any(|word| word == "LIMIT") {
            bail!("the hunt has a LIMIT, and a rule needs all that it finds");
        }
        Ok(Self {
            name: hunt.name.clone(),
            title: hunt.title.clone(),
            technique: hunt.technique.clone(),
            severity: file.severity,
            tables: hunt.tables.clone(),
            context,
            window,
            key: file.key,
            threshold: file.threshold,
            count: file.count,
            suppress,
            src: file.src.unwrap_or_else(|| "client".to_owned()),
            dst: file.dst.unwrap_or_else(|| "server".to_owned()),
            evidence: file.evidence.map(Evidence::read).transpose().context("evidence")?,
            by_rows: !words.iter().any(|word| TOGETHER.contains(&word.as_str())),
            sql,
        })
    }
}

impl Evidence {
    fn read(mut columns: BTreeMap<String, String>) -> Result<Self> {
        let name = columns.remove("table").context("no table is named")?;
        let table = table(&name).with_context(|| format!("there is no table '{name}'"))?;
        if !table.fields.iter().any(|field| field.name == "uid") {
            bail!("rows of '{name}' belong to no flow");
        }
        if columns.is_empty() {
            bail!("no column is named that tells which rows of '{name}' it is");
        }
        let columns = columns.into_iter().map(|(of_answer, of_table)| {
            let Some(data_type) = column(&table.fields, &of_table) else {
                bail!("the table '{name}' has no column '{of_table}'");
            };
            match data_type {
                DataType::String => Ok((of_answer, of_table, true)),
                DataType::Int32 | DataType::Int64 => Ok((of_answer, of_table, false)),
                _ => bail!("the column '{of_table}' is neither text nor a whole number"),
            }
        });
        Ok(Self { table: table.name, columns: columns.collect::<Result<_>>()? })
    }
}

/// The type of a column, with dots for what is inside structs.
fn column<'a>(fields: &'a [Field], path: &str) -> Option<&'a DataType> {
    let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let field = fields.iter().find(|field| field.name == name)?;
    match (&field.data_type, rest) {
        (DataType::Struct(parts), Some(rest)) => column(parts, rest),
        (data_type, None) => Some(data_type),
        _ => None,
    }
}

/// The words of a query in capitals, those in quotes too.
fn words(sql: &str) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    sql.split(|c| !is_word(c)).filter(|word| !word.is_empty()).map(str::to_ascii_uppercase).collect()
}

/// `90m`, `12h`, `7d` in microseconds.
///
/// # Errors
/// It is nothing of the kind, or less than a minute.
pub(super) fn duration(text: &str) -> Result<i64> {
    let wrong = || format!("'{text}' is not so many minutes, hours or days: 90m, 12h, 7d");
    let (digits, unit) = text.split_at_checked(text.len().saturating_sub(1)).with_context(wrong)?;
    let unit = match unit {
        "m" => MINUTE,
        "h" => 60 * MINUTE,
        "d" => DAY,
        _ => bail!(wrong()),
    };
    let number: i64 = digits.parse().ok().filter(|number| *number > 0).with_context(wrong)?;
    number.checked_mul(unit).with_context(wrong)
}

/// A minute in microseconds: windows consist of whole ones.
pub(super) const MINUTE: i64 = 60_000_000;

/// A day in microseconds.
pub(super) const DAY: i64 = 24 * 60 * MINUTE;

const LONGEST_WINDOW: i64 = 31 * DAY;
const LONGEST_SUPPRESS: i64 = 366 * DAY;

/// Words that make a row of an answer depend on others than its own.
const TOGETHER: [&str; 8] = ["GROUP", "DISTINCT", "OVER", "HAVING", "JOIN", "EXISTS", "INTERSECT", "EXCEPT"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saved::library;

    #[test]
    fn shipped_rules_say_what_can_be() {
        let library = library(&[]);
        let mut rules = 0;
        for hunt in library.hunts() {
            rules += usize::from(Rule::of(hunt, &Site::default()).unwrap().is_some());
        }
        assert!(rules > 25, "{rules}");
    }

    fn rule(rule: &str, sql: &str) -> Result<Option<Rule>> {
        let text = format!(
            "title='t'\ntopic='dns'\nwhy=''\nhit=''\nfalse_positives=''\ntechnique=''\norder_by='a'\nsql='{sql}'\n[rule]\n{rule}"
        );
        Rule::of(&Hunt::parse("h", &text).unwrap(), &Site::default())
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_cause() {
        const SQL: &str = "SELECT a FROM dns";
        for (text, sql, cause) in [
            ("severity = \"bad\"\nkey = [\"a\"]", SQL, "unknown variant `bad`"),
            ("severity = \"low\"", SQL, "missing field `key`"),
            ("severity = \"low\"\nkey = []", SQL, "key names no column"),
            ("severity = \"low\"\nkey = [\"a\"]\nwindow = \"90s\"", SQL, "'90s' is not so many minutes"),
            ("severity = \"low\"\nkey = [\"a\"]\nwindow = \"32d\"", SQL, "longer than 31d"),
            ("severity = \"low\"\nkey = [\"a\"]\nsuppress = \"d\"", SQL, "suppress: 'd' is not"),
            ("severity = \"low\"\nkey = [\"a\"]\nthreshold = 0", SQL, "always reached"),
            ("severity = \"low\"\nkey = [\"a\"]\ncontext = [\"tls\"]", SQL, "the hunt reads no table 'tls'"),
            ("severity = \"low\"\nkey = [\"a\"]\ncontext = [\"dns\"]", SQL, "one table at least"),
            ("severity = \"low\"\nkey = [\"a\"]", "SELECT a FROM dns LIMIT 3", "a rule needs all"),
            ("severity = \"low\"\nkey = [\"a\"]\nevidence = { a = \"query\" }", SQL, "no table is named"),
            (
                "severity = \"low\"\nkey = [\"a\"]\nevidence = { table = \"dns\", a = \"src_ip.x\" }",
                SQL,
                "no column 'src_ip.x'",
            ),
            (
                "severity = \"low\"\nkey = [\"a\"]\nevidence = { table = \"dns\", a = \"src_ip\" }",
                SQL,
                "neither text nor",
            ),
            (
                "severity = \"low\"\nkey = [\"a\"]\nevidence = { table = \"sensor_stats\", a = \"sensor\" }",
                SQL,
                "no flow",
            ),
        ] {
            let error = format!("{:#}", rule(text, sql).unwrap_err());
            assert!(error.starts_with("the rule of hunt 'h': ") && error.contains(cause), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
        assert!(rule("severity = \"low\"\nkey = [\"a\"]", SQL).unwrap().is_some_and(|rule| rule.by_rows));
        let grouped = "SELECT a FROM dns group by a";
        assert!(
            rule("severity = \"low\"\nkey = [\"a\"]", grouped).unwrap().is_some_and(|rule| !rule.by_rows)
        );
    }
}
