//! Values of options: how each is written, and what is wrong with one that is not.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

use crate::bench::{Other, Stage};
use crate::capture::Filter;
use crate::capture::ring::MAX_SNAP_LENGTH;
use crate::config::{Config, Files};

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

/// Ten years: longer than any capture, and far from where nanoseconds overflow.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// `10s`, `5m`, `1h30m`, `250ms`, `7d`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a duration such as 250ms, 10s, 5m or 1h30m");
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (number, after) = rest.split_at(digits);
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let number: u32 = number.parse().map_err(|_| wrong())?;
        let unit = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            "h" => Duration::from_secs(3600),
            "d" => Duration::from_secs(86_400),
            _ => return Err(wrong()),
        };
        total = unit.checked_mul(number).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        rest = after;
    }
    match total {
        Duration::ZERO => Err(format!("'{text}' must be longer than zero")),
        total if total > LONGEST => Err(format!("'{text}' is more than ten years")),
        total => Ok(total),
    }
}

/// `1048576`, `512MiB`, `10GB`.
pub(crate) fn size(text: &str) -> Result<Size, String> {
    let wrong = || format!("'{text}' is not a size such as 1048576, 512MiB or 10GB");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit: u64 = match unit {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        "TiB" | "T" => 1 << 40,
        _ => return Err(wrong()),
    };
    match number.checked_mul(unit).ok_or_else(wrong)? {
        0 => Err(format!("'{text}' must be more than zero")),
        bytes => Ok(Size(bytes)),
    }
}

/// An address, or a network with its prefix length.
pub(crate) fn network(text: &str) -> Result<IpNet, String> {
    let text = text.trim();
    text.parse::<IpNet>()
        .or_else(|error| text.parse::<IpAddr>().map(IpNet::from).map_err(|_| error))
        .map(|network| network.trunc())
        .map_err(|_| format!("'{text}' is not a network such as 10.0.0.0/8 or 2001:db8::/32"))
}

/// A name that can stand in a column and in a message.
pub(crate) fn sensor(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 255 || text.chars().any(char::is_control) {
        return Err("a sensor's name has 1 to 255 bytes and no control characters".to_owned());
    }
    Ok(text.to_owned())
}

/// A number of threads.
pub(crate) fn workers(text: &str) -> Result<usize, String> {
    within(text, 1, Config::MAX_WORKERS)
}

/// How often a benchmark runs.
pub(crate) fn runs(text: &str) -> Result<usize, String> {
    within(text, 1, 1000)
}

/// A stage of a benchmark.
pub(crate) fn stage(text: &str) -> Result<Stage, String> {
    Stage::named(text).ok_or_else(|| unknown("stage", text, Stage::ALL.map(Stage::name)))
}

/// A program that runs beside a benchmark.
pub(crate) fn other(text: &str) -> Result<Other, String> {
    let found = Other::ALL.into_iter().find(|other| other.name() == text);
    found.ok_or_else(|| unknown("program", text, Other::ALL.map(Other::name)))
}

/// None of the names that there are.
fn unknown<const N: usize>(what: &str, text: &str, names: [&str; N]) -> String {
    format!("'{text}' is no {what}; there are {}", names.join(", "))
}

/// A name of an interface, as the kernel has them.
pub(crate) fn interface(text: &str) -> Result<String, String> {
    let is_name = !text.is_empty()
        && text.len() < 16
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/');
    if is_name { Ok(text.to_owned()) } else { Err(format!("'{text}' is no name of an interface")) }
}

/// Memory of a ring.
pub(crate) fn ring(text: &str) -> Result<Size, String> {
    match size(text)? {
        Size(bytes) if bytes < 1 << 20 => Err(format!("'{text}' is less than 1MiB")),
        Size(bytes) if bytes > 1 << 34 => Err(format!("'{text}' is more than 16GiB")),
        bytes => Ok(bytes),
    }
}

/// Bytes that are kept of a packet.
pub(crate) fn snap_length(text: &str) -> Result<u32, String> {
    within(text, 64, MAX_SNAP_LENGTH as usize).map(|bytes| u32::try_from(bytes).unwrap_or(MAX_SNAP_LENGTH))
}

/// Numbers of cores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cores(pub(crate) Vec<usize>);

/// `2`, `0-3`, `0-3,8`.
pub(crate) fn cores(text: &str) -> Result<Cores, String> {
    let wrong = || format!("'{text}' is not a list of cores such as 0-3,8");
    let mut cores = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (usize, usize) =
            (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
        if first > last || last >= rustix::thread::CpuSet::MAX_CPU {
            return Err(wrong());
        }
        cores.extend(first..=last);
    }
    Ok(Cores(cores))
}

/// Where metrics can be read, if anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metrics(pub(crate) Option<SocketAddr>);

/// `127.0.0.1:9477`, `[::1]:9477`, `off`.
pub(crate) fn metrics(text: &str) -> Result<Metrics, String> {
    if text == "off" {
        return Ok(Metrics(None));
    }
    let address =
        text.parse().map_err(|_| format!("'{text}' is not an address such as 127.0.0.1:9477, nor off"));
    Ok(Metrics(Some(address?)))
}

/// A number of flows; each of the shards has room for at least one.
pub(crate) fn flows(text: &str) -> Result<usize, String> {
    within(text, 256, 1 << 30)
}

/// A number of rows.
pub(crate) fn limit(text: &str) -> Result<usize, String> {
    within(text, 1, 1_000_000)
}

/// A number of days.
pub(crate) fn days(text: &str) -> Result<u32, String> {
    within(text, 1, 36_500).map(|days| u32::try_from(days).unwrap_or(u32::MAX))
}

/// A whole number in a range.
fn within(text: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("'{text}' is not a whole number from {least} to {most}")),
    }
}

/// `image/png`, `image/*`, `all`.
pub(crate) fn mime(text: &str) -> Result<String, String> {
    let text = text.trim().to_ascii_lowercase();
    let token = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    match text.split_once('/') {
        None if text == Files::ALL_TYPES => Ok(text),
        Some((family, kind)) if token(family) && (kind == "*" || token(kind)) => Ok(text),
        _ => Err(format!("'{text}' is not a MIME type such as application/pdf or image/*, nor 'all'")),
    }
}

/// A filter in libpcap's language; what libpcap says of one that is wrong is what the user is told.
pub(crate) fn filter(text: &str) -> Result<String, String> {
    match Filter::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("'{text}' is no filter: {}; see `man pcap-filter`", error.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_durations_of_one_and_of_several_units() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
    }

    #[test]
    fn refuses_durations_without_unit_of_zero_and_past_ten_years() {
        for text in ["", "10", "s", "10 s", "-1s", "0s", "1y", "4294967295d", "99999999999s", "5mm"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn reads_sizes_by_thousands_and_by_powers_of_two() {
        assert_eq!(size("7"), Ok(Size(7)));
        assert_eq!(size("2KiB"), Ok(Size(2048)));
        assert_eq!(size("10GB"), Ok(Size(10_000_000_000)));
        for text in ["", "0", "MiB", "1.5GB", "99999999999TiB", "1 MB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_alone_is_a_network_of_one() {
        assert_eq!(network("10.1.2.3").map(|n| n.to_string()), Ok("10.1.2.3/32".to_owned()));
        assert_eq!(network("10.1.2.3/8").map(|n| n.to_string()), Ok("10.0.0.0/8".to_owned()));
        assert!(network("10.0.0.0/33").is_err());
    }

    #[test]
    fn a_filter_for_one_link_type_alone_is_a_filter() {
        assert!(filter("udp port 53").is_ok());
        assert!(filter("wlan type mgt").is_ok());
        assert!(filter("udp porrt 53").is_err());
    }

    #[test]
    fn mime_types_are_two_words_or_a_family_or_all() {
        assert_eq!(mime("Image/*"), Ok("image/*".to_owned()));
        assert_eq!(mime("all"), Ok("all".to_owned()));
        for text in ["pdf", "/", "a/b/c", "*/*", ""] {
            assert!(mime(text).is_err(), "{text}");
        }
    }
}
