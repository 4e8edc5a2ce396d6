//! The whole node: two rooms whose clients chose the same SSRCs and MIDs, strangers, time. Handshakes
//! are left out, for their cost; `dtls_records` and `dtls_fragments` have them.

mod steps;

use crate::checks::{Check, sealed};
use crate::engine::{OFFERS, SIMULCAST, drain, engine, join_request, offer, wall};
use crate::input::Input;
use crate::keys::{inbound, master, material};
use railgun_media_core::fuzzing::{skip_handshake, table_sizes};
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::kind::{Kind, classify};
use railgun_media_core::packet::rtcp::parse_compound;
use railgun_media_core::packet::rtp::RtpHeader;
use railgun_media_core::srtp::{InboundControl, InboundStream, OutboundControl, SrtpError, Suite};
use railgun_media_core::{Datagram, Engine};
use railgun_protocol::ids::{ChannelId, ConsumerId, ProducerId, SessionId, TransportId};
use railgun_protocol::media_rpc::{Address, Command, LeaveReason, Reply};
use railgun_protocol::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, TransportDirection,
};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const SUITE: Suite = Suite::AeadAes128Gcm;
const AMPLIFICATION: u64 = 3;
/// Datagrams that one may cause: to each consumer, with what it is sent again and reports.
const SENT_PER_STEP_MAX: usize = 2_000;

/// Bytes, checks, media, feedback, commands and time from four clients and whoever is at other
/// addresses. Nothing goes where nothing came from, nor more than three times as much before the
/// address was proved; a consumer gets its producer's packets alone, each number once; every report
/// is well-formed; and when all have left nothing is left.
pub fn sequence(data: &[u8]) {
    let mut input = Input::new(data);
    let setup = input.u8();
    let mut node = Node::new(setup);
    for _ in 0..96 {
        if input.is_empty() {
            break;
        }
        node.step(&mut input);
    }
    node.all_leave();
}

/// A client's transport.
struct End {
    room: usize,
    session: SessionId,
    transport: TransportId,
    ice: IceParameters,
    address: SocketAddr,
    control: OutboundControl,
    inbound_control: InboundControl,
    checks: u8,
}

/// A producer, and the SSRC and numbers with which its packets are sent.
struct Sending {
    end: usize,
    id: ProducerId,
    ssrc: u32,
    payload_type: u8,
    mid: &'static str,
    index: u64,
    tag: u8,
}

struct Receiving {
    end: usize,
    id: ConsumerId,
    ssrc: u32,
    rtx_ssrc: Option<u32>,
    tag: u8,
}

struct Node {
    engine: Engine,
    now: Instant,
    tag: u64,
    rooms: [Address; 2],
    ends: Vec<End>,
    sending: Vec<Sending>,
    receiving: Vec<Receiving>,
    /// Bytes from and to each address.
    traffic: HashMap<SocketAddr, (u64, u64)>,
    /// Addresses from which a sealed report or the (skipped) handshake came.
    proved: HashSet<SocketAddr>,
    /// Addresses from which a check for each end came.
    checked: HashSet<(usize, SocketAddr)>,
    streams: HashMap<u32, InboundStream>,
    /// A sender jumped so far that receivers cannot know its roll-over count.
    has_jumped: bool,
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 5_000))
}

impl Node {
    fn new(setup: u8) -> Self {
        let room = |name| Address { channel: ChannelId::new(name).expect("a name"), epoch: 1 };
        let mut node = Self {
            engine: engine(setup),
            now: Instant::now(),
            tag: 0,
            rooms: [room("one"), room("two")],
            ends: Vec::new(),
            sending: Vec::new(),
            receiving: Vec::new(),
            traffic: HashMap::new(),
            proved: HashSet::new(),
            checked: HashSet::new(),
            streams: HashMap::new(),
            has_jumped: false,
        };
        let camera = if setup & 1 == 0 { 1 } else { SIMULCAST };
        for room in 0..=usize::from(setup >> 1 & 1) {
            let talker = node.end(room, TransportDirection::Send);
            let listener = node.end(room, TransportDirection::Recv);
            for which in [0, camera] {
                node.produce(talker, which);
                node.consume(listener);
            }
        }
        node
    }

    fn command(&mut self, room: usize, command: Command) -> Option<Reply> {
        self.tag += 1;
        self.engine.handle_command(self.tag, &self.rooms[room], command, self.now, wall());
        let (reply, _) = drain(&mut self.engine, self.tag);
        self.deliver();
        reply.ok()
    }

    /// A client with a keyed transport.
    fn end(&mut self, room: usize, direction: TransportDirection) -> usize {
        let number = self.ends.len();
        let session = SessionId::from_bits(number as u128 + 1);
        self.command(room, Command::Join(Box::new(join_request(session, number as u8, 8)))).expect("a seat");
        let reply = self.command(room, Command::CreateTransport { session, direction });
        let Some(Reply::TransportCreated { transport, parameters, .. }) = reply else {
            panic!("a transport")
        };
        let fingerprint =
            DtlsFingerprint { algorithm: "sha-256".into(), value: OFFERS.fingerprint.to_owned() };
        let dtls = DtlsParameters { role: DtlsRole::Client, fingerprints: vec![fingerprint] };
        self.command(room, Command::ConnectTransport { session, transport, dtls }).expect("connected");
        let address = address(number as u8);
        let control = OutboundControl::new(&master(SUITE, number)).expect("a key");
        let inbound_control = InboundControl::new(&master(SUITE, number)).expect("a key");
        let ice = parameters.ice_parameters;
        self.ends.push(End { room, session, transport, ice, address, control, inbound_control, checks: 0 });
        self.check(number, address, true);
        assert!(skip_handshake(&mut self.engine, transport, &material(SUITE, number), self.now));
        self.proved.insert(address);
        number
    }

    fn produce(&mut self, end: usize, which: u8) {
        let offer = offer(which);
        let End { room, session, transport, .. } = self.ends[end];
        let command = Command::Produce {
            session,
            transport,
            kind: offer.source.kind(),
            source: offer.source,
            rtp_parameters: Box::new(offer.parameters.clone()),
        };
        let Some(Reply::Produced { producer, .. }) = self.command(room, command) else {
            panic!("a producer")
        };
        self.sending.push(Sending {
            end,
            id: producer,
            ssrc: offer.ssrc,
            payload_type: offer.payload_type,
            mid: &offer.mid,
            index: 100,
            tag: 0xa0 + self.sending.len() as u8,
        });
    }

    /// The newest producer.
    fn consume(&mut self, end: usize) {
        let Sending { id: producer, tag, .. } = *self.sending.last().expect("a producer");
        let (room, session) = (self.ends[end].room, self.ends[end].session);
        let command = Command::Consume { session, transport: None, producer, rtp_capabilities: None };
        let Some(Reply::Consumed(it)) = self.command(room, command) else { panic!("a consumer") };
        self.command(room, Command::ResumeConsumer { session, consumer: it.consumer }).expect("resumed");
        let encoding = &it.rtp_parameters.encodings[0];
        let rtx_ssrc = encoding.rtx.map(|rtx| rtx.ssrc);
        let ssrc = encoding.ssrc.expect("the node chooses one");
        self.receiving.push(Receiving { end, id: it.consumer, ssrc, rtx_ssrc, tag });
    }

    fn datagram(&mut self, source: SocketAddr, mut bytes: Vec<u8>) {
        self.traffic.entry(source).or_default().0 += bytes.len() as u64;
        let mut datagrams = [Datagram { source, bytes: &mut bytes, arrived: self.now, ecn: Ecn::Ce }];
        self.engine.handle_datagrams(&mut datagrams, self.now, |_| panic!("so little is sent at once"));
        self.settle();
    }

    fn settle(&mut self) {
        while self.engine.poll_notice().is_some() {}
        self.deliver();
    }

    fn advance(&mut self, input: &mut Input<'_>) {
        let end = self.now
            + Duration::from_millis(match input.u8() {
                step @ 0..200 => step.into(),
                step => u64::from(step - 199) * 500,
            });
        for _ in 0..5_000 {
            let Some(due) = self.engine.poll_timeout().filter(|due| *due <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
            self.settle();
        }
        panic!("timers without end");
    }

    /// An ICE check that knows the password.
    fn check(&mut self, end: usize, source: SocketAddr, nominates: bool) {
        let it = &mut self.ends[end];
        it.checks = it.checks.wrapping_add(1);
        let id = [end as u8 + 1, it.checks, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let check = Check { id, ufrag: &it.ice.username_fragment, controlling: true, nominates, more: &[] };
        let check = sealed(&check, it.ice.password.as_bytes());
        self.checked.insert((end, source));
        self.datagram(source, check);
    }

    /// Looks at everything that goes out.
    fn deliver(&mut self) {
        let Self { engine, traffic, proved, .. } = self;
        let sends = engine.sends();
        let mut out = Vec::new();
        for run in sends.runs() {
            out.extend(sends.bytes(run).chunks(run.segment).map(|datagram| (run.to, datagram.to_vec())));
            let (received, sent) = traffic.get_mut(&run.to).expect("nothing ever came from there");
            *sent += run.len as u64;
            assert!(
                proved.contains(&run.to) || *sent <= AMPLIFICATION * *received,
                "{sent} bytes for {received} to an address that was not proved"
            );
        }
        sends.clear();
        assert!(out.len() <= SENT_PER_STEP_MAX, "{} datagrams at once", out.len());
        for (to, mut datagram) in out {
            match classify(&datagram) {
                Some(Kind::Rtp) => self.receive_media(to, &mut datagram),
                Some(Kind::Rtcp) => {
                    // Whose it is only its key tells.
                    let opened = self.ends.iter_mut().enumerate().find_map(|(end, it)| {
                        let mut packet = datagram.clone();
                        let len = it.inbound_control.open_rtcp(&mut packet).ok()?;
                        packet.truncate(len);
                        Some((end, packet))
                    });
                    let (owner, compound) = opened.expect("a fresh, authentic report");
                    parse_compound(&compound).expect("a well-formed report");
                    assert!(self.checked.contains(&(owner, to)), "to an address of somebody else");
                }
                Some(Kind::Stun | Kind::Dtls) => {}
                None => panic!("what is that? {datagram:02x?}"),
            }
        }
    }

    fn receive_media(&mut self, to: SocketAddr, packet: &mut [u8]) {
        let header = RtpHeader::parse(packet).expect("a well-formed packet");
        let is_it = |it: &&Receiving| it.ssrc == header.ssrc || it.rtx_ssrc == Some(header.ssrc);
        let consumer = self.receiving.iter().find(is_it).expect("a consumer's SSRC");
        assert!(self.checked.contains(&(consumer.end, to)), "to an address of somebody else");
        let stream = self.streams.entry(header.ssrc).or_default();
        match inbound(SUITE, consumer.end, |session| session.open_rtp(stream, &header, packet)) {
            // A request to prove an address: one byte of padding as a retransmission, and no payload.
            Ok(len) if header.padding => {
                assert_eq!(
                    (&packet[header.header_len..len], Some(header.ssrc)),
                    (&[1][..], consumer.rtx_ssrc)
                );
            }
            Ok(len) => assert_eq!(packet[len - 1], consumer.tag, "somebody else's payload"),
            Err(SrtpError::Replayed) if !self.has_jumped => panic!("an index twice under one key"),
            Err(error) => assert!(self.has_jumped || error == SrtpError::TooOld, "{error}"),
        }
    }

    fn all_leave(&mut self) {
        for end in 0..self.ends.len() {
            let End { room, session, .. } = self.ends[end];
            self.command(room, Command::Leave { session, reason: LeaveReason::Left, attachment: None });
        }
        assert_eq!((self.engine.room_count(), self.engine.session_count()), (0, 0));
        assert_eq!(table_sizes(&self.engine), [0; 5]);
    }
}
