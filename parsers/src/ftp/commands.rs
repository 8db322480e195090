//! What commands are, and which replies can be theirs (RFC 959, 5.4, and the RFCs that add commands).

/// What a command does, as far as it matters to what comes after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// USER.
    User,
    /// PASS.
    Password,
    /// ACCT.
    Account,
    /// REIN.
    Reinitialise,
    /// QUIT.
    Quit,
    /// CWD, XCWD.
    ChangeDirectory,
    /// CDUP, XCUP.
    ParentDirectory,
    /// PWD, XPWD.
    PrintDirectory,
    /// MKD, XMKD.
    MakeDirectory,
    /// PORT.
    Port,
    /// EPRT.
    ExtendedPort,
    /// LPRT.
    LongPort,
    /// PASV.
    Passive,
    /// EPSV.
    ExtendedPassive,
    /// LPSV.
    LongPassive,
    /// RETR.
    Retrieve,
    /// STOR, APPE.
    Store,
    /// STOU.
    StoreUnique,
    /// LIST, NLST, MLSD.
    List,
    /// ABOR.
    Abort,
    /// REST.
    Restart,
    /// RNFR.
    RenameFrom,
    /// AUTH.
    Authenticate,
    /// SYST.
    System,
    /// STAT.
    Status,
    /// Any other that is known.
    #[default]
    Other,
    /// One that is not.
    Unknown,
}

/// Those that have a kind of their own.
const KINDS: [(&[u8], Kind); 34] = [
    (b"USER", Kind::User),
    (b"PASS", Kind::Password),
    (b"ACCT", Kind::Account),
    (b"REIN", Kind::Reinitialise),
    (b"QUIT", Kind::Quit),
    (b"CWD", Kind::ChangeDirectory),
    (b"XCWD", Kind::ChangeDirectory),
    (b"CDUP", Kind::ParentDirectory),
    (b"XCUP", Kind::ParentDirectory),
    (b"PWD", Kind::PrintDirectory),
    (b"XPWD", Kind::PrintDirectory),
    (b"MKD", Kind::MakeDirectory),
    (b"XMKD", Kind::MakeDirectory),
    (b"PORT", Kind::Port),
    (b"EPRT", Kind::ExtendedPort),
    (b"LPRT", Kind::LongPort),
    (b"PASV", Kind::Passive),
    (b"EPSV", Kind::ExtendedPassive),
    (b"LPSV", Kind::LongPassive),
    (b"RETR", Kind::Retrieve),
    (b"STOR", Kind::Store),
    (b"APPE", Kind::Store),
    (b"STOU", Kind::StoreUnique),
    (b"LIST", Kind::List),
    (b"NLST", Kind::List),
    (b"MLSD", Kind::List),
    (b"ABOR", Kind::Abort),
    (b"REST", Kind::Restart),
    (b"RNFR", Kind::RenameFrom),
    (b"AUTH", Kind::Authenticate),
    (b"SYST", Kind::System),
    (b"STAT", Kind::Status),
    (b"P@SW", Kind::Passive),
    (b"NOOP", Kind::Other),
];

/// Others that are known: RFC 959, 2228, 2389, 2640, 3659, 7151, and what servers add.
const OTHERS: &[&[u8]] = &[
    b"ADAT", b"ALLO", b"AVBL", b"CCC", b"CLNT", b"COMB", b"CONF", b"CSID", b"DELE", b"DSIZ", b"ENC", b"ESTA",
    b"ESTP", b"FEAT", b"HASH", b"HELP", b"HOST", b"LANG", b"MDTM", b"MFCT", b"MFF", b"MFMT", b"MIC", b"MLST",
    b"MODE", b"OPTS", b"PBSZ", b"PROT", b"RANG", b"RMD", b"RMDA", b"RNTO", b"SITE", b"SIZE", b"SMNT",
    b"STRU", b"THMB", b"TYPE", b"XCRC", b"XMD5", b"XRMD", b"XSHA", b"XSHA1", b"XSHA256", b"XSHA512",
];

/// What a command is, by its word in any case.
pub fn kind(verb: &[u8]) -> Kind {
    let is = |name: &&[u8]| name.eq_ignore_ascii_case(verb);
    match KINDS.iter().find(|(name, _)| is(name)) {
        Some((_, kind)) => *kind,
        None if OTHERS.iter().any(is) => Kind::Other,
        None => Kind::Unknown,
    }
}

/// Whether a word looks like that of a command, known or not: letters, then letters or digits, three to sixteen.
pub fn is_word(verb: &[u8]) -> bool {
    (3..=16).contains(&verb.len())
        && verb.first().is_some_and(u8::is_ascii_alphabetic)
        && verb.iter().all(u8::is_ascii_alphanumeric)
}

/// Whether what follows the word is a secret: of PASS and ACCT, and of what somebody meant to be PASS.
pub fn is_secret(verb: &[u8]) -> bool {
    kind(verb) == Kind::Account || is_like_password(verb)
}

/// A word that begins as PASS does and is not PASV: `PASSWD`, `PAS`, a password that no blank stands before.
fn is_like_password(verb: &[u8]) -> bool {
    verb.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"PAS")) && kind(verb) != Kind::Passive
}

/// The part of a word that may be shown where passwords may not: `PASSsecret` holds one.
pub fn shown_word(verb: &[u8]) -> &[u8] {
    const HARMLESS: [&[u8]; 4] = [b"PAS", b"PASS", b"PASSWD", b"PASSWORD"];
    match verb.get(..4) {
        Some(shown)
            if is_like_password(verb) && !HARMLESS.iter().any(|word| word.eq_ignore_ascii_case(verb)) =>
        {
            shown
        }
        _ => verb,
    }
}

/// Where in the argument of SITE a secret begins: behind a word that sets a password (`PSWD`, `CHPASS`, `GPASS`).
pub fn secret_of_site(arg: &[u8]) -> Option<usize> {
    let end = memchr::memchr2(b' ', b'\t', arg)?;
    let word = arg.get(..end)?.to_ascii_uppercase();
    let sets_password = [&b"PASS"[..], b"PSW", b"PWD"]
        .iter()
        .any(|part| word.windows(part.len()).any(|window| window == *part) && word != b"PWD");
    sets_password.then_some(end + 1)
}

impl Kind {
    /// Whether something travels on a data connection.
    pub fn transfers(self) -> bool {
        matches!(self, Self::Retrieve | Self::Store | Self::StoreUnique | Self::List)
    }

    /// Whether the client says with it where it listens.
    pub fn is_active(self) -> bool {
        matches!(self, Self::Port | Self::ExtendedPort | Self::LongPort)
    }

    /// Whether the server says in its reply where it listens.
    pub fn is_passive(self) -> bool {
        matches!(self, Self::Passive | Self::ExtendedPassive | Self::LongPassive)
    }

    /// Whether a reply with this code, no preliminary one, can be to such a command. `in_progress`: it had a preliminary
    /// one already. Says no only where it is clear, because many servers have codes of their own: refusals can be to
    /// anything, but some completions only to some commands.
    pub fn may_get(self, code: u16, in_progress: bool) -> bool {
        let own: &[u16] = match self {
            Self::User => &[230, 232, 331, 332, 336],
            Self::Password | Self::Account => &[200, 202, 230, 232, 332],
            Self::Reinitialise => &[120, 220],
            Self::Quit => &[221],
            Self::PrintDirectory => &[257],
            Self::MakeDirectory => &[250, 257],
            Self::Passive => &[227],
            Self::ExtendedPassive => &[200, 229],
            Self::LongPassive => &[228],
            Self::Retrieve | Self::Store | Self::StoreUnique | Self::List => &[226, 250],
            Self::Abort => &[225, 226],
            Self::Restart | Self::RenameFrom => &[350],
            Self::Authenticate => &[232, 234, 334, 335],
            Self::System => &[215],
            Self::Status => &[211, 212, 213],
            _ => &[],
        };
        match code {
            // They end what has not begun, and are no answer to what has.
            500..=504 | 530 if in_progress => false,
            425 | 426 => self.transfers() || self == Self::Unknown,
            400.. => true,
            _ if self == Self::Unknown => true,
            _ if !own.is_empty() => own.contains(&code),
            // What is an answer to those above.
            215 | 220 | 221 | 225..=230 | 257 | 331 | 332 | 350 => false,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case() {
        assert_eq!(kind(b"retr"), Kind::Retrieve);
        assert_eq!(kind(b"XsHa256"), Kind::Other);
        assert_eq!(kind(b"GET"), Kind::Unknown);
        assert!(KINDS.iter().all(|(name, _)| !OTHERS.contains(name)));
    }

    #[test]
    fn a_word_has_letters_first() {
        assert!(is_word(b"XSHA1") && is_word(b"CWD") && is_word(b"help"));
        for word in [&b"ls"[..], b"1ab", b"a-b", b"", b"ABCDEFGHIJKLMNOPQ"] {
            assert!(!is_word(word), "{}", word.escape_ascii());
        }
    }

    #[test]
    fn what_looks_like_a_password_is_one() {
        for word in ["PASS", "acct", "PAS", "Passwd", "PASSWORD", "PASShunter2"] {
            assert!(is_secret(word.as_bytes()), "{word}");
        }
        for word in ["PASV", "pasv", "USER", "PA", "P@SW"] {
            assert!(!is_secret(word.as_bytes()), "{word}");
        }
        assert_eq!(shown_word(b"PASShunter2"), b"PASS");
        assert_eq!(shown_word(b"passwd"), b"passwd");
        assert_eq!(shown_word(b"PASV"), b"PASV");
        assert_eq!(secret_of_site(b"PSWD old new"), Some(5));
        assert_eq!(secret_of_site(b"chpass x"), Some(7));
        assert_eq!(secret_of_site(b"CHMOD 644 PASS"), None);
    }

    #[test]
    fn completions_are_to_what_they_complete() {
        for (kind, code, is_its) in [
            (Kind::Passive, 227, true),
            (Kind::Other, 227, false),
            (Kind::Retrieve, 226, true),
            (Kind::Abort, 226, true),
            (Kind::Other, 226, false),
            (Kind::Retrieve, 213, false),
            (Kind::Status, 213, true),
            (Kind::Retrieve, 200, false),
            (Kind::ChangeDirectory, 200, true),
            (Kind::ChangeDirectory, 250, true),
            (Kind::Quit, 221, true),
            (Kind::Other, 221, false),
            (Kind::Unknown, 221, true),
            (Kind::Port, 425, false),
            (Kind::Retrieve, 425, true),
            (Kind::Port, 500, true),
        ] {
            assert_eq!(kind.may_get(code, false), is_its, "{kind:?} {code}");
        }
        assert!(Kind::Retrieve.may_get(500, false) && !Kind::Retrieve.may_get(500, true));
        assert!(Kind::Retrieve.may_get(426, true));
    }
}
