//! The node tells a receiver the MID (RFC 9143) of its first voice before it sends packets of a second one. Without that, Firefox
//! takes the second voice's packets for the first's if that one has sent nothing, and stops playing them once it sends.

use railgun_media_core::packet::rtp::RtpHeader;
use railgun_peer::{Arrival, Offer, World};
use railgun_protocol::ids::{ProducerId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, ConsumerDescription};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection::{Recv, Send};

struct Listening {
    world: World,
    room: Address,
    listener: SessionId,
    talkers: Vec<Talker>,
}

struct Talker {
    send: usize,
    offer: Offer,
    producer: ProducerId,
    next: u64,
}

impl Listening {
    fn new(talkers: u8) -> Self {
        let mut world = World::new(5);
        let room = World::room("quiet");
        let talkers = (0..talkers).map(|number| {
            let session = world.join(&room, 1 + u128::from(number), Tier::Free);
            let send = world.connect(&room, session, Send);
            let offer = Offer::new(Source::Mic, u32::from(number));
            let producer = world.produce(&room, session, send, &offer).unwrap();
            Talker { send, offer, producer, next: 100 }
        });
        let talkers = talkers.collect();
        let listener = world.join(&room, 100, Tier::Free);
        Self { world, room, listener, talkers }
    }

    fn consume(&mut self, talker: usize) -> ConsumerDescription {
        self.world.consume(&self.room, self.listener, self.talkers[talker].producer).unwrap()
    }

    fn speak(&mut self, talker: usize) {
        let it = &mut self.talkers[talker];
        let header = it.offer.header(it.next, 0, false);
        let packet = self.world.peers[it.send].seal_rtp(header, it.next, &[], b"speech");
        it.next += 1;
        self.world.send(self.world.peers[it.send].address, packet);
    }

    /// What came since the last time, in order: packets that told a MID, and packets of voices.
    fn came(&mut self, recv: usize) -> Vec<Came> {
        let (told, mut came) = (std::mem::take(&mut self.world.peers[recv].mid_packets), Vec::new());
        let arrivals = std::mem::take(&mut self.world.peers[recv].arrivals);
        for place in 0..=arrivals.len() {
            for (_, packet) in told.iter().filter(|(at, _)| *at == place) {
                let header = RtpHeader::parse(packet).unwrap();
                assert_eq!(
                    (packet[0] & 0x20, &packet[header.header_len..]),
                    (0x20, &[1][..]),
                    "padding alone"
                );
                let mid = String::from_utf8(header.extension(packet, 1).unwrap().to_vec()).unwrap();
                came.push(Came::Mid(header.ssrc, mid));
            }
            if let Some(Arrival::Rtp(packet)) = arrivals.get(place) {
                came.push(Came::Voice(RtpHeader::parse(packet).unwrap().ssrc));
            }
        }
        came
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// Of this SSRC.
    Mid(u32, String),
    Voice(u32),
}

fn ssrc(consumer: &ConsumerDescription) -> u32 {
    consumer.rtp_parameters.encodings[0].ssrc.unwrap()
}

fn mid(consumer: &ConsumerDescription) -> Came {
    Came::Mid(ssrc(consumer), consumer.rtp_parameters.mid.clone().unwrap())
}

fn voice(consumer: &ConsumerDescription) -> Came {
    Came::Voice(ssrc(consumer))
}

#[test]
fn ahead_of_each_of_its_first_packets_until_the_first_voice_begins() {
    let mut call = Listening::new(3);
    let recv = call.world.connect(&call.room, call.listener, Recv);
    let [first, second, third] = [0, 1, 2].map(|talker| call.consume(talker));
    call.came(recv);
    for talker in [1, 2, 1] {
        call.speak(talker);
    }
    let ahead = || mid(&first);
    assert_eq!(call.came(recv), [ahead(), voice(&second), ahead(), voice(&third), ahead(), voice(&second)]);
    for talker in [0, 1, 0, 2] {
        call.speak(talker);
    }
    assert_eq!(call.came(recv), [voice(&first), voice(&second), voice(&first), voice(&third)]);
}

#[test]
fn for_two_seconds_of_it() {
    let mut call = Listening::new(2);
    let recv = call.world.connect(&call.room, call.listener, Recv);
    let [first, second] = [0, 1].map(|talker| call.consume(talker));
    for _ in 0..200 {
        call.speak(1);
    }
    let came = call.came(recv);
    let (told, heard) = (mid(&first), voice(&second));
    assert_eq!([told, heard].map(|it| came.iter().filter(|other| **other == it).count()), [100, 200]);
}

#[test]
fn of_the_next_voice_once_the_first_is_closed() {
    let mut call = Listening::new(3);
    let recv = call.world.connect(&call.room, call.listener, Recv);
    let [_, second, third] = [0, 1, 2].map(|talker| call.consume(talker));
    let (session, producer) = (SessionId::from_bits(1), call.talkers[0].producer);
    call.world.command(&call.room.clone(), Command::CloseProducer { session, producer }).unwrap();
    call.speak(2);
    assert_eq!(call.came(recv), [mid(&second), voice(&third)]);
}

#[test]
fn and_what_follows_of_the_first_is_in_order_behind_it() {
    let mut call = Listening::new(2);
    let recv = call.world.connect(&call.room, call.listener, Recv);
    let [first, _] = [0, 1].map(|talker| call.consume(talker));
    call.speak(1);
    let told = RtpHeader::parse(&call.world.peers[recv].mid_packets[0].1).unwrap().sequence;
    for _ in 0..3 {
        call.speak(0);
    }
    let rtp = call.world.peers[recv].arrivals.iter().filter_map(|arrival| match arrival {
        Arrival::Rtp(packet) => Some(RtpHeader::parse(packet).unwrap()),
        _ => None,
    });
    let numbers: Vec<u16> = rtp.filter(|it| it.ssrc == ssrc(&first)).map(|it| it.sequence - told).collect();
    assert_eq!(numbers, [1, 2, 3]);
}
