//! From arguments as typed to a run that can begin: paths exist, the lake can be written, nothing is left open.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use parsers::x509::Roots;

use super::arguments::{self, Replay as Typed, Sensing};
use super::inputs::Inputs;
use crate::capture::ring;
use crate::config::{Capture, Config, Files, IfExists, Limits, Replay, Retention, Timeouts};

/// A replay that can begin, and its inputs that are no captures.
pub(crate) fn replay(typed: Typed) -> Result<(Replay, Inputs)> {
    let mut inputs = Inputs::find(&typed.captures)?;
    let lake = required_lake(typed.lake)?;
    if let Some(store) = &typed.sensing.extract {
        keep_apart(&lake, store)?;
    }
    let config = sensing(typed.sensing, typed.threads.workers)?;
    prepare_lake(&lake)?;
    let replay = Replay {
        captures: std::mem::take(&mut inputs.captures),
        lake,
        if_exists: typed.if_exists.unwrap_or_default(),
        continuous: typed.continuous,
        config,
    };
    Ok((replay, inputs))
}

/// A capture that can begin.
pub(crate) fn capture(typed: arguments::Capture) -> Result<Capture> {
    let mut interfaces: Vec<String> = Vec::new();
    for interface in typed.interface.unwrap_or_default() {
        if !interfaces.contains(&interface) {
            interfaces.push(interface);
        }
    }
    if interfaces.is_empty() {
        let missing = "-i NIC is missing (or the key 'interface' in --config FILE)";
        return Err(super::Usage(missing.to_owned()).into());
    }
    let lake = required_lake(typed.lake)?;
    if let Some(store) = &typed.sensing.extract {
        keep_apart(&lake, store)?;
    }
    let config = sensing(typed.sensing, typed.threads.workers)?;
    prepare_lake(&lake)?;
    let live = typed.live;
    Ok(Capture {
        interfaces,
        lake,
        ring_bytes: live.ring_size.map_or(ring::DEFAULT_RING_BYTES, |size| size.0 as usize),
        snap_length: live.snap_length.unwrap_or(ring::MAX_SNAP_LENGTH),
        promiscuous: !live.no_promiscuous,
        timestamps: live.timestamps.unwrap_or_default(),
        cores: live.cores.unwrap_or_default().0,
        merge_window: live.merge_window.unwrap_or(Duration::from_millis(50)),
        metrics: live.metrics.map_or(Some(METRICS), |metrics| metrics.0),
        rotate_every: live.rotate_every.unwrap_or(Duration::from_secs(300)),
        rotate_bytes: live.rotate_bytes.map_or(128 << 20, |size| size.0),
        memory: live.memory.map(|size| size.0),
        stats_interval: live.stats_interval.unwrap_or(Duration::from_secs(60)),
        interface_counters: live.interface_counters.unwrap_or_else(|| PathBuf::from("/sys/class/net")),
        config,
    })
}

/// Where metrics can be read unless another place is named: on this machine only.
const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9477);

/// The lake's folder, which may come from the configuration file and so is no required argument.
pub(crate) fn required_lake(lake: Option<PathBuf>) -> Result<PathBuf> {
    lake.ok_or_else(|| {
        super::Usage("--lake DIR is missing (or the key 'lake' in --config FILE)".to_owned()).into()
    })
}

/// Captures that can be read again and again, and how they are read; the lake is one that is thrown away. Numbers of
/// workers are left to whoever plans.
pub(crate) fn bench(captures: &[PathBuf], typed: Sensing, lake: PathBuf) -> Result<(Replay, Inputs)> {
    let mut inputs = Inputs::find(captures)?;
    if inputs.bytes.is_none() {
        let reason = "bench reads its captures several times: standard input and pipes will not do";
        return Err(super::Usage(reason.to_owned()).into());
    }
    let mut config = sensing(typed, None)?;
    // Nothing is kept, and nothing of what others keep is removed.
    config.files.extract = None;
    config.retention = Retention::default();
    let captures = std::mem::take(&mut inputs.captures);
    Ok((Replay { captures, lake, if_exists: IfExists::default(), continuous: false, config }, inputs))
}

/// A lake that is there to be read.
pub(crate) fn existing_lake(lake: Option<PathBuf>) -> Result<PathBuf> {
    let lake = required_lake(lake)?;
    if !lake.is_dir() {
        bail!("no lake at {}: `spanlake replay CAPTURE --lake {0}` writes one", lake.display());
    }
    Ok(lake)
}

/// How packets become rows: what was not said has its default.
pub(crate) fn sensing(typed: Sensing, workers: Option<usize>) -> Result<Config> {
    let default = Config::default();
    let (timeouts, limits, files) = (Timeouts::default(), Limits::default(), Files::default());
    let roots = match &typed.roots {
        Some(file) => Arc::new(roots(file)?),
        None => default.roots,
    };
    Ok(Config {
        sensor: typed.sensor.or_else(host_name).unwrap_or(default.sensor),
        workers: workers.unwrap_or(default.workers),
        filter: typed.filter,
        local_networks: typed.local_nets.unwrap_or(default.local_networks),
        checksums: typed.checksums.unwrap_or(default.checksums),
        keep_duplicates: typed.keep_duplicates,
        passwords: typed.passwords,
        vlan_in_key: typed.vlan_in_key,
        flow_interval: typed.flow_interval.unwrap_or(default.flow_interval),
        timeouts: Timeouts {
            tcp: typed.tcp_timeout.unwrap_or(timeouts.tcp),
            tcp_attempt: typed.tcp_attempt_timeout.unwrap_or(timeouts.tcp_attempt),
            tcp_closed: typed.tcp_closed_timeout.unwrap_or(timeouts.tcp_closed),
            udp: typed.udp_timeout.unwrap_or(timeouts.udp),
            icmp: typed.icmp_timeout.unwrap_or(timeouts.icmp),
        },
        limits: Limits {
            flows: typed.max_flows.unwrap_or(limits.flows),
            stream_bytes: typed.stream_memory.map_or(limits.stream_bytes, |size| size.0),
            fragment_bytes: typed.fragment_memory.map_or(limits.fragment_bytes, |size| size.0),
        },
        files: Files {
            hashes: typed.hash.unwrap_or(files.hashes),
            extract: typed.extract,
            extract_types: typed.extract_types.unwrap_or_default(),
            extract_file_bytes: typed.extract_file_bytes.map_or(files.extract_file_bytes, |size| size.0),
            extract_bytes: typed.extract_bytes.map_or(files.extract_bytes, |size| size.0),
        },
        roots,
        certificate_interval: typed.certificate_interval,
        retention: Retention { days: typed.keep_days, bytes: typed.keep_bytes.map(|size| size.0) },
    })
}

/// The web's roots and those of a file.
fn roots(file: &Path) -> Result<Roots> {
    let cannot = || format!("cannot take roots from {}", file.display());
    let content = fs::read(file).with_context(cannot)?;
    Roots::default().with(&content).with_context(cannot)
}

/// The name of this machine, as the kernel knows it.
fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    super::values::sensor(name.trim()).ok()
}

/// Refuses a lake and a store of which one lies within the other: whoever reads the lake would find files that strangers
/// sent, and whoever scans or empties the store would find the lake.
fn keep_apart(lake: &Path, store: &Path) -> Result<()> {
    let (whole_lake, whole_store) = (resolved(lake)?, resolved(store)?);
    let how = if whole_lake == whole_store {
        "is"
    } else if whole_store.starts_with(&whole_lake) {
        "lies within"
    } else if whole_lake.starts_with(&whole_store) {
        "holds"
    } else {
        return Ok(());
    };
    let (store, lake) = (store.display(), lake.display());
    let problem = format!("--extract {store} {how} the lake {lake}; choose a folder beside it");
    Err(super::Usage(problem).into())
}

/// A path without links and dots, also where its end is yet to be made.
fn resolved(path: &Path) -> Result<PathBuf> {
    let mut whole = PathBuf::new();
    for component in std::path::absolute(path)?.components() {
        match component {
            // What comes before has no links any more.
            Component::ParentDir => drop(whole.pop()),
            other => whole.push(other),
        }
        if let Ok(canonical) = fs::canonicalize(&whole) {
            whole = canonical;
        }
    }
    Ok(whole)
}

/// Makes the lake's folder and tries whether files can be made in it: better now than after an hour's work.
fn prepare_lake(lake: &Path) -> Result<()> {
    let cannot = || format!("cannot write the lake {}; choose another folder with --lake", lake.display());
    make_folder(lake).with_context(cannot)?;
    let probe = lake.join(format!(".probe-{}.tmp", std::process::id()));
    fs::write(&probe, b"").with_context(cannot)?;
    fs::remove_file(&probe).with_context(cannot)
}

/// Makes a folder and those above it, for its owner and group.
fn make_folder(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o750);
    builder.recursive(true).create(path)
}
