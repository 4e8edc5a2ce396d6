//! A microphone whose parameters have `nack` is asked for what it lost (`opusNack` of mediasoup-client), as long as the answer
//! comes while receivers wait for it. It sends the packet again under its own number, and reports go on telling the loss of
//! the path.

use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_peer::{Arrival, MID_ID, Offer, TRANSPORT_CC_ID, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::rtp_parameters::RtcpFeedback;
use railgun_protocol::signal::{ProducerStreamStats, Source};
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};
use std::time::Duration;

const STEP: Duration = Duration::from_millis(5);

struct Talk {
    world: World,
    room: Address,
    session: SessionId,
    talker: usize,
    listener: usize,
    offer: Offer,
    /// In steps, from a request to its answer.
    round_trip: u64,
    step: u64,
    number: u16,
    answers: Vec<(u64, u16)>,
    asked: usize,
}

impl Talk {
    fn new(round_trip: Duration) -> Self {
        let mut world = World::new(41);
        let room = World::room("talk");
        let session = world.join(&room, 1, Tier::Free);
        let talker = world.connect(&room, session, Send);
        let mut offer = Offer::new(Source::Mic, 1);
        let nack = RtcpFeedback { kind: "nack".into(), parameter: String::new() };
        offer.parameters.codecs[0].rtcp_feedback.push(nack);
        let producer = world.produce(&room, session, talker, &offer).unwrap();
        let other = world.join(&room, 2, Tier::Free);
        let listener = world.connect(&room, other, Recv);
        world.consume(&room, other, producer).unwrap();
        let round_trip = u64::try_from(round_trip.as_millis() / STEP.as_millis()).unwrap();
        let (step, number, answers, asked) = (0, 0, Vec::new(), 0);
        Self { world, room, session, talker, listener, offer, round_trip, step, number, answers, asked }
    }

    fn send(&mut self, index: u64) {
        let number = self.number.to_be_bytes();
        self.number += 1;
        let elements = [(MID_ID, self.offer.mid.as_bytes()), (TRANSPORT_CC_ID, &number[..])];
        let header = self.offer.header(index, u32::try_from(index).unwrap() * 960, false);
        let peer = &self.world.peers[self.talker];
        let (packet, address) = (peer.seal_rtp(header, index, &elements, b"speech"), peer.address);
        self.world.send(address, packet);
    }

    /// Sends speech for so long; each tenth packet is lost.
    fn go_on(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / STEP.as_millis() {
            if self.step.is_multiple_of(500) {
                for place in [self.talker, self.listener] {
                    let check = self.world.peers[place].check();
                    self.world.send(self.world.peers[place].address, check);
                }
            }
            if self.step.is_multiple_of(4) {
                let index = 1_000 + self.step / 4;
                match index % 10 {
                    // It had its number as well.
                    5 => self.number += 1,
                    _ => self.send(index),
                }
            }
            self.step += 1;
            self.world.advance(STEP);
            self.answer();
        }
    }

    fn answer(&mut self) {
        for arrival in std::mem::take(&mut self.world.peers[self.talker].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                if let RtcpPacket::Nack(nack) = packet {
                    let due = self.step + self.round_trip;
                    self.answers.extend(nack.lost().map(|sequence| (due, sequence)));
                    self.asked += nack.lost().count();
                }
            }
        }
        let (now, later): (Vec<_>, Vec<_>) = self.answers.iter().partition(|(at, _)| *at <= self.step);
        self.answers = later;
        now.into_iter().for_each(|(_, sequence)| self.send(sequence.into()));
    }

    fn stream(&mut self) -> (ProducerStreamStats, Option<f64>) {
        let command = Command::GetStats { session: self.session, transport: None };
        let Ok(Reply::Stats(stats)) = self.world.command(&self.room, command) else { panic!("no stats") };
        (stats.producers[0].streams[0].clone(), stats.transports[0].round_trip_ms)
    }

    fn heard(&self) -> usize {
        let arrivals = &self.world.peers[self.listener].arrivals;
        arrivals.iter().filter(|arrival| matches!(arrival, Arrival::Rtp(_))).count()
    }
}

#[test]
fn who_answers_soon_is_asked_and_reports_tell_what_the_path_lost() {
    let mut talk = Talk::new(Duration::from_millis(40));
    // 500 packets, 50 of which were lost; the last one may not be back yet.
    talk.go_on(Duration::from_secs(10));
    let (stream, round_trip) = talk.stream();
    assert!((498..=500).contains(&talk.heard()), "{} were heard", talk.heard());
    assert!((48..=50).contains(&stream.repaired_packets), "{stream:?}");
    assert!((45..=50).contains(&stream.packets_lost), "{stream:?}");
    assert!(stream.jitter_ms < 3.0, "of what came the first time: {stream:?}");
    assert!(round_trip.is_some_and(|time| (35.0..=60.0).contains(&time)), "{round_trip:?}");
}

#[test]
fn who_answers_late_is_asked_each_two_seconds_to_learn_whether_it_still_does() {
    let mut talk = Talk::new(Duration::from_millis(400));
    talk.go_on(Duration::from_secs(2));
    assert!(talk.asked <= 10, "once each, before the first answer: {}", talk.asked);
    let before = std::mem::take(&mut talk.asked);
    talk.go_on(Duration::from_secs(20));
    assert!(before > 0 && (8..=11).contains(&talk.asked), "{before}, then {}", talk.asked);
    // It is near again.
    talk.round_trip = 8;
    talk.go_on(Duration::from_secs(60));
    talk.asked = 0;
    talk.go_on(Duration::from_secs(10));
    assert!(talk.asked >= 50, "{}", talk.asked);
}
