//! Opening the rings of an interface: sockets, memory, filter, fan-out group.

use std::fs;
use std::io;

use libc::{
    ARPHRD_ETHER, ARPHRD_IEEE80211, ARPHRD_IEEE80211_PRISM, ARPHRD_IEEE80211_RADIOTAP, ARPHRD_LOOPBACK,
};
use parsers::link_type::LinkType;
use pcap::Capture;
use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::sockopt::socket_error;

use super::assembler::{ancillary, give};
use super::sys::{Map, Socket};
use super::{Error, Options, Timestamps, fanout};
use crate::capture::bpf::Instruction;
use crate::capture::filter::compile_for_kernel;

/// Most rings of one interface: there are no more shards than that, and the kernel's limit is the same.
pub const MAX_MEMBERS: usize = 256;

/// A block is handed over when it is full, or this long after its first frame came. So long may a frame be late; and a
/// ring of 128 blocks into which only a frame comes now and then fills in 2.5 s at the soonest.
const RETIRE_MS: u32 = 20;

/// Of the memory that is free, rings may take three of so many parts.
const PARTS: u64 = 4;

/// A socket with its ring.
#[derive(Debug)]
pub(super) struct Channel {
    /// Where frames are put.
    pub(super) map: Map,
    /// Where they come from.
    pub(super) socket: Socket,
    /// What they begin with.
    pub(super) link: LinkType,
    /// Whose clock.
    pub(super) timestamps: Timestamps,
}

/// All rings of an interface, in one fan-out group. Frames come once all is ready.
pub(super) fn open(options: &Options, members: usize) -> Result<Vec<Channel>, Error> {
    Opener { options, members: members.clamp(1, MAX_MEMBERS) }.open()
}

/// Size and number of the blocks of a ring.
fn blocks(options: &Options) -> (u32, u32) {
    let size = BLOCK.max(options.snap_length.next_power_of_two());
    let blocks = (options.ring_bytes / size as usize).max(MIN_BLOCKS);
    (size, u32::try_from(blocks).unwrap_or(u32::MAX))
}

/// So large that the reader is not woken for a hundred frames at a time, which costs more than reading them; and so small
/// that a ring has many of them.
const BLOCK: u32 = 512 << 10;

/// One that is read, one that is written, and two to spare.
const MIN_BLOCKS: usize = 4;

struct Opener<'a> {
    options: &'a Options,
    members: usize,
}

impl Opener<'_> {
    fn open(&self) -> Result<Vec<Channel>, Error> {
        let index = self.index()?;
        self.check_memory()?;
        let mut channels = Vec::with_capacity(self.members);
        for _ in 0..self.members {
            channels.push(self.channel(index)?);
        }
        let Some(first) = channels.first() else { return Ok(channels) };
        if self.members > 1 {
            let mut group = None;
            for Channel { socket, .. } in &channels {
                let joined = socket.join(group);
                group = Some(joined.map_err(|error| self.error("its rings cannot share it", error))?);
            }
            let program = fanout::program(first.link, self.options.seed);
            let set = first.socket.set_fan_out_program(&program);
            set.map_err(|error| self.error("the program that shares it out is refused", error))?;
        }
        // Until now the sockets refuse every frame.
        let filter = self.filter(first.link)?;
        for Channel { socket, .. } in &channels {
            socket.set_filter(&filter).map_err(|error| self.error("the kernel refuses the filter", error))?;
        }
        Ok(channels)
    }

    fn index(&self) -> Result<u32, Error> {
        let socket = self.socket(true)?;
        name_to_index(&socket, &self.options.interface).map_err(|error| match error {
            Errno::NODEV | Errno::NXIO | Errno::INVAL | Errno::NAMETOOLONG => {
                Error::Missing { interface: self.interface() }
            }
            error => self.error("cannot be looked up", error.into()),
        })
    }

    /// One socket with its ring, which refuses every frame.
    fn channel(&self, index: u32) -> Result<Channel, Error> {
        let Options { interface, promiscuous, timestamps, .. } = self.options;
        let mut socket = self.socket(true)?;
        let hardware = socket.hardware(interface).map_err(|error| self.error("cannot be asked", error))?;
        let link = link_type(hardware);
        if link == LinkType::RAW {
            socket = self.socket(false)?;
        }
        let refused = socket.set_filter(&[give(0)]);
        refused.map_err(|error| self.error("the kernel refuses a filter", error))?;
        // Without it stamps are a little later, no more.
        let _ = socket.set_arrival_timestamps();
        let timestamps = match timestamps {
            Timestamps::Hardware => self.hardware_timestamps(&socket),
            Timestamps::Kernel => Timestamps::Kernel,
        };
        let map = self.ring(&socket)?;
        socket.bind(index).map_err(|error| self.error("cannot be bound to", error))?;
        if *promiscuous {
            let set = socket.set_promiscuous(index);
            set.map_err(|error| self.error("cannot be made promiscuous", error))?;
        }
        // That it is down is said by its state.
        let _ = socket_error(&socket);
        Ok(Channel { map, socket, link, timestamps })
    }

    fn socket(&self, whole: bool) -> Result<Socket, Error> {
        Socket::open(whole).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Error::Forbidden { interface: self.interface() },
            _ => self.error("no packet socket can be had", error),
        })
    }

    fn hardware_timestamps(&self, socket: &Socket) -> Timestamps {
        let interface = &self.options.interface;
        let refused = match socket.start_hardware_timestamps(interface) {
            Ok(true) => match socket.set_hardware_timestamps() {
                Ok(()) => return Timestamps::Hardware,
                Err(error) => error.to_string(),
            },
            Ok(false) => "the card stamps some frames only".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!("{interface}: no hardware time stamps ({refused}); the kernel's are used");
        Timestamps::Kernel
    }

    fn ring(&self, socket: &Socket) -> Result<Map, Error> {
        let (size, count) = blocks(self.options);
        socket.make_ring(size, count, RETIRE_MS).map_err(|error| match error.kind() {
            io::ErrorKind::OutOfMemory => self.memory(self.possible()),
            _ => self.error("no ring can be had", error),
        })
    }

    /// The kernel would rather end processes than refuse, so it is not asked for what is not there.
    fn check_memory(&self) -> Result<(), Error> {
        let (size, count) = blocks(self.options);
        let wanted = u64::from(size) * u64::from(count) * self.members as u64;
        match available_memory().map(|bytes| bytes / PARTS * (PARTS - 1)) {
            Some(limit) if wanted > limit => Err(self.memory((limit / self.members as u64) as usize)),
            _ => Ok(()),
        }
    }

    /// Bytes of a ring that can be had for each member, found by trying.
    fn possible(&self) -> usize {
        let (size, count) = blocks(self.options);
        let mut count = count / 2;
        while count > 0 {
            let rings: Result<Vec<_>, io::Error> = (0..self.members)
                .map(|_| {
                    let socket = Socket::open(true)?;
                    let map = socket.make_ring(size, count, RETIRE_MS)?;
                    Ok((map, socket))
                })
                .collect();
            if rings.is_ok() {
                break;
            }
            count /= 2;
        }
        size as usize * count as usize
    }

    fn filter(&self, link: LinkType) -> Result<Vec<Instruction>, Error> {
        let mut program = Vec::new();
        if self.options.interface == "lo" {
            // There each frame is seen going out and coming in.
            program.extend([
                ancillary(libc::SKF_AD_PKTTYPE),
                Instruction { code: 0x15, jump_true: 0, jump_false: 1, k: libc::PACKET_OUTGOING.into() },
                give(0),
            ]);
        }
        match &self.options.filter {
            None => program.push(give(self.options.snap_length)),
            Some(expression) => {
                let compiled = self.compile(expression, link)?;
                // What the compiler returns for a frame that is taken is how many bytes are kept.
                program.extend(compiled.into_iter().map(|instruction| match instruction.k {
                    1.. if instruction.code == give(0).code => give(self.options.snap_length),
                    _ => instruction,
                }));
            }
        }
        Ok(program)
    }

    fn compile(&self, expression: &str, link: LinkType) -> Result<Vec<Instruction>, Error> {
        let handle = match link {
            LinkType::RAW => None,
            _ => {
                let capture = Capture::from_device(self.options.interface.as_str());
                let handle = capture.and_then(|capture| capture.buffer_size(1 << 20).open());
                Some(handle.map_err(|error| Error::Libpcap { interface: self.interface(), error })?)
            }
        };
        compile_for_kernel(expression, link, handle.as_ref())
            .map_err(|error| Error::Filter { interface: self.interface(), error })
    }

    fn interface(&self) -> String {
        self.options.interface.clone()
    }

    fn memory(&self, possible: usize) -> Error {
        let wanted = self.options.ring_bytes;
        Error::Memory { interface: self.interface(), members: self.members, wanted, possible }
    }

    fn error(&self, what: &'static str, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Error::Forbidden { interface: self.interface() },
            _ => Error::System { interface: self.interface(), what, error },
        }
    }
}

/// What the frames of a link layer begin with (ARPHRD_ numbers of the kernel). Of those that are not listed only IP
/// packets are taken, without what is before them.
fn link_type(hardware: u16) -> LinkType {
    match hardware {
        ARPHRD_ETHER | ARPHRD_LOOPBACK => LinkType::ETHERNET,
        ARPHRD_IEEE80211 => LinkType::IEEE802_11,
        ARPHRD_IEEE80211_PRISM => LinkType::IEEE802_11_PRISM,
        ARPHRD_IEEE80211_RADIOTAP => LinkType::IEEE802_11_RADIOTAP,
        _ => LinkType::RAW,
    }
}

/// Bytes of memory that can be had without taking them from processes.
fn available_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}
