//! How many measurements are done, on a terminal; nothing elsewhere. It is drawn between measurements only, so that it
//! takes nothing from one.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar on standard error, wiped when it is dropped.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    /// One for so many measurements.
    pub(super) fn start(measurements: usize) -> Self {
        let template = "{bar:24} {pos}/{len}  {msg}  {eta} left";
        Self(std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template);
            ProgressBar::new(measurements as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        }))
    }

    /// The next measurement begins; those before it are done.
    pub(super) fn begin(&self, what: &str) {
        let Some(bar) = &self.0 else { return };
        if !bar.message().is_empty() {
            bar.inc(1);
        }
        bar.set_message(what.to_owned());
        bar.tick();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
