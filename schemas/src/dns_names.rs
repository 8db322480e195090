//! Mnemonics of DNS parameters, as IANA's registry "Domain Name System (DNS) Parameters" and dig write them.

/// Declares a function from number to mnemonic and the table of all of them.
macro_rules! mnemonics {
    ($(#[$doc:meta])* $function:ident $table:ident $type:ty { $($number:literal $name:literal)* }) => {
        $(#[$doc])*
        pub fn $function(number: $type) -> Option<&'static str> {
            match number {
                $($number => Some($name),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const $table: &[($type, &str)] = &[$(($number, $name),)*];
    };
}

mnemonics! {
    /// TYPE and QTYPE; a number without a mnemonic is written `TYPE65280` (RFC 3597).
    record_type RECORD_TYPES u16 {
        1 "A" 2 "NS" 3 "MD" 4 "MF" 5 "CNAME" 6 "SOA" 7 "MB" 8 "MG" 9 "MR" 10 "NULL" 11 "WKS" 12 "PTR" 13 "HINFO"
        14 "MINFO" 15 "MX" 16 "TXT" 17 "RP" 18 "AFSDB" 19 "X25" 20 "ISDN" 21 "RT" 22 "NSAP" 23 "NSAP-PTR" 24 "SIG"
        25 "KEY" 26 "PX" 27 "GPOS" 28 "AAAA" 29 "LOC" 30 "NXT" 31 "EID" 32 "NIMLOC" 33 "SRV" 34 "ATMA" 35 "NAPTR"
        36 "KX" 37 "CERT" 38 "A6" 39 "DNAME" 40 "SINK" 41 "OPT" 42 "APL" 43 "DS" 44 "SSHFP" 45 "IPSECKEY" 46 "RRSIG"
        47 "NSEC" 48 "DNSKEY" 49 "DHCID" 50 "NSEC3" 51 "NSEC3PARAM" 52 "TLSA" 53 "SMIMEA" 55 "HIP" 56 "NINFO"
        57 "RKEY" 58 "TALINK" 59 "CDS" 60 "CDNSKEY" 61 "OPENPGPKEY" 62 "CSYNC" 63 "ZONEMD" 64 "SVCB" 65 "HTTPS"
        66 "DSYNC" 67 "HHIT" 68 "BRID" 99 "SPF" 100 "UINFO" 101 "UID" 102 "GID" 103 "UNSPEC" 104 "NID" 105 "L32"
        106 "L64" 107 "LP" 108 "EUI48" 109 "EUI64" 128 "NXNAME" 249 "TKEY" 250 "TSIG" 251 "IXFR" 252 "AXFR"
        253 "MAILB" 254 "MAILA" 255 "ANY" 256 "URI" 257 "CAA" 258 "AVC" 259 "DOA" 260 "AMTRELAY" 261 "RESINFO"
        262 "WALLET" 263 "CLA" 264 "IPN" 32768 "TA" 32769 "DLV"
    }
}

mnemonics! {
    /// CLASS and QCLASS; a number without a mnemonic is written `CLASS7` (RFC 3597).
    class CLASSES u16 {
        1 "IN" 3 "CH" 4 "HS" 254 "NONE" 255 "ANY"
    }
}

mnemonics! {
    /// OPCODE; a number without a mnemonic is written `OPCODE7`.
    opcode OPCODES u8 {
        0 "QUERY" 1 "IQUERY" 2 "STATUS" 4 "NOTIFY" 5 "UPDATE" 6 "DSO"
    }
}

mnemonics! {
    /// RCODE, extended by EDNS; a number without a mnemonic is written `RCODE12`. In a header 16 is BADVERS, not BADSIG.
    rcode RCODES u16 {
        0 "NOERROR" 1 "FORMERR" 2 "SERVFAIL" 3 "NXDOMAIN" 4 "NOTIMP" 5 "REFUSED" 6 "YXDOMAIN" 7 "YXRRSET" 8 "NXRRSET"
        9 "NOTAUTH" 10 "NOTZONE" 11 "DSOTYPENI" 16 "BADVERS" 17 "BADKEY" 18 "BADTIME" 19 "BADMODE" 20 "BADNAME"
        21 "BADALG" 22 "BADTRUNC" 23 "BADCOOKIE"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_mnemonics() {
        assert_eq!(record_type(1), Some("A"));
        assert_eq!(record_type(65), Some("HTTPS"));
        assert_eq!(record_type(257), Some("CAA"));
        assert_eq!(record_type(65280), None);
        assert_eq!(class(3), Some("CH"));
        assert_eq!(class(7), None);
        assert_eq!(opcode(4), Some("NOTIFY"));
        assert_eq!(opcode(3), None);
        assert_eq!(rcode(3), Some("NXDOMAIN"));
        assert_eq!(rcode(16), Some("BADVERS"));
    }

    #[test]
    fn no_mnemonic_stands_for_two_numbers() {
        fn distinct<N>(table: &[(N, &str)]) {
            let names: std::collections::BTreeSet<_> = table.iter().map(|(_, name)| name).collect();
            assert_eq!(names.len(), table.len());
        }
        distinct(RECORD_TYPES);
        distinct(CLASSES);
        distinct(OPCODES);
        distinct(RCODES);
    }
}
