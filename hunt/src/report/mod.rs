//! The report: one page with the pictures of a lake, for people who read no rows.
//!
//! `question` lists the charts, each with its SQL and the sentence that answers it; `charts` holds them by topic. `cells`
//! turns answers into values of the page, `period` finds what time it is about and how it is cut into bins, `figures` makes
//! the numbers on top, `page` puts all into one file. The script of the page is in `hunt/report/`.

mod cells;
mod charts;
pub(crate) mod command;
mod figures;
mod page;
mod period;
mod question;
mod words;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail};
use clap::Args;
use serde_json::{Value, json};

use crate::engine::Lake;
use crate::output::escape;
use cells::Rows;
use period::{Month, Period};
use question::{QUESTIONS, Question, Said, Tone, View};

/// What the report is to be about.
#[derive(Clone, Debug, Default, Args)]
pub struct Wanted {
    /// The report's title
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// From this time on, in UTC: 2026-11-01, or 2026-11-01T08:00; by default from the lake's first row
    #[arg(long, value_name = "TIME", conflicts_with = "last")]
    pub from: Option<String>,
    /// Up to this time, by default the lake's last row
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// So long before --to, or before now: 30d, 12h, 8w
    #[arg(long, value_name = "SPAN")]
    pub last: Option<String>,
}

/// A page, and which of its questions could not be asked.
#[derive(Debug)]
pub struct Made {
    /// The page.
    pub html: String,
    /// What failed, a line each.
    pub failed: Vec<String>,
}

/// Tables that tell from when to when a lake has rows, in the order in which they are asked.
const TELL_TIME: &[&str] =
    &["flows", "dns", "http", "tls", "x509", "kerberos", "ftp", "file", "anomaly", "signal", "sensor_stats"];

/// Makes the page of a lake. Top-level domains of `suspicious` are marked.
///
/// # Errors
/// The period cannot be read, or ends before it begins. A table that cannot be read leaves its chart with a note.
pub fn make(lake: &Lake, wanted: &Wanted, suspicious: &[String]) -> Result<Made> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as i64);
    let months = months(lake);
    let (period, left_out) = chosen(wanted, &months, now)?;
    let before = period.before();
    // A lake that begins in the midst of the period before says nothing about it.
    let slack = (period.to - period.from) / 20;
    let reaches_back =
        |month: &Month| month.first <= before.from.saturating_add(slack) && month.last >= before.from;
    let before = months.iter().any(reaches_back).then_some(before);

    let marks = Marks { period, suspicious: alternatives(suspicious) };
    let mut charts = Vec::new();
    let mut answers = Vec::new();
    let mut failed = Vec::new();
    for (index, question) in QUESTIONS.iter().enumerate() {
        let (chart, said) = chart(lake, question, index + 1, &marks, &mut failed);
        charts.push(chart);
        answers.push((question.id, said));
    }

    let damaged: Vec<String> = lake
        .damaged()
        .iter()
        .map(|(path, why)| escape::escaped(&format!("{}: {why}", path.display())))
        .collect();
    let left_out = (left_out > 0).then(|| {
        format!(
            "{} far from all others in time, most likely by a clock that was wrong, and left out; --from and --to take them in.",
            words::many(left_out, "conversation is", "conversations are"),
        )
    });
    let name =
        lake.root().file_name().map_or_else(|| ".".to_owned(), |name| name.to_string_lossy().into_owned());
    let name = words::visible(&name);
    let title = wanted.title.as_deref().map_or_else(|| "What the network shows".to_owned(), words::visible);
    let data = json!({
        "title": title,
        "lake": name,
        "from": millis(period.from),
        "to": millis(period.to),
        "before": before.map(|before| json!({"from": millis(before.from), "to": millis(before.to)})),
        "made": millis(now),
        "version": env!("CARGO_PKG_VERSION"),
        "summary": summary(&answers),
        "figures": figures::figures(lake, period, before),
        "charts": charts,
        "damaged": damaged,
        "left_out": left_out,
    });
    Ok(Made { html: page::page(&title, &data.to_string()), failed })
}

/// What stands in the SQL of the views for what is only known now.
struct Marks {
    period: Period,
    suspicious: String,
}

impl Marks {
    fn sql(&self, sql: &str) -> String {
        sql.replace("{period}", &self.period.condition())
            .replace("{bin}", &self.period.bin().sql())
            .replace("{suspicious}", &self.suspicious)
    }
}

fn millis(micros: i64) -> i64 {
    micros.div_euclid(1000)
}

/// Names of top-level domains as alternatives of a regular expression, or what no name is like.
fn alternatives(names: &[String]) -> String {
    let is_plain = |name: &&String| {
        !name.is_empty() && name.chars().all(|one| one.is_alphanumeric() || one == '-' || one == '.')
    };
    let names: Vec<String> = names
        .iter()
        .filter(is_plain)
        .map(|name| name.trim_matches('.').to_lowercase().replace('.', "[.]"))
        .collect();
    if names.is_empty() { "none/at/all".to_owned() } else { names.join("|") }
}

/// The months in which the lake has rows.
fn months(lake: &Lake) -> Vec<Month> {
    const COLUMNS: &[question::Column] =
        &[question::hidden("rows"), question::hidden("first"), question::hidden("last")];
    for table in TELL_TIME {
        let sql = format!(
            "select count(*) as rows, min(ts) as first, max(ts) as last from {table} group by year, month order by year, month"
        );
        let rows = lake.query(&sql).and_then(|answer| Rows::of(&answer, COLUMNS));
        let Ok(rows) = rows else { continue };
        if !rows.is_empty() {
            let month = |row| Month {
                rows: rows.number(row, "rows"),
                first: rows.number(row, "first"),
                last: rows.number(row, "last"),
            };
            return (0..rows.rows.len()).map(month).collect();
        }
    }
    Vec::new()
}

/// The period that is asked for, else that of the rows, and how many of them are left out.
fn chosen(wanted: &Wanted, months: &[Month], now: i64) -> Result<(Period, i64)> {
    let to = wanted.to.as_deref().map(period::moment).transpose()?;
    let from = match (&wanted.from, &wanted.last) {
        (Some(from), _) => Some(period::moment(from)?),
        (None, Some(last)) => Some(to.unwrap_or(now).saturating_sub(period::span(last)?)),
        (None, None) => None,
    };
    let to = if wanted.last.is_some() { Some(to.unwrap_or(now)) } else { to };
    let (whole, left_out) = period::of(months).unwrap_or((Period { from: now, to: now + 1 }, 0));
    let left_out = if from.is_none() && to.is_none() { left_out } else { 0 };
    let period = Period { from: from.unwrap_or(whole.from), to: to.unwrap_or(whole.to) };
    if period.from >= period.to {
        bail!(
            "the period ends ({}) before it begins ({})",
            words::moment(period.to),
            words::moment(period.from)
        );
    }
    Ok((period, left_out))
}

/// A chart as the page has it, and what was said of it.
fn chart(
    lake: &Lake,
    question: &Question,
    number: usize,
    marks: &Marks,
    failed: &mut Vec<String>,
) -> (Value, Said) {
    let mut rows = Vec::new();
    let mut views = Vec::new();
    for view in question.views {
        let sql = marks.sql(view.sql);
        let asked =
            lake.query(&sql).and_then(|answer| Rows::of(&answer, view.columns)).unwrap_or_else(|error| {
                failed.push(format!("{}: {error:#}", question.heading));
                Rows::failed(words::visible(&format!("{error:#}")))
            });
        views.push(picture(view, &asked, &sql, marks.period));
        rows.push(asked);
    }
    let said = match rows.iter().find_map(|rows| rows.failed.as_deref()) {
        Some(_) => Said::new(
            Tone::Watch,
            format!("{}: this could not be asked of the lake; the chart says why.", question.heading),
        ),
        None => (question.answer)(&rows, marks.period),
    };
    let chart = json!({
        "id": question.id,
        "number": number,
        "heading": question.heading,
        "question": question.question,
        "answer": said.text,
        "tone": said.tone,
        "remark": question.remark,
        "wide": question.wide,
        "views": views,
    });
    (chart, said)
}

fn picture(view: &View, rows: &Rows, sql: &str, period: Period) -> Value {
    // Columns without a label are for the answer only.
    let shown: Vec<usize> =
        (0..view.columns.len()).filter(|index| !view.columns[*index].label.is_empty()).collect();
    let at = |name: &str| shown.iter().position(|index| view.columns[*index].name == name);
    let cells = |row: &Vec<cells::Cell>| {
        shown.iter().filter_map(|index| row.get(*index).cloned()).collect::<Vec<_>>()
    };
    let measures: Vec<Value> = view
        .measures
        .iter()
        .map(|measure| {
            let columns: Vec<usize> = measure.columns.iter().filter_map(|name| at(name)).collect();
            json!({"label": measure.label, "columns": columns})
        })
        .collect();
    let note = match &rows.failed {
        Some(reason) => Some(format!("This could not be asked: {reason}")),
        None => rows.is_empty().then(|| view.empty.to_owned()),
    };
    json!({
        "title": view.title,
        "form": view.form,
        "columns": shown.iter().map(|index| view.columns[*index]).collect::<Vec<_>>(),
        "rows": rows.rows.iter().map(cells).collect::<Vec<_>>(),
        "total": rows.total,
        "sql": sql,
        "note": note,
        "measures": measures,
        "label": view.label.and_then(at),
        "unnamed": view.unnamed,
        "grade": view.grade.and_then(at),
        "flag": view.flag.and_then(|(name, _)| at(name)),
        "flag_means": view.flag.map(|(_, means)| means),
        "time": view.time.and_then(at),
        "step": view.time.map(|_| period.bin().step()),
        "marks": view.marks,
    })
}

/// Five sentences: how much there was, then what asks for attention, the worst first, then what is in order.
fn summary(answers: &[(&'static str, Said)]) -> Vec<Value> {
    const SENTENCES: usize = 5;
    let line = |(id, said): &(&'static str, Said)| json!({"text": said.text, "tone": said.tone, "chart": id});
    let mut lines: Vec<Value> = answers.first().map(line).into_iter().collect();
    let mut rest: Vec<&(&'static str, Said)> = answers.iter().skip(1).collect();
    rest.sort_by_key(|(_, said)| said.tone);
    lines.extend(rest.into_iter().take(SENTENCES - 1).map(line));
    lines
}
