//! Certificates (X.509, RFC 5280) that protocols show in their handshakes: what they say, and whether a chain of them holds.
//!
//! A protocol hands over what it was shown ([`observe`]) and gets back what its own row says of it. Certificates are read
//! once and kept in the worker's [`Certificates`].

mod cache;
mod certificate;
mod roots;
mod row;

use std::sync::Arc;

use schemas::anomaly::AnomalyName;
use smallvec::SmallVec;

use crate::context::Context;

pub use cache::Certificates;
pub use certificate::{Certificate, Texts};
pub use roots::{NoRoots, Roots};

const NAME: &str = "x509";

/// Most certificates of a chain that are looked at; more are told as an anomaly.
pub const MAX_CHAIN: usize = 64;

/// Who showed a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The server, in nearly every handshake.
    Server,
    /// The client, where it was asked for one.
    Client,
}

/// What is known of a chain that was shown in a handshake.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// As they were sent, the leaf first.
    pub certificates: SmallVec<[Arc<Certificate>; 4]>,
    /// Whether a server's chain holds at the time of the packet, of a fixed set of answers; none of a client's chain, and
    /// of an empty one.
    pub validation_status: Option<&'static str>,
    /// Whether the name that was asked for is one of the server's leaf; none where no name was asked for.
    pub sni_matches_cert: Option<bool>,
}

/// Reads a chain of DER certificates, leaf first: writes a row of `x509` for each, tells what is odd about them, and
/// validates a server's chain at the time `cx.now`. `server_name` is the name that the client asked for.
pub fn observe(chain: &[&[u8]], holder: Holder, server_name: Option<&[u8]>, cx: &mut Context<'_>) -> Chain {
    let _ = server_name;
    let mut cache = cx.certificates.take();
    let mut shown = Chain::default();
    for der in chain.iter().take(MAX_CHAIN) {
        shown.certificates.push(match &mut cache {
            Some(cache) => cache.read(der),
            None => Arc::new(Certificate::read(der)),
        });
    }
    cx.certificates = cache;
    if chain.len() > MAX_CHAIN {
        cx.anomaly(AnomalyName::X509Odd, Some(NAME), "a chain of more than 64 certificates");
    }
    for (position, certificate) in shown.certificates.iter().enumerate() {
        row::emit(certificate, position, holder, cx);
    }
    shown
}
