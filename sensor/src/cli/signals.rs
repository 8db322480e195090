//! What signals tell a live sensor: to stop, and to read its settings again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::arguments::Command;
use super::{check, parse};
use crate::config::Capture;
use crate::live::Control;

/// Signals that have come.
pub(super) struct Signals {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Signals {
    /// From now on signals are noted. The second one to stop ends the process at once: rows that are journalled are safe.
    pub(super) fn register() -> Result<Self> {
        let (stop, reload) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        for signal in [SIGTERM, SIGINT] {
            flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))
                .context("asking for signals")?;
            flag::register(signal, Arc::clone(&stop)).context("asking for signals")?;
        }
        flag::register(SIGHUP, Arc::clone(&reload)).context("asking for signals")?;
        Ok(Self { stop, reload })
    }
}

impl Control for Signals {
    fn stops(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn reloads(&mut self) -> bool {
        self.reload.swap(false, Ordering::Relaxed)
    }

    fn settings(&mut self) -> Result<Capture> {
        match parse(std::env::args_os())?.command {
            Command::Capture(typed) => check::capture(typed),
            _ => bail!("the arguments name another command"),
        }
    }
}
