//! The command line.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::engine::{self, Lake};
use crate::output::file::{ParquetFile, WholeFile};
use crate::output::{csv, escape, json, table};
use crate::rules;
use crate::saved::command;
use crate::{report, shell};

/// Ask a lake: SQL, saved hunts, rules that raise signals, reports
#[derive(Debug, Parser)]
#[command(
    name = "spanlake hunt",
    bin_name = "spanlake hunt",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = false,
    after_help = "\
Examples:
  spanlake hunt --lake lake                                      a shell: SQL, \\d for tables
  spanlake hunt --lake lake -q 'SELECT query FROM dns LIMIT 10'  one query
  spanlake hunt --lake lake -f hunt.sql --format csv -o hits.csv
  spanlake hunt run dns-tunnels --rows --lake lake               what a saved hunt finds
  spanlake hunt run --follow --to syslog --lake lake             rules raise signals from what is new
  spanlake hunt report -o report.html --lake lake                a page of pictures

SQL is Spark's: src_ip.address, request.headers['USER-AGENT'], month(ts).
Exit codes: 0 done, 1 failed, 2 usage, 3 done, but a file of the lake is damaged."
)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    asking: Asking,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// The lake
    #[arg(long, value_name = "DIR", global = true, default_value = "lake", value_hint = ValueHint::DirPath)]
    pub(crate) lake: PathBuf,
    /// table, csv, json or parquet [default: a table on a terminal, else CSV]
    #[arg(long, value_name = "FORMAT", global = true, value_enum, hide_possible_values = true)]
    pub(crate) format: Option<Format>,
    /// Write the answer into a file
    #[arg(short, long, value_name = "FILE", global = true, value_hint = ValueHint::FilePath)]
    pub(crate) output: Option<PathBuf>,
    /// Memory that queries may hold before they use the disk, e.g. 4G [default: a quarter of the machine's, at least 2G]
    #[arg(long, value_name = "SIZE", global = true, value_parser = size, default_value_t = engine::quarter(), hide_default_value = true)]
    pub(crate) memory: usize,
}

/// A query on the command line.
#[derive(Debug, Args)]
struct Asking {
    /// Answer one query
    #[arg(short, long, value_name = "SQL", conflicts_with = "file")]
    query: Option<String>,
    /// Answer the queries in a file, or in standard input (-)
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(command::List),
    Show(command::Show),
    Run(rules::command::Run),
    Notebooks(command::Notebooks),
    Report(report::command::Typed),
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// RFC 4180
    Csv,
    /// An object a row and a line
    Json,
    /// A file of its own (with -o)
    Parquet,
}

/// Runs the program.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Conditions of thousands of parts are planned part within part.
    let worker = std::thread::Builder::new().stack_size(engine::STACK).spawn(|| run(arguments));
    let ended = match worker.map(std::thread::JoinHandle::join) {
        Ok(Ok(ended)) => ended,
        Ok(Err(_)) => return ExitCode::from(1),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(ending) => ending,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::from(1)
        }
    }
}

/// Says something on standard error.
pub(crate) fn complain(what: &str) {
    // Line by line: what an error quotes may be from the wire.
    for line in what.lines() {
        let _ = writeln!(io::stderr(), "spanlake hunt: {}", escape::escaped(line));
    }
}

/// Whoever read the answer has seen enough.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &(dyn std::error::Error + 'static)| {
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(broken)
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { common, asking, command } = arguments;
    if let Some(command) = command {
        return run_command(&command, &common);
    }
    let lake = Lake::open(&common.lake, common.memory)?;
    match asking {
        Asking { query: Some(query), .. } => answer(&lake, &common, &query)?,
        Asking { file: Some(file), .. } => {
            let text = read(&file)?;
            let queries = engine::split(&text);
            if common.output.is_some() && queries.len() > 1 {
                bail!("{} has {} queries, and one file takes one answer", file.display(), queries.len());
            }
            for query in queries {
                answer(&lake, &common, &query)?;
            }
        }
        _ if io::stdin().is_terminal() => shell::run(&lake, &common)?,
        _ => {
            for query in engine::split(&read(Path::new("-"))?) {
                answer(&lake, &common, &query)?;
            }
        }
    }
    Ok(ending(&lake))
}

/// Carries out a command about saved hunts.
fn run_command(command: &Command, common: &Common) -> Result<ExitCode> {
    let is_broken = match command {
        Command::List(typed) => command::list(typed, &common.lake)?,
        Command::Show(typed) => command::show(typed, &common.lake)?,
        Command::Notebooks(typed) => command::write_notebooks(typed, common.output.as_deref(), &common.lake)?,
        Command::Report(typed) => {
            let lake = Lake::open(&common.lake, common.memory)?;
            let is_broken = report::command::write(typed, &lake, common.output.as_deref())?;
            let ending = ending(&lake);
            return Ok(if is_broken { ExitCode::from(3) } else { ending });
        }
        Command::Run(typed) => return rules::command::run(typed, common),
    };
    Ok(if is_broken { ExitCode::from(3) } else { ExitCode::SUCCESS })
}

/// Names the files that were left out.
pub(crate) fn ending(lake: &Lake) -> ExitCode {
    let damaged = lake.damaged();
    for (path, why) in &damaged {
        complain(&format!("{} is damaged, and was left out: {why}", path.display()));
    }
    if damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) }
}

fn read(file: &Path) -> Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("reading standard input")?;
        return Ok(text);
    }
    fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
}

/// Answers a query, where and how the command line says.
pub(crate) fn answer(lake: &Lake, common: &Common, query: &str) -> Result<()> {
    let is_terminal = common.output.is_none() && io::stdout().is_terminal();
    let by_name = common.output.as_deref().and_then(format_of);
    let format = common.format.or(by_name).unwrap_or(if is_terminal { Format::Table } else { Format::Csv });
    match (&common.output, format) {
        (Some(path), Format::Parquet) => {
            let mut file = None;
            lake.stream(query, |batch| {
                let file = match &mut file {
                    Some(file) => file,
                    none => none.insert(ParquetFile::create(path, batch)?),
                };
                file.rows(batch)
            })?;
            file.map_or(Ok(()), ParquetFile::finish)
        }
        (None, Format::Parquet) => bail!("Parquet goes into a file: -o FILE"),
        (Some(path), format) => {
            let mut file = WholeFile::create(path)?;
            write(lake, query, format, None, &mut file)?;
            file.finish()
        }
        (None, format) => {
            let width = if is_terminal { shell::width() } else { None };
            let mut out = io::BufWriter::new(io::stdout().lock());
            write(lake, query, format, width, &mut out)?;
            Ok(out.flush()?)
        }
    }
}

fn format_of(path: &Path) -> Option<Format> {
    Format::from_str(path.extension()?.to_str()?, true).ok()
}

fn write(lake: &Lake, query: &str, format: Format, width: Option<usize>, out: &mut impl Write) -> Result<()> {
    if format == Format::Table {
        // As wide as its widest cell: all of it has to be there.
        let answer = lake.query(query)?;
        return Ok(out.write_all(table::text(&answer.schema, &answer.batches, width)?.as_bytes())?);
    }
    let mut begun = false;
    lake.stream(query, |batch| {
        if format == Format::Csv {
            if !std::mem::replace(&mut begun, true) {
                csv::head(&batch.schema(), out)?;
            }
            return csv::rows(batch, out);
        }
        json::rows(batch, out)
    })
}

/// Bytes, with K, M, G or T for their powers of 1024.
fn size(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        unit => return Err(format!("unknown unit {unit:?}: K, M, G or T")),
    };
    let number: usize = digits.parse().map_err(|_| "not a size".to_owned())?;
    number.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(|| "not a size".to_owned())
}
