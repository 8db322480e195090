//! The runner is killed at any moment and started again: each signal stands in the table once, and each was told.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::scene::{NOVEMBER, Query, Scene, complaints, query};

const HOUR: i64 = 3600;

/// Bad queries of so many clients in an hour.
fn hour(hour: i64, clients: u8) -> Vec<Query> {
    (1..=clients).map(|client| query(NOVEMBER + hour * HOUR, client, "bad.a")).collect()
}

/// A syslog that hears what is told.
struct Syslog {
    to: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Syslog {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let to_tell = heard.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 16384];
            while let Ok(length) = socket.recv(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..length]);
                let id = text.split_once("signal_id=\"").expect("a signal").1;
                to_tell.lock().unwrap().push(id[..32].to_owned());
            }
        });
        Self { to: format!("syslog:{}", path.display()), heard }
    }

    /// The identifiers that were heard, each as often as it was.
    fn heard(&self) -> Vec<String> {
        // What was sent has been sent; it may not have been read yet.
        std::thread::sleep(Duration::from_millis(300));
        self.heard.lock().unwrap().clone()
    }
}

#[test]
fn killed_at_each_of_its_steps_it_raises_each_signal_once() {
    for step in [
        "scanned",
        "staged",
        "numbered",
        "committed",
        "published",
        "written",
        "posted",
        "ended",
        "remembered",
        "delivered",
        "noted",
    ] {
        let scene = Scene::new();
        scene.rule("bad-names", "severity = 'high'\nwindow = '1h'\nkey = ['client']\nsuppress = '2h'");
        let syslog = Syslog::at(&scene.path("log"));
        // Two months: two files with signals.
        scene.publish(1, &[query(NOVEMBER, 1, "bad.a"), query(NOVEMBER - HOUR, 2, "bad.a")]);
        let arguments = ["bad-names", "--to", &syslog.to, "--fail-on", "high"];
        let died = scene.command(&arguments).env("SPANLAKE_HUNT_DIE_AT", step).output().unwrap();
        assert_eq!(died.status.signal(), Some(6), "{step}: {died:?}");
        let again = scene.run(&arguments);
        // What was committed and not carried out is of this run, as is what was not even committed.
        let is_over = ["ended", "remembered", "delivered", "noted"].contains(&step);
        assert_eq!(again.status.code(), Some(if is_over { 0 } else { 4 }), "{step}: {}", complaints(&again));
        assert_eq!(scene.run(&arguments).status.code(), Some(0), "{step}");
        let counted = scene.counted();
        assert_eq!(counted.len(), 2, "{step}: {counted:?}");
        assert!(counted.values().all(|times| *times == 1), "{step}: {counted:?}");
        let heard = syslog.heard();
        let different: BTreeSet<&String> = heard.iter().collect();
        assert_eq!(different.len(), 2, "{step}: {heard:?}");
        // Killed between a delivery and its note it tells one signal once more.
        assert_eq!(heard.len(), if step == "delivered" { 3 } else { 2 }, "{step}");
        let memory = scene.lake().join("signal/.hunt/staged");
        assert_eq!(std::fs::read_dir(memory).unwrap().count(), 0, "{step}");
    }
}

#[test]
fn killed_again_and_again_while_files_come_it_raises_each_signal_once() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'high'\nwindow = '1h'\nkey = ['client']");
    scene.rule("third-time", "severity = 'low'\nwindow = '1d'\nkey = ['client']\nthreshold = 3");
    let syslog = Syslog::at(&scene.path("log"));
    let arguments = ["bad-names", "third-time", "--to", &syslog.to];
    // How long a run takes here, so that kills are spread over all of it.
    scene.publish(1, &hour(0, 40));
    let begun = std::time::Instant::now();
    assert!(scene.run(&arguments).status.success());
    let mut whole = begun.elapsed();
    let mut killed = 0;
    const ROUNDS: u32 = 12;
    for round in 1..=ROUNDS {
        scene.publish(1 + u64::from(round), &hour(i64::from(round), 40));
        let mut runner =
            scene.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Most of the time goes before anything is written.
        let (begun, after) = (std::time::Instant::now(), whole * (ROUNDS + round) / (2 * ROUNDS + 2));
        while begun.elapsed() < after {
            if runner.try_wait().unwrap().is_some() {
                // The run that was measured was slow, beside other tests: the next is killed sooner.
                whole = whole.min(begun.elapsed());
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        runner.kill().unwrap();
        killed += u32::from(runner.wait().unwrap().signal() == Some(9));
    }
    assert!(killed > ROUNDS / 3, "{killed} of {ROUNDS} were killed");
    assert!(scene.run(&arguments).status.success());
    let everything: BTreeSet<String> = syslog.heard().into_iter().collect();
    let table = scene.table();
    let different: BTreeSet<_> = table.iter().map(|found| (&found.rule, &found.key, found.window)).collect();
    assert_eq!(different.len(), table.len(), "a signal came twice");
    assert_eq!(table.iter().filter(|found| found.rule == "bad-names").count(), 40 * 13);
    assert_eq!(table.iter().filter(|found| found.rule == "third-time").count(), 40);
    assert_eq!(everything.len(), table.len(), "a signal was not told");
}

#[test]
fn two_runs_at_once_are_refused() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'high'\nkey = ['client']");
    scene.publish(1, &hour(0, 2));
    let mut first = scene
        .command(&["bad-names", "--follow", "--every", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lock = scene.lake().join("signal/.hunt/lock");
    while std::fs::read_to_string(&lock).unwrap_or_default().is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let second = scene.run(&["bad-names"]);
    assert_eq!(second.status.code(), Some(1));
    let said = complaints(&second);
    assert!(said.contains(&format!("(process {}): one at a time", first.id())), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    first.kill().unwrap();
    first.wait().unwrap();
    // The lock went with the process.
    assert!(scene.run(&["bad-names"]).status.success());
    assert_eq!(scene.table().len(), 2);
}

#[test]
fn where_signals_cannot_be_written_it_is_told_what_is_needed() {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'high'\nkey = ['client']");
    // In the way of whoever runs this, root included.
    std::fs::write(scene.lake().join("signal"), "").unwrap();
    let output = scene.run(&["bad-names"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaints(&output).contains("rules need the right to write "), "{output:?}");
    assert_eq!(complaints(&output).lines().count(), 1);
}
