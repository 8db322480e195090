//! Whether a certificate is for the host that was asked for, by the rule of OpenSSL, which Zeek uses: the DNS names of the
//! certificate, its common names where it has none, and wildcards as in RFC 6125, 6.4.3.

use std::net::IpAddr;

use super::certificate::Certificate;
use super::texts::Texts;

/// Whether `certificate` is for `host`; an address is looked for among its addresses.
pub(super) fn matches(certificate: &Certificate, host: &[u8]) -> bool {
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.is_empty() {
        return false;
    }
    let address = std::str::from_utf8(host).ok().and_then(|host| host.parse::<IpAddr>().ok());
    if let Some(address) = address {
        let address = address.to_string();
        let addresses = certificate.san_ip.iter().flat_map(Texts::iter);
        return addresses.into_iter().any(|of| of == address.as_bytes());
    }
    match &certificate.san_dns {
        Some(names) if !names.is_empty() => names.iter().any(|name| is_for(name, host)),
        _ => certificate.subject_common_names.iter().any(|name| is_for(name, host)),
    }
}

/// Whether the name of a certificate, which may have a wildcard, is for `host`.
fn is_for(name: &[u8], host: &[u8]) -> bool {
    if name.eq_ignore_ascii_case(host) {
        return true;
    }
    let Some(Wildcard { before, behind, rest }) = Wildcard::read(name) else { return false };
    let Some((label, host_rest)) = split_label(host) else { return false };
    let is_whole = before.is_empty() && behind.is_empty();
    let covered = label.len().checked_sub(before.len() + behind.len());
    let is_covered = |covered: &[u8]| {
        covered.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && (!is_whole || !covered.is_empty())
    };
    let within = covered.and_then(|length| label.get(before.len()..before.len() + length));
    rest.eq_ignore_ascii_case(host_rest)
        && within.is_some_and(is_covered)
        && label.get(..before.len()).is_some_and(|start| start.eq_ignore_ascii_case(before))
        && label.get(label.len() - behind.len()..).is_some_and(|end| end.eq_ignore_ascii_case(behind))
        && (is_whole || !is_internationalised(label))
}

/// A name with a wildcard in its first label.
struct Wildcard<'a> {
    /// What stands in front of it in its label.
    before: &'a [u8],
    /// What stands behind it in its label.
    behind: &'a [u8],
    /// The labels behind it.
    rest: &'a [u8],
}

impl<'a> Wildcard<'a> {
    /// None where there is none, or where it stands for too much: with fewer than two labels behind it, or in the middle
    /// of a label.
    fn read(name: &'a [u8]) -> Option<Self> {
        let (label, rest) = split_label(name)?;
        let at = label.iter().position(|&byte| byte == b'*')?;
        let (before, behind) = (label.get(..at)?, label.get(at + 1..)?);
        let is_sound = !behind.contains(&b'*')
            && (before.is_empty() || behind.is_empty())
            && !is_internationalised(label)
            && rest.contains(&b'.')
            && rest.split(|&byte| byte == b'.').all(|label| !label.is_empty() && !label.contains(&b'*'));
        is_sound.then_some(Self { before, behind, rest })
    }
}

fn split_label(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let dot = name.iter().position(|&byte| byte == b'.')?;
    Some((name.get(..dot)?, name.get(dot + 1..)?))
}

fn is_internationalised(label: &[u8]) -> bool {
    label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"xn--"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Texts {
        let mut list = Texts::default();
        texts.iter().for_each(|text| list.push(text.as_bytes()));
        list
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (name, host, expected) in [
            ("a.example", "A.Example", true),
            ("a.example", "b.example", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "A.EXAMPLE.com", true),
            ("*.example.com", "xn--gr-xka.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "a_b.example.com", false),
            ("*.com", "example.com", false),
            ("*", "localhost", false),
            ("*.*.com", "a.b.com", false),
            ("a.*.com", "a.b.com", false),
            ("*.example.", "a.example.", false),
            ("f*.example.com", "foo.example.com", true),
            ("f*.example.com", "f.example.com", true),
            ("f*.example.com", "bar.example.com", false),
            ("*oo.example.com", "foo.example.com", true),
            ("f*o.example.com", "foo.example.com", false),
            ("**.example.com", "foo.example.com", false),
            ("x*.example.com", "xn--gr-xka.example.com", false),
            ("xn--*.example.com", "xn--gr-xka.example.com", false),
            ("foofoo*.example.com", "foo.example.com", false),
        ] {
            assert_eq!(is_for(name.as_bytes(), host.as_bytes()), expected, "{name} for {host}");
        }
    }

    #[test]
    fn common_names_count_where_there_are_no_dns_names() {
        let mut certificate = Certificate {
            subject_common_names: texts(&["a.example", "b.example"]),
            ..Certificate::default()
        };
        assert!(matches(&certificate, b"a.example") && matches(&certificate, b"b.example."));
        certificate.san_dns = Some(Texts::default());
        certificate.san_ip = Some(texts(&["192.0.2.1", "2001:db8::1"]));
        assert!(matches(&certificate, b"a.example"));
        certificate.san_dns = Some(texts(&["c.example"]));
        assert!(!matches(&certificate, b"a.example"));
        assert!(matches(&certificate, b"c.example"));
        assert!(matches(&certificate, b"192.0.2.1") && matches(&certificate, b"2001:DB8:0::1"));
        assert!(!matches(&certificate, b"192.0.2.2"));
        assert!(!matches(&certificate, b"") && !matches(&certificate, b"."));
    }
}
