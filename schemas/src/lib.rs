//! The tables of the lake: what a row holds, what its columns are called, and how rows become Parquet.
//!
//! Rows are compact `Copy` data with their text in an arena ([`batch`], [`arena`]). A column is declared once
//! ([`mod@column`], beside its record); types, docs, JSON and Parquet are made from that. [`pending`] merges what workers
//! emitted and cuts [`row_group`]s, which encode their columns straight from rows. This crate knows Parquet and
//! nothing of networks.

#![forbid(unsafe_code)]

pub mod anomaly;
pub mod arena;
pub mod batch;
mod chunk;
pub mod column;
mod dictionary;
pub mod dns;
pub mod dns_names;
pub mod docs;
mod encoding;
mod entries;
pub mod envelope;
pub mod file;
pub mod flows;
pub mod ftp;
pub mod http;
pub mod identifier;
pub mod json;
pub mod kerberos;
pub mod kerberos_names;
pub mod lake;
mod leaf;
pub mod month;
pub mod packed;
mod page;
pub mod pending;
pub mod prefetch;
mod read;
pub mod repeats;
pub mod request_line;
pub mod row_group;
pub mod sensor_stats;
pub mod signal;
mod symbols;
pub mod table;
pub mod text;
pub mod tls;
pub mod tls_names;
pub mod x509;

pub use page::EncodedColumn;
