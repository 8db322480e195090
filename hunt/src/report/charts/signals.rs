//! Signals that rules have raised.

use super::super::period::Period;
use super::super::question::{Form, Measure, Question, Said, Tone, View, count, hidden, text, time};
use super::super::words;

pub(in super::super) static SIGNALS: Question = Question {
    id: "signals",
    heading: "Signals",
    question: "What have the rules found, how bad is it, and when was it?",
    remark: Some("A rule is a saved hunt that is run again and again (spanlake hunt run); each thing that it finds is one signal, however often it is found."),
    wide: true,
    views: &[
        View {
            title: Some("Over time"),
            form: Form::Lanes,
            sql: "\
select {bin} as time, severity, count(*) as signals
from signal
where {period}
group by 1, 2
order by 1, 2
limit 1000",
            columns: &[time("time", "From"), text("severity", "Severity"), count("signals", "Signals")],
            measures: &[Measure { label: "Signals", columns: &["signals"] }],
            grade: Some("severity"),
            time: Some("time"),
            empty: "No signal: either no rule has found anything, or none has been run over this lake (spanlake hunt run).",
            ..View::BARS
        },
        View {
            title: Some("By rule"),
            sql: "\
select coalesce(title, rule) as title, severity, count(*) as signals, sum(coalesce(occurrences, 1)) as occurrences,
  count(distinct src_ip.address) as sources, min(ts) as first_seen, max(ts) as last_seen, max(technique) as technique,
  case severity when 'critical' then 0 when 'high' then 1 when 'medium' then 2 when 'low' then 3 else 4 end as place,
  count(*) over () as rows_in_all
from signal
where {period}
group by 1, 2
order by place, signals desc, title
limit 100",
            columns: &[
                text("title", "Rule"),
                text("severity", "Severity"),
                count("signals", "Signals"),
                count("occurrences", "Occurrences"),
                count("sources", "Sources"),
                time("first_seen", "First"),
                time("last_seen", "Last"),
                text("technique", "ATT&CK"),
                hidden("place"),
            ],
            measures: &[Measure { label: "Signals", columns: &["signals"] }],
            label: Some("title"),
            grade: Some("severity"),
            empty: "No rule has raised a signal.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [over_time, by_rule] = views else { return Said::new(Tone::Plain, "") };
        let all = over_time.sum("signals");
        if all == 0 {
            return Said::new(Tone::Plain, "No signal was raised in this period.");
        }
        let of = |severity: &str| over_time.sum_where("signals", |row| over_time.text(row, "severity") == Some(severity));
        let worst = ["critical", "high", "medium", "low", "info"].into_iter().find(|severity| of(severity) > 0);
        let told = words::many(all, "signal was", "signals were");
        let first = by_rule.text(0, "title").map(|title| format!(", first of all “{title}”")).unwrap_or_default();
        let (tone, worst) = match worst {
            Some(severity @ ("critical" | "high")) => (Tone::Bad, severity),
            Some(severity) => (Tone::Watch, severity),
            None => return Said::new(Tone::Watch, format!("{told} raised.")),
        };
        Said::new(tone, format!("{told} raised, {} of severity {worst}{first}.", words::count(of(worst))))
    },
};
