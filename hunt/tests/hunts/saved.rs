//! Saved hunts on the captures that they name, and what a site changes about them.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use hunt::saved::{Finds, Site, library};
use serde_json::{Value, json};

use crate::lakes::{lake, rows};

/// Whether two values are the same; TOML tells 2 from 2.0, and JSON need not.
fn is_same(expected: &Value, found: &Value) -> bool {
    match (expected.as_f64(), found.as_f64()) {
        (Some(expected), Some(found)) => (expected - found).abs() < 1e-9,
        _ => expected == found,
    }
}

/// What is wrong with the rows that were found.
fn complaint(finds: &Finds, found: &[Value]) -> Option<String> {
    if found.len() != finds.count {
        return Some(format!("{} rows, not {}", found.len(), finds.count));
    }
    let mut rest: Vec<&Value> = found.iter().collect();
    for cells in &finds.rows {
        let cells: BTreeMap<&String, Value> =
            cells.iter().map(|(name, value)| (name, serde_json::to_value(value).unwrap())).collect();
        let has = |row: &&Value| {
            cells
                .iter()
                .all(|(name, value)| row.get(name.as_str()).is_some_and(|found| is_same(value, found)))
        };
        match rest.iter().position(has) {
            Some(at) => drop(rest.remove(at)),
            None => return Some(format!("no row with {cells:?} among {rest:?}")),
        }
    }
    None
}

#[test]
fn every_hunt_finds_what_it_should_on_its_capture() {
    let library = library(&[]);
    let mut by_capture: BTreeMap<&str, Vec<(&str, String, &Finds)>> = BTreeMap::new();
    for hunt in library.hunts() {
        for finds in &hunt.finds {
            let sql = hunt.sql_with(&Site::default(), &finds.params).unwrap();
            by_capture.entry(&finds.capture).or_default().push((&hunt.name, sql, finds));
        }
    }
    let mut complaints = Vec::new();
    for (capture, hunts) in by_capture {
        let lake = lake(&[capture]);
        for (name, sql, finds) in hunts {
            if let Some(complaint) = complaint(finds, &rows(lake.path(), &sql)) {
                complaints.push(format!("{name} on {capture}: {complaint}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn no_hunt_minds_a_lake_without_rows() {
    let empty = tempfile::tempdir().unwrap();
    for hunt in library(&[]).hunts() {
        assert!(rows(empty.path(), &hunt.sql(&Site::default()).unwrap()).is_empty(), "{}", hunt.name);
    }
}

#[test]
fn an_exclusion_is_left_out_before_rows_are_counted() {
    let library = library(&[]);
    let lake = lake(&["hunts/agents.pcap.gz"]);
    let agents = |text: &str| -> BTreeMap<String, i64> {
        let site = Site::parse(text, &library).unwrap();
        let found = rows(lake.path(), &library.hunt("http-agents-top").unwrap().sql(&site).unwrap());
        found.iter().map(|row| (row["user_agent"].to_string(), row["requests"].as_i64().unwrap())).collect()
    };
    let exclude = |rest: &str| agents(&format!("[[exclude]]\nhunt = '*'\n{rest}"));
    let all = agents("");
    let browser = |found: &BTreeMap<String, i64>| {
        found.iter().find(|(agent, _)| agent.contains("Chrome/")).map(|(_, n)| *n)
    };
    assert_eq!((all.len(), browser(&all)), (9, Some(2)));
    let without_news = exclude("column = 'request.uri'\nequals = '/news'");
    assert_eq!((without_news.len(), browser(&without_news)), (9, Some(1)), "one of two requests is left out");
    // A request without a user agent is not excluded by what is said of user agents.
    let without_text = exclude("column = 'request.user_agent'\nlike = '_%'");
    assert_eq!(without_text.keys().collect::<Vec<_>>(), ["\"\"", "null"]);
    assert_eq!(exclude("column = 'src_ip.address'\nsubnet = '10.1.1.0/30'"), BTreeMap::new());
    assert_eq!(exclude("column = 'src_ip.address'\nsubnet = '10.1.1.4/30'"), all);
}

#[test]
fn a_request_without_a_user_agent_is_not_an_approved_one() {
    let library = library(&[]);
    let lake = lake(&["hunts/agents.pcap.gz"]);
    let site = Site::parse("[params]\nagents = ['%']", &library).unwrap();
    let found = rows(lake.path(), &library.hunt("http-agents-not-approved").unwrap().sql(&site).unwrap());
    assert_eq!(found.iter().map(|row| &row["user_agent"]).collect::<Vec<_>>(), [&Value::Null]);
}

#[test]
fn a_hostile_text_of_a_site_is_only_a_text() {
    let library = library(&[]);
    let lake = lake(&["hunts/passwords.pcap.gz"]);
    for word in ["%' OR '1' = '1", "x'; DROP TABLE http; --", "${x}", "\"", "%'%"] {
        let site =
            Site::parse(&format!("[params]\nwords = [{}]", toml::Value::from(word)), &library).unwrap();
        let sql = library.hunt("http-passwords-in-uris").unwrap().sql(&site).unwrap();
        assert!(rows(lake.path(), &sql).is_empty(), "{word}");
    }
}

fn program(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spanlake-hunt")).args(arguments).output().unwrap()
}

#[track_caller]
fn succeeds(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn hunts_are_listed_shown_and_run_from_the_command_line() {
    let lake = lake(&["hunts/passwords.pcap.gz"]);
    let lake = lake.path().to_str().unwrap();
    let list = succeeds(&program(&["list"]), 0);
    assert_eq!(list.lines().count(), library(&[]).hunts().len());
    assert!(list.contains("dns-tunnels ") && list.contains("T1071.004"), "{list}");
    let shown = succeeds(&program(&["show", "http-passwords-in-uris"]), 0);
    for part in
        ["Passwords in URIs", "T1552", "Tables: http\n", "Parameter words: [\"%password%\"", "ORDER BY ts"]
    {
        assert!(shown.contains(part), "{shown}");
    }
    let sql = succeeds(&program(&["show", "http-passwords-in-uris", "--sql"]), 0);
    assert!(sql.starts_with("SELECT ts, uid") && shown.ends_with(&sql), "{sql}");
    let found = succeeds(
        &program(&["run", "http-passwords-in-uris", "--rows", "--lake", lake, "--format", "json"]),
        0,
    );
    assert_eq!(found.lines().count(), 3, "{found}");
    let first: Value = serde_json::from_str(found.lines().next().unwrap()).unwrap();
    assert_eq!(first["uri"], json!("/login?user=alice&password=Winter2026"));
    let unknown = program(&["run", "http-password-in-uris", "--lake", lake]);
    let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(
        told,
        "spanlake hunt: no hunt 'http-password-in-uris'; did you mean 'http-passwords-in-uris'?\n"
    );
}

#[test]
fn a_broken_hunt_is_told_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.toml"), "title = 1").unwrap();
    let lake = lake(&["hunts/passwords.pcap.gz"]);
    let hunts = folder.path().to_str().unwrap();
    let output = program(&[
        "run",
        "http-passwords-in-uris",
        "--rows",
        "--hunts",
        hunts,
        "--lake",
        lake.path().to_str().unwrap(),
    ]);
    assert!(succeeds(&output, 3).contains("Winter2026"));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("broken.toml: hunt 'broken': line 1") && told.lines().count() == 1, "{told}");
}

#[test]
fn notebooks_are_written_with_what_they_need() {
    let folder = tempfile::tempdir().unwrap();
    let notebooks = folder.path().join("notebooks");
    let output = program(&["notebooks", "-o", notebooks.to_str().unwrap(), "--lake", "/data/lake"]);
    assert_eq!(succeeds(&output, 0), format!("26 files in {}\n", notebooks.display()));
    let text = std::fs::read_to_string(notebooks.join("dns.pyspark.ipynb")).unwrap();
    assert!(text.contains("/data/lake"), "{text}");
    assert!(notebooks.join("spanlake_functions.py").is_file());
}
