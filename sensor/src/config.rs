//! What a run was asked to do, checked once: nothing further in checks it again.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::ValueEnum;
use ipnet::IpNet;
use parsers::content::digest::Hashes;
use parsers::settings::Settings;
use parsers::x509::Roots;
use schemas::envelope::Nanoseconds;

use crate::capture::ring::Timestamps;

/// One run of `spanlake replay`.
#[derive(Clone, Debug, PartialEq)]
pub struct Replay {
    /// The captures, folders already walked, in the order given and by name within a folder; `-` alone is standard
    /// input. Each exists and could be opened when the run began.
    pub captures: Vec<PathBuf>,
    /// The folder of the lake; it exists and can be written.
    pub lake: PathBuf,
    /// What happens to files in the lake that came from the same capture.
    pub if_exists: IfExists,
    /// Whether the captures are pieces of one: ordered by their first packet, with flows that go on from file to file.
    pub continuous: bool,
    /// How packets become rows.
    pub config: Config,
}

/// One run of `spanlake capture`.
#[derive(Clone, Debug, PartialEq)]
pub struct Capture {
    /// The interfaces, each once.
    pub interfaces: Vec<String>,
    /// The folder of the lake; it exists and can be written.
    pub lake: PathBuf,
    /// Memory of each ring: there is one for each worker and interface.
    pub ring_bytes: usize,
    /// Most bytes that are kept of a packet.
    pub snap_length: u32,
    /// Whether interfaces take packets to other hosts.
    pub promiscuous: bool,
    /// Whose clock stamps packets.
    pub timestamps: Timestamps,
    /// Cores that workers run on, in turn; none: the system chooses.
    pub cores: Vec<usize>,
    /// How long a packet waits for those of the other interfaces.
    pub merge_window: Duration,
    /// Where metrics can be read; none: nowhere.
    pub metrics: Option<SocketAddr>,
    /// How often files are published.
    pub rotate_every: Duration,
    /// How large files become before they are published earlier.
    pub rotate_bytes: u64,
    /// Memory that is tried to stay below; none: most of what there is.
    pub memory: Option<u64>,
    /// How often each worker has a row of `sensor_stats`.
    pub stats_interval: Duration,
    /// Where the system keeps the counters of interfaces.
    pub interface_counters: PathBuf,
    /// How packets become rows.
    pub config: Config,
}

impl Capture {
    /// Options whose values in `new` count from the next start on.
    pub fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let (own, other) = (&self.config, &new.config);
        [
            ("interface", self.interfaces != new.interfaces),
            ("lake", self.lake != new.lake),
            ("ring-size", self.ring_bytes != new.ring_bytes),
            ("snap-length", self.snap_length != new.snap_length),
            ("no-promiscuous", self.promiscuous != new.promiscuous),
            ("timestamps", self.timestamps != new.timestamps),
            ("cores", self.cores != new.cores),
            ("merge-window", self.merge_window != new.merge_window),
            ("metrics", self.metrics != new.metrics),
            ("rotate-every", self.rotate_every != new.rotate_every),
            ("rotate-bytes", self.rotate_bytes != new.rotate_bytes),
            ("memory", self.memory != new.memory),
            ("stats-interval", self.stats_interval != new.stats_interval),
            ("sensor", own.sensor != other.sensor),
            ("workers", own.workers != other.workers),
            ("filter", own.filter != other.filter),
            ("vlan-in-key", own.vlan_in_key != other.vlan_in_key),
            ("max-flows", own.limits.flows != other.limits.flows),
            ("stream-memory", own.limits.stream_bytes != other.limits.stream_bytes),
            ("fragment-memory", own.limits.fragment_bytes != other.limits.fragment_bytes),
            ("extract", own.files.extract != other.files.extract),
            ("extract-types", own.files.extract_types != other.files.extract_types),
            ("extract-file-bytes", own.files.extract_file_bytes != other.files.extract_file_bytes),
            ("extract-bytes", own.files.extract_bytes != other.files.extract_bytes),
            ("certificate-interval", own.certificate_interval != other.certificate_interval),
        ]
        .into_iter()
        .filter_map(|(option, has_changed)| has_changed.then_some(option))
        .collect()
    }
}

/// How packets become rows; the same for a replay and for a live interface.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Name of the sensor, the column `sensor`. Default: the name of the host.
    pub sensor: String,
    /// Threads that follow flows, 1 to [`Config::MAX_WORKERS`]. Default: as many as there are cores.
    pub workers: usize,
    /// A filter in libpcap's language, already compiled once and found good; packets that fail it are not read.
    pub filter: Option<String>,
    /// Networks whose addresses are `is_local`. Default: [`Config::private_networks`].
    pub local_networks: Vec<IpNet>,
    /// What a wrong checksum means.
    pub checksums: Checksums,
    /// Whether second copies of a packet (span ports, two mirrored ports) are counted like first ones.
    pub keep_duplicates: bool,
    /// Whether VLAN tags are part of a flow's key.
    pub vlan_in_key: bool,
    /// How often, in packet time, a flow that lives on gets a row in `flows_open`.
    pub flow_interval: Duration,
    /// When a silent flow is over.
    pub timeouts: Timeouts,
    /// What may be held in memory.
    pub limits: Limits,
    /// What is done with the files that protocols carry.
    pub files: Files,
    /// Whether passwords are written as they are; else they are masked.
    pub passwords: bool,
    /// Whom chains of certificates are to lead to.
    pub roots: Arc<Roots>,
    /// How long after its last row a certificate has one again, by packet time; none: each time it is shown.
    pub certificate_interval: Option<Duration>,
    /// How much is kept on disk.
    pub retention: Retention,
}

impl Config {
    /// More threads than this are taken for a slip of the finger; shards of flows are spread over the workers.
    pub const MAX_WORKERS: usize = 256;

    /// RFC 1918, ULA (RFC 4193), link-local and loopback of both families.
    pub fn private_networks() -> Vec<IpNet> {
        const NETWORKS: [&str; 8] = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "fc00::/7",
            "fe80::/10",
            "::1/128",
        ];
        NETWORKS.iter().filter_map(|network| network.parse().ok()).collect()
    }

    /// The same with what may change while a sensor runs as it is in `new`.
    #[must_use]
    pub fn with_reloadable(&self, new: &Self) -> Self {
        let files = Files { hashes: new.files.hashes.clone(), ..self.files.clone() };
        Self {
            local_networks: new.local_networks.clone(),
            checksums: new.checksums,
            keep_duplicates: new.keep_duplicates,
            flow_interval: new.flow_interval,
            timeouts: new.timeouts,
            passwords: new.passwords,
            roots: Arc::clone(&new.roots),
            retention: new.retention,
            files,
            ..self.clone()
        }
    }

    /// What sessions have to know of it.
    pub fn sessions(&self) -> Settings {
        let wants = |hash| self.files.hashes.contains(&hash);
        Settings {
            passwords: self.passwords,
            hashes: Hashes { md5: wants(Hash::Md5), sha1: wants(Hash::Sha1), sha256: wants(Hash::Sha256) },
            roots: Arc::clone(&self.roots),
            ..Settings::default()
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sensor: "spanlake".to_owned(),
            workers: std::thread::available_parallelism()
                .map_or(1, |cores| cores.get().min(Self::MAX_WORKERS)),
            filter: None,
            local_networks: Self::private_networks(),
            checksums: Checksums::Auto,
            keep_duplicates: false,
            passwords: false,
            vlan_in_key: false,
            flow_interval: Duration::from_secs(3600),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
            files: Files::default(),
            roots: Arc::default(),
            certificate_interval: None,
            retention: Retention::default(),
        }
    }
}

/// How long a flow may be silent, in packet time, before it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// An established TCP flow, also one caught in mid-stream; SCTP too.
    pub tcp: Duration,
    /// A TCP flow that was never established.
    pub tcp_attempt: Duration,
    /// A TCP flow that both sides closed, or one reset.
    pub tcp_closed: Duration,
    /// UDP, and IP protocols without a time-out of their own.
    pub udp: Duration,
    /// ICMP of both families.
    pub icmp: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: Duration::from_secs(300),
            tcp_attempt: Duration::from_secs(5),
            tcp_closed: Duration::from_secs(5),
            udp: Duration::from_secs(60),
            icmp: Duration::from_secs(60),
        }
    }
}

/// Bounds of memory. Each is divided among the shards, so that what a bound drops does not depend on the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flows followed at a time; past it the longest silent one of its shard is evicted.
    pub flows: usize,
    /// Bytes of streams held for reassembly and by sessions.
    pub stream_bytes: u64,
    /// Bytes of fragments that wait for the rest of their datagram.
    pub fragment_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { flows: 1 << 20, stream_bytes: 512 << 20, fragment_bytes: 32 << 20 }
    }
}

/// What is done with the files that protocols carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Which hashes are computed. Default: SHA-256 alone.
    pub hashes: Vec<Hash>,
    /// Folder of the content-addressed store; none: nothing is extracted.
    pub extract: Option<PathBuf>,
    /// MIME types to extract, `image/*` for a whole family, [`Files::ALL_TYPES`] for all; empty: all.
    pub extract_types: Vec<String>,
    /// Bytes of the largest file that is extracted.
    pub extract_file_bytes: u64,
    /// Bytes of the whole store; past it the oldest contents go.
    pub extract_bytes: u64,
}

impl Files {
    /// Stands for every MIME type, also that of files whose type is not known.
    pub const ALL_TYPES: &str = "all";
}

impl Default for Files {
    fn default() -> Self {
        Self {
            hashes: vec![Hash::Sha256],
            extract: None,
            extract_types: Vec::new(),
            extract_file_bytes: 100 << 20,
            extract_bytes: 10 << 30,
        }
    }
}

/// How much is kept on disk, lake and store together. Default: everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Files whose rows are all older go.
    pub days: Option<u32>,
    /// Past this the oldest files go.
    pub bytes: Option<u64>,
}

/// What a wrong checksum means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Checksums {
    /// The packet is counted and not analysed, unless its sender is seen to leave checksums to its network card.
    #[default]
    Auto,
    /// The packet is counted and not analysed.
    Verify,
    /// Nothing: checksums are not computed.
    Ignore,
}

/// What happens to files in the lake that came from the same capture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IfExists {
    /// They go when the new ones are whole.
    #[default]
    Replace,
    /// The run ends before it begins.
    Refuse,
    /// They stay, and rows may stand in the lake twice.
    Append,
}

/// A hash of a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Hash {
    /// RFC 1321.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
}

/// A duration of the configuration as nanoseconds.
pub(crate) fn nanoseconds(duration: Duration) -> Nanoseconds {
    Nanoseconds::try_from(duration.as_nanos()).unwrap_or(Nanoseconds::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_private_network_is_a_network() {
        assert_eq!(Config::private_networks().len(), 8);
    }
}
