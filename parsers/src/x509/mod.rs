//! Certificates (X.509, RFC 5280) that protocols show in their handshakes: what they say, and whether a chain of them holds.
//!
//! A protocol hands over what it was shown ([`observe`]) and gets back what its own row says of it. Certificates are read
//! once and kept in the worker's [`Certificates`].

mod cache;
mod certificate;
pub(crate) mod date;
mod extensions;
mod host;
mod key;
mod name;
mod oid;
mod roots;
mod row;
mod signature;
mod texts;
mod validation;
mod wire;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use schemas::anomaly::AnomalyName;
use smallvec::SmallVec;

use crate::context::Context;

pub use cache::{Certificates, MAX_BYTES, MAX_CERTIFICATES, MAX_CHAINS};
pub use certificate::Certificate;
pub use roots::{NoRoots, Roots};
pub use texts::Texts;
pub use validation::STATUSES;

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
    /// Whether a server's chain holds at the time of the packet: one of [`STATUSES`]. None of a client's chain, and of an
    /// empty one.
    pub validation_status: Option<&'static str>,
    /// Whether the server's leaf is for the name that was asked for; none where no name was asked for.
    pub sni_matches_cert: Option<bool>,
}

/// Reads a chain of DER certificates, leaf first: writes a row of `x509` for each, tells what is odd about them, and
/// validates a server's chain at the time `cx.now`. `server_name` is the name that the client asked for.
pub fn observe(chain: &[&[u8]], holder: Holder, server_name: Option<&[u8]>, cx: &mut Context<'_>) -> Chain {
    if chain.len() > MAX_CHAIN {
        cx.anomaly(AnomalyName::X509Odd, Some(NAME), "a chain of more than 64 certificates");
    }
    let chain = chain.get(..MAX_CHAIN).unwrap_or(chain);
    let mut cache = cx.certificates.take();
    let mut shown = Chain::default();
    for der in chain {
        shown.certificates.push(match &mut cache {
            Some(cache) => cache.read(der),
            None => Arc::new(Certificate::read(der)),
        });
    }
    if holder == Holder::Server
        && let Some(leaf) = shown.certificates.first()
    {
        let (certificates, now, roots) = (&shown.certificates, cx.now, &cx.settings.roots);
        shown.validation_status = Some(match &mut cache {
            Some(cache) => cache.validate(chain, certificates, now, roots),
            None => validation::validate(chain, certificates, now, roots),
        });
        shown.sni_matches_cert = server_name.map(|name| host::matches(leaf, name));
    }
    cx.certificates = cache;
    for (position, certificate) in shown.certificates.iter().enumerate() {
        for problem in certificate.problems.iter() {
            cx.anomaly(problem.name, Some(NAME), problem.detail);
        }
        row::emit(certificate, position, holder, cx);
    }
    shown
}
