//! Captures of Kerberos: rows say what KDCs logged and clients traced of each exchange (`facts.tsv`).

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sensor::config::{Config, IfExists, Replay};
use sensor::progress::Progress;
use sensor::{output, show};
use serde_json::Value;

type Fact = BTreeMap<String, String>;

/// What no row can say as the programs do: capture, request (empty for any), column, and the reason.
const OTHERWISE: [(&str, &str, &str, &str); 8] = [
    ("heimdal_http", "", "", "the messages lie in HTTP as Heimdal alone has it, which no row shows"),
    (
        "ad_names",
        "TGS",
        "service",
        "the KDC names what was asked for, the reply what was issued: krbtgt/AD.TEST",
    ),
    ("heimdal_fast", "AS", "client", "the request says that it is anonymous: the rest is encrypted"),
    ("heimdal_fast", "AS", "realm", "the request says that it is anonymous: the rest is encrypted"),
    ("heimdal_fast", "AS", "client_ciphers", "the request says that it is anonymous: the rest is encrypted"),
    ("heimdal_s4u", "TGS", "client", "the KDC names the service that asks, the reply the user it asks for"),
    ("s4u2self", "TGS", "client", "the KDC names the service that asks, the reply the user it asks for"),
    ("http_wrong_key", "AP", "client", "Apache could not tell"),
];

fn is_otherwise(capture: &str, request: &str, column: &str) -> bool {
    OTHERWISE
        .iter()
        .any(|&(of, only, what, _)| of == capture && (only.is_empty() || only == request) && what == column)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/kerberos")
}

/// The lines of `facts.tsv` by capture, by the names of their columns.
fn facts() -> BTreeMap<String, Vec<Fact>> {
    let text = fs::read_to_string(folder().join("facts.tsv")).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let mut all = BTreeMap::<String, Vec<Fact>>::new();
    for line in lines {
        let fact: Fact =
            names.iter().zip(line.split('\t')).map(|(name, value)| ((*name).into(), value.into())).collect();
        all.entry(fact["capture"].clone()).or_default().push(fact);
    }
    all
}

/// The rows of a capture, in the order of time.
fn rows(name: &str) -> Vec<Value> {
    let plain = folder().join(format!("{name}.pcap"));
    let capture = if plain.exists() { plain } else { plain.with_extension("pcap.gz") };
    let lake = tempfile::tempdir().unwrap();
    let replay = Replay {
        captures: vec![capture],
        lake: lake.path().to_path_buf(),
        if_exists: IfExists::Replace,
        continuous: false,
        config: Config { workers: 2, ..Config::default() },
    };
    sensor::replay::run(&replay, &Progress::default()).unwrap();
    let rows = output::read::newest(lake.path(), "kerberos", 1_000_000, None, None).unwrap();
    let text = show::json(&rows, schemas::table::table("kerberos"));
    let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    rows.reverse();
    rows
}

/// A principal as the programs write it, `name@REALM`, in its two parts; what is escaped in them stands for itself.
fn principal(text: &str) -> (String, String) {
    let (mut parts, mut characters) = (vec![String::new()], text.chars());
    while let Some(character) = characters.next() {
        match character {
            '@' => parts.push(String::new()),
            '\\' => match characters.next().unwrap() {
                // As rows write a control character.
                't' => parts.last_mut().unwrap().push_str("\\x09"),
                other => parts.last_mut().unwrap().push(other),
            },
            other => parts.last_mut().unwrap().push(other),
        }
    }
    let realm = parts.pop().unwrap();
    (parts.join("@"), realm)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn list(value: &Value) -> Option<Vec<String>> {
    value.as_array().map(|all| all.iter().filter_map(text).collect())
}

fn server(row: &Value) -> String {
    let address = row["dst_ip"]["address"].as_str().unwrap();
    let port = &row["dst_port"];
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// What a fact says that a row should say: column, what it says, what the row has.
fn said(fact: &Fact, row: &Value) -> Vec<(&'static str, String, Option<String>)> {
    let mut all = Vec::new();
    let told = |column: &str| Some(fact[column].as_str()).filter(|&value| value != "-" && value != "?");
    let has_fast = list(&row["preauth"]).is_some_and(|all| all.iter().any(|kind| kind == "PA-FX-FAST"));
    if let Some(client) = told("client") {
        let (name, realm) = principal(client);
        // Who shows a ticket only the service can read; of a TGS request that fails, the error need not say it.
        let is_hidden = fact["request"] == "AP" || fact["request"] == "TGS" && fact["result"] != "ok";
        if !is_hidden || !row["client"].is_null() {
            all.push(("client", format!("{name}/{realm}"), text(&row["client"])));
        }
    }
    if let Some(service) = told("service") {
        let (name, realm) = principal(service);
        all.push(("service", name, text(&row["service"])));
        all.push(("realm", realm, text(&row["realm"])));
    }
    let result = fact["result"].as_str();
    let success = match result {
        "ok" => "true",
        "none" => "null",
        _ => "false",
    };
    all.push(("success", success.to_owned(), Some(row["success"].to_string())));
    if result != "refused" {
        let code = if success == "false" { result } else { "null" };
        all.push(("error_code", code.to_owned(), Some(row["error_code"].to_string())));
    }
    for (of_fact, column) in [("ticket", "cipher"), ("reply", "reply_cipher"), ("transport", "transport")] {
        if let Some(value) = told(of_fact) {
            all.push((column, value.to_owned(), text(&row[column])));
        }
    }
    if let Some(offered) = told("offered") {
        all.push((
            "client_ciphers",
            offered.to_owned(),
            list(&row["client_ciphers"]).map(|all| all.join(",")),
        ));
    }
    if let Some(preauth) = told("preauth").filter(|_| !has_fast) {
        let found: BTreeSet<String> = list(&row["preauth"]).unwrap_or_default().into_iter().collect();
        for kind in preauth.split(',') {
            let found = if found.contains(kind) { kind.to_owned() } else { format!("{found:?}") };
            all.push(("preauth", kind.to_owned(), Some(found)));
        }
    }
    all
}

#[test]
fn exchanges_are_told_as_kdcs_and_clients_tell_them() {
    let (mut compared, mut complaint) = (0, String::new());
    for (name, facts) in facts() {
        if is_otherwise(&name, "", "") {
            continue;
        }
        let mut rows = rows(&name);
        for fact in &facts {
            // Both are in the order of time.
            let found = rows.iter().position(|row| {
                server(row) == fact["server"]
                    && row["request_type"].as_str() == Some(fact["request"].as_str())
            });
            let Some(found) = found else {
                writeln!(complaint, "{name}: no row of {} {}", fact["request"], fact["client"]).unwrap();
                continue;
            };
            let row = rows.remove(found);
            for (column, says, has) in said(fact, &row) {
                if is_otherwise(&name, &fact["request"], column) {
                    continue;
                }
                compared += 1;
                if has.as_deref() != Some(says.as_str()) {
                    let request = format!("{} {} {}", fact["request"], fact["client"], fact["service"]);
                    writeln!(complaint, "{name} {request}: {column} {has:?}, not {says}").unwrap();
                }
            }
        }
        for row in &rows {
            let (request, client) = (&row["request_type"], &row["client"]);
            writeln!(complaint, "{name}: a row of {request} {client} that nobody told of").unwrap();
        }
    }
    assert!(complaint.is_empty(), "{complaint}");
    assert!(compared > 1500, "only {compared} values");
}
