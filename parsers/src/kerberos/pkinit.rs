//! Certificates within padata (PKINIT, RFC 4556): those of the CMS SignedData (RFC 5652, 5.1) that a request or reply is
//! signed with.

use smallvec::SmallVec;

use super::wire::{Padata, padata};
use crate::der::{Element, Reader, tag};
use crate::x509::MAX_CHAIN;

/// Certificates as they were sent, but the signer's first.
pub(super) type Certificates<'a> = SmallVec<[&'a [u8]; 4]>;

/// 1.2.840.113549.1.7.2
const SIGNED_DATA: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02";

/// Choices and fields around SignedData; drafts, which Windows still speaks, had other ones than the RFC.
const MAX_DEPTH: u8 = 4;

/// Those of a request or reply with this padata; nothing where it is not signed. The number of a type is the same for
/// requests and replies of drafts.
pub(super) fn certificates<'a>(padata: &Padata<'a>) -> Certificates<'a> {
    let signed = padata
        .iter()
        .filter(|(kind, _)| (padata::PK_AS_REQ_OLD..=padata::PK_AS_REP).contains(kind))
        .find_map(|(_, value)| signed_data(value, MAX_DEPTH));
    signed.map(in_signed_data).unwrap_or_default()
}

/// Content of the SignedData in a ContentInfo, or in what is around one.
fn signed_data(bytes: &[u8], depth: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    while let Some(element) = reader.element() {
        let is_around = matches!(element.tag, tag::SEQUENCE | tag::OCTET_STRING | 0x80 | 0xa0);
        if !is_around {
            continue;
        }
        let mut fields = element.reader();
        if fields.next_if(tag::OBJECT_IDENTIFIER).is_some_and(|kind| kind.content == SIGNED_DATA) {
            let content = fields.next_if(0xa0)?;
            return content.reader().next_if(tag::SEQUENCE).map(|signed| signed.content);
        }
        if depth > 0
            && let Some(found) = signed_data(element.content, depth - 1)
        {
            return Some(found);
        }
    }
    None
}

fn in_signed_data(content: &[u8]) -> Certificates<'_> {
    const CERTIFICATES: u8 = 0xa0;
    let mut all = Certificates::new();
    let mut signer = None;
    let mut fields = Reader::new(content);
    while let Some(field) = fields.element() {
        match field.tag {
            CERTIFICATES => {
                let mut certificates = field.reader();
                // One more than is looked at, so that it is told.
                while let Some(certificate) = certificates.element().filter(|_| all.len() <= MAX_CHAIN) {
                    // Other choices than Certificate are attributes, or no more used.
                    if certificate.tag == tag::SEQUENCE {
                        all.push(certificate.whole);
                    }
                }
            }
            tag::SET => signer = field.reader().element().and_then(|info| by_name_and_number(&info)),
            _ => {}
        }
    }
    let place = all.iter().position(|der| signer.is_some() && signer == name_and_number(der));
    if let Some(before) = place.and_then(|place| all.get_mut(..=place)) {
        before.rotate_right(1);
    }
    all
}

/// Issuer and serial number of a SignerInfo.
fn by_name_and_number<'a>(info: &Element<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let mut fields = info.reader();
    fields.next_if(tag::INTEGER)?;
    let mut identifier = fields.next_if(tag::SEQUENCE)?.reader();
    let issuer = identifier.next_if(tag::SEQUENCE)?;
    Some((issuer.whole, identifier.next_if(tag::INTEGER)?.content))
}

/// The same of a certificate.
fn name_and_number(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Reader::new(der).element()?.reader().next_if(tag::SEQUENCE)?.reader();
    fields.next_if(0xa0);
    let number = fields.next_if(tag::INTEGER)?;
    fields.next_if(tag::SEQUENCE)?;
    Some((fields.next_if(tag::SEQUENCE)?.whole, number.content))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kerberos::made::{element, field, int, octets, padata, seq};

    fn name(common: &str) -> Vec<u8> {
        let attribute = seq(&[element(6, b"\x55\x04\x03"), element(0x0c, common.as_bytes())]);
        seq(&[element(tag::SET, &attribute)])
    }

    /// The front of a certificate is enough to tell whose it is.
    fn certificate(issuer: &str, number: i64, subject: &str) -> Vec<u8> {
        let signed = seq(&[field(0, &int(2)), int(number), seq(&[]), name(issuer), seq(&[]), name(subject)]);
        seq(&[signed, seq(&[])])
    }

    fn content_info(certificates: &[Vec<u8>], signer: Option<(&str, i64)>) -> Vec<u8> {
        let signer = signer.map(|(issuer, number)| seq(&[int(1), seq(&[name(issuer), int(number)])]));
        let signed = seq(&[
            int(3),
            element(tag::SET, &[]),
            seq(&[element(6, b"\x2b\x06\x01\x05\x02\x03\x01")]),
            element(0xa0, &certificates.concat()),
            element(tag::SET, &signer.unwrap_or_default()),
        ]);
        seq(&[element(6, SIGNED_DATA), field(0, &signed)])
    }

    fn found(kind: i64, value: &[u8]) -> Vec<Vec<u8>> {
        let list = padata(kind, value);
        certificates(&Padata::new(&list)).iter().map(|der| der.to_vec()).collect()
    }

    #[test]
    fn the_signers_certificate_comes_first() {
        let [root, alice, other] = [("r", 1, "r"), ("r", 2, "alice"), ("x", 2, "x")]
            .map(|(issuer, number, subject)| certificate(issuer, number, subject));
        let all = [root.clone(), other.clone(), alice.clone()];
        let request = |signed: &[u8]| seq(&[element(0x80, signed)]);
        assert_eq!(
            found(16, &request(&content_info(&all, Some(("r", 2))))),
            [alice.clone(), root.clone(), other.clone()]
        );
        // Whose it is is not said, or it is not there: as they were sent.
        assert_eq!(found(16, &request(&content_info(&all, None))), all);
        assert_eq!(found(16, &request(&content_info(&all, Some(("r", 3))))), all);
    }

    #[test]
    fn replies_and_drafts_have_other_wrappings() {
        let all = [certificate("r", 1, "kdc")];
        let signed = content_info(&all, None);
        let reply = field(0, &seq(&[element(0x80, &signed)]));
        assert_eq!(found(17, &reply), all);
        assert_eq!(found(15, &seq(&[field(0, &signed)])), all);
        assert_eq!(found(14, &seq(&[field(0, &octets(&signed))])), all);
        // Other padata is none of it.
        assert!(found(2, &reply).is_empty());
    }
}
