//! Signals to syslog, as RFC 5424 has it: a datagram each, to a socket of this machine or by UDP (RFC 5426).

use std::fmt::Write;
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Refusal, Sink};
use crate::output::escape::escaped;
use crate::rules::rule::Severity;
use crate::rules::signal::{Signal, cut, time};

/// The socket of the local syslog.
pub(super) const LOCAL: &str = "/dev/log";

/// A syslog.
pub(super) struct Syslog {
    place: Place,
    host: String,
}

enum Place {
    Socket { path: PathBuf, open: Option<UnixDatagram> },
    Host { name: String, open: Option<UdpSocket> },
}

impl Syslog {
    /// By a socket of this machine.
    pub(super) fn local(path: impl Into<PathBuf>) -> Self {
        Self { place: Place::Socket { path: path.into(), open: None }, host: host() }
    }

    /// At another machine: `host`, `host:port`, `[address]:port`.
    pub(super) fn at(place: &str) -> Result<Self> {
        let place = place.trim_end_matches('/');
        let has_port = place.rsplit_once(':').is_some_and(|(host, port)| {
            port.parse::<u16>().is_ok() && (host.ends_with(']') || !host.contains(':'))
        });
        let name = if has_port { place.to_owned() } else { format!("{place}:{PORT}") };
        if place.is_empty() {
            bail!("syslog:// names no host");
        }
        Ok(Self { place: Place::Host { name, open: None }, host: host() })
    }

    fn message(&self, signal: &Signal) -> String {
        let mut out = format!(
            "<{}>1 {} {} spanlake-hunt {} signal [{SD_ID}",
            FACILITY * 8 + priority(signal.severity),
            time(signal.ts),
            self.host,
            std::process::id()
        );
        let uids = signal.uids.iter().take(UIDS).map(String::as_str).collect::<Vec<_>>().join(" ");
        let addresses =
            [signal.src_ip, signal.dst_ip].map(|address| address.map(|address| address.to_string()));
        for (name, value) in [
            ("signal_id", signal.signal_id.as_str()),
            ("rule", &signal.rule),
            ("severity", signal.severity.name()),
            ("technique", &signal.technique),
            ("src_ip", addresses[0].as_deref().unwrap_or_default()),
            ("dst_ip", addresses[1].as_deref().unwrap_or_default()),
            ("key", &signal.key),
            ("window_start", &time(signal.window_start)),
            ("window_end", &time(signal.window_end)),
            ("occurrences", &signal.occurrences.to_string()),
            ("uids", &uids),
        ] {
            if !value.is_empty() {
                // Writing into a text does not fail.
                let _ = write!(out, " {name}=\"{}\"", parameter(value));
            }
        }
        let _ = write!(out, "] {}", signal.line());
        cut(out, MOST)
    }
}

impl Sink for Syslog {
    fn send(&mut self, signal: &Signal) -> Result<(), Refusal> {
        let message = self.message(signal);
        let sent = match &mut self.place {
            Place::Socket { path, open } => {
                let socket = match open.take() {
                    Some(socket) => socket,
                    None => {
                        let socket = UnixDatagram::unbound().context("making a socket")?;
                        socket
                            .connect(&*path)
                            .with_context(|| format!("connecting to {}", path.display()))?;
                        // Such sockets hold few messages: a burst waits for who reads them.
                        socket.set_write_timeout(Some(PATIENCE)).context("making a socket")?;
                        socket
                    }
                };
                socket.send(message.as_bytes()).map(|_| *open = Some(socket))
            }
            Place::Host { name, open } => {
                let socket = match open.take() {
                    Some(socket) => socket,
                    None => connect(name)?,
                };
                socket.send(message.as_bytes()).map(|_| *open = Some(socket))
            }
        };
        // Whatever is wrong with the socket: the next is made anew.
        Ok(sent.context("sending")?)
    }
}

fn connect(name: &str) -> Result<UdpSocket> {
    let mut error = None;
    for address in name.to_socket_addrs().with_context(|| format!("looking up {name}"))? {
        let any = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
        match UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket)) {
            Ok(socket) => return Ok(socket),
            Err(why) => error = Some(why),
        }
    }
    match error {
        Some(error) => Err(error).with_context(|| format!("connecting to {name}")),
        None => bail!("{name} has no address"),
    }
}

/// A value of structured data: `"`, `\` and `]` stand behind a backslash.
fn parameter(value: &str) -> String {
    let mut out = String::new();
    for character in escaped(value).chars() {
        if matches!(character, '"' | '\\' | ']') {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

fn priority(severity: Severity) -> u8 {
    match severity {
        Severity::Critical => 2,
        Severity::High => 3,
        Severity::Medium => 4,
        Severity::Low => 5,
        Severity::Info => 6,
    }
}

/// The name of this machine, as a message takes it.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

/// Local use 0.
const FACILITY: u8 = 16;

/// The number is the one that is kept free for such use where a program has none of its own.
const SD_ID: &str = "spanlake@32473";

const PORT: u16 = 514;

/// How long a syslog may take to read a message.
const PATIENCE: Duration = Duration::from_secs(5);

/// Flows that a message names.
const UIDS: usize = 10;

/// Bytes of a message: what receivers take.
const MOST: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_end_its_parameter() {
        assert_eq!(parameter("a\"] b\\\x1b\u{202e}"), r#"a\"\] b\\\\u{1b}\\u{202e}"#);
    }

    #[test]
    fn hosts_come_with_and_without_a_port() {
        for (place, name) in [
            ("logs.example.test", "logs.example.test:514"),
            ("logs.example.test:1514", "logs.example.test:1514"),
            ("[::1]:1514", "[::1]:1514"),
            ("[::1]", "[::1]:514"),
            ("192.0.2.1/", "192.0.2.1:514"),
        ] {
            let Ok(Syslog { place: Place::Host { name: found, .. }, .. }) = Syslog::at(place) else {
                panic!("{place}");
            };
            assert_eq!(found, name);
        }
        assert!(Syslog::at("").is_err());
    }
}
