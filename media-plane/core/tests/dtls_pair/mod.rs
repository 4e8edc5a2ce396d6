//! A node's [`DtlsTransport`] and a `dimpl` peer, joined by a network in virtual time that loses,
//! repeats and reorders by a seed.
use dimpl::{Config, Dtls, DtlsCertificate, Output};
use railgun_media_core::transport::dtls::{
    Certificate, DtlsFailure, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN, SrtpKeyMaterial,
};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsRole};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

pub(crate) static NODE_CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::generate().unwrap());
pub(crate) static PEER_CERTIFICATE: LazyLock<DtlsCertificate> =
    LazyLock::new(|| dimpl::certificate::generate_self_signed_certificate().unwrap());

pub(crate) fn peer_fingerprint() -> DtlsFingerprint {
    DtlsFingerprint { algorithm: "sha-256".into(), value: PEER_CERTIFICATE.fingerprint_str() }
}

/// The node's side and everything it said.
pub(crate) struct Node {
    pub(crate) dtls: DtlsTransport,
    pub(crate) keys: Option<SrtpKeyMaterial>,
    pub(crate) failure: Option<DtlsFailure>,
    pub(crate) closed: bool,
    pub(crate) wake: Option<Instant>,
    pub(crate) sent: usize,
}

impl Node {
    pub(crate) fn new(version: DtlsVersion, peer_role: DtlsRole, now: Instant) -> Self {
        Self::expecting(&[peer_fingerprint()], version, peer_role, now)
    }

    pub(crate) fn server(now: Instant) -> Self {
        Self::new(DtlsVersion::Dtls12, DtlsRole::Client, now)
    }

    pub(crate) fn expecting(
        fingerprints: &[DtlsFingerprint],
        version: DtlsVersion,
        peer_role: DtlsRole,
        now: Instant,
    ) -> Self {
        let certificate = NODE_CERTIFICATE.clone();
        let dtls = DtlsTransport::new(certificate, version, peer_role, fingerprints, now).unwrap();
        Self { dtls, keys: None, failure: None, closed: false, wake: None, sent: 0 }
    }

    pub(crate) fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut buf = [0; POLL_BUFFER_LEN];
        let mut packets = Vec::new();
        loop {
            match self.dtls.poll(&mut buf) {
                DtlsOutput::Packet(len) => packets.push(buf[..len].to_vec()),
                DtlsOutput::Connected(keys) => assert!(self.keys.replace(keys).is_none()),
                DtlsOutput::Failed(failure) => assert!(self.failure.replace(failure).is_none()),
                DtlsOutput::Closed => self.closed = true,
                DtlsOutput::None => break,
            }
        }
        self.sent += packets.len();
        self.wake = self.dtls.next_timeout();
        packets
    }

    /// Takes `datagram` and returns the answer.
    pub(crate) fn answer(&mut self, datagram: &[u8], now: Instant) -> Vec<Vec<u8>> {
        self.dtls.handle(datagram, now);
        self.drain()
    }
}

/// The other implementation's side.
pub(crate) struct Peer {
    pub(crate) dtls: Dtls,
    pub(crate) keys: Option<Vec<u8>>,
    pub(crate) closed: bool,
    pub(crate) dead: bool,
    wake: Option<Instant>,
}

impl Peer {
    pub(crate) fn new(version: DtlsVersion, is_client: bool, seed: u64, now: Instant) -> Self {
        let config = Config::builder()
            .flight_start_rto(Duration::from_millis(100))
            .flight_retries(10)
            .dangerously_set_rng_seed(!seed)
            .build()
            .unwrap();
        let (config, pair) = (Arc::new(config), PEER_CERTIFICATE.clone());
        let mut dtls = match version {
            DtlsVersion::Dtls12 => Dtls::new_12(config, pair, now),
            DtlsVersion::Dtls13 => Dtls::new_13(config, pair, now),
            DtlsVersion::Auto => Dtls::new_auto(config, pair, now),
        };
        dtls.set_active(is_client);
        dtls.handle_timeout(now).unwrap();
        Self { dtls, keys: None, closed: false, dead: false, wake: None }
    }

    pub(crate) fn client(now: Instant) -> Self {
        Self::new(DtlsVersion::Dtls12, true, 1, now)
    }

    pub(crate) fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut buf = [0; 4096];
        let mut packets = Vec::new();
        while !self.dead {
            match self.dtls.poll_output(&mut buf) {
                Output::Packet(packet) => packets.push(packet.to_vec()),
                Output::KeyingMaterial(keys, _) => self.keys = Some(keys.to_vec()),
                Output::CloseNotify => self.closed = true,
                Output::Timeout(at) => {
                    self.wake = Some(at);
                    break;
                }
                _ => {}
            }
        }
        packets
    }

    pub(crate) fn answer(&mut self, datagram: &[u8], now: Instant) -> Vec<Vec<u8>> {
        self.dead |= self.dtls.handle_timeout(now).is_err() || self.dtls.handle_packet(datagram).is_err();
        self.drain()
    }
}

/// Chances in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) loss: u32,
    pub(crate) repeat: u32,
    pub(crate) reorder: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Node,
    Peer,
}

pub(crate) struct Network {
    pub(crate) now: Instant,
    rng: ChaCha8Rng,
    weather: Weather,
    in_flight: Vec<(Instant, To, Vec<u8>)>,
}

impl Network {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        Self { now: Instant::now(), rng, weather, in_flight: Vec::new() }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    pub(crate) fn send(&mut self, to: To, packets: Vec<Vec<u8>>) {
        for packet in packets {
            let copies = if self.chance(self.weather.repeat) { 2 } else { 1 };
            for _ in 0..copies {
                if self.chance(self.weather.loss) {
                    continue;
                }
                let late = if self.chance(self.weather.reorder) { 60 } else { 0 };
                let delay = self.rng.random_range(10..15) + late;
                self.in_flight.push((self.now + Duration::from_millis(delay), to, packet.clone()));
            }
        }
    }

    /// Runs until both sides have keys or one has failed; false if 20 s were not enough.
    pub(crate) fn run(&mut self, node: &mut Node, peer: &mut Peer) -> bool {
        let end = self.now + Duration::from_secs(20);
        node.dtls.start(self.now);
        let (from_node, from_peer) = (node.drain(), peer.drain());
        self.send(To::Peer, from_node);
        self.send(To::Node, from_peer);
        while node.keys.is_none() || peer.keys.is_none() {
            if node.failure.is_some() || !self.step(node, peer) || self.now > end {
                return false;
            }
        }
        true
    }

    /// Moves to the next arrival or timer.
    fn step(&mut self, node: &mut Node, peer: &mut Peer) -> bool {
        let next = self.in_flight.iter().enumerate().min_by_key(|(_, (at, ..))| *at);
        let arrival = next.map(|(index, (at, ..))| (index, *at));
        let wake = [node.wake, peer.wake.filter(|_| !peer.dead)].into_iter().flatten().min();
        match (arrival, wake) {
            (Some((index, at)), wake) if wake.is_none_or(|wake| at <= wake) => {
                self.now = self.now.max(at);
                let (_, to, packet) = self.in_flight.swap_remove(index);
                match to {
                    To::Node => {
                        let answer = node.answer(&packet, self.now);
                        self.send(To::Peer, answer);
                    }
                    To::Peer => {
                        let answer = peer.answer(&packet, self.now);
                        self.send(To::Node, answer);
                    }
                }
            }
            (_, Some(wake)) => {
                self.now = self.now.max(wake);
                node.dtls.handle_timeout(self.now);
                let from_node = node.drain();
                peer.dead |= !peer.dead && peer.dtls.handle_timeout(self.now).is_err();
                let from_peer = peer.drain();
                self.send(To::Peer, from_node);
                self.send(To::Node, from_peer);
            }
            (_, None) => return false,
        }
        true
    }
}

/// A pair that is through its handshake, and the time.
pub(crate) fn connected_pair() -> (Node, Peer, Instant) {
    let mut network = Network::new(Weather::default(), 0);
    let (mut node, mut peer) = (Node::server(network.now), Peer::client(network.now));
    assert!(network.run(&mut node, &mut peer));
    (node, peer, network.now)
}

/// A DTLS 1.2 record header and `body`.
pub(crate) fn record(content_type: u8, epoch: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![content_type, 0xfe, 0xfd];
    bytes.extend_from_slice(&epoch.to_be_bytes());
    bytes.extend_from_slice(&sequence.to_be_bytes()[2..]);
    bytes.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// A plaintext record with one handshake fragment.
pub(crate) fn fragment(msg_type: u8, length: u32, message_seq: u16, offset: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![msg_type];
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.extend_from_slice(&message_seq.to_be_bytes());
    bytes.extend_from_slice(&offset.to_be_bytes()[1..]);
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    bytes.extend_from_slice(body);
    record(22, 0, u64::from(offset), &bytes)
}
