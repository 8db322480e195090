//! Flows: what one conversation is, from its first packet to its row.

pub mod conn_state;
pub mod endpoint;
pub mod history;
pub mod reassembly;
pub mod roles;
pub mod tcp;
