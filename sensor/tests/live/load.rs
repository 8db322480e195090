//! Small exchanges without an end, each told from all others by its name.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::net::{SERVER, Wire};

const PATIENCE: Duration = Duration::from_secs(2);

/// Clients at work; they stop when this goes.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<String>>>,
}

/// Names of the exchanges that came to their end, in order.
pub(crate) struct Done {
    /// Queries of DNS.
    pub(crate) dns: Vec<String>,
    /// URIs of HTTP.
    pub(crate) http: Vec<String>,
}

impl Load {
    /// Exchanges of either kind, one each `pause`.
    pub(crate) fn start(wire: &Wire, label: &'static str, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = [resolve, fetch].map(|exchange: fn(&str) -> Option<String>| {
            let stop = Arc::clone(&stop);
            wire.client.spawn(move || {
                let mut done = Vec::new();
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    done.extend(exchange(&format!("{label}{number}")));
                    number += 1;
                    thread::sleep(pause);
                }
                done
            })
        });
        Self { stop, threads: threads.into() }
    }

    pub(crate) fn stop(mut self) -> Done {
        self.stop.store(true, Ordering::Relaxed);
        let mut done = self.threads.drain(..).map(|thread| thread.join().unwrap());
        let (dns, http) = (done.next().unwrap(), done.next().unwrap());
        Done { dns, http }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Asks for an address; gives the name where there was an answer.
fn resolve(name: &str) -> Option<String> {
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [name, "any", "example", "test", ""] {
        query.push(label.len() as u8);
        query.extend(label.as_bytes());
    }
    query.extend([0, 1, 0, 1]);
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send_to(&query, (SERVER, 53)).ok()?;
    socket.recv(&mut [0; 512]).ok()?;
    Some(format!("{name}.any.example.test"))
}

/// Asks for a page on a connection of its own; gives the URI where it came.
fn fetch(name: &str) -> Option<String> {
    let server: SocketAddr = format!("{SERVER}:80").parse().unwrap();
    let mut stream = TcpStream::connect_timeout(&server, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let uri = format!("/any/{name}");
    let request = format!("GET {uri} HTTP/1.1\r\nHost: www.example.test\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.contains(&uri).then_some(uri)
}
