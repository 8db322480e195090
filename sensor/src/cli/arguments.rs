//! The arguments as typed: one declaration from which parsing, help, the configuration file, completions and the man
//! pages are made.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::styling::Styles;
use clap::{Arg, ArgAction, Args, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use ipnet::IpNet;

use super::values;
use crate::bench::{Other, Stage};
use crate::capture::ring::Timestamps;
use crate::config::{Checksums, Hash, IfExists};

/// A network sensor that writes what it saw as Parquet
#[derive(Debug, Parser)]
#[command(
    name = "spanlake",
    version,
    styles = Styles::plain(),
    disable_help_subcommand = true,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = false,
    after_help = "\
Examples:
  spanlake replay capture.pcap --lake lake       read a capture into the lake
  spanlake capture -i eth1 --lake lake           read an interface until it is told to stop
  spanlake show flows --lake lake --limit 20     look at the newest flows
  spanlake schema --format duckdb --lake lake    statements that open it in DuckDB
  spanlake hunt --lake lake                      ask it in SQL
  spanlake compact --lake lake                   join its small files

`spanlake COMMAND --help` says more about each. Exit codes: 0 done, 1 failed,
2 usage, 3 done, but an input was damaged."
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Take options from a TOML file; the command line wins
    #[arg(long, value_name = "FILE", global = true, display_order = 900, value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Log more on standard error; twice for still more
    #[arg(short, long, action = ArgAction::Count, global = true, display_order = 901)]
    pub(crate) verbose: u8,
}

/// The commands; one that does not exist yet is not listed and not known.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Replay(Replay),
    Capture(Capture),
    Show(Show),
    Schema(Schema),
    Hunt(Hunt),
    Compact(Compact),
    Bench(Bench),
    Completions(Completions),
    Man(Man),
}

/// Read captures, write the lake, print a summary
#[derive(Debug, Args)]
#[command(
    override_usage = "spanlake replay [OPTIONS] --lake DIR CAPTURE...",
    after_help = "\
Examples:
  spanlake replay capture.pcap --lake lake
  spanlake replay captures/ more.pcapng.zst --lake lake --workers 4
  zcat big.pcap.gz | spanlake replay - --lake lake --filter 'not port 22'

Time-outs, limits, files and retention have options too:
  spanlake man replay | man -l -"
)]
pub(crate) struct Replay {
    /// Capture files, also compressed, folders of them, or `-`
    #[arg(value_name = "CAPTURE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) captures: Vec<PathBuf>,
    /// Folder of the lake; it is made where it does not exist
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) lake: Option<PathBuf>,
    /// replace, refuse or append what it wrote before [default: replace]
    #[arg(long, value_name = "WHAT", value_enum, hide_possible_values = true)]
    pub(crate) if_exists: Option<IfExists>,
    /// The captures are pieces of one: flows go on from file to file
    #[arg(long)]
    pub(crate) continuous: bool,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) sensing: Sensing,
    /// Summary as text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) format: Option<SummaryFormat>,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Read live interfaces until told to stop, write the lake
#[derive(Debug, Args)]
#[command(
    override_usage = "spanlake capture [OPTIONS] -i NIC... --lake DIR",
    after_help = "\
Examples:
  spanlake capture -i eth1 --lake /data/lake
  spanlake capture -i eth1 -i eth2 --lake /data/lake --keep-days 90 --workers 8

SIGTERM and SIGINT end it with all rows written, SIGHUP reads --config again.
All options of replay count here, and more:  spanlake man capture | man -l -"
)]
pub(crate) struct Capture {
    /// Interfaces; of several each may carry one direction
    #[arg(short, long, value_name = "NIC", value_delimiter = ',', value_parser = values::interface)]
    pub(crate) interface: Option<Vec<String>>,
    /// Folder of the lake; it is made where it does not exist
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) lake: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) live: Live,
    #[command(flatten)]
    pub(crate) threads: Threads,
    #[command(flatten)]
    pub(crate) sensing: Sensing,
    /// Summary as text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) format: Option<SummaryFormat>,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// How live interfaces are read, and what is told meanwhile.
#[derive(Debug, Args)]
pub(crate) struct Live {
    /// Memory of each ring, one a worker and interface [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::ring)]
    pub(crate) ring_size: Option<values::Size>,
    /// Most bytes that are kept of a packet [default: 262144]
    #[arg(long, value_name = "BYTES", value_parser = values::snap_length, help_heading = MORE)]
    pub(crate) snap_length: Option<u32>,
    /// Leave interfaces in the mode that they are in
    #[arg(long, help_heading = MORE)]
    pub(crate) no_promiscuous: bool,
    /// kernel or hardware: whose clock stamps packets [default: kernel]
    #[arg(long, value_name = "WHOSE", value_enum, hide_possible_values = true, help_heading = MORE)]
    pub(crate) timestamps: Option<Timestamps>,
    /// Cores that workers run on, as 0-3,8 [default: any]
    #[arg(long, value_name = "CORES", value_parser = values::cores, help_heading = MORE)]
    pub(crate) cores: Option<values::Cores>,
    /// How long packets wait for those of other interfaces [default: 50ms]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) merge_window: Option<Duration>,
    /// Address of the metrics, or off [default: 127.0.0.1:9477]
    #[arg(long, value_name = "ADDRESS", value_parser = values::metrics)]
    pub(crate) metrics: Option<values::Metrics>,
    /// How often files are published [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) rotate_every: Option<Duration>,
    /// Size at which files are published earlier [default: 128MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = MORE)]
    pub(crate) rotate_bytes: Option<values::Size>,
    /// Memory to stay below; near it less is analysed [default: 80 % of what there is]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = MORE)]
    pub(crate) memory: Option<values::Size>,
    /// How often each worker has a row of sensor_stats [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) stats_interval: Option<Duration>,
    /// Log as text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true, help_heading = MORE)]
    pub(crate) log_format: Option<SummaryFormat>,
    /// Folder with the counters of interfaces [default: /sys/class/net]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = MORE)]
    pub(crate) interface_counters: Option<PathBuf>,
}

/// How the work is shared out.
#[derive(Debug, Args)]
pub(crate) struct Threads {
    /// Threads that follow flows [default: all cores]
    #[arg(long, value_name = "N", value_parser = values::workers)]
    pub(crate) workers: Option<usize>,
}

/// How packets become rows.
#[derive(Debug, Args)]
pub(crate) struct Sensing {
    /// Name of this sensor in every row [default: the host's name]
    #[arg(long, value_name = "NAME", value_parser = values::sensor)]
    pub(crate) sensor: Option<String>,
    /// Read only packets that pass (libpcap's language)
    #[arg(long, value_name = "BPF", value_parser = values::filter)]
    pub(crate) filter: Option<String>,
    /// Networks that are local [default: the private ones]
    #[arg(long, value_name = "NETS", value_delimiter = ',', value_parser = values::network)]
    pub(crate) local_nets: Option<Vec<IpNet>>,
    /// auto, verify or ignore wrong checksums [default: auto]
    #[arg(long, value_name = "HOW", value_enum, hide_possible_values = true)]
    pub(crate) checksums: Option<Checksums>,
    /// Count second copies of packets like first ones
    #[arg(long)]
    pub(crate) keep_duplicates: bool,
    /// Write passwords as they are, not masked
    #[arg(long, help_heading = MORE)]
    pub(crate) passwords: bool,
    /// How often a living flow is shown [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) flow_interval: Option<Duration>,
    /// Make VLAN tags part of a flow's key
    #[arg(long, help_heading = MORE)]
    pub(crate) vlan_in_key: bool,
    /// A silent TCP flow is over after this long [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) tcp_timeout: Option<Duration>,
    /// A TCP flow that was never established is over after this long [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) tcp_attempt_timeout: Option<Duration>,
    /// A TCP flow that was closed or reset is over after this long [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) tcp_closed_timeout: Option<Duration>,
    /// A silent UDP flow is over after this long [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) udp_timeout: Option<Duration>,
    /// A silent ICMP flow is over after this long [default: 1m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) icmp_timeout: Option<Duration>,
    /// Flows followed at a time; past it the longest silent go [default: 1048576]
    #[arg(long, value_name = "N", value_parser = values::flows, help_heading = MORE)]
    pub(crate) max_flows: Option<usize>,
    /// Memory for the bytes of streams and for parts of files [default: 512MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = MORE)]
    pub(crate) stream_memory: Option<values::Size>,
    /// Memory for IP fragments [default: 32MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = MORE)]
    pub(crate) fragment_memory: Option<values::Size>,
    /// Hashes of files, of md5, sha1 and sha256 [default: sha256]
    #[arg(long, value_name = "HASHES", value_enum, value_delimiter = ',', hide_possible_values = true)]
    #[arg(help_heading = MORE)]
    pub(crate) hash: Option<Vec<Hash>>,
    /// Folder to extract files to, each content once, as sha256/ab/abcd…
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = MORE)]
    pub(crate) extract: Option<PathBuf>,
    /// MIME types to extract, as `image/*,application/x-dosexec` [default: all]
    #[arg(long, value_name = "TYPES", value_delimiter = ',', value_parser = values::mime, help_heading = MORE)]
    pub(crate) extract_types: Option<Vec<String>>,
    /// Largest file that is extracted [default: 100MiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = MORE)]
    pub(crate) extract_file_bytes: Option<values::Size>,
    /// Room for extracted files; past it the oldest go [default: 10GiB]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = MORE)]
    pub(crate) extract_bytes: Option<values::Size>,
    /// Certificates, in PEM or DER, that are trusted beside the web's roots
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = MORE)]
    pub(crate) roots: Option<PathBuf>,
    /// A certificate has a row again this long after its last one [default: each time]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, help_heading = MORE)]
    pub(crate) certificate_interval: Option<Duration>,
    /// Remove files of the lake and of --extract whose newest row, or last sight, is older than this many days by
    /// the clock on the wall [default: never]
    #[arg(long, value_name = "DAYS", value_parser = values::days, help_heading = MORE)]
    pub(crate) keep_days: Option<u32>,
    /// Remove the oldest files past this size of lake and --extract together, those of `flows` last
    /// [default: never]
    #[arg(long, value_name = "SIZE", value_parser = values::size, help_heading = MORE)]
    pub(crate) keep_bytes: Option<values::Size>,
}

/// Options that the screen of help leaves to the man page.
const MORE: &str = "More options";

/// Print rows of a table, newest first
#[derive(Debug, Args)]
#[command(
    override_usage = "spanlake show [OPTIONS] TABLE --lake DIR",
    after_help = "\
Examples:
  spanlake show flows --lake lake
  spanlake show flows --lake lake --columns ts,dst_ip.address,service --limit 5
  spanlake show anomaly --lake lake --format json

On a terminal the table is fitted to its width; in a pipe nothing is cut."
)]
pub(crate) struct Show {
    /// The table: flows, dns, anomaly, … (`spanlake schema` lists them)
    pub(crate) table: String,
    /// Folder of the lake
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) lake: Option<PathBuf>,
    /// Rows at most [default: 20]
    #[arg(long, value_name = "N", value_parser = values::limit)]
    pub(crate) limit: Option<usize>,
    /// Columns, inner ones with dots: ts,src_ip.address
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub(crate) columns: Option<Vec<String>>,
    /// Rows of this flow alone
    #[arg(long, value_name = "UID")]
    pub(crate) uid: Option<String>,
    /// text, or json: one object a row [default: text]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) format: Option<SummaryFormat>,
}

/// Print what the tables hold, or statements that open a lake
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  spanlake schema flows
  spanlake schema --format duckdb --lake lake | duckdb
  spanlake schema --format spark --lake /data/lake > lake.sql")]
pub(crate) struct Schema {
    /// One table alone [default: all]
    pub(crate) table: Option<String>,
    /// markdown, json, spark or duckdb [default: markdown]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) format: Option<SchemaFormat>,
    /// Folder of the lake, for the paths in spark and duckdb
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) lake: Option<PathBuf>,
}

/// Join small files of months that nothing was written to for a while
#[derive(Debug, Args)]
#[command(
    override_usage = "spanlake compact [OPTIONS] --lake DIR",
    after_help = "\
Readers and sensors may go on meanwhile: the folder of a month is exchanged at
once for one with the same rows in fewer files. A query that has listed files
and not yet opened them may get 'file not found', and never a row twice.

Rows that were joined cannot be replaced by replaying their capture again.

Examples:
  spanlake compact --lake lake --dry-run     what would be joined
  spanlake compact --lake lake --after 1d"
)]
pub(crate) struct Compact {
    /// Folder of the lake
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) lake: Option<PathBuf>,
    /// Join what nothing was written to for this long [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) after: Option<Duration>,
    /// Only say what would be joined
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What was joined as text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) format: Option<SummaryFormat>,
    /// Print nothing but errors
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// Measure how fast captures are read, stage by stage
#[derive(Debug, Args)]
#[command(
    override_usage = "spanlake bench [OPTIONS] CAPTURE...",
    args_override_self = true,
    after_help = "\
Each stage does what those before it do and its own on top; nothing is kept:
walk (the file's headers), decode, flows (and TCP in order), sessions, rows,
columns, encode (as Parquet), disk (the whole).

Examples:
  spanlake bench capture.pcap --workers 1,2,4 --hold-cores
  spanlake bench capture.pcap --runs 5 --against tshark,tcpdump"
)]
pub(crate) struct Bench {
    /// Capture files or folders of them
    #[arg(value_name = "CAPTURE", required = true, value_hint = ValueHint::AnyPath)]
    pub(crate) captures: Vec<PathBuf>,
    /// How often each stage runs; medians are shown [default: 3]
    #[arg(long, value_name = "N", value_parser = values::runs)]
    pub(crate) runs: Option<usize>,
    /// Numbers of threads that follow flows, one table each [default: all cores]
    #[arg(long, value_name = "N,...", value_delimiter = ',', value_parser = values::workers)]
    pub(crate) workers: Option<Vec<usize>>,
    /// Hold it to as many cores as it has workers; else the reader and the encoders use all
    #[arg(long)]
    pub(crate) hold_cores: bool,
    /// Other programs to run beside it: tshark, tcpdump, suricata, zeek
    #[arg(long, value_name = "PROGRAMS", value_delimiter = ',', value_parser = values::other)]
    pub(crate) against: Option<Vec<Other>>,
    /// Measure one stage, once and in this very process
    #[arg(long, value_name = "STAGE", value_parser = values::stage)]
    pub(crate) only: Option<Stage>,
    /// Write beside this lake [default: in the folder for temporary files]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) lake: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sensing: Sensing,
    /// Figures as text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_enum, hide_possible_values = true)]
    pub(crate) format: Option<SummaryFormat>,
}

/// SQL, saved hunts, rules and reports over a lake
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "This is the program spanlake-hunt; `spanlake hunt --help` is its help."
)]
pub(crate) struct Hunt {
    /// What that program takes
    #[arg(value_name = "ARGUMENT", trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct Completions {
    /// bash, zsh, fish, elvish or powershell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

/// Print a manual page
#[derive(Debug, Args)]
#[command(hide = true)]
pub(crate) struct Man {
    /// Of which command [default: the program's own]
    pub(crate) page: Option<String>,
}

/// How the summary is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SummaryFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// How a schema is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    /// The reference, as in the documentation.
    #[default]
    Markdown,
    /// The reference for programs.
    Json,
    /// Statements for Spark SQL.
    Spark,
    /// Statements for DuckDB.
    Duckdb,
}

/// The whole command line with every option visible, as the man pages show it.
pub fn command() -> clap::Command {
    Arguments::command().mut_subcommands(with_negations)
}

/// The command line as it is parsed: its screens of help leave out what the man pages add.
pub(crate) fn command_with_short_help() -> clap::Command {
    command().mut_subcommands(|sub| {
        sub.mut_args(|arg| {
            let more = arg.get_help_heading() == Some(MORE);
            if more { arg.hide(true) } else { arg }
        })
    })
}

/// Gives each switch a hidden `--no-…`, so that the command line can take back what the configuration file says.
fn with_negations(command: clap::Command) -> clap::Command {
    let negations: Vec<Arg> = command
        .get_arguments()
        .filter(|arg| matches!(arg.get_action(), ArgAction::SetTrue))
        .filter_map(|arg| {
            let name = format!("no-{}", arg.get_long()?);
            let negation = Arg::new(name.clone()).long(name).action(ArgAction::SetTrue).hide(true);
            Some(negation.overrides_with(arg.get_id()))
        })
        .collect();
    command.args(negations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn every_help_fits_a_screen() {
        let mut whole = command_with_short_help();
        whole.build();
        let mut commands: Vec<clap::Command> = whole.get_subcommands().cloned().collect();
        commands.push(whole);
        for command in commands {
            let mut command = command.term_width(100);
            let help = command.render_help().to_string();
            assert!(help.lines().count() <= 40, "{help}");
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    }

    #[test]
    fn help_names_every_value_that_an_option_takes() {
        for sub in command().get_subcommands() {
            for arg in sub.get_arguments().filter(|arg| arg.is_hide_possible_values_set()) {
                let help = arg.get_help().expect("every option has a help").to_string();
                for value in arg.get_possible_values() {
                    assert!(help.contains(value.get_name()), "{help}");
                }
            }
        }
    }
}
