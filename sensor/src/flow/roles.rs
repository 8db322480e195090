//! Who is the originator when a flow begins in the middle: the end whose port no server is known to use.

use parsers::packet::{Layer, Transport};

use super::tcp::flags;

/// Ports on which Zeek expects servers, for TCP.
const TCP_SERVERS: &[u16] = &[
    21, 22, 25, 53, 80, 81, 88, 110, 135, 139, 143, 443, 445, 563, 585, 587, 614, 631, 636, 989, 990, 992, 993, 995, 1080, 2811,
    3128, 3389, 5222, 5223, 5269, 6666, 6667, 6668, 6669, 8000, 8080, 8888, 20000,
];

/// Ports on which Zeek expects servers, for UDP.
const UDP_SERVERS: &[u16] =
    &[53, 67, 88, 123, 137, 161, 162, 443, 1812, 2123, 2152, 3389, 3544, 4789, 5060, 5072, 5353, 5355, 6081, 20000];

/// Whether servers are expected on this port.
pub fn likely_server_port(transport: Transport, port: u16) -> bool {
    match transport {
        Transport::Tcp => TCP_SERVERS.binary_search(&port).is_ok(),
        Transport::Udp => UDP_SERVERS.binary_search(&port).is_ok(),
        _ => false,
    }
}

/// Whether the sender of a flow's first packet is its responder.
pub fn flips_at_creation(layer: &Layer) -> bool {
    const BROADCAST: [u8; 4] = [255; 4];
    if !layer.ipv6 && layer.dst.ends_with(&BROADCAST) {
        return false;
    }
    let from_server = likely_server_port(layer.transport, layer.src_port);
    let to_server = likely_server_port(layer.transport, layer.dst_port);
    match layer.transport {
        Transport::Tcp => {
            let syn = layer.flags & flags::SYN != 0;
            if syn && layer.flags & flags::ACK == 0 || !from_server {
                return false;
            }
            !to_server || !syn && layer.src_port < layer.dst_port
        }
        Transport::Udp => from_server && !to_server,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_ports_are_sorted() {
        assert!(TCP_SERVERS.is_sorted());
        assert!(UDP_SERVERS.is_sorted());
    }
}
