//! Spark's words mean what they mean in Spark, above all where the engine would understand something else.

use serde_json::{Value, json};

use super::captured::{opened, row, rows};

/// Expressions, and what Spark 4.3 gives for them.
fn cases() -> Vec<(&'static str, Value)> {
    vec![
        // What the engine would give otherwise, without a word.
        ("7 / 2", json!(3.5)),
        ("7 DIV 2", json!(3)),
        ("1 / 0", Value::Null),
        ("concat('a', null)", Value::Null),
        ("concat('a', 'b', 'c')", json!("abc")),
        (r"length('a\\b')", json!(3)),
        (r"'it\'s'", json!("it's")),
        (r"'a1b' rlike '\\d'", json!(true)),
        (r"'a%' like 'a\%'", json!(true)),
        (r"'ab' like 'a\%'", json!(false)),
        ("array('a', 'b')[0]", json!("a")),
        ("array('a', 'b')[2]", Value::Null),
        ("element_at(array('a', 'b'), 1)", json!("a")),
        ("element_at(array('a', 'b'), -1)", json!("b")),
        ("map('k', 'v')['k']", json!("v")),
        ("map('k', 'v')['x']", Value::Null),
        ("element_at(map('k', 'v'), 'k')", json!("v")),
        ("date_format(timestamp '2026-11-05 03:04:05', 'yyyy-MM-dd HH:mm:ss')", json!("2026-11-05 03:04:05")),
        ("date_format(timestamp '2026-11-05 03:04:05', \"d MMM yy 'at' h a\")", json!("5 Nov 26 at 3 AM")),
        ("substring('spanlake', -4)", json!("lake")),
        ("substring('spanlake', 0, 4)", json!("span")),
        ("substr('spanlake', 5, 2)", json!("la")),
        ("locate('l', 'spanlake')", json!(5)),
        ("instr('spanlake', 'l')", json!(5)),
        ("regexp_replace('a1b2', '[0-9]', '')", json!("ab")),
        ("regexp_extract('id=42&x=1', 'id=([0-9]+)')", json!("42")),
        ("regexp_extract('id=42', 'id=([0-9]+)', 0)", json!("id=42")),
        ("regexp_extract('none', 'id=([0-9]+)', 1)", json!("")),
        ("split('a.b.c', '[.]')", json!(["a", "b", "c"])),
        ("split('a.b.c', '[.]', 2)", json!(["a", "b.c"])),
        ("substring_index('www.example.test', '.', -2)", json!("example.test")),
        // Names that differ.
        ("year(timestamp '2026-11-05 03:04:05')", json!(2026)),
        ("dayofweek(date '2026-11-05')", json!(5)),
        ("weekday(date '2026-11-05')", json!(3)),
        ("unix_timestamp(timestamp '2026-11-05 03:04:05')", json!(1_793_847_845)),
        ("from_unixtime(1793847845)", json!("2026-11-05 03:04:05")),
        ("datediff(date '2026-11-05', date '2026-10-31')", json!(5)),
        ("date_add(date '2026-10-31', 5)", json!("2026-11-05")),
        ("size(array(1, 2, 3))", json!(3)),
        ("array_contains(array(1, 2), 2)", json!(true)),
        ("sort_array(array('b', 'a'))", json!(["a", "b"])),
        ("sort_array(array('a', 'b'), false)", json!(["b", "a"])),
        ("slice(array(1, 2, 3, 4), 2, 2)", json!([2, 3])),
        ("filter(array(1, 2, 3), x -> x > 1)", json!([2, 3])),
        ("transform(array(1, 2), x -> x + 1)", json!([2, 3])),
        ("array_join(array('a', 'b'), '-')", json!("a-b")),
        ("nvl(null, 'x')", json!("x")),
        ("if(1 > 2, 'a', 'b')", json!("b")),
        ("null <=> null", json!(true)),
        ("1 == 1", json!(true)),
        ("sha2('abc', 256)", json!("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")),
        ("md5('abc')", json!("900150983cd24fb0d6963f7d28e17f72")),
        ("string(12)", json!("12")),
        ("int('12')", json!(12)),
        ("ucase('a')", json!("A")),
        ("startswith('abc', 'ab')", json!(true)),
    ]
}

#[test]
fn expressions_give_what_spark_gives() {
    let lake = opened();
    let mut wrong = Vec::new();
    for (expression, expected) in cases() {
        match lake.query(&format!("SELECT {expression} AS gives")) {
            Ok(_) => {
                let found = row(&lake, &format!("SELECT {expression} AS gives"))[0].clone();
                if found != expected {
                    wrong.push(format!("{expression} gives {found}, not {expected}"));
                }
            }
            Err(error) => wrong.push(format!("{expression}: {error:#}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn aggregates_give_what_spark_gives() {
    let lake = opened();
    let data = "(VALUES ('x', 1), ('x', 2), ('x', null), ('y', null)) AS t(k, v)";
    let found = rows(
        &lake,
        &format!(
            "SELECT k, sort_array(collect_set(v)) AS vs, count_if(v > 1) AS big, max_by(k, v) AS top, any_value(k) AS one \
             FROM {data} GROUP BY k ORDER BY k"
        ),
    );
    assert_eq!(found[0], json!({"k": "x", "vs": [1, 2], "big": 1, "top": "x", "one": "x"}));
    // Of nothing the list is empty, not null.
    assert_eq!(found[1], json!({"k": "y", "vs": [], "big": 0, "top": null, "one": "y"}));
    let ordered = rows(&lake, &format!("SELECT v FROM {data} ORDER BY v LIMIT 3"));
    assert_eq!(ordered, [json!({"v": null}), json!({"v": null}), json!({"v": 1})], "nulls are the least");
    let ordered = rows(&lake, &format!("SELECT v FROM {data} ORDER BY v DESC LIMIT 1"));
    assert_eq!(ordered, [json!({"v": 2})]);
}

#[test]
fn lists_become_rows() {
    let lake = opened();
    let data = "(SELECT 'x' AS k, array(1, 2) AS vs UNION ALL SELECT 'y', null) t";
    let found = rows(
        &lake,
        &format!("SELECT k, one.v FROM {data} LATERAL VIEW explode(vs) one AS v WHERE v > 0 ORDER BY v"),
    );
    assert_eq!(found, [json!({"k": "x", "v": 1}), json!({"k": "x", "v": 2})]);
    let found = rows(&lake, &format!("SELECT k, explode(vs) AS v FROM {data} ORDER BY v"));
    assert_eq!(found.len(), 2);
    // One is left of a list without entries, or of none.
    let data = "(SELECT 'x' AS k, array(1, 2) AS vs UNION ALL SELECT 'y', null UNION ALL SELECT 'z', slice(array(1), 1, 0)) t";
    let all = [("x", json!(1)), ("x", json!(2)), ("y", json!(null)), ("z", json!(null))];
    let all = all.map(|(k, v)| json!({"k": k, "v": v}));
    for from in ["OUTER explode(vs)", "explode_outer(vs)"] {
        let query = format!("SELECT k, one.v FROM {data} LATERAL VIEW {from} one AS v ORDER BY k, v");
        assert_eq!(rows(&lake, &query), all, "{from}");
    }
    assert_eq!(rows(&lake, &format!("SELECT k, explode_outer(vs) AS v FROM {data} ORDER BY k, v")), all);
    let chains = "SELECT count(*) AS n FROM tls LATERAL VIEW OUTER explode(cert_chain) c AS fingerprint";
    let counted = "SELECT sum(greatest(coalesce(size(cert_chain), 0), 1)) AS n FROM tls";
    assert_eq!(rows(&lake, chains), rows(&lake, counted));
    let structs = "SELECT count(*) AS n FROM dns LATERAL VIEW OUTER explode(answers) a AS answer WHERE answer.data IS NULL";
    let none = "SELECT count(*) AS n FROM dns WHERE answers IS NULL OR size(answers) = 0";
    assert_eq!(rows(&lake, structs), rows(&lake, none));
    // A field of each struct in a list.
    let dns = "SELECT answers.data AS all, size(answers) AS n, answers[0].data AS first FROM dns WHERE qtype = 'MX' AND answers IS NOT NULL";
    let found = rows(&lake, dns);
    assert!(!found.is_empty());
    for row in found {
        let all = row["all"].as_array().unwrap();
        assert_eq!(
            (all.len(), all.first().cloned().unwrap_or_default()),
            (row["n"].as_u64().unwrap() as usize, row["first"].clone())
        );
    }
    let named = "SELECT count(*) AS n FROM dns d WHERE array_contains(d.answers.type, 'MX')";
    let one_by_one = "SELECT count(DISTINCT concat(source, uid, packet)) AS n FROM (SELECT source, uid, packet, explode(answers.type) AS kind FROM dns) WHERE kind = 'MX'";
    assert_eq!(rows(&lake, named), rows(&lake, one_by_one));
}

#[test]
fn columns_are_called_as_they_were_asked_for() {
    let lake = opened();
    let names = |sql: &str| -> Vec<String> {
        let answer = lake.query(sql).unwrap_or_else(|error| panic!("{sql}: {error:#}"));
        answer.schema.fields().iter().map(|field| field.name().clone()).collect()
    };
    assert_eq!(
        names("SELECT ts, src_ip.address, dst_ip.address FROM dns"),
        ["ts", "src_ip.address", "dst_ip.address"]
    );
    assert_eq!(names("SELECT d.ts, d.src_ip.address FROM dns d"), ["ts", "src_ip.address"]);
    assert_eq!(
        names("SELECT a.uid, b.uid FROM dns a JOIN flows b ON a.uid = b.uid LIMIT 1"),
        ["a.uid", "b.uid"]
    );
    assert_eq!(
        names("SELECT count(*), `request`.uri FROM http GROUP BY request.uri"),
        ["count(*)", "request.uri"]
    );
    assert_eq!(names("SELECT answers[0].data FROM dns"), ["answers[0].data"]);
    // As Spark's, from within and by their last name.
    assert_eq!(
        names("SELECT address FROM (SELECT src_ip.address FROM dns) ORDER BY address LIMIT 1"),
        ["address"]
    );
    assert_eq!(
        names("WITH c AS (SELECT h.ts, h.request.uri FROM http h) SELECT ts, uri FROM c"),
        ["ts", "uri"]
    );
    assert_eq!(names("SELECT src_ip.address FROM dns ORDER BY address LIMIT 1"), ["src_ip.address"]);
}

#[test]
fn what_cannot_be_answered_is_told_in_a_line() {
    let lake = opened();
    for (sql, says) in [
        ("SELECT * FROM nosuch", "no table 'nosuch'; there are flows, flows_open, dns, http"),
        ("SELECT answers.nosuch FROM dns", "no field 'nosuch' in each of these, only name, type, ttl, data"),
        ("SELECT nosuch FROM dns", "nosuch"),
        ("SELECT src_ip.nosuch FROM dns", "nosuch"),
        ("SELECT nosuch(query) FROM dns", "nosuch"),
        ("SELECT", "found: EOF"),
        ("SELECT 1; SELECT 2", "one query"),
        ("SELECT date_format(ts, 'QQ') FROM dns", "QQ"),
        ("SELECT regexp_extract(query, '(', 1) FROM dns", "'('"),
        ("INSERT INTO dns SELECT * FROM dns", "not supported"),
        ("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '/etc/passwd'", "only the lake"),
        ("COPY (SELECT 1) TO 'x.csv'", "not supported"),
        (
            "SELECT uid FROM tls a JOIN dns b ON a.uid = b.uid LATERAL VIEW explode(cert_chain) x AS y",
            "LATERAL VIEW",
        ),
    ] {
        let error = lake.query(sql).map(|answer| answer.rows()).expect_err(sql).to_string();
        assert!(error.contains(says), "{sql}: {error}");
    }
    // As deep as nothing that people write; the stack holds.
    let deep = format!("SELECT {}1{}", "(".repeat(3000), ")".repeat(3000));
    assert!(lake.query(&deep).is_err());
}
