//! Tests of saved hunts that need no engine: what is read, what is refused and how, and the SQL that comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::library::SHIPPED;
use super::*;

const HUNT: &str = r#"
title = "t"
topic = "dns"
why = "w"
hit = "h"
false_positives = "f"
technique = "T1071"
order_by = "n DESC, query"
limit = 10
sql = """
SELECT query, count(*) AS n FROM dns
WHERE {{under query domains}} AND NOT {{within src_ip.address own}} AND length(query) > {{least}} AND rcode <> {{code}} {{exclude dns}}
GROUP BY query"""
[params.domains]
type = "texts"
about = "a"
default = ["example.test"]
[params.own]
type = "subnets"
about = "a"
default = []
[params.least]
type = "number"
about = "a"
default = 3
[params.code]
type = "text"
about = "a"
default = "it's"
"#;

fn only(text: &str) -> Library {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.toml"), text).unwrap();
    library(&[folder.path().to_path_buf()])
}

fn site(text: &str) -> anyhow::Result<Site> {
    Site::parse(text, &only(HUNT))
}

fn sql(text: &str) -> String {
    only(HUNT).hunt("own").unwrap().sql(&site(text).unwrap()).unwrap()
}

#[track_caller]
fn refuses<T: std::fmt::Debug>(result: anyhow::Result<T>, words: &[&str]) {
    let error = format!("{:#}", result.unwrap_err());
    assert!(!error.contains('\n'), "{error}");
    for word in words {
        assert!(error.contains(word), "{error}: no {word}");
    }
}

#[test]
fn marks_become_sql() {
    assert_eq!(
        sql(""),
        "SELECT query, count(*) AS n FROM dns\nWHERE (query IS NOT NULL AND (query IN ('example.test') OR query LIKE '%.example.test')) \
         AND NOT FALSE AND length(query) > 3 AND rcode <> concat('it', chr(39), 's') \nGROUP BY query\n\
         ORDER BY n DESC NULLS LAST, query NULLS LAST\nLIMIT 10"
    );
}

#[test]
fn a_site_gives_parameters_to_all_hunts_and_to_one() {
    let all = sql("[params]\nleast = 7\ndomains = ['*.Example.NET.', 'a_b.test']");
    assert!(all.contains("> 7 "), "{all}");
    // An underscore would stand for any character.
    let names = "(query IN ('example.net', 'a_b.test') OR query LIKE '%.example.net' OR right(query, 9) = '.a_b.test')";
    assert!(all.contains(names), "{all}");
    let one = sql("[params]\nleast = 7\n[params.own]\nleast = -0.5\n");
    assert!(one.contains("> (-0.5) "), "{one}");
    let networks = sql(
        "[params.own]\nown = ['10.1.2.3/8', '192.168.4.0/22', '2001:db8::1', '2001:DB8::/32', '10.9.9.9', '172.16.0.0/16']",
    );
    for test in [
        "src_ip.address LIKE '10.%'",
        "coalesce(subnet(src_ip.address, 22) = '192.168.4.0/22', FALSE)",
        "src_ip.address = '2001:db8::1'",
        "coalesce(subnet(src_ip.address, 32) = '2001:db8::/32', FALSE)",
        "src_ip.address = '10.9.9.9'",
        "src_ip.address LIKE '172.16.%'",
    ] {
        assert!(networks.contains(test), "{networks}: no {test}");
    }
}

#[test]
fn what_a_site_writes_cannot_leave_its_literal() {
    for hostile in ["x'; DROP TABLE dns; --", r"x\", "\"", "${spark.master}", "a\nb", "`", r"\'"] {
        let text = sql(&format!("[params]\ncode = {}", toml::Value::from(hostile)));
        let literal = text.split("rcode <> ").nth(1).unwrap().split(" \nGROUP").next().unwrap();
        assert!(literal.starts_with("concat("), "{literal}");
        // Between quotes stands nothing that any engine reads in its own way.
        for (at, part) in literal.split('\'').enumerate() {
            assert!(at % 2 == 0 || !part.contains(['\\', '"', '$', '\n', '`']), "{literal}");
        }
        let mut written = String::new();
        for (at, part) in literal.split('\'').enumerate() {
            match at % 2 {
                1 => written.push_str(part),
                _ => written.extend(
                    part.split("chr(")
                        .skip(1)
                        .map(|code| char::from(code.split(')').next().unwrap().parse::<u8>().unwrap())),
                ),
            }
        }
        assert_eq!(written, hostile);
    }
}

#[test]
fn exclusions_stand_at_their_place_before_rows_are_counted() {
    let text =
        sql("[[exclude]]\nhunt = 'own'\ncolumn = 'query'\nlike = ['%.cdn.test', 'a%']\nwhy = 'ours'\n\
         [[exclude]]\nhunt = '*'\ncolumn = 'src_ip.address'\nsubnet = '10.9.0.0/16'\n\
         [[exclude]]\nhunt = '*'\ncolumn = 'dst_port'\nequals = [5353, 53]\n\
         [[exclude]]\nhunt = '*'\ncolumn = 'request.user_agent'\nequals = 'x'\n\
         [[exclude]]\nhunt = 'dns-top-queries'\ncolumn = 'query'\nequals = 'other'\n");
    let place = " AND NOT (query IS NOT NULL AND (query LIKE '%.cdn.test' OR query LIKE 'a%')) \
         AND NOT (src_ip.address IS NOT NULL AND (src_ip.address LIKE '10.9.%')) \
         AND NOT (dst_port IS NOT NULL AND dst_port IN (5353, 53))\nGROUP BY";
    assert!(text.contains(place), "{text}");
    assert!(!text.contains("user_agent") && !text.contains("other"), "{text}");
}

#[test]
fn what_a_site_names_must_be_known() {
    refuses(site("[params]\ndomain = []"), &["no hunt has a parameter 'domain'", "did you mean 'domains'?"]);
    refuses(site("[params.own]\nlest = 1"), &["hunt 'own' has no parameter 'lest'", "'least'"]);
    refuses(site("[params.dns-top-querie]\nx = 1"), &["no hunt 'dns-top-querie'", "'dns-top-queries'"]);
    refuses(site("[params]\nleast = 'many'"), &["parameter 'least' is a number, not \"many\""]);
    refuses(site("[params]\ndomains = 'example.test'"), &["'domains' is a list of texts"]);
    refuses(site("[params.own]\nown = ['10.0.0.0/33']"), &["'10.0.0.0/33' is no network"]);
    let exclude = |rest: &str| site(&format!("[[exclude]]\n{rest}"));
    refuses(exclude("hunt = 'owm'\ncolumn = 'query'\nlike = 'x'"), &["no hunt 'owm'", "'own'"]);
    refuses(
        exclude("hunt = 'own'\ncolumn = 'qeury'\nlike = 'x'"),
        &["no table has the column 'qeury'", "'query'"],
    );
    refuses(
        exclude("hunt = 'own'\ncolumn = 'cipher'\nlike = 'x'"),
        &["hunt 'own' reads dns", "no column 'cipher'"],
    );
    refuses(exclude("hunt = '*'\ncolumn = 'query'"), &["needs one of like, equals and subnet"]);
    refuses(exclude("hunt = '*'\ncolumn = 'query'\nlike = 'x'\nequals = 'x'"), &["needs one of"]);
    refuses(exclude("hunt = '*'\ncolumn = 'dst_port'\nlike = '5%'"), &["'dst_port' is no text"]);
    refuses(exclude("hunt = '*'\ncolumn = 'dst_port'\nequals = 'x'"), &["'dst_port' is never \"x\""]);
    refuses(exclude("hunt = '*'\ncolumn = 'query'\nlike = 'a\\b'"), &["backslash", "write _"]);
    refuses(exclude("hunt = '*'\ncolumn = 'query'\nlke = 'x'"), &["line 4", "lke", "like"]);
    refuses(site("[parms]\n"), &["line 1", "parms"]);
}

#[test]
fn the_file_of_a_site_lies_beside_the_lake() {
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake");
    fs::create_dir(&lake).unwrap();
    let library = only(HUNT);
    let least = |named: Option<&Path>| {
        let site = Site::find(named, &lake, &library).unwrap();
        let sql = library.hunt("own").unwrap().sql(&site).unwrap();
        sql.split("length(query) > ").nth(1).unwrap().split(' ').next().unwrap().to_owned()
    };
    assert_eq!(least(None), "3");
    fs::write(folder.path().join("hunt-site.toml"), "[params]\nleast = 5").unwrap();
    assert_eq!(least(None), "5");
    let named = folder.path().join("other.toml");
    fs::write(&named, "[params]\nleast = 6").unwrap();
    assert_eq!(least(Some(&named)), "6");
    refuses(
        Site::find(Some(&folder.path().join("none.toml")), &lake, &library),
        &["cannot read", "none.toml"],
    );
    fs::write(&named, "[params]\nleest = 6").unwrap();
    refuses(
        Site::find(Some(&named), &lake, &library),
        &["other.toml: no hunt has a parameter 'leest'", "'least'"],
    );
}

#[test]
fn a_broken_hunt_is_an_error_of_its_file_alone() {
    let changed = |from: &str, to: &str| {
        assert!(HUNT.contains(from), "{from}");
        Hunt::parse("own", &HUNT.replace(from, to))
    };
    refuses(changed("topic = \"dns\"", "topic = \"dsn\""), &["hunt 'own'", "'dsn'", "did you mean 'dns'?"]);
    refuses(changed("FROM dns", "FROM dnss"), &["no table 'dnss'", "'dns'"]);
    refuses(changed("{{exclude dns}}", "{{exclude dn}}"), &["no table 'dn'", "'dns'"]);
    refuses(changed("query domains", "query domain"), &["parameter 'domain'", "'domains'"]);
    refuses(changed("{{under query", "{{below query"), &["unknown kind 'below'"]);
    refuses(changed("{{least}}", "{{least"), &["does not end"]);
    refuses(changed("{{least}}", "{{domains}}"), &["list 'domains' stands alone", "{{in COLUMN domains}}"]);
    refuses(changed("> {{least}}", "> 1"), &["'least' is not used"]);
    refuses(
        changed("{{within src_ip.address own}}", "{{like src_ip.address own}}"),
        &["'own' must be of type texts"],
    );
    refuses(changed("default = 3", "default = \"3\""), &["'least' is a number"]);
    refuses(changed("title = \"t\"", "titel = \"t\""), &["line 2", "titel"]);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("broken.toml"), "title = ").unwrap();
    fs::write(folder.path().join("fine.toml"), HUNT).unwrap();
    fs::write(folder.path().join("no_hunt.txt"), "?").unwrap();
    let library = library(&[folder.path().to_path_buf(), PathBuf::from("/no/such")]);
    assert!(library.hunt("fine").is_ok() && library.hunts().len() == SHIPPED.len() + 1);
    let [broken, missing] = library.broken() else { panic!("{:?}", library.broken()) };
    assert!(format!("{broken:#}").contains("broken.toml: hunt 'broken': line 1"), "{broken:#}");
    assert!(format!("{missing:#}").contains("/no/such"), "{missing:#}");
}

#[test]
fn the_hunts_of_the_folder_are_those_that_are_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("hunts");
    let in_folder: BTreeSet<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let built_in: BTreeSet<String> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(in_folder, built_in);
}

#[test]
fn hunts_that_are_built_in_are_whole_and_in_the_common_sql() {
    let library = library(&[]);
    assert!(library.broken().is_empty(), "{:?}", library.broken());
    let everywhere = "[[exclude]]\nhunt = '*'\ncolumn = 'src_ip.address'\nsubnet = '198.51.100.0/24'";
    let excluding = Site::parse(everywhere, &library).unwrap();
    for hunt in library.hunts() {
        let name = &hunt.name;
        let text = hunt.sql(&Site::default()).unwrap();
        assert!(!text.contains(['"', '\\', '`', '$', '{', '}']), "{name}: {text}");
        assert!(hunt.sql(&excluding).unwrap().contains("198.51.100"), "{name} has no place for exclusions");
        for doc in [&hunt.title, &hunt.why, &hunt.hit, &hunt.false_positives] {
            assert!(doc.ends_with('.') != std::ptr::eq(doc, &hunt.title), "{name}: {doc}");
        }
        let is_technique =
            |text: &str| text.len() >= 5 && text.starts_with('T') && text[1..5].parse::<u16>().is_ok();
        assert!(is_technique(&hunt.technique), "{name}: {}", hunt.technique);
        assert!(!hunt.tables.is_empty() && !hunt.finds.is_empty(), "{name}");
        for finds in &hunt.finds {
            let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps").join(&finds.capture);
            assert!(
                capture.is_file() && finds.count > 0 && !finds.rows.is_empty(),
                "{name}: {}",
                finds.capture
            );
            hunt.sql_with(&Site::default(), &finds.params).unwrap();
        }
    }
    let kinds: BTreeSet<(&str, String)> = library
        .hunts()
        .iter()
        .flat_map(|hunt| hunt.params.iter().map(|(name, param)| (name.as_str(), format!("{:?}", param.kind))))
        .collect();
    let names: BTreeSet<&str> = kinds.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), kinds.len(), "one name, two types: a site could not give both {kinds:?}");
    let topics: BTreeMap<&str, usize> = library.hunts().iter().fold(BTreeMap::new(), |mut topics, hunt| {
        *topics.entry(hunt.topic.as_str()).or_default() += 1;
        topics
    });
    assert_eq!(topics.len(), hunt::TOPICS.len(), "{topics:?}");
}

#[test]
fn notebooks_hold_every_hunt_as_the_site_has_it_and_are_the_same_each_time() {
    let library = library(&[]);
    let site = Site::parse("[params]\ndomains = ['it\\u0027s.test']", &library).unwrap();
    let files = notebooks::files(&library, &site, "/data/it's \"lake\"").unwrap();
    assert_eq!(files, notebooks::files(&library, &site, "/data/it's \"lake\"").unwrap());
    let code = |suffix: &str| -> Vec<String> {
        let mut cells = Vec::new();
        for (name, text) in files.iter().filter(|(name, _)| name.ends_with(suffix)) {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let paragraphs = value.get("cells").or(value.get("paragraphs")).unwrap().as_array().unwrap();
            let mut ids = BTreeSet::new();
            for cell in paragraphs {
                let id = cell["id"].as_str().unwrap();
                assert!(ids.insert(id) && (id.len() <= 64 || suffix == ".zpln"), "{name}: {id}");
                cells.push(match &cell["source"] {
                    serde_json::Value::Array(lines) => {
                        lines.iter().map(|line| line.as_str().unwrap()).collect()
                    }
                    _ => cell["text"].as_str().unwrap().to_owned(),
                });
            }
        }
        cells
    };
    for (suffix, notebooks) in [(".pyspark.ipynb", 7), (".duckdb.ipynb", 7), (".zpln", 7)] {
        assert_eq!(files.iter().filter(|(name, _)| name.ends_with(suffix)).count(), notebooks, "{suffix}");
        let code = code(suffix);
        for hunt in library.hunts() {
            let sql = hunt.sql(&site).unwrap();
            assert_eq!(code.iter().filter(|cell| cell.contains(&sql)).count(), 1, "{suffix}: {}", hunt.name);
            assert!(code.iter().any(|cell| cell.contains(&hunt.why)), "{suffix}: {}", hunt.name);
        }
        assert!(code.iter().any(|cell| cell.contains(r#""/data/it's \"lake\"")"#)), "{suffix}");
    }
}
