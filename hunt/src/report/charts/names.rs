//! Names that were asked for, and what asked.

use super::super::period::Period;
use super::super::question::{Form, Measure, Question, Said, Tone, View, count, hidden, text, time, yes};
use super::super::words;

pub(in super::super) static TOP_LEVEL: Question = Question {
    id: "top-level-domains",
    heading: "Top-level domains",
    question: "Into which corners of the internet do names lead, and are there some to distrust?",
    remark: Some("Names of DNS queries, of web requests, and of TLS handshakes. Suspicious are the top-level domains that are cheap or free, and mostly bought for a short time; honest sites are there too."),
    wide: true,
    views: &[
        View {
            title: Some("All"),
            form: Form::Treemap,
            sql: "\
select tld, count(*) as requests, count(distinct domain) as domains, count(distinct client) as clients,
  regexp_like(tld, '(^|[.])({suspicious})$') as suspicious, sum(count(*)) over () as requests_in_all,
  count(*) over () as rows_in_all
from (
  select tld, registered_domain as domain, src_ip.address as client
  from dns where tld is not null and {period}
  union all
  select tld, registered_domain, src_ip.address
  from http where tld is not null and {period}
  union all
  select tld(server_name), registered_domain(server_name), src_ip.address
  from tls where server_name is not null and {period}) as names
where tld is not null
group by tld
order by suspicious desc, requests desc, tld
limit 300",
            columns: &[
                text("tld", "Top-level domain"),
                count("requests", "Requests"),
                count("domains", "Domains"),
                count("clients", "Machines that asked"),
                yes("suspicious", "Suspicious"),
                hidden("requests_in_all"),
            ],
            measures: &[Measure { label: "Requests", columns: &["requests"] }],
            label: Some("tld"),
            flag: Some(("suspicious", "suspicious")),
            marks: 32,
            empty: "No names were asked for in this period.",
            ..View::BARS
        },
        View {
            title: Some("Domains under suspicious ones"),
            sql: "\
select domain, count(*) as requests, count(distinct client) as clients, min(ts) as first_seen, max(ts) as last_seen,
  count(*) over () as rows_in_all
from (
  select ts, tld, coalesce(registered_domain, query) as domain, src_ip.address as client
  from dns where tld is not null and {period}
  union all
  select ts, tld, coalesce(registered_domain, request.host), src_ip.address
  from http where tld is not null and {period}
  union all
  select ts, tld(server_name), coalesce(registered_domain(server_name), server_name), src_ip.address
  from tls where server_name is not null and {period}) as names
where regexp_like(tld, '(^|[.])({suspicious})$')
group by domain
order by requests desc, domain
limit 100",
            columns: &[
                text("domain", "Domain"),
                count("requests", "Requests"),
                count("clients", "Machines that asked"),
                time("first_seen", "First seen"),
                time("last_seen", "Last seen"),
            ],
            measures: &[
                Measure { label: "Requests", columns: &["requests"] },
                Measure { label: "Machines", columns: &["clients"] },
            ],
            label: Some("domain"),
            empty: "No name under a suspicious top-level domain was asked for.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [all, suspicious] = views else { return Said::new(Tone::Plain, "") };
        if all.is_empty() {
            return Said::new(Tone::Plain, "No names were asked for.");
        }
        let requests = all.number(0, "requests_in_all");
        let marked = all.sum_where("requests", |row| all.number(row, "suspicious") == 1);
        if marked == 0 {
            return Said::new(
                Tone::Good,
                format!(
                    "{} went to {}; none of them is one to distrust.",
                    words::many(requests, "request", "requests"),
                    words::many(all.total, "top-level domain", "top-level domains"),
                ),
            );
        }
        let first = suspicious.text(0, "domain").map(|name| format!(", most to {name}")).unwrap_or_default();
        Said::new(
            Tone::Watch,
            format!(
                "{} of {} ({}) went to {} under suspicious top-level domains{first}.",
                words::count(marked),
                words::many(requests, "request", "requests"),
                words::share(marked as f64, requests as f64),
                words::many(suspicious.total, "domain", "domains"),
            ),
        )
    },
};

pub(in super::super) static DOMAINS: Question = Question {
    id: "domains",
    heading: "Names asked for",
    question: "Which domains are asked for most, and which hardly ever?",
    remark: Some("By DNS queries. What is rare is where hunters look first: what everyone asks for is seldom an intruder's."),
    wide: false,
    views: &[
        View {
            title: Some("Most frequent"),
            sql: "\
select coalesce(registered_domain, query) as domain, count(*) as queries, count(distinct src_ip.address) as clients,
  sum(case when rcode = 'NXDOMAIN' then 1 else 0 end) as not_found, count(*) over () as rows_in_all
from dns
where query is not null and {period}
group by 1
order by queries desc, domain
limit 100",
            columns: &[
                text("domain", "Domain"),
                count("queries", "Queries"),
                count("clients", "Machines that asked"),
                count("not_found", "Answered: no such name"),
            ],
            measures: &[
                Measure { label: "Queries", columns: &["queries"] },
                Measure { label: "Machines", columns: &["clients"] },
            ],
            label: Some("domain"),
            marks: 10,
            empty: "No DNS was seen in this period.",
            ..View::BARS
        },
        View {
            title: Some("Least frequent"),
            form: Form::Table,
            sql: "\
select coalesce(registered_domain, query) as domain, count(*) as queries, count(distinct src_ip.address) as clients,
  min(ts) as first_seen, sum(case when count(*) = 1 then 1 else 0 end) over () as asked_once, count(*) over () as rows_in_all
from dns
where query is not null and {period}
group by 1
order by queries, clients, first_seen desc, domain
limit 100",
            columns: &[
                text("domain", "Domain"),
                count("queries", "Queries"),
                time("first_seen", "First seen"),
                count("clients", "Machines"),
                hidden("asked_once"),
            ],
            label: Some("domain"),
            marks: 8,
            empty: "No DNS was seen in this period.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [most, least] = views else { return Said::new(Tone::Plain, "") };
        let Some(first) = most.text(0, "domain") else { return Said::new(Tone::Plain, "No DNS was seen.") };
        Said::new(
            Tone::Plain,
            format!(
                "Of {} {first} is asked for most ({}); {} asked for just once.",
                words::many(most.total, "domain", "domains"),
                words::many(most.number(0, "queries"), "query", "queries"),
                was(least.number(0, "asked_once")),
            ),
        )
    },
};

pub(in super::super) static AGENTS: Question = Question {
    id: "user-agents",
    heading: "Programs on the web",
    question: "With which programs is the web used, and which are hardly ever seen?",
    remark: Some("By the User-Agent of unencrypted requests: what a program says of itself, true or not."),
    wide: false,
    views: &[
        View {
            title: Some("Most frequent"),
            sql: "\
select request.user_agent as agent, count(*) as requests, count(distinct src_ip.address) as clients,
  count(distinct request.host) as hosts, sum(count(*)) over () as requests_in_all,
  sum(case when request.user_agent is null then count(*) else 0 end) over () as silent, count(*) over () as rows_in_all
from http
where request.method is not null and {period}
group by 1
order by requests desc, agent
limit 100",
            columns: &[
                text("agent", "User agent"),
                count("requests", "Requests"),
                count("clients", "Machines that use it"),
                count("hosts", "Hosts asked"),
                hidden("requests_in_all"),
                hidden("silent"),
            ],
            measures: &[
                Measure { label: "Requests", columns: &["requests"] },
                Measure { label: "Machines", columns: &["clients"] },
            ],
            label: Some("agent"),
            unnamed: "no user agent sent",
            marks: 10,
            empty: "No unencrypted web request was seen in this period.",
            ..View::BARS
        },
        View {
            title: Some("Least frequent"),
            form: Form::Table,
            sql: "\
select request.user_agent as agent, count(*) as requests, count(distinct src_ip.address) as clients, min(ts) as first_seen,
  sum(case when count(*) = 1 then 1 else 0 end) over () as seen_once, count(*) over () as rows_in_all
from http
where request.method is not null and request.user_agent is not null and {period}
group by 1
order by requests, clients, first_seen desc, agent
limit 100",
            columns: &[
                text("agent", "User agent"),
                count("requests", "Requests"),
                time("first_seen", "First seen"),
                count("clients", "Machines"),
                hidden("seen_once"),
            ],
            label: Some("agent"),
            marks: 8,
            empty: "No user agent was sent in this period.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [most, least] = views else { return Said::new(Tone::Plain, "") };
        if most.is_empty() {
            return Said::new(Tone::Plain, "No unencrypted web request was seen.");
        }
        let all = most.number(0, "requests_in_all");
        let silent = most.number(0, "silent");
        let silent = if silent == 0 {
            "every request says what sent it".to_owned()
        } else {
            format!("{} of the requests do not say what sent them", words::share(silent as f64, all as f64))
        };
        Said::new(
            Tone::Plain,
            format!(
                "{} by {}, {} seen just once; {silent}.",
                words::many(all, "request", "requests"),
                words::many(least.total, "program", "programs"),
                was(least.number(0, "seen_once")),
            ),
        )
    },
};

fn was(number: i64) -> String {
    match number {
        0 => "none was".to_owned(),
        1 => "one was".to_owned(),
        more => format!("{} were", words::count(more)),
    }
}
