//! Why an interface could not be opened: one line each, with its name and what to do.

use std::io;

use crate::capture::InvalidFilter;

/// An interface that cannot be captured from.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none of the name.
    #[error("{interface}: no such interface; `ip link` lists them")]
    Missing {
        /// Its name.
        interface: String,
    },
    /// The process may not.
    #[error(
        "{interface}: not permitted to capture; it takes CAP_NET_RAW (run as root, or setcap cap_net_raw+ep)"
    )]
    Forbidden {
        /// Its name.
        interface: String,
    },
    /// The filter is wrong.
    #[error("{interface}: {error}")]
    Filter {
        /// Name of the interface.
        interface: String,
        /// What the compiler says.
        error: InvalidFilter,
    },
    /// libpcap, which compiles the filter, cannot open it.
    #[error("{interface}: the filter cannot be compiled for it ({error})")]
    Libpcap {
        /// Name of the interface.
        interface: String,
        /// What libpcap says.
        error: pcap::Error,
    },
    /// The memory is not there.
    #[error(
        "{interface}: no memory for {members} rings of {} MiB; {} MiB each could be had",
        wanted >> 20, possible >> 20
    )]
    Memory {
        /// Name of the interface.
        interface: String,
        /// How many rings.
        members: usize,
        /// Bytes of each.
        wanted: usize,
        /// Bytes of each for which there is room now.
        possible: usize,
    },
    /// Something else that the system refuses.
    #[error("{interface}: {what} ({error})")]
    System {
        /// Name of the interface.
        interface: String,
        /// What was being done.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
}
