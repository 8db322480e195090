//! `spanlake hunt run`: rules over what is new in the lake.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use super::rule::{Rule, Severity};
use super::runner::Runner;
use super::sinks::Receiver;
use crate::cli::{Common, Format, answer, complain, ending};
use crate::engine::Lake;
use crate::saved::Hunt;
use crate::saved::command::Source;

/// Run saved hunts: rules raise signals from what is new, others print their rows
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  spanlake hunt run --lake lake                                    all rules, over what is new
  spanlake hunt run dns-tunnels flows-scans --lake lake            these
  spanlake hunt run --follow --to syslog --to https://hooks.example.test/x
  spanlake hunt run --fail-on high --format json                   in a pipeline
  spanlake hunt run dns-tunnels --rows                             only prints its rows

Exit codes: 0 done, 1 failed, 2 usage, 3 done, but a file of the lake or of hunts is damaged,
4 a signal as bad as --fail-on says was raised.")]
pub(crate) struct Run {
    /// Hunts [default: all that have a rule]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print the rows also of hunts that have a rule, and raise nothing
    #[arg(long, requires = "names", conflicts_with_all = ["follow", "fail_on", "to", "again"])]
    rows: bool,
    /// Go on with what comes, until told to stop
    #[arg(long)]
    follow: bool,
    /// How often to look for new files
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// Exit code 4 where a signal so bad, or worse, was raised: info, low, medium, high, critical
    #[arg(long, value_name = "LEVEL", value_enum, hide_possible_values = true)]
    fail_on: Option<Severity>,
    /// Whom to tell: stdout, syslog, syslog:SOCKET, syslog://HOST:PORT, webhook, URL [default: stdout]
    #[arg(long, value_name = "WHERE")]
    to: Vec<String>,
    /// Run over all files, seen or not; no signal comes twice
    #[arg(long)]
    again: bool,
    #[command(flatten)]
    source: Source,
}

/// Runs hunts.
pub(crate) fn run(arguments: &Run, common: &Common) -> Result<ExitCode> {
    let (library, site) = arguments.source.open(&common.lake)?;
    let is_broken = !library.broken().is_empty();
    let chosen: Vec<&Hunt> = if arguments.names.is_empty() {
        library.hunts().iter().filter(|hunt| hunt.rule.is_some()).collect()
    } else {
        arguments.names.iter().map(|name| library.hunt(name)).collect::<Result<_>>()?
    };
    let (mut rules, mut others): (Vec<Rule>, Vec<&Hunt>) = (Vec::new(), Vec::new());
    let mut failed = false;
    for hunt in chosen {
        match if arguments.rows { Ok(None) } else { Rule::of(hunt, &site) } {
            Ok(Some(rule)) => rules.push(rule),
            Ok(None) if arguments.follow => {
                bail!("hunt '{}' has no [rule] to follow the lake with", hunt.name)
            }
            Ok(None) => others.push(hunt),
            Err(error) => {
                complain(&format!("{error:#}"));
                failed = true;
            }
        }
    }
    if common.output.is_some() && others.len() > 1 {
        bail!("{} hunts, and one file takes one answer", others.len());
    }
    let mut code = 0;
    if !rules.is_empty() || others.is_empty() {
        code = run_rules(common, arguments, &rules)?;
    }
    if !others.is_empty() {
        let lake = Lake::open(&common.lake, common.memory)?;
        for hunt in &others {
            if others.len() > 1 {
                complain(&format!("{}: {}", hunt.name, hunt.title));
            }
            match hunt.sql(&site).and_then(|sql| answer(&lake, common, &sql)) {
                Ok(()) => {}
                Err(error) if crate::cli::is_broken_pipe(&error) => return Err(error),
                Err(error) => {
                    complain(&format!("hunt '{}': {error:#}", hunt.name));
                    failed = true;
                }
            }
        }
        if ending(&lake) != ExitCode::SUCCESS && code == 0 {
            code = 3;
        }
    }
    Ok(ExitCode::from(match (failed, code, is_broken) {
        (true, ..) => 1,
        (_, 0, true) => 3,
        (_, code, _) => code,
    }))
}

/// Runs rules; gives an exit code.
fn run_rules(common: &Common, arguments: &Run, rules: &[Rule]) -> Result<u8> {
    let default = ["stdout".to_owned()];
    let to = if arguments.to.is_empty() { &default[..] } else { &arguments.to };
    let as_json = common.format == Some(Format::Json);
    let receivers = to.iter().map(|to| Receiver::parse(to, as_json)).collect::<Result<Vec<_>>>()?;
    let stop = stop_flag().context("waiting for signals of the system")?;
    let should_stop = || stop.load(Ordering::Relaxed);
    let mut runner = Runner::start(&common.lake, common.memory, receivers, &should_stop, &complain)?;
    let failed = if arguments.follow {
        follow(&mut runner, arguments, rules, &should_stop)?
    } else {
        once(&mut runner, arguments, rules, &should_stop)?
    };
    if !arguments.follow && std::io::stderr().is_terminal() {
        // Silence would not tell a quiet lake from one that was looked through before.
        let signals = if runner.count == 1 { "signal" } else { "signals" };
        let hint = if runner.count == 0 && !arguments.again { "; --again looks at all there is" } else { "" };
        complain(&format!("{} rules over what is new: {} {signals} raised{hint}", rules.len(), runner.count));
    }
    let is_bad = arguments.fail_on.is_some_and(|level| runner.worst.is_some_and(|worst| worst >= level));
    Ok(match (failed, is_bad, runner.has_damage()) {
        (true, ..) => 1,
        (_, true, _) => 4,
        (.., true) => 3,
        _ => 0,
    })
}

/// Runs rules over what there is; says whether something failed.
fn once(
    runner: &mut Runner<'_>,
    arguments: &Run,
    rules: &[Rule],
    should_stop: &dyn Fn() -> bool,
) -> Result<bool> {
    let mut tries = 0;
    let failed = loop {
        let outcome = runner.round(rules, arguments.again)?;
        if should_stop() {
            bail!("interrupted; what was raised so far is in the lake");
        }
        tries += 1;
        match (outcome.overtaken, tries < TRIES) {
            (true, true) => continue,
            (true, false) => {
                complain("the lake changed again and again meanwhile: the next run goes on with it");
                break true;
            }
            (false, _) => break outcome.failed,
        }
    };
    for _ in 0..TRIES {
        if runner.tell()? {
            return Ok(failed);
        }
        wait(runner.pause(), should_stop);
        if should_stop() {
            break;
        }
    }
    complain("signals wait to be told; the next run that tells the same receiver begins with them");
    Ok(true)
}

/// Runs rules over what comes, until told to stop; says whether something failed in the last round.
fn follow(
    runner: &mut Runner<'_>,
    arguments: &Run,
    rules: &[Rule],
    should_stop: &dyn Fn() -> bool,
) -> Result<bool> {
    let every = Duration::from_secs(arguments.every);
    let mut again = arguments.again;
    let mut trouble = String::new();
    let mut failed = false;
    while !should_stop() {
        let mut pause = every;
        match runner.round(rules, again).and_then(|outcome| runner.tell().map(|_| outcome)) {
            Ok(outcome) => {
                again = false;
                failed = outcome.failed;
                if outcome.overtaken {
                    pause = Duration::from_millis(200);
                }
                trouble.clear();
            }
            Err(error) => {
                let error = format!("{error:#}");
                if error != trouble && !should_stop() {
                    complain(&error);
                    trouble = error;
                }
            }
        }
        wait(pause, should_stop);
    }
    Ok(failed)
}

fn wait(how_long: Duration, should_stop: &dyn Fn() -> bool) {
    let since = Instant::now();
    while since.elapsed() < how_long && !should_stop() {
        std::thread::sleep(NOTICE.min(how_long.saturating_sub(since.elapsed())));
    }
}

/// Set when the program is told to stop; told twice it stops at once.
fn stop_flag() -> std::io::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 1, flag.clone())?;
        signal_hook::flag::register(signal, flag.clone())?;
    }
    Ok(flag)
}

/// How often what did not succeed is tried again.
const TRIES: usize = 6;

/// How soon the end is noticed while waiting.
const NOTICE: Duration = Duration::from_millis(100);
