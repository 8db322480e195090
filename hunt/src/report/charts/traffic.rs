//! How much travels, of what, and between whom.

use super::super::cells::Rows;
use super::super::period::Period;
use super::super::question::{Form, Measure, Question, Said, Tone, View, bytes, count, text, time};
use super::super::words;

pub(in super::super) static TRAFFIC: Question = Question {
    id: "traffic",
    heading: "Traffic by protocol",
    question: "What travels on the network, and when?",
    remark: Some(
        "A conversation counts whole in the bar in which it began; bytes are those of IP packets, both ways.",
    ),
    wide: true,
    views: &[View {
        form: Form::Stacked,
        sql: "\
select time, case when place <= 7 then protocol else 'other' end as protocol,
  cast(sum(bytes) as bigint) as bytes, cast(sum(flows) as bigint) as flows
from (
  select time, protocol, bytes, flows, dense_rank() over (order by whole desc, protocol) as place
  from (
    select time, protocol, bytes, flows, sum(bytes) over (partition by protocol) as whole
    from (
      select {bin} as time,
        case when service <> '' then service
          when transport in ('tcp', 'udp', 'sctp') then concat(transport, ', not recognised')
          else transport end as protocol,
        sum(coalesce(src_ip_bytes, 0) + coalesce(dst_ip_bytes, 0)) as bytes, count(*) as flows
      from flows
      where {period}
      group by 1, 2) as binned) as weighed) as ranked
group by 1, 2
order by 1, 2
limit 1000",
        columns: &[
            time("time", "From"),
            text("protocol", "Protocol"),
            bytes("bytes", "Bytes"),
            count("flows", "Conversations"),
        ],
        measures: &[
            Measure { label: "Bytes", columns: &["bytes"] },
            Measure { label: "Conversations", columns: &["flows"] },
        ],
        label: Some("protocol"),
        time: Some("time"),
        empty: "No traffic was seen in this period.",
        ..View::BARS
    }],
    answer: |views, period| {
        let [rows] = views else { return Said::new(Tone::Plain, "") };
        if rows.is_empty() {
            return Said::new(
                Tone::Watch,
                "No traffic was seen: either there was none, or the sensor did not see it.",
            );
        }
        let (all, flows) = (rows.sum("bytes"), rows.sum("flows"));
        let by = rows.sums("protocol", "bytes");
        let mut parts = by
            .iter()
            .take(3)
            .map(|(name, sum)| format!("{name} ({})", words::share(*sum as f64, all as f64)));
        let first = parts.next().unwrap_or_default();
        let then: Vec<String> = parts.collect();
        let then = if then.is_empty() { String::new() } else { format!(", then {}", then.join(" and ")) };
        Said::new(
            Tone::Plain,
            format!(
                "In {} {} moved {}, most of it {first}{then}.",
                words::span(period.to - period.from),
                words::many(flows, "conversation", "conversations"),
                words::bytes(all),
            ),
        )
    },
};

const TALKERS_COLUMNS: &[super::super::question::Column] = &[
    text("address", "Address"),
    bytes("sent", "Sent"),
    bytes("received", "Received"),
    count("flows", "Conversations"),
    count("peers", "Different peers"),
];

const TALKERS_MEASURES: &[Measure] = &[
    Measure { label: "Bytes", columns: &["sent", "received"] },
    Measure { label: "Conversations", columns: &["flows"] },
    Measure { label: "Peers", columns: &["peers"] },
];

/// The machines of which a condition is true, by what they moved.
macro_rules! talkers {
    ($condition:literal) => {
        concat!(
            "\
select address, sum(sent) as sent, sum(received) as received, sum(sent + received) as moved, count(*) as flows,
  count(distinct peer) as peers, count(*) over () as rows_in_all
from (
  select src_ip.address as address, src_ip.is_local as is_local, dst_ip.address as peer,
    greatest(src_ip_bytes, 0) as sent, greatest(dst_ip_bytes, 0) as received
  from flows where {period}
  union all
  select dst_ip.address, dst_ip.is_local, src_ip.address, greatest(dst_ip_bytes, 0), greatest(src_ip_bytes, 0)
  from flows where {period}) as ends
",
            "where ",
            $condition,
            "
group by address
order by moved desc, address
limit 100"
        )
    };
}

pub(in super::super) static TALKERS: Question = Question {
    id: "talkers",
    heading: "Top talkers",
    question: "Which machines move the most, inside and outside?",
    remark: None,
    wide: true,
    views: &[
        View {
            title: Some("Inside"),
            sql: talkers!("is_local"),
            columns: TALKERS_COLUMNS,
            measures: TALKERS_MEASURES,
            label: Some("address"),
            empty: "No machine inside the local networks was seen in this period.",
            ..View::BARS
        },
        View {
            title: Some("Outside"),
            sql: talkers!("not coalesce(is_local, false)"),
            columns: TALKERS_COLUMNS,
            measures: TALKERS_MEASURES,
            label: Some("address"),
            empty: "No machine outside of the local networks was seen in this period.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [inside, outside] = views else { return Said::new(Tone::Plain, "") };
        let told = [top(inside, "inside", "machine"), top(outside, "outside", "address")];
        let told: Vec<String> = told.into_iter().flatten().collect();
        if told.is_empty() {
            return Said::new(Tone::Plain, "No machine was seen.");
        }
        Said::new(Tone::Plain, format!("Of {}.", told.join("; of ")))
    },
};

fn top(rows: &Rows, place: &str, thing: &str) -> Option<String> {
    let address = rows.text(0, "address")?;
    let moved = rows.number(0, "sent").saturating_add(rows.number(0, "received"));
    Some(format!(
        "{} {place}, {address} moved the most: {}",
        words::many(rows.total, thing, if thing == "address" { "addresses" } else { "machines" }),
        words::bytes(moved),
    ))
}
