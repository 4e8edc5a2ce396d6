//! A publisher that negotiated congestion control feedback (RFC 8888) is told of each packet of each of its streams when and with
//! which ECN mark it came, in place of transport-cc, which carries no marks.

use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::{Reception, RtcpPacket, parse_compound};
use railgun_peer::{Arrival, KEY_FRAME, MID_ID, Offer, TRANSPORT_CC_ID, World};
use railgun_protocol::ids::{ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::Send;
use std::collections::BTreeMap;
use std::time::Duration;

const GAP: Duration = Duration::from_millis(5);

/// Somebody who sends, and what the node says of it.
struct Publisher {
    world: World,
    room: Address,
    session: SessionId,
    send: usize,
    numbers: u16,
}

/// Of the messages to a publisher: how many of transport-cc, of RFC 8888, and of the latter what was said last of each packet,
/// by SSRC and sequence number, with the time of its arrival by the node's clock in 65536ths of a second.
#[derive(Default)]
struct Told {
    transport_cc: usize,
    ccfb: usize,
    packets: BTreeMap<(u32, u16), Option<(Ecn, u32)>>,
}

impl Publisher {
    fn new() -> Self {
        let (mut world, room) = (World::new(9), World::room("ccfb"));
        let session = world.join(&room, 1, Tier::Pro);
        let send = world.connect(&room, session, Send);
        world.peers[send].arrivals.clear();
        Self { world, room, session, send, numbers: 0 }
    }

    fn produce(&mut self, offer: &Offer) -> ProducerId {
        self.world.produce(&self.room, self.session, self.send, offer).expect("a producer")
    }

    /// Sends a packet with a transport-wide number that comes with these bits.
    fn says(&mut self, offer: &Offer, index: u64, ecn: Ecn) {
        let number = self.numbers.to_be_bytes();
        self.numbers += 1;
        let elements = [(MID_ID, offer.mid.as_bytes()), (TRANSPORT_CC_ID, &number[..])];
        let timestamp = u32::try_from(index * 960).unwrap();
        let header = offer.header(index, timestamp, true);
        let packet = self.world.peers[self.send].seal_rtp(header, index, &elements, &KEY_FRAME);
        self.world.send_marked(self.world.peers[self.send].address, packet, ecn);
        self.world.advance(GAP);
    }

    /// What was said since it was last asked.
    fn told(&mut self) -> Told {
        self.world.advance(Duration::from_millis(200));
        let mut told = Told::default();
        for arrival in std::mem::take(&mut self.world.peers[self.send].arrivals) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                match packet {
                    RtcpPacket::TransportCc(_) => told.transport_cc += 1,
                    RtcpPacket::CongestionFeedback(feedback) => {
                        told.ccfb += 1;
                        for stream in feedback.streams() {
                            told.packets.extend(stream.packets().map(|(sequence, packet)| {
                                let at = |Reception { ecn, offset }| {
                                    (ecn, feedback.timestamp.wrapping_sub(u32::from(offset.unwrap()) * 64))
                                };
                                ((stream.ssrc, sequence), packet.map(at))
                            }));
                        }
                    }
                    _ => {}
                }
            }
        }
        told
    }
}

#[test]
fn each_packet_of_each_stream_with_its_mark_and_the_time_it_came_at() {
    let mut ada = Publisher::new();
    let (mic, camera) = (Offer::new(Source::Mic, 0).with_ccfb(), Offer::new(Source::Camera, 1).with_ccfb());
    ada.produce(&mic);
    ada.produce(&camera);
    let marks = [Ecn::Ect1, Ecn::Ce, Ecn::NotEct, Ecn::Ect0];
    let mut sent = BTreeMap::new();
    // Across the wrap of both, and one in nine is lost.
    for n in 0..90_u8 {
        for (offer, place) in [(&mic, 0), (&camera, 1)] {
            let mark = marks[usize::from(n + place) % 4];
            let index = 65_500 + u64::from(n);
            let came = (n % 9 != 5).then_some(mark);
            sent.insert((offer.ssrc, u16::try_from(index & 0xffff).unwrap()), came);
            match came {
                Some(mark) => ada.says(offer, index, mark),
                None => ada.world.advance(GAP),
            }
        }
    }
    let told = ada.told();
    assert_eq!(told.transport_cc, 0);
    // 900 ms and a bit, each 25 ms.
    assert!((30..=37).contains(&told.ccfb), "{}", told.ccfb);
    let said: BTreeMap<_, _> =
        told.packets.iter().map(|(packet, it)| (*packet, it.map(|(ecn, _)| ecn))).collect();
    assert_eq!(said, sent);
    // 10 ms between two of the camera, of which both times have a millisecond's grain.
    let numbers = (0..90).map(|n| 65_500_u16.wrapping_add(n));
    let of_camera = numbers.map(|number| told.packets[&(camera.ssrc, number)]);
    let times: Vec<u32> = of_camera.flatten().map(|(_, at)| at).collect();
    let spans = times.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let is_near = |span: &u32| [10, 20].iter().any(|ms| span.abs_diff(ms * 65_536 / 1_000) < 80);
    assert!(spans.clone().all(|span| is_near(&span)), "{:?}", spans.collect::<Vec<_>>());
}

/// A camera as mediasoup-client makes it where the router offers RFC 8888: media codecs list it, RTX does not.
fn mediasoup_camera() -> Offer {
    let mut camera = Offer::new(Source::Camera, 1).with_ccfb();
    camera.parameters.codecs[1].rtcp_feedback.clear();
    camera
}

/// Chromium answers so: a first section of which one codec lacks it is transport-cc's, and so is what is added to it.
#[test]
fn not_if_what_it_sent_first_has_a_codec_that_does_not_list_it() {
    let mut ada = Publisher::new();
    let (camera, mic) = (mediasoup_camera(), Offer::new(Source::Mic, 0).with_ccfb());
    let first = ada.produce(&camera);
    (0..20).for_each(|index| ada.says(&camera, index, Ecn::Ce));
    ada.produce(&mic);
    (0..20).for_each(|index| ada.says(&mic, index, Ecn::Ce));
    let command = Command::CloseProducer { session: ada.session, producer: first };
    ada.world.command(&ada.room, command).expect("closed");
    (20..40).for_each(|index| ada.says(&mic, index, Ecn::Ce));
    let told = ada.told();
    assert!(told.transport_cc > 1 && told.ccfb == 0, "{} and {}", told.transport_cc, told.ccfb);
}

/// Chromium goes on with it for the connection's life: of a camera that comes after the microphone as well.
#[test]
fn and_of_all_that_it_sends_later() {
    let mut ada = Publisher::new();
    let (mic, camera) = (Offer::new(Source::Mic, 0).with_ccfb(), mediasoup_camera());
    ada.produce(&mic);
    ada.produce(&camera);
    (0..20).for_each(|index| ada.says(&camera, index, Ecn::Ect1));
    let told = ada.told();
    assert!(told.ccfb > 2 && told.transport_cc == 0, "{} and {}", told.ccfb, told.transport_cc);
    assert_eq!(
        told.packets.keys().copied().collect::<Vec<_>>(),
        (0..20).map(|index| (camera.ssrc, index)).collect::<Vec<_>>()
    );
}

#[test]
fn and_a_producer_that_is_closed_is_told_of_no_more() {
    let mut ada = Publisher::new();
    let (mic, camera) = (Offer::new(Source::Mic, 0).with_ccfb(), Offer::new(Source::Camera, 1).with_ccfb());
    ada.produce(&mic);
    let camera_id = ada.produce(&camera);
    (0..4).for_each(|index| ada.says(&camera, index, Ecn::Ect1));
    let command = Command::CloseProducer { session: ada.session, producer: camera_id };
    ada.world.command(&ada.room, command).expect("closed");
    ada.says(&mic, 7, Ecn::Ce);
    let told = ada.told();
    assert_eq!(told.packets.into_keys().collect::<Vec<_>>(), [(mic.ssrc, 7)]);
}
