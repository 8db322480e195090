//! What each command does, from its arguments to its output.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use clap_complete::Shell;
use schemas::docs;
use schemas::table::{Table, table, tables};

use super::arguments::{self, Command, SchemaFormat, SummaryFormat};
use super::signals::Signals;
use super::{Ending, Usage, bench, check, hunt, usage};
use crate::counters::Damage;
use crate::output::read;
use crate::progress::{Bar, Progress};
use crate::{clock, compact, journal, live, replay, show, summary};

impl Command {
    /// How live interfaces are read, where they are.
    pub(super) fn live(&self) -> Option<&arguments::Live> {
        match self {
            Self::Capture(capture) => Some(&capture.live),
            _ => None,
        }
    }

    /// Whether nothing but errors is to be said.
    pub(super) fn is_quiet(&self) -> bool {
        match self {
            Self::Replay(replay) => replay.quiet,
            Self::Capture(capture) => capture.quiet,
            Self::Compact(compact) => compact.quiet,
            _ => false,
        }
    }
}

/// Does what a command says.
pub(super) fn run(command: Command) -> Result<Ending> {
    match command {
        Command::Replay(typed) => run_replay(typed),
        Command::Capture(typed) => run_capture(typed),
        Command::Show(typed) => run_show(typed),
        Command::Schema(typed) => run_schema(&typed),
        Command::Hunt(typed) => Err(hunt::run(&typed.arguments)),
        Command::Compact(typed) => run_compact(typed),
        Command::Bench(typed) => bench::run(typed),
        Command::Completions(typed) => run_completions(typed.shell),
        Command::Man(typed) => run_man(typed.page.as_deref()),
    }
}

fn run_replay(typed: arguments::Replay) -> Result<Ending> {
    let (format, quiet) = (typed.format.unwrap_or_default(), typed.quiet);
    let (replay, inputs) = check::replay(typed)?;
    let start = Instant::now();
    let progress = Arc::new(Progress::default());
    let bar = Bar::start(Arc::clone(&progress), inputs.bytes, !quiet);
    let ended = replay::run(&replay, &progress);
    drop(bar);
    let mut report = ended?;
    report.wall = start.elapsed();
    report.damaged.extend(inputs.refused);
    match (quiet, format) {
        (true, _) => {
            for damage in &report.damaged {
                writeln!(io::stderr(), "spanlake: {}: {}", damage.path, damage.what)?;
            }
        }
        (false, SummaryFormat::Text) => print(&summary::text(&report))?,
        (false, SummaryFormat::Json) => print(&format!("{}\n", summary::json(&report)))?,
    }
    if let Some(extracted) = report.extracted.filter(|extracted| extracted.failed > 0) {
        let (failed, why) = (extracted.failed, extracted.failure.unwrap_or_default());
        bail!("{failed} files could not be put into the store {}: {why}", extracted.folder.display());
    }
    if let Some(first) = report.removed.as_ref().and_then(|removed| removed.unreadable_first.as_ref()) {
        tracing::warn!("the age of a file is not known, so it stays: {first}");
    }
    if let Some(removed) = report.removed.filter(|removed| removed.failed > 0) {
        bail!("{} files could not be removed: {}", removed.failed, removed.failure.unwrap_or_default());
    }
    Ok(if report.damaged.is_empty() { Ending::Done } else { Ending::Damaged })
}

fn run_capture(typed: arguments::Capture) -> Result<Ending> {
    let (format, quiet) = (typed.format.unwrap_or_default(), typed.quiet);
    let capture = check::capture(typed)?;
    let report = live::run(&capture, &mut Signals::register()?)?;
    match (quiet, format) {
        (true, _) => {}
        (false, SummaryFormat::Text) => print(&summary::text(&report))?,
        (false, SummaryFormat::Json) => print(&format!("{}\n", summary::json(&report)))?,
    }
    match report.lost {
        Some(lost) if lost.rows > 0 => {
            bail!("{} rows are lost, because the disk did not take them", lost.rows)
        }
        _ => Ok(Ending::Done),
    }
}

fn run_show(typed: arguments::Show) -> Result<Ending> {
    let known = known_table(&typed.table)?;
    let lake = check::existing_lake(typed.lake)?;
    let width = terminal_width();
    let format = typed.format.unwrap_or_default();
    // On a terminal a row should be a line; where another program reads, all columns are wanted.
    let (columns, room) = match (typed.columns, format, width) {
        (Some(columns), SummaryFormat::Text, Some(width)) => (Some(columns), show::Room::Chosen(width)),
        (None, SummaryFormat::Text, Some(width)) => (show::glance(&typed.table), show::Room::Offered(width)),
        (columns, ..) => (columns, show::Room::Unlimited),
    };
    let limit = typed.limit.unwrap_or(DEFAULT_LIMIT);
    let rows = read::newest(&lake, known.name, limit, columns.as_deref(), typed.uid.as_deref())?;
    if rows.rows.is_empty() && format == SummaryFormat::Text {
        let of = typed.uid.map(|uid| format!(" of flow {uid}")).unwrap_or_default();
        writeln!(io::stderr(), "no rows{of} in table {} of {}", known.name, lake.display())?;
        return Ok(Ending::Done);
    }
    match format {
        SummaryFormat::Text => print(&show::text(&rows, room))?,
        SummaryFormat::Json => print(&show::json(&rows, Some(known)))?,
    }
    Ok(Ending::Done)
}

fn run_schema(typed: &arguments::Schema) -> Result<Ending> {
    let chosen: Vec<&Table> = match &typed.table {
        Some(name) => vec![known_table(name)?],
        None => tables().to_vec(),
    };
    let lake = match &typed.lake {
        Some(lake) => absolute(lake)?,
        None => "lake".to_owned(),
    };
    let each = |print: &dyn Fn(&Table) -> String, between: &str| {
        chosen.iter().map(|table| print(table)).collect::<Vec<_>>().join(between)
    };
    let folder = Path::new(&lake);
    // Of a lake that is yet to be made, or is not on this machine, nothing is known.
    let is_made = read::tables(folder).is_ok_and(|tables| !tables.is_empty());
    let has_rows = |name: &str| !is_made || read::has_files(folder, name).is_ok_and(|any| any);
    let text = match typed.format.unwrap_or_default() {
        SchemaFormat::Markdown if typed.table.is_none() => docs::tables_markdown(),
        SchemaFormat::Markdown => each(&docs::markdown, "\n"),
        SchemaFormat::Json if typed.table.is_none() => format!("[{}]\n", each(&docs::json, ",").trim_end()),
        SchemaFormat::Json => each(&docs::json, "\n"),
        SchemaFormat::Spark => each(&|table| docs::spark(table, &lake, has_rows(table.name)), "\n"),
        SchemaFormat::Duckdb => {
            let print = |table: &Table| match has_rows(table.name) {
                true => docs::duckdb(table, &lake),
                false => docs::duckdb_without_rows(table),
            };
            let views = each(&print, "\n");
            if typed.table.is_some() { views } else { format!("{views}\n{}", docs::duckdb_functions()) }
        }
    };
    print(&text)?;
    Ok(Ending::Done)
}

fn run_compact(typed: arguments::Compact) -> Result<Ending> {
    let compact = compact::Compact {
        lake: check::existing_lake(typed.lake)?,
        quiet: typed.after.unwrap_or(QUIET),
        dry_run: typed.dry_run,
        bounds: compact::Bounds::default(),
    };
    let report = compact::run(&compact, clock::wall(), &journal::unpublished)?;
    match (typed.quiet, typed.format.unwrap_or_default()) {
        (true, _) => {
            for Damage { path, what } in report.damaged.iter().chain(&report.failed) {
                writeln!(io::stderr(), "spanlake: {path}: {what}")?;
            }
        }
        (false, SummaryFormat::Text) => print(&compact::text(&report))?,
        (false, SummaryFormat::Json) => print(&format!("{}\n", compact::json(&report)))?,
    }
    if let Some(Damage { path, what }) = report.failed.first() {
        bail!(
            "{} could not be joined, the first of them {path}: {what}",
            plural(report.failed.len(), "partition")
        );
    }
    Ok(if report.damaged.is_empty() { Ending::Done } else { Ending::Damaged })
}

/// `1 file`, `2 files`.
fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn run_completions(shell: Shell) -> Result<Ending> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut arguments::command(), "spanlake", &mut text);
    io::stdout().write_all(&text)?;
    Ok(Ending::Done)
}

fn run_man(page: Option<&str>) -> Result<Ending> {
    let mut whole = arguments::command();
    whole.build();
    let command = match page {
        None => whole,
        Some(page) => {
            let command = whole.find_subcommand(page).cloned();
            command.ok_or_else(|| {
                Usage(format!("no manual page of a command '{page}'; `spanlake --help` lists them"))
            })?
        }
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    io::stdout().write_all(&text)?;
    Ok(Ending::Done)
}

/// How wide the terminal is; nothing where standard output is none.
fn terminal_width() -> Option<usize> {
    io::stdout().is_terminal().then(|| {
        let width = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
        width.filter(|width| *width > 0).unwrap_or(USUAL_WIDTH)
    })
}

/// A table by its name, or the nearest name there is.
fn known_table(name: &str) -> Result<&'static Table> {
    table(name).ok_or_else(|| {
        let near = usage::nearest(name, tables().into_iter().map(|table| table.name)).unwrap_or_default();
        Usage(format!("no table '{name}'; did you mean '{near}'? `spanlake schema` lists them")).into()
    })
}

/// A path as another program needs it, wherever that runs.
fn absolute(path: &Path) -> Result<String> {
    let path = std::path::absolute(path)?;
    path.into_os_string().into_string().map_err(|path| anyhow!("the path {} is not UTF-8", path.display()))
}

/// Prints to standard output; a reader that has gone is an error, which ends the program in peace.
pub(super) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Of a terminal that does not tell.
const USUAL_WIDTH: usize = 80;

/// A month that a sensor writes to is quiet for minutes at most.
const QUIET: Duration = Duration::from_secs(3600);

/// A screen of rows.
const DEFAULT_LIMIT: usize = 20;
