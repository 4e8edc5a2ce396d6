//! Sending hooks, and sending again those that were not taken.

use super::event::Hook;
use super::signature::WebhookSecret;
use crate::clock::unix_seconds;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use reqwest::redirect::Policy;
use std::error::Error;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// Hooks on their way at once; each has its own retries, so that one does not hold up the others.
const IN_FLIGHT_MAX: usize = 64;
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts to deliver a webhook: 1, 2, 4 … seconds apart, four minutes in all.
const ATTEMPTS_MAX: u32 = 9;
const BACKOFF_FIRST: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct WebhookMetrics {
    hooks: Family<OutcomeLabel, Counter>,
    waiting: Gauge,
}

impl WebhookMetrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "railgun_control_webhooks",
            "Webhooks by what became of them: delivered, given_up after all attempts, or dropped for want of room",
            self.hooks.clone(),
        );
        registry.register(
            "railgun_control_webhooks_waiting",
            "Webhooks that wait to be sent, or to be sent again",
            self.waiting.clone(),
        );
    }

    pub(super) fn waits(&self) {
        self.waiting.inc();
    }

    pub(super) fn is_over(&self, outcome: &'static str) {
        self.waiting.dec();
        self.hooks.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    pub(super) fn waiting(&self) -> i64 {
        self.waiting.get()
    }
}

/// Why a hook was not taken. What it says never holds the URL, which may hold credentials.
#[derive(Debug, thiserror::Error)]
enum AttemptError {
    #[error(transparent)]
    Request(reqwest::Error),
    #[error("the answer was {0}")]
    Status(reqwest::StatusCode),
}

pub(super) struct Delivery {
    client: reqwest::Client,
    url: reqwest::Url,
    secret: WebhookSecret,
    metrics: WebhookMetrics,
}

impl Delivery {
    pub(super) fn new(
        url: reqwest::Url,
        secret: WebhookSecret,
        metrics: WebhookMetrics,
    ) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(ATTEMPT_TIMEOUT).build()?;
        Ok(Self { client, url, secret, metrics })
    }

    /// Until `finishing` is true, and then until nothing waits any more.
    pub(super) async fn run(self, mut hooks: mpsc::Receiver<Hook>, finishing: watch::Receiver<bool>) {
        let mut in_flight = FuturesUnordered::new();
        let mut ending = finishing.clone();
        let mut is_open = true;
        loop {
            tokio::select! {
                hook = hooks.recv(), if is_open && in_flight.len() < IN_FLIGHT_MAX => match hook {
                    Some(hook) => in_flight.push(self.deliver(hook, finishing.clone())),
                    None => is_open = false,
                },
                Some(()) = in_flight.next() => {}
                _ = ending.wait_for(|finishing| *finishing), if !hooks.is_closed() => {
                    // What is in the queue is still received.
                    hooks.close();
                }
                else => break,
            }
        }
    }

    async fn deliver(&self, hook: Hook, mut finishing: watch::Receiver<bool>) {
        let mut backoff = BACKOFF_FIRST;
        for attempt in 1..=ATTEMPTS_MAX {
            // Begun when the process was to end already: there is no time for another.
            let is_last = attempt == ATTEMPTS_MAX || *finishing.borrow();
            match self.attempt(&hook).await {
                Ok(()) => return self.metrics.is_over("delivered"),
                Err(error) if is_last => {
                    let host = self.url.host_str();
                    tracing::warn!(id = %hook.id, host, error = %chain(&error), "a webhook was given up");
                    break;
                }
                Err(error) => {
                    tracing::debug!(id = %hook.id, error = %chain(&error), "a webhook is sent again later");
                    let pause = sleep(backoff.mul_f64(rand::random_range(0.75..1.25)));
                    tokio::select! {
                        () = pause => {}
                        _ = finishing.wait_for(|finishing| *finishing) => {}
                    }
                    backoff *= 2;
                }
            }
        }
        self.metrics.is_over("given_up");
    }

    async fn attempt(&self, hook: &Hook) -> Result<(), AttemptError> {
        let timestamp = unix_seconds(SystemTime::now());
        let signature = self.secret.sign(&hook.id, timestamp, &hook.body);
        let request = self.client.post(self.url.clone());
        let request = request
            .header("content-type", "application/json")
            .header("webhook-id", &hook.id)
            .header("webhook-timestamp", timestamp.to_string())
            .header("webhook-signature", signature)
            .body(hook.body.clone());
        // A redirect is an answer like any other that is not of the 200s: not taken.
        let response = request.send().await.map_err(|error| AttemptError::Request(error.without_url()))?;
        let status = response.status();
        if status.is_success() { Ok(()) } else { Err(AttemptError::Status(status)) }
    }
}

/// An error with its causes: reqwest's own text names none.
fn chain(error: &dyn Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_attempt_that_fails_says_why_and_never_the_url() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let url = format!("http://user:pass-word@127.0.0.1:{port}/hooks/key-in-path?key=in-query");
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let delivery = Delivery::new(url.parse().unwrap(), secret, WebhookMetrics::default()).unwrap();
        let hook = Hook { id: "hook".into(), body: "{}".into() };
        let error = delivery.attempt(&hook).await.unwrap_err();
        for told in [chain(&error), format!("{error:?}")] {
            for hidden in ["user", "pass-word", "key-in-path", "in-query"] {
                assert!(!told.contains(hidden), "{told}");
            }
        }
        assert!(chain(&error).to_lowercase().contains("refused"), "{}", chain(&error));
    }
}
