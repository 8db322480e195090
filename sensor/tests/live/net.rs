//! Network namespaces, the wire between two of them, and its mirrors.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::process::Process;

pub(crate) const CLIENT: &str = "10.77.0.1";
pub(crate) const SERVER: &str = "10.77.0.2";

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A network namespace; what runs in it ends with it.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    fn new() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let namespace = Self { name: format!("spanlake-{}-{number}", std::process::id()) };
        run("ip", &["netns", "add", &namespace.name]);
        namespace.run("ip", &["link", "set", "lo", "up"]);
        // Else neighbours are looked for at any moment.
        for which in ["all", "default"] {
            namespace.run("sysctl", &["-qw", &format!("net.ipv6.conf.{which}.disable_ipv6=1")]);
        }
        namespace
    }

    /// A program in this namespace, to be started.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// Runs a program that must succeed; gives what it printed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        succeeds(self.command(program).args(arguments))
    }

    /// Runs this in a thread that is in the namespace.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        let namespace = File::open(format!("/run/netns/{}", self.name)).unwrap();
        thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            what()
        })
    }

    /// Makes an interface quiet and plain: frames are captured as they would be on a wire.
    fn set_up(&self, interface: &str, address: Option<&str>) {
        self.run("ethtool", &["-K", interface, "tx", "off", "tso", "off", "gso", "off", "gro", "off"]);
        if let Some(address) = address {
            self.run("ip", &["addr", "add", &format!("{address}/24"), "dev", interface]);
        }
        self.run("ip", &["link", "set", interface, "up"]);
    }

    /// Frames of `from` that go one way (`ingress` or `egress`) go out of `to` too.
    fn mirror(&self, from: &str, way: &str, to: &str) {
        let filter = format!(
            "filter add dev {from} {way} protocol all u32 match u32 0 0 action mirred egress mirror dev {to} continue"
        );
        self.run("tc", &filter.split(' ').collect::<Vec<_>>());
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let pids = Command::new("ip").args(["netns", "pids", &self.name]).output();
        let pids = pids.map(|output| output.stdout).unwrap_or_default();
        for pid in String::from_utf8_lossy(&pids).split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// A client and a server with a wire between them, and a sensor at one or two mirrors of it.
pub(crate) struct Wire {
    pub(crate) client: Namespace,
    pub(crate) server: Namespace,
    pub(crate) sensor: Namespace,
    /// The sensor's interfaces.
    pub(crate) mirrors: Vec<String>,
    /// Between the mirrored wire and the sensor.
    relay: Namespace,
    /// They carry frames from one side of the relay to the other. What a host sends over TCP carries the time at which it
    /// was to leave, and keeps it through veth pairs, where a wire would lose it: of such frames each reader would have a
    /// time stamp of its own.
    _bridges: Vec<Process>,
}

impl Wire {
    /// One interface sees both directions.
    pub(crate) fn mirrored() -> Self {
        Self::new(&["mon0"], &[("ingress", "mon0"), ("egress", "mon0")], true)
    }

    /// `mon0` sees both, `mon1` what the client sends, `mon2` what the server sends; without a relay, which would hold
    /// up one direction more than the other.
    pub(crate) fn split() -> Self {
        let mirrors = [("ingress", "mon0"), ("egress", "mon0"), ("ingress", "mon1"), ("egress", "mon2")];
        Self::new(&["mon0", "mon1", "mon2"], &mirrors, false)
    }

    fn new(mirrors: &[&str], directions: &[(&str, &str)], is_relayed: bool) -> Self {
        let [client, server, sensor, relay] = [(); 4].map(|()| Namespace::new());
        link((&client, "lan"), (&server, "lan"));
        let mut bridges = Vec::new();
        for mirror in mirrors {
            if !is_relayed {
                link((&server, mirror), (&sensor, mirror));
                server.set_up(mirror, None);
                sensor.set_up(mirror, None);
                continue;
            }
            let from = format!("from-{mirror}");
            link((&server, mirror), (&relay, &from));
            link((&relay, mirror), (&sensor, mirror));
            for (namespace, interface) in
                [(&server, *mirror), (&relay, &*from), (&relay, *mirror), (&sensor, *mirror)]
            {
                namespace.set_up(interface, None);
            }
            let mut bridge = relay.command("tcpbridge");
            bridge.args(["--unidir", "-i", &from, "-I", mirror]).stdout(Stdio::null());
            bridges.push(Process::start(&mut bridge));
        }
        // They do not say when they have begun.
        thread::sleep(Duration::from_millis(500));
        client.set_up("lan", Some(CLIENT));
        server.set_up("lan", Some(SERVER));
        // No faster than the relay is.
        for namespace in [&client, &server] {
            let rate = "qdisc add dev lan root tbf rate 100mbit burst 32k latency 200ms";
            namespace.run("tc", &rate.split(' ').collect::<Vec<_>>());
        }
        server.run("tc", &["qdisc", "add", "dev", "lan", "clsact"]);
        for (way, mirror) in directions {
            server.mirror("lan", way, mirror);
        }
        let mirrors = mirrors.iter().map(|&mirror| mirror.to_owned()).collect();
        Self { client, server, sensor, mirrors, relay, _bridges: bridges }
    }

    /// Sends a capture through the first mirror's port to the sensor, with these options of tcpreplay.
    pub(crate) fn send(&self, capture: &Path, options: &[&str]) -> String {
        let mut command = self.relay.command("tcpreplay");
        succeeds(command.args(["-q", "-i", &self.mirrors[0]]).args(options).arg(capture))
    }
}

fn link(one: (&Namespace, &str), other: (&Namespace, &str)) {
    let (name, peer) = (&one.0.name, &other.0.name);
    run("ip", &["link", "add", one.1, "netns", name, "type", "veth", "peer", "name", other.1, "netns", peer]);
}

fn run(program: &str, arguments: &[&str]) -> String {
    succeeds(Command::new(program).args(arguments))
}

/// Runs what must succeed; gives what it printed.
pub(crate) fn succeeds(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
    let printed = String::from_utf8_lossy(&stdout).into_owned();
    assert!(status.success(), "{command:?}: {status}\n{printed}{}", String::from_utf8_lossy(&stderr));
    printed
}
