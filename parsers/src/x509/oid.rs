//! Object identifiers in dotted form, and what OpenSSL calls those that certificates hold.

use std::fmt::Write;

/// `1.2.840.113549`; none where the bytes are no identifier, or an arc has more than 128 bits.
pub(super) fn dotted(content: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(4 * content.len());
    let mut arc = 0_u128;
    let mut is_first = true;
    if content.last().is_none_or(|last| last & 0x80 != 0) {
        return None;
    }
    for byte in content {
        arc = arc.checked_mul(128)? | u128::from(byte & 0x7f);
        if byte & 0x80 != 0 {
            continue;
        }
        // Writing into a string does not fail.
        if std::mem::take(&mut is_first) {
            let top = (arc / 40).min(2);
            let _ = write!(out, "{top}.{}", arc - top * 40);
        } else {
            let _ = write!(out, ".{arc}");
        }
        arc = 0;
    }
    Some(out)
}

/// The short name of a type of attribute in a name: those of RFC 4519 and the others that OpenSSL has.
pub(super) fn attribute(dotted: &str) -> Option<&'static str> {
    Some(match dotted {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.14" => "searchGuide",
        "2.5.4.15" => "businessCategory",
        "2.5.4.16" => "postalAddress",
        "2.5.4.17" => "postalCode",
        "2.5.4.18" => "postOfficeBox",
        "2.5.4.19" => "physicalDeliveryOfficeName",
        "2.5.4.20" => "telephoneNumber",
        "2.5.4.23" => "facsimileTelephoneNumber",
        "2.5.4.26" => "registeredAddress",
        "2.5.4.27" => "destinationIndicator",
        "2.5.4.31" => "member",
        "2.5.4.32" => "owner",
        "2.5.4.33" => "roleOccupant",
        "2.5.4.34" => "seeAlso",
        "2.5.4.41" => "name",
        "2.5.4.42" => "GN",
        "2.5.4.43" => "initials",
        "2.5.4.44" => "generationQualifier",
        "2.5.4.45" => "x500UniqueIdentifier",
        "2.5.4.46" => "dnQualifier",
        "2.5.4.49" => "distinguishedName",
        "2.5.4.50" => "uniqueMember",
        "2.5.4.51" => "houseIdentifier",
        "2.5.4.54" => "dmdName",
        "2.5.4.65" => "pseudonym",
        "2.5.4.72" => "role",
        "2.5.4.97" => "organizationIdentifier",
        "2.5.4.98" => "c3",
        "2.5.4.99" => "n3",
        "2.5.4.100" => "dnsName",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.3" => "mail",
        "0.9.2342.19200300.100.1.9" => "host",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.37" => "associatedDomain",
        "0.9.2342.19200300.100.1.44" => "uid",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        "1.2.840.113549.1.9.7" => "challengePassword",
        "1.2.840.113549.1.9.8" => "unstructuredAddress",
        "1.2.840.113549.1.9.20" => "friendlyName",
        "1.3.6.1.4.1.311.60.2.1.1" => "jurisdictionL",
        "1.3.6.1.4.1.311.60.2.1.2" => "jurisdictionST",
        "1.3.6.1.4.1.311.60.2.1.3" => "jurisdictionC",
        _ => return None,
    })
}

/// The long name of an algorithm of keys or signatures.
pub(super) fn algorithm(dotted: &str) -> Option<&'static str> {
    Some(match dotted {
        "1.2.840.113549.1.1.1" => "rsaEncryption",
        "1.2.840.113549.1.1.2" => "md2WithRSAEncryption",
        "1.2.840.113549.1.1.3" => "md4WithRSAEncryption",
        "1.2.840.113549.1.1.4" => "md5WithRSAEncryption",
        "1.2.840.113549.1.1.5" => "sha1WithRSAEncryption",
        "1.2.840.113549.1.1.7" => "rsaesOaep",
        "1.2.840.113549.1.1.10" => "rsassaPss",
        "1.2.840.113549.1.1.11" => "sha256WithRSAEncryption",
        "1.2.840.113549.1.1.12" => "sha384WithRSAEncryption",
        "1.2.840.113549.1.1.13" => "sha512WithRSAEncryption",
        "1.2.840.113549.1.1.14" => "sha224WithRSAEncryption",
        "1.2.840.113549.1.3.1" => "dhKeyAgreement",
        "1.2.840.10040.4.1" => "dsaEncryption",
        "1.2.840.10040.4.3" => "dsaWithSHA1",
        "1.2.840.10045.2.1" => "id-ecPublicKey",
        "1.2.840.10045.4.1" => "ecdsa-with-SHA1",
        "1.2.840.10045.4.3.1" => "ecdsa-with-SHA224",
        "1.2.840.10045.4.3.2" => "ecdsa-with-SHA256",
        "1.2.840.10045.4.3.3" => "ecdsa-with-SHA384",
        "1.2.840.10045.4.3.4" => "ecdsa-with-SHA512",
        "1.2.840.10046.2.1" => "X9.42 DH",
        "1.2.156.10197.1.301" => "sm2",
        "1.2.156.10197.1.501" => "SM2-with-SM3",
        "1.2.643.2.2.3" => "GOST R 34.11-94 with GOST R 34.10-2001",
        "1.2.643.2.2.19" => "GOST R 34.10-2001",
        "1.2.643.7.1.1.1.1" => "GOST R 34.10-2012 with 256 bit modulus",
        "1.2.643.7.1.1.1.2" => "GOST R 34.10-2012 with 512 bit modulus",
        "1.2.643.7.1.1.3.2" => "GOST R 34.10-2012 with GOST R 34.11-2012 (256 bit)",
        "1.2.643.7.1.1.3.3" => "GOST R 34.10-2012 with GOST R 34.11-2012 (512 bit)",
        "1.3.14.3.2.3" => "md5WithRSA",
        "1.3.14.3.2.12" => "dsaEncryption-old",
        "1.3.14.3.2.13" => "dsaWithSHA",
        "1.3.14.3.2.15" => "shaWithRSAEncryption",
        "1.3.14.3.2.27" => "dsaWithSHA1-old",
        "1.3.14.3.2.29" => "sha1WithRSA",
        "1.3.36.3.3.1.2" => "ripemd160WithRSA",
        "1.3.101.110" => "X25519",
        "1.3.101.111" => "X448",
        "1.3.101.112" => "ED25519",
        "1.3.101.113" => "ED448",
        "2.5.8.1.1" => "rsa",
        "2.16.840.1.101.3.4.3.1" => "dsa_with_SHA224",
        "2.16.840.1.101.3.4.3.2" => "dsa_with_SHA256",
        "2.16.840.1.101.3.4.3.3" => "dsa_with_SHA384",
        "2.16.840.1.101.3.4.3.4" => "dsa_with_SHA512",
        "2.16.840.1.101.3.4.3.9" => "ecdsa_with_SHA3-224",
        "2.16.840.1.101.3.4.3.10" => "ecdsa_with_SHA3-256",
        "2.16.840.1.101.3.4.3.11" => "ecdsa_with_SHA3-384",
        "2.16.840.1.101.3.4.3.12" => "ecdsa_with_SHA3-512",
        "2.16.840.1.101.3.4.3.13" => "RSA-SHA3-224",
        "2.16.840.1.101.3.4.3.14" => "RSA-SHA3-256",
        "2.16.840.1.101.3.4.3.15" => "RSA-SHA3-384",
        "2.16.840.1.101.3.4.3.16" => "RSA-SHA3-512",
        "2.16.840.1.101.3.4.3.17" => "ML-DSA-44",
        "2.16.840.1.101.3.4.3.18" => "ML-DSA-65",
        "2.16.840.1.101.3.4.3.19" => "ML-DSA-87",
        _ => return None,
    })
}

/// The short name of a curve, and the bits of its order.
pub(super) fn curve(dotted: &str) -> Option<(&'static str, u16)> {
    Some(match dotted {
        "1.2.840.10045.3.1.1" => ("prime192v1", 192),
        "1.2.840.10045.3.1.7" => ("prime256v1", 256),
        "1.3.132.0.1" => ("sect163k1", 163),
        "1.3.132.0.2" => ("sect163r1", 162),
        "1.3.132.0.3" => ("sect239k1", 238),
        "1.3.132.0.8" => ("secp160r1", 161),
        "1.3.132.0.9" => ("secp160k1", 161),
        "1.3.132.0.10" => ("secp256k1", 256),
        "1.3.132.0.15" => ("sect163r2", 163),
        "1.3.132.0.16" => ("sect283k1", 281),
        "1.3.132.0.17" => ("sect283r1", 282),
        "1.3.132.0.24" => ("sect193r1", 193),
        "1.3.132.0.26" => ("sect233k1", 232),
        "1.3.132.0.27" => ("sect233r1", 233),
        "1.3.132.0.30" => ("secp160r2", 161),
        "1.3.132.0.31" => ("secp192k1", 192),
        "1.3.132.0.32" => ("secp224k1", 225),
        "1.3.132.0.33" => ("secp224r1", 224),
        "1.3.132.0.34" => ("secp384r1", 384),
        "1.3.132.0.35" => ("secp521r1", 521),
        "1.3.132.0.36" => ("sect409k1", 407),
        "1.3.132.0.37" => ("sect409r1", 409),
        "1.3.132.0.38" => ("sect571k1", 570),
        "1.3.132.0.39" => ("sect571r1", 570),
        "1.3.36.3.3.2.8.1.1.1" => ("brainpoolP160r1", 160),
        "1.3.36.3.3.2.8.1.1.3" => ("brainpoolP192r1", 192),
        "1.3.36.3.3.2.8.1.1.5" => ("brainpoolP224r1", 224),
        "1.3.36.3.3.2.8.1.1.7" => ("brainpoolP256r1", 256),
        "1.3.36.3.3.2.8.1.1.8" => ("brainpoolP256t1", 256),
        "1.3.36.3.3.2.8.1.1.9" => ("brainpoolP320r1", 320),
        "1.3.36.3.3.2.8.1.1.11" => ("brainpoolP384r1", 384),
        "1.3.36.3.3.2.8.1.1.12" => ("brainpoolP384t1", 384),
        "1.3.36.3.3.2.8.1.1.13" => ("brainpoolP512r1", 512),
        "1.3.36.3.3.2.8.1.1.14" => ("brainpoolP512t1", 512),
        "1.2.156.10197.1.301" => ("SM2", 256),
        _ => return None,
    })
}

/// The short name of a purpose of a key.
pub(super) fn purpose(dotted: &str) -> Option<&'static str> {
    Some(match dotted {
        "2.5.29.37.0" => "anyExtendedKeyUsage",
        "1.3.6.1.5.5.7.3.1" => "serverAuth",
        "1.3.6.1.5.5.7.3.2" => "clientAuth",
        "1.3.6.1.5.5.7.3.3" => "codeSigning",
        "1.3.6.1.5.5.7.3.4" => "emailProtection",
        "1.3.6.1.5.5.7.3.5" => "ipsecEndSystem",
        "1.3.6.1.5.5.7.3.6" => "ipsecTunnel",
        "1.3.6.1.5.5.7.3.7" => "ipsecUser",
        "1.3.6.1.5.5.7.3.8" => "timeStamping",
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning",
        "1.3.6.1.5.5.7.3.10" => "DVCS",
        "1.3.6.1.5.5.7.3.17" => "ipsecIKE",
        "1.3.6.1.5.5.7.3.18" => "capwapAC",
        "1.3.6.1.5.5.7.3.19" => "capwapWTP",
        "1.3.6.1.5.5.7.3.21" => "secureShellClient",
        "1.3.6.1.5.5.7.3.22" => "secureShellServer",
        "1.3.6.1.5.5.7.3.27" => "cmcCA",
        "1.3.6.1.5.5.7.3.28" => "cmcRA",
        "1.3.6.1.5.5.7.3.29" => "cmcArchive",
        "1.3.6.1.5.2.3.4" => "pkInitClientAuth",
        "1.3.6.1.5.2.3.5" => "pkInitKDC",
        "1.3.6.1.4.1.311.10.3.1" => "msCTLSign",
        "1.3.6.1.4.1.311.10.3.3" => "msSGC",
        "1.3.6.1.4.1.311.10.3.4" => "msEFS",
        "1.3.6.1.4.1.311.20.2.2" => "msSmartcardLogin",
        "1.3.6.1.4.1.311.20.2.3" => "msUPN",
        "2.16.840.1.113730.4.1" => "nsSGC",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_dotted_numbers() {
        let text = |bytes: &[u8]| dotted(bytes).unwrap_or_default();
        assert_eq!(text(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]), "1.2.840.113549.1.1.11");
        assert_eq!(text(&[0x55, 4, 3]), "2.5.4.3");
        assert_eq!(text(&[0x88, 0x37, 3]), "2.999.3");
        assert_eq!(text(&[0]), "0.0");
        assert_eq!(
            text(&[
                0x69, 0x83, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                0xff, 0xff, 0xff, 0xff, 0x7f
            ]),
            "2.25.340282366920938463463374607431768211455"
        );
    }

    #[test]
    fn what_is_no_identifier_has_no_text() {
        assert_eq!(dotted(&[]), None);
        assert_eq!(dotted(&[0x55, 0x84]), None);
        assert_eq!(dotted(&[[0xff; 30].as_slice(), &[1]].concat()), None);
    }
}
