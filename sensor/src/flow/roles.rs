//! Who is the originator: the sender of the first packet, unless the ports say that the capture began midway.
//!
//! The rules and the list of ports are Zeek's (`likely_server_ports`, `WantConnection`).

use parsers::packet::{self, Layer};
use parsers::protocol::Transport;

use super::segment::flags;

/// Ports on which TCP servers usually listen; sorted.
const TCP_SERVERS: &[u16] = &[
    21, 22, 25, 53, 80, 81, 88, 135, 139, 143, 443, 445, 465, 502, 514, 563, 585, 587, 614, 631, 636, 989,
    990, 992, 993, 995, 1080, 1434, 1883, 2811, 3128, 3306, 3389, 5222, 5223, 5269, 6666, 6667, 6668, 6669,
    8000, 8080, 8888, 20000,
];

/// Ports on which UDP servers usually listen; sorted.
const UDP_SERVERS: &[u16] = &[
    53, 67, 88, 123, 137, 161, 162, 443, 514, 1812, 2123, 2152, 3389, 3544, 4789, 5060, 5072, 5353, 5355,
    6081, 20000,
];

/// Whether servers usually listen on this port.
pub fn likely_server_port(transport: Transport, port: u16) -> bool {
    let servers = match transport {
        Transport::Tcp => TCP_SERVERS,
        Transport::Udp => UDP_SERVERS,
    };
    servers.binary_search(&port).is_ok()
}

/// Whether the sender of a flow's first packet is its responder.
pub fn flips(layer: &Layer) -> bool {
    const BROADCAST: [u8; 4] = [255; 4];
    if !layer.ipv6 && layer.dst.ends_with(&BROADCAST) {
        return false;
    }
    match layer.transport {
        packet::Transport::Tcp => flips_tcp(layer.src_port, layer.dst_port, layer.flags),
        packet::Transport::Udp => flips_udp(layer.src_port, layer.dst_port),
        _ => false,
    }
}

/// Whether the sender of the first TCP segment of a flow is its responder. `flags` are those of the segment.
/// Not to be asked where the destination is the limited broadcast address.
pub fn flips_tcp(src_port: u16, dst_port: u16, flags: u8) -> bool {
    let syn = flags & flags::SYN != 0;
    if syn && flags & flags::ACK == 0 {
        return false;
    }
    if !likely_server_port(Transport::Tcp, src_port) {
        return false;
    }
    // Both look like servers: a SYN+ACK may be a stealth scan, so it does not flip; else the lower port serves.
    !likely_server_port(Transport::Tcp, dst_port) || (!syn && src_port < dst_port)
}

/// Whether the sender of the first datagram of a flow is its responder. Not to be asked where the destination is the
/// limited broadcast address.
pub fn flips_udp(src_port: u16, dst_port: u16) -> bool {
    likely_server_port(Transport::Udp, src_port) && !likely_server_port(Transport::Udp, dst_port)
}

/// The type of ICMP message that answers this one, or that it answers; `None` for messages that go one way only.
/// A request and its replies are one flow; messages that go one way make a flow for each direction, type and code.
pub fn icmp_counterpart(ipv6: bool, message_type: u8) -> Option<u8> {
    const PAIRS_4: [(u8, u8); 5] = [(8, 0), (13, 14), (15, 16), (10, 9), (17, 18)];
    const PAIRS_6: [(u8, u8); 6] = [(128, 129), (133, 134), (135, 136), (130, 131), (139, 140), (144, 145)];
    let pairs: &[(u8, u8)] = if ipv6 { &PAIRS_6 } else { &PAIRS_4 };
    pairs.iter().find_map(|&(one, other)| {
        if message_type == one {
            Some(other)
        } else if message_type == other {
            Some(one)
        } else {
            None
        }
    })
}

/// Ports (of TCP responders) whose flows may be idle for long: FTP, SSH, Telnet, rlogin.
pub fn is_interactive_port(port: u16) -> bool {
    matches!(port, 21 | 22 | 23 | 513)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ports_are_sorted() {
        assert!(TCP_SERVERS.is_sorted() && UDP_SERVERS.is_sorted());
    }

    #[test]
    fn a_syn_never_flips() {
        assert!(!flips_tcp(80, 50_000, flags::SYN));
    }

    #[test]
    fn traffic_from_a_server_port_flips() {
        assert!(flips_tcp(80, 50_000, flags::ACK));
        assert!(flips_tcp(80, 50_000, flags::SYN | flags::ACK));
        assert!(!flips_tcp(50_000, 80, flags::ACK));
    }

    #[test]
    fn between_two_server_ports_the_lower_one_serves_but_not_by_a_syn_ack() {
        assert!(flips_tcp(80, 443, flags::ACK));
        assert!(!flips_tcp(443, 80, flags::ACK));
        assert!(!flips_tcp(80, 443, flags::SYN | flags::ACK));
    }

    #[test]
    fn datagrams_flip_from_a_server_port_to_another() {
        assert!(flips_udp(53, 40_000));
        assert!(!flips_udp(53, 5353));
        assert!(!flips_udp(40_000, 53));
    }

    #[test]
    fn icmp_requests_and_replies_find_each_other() {
        assert_eq!(icmp_counterpart(false, 8), Some(0));
        assert_eq!(icmp_counterpart(false, 0), Some(8));
        assert_eq!(icmp_counterpart(false, 3), None);
        assert_eq!(icmp_counterpart(true, 129), Some(128));
    }
}
