//! The engine with its clients around it, and the time they share.

use crate::link::Link;
use crate::parameters::{Offer, capabilities};
use crate::peer::Peer;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::send_batch::SendBatch;
use railgun_media_core::srtp::{MasterKey, Suite};
use railgun_media_core::transport::dtls::{Certificate, DtlsVersion, SrtpKeys};
use railgun_media_core::transport::ice_lite::Relays;
use railgun_media_core::{Datagram, Engine, EngineConfig, Notice, Silence, testing};
use railgun_protocol::ids::{ChannelId, ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::limits::{BITRATE_HEADROOM_PERCENT, HANDSHAKES_PER_NODE};
use railgun_protocol::media_rpc::{
    Address, Audience, Command, ConsumerDescription, EncryptionRule, Event, Grant, JoinRequest, Reply,
    RoomEvent,
};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::signal::ErrorBody;
use railgun_protocol::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceCandidate, TransportDirection,
};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Where the engine says it listens.
pub const NODE: ([u8; 4], u16) = ([127, 0, 0, 1], 40_000);
/// The only TURN relay that the engine knows, and a port of its.
pub const RELAY: ([u8; 4], u16) = ([203, 0, 113, 1], 50_000);

#[derive(Debug)]
pub struct World {
    pub engine: Engine,
    pub now: Instant,
    /// The time of day, which a test may set as anybody can set a clock.
    pub wall: SystemTime,
    /// Everything the rooms told so far.
    pub events: Vec<RoomEvent>,
    pub peers: Vec<Peer>,
    /// What each address was sent, whether or not anybody is there.
    pub sent: HashMap<SocketAddr, Sent>,
    /// What is on its way to an address; without one, everything is there at once.
    pub links: HashMap<SocketAddr, Link>,
    /// Addresses that are behind another one's link.
    pub behind: HashMap<SocketAddr, SocketAddr>,
    /// The node's worker gets no CPU: no timer of the engine runs.
    pub is_asleep: bool,
    next_tag: u64,
}

/// What the engine sent to one address so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub bytes: u64,
    pub last_at: Instant,
}

impl World {
    pub fn new(seed: u8) -> Self {
        Self::with(Self::config(seed))
    }

    /// A node's configuration, with its limits.
    pub fn config(seed: u8) -> EngineConfig {
        let now = Instant::now();
        let relay = IpAddr::from(RELAY.0).to_string().parse().expect("an address");
        let relays = Relays::new(vec![relay]);
        EngineConfig {
            candidates: vec![IceCandidate::udp_host(NODE.0.into(), NODE.1, 0)],
            certificate: Certificate::generate().expect("a certificate"),
            dtls_version: DtlsVersion::Dtls12,
            relays: relays.map(Arc::new).expect("one relay"),
            seed: [seed; 32],
            handshakes_max: HANDSHAKES_PER_NODE,
            bitrate_headroom_percent: BITRATE_HEADROOM_PERCENT,
            started: (now, UNIX_EPOCH + Duration::from_secs(1_800_000_000)),
            tells_media_started: false,
            speech_fec: false,
            l4s: false,
        }
    }

    pub fn with(config: EngineConfig) -> Self {
        let (now, wall) = config.started;
        Self {
            engine: Engine::new(config),
            now,
            wall,
            events: Vec::new(),
            peers: Vec::new(),
            sent: HashMap::new(),
            links: HashMap::new(),
            behind: HashMap::new(),
            is_asleep: false,
            next_tag: 0,
        }
    }

    pub fn room(channel: &str) -> Address {
        Address { channel: ChannelId::new(channel).expect("a channel"), epoch: 1 }
    }

    /// Carries out a command and gives its reply; events go to `events`.
    pub fn command(&mut self, room: &Address, command: Command) -> Result<Reply, ErrorBody> {
        self.next_tag += 1;
        self.engine.handle_command(self.next_tag, room, command, self.now, self.wall);
        let reply = self.drain_notices(self.next_tag);
        self.deliver();
        reply.expect("every command has a reply")
    }

    /// Tells the engine for how long nobody has spoken for that socket of a session.
    pub fn silence(&mut self, room: &Address, session: SessionId, attachment: u32, lasted: Duration) {
        self.engine.on_silence(room, Silence { session, attachment, lasted }, self.now);
        self.drain_notices(0);
        self.deliver();
    }

    fn drain_notices(&mut self, wanted: u64) -> Option<Result<Reply, ErrorBody>> {
        let mut found = None;
        while let Some(notice) = self.engine.poll_notice() {
            match notice {
                Notice::Reply { tag, reply } if tag == wanted => found = Some(reply),
                Notice::Reply { tag, .. } => panic!("a reply to {tag}, which was answered before"),
                Notice::Event(event) => self.events.push(event),
                Notice::MediaStarted(_) => {}
            }
        }
        found
    }

    pub fn join_request(session: u128, tier: Tier) -> JoinRequest {
        JoinRequest {
            session: SessionId::from_bits(session),
            user: UserId::new(format!("user-{session}")).expect("a user"),
            device: None,
            name: None,
            avatar: None,
            grant: Grant { permissions: Permissions::of(tier), video_until: None, relay_only: false },
            limits: RoomLimits::of(Tier::Pro),
            rtp_capabilities: Some(capabilities()),
            resume: None,
            diagnostics: false,
            asked_at: 0,
            anew: false,
            encryption: EncryptionRule::default(),
        }
    }

    /// Takes a seat.
    pub fn join(&mut self, room: &Address, session: u128, tier: Tier) -> SessionId {
        self.join_with(room, Self::join_request(session, tier))
    }

    /// [`Self::join`] as the request says.
    pub fn join_with(&mut self, room: &Address, request: JoinRequest) -> SessionId {
        let id = request.session;
        self.command(room, Command::Join(Box::new(request))).expect("a seat");
        id
    }

    /// A transport that is connected as far as commands tell: nobody is at its other end.
    pub fn open(&mut self, room: &Address, session: SessionId, direction: TransportDirection) -> TransportId {
        let reply = self.command(room, Command::CreateTransport { session, direction });
        let Ok(Reply::TransportCreated { transport, .. }) = reply else { panic!("no transport: {reply:?}") };
        let value = ["AB"; 32].join(":");
        let fingerprints = vec![DtlsFingerprint { algorithm: "sha-256".into(), value }];
        let dtls = DtlsParameters { role: DtlsRole::Client, fingerprints };
        self.command(room, Command::ConnectTransport { session, transport, dtls }).expect("connected");
        transport
    }

    /// Creates and connects a transport from an address that follows from its place in `peers`,
    /// which it gives.
    pub fn connect(&mut self, room: &Address, session: SessionId, direction: TransportDirection) -> usize {
        let number = u16::try_from(self.peers.len()).expect("few peers");
        let address = SocketAddr::from(([10, 9, (number >> 8) as u8, (number & 0xff) as u8], 5000));
        self.connect_from(address, room, session, direction)
    }

    /// The client of a new transport that is connected as far as commands tell, and has sent nothing yet.
    pub fn begin(
        &mut self,
        address: SocketAddr,
        room: &Address,
        session: SessionId,
        direction: TransportDirection,
    ) -> Peer {
        let reply = self.command(room, Command::CreateTransport { session, direction });
        let Ok(Reply::TransportCreated { transport, parameters, .. }) = reply else {
            panic!("no transport: {reply:?}")
        };
        let peer = Peer::new(transport, address, &parameters, 1 + self.peers.len() as u64, self.now);
        let dtls = peer.dtls_parameters();
        self.command(room, Command::ConnectTransport { session, transport, dtls }).expect("connected");
        peer
    }

    /// [`Self::connect`] from an address of the caller's choice.
    pub fn connect_from(
        &mut self,
        address: SocketAddr,
        room: &Address,
        session: SessionId,
        direction: TransportDirection,
    ) -> usize {
        let place = self.peers.len();
        let peer = self.begin(address, room, session, direction);
        self.peers.push(peer);
        self.peers[place].start(self.now);
        for _ in 0..200 {
            self.exchange();
            if self.peers[place].is_connected() {
                self.exchange();
                return place;
            }
            self.advance(Duration::from_millis(10));
        }
        panic!("no handshake");
    }

    /// Gives a connected transport keys of this suite on both sides, in place of a handshake that
    /// negotiates it.
    pub fn use_suite(&mut self, peer: usize, suite: Suite) {
        let key = |side: u8| {
            let bytes: Vec<u8> = (0..32).map(|n| n ^ side).chain((peer as u64).to_be_bytes()).collect();
            let key = bytes[bytes.len() - suite.key_len()..].to_vec();
            MasterKey::new(suite, &key, &bytes[..suite.salt_len()]).expect("the suite's lengths")
        };
        let (node, client) = (key(0x55), key(0xaa));
        let of_node = SrtpKeys { inbound: client.clone(), outbound: node.clone() };
        assert!(
            testing::replace_srtp_keys(&mut self.engine, self.peers[peer].address, &of_node),
            "a connected peer"
        );
        self.peers[peer].use_keys(&SrtpKeys { inbound: node, outbound: client });
    }

    /// Starts sending a source over a connected transport.
    pub fn produce(
        &mut self,
        room: &Address,
        session: SessionId,
        peer: usize,
        offer: &Offer,
    ) -> Result<ProducerId, ErrorBody> {
        self.produce_on(room, session, self.peers[peer].id, offer)
    }

    /// [`Self::produce`], whoever is at the transport's other end.
    pub fn produce_on(
        &mut self,
        room: &Address,
        session: SessionId,
        transport: TransportId,
        offer: &Offer,
    ) -> Result<ProducerId, ErrorBody> {
        let command = Command::Produce {
            session,
            transport,
            kind: offer.source.kind(),
            source: offer.source,
            rtp_parameters: Box::new(offer.parameters.clone()),
        };
        match self.command(room, command)? {
            Reply::Produced { producer, .. } => Ok(producer),
            other => panic!("not the reply to produce: {other:?}"),
        }
    }

    /// Starts receiving a producer, resumed.
    pub fn consume(
        &mut self,
        room: &Address,
        session: SessionId,
        producer: ProducerId,
    ) -> Result<ConsumerDescription, ErrorBody> {
        let command = Command::Consume { session, transport: None, producer, rtp_capabilities: None };
        let description = match self.command(room, command)? {
            Reply::Consumed(description) => *description,
            other => panic!("not the reply to consume: {other:?}"),
        };
        let consumer = description.consumer;
        self.command(room, Command::ResumeConsumer { session, consumer })?;
        Ok(description)
    }

    /// What one session heard so far, in order.
    pub fn heard_by(&self, session: SessionId) -> Vec<&Event> {
        let is_for = |event: &&RoomEvent| match event.audience {
            Audience::Everyone => true,
            Audience::Except(other) => other != session,
            Audience::Only(one) => one == session,
        };
        self.events.iter().filter(is_for).map(|event| &event.event).collect()
    }

    /// Gives the engine one datagram and delivers what comes of it.
    pub fn send(&mut self, source: SocketAddr, datagram: Vec<u8>) {
        self.send_late(source, datagram, Duration::ZERO);
    }

    /// The same of one that waited for the worker for so long.
    pub fn send_late(&mut self, source: SocketAddr, datagram: Vec<u8>, late: Duration) {
        self.handle(source, datagram, Datagram::arrived(self.now, late), Ecn::NotEct);
    }

    /// The same of one whose IP header has these bits.
    pub fn send_marked(&mut self, source: SocketAddr, datagram: Vec<u8>, ecn: Ecn) {
        self.handle(source, datagram, self.now, ecn);
    }

    fn handle(&mut self, source: SocketAddr, mut datagram: Vec<u8>, arrived: Instant, ecn: Ecn) {
        let mut datagrams = [Datagram { source, bytes: &mut datagram, arrived, ecn }];
        let Self { engine, sent, links, behind, peers, now, .. } = self;
        engine.handle_datagrams(&mut datagrams, *now, |batch| {
            deliver(batch, sent, (&mut *links, &*behind), peers, *now)
        });
        self.drain_notices(0);
        self.deliver();
    }

    /// Lets everything that was said arrive, until nobody says anything more.
    pub fn exchange(&mut self) {
        loop {
            let mut moved = false;
            for place in 0..self.peers.len() {
                for datagram in self.peers[place].take_outgoing() {
                    moved = true;
                    self.send(self.peers[place].address, datagram);
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// The bytes that this address was sent so far.
    pub fn bytes_to(&self, address: SocketAddr) -> u64 {
        self.sent.get(&address).map_or(0, |sent| sent.bytes)
    }

    /// Moves the time, doing on both sides what falls due.
    pub fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        loop {
            let due = self.engine.poll_timeout().filter(|due| *due <= end && !self.is_asleep);
            let arrival = self.links.values().filter_map(Link::next).min().filter(|at| *at <= end);
            if let Some(at) = arrival.filter(|at| due.is_none_or(|due| *at <= due)) {
                self.now = self.now.max(at);
                self.arrive();
            } else if let Some(due) = due {
                self.now = self.now.max(due);
                self.engine.handle_timeout(self.now);
                self.drain_notices(0);
                self.deliver();
            } else {
                break;
            }
        }
        self.now = end;
        self.wall += by;
        for peer in &mut self.peers {
            peer.handle_timeout(end);
        }
        self.exchange();
    }

    /// What comes off the links by now.
    fn arrive(&mut self) {
        for link in self.links.values_mut() {
            while let Some((address, datagram, ecn)) = link.pop_marked(self.now) {
                if let Some(peer) = self.peers.iter_mut().find(|peer| peer.address == address) {
                    peer.receive_marked(&datagram, ecn, self.now);
                }
            }
        }
    }

    fn deliver(&mut self) {
        let sends = self.engine.sends();
        deliver(sends, &mut self.sent, (&mut self.links, &self.behind), &mut self.peers, self.now);
        sends.clear();
    }
}

/// Hands what the engine sent to the peers at those addresses.
fn deliver(
    sends: &SendBatch,
    sent: &mut HashMap<SocketAddr, Sent>,
    (links, behind): (&mut HashMap<SocketAddr, Link>, &HashMap<SocketAddr, SocketAddr>),
    peers: &mut [Peer],
    now: Instant,
) {
    for run in sends.runs() {
        let sent = sent.entry(run.to).or_insert(Sent { bytes: 0, last_at: now });
        *sent = Sent { bytes: sent.bytes + run.len as u64, last_at: now };
        if let Some(link) = links.get_mut(behind.get(&run.to).unwrap_or(&run.to)) {
            for datagram in sends.bytes(run).chunks(run.segment) {
                link.push_marked(run.to, datagram.to_vec(), run.ecn, now);
            }
            continue;
        }
        let Some(peer) =
            peers.iter_mut().find(|peer| peer.address == run.to || peer.others.contains(&run.to))
        else {
            continue;
        };
        for datagram in sends.bytes(run).chunks(run.segment) {
            peer.receive_marked(datagram, run.ecn, now);
        }
    }
}
