//! What the tree promises its readers: every protocol is complete, every file says what it is for and can be held in
//! the head.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file, its tests apart.
const LONGEST: usize = 600;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_default()
}

/// The Rust files of the workspace, with their names from its top.
fn sources() -> Vec<(String, String)> {
    let mut sources = Vec::new();
    let mut folders: Vec<PathBuf> =
        ["schemas", "parsers", "sensor", "benches"].iter().map(|folder| top().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(top()).unwrap().to_string_lossy().into_owned();
                sources.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources.sort();
    assert!(sources.len() > 80, "only {} files", sources.len());
    sources
}

fn is_test(name: &str) -> bool {
    name.contains("/tests/") || name.ends_with("tests.rs")
}

#[test]
fn every_protocol_has_a_table_captures_golden_rows_and_docs() {
    let mut missing = Vec::new();
    // Those that only carry others have no rows of their own: it shows in `flows.service`.
    let carriers = ["quic", "socks"];
    let mut protocols: Vec<&str> = parsers::PROTOCOLS.iter().map(|protocol| protocol.name()).collect();
    protocols.dedup();
    assert!(!protocols.is_empty());
    for name in protocols {
        let golden = read(&format!("pcaps/{name}/rows.jsonl"));
        let is_carrier = carriers.contains(&name);
        let own = if is_carrier { format!("{name}\"") } else { format!("\"table\":\"{name}\"") };
        let rows = golden.matches(&own).count();
        let glance = read("sensor/src/show/glance.txt");
        for (there, what) in [
            (is_carrier != schemas::table::table(name).is_some(), "table in schemas"),
            (rows > 0, "golden row of its own captures in pcaps/"),
            (read("pcaps/README.md").contains(&format!("\n## {name}")), "chapter in pcaps/README.md"),
            (
                is_carrier || read("schemas/TABLES.md").contains(&format!("\n## {name}")),
                "chapter in schemas/TABLES.md",
            ),
            (
                is_carrier || glance.lines().any(|line| line.split(' ').next() == Some(name)),
                "line in show/glance.txt",
            ),
            (read("README.md").contains(&format!("`{name}`")), "word in README.md"),
        ] {
            if !there {
                missing.push(format!("{name} has no {what}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent: Vec<String> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "without a first line that begins with //!: {silent:#?}");
}

#[test]
fn no_file_is_longer_than_can_be_held_in_the_head() {
    let long: Vec<String> = sources()
        .into_iter()
        .filter(|(name, _)| !is_test(name))
        .map(|(name, text)| (name, text.lines().take_while(|line| *line != "#[cfg(test)]").count()))
        .filter(|(_, lines)| *lines > LONGEST)
        .map(|(name, lines)| format!("{name}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "longer than {LONGEST} lines without tests: {long:#?}");
}

#[test]
fn memory_is_only_handled_by_hand_where_the_kernel_shares_it() {
    let word = concat!("un", "safe");
    let with: Vec<String> = sources()
        .into_iter()
        .filter(|(_, text)| {
            text.lines()
                .map(|line| line.split("//").next().unwrap())
                .flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'))
                .any(|token| token == word)
        })
        .map(|(name, _)| name)
        .collect();
    assert_eq!(with, ["sensor/src/capture/ring/sys.rs"]);
    for (crate_root, lint) in [("sensor/src/lib.rs", "deny"), ("sensor/src/main.rs", "forbid")] {
        assert!(read(crate_root).contains(&format!("#![{lint}({word}_code)]")), "{crate_root}");
    }
}
