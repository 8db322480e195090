//! Other programs on the same captures in the same run. Each does the work that is nearest to a stage of ours, and is
//! held against that stage, both as seen from outside: with the start and the end of the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::StageTable;
use super::child::{self, Outside};
use super::stage::Stage;

/// Another program that reads captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Other {
    /// Wireshark's, without a window.
    Tshark,
    /// libpcap's.
    Tcpdump,
    /// Suricata, without rules.
    Suricata,
    /// Zeek, with its standard scripts.
    Zeek,
}

/// What stands for the capture in [`Other::arguments`].
const FILE: &str = "FILE";

/// What stands for a folder that is thrown away.
const FOLDER: &str = "FOLDER";

impl Other {
    /// All that there are.
    pub const ALL: [Self; 4] = [Self::Tshark, Self::Tcpdump, Self::Suricata, Self::Zeek];

    /// As the program is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tshark => "tshark",
            Self::Tcpdump => "tcpdump",
            Self::Suricata => "suricata",
            Self::Zeek => "zeek",
        }
    }

    /// The stage of ours that does most nearly the same.
    pub(super) fn beside(self) -> Stage {
        match self {
            Self::Tcpdump => Stage::Walk,
            Self::Tshark | Self::Suricata | Self::Zeek => Stage::Disk,
        }
    }

    /// What it is told.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Tcpdump => &["-nn", "-r", FILE, "-w", "/dev/null"],
            // So much that it has to take all packets apart and put streams in order. With -q alone it would do neither.
            #[rustfmt::skip]
            Self::Tshark => &[
                "-n", "-r", FILE, "-T", "fields",
                "-e", "frame.time_epoch", "-e", "ip.src", "-e", "ip.dst", "-e", "ipv6.src", "-e", "ipv6.dst",
                "-e", "tcp.stream", "-e", "udp.stream", "-e", "_ws.col.protocol", "-e", "dns.qry.name",
                "-e", "http.host", "-e", "http.request.uri", "-e", "tls.handshake.extensions_server_name",
            ],
            Self::Suricata => &["-r", FILE, "-l", FOLDER, "-k", "none", "-S", "/dev/null"],
            Self::Zeek => &["-C", "-r", FILE],
        }
    }

    /// Its command for a capture; it runs in `folder`, and leaves there what it writes.
    fn command(self, program: &Path, capture: &Path, folder: &Path) -> Command {
        let mut command = Command::new(program);
        for argument in self.arguments() {
            match *argument {
                FILE => command.arg(capture),
                FOLDER => command.arg(folder),
                argument => command.arg(argument),
            };
        }
        command.current_dir(folder).stdout(Stdio::null());
        command
    }
}

/// What came of another program.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which.
    pub other: Other,
    /// Its command, with `FILE` for the capture.
    pub command: String,
    /// What it took, and what our stage took beside it; or why it did not run to its end.
    pub result: Result<Held, String>,
}

/// What another program took, held against ours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Held {
    /// Median of its runs.
    pub theirs: Outside,
    /// Median of those of our stage.
    pub ours: Outside,
}

/// The other programs of a run.
pub(super) struct Others(Vec<Running>);

struct Running {
    other: Other,
    /// Where it is, or why it does not run.
    program: Result<PathBuf, String>,
    runs: Vec<Outside>,
}

impl Others {
    /// Looks for them.
    pub(super) fn find(wanted: &[Other]) -> Self {
        let path = std::env::var_os("PATH");
        let running = |other: &Other| {
            let found = child::find(other.name(), path.as_deref());
            Running { other: *other, program: found.ok_or("not installed".to_owned()), runs: Vec::new() }
        };
        Self(wanted.iter().map(running).collect())
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.iter().filter(|running| running.program.is_ok()).count()
    }

    /// Runs each once over all captures; one that fails does not run again.
    pub(super) fn run(&mut self, captures: &[PathBuf], begin: impl Fn(&str)) -> Result<()> {
        for running in &mut self.0 {
            let Ok(program) = &running.program else { continue };
            begin(running.other.name());
            match over_all(running.other, program, captures)? {
                Ok(outside) => running.runs.push(outside),
                Err(why) => running.program = Err(why),
            }
        }
        Ok(())
    }

    /// What came of them, beside our stages of `table`.
    pub(super) fn outcomes(self, table: Option<&StageTable>) -> Vec<Outcome> {
        let outcome = |Running { other, program, runs }: Running| {
            let beside = table.and_then(|table| table.stage(other.beside()));
            let ours = beside.map_or_else(Outside::default, |stage| stage.outside);
            let result = program.map(|_| Held { theirs: Outside::median(&runs), ours });
            let command = [&[other.name()], other.arguments()].concat().join(" ");
            Outcome { other, command, result }
        };
        self.0.into_iter().map(outcome).collect()
    }
}

/// Runs a program over the captures, one after the other. Inside: why it failed.
fn over_all(other: Other, program: &Path, captures: &[PathBuf]) -> Result<Result<Outside, String>> {
    let mut sum = Outside::default();
    for capture in captures {
        let folder = Folder::new(other)?;
        let capture = std::path::absolute(capture)?;
        let (output, outside) = match child::run(&mut other.command(program, &capture, &folder.0)) {
            Ok(ran) => ran,
            Err(error) => return Ok(Err(format!("{}: {error}", program.display()))),
        };
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.trim().lines().next_back().unwrap_or("nothing said");
            return Ok(Err(format!("{}: {last} ({})", capture.display(), output.status)));
        }
        sum.wall += outside.wall;
        sum.cpu += outside.cpu;
    }
    Ok(Ok(sum))
}

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(other: Other) -> Result<Self> {
        let name = format!("spanlake-bench-{}-{}", other.name(), std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).with_context(|| format!("making the folder {}", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays in the place for such things is no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::table;
    use super::*;

    #[test]
    fn each_program_reads_the_capture_and_tells_nobody() {
        for other in Other::ALL {
            let command = other.command(Path::new("/bin/it"), Path::new("/a.pcap"), Path::new("/tmp"));
            assert_eq!(command.get_args().filter(|argument| *argument == "/a.pcap").count(), 1);
            assert!(command.get_args().all(|argument| argument != FILE && argument != FOLDER));
        }
    }

    #[test]
    fn a_program_is_held_against_the_stage_that_is_like_it() {
        let theirs = Outside { wall: 1.0, cpu: 2.0 };
        let running = |other, program| Running { other, program, runs: vec![theirs; 3] };
        let others = Others(vec![
            running(Other::Tcpdump, Ok(PathBuf::from("/bin/tcpdump"))),
            running(Other::Tshark, Ok(PathBuf::from("/bin/tshark"))),
            running(Other::Zeek, Err("not installed".to_owned())),
        ]);
        assert_eq!(others.count(), 2);
        let outcomes = others.outcomes(Some(&table(1, 1.0)));
        let results: Vec<_> = outcomes.iter().map(|outcome| outcome.result.clone()).collect();
        let held = |wall, cpu| Ok(Held { theirs, ours: Outside { wall, cpu } });
        assert_eq!(results, [held(0.5, 1.0), held(4.0, 8.0), Err("not installed".to_owned())]);
        assert_eq!(outcomes[0].command, "tcpdump -nn -r FILE -w /dev/null");
    }

    #[test]
    fn a_program_that_fails_says_why_and_is_not_run_again() {
        let failing = over_all(Other::Tcpdump, Path::new("/bin/false"), &[PathBuf::from("a.pcap")]);
        assert!(failing.unwrap().unwrap_err().contains("a.pcap: nothing said"));
        let missing = over_all(Other::Zeek, Path::new("/no/such"), &[PathBuf::from("a.pcap")]);
        assert!(missing.unwrap().unwrap_err().contains("/no/such: No such file"));
    }
}
