//! Webhooks: what happens in rooms, told to an operator's server.
//!
//! They are signed as Standard Webhooks are (`webhook-id`, `webhook-timestamp`, `webhook-signature`),
//! retried with backoff, follow no redirect, and never hold up a call: what does not fit into the
//! queue is counted and dropped. Each is delivered at least once; two replicas that see the same
//! event give it the same id.

mod delivery;
mod event;
mod signature;

pub(crate) use delivery::WebhookMetrics;

use crate::config::WebhooksConfig;
use anyhow::Context;
use delivery::Delivery;
use event::Hook;
use railgun_protocol::media_rpc::{RoomEvent, WorkerDied};
use signature::WebhookSecret;
use std::path::Path;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Hooks that wait to be sent, beside those that wait to be sent again.
const QUEUED_MAX: usize = 1024;

/// Takes note of what rooms say. Cheap to clone; does nothing if no URL is configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Webhooks {
    queue: Option<mpsc::Sender<Hook>>,
    metrics: WebhookMetrics,
    /// True: what waits is sent now, once more at the most, and nothing new is taken.
    finishing: watch::Sender<bool>,
}

/// Whether this file holds a secret to sign with.
pub(crate) fn check_secret(path: &Path) -> anyhow::Result<()> {
    Ok(WebhookSecret::from_file(path).map(drop)?)
}

impl Webhooks {
    /// Starts the task that delivers, if there is a URL.
    pub(crate) fn start(config: &WebhooksConfig, metrics: WebhookMetrics) -> anyhow::Result<Self> {
        let Some(url) = &config.url else { return Ok(Self::default()) };
        let secret_file = config.secret_file.as_ref().context("webhooks.url needs webhooks.secret_file")?;
        let secret = WebhookSecret::from_file(secret_file)?;
        let (queue, hooks) = mpsc::channel(QUEUED_MAX);
        let delivery = Delivery::new(url.clone(), secret, metrics.clone())?;
        let finishing = watch::Sender::new(false);
        tokio::spawn(delivery.run(hooks, finishing.subscribe()));
        Ok(Self { queue: Some(queue), metrics, finishing })
    }

    /// Tells of a room event, if it is one that is told.
    pub(crate) fn observe(&self, event: &RoomEvent) {
        let Some(queue) = &self.queue else { return };
        for hook in event::hooks(event, SystemTime::now()) {
            self.put(queue, hook);
        }
    }

    /// Tells that a worker of this run of a node died.
    pub(crate) fn worker_died(&self, node: &str, boot_id: &str, died: WorkerDied) {
        if let Some(queue) = &self.queue {
            self.put(queue, event::worker_died(node, boot_id, died, SystemTime::now()));
        }
    }

    fn put(&self, queue: &mpsc::Sender<Hook>, hook: Hook) {
        self.metrics.waits();
        if queue.try_send(hook).is_err() {
            self.metrics.is_over("dropped");
        }
    }

    /// The process ends: what waits is sent now, for so long, and what is left then is told.
    pub(crate) async fn finish(&self, within: Duration) {
        self.finishing.send_replace(true);
        // Whoever delivers looks at it until nothing waits.
        if timeout(within, self.finishing.closed()).await.is_err() {
            tracing::warn!(webhooks = self.metrics.waiting(), "webhooks were not delivered before the end");
        }
    }
}
