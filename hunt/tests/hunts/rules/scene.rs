//! A lake of DNS rows, a folder of rules, and the program.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use hunt::engine::{Lake, MEMORY};
use schemas::batch::Batch;
use schemas::column::Names;
use schemas::dns::Dns;
use schemas::envelope::Envelope;
use schemas::pending::Pending;
use schemas::row_group::TableFile;
use schemas::table::DNS;

/// 2026-11-01 00:00 in seconds: windows of an hour and of a day begin here.
pub(crate) const NOVEMBER: i64 = 1_793_491_200;

/// A query of a client (10.1.1.x) at a time in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Query {
    pub(crate) ts: i64,
    pub(crate) client: u8,
    pub(crate) name: &'static str,
}

pub(crate) fn query(ts: i64, client: u8, name: &'static str) -> Query {
    Query { ts, client, name }
}

/// A lake and what belongs to it.
pub(crate) struct Scene {
    folder: tempfile::TempDir,
}

/// What a signal says, as far as tests ask.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) rule: String,
    pub(crate) key: String,
    pub(crate) window: i64,
    pub(crate) occurrences: i64,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(scene.lake()).unwrap();
        fs::create_dir(scene.folder.path().join("hunts")).unwrap();
        scene
    }

    pub(crate) fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A rule over queries that begin with `bad`.
    pub(crate) fn rule(&self, name: &str, rule: &str) {
        let sql = "SELECT ts, uid, src_ip.address AS client, dst_ip.address AS server, query FROM dns WHERE query LIKE 'bad%'";
        self.hunt(name, sql, "ts, uid", rule);
    }

    pub(crate) fn hunt(&self, name: &str, sql: &str, order_by: &str, rule: &str) {
        let text = format!(
            "title = 'Bad names'\ntopic = 'dns'\nwhy = 'w'\nhit = 'h'\nfalse_positives = 'f'\ntechnique = 'T1071.004'\n\
             order_by = '{order_by}'\nsql = \"\"\"{sql}\"\"\"\n[rule]\n{rule}\n"
        );
        fs::write(self.path("hunts").join(format!("{name}.toml")), text).unwrap();
    }

    /// Publishes a file as a sensor does.
    pub(crate) fn publish(&self, input: u64, queries: &[Query]) {
        publish(&self.lake(), input, queries);
    }

    /// `spanlake hunt run` with these rules.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.arg("run").arg("--lake").arg(self.lake()).arg("--hunts").arg(self.path("hunts"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it, and it has to end well; gives its lines of JSON.
    pub(crate) fn signals(&self, rule: &str) -> Vec<serde_json::Value> {
        let output = self.run(&[rule, "--format", "json"]);
        assert!(output.status.success(), "{output:?}");
        json(&output)
    }

    /// The table of signals.
    pub(crate) fn table(&self) -> Vec<Found> {
        let lake = Lake::open(&self.lake(), MEMORY).unwrap();
        let answer = lake
            .query("SELECT rule, key, cast(date_part('epoch', window_start) AS bigint) AS window, occurrences FROM signal")
            .unwrap();
        let mut found = Vec::new();
        for batch in &answer.batches {
            let cells = hunt::output::Cells::new(batch).unwrap();
            for row in 0..cells.rows() {
                let cell = |column| cells.cell(row, column).unwrap();
                found.push(Found {
                    rule: cell(0),
                    key: cell(1),
                    window: cell(2).parse().unwrap(),
                    occurrences: cell(3).parse().unwrap(),
                });
            }
        }
        found.sort();
        found
    }

    /// Of each signal how often it stands in the table.
    pub(crate) fn counted(&self) -> BTreeMap<(String, i64), usize> {
        let mut counted = BTreeMap::new();
        for found in self.table() {
            *counted.entry((found.key, found.window)).or_default() += 1;
        }
        counted
    }
}

/// Lines of JSON on standard output.
pub(crate) fn json(output: &Output) -> Vec<serde_json::Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// What stands on standard error.
pub(crate) fn complaints(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Publishes a file of queries in each month that they are of.
pub(crate) fn publish(lake: &Path, input: u64, queries: &[Query]) {
    let mut batch = Batch::<Dns>::default();
    let mut queries = queries.to_vec();
    queries.sort_by_key(|query| query.ts);
    for (at, query) in queries.iter().enumerate() {
        let address = |last| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 1, 1, last];
        let envelope = Envelope {
            ts: query.ts * 1_000_000_000,
            uid: (u128::from(input) << 64) | (at as u128 + 1),
            src: address(query.client),
            dst: address(250),
            has_endpoints: true,
            src_port: 4000,
            dst_port: 53,
            protocol: 17,
            ..Envelope::default()
        };
        batch.push(envelope, |arena| Dns {
            query: arena.text_with(|out| out.extend_from_slice(query.name.as_bytes())),
            ..Dns::default()
        });
    }
    let names = Names { sensor: "test".to_owned(), sources: vec!["test.pcap".to_owned()] };
    let mut pending = Pending::new(&DNS);
    let mut groups = pending.add([batch]);
    groups.extend(pending.finish());
    for (ordinal, group) in groups.iter().enumerate() {
        let folder = lake.join(format!("dns/year={}/month={}", group.month.year, group.month.month));
        fs::create_dir_all(&folder).unwrap();
        let name = format!("test-{input:016x}-{ordinal:05}.parquet");
        let hidden = folder.join(format!(".{name}.tmp"));
        let mut file = TableFile::new(group.table, File::create(&hidden).unwrap(), "test", "1").unwrap();
        file.append(group, group.encode(0..group.columns(), &names).unwrap()).unwrap();
        file.note("spanlake.inputs", &format!("{input:016x}"));
        file.finish().unwrap();
        fs::rename(&hidden, folder.join(name)).unwrap();
    }
}

/// The program that is tested, unless another is named.
fn program() -> PathBuf {
    std::env::var_os("SPANLAKE_HUNT_BIN").map_or(env!("CARGO_BIN_EXE_spanlake-hunt").into(), PathBuf::from)
}

/// The program that captures, replays and compacts; it is built with the workspace.
pub(crate) fn spanlake() -> Command {
    let beside = Path::new(env!("CARGO_BIN_EXE_spanlake-hunt")).with_file_name("spanlake");
    let path = std::env::var_os("SPANLAKE_BIN").map_or(beside, PathBuf::from);
    assert!(path.exists(), "{} is missing: cargo build --bin spanlake", path.display());
    Command::new(path)
}
