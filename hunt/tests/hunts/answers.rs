//! How answers leave the program: their forms, their files, and how it ends.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::captured::{complaints, folder, hunt, number, opened};

fn text(arguments: &[&str]) -> String {
    let found = hunt(folder(), arguments);
    assert_eq!(found.status.code(), Some(0), "{arguments:?}: {}", complaints(&found));
    String::from_utf8(found.stdout).unwrap()
}

/// As it comes from the wire: a formula, a terminal's colours, a text that turns around, a name in two columns a letter.
const HOSTILE: &str = "SELECT '=1+cmd|\\' /C calc\\'!A0' AS a, concat('x', chr(27), '[31m', chr(8238), 'exe') AS b, '漢字' AS c, \
                       null AS d, '' AS e, -1.5 AS f, array('@x', 'y') AS g";

#[test]
fn csv_holds_no_formulas() {
    let lines = text(&["--format", "csv", "-q", HOSTILE]);
    let mut lines = lines.split("\r\n");
    assert_eq!(lines.next(), Some("a,b,c,d,e,f,g"));
    let row = lines.next().unwrap();
    assert!(row.starts_with("\"'=1+cmd|' /C calc'!A0\","), "{row}");
    assert!(row.contains(",漢字,,\"\",-1.5,"), "{row}");
    // Where nobody looks at it, and nothing is asked for.
    assert_eq!(text(&["-q", HOSTILE]), text(&["--format", "csv", "-q", HOSTILE]));
}

#[test]
fn tables_hold_nothing_that_steers_a_terminal() {
    let shown = text(&["--format", "table", "-q", HOSTILE]);
    assert!(!shown.contains(['\x1b', '\u{202e}']));
    assert!(shown.contains(r"x\u{1b}[31m\u{202e}exe"), "{shown}");
}

#[test]
fn json_is_an_object_a_line_with_nulls() {
    let line = text(&["--format", "json", "-q", HOSTILE]);
    let row: serde_json::Value = serde_json::from_str(line.trim()).unwrap();
    assert!(row["d"].is_null() && row.as_object().unwrap().contains_key("d"));
    assert_eq!(row["g"], serde_json::json!(["@x", "y"]));
    let rows = text(&[
        "--format",
        "json",
        "-q",
        "SELECT ts, src_ip, request FROM http WHERE request.host IS NOT NULL LIMIT 2",
    ]);
    for line in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            row["request"]["headers"].is_object() && row["ts"].as_str().unwrap().ends_with('Z'),
            "{line}"
        );
    }
}

#[test]
fn parquet_files_hold_what_the_table_holds() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("http.parquet");
    let path = path.to_str().unwrap();
    text(&["-o", path, "-q", "SELECT * FROM http"]);
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let rows: usize = reader.build().unwrap().map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows as i64, number(&opened(), "SELECT count(*) FROM http"));

    // Without rows it has the columns; and what fails leaves nothing, nor what was there before unread.
    text(&["-o", path, "-q", "SELECT ts, uid FROM http WHERE false"]);
    let empty = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    assert_eq!(empty.schema().fields().len(), 2);
    let before = fs::read(path).unwrap();
    let failed = hunt(folder(), &["-o", path, "-q", "SELECT regexp_extract(request.uri, '(', 1) FROM http"]);
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(fs::read(path).unwrap(), before);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    assert_eq!(hunt(folder(), &["--format", "parquet", "-q", "SELECT 1"]).status.code(), Some(1));
}

#[test]
fn queries_come_from_files_and_from_standard_input() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("hunts.sql");
    let queries = "-- One; and no more\nSELECT 'a;b' AS x;\n/* two; */ SELECT \"c;d\" AS x;\n-- the end\n";
    fs::write(&path, queries).unwrap();
    assert_eq!(text(&["-f", path.to_str().unwrap()]), "x\r\na;b\r\nx\r\nc;d\r\n");
    let mut child = Command::new(env!("CARGO_BIN_EXE_spanlake-hunt"))
        .arg("--lake")
        .arg(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(queries.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(0), b"x\r\na;b\r\nx\r\nc;d\r\n".to_vec()));
}

#[test]
fn it_ends_as_documented() {
    let missing = hunt(&folder().join("nowhere"), &["-q", "SELECT 1"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(complaints(&missing).contains("nowhere") && complaints(&missing).lines().count() == 1);
    let unknown = hunt(folder(), &["-q", "SELECT * FROM nosuch"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(complaints(&unknown).contains("nosuch"));
    assert_eq!(hunt(folder(), &["--nosuch"]).status.code(), Some(2));
    assert_eq!(hunt(folder(), &["-q", "SELECT 1", "-f", "x"]).status.code(), Some(2));
    assert_eq!(hunt(folder(), &["-q", "SELECT 1", "--memory", "x"]).status.code(), Some(2));
    let help = hunt(folder(), &["--help"]);
    assert_eq!(help.status.code(), Some(0));
    let lines = String::from_utf8_lossy(&help.stdout).lines().count();
    assert!(lines <= 50, "{lines} lines of help");
}

#[test]
fn long_conditions_are_planned() {
    // As a site with many exclusions has them.
    let excluded: Vec<String> =
        (0..2000).map(|number| format!("query NOT LIKE '%.cdn{number}.example.test'")).collect();
    let sql = format!("SELECT count(*) AS n FROM dns WHERE {}", excluded.join(" AND "));
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("long.sql");
    fs::write(&path, sql).unwrap();
    let named = number(&opened(), "SELECT count(query) FROM dns");
    assert_eq!(text(&["-f", path.to_str().unwrap()]), format!("n\r\n{named}\r\n"));
}

#[test]
fn what_needs_more_memory_than_it_may_have_uses_the_disk_or_says_so() {
    // Some 200 MB of groups.
    let groups = "SELECT count(*) AS n FROM (SELECT v, count(*) FROM \
                  (SELECT concat('a name that is long enough to matter', cast(value as string)) AS v FROM range(0, 1500000)) \
                  GROUP BY v)";
    assert_eq!(text(&["--memory", "64M", "-q", groups]), "n\r\n1500000\r\n");
    // A list that cannot go to the disk.
    let list = "SELECT size(collect_list(concat('a name that is long enough to matter', cast(value as string)))) FROM range(0, 3000000)";
    let failed = hunt(folder(), &["--memory", "32M", "-q", list]);
    assert_eq!(failed.status.code(), Some(1));
    let said = complaints(&failed);
    assert!(said.contains("--memory") && said.lines().count() == 1, "{said}");
}
