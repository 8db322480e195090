//! Every protocol arrives in the lake, and as a replay of the same packets has it.

use std::collections::BTreeMap;
use std::path::Path;

use super::net::Wire;
use super::process::{Recorder, Sensor, replay};
use super::rows::{Row, assert_same, assert_whole, rows};
use super::servers::{KDC, Kdc, NAMED, NGINX, Named, Nginx, OpenSsl, VSFTPD, Vsftpd, sha256};
use super::turn;

/// What all clients asked of all servers, to find it again.
pub(crate) struct Asked {
    large: Vec<u8>,
    text: Vec<u8>,
    ftp: Vec<u8>,
}

/// All servers, and clients that use them.
pub(crate) struct Servers(Named, Nginx, OpenSsl, Vsftpd, Kdc);

impl Servers {
    pub(crate) const PROGRAMS: [&[&str]; 4] = [NAMED, NGINX, VSFTPD, KDC];

    pub(crate) fn start(wire: &Wire, folder: &Path) -> Self {
        Self(
            Named::start(wire, folder),
            Nginx::start(wire, folder),
            OpenSsl::start(wire, folder),
            Vsftpd::start(wire, folder),
            Kdc::start(wire, folder),
        )
    }

    pub(crate) fn use_all(&self, wire: &Wire) -> Asked {
        let Self(named, nginx, openssl, vsftpd, kdc) = self;
        named.ask(wire);
        nginx.browse(wire);
        openssl.talk(wire);
        vsftpd.fetch(wire);
        kdc.log_in(wire);
        Asked { large: nginx.large.clone(), text: nginx.text.clone(), ftp: vsftpd.file.clone() }
    }
}

/// How many rows of a table have these values.
fn with(rows: &[Row], values: &[(&str, &str)]) -> usize {
    let has = |row: &&Row| values.iter().all(|(name, value)| row.get(*name).is_some_and(|has| has == value));
    rows.iter().filter(has).count()
}

/// What was asked is in the lake.
pub(crate) fn assert_all_there(lake: &Path, asked: &Asked) {
    let table = |name| rows(lake, name);
    let dns = table("dns");
    assert_eq!(with(&dns, &[("query", "www.example.test"), ("qtype", "AAAA"), ("rcode", "NOERROR")]), 1);
    assert_eq!(with(&dns, &[("query", "none.example.test"), ("rcode", "NXDOMAIN")]), 1);
    assert_eq!(
        with(&dns, &[("query", "long.example.test"), ("transport", "tcp"), ("truncated", "false")]),
        1
    );
    assert_eq!(with(&dns, &[("query", "long.example.test"), ("transport", "udp"), ("truncated", "true")]), 1);

    let http = table("http");
    assert_eq!(
        with(&http, &[("request.uri", "/"), ("response.status_code", "200"), ("transaction", "1")]),
        1
    );
    assert_eq!(
        with(&http, &[("request.uri", "/none"), ("response.status_code", "404"), ("transaction", "2")]),
        1
    );
    let compressed = http.iter().find(|row| row.get("request.uri").is_some_and(|uri| uri == "/text.txt"));
    let number = |row: &Row, name: &str| row[name].parse::<usize>().unwrap();
    let compressed = compressed.unwrap();
    assert_eq!(number(compressed, "response.decoded_bytes"), asked.text.len());
    assert!(number(compressed, "response.body_bytes") < asked.text.len() / 10);
    let files = table("file");
    for (protocol, content, times) in
        [("http", &asked.large, 1), ("http", &asked.text, 1), ("ftp-data", &asked.ftp, 2)]
    {
        let hash = sha256(content);
        let values = [("protocol", protocol), ("hash.sha256", hash.as_str()), ("complete", "true")];
        assert_eq!(with(&files, &values), times, "{protocol} {files:#?}");
    }

    let tls = table("tls");
    for (name, version, times) in [
        ("host.example.test", "TLSv1.2", 1),
        ("other.example.test", "TLSv1.2", 1),
        ("other.example.test", "TLSv1.3", 1),
    ] {
        let values = [("server_name", name), ("version", version), ("established", "true")];
        assert_eq!(with(&tls, &values), times, "{tls:#?}");
    }
    assert_eq!(with(&table("x509"), &[("subject", "CN=host.example.test")]), 2);

    let ftp = table("ftp");
    let flows = table("flows");
    let retrieved: Vec<&Row> =
        ftp.iter().filter(|row| row.get("command").is_some_and(|command| command == "RETR")).collect();
    assert_eq!(retrieved.len(), 2);
    for row in retrieved {
        assert_eq!(with(&files, &[("file_id", &row["file_id"])]), 1);
        assert_eq!(with(&flows, &[("uid", &row["data_uid"])]), 1);
    }
    assert_eq!(with(&ftp, &[("command", "PASV"), ("reply_code", "227")]), 1);

    let kerberos = table("kerberos");
    for transport in ["tcp", "udp"] {
        for (service, success, kind) in [
            ("krbtgt/EXAMPLE.TEST", "true", "AS"),
            ("krbtgt/EXAMPLE.TEST", "false", "AS"),
            ("host/www.example.test", "true", "TGS"),
            ("host/none.example.test", "false", "TGS"),
        ] {
            let values = [
                ("transport", transport),
                ("service", service),
                ("success", success),
                ("request_type", kind),
            ];
            assert!(with(&kerberos, &values) >= 1, "{values:?} {kerberos:#?}");
        }
    }
}

fn lake_equals_a_replay(workers: &str) {
    let Some(_turn) = turn(&Servers::PROGRAMS.concat()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let [live, replayed] = ["live", "replayed"].map(|name| folder.path().join(name));
    let wire = Wire::mirrored();
    let servers = Servers::start(&wire, folder.path());
    let recorder = Recorder::start(&wire, "mon0", &folder.path().join("recorded.pcap"));
    let sensor = Sensor::start(&wire, "mon0", &live, &["--workers", workers]);
    let asked = servers.use_all(&wire);
    let recorded = recorder.stop();
    let summary = sensor.stop();
    let expected = replay(&recorded, &replayed, &["--workers", workers]);
    assert_eq!(summary["packets"], expected["packets"]);
    assert_all_there(&replayed, &asked);
    assert_all_there(&live, &asked);
    let counts: BTreeMap<String, usize> = assert_same(&live, &replayed);
    eprintln!("{workers} workers: {counts:?}");
    assert!(assert_whole(&live) >= counts.len());
}

#[test]
#[ignore = "needs root"]
fn every_protocol_has_the_rows_of_a_replay_with_one_worker() {
    lake_equals_a_replay("1");
}

#[test]
#[ignore = "needs root"]
fn every_protocol_has_the_rows_of_a_replay_with_two_workers() {
    lake_equals_a_replay("2");
}
