//! Registered domain and public suffix of a host name, by the public suffix list, its private part included.

use psl::Psl as _;

/// Where the registered domain and the public suffix of a name begin; both reach to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Offset of the registered domain; none where the name is itself a public suffix.
    pub domain: Option<usize>,
    /// Offset of the public suffix. A top-level domain that the list does not know is one, by the list's rule.
    pub suffix: usize,
}

/// Splits `name`: lower-case, without a final dot, in the lake's form for DNS names (a dot inside a label behind a
/// backslash). None where it has empty labels, or is an IP address, which has no suffix.
pub fn registered(name: &[u8]) -> Option<Registered> {
    if name.is_empty() || is_address(name) {
        return None;
    }
    let suffix = name.len().checked_sub(psl::List.find(Labels { rest: Some(name) }).len)?;
    if suffix == name.len() {
        return None;
    }
    let Some(before) = suffix.checked_sub(1) else {
        return Some(Registered { domain: None, suffix });
    };
    let label = Labels { rest: name.get(..before) }.next()?;
    if label.is_empty() {
        return None;
    }
    Some(Registered { domain: Some(before - label.len()), suffix })
}

/// Only an address ends in a label of digits: no top-level domain does (RFC 3696, 2), and IPv6 has colons.
fn is_address(name: &[u8]) -> bool {
    let last = Labels { rest: Some(name) }.next().unwrap_or_default();
    let dots = name.iter().filter(|&&byte| byte == b'.').count();
    name.contains(&b':')
        || dots == 3
            && last.iter().all(u8::is_ascii_digit)
            && str::from_utf8(name).is_ok_and(|name| name.parse::<std::net::Ipv4Addr>().is_ok())
}

/// The labels of a name from the last to the first.
struct Labels<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Labels<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let name = self.rest?;
        let mut end = name.len();
        while let Some(dot) = name.get(..end)?.iter().rposition(|&byte| byte == b'.') {
            let before = name.get(..dot)?;
            let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
            if backslashes % 2 == 0 {
                self.rest = Some(before);
                return name.get(dot + 1..);
            }
            end = dot;
        }
        self.rest = None;
        Some(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(name: &str) -> Option<(Option<&str>, &str)> {
        let parts = registered(name.as_bytes())?;
        Some((parts.domain.map(|at| &name[at..]), &name[parts.suffix..]))
    }

    #[test]
    fn follows_the_public_suffix_list() {
        assert_eq!(split("www.example.co.uk"), Some((Some("example.co.uk"), "co.uk")));
        assert_eq!(split("example.com"), Some((Some("example.com"), "com")));
        assert_eq!(split("com"), Some((None, "com")));
        assert_eq!(split("co.uk"), Some((None, "co.uk")));
        assert_eq!(split("a.b.evil.github.io"), Some((Some("evil.github.io"), "github.io")));
        assert_eq!(split("www.ck"), Some((Some("www.ck"), "ck")));
        assert_eq!(split("a.foo.ck"), Some((Some("a.foo.ck"), "foo.ck")));
        assert_eq!(split("a.xn--p1ai"), Some((Some("a.xn--p1ai"), "xn--p1ai")));
    }

    /// Other engines split names by the list as `schemas` has it.
    #[test]
    fn every_rule_of_the_list_is_followed() {
        for rule in schemas::docs::PUBLIC_SUFFIXES.lines() {
            let (suffix, name) = match (rule.strip_prefix('!'), rule.strip_prefix("*.")) {
                (Some(domain), _) => (domain.split_once('.').unwrap().1.to_owned(), domain.to_owned()),
                (None, Some(base)) => (format!("any.{base}"), format!("a.any.{base}")),
                (None, None) => (rule.to_owned(), format!("a.{rule}")),
            };
            assert_eq!(split(&name), Some((Some(&*name), &*suffix)), "{rule}");
        }
    }

    #[test]
    fn an_unlisted_top_level_domain_is_a_suffix() {
        assert_eq!(split("dc01.ad.corp"), Some((Some("ad.corp"), "corp")));
        assert_eq!(split("localhost"), Some((None, "localhost")));
    }

    #[test]
    fn a_dot_inside_a_label_does_not_separate() {
        assert_eq!(split(r"a.x\.co.uk"), Some((Some(r"x\.co.uk"), "uk")));
        assert_eq!(split(r"x\\.co.uk"), Some((Some(r"x\\.co.uk"), "co.uk")));
    }

    #[test]
    fn addresses_and_empty_labels_have_none() {
        for name in ["", ".", "192.0.2.1", "::1", "2001:db8::1", ".com", "a..com"] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    /// Labels that suffixes are made of, escapes, and what is neither.
    fn label() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "com", "co", "uk", "ck", "www", "github", "io", "jp", "kobe", "1", "255", "xn--p1ai"
            ])
            .prop_map(str::to_owned),
            "[a-z0-9-]{1,12}",
            r"([a-z]|\\\\|\\\.|\\x[0-9a-f]{2}|ü){1,6}",
        ]
    }

    proptest! {
        #[test]
        fn the_parts_of_a_name_are_whole_labels(labels in prop::collection::vec(label(), 1..8)) {
            let name = labels.join(".");
            let Some(parts) = registered(name.as_bytes()) else {
                prop_assert!(is_address(name.as_bytes()), "{}", name);
                return Ok(());
            };
            let starts: Vec<usize> =
                labels.iter().scan(0, |at, label| Some(std::mem::replace(at, *at + label.len() + 1))).collect();
            let suffix = starts.iter().position(|start| *start == parts.suffix);
            prop_assert!(suffix.is_some(), "{} {:?}", name, parts);
            // One label more than the suffix, and none only where there is no more.
            let domain = suffix.and_then(|suffix| suffix.checked_sub(1)).map(|domain| starts[domain]);
            prop_assert_eq!(parts.domain, domain, "{}", name);
        }

        #[test]
        fn what_stands_in_front_of_a_domain_does_not_change_it(
            front in label(),
            labels in prop::collection::vec(label(), 1..6),
        ) {
            let name = labels.join(".");
            let longer = format!("{front}.{name}");
            let (Some(Registered { domain: Some(domain), suffix }), Some(other)) =
                (registered(name.as_bytes()), registered(longer.as_bytes())) else { return Ok(()) };
            // Of `kobe.jp` it does: all that stands directly in front of it is a suffix.
            prop_assume!(domain > 0);
            let moved = front.len() + 1;
            prop_assert_eq!(other, Registered { domain: Some(domain + moved), suffix: suffix + moved });
        }

        #[test]
        fn any_bytes_are_survived(name in prop::collection::vec(prop_oneof![Just(b'.'), Just(b'\\'), any::<u8>()], 0..64)) {
            if let Some(parts) = registered(&name) {
                prop_assert!(parts.suffix < name.len());
                prop_assert!(parts.domain.is_none_or(|domain| domain < parts.suffix));
            }
        }
    }
}
