//! How bytes become packets, messages and records. Pure: no clock, file, socket, thread or output; no input panics.

#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

pub mod carriers;
pub mod content;
pub mod context;
pub mod der;
pub mod dns;
pub mod entities;
pub mod extract;
pub mod files;
pub mod ftp;
pub mod gssapi;
pub mod http;
pub mod identity;
pub mod kerberos;
pub mod link_type;
pub mod names;
pub mod packet;
pub mod protocol;
pub mod quic;
pub mod recognise;
mod roles;
pub mod services;
pub mod settings;
pub mod socks;
pub mod stream;
pub mod tls;
pub mod transfers;
mod unread;
pub mod x509;

/// Every protocol that has a session.
pub static PROTOCOLS: &[&dyn protocol::Protocol] = &[
    &dns::OverUdp,
    &dns::OverTcp,
    &ftp::Ftp,
    &http::Http1,
    &http::h2::Http2,
    &kerberos::OverUdp,
    &kerberos::OverTcp,
    &quic::Quic,
    &socks::Socks,
    &tls::OverTcp,
    &tls::Dtls,
];
