//! What one seat measures: the client's reports, the node's figures, and what happened.

use super::keeper::{Keeping, Kept};
use crate::clock::unix_seconds;
use crate::policy::call_quality::{Identity, Meter, What};
use railgun_protocol::media_rpc::Event;
use railgun_protocol::signal::{E2eeMessageKind, RejoinReason, Stats, StatsReport};
use railgun_protocol::transport_parameters::IceState;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Between two questions of a session's node for its figures.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(10);

/// Of one seat in a call. Dropping it ends the participant's timeline.
#[derive(Debug)]
pub(crate) struct SeatTimeline {
    keeping: Arc<Keeping>,
    key: String,
    meter: Meter,
    due: Instant,
    asked: Option<u64>,
    end: What,
}

impl SeatTimeline {
    pub(super) fn new(keeping: Arc<Keeping>, key: String, who: Identity, is_new: bool) -> Self {
        let now = unix_seconds(SystemTime::now());
        let mut meter = Meter::new(who, now);
        meter.happened(if is_new { What::Joined } else { What::Resumed }, now);
        Self { keeping, key, meter, due: Instant::now() + SAMPLE_INTERVAL, asked: None, end: What::Left }
    }

    /// When the node is to be asked next.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// Whether the node is to be asked now. Keeps the minute, if it is over.
    pub(crate) fn is_due(&mut self) -> bool {
        let now = Instant::now();
        if now < self.due {
            return false;
        }
        self.due = now + SAMPLE_INTERVAL;
        self.turn();
        true
    }

    /// The node was asked by this ticket.
    pub(crate) fn asked(&mut self, ticket: u64) {
        self.asked = Some(ticket);
    }

    /// Whether the reply is the one that was asked for.
    pub(crate) fn takes(&self, ticket: u64) -> bool {
        self.asked == Some(ticket)
    }

    pub(crate) fn sampled(&mut self, stats: &Stats) {
        self.asked = None;
        let now = self.turn();
        self.meter.sampled(stats, now);
    }

    /// The numbers have been checked.
    pub(crate) fn reported(&mut self, report: &StatsReport) {
        let now = self.turn();
        self.meter.reported(report, now);
    }

    pub(crate) fn happened(&mut self, what: What) {
        let now = self.turn();
        self.meter.happened(what, now);
    }

    /// What its end will be for.
    pub(crate) fn ends_by(&mut self, what: What) {
        self.end = what;
    }

    /// What a room event means for it.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Some(what) = told_by(event) {
            self.happened(what);
        }
        match event {
            Event::Rejoin { reason } => self.ends_by(match reason {
                RejoinReason::NodeLost => What::NodeLost,
                RejoinReason::NodeDraining => What::NodeDraining,
                RejoinReason::WorkerDied => What::WorkerDied,
                RejoinReason::EncryptionChanged => What::EncryptionChanged,
            }),
            // It ends its epoch.
            Event::E2eeMessage { kind: E2eeMessageKind::Commit, epoch, .. } => {
                self.turn();
                self.meter.keys_changed(epoch.saturating_add(1));
            }
            Event::Superseded => self.ends_by(What::SocketLost),
            _ => {}
        }
    }

    /// Unix seconds. Keeps the minute, if it is over.
    fn turn(&mut self) -> u64 {
        let now = unix_seconds(SystemTime::now());
        if let Some(minute) = self.meter.turn(now) {
            self.keeping.keep(Kept::Participant { key: self.key.clone(), minute: Box::new(minute) });
        }
        now
    }
}

/// What a room event says that happened to the participant's path.
pub(super) fn told_by(event: &Event) -> Option<What> {
    match event {
        Event::TransportState { ice: IceState::Disconnected, .. } => Some(What::PathLost),
        _ => None,
    }
}

impl Drop for SeatTimeline {
    fn drop(&mut self) {
        let now = self.turn();
        self.meter.happened(self.end, now);
        let minute = Box::new(self.meter.end());
        self.keeping.keep(Kept::Participant { key: std::mem::take(&mut self.key), minute });
    }
}
