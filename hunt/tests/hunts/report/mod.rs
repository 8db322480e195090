//! The report: what its pages say, and that nothing from the wire is more than text on them.

mod made;

use std::fs;
use std::path::{Path, PathBuf};

use hunt::engine::{Lake, MEMORY};
use hunt::report::{Wanted, make};
use serde_json::{Value, json};

use self::made::{event, flow, put};
use crate::lakes;

/// A lake of the project's own captures.
fn captures() -> tempfile::TempDir {
    lakes::written(lakes::families(&["dns", "flows", "ftp", "http", "kerberos", "quic", "tls"]))
}

/// A page, and the data in it.
fn page(lake: &Path, wanted: &Wanted) -> (String, Value) {
    let lake = Lake::open(lake, MEMORY).unwrap();
    let made = make(&lake, wanted, &["zip".to_owned(), "top".to_owned(), "xyz".to_owned()]).unwrap();
    assert_eq!(made.failed, Vec::<String>::new());
    let data = data(&made.html);
    (made.html, data)
}

/// What the script of a page reads: all up to the first end of a script, as a browser does it.
fn data(html: &str) -> Value {
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let (text, _) = rest.split_once("</script>").unwrap();
    serde_json::from_str(text).unwrap()
}

fn whole() -> Wanted {
    Wanted::default()
}

fn chart<'a>(data: &'a Value, id: &str) -> &'a Value {
    data["charts"].as_array().unwrap().iter().find(|chart| chart["id"] == id).unwrap()
}

/// The values of a column of a view.
fn column<'a>(view: &'a Value, name: &str) -> Vec<&'a Value> {
    let index = view["columns"].as_array().unwrap().iter().position(|column| column["name"] == name).unwrap();
    view["rows"].as_array().unwrap().iter().map(|row| &row[index]).collect()
}

fn sum(view: &Value, name: &str) -> i64 {
    column(view, name).iter().map(|value| value.as_i64().unwrap()).sum()
}

#[test]
fn an_empty_lake_has_a_page_that_says_so() {
    let lake = tempfile::tempdir().unwrap();
    let (_, data) = page(lake.path(), &whole());
    let charts = data["charts"].as_array().unwrap();
    assert_eq!(charts.len(), 11);
    for chart in charts {
        for view in chart["views"].as_array().unwrap() {
            assert!(view["rows"].as_array().unwrap().is_empty());
            assert!(view["note"].as_str().is_some_and(|note| note.len() > 10), "{chart}");
        }
    }
    assert_eq!(chart(&data, "traffic")["tone"], "watch");
    assert!(chart(&data, "signals")["views"][0]["note"].as_str().unwrap().contains("spanlake hunt run"));
    assert_eq!(data["before"], Value::Null);
}

#[test]
fn a_lake_of_one_row_has_a_page() {
    let lake = tempfile::tempdir().unwrap();
    put(lake.path(), "flows", &[flow("2026-11-20T08:00:00Z", "10.0.0.1", "203.0.113.1", "tls", 1_000, 500)]);
    let (_, data) = page(lake.path(), &whole());
    assert_eq!(
        chart(&data, "traffic")["answer"],
        "In 1 second 1 conversation moved 1.5 kB, most of it tls (100%)."
    );
    assert_eq!(chart(&data, "traffic")["views"][0]["step"], 1);
    assert_eq!(
        chart(&data, "talkers")["answer"],
        "Of 1 machine inside, 10.0.0.1 moved the most: 1.5 kB; of 1 address outside, 203.0.113.1 moved the most: 1.5 kB."
    );
}

#[test]
fn values_from_the_wire_stay_in_the_data_and_are_seen_for_what_they_are() {
    let lake = tempfile::tempdir().unwrap();
    made::hostile(lake.path());
    let wanted = Wanted { title: Some("</title><script>globalThis.hacked=1</script>".to_owned()), ..whole() };
    let (html, data) = page(lake.path(), &wanted);
    // The data's element and the script's, and nothing else that begins or ends one.
    assert_eq!((html.matches("<script").count(), html.matches("</script").count()), (2, 2));
    assert_eq!(html.matches("<!--").count(), 0);
    let agents = column(&chart(&data, "user-agents")["views"][0], "agent");
    let is_there = |text: &str| agents.iter().any(|agent| *agent == text);
    assert!(is_there("</script><script>globalThis.hacked=1</script>"), "{agents:?}");
    assert!(is_there("\\u{202e}gpj.exe\\u{2066}\\u{200b}"), "{agents:?}");
    assert!(is_there("a\\u{0}b\\u{1b}[31mc"), "{agents:?}");
    let long =
        agents.iter().find_map(|agent| agent.as_str().filter(|agent| agent.starts_with("long-"))).unwrap();
    assert!(long.ends_with("… (10,240 characters)") && long.len() < 300, "{long}");
    assert!(!html.contains('\u{202e}') && !html.contains('\u{0}'));
}

#[test]
fn answers_are_made_of_the_rows() {
    let lake = tempfile::tempdir().unwrap();
    let lake = lake.path();
    let at = "2026-11-20T08:00:00Z";
    let suite = |version: &str, cipher: &str| {
        event(
            at,
            "10.0.0.1",
            "203.0.113.1",
            json!({"version": version, "cipher": cipher, "validation_status": "ok"}),
        )
    };
    put(
        lake,
        "flows",
        &[
            flow(at, "10.0.0.1", "203.0.113.1", "tls", 600, 300),
            flow("2026-11-20T09:30:00Z", "10.0.0.2", "203.0.113.1", "", 50, 50),
        ],
    );
    put(
        lake,
        "tls",
        &[
            suite("TLSv1.3", "TLS_AES_128_GCM_SHA256"),
            suite("TLSv1.2", "TLS_RSA_WITH_AES_128_CBC_SHA"),
            suite("TLSv1.2", "TLS_RSA_WITH_RC4_128_SHA"),
            suite("SSLv3", "TLS_RSA_WITH_AES_128_CBC_SHA"),
        ],
    );
    let ticket = |cipher: &str| {
        event(at, "10.0.0.1", "10.0.0.9", json!({"success": true, "cipher": cipher, "service": "HTTP/www"}))
    };
    put(lake, "kerberos", &[ticket("rc4-hmac"), ticket("aes256-cts-hmac-sha1-96")]);
    let asked = |name: &str, tld: &str| {
        event(at, "10.0.0.1", "10.0.0.53", json!({"query": name, "registered_domain": name, "tld": tld}))
    };
    put(lake, "dns", &[asked("a.com", "com"), asked("a.com", "com"), asked("b.zip", "zip")]);
    let stats = |worker: i64, packets: i64, lost: i64| json!({"ts": at, "interval": 1.0, "sensor": "s", "source": "eth0", "worker": worker, "packets": packets, "dropped_ring": lost});
    put(lake, "sensor_stats", &[stats(-1, 900, 100), stats(0, 500, 0), stats(1, 400, 0)]);
    let signal = |severity: &str| json!({"ts": at, "signal_id": severity, "rule": "r", "title": "A beacon", "severity": severity, "occurrences": 2});
    put(lake, "signal", &[signal("low"), signal("high")]);

    let (_, data) = page(lake, &whole());
    let answer =
        |id: &str| (chart(&data, id)["answer"].as_str().unwrap(), chart(&data, id)["tone"].as_str().unwrap());
    assert_eq!(
        answer("traffic").0,
        "In 91 minutes 2 conversations moved 1 kB, most of it tls (90%), then tcp, not recognised (10%)."
    );
    assert_eq!(answer("ciphers"), ("Of 4 TLS handshakes 2 (50%) are weak and 1 (25%) dated.", "bad"));
    assert_eq!(answer("kerberos"), ("Of 2 Kerberos tickets 1 (50%) is weak.", "bad"));
    assert_eq!(
        answer("top-level-domains"),
        (
            "1 of 3 requests (33.3%) went to 1 domain under suspicious top-level domains, most to b.zip.",
            "watch"
        )
    );
    assert_eq!(
        answer("domains").0,
        "Of 2 domains a.com is asked for most (2 queries); one was asked for just once."
    );
    assert_eq!(answer("loss"), ("The sensor took in 900 packets and lost 100 (10%).", "bad"));
    assert_eq!(
        answer("signals"),
        ("2 signals were raised, 1 of severity high, first of all “A beacon”.", "bad")
    );
    assert_eq!(answer("files").1, "plain");

    // The summary: how much there was, then the worst.
    let tones: Vec<&Value> = data["summary"].as_array().unwrap().iter().map(|line| &line["tone"]).collect();
    assert_eq!(tones, ["plain", "bad", "bad", "bad", "bad"]);
    let figure = |label: &str| {
        let figures = data["figures"].as_array().unwrap();
        figures.iter().find(|figure| figure["label"] == label).unwrap()["value"].as_f64().unwrap()
    };
    assert_eq!((figure("Traffic"), figure("Conversations"), figure("TLS handshakes")), (1_000.0, 2.0, 4.0));
}

#[test]
fn the_sql_of_a_view_gives_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    made::months(folder.path());
    let (_, data) = page(folder.path(), &whole());
    let lake = Lake::open(folder.path(), MEMORY).unwrap();
    for chart in data["charts"].as_array().unwrap() {
        for view in chart["views"].as_array().unwrap() {
            let rows = view["rows"].as_array().unwrap().len();
            assert!(rows > 0, "{}", chart["id"]);
            assert_eq!(lake.query(view["sql"].as_str().unwrap()).unwrap().rows(), rows, "{}", chart["id"]);
            let measured = view["measures"].as_array().unwrap();
            assert!(view["form"] == "table" || !measured.is_empty());
            for measure in measured {
                assert!(!measure["columns"].as_array().unwrap().is_empty(), "{measure}");
            }
        }
    }
    // Three months are cut into days.
    assert_eq!(chart(&data, "traffic")["views"][0]["step"], 86_400);
}

#[test]
fn a_period_leaves_out_what_is_not_in_it_and_is_compared_with_the_one_before() {
    let lake = tempfile::tempdir().unwrap();
    made::months(lake.path());
    let wanted = Wanted { from: Some("2026-10-16".to_owned()), to: Some("2026-11-15".to_owned()), ..whole() };
    let (_, data) = page(lake.path(), &wanted);
    let traffic = &chart(&data, "traffic")["views"][0];
    let days: std::collections::BTreeSet<i64> =
        column(traffic, "time").iter().map(|time| time.as_f64().unwrap() as i64 / 86_400_000).collect();
    assert_eq!(days.len(), 30);
    assert_eq!(sum(traffic, "flows"), 30 * 33);
    let flows =
        data["figures"].as_array().unwrap().iter().find(|figure| figure["label"] == "Conversations").unwrap();
    assert_eq!((&flows["value"], &flows["before"]), (&json!(990.0), &json!(990.0)));

    // What is so long before the end, and a lake that does not reach back to the period before.
    let wanted = Wanted { last: Some("8w".to_owned()), to: Some("2026-11-30".to_owned()), ..whole() };
    let (_, data) = page(lake.path(), &wanted);
    assert_eq!(sum(&chart(&data, "traffic")["views"][0], "flows"), 56 * 33);
    assert_eq!(data["before"], Value::Null);

    let lake = Lake::open(lake.path(), MEMORY).unwrap();
    let wrong = Wanted { from: Some("2026-11-15".to_owned()), to: Some("2026-11-14".to_owned()), ..whole() };
    let error = make(&lake, &wrong, &[]).unwrap_err().to_string();
    assert_eq!(error, "the period ends (14 Nov 2026, 00:00) before it begins (15 Nov 2026, 00:00)");
}

#[test]
fn a_damaged_file_is_told_of_and_the_other_charts_go_on() {
    let lake = tempfile::tempdir().unwrap();
    let at = "2026-11-20T08:00:00Z";
    put(lake.path(), "flows", &[flow(at, "10.0.0.1", "203.0.113.1", "tls", 1, 1)]);
    let folder = lake.path().join("dns/year=2026/month=11");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("broken.parquet"), b"PAR1 this is no Parquet file PAR1").unwrap();
    let (_, data) = page(lake.path(), &whole());
    let damaged = data["damaged"].as_array().unwrap();
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].as_str().unwrap().contains("broken.parquet"), "{damaged:?}");
    assert!(chart(&data, "domains")["views"][0]["note"].is_string());
    assert_eq!(chart(&data, "traffic")["views"][0]["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn rows_are_few_however_many_there_are_and_the_rest_is_counted() {
    let lake = tempfile::tempdir().unwrap();
    let rows: Vec<Value> = (0..30_000)
        .map(|number| {
            let name = format!("n{number}.test");
            event(
                "2026-11-20T08:00:00Z",
                "10.0.0.1",
                "10.0.0.53",
                json!({"query": name, "registered_domain": name, "tld": format!("t{number}")}),
            )
        })
        .collect();
    put(lake.path(), "dns", &rows);
    let (html, data) = page(lake.path(), &whole());
    let view = &chart(&data, "domains")["views"][0];
    assert_eq!((view["rows"].as_array().unwrap().len(), &view["total"]), (100, &json!(30_000)));
    let tops = &chart(&data, "top-level-domains")["views"][0];
    assert_eq!((tops["rows"].as_array().unwrap().len(), &tops["total"]), (300, &json!(30_000)));
    assert!(html.len() < 300_000, "{}", html.len());
}

/// Pages for a browser (`.ci/report`), in the folder that `SPANLAKE_REPORT_PAGES` names.
#[test]
fn pages_of_every_kind_of_lake_can_be_made() {
    let out = std::env::var_os("SPANLAKE_REPORT_PAGES").map(PathBuf::from);
    let write = |name: &str, lake: &Path| {
        let (html, _) = page(lake, &whole());
        assert!(html.ends_with("</html>\n"));
        if let Some(out) = &out {
            fs::create_dir_all(out).unwrap();
            fs::write(out.join(format!("{name}.html")), html).unwrap();
        }
    };
    let empty = tempfile::tempdir().unwrap();
    write("empty", empty.path());
    let one = tempfile::tempdir().unwrap();
    put(one.path(), "flows", &[flow("2026-11-20T08:00:00Z", "10.0.0.1", "203.0.113.1", "tls", 1_000, 500)]);
    write("one-row", one.path());
    let hostile = tempfile::tempdir().unwrap();
    made::hostile(hostile.path());
    write("hostile", hostile.path());
    let months = tempfile::tempdir().unwrap();
    made::months(months.path());
    write("months", months.path());
    if out.is_some() {
        // Hundreds of captures take minutes without optimisation, and nothing is asserted of them here.
        write("pcaps", captures().path());
    }
}
