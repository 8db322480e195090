//! Parameters of SVCB and HTTPS records (RFC 9460) as dig prints them.

use schemas::identifier::{write_ipv4, write_ipv6};

use super::presentation::{base64, number, unquoted};
use super::rdata::{Fields, RdataProblem};

/// Appends all parameters up to the end of `fields`, each after a blank.
pub(super) fn parameters(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Result<(), RdataProblem> {
    while !fields.is_empty() {
        let key = fields.short()?;
        let length = fields.short()?;
        let value = fields.take(usize::from(length))?;
        out.push(b' ');
        key_name(key, out);
        parameter(key, value, out)?;
    }
    Ok(())
}

fn key_name(key: u16, out: &mut Vec<u8>) {
    let name = match key {
        0 => "mandatory",
        1 => "alpn",
        2 => "no-default-alpn",
        3 => "port",
        4 => "ipv4hint",
        5 => "ech",
        6 => "ipv6hint",
        7 => "dohpath",
        8 => "ohttp",
        9 => "tls-supported-groups",
        10 => "docpath",
        _ => {
            out.extend_from_slice(b"key");
            return number(key, out);
        }
    };
    out.extend_from_slice(name.as_bytes());
}

/// `=value` by the form of the key.
fn parameter(key: u16, value: &[u8], out: &mut Vec<u8>) -> Result<(), RdataProblem> {
    let shorts = || value.as_chunks::<2>().0.iter().map(|short| u16::from_be_bytes(*short));
    match key {
        0 if value.len().is_multiple_of(2) => list(shorts(), out, key_name),
        1 => {
            out.extend_from_slice(b"=\"");
            protocols(value, out)?;
            out.push(b'"');
        }
        2 | 8 if value.is_empty() => {}
        3 if value.len() == 2 => list(shorts(), out, number),
        4 if value.len().is_multiple_of(4) => {
            list(value.as_chunks().0.iter(), out, |address, out| write_ipv4(*address, out));
        }
        5 => {
            out.push(b'=');
            base64(value, out);
        }
        6 if value.len().is_multiple_of(16) => {
            list(value.as_chunks().0.iter(), out, write_ipv6);
        }
        9 if value.len().is_multiple_of(2) => list(shorts(), out, number),
        0 | 2..=4 | 6 | 8 | 9 => return Err(RdataProblem::Field),
        10 => {
            out.extend_from_slice(b"=\"");
            protocols(value, out)?;
            out.push(b'"');
        }
        _ if value.is_empty() => {}
        _ => {
            out.extend_from_slice(b"=\"");
            unquoted(value, out);
            out.push(b'"');
        }
    }
    Ok(())
}

/// `=` and the items with commas between them.
fn list<T>(items: impl Iterator<Item = T>, out: &mut Vec<u8>, write: impl Fn(T, &mut Vec<u8>)) {
    let mut separator = b'=';
    for item in items {
        out.push(separator);
        write(item, out);
        separator = b',';
    }
}

/// Strings behind their lengths, with commas between them; a comma or backslash inside is escaped twice, once for the
/// list and once for the string it stands in (RFC 9460, appendix A.1).
fn protocols(mut value: &[u8], out: &mut Vec<u8>) -> Result<(), RdataProblem> {
    let mut first = true;
    while let [length, rest @ ..] = value {
        let (item, rest) = rest.split_at_checked(usize::from(*length)).ok_or(RdataProblem::Field)?;
        value = rest;
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        for part in item.split_inclusive(|byte| matches!(byte, b',' | b'\\')) {
            match part.split_last() {
                Some((last @ (b',' | b'\\'), before)) => {
                    unquoted(before, out);
                    out.extend_from_slice(if *last == b',' { b"\\\\," } else { b"\\\\\\\\" });
                }
                _ => unquoted(part, out),
            }
        }
    }
    Ok(())
}
