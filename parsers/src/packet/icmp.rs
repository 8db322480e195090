//! Which ICMP messages answer each other.

/// The type of the message that answers, or is answered by, a message of type `kind`; `None` where messages go one way.
/// The table of Community ID and Zeek (RFC 792, 950, 1256; RFC 4443, 2710, 4861, 4620, 6275).
pub fn counterpart(ipv6: bool, kind: u8) -> Option<u8> {
    if ipv6 {
        Some(match kind {
            128 => 129,
            129 => 128,
            130 => 131,
            131 => 130,
            133 => 134,
            134 => 133,
            135 => 136,
            136 => 135,
            139 => 140,
            140 => 139,
            144 => 145,
            145 => 144,
            _ => return None,
        })
    } else {
        Some(match kind {
            0 => 8,
            8 => 0,
            9 => 10,
            10 => 9,
            13 => 14,
            14 => 13,
            15 => 16,
            16 => 15,
            17 => 18,
            18 => 17,
            _ => return None,
        })
    }
}
