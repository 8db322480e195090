//! Signals to a webhook: a POST of JSON each. The header `Idempotency-Key` is the signal's identifier.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use ureq::Agent;
use ureq::http::Uri;
use ureq::tls::TlsConfig;

use super::{Refusal, Sink};
use crate::rules::signal::Signal;

/// A webhook.
pub(super) struct Webhook {
    agent: Agent,
    url: String,
    host: String,
}

impl Webhook {
    pub(super) fn new(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().context("the URL of the webhook is none")?;
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            bail!("the URL of the webhook names no host");
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .build();
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(WHOLE))
            // A POST that is sent elsewhere may become a GET.
            .max_redirects(0)
            .http_status_as_error(false)
            .user_agent(concat!("spanlake-hunt/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build();
        Ok(Self { agent: config.new_agent(), url: url.to_owned(), host: host.to_owned() })
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }
}

impl Sink for Webhook {
    fn send(&mut self, signal: &Signal) -> Result<(), Refusal> {
        let request = self.agent.post(&self.url).header("Content-Type", "application/json");
        let request = request.header("Idempotency-Key", &signal.signal_id);
        // Without the URL, which such errors may quote.
        let answer = request
            .send(signal.json().to_string())
            .map_err(|error| anyhow!("{}", error.to_string().replace(&self.url, &self.host)))?;
        let status = answer.status();
        let refused = || anyhow!("the answer is {status}");
        match status.as_u16() {
            200..=299 => Ok(()),
            // What is wrong is this signal, and the others shall not wait for it.
            400 | 413 | 422 => Err(Refusal::Never(refused())),
            _ => Err(Refusal::Later(refused())),
        }
    }
}

/// How long connecting, and all of an exchange, may take.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(15);
