//! What a rule finds in windows of time: its hunt's answer, counted by window and key, with the evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result, bail};
use datafusion::arrow::array::{Array, AsArray, RecordBatch, TimestampMicrosecondArray};
use datafusion::arrow::datatypes::{SchemaRef, TimestampMicrosecondType};

use super::catalog::{Catalog, Place};
use super::rule::{DAY, Evidence, Rule};
use super::span::Span;
use super::state::State;
use crate::engine::{Lake, Scope};
use crate::output::Cells;
use crate::saved::literal;

/// Rows of an answer with the same key in the same window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) window: i64,
    pub(super) key: Vec<Option<String>>,
    pub(super) occurrences: i64,
    /// Least time of the rows, where they have one.
    pub(super) ts: Option<i64>,
    /// Flows, the oldest first.
    pub(super) uids: BTreeSet<(i64, String)>,
    pub(super) src: Option<String>,
    pub(super) dst: Option<String>,
    pub(super) detail: String,
    /// What the evidence is found by.
    pub(super) same: Vec<Option<String>>,
}

/// What came of asking.
pub(super) enum Asked {
    /// These hits, in the order of windows and keys.
    Hits(Vec<Hit>),
    /// Files were joined or removed meanwhile, so that rows may have been missed.
    Overtaken,
}

/// Who asks what.
pub(super) struct Questioner<'a> {
    pub(super) lake: &'a Lake,
    pub(super) state: &'a State,
    pub(super) catalog: &'a mut Catalog,
}

/// Windows that are asked for at once.
pub(super) fn portions(rule: &Rule, windows: &BTreeSet<i64>) -> Vec<Span> {
    let most = if rule.by_rows { (PORTION / rule.window).max(1) * rule.window } else { rule.window };
    let mut portions: Vec<Span> = Vec::new();
    for &from in windows {
        match portions.last_mut() {
            Some(last) if last.to == from && from + rule.window - last.from <= most => last.to += rule.window,
            _ => portions.push(Span { from, to: from + rule.window }),
        }
    }
    portions
}

impl Questioner<'_> {
    /// Asks for the windows of a span; of a rule that does not count row by row it is one window.
    pub(super) fn ask(&mut self, rule: &Rule, span: Span) -> Result<Asked> {
        let scopes = self.scopes(rule.tables.iter().filter(|table| !rule.context.contains(table)), span);
        let files = sizes(&scopes);
        let mut tries = 0;
        let groups = loop {
            let mut groups = Groups { rule, span, columns: None, hits: BTreeMap::new() };
            match self.lake.stream_within(&rule.sql, &scopes, |batch| groups.add(batch)) {
                Ok(()) => break groups,
                Err(error) => {
                    if sizes(&scopes) != files {
                        return Ok(Asked::Overtaken);
                    }
                    tries += 1;
                    // Without columns it is the question that is wrong.
                    if groups.columns.is_none() || tries > TRIES || !self.lake.find_damage(&scopes) {
                        return Err(error);
                    }
                }
            }
        };
        if sizes(&scopes) != files {
            return Ok(Asked::Overtaken);
        }
        let mut hits: Vec<Hit> = groups.hits.into_values().collect();
        hits.retain(|hit| hit.occurrences >= rule.threshold);
        Ok(Asked::Hits(hits))
    }

    /// Adds the flows that are evidence for hits of one rule, and their time; says whether it could: not where files were
    /// joined or removed meanwhile.
    pub(super) fn add_evidence(&mut self, rule: &Rule, hits: &mut [Hit]) -> Result<bool> {
        let Some(evidence) = &rule.evidence else { return Ok(true) };
        let mut by_window: BTreeMap<i64, Vec<&mut Hit>> = BTreeMap::new();
        for hit in hits {
            by_window.entry(hit.window).or_default().push(hit);
        }
        for (from, mut hits) in by_window {
            let span = Span { from, to: from + rule.window };
            let scopes = self.scopes([&evidence.table].into_iter(), span);
            let files = sizes(&scopes);
            for hits in hits.chunks_mut(TOGETHER) {
                let sql = evidence_sql(evidence, hits);
                let found = |batch: &RecordBatch| add_rows(evidence, batch, hits);
                let asked = self.lake.stream_within(&sql, &scopes, found);
                if sizes(&scopes) != files {
                    return Ok(false);
                }
                asked.context("looking for evidence")?;
            }
        }
        Ok(true)
    }

    /// What of these tables lies in a span of time.
    fn scopes<'t>(&mut self, tables: impl Iterator<Item = &'t &'static str>, span: Span) -> Vec<Scope> {
        let mut scopes = Vec::new();
        for table in tables {
            let mut files = Vec::new();
            for (year, month) in span.months() {
                let place = Place { table, year, month };
                let folder = place.folder(self.state.lake());
                let of_month = self.catalog.files(self.state, place).iter();
                let of_span = of_month.filter(|file| file.span().meets(span));
                files.extend(of_span.map(|file| folder.join(&file.name)));
            }
            scopes.push(Scope { table, files, ts: (span.from, span.to) });
        }
        scopes
    }
}

/// The sizes of files: none of one that has gone.
fn sizes(scopes: &[Scope]) -> Vec<Option<u64>> {
    let files = scopes.iter().flat_map(|scope| &scope.files);
    files.map(|file| fs::metadata(file).ok().map(|metadata| metadata.len())).collect()
}

/// Rows of an answer, as they are counted.
struct Groups<'a> {
    rule: &'a Rule,
    span: Span,
    columns: Option<Columns>,
    hits: BTreeMap<(i64, Vec<Option<String>>), Hit>,
}

/// Where in an answer what stands.
#[derive(Clone, Debug)]
struct Columns {
    key: Vec<usize>,
    ts: Option<usize>,
    uid: Option<usize>,
    count: Option<usize>,
    src: Option<usize>,
    dst: Option<usize>,
    same: Vec<usize>,
    detail: Vec<(usize, String)>,
}

impl Columns {
    fn of(rule: &Rule, schema: &SchemaRef) -> Result<Self> {
        let find = |name: &str| schema.fields().iter().position(|field| field.name() == name);
        let need = |name: &String| {
            find(name).with_context(|| {
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                format!("the hunt gives no column '{name}' that the rule names, only {}", names.join(", "))
            })
        };
        let key = rule.key.iter().map(need).collect::<Result<Vec<_>>>()?;
        let is_time = |column: &usize| schema.field(*column).data_type().is_temporal();
        let ts = ["ts", "first_seen", "last_seen"].into_iter().filter_map(find).find(is_time);
        let uid = find("uid");
        let same = match &rule.evidence {
            Some(evidence) => evidence.columns.iter().map(|(name, ..)| need(name)).collect::<Result<_>>()?,
            None => Vec::new(),
        };
        let names = schema.fields().iter().enumerate().map(|(column, field)| (column, field.name().clone()));
        let detail =
            names.filter(|(column, _)| !key.contains(column) && Some(*column) != ts && Some(*column) != uid);
        Ok(Self {
            ts,
            uid,
            count: rule.count.as_ref().map(need).transpose()?,
            src: find(&rule.src),
            dst: find(&rule.dst),
            same,
            detail: detail.collect(),
            key,
        })
    }
}

impl Groups<'_> {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.columns.is_none() {
            self.columns = Some(Columns::of(self.rule, &batch.schema())?);
        }
        let Some(columns) = self.columns.clone() else { return Ok(()) };
        let cells = Cells::new(batch)?;
        let times = columns.ts.map(|column| times(batch, column)).transpose()?;
        for row in 0..batch.num_rows() {
            let cell = |column: Option<usize>| cells.cell(row, column?);
            let ts = times.as_ref().filter(|times| times.is_valid(row)).map(|times| times.value(row));
            let window = match ts {
                _ if !self.rule.by_rows => self.span.from,
                Some(ts) => ts.div_euclid(self.rule.window) * self.rule.window,
                None => {
                    bail!("the hunt gives a row without 'ts', so that it is not known which window it is of")
                }
            };
            let occurrences = match columns.count {
                Some(column) => count(cells.cell(row, column), &self.rule.count)?,
                None => 1,
            };
            let key: Vec<Option<String>> =
                columns.key.iter().map(|column| cells.cell(row, *column)).collect();
            let place = (window, key);
            let is_new = !self.hits.contains_key(&place);
            if self.hits.len() >= MOST_KEYS && is_new {
                bail!(
                    "more than {MOST_KEYS} keys in a window: the key ({}) is too fine",
                    self.rule.key.join(", ")
                );
            }
            let hit = self.hits.entry(place).or_insert_with_key(|(window, key)| Hit {
                window: *window,
                key: key.clone(),
                ..Hit::default()
            });
            hit.occurrences = hit.occurrences.saturating_add(occurrences);
            if is_new || ts.zip(hit.ts).is_some_and(|(ts, first)| ts < first) {
                hit.src = cell(columns.src);
                hit.dst = cell(columns.dst);
                hit.same = columns.same.iter().map(|column| cells.cell(row, *column)).collect();
                let pairs = columns.detail.iter();
                let pairs =
                    pairs.filter_map(|(column, name)| Some(format!("{name}={}", cells.cell(row, *column)?)));
                hit.detail = pairs.collect::<Vec<_>>().join(", ");
            }
            hit.ts = ts.into_iter().chain(hit.ts).min();
            if let Some(uid) = cell(columns.uid) {
                hit.add_uid(ts.unwrap_or_default(), uid);
            }
        }
        Ok(())
    }
}

impl Hit {
    /// Keeps the oldest.
    fn add_uid(&mut self, ts: i64, uid: String) {
        if let Some((other, _)) = self.uids.iter().find(|(_, known)| *known == uid) {
            if *other <= ts {
                return;
            }
            let other = *other;
            self.uids.remove(&(other, uid.clone()));
        }
        self.uids.insert((ts, uid));
        if self.uids.len() > MOST_UIDS {
            self.uids.pop_last();
        }
    }
}

fn times(batch: &RecordBatch, column: usize) -> Result<TimestampMicrosecondArray> {
    let times = batch.column(column).as_primitive_opt::<TimestampMicrosecondType>();
    times.cloned().context("the hunt's times are not in microseconds")
}

fn count(cell: Option<String>, column: &Option<String>) -> Result<i64> {
    let text = cell.unwrap_or_else(|| "0".to_owned());
    let number = text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|number| number as i64));
    number.with_context(|| {
        format!("the column '{}' is no number: {text}", column.as_deref().unwrap_or_default())
    })
}

/// The flows of hits of one window.
fn evidence_sql(evidence: &Evidence, hits: &[&mut Hit]) -> String {
    let conditions: Vec<String> = hits
        .iter()
        .map(|hit| {
            let same =
                evidence.columns.iter().zip(&hit.same).map(|((_, column, is_text), value)| match value {
                    None => format!("{column} IS NULL"),
                    Some(value) if *is_text => format!("{column} = {}", literal::text(value)),
                    Some(value) => match value.parse::<i64>() {
                        Ok(number) => format!("{column} = {number}"),
                        Err(_) => "FALSE".to_owned(),
                    },
                });
            format!("({})", same.collect::<Vec<_>>().join(" AND "))
        })
        .collect();
    let columns: Vec<String> = evidence
        .columns
        .iter()
        .enumerate()
        .map(|(number, (_, column, _))| format!("{column} AS same_{number}"))
        .collect();
    format!(
        "SELECT ts, uid, {} FROM {} WHERE {}",
        columns.join(", "),
        evidence.table,
        conditions.join(" OR ")
    )
}

/// Gives rows of evidence to the hits that they are of.
fn add_rows(evidence: &Evidence, batch: &RecordBatch, hits: &mut [&mut Hit]) -> Result<()> {
    let cells = Cells::new(batch)?;
    let times = times(batch, 0)?;
    for row in 0..batch.num_rows() {
        let same: Vec<Option<String>> =
            (0..evidence.columns.len()).map(|number| cells.cell(row, number + 2)).collect();
        let ts = times.value(row);
        for hit in hits.iter_mut().filter(|hit| hit.same == same) {
            hit.ts = Some(hit.ts.unwrap_or(ts).min(ts));
            if let Some(uid) = cells.cell(row, 1) {
                hit.add_uid(ts, uid);
            }
        }
    }
    Ok(())
}

/// Windows that are asked for at once, where rows are counted one by one.
const PORTION: i64 = 7 * DAY;

/// Hits whose evidence is looked for at once.
const TOGETHER: usize = 50;

/// Keys of a portion; each is held in memory.
const MOST_KEYS: usize = 200_000;

/// Flows that are told of a signal.
const MOST_UIDS: usize = 100;

/// How often damaged files are looked for and left out.
const TRIES: usize = 3;
