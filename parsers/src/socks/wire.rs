//! Messages of SOCKS: bytes in, what they say out. No state.

use memchr::memchr;

use crate::protocol::Verdict;

/// Longest name of a user or of a host in SOCKS 4, which says no length.
pub const MAX_TEXT: usize = 255;

/// Methods of authentication that are followed.
pub mod method {
    /// None.
    pub const NONE: u8 = 0;
    /// User and password (RFC 1929).
    pub const PASSWORD: u8 = 2;
}

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// So many bytes are needed, from its beginning.
    Need(usize),
    /// It is none; the name of the field that says so.
    Malformed(&'static str),
}

/// A message, and how many bytes it has.
pub type Read<T> = Result<(T, usize), Stop>;

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A connection to somewhere.
    Connect,
    /// A connection from somewhere.
    Bind,
    /// A way for datagrams.
    Associate,
}

/// How a client of SOCKS 5 begins: the methods that it knows.
pub fn greeting(bytes: &[u8]) -> Read<&[u8]> {
    let [version, count] = front(bytes, 0)?;
    if version != 5 {
        return Err(Stop::Malformed("version"));
    }
    if count == 0 {
        return Err(Stop::Malformed("number of methods"));
    }
    let end = 2 + usize::from(count);
    Ok((range(bytes, 2, end)?, end))
}

/// The method that a server of SOCKS 5 takes.
pub fn chosen(bytes: &[u8]) -> Read<u8> {
    let [version, method] = front(bytes, 0)?;
    if version != 5 {
        return Err(Stop::Malformed("version"));
    }
    Ok((method, 2))
}

/// A user with a password (RFC 1929).
pub fn credentials(bytes: &[u8]) -> Read<(&[u8], &[u8])> {
    let [version, user] = front(bytes, 0)?;
    if version != 1 {
        return Err(Stop::Malformed("version of authentication"));
    }
    let at = 2 + usize::from(user);
    let [password] = front(bytes, at)?;
    let end = at + 1 + usize::from(password);
    Ok(((range(bytes, 2, at)?, range(bytes, at + 1, end)?), end))
}

/// Whether a server takes the user.
pub fn authenticated(bytes: &[u8]) -> Read<bool> {
    let [version, status] = front(bytes, 0)?;
    // Some servers say their own version.
    if !matches!(version, 1 | 5) {
        return Err(Stop::Malformed("version of authentication"));
    }
    Ok((status == 0, 2))
}

/// What a client of SOCKS 5 asks for.
pub fn request(bytes: &[u8]) -> Read<Command> {
    let [version, command, _] = front(bytes, 0)?;
    if version != 5 {
        return Err(Stop::Malformed("version"));
    }
    let command = match command {
        1 => Command::Connect,
        2 => Command::Bind,
        3 => Command::Associate,
        _ => return Err(Stop::Malformed("command")),
    };
    Ok((command, behind_address(bytes)?))
}

/// Whether a server of SOCKS 5 does it.
pub fn reply(bytes: &[u8]) -> Read<bool> {
    let [version, status, _] = front(bytes, 0)?;
    if version != 5 {
        return Err(Stop::Malformed("version"));
    }
    Ok((status == 0, behind_address(bytes)?))
}

/// What a client of SOCKS 4 or 4a asks for.
pub fn request_4(bytes: &[u8]) -> Read<Request4<'_>> {
    let [version, command] = front(bytes, 0)?;
    if version != 4 {
        return Err(Stop::Malformed("version"));
    }
    let command = match command {
        1 => Command::Connect,
        2 => Command::Bind,
        _ => return Err(Stop::Malformed("command")),
    };
    let [high, low, a, b, c, d] = front(bytes, 2)?;
    let (user, end) = text(bytes, 8, "user")?;
    // An address that is none says that a name follows.
    let is_named = (a, b, c) == (0, 0, 0) && d != 0;
    let (host, end) = if is_named {
        let (host, end) = text(bytes, end, "host")?;
        (Some(host), end)
    } else {
        (None, end)
    };
    Ok((Request4 { command, port: u16::from_be_bytes([high, low]), address: [a, b, c, d], user, host }, end))
}

/// A request of SOCKS 4 or 4a.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request4<'a> {
    /// What is asked for.
    pub command: Command,
    /// Where to.
    pub port: u16,
    /// Where to, or 0.0.0.x.
    pub address: [u8; 4],
    /// Who asks.
    pub user: &'a [u8],
    /// Where to, of 4a.
    pub host: Option<&'a [u8]>,
}

/// Whether a server of SOCKS 4 does it.
pub fn reply_4(bytes: &[u8]) -> Read<bool> {
    let [version, status] = front(bytes, 0)?;
    // The version of the reply is 0; some say 4.
    if !matches!(version, 0 | 4) {
        return Err(Stop::Malformed("version"));
    }
    if !(90..=93).contains(&status) {
        return Err(Stop::Malformed("status"));
    }
    range(bytes, 0, 8)?;
    Ok((status == 90, 8))
}

/// Whether these are the first bytes of a client. On the port of SOCKS its first message is enough; elsewhere so short a
/// one says little, and the second one, or what is carried inside (as `is_known` says), must be right as well.
pub fn looks_like_client(bytes: &[u8], hinted: bool, is_known: impl FnOnce(&[u8]) -> Verdict) -> Verdict {
    match bytes.first() {
        Some(5) => as_verdict(|| {
            let (methods, end) = greeting(bytes)?;
            if hinted {
                return Ok(true);
            }
            let is_assigned = |method: &u8| matches!(method, 0..=9 | 0x80..=0xfe);
            let repeats = methods
                .iter()
                .enumerate()
                .any(|(at, method)| methods.iter().take(at).any(|other| other == method));
            if repeats || !methods.iter().all(is_assigned) {
                return Ok(false);
            }
            let rest = bytes.get(end..).unwrap_or_default();
            match rest.first() {
                Some(1) if methods.contains(&method::PASSWORD) => {
                    let ((user, password), _) = credentials(rest)?;
                    return Ok(!user.is_empty() && is_plain(user) && is_plain(password));
                }
                _ => {
                    let [_, _, reserved] = front(rest, 0)?;
                    if reserved != 0 {
                        return Ok(false);
                    }
                    request(rest)?;
                }
            }
            Ok(true)
        }),
        Some(4) => {
            let (request, end) = match request_4(bytes) {
                Ok(read) => read,
                Err(Stop::Need(_)) => return Verdict::NeedMore,
                Err(Stop::Malformed(_)) => return Verdict::No,
            };
            let is_host =
                |host: &[u8]| host.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte));
            let is_sound = request.port != 0 && is_plain(request.user);
            match request.host {
                _ if hinted => Verdict::Yes,
                _ if !is_sound => Verdict::No,
                Some(host) if host.len() > 3 && is_host(host) => Verdict::Yes,
                Some(_) => Verdict::No,
                None if !matches!(request.address, [1..=223, ..]) => Verdict::No,
                None => is_known(bytes.get(end..).unwrap_or_default()),
            }
        }
        Some(_) => Verdict::No,
        None => Verdict::NeedMore,
    }
}

/// Whether these are the first bytes of a server, of which the client was not seen: its first two messages.
pub fn looks_like_server(bytes: &[u8], hinted: bool) -> Verdict {
    match bytes.first() {
        Some(5) => as_verdict(|| {
            let (method, end) = chosen(bytes)?;
            if hinted {
                return Ok(matches!(method, 0..=9 | 0x80..=0xff));
            }
            let mut rest = bytes.get(end..).unwrap_or_default();
            if method == method::PASSWORD {
                let (_, end) = authenticated(rest)?;
                rest = rest.get(end..).unwrap_or_default();
            } else if method != method::NONE {
                return Ok(false);
            }
            let [version, status, reserved, kind] = front(rest, 0)?;
            Ok(version == 5 && status <= 8 && reserved == 0 && matches!(kind, 1 | 3 | 4))
        }),
        Some(0) if hinted => as_verdict(|| reply_4(bytes).map(|_| true)),
        Some(_) => Verdict::No,
        None => Verdict::NeedMore,
    }
}

/// Whether text is what people write.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' '..=b'~'))
}

fn as_verdict(look: impl FnOnce() -> Result<bool, Stop>) -> Verdict {
    match look() {
        Ok(true) => Verdict::Yes,
        Ok(false) | Err(Stop::Malformed(_)) => Verdict::No,
        Err(Stop::Need(_)) => Verdict::NeedMore,
    }
}

/// Where an address with its port ends, in a request or a reply.
fn behind_address(bytes: &[u8]) -> Result<usize, Stop> {
    let [kind] = front(bytes, 3)?;
    let length = match kind {
        1 => 4,
        3 => {
            let [length] = front(bytes, 4)?;
            1 + usize::from(length)
        }
        4 => 16,
        _ => return Err(Stop::Malformed("type of address")),
    };
    let end = 4 + length + 2;
    range(bytes, 0, end)?;
    Ok(end)
}

/// Text that a zero ends.
fn text<'a>(bytes: &'a [u8], start: usize, field: &'static str) -> Read<&'a [u8]> {
    let rest = bytes.get(start..).unwrap_or_default();
    match memchr(0, rest.get(..=MAX_TEXT).unwrap_or(rest)) {
        Some(length) => Ok((rest.get(..length).unwrap_or_default(), start + length + 1)),
        None if rest.len() > MAX_TEXT => Err(Stop::Malformed(field)),
        None => Err(Stop::Need(bytes.len().max(start) + 1)),
    }
}

fn front<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Stop> {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().ok_or(Stop::Need(at + N))
}

fn range(bytes: &[u8], start: usize, end: usize) -> Result<&[u8], Stop> {
    bytes.get(start..end).ok_or(Stop::Need(end))
}
