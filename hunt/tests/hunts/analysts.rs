//! Hunts as analysts wrote them, and the functions that hunts use.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::captured::{number, opened, rows};

fn table(name: &str) -> toml::Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    fs::read_to_string(path).unwrap().parse().unwrap()
}

#[test]
fn what_analysts_wrote_runs_as_they_wrote_it() {
    let lake = opened();
    for text in table("analysts.toml")["text"].as_array().unwrap() {
        let sql = text["sql"].as_str().unwrap();
        let found = rows(&lake, sql);
        let some = text.get("some").and_then(toml::Value::as_bool).unwrap_or(false);
        assert!(!some || !found.is_empty(), "{sql}: no rows");
    }
    assert!(lake.damaged().is_empty());
}

#[test]
fn a_request_line_stands_under_its_method_and_headers_stay() {
    let lake = opened();
    let wrong = "SELECT count(*) FROM http WHERE request.headers['GET'] != \
                 concat('GET ', request.uri, if(request.version = '0.9', '', concat(' HTTP/', request.version)))";
    assert_eq!(number(&lake, wrong), 0);
    let count = |condition: &str| number(&lake, &format!("SELECT count(*) FROM http WHERE {condition}"));
    assert!(count("request.headers['GET'] like 'GET /% HTTP/1.1'") > 0);
    assert_eq!(count("request.headers['GET'] is not null"), count("request.method = 'GET'"));
    assert_eq!(
        number(&lake, "SELECT count(*) FROM http h WHERE h.request.headers['POST'] is not null"),
        count("request.method = 'POST'")
    );
    assert_eq!(
        count("request.headers['HOST'] is not null"),
        count("map_contains_key(request.headers, 'HOST')")
    );
}

#[test]
fn the_functions_give_what_they_give_everywhere() {
    let lake = opened();
    for case in table("functions.toml")["case"].as_array().unwrap() {
        let function = case["function"].as_str().unwrap();
        let arguments = case["arguments"].as_array().unwrap();
        let written = |value: &toml::Value| match value {
            toml::Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
            other => other.to_string(),
        };
        let mut arguments: Vec<String> = arguments.iter().map(written).collect();
        if arguments.is_empty() {
            arguments = vec!["null"; if function == "subnet" { 2 } else { 1 }]
                .into_iter()
                .map(str::to_owned)
                .collect();
        }
        let sql = format!("SELECT {function}({}) AS gives", arguments.join(", "));
        let found = rows(&lake, &sql)[0]["gives"].clone();
        let is_right = match case.get("gives") {
            None => found.is_null(),
            Some(toml::Value::Float(number)) => {
                found.as_f64().is_some_and(|found| (found - number).abs() < 1e-9)
            }
            Some(toml::Value::Boolean(flag)) => found == Value::Bool(*flag),
            Some(toml::Value::Integer(number)) => found.as_f64() == Some(*number as f64),
            Some(text) => found.as_str() == text.as_str(),
        };
        assert!(is_right, "{sql} gives {found}, not {:?}", case.get("gives"));
    }
}
