//! The shell: lines with history and completion, queries until a semicolon, a few commands that begin with a backslash.

use std::borrow::Cow;
use std::env;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context as _, Result};
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use schemas::table::tables;

use crate::cli::{Common, answer, complain};
use crate::engine::{FUNCTIONS, Lake, split};
use crate::saved::columns;

const HELP: &str = "\
A query ends with a semicolon. Tab completes names of tables, columns and functions; Ctrl-C ends a query.
  \\d          tables            \\d TABLE   columns of a table
  \\f          functions         \\q         leave (or Ctrl-D)
";

/// Words of SQL that are completed.
const WORDS: &[&str] = &[
    "AND", "AS", "ASC", "BETWEEN", "BY", "CASE", "CAST", "COUNT", "DESC", "DISTINCT", "ELSE", "END",
    "EXPLAIN", "FROM", "GROUP", "HAVING", "IN", "IS", "JOIN", "LEFT", "LIKE", "LIMIT", "NOT", "NULL", "ON",
    "OR", "ORDER", "RLIKE", "SELECT", "THEN", "UNION", "WHEN", "WHERE", "WITH",
];

/// Reads queries until the end of the input.
pub(crate) fn run(lake: &Lake, common: &Common) -> Result<()> {
    let config = Config::builder().completion_type(CompletionType::List).max_history_size(10_000)?.build();
    let mut editor: Editor<Words, FileHistory> =
        Editor::with_config(config).context("opening the terminal")?;
    editor.set_helper(Some(Words::new(lake)));
    let history = history();
    if let Some(history) = &history {
        // There is none the first time.
        let _ = editor.load_history(history);
    }
    println!("The lake {}. \\d lists its tables, \\? helps.", lake.root().display());
    loop {
        match editor.readline("hunt> ") {
            Ok(line) => {
                let _ = editor.add_history_entry(line.trim());
                if let Some(history) = &history {
                    let _ = editor.append_history(history);
                }
                if !obey(lake, common, line.trim()) {
                    break;
                }
            }
            // What was typed is thrown away, as shells do.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("reading the terminal"),
        }
    }
    Ok(())
}

/// Does what a line says; false where that is to leave.
fn obey(lake: &Lake, common: &Common, line: &str) -> bool {
    let mut words = line.trim_end_matches(';').split_whitespace();
    match (words.next(), words.next()) {
        (None, _) => {}
        (Some("\\q" | "exit" | "quit"), None) => return false,
        (Some("\\?" | "help"), _) => print!("{HELP}"),
        (Some("\\d"), None) => {
            for table in tables() {
                println!("{:12}  {}", table.name, table.doc);
            }
        }
        (Some("\\d"), Some(name)) => match schemas::table::table(name) {
            Some(table) => print!("{}", schemas::docs::markdown(table)),
            None => complain(&format!("there is no table {name}; \\d lists all")),
        },
        (Some("\\f"), _) => {
            for (function, gives) in FUNCTIONS {
                println!("{function:26}  {gives}");
            }
            println!(
                "\nand those of Spark and DataFusion:\n{}",
                wrapped(&lake.functions(), width().unwrap_or(80))
            );
        }
        _ => {
            for query in split(line) {
                let started = Instant::now();
                match answer(lake, common, &query) {
                    Ok(()) => println!("({:.3} s)", started.elapsed().as_secs_f64()),
                    Err(error) => complain(&format!("{error:#}")),
                }
            }
            for (path, why) in lake.damaged() {
                complain(&format!("{} is damaged, and was left out: {why}", path.display()));
            }
        }
    }
    true
}

/// Names one after the other, in lines of at most so many columns.
fn wrapped(names: &[String], columns: usize) -> String {
    let mut out = String::new();
    let mut taken = 0;
    for name in names {
        if taken > 0 && taken + name.len() + 1 > columns {
            out.push('\n');
            taken = 0;
        } else if taken > 0 {
            out.push(' ');
        }
        out.push_str(name);
        taken += name.len() + 1;
    }
    out
}

/// Columns of the terminal.
pub(crate) fn width() -> Option<usize> {
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}

/// Where what was typed is kept.
fn history() -> Option<PathBuf> {
    let state = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    let state = state.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".local/state")))?;
    let folder = state.join("spanlake");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("hunt-history"))
}

/// What can be completed.
struct Words {
    all: Vec<String>,
}

impl Words {
    fn new(lake: &Lake) -> Self {
        let mut all: Vec<String> = WORDS.iter().map(|word| (*word).to_owned()).collect();
        all.extend(lake.functions().into_iter().map(|function| function + "("));
        for table in tables() {
            all.push(table.name.to_owned());
            all.extend(columns(&table.fields, ""));
        }
        all.sort_unstable();
        all.dedup();
        Self { all }
    }
}

impl Completer for Words {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let before = line.get(..position).unwrap_or_default();
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
        let start = before.rfind(|c| !is_word(c)).map_or(0, |at| at + 1);
        let typed = before.get(start..).unwrap_or_default().to_lowercase();
        let fits = |word: &&String| !typed.is_empty() && word.to_lowercase().starts_with(&typed);
        let pairs = self.all.iter().filter(fits);
        Ok((start, pairs.map(|word| Pair { display: word.clone(), replacement: word.clone() }).collect()))
    }
}

impl Hinter for Words {
    type Hint = String;
}

impl Highlighter for Words {
    fn highlight_candidate<'c>(&self, candidate: &'c str, _: CompletionType) -> Cow<'c, str> {
        Cow::Borrowed(candidate)
    }
}

impl Validator for Words {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let line = context.input().trim();
        let is_command =
            line.is_empty() || line.starts_with('\\') || matches!(line, "exit" | "quit" | "help");
        let is_whole = is_command || line.ends_with(';');
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Helper for Words {}
