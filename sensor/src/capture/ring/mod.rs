//! Live capture on Linux: rings that are shared with the kernel (AF_PACKET, TPACKET_V3), one for each worker.

mod error;

use std::io;
use std::time::Duration;

use parsers::link_type::LinkType;
use schemas::envelope::Nanoseconds;

pub use error::Error;

/// Memory of one ring, unless another is asked for.
pub const DEFAULT_RING_BYTES: usize = 64 << 20;

/// The largest snap length: as that of libpcap.
pub const MAX_SNAP_LENGTH: u32 = 262_144;

/// Whose clock stamps the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Timestamps {
    /// The kernel's, when the frame arrives there.
    #[default]
    Kernel,
    /// The card's where it has one for every frame, else the kernel's: [`Ring::timestamps`] says which.
    Hardware,
}

/// What is captured, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Name of the interface.
    pub interface: String,
    /// Most bytes that are kept of a frame.
    pub snap_length: u32,
    /// Memory of each ring.
    pub ring_bytes: usize,
    /// Whether the interface takes frames to other hosts.
    pub promiscuous: bool,
    /// Whose clock.
    pub timestamps: Timestamps,
    /// In the language of pcap-filter(7); the kernel runs it.
    pub filter: Option<String>,
    /// Of the hash that shares out host pairs.
    pub seed: u32,
}

impl Options {
    /// All of every frame of an interface.
    pub fn new(interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            snap_length: MAX_SNAP_LENGTH,
            ring_bytes: DEFAULT_RING_BYTES,
            promiscuous: true,
            timestamps: Timestamps::Kernel,
            filter: None,
            seed: 0,
        }
    }
}

/// A frame that waits in a ring.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// When it came.
    pub ts: Nanoseconds,
    /// Its length before the snap length; never less than that of `bytes`, and without a tag in `vlan`.
    pub wire: u32,
    /// TPID and TCI of a tag that the card or the kernel took out, to be put back behind the two MACs.
    pub vlan: Option<[u8; 4]>,
    /// The frame from its link header on.
    pub bytes: &'a [u8],
    /// What it begins with.
    pub link: LinkType,
    /// Whether this host sent it.
    pub outgoing: bool,
    /// Whether its transport checksum is still to be filled in by the card (only frames that this host sent).
    pub checksum_partial: bool,
}

/// What became of frames that the filter took, since the last time this was asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// All of them, dropped ones too.
    pub packets: u64,
    /// Those for which the ring had no room.
    pub dropped: u64,
    /// How often the ring became full.
    pub freezes: u64,
}

/// How an interface is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Frames can come.
    Up,
    /// It is down; reading goes on when it is up again.
    Down,
    /// There is no interface of the name any more; reading goes on when there is one again.
    Gone,
}

/// One member of the fan-out group of an interface: a ring, and who reads it.
#[derive(Debug)]
pub struct Ring {
    interface: String,
    link: LinkType,
    state: State,
}

/// All rings of one interface, `members` of them, in one fan-out group that is complete before the first frame comes.
///
/// # Errors
/// It cannot be opened; the text names the interface and why.
pub fn open(options: &Options, members: usize) -> Result<Vec<Ring>, Error> {
    let _ = members;
    Err(Error::Missing { interface: options.interface.clone() })
}

/// Waits until one of the rings has a frame, or the time is over. Notices interfaces that go and come.
///
/// # Errors
/// The system refuses to wait.
pub fn wait(rings: &mut [Ring], timeout: Duration) -> io::Result<()> {
    let _ = (rings, timeout);
    Ok(())
}

impl Ring {
    /// The next frame, where one is there; the same one until [`Ring::advance`].
    pub fn peek(&mut self) -> Option<Received<'_>> {
        None
    }

    /// Done with the frame that [`Ring::peek`] showed. The last one of a block gives the block back to the kernel.
    pub fn advance(&mut self) {}

    /// Per cent of the ring that wait to be read.
    pub fn fill(&self) -> u8 {
        0
    }

    /// What became of frames since the last call.
    pub fn statistics(&mut self) -> Statistics {
        Statistics::default()
    }

    /// Name of the interface.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// What frames begin with. It can only change while the interface is [`State::Gone`].
    pub fn link(&self) -> LinkType {
        self.link
    }

    /// Whose clock stamps the frames.
    pub fn timestamps(&self) -> Timestamps {
        Timestamps::Kernel
    }

    /// How the interface is, as [`wait`] last saw it.
    pub fn state(&self) -> State {
        self.state
    }
}
