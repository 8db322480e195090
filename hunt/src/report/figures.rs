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

/// What one query tells: columns named for the figures, and with `_before`, what they were before.
struct Source {
    sql: &'static str,
    columns: &'static [Column],
    figures: &'static [(&'static str, &'static str, Kind)],
}

/// How many rows of a table there are, of those that a condition leaves.
macro_rules! rows_of {
    ($label:literal, $table:literal, $condition:literal) => {
        Source {
            sql: concat!(
                "\
select count(case when {now} then 1 end) as rows_now, count(case when {now} then null else 1 end) as rows_now_before
from ",
                $table,
                " where ",
                $condition,
                " and {both}"
            ),
            columns: &[hidden("rows_now"), hidden("rows_now_before")],
            figures: &[($label, "rows_now", Kind::Count)],
        }
    };
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
    rows_of!("DNS queries", "dns", "true"),
    rows_of!("TLS handshakes", "tls", "true"),
    rows_of!("Web requests in clear", "http", "request.method is not null"),
    rows_of!("Files in clear", "file", "true"),
    rows_of!("Signals", "signal", "true"),
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
