//! The figures on top of the page, each beside what it was in the period before.

use serde::Serialize;

use super::cells::Rows;
use super::period::Period;
use super::question::{Column, Kind, hidden};
use super::words;
use crate::engine::Lake;

/// A figure as the page has it.
#[derive(Debug, Serialize)]
pub(super) struct Figure {
    label: &'static str,
    value: f64,
    kind: Kind,
    /// Null where the lake does not reach back so far.
    before: Option<f64>,
}

/// What one table tells: columns named for the figure, and with `_before`, what they were before.
struct Source {
    sql: &'static str,
    columns: &'static [Column],
    figures: &'static [(&'static str, &'static str, Kind)],
}

const SOURCES: &[Source] = &[
    Source {
        sql: "\
select sum(case when {now} then bytes else 0 end) as bytes, sum(case when {now} then 0 else bytes end) as bytes_before,
  count(case when {now} then 1 end) as flows, count(case when {now} then null else 1 end) as flows_before,
  count(distinct case when {now} then host end) as hosts, count(distinct case when {now} then null else host end) as hosts_before
from (
  select ts, coalesce(src_ip_bytes, 0) + coalesce(dst_ip_bytes, 0) as bytes,
    case when src_ip.is_local then src_ip.address end as host
  from flows
  where {both}) as counted",
        columns: &[
            hidden("bytes"),
            hidden("bytes_before"),
            hidden("flows"),
            hidden("flows_before"),
            hidden("hosts"),
            hidden("hosts_before"),
        ],
        figures: &[
            ("Traffic", "bytes", Kind::Bytes),
            ("Conversations", "flows", Kind::Count),
            ("Machines inside", "hosts", Kind::Count),
        ],
    },
    Source {
        sql: "\
select count(case when {now} then 1 end) as queries, count(case when {now} then null else 1 end) as queries_before
from dns
where {both}",
        columns: &[hidden("queries"), hidden("queries_before")],
        figures: &[("DNS queries", "queries", Kind::Count)],
    },
    Source {
        sql: "\
select count(case when {now} then 1 end) as handshakes, count(case when {now} then null else 1 end) as handshakes_before
from tls
where {both}",
        columns: &[hidden("handshakes"), hidden("handshakes_before")],
        figures: &[("TLS handshakes", "handshakes", Kind::Count)],
    },
    Source {
        sql: "\
select count(case when {now} then 1 end) as requests, count(case when {now} then null else 1 end) as requests_before
from http
where request.method is not null and {both}",
        columns: &[hidden("requests"), hidden("requests_before")],
        figures: &[("Web requests in clear", "requests", Kind::Count)],
    },
    Source {
        sql: "\
select count(case when {now} then 1 end) as files, count(case when {now} then null else 1 end) as files_before
from file
where {both}",
        columns: &[hidden("files"), hidden("files_before")],
        figures: &[("Files in clear", "files", Kind::Count)],
    },
    Source {
        sql: "\
select count(case when {now} then 1 end) as signals, count(case when {now} then null else 1 end) as signals_before
from signal
where {both}",
        columns: &[hidden("signals"), hidden("signals_before")],
        figures: &[("Signals", "signals", Kind::Count)],
    },
];

/// The figures that can be had; a table that cannot be read lacks in them, and is told of by its chart.
pub(super) fn figures(lake: &Lake, period: Period, before: Option<Period>) -> Vec<Figure> {
    let both = before.map_or(period, |before| Period { from: before.from, to: period.to });
    let mut figures = Vec::new();
    for source in SOURCES {
        let sql = source
            .sql
            .replace("{now}", &format!("ts >= '{}'", words::literal(period.from)))
            .replace("{both}", &both.condition());
        let Ok(rows) = lake.query(&sql).and_then(|answer| Rows::of(&answer, source.columns)) else {
            continue;
        };
        for (label, column, kind) in source.figures {
            let number = |column: &str| rows.number(0, column) as f64;
            let earlier = before.map(|_| number(&format!("{column}_before")));
            figures.push(Figure { label, value: number(column), kind: *kind, before: earlier });
        }
    }
    figures
}
