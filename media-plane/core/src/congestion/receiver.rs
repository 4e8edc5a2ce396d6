//! All that is known of the link to one receiver, once it was sent video with transport-wide numbers.

use super::ecn_validation::EcnValidation;
use super::estimator::Estimator;
use super::pacer::Pacer;
use super::raises::Raises;
use crate::feedback::sent_history::SentHistory;
use crate::feedback::speech_loss::TransportLoss;
use std::time::{Duration, Instant};

/// A receiver that was sent numbers for so long, and so many, and said nothing of them gives no feedback.
const SILENT_AFTER_US: i64 = 1_000_000;
const SILENT_PACKETS: u16 = 10;
const ALLOCATED_APART: Duration = Duration::from_millis(20);
/// So many packets without a report are those of a steady stream that are on their way; more are a burst.
const STEADY_UNREPORTED_MAX: u16 = 3;

#[derive(Clone, Debug)]
pub(crate) struct ReceiverLink {
    pub(crate) estimator: Estimator,
    pub(crate) raises: Raises,
    pub(crate) pacer: Pacer,
    /// Whether it is sent ECT(1).
    pub(crate) ecn: EcnValidation,
    /// Loss of the transport's packets, by the receiver's feedback.
    pub(crate) loss: TransportLoss,
    /// What the layers that it is sent take, in bits a second.
    pub(crate) sending: u64,
    /// What is worth knowing that the link takes: the next layer that is wanted, or some headroom.
    pub(crate) goal: Option<u64>,
    /// It is a layer.
    pub(crate) is_more_wanted: bool,
    /// When the receiver reported on something for the first time.
    heard_us: Option<i64>,
    /// When layers were given last.
    allocated_at: Option<Instant>,
    /// Of the history's bytes, those that the prober was told of.
    pub(crate) counted_bytes: u64,
    /// When padding is to be sent next.
    pub(crate) probe_at: Option<Instant>,
}

impl ReceiverLink {
    pub(crate) fn new() -> Self {
        Self {
            estimator: Estimator::default(),
            raises: Raises::default(),
            pacer: Pacer::new(None),
            ecn: EcnValidation::default(),
            loss: TransportLoss::default(),
            sending: 0,
            goal: None,
            is_more_wanted: false,
            heard_us: None,
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

    /// The receiver reported on something.
    pub(crate) fn hear(&mut self, now_us: i64) {
        self.heard_us.get_or_insert(now_us);
    }

    pub(crate) fn is_heard(&self) -> bool {
        self.heard_us.is_some()
    }

    /// Whether more packets than a steady stream has on its way, of those sent before the receiver's first report, are not
    /// reported on yet, by `history`. What the link does with such a burst is not known until then.
    pub(crate) fn awaits_first_burst(&self, history: &SentHistory) -> bool {
        self.heard_us.is_some_and(|heard| self.estimator.newest_sent_us() < heard)
            && history.unreported() > STEADY_UNREPORTED_MAX
    }

    /// A queue stands before the receiver, or here.
    pub(crate) fn is_full(&self) -> bool {
        self.is_heard() && (self.estimator.is_draining() || !self.pacer.is_empty())
    }

    /// It gives no feedback. `history`: what it was sent.
    pub(crate) fn is_silent(&self, history: &SentHistory, now: Instant) -> bool {
        !self.is_heard()
            && history.unreported() >= SILENT_PACKETS
            && history.sends_for_us(now) >= SILENT_AFTER_US
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::sent_history::{Arrival, Departure, Fate, Purpose};
    use crate::packet::ecn::Ecn;

    #[test]
    fn a_receiver_without_feedback_is_silent_a_second_after_its_first_packet_not_after_it_was_made() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let (mut link, mut history) = (ReceiverLink::new(), SentHistory::new(start));
        assert!(!link.is_silent(&history, after(60_000)), "it was sent nothing");
        let put = |history: &mut SentHistory, number, at| {
            history.put(number, 1_000, Purpose::Media, history.micros(at));
        };
        (1..SILENT_PACKETS).for_each(|number| put(&mut history, number, after(60_000)));
        assert!(!link.is_silent(&history, after(61_000)), "it was sent too little");
        put(&mut history, SILENT_PACKETS, after(60_010));
        assert!(!link.is_silent(&history, after(60_990)));
        assert!(link.is_silent(&history, after(61_000)));
        link.hear(61_000_000);
        assert!(!link.is_silent(&history, after(61_000)));
    }

    #[test]
    fn what_was_sent_before_the_first_report_is_awaited_but_for_three_packets() {
        let start = Instant::now();
        let (mut link, mut history) = (ReceiverLink::new(), SentHistory::new(start));
        (1..=5).for_each(|number| history.put(number, 1_000, Purpose::Media, 10_000));
        assert!(!link.awaits_first_burst(&history), "it said nothing yet");
        link.hear(60_000);
        assert!(link.awaits_first_burst(&history));
        let departure = Departure { number: 9, sent_us: 60_000, len: 1_000, purpose: Purpose::Media };
        let arrival = Arrival { departure, arrived_us: 90_000, ecn: Ecn::NotEct };
        link.estimator.on_fate(Fate::Arrived(arrival));
        link.hear(95_000);
        assert!(!link.awaits_first_burst(&history), "what was sent after the first report came");
        let mut history = SentHistory::new(start);
        (1..=3).for_each(|number| history.put(number, 1_000, Purpose::Media, 10_000));
        let mut link = ReceiverLink::new();
        link.hear(60_000);
        assert!(!link.awaits_first_burst(&history));
    }
}
