//! Values as SQL that all three engines read alike. They differ in how a quote inside a string is written, in what a
//! backslash means, and Spark puts variables in for `${…}`; so a string holds none of these, and is put together from codes.

use anyhow::{Result, bail};
use ipnet::IpNet;

/// A string literal, or an expression that gives the string.
pub(crate) fn text(value: &str) -> String {
    let is_plain = |c: char| !matches!(c, '\'' | '"' | '\\' | '$' | '`') && !c.is_ascii_control();
    if value.chars().all(is_plain) {
        return format!("'{value}'");
    }
    let mut parts: Vec<String> = Vec::new();
    let mut plain = String::new();
    for c in value.chars() {
        if is_plain(c) {
            plain.push(c);
            continue;
        }
        if !plain.is_empty() {
            parts.push(format!("'{plain}'"));
            plain.clear();
        }
        parts.push(format!("chr({})", u32::from(c)));
    }
    if !plain.is_empty() {
        parts.push(format!("'{plain}'"));
    }
    format!("concat({})", parts.join(", "))
}

/// A number; one below zero stands in parentheses, since two hyphens are a comment.
pub(super) fn number(value: f64) -> String {
    if value < 0.0 { format!("({value})") } else { format!("{value}") }
}

/// Whether `expression` is one of some texts; false, not null, where it is null.
pub(super) fn is_in(expression: &str, values: &[String]) -> String {
    if values.is_empty() {
        return "FALSE".to_owned();
    }
    let values: Vec<String> = values.iter().map(|value| text(value)).collect();
    format!("({expression} IS NOT NULL AND {expression} IN ({}))", values.join(", "))
}

/// Whether `expression` is like one of some patterns; false where it is null.
pub(super) fn is_like(expression: &str, patterns: &[String]) -> Result<String> {
    let mut any = Vec::new();
    for pattern in patterns {
        // Spark and DataFusion take it for an escape, DuckDB for itself.
        if pattern.contains('\\') {
            bail!(
                "a backslash in the pattern '{pattern}', which engines read differently: write _ for that character"
            );
        }
        any.push(format!("{expression} LIKE {}", text(pattern)));
    }
    Ok(guarded(expression, &any))
}

/// Whether `expression` is one of some domains or a name below one; false where it is null.
pub(super) fn is_under(expression: &str, domains: &[String]) -> Result<String> {
    let mut names = Vec::new();
    let mut any = Vec::new();
    for domain in domains {
        let domain = domain.to_lowercase();
        let name = domain.trim_start_matches("*.").trim_matches('.');
        if name.is_empty() {
            bail!("the empty text is no domain");
        }
        names.push(text(name));
        let tail = format!(".{name}");
        if name.contains(['%', '_', '\\']) {
            any.push(format!("right({expression}, {}) = {}", tail.chars().count(), text(&tail)));
        } else {
            any.push(format!("{expression} LIKE {}", text(&format!("%{tail}"))));
        }
    }
    if !names.is_empty() {
        any.insert(0, format!("{expression} IN ({})", names.join(", ")));
    }
    Ok(guarded(expression, &any))
}

/// Whether the address `expression` is in one of some networks; false where it is null.
pub(super) fn is_within(expression: &str, networks: &[String]) -> Result<String> {
    let mut any = Vec::new();
    for written in networks {
        let network = network(written)?;
        let (address, bits) = (network.network().to_string(), network.prefix_len());
        let octets: Vec<&str> = address.split('.').collect();
        any.push(match (&network, bits) {
            (_, bits) if bits == network.max_prefix_len() => format!("{expression} = '{address}'"),
            // Where a network ends between two numbers its addresses begin alike, which engines find faster.
            (IpNet::V4(_), 8 | 16 | 24) => {
                let kept = octets.iter().take(usize::from(bits / 8)).copied().collect::<Vec<_>>().join(".");
                format!("{expression} LIKE '{kept}.%'")
            }
            _ => format!("coalesce(subnet({expression}, {bits}) = '{address}/{bits}', FALSE)"),
        });
    }
    Ok(guarded(expression, &any))
}

/// A network, or an address for the network of it alone.
pub(super) fn network(text: &str) -> Result<IpNet> {
    let parsed = match text.parse::<IpNet>() {
        Ok(network) => Some(network.trunc()),
        Err(_) => text.parse::<std::net::IpAddr>().ok().map(IpNet::from),
    };
    match parsed {
        Some(network) => Ok(network),
        None => bail!("'{text}' is no network (as 10.1.0.0/16 or 2001:db8::/32) and no address"),
    }
}

fn guarded(expression: &str, any: &[String]) -> String {
    if any.is_empty() {
        return "FALSE".to_owned();
    }
    format!("({expression} IS NOT NULL AND ({}))", any.join(" OR "))
}
