//! Flows: what one conversation is, from its first packet to its row.

pub mod budget;
pub mod conn_state;
pub mod endpoint;
mod entries;
#[expect(clippy::module_inception, reason = "a flow is what this folder is about")]
mod flow;
pub mod history;
pub mod reassembly;
pub mod roles;
pub mod segment;
pub mod session;
pub mod stream;
pub mod table;
pub mod tcp;
pub mod wheel;

pub use flow::{Flow, FlowTimeouts, Identification, Shared, TcpFlow, TransportState};
