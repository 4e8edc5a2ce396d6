//! Feedback that names packets by SSRC and sequence number (RFC 8888 section 3.1), taken into a history that counts
//! transport-wide.
//!
//! A transport whose receiver reports so keeps the name of each packet in a second ring; others keep none. One walk over the
//! packets in flight, in the order of sending, looks each up in the message. Looking the message's packets up in the history
//! would need a map, kept with every packet sent.

use super::{Arrival, Fate, PACKETS_MAX, SentHistory, State, departure, place};
use crate::feedback::stream_names::{MICROS, Name, Reports};
use crate::packet::rtcp::CongestionFeedback;
use std::time::Instant;

/// Packets before the first unresolved one of which a later word is taken.
const RECOVERABLE: u16 = 64;
/// A packet that its stream's report does not reach, while one that was sent so much later arrived, is lost. Until then
/// it may be in another message of the same moment.
const OVERTAKEN_US: i64 = 50_000;

/// Units of an arrival's offset from its report's time, in a second.
const OFFSETS: i64 = 1_024;

impl SentHistory {
    /// From now on packets are remembered by their names as well.
    pub(crate) fn keep_names(&mut self) {
        self.names.keep(usize::from(PACKETS_MAX));
    }

    /// The receiver reports by these names, and not by transport-wide numbers.
    pub(crate) fn keeps_names(&self) -> bool {
        self.names.are_kept()
    }

    /// The name of the packet that was put last.
    #[inline]
    pub(crate) fn name(&mut self, number: u16, ssrc: u32, sequence: u16) {
        self.names.put(place(number), Name { ssrc, sequence });
    }

    /// Takes a feedback message: what it says of packets that are still remembered and were not reported on. A packet
    /// that was never sent, or that arrived at a time which the message does not tell, says nothing.
    pub(crate) fn on_congestion_feedback(
        &mut self,
        feedback: &CongestionFeedback<'_>,
        now: Instant,
        mut tell: impl FnMut(Fate),
    ) {
        if !self.keeps_names() || self.entries.is_empty() {
            return;
        }
        let reports = Reports::new(feedback);
        let now_us = self.micros(now);
        let reported_us = self.names.unwrap(feedback.timestamp);
        // Numbers may have been jumped over; what was before is no longer remembered.
        let sent = self.next.wrapping_sub(self.unresolved).saturating_add(RECOVERABLE).min(PACKETS_MAX);
        let overtaken_us = self.newest_arrival(&reports, sent, now_us).map(|at| at - OVERTAKEN_US);
        let mut unresolved = None;
        for back in (1..=sent).rev() {
            let number = self.next.wrapping_sub(back);
            let name = self.names.at(place(number));
            let entry = self.entries.get_mut(place(number)).filter(|it| it.number == number);
            let Some(entry) = entry.filter(|it| matches!(it.state(), State::InFlight | State::Lost)) else {
                continue;
            };
            let departure = departure(*entry, now_us);
            let was_lost = entry.state() == State::Lost;
            let fate = match reports.of(name) {
                Some(Some(reception)) => {
                    entry.set_state(State::Arrived);
                    let arrived = |offset: u16| Arrival {
                        departure,
                        arrived_us: reported_us - i64::from(offset) * MICROS / OFFSETS,
                        ecn: reception.ecn,
                    };
                    let recovered = was_lost.then_some(Fate::Recovered(departure));
                    recovered.or_else(|| reception.offset.map(|offset| Fate::Arrived(arrived(offset))))
                }
                said if !was_lost
                    && (said.is_some() || overtaken_us.is_some_and(|at| departure.sent_us < at)) =>
                {
                    entry.set_state(State::Lost);
                    Some(Fate::Lost(departure))
                }
                _ => {
                    if !was_lost {
                        unresolved.get_or_insert(number);
                    }
                    None
                }
            };
            fate.into_iter().for_each(&mut tell);
        }
        self.unresolved = unresolved.unwrap_or(self.next);
    }

    /// When the newest packet was sent that arrived, of the last `sent` ones.
    fn newest_arrival(&self, reports: &Reports<'_>, sent: u16, now_us: i64) -> Option<i64> {
        let arrived = |number: &u16| {
            let name = self.names.at(place(*number));
            reports.of(name).flatten().is_some()
        };
        let number = (1..=sent).map(|back| self.next.wrapping_sub(back)).find(arrived)?;
        let entry = self.entries.get(place(number)).filter(|it| it.number == number)?;
        Some(departure(*entry, now_us).sent_us)
    }
}

#[cfg(test)]
mod tests;
