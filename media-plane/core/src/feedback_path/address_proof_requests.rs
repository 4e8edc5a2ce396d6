//! Asks a new address of a client for its proof, and reads what it echoes. What proves an address is
//! `transport::address_change`'s; what follows from it `transport::address_changes`'.

use super::report::sender_info;
use crate::arena::{ConsumerKey, TransportKey};
use crate::packet::middle_of_ntp;
use crate::packet::rtcp::{self, SenderInfo, TransportCc};
use crate::packet_path::packet_writer::Stamp;
use crate::packet_path::probe::{self, PROBE_MAX};
use crate::packet_path::tables::MediaTables;
use crate::transport::address_change::SentTimes;
use crate::transport::address_changes::{on_echo, take_slice};
use railgun_protocol::transport_parameters::TransportDirection;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Sender reports that go to a new address at once: of the consumers that were sent something last.
const REPORTS_MAX: usize = 2;

/// Sends to a new address what it is to echo, if a round of that is due.
pub(crate) fn send_due(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let Some(transport) = media.transports.get_mut(key) else { return };
    let receives = transport.direction == TransportDirection::Recv;
    let Some(round) = transport.change.as_mut().and_then(|change| change.round(now)) else { return };
    if round.asks_by_number {
        ask_by_number(media, key, now);
    }
    if round.asks_by_report {
        ask_by_report(media, key, now);
    }
    if round.wants_slice && receives {
        take_slice(&mut media.transports, key, now);
    }
}

/// A packet of padding with a number behind the jump.
fn ask_by_number(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let stamp = Stamp::new(media.clock.ntp(now), now);
    let MediaTables { transports, consumers, output, .. } = media;
    let Some((transport, rng)) = transports.get_mut_with_rng(key) else { return };
    let can_carry = |key: &&ConsumerKey| {
        let consumer = consumers.live(**key);
        consumer.is_some_and(|it| it.rtx.is_some() && it.extensions.transport_cc.is_some())
    };
    let Some(consumer) = transport.consumers.iter().find(can_carry).copied() else { return };
    let Some(consumer) = consumers.live_mut(consumer) else { return };
    let Some(to) = transport.change.as_ref().map(|change| change.to) else { return };
    if !transport.may_send_to(to, PROBE_MAX) {
        return;
    }
    let (Some(change), Some(keys)) = (&mut transport.change, &transport.keys) else { return };
    let Some(rtx) = &mut consumer.rtx else { return };
    let number = change.number(&mut transport.next_transport_cc, rng);
    let timestamp = consumer.sent.last.map_or(0, |(timestamp, _)| timestamp);
    let carrier = (rtx, &consumer.extensions);
    let len = probe::send(&mut output.sends, to, &keys.outbound, carrier, (number, timestamp), stamp);
    if len > 0 {
        transport.sent.count(len);
    }
}

/// Sender reports and a request for an echo, whose time is ahead by a random part of a second.
fn ask_by_report(media: &mut MediaTables, key: TransportKey, now: Instant) {
    let shift = SentTimes::draw(&mut media.transports.rng);
    let ahead = Duration::from_nanos(u64::from(shift) * 1_000_000_000 / 65_536);
    let ntp = media.clock.ntp(now).wrapping_add(u64::from(shift) << 16);
    let MediaTables { transports, consumers, output, .. } = media;
    let Some(transport) = transports.get_mut(key) else { return };
    let Some(to) = transport.change.as_ref().map(|change| change.to) else { return };
    let consumers = transport.consumers.iter().filter_map(|key| consumers.live(*key));
    let mut sent: Vec<_> = consumers.filter(|it| it.sent.last.is_some()).collect();
    sent.sort_by_key(|consumer| std::cmp::Reverse(consumer.sent.last.map(|(_, at)| at)));
    // Exactly for that moment, so that sound and picture stay together.
    let reports = sent.iter().filter_map(|consumer| sender_info(consumer, ntp, now + ahead));
    let reports: Vec<SenderInfo> = reports.take(REPORTS_MAX).collect();
    let ssrc = transport.local_ssrc;
    let len = transport.send_control_to(to, &mut output.sends, |out| {
        let mut len = 0;
        for report in &reports {
            len += rtcp::write_sender_report(out.get_mut(len..)?, report, &[]).ok()?;
        }
        if reports.is_empty() {
            len += rtcp::write_receiver_report(out, ssrc, &[]).ok()?;
        }
        Some(len + rtcp::write_reference_time(out.get_mut(len..)?, ssrc, ntp).ok()?)
    });
    // A time that never went out would take the place of one that did among those that prove.
    if len > 0 {
        transport.sent_times.put(middle_of_ntp(ntp), shift, to);
    }
}

/// Transport-wide feedback of a receiver; it serves only to prove the receiver's address.
pub(crate) fn on_transport_cc(
    media: &mut MediaTables,
    key: TransportKey,
    feedback: &TransportCc<'_>,
    source: SocketAddr,
    now: Instant,
) {
    let Some(transport) = media.transports.get(key) else { return };
    let Some(change) = transport.change.as_ref().filter(|change| change.to == source) else { return };
    let numbers = feedback.received().map(|(number, _)| number);
    let echo = change.judge_numbers(transport.next_transport_cc, numbers);
    on_echo(&mut media.transports, &mut media.output, key, echo, now);
}

/// A client says which time it was sent last.
pub(crate) fn on_time_echo(
    media: &mut MediaTables,
    key: TransportKey,
    middle: u32,
    source: SocketAddr,
    now: Instant,
) {
    let Some(transport) = media.transports.get(key) else { return };
    let Some(change) = transport.change.as_ref().filter(|change| change.to == source) else { return };
    let (since, until) = (middle_of_ntp(media.clock.ntp(change.since)), middle_of_ntp(media.clock.ntp(now)));
    let echo = transport.sent_times.judge(middle, source, since, until);
    on_echo(&mut media.transports, &mut media.output, key, echo, now);
}
