//! Makes traffic to measure with: captures of any size out of a seed, the same on every machine.
//!
//! ```text
//! pcaps/ ─► library ─► sessions ─┐
//!                       made ────┴─► generator ─► mishaps ─► pcap
//! ```
//! [`library`] cuts sessions out of the project's captures ([`captures`] says which); [`session`] sends them again between
//! other ends and makes those that are not in captures; [`generator`] begins them, in the shares of a [`mix`].

pub mod body;
pub mod captures;
pub mod clip;
pub mod endpoints;
pub mod frame;
pub mod generator;
pub mod gzip;
pub mod handshake;
pub mod impair;
pub mod lane;
pub mod library;
pub mod mix;
pub mod pcap;
pub mod random;
pub mod report;
pub mod session;
pub mod tcp;
pub mod texts;
