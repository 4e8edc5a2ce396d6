//! A listener that asks for speech which its path lost (plain NACK, RFC 4585) is sent it again under its own number, if it comes in
//! time. Sealed anew it would use a nonce twice (RFC 7714 section 8.1): what is sent again is the datagram that left.

use railgun_media_core::packet::rtcp::{ReportBlock, write_nack, write_receiver_report};
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_peer::simulator::{Link, LinkConfig};
use railgun_peer::{Arrival, Call, World};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::signal::Source;
use std::net::SocketAddr;
use std::time::Duration;

const PACKET: Duration = Duration::from_millis(20);

struct Lossy {
    call: Call,
    ssrc: u32,
    address: SocketAddr,
}

impl Lossy {
    fn new() -> Self {
        let mut call = Call::new(21);
        let ssrc = call.mic.consumer.rtp_parameters.encodings[0].ssrc.unwrap();
        let address = call.world.peers[call.listener_recv].address;
        // What leaves for it is looked at before it takes it.
        let link = Link::new(LinkConfig::new(100_000_000), 1, call.world.now);
        call.world.links.insert(address, link);
        Self { call, ssrc, address }
    }

    /// One packet of speech, and the datagram that the listener is sent.
    fn speak(&mut self) -> Vec<u8> {
        let packet = self.call.packet(Source::Mic, b"some speech");
        let address = self.call.world.peers[self.call.talker_send].address;
        let datagrams = self.sent_by(|world| world.send(address, packet));
        self.call.world.advance(PACKET);
        assert_eq!(datagrams.len(), 1);
        datagrams.into_iter().next().unwrap()
    }

    fn nack(&mut self, sequences: &[u16]) -> Vec<Vec<u8>> {
        let mut message = [0; 200];
        let len = write_nack(&mut message, 1, self.ssrc, sequences).unwrap();
        let peer = &mut self.call.world.peers[self.call.listener_recv];
        let (sealed, address) = (peer.seal_rtcp(&message[..len]), peer.address);
        self.sent_by(|world| world.send(address, sealed))
    }

    /// The listener's report, by which nothing is lost.
    fn report(&mut self) {
        let mut message = [0; 200];
        let block = ReportBlock { ssrc: self.ssrc, highest_sequence: 1, ..ReportBlock::default() };
        let len = write_receiver_report(&mut message, 1, &[block]).unwrap();
        let peer = &mut self.call.world.peers[self.call.listener_recv];
        let (sealed, address) = (peer.seal_rtcp(&message[..len]), peer.address);
        self.call.world.send(address, sealed);
    }

    /// What of speech leaves for the listener while `act` runs.
    fn sent_by(&mut self, act: impl FnOnce(&mut World)) -> Vec<Vec<u8>> {
        let ssrc = self.ssrc;
        act(&mut self.call.world);
        let (world, mut datagrams) = (&mut self.call.world, Vec::new());
        let far = world.now + Duration::from_secs(1);
        while let Some((_, datagram)) = world.links.get_mut(&self.address).unwrap().pop(far) {
            world.peers[self.call.listener_recv].receive(&datagram, world.now);
            datagrams.push(datagram);
        }
        let is_speech = |it: &Vec<u8>| RtpHeader::parse(it).is_ok_and(|header| header.ssrc == ssrc);
        datagrams.into_iter().filter(is_speech).collect()
    }

    fn heard(&self) -> usize {
        let arrivals = &self.call.world.peers[self.call.listener_recv].arrivals;
        arrivals.iter().filter(|it| matches!(it, Arrival::Rtp(_))).count()
    }
}

fn sequence(datagram: &[u8]) -> u16 {
    RtpHeader::parse(datagram).unwrap().sequence
}

#[test]
fn bit_for_bit_once_a_round_trip_and_from_the_first_request_on() {
    let mut listener = Lossy::new();
    let unkept = sequence(&listener.speak());
    assert!(listener.nack(&[unkept]).is_empty(), "who lost nothing so far had nothing kept");
    let sent: Vec<_> = (0..10).map(|_| listener.speak()).collect();
    let lost = [sequence(&sent[4]), sequence(&sent[7])];
    assert_eq!(listener.nack(&lost), [sent[4].clone(), sent[7].clone()]);
    assert!(listener.nack(&lost).is_empty(), "on its way");
    listener.call.world.advance(Duration::from_millis(110));
    assert_eq!(listener.nack(&lost), [sent[4].clone(), sent[7].clone()]);
    assert_eq!(listener.heard(), 11, "each packet is taken once");
    // A report counts them as received. The path lost each twice.
    listener.report();
    let command = Command::GetStats { session: listener.call.listener, transport: None };
    let room = listener.call.room.clone();
    let Ok(Reply::Stats(stats)) = listener.call.world.command(&room, command) else { panic!("no stats") };
    let speech = stats.consumers.iter().find(|it| it.ssrc == listener.ssrc).unwrap();
    assert_eq!((speech.packets_lost, speech.resent.packets), (Some(4), 4));
}

#[test]
fn nothing_to_a_consumer_that_is_paused_and_little_to_a_flood() {
    let mut listener = Lossy::new();
    let first = sequence(&listener.speak());
    listener.nack(&[first]);
    let mut again = 0;
    for _ in 0..100 {
        let lost = sequence(&listener.speak());
        let wanted: Vec<u16> = (0..40).map(|back| lost.wrapping_sub(back)).collect();
        again += (0..20).map(|_| listener.nack(&wanted).iter().map(Vec::len).sum::<usize>()).sum::<usize>();
    }
    // 2 s of 64 kbit/s, which are granted in any case, and half a second's worth that was saved.
    assert!((1_000..=20_000).contains(&again), "{again} bytes");
    let lost = sequence(&listener.speak());
    listener.call.world.advance(Duration::from_millis(200));
    let (session, consumer) = (listener.call.listener, listener.call.mic.consumer.consumer);
    let room = listener.call.room.clone();
    listener.call.world.command(&room, Command::PauseConsumer { session, consumer }).unwrap();
    let refused = |listener: &Lossy| listener.call.world.engine.counters().refused_resends;
    let before = refused(&listener);
    assert!(listener.nack(&[lost]).is_empty());
    assert_eq!(refused(&listener), before + 1);
}
