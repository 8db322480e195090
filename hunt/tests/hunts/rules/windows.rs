//! What is counted together, and what a run takes for new.

use std::fs;

use super::scene::{Found, NOVEMBER, Scene, complaints, json, query, spanlake};

const HOUR: i64 = 3600;

fn found(rule: &str, key: &str, window: i64, occurrences: i64) -> Found {
    Found { rule: rule.to_owned(), key: key.to_owned(), window, occurrences }
}

#[test]
fn a_signal_for_each_key_and_window_with_its_evidence() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'high'\nwindow = '1h'\nkey = ['client']");
    scene.publish(
        1,
        &[
            query(NOVEMBER + 7, 1, "bad.example"),
            query(NOVEMBER + 5, 1, r"bad2\x1b.example"),
            query(NOVEMBER + HOUR, 1, "bad.example"),
            query(NOVEMBER + 9, 2, "bad.example"),
            query(NOVEMBER + 9, 3, "good.example"),
        ],
    );
    let signals = scene.signals("bad-names");
    assert_eq!(signals.len(), 3);
    let first = &signals[0];
    assert_eq!(first["key"], "client=10.1.1.1");
    assert_eq!(first["ts"], "2026-11-01T00:00:05.000000Z");
    assert_eq!(first["window_start"], "2026-11-01T00:00:00.000000Z");
    assert_eq!(first["window_end"], "2026-11-01T01:00:00.000000Z");
    assert_eq!((&first["severity"], &first["rule"]), (&"high".into(), &"bad-names".into()));
    assert_eq!((&first["src_ip"], &first["dst_ip"]), (&"10.1.1.1".into(), &"10.1.1.250".into()));
    assert_eq!(first["occurrences"], 2);
    assert_eq!(first["uids"].as_array().unwrap().len(), 2);
    assert_eq!(first["technique"], "T1071.004");
    assert_eq!(first["detail"], r"server=10.1.1.250, query=bad2\x1b.example");
    assert_eq!(first["signal_id"].as_str().unwrap().len(), 32);
    assert_eq!(
        scene.table(),
        [
            found("bad-names", "client=10.1.1.1", NOVEMBER, 2),
            found("bad-names", "client=10.1.1.1", NOVEMBER + HOUR, 1),
            found("bad-names", "client=10.1.1.2", NOVEMBER, 1),
        ]
    );
    // Nothing is new: nothing comes, not even when all is looked at again.
    assert!(scene.signals("bad-names").is_empty());
    let again = scene.run(&["bad-names", "--again", "--format", "json"]);
    assert!(again.status.success() && again.stdout.is_empty(), "{again:?}");
    assert_eq!(scene.table().len(), 3);
}

#[test]
fn rows_that_come_late_are_found_and_count_with_those_of_older_files() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'low'\nwindow = '1h'\nkey = ['client']\nthreshold = 3");
    scene.publish(1, &[query(NOVEMBER + 1, 1, "bad.a"), query(NOVEMBER + 2, 1, "bad.b")]);
    assert!(scene.signals("bad-names").is_empty());
    // Of another hour, then of the first again: also in an hour all of whose files were seen.
    scene.publish(2, &[query(NOVEMBER + 5 * HOUR, 1, "bad.c")]);
    assert!(scene.signals("bad-names").is_empty());
    scene.publish(3, &[query(NOVEMBER + 3, 1, "bad.d"), query(NOVEMBER - 40 * 24 * HOUR, 9, "good")]);
    let signals = scene.signals("bad-names");
    assert_eq!(signals.len(), 1);
    assert_eq!(signals[0]["occurrences"], 3);
    // Later evidence raises nothing twice.
    scene.publish(4, &[query(NOVEMBER + 4, 1, "bad.e")]);
    assert!(scene.signals("bad-names").is_empty());
    assert_eq!(scene.table(), [found("bad-names", "client=10.1.1.1", NOVEMBER, 3)]);
}

#[test]
fn answers_that_count_themselves_are_asked_window_by_window() {
    let scene = Scene::new();
    scene.hunt(
        "many-names",
        "SELECT src_ip.address AS client, count(DISTINCT query) AS names, count(*) AS queries, min(ts) AS first_seen \
         FROM dns WHERE query LIKE 'bad%' GROUP BY src_ip.address HAVING count(DISTINCT query) >= 2",
        "client",
        "severity = 'medium'\nwindow = '1d'\nkey = ['client']\ncount = 'queries'\n\
         [rule.evidence]\ntable = 'dns'\nclient = 'src_ip.address'",
    );
    let day = 24 * HOUR;
    // Client 1 has two names on each of two days, client 2 one on each: over both days two.
    scene.publish(
        1,
        &[
            query(NOVEMBER + 1, 1, "bad.a"),
            query(NOVEMBER + 2, 1, "bad.b"),
            query(NOVEMBER + 3, 1, "bad.b"),
            query(NOVEMBER + 1, 2, "bad.a"),
            query(NOVEMBER + day, 2, "bad.b"),
        ],
    );
    scene.publish(2, &[query(NOVEMBER + day + 1, 1, "bad.a"), query(NOVEMBER + day + 2, 1, "bad.b")]);
    let signals = scene.signals("many-names");
    assert_eq!(signals.len(), 2);
    assert_eq!(signals[0]["occurrences"], 3);
    assert_eq!(signals[0]["uids"].as_array().unwrap().len(), 3);
    assert_eq!(signals[0]["ts"], "2026-11-01T00:00:01.000000Z");
    assert_eq!(signals[1]["window_start"], "2026-11-02T00:00:00.000000Z");
    assert_eq!(signals[1]["uids"].as_array().unwrap().len(), 2);
    assert!(signals.iter().all(|signal| signal["key"] == "client=10.1.1.1"));
}

#[test]
fn evidence_is_found_by_values_as_they_are_on_the_wire() {
    let scene = Scene::new();
    scene.hunt(
        "by-name",
        "SELECT query, count(*) AS queries FROM dns WHERE query LIKE 'bad%' GROUP BY query",
        "query",
        "severity = 'medium'\nkey = ['query']\n[rule.evidence]\ntable = 'dns'\nquery = 'query'",
    );
    scene.publish(
        1,
        &[
            query(NOVEMBER, 1, r"bad' OR '1'='1"),
            query(NOVEMBER, 1, r"bad\"),
            query(NOVEMBER, 1, r"bad\x00'; --"),
            query(NOVEMBER, 1, "good"),
        ],
    );
    let signals = scene.signals("by-name");
    assert_eq!(signals.len(), 3);
    assert!(signals.iter().all(|signal| signal["uids"].as_array().unwrap().len() == 1), "{signals:?}");
}

#[test]
fn a_key_that_was_told_of_is_left_in_peace_for_a_while() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'low'\nwindow = '1h'\nkey = ['client']\nsuppress = '3h'");
    let at = |hour: i64, client| query(NOVEMBER + hour * HOUR, client, "bad.a");
    scene.publish(1, &[at(0, 1), at(1, 1), at(2, 1), at(3, 1), at(1, 2)]);
    scene.signals("bad-names");
    // In a later run, too, and before what was told as well as after it.
    scene.publish(2, &[at(5, 1), at(6, 1), at(-2, 1), at(-3, 1), at(3, 2)]);
    scene.signals("bad-names");
    let one = "client=10.1.1.1";
    assert_eq!(
        scene.table(),
        [
            found("bad-names", one, NOVEMBER - 3 * HOUR, 1),
            found("bad-names", one, NOVEMBER, 1),
            found("bad-names", one, NOVEMBER + 3 * HOUR, 1),
            found("bad-names", one, NOVEMBER + 6 * HOUR, 1),
            found("bad-names", "client=10.1.1.2", NOVEMBER + HOUR, 1),
        ]
    );
}

#[test]
fn files_that_were_joined_are_not_new_and_what_was_joined_unseen_is() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'low'\nwindow = '1h'\nkey = ['client']");
    scene.rule("all-of-it", "severity = 'low'\nwindow = '1h'\nkey = ['client']\nthreshold = 4");
    let compact = || {
        // Only what has been quiet for a while is joined.
        std::thread::sleep(std::time::Duration::from_millis(1200));
        let output =
            spanlake().args(["compact", "--after", "1s", "--lake"]).arg(scene.lake()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    scene.publish(1, &[query(NOVEMBER + 1, 1, "bad.a")]);
    scene.publish(2, &[query(NOVEMBER + 2, 1, "bad.b")]);
    assert_eq!(scene.signals("bad-names").len(), 1);
    assert_eq!(scene.signals("all-of-it").len(), 0);
    let rounds = || {
        let rounds = fs::read(scene.lake().join("signal/.hunt/rounds")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&rounds).unwrap()["last"].clone()
    };
    let before = rounds();
    compact();
    assert!(scene.signals("bad-names").is_empty());
    assert_eq!(rounds(), before, "joined files were taken for new");
    // One that the runner has not seen is joined with one that it has.
    scene.publish(3, &[query(NOVEMBER + 3, 1, "bad.c"), query(NOVEMBER + 4, 1, "bad.c")]);
    scene.publish(4, &[query(NOVEMBER + HOUR, 2, "bad.d")]);
    compact();
    assert_eq!(fs::read_dir(scene.lake().join("dns/year=2026/month=11")).unwrap().count(), 1);
    assert_eq!(scene.signals("bad-names").len(), 1);
    assert_eq!(scene.signals("all-of-it").len(), 1);
    // The table of signals is joined like the others.
    assert_eq!(scene.table().len(), 3);
    assert!(scene.signals("bad-names").is_empty());
}

#[test]
fn what_is_broken_is_told_in_a_line_and_the_others_go_on() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'high'\nkey = ['client']");
    scene.rule("no-such-column", "severity = 'high'\nkey = ['nobody']");
    scene.rule("misspelt", "severity = 'high'\nkey = ['client']\nthreshhold = 3");
    scene.hunt("nonsense", "SELECT nothing FROM dns", "nothing", "severity = 'low'\nkey = ['nothing']");
    fs::write(scene.path("hunts").join("broken.toml"), "title = ").unwrap();
    fs::write(
        scene.path("hunts").join("no-table.toml"),
        "title='t'\ntopic='dns'\nwhy=''\nhit=''\nfalse_positives=''\ntechnique=''\norder_by='a'\nsql='SELECT a FROM dsn'",
    )
    .unwrap();
    // An empty lake is no error.
    let empty = scene.run(&["bad-names"]);
    assert!(empty.stdout.is_empty(), "{empty:?}");
    scene.publish(1, &[query(NOVEMBER, 1, "bad.a")]);
    scene.publish(2, &[query(NOVEMBER, 2, "bad.a")]);
    let damaged = scene.lake().join("dns/year=2026/month=11/test-0000000000000002-00000.parquet");
    let bytes = fs::read(&damaged).unwrap();
    fs::write(&damaged, &bytes[..bytes.len() - 9]).unwrap();
    fs::write(scene.lake().join("dns/year=2026/month=11/.x.parquet.tmp"), "half a file").unwrap();
    let names = ["bad-names", "no-such-column", "misspelt", "nonsense", "--format", "json"];
    let output = scene.run(&names);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json(&output).len(), 1);
    let lines = complaints(&output);
    for (what, times) in [
        ("hunt 'broken': line 1: ", 1),
        ("hunt 'no-table': no table 'dsn'; did you mean 'dns'?", 1),
        ("the rule of hunt 'misspelt': unknown field `threshhold`", 1),
        (
            "rule 'no-such-column': the hunt gives no column 'nobody' that the rule names, only ts, uid, client",
            1,
        ),
        ("rule 'nonsense': ", 1),
        ("test-0000000000000002-00000.parquet is damaged, and was left out: ", 1),
    ] {
        assert_eq!(lines.lines().filter(|line| line.contains(what)).count(), times, "{what}\n{lines}");
    }
    assert_eq!(lines.lines().count(), 6, "{lines}");
    // Without the broken ones the damaged file is what is left to tell, and a rule that is mended gets all it missed.
    for name in ["broken", "no-table", "misspelt", "nonsense"] {
        fs::remove_file(scene.path("hunts").join(format!("{name}.toml"))).unwrap();
    }
    scene.rule("no-such-column", "severity = 'high'\nkey = ['server']");
    let output = scene.run(&["bad-names", "no-such-column", "--format", "json"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert_eq!(json(&output).len(), 1);
}

#[test]
fn a_pipeline_can_tell_bad_signals_from_failures() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'medium'\nwindow = '1h'\nkey = ['client']");
    scene.publish(1, &[query(NOVEMBER, 1, "bad.a")]);
    assert_eq!(scene.run(&["bad-names", "--fail-on", "high"]).status.code(), Some(0));
    scene.publish(2, &[query(NOVEMBER, 2, "bad.a")]);
    assert_eq!(scene.run(&["bad-names", "--fail-on", "medium"]).status.code(), Some(4));
    // Nothing came: nothing to fail on.
    assert_eq!(scene.run(&["bad-names", "--fail-on", "medium"]).status.code(), Some(0));
    assert_eq!(scene.run(&["bad-names", "--fail-on", "awful"]).status.code(), Some(2));
    let output = scene.run(&["bad-nmaes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaints(&output).contains("did you mean 'bad-names'?"), "{output:?}");
}

#[test]
fn a_new_rule_is_run_over_all_there_is_and_an_old_one_only_over_what_is_new() {
    let scene = Scene::new();
    scene.rule("first", "severity = 'low'\nkey = ['client']");
    scene.publish(1, &[query(NOVEMBER, 1, "bad.a")]);
    assert_eq!(scene.signals("first").len(), 1);
    scene.rule("second", "severity = 'low'\nkey = ['client']");
    scene.publish(2, &[query(NOVEMBER, 2, "bad.a")]);
    assert_eq!(scene.signals("second").len(), 2);
    assert_eq!(scene.signals("first").len(), 1);
    // What was remembered is lost: work, and nothing else.
    fs::remove_file(scene.lake().join("signal/.hunt/rounds")).unwrap();
    assert!(scene.signals("first").is_empty());
    assert_eq!(scene.table().len(), 4);
}

#[test]
fn nothing_is_remembered_of_what_has_gone() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'low'\nkey = ['client']");
    scene.publish(1, &[query(NOVEMBER, 1, "bad.a")]);
    scene.publish(2, &[query(NOVEMBER - 90 * 24 * HOUR, 1, "bad.a")]);
    scene.signals("bad-names");
    let memory = scene.lake().join("signal/.hunt");
    let count = |part: &str| fs::read_dir(memory.join(part)).unwrap().count();
    assert_eq!((count("seen"), count("raised"), count("staged")), (2, 2, 0));
    fs::remove_dir_all(scene.lake().join("dns/year=2026/month=8")).unwrap();
    fs::remove_dir_all(scene.lake().join("signal/year=2026/month=8")).unwrap();
    scene.signals("bad-names");
    // The signals' own month is a table's, too.
    assert_eq!((count("seen"), count("raised")), (2, 1));
}
