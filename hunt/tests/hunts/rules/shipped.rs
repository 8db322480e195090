//! The rules that come with the program, on the captures of which their hunts say that they find something there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hunt::saved::library;

use super::scene::{Scene, json, spanlake};

#[test]
fn each_shipped_rule_raises_signals_with_evidence_where_its_hunt_finds_something() {
    let pcaps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps");
    let library = library(&[]);
    let mut captures = BTreeSet::new();
    let mut wanted = BTreeSet::new();
    for hunt in library.hunts().iter().filter(|hunt| hunt.rule.is_some()) {
        for finds in hunt.finds.iter().filter(|finds| finds.params.is_empty() && finds.count > 0) {
            captures.insert(pcaps.join(&finds.capture));
            wanted.insert(hunt.name.clone());
        }
    }
    assert!(wanted.len() > 20, "{wanted:?}");
    let scene = Scene::new();
    let replayed = spanlake().arg("replay").args(&captures).arg("--lake").arg(scene.lake()).output().unwrap();
    assert!(matches!(replayed.status.code(), Some(0 | 3)), "{replayed:?}");
    let output = scene.run(&["--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let mut raised: BTreeMap<String, usize> = BTreeMap::new();
    for signal in json(&output) {
        *raised.entry(signal["rule"].as_str().unwrap().to_owned()).or_default() += 1;
        assert!(!signal["uids"].as_array().unwrap().is_empty(), "{signal}");
        assert!(signal["ts"].as_str() >= signal["window_start"].as_str(), "{signal}");
        assert!(signal["ts"].as_str() < signal["window_end"].as_str(), "{signal}");
    }
    let silent: Vec<&String> = wanted.iter().filter(|name| !raised.contains_key(*name)).collect();
    assert!(silent.is_empty(), "{silent:?} of {raised:?}");
}
