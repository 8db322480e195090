//! `--follow`: rules over a lake that lives.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::scene::{NOVEMBER, Scene, query, spanlake};

/// A runner that follows the lake, with what it tells.
struct Follower {
    runner: Child,
    lines: Receiver<String>,
    complaints: Receiver<String>,
}

impl Follower {
    fn start(scene: &Scene, rules: &[&str]) -> Self {
        let mut command = scene.command(rules);
        command.args(["--follow", "--every", "1", "--format", "json"]);
        let mut runner = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = read_lines(runner.stdout.take().unwrap());
        let complaints = read_lines(runner.stderr.take().unwrap());
        Self { runner, lines, complaints }
    }

    /// The next signal that is told.
    fn next(&self) -> serde_json::Value {
        let line = self.lines.recv_timeout(Duration::from_secs(60)).expect("a signal");
        serde_json::from_str(&line).unwrap()
    }

    /// Tells it to stop; gives its exit code.
    fn stop(mut self, signal: &str) -> Option<i32> {
        let killed = Command::new("kill").arg(signal).arg(self.runner.id().to_string()).status().unwrap();
        assert!(killed.success());
        let status = self.runner.wait().unwrap();
        assert_eq!(status.signal(), None, "it did not end by itself");
        status.code()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.runner.kill();
        let _ = self.runner.wait();
    }
}

fn read_lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    receiver
}

#[test]
fn what_comes_is_told_and_the_end_is_clean() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'high'\nwindow = '1h'\nkey = ['client']");
    scene.rule("broken", "severity = 'high'\nkey = ['nobody']");
    let follower = Follower::start(&scene, &["bad-names", "broken", "--fail-on", "critical"]);
    scene.publish(1, &[query(NOVEMBER, 1, "bad.a")]);
    assert_eq!(follower.next()["key"], "client=10.1.1.1");
    scene.publish(2, &[query(NOVEMBER, 1, "bad.a"), query(NOVEMBER + 3600, 2, "bad.b")]);
    assert_eq!(follower.next()["key"], "client=10.1.1.2");
    // All files go, and others come.
    fs::remove_dir_all(scene.lake().join("dns")).unwrap();
    scene.publish(3, &[query(NOVEMBER - 3600, 3, "bad.c")]);
    assert_eq!(follower.next()["key"], "client=10.1.1.3");
    // The broken rule was told of once, however often it was tried.
    let said: Vec<String> = follower.complaints.try_iter().collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("rule 'broken'"), "{said:?}");
    // It is the broken rule that makes it one that failed.
    assert_eq!(follower.stop("-TERM"), Some(1));
    assert_eq!(scene.table().len(), 3);
}

#[test]
fn it_ends_by_an_interrupt_and_says_whether_what_was_feared_came() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'high'\nkey = ['client']");
    let follower = Follower::start(&scene, &["bad-names", "--fail-on", "high"]);
    scene.publish(1, &[query(NOVEMBER, 1, "bad.a")]);
    follower.next();
    assert_eq!(follower.stop("-INT"), Some(4));
    let follower = Follower::start(&scene, &["bad-names", "--fail-on", "high"]);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(follower.stop("-INT"), Some(0));
}

/// A lake that a sensor writes, and that is joined, while rules are run over it.
#[test]
fn a_lake_that_is_written_and_joined_meanwhile_gives_each_signal_once() {
    let pcaps = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps");
    let scene = Scene::new();
    scene.hunt(
        "names",
        "SELECT query, count(*) AS queries, min(ts) AS first_seen FROM dns WHERE query IS NOT NULL GROUP BY query",
        "query",
        "severity = 'info'\nwindow = '1h'\nkey = ['query']\ncount = 'queries'\n\
         [rule.evidence]\ntable = 'dns'\nquery = 'query'",
    );
    let follower = Follower::start(&scene, &["names"]);
    let captures: Vec<_> = ["tunnel", "generated", "agents", "trackers"]
        .iter()
        .map(|name| pcaps.join(format!("hunts/{name}.pcap.gz")))
        .chain([pcaps.join("dns")])
        .collect();
    for (number, capture) in captures.iter().enumerate() {
        let sensor = format!("sensor-{number}");
        let replayed = spanlake()
            .arg("replay")
            .arg(capture)
            .arg("--lake")
            .arg(scene.lake())
            .args(["--sensor", &sensor])
            .output()
            .unwrap();
        assert!(matches!(replayed.status.code(), Some(0 | 3)), "{replayed:?}");
        std::thread::sleep(Duration::from_millis(1300));
        let joined =
            spanlake().args(["compact", "--after", "1s", "--lake"]).arg(scene.lake()).output().unwrap();
        assert!(joined.status.success(), "{joined:?}");
    }
    // All that there is to find.
    let lake = hunt::engine::Lake::open(&scene.lake(), hunt::engine::MEMORY).unwrap();
    let wanted = lake
        .query("SELECT DISTINCT query, floor(date_part('epoch', ts) / 3600) AS hour FROM dns WHERE query IS NOT NULL")
        .unwrap()
        .rows();
    assert!(wanted > 50, "{wanted}");
    let mut told = Vec::new();
    while told.len() < wanted {
        told.push(follower.next()["signal_id"].as_str().unwrap().to_owned());
    }
    std::thread::sleep(Duration::from_millis(2500));
    told.extend(follower.lines.try_iter());
    assert_eq!(told.len(), wanted, "more was told than there is");
    assert_eq!(follower.complaints.try_iter().collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(follower.stop("-TERM"), Some(0));
    let counted = scene.counted();
    assert_eq!(counted.len(), wanted);
    assert!(counted.values().all(|times| *times == 1), "{counted:?}");
}
