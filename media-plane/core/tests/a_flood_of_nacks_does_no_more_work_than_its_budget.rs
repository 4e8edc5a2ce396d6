//! Four bytes of a NACK ask for seventeen packets (RFC 4585 section 6.2.1). What a flood of them costs the node
//! is counted here in packets looked up and payloads copied, beside the bytes of RTX that come of it.
#![allow(clippy::cast_possible_truncation, reason = "small numbers of the test's own")]

use railgun_media_core::Counters;
use railgun_media_core::packet::rtcp::write_nack;
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_peer::{Arrival, Call, KEY_FRAME};
use railgun_protocol::signal::Source;
use std::time::Duration;

/// Looked up a second, and at once.
const LOOKUPS_PER_SECOND: u64 = 2_000;
const LOOKUPS_AT_ONCE: u64 = 1_000;
/// Packets remembered of what a consumer was sent.
const REMEMBERED: u16 = 1_000;

struct Lossy {
    call: Call,
    ssrc: u32,
    rtx_ssrc: u32,
}

impl Lossy {
    fn new() -> Self {
        let call = Call::new(8);
        let encoding = &call.camera.consumer.rtp_parameters.encodings[0];
        let (ssrc, rtx_ssrc) = (encoding.ssrc.unwrap(), encoding.rtx.unwrap().ssrc);
        Self { call, ssrc, rtx_ssrc }
    }

    /// A picture of 1,000 bytes; the number under which the listener got it.
    fn picture(&mut self) -> u16 {
        self.call.world.peers[self.call.listener_recv].arrivals.clear();
        let packet = self.call.packet(Source::Camera, &[&KEY_FRAME[..], &[7; 998]].concat());
        let address = self.call.world.peers[self.call.talker_send].address;
        self.call.world.send(address, packet);
        self.arrived(self.ssrc)[0]
    }

    fn arrived(&self, ssrc: u32) -> Vec<u16> {
        let arrivals = self.call.world.peers[self.call.listener_recv].arrivals.iter();
        let headers = arrivals.filter_map(|arrival| match arrival {
            Arrival::Rtp(packet) => Some(RtpHeader::parse(packet).unwrap()),
            _ => None,
        });
        headers.filter(|header| header.ssrc == ssrc).map(|header| header.sequence).collect()
    }

    fn nack(&mut self, sequences: &[u16]) {
        let mut message = [0; 1400];
        let len = write_nack(&mut message, 1, self.ssrc, sequences).unwrap();
        let peer = &mut self.call.world.peers[self.call.listener_recv];
        let (sealed, address) = (peer.seal_rtcp(&message[..len]), peer.address);
        self.call.world.send(address, sealed);
    }

    fn counters(&self) -> Counters {
        *self.call.world.engine.counters()
    }

    fn wait(&mut self, ms: u64) {
        self.call.world.advance(Duration::from_millis(ms));
    }
}

#[test]
fn a_second_of_nacks_looks_up_two_thousand_packets_and_copies_what_it_sends() {
    let mut listener = Lossy::new();
    let mut last = 0;
    for _ in 0..REMEMBERED {
        last = listener.picture();
        listener.wait(4);
    }
    let before = listener.counters();
    // Five times all that is remembered: 5,000 numbers in 1,200 bytes, 1,500 datagrams a second.
    let wanted: Vec<u16> = (0..REMEMBERED).map(|back| last.wrapping_sub(back)).rev().collect();
    let wanted = wanted.repeat(5);
    let (datagrams, seconds) = (3_000, 2);
    for number in 0..datagrams {
        listener.nack(&wanted);
        if number % 3 == 2 {
            listener.wait(2);
        }
    }
    let after = listener.counters();
    let [asked, resent, refused, lookups, copies] = [
        datagrams * wanted.len() as u64,
        after.resent_packets - before.resent_packets,
        after.refused_resends - before.refused_resends,
        after.resend_lookups - before.resend_lookups,
        after.resend_copies - before.resend_copies,
    ];
    assert_eq!(resent + refused, asked, "each number asked for is counted");
    assert!(resent > 0);
    assert_eq!(copies, resent, "nothing is copied that is not sent");
    let lookups_max = LOOKUPS_AT_ONCE + LOOKUPS_PER_SECOND * seconds;
    assert!(lookups <= lookups_max, "{lookups} looked up of {asked} asked for, {lookups_max} allowed");

    listener.wait(1_000);
    let lost = listener.picture();
    listener.wait(10);
    listener.nack(&[lost]);
    assert_eq!(listener.arrived(listener.rtx_ssrc).len(), 1, "who stops is repaired again");
}

#[test]
fn one_number_asked_for_over_and_over_is_copied_once_a_round_trip() {
    let mut listener = Lossy::new();
    let lost = listener.picture();
    listener.wait(20);
    let before = listener.counters();
    for _ in 0..10 {
        listener.nack(&[lost, lost.wrapping_add(30_000)].repeat(150));
    }
    let after = listener.counters();
    assert_eq!(after.resent_packets - before.resent_packets, 1);
    assert_eq!(after.resend_copies - before.resend_copies, 1);
    assert!(after.resend_lookups - before.resend_lookups <= LOOKUPS_AT_ONCE);
}

#[test]
fn a_nack_is_not_looked_up_when_nothing_may_be_sent_for_it() {
    let mut listener = Lossy::new();
    let lost: Vec<u16> = (0..40).map(|_| listener.picture()).collect();
    listener.nack(&lost);
    let spent = listener.counters();
    assert!(spent.resent_packets < 40, "more was lost than its budget repairs");
    for _ in 0..100 {
        listener.nack(&lost[20..]);
    }
    let after = listener.counters();
    assert_eq!((after.resent_packets, after.resend_copies), (spent.resent_packets, spent.resend_copies));
    let lookups = after.resend_lookups - spent.resend_lookups;
    assert!(lookups <= 100, "{lookups}: the first that does not fit ends a NACK");
}
