//! The command line: arguments, configuration file, what each command prints, and how the program ends.

mod arguments;
mod bench;
mod check;
mod commands;
mod file;
mod hunt;
mod inputs;
mod signals;
mod usage;
mod values;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Error, Result};
use clap::FromArgMatches;
use clap::error::ErrorKind;
use clap::parser::ValueSource;

pub use arguments::command;

use crate::log::Style;
use arguments::{Arguments, SummaryFormat};

/// Runs the program: reads the arguments, does what they say, and reports a failure in one line.
pub fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    if let Some(arguments) = hunt::asked(&typed) {
        return report(&hunt::run(arguments)).into();
    }
    let ended = parse(typed.into_iter()).and_then(|arguments| {
        log(&arguments);
        commands::run(arguments.command)
    });
    match ended {
        Ok(ending) => ending.into(),
        Err(error) => report(&error).into(),
    }
}

/// How a run ended, and so its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All is done.
    Done = 0,
    /// It could not be done; the reason was printed.
    Failed = 1,
    /// It was not understood what to do.
    Misused = 2,
    /// Done, but an input was damaged.
    Damaged = 3,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending as u8)
    }
}

/// A mistake in the arguments or in the configuration file, as one line.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Reads the arguments; where they name a configuration file they are read once more with its values as defaults.
fn parse(typed: impl Iterator<Item = OsString>) -> Result<Arguments> {
    let typed: Vec<OsString> = typed.collect();
    let mut whole = arguments::command_with_short_help();
    let mut matches = whole.clone().try_get_matches_from(&typed)?;
    if let Some(path) = matches.get_one::<std::path::PathBuf>("config") {
        whole = file::defaults(path, whole).map_err(|error| Usage(format!("{error:#}")))?;
        whole = whole.mut_subcommands(|sub| without_negated(sub, &matches));
        matches = whole.try_get_matches_from(&typed)?;
    }
    Ok(Arguments::from_arg_matches(&matches)?)
}

/// Takes the default `true` back from every switch whose `--no-…` was typed.
fn without_negated(sub: clap::Command, typed: &clap::ArgMatches) -> clap::Command {
    let Some(typed) = typed.subcommand_matches(sub.get_name()) else { return sub };
    sub.mut_args(|arg| {
        let negation = format!("no-{}", arg.get_long().unwrap_or_default());
        let negated = typed.try_contains_id(&negation).is_ok()
            && typed.value_source(&negation) == Some(ValueSource::CommandLine);
        if negated { arg.default_value("false") } else { arg }
    })
}

/// Sends the log to standard error: warnings, and more of it with each `-v`. `SPANLAKE_LOG` chooses by module.
fn log(arguments: &Arguments) {
    let live = arguments.command.live();
    let level = match (arguments.command.is_quiet(), arguments.common.verbose) {
        (true, _) => "error",
        // Of a replay the summary says how it went; of a sensor that runs for a year the log does.
        (false, 0) if live.is_some() => "info",
        (false, 0) => "warn",
        (false, 1) => "info",
        (false, 2) => "debug",
        (false, _) => "trace",
    };
    let style = match live.map(|live| live.log_format.unwrap_or_default()) {
        None => Style::Brief,
        Some(SummaryFormat::Text) => Style::Text,
        Some(SummaryFormat::Json) => Style::Json,
    };
    crate::log::start(level, style);
}

/// Prints why the program ends, where that is a failure at all.
fn report(error: &Error) -> Ending {
    if let Some(error) = error.downcast_ref::<clap::Error>() {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            let _ = write!(io::stdout(), "{error}");
            return Ending::Done;
        }
        return fail(&usage::line(error), Ending::Misused);
    }
    if error.is::<Usage>() {
        return fail(&format!("{error:#}"), Ending::Misused);
    }
    // Whoever read our output has seen enough, as `head` does: no failure of ours.
    if error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_broken_pipe) {
        return Ending::Done;
    }
    fail(&format!("{error:#}"), Ending::Failed)
}

/// Whether the reader of a pipe has gone.
fn is_broken_pipe(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::BrokenPipe
}

/// Prints one line on standard error.
fn fail(reason: &str, ending: Ending) -> Ending {
    let reason = reason.replace(['\n', '\r'], " ");
    let _ = writeln!(io::stderr(), "spanlake: {reason}");
    ending
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn parsed(arguments: &[&str]) -> Result<Arguments> {
        parse(std::iter::once("spanlake").chain(arguments.iter().copied()).map(OsString::from))
    }

    fn replay(arguments: &[&str]) -> arguments::Replay {
        match parsed(arguments).expect("the arguments are good").command {
            arguments::Command::Replay(replay) => replay,
            other => panic!("not a replay: {other:?}"),
        }
    }

    fn config(folder: &Path, text: &str) -> String {
        let path = folder.join("sensor.toml");
        std::fs::write(&path, text).expect("a temporary folder can be written");
        path.display().to_string()
    }

    #[test]
    fn the_file_gives_what_the_command_line_leaves_out() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = config(
            folder.path(),
            "workers = 3\nlake = \"l\"\nkeep-duplicates = true\nlocal-nets = [\"10.0.0.0/8\", \"fc00::/7\"]\n\
             flow-interval = \"5m\"\nstream-memory = 4096\nfragment-memory = \"1MiB\"\nverbose = 2\nlimit = 5\n",
        );
        let replay = replay(&["replay", "x", "--config", &file]);
        assert_eq!(replay.threads.workers, Some(3));
        assert_eq!(replay.lake.as_deref(), Some(Path::new("l")));
        assert!(replay.sensing.keep_duplicates);
        assert_eq!(replay.sensing.local_nets.map(|nets| nets.len()), Some(2));
        assert_eq!(replay.sensing.flow_interval, Some(std::time::Duration::from_secs(300)));
        assert_eq!(replay.sensing.stream_memory, Some(values::Size(4096)));
        assert_eq!(replay.sensing.fragment_memory, Some(values::Size(1 << 20)));
        assert_eq!(parsed(&["--config", &file, "replay", "x"]).expect("good").common.verbose, 2);
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = config(
            folder.path(),
            "workers = 3\nkeep-duplicates = true\nlocal-nets = [\"10.0.0.0/8\", \"fc00::/7\"]\n",
        );
        let typed = ["replay", "x", "--workers=1", "--no-keep-duplicates", "--local-nets", "192.0.2.0/24"];
        let replay = replay(&[&typed[..], &["--config", &file]].concat());
        assert_eq!(replay.threads.workers, Some(1));
        assert!(!replay.sensing.keep_duplicates);
        assert_eq!(replay.sensing.local_nets.map(|nets| nets.len()), Some(1));
    }

    #[test]
    fn every_option_is_a_key_of_the_same_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let whole = command();
        for arg in whole.get_subcommands().flat_map(clap::Command::get_arguments) {
            let Some(name) = arg.get_long().filter(|name| !name.starts_with("no-")) else { continue };
            let file = config(folder.path(), &format!("{name} = {{}}"));
            let error =
                parsed(&["replay", "x", "--config", &file]).expect_err("a table is no value").to_string();
            assert!(error.contains("is expected"), "{error}");
            assert!(error.contains(&format!("line 1: {name}: ")), "{error}");
        }
    }
}
