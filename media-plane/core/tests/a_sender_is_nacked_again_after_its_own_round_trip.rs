//! How soon a lost packet is asked for again follows from how soon that sender answers.

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_peer::{Arrival, Call, KEY_FRAME, MID_ID};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::signal::Source;
use std::time::Duration;

const STEP: Duration = Duration::from_millis(5);

struct Sender {
    call: Call,
    /// How long it takes to answer, in steps.
    delay: u64,
    step: u64,
    /// Packets that were asked for, with when they go out.
    answers: Vec<(u64, u16)>,
    rtx: u16,
    picture: Vec<u8>,
}

impl Sender {
    fn new(delay: Duration) -> Self {
        let delay = u64::try_from(delay.as_millis() / STEP.as_millis()).unwrap();
        let picture = [&KEY_FRAME[..], &[7; 300]].concat();
        Self { call: Call::new(33), delay, step: 0, answers: Vec::new(), rtx: 700, picture }
    }

    /// Five milliseconds, in which a picture is sent, or lost; how many packets were asked for in them.
    fn step(&mut self, is_lost: bool, answers: bool) -> usize {
        let place = self.call.talker_send;
        let address = self.call.world.peers[place].address;
        if self.step.is_multiple_of(500) {
            let check = self.call.world.peers[place].check();
            self.call.world.send(address, check);
        }
        let packet = self.call.packet(Source::Camera, &self.picture);
        if !is_lost {
            self.call.world.send(address, packet);
        }
        self.step += 1;
        self.call.world.advance(STEP);
        let mut asked = Vec::new();
        for arrival in std::mem::take(&mut self.call.world.peers[place].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                if let RtcpPacket::Nack(nack) = packet {
                    asked.extend(nack.lost());
                }
            }
        }
        let due = self.step + self.delay;
        self.answers.extend(asked.iter().filter(|_| answers).map(|sequence| (due, *sequence)));
        let (now, later) =
            std::mem::take(&mut self.answers).into_iter().partition(|(at, _)| *at <= self.step);
        self.answers = later;
        let now: Vec<(u64, u16)> = now;
        now.into_iter().for_each(|(_, sequence)| self.repair(sequence));
        asked.len()
    }

    fn repair(&mut self, lost: u16) {
        let offer = &self.call.camera.offer;
        let header = HeaderWriter {
            marker: true,
            payload_type: 97,
            sequence: self.rtx,
            timestamp: u32::from(lost) * 960,
            ssrc: offer.ssrc + 1,
        };
        let payload = [&lost.to_be_bytes()[..], &self.picture].concat();
        let mid = [(MID_ID, offer.mid.as_bytes())];
        let peer = &self.call.world.peers[self.call.talker_send];
        let packet = peer.seal_rtp(header, self.rtx.into(), &mid, &payload);
        let address = peer.address;
        self.rtx += 1;
        self.call.world.send(address, packet);
    }

    /// A packet is lost and never comes; the steps after the first request until the second.
    fn patience(&mut self) -> Duration {
        self.step(false, false);
        self.step(true, false);
        let mut first = None;
        for step in 0..400 {
            if self.step(false, false) > 0 {
                match first {
                    None => first = Some(step),
                    Some(first) => return STEP * (step - first),
                }
            }
        }
        panic!("it was not asked for twice");
    }

    fn round_trip_ms(&mut self) -> Option<f64> {
        let (room, session) = (self.call.room.clone(), self.call.talker);
        match self.call.world.command(&room, Command::GetStats { session, transport: None }).unwrap() {
            Reply::Stats(stats) => stats.transports[0].round_trip_ms,
            other => panic!("not statistics: {other:?}"),
        }
    }
}

#[test]
fn be_it_long_or_short() {
    for (delay, least, most) in [(300, 290, 420), (10, 35, 60)] {
        let mut sender = Sender::new(Duration::from_millis(delay));
        assert_eq!(sender.round_trip_ms(), None);
        // Seen in steps of five milliseconds.
        let guess = Duration::from_millis(90)..=Duration::from_millis(110);
        assert!(guess.contains(&sender.patience()), "nothing is known yet");
        (0..400).for_each(|_| _ = sender.step(false, false));
        // Far apart, so that each is answered before the next is missed; a slow answer is at first
        // taken for a lost one, and asked for again.
        for n in 0..40 {
            sender.step(true, true);
            (0..100 + n).for_each(|_| _ = sender.step(false, true));
        }
        let measured = sender.round_trip_ms();
        let patience = sender.patience();
        let range = Duration::from_millis(least)..=Duration::from_millis(most);
        assert!(range.contains(&patience), "{delay} ms: {patience:?}, {measured:?}");
    }
}
