//! The system calls that packet sockets take, and the memory shared with the kernel: all `unsafe` there is.

#![deny(clippy::undocumented_unsafe_blocks)]

use std::ffi::{c_char, c_int};
use std::io;
use std::mem::{offset_of, size_of, size_of_val};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::capture::bpf::Instruction;

/// A packet socket. It takes nothing until it is bound.
#[derive(Debug)]
pub(super) struct Socket(OwnedFd);

impl Socket {
    /// A socket for whole frames, or for what is behind their link header.
    pub(super) fn open(whole: bool) -> io::Result<Self> {
        let kind = if whole { SocketType::RAW } else { SocketType::DGRAM };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        Ok(Self(socket_with(AddressFamily::PACKET, kind, flags, None)?))
    }

    /// Starts to take the frames of an interface.
    pub(super) fn bind(&self, index: u32) -> io::Result<()> {
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
            sll_ifindex: index as c_int,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: the address lives through the call, and `length` is its length.
        done(unsafe { libc::bind(self.0.as_raw_fd(), ptr::from_ref(&address).cast(), length) })
    }

    /// Index of the interface that it is bound to; none once that is gone.
    pub(super) fn bound(&self) -> io::Result<Option<u32>> {
        let mut address = libc::sockaddr_ll {
            sll_family: 0,
            sll_protocol: 0,
            sll_ifindex: 0,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        let mut length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: both live through the call; the kernel writes at most `length` bytes, all of them integers.
        done(unsafe {
            libc::getsockname(self.0.as_raw_fd(), ptr::from_mut(&mut address).cast(), &raw mut length)
        })?;
        Ok(u32::try_from(address.sll_ifindex).ok().filter(|index| *index > 0))
    }

    /// Which frames are taken, and how many bytes of each.
    pub(super) fn set_filter(&self, program: &[Instruction]) -> io::Result<()> {
        self.set_program(libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, program)
    }

    /// Which member of the fan-out group gets a frame.
    pub(super) fn set_fan_out_program(&self, program: &[Instruction]) -> io::Result<()> {
        self.set_program(libc::SOL_PACKET, libc::PACKET_FANOUT_DATA, program)
    }

    fn set_program(&self, level: c_int, option: c_int, program: &[Instruction]) -> io::Result<()> {
        let mut filter: Vec<libc::sock_filter> = program
            .iter()
            .map(|instruction| libc::sock_filter {
                code: instruction.code,
                jt: instruction.jump_true,
                jf: instruction.jump_false,
                k: instruction.k,
            })
            .collect();
        let len = u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        // The kernel copies the program during the call.
        self.set(level, option, &libc::sock_fprog { len, filter: filter.as_mut_ptr() })
    }

    /// Joins the fan-out group of a number, or makes one where none is given. Says its number.
    pub(super) fn join(&self, group: Option<u16>) -> io::Result<u16> {
        let kind = libc::PACKET_FANOUT_CBPF << 16;
        let value = match group {
            Some(number) => kind | u32::from(number),
            None => kind | libc::PACKET_FANOUT_FLAG_UNIQUEID << 16,
        };
        self.set(libc::SOL_PACKET, libc::PACKET_FANOUT, &value)?;
        // The number is in the lower half.
        Ok(self.get(libc::PACKET_FANOUT, 0_u32)? as u16)
    }

    /// Has the interface take all frames, for as long as the socket lives.
    pub(super) fn set_promiscuous(&self, index: u32) -> io::Result<()> {
        let membership = libc::packet_mreq {
            mr_ifindex: index as c_int,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        self.set(libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
    }

    /// Has the kernel stamp frames when they arrive, before they are shared out: without this each socket that sees a
    /// frame stamps it when its turn comes.
    pub(super) fn set_arrival_timestamps(&self) -> io::Result<()> {
        self.set(libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, &(1 as c_int))
    }

    /// Stamps frames with the time of the card, where it gives one.
    pub(super) fn set_hardware_timestamps(&self) -> io::Result<()> {
        self.set(libc::SOL_PACKET, libc::PACKET_TIMESTAMP, &libc::SOF_TIMESTAMPING_RAW_HARDWARE)
    }

    /// Has the card of an interface stamp every frame. False if it can only stamp some.
    pub(super) fn start_hardware_timestamps(&self, interface: &str) -> io::Result<bool> {
        let mut config = libc::hwtstamp_config {
            flags: 0,
            tx_type: libc::HWTSTAMP_TX_OFF as c_int,
            rx_filter: libc::HWTSTAMP_FILTER_ALL as c_int,
        };
        let data = libc::__c_anonymous_ifr_ifru { ifru_data: ptr::from_mut(&mut config).cast::<c_char>() };
        let mut request = libc::ifreq { ifr_name: name(interface)?, ifr_ifru: data };
        // SAFETY: the kernel reads and writes the configuration that the request points to; both live through the call.
        done(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCSHWTSTAMP as _, &raw mut request) })?;
        Ok(config.rx_filter == libc::HWTSTAMP_FILTER_ALL as c_int)
    }

    /// ARPHRD_ number of an interface's link layer.
    pub(super) fn hardware(&self, interface: &str) -> io::Result<u16> {
        let none = libc::sockaddr { sa_family: 0, sa_data: [0; 14] };
        let data = libc::__c_anonymous_ifr_ifru { ifru_hwaddr: none };
        let mut request = libc::ifreq { ifr_name: name(interface)?, ifr_ifru: data };
        // SAFETY: the request lives through the call.
        done(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCGIFHWADDR as _, &raw mut request) })?;
        // SAFETY: the kernel has written this field, and any bits are a value of it.
        Ok(unsafe { request.ifr_ifru.ifru_hwaddr }.sa_family)
    }

    /// Whether an interface is up.
    pub(super) fn is_up(&self, interface: &str) -> io::Result<bool> {
        let data = libc::__c_anonymous_ifr_ifru { ifru_flags: 0 };
        let mut request = libc::ifreq { ifr_name: name(interface)?, ifr_ifru: data };
        // SAFETY: the request lives through the call.
        done(unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) })?;
        // SAFETY: the kernel has written this field, and any bits are a value of it.
        let flags = unsafe { request.ifr_ifru.ifru_flags };
        Ok(c_int::from(flags) & libc::IFF_UP != 0)
    }

    /// Packets, drops and freezes since this was asked last.
    pub(super) fn statistics(&self) -> io::Result<libc::tpacket_stats_v3> {
        let none = libc::tpacket_stats_v3 { tp_packets: 0, tp_drops: 0, tp_freeze_q_cnt: 0 };
        self.get(libc::PACKET_STATISTICS, none)
    }

    /// Makes a ring of `blocks` blocks of `block_size` bytes, a power of two from a page on. A block goes to the reader
    /// when it is full, or `retire_ms` after its first frame came.
    pub(super) fn make_ring(&self, block_size: u32, blocks: u32, retire_ms: u32) -> io::Result<Map> {
        self.set(libc::SOL_PACKET, libc::PACKET_VERSION, &(libc::tpacket_versions::TPACKET_V3 as c_int))?;
        let request = libc::tpacket_req3 {
            tp_block_size: block_size,
            tp_block_nr: blocks,
            // Frames lie one behind the other in a block; these two must only agree.
            tp_frame_size: block_size,
            tp_frame_nr: blocks,
            tp_retire_blk_tov: retire_ms,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        self.set(libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        Map::new(self, block_size as usize, blocks as usize)
    }

    fn set<T>(&self, level: c_int, option: c_int, value: &T) -> io::Result<()> {
        let length = size_of::<T>() as libc::socklen_t;
        // SAFETY: the value lives through the call, and `length` is its length. Of those with a pointer in them
        // (programs) the caller keeps alive what it points to.
        done(unsafe {
            libc::setsockopt(self.0.as_raw_fd(), level, option, ptr::from_ref(value).cast(), length)
        })
    }

    /// Only for types of which any bits are a value.
    fn get<T: Copy>(&self, option: c_int, mut value: T) -> io::Result<T> {
        let mut length = size_of::<T>() as libc::socklen_t;
        // SAFETY: both live through the call; the kernel writes at most `length` bytes.
        done(unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                option,
                ptr::from_mut(&mut value).cast(),
                &raw mut length,
            )
        })?;
        Ok(value)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn done(result: c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An interface's name with zeros behind it.
fn name(interface: &str) -> io::Result<[c_char; libc::IFNAMSIZ]> {
    let mut name = [0; libc::IFNAMSIZ];
    if interface.len() >= libc::IFNAMSIZ {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in name.iter_mut().zip(interface.bytes()) {
        *to = from as c_char;
    }
    Ok(name)
}

/// The memory of a ring.
///
/// Each block begins with a header in which one word says whose the block is. While it is the reader's, the kernel
/// writes nothing to it.
#[derive(Debug)]
pub(super) struct Map {
    start: NonNull<u8>,
    block_size: usize,
    blocks: usize,
}

// SAFETY: the memory belongs to the process, not to a thread, and only the owner of the map reads or gives back.
unsafe impl Send for Map {}

impl Map {
    fn new(socket: &Socket, block_size: usize, blocks: usize) -> io::Result<Self> {
        let length = block_size.checked_mul(blocks).ok_or(io::ErrorKind::InvalidInput)?;
        let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
        // SAFETY: a new mapping at a place of the kernel's choice, of the whole ring and no more, or an error.
        let start = unsafe { libc::mmap(ptr::null_mut(), length, access, flags, socket.0.as_raw_fd(), 0) };
        match NonNull::new(start.cast::<u8>()) {
            Some(start) if start.as_ptr().cast() != libc::MAP_FAILED => {
                Ok(Self { start, block_size, blocks })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// How many blocks.
    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// A block that the kernel has handed over; none while it is the kernel's.
    pub(super) fn block(&self, number: usize) -> Option<&[u8]> {
        if !self.is_ready(number) {
            return None;
        }
        // SAFETY: the block lies within the mapping, which lives as long as `self`. It was seen to be the reader's, so
        // the kernel does not write to it until `release`, which needs `&mut self` and so outlives no such slice.
        Some(unsafe {
            std::slice::from_raw_parts(self.start.as_ptr().add(number * self.block_size), self.block_size)
        })
    }

    /// Whether the kernel has handed a block over.
    pub(super) fn is_ready(&self, number: usize) -> bool {
        // Acquire: what the kernel wrote before it handed the block over is seen.
        self.status(number).is_some_and(|status| status.load(Ordering::Acquire) & libc::TP_STATUS_USER != 0)
    }

    /// Gives a block back to the kernel.
    pub(super) fn release(&mut self, number: usize) {
        if let Some(status) = self.status(number) {
            // Release: all reads of the block are done before it is the kernel's.
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
        }
    }

    fn status(&self, number: usize) -> Option<&AtomicU32> {
        if number >= self.blocks {
            return None;
        }
        const AT: usize = offset_of!(libc::tpacket_block_desc, hdr.bh1.block_status);
        // SAFETY: within the mapping, which is aligned to pages as blocks are, so the word is aligned. All of the
        // process's accesses to it while the kernel may write are atomic.
        Some(unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(number * self.block_size + AT).cast()) })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's alone, and no slice of it is left.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.block_size * self.blocks) };
    }
}
