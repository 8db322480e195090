//! How strong what is used is: TLS, certificates, Kerberos.

use super::super::cells::Rows;
use super::super::period::Period;
use super::super::question::{Form, Measure, Question, Said, Tone, View, count, text, time};
use super::super::words;

pub(in super::super) static CIPHERS: Question = Question {
    id: "ciphers",
    heading: "Strength of encryption",
    question: "How strong is the encryption that servers choose?",
    remark: Some("Weak: can be read today or soon (SSL, no encryption, no authentication, RC4, DES, export grade). Dated: TLS 1.0 and 1.1, no forward secrecy, or block ciphers in CBC mode. Only handshakes in which a cipher was chosen count."),
    wide: false,
    views: &[
        View {
            title: Some("By version"),
            sql: "\
select coalesce(version, 'not known') as version,
  case when version like 'SSL%' then 'weak'
    when version in ('TLSv1.0', 'TLSv1.1', 'DTLSv1.0') then 'dated'
    when version is null then 'unknown'
    else 'strong' end as strength,
  count(*) as handshakes, count(distinct dst_ip.address) as servers, count(distinct src_ip.address) as clients,
  count(*) over () as rows_in_all
from tls
where cipher is not null and {period}
group by 1, 2
order by handshakes desc, version
limit 100",
            columns: &[
                text("version", "Version"),
                text("strength", "Strength"),
                count("handshakes", "Handshakes"),
                count("servers", "Servers"),
                count("clients", "Clients"),
            ],
            measures: &[Measure { label: "Handshakes", columns: &["handshakes"] }, Measure { label: "Servers", columns: &["servers"] }],
            label: Some("version"),
            grade: Some("strength"),
            empty: "No TLS handshake was completed in this period.",
            ..View::BARS
        },
        View {
            title: Some("By cipher suite"),
            sql: "\
select cipher,
  case when version like 'SSL%' or regexp_like(cipher, '_(NULL|anon|RC4|RC2|DES|DES40|3DES|IDEA)_|EXPORT|_WITH_NULL') then 'weak'
    when version in ('TLSv1.0', 'TLSv1.1', 'DTLSv1.0') or cipher like '%_CBC_%' or regexp_like(cipher, '^TLS_(RSA|DH_|ECDH_)')
      then 'dated'
    when cipher like 'TLS_%' then 'strong'
    else 'unknown' end as strength,
  count(*) as handshakes, count(distinct dst_ip.address) as servers, count(distinct src_ip.address) as clients,
  count(*) over () as rows_in_all
from tls
where cipher is not null and {period}
group by 1, 2
order by handshakes desc, cipher
limit 200",
            columns: &[
                text("cipher", "Cipher suite"),
                text("strength", "Strength"),
                count("handshakes", "Handshakes"),
                count("servers", "Servers"),
                count("clients", "Clients"),
            ],
            measures: &[Measure { label: "Handshakes", columns: &["handshakes"] }, Measure { label: "Servers", columns: &["servers"] }],
            label: Some("cipher"),
            grade: Some("strength"),
            marks: 10,
            empty: "No TLS handshake was completed in this period.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [_, suites] = views else { return Said::new(Tone::Plain, "") };
        strengths(suites, "handshakes", ["TLS handshake", "TLS handshakes"], "No TLS handshake was completed.")
    },
};

/// The sentence on how much is weak, dated and strong.
fn strengths(rows: &Rows, column: &str, things: [&str; 2], none: &str) -> Said {
    let all = rows.sum(column);
    if all == 0 {
        return Said::new(Tone::Plain, none);
    }
    let of = |strength: &str| rows.sum_where(column, |row| rows.text(row, "strength") == Some(strength));
    let (weak, dated) = (of("weak"), of("dated"));
    let [one, more] = things;
    let total = words::many(all, one, more);
    let part =
        |number: i64| format!("{} ({})", words::count(number), words::share(number as f64, all as f64));
    match (weak, dated) {
        (0, 0) => Said::new(Tone::Good, format!("Of {total} none is weak or dated.")),
        (0, dated) => {
            Said::new(Tone::Watch, format!("Of {total} none is weak, but {} dated.", is(dated, &part(dated))))
        }
        (weak, 0) => Said::new(Tone::Bad, format!("Of {total} {} weak.", is(weak, &part(weak)))),
        (weak, dated) => Said::new(
            Tone::Bad,
            format!("Of {total} {} weak and {} dated.", is(weak, &part(weak)), part(dated)),
        ),
    }
}

fn is(number: i64, told: &str) -> String {
    format!("{told} {}", if number == 1 { "is" } else { "are" })
}

pub(in super::super) static CERTIFICATES: Question = Question {
    id: "certificates",
    heading: "Certificates",
    question: "Are the certificates that servers show sound, and their keys strong?",
    remark: Some("Judged at the time of the packet, against the roots of the web and the site's own. TLS 1.3 and resumed sessions hide the certificate."),
    wide: false,
    views: &[
        View {
            title: Some("Checked at the handshake"),
            sql: "\
select case when validation_status is not null then validation_status
    when certificate_hidden then 'hidden by TLS 1.3'
    when resumed then 'not shown again (resumed)'
    else 'none shown' end as status,
  case when validation_status is null then 'unknown'
    when validation_status = 'ok' then 'sound'
    else 'faulty' end as strength,
  count(*) as handshakes, count(distinct dst_ip.address) as servers, count(distinct server_name) as names,
  count(*) over () as rows_in_all
from tls
where cipher is not null and {period}
group by 1, 2
order by handshakes desc, status
limit 100",
            columns: &[
                text("status", "What the check gave"),
                text("strength", "Class"),
                count("handshakes", "Handshakes"),
                count("servers", "Servers"),
                count("names", "Names asked for"),
            ],
            measures: &[Measure { label: "Handshakes", columns: &["handshakes"] }, Measure { label: "Servers", columns: &["servers"] }],
            label: Some("status"),
            grade: Some("strength"),
            marks: 10,
            empty: "No TLS handshake was completed in this period.",
            ..View::BARS
        },
        View {
            title: Some("Keys and signatures"),
            sql: "\
select concat(coalesce(key_type, 'unknown key'), case when key_bits is not null then concat(' ', cast(key_bits as varchar)) else '' end, ', ',
    coalesce(signature_algorithm, 'unknown signature')) as made,
  case when key_type is null then 'unknown'
    when key_type = 'dsa' or (key_type = 'rsa' and key_bits < 2048) or (key_type = 'ecdsa' and key_bits < 224) then 'weak'
    when not coalesce(self_signed, false) and regexp_like(lower(coalesce(signature_algorithm, '')), 'md2|md4|md5|sha1') then 'weak'
    else 'strong' end as strength,
  count(distinct fingerprint) as certificates, count(distinct issuer) as issuers, max(not_after) as last_valid,
  count(*) over () as rows_in_all
from x509
where {period}
group by 1, 2
order by certificates desc, made
limit 100",
            columns: &[
                text("made", "Key and signature"),
                text("strength", "Strength"),
                count("certificates", "Different certificates"),
                count("issuers", "Issuers"),
                time("last_valid", "Last one valid until"),
            ],
            measures: &[Measure { label: "Certificates", columns: &["certificates"] }],
            label: Some("made"),
            grade: Some("strength"),
            marks: 10,
            empty: "No certificate was seen in this period.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [checked, keys] = views else { return Said::new(Tone::Plain, "") };
        let of = |class: &str| checked.sum_where("handshakes", |row| checked.text(row, "strength") == Some(class));
        let (faulty, sound) = (of("faulty"), of("sound"));
        let weak = keys.sum_where("certificates", |row| keys.text(row, "strength") == Some("weak"));
        let certificates = keys.sum("certificates");
        let shown = faulty + sound;
        let first = if shown == 0 {
            "No handshake showed a certificate that could be checked".to_owned()
        } else {
            format!(
                "{} of {} with a certificate to check failed the check ({})",
                words::count(faulty),
                words::many(shown, "handshake", "handshakes"),
                words::share(faulty as f64, shown as f64),
            )
        };
        let second = match (certificates, weak) {
            (0, _) => String::new(),
            (all, 0) => format!("; none of {} has a weak key or signature", words::many(all, "certificate", "certificates")),
            (all, weak) => format!(
                "; {} of {} a weak key or signature",
                words::count(weak),
                if all == 1 { "1 certificate has".to_owned() } else { format!("{} certificates have", words::count(all)) },
            ),
        };
        let tone = match (shown, faulty, weak) {
            (0, _, 0) => Tone::Plain,
            (_, 0, 0) => Tone::Good,
            (_, _, 0) => Tone::Watch,
            _ => Tone::Bad,
        };
        Said::new(tone, format!("{first}{second}."))
    },
};

pub(in super::super) static KERBEROS: Question = Question {
    id: "kerberos",
    heading: "Kerberos encryption",
    question: "With what are tickets for the domain's services encrypted?",
    remark: Some("What is encrypted with RC4 or DES can be guessed at offline, many times faster than AES."),
    wide: true,
    views: &[
        View {
            title: Some("Tickets by encryption type"),
            sql: "\
select cipher,
  case when cipher like '%rc4%' or cipher like '%des%' then 'weak'
    when cipher like 'aes%' or cipher like 'camellia%' then 'strong'
    else 'unknown' end as strength,
  count(*) as tickets, count(distinct client) as accounts, count(distinct service) as services,
  count(*) over () as rows_in_all
from kerberos
where success and cipher is not null and {period}
group by 1, 2
order by tickets desc, cipher
limit 100",
            columns: &[
                text("cipher", "Encryption type"),
                text("strength", "Strength"),
                count("tickets", "Tickets"),
                count("accounts", "Accounts"),
                count("services", "Services"),
            ],
            measures: &[
                Measure { label: "Tickets", columns: &["tickets"] },
                Measure { label: "Services", columns: &["services"] },
            ],
            label: Some("cipher"),
            grade: Some("strength"),
            empty: "No Kerberos ticket was seen in this period.",
            ..View::BARS
        },
        View {
            title: Some("Services with weak tickets"),
            form: Form::Table,
            sql: "\
select service, cipher, count(*) as tickets, count(distinct client) as accounts, max(ts) as last_seen,
  count(*) over () as rows_in_all
from kerberos
where success and (cipher like '%rc4%' or cipher like '%des%') and {period}
group by service, cipher
order by tickets desc, service, cipher
limit 100",
            columns: &[
                text("service", "Service"),
                text("cipher", "Encryption type"),
                count("tickets", "Tickets"),
                count("accounts", "Accounts"),
                time("last_seen", "Last seen"),
            ],
            label: Some("service"),
            marks: 8,
            empty: "No service was given a ticket with weak encryption.",
            ..View::BARS
        },
    ],
    answer: |views, _: Period| {
        let [types, _] = views else { return Said::new(Tone::Plain, "") };
        strengths(types, "tickets", ["Kerberos ticket", "Kerberos tickets"], "No Kerberos ticket was seen.")
    },
};
