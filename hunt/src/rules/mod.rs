//! Rules: saved hunts with a `[rule]`, run over what is new in a lake, raise signals.
//!
//! ```text
//!  catalog   which files are new, by content
//!  span      the windows of time in which they have rows
//!  ask       the hunt's answer for these windows, over all files of their time
//!  raised    what was raised before
//!  commit    the rows of `signal`, once and only once
//!  outbox    what waits to be told, at least once
//!  sinks     standard output, syslog, a webhook
//! ```

mod ask;
mod catalog;
pub(crate) mod command;
mod commit;
mod outbox;
mod raised;
mod rule;
mod runner;
mod signal;
mod sinks;
mod span;
mod state;

pub use rule::{Rule, Severity};
