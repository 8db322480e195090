//! The saved hunts as notebooks, one for each topic: Jupyter for PySpark and for DuckDB, and a note for Zeppelin, with the files
//! that they open a lake with. The same hunts give the same bytes.

use std::path::Path;

use anyhow::{Context, Result};
use schemas::docs;
use schemas::table::tables;
use serde_json::{Map, Value, json};

use super::hunt::{Hunt, TOPICS};
use super::library::Library;
use super::site::Site;

/// Python functions for Spark, as they stand beside the notebooks.
const FUNCTIONS: &str = include_str!("../../python/spanlake_functions.py");

const SPARK_OPENS: &str = r#"import json, os, sys
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

HERE = os.environ.get("SPANLAKE_NOTEBOOKS", ".")  # the folder of spanlake_functions.py and what lies beside it
LAKE = os.environ.get("SPANLAKE_LAKE", LAKE_DEFAULT)  # a folder, or s3a://bucket/lake

spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()
sys.path.insert(0, HERE)
import spanlake_functions

spanlake_functions.register(spark)
with open(os.path.join(HERE, "tables.spark.json")) as file:
    tables = json.load(file)
for table, columns in tables.items():
    try:
        rows = spark.read.schema(columns).parquet(f"{LAKE}/{table}")
    except AnalysisException:  # a table without rows has no folder
        rows = spark.createDataFrame([], columns)
    rows.createOrReplaceTempView(table)"#;

const DUCKDB_OPENS: &str = r#"import glob, os
import duckdb

HERE = os.environ.get("SPANLAKE_NOTEBOOKS", ".")  # the folder of the .sql files
LAKE = os.environ.get("SPANLAKE_LAKE", LAKE_DEFAULT)

lake = duckdb.connect()
lake.execute("SET TimeZone = 'UTC'")
for name in ("tables.duckdb.sql", "functions.duckdb.sql"):
    with open(os.path.join(HERE, name)) as file:
        lake.execute(file.read())
tables = [name for (name,) in lake.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()]
for table in tables:
    files = f"{LAKE}/{table}/*/*/*.parquet"
    if glob.glob(files):  # a table without rows stays as tables.duckdb.sql has it
        quoted = files.replace("'", "''")
        lake.execute(f"""CREATE OR REPLACE VIEW {table} AS SELECT * FROM read_parquet('{quoted}', hive_partitioning = true,
            hive_types = {{'year': INTEGER, 'month': INTEGER}}, union_by_name = true)""")"#;

/// Writes all notebooks, and what they need beside them, into a folder that is made where it is missing. The lake is the one
/// that they open where the environment (`SPANLAKE_LAKE`) names none. Gives the names of the files.
pub fn write(folder: &Path, library: &Library, site: &Site, lake: &str) -> Result<Vec<String>> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let files = files(library, site, lake)?;
    for (name, text) in &files {
        let path = folder.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}

/// Name and content of each file.
pub(super) fn files(library: &Library, site: &Site, lake: &str) -> Result<Vec<(String, String)>> {
    let mut files = vec![
        ("spanlake_functions.py".to_owned(), FUNCTIONS.to_owned()),
        ("public_suffixes.txt".to_owned(), docs::PUBLIC_SUFFIXES.to_owned()),
        ("functions.duckdb.sql".to_owned(), docs::duckdb_functions()),
        ("tables.duckdb.sql".to_owned(), tables().into_iter().map(docs::duckdb_without_rows).collect()),
        ("tables.spark.json".to_owned(), spark_tables()?),
    ];
    for topic in TOPICS {
        let mut hunts = Vec::new();
        for hunt in library.hunts().iter().filter(|hunt| hunt.topic == topic) {
            hunts.push((hunt, hunt.sql(site)?));
        }
        // JSON escapes what a path may hold, and Python reads a string of JSON as its own.
        let opens = |text: &str| text.replace("LAKE_DEFAULT", &Value::from(lake).to_string());
        let spark =
            |sql: &str| format!("hits = spark.sql(\"\"\"\n{sql}\n\"\"\")\nhits.show(100, truncate=60)");
        let duckdb = |sql: &str| format!("hits = lake.sql(\"\"\"\n{sql}\n\"\"\")\nhits.show(max_rows=100)");
        files.push((
            format!("{topic}.pyspark.ipynb"),
            jupyter(topic, "Spark", &opens(SPARK_OPENS), &hunts, &spark)?,
        ));
        files.push((
            format!("{topic}.duckdb.ipynb"),
            jupyter(topic, "DuckDB", &opens(DUCKDB_OPENS), &hunts, &duckdb)?,
        ));
        files.push((format!("{topic}.zpln"), zeppelin(topic, &opens(SPARK_OPENS), &hunts)?));
    }
    Ok(files)
}

/// The columns of each table as Spark's DDL has them, with the partitions.
fn spark_tables() -> Result<String> {
    let columns: Map<String, Value> = tables()
        .into_iter()
        .map(|table| (table.name.to_owned(), Value::from(docs::spark_columns(table))))
        .collect();
    pretty(&Value::Object(columns))
}

fn pretty(value: &Value) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// What a notebook says before the code of a hunt.
fn about(hunt: &Hunt) -> String {
    let technique = hunt.technique.replace('.', "/");
    let mut text = format!(
        "## {}\n\n{}\n\n**A hit:** {}\n\n**Not every hit is one:** {}\n\nATT&CK [{}](https://attack.mitre.org/techniques/{technique}/) · `{}`",
        hunt.title, hunt.why, hunt.hit, hunt.false_positives, hunt.technique, hunt.name
    );
    for (name, param) in &hunt.params {
        text.push_str(&format!("\n- `{name}`: {}", param.about));
    }
    text
}

fn heading(topic: &str, engine: &str) -> String {
    let name = match topic {
        "dns" | "http" | "tls" | "ftp" => topic.to_uppercase(),
        "kerberos" => "Kerberos".to_owned(),
        "file" => "Files".to_owned(),
        _ => "Flows".to_owned(),
    };
    format!(
        "# {name}: hunts in a lake of Spanlake, with {engine}\n\nMade by `spanlake hunt notebooks` from the saved hunts; change those, or the \
         site's file of parameters and exclusions, and make it anew. The first cell opens the lake."
    )
}

/// Lines as Jupyter keeps them: each with its end.
fn lines(text: &str) -> Vec<String> {
    text.split_inclusive('\n').map(str::to_owned).collect()
}

type Hunts<'a> = [(&'a Hunt, String)];

fn jupyter(
    topic: &str,
    engine: &str,
    opens: &str,
    hunts: &Hunts<'_>,
    code: &dyn Fn(&str) -> String,
) -> Result<String> {
    let markdown = |id: &str, text: &str| json!({"cell_type": "markdown", "id": id, "metadata": {}, "source": lines(text)});
    let python = |id: &str, text: &str| json!({"cell_type": "code", "execution_count": null, "id": id, "metadata": {}, "outputs": [], "source": lines(text)});
    let mut cells = vec![markdown("about", &heading(topic, engine)), python("open", opens)];
    for (hunt, sql) in hunts {
        // An id has 64 characters at most.
        let id: String = hunt.name.chars().take(58).collect();
        cells.push(markdown(&format!("{id}-text"), &about(hunt)));
        cells.push(python(&format!("{id}-code"), &code(sql)));
    }
    pretty(&json!({
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"}
        },
        "nbformat": 4,
        "nbformat_minor": 5
    }))
}

fn zeppelin(topic: &str, opens: &str, hunts: &Hunts<'_>) -> Result<String> {
    let paragraph = |id: &str, title: &str, mode: &str, text: String| {
        json!({
            "title": title,
            "text": text,
            "config": {"colWidth": 12, "fontSize": 9, "enabled": true, "title": !title.is_empty(), "editorMode": format!("ace/mode/{mode}"), "results": {}},
            "settings": {"params": {}, "forms": {}},
            "apps": [],
            "id": format!("paragraph_{topic}_{id}"),
            "status": "READY",
            "progressUpdateIntervalMs": 500
        })
    };
    let mut paragraphs = vec![
        paragraph("about", "", "markdown", format!("%md\n{}", heading(topic, "Spark"))),
        paragraph("open", "The lake", "python", format!("%spark.pyspark\n{opens}")),
    ];
    for (hunt, sql) in hunts {
        let id = hunt.name.replace('-', "_");
        paragraphs.push(paragraph(&format!("{id}_text"), "", "markdown", format!("%md\n{}", about(hunt))));
        paragraphs.push(paragraph(&id, &hunt.title, "sql", format!("%spark.sql\n{sql}")));
    }
    pretty(&json!({
        "paragraphs": paragraphs,
        "name": format!("Spanlake/{topic}"),
        "id": format!("spanlake_{topic}"),
        "defaultInterpreterGroup": "spark",
        "noteParams": {},
        "noteForms": {},
        "angularObjects": {},
        "config": {"isZeppelinNotebookCronEnable": false, "looknfeel": "default", "personalizedMode": "false"},
        "info": {}
    }))
}
