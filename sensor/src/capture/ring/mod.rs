//! Live capture on Linux: rings that are shared with the kernel (AF_PACKET, TPACKET_V3), one for each worker.

mod assembler;
mod channel;
mod error;
mod fanout;
mod frames;
mod passes;
#[expect(unsafe_code, reason = "memory shared with the kernel, and system calls that no crate has")]
mod sys;
#[cfg(test)]
mod tests;
mod tunnels;

use std::io;
use std::mem;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use parsers::link_type::LinkType;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use rustix::net::sockopt::socket_error;
use schemas::envelope::Nanoseconds;

pub use channel::MAX_MEMBERS;
pub use error::Error;

use channel::Channel;
use frames::Header;

/// Memory of one ring, unless another is asked for.
pub const DEFAULT_RING_BYTES: usize = 64 << 20;

/// The largest snap length: as that of libpcap.
pub const MAX_SNAP_LENGTH: u32 = 262_144;

/// Whose clock stamps the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
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
    group: Arc<Group>,
    member: usize,
    channel: Channel,
    /// The block that is read.
    block: usize,
    /// How many of its frames are still to be read; 0 where it is not open.
    left: u32,
    /// Where the header of the next of them is.
    at: usize,
    /// The frame that is shown.
    shown: Option<Header>,
    state: State,
    looked: Instant,
    /// What sockets counted that are closed now.
    counted: Statistics,
}

/// What the rings of one interface share.
#[derive(Debug)]
struct Group {
    options: Options,
    members: usize,
    renewal: Mutex<Renewal>,
}

/// What is there of a new interface of the same name.
#[derive(Debug, Default)]
struct Renewal {
    /// For each member: whoever sees the interface first opens all of them.
    channels: Vec<Option<Channel>>,
    /// Why it could not be opened, so that this is said once.
    refused: Option<String>,
}

/// All rings of one interface, `members` of them (up to [`MAX_MEMBERS`]), in one fan-out group that is complete before
/// the first frame comes.
///
/// # Errors
/// It cannot be opened; the text names the interface and why.
pub fn open(options: &Options, members: usize) -> Result<Vec<Ring>, Error> {
    let snap_length = options.snap_length.clamp(1, MAX_SNAP_LENGTH);
    let options = Options { snap_length, ..options.clone() };
    let channels = channel::open(&options, members)?;
    let members = channels.len();
    let group = Arc::new(Group { options, members, renewal: Mutex::default() });
    let looked = Instant::now();
    let mut rings: Vec<Ring> = channels
        .into_iter()
        .enumerate()
        .map(|(member, channel)| Ring {
            group: Arc::clone(&group),
            member,
            channel,
            block: 0,
            left: 0,
            at: 0,
            shown: None,
            state: State::Up,
            looked,
            counted: Statistics::default(),
        })
        .collect();
    for ring in &mut rings {
        ring.look();
    }
    Ok(rings)
}

/// Looks now and then how the interfaces are. [`wait`] does, too; but whoever reads several rings waits for none while
/// one of them has frames, and another may have gone and come back meanwhile.
pub fn attend(rings: &mut [Ring]) {
    for ring in rings.iter_mut().filter(|ring| ring.looked.elapsed() >= LOOK) {
        ring.look();
    }
}

/// Waits until one of the rings has a frame, or the time is over. Notices interfaces that go and come; while one is
/// away it may return before the time is over.
///
/// # Errors
/// The system refuses to wait.
pub fn wait(rings: &mut [Ring], mut timeout: Duration) -> io::Result<()> {
    for ring in rings.iter_mut().filter(|ring| ring.state != State::Up) {
        timeout = timeout.min(LOOK);
        if ring.looked.elapsed() >= LOOK {
            ring.look();
        }
    }
    if rings.iter().any(|ring| ring.shown.is_some() || ring.channel.map.is_ready(ring.block)) {
        return Ok(());
    }
    let mut sockets: Vec<PollFd<'_>> =
        rings.iter().map(|ring| PollFd::new(&ring.channel.socket, PollFlags::IN)).collect();
    let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
    match poll(&mut sockets, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let failed: Vec<bool> =
        sockets.iter().map(|socket| socket.revents().intersects(!PollFlags::IN)).collect();
    for (ring, failed) in rings.iter_mut().zip(failed) {
        if failed {
            ring.look();
        }
    }
    Ok(())
}

/// How often it is looked how an interface is, and whether one that is away is there again.
const LOOK: Duration = Duration::from_millis(250);

impl Ring {
    /// The next frame, where one is there; the same one until [`Ring::advance`].
    #[inline]
    pub fn peek(&mut self) -> Option<Received<'_>> {
        if self.shown.is_none() {
            self.find();
        }
        let header = self.shown.as_ref()?;
        Some(Received {
            ts: header.ts,
            wire: header.wire,
            vlan: header.vlan,
            bytes: self.channel.map.block(self.block)?.get(header.bytes.clone())?,
            link: self.channel.link,
            outgoing: header.outgoing,
            checksum_partial: header.checksum_partial,
        })
    }

    /// Done with the frame that [`Ring::peek`] showed. The last one of a block gives the block back to the kernel.
    #[inline]
    pub fn advance(&mut self) {
        if let Some(header) = self.shown.take() {
            self.pass(header.next);
        }
    }

    /// Per cent of the ring that wait to be read.
    pub fn fill(&self) -> u8 {
        // The kernel fills blocks one after the other, so those that wait are the first ones from here.
        let blocks = self.channel.map.blocks();
        let (mut waiting, mut not_waiting) = (0, blocks + 1);
        while waiting + 1 < not_waiting {
            let middle = usize::midpoint(waiting, not_waiting);
            let last = (self.block + middle - 1) % blocks;
            if self.channel.map.is_ready(last) { waiting = middle } else { not_waiting = middle }
        }
        (waiting * 100 / blocks) as u8
    }

    /// What became of frames since the last call.
    pub fn statistics(&mut self) -> Statistics {
        self.count();
        mem::take(&mut self.counted)
    }

    /// Name of the interface.
    pub fn interface(&self) -> &str {
        &self.group.options.interface
    }

    /// What frames begin with. It can only change while the interface is [`State::Gone`].
    pub fn link(&self) -> LinkType {
        self.channel.link
    }

    /// Whose clock stamps the frames.
    pub fn timestamps(&self) -> Timestamps {
        self.channel.timestamps
    }

    /// How the interface is, as [`wait`] or [`attend`] last saw it.
    pub fn state(&self) -> State {
        self.state
    }

    /// Goes to the next frame that is to be shown.
    fn find(&mut self) {
        while let Some(block) = self.channel.map.block(self.block) {
            if self.left == 0 {
                match frames::contents(block) {
                    Some((frames @ 1.., first)) => (self.left, self.at) = (frames, first),
                    _ => {
                        self.release();
                        continue;
                    }
                }
            }
            match frames::header(block, self.at) {
                // Without a link header only its version says what a packet is.
                Some(header) if self.channel.link == LinkType::RAW && !is_ip(header.protocol) => {
                    self.pass(header.next);
                }
                Some(header) => {
                    self.shown = Some(header);
                    return;
                }
                None => self.release(),
            }
        }
    }

    /// Goes on behind a frame.
    #[inline]
    fn pass(&mut self, next: usize) {
        self.left = self.left.saturating_sub(1);
        self.at = self.at.saturating_add(next);
        if self.left == 0 {
            self.release();
        }
    }

    /// Gives the block back and goes to the next.
    fn release(&mut self) {
        self.left = 0;
        self.channel.map.release(self.block);
        self.block = (self.block + 1) % self.channel.map.blocks();
    }

    fn count(&mut self) {
        if let Ok(new) = self.channel.socket.statistics() {
            self.counted.packets += u64::from(new.tp_packets);
            self.counted.dropped += u64::from(new.tp_drops);
            self.counted.freezes += u64::from(new.tp_freeze_q_cnt);
        }
    }

    /// Looks how the interface is. Where it is a new one, goes over to that when all of the old one has been read.
    fn look(&mut self) {
        self.looked = Instant::now();
        // Else the next wait would end at once.
        let _ = socket_error(&self.channel.socket);
        let mut state = self.bound_state();
        // Not when it has just gone: the kernel has yet to hand over the block that it was filling.
        if (self.state, state) == (State::Gone, State::Gone)
            && self.shown.is_none()
            && !self.channel.map.is_ready(self.block)
            && self.renew()
        {
            state = self.bound_state();
        }
        if mem::replace(&mut self.state, state) != state && self.member == 0 {
            let interface = self.interface();
            match state {
                State::Up => tracing::warn!("{interface}: is up"),
                State::Down => tracing::warn!("{interface}: is down; capture goes on when it is up"),
                State::Gone => tracing::warn!("{interface}: is gone; capture goes on when it is back"),
            }
        }
    }

    /// How the interface is that the socket is bound to. It may have another name by now.
    fn bound_state(&self) -> State {
        let socket = &self.channel.socket;
        let Ok(Some(index)) = socket.bound() else { return State::Gone };
        match index_to_name(socket.as_fd(), index).map(|name| socket.is_up(&name)) {
            Ok(Ok(true)) => State::Up,
            Ok(Ok(false)) => State::Down,
            _ => State::Gone,
        }
    }

    /// Goes over to a new interface of the name, if there is one.
    fn renew(&mut self) -> bool {
        let mut renewal = self.group.renewal.lock().unwrap_or_else(PoisonError::into_inner);
        let mut own = renewal.channels.get_mut(self.member).and_then(Option::take);
        if own.is_none() {
            match channel::open(&self.group.options, self.group.members) {
                Ok(channels) => {
                    renewal.channels = channels.into_iter().map(Some).collect();
                    renewal.refused = None;
                    own = renewal.channels.get_mut(self.member).and_then(Option::take);
                }
                Err(Error::Missing { .. }) => renewal.refused = None,
                Err(error) => {
                    let error = Some(error.to_string());
                    if renewal.refused != error {
                        tracing::warn!("{}", error.as_deref().unwrap_or_default());
                        renewal.refused = error;
                    }
                }
            }
        }
        drop(renewal);
        let Some(channel) = own else { return false };
        self.count();
        self.channel = channel;
        (self.block, self.left, self.at) = (0, 0, 0);
        true
    }
}

fn is_ip(protocol: u16) -> bool {
    matches!(i32::from(protocol), libc::ETH_P_IP | libc::ETH_P_IPV6)
}
