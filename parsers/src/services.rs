//! What a flow is known to speak: a few small codes of names, kept sorted.

/// The most protocols that are noted for one flow.
const MOST: usize = 4;

/// Names of protocols confirmed by content; [`Services::write`] gives the text of `flows.service`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Services {
    /// Places in [`NAMES`] plus one, in ascending order; 0 is free and stands at the end.
    codes: [u8; MOST],
}

impl Services {
    /// Notes a protocol, if there is room.
    pub fn confirm(&mut self, name: &'static str) {
        // Few names have the same length, and texts of different ones need no look at their bytes.
        let Some(place) = NAMES.iter().position(|known| *known == name) else {
            debug_assert!(false, "{name} is not in the list of services");
            return;
        };
        // The list has fewer than 255 names.
        let code = place as u8 + 1;
        if self.codes.contains(&code) {
            return;
        }
        if let Some(free) = self.codes.iter_mut().find(|code| **code == 0) {
            *free = code;
        }
        self.codes.sort_unstable_by_key(|code| code.wrapping_sub(1));
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.codes == [0; MOST]
    }

    /// Whether this protocol was noted.
    pub fn has(&self, name: &str) -> bool {
        self.names().any(|noted| noted == name)
    }

    /// Whether people type into it, and pause.
    pub fn are_interactive(&self) -> bool {
        INTERACTIVE.iter().any(|name| self.has(name))
    }

    /// Whether all that is known comes in front of something else on the same flow.
    pub fn make_way(&self) -> bool {
        !self.is_empty() && self.names().all(|name| name == IN_FRONT)
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.codes.iter().filter_map(|code| NAMES.get(usize::from(code.checked_sub(1)?)).copied())
    }

    /// Appends the names, sorted and comma-joined.
    pub fn write(&self, out: &mut Vec<u8>) {
        for (place, name) in self.names().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
        }
    }
}

/// That which [`Services::make_way`] is about: ends look for a way to one another before they speak DTLS (RFC 8445).
const IN_FRONT: &str = "stun";

/// Those that [`Services::are_interactive`] is about.
const INTERACTIVE: [&str; 3] = ["ftp", "ssh", "telnet"];

/// Every name that `flows.service` may hold, sorted.
pub const NAMES: &[&str] = &[
    "bittorrent",
    "dcerpc",
    "dhcp",
    "dhcpv6",
    "dnp3",
    "dns",
    "ftp",
    "ftp-data",
    "http",
    "imap",
    "irc",
    "kerberos",
    "ldap",
    "modbus",
    "mqtt",
    "mysql",
    "netbios-ns",
    "ntp",
    "pop3",
    "postgresql",
    "quic",
    "radius",
    "rdp",
    "redis",
    "rtsp",
    "sip",
    "smb",
    "smtp",
    "snmp",
    "socks",
    "ssdp",
    "ssh",
    "stun",
    "syslog",
    "telnet",
    "tftp",
    "tls",
    "vnc",
    "wireguard",
    "xmpp",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted() {
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn only_what_comes_in_front_of_others_makes_way() {
        let mut services = Services::default();
        assert!(!services.make_way());
        services.confirm("stun");
        assert!(services.make_way());
        services.confirm("tls");
        assert!(!services.make_way());
    }

    #[test]
    fn joins_names_in_order_however_they_were_found() {
        let mut services = Services::default();
        for name in ["tls", "quic", "tls", "dns"] {
            services.confirm(name);
        }
        let mut text = Vec::new();
        services.write(&mut text);
        assert_eq!(text, b"dns,quic,tls");
    }
}
