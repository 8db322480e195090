//! What an error says in its data, as text: for programs it is meant, and often there is nothing else.

use schemas::kerberos_names::{write_encryption_type, write_padata_type};
use schemas::text;

use super::wire::{Padata, inner, padata, sequence};
use crate::der::{Reader, tag};

/// Most types of padata, and most encryption types of one, that are written.
const MAX_ENTRIES: usize = 64;

/// Of an answer to a change of password (RFC 3244, 2): a code, and text for the user.
pub(super) fn of_change(data: &[u8], out: &mut Vec<u8>) {
    let Some((code, words)) = data.split_first_chunk() else { return };
    out.extend_from_slice(match u16::from_be_bytes(*code) {
        0 => b"KRB5_KPASSWD_SUCCESS".as_slice(),
        1 => b"KRB5_KPASSWD_MALFORMED",
        2 => b"KRB5_KPASSWD_HARDERROR",
        3 => b"KRB5_KPASSWD_AUTHERROR",
        4 => b"KRB5_KPASSWD_SOFTERROR",
        5 => b"KRB5_KPASSWD_ACCESSDENIED",
        6 => b"KRB5_KPASSWD_BAD_VERSION",
        7 => b"KRB5_KPASSWD_INITIAL_FLAG_NEEDED",
        _ => b"KRB5_KPASSWD",
    });
    if !words.is_empty() {
        out.extend_from_slice(b": ");
        text::escape(words, out);
    }
}

/// Of another error: METHOD-DATA (RFC 4120, 5.9.1), or KERB-ERROR-DATA (MS-KILE, 2.2.2).
pub(super) fn of_error(data: &[u8], out: &mut Vec<u8>) {
    let Some((tag::SEQUENCE, content)) = inner(data) else { return };
    if let Some(status) = extended(content) {
        return write_status(status, out);
    }
    for (place, (kind, value)) in Padata::new(content).iter().take(MAX_ENTRIES).enumerate() {
        if place > 0 {
            out.extend_from_slice(b"; ");
        }
        match (kind, status(value)) {
            // Windows puts it there where a salt would be.
            (padata::PW_SALT, Some(status)) => write_status(status, out),
            _ => write_padata_type(kind, out),
        }
        if matches!(kind, padata::ETYPE_INFO | padata::ETYPE_INFO2) {
            write_etypes(value, out);
        }
    }
}

/// The status in KERB-ERROR-DATA of the type KERB_ERR_TYPE_EXTENDED.
fn extended(content: &[u8]) -> Option<u32> {
    const EXTENDED: &[u8] = &[tag::INTEGER, 1, 3];
    let mut fields = Reader::new(content);
    fields.next_if(0xa1).filter(|kind| kind.content == EXTENDED)?;
    status(fields.next_if(0xa2)?.reader().next_if(tag::OCTET_STRING)?.content)
}

/// The status in KERB_EXT_ERROR (MS-KILE, 2.2.2).
fn status(value: &[u8]) -> Option<u32> {
    let (status, rest) = value.split_first_chunk()?;
    (rest.len() == 8).then(|| u32::from_le_bytes(*status))
}

fn write_status(status: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"NTSTATUS 0x");
    text::hex(&status.to_be_bytes(), out);
}

/// ETYPE-INFO and ETYPE-INFO2 (RFC 4120, 5.2.7.4): each encryption type with its salt.
fn write_etypes(value: &[u8], out: &mut Vec<u8>) {
    let mut entries = Reader::new(sequence(value).unwrap_or_default());
    let mut written = 0;
    while let Some(entry) = entries.element().filter(|_| written < MAX_ENTRIES) {
        let mut fields = entry.reader();
        let etype = fields.next_if(0xa0).and_then(|field| field.reader().next_if(tag::INTEGER));
        let Some(etype) = etype.and_then(|etype| i32::try_from(crate::der::signed(etype.content)?).ok()) else {
            continue;
        };
        out.extend_from_slice(if written == 0 { b" " } else { b", " });
        write_encryption_type(etype, out);
        if let Some((_, salt)) = fields.next_if(0xa1).and_then(|field| inner(field.content)) {
            out.extend_from_slice(b" \"");
            text::escape(salt, out);
            out.push(b'"');
        }
        written += 1;
    }
}
