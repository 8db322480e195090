//! Captures of TLS and QUIC: rows say what the programs that made them said of each handshake (`facts.tsv`), and what
//! OpenSSL says of each certificate (`certificates.tsv`).

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sensor::config::{Config, IfExists, Replay};
use sensor::progress::Progress;
use sensor::{output, show};
use serde_json::Value;

fn folder(family: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(family)
}

/// The lines of a table of facts, by the names of its columns.
fn facts(family: &str, file: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(folder(family).join(file)).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    lines
        .map(|line| {
            names.iter().zip(line.split('\t')).map(|(name, value)| ((*name).into(), value.into())).collect()
        })
        .collect()
}

/// The rows of a table that a capture gives.
fn rows(capture: &Path, table: &str) -> Vec<Value> {
    let lake = tempfile::tempdir().unwrap();
    let replay = Replay {
        captures: vec![capture.to_path_buf()],
        lake: lake.path().to_path_buf(),
        if_exists: IfExists::Replace,
        continuous: false,
        config: Config { workers: 2, ..Config::default() },
    };
    sensor::replay::run(&replay, &Progress::default()).unwrap();
    let rows = output::read::newest(lake.path(), table, 1_000_000, None, None).unwrap();
    let text = show::json(&rows, schemas::table::table(table));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn capture(family: &str, name: &str) -> PathBuf {
    let plain = folder(family).join(format!("{name}.pcap"));
    if plain.exists() { plain } else { plain.with_extension("pcap.gz") }
}

/// A value as facts write it; nothing is `-`.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.to_lowercase(),
        Value::Array(all) if all.is_empty() => "-".to_owned(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn client(row: &Value) -> String {
    format!("{}:{}", row["src_ip"]["address"].as_str().unwrap(), row["src_port"])
}

/// What no row can say as the programs do, each with the reason.
const OTHERWISE: [(&str, &str, &str); 7] = [
    ("download", "cert_chain", "a segment of the certificate is not in the capture"),
    ("encrypted_hello", "server_name", "the programs tell the name that is encrypted"),
    (
        "client_certificate_refused",
        "established",
        "the refusal comes encrypted, behind the end of the handshake",
    ),
    ("not_tls", "", "it is not"),
    ("odd_hellos", "", "hellos with a version, a length or lengths that none has are not taken for one"),
    ("sslv2", "cert_chain", "a server that refuses shows none"),
    ("alerts", "established", "the refusal comes encrypted, behind the end of the handshake"),
];

/// Compares the rows of a family with facts: `columns` says how they are called there and here. What the programs did not
/// say is `?`, or `-`.
fn rows_agree_with_the_programs(family: &str, columns: &[(&str, &str)], least: usize) {
    let (mut compared, mut complaint) = (0, String::new());
    let mut by_capture = BTreeMap::<String, Vec<BTreeMap<String, String>>>::new();
    for fact in facts(family, "facts.tsv") {
        by_capture.entry(fact["capture"].clone()).or_default().push(fact);
    }
    for (name, facts) in by_capture {
        let rows = rows(&capture(family, &name), "tls");
        for fact in facts.iter().filter(|fact| fact["client"].contains(':')) {
            let of = fact["client"].replace(['[', ']'], "");
            let Some(row) = rows.iter().find(|row| client(row) == of) else {
                if !OTHERWISE.iter().any(|(capture, column, _)| *capture == name && column.is_empty()) {
                    writeln!(complaint, "{name} {}: no row", fact["client"]).unwrap();
                }
                continue;
            };
            for (of_fact, column) in columns {
                let said = match fact[*of_fact].as_str() {
                    "TLSv1" | "DTLSv1" => format!("{}.0", fact[*of_fact].to_lowercase()),
                    other => other.to_lowercase(),
                };
                let is_otherwise = OTHERWISE.iter().any(|(capture, of, _)| *capture == name && of == column);
                if said == "-" || said == "?" || is_otherwise {
                    continue;
                }
                compared += 1;
                let found = text(&row[*column]);
                let is_hidden = found == "-" && row["certificate_hidden"] == true;
                if found != said && !is_hidden {
                    writeln!(complaint, "{name} {}: {column} {found}, not {said}", fact["client"]).unwrap();
                }
            }
        }
    }
    assert!(compared >= least, "only {compared} values of {family}");
    assert!(complaint.is_empty(), "{complaint}");
}

#[test]
fn handshakes_of_tls_are_told_as_the_programs_tell_them() {
    let columns = [
        ("version", "version"),
        ("cipher", "cipher"),
        ("group", "curve"),
        ("server_name", "server_name"),
        ("alpn", "alpn"),
        ("resumed", "resumed"),
        ("established", "established"),
        ("server_certificates", "cert_chain"),
    ];
    rows_agree_with_the_programs("tls", &columns, 500);
}

#[test]
fn handshakes_of_quic_are_told_as_the_programs_tell_them() {
    let columns = [
        ("version", "quic_version"),
        ("cipher", "cipher"),
        ("group", "curve"),
        ("server_name", "server_name"),
        ("resumed", "resumed"),
        ("established", "established"),
    ];
    rows_agree_with_the_programs("quic", &columns, 200);
}

#[test]
fn certificates_are_told_as_openssl_tells_them() {
    let known: BTreeMap<String, BTreeMap<String, String>> = facts("tls", "certificates.tsv")
        .into_iter()
        .map(|fact| (fact["fingerprint"].clone(), fact))
        .collect();
    let (mut compared, mut complaint) = (0, String::new());
    let mut captures: Vec<PathBuf> =
        fs::read_dir(folder("tls")).unwrap().map(|entry| entry.unwrap().path()).collect();
    captures
        .retain(|path| path.extension().is_some_and(|extension| extension == "pcap" || extension == "gz"));
    captures.sort();
    for capture in captures {
        for row in rows(&capture, "x509") {
            let Some(fact) = row["fingerprint"].as_str().and_then(|fingerprint| known.get(fingerprint))
            else {
                continue;
            };
            for column in [
                "sha1",
                "version",
                "serial",
                "key_algorithm",
                "key_bits",
                "exponent",
                "signature_algorithm",
                "path_length",
            ] {
                let (found, said) =
                    (text(&row[column]), fact[column].trim().replace(r"\\n", "").to_lowercase());
                // The serial of OpenSSL has whole bytes.
                let same = found == said
                    || column == "serial" && found.trim_start_matches('0') == said.trim_start_matches('0');
                compared += 1;
                if !same && said != "-" && said != "?" {
                    writeln!(
                        complaint,
                        "{} {}: {column} {found}, not {said}",
                        capture.display(),
                        fact["file"]
                    )
                    .unwrap();
                }
            }
        }
    }
    assert!(compared > 500, "only {compared} values");
    assert!(complaint.is_empty(), "{complaint}");
}
