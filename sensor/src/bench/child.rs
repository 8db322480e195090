//! Other processes: this program once more for one measurement, or another that is measured beside it.
//!
//! A stage is measured in a process of its own, so that it finds no memory that stages before it have warmed or left
//! behind, and its peak is its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure::Measured;
use super::stage::Stage;
use crate::counters::Damage;

/// How a process looked from outside: all it took, with its start and its end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outside {
    /// Time on the wall, in seconds.
    pub wall: f64,
    /// Time of processors, of its own children too, in seconds; the kernel counts it in hundredths.
    pub cpu: f64,
}

/// Runs a command to its end, with nothing to read.
pub(super) fn run(command: &mut Command) -> io::Result<(Output, Outside)> {
    let (start, cpu) = (Instant::now(), children_time());
    let output = command.stdin(Stdio::null()).output()?;
    let outside = Outside { wall: start.elapsed().as_secs_f64(), cpu: children_time() - cpu };
    Ok((output, outside))
}

/// Measures a stage in a process of its own: this program, with the arguments that it was given itself and a few more.
pub(super) fn measure(
    stage: Stage,
    workers: usize,
    arguments: &[OsString],
) -> Result<(Measured, Vec<Damage>, Outside)> {
    let program = std::env::current_exe().context("finding this program")?;
    let (output, outside) = run(Command::new(&program).args(once_more(stage, workers, arguments)))
        .with_context(|| format!("starting {}", program.display()))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = || {
        let value: Value = serde_json::from_slice(&output.stdout).ok()?;
        let figures = value.get("stages")?.get(0)?;
        let as_asked = figures.get("workers")?.as_u64()? == workers as u64;
        as_asked.then_some((Measured::of_json(figures)?, damage(&value)?))
    };
    match answer() {
        Some((measured, damaged)) => {
            // What it logs is for whoever asked for a log.
            io::stderr().write_all(said.as_bytes())?;
            Ok((measured, damaged, outside))
        }
        None => {
            let why = said.trim().rsplit('\n').next().unwrap_or_default();
            let why = why.strip_prefix("spanlake: ").unwrap_or(why);
            bail!(
                "stage {}: {}",
                stage.name(),
                if why.is_empty() { output.status.to_string() } else { why.to_owned() }
            )
        }
    }
}

/// The arguments with those that ask for one stage; behind what was typed, because the last counts, and before captures
/// whose names begin with a dash.
fn once_more(stage: Stage, workers: usize, arguments: &[OsString]) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let (typed, captures) = arguments.split_at(end);
    let workers = workers.to_string();
    let more = ["--only", stage.name(), "--workers", &workers, "--format", "json"].map(OsString::from);
    [typed, &more, captures].concat()
}

/// The inputs that were not whole.
fn damage(value: &Value) -> Option<Vec<Damage>> {
    let text = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
    let one = |value| Some(Damage { path: text(value, "path")?, what: text(value, "what")? });
    value.get("damaged")?.as_array()?.iter().map(one).collect()
}

/// Where a program is, by the folders of `PATH` and those of administrators.
pub(super) fn find(program: &str, path: Option<&OsStr>) -> Option<std::path::PathBuf> {
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/zeek/bin"].map(Path::new);
    let folders = path.into_iter().flat_map(std::env::split_paths);
    let candidates = folders.chain(usual.map(Path::to_path_buf)).map(|folder| folder.join(program));
    candidates.into_iter().find(|path| fs::metadata(path).is_ok_and(|metadata| is_program(&metadata)))
}

fn is_program(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.is_file() && metadata.permissions().mode() & 0o111 != 0
}

/// What all processes that this one has started and waited for have had of the processors, in seconds.
fn children_time() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = ticks_of_children(&stat).unwrap_or_default();
    ticks as f64 / rustix::param::clock_ticks_per_second().max(1) as f64
}

/// proc(5): `cutime` and `cstime`, fields 16 and 17. The name of the program, field 2, may hold blanks and brackets.
fn ticks_of_children(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_asked_for_one_stage_behind_what_was_typed() {
        let typed = |arguments: &[&str]| arguments.iter().map(OsString::from).collect::<Vec<_>>();
        let asked = |arguments: &[&str]| once_more(Stage::Rows, 2, &typed(arguments));
        let more = ["--only", "rows", "--workers", "2", "--format", "json"];
        assert_eq!(asked(&["bench", "a.pcap"]), typed(&[&["bench", "a.pcap"], &more[..]].concat()));
        let expected = [&["bench"], &more[..], &["--", "-a.pcap"]].concat();
        assert_eq!(asked(&["bench", "--", "-a.pcap"]), typed(&expected));
    }

    #[test]
    fn times_of_children_are_found_behind_any_name() {
        let stat = "7 (a) (b c) S 1 2 3 4 5 6 7 8 9 10 11 12 250 30 20 0 1";
        assert_eq!(ticks_of_children(stat), Some(280));
        assert_eq!(ticks_of_children("7 (a) S 1"), None);
        assert!(!children_time().is_nan());
    }

    #[test]
    fn programs_are_found_and_others_are_not() {
        assert!(find("sh", Some(OsStr::new("/no/such:/bin"))).is_some());
        assert_eq!(find("no-such-program", Some(OsStr::new("/bin"))), None);
        assert_eq!(find("passwd", Some(OsStr::new("/etc"))), None);
    }
}
