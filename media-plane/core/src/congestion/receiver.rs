//! All that is known of the link to one receiver, once it was sent video with transport-wide numbers.

use super::estimator::Estimator;
use super::pacer::Pacer;
use super::raises::Raises;
use std::time::{Duration, Instant};

/// A receiver that was sent numbers for so long, and so many, and said nothing of them gives no feedback.
const SILENT_AFTER: Duration = Duration::from_secs(1);
const SILENT_PACKETS: u16 = 10;
const ALLOCATED_APART: Duration = Duration::from_millis(20);

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
    /// When layers were given last.
    allocated_at: Option<Instant>,
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
            pacer: Pacer::new(None),
            sending: 0,
            goal: None,
            is_more_wanted: false,
            is_heard: false,
            begun: now,
            allocated_at: None,
            counted_bytes: 0,
            probe_at: None,
        }
    }

    /// Whether layers are to be given anew; a receiver that reports on each packet is followed no more often
    /// than one that does each 20 ms.
    pub(crate) fn try_allocate(&mut self, now: Instant) -> bool {
        let is_due = self.allocated_at.is_none_or(|at| now.saturating_duration_since(at) >= ALLOCATED_APART);
        if is_due {
            self.allocated_at = Some(now);
        }
        is_due
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
