//! The estimate of one link, and the states that it goes through; the folder's documentation says why.

use super::competition::{Competition, Seen};
use super::delivered_rate::DeliveredRate;
use super::loss::{LossVerdict, LossWatch};
use super::marks::Marks;
use super::probe::{Outcome, Prober};
use super::queue_delay::QueueDelay;
use super::sent_peak::SentPeak;
use super::service_rate::ServiceRate;
use super::stall::StallWatch;
use crate::feedback::sent_history::{Arrival, Departure, Fate};
use crate::packet::ecn::Ecn;

/// Before anything is known: a lowest layer, or a few.
pub(crate) const START: u64 = 250_000;
/// Percent of [`START`] at which packets leave before the first report, and once so many bits came without a wait.
const UNHEARD_PERCENT: u64 = 60;
const UNHURT_PERCENT: u64 = 400;
const UNHURT_BITS: u64 = 3_600 * 8;
/// Bounds in bits a second.
const ESTIMATE_MIN: u64 = 30_000;
const ESTIMATE_MAX: u64 = 50_000_000;
/// UDP and IP around a datagram, in bytes.
const UDP_IP: u64 = 28;
/// Of the estimate, what may be sent while a queue drains, in percent.
const DRAIN_PERCENT: u64 = 85;
/// The same of a long queue, and how long that is.
const DRAIN_LONG_PERCENT: u64 = 65;
const LONG_US: i64 = 100_000;
/// Of the estimate, how fast what waits here goes meanwhile, in percent.
const DRAIN_PACE_PERCENT: u64 = 90;
/// How long a queue may take to follow our rate before it is taken for somebody else's.
const DRAIN_MAX_US: i64 = 4_000_000;
/// How long a burst that fits the service rate may stand in the queue.
const HOLD_US: i64 = 1_500_000;
/// Of the estimate, what is sent meanwhile, and of one that was not measured, in percent.
const HOLD_PERCENT: u64 = 90;
const UNMEASURED_PERCENT: u64 = 200;
const WAITED_PERCENT: u64 = 60;
/// What was not measured is no reason to hold back what is being sent anyway.
const SENDING_PERCENT: u64 = 125;
/// The same beside somebody else's transfer: a burst would find the queue full.
const BESIDE_PERCENT: u64 = 110;
/// A queue that is cut for has so long to follow before it is cut for again.
const RECUT_US: i64 = 600_000;
/// Of what was sent after a cut, so much has to be reported on before the next one; and what that leaves at least, in
/// percent: beside somebody else's transfer, our part of the link falls with what we send.
const SETTLED_US: i64 = 150_000;
const RECUT_PERCENT: u64 = 60;
/// A standing queue of so many thresholds is overuse at once.
const SEVERE: f64 = 2.5;
/// The same of the last 100 ms, if what comes out is less than so many percent of what is sent.
const FALLEN: f64 = 1.5;
const FALLS_PERCENT: u64 = 60;
/// A busy period that raises the estimate.
const SPAN_RAISES_US: i64 = 150_000;
/// The same of one that was measured: speech, which has no numbers, has its share of a longer period.
const SPAN_AGAIN_US: i64 = 300_000;
/// Measurements of which one is a part, if the link was measured before: of messages, and of probes. A probe that
/// measured so many percent of the estimate is of another rate.
const MESSAGES: u64 = 8;
const PROBES: u64 = 3;
const OTHER_PERCENT: u64 = 125;
const SPAN_REFINES_US: i64 = 200_000;
/// After overuse, what arrived in a second counts again after so long.
const SECOND_US: i64 = 1_200_000;
/// Beside a transfer, layers that take more than the estimate are kept while it is so many percent of them.
const COMPETES_PERCENT: u64 = 85;
/// After overuse, nothing is probed for so long.
const QUIET_US: i64 = 1_000_000;
/// Of a measured estimate, what is sent while packets wait here, in percent: that it is too low shows then.
const PACE_PERCENT: u64 = 103;
/// The same while a queue stands that does not grow.
const STANDING_PERCENT: u64 = 95;
/// Without a packet for so long, the link's queue is empty.
const SILENCE_US: i64 = 1_200_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Steady,
    /// Since when, and the standing queue then.
    Draining {
        since_us: i64,
        standing_us: i64,
    },
}

/// What one message of feedback led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing, or a proof of more.
    Fine,
    /// More is sent than gets through: less has to be sent now.
    Overuse,
}

/// Rates are in bits a second on the wire, times of sending in microseconds of the history's clock.
#[derive(Clone, Debug)]
pub(crate) struct Estimator {
    estimate: u64,
    /// It is what the link takes, not only what got through.
    is_measured: bool,
    state: State,
    delay: QueueDelay,
    stall: StallWatch,
    service: ServiceRate,
    delivered: DeliveredRate,
    sent: SentPeak,
    loss: LossWatch,
    competition: Competition,
    marks: Marks,
    pub(crate) prober: Prober,
    newest_sent_us: i64,
    /// The same of all whose fate is known.
    last_sent_us: i64,
    /// How long the newest packet waited.
    waited_us: i64,
    over: u8,
    over_at_us: Option<i64>,
    /// A burst passes: until when it may stand in the queue.
    holds_until_us: Option<i64>,
    /// The estimate before the last cut that loss led to.
    before_cut: Option<u64>,
}

impl Default for Estimator {
    fn default() -> Self {
        Self {
            estimate: START,
            is_measured: false,
            state: State::Steady,
            delay: QueueDelay::default(),
            stall: StallWatch::default(),
            service: ServiceRate::default(),
            delivered: DeliveredRate::default(),
            sent: SentPeak::default(),
            loss: LossWatch::default(),
            competition: Competition::default(),
            marks: Marks::default(),
            prober: Prober::default(),
            newest_sent_us: 0,
            last_sent_us: 0,
            waited_us: 0,
            over: 0,
            over_at_us: None,
            holds_until_us: None,
            before_cut: None,
        }
    }
}

impl Estimator {
    pub(crate) fn estimate(&self) -> u64 {
        self.estimate
    }

    /// Whether the estimate is a measured capacity of the link. False: it is only what was sent and arrived, and the link
    /// may take more.
    pub(crate) fn is_measured(&self) -> bool {
        self.is_measured
    }

    /// Somebody else's transfer fills the queue, or the link marks packets, and the estimate is our part beside others.
    pub(crate) fn competes(&self) -> bool {
        self.competition.is_on() || self.marks.is_on()
    }

    /// The link marks packets.
    pub(crate) fn is_marked(&self) -> bool {
        self.marks.is_on()
    }

    /// What may be sent now.
    pub(crate) fn budget(&self) -> u64 {
        match self.state {
            State::Steady => self.estimate,
            State::Draining { .. } if self.delay.standing() > LONG_US => {
                self.estimate / 100 * DRAIN_LONG_PERCENT
            }
            State::Draining { .. } => self.estimate / 100 * DRAIN_PERCENT,
        }
    }

    /// When the newest packet was sent of those that came.
    pub(crate) fn newest_sent_us(&self) -> i64 {
        self.newest_sent_us
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.state != State::Steady
    }

    /// No queue stands: more may be sent.
    pub(crate) fn is_calm(&self) -> bool {
        self.competition.is_on()
            || !self.is_draining() && self.delay.standing() < self.delay.threshold() / 2 && self.over == 0
    }

    pub(crate) fn may_probe(&self, now_us: i64) -> bool {
        self.is_calm()
            && !self.competes()
            && self.waited_us < self.delay.threshold()
            && self.over_at_us.is_none_or(|at| now_us - at >= QUIET_US)
    }

    /// How fast to send what has to go, key frames above all: what the link takes if that was measured, and more
    /// than what got through if it was not.
    pub(crate) fn pace(&self, sending: u64) -> u64 {
        match (self.state, self.is_measured) {
            // Somebody else fills the queue, which ours does not make long; or a burst would be marked.
            _ if self.competition.is_on() || self.marks.is_on() && !self.is_draining() => {
                self.estimate.max(sending) / 100 * BESIDE_PERCENT
            }
            // Speech, which has no numbers and is not paced, would hold a queue of a narrow link where it is.
            (State::Draining { .. }, _) if self.delay.standing() > LONG_US => {
                self.estimate / 100 * DRAIN_LONG_PERCENT
            }
            // The queue drains by what is allocated; what has to go, a lower layer's key frame, goes.
            (State::Draining { .. }, _) => self.estimate / 100 * DRAIN_PACE_PERCENT,
            // Speech is about a third of what a narrow link takes and is not paced: it waits for video in the link's queue,
            // and not for video that the pacer holds.
            (State::Steady, _) if self.holds_until_us.is_some() => {
                let is_long = self.delay.standing() > LONG_US && self.estimate <= START;
                self.estimate / 100 * if is_long { DRAIN_LONG_PERCENT } else { HOLD_PERCENT }
            }
            (State::Steady, true) if self.delay.standing() > self.delay.threshold() / 2 => {
                self.estimate / 100 * STANDING_PERCENT
            }
            (State::Steady, true) => self.estimate / 100 * PACE_PERCENT,
            // Nothing was measured yet, and the first packets had to wait.
            (State::Steady, false) if self.waited_us > self.delay.threshold() => {
                let measured = self.service.rate().map_or(0, |(rate, _)| rate);
                let rate = (self.estimate / 100 * WAITED_PERCENT).max(measured);
                // Speech waits behind it, and is lost where the queue ends.
                if self.waited_us > LONG_US { rate / 100 * DRAIN_LONG_PERCENT } else { rate }
            }
            (State::Steady, false) if self.delivered.bits() == 0 => {
                (START / 100 * UNHEARD_PERCENT).max(sending)
            }
            // Nothing was proved yet.
            (State::Steady, false) if self.estimate <= START => {
                let is_unhurt = self.waited_us < self.delay.threshold() / 2;
                let percent =
                    if is_unhurt && self.delivered.bits() >= UNHURT_BITS { UNHURT_PERCENT } else { 100 };
                (START / 100 * percent).max(sending / 100 * SENDING_PERCENT)
            }
            (State::Steady, false) => {
                (self.estimate / 100 * UNMEASURED_PERCENT).max(sending / 100 * SENDING_PERCENT)
            }
        }
    }

    /// Each second: a queue in front of which nothing was sent for so long is empty.
    pub(crate) fn on_silence(&mut self, now_us: i64) {
        if now_us - self.newest_sent_us > SILENCE_US {
            self.delay.forget_queue();
            self.service = ServiceRate::default();
            (self.state, self.over, self.waited_us) = (State::Steady, 0, 0);
            self.competition.on_silence();
            self.marks.forget();
        }
    }

    /// Takes in whether one sent packet arrived, was lost, or came after all.
    pub(crate) fn on_fate(&mut self, fate: Fate) {
        match fate {
            Fate::Arrived(arrival) => self.on_arrival(&arrival),
            Fate::Lost(Departure { sent_us, number, .. }) => {
                self.on_departure(sent_us);
                self.loss.on_loss(sent_us);
                self.competition.on_loss(sent_us);
                self.prober.on_loss(number);
            }
            Fate::Recovered(_) => self.loss.on_recovery(),
        }
    }

    /// Of each packet, whatever became of it.
    fn on_departure(&mut self, sent_us: i64) {
        if sent_us - self.last_sent_us > SILENCE_US {
            self.competition.on_gap();
        }
        self.last_sent_us = self.last_sent_us.max(sent_us);
    }

    fn on_arrival(&mut self, arrival: &Arrival) {
        let Arrival { departure, arrived_us, ecn } = *arrival;
        if matches!(ecn, Ecn::Ect1 | Ecn::Ce) {
            self.marks.on_arrival(ecn == Ecn::Ce);
        }
        self.on_departure(departure.sent_us);
        let bytes = u64::from(departure.len) + UDP_IP;
        self.delivered.on_packet(arrived_us, bytes);
        self.sent.on_packet(departure.sent_us, bytes);
        self.loss.on_arrival(departure.sent_us);
        self.newest_sent_us = self.newest_sent_us.max(departure.sent_us);
        let waited = self.delay.waited(departure.sent_us, arrived_us);
        if self.stall.on_packet(arrived_us, waited) {
            self.service.on_held(bytes);
            self.prober.on_held(departure.number);
            return;
        }
        self.waited_us = waited;
        self.delay.on_packet(departure.sent_us, arrived_us);
        self.service.on_packet(arrived_us, waited, bytes);
        self.competition.on_arrival(waited);
        self.prober.on_arrival(departure.number, departure.sent_us, arrived_us, bytes);
    }

    /// A message was taken. `sending`: what the layers that are being sent take.
    pub(crate) fn on_message(&mut self, sending: u64, now_us: i64) -> Verdict {
        self.delay.adapt();
        let standing = self.delay.standing();
        let threshold = self.delay.threshold();
        let before = self.estimate;
        self.learn(now_us);
        if self.stall.is_recent() {
            return Verdict::Fine;
        }
        let seen = Seen {
            trend: self.delay.trend(),
            is_short: standing < threshold / 2,
            // Of the newest packet that was reported on, with the time to the next report.
            round_trip_us: now_us - self.newest_sent_us,
            standing_us: standing,
            sending,
            sent: self.sent.second(),
            delivered: self.delivered.second(),
            now_us,
        };
        if let Some(rate) = self.competition.on_quiet(START, &seen) {
            self.give_way(rate, now_us);
        }
        if self.competition.is_on() {
            return self.compete(&seen);
        }
        let marked = self.marks.on_message(before, self.newest_sent_us, &seen);
        if let Some(rate) = marked.filter(|_| seen.is_short && !self.is_draining()) {
            return self.share(rate, sending);
        }
        // A link that takes much less than is sent shows in its service rate before its queue is long.
        let falls = self.service.rate().is_some_and(|(rate, _)| rate < sending / 100 * FALLS_PERCENT);
        let longest = if falls { self.delay.latest() } else { standing };
        let is_severe = longest as f64 > if falls { FALLEN } else { SEVERE } * threshold as f64;
        let grows = self.delay.grows();
        self.over = if standing > threshold && grows { self.over.saturating_add(1) } else { 0 };
        match self.loss.judge(self.newest_sent_us) {
            LossVerdict::Congestion if self.is_settled() => {
                self.before_cut = Some(self.estimate);
                return self.cut(self.through().min(self.estimate / 100 * 85), now_us);
            }
            LossVerdict::Usual => {
                if let Some(before) = self.before_cut.take() {
                    self.estimate = self.estimate.max(before);
                    self.state = State::Steady;
                }
            }
            LossVerdict::Congestion | LossVerdict::Nothing => {}
        }
        if self.is_draining()
            && standing > threshold
            && let Some(rate) = self.competition.on_long(&seen)
        {
            self.give_way(rate, now_us);
            return Verdict::Fine;
        }
        if let State::Draining { since_us, standing_us } = self.state {
            self.drain(since_us, standing_us, &seen);
        }
        if self.over >= 2 || (is_severe && grows) {
            return self.on_overuse(sending, now_us);
        }
        if standing < threshold {
            self.holds_until_us = None;
        }
        Verdict::Fine
    }

    /// From now on the queue is somebody else's.
    fn give_way(&mut self, rate: u64, now_us: i64) {
        self.state = State::Steady;
        self.estimate = self.estimate.max(rate);
        self.prober.abort(now_us);
    }

    /// Beside a transfer that fills the queue: what TCP would have.
    fn compete(&mut self, seen: &Seen) -> Verdict {
        let rate = self.competition.follow(self.estimate, seen);
        self.estimate = rate.clamp(ESTIMATE_MIN, ESTIMATE_MAX);
        if !self.competition.is_on() {
            self.delay.forget_queue();
        }
        self.share_of(seen.sending)
    }

    /// Beside flows that the link's marks tell of: what they leave.
    fn share(&mut self, rate: u64, sending: u64) -> Verdict {
        self.estimate = rate.clamp(ESTIMATE_MIN, ESTIMATE_MAX);
        self.is_measured = true;
        self.share_of(sending)
    }

    /// Layers stay until the estimate is well below what they take.
    fn share_of(&self, sending: u64) -> Verdict {
        if self.estimate < sending / 100 * COMPETES_PERCENT { Verdict::Overuse } else { Verdict::Fine }
    }

    /// Moves the estimate to what was proved.
    fn learn(&mut self, now_us: i64) {
        if let Some(outcome) = self.prober.take_outcome(now_us) {
            match outcome {
                Outcome::Came(rate) => {
                    self.is_measured &= rate <= self.estimate;
                    self.raise_to(rate);
                }
                Outcome::Measured(rate) => {
                    // A cluster is a few packets: one that says a little more than is known is taken for a part.
                    let is_other = !self.is_measured || rate > self.estimate / 100 * OTHER_PERCENT;
                    self.is_measured = true;
                    self.approach(rate, if is_other { 1 } else { PROBES });
                }
            }
        }
        if let State::Draining { since_us, .. } = self.state {
            self.refine(now_us - since_us);
            return;
        }
        if let Some((rate, span)) = self.service.rate()
            && span >= if self.is_measured { SPAN_AGAIN_US } else { SPAN_RAISES_US }
        {
            let rate = rate.min(self.sent.provable());
            self.approach(rate, if self.is_measured { MESSAGES } else { 1 });
        }
        // What arrived before the link became slower is no evidence.
        if self.over_at_us.is_none_or(|at| now_us - at >= SECOND_US) {
            self.raise_to(self.delivered.second().min(self.sent.provable()));
        }
    }

    /// While the queue of a cut drains, it comes out at the link's rate: measured over longer than the cut was,
    /// within which a packet more or less is a tenth.
    fn refine(&mut self, drained_us: i64) {
        let is_standing = self.delay.standing() > self.delay.threshold();
        if let Some((rate, span)) = self.service.rate()
            && span >= SPAN_REFINES_US
            && is_standing
            && drained_us < RECUT_US
        {
            self.estimate = rate.clamp(self.estimate / 100 * 97, self.estimate / 100 * 103);
        }
    }

    /// One measurement of several, each of which has an error of a packet: their mean counts, not the highest.
    fn approach(&mut self, measured: u64, of: u64) {
        self.raise_to(self.estimate + measured.saturating_sub(self.estimate) / of);
    }

    fn raise_to(&mut self, proved: u64) {
        self.estimate = self.estimate.max(proved).min(ESTIMATE_MAX);
    }

    fn on_overuse(&mut self, sending: u64, now_us: i64) -> Verdict {
        self.over_at_us = Some(now_us);
        self.prober.abort(now_us);
        let measured = self.service.rate().map(|(rate, _)| rate);
        let rate = self.through();
        if let State::Draining { standing_us, since_us } = self.state {
            // It grows though less is sent: what was measured before was too much.
            let is_due = now_us - since_us > RECUT_US && self.is_settled();
            if is_due && self.delay.standing() > standing_us + self.delay.threshold() {
                let least = self.estimate / 100 * RECUT_PERCENT;
                return self.cut(rate.clamp(least, self.estimate / 100 * 90), now_us);
            }
            return Verdict::Fine;
        }
        if rate / 100 * 103 >= sending && measured.is_some() {
            let until = *self.holds_until_us.get_or_insert(now_us + HOLD_US);
            if now_us >= until {
                return self.cut(rate.min(sending / 100 * 95), now_us);
            }
            self.estimate = self.estimate.min(rate.max(sending));
            self.is_measured = true;
            return Verdict::Fine;
        }
        self.cut(rate, now_us)
    }

    /// More comes than the pacer lets go: the layers take more than the estimate.
    pub(crate) fn on_overrun(&mut self, now_us: i64) -> Verdict {
        self.over_at_us = Some(now_us);
        self.prober.abort(now_us);
        Verdict::Overuse
    }

    /// What gets through of more than that: the service rate, or what arrived.
    fn through(&self) -> u64 {
        let arrived = || self.delivered.recent().max(self.delivered.second() / 2);
        self.service.rate().map_or_else(arrived, |(rate, _)| rate)
    }

    fn cut(&mut self, to: u64, now_us: i64) -> Verdict {
        self.estimate = to.min(self.estimate).clamp(ESTIMATE_MIN, ESTIMATE_MAX);
        self.is_measured = true;
        self.state = State::Draining { since_us: now_us, standing_us: self.delay.standing() };
        self.over = 0;
        self.over_at_us = Some(now_us);
        self.holds_until_us = None;
        self.prober.abort(now_us);
        self.competition.on_cut(self.estimate, self.sent.second(), self.delay.standing(), now_us);
        Verdict::Overuse
    }

    /// Feedback tells of what was sent after the last cut. Before it does, nothing can have followed.
    fn is_settled(&self) -> bool {
        match self.state {
            State::Steady => true,
            State::Draining { since_us, .. } => self.newest_sent_us - since_us > SETTLED_US,
        }
    }

    fn drain(&mut self, since_us: i64, standing_us: i64, seen: &Seen) {
        let (standing, now_us) = (seen.standing_us, seen.now_us);
        if standing < self.delay.threshold() / 2 {
            self.state = State::Steady;
            self.competition.on_drained();
            return;
        }
        if now_us - since_us < DRAIN_MAX_US {
            return;
        }
        if standing <= standing_us / 10 * 9 {
            self.state = State::Draining { since_us: now_us, standing_us: standing };
        } else if let Some(rate) = self.competition.on_stuck(seen) {
            self.give_way(rate, now_us);
        } else {
            self.delay.rebase();
            self.state = State::Steady;
        }
    }
}

#[cfg(test)]
mod tests;
