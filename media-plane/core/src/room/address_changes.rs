//! Where a transport's media goes when its client nominates another address: there once it is proved,
//! and until then where it went. What proves, and what may pass meanwhile, is `address_change`'s.

use crate::arena::{ConsumerKey, TransportKey};
use crate::engine::Engine;
use crate::feedback::report::sender_info;
use crate::packet::middle_of_ntp;
use crate::packet::rtcp::{self, SenderInfo, TransportCc};
use crate::packet_path::outlet::Stamp;
use crate::packet_path::probe::{self, PROBE_MAX};
use crate::transport::address_change::{AddressChange, Echo, SentTimes};
use crate::transport::webrtc_transport::WebRtcTransport;
use railgun_shared::ids::UserId;
use railgun_shared::transport_parameters::TransportDirection;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Sender reports that go to a new address at once: of the consumers that were sent something last.
const REPORTS_MAX: usize = 2;

/// What a transport is to do about the address that its client wants.
enum Step {
    Nothing,
    /// Sends there from now on.
    Take(Option<SocketAddr>),
    /// Goes on sending to the second, if there is one, until the first is proved.
    Ask(SocketAddr, Option<SocketAddr>),
}

impl WebRtcTransport {
    fn next_step(&self) -> Step {
        let wanted = self.ice.selected();
        let Some(to) = wanted.filter(|to| self.keys.is_some() && !self.ice.is_proved(*to)) else {
            let is_there = wanted == self.selected && self.change.is_none();
            return if is_there { Step::Nothing } else { Step::Take(wanted) };
        };
        let before = self.selected.filter(|it| self.ice.is_proved(*it)).or_else(|| self.ice.proved());
        match &self.change {
            Some(it)
                if it.to == to
                    && it.is_alone == before.is_none()
                    && before.is_none_or(|before| self.selected == Some(before)) =>
            {
                Step::Nothing
            }
            _ => Step::Ask(to, before),
        }
    }
}

impl Engine {
    /// Sends where ICE says, or asks for a proof first; and tells the session what changed.
    pub(crate) fn follow_ice(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        match transport.next_step() {
            Step::Nothing => {}
            Step::Take(address) => {
                self.end_change(key, now);
                self.send_to(key, address);
            }
            Step::Ask(to, before) => self.begin_change(key, to, before, now),
        }
        let Some(transport) = self.transports.get(key) else { return };
        let (ice, dtls) = (transport.ice.state(), transport.dtls_state);
        self.set_states(key, ice, dtls);
    }

    fn send_to(&mut self, key: TransportKey, address: Option<SocketAddr>) {
        if let Some(transport) = self.transports.get_mut(key) {
            transport.selected = address;
        }
    }

    fn begin_change(&mut self, key: TransportKey, to: SocketAddr, before: Option<SocketAddr>, now: Instant) {
        self.end_change(key, now);
        let Some(user) = self.user_of(key) else { return };
        if self.unproved.is_out_of_guesses(&user, now) {
            return self.give_up(key, to, now);
        }
        let Some(transport) = self.transports.get_mut(key) else { return };
        self.counters.address_changes += 1;
        transport.selected = before.or(Some(to));
        transport.change = Some(Box::new(AddressChange::new(to, before.is_none(), now)));
        self.ask_for_proof(key, now);
        self.schedule(key);
    }

    /// The address is proved, or not wanted any more.
    fn end_change(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Some(mut change) = transport.change.take() else { return };
        change.follow(&mut transport.next_transport_cc);
        if change.has_unused_slice()
            && let Some(user) = self.user_of(key)
        {
            self.unproved.give_slice_back(&user, now);
        }
    }

    /// Forgets an address, and goes on at one that is proved.
    fn give_up(&mut self, key: TransportKey, address: SocketAddr, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        transport.ice.bar(address, now);
        let wanted = transport.ice.selected();
        self.end_change(key, now);
        self.send_to(key, wanted);
        self.forget_lost_addresses(key);
        self.counters.refused_addresses += 1;
    }

    fn user_of(&self, key: TransportKey) -> Option<UserId> {
        let transport = self.transports.get(key)?;
        self.session(transport.room, transport.session).ok().map(|seat| seat.user.clone())
    }

    /// Sends to a new address what it is to echo, if a round of that is due.
    pub(crate) fn ask_for_proof(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let receives = transport.direction == TransportDirection::Recv;
        let Some(round) = transport.change.as_mut().and_then(|change| change.round(now)) else { return };
        if round.asks_by_number {
            self.ask_by_number(key, now);
        }
        if round.asks_by_report {
            self.ask_by_report(key, now);
        }
        if round.wants_slice
            && receives
            && let Some(user) = self.user_of(key)
            && self.unproved.take_slice(&user, now)
            && let Some(transport) = self.transports.get_mut(key)
            && let Some(change) = &mut transport.change
        {
            change.take_slice(now);
        }
    }

    /// A packet of padding with a number behind the jump.
    fn ask_by_number(&mut self, key: TransportKey, now: Instant) {
        let stamp = Stamp::new(self.ntp(now), now);
        let Self { transports, consumers, sends, rng, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        let can_carry = |key: &&ConsumerKey| {
            let consumer = consumers.get(**key);
            consumer.is_some_and(|it| it.rtx.is_some() && it.extensions.transport_cc.is_some())
        };
        let Some(consumer) = transport.consumers.iter().find(can_carry).copied() else { return };
        let Some(consumer) = consumers.get_mut(consumer) else { return };
        let Some(to) = transport.change.as_ref().map(|change| change.to) else { return };
        if !transport.may_send_to(to, PROBE_MAX) {
            return;
        }
        let (Some(change), Some(keys)) = (&mut transport.change, &transport.keys) else { return };
        let Some(rtx) = &mut consumer.rtx else { return };
        let number = change.number(&mut transport.next_transport_cc, rng);
        let timestamp = consumer.sent.last.map_or(0, |(timestamp, _)| timestamp);
        let carrier = (rtx, &consumer.extensions);
        let len = probe::send(sends, to, &keys.outbound, carrier, (number, timestamp), stamp);
        if len > 0 {
            transport.sent.count(len);
        }
    }

    /// Sender reports and a request for an echo, whose time is ahead by a random part of a second.
    fn ask_by_report(&mut self, key: TransportKey, now: Instant) {
        let shift = SentTimes::draw(self.rng());
        let ahead = Duration::from_nanos(u64::from(shift) * 1_000_000_000 / 65_536);
        let ntp = self.ntp(now).wrapping_add(u64::from(shift) << 16);
        let Self { transports, consumers, sends, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        let Some(to) = transport.change.as_ref().map(|change| change.to) else { return };
        let consumers = transport.consumers.iter().filter_map(|key| consumers.get(*key));
        let mut sent: Vec<_> = consumers.filter(|it| it.sent.last.is_some()).collect();
        sent.sort_by_key(|consumer| std::cmp::Reverse(consumer.sent.last.map(|(_, at)| at)));
        // Exactly for that moment, so that sound and picture stay together.
        let reports = sent.iter().filter_map(|consumer| sender_info(consumer, ntp, now + ahead));
        let reports: Vec<SenderInfo> = reports.take(REPORTS_MAX).collect();
        transport.sent_times.put(middle_of_ntp(ntp), shift, to);
        let ssrc = transport.local_ssrc;
        transport.send_control_to(to, sends, |out| {
            let mut len = 0;
            for report in &reports {
                len += rtcp::write_sender_report(out.get_mut(len..)?, report, &[]).ok()?;
            }
            if reports.is_empty() {
                len += rtcp::write_receiver_report(out, ssrc, &[]).ok()?;
            }
            Some(len + rtcp::write_reference_time(out.get_mut(len..)?, ssrc, ntp).ok()?)
        });
    }

    /// Transport-wide feedback of a receiver; it serves only to prove the receiver's address.
    pub(crate) fn on_arrivals(
        &mut self,
        key: TransportKey,
        feedback: &TransportCc<'_>,
        source: SocketAddr,
        now: Instant,
    ) {
        let Some(transport) = self.transports.get(key) else { return };
        let Some(change) = transport.change.as_ref().filter(|change| change.to == source) else { return };
        let numbers = feedback.received().map(|(number, _)| number);
        let echo = change.judge_numbers(transport.next_transport_cc, numbers);
        self.on_echo(key, echo, now);
    }

    /// A client says which time it was sent last.
    pub(crate) fn on_time_echo(&mut self, key: TransportKey, middle: u32, source: SocketAddr, now: Instant) {
        let Some(transport) = self.transports.get(key) else { return };
        let Some(change) = transport.change.as_ref().filter(|change| change.to == source) else { return };
        let (since, until) = (middle_of_ntp(self.ntp(change.since)), middle_of_ntp(self.ntp(now)));
        let echo = transport.sent_times.judge(middle, source, since, until);
        self.on_echo(key, echo, now);
    }

    fn on_echo(&mut self, key: TransportKey, echo: Echo, now: Instant) {
        let Some(to) = self.transports.get(key).and_then(|it| it.change.as_ref()).map(|it| it.to) else {
            return;
        };
        match echo {
            Echo::Nothing => {}
            Echo::Proof => {
                if let Some(tuple) = self.transports.get_mut(key).and_then(|it| it.ice.tuple_mut(to)) {
                    tuple.proof.proved();
                    self.counters.proved_addresses += 1;
                }
                self.follow_ice(key, now);
            }
            Echo::Guess => {
                self.counters.wrong_guesses += 1;
                let Some(user) = self.user_of(key) else { return };
                if self.unproved.on_guess(&user, now) {
                    self.give_up(key, to, now);
                    self.follow_ice(key, now);
                }
            }
        }
    }
}
