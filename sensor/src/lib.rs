//! The sensor: capture, flows, streams, sessions, the lake. [`pipeline`] is the file to read first.

#![deny(unsafe_code)]

pub mod anomalies;
pub mod bench;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod config;
pub mod counters;
pub mod dispatch;
pub mod flow;
mod folder;
pub mod front;
pub mod inline;
pub mod journal;
pub mod live;
pub mod local;
pub mod log;
pub mod output;
pub mod pipeline;
pub mod progress;
pub mod replay;
pub mod retention;
pub mod show;
pub mod store;
pub mod summary;
pub mod work;
pub mod worker;
