//! What hunters ask of handshakes and certificates (`docs/hunts.md`), asked of the rows of the project's own captures.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sensor::config::{Config, IfExists, Replay};
use sensor::counters::Report;
use sensor::progress::Progress;
use sensor::{output, show};
use serde_json::Value;

fn capture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps/tls").join(name)
}

/// A lake of some captures.
fn lake(captures: &[&str], config: Config) -> (tempfile::TempDir, Report) {
    let folder = tempfile::tempdir().unwrap();
    let replay = Replay {
        captures: captures.iter().map(|name| capture(name)).collect(),
        lake: folder.path().to_path_buf(),
        if_exists: IfExists::Replace,
        continuous: false,
        config,
    };
    let report = sensor::replay::run(&replay, &Progress::default()).unwrap();
    (folder, report)
}

fn rows(lake: &tempfile::TempDir, table: &str) -> Vec<Value> {
    let rows = output::read::newest(lake.path(), table, 1_000_000, None, None).unwrap();
    let text = show::json(&rows, schemas::table::table(table));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn of(captures: &[&str]) -> (Vec<Value>, Vec<Value>) {
    let (lake, _) = lake(captures, Config { workers: 2, ..Config::default() });
    (rows(&lake, "tls"), rows(&lake, "x509"))
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().map(|all| all.iter().map(|text| text.as_str().unwrap()).collect()).unwrap_or_default()
}

#[test]
fn a_leaf_of_a_forged_authority_is_found_by_its_issuer_and_through_its_chain() {
    let (tls, x509) = of(&["edellroot.pcap", "web.pcap", "chains.pcap"]);
    let found: Vec<&Value> = tls
        .iter()
        .filter(|row| row["issuer"].as_str().is_some_and(|name| name.contains("CN=eDellRoot")))
        .collect();
    assert!(!found.is_empty());
    let leaves: BTreeSet<&str> = found.iter().map(|row| texts(&row["cert_chain"])[0]).collect();
    // The same from the other side: certificates by the name of their issuer, handshakes by the chain that they show.
    let issued: BTreeSet<&str> = x509
        .iter()
        .filter(|row| row["issuer_cn"] == "eDellRoot")
        .map(|row| row["fingerprint"].as_str().unwrap())
        .collect();
    assert!(leaves.is_subset(&issued), "{leaves:?} {issued:?}");
    let shown =
        |row: &&Value| texts(&row["cert_chain"]).iter().any(|fingerprint| issued.contains(fingerprint));
    let shown: Vec<&Value> = tls.iter().filter(shown).collect();
    assert_eq!(shown, found);
    // And nobody trusts it.
    assert!(found.iter().all(|row| row["validation_status"] != "ok"));
}

#[test]
fn certificates_that_vouch_for_themselves_are_found() {
    let (tls, x509) = of(&["chains.pcap", "untrusted.pcap", "keys_and_signatures.pcap", "web.pcap"]);
    let found: Vec<&Value> = tls.iter().filter(|row| row["self_signed"] == true).collect();
    assert!(!found.is_empty() && found.len() < tls.len());
    for row in &found {
        assert_eq!(row["subject"], row["issuer"]);
        let leaf = texts(&row["cert_chain"])[0];
        let certificate = x509.iter().find(|row| row["fingerprint"] == leaf).unwrap();
        assert_eq!((&certificate["self_signed"], &certificate["host_cert"]), (&true.into(), &true.into()));
    }
}

#[test]
fn weak_ciphers_are_found_where_they_were_chosen_and_where_they_were_offered() {
    let is_weak = |name: &str| {
        ["_EXPORT", "_NULL_", "_RC4_", "_DES_", "_3DES_", "_anon_"].iter().any(|part| name.contains(part))
    };
    let (tls, _) = of(&["weak_suites.pcap", "export_suites.pcap", "web.pcap"]);
    let chosen = tls.iter().filter(|row| row["cipher"].as_str().is_some_and(is_weak)).count();
    let offered =
        tls.iter().filter(|row| texts(&row["client_ciphers"]).iter().any(|name| is_weak(name))).count();
    assert!(chosen > 0 && offered >= chosen && offered < tls.len(), "{chosen} {offered} of {}", tls.len());
    let (export, _) = of(&["export_suites.pcap"]);
    let is_export = |name: &&str| name.contains("_EXPORT");
    assert!(export.iter().any(|row| row["cipher"].as_str().as_ref().is_some_and(is_export)));
}

#[test]
fn certificates_that_were_expired_are_found() {
    let (tls, _) = of(&["chains.pcap", "untrusted.pcap", "odd_certificates.pcap", "web.pcap"]);
    let by_date: BTreeSet<&str> = tls
        .iter()
        .filter(|row| row["not_after"].as_str().is_some_and(|end| end < row["ts"].as_str().unwrap()))
        .map(|row| row["uid"].as_str().unwrap())
        .collect();
    let by_status: BTreeSet<&str> = tls
        .iter()
        .filter(|row| row["validation_status"] == "expired")
        .map(|row| row["uid"].as_str().unwrap())
        .collect();
    assert!(!by_status.is_empty());
    assert!(!by_date.is_disjoint(&by_status), "{by_date:?} {by_status:?}");
}

#[test]
fn rows_of_handshakes_and_certificates_do_not_depend_on_the_number_of_workers() {
    let captures =
        ["chains.pcap", "keys_and_signatures.pcap", "client_certificate.pcap", "two.pcap", "untrusted.pcap"];
    for certificate_interval in [None, Some(Duration::from_secs(3600))] {
        let of = |workers| {
            let config = Config { workers, certificate_interval, ..Config::default() };
            let (lake, report) = lake(&captures, config);
            (rows(&lake, "tls"), rows(&lake, "x509"), report.certificate_repeats)
        };
        let one = of(1);
        assert!(one.0.len() > 10 && one.1.len() > 10);
        for workers in [2, 5] {
            assert!(of(workers) == one, "{workers} workers, {certificate_interval:?}");
        }
    }
}

#[test]
fn repeats_of_a_certificate_are_left_out_where_that_is_asked_for() {
    let fingerprints = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| row["fingerprint"].as_str().unwrap().to_owned()).collect()
    };
    let (all, _) = lake(&["chains.pcap"], Config::default());
    let (few, report) = lake(
        &["chains.pcap"],
        Config { certificate_interval: Some(Duration::from_secs(86_400)), ..Config::default() },
    );
    let (all, few) = (fingerprints(&rows(&all, "x509")), fingerprints(&rows(&few, "x509")));
    let each: BTreeSet<&String> = all.iter().collect();
    assert!(each.len() < all.len());
    assert_eq!(each, few.iter().collect());
    assert_eq!((few.len(), report.certificate_repeats), (each.len(), (all.len() - few.len()) as u64));
}
