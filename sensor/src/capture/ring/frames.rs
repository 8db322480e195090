//! What is in a block of a ring (TPACKET_V3): its header, then frames, each behind a header of its own.
//!
//! ```text
//! | block header | frame header | address | frame | pad | frame header | …
//!                 ^ offset_to_first          ^ tp_mac
//!                 |--------- tp_next_offset --------->|
//! ```

use std::mem::offset_of;
use std::ops::Range;

use libc::{sockaddr_ll, tpacket_block_desc, tpacket3_hdr};
use schemas::envelope::Nanoseconds;

/// A frame, by its header. The range has been checked to lie within the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// When it came.
    pub(super) ts: Nanoseconds,
    /// Its length before the snap length.
    pub(super) wire: u32,
    /// TPID and TCI of the tag that was taken out.
    pub(super) vlan: Option<[u8; 4]>,
    /// Where in the block its bytes are.
    pub(super) bytes: Range<usize>,
    /// EtherType, or what the kernel has for those without one.
    pub(super) protocol: u16,
    /// Whether this host sent it.
    pub(super) outgoing: bool,
    /// Whether the card is still to fill in its transport checksum.
    pub(super) checksum_partial: bool,
    /// How far behind this header the next one is.
    pub(super) next: usize,
}

/// How many frames a block holds, and where the header of the first is.
pub(super) fn contents(block: &[u8]) -> Option<(u32, usize)> {
    let frames = u32_at(block, offset_of!(tpacket_block_desc, hdr.bh1.num_pkts))?;
    let first = u32_at(block, offset_of!(tpacket_block_desc, hdr.bh1.offset_to_first_pkt))?;
    Some((frames, first as usize))
}

/// The header at an offset; none if it goes beyond the block or says that its frame does.
pub(super) fn header(block: &[u8], at: usize) -> Option<Header> {
    let header = block.get(at..)?.first_chunk::<HEADER>()?;
    let captured = u32_at(header, offset_of!(tpacket3_hdr, tp_snaplen))?;
    let start = at + usize::from(u16_at(header, offset_of!(tpacket3_hdr, tp_mac))?);
    let bytes = start..start.checked_add(captured as usize)?;
    if bytes.end > block.len() {
        return None;
    }
    let seconds = u32_at(header, offset_of!(tpacket3_hdr, tp_sec))?;
    let nanoseconds = u32_at(header, offset_of!(tpacket3_hdr, tp_nsec))?;
    let status = u32_at(header, offset_of!(tpacket3_hdr, tp_status))?;
    let protocol = u16_at(header, ADDRESS + offset_of!(sockaddr_ll, sll_protocol))?;
    let kind = header.get(ADDRESS + offset_of!(sockaddr_ll, sll_pkttype)).copied();
    Some(Header {
        ts: i64::from(seconds) * 1_000_000_000 + i64::from(nanoseconds),
        wire: u32_at(header, offset_of!(tpacket3_hdr, tp_len))?.max(captured),
        vlan: vlan(header, status),
        bytes,
        protocol: u16::from_be(protocol),
        outgoing: kind == Some(libc::PACKET_OUTGOING),
        checksum_partial: status & libc::TP_STATUS_CSUMNOTREADY != 0,
        next: u32_at(header, offset_of!(tpacket3_hdr, tp_next_offset))? as usize,
    })
}

/// The tag that the card or the kernel took out of the frame.
fn vlan(header: &[u8; HEADER], status: u32) -> Option<[u8; 4]> {
    if status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let tci = u32_at(header, offset_of!(tpacket3_hdr, hv1.tp_vlan_tci))? as u16;
    let tpid = if status & libc::TP_STATUS_VLAN_TPID_VALID != 0 {
        u16_at(header, offset_of!(tpacket3_hdr, hv1.tp_vlan_tpid))?
    } else {
        libc::ETH_P_8021Q as u16
    };
    let ([t0, t1], [c0, c1]) = (tpid.to_be_bytes(), tci.to_be_bytes());
    Some([t0, t1, c0, c1])
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}

/// Where the address lies behind the header.
const ADDRESS: usize = size_of::<tpacket3_hdr>().next_multiple_of(libc::TPACKET_ALIGNMENT);

/// Header and address.
const HEADER: usize = ADDRESS + size_of::<sockaddr_ll>();

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with one frame of 60 bytes at 128, whose header is at 48.
    fn block() -> Vec<u8> {
        let mut block = vec![0; 4096];
        let mut put = |at: usize, value: u32| block[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        put(12, 1);
        put(16, 48);
        for (at, value) in [(0, 140), (4, 10), (8, 7), (12, 60), (16, 90), (20, 1)] {
            put(48 + at, value);
        }
        block[48 + 24..48 + 26].copy_from_slice(&80_u16.to_ne_bytes());
        block[96 + 2..96 + 4].copy_from_slice(&0x0800_u16.to_be_bytes());
        block
    }

    #[test]
    fn a_frame_is_where_its_header_says() {
        let block = block();
        assert_eq!(contents(&block), Some((1, 48)));
        let header = header(&block, 48).unwrap();
        assert_eq!((header.ts, header.wire, header.bytes), (10_000_000_007, 90, 128..188));
        assert_eq!((header.protocol, header.next, header.vlan), (0x0800, 140, None));
        assert!(!header.outgoing && !header.checksum_partial);
    }

    #[test]
    fn a_frame_beyond_its_block_is_none() {
        let mut block = block();
        assert_eq!(header(&block, 4096 - 40), None);
        assert_eq!(header(&block, usize::MAX), None);
        block[60..64].copy_from_slice(&(4096 - 128_u32).to_ne_bytes());
        assert!(header(&block, 48).is_some());
        block[60..64].copy_from_slice(&(4097 - 128_u32).to_ne_bytes());
        assert_eq!(header(&block, 48), None);
        block[60..64].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert_eq!(header(&block, 48), None);
    }

    #[test]
    fn a_tag_has_the_tpid_it_came_with_or_802_1q() {
        let mut block = block();
        block[80..84].copy_from_slice(&0x2064_u32.to_ne_bytes());
        block[84..86].copy_from_slice(&0x88a8_u16.to_ne_bytes());
        for (status, vlan) in
            [(1, None), (0x11, Some([0x81, 0, 0x20, 0x64])), (0x51, Some([0x88, 0xa8, 0x20, 0x64]))]
        {
            block[68..72].copy_from_slice(&u32::to_ne_bytes(status));
            assert_eq!(header(&block, 48).unwrap().vlan, vlan, "{status:x}");
        }
    }

    #[test]
    fn what_this_host_sent_is_told_and_whether_its_checksum_is_to_come() {
        let mut block = block();
        block[96 + 10] = 4;
        block[68] |= 8;
        let header = header(&block, 48).unwrap();
        assert!(header.outgoing && header.checksum_partial);
    }
}
