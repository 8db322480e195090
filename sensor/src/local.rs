//! Which addresses are local: the networks of the configuration as sorted ranges.

use ipnet::IpNet;
use schemas::envelope::AddressBytes;

/// The local networks.
#[derive(Clone, Debug, Default)]
pub struct LocalNetworks {
    ipv4: Vec<(u128, u128)>,
    ipv6: Vec<(u128, u128)>,
}

impl LocalNetworks {
    /// From the configuration.
    pub fn new(networks: &[IpNet]) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for network in networks {
            match network {
                IpNet::V4(network) => {
                    ipv4.push((
                        u128::from(network.network().to_bits()),
                        u128::from(network.broadcast().to_bits()),
                    ));
                }
                IpNet::V6(network) => ipv6.push((network.network().to_bits(), network.broadcast().to_bits())),
            }
        }
        Self { ipv4: joined(ipv4), ipv6: joined(ipv6) }
    }

    /// Whether an address is local.
    #[inline]
    pub fn contains(&self, address: &AddressBytes, ipv6: bool) -> bool {
        let ranges = if ipv6 { &self.ipv6 } else { &self.ipv4 };
        let address = u128::from_be_bytes(*address);
        let after = ranges.partition_point(|(first, _)| *first <= address);
        after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| address <= *last)
    }
}

/// Ranges in order, those that touch or overlap made one.
fn joined(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut out: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(address: &str) -> (AddressBytes, bool) {
        match address.parse().unwrap() {
            std::net::IpAddr::V4(address) => (u128::from(address.to_bits()).to_be_bytes(), false),
            std::net::IpAddr::V6(address) => (address.octets(), true),
        }
    }

    #[test]
    fn knows_the_edges_of_networks_and_keeps_families_apart() {
        let networks: Vec<IpNet> = ["10.0.0.0/8", "192.168.0.0/16", "192.168.4.0/24", "fc00::/7"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let local = LocalNetworks::new(&networks);
        for (address, expected) in [
            ("9.255.255.255", false),
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("11.0.0.0", false),
            ("192.168.200.1", true),
            ("fbff::1", false),
            ("fdff::1", true),
            ("::10.0.0.1", false),
        ] {
            let (address, ipv6) = bytes(address);
            assert_eq!(local.contains(&address, ipv6), expected);
        }
    }
}
