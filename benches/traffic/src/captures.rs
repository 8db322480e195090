//! Which captures of `pcaps/` the sessions of each family are cut from: those of well-behaved programs. What is odd, lost
//! or derived belongs into tests.

/// What sessions are of one use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// TLS over TCP, to be continued after the handshake.
    TlsStart,
    /// TLS over TCP as it is.
    Tls,
    /// QUIC, to be continued after the handshake.
    QuicStart,
    /// HTTP.
    Http,
    /// DNS.
    Dns,
    /// Kerberos.
    Kerberos,
    /// FTP: each control connection with its data connections.
    Ftp,
    /// Mail, directories, databases, SSH, multicast, echoes.
    Other,
}

impl Family {
    /// Whether a session has connections that are announced in its first one.
    #[must_use]
    pub const fn has_data_connections(self) -> bool {
        matches!(self, Self::Ftp)
    }

    /// Whether all of it is TCP, or none.
    #[must_use]
    pub const fn is_tcp(self) -> Option<bool> {
        match self {
            Self::TlsStart | Self::Tls | Self::Http | Self::Ftp => Some(true),
            Self::QuicStart => Some(false),
            Self::Dns | Self::Kerberos | Self::Other => None,
        }
    }

    /// Whether a session to this port is of the family: captures hold what programs do besides, too.
    #[must_use]
    pub const fn takes_port(self, port: u16) -> bool {
        match self {
            Self::TlsStart | Self::Tls | Self::QuicStart => matches!(port, 443 | 8443 | 4433),
            Self::Http => port != 53,
            Self::Dns => port == 53,
            Self::Kerberos => matches!(port, 88 | 464),
            Self::Ftp => port == 21,
            Self::Other => true,
        }
    }
}

/// Captures that a family is cut from.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// The family.
    pub family: Family,
    /// Names under `pcaps/`.
    pub captures: &'static [&'static str],
}

/// Every family with its captures.
pub const CAPTURES: &[Cut] = &[
    Cut { family: Family::TlsStart, captures: TLS },
    Cut { family: Family::Tls, captures: TLS },
    Cut {
        family: Family::QuicStart,
        captures: &[
            "quic/version_1.pcap",
            "quic/ipv6.pcap",
            "quic/browser.pcap",
            "quic/openssl.pcap",
            "quic/ngtcp2.pcap",
            "quic/names.pcap",
            "quic/large_hello.pcap",
            "quic/negotiated.pcap",
        ],
    },
    Cut {
        family: Family::Http,
        captures: &[
            "http/keep_alive.pcap",
            "http/three_files.pcap",
            "http/statuses.pcap",
            "http/redirect.pcap",
            "http/ipv6.pcap",
            "http/many_requests.pcap.gz",
            "http/methods.pcap",
            "http/gzip.pcap",
            "http/uploads.pcap",
            "http/multipart.pcap",
            "http/file_types.pcap.gz",
            "http/windows_executables.pcap.gz",
            "http/user_agents.pcap",
            "http/browser.pcap",
            "http/http2_prior_knowledge.pcap",
            "http/mail.pcap",
        ],
    },
    Cut {
        family: Family::Dns,
        captures: &[
            "dns/record_types.pcap",
            "dns/validated.pcap",
            "dns/recursive.pcap",
            "dns/dnssec_signed.pcap",
            "dns/ipv6.pcap",
            "dns/mixed_case.pcap",
            "dns/tcp.pcap",
        ],
    },
    Cut {
        family: Family::Kerberos,
        captures: &[
            "kerberos/as_udp.pcap",
            "kerberos/as_tcp.pcap",
            "kerberos/no_preauth.pcap",
            "kerberos/wrong_password.pcap",
            "kerberos/services.pcap",
            "kerberos/tgs_alone.pcap",
            "kerberos/aes_sha2.pcap",
            "kerberos/options.pcap",
            "kerberos/renewed.pcap",
            "kerberos/pkinit.pcap",
            "kerberos/fast.pcap",
            "kerberos/ipv6.pcap",
            "kerberos/ad_as.pcap",
            "kerberos/heimdal_as.pcap",
        ],
    },
    Cut {
        family: Family::Ftp,
        captures: &[
            "ftp/active.pcap",
            "ftp/passive.pcap",
            "ftp/extended_active.pcap",
            "ftp/extended_passive.pcap",
            "ftp/ipv6.pcap",
            "ftp/several_files.pcap.gz",
            "ftp/kinds.pcap.gz",
            "ftp/large.pcap.gz",
            "ftp/uploads.pcap",
            "ftp/listings.pcap",
            "ftp/login_anonymous.pcap",
            "ftp/renames.pcap",
        ],
    },
    Cut {
        family: Family::Other,
        captures: &[
            "tls/smtp.pcap",
            "tls/imap.pcap",
            "tls/pop3.pcap",
            "tls/ldap.pcap",
            "tls/xmpp.pcap",
            "tls/postgresql.pcap",
            "tls/mysql.pcap",
            "ftp/smtp.pcap",
            "socks/connect.pcap",
            "socks/others_inside.pcap",
            "dns/mdns.pcap",
            "dns/llmnr.pcap",
            "flows/udp_echo.pcap",
            "flows/state_REJ.pcap",
            "flows/state_RSTO.pcap",
            "flows/state_RSTR.pcap",
            "flows/state_SF.pcap",
        ],
    },
];

const TLS: &[&str] = &[
    "tls/tls12_keys.pcap",
    "tls/tls13_keys.pcap",
    "tls/post_quantum.pcap",
    "tls/names.pcap",
    "tls/ipv6.pcap",
    "tls/odd_port.pcap",
    "tls/stapled.pcap",
    "tls/resumed_by_psk.pcap",
    "tls/retry.pcap",
    "tls/client_certificate.pcap",
    "tls/web.pcap",
    "tls/browser.pcap",
];
