//! The tables of the lake: what a row holds, what its columns are called, and how rows become Parquet.
//!
//! Rows are compact `Copy` data with their text in an arena ([`batch`], [`arena`]); this crate knows Arrow and Parquet
//! and nothing of networks.

#![forbid(unsafe_code)]

pub mod anomaly;
pub mod arena;
pub mod batch;
pub mod dns;
pub mod dns_names;
pub mod envelope;
pub mod flows;
pub mod sensor_stats;
pub mod text;
