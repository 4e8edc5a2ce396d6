//! All that is known of the link to one receiver, once it was sent video with transport-wide numbers.

use super::estimator::Estimator;
use super::pacer::Pacer;
use super::raises::Raises;
use std::time::{Duration, Instant};

/// A receiver that was sent numbers for so long, and so many, and said nothing of them gives no feedback.
const SILENT_AFTER: Duration = Duration::from_secs(1);
const SILENT_PACKETS: u16 = 10;

#[derive(Clone, Debug)]
pub(crate) struct ReceiverLink {
    pub(crate) estimator: Estimator,
    pub(crate) raises: Raises,
    pub(crate) pacer: Pacer,
    /// What the layers that it is sent take, in bits a second.
    pub(crate) sending: u64,
    /// What is worth knowing that the link takes: the next layer that is wanted, or some headroom.
    pub(crate) goal: Option<u64>,
    /// It is a layer.
    pub(crate) is_more_wanted: bool,
    pub(crate) is_heard: bool,
    begun: Instant,
    /// Of the history's bytes, those that the prober was told of.
    pub(crate) counted_bytes: u64,
    /// When padding is to be sent next.
    pub(crate) probe_at: Option<Instant>,
}

impl ReceiverLink {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            estimator: Estimator::default(),
            raises: Raises::default(),
            pacer: Pacer::new(),
            sending: 0,
            goal: None,
            is_more_wanted: false,
            is_heard: false,
            begun: now,
            counted_bytes: 0,
            probe_at: None,
        }
    }

    /// A queue stands before the receiver, or here.
    pub(crate) fn is_full(&self) -> bool {
        self.is_heard && (self.estimator.is_draining() || !self.pacer.is_empty())
    }

    /// It gives no feedback. `unreported`: packets that it was sent and told nothing of.
    pub(crate) fn is_silent(&self, unreported: u16, now: Instant) -> bool {
        !self.is_heard
            && unreported >= SILENT_PACKETS
            && now.saturating_duration_since(self.begun) >= SILENT_AFTER
    }
}
