//! Captures of FTP: rows say what the servers and clients that made them said of each command (`commands.tsv`), and carry
//! the files that these had (`transfers.tsv`).

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use sensor::config::{Config, IfExists, Replay};
use sensor::progress::Progress;
use sensor::{output, show};
use serde_json::Value;

type Fact = BTreeMap<String, String>;

/// Tables whose rows must not depend on the number of workers.
const TABLES: [&str; 6] = ["flows", "ftp", "file", "tls", "x509", "anomaly"];

/// Captures whose commands no row can tell as the programs do, each with the reason.
const COMMANDS_OTHERWISE: [(&str, &str); 3] = [
    ("endless_line", "the client does not hear what its line is answered with"),
    ("tls_left", "what comes behind CCC is not read"),
    ("resumed_at_once", "the server tells of a reply that it wrote to a connection that was gone"),
];

/// Captures whose data connections nobody can know, each with the reason.
const TRANSFERS_OTHERWISE: [(&str, &str); 2] = [
    (
        "fxp_by_lftp",
        "both servers call the transfer aborted, and how long the file is only the one tells that sends it",
    ),
    ("tls_clear", "they are announced within TLS"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/ftp")
}

/// The lines of a table of facts by capture, each by the names of its columns.
fn facts(file: &str) -> BTreeMap<String, Vec<Fact>> {
    let text = fs::read_to_string(folder().join(file)).unwrap();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let mut facts = BTreeMap::<String, Vec<Fact>>::new();
    for line in lines {
        let fact: Fact =
            names.iter().zip(line.split('\t')).map(|(name, value)| ((*name).into(), value.into())).collect();
        facts.entry(fact["capture"].clone()).or_default().push(fact);
    }
    facts
}

fn captures() -> Vec<PathBuf> {
    let mut captures: Vec<PathBuf> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    captures
        .retain(|path| path.extension().is_some_and(|extension| extension == "pcap" || extension == "gz"));
    captures.sort();
    captures
}

fn capture(name: &str) -> PathBuf {
    let plain = folder().join(format!("{name}.pcap"));
    if plain.exists() { plain } else { plain.with_extension("pcap.gz") }
}

/// The lake of a capture.
struct Lake(tempfile::TempDir);

impl Lake {
    fn of(capture: &Path, workers: usize) -> Self {
        let lake = tempfile::tempdir().unwrap();
        let replay = Replay {
            captures: vec![capture.to_path_buf()],
            lake: lake.path().to_path_buf(),
            if_exists: IfExists::Replace,
            continuous: false,
            config: Config { workers, ..Config::default() },
        };
        sensor::replay::run(&replay, &Progress::default()).unwrap();
        Self(lake)
    }

    /// The rows of a table, oldest first, as JSON.
    fn text(&self, table: &str) -> Vec<String> {
        let rows = output::read::newest(self.0.path(), table, 1_000_000, None, None).unwrap();
        let mut rows: Vec<String> =
            show::json(&rows, schemas::table::table(table)).lines().map(str::to_owned).collect();
        rows.reverse();
        rows
    }

    fn rows(&self, table: &str) -> Vec<Value> {
        self.text(table).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// An end of a flow as facts write it.
fn end(row: &Value, address: &str, port: &str) -> String {
    let address = row[address]["address"].as_str().unwrap();
    if address.contains(':') {
        format!("[{address}]:{}", row[port])
    } else {
        format!("{address}:{}", row[port])
    }
}

/// A value as facts write it; nothing is `-`.
fn said(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A command with what became of it, as far as facts tell.
fn command_of_fact(fact: &Fact) -> String {
    let codes: Vec<&str> = fact["codes"].split(',').collect();
    format!("{} {} {}", fact["command"], fact["argument"], codes.last().unwrap())
}

/// The same of a row; the argument is only told where facts do.
fn command_of_row(row: &Value, fact: Option<&Fact>) -> String {
    let argument = match fact.map(|fact| fact["argument"].as_str()) {
        Some("?") => "?".to_owned(),
        _ => said(&row["arg"]),
    };
    format!("{} {argument} {}", said(&row["command"]), said(&row["reply_code"]))
}

#[test]
fn commands_and_replies_are_those_that_the_programs_tell_of() {
    let (mut compared, mut complaint) = (0, String::new());
    for (name, facts) in facts("commands.tsv") {
        if COMMANDS_OTHERWISE.iter().any(|(capture, _)| *capture == name) {
            continue;
        }
        let lake = Lake::of(&capture(&name), 2);
        let rows = lake.rows("ftp");
        let mut sessions = BTreeMap::<(&String, &String), Vec<&Fact>>::new();
        for fact in &facts {
            sessions.entry((&fact["client"], &fact["server"])).or_default().push(fact);
        }
        for ((client, server), facts) in sessions {
            // Not every program tells of its greeting.
            let is_greeting_told = facts.iter().any(|fact| fact["command"] == "-");
            let rows = rows.iter().filter(|row| {
                end(row, "src_ip", "src_port") == *client && end(row, "dst_ip", "dst_port") == *server
            });
            let rows: Vec<&Value> =
                rows.filter(|row| is_greeting_told || !row["command"].is_null()).collect();
            // Nor does a server tell of commands that it did not take, nor curl of its last.
            let told = |row: &&&Value| !row["reply_code"].is_null() && row["command"] != "QUIT";
            let more = rows.iter().skip(facts.len()).filter(told).count();
            for at in 0..facts.len() + more {
                let fact = facts.get(at).copied();
                let told = fact.map(command_of_fact);
                let found = rows.get(at).map(|row| command_of_row(row, fact));
                compared += 1;
                if told != found {
                    writeln!(complaint, "{name} {client}: {found:?}, not {told:?}").unwrap();
                    break;
                }
                let mut codes: Vec<&str> = fact.map_or(vec![], |fact| fact["codes"].split(',').collect());
                codes.pop();
                let preliminary: Vec<String> = rows
                    .get(at)
                    .and_then(|row| row["preliminary"].as_array())
                    .map_or(vec![], |codes| codes.iter().map(Value::to_string).collect());
                if !codes.is_empty() && codes != preliminary {
                    writeln!(complaint, "{name} {client}: {found:?} after {preliminary:?}, not {codes:?}")
                        .unwrap();
                }
            }
        }
    }
    assert!(compared >= 600, "only {compared} commands");
    assert!(complaint.is_empty(), "{complaint}");
}

/// What is wrong with a transfer in a lake.
fn transfer_is_wrong(fact: &Fact, flows: &[Value], commands: &[Value], files: &[Value]) -> Option<String> {
    let flow = flows.iter().find(|row| {
        end(row, "src_ip", "src_port") == fact["data_client"]
            && end(row, "dst_ip", "dst_port") == fact["data_server"]
    });
    let Some(flow) = flow else { return Some("no flow".to_owned()) };
    if !said(&flow["service"]).split(',').any(|service| service == "ftp-data") {
        return Some(format!("the flow has the service {}", flow["service"]));
    }
    let carriers: Vec<&Value> = commands.iter().filter(|row| row["data_uid"] == flow["uid"]).collect();
    let Some(command) = carriers
        .iter()
        .find(|row| said(&row["command"]) == fact["command"] && said(&row["arg"]) == fact["name"])
    else {
        let carriers: Vec<String> = carriers.iter().map(|row| command_of_row(row, None)).collect();
        return Some(format!("the commands with this data_uid are {carriers:?}"));
    };
    if !["RETR", "STOR", "APPE", "STOU"].contains(&fact["command"].as_str()) || fact["bytes"] == "0" {
        return None;
    }
    let Some(file) = files.iter().find(|row| row["uid"] == flow["uid"]) else {
        return Some("no file".to_owned());
    };
    // From server to server it is a download and an upload, and may have two names.
    let has_two_ends = carriers.len() > 1;
    let name = fact["name"].rsplit('/').next().unwrap();
    let filename = said(&file["filename"]);
    let filename = filename.rsplit('/').next().unwrap();
    // What STOU stores the server names.
    let is_named = filename == name || fact["command"] == "STOU" && filename.starts_with(name);
    if !has_two_ends && !is_named {
        return Some(format!("the file's name is {}", file["filename"]));
    }
    if !has_two_ends && file["file_id"] != command["file_id"] {
        return Some(format!("the file's id is {}, the command's {}", file["file_id"], command["file_id"]));
    }
    let is_whole = fact["start"] == "0" && fact["sha256"] != "-";
    let expected = [
        ("is_request", (fact["direction"] == "up").to_string()),
        ("seen_bytes", fact["bytes"].clone()),
        ("complete", is_whole.to_string()),
        ("hash", if is_whole { fact["sha256"].clone() } else { "-".to_owned() }),
    ];
    for (column, expected) in expected {
        let found = if column == "hash" { said(&file["hash"]["sha256"]) } else { said(&file[column]) };
        if found != expected && !(has_two_ends && column == "is_request") {
            return Some(format!("{column} is {found}, not {expected}"));
        }
    }
    if fact["start"] != "0" && said(&file["range_start"]) != fact["start"] {
        return Some(format!("range_start is {}, not {}", file["range_start"], fact["start"]));
    }
    None
}

#[test]
fn every_transfer_has_its_flow_its_command_and_its_file() {
    let (mut compared, mut complaint) = (0, String::new());
    for (name, facts) in facts("transfers.tsv") {
        if TRANSFERS_OTHERWISE.iter().any(|(capture, _)| *capture == name) {
            continue;
        }
        let lake = Lake::of(&capture(&name), 2);
        let (flows, commands, files) = (lake.rows("flows"), lake.rows("ftp"), lake.rows("file"));
        for fact in &facts {
            compared += 1;
            if let Some(wrong) = transfer_is_wrong(fact, &flows, &commands, &files) {
                let (command, file) = (&fact["command"], &fact["name"]);
                writeln!(complaint, "{name}: {command} {file}: {wrong}").unwrap();
            }
        }
    }
    assert!(compared >= 200, "only {compared} transfers");
    assert!(complaint.is_empty(), "{complaint}");
}

#[test]
fn rows_are_the_same_with_one_worker_and_with_three() {
    for capture in captures() {
        let (one, three) = (Lake::of(&capture, 1), Lake::of(&capture, 3));
        for table in TABLES {
            assert_eq!(one.text(table), three.text(table), "{} of {}", table, capture.display());
        }
    }
}

#[test]
fn what_is_no_ftp_has_no_rows_of_it() {
    for name in ["not_ftp", "smtp"] {
        let lake = Lake::of(&capture(name), 2);
        assert_eq!(lake.text("ftp"), Vec::<String>::new(), "{name}");
        for row in lake.rows("flows") {
            let service = said(&row["service"]);
            assert!(!service.contains("ftp"), "{name}: {service}");
        }
    }
}

#[test]
fn no_table_shows_the_password_of_a_user() {
    let mut logins = 0;
    for capture in captures() {
        let lake = Lake::of(&capture, 2);
        for row in lake.rows("ftp") {
            if row["command"] == "PASS" && row["username"] == "lake" {
                logins += 1;
                assert_eq!(row["arg"], "<masked>", "{}", capture.display());
            }
        }
        for table in TABLES {
            for row in lake.text(table) {
                assert!(!row.contains("pass word"), "{table} of {}: {row}", capture.display());
            }
        }
    }
    assert!(logins >= 10, "only {logins} logins");
}
