//! Lakes made of rows that are written down, or counted out, for what no capture has: months of it, and malice.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow_json::ReaderBuilder;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

/// Writes rows of a table as a file of the lake, in the month of the first; columns that are not named are null, or nothing
/// of their type where they cannot be.
pub(super) fn put(lake: &Path, table: &str, rows: &[Value]) {
    let schema = schemas::table::table(table).unwrap().arrow_schema().clone();
    let rows: Vec<Value> = rows.iter().map(|row| filled(row, &schema)).collect();
    let nullable = |field: &Arc<Field>| Arc::new(field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(schema.fields().iter().map(nullable).collect::<Vec<_>>()));
    let ts = rows[0]["ts"].as_str().unwrap();
    let (year, month) = (ts[..4].parse::<i32>().unwrap(), ts[5..7].parse::<i32>().unwrap());
    let folder = lake.join(table).join(format!("year={year}")).join(format!("month={month}"));
    fs::create_dir_all(&folder).unwrap();
    let mut decoder = ReaderBuilder::new(schema.clone()).build_decoder().unwrap();
    decoder.serialize(&rows).unwrap();
    let batch = decoder.flush().unwrap().unwrap();
    let file = File::create(folder.join("made.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn filled(row: &Value, schema: &Schema) -> Value {
    let mut row = row.clone();
    let columns = row.as_object_mut().unwrap();
    for field in schema.fields().iter().filter(|field| !field.is_nullable()) {
        let nothing = match field.data_type() {
            DataType::Boolean => json!(false),
            DataType::Utf8 => json!(""),
            number if number.is_numeric() => json!(0),
            _ => continue,
        };
        columns.entry(field.name()).or_insert(nothing);
    }
    row
}

pub(super) fn address(text: &str) -> Value {
    json!({"address": text, "is_local": text.starts_with("10.")})
}

/// A row with what all events begin with, and the given columns.
pub(super) fn event(ts: &str, src: &str, dst: &str, columns: Value) -> Value {
    let mut row = json!({"ts": ts, "uid": format!("C{ts}{src}"), "src_ip": address(src), "src_port": 40_000,
        "dst_ip": address(dst), "dst_port": 443, "transport": "tcp", "sensor": "made", "source": "made"});
    row.as_object_mut().unwrap().extend(columns.as_object().unwrap().clone());
    row
}

pub(super) fn flow(ts: &str, src: &str, dst: &str, service: &str, sent: i64, received: i64) -> Value {
    event(
        ts,
        src,
        dst,
        json!({"service": service, "conn_state": "SF", "src_ip_bytes": sent, "dst_ip_bytes": received}),
    )
}

/// Values that try to be more than text, each of them in a column that is shown.
pub(super) const HOSTILE: &[&str] = &[
    "<script>globalThis.hacked=1</script>",
    "</script><script>globalThis.hacked=1</script>",
    "<img src=x onerror=globalThis.hacked=1>",
    "<!--<script>",
    "\u{202e}gpj.exe\u{2066}\u{200b}",
    "a\u{0}b\u{1b}[31mc",
    "{{constructor.constructor('hacked=1')()}}",
    "javascript:globalThis.hacked=1",
    "'; drop table flows; --",
    "\u{2028}\u{2029}\u{feff}",
    "",
    " ",
    "\\x00\\x0a",
    "𝒳́́́́́́́́́́́́́́́́́́́́́́́́́́́́́́́́",
];

/// A lake in which every text is one of those, or longer than any screen.
pub(super) fn hostile(lake: &Path) {
    let long = "long-".repeat(2_048);
    let texts: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    let ts = |index: usize| format!("2026-11-20T08:{:02}:00Z", index % 60);
    let rows = |columns: &dyn Fn(&str) -> Value| -> Vec<Value> {
        texts.iter().enumerate().map(|(index, text)| event(&ts(index), text, text, columns(text))).collect()
    };
    put(
        lake,
        "flows",
        &rows(
            &|text| json!({"service": text, "transport": text, "src_ip_bytes": i64::MAX / 64, "dst_ip_bytes": -1}),
        ),
    );
    put(
        lake,
        "dns",
        &rows(&|text| json!({"query": text, "registered_domain": text, "tld": text, "rcode": text})),
    );
    let request = |text: &str| json!({"method": "GET", "uri": text, "host": text, "user_agent": text, "headers": {text: text}, "header_names": [text]});
    put(
        lake,
        "http",
        &rows(&|text| json!({"request": request(text), "tld": "zip", "registered_domain": text})),
    );
    put(
        lake,
        "tls",
        &rows(
            &|text| json!({"version": text, "cipher": text, "server_name": text, "validation_status": text}),
        ),
    );
    put(
        lake,
        "x509",
        &rows(
            &|text| json!({"fingerprint": text, "key_type": text, "signature_algorithm": text, "issuer": text, "not_after": "9999-12-31T23:59:59Z"}),
        ),
    );
    put(
        lake,
        "kerberos",
        &rows(
            &|text| json!({"success": true, "cipher": format!("rc4{text}"), "client": text, "service": text}),
        ),
    );
    put(
        lake,
        "file",
        &rows(
            &|text| json!({"filename": text, "mime_type": format!("{text}dosexec"), "seen_bytes": 1, "hash": {"sha256": text}}),
        ),
    );
    put(
        lake,
        "signal",
        &rows(
            &|text| json!({"rule": text, "title": text, "severity": text, "technique": text, "occurrences": 1}),
        ),
    );
    let stats = |text: &&str| {
        json!({"ts": ts(1), "interval": 60.0, "sensor": text, "source": text, "worker": 0, "packets": 5,
            "dropped_ring": 1, "acked_unseen_bytes": i64::MAX / 64})
    };
    put(lake, "sensor_stats", &texts.iter().map(stats).collect::<Vec<_>>());
}

/// Three months of an office: what a board would see.
pub(super) fn months(lake: &Path) {
    for (month, days) in [(9, 30), (10, 31), (11, 30)] {
        let mut all = Month::default();
        for day in 1..=days {
            all.day(month, day);
        }
        for (table, rows) in all.tables() {
            put(lake, table, rows);
        }
    }
}

#[derive(Default)]
struct Month {
    flows: Vec<Value>,
    dns: Vec<Value>,
    http: Vec<Value>,
    tls: Vec<Value>,
    x509: Vec<Value>,
    kerberos: Vec<Value>,
    file: Vec<Value>,
    signal: Vec<Value>,
    stats: Vec<Value>,
}

impl Month {
    fn tables(&self) -> [(&'static str, &[Value]); 9] {
        [
            ("flows", &self.flows),
            ("dns", &self.dns),
            ("http", &self.http),
            ("tls", &self.tls),
            ("x509", &self.x509),
            ("kerberos", &self.kerberos),
            ("file", &self.file),
            ("signal", &self.signal),
            ("sensor_stats", &self.stats),
        ]
    }

    fn day(&mut self, month: i64, day: i64) {
        const SERVICES: &[(&str, i64)] = &[
            ("tls", 90_000),
            ("quic,tls", 60_000),
            ("http", 12_000),
            ("smb", 30_000),
            ("dns", 400),
            ("kerberos", 900),
            ("ssh", 5_000),
            ("rdp", 8_000),
            ("ftp-data", 3_000),
            ("ntp", 90),
            ("", 700),
        ];
        const NAMES: &[(&str, &str, i64)] = &[
            ("example.com", "com", 40),
            ("office.example", "example", 25),
            ("cloud.net", "net", 18),
            ("updates.org", "org", 12),
            ("shop.de", "de", 7),
            ("news.co.uk", "co.uk", 6),
            ("cdn.io", "io", 9),
            ("invoice-download.zip", "zip", 2),
            ("cheap-pills.top", "top", 3),
            ("login-verify.xyz", "xyz", 1),
            ("printer.local", "local", 4),
            ("sensor.arpa", "arpa", 3),
        ];
        const SUITES: &[(&str, &str, i64)] = &[
            ("TLSv1.3", "TLS_AES_256_GCM_SHA384", 20),
            ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", 6),
            ("TLSv1.2", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 9),
            ("TLSv1.2", "TLS_RSA_WITH_AES_256_CBC_SHA", 2),
            ("TLSv1.0", "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", 1),
            ("TLSv1.0", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", 1),
        ];
        let weekend = day % 7 < 2;
        let weight = if weekend { 2 } else { 9 + (day * 5 + month) % 4 };
        let at = |hour: i64, minute: i64| {
            format!("2026-{month:02}-{day:02}T{:02}:{:02}:00Z", hour % 24, minute % 60)
        };
        for (index, (service, bytes)) in SERVICES.iter().enumerate() {
            let index = index as i64;
            for turn in 0..3 {
                let inside = format!("10.1.{}.{}", index % 3, 10 + (day * 7 + turn * 3 + index) % 40);
                let outside = format!("203.0.113.{}", 1 + (index * 11 + turn * day) % 60);
                let sent = bytes * weight * (3 + turn);
                self.flows.push(flow(
                    &at(8 + 3 * turn, index * 5),
                    &inside,
                    &outside,
                    service,
                    sent,
                    sent * 9,
                ));
            }
        }
        for (name, tld, often) in NAMES {
            for turn in 0..(often * weight / 10).max(i64::from(day % 5 == 0)) {
                let inside = format!("10.1.0.{}", 10 + (turn * 7 + day) % 30);
                let columns = json!({"query": format!("www.{name}"), "registered_domain": name, "tld": tld, "rcode": "NOERROR"});
                self.dns.push(event(&at(7 + turn, turn * 3), &inside, "10.0.0.53", columns));
            }
        }
        let once = format!("a{month}x{day}.once-only-{day}.com");
        let columns =
            json!({"query": once, "registered_domain": format!("once-only-{month}-{day}.com"), "tld": "com"});
        self.dns.push(event(&at(3, 7), "10.1.0.77", "10.0.0.53", columns));
        for (index, agent) in
            ["Mozilla/5.0 (Windows NT 10.0; Win64; x64)", "curl/8.5", "Office/16.0"].iter().enumerate()
        {
            for turn in 0..(weight / (1 + index as i64)) {
                let request = json!({"method": "GET", "uri": "/", "host": "www.updates.org", "user_agent": agent, "headers": {}, "header_names": []});
                self.http.push(event(
                    &at(9 + turn, 1),
                    "10.1.0.20",
                    "203.0.113.9",
                    json!({"request": request, "tld": "org", "registered_domain": "updates.org"}),
                ));
            }
        }
        for (index, (version, cipher, often)) in SUITES.iter().enumerate() {
            for turn in 0..(often * weight / 9) {
                let server = format!("203.0.113.{}", 1 + index as i64 * 9 + turn % 7);
                let hidden = *version == "TLSv1.3";
                let status = if hidden {
                    Value::Null
                } else if turn % 9 == 8 {
                    json!("expired")
                } else {
                    json!("ok")
                };
                self.tls.push(event(&at(8 + turn, 2), "10.1.0.21", &server, json!({"version": version, "cipher": cipher,
                    "server_name": format!("www{turn}.example.com"), "certificate_hidden": hidden, "validation_status": status})));
            }
        }
        for (index, (key, bits, signature)) in [
            ("rsa", 2_048, "sha256WithRSAEncryption"),
            ("ecdsa", 256, "ecdsa-with-SHA256"),
            ("rsa", 1_024, "sha1WithRSAEncryption"),
        ]
        .iter()
        .enumerate()
        {
            if day % (1 + index as i64 * 4) == 0 {
                self.x509.push(event(&at(10, 3), "10.1.0.21", "203.0.113.3", json!({"fingerprint": format!("{month}-{day}-{index}"), "key_type": key,
                    "key_bits": bits, "signature_algorithm": signature, "issuer": "CN=CA", "not_after": "2027-12-01T00:00:00Z"})));
            }
        }
        for turn in 0..weight {
            let cipher = if turn == 3 { "rc4-hmac" } else { "aes256-cts-hmac-sha1-96" };
            self.kerberos.push(event(&at(8, turn), "10.1.0.22", "10.0.0.88", json!({"success": true, "cipher": cipher,
                "client": format!("user{turn}/OFFICE.EXAMPLE"), "service": if turn == 3 { "MSSQLSvc/db" } else { "krbtgt/OFFICE.EXAMPLE" }})));
        }
        for (mime, often) in
            [("text/html", 8), ("image/png", 6), ("application/pdf", 2), ("application/x-dosexec", 1)]
        {
            for turn in 0..(often * weight / 10) {
                self.file.push(event(&at(11, turn), "10.1.0.20", "203.0.113.9", json!({"filename": format!("file{turn}"), "mime_type": mime,
                    "seen_bytes": 12_345 * often, "is_request": turn == 0, "hash": {"sha256": format!("{day}{turn}{mime}")}})));
            }
        }
        for (index, (severity, title)) in [
            ("critical", "Executable from a suspicious top-level domain"),
            ("high", "Kerberos with RC4"),
            ("medium", "Beacon"),
            ("low", "Weak cipher suite"),
            ("info", "New user agent"),
        ]
        .iter()
        .enumerate()
        {
            if (day + month) % (9 - index as i64) == 0 {
                for turn in 0..=(index as i64 * 2) {
                    self.signal.push(json!({"ts": at(12, turn), "signal_id": format!("{month}{day}{index}{turn}"), "rule": title.to_lowercase().replace(' ', "-"),
                        "title": title, "severity": severity, "technique": "T1071", "src_ip": address("10.1.0.20"), "dst_ip": address("203.0.113.9"), "occurrences": 1 + turn}));
                }
            }
        }
        let lost = if day == 17 { 90_000 } else { i64::from(day % 6 == 0) * 300 };
        for worker in [-1, 0, 1] {
            self.stats.push(json!({"ts": at(23, 0), "interval": 86_400.0, "sensor": "office", "source": "eth0", "worker": worker,
                "packets": if worker < 0 { 4_000_000 } else { 2_000_000 }, "dropped_interface": if worker < 0 { lost } else { 0 },
                "dropped_ring": if worker < 0 { lost / 3 } else { 0 }, "dropped_queue": if worker == 1 { lost / 9 } else { 0 },
                "acked_unseen_segments": i64::from(worker == 0) * (day % 3), "acked_unseen_bytes": 1_460}));
        }
    }
}
