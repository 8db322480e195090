//! Names of numbers in TLS, as IANA's registries "TLS Parameters" and "TLS ExtensionType Values" write them.

mod cipher_suites;

use cipher_suites::CIPHER_SUITES;

use crate::symbols::mnemonic;

/// What stands in front of a number that has no name.
const UNKNOWN: &str = "unknown-";

/// Writes a version: `TLSv1.3-draft23` for one of a draft, `unknown-4660` for one that has no name.
pub fn write_version(number: u16, out: &mut Vec<u8>) {
    match draft(number) {
        Some(draft) => mnemonic(None, "TLSv1.3-draft", draft.into(), out),
        None => mnemonic(version(number), UNKNOWN, number, out),
    }
}

/// Writes the name of a cipher suite.
pub fn write_cipher_suite(number: u16, out: &mut Vec<u8>) {
    mnemonic(cipher_suite(number), UNKNOWN, number, out);
}

/// Writes the name of a named group.
pub fn write_named_group(number: u16, out: &mut Vec<u8>) {
    mnemonic(named_group(number), UNKNOWN, number, out);
}

/// Writes the description of an alert.
pub fn write_alert(number: u16, out: &mut Vec<u8>) {
    mnemonic(alert(number), UNKNOWN, number, out);
}

/// Whether a number was set aside to be passed over (RFC 8701): `0x0a0a`, `0x1a1a`, … `0xfafa`.
pub fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// Name of a cipher suite.
pub fn cipher_suite(number: u16) -> Option<&'static str> {
    let at = CIPHER_SUITES.binary_search_by_key(&number, |(known, _)| *known).ok()?;
    CIPHER_SUITES.get(at).map(|(_, name)| *name)
}

/// Name of a cipher of SSL 2.0, which has numbers of 24 bits (draft-hickman-netscape-ssl-00, C.4).
pub fn ssl2_cipher(number: u32) -> Option<&'static str> {
    Some(match number {
        0x00_0000 => "SSL_CK_NULL_WITH_MD5",
        0x01_0080 => "SSL_CK_RC4_128_WITH_MD5",
        0x02_0080 => "SSL_CK_RC4_128_EXPORT40_WITH_MD5",
        0x03_0080 => "SSL_CK_RC2_128_CBC_WITH_MD5",
        0x04_0080 => "SSL_CK_RC2_128_CBC_EXPORT40_WITH_MD5",
        0x05_0080 => "SSL_CK_IDEA_128_CBC_WITH_MD5",
        0x06_0040 => "SSL_CK_DES_64_CBC_WITH_MD5",
        0x06_0140 => "SSL_CK_DES_64_CBC_WITH_SHA",
        0x07_00c0 => "SSL_CK_DES_192_EDE3_CBC_WITH_MD5",
        0x07_01c0 => "SSL_CK_DES_192_EDE3_CBC_WITH_SHA",
        0x08_0080 => "SSL_CK_RC4_64_WITH_MD5",
        _ => return None,
    })
}

/// Declares a function from number to name.
macro_rules! names {
    ($(#[$doc:meta])* $function:ident $type:ty { $($number:literal $name:literal)* }) => {
        $(#[$doc])*
        pub fn $function(number: $type) -> Option<&'static str> {
            match number {
                $($number => Some($name),)*
                _ => None,
            }
        }
    };
}

names! {
    /// Version of TLS, DTLS or SSL; those of drafts apart.
    version u16 {
        0x0002 "SSLv2" 0x0300 "SSLv3" 0x0301 "TLSv1.0" 0x0302 "TLSv1.1" 0x0303 "TLSv1.2" 0x0304 "TLSv1.3"
        0x0100 "DTLSv0.9" 0xfeff "DTLSv1.0" 0xfefd "DTLSv1.2" 0xfefc "DTLSv1.3" 0x0101 "TLCPv1.1"
    }
}

/// The draft of TLS 1.3 that a version names (RFC 8446, 4.2.1, in its drafts): `0x7f17` is draft 23.
fn draft(number: u16) -> Option<u8> {
    let [high, draft] = number.to_be_bytes();
    (high == 0x7f && draft > 0).then_some(draft)
}

names! {
    /// Named group ("TLS Supported Groups"), those of drafts that were deployed among them.
    named_group u16 {
        1 "sect163k1" 2 "sect163r1" 3 "sect163r2" 4 "sect193r1" 5 "sect193r2" 6 "sect233k1" 7 "sect233r1"
        8 "sect239k1" 9 "sect283k1" 10 "sect283r1" 11 "sect409k1" 12 "sect409r1" 13 "sect571k1" 14 "sect571r1"
        15 "secp160k1" 16 "secp160r1" 17 "secp160r2" 18 "secp192k1" 19 "secp192r1" 20 "secp224k1" 21 "secp224r1"
        22 "secp256k1" 23 "secp256r1" 24 "secp384r1" 25 "secp521r1" 26 "brainpoolP256r1" 27 "brainpoolP384r1"
        28 "brainpoolP512r1" 29 "x25519" 30 "x448" 31 "brainpoolP256r1tls13" 32 "brainpoolP384r1tls13"
        33 "brainpoolP512r1tls13" 34 "GC256A" 35 "GC256B" 36 "GC256C" 37 "GC256D" 38 "GC512A" 39 "GC512B" 40 "GC512C"
        41 "curveSM2" 0x0100 "ffdhe2048" 0x0101 "ffdhe3072" 0x0102 "ffdhe4096" 0x0103 "ffdhe6144" 0x0104 "ffdhe8192"
        0x0200 "MLKEM512" 0x0201 "MLKEM768" 0x0202 "MLKEM1024" 0x11e9 "SecP256r1MLKEM512" 0x11ea "MLKEM512X25519"
        0x11eb "SecP256r1MLKEM768" 0x11ec "X25519MLKEM768" 0x11ed "SecP384r1MLKEM1024" 0x11ee "curveSM2MLKEM768"
        0x4138 "CECPQ2" 0x6399 "X25519Kyber768Draft00" 0x639a "SecP256r1Kyber768Draft00" 0xfe30 "X25519Kyber512Draft00"
        0xfe31 "X25519Kyber768Draft00Old" 0xff01 "arbitrary_explicit_prime_curves"
        0xff02 "arbitrary_explicit_char2_curves"
    }
}

names! {
    /// Description of an alert ("TLS Alerts"), with blanks between its words.
    alert u16 {
        0 "close notify" 10 "unexpected message" 20 "bad record mac" 21 "decryption failed" 22 "record overflow"
        30 "decompression failure" 40 "handshake failure" 41 "no certificate" 42 "bad certificate"
        43 "unsupported certificate" 44 "certificate revoked" 45 "certificate expired" 46 "certificate unknown"
        47 "illegal parameter" 48 "unknown ca" 49 "access denied" 50 "decode error" 51 "decrypt error"
        52 "too many cids requested" 60 "export restriction" 70 "protocol version" 71 "insufficient security"
        80 "internal error" 86 "inappropriate fallback" 90 "user canceled" 100 "no renegotiation"
        109 "missing extension" 110 "unsupported extension" 111 "certificate unobtainable" 112 "unrecognized name"
        113 "bad certificate status response" 114 "bad certificate hash value" 115 "unknown psk identity"
        116 "certificate required" 117 "general error" 120 "no application protocol" 121 "ech required"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_are_sorted_and_found_by_their_numbers() {
        assert!(CIPHER_SUITES.is_sorted_by(|(one, _), (next, _)| one < next));
        for (number, name) in [
            (0x0000, "TLS_NULL_WITH_NULL_NULL"),
            (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
            (0x1301, "TLS_AES_128_GCM_SHA256"),
            (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
            (0xd005, "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256"),
        ] {
            assert_eq!(cipher_suite(number), Some(name));
        }
        assert_eq!(cipher_suite(0x1234), None);
    }

    #[test]
    fn every_suite_of_the_registry_has_its_name() {
        // RFC 8701 numbers are names of nothing.
        assert!(CIPHER_SUITES.len() >= 356 && !CIPHER_SUITES.iter().any(|(number, _)| is_grease(*number)));
    }

    #[test]
    fn grease_has_two_equal_bytes_that_end_in_a() {
        let all = (0..=u16::MAX).filter(|number| is_grease(*number));
        assert_eq!(all.collect::<Vec<_>>().as_slice()[..2], [0x0a0a, 0x1a1a]);
        assert_eq!((0..=u16::MAX).filter(|number| is_grease(*number)).count(), 16);
    }
}
