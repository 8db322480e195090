//! What the workers of a live sensor count, for whoever wants to know while they run.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! meters {
    ($($name:ident $kind:ident $doc:literal;)*) => {
        /// Counters and gauges of one worker; it alone writes them, and anyone may read them at any time.
        #[derive(Debug, Default)]
        pub struct Meters {
            $(#[doc = $doc] pub $name: AtomicU64,)*
        }

        impl Meters {
            /// Names, kinds and meanings of all of them.
            pub const ALL: &'static [Meter] = &[$(Meter {
                name: stringify!($name),
                kind: Kind::$kind,
                meaning: $doc,
                read: |meters| meters.$name.load(Ordering::Relaxed),
            },)*];
        }
    };
}

/// One of the [`Meters`].
#[derive(Debug)]
pub struct Meter {
    /// Its name.
    pub name: &'static str,
    /// How its values go.
    pub kind: Kind,
    /// What it counts.
    pub meaning: &'static str,
    /// Its value.
    pub read: fn(&Meters) -> u64,
}

/// How the values of a meter go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Up only.
    Counter,
    /// Up and down.
    Gauge,
}

meters! {
    packets Counter "Packets taken in.";
    bytes Counter "Bytes of those packets on the wire.";
    dropped_ring Counter "Packets that found no room in the ring.";
    dropped_queue Counter "Packets of flows that were not begun, because there was no time for them.";
    undecodable Counter "Packets whose headers could not be read.";
    bad_checksums Counter "Packets with a wrong checksum.";
    duplicates Counter "Second copies of a packet.";
    fragments Counter "Fragments of IP datagrams.";
    flows_created Counter "Flows that began.";
    flows_evicted Counter "Flows that ended because room was needed.";
    flows_active Gauge "Flows that are followed.";
    acked_unseen_segments Counter "Times that bytes were acknowledged which were never seen.";
    acked_unseen_bytes Counter "Bytes acknowledged and never seen: loss before the sensor.";
    stream_bytes_held Gauge "Bytes of streams and parts of files that wait for others.";
    stream_bytes_shed Counter "Stream bytes given up for want of room or time.";
    files_hashed Counter "Files hashed.";
    file_bytes Counter "Bytes of files.";
    anomalies Counter "Anomalies of flows that ended.";
    rows Counter "Rows handed on to the journal.";
    rows_dropped Counter "Rows given up because the journal did not take them.";
    ring_fill_percent Gauge "Per cent of the ring that waits to be read.";
    pressure Gauge "What is left undone: 0 nothing, 1 bulk content, 2 new streams too, 3 flows without a handshake too.";
    cpu_nanoseconds Counter "Processor time of the worker's thread.";
    beats Counter "Times that the worker looked for packets.";
}

impl Meters {
    /// Sets one of them.
    #[inline]
    pub(crate) fn set(meter: &AtomicU64, value: u64) {
        meter.store(value, Ordering::Relaxed);
    }

    /// Adds to one of them.
    pub(crate) fn add(meter: &AtomicU64, more: u64) {
        meter.fetch_add(more, Ordering::Relaxed);
    }

    /// The value of one of them.
    pub(crate) fn get(meter: &AtomicU64) -> u64 {
        meter.load(Ordering::Relaxed)
    }
}
