//! What a worker is told by the configuration.

use std::sync::Arc;

use parsers::entities::Entities;
use schemas::envelope::Nanoseconds;

use super::Worker;
use crate::config::{Config, nanoseconds};
use crate::flow::FlowTimeouts;
use crate::flow::budget::Budget;
use crate::flow::table::SHARDS;
use crate::flow::tcp::Timeouts;
use crate::local::LocalNetworks;

/// Memory for parts of files of one shard of a live worker, at least.
const LEAST_ENTITIES: usize = 256 << 10;

/// What a worker needs of the configuration, in its own units.
pub(super) struct Settings {
    pub(super) timeouts: FlowTimeouts,
    pub(super) bound: Bound,
    pub(super) flow_interval: Nanoseconds,
    pub(super) local: Arc<LocalNetworks>,
    pub(super) sessions: parsers::settings::Settings,
}

/// How many flows are followed at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// So many of each shard: what it drops does not depend on the number of workers.
    FlowsOfShard(usize),
    /// So many, of whichever shards.
    Flows(usize),
}

impl Settings {
    pub(super) fn new(config: &Config, local: Arc<LocalNetworks>) -> Self {
        Self {
            timeouts: FlowTimeouts {
                tcp: Timeouts {
                    idle: nanoseconds(config.timeouts.tcp),
                    attempt: nanoseconds(config.timeouts.tcp_attempt),
                    closed: nanoseconds(config.timeouts.tcp_closed),
                    interactive: nanoseconds(config.timeouts.tcp).max(Timeouts::default().interactive),
                },
                udp: nanoseconds(config.timeouts.udp),
                icmp: nanoseconds(config.timeouts.icmp),
            },
            bound: Bound::FlowsOfShard((config.limits.flows / SHARDS).max(1)),
            flow_interval: nanoseconds(config.flow_interval).max(1),
            local,
            sessions: config.sessions(),
        }
    }
}

impl Worker {
    /// The same for live packets: nobody compares its rows with those of other numbers of workers, so its bounds are those
    /// of all shards together, and two hosts may have all of it. Statistics are left to whoever drives it
    /// ([`Worker::interval`]).
    #[must_use]
    pub fn live(mut self, config: &Config) -> Self {
        let all = config.limits.stream_bytes as usize;
        self.budgets = vec![[Budget::new(all / 8 * 3); 2]];
        self.entities = (0..SHARDS).map(|_| Entities::new((all / SHARDS / 4).max(LEAST_ENTITIES))).collect();
        self.settings.bound = Bound::Flows(config.limits.flows.max(1));
        self.keeps_statistics = false;
        self
    }

    /// Takes over what may change while it runs: time-outs, intervals, local networks, and what sessions are told. Bounds
    /// of memory stay as they were.
    pub fn reconfigure(&mut self, config: &Config, local: Arc<LocalNetworks>) {
        let store = self.settings.sessions.store.take();
        let bound = self.settings.bound;
        self.settings = Settings { bound, ..Settings::new(config, local) };
        self.settings.sessions.store = store;
    }
}
