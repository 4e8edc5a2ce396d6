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
use railgun_shared::media_rpc::RoomEvent;
use signature::WebhookSecret;
use std::time::SystemTime;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Hooks that wait to be sent, beside those that wait to be sent again.
const QUEUED_MAX: usize = 1024;

/// Takes note of what rooms say. Cheap to clone; does nothing if no URL is configured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Webhooks {
    queue: Option<mpsc::Sender<Hook>>,
    metrics: WebhookMetrics,
}

impl Webhooks {
    /// Starts the task that delivers, if there is a URL.
    pub(crate) fn start(
        config: &WebhooksConfig,
        metrics: WebhookMetrics,
    ) -> anyhow::Result<(Self, Option<JoinHandle<()>>)> {
        let Some(url) = &config.url else { return Ok((Self::default(), None)) };
        let secret_file = config.secret_file.as_ref().context("webhooks.url needs webhooks.secret_file")?;
        let secret = WebhookSecret::from_file(secret_file)?;
        let (queue, hooks) = mpsc::channel(QUEUED_MAX);
        let delivery = Delivery::new(url.clone(), secret, metrics.clone())?;
        let task = tokio::spawn(delivery.run(hooks));
        Ok((Self { queue: Some(queue), metrics }, Some(task)))
    }

    /// Tells of a room event, if it is one that is told.
    pub(crate) fn observe(&self, event: &RoomEvent) {
        let Some(queue) = &self.queue else { return };
        for hook in event::hooks(event, SystemTime::now()) {
            if queue.try_send(hook).is_err() {
                self.metrics.dropped();
            }
        }
    }
}
