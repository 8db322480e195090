//! What hunters ask (`docs/hunts.md`), asked of the rows of the project's own captures.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sensor::config::{Config, IfExists, Replay};
use sensor::counters::Report;
use sensor::progress::Progress;
use sensor::{output, show};
use serde_json::Value;

/// A capture of handshakes, or one of another family where that is named.
fn capture(name: &str) -> PathBuf {
    let family = if name.contains('/') { "" } else { "tls" };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(family).join(name)
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

/// The rows of a table.
fn table_of(captures: &[&str], table: &str) -> Vec<Value> {
    let (lake, _) = lake(captures, Config { workers: 2, ..Config::default() });
    rows(&lake, table)
}

/// The values of a column in rows that a question finds, each once.
fn found<'a>(rows: &'a [Value], column: &str, is_found: impl Fn(&Value) -> bool) -> BTreeSet<&'a str> {
    rows.iter().filter(|row| is_found(row)).filter_map(|row| row[column].as_str()).collect()
}

fn begins(value: &Value, starts: &[&str]) -> bool {
    value.as_str().is_some_and(|text| starts.iter().any(|start| text.starts_with(start)))
}

#[test]
fn rc4_and_des_are_found_in_tickets_and_replies() {
    let is_weak = |row: &Value| {
        row["success"] == true
            && (begins(&row["cipher"], &["rc4-", "des"]) || begins(&row["reply_cipher"], &["rc4-", "des"]))
    };
    for weak in ["rc4", "des3", "heimdal_rc4", "heimdal_des_md5", "heimdal_des_crc", "http_rc4"] {
        let rows = table_of(&[&format!("kerberos/{weak}.pcap")], "kerberos");
        assert!(rows.iter().any(is_weak), "{weak}");
    }
    let rows =
        table_of(&["kerberos/aes.pcap", "kerberos/aes_sha2.pcap", "kerberos/camellia.pcap"], "kerberos");
    assert!(!rows.is_empty() && !rows.iter().any(is_weak));
}

#[test]
fn accounts_without_preauthentication_are_found_and_no_others() {
    const PROOFS: [&str; 5] =
        ["PA-ENC-TIMESTAMP", "PA-PK-AS-REQ", "PA-FX-FAST", "PA-ENCRYPTED-CHALLENGE", "PA-SPAKE"];
    let proves_nothing = |row: &Value| {
        row["request_type"] == "AS"
            && row["success"] == true
            && row["preauth"].is_array()
            && !texts(&row["preauth"]).iter().any(|name| PROOFS.contains(name))
    };
    let open = table_of(&["kerberos/no_preauth.pcap", "kerberos/roasting.pcap"], "kerberos");
    assert!(found(&open, "client", proves_nothing).len() >= 3);
    let closed = ["as_udp", "as_tcp", "pkinit", "fast", "spake"].map(|name| format!("kerberos/{name}.pcap"));
    let closed = table_of(&closed.each_ref().map(String::as_str), "kerberos");
    let issued = |row: &&Value| row["request_type"] == "AS" && row["success"] == true;
    assert!(closed.iter().filter(issued).count() >= 5);
    assert_eq!(found(&closed, "client", proves_nothing), BTreeSet::new());
}

#[test]
fn a_client_that_asks_for_many_services_with_rc4_is_found() {
    let is_roast = |row: &Value| {
        row["request_type"] == "TGS"
            && row["success"] == true
            && begins(&row["cipher"], &["rc4-"])
            && !begins(&row["service"], &["krbtgt/"])
    };
    let roast = table_of(&["kerberos/kerberoasting.pcap"], "kerberos");
    assert!(found(&roast, "service", is_roast).len() >= 5);
    assert_eq!(found(&roast, "client", is_roast).len(), 1);
    let usual = table_of(&["kerberos/services.pcap"], "kerberos");
    assert!(!usual.is_empty());
    assert_eq!(found(&usual, "service", is_roast), BTreeSet::new());
}

#[test]
fn servers_of_ftp_on_odd_ports_and_what_was_put_there_are_found() {
    let captures = ["ftp/odd_ports.pcap", "ftp/uploads.pcap", "ftp/smtp.pcap", "ftp/not_ftp.pcap"];
    let (lake, _) = lake(&captures, Config { workers: 2, ..Config::default() });
    let (ftp, file) = (rows(&lake, "ftp"), rows(&lake, "file"));
    let ports: BTreeSet<i64> = ftp.iter().filter_map(|row| row["dst_port"].as_i64()).collect();
    assert_eq!(ports, BTreeSet::from([21, 2121, 8021]));
    // A file of no bytes is none.
    let is_upload = |row: &&Value| {
        row["file_id"].is_string()
            && ["STOR", "STOU", "APPE"].iter().any(|name| row["command"] == *name)
            && row["reply_code"] == 226
    };
    let uploads: Vec<&Value> = ftp.iter().filter(is_upload).collect();
    assert!(uploads.len() >= 2);
    for upload in uploads {
        let sent = file.iter().find(|row| row["file_id"] == upload["file_id"]).unwrap();
        assert!(sent["hash"]["sha256"].is_string() && sent["is_request"] == true, "{sent}");
    }
}

#[test]
fn data_connections_to_a_third_host_are_found() {
    let is_bounce = |row: &Value| row["bounce"] == true;
    for capture in ["bounce_refused", "active_other_address", "fxp", "nat_obeyed"] {
        let rows = table_of(&[&format!("ftp/{capture}.pcap")], "ftp");
        assert!(rows.iter().any(is_bounce), "{capture}");
    }
    let usual = table_of(&["ftp/active.pcap", "ftp/passive.pcap", "ftp/extended_passive.pcap"], "ftp");
    assert!(usual.iter().any(|row| row["bounce"] == false) && !usual.iter().any(is_bounce));
}
