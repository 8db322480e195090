//! What a worker is told by the configuration.

use std::sync::Arc;

use schemas::envelope::Nanoseconds;

use super::Worker;
use crate::config::{Config, nanoseconds};
use crate::flow::FlowTimeouts;
use crate::flow::table::SHARDS;
use crate::flow::tcp::Timeouts;
use crate::local::LocalNetworks;

/// What a worker needs of the configuration, in its own units.
pub(super) struct Settings {
    pub(super) timeouts: FlowTimeouts,
    pub(super) flows_per_shard: usize,
    pub(super) flow_interval: Nanoseconds,
    pub(super) local: Arc<LocalNetworks>,
    pub(super) sessions: parsers::settings::Settings,
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
            flows_per_shard: (config.limits.flows / SHARDS).max(1),
            flow_interval: nanoseconds(config.flow_interval).max(1),
            local,
            sessions: config.sessions(),
        }
    }
}

impl Worker {
    /// Takes over what may change while it runs: time-outs, intervals, local networks, and what sessions are told. Bounds
    /// of memory stay as they were.
    pub fn reconfigure(&mut self, config: &Config, local: Arc<LocalNetworks>) {
        let store = self.settings.sessions.store.take();
        let flows_per_shard = self.settings.flows_per_shard;
        self.settings = Settings { flows_per_shard, ..Settings::new(config, local) };
        self.settings.sessions.store = store;
    }
}
