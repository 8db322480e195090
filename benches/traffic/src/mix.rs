//! The mixes that can be made: what they consist of, by bytes.

use crate::session::HttpSizes;

/// A kind of traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// TLS with bulk data.
    Tls,
    /// TLS handshakes with the little data that was captured.
    Handshakes,
    /// QUIC with bulk data.
    Quic,
    /// HTTP: captured exchanges, and made ones with files.
    Http,
    /// DNS.
    Dns,
    /// Kerberos.
    Kerberos,
    /// FTP with its data connections.
    Ftp,
    /// Mail, directories, databases, SSH, NTP, datagrams of no protocol.
    Other,
    /// SYNs without an answer.
    Scan,
}

impl Kind {
    /// As it is called in the output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Handshakes => "handshakes",
            Self::Quic => "quic",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::Kerberos => "kerberos",
            Self::Ftp => "ftp",
            Self::Other => "other",
            Self::Scan => "scan",
        }
    }

    /// Whether its flows share a bandwidth, rather than keeping the times of a capture.
    #[must_use]
    pub const fn is_paced(self) -> bool {
        matches!(self, Self::Tls | Self::Quic | Self::Http)
    }
}

/// What traffic consists of.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// Kinds, with their parts of a thousand bytes.
    pub shares: &'static [(Kind, u64)],
    /// How many one-packet scans there are for a million other flows, besides what `shares` says.
    pub scans: u64,
    /// Least and most bytes of bulk transfers.
    pub bulk: (u64, u64),
    /// HTTP connections that are made.
    pub http: HttpSizes,
    /// How many in a million HTTP connections are captured ones.
    pub http_captured: u64,
    /// How many in a million questions of DNS are captured ones.
    pub dns_captured: u64,
    /// Bulk flows side by side, if nothing else is asked for.
    pub flows: u64,
}

const BULK: (u64, u64) = (50_000, 1_000_000_000);

const FILES: HttpSizes = HttpSizes { requests: (1, 4), body: (3_000, 100_000_000) };

const CAMPUS: Mix = Mix {
    name: "campus",
    about: "what crosses the border of a campus: most of it TLS and QUIC, and a third of the flows scans",
    shares: &[
        (Kind::Tls, 600),
        (Kind::Quic, 200),
        (Kind::Http, 80),
        (Kind::Dns, 30),
        (Kind::Kerberos, 20),
        (Kind::Ftp, 45),
        (Kind::Other, 25),
    ],
    scans: 500_000,
    bulk: BULK,
    http: FILES,
    http_captured: 400_000,
    dns_captured: 300_000,
    flows: 1_000,
};

/// Every mix.
pub const MIXES: &[Mix] = &[
    CAMPUS,
    Mix {
        name: "bulk",
        about: "TLS and QUIC alone",
        shares: &[(Kind::Tls, 750), (Kind::Quic, 250)],
        scans: 0,
        ..CAMPUS
    },
    Mix {
        name: "elephants",
        about: "a few large flows of TLS and QUIC",
        shares: &[(Kind::Tls, 800), (Kind::Quic, 200)],
        scans: 0,
        bulk: (10_000_000, 10_000_000_000),
        flows: 16,
        ..CAMPUS
    },
    Mix {
        name: "http",
        about: "small requests and answers over connections that are kept",
        shares: &[(Kind::Http, 1_000)],
        scans: 0,
        http: HttpSizes { requests: (10, 60), body: (120, 20_000) },
        http_captured: 0,
        ..CAMPUS
    },
    Mix {
        name: "handshakes",
        about: "TLS handshakes and small exchanges of HTTP",
        shares: &[(Kind::Handshakes, 800), (Kind::Http, 200)],
        scans: 0,
        http: HttpSizes { requests: (1, 2), body: (120, 4_000) },
        http_captured: 0,
        ..CAMPUS
    },
    Mix {
        name: "dns",
        about: "questions and answers, a flow each",
        shares: &[(Kind::Dns, 1_000)],
        scans: 0,
        dns_captured: 0,
        ..CAMPUS
    },
    Mix {
        name: "small",
        about: "scans and DNS: about 100 bytes a packet",
        shares: &[(Kind::Scan, 400), (Kind::Dns, 600)],
        scans: 0,
        dns_captured: 0,
        ..CAMPUS
    },
    Mix { name: "scan", about: "one SYN a flow", shares: &[(Kind::Scan, 1_000)], scans: 0, ..CAMPUS },
];

impl Mix {
    /// The mix of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        MIXES.iter().find(|mix| mix.name == name)
    }
}
