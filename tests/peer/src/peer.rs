//! One transport of a client: ICE checks, DTLS as the client, SRTP both ways.

use crate::heard::Heard;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::kind::{Kind, classify};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_media_core::srtp::{
    InboundControl, InboundSession, InboundStream, OutboundControl, OutboundSession, Suite,
};
use railgun_media_core::transport::dtls::{
    Certificate, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN, SrtpKeys,
};
use railgun_protocol::ids::TransportId;
use railgun_protocol::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceParameters, TransportParameters,
};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;
use stun::agent::TransactionId;
use stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType};
use stun::fingerprint::FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_REQUEST, Message, Setter};

/// Of packets that tell a MID.
const MID_PAYLOAD_TYPE: u8 = 126;

/// Something the node sent, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    Rtp(Vec<u8>),
    Rtcp(Vec<u8>),
    Stun(Vec<u8>),
    /// Could not be opened with this peer's keys.
    Unopened(Vec<u8>),
}

/// A client's transport.
#[derive(Debug)]
pub struct Peer {
    pub id: TransportId,
    pub address: SocketAddr,
    pub arrivals: Vec<Arrival>,
    /// RTP packets of padding alone that told a stream's MID, each with the number of `arrivals` before it. Browsers ignore them, as
    /// they have no codec for the payload type.
    pub mid_packets: Vec<(usize, Vec<u8>)>,
    ice: IceParameters,
    certificate: Certificate,
    dtls: DtlsTransport,
    keys: Option<PeerKeys>,
    streams: HashMap<u32, InboundStream>,
    /// Where else it receives, as a client with several interfaces does.
    pub others: Vec<SocketAddr>,
    pub(crate) heard: Heard,
    outgoing: Vec<Vec<u8>>,
    checks: u128,
}

#[derive(Debug)]
struct PeerKeys {
    inbound: InboundSession,
    inbound_control: InboundControl,
    outbound: OutboundSession,
    outbound_control: OutboundControl,
}

impl Peer {
    /// A peer for the transport that the node described. `seed` must differ between peers.
    pub fn new(
        id: TransportId,
        address: SocketAddr,
        node: &TransportParameters,
        seed: u64,
        now: Instant,
    ) -> Self {
        let certificate = Certificate::generate().expect("a certificate");
        let fingerprints = &node.dtls_parameters.fingerprints;
        let dtls =
            DtlsTransport::new(certificate.clone(), DtlsVersion::Dtls12, DtlsRole::Server, fingerprints, now);
        Self {
            id,
            address,
            arrivals: Vec::new(),
            mid_packets: Vec::new(),
            ice: node.ice_parameters.clone(),
            certificate,
            dtls: dtls.expect("the node's fingerprint"),
            keys: None,
            streams: HashMap::new(),
            others: Vec::new(),
            heard: Heard::default(),
            outgoing: Vec::new(),
            checks: u128::from(seed) << 64,
        }
    }

    /// What to say in `connectTransport`.
    pub fn dtls_parameters(&self) -> DtlsParameters {
        let value = self.certificate.fingerprint_sha256();
        let fingerprint = DtlsFingerprint { algorithm: "sha-256".into(), value };
        DtlsParameters { role: DtlsRole::Client, fingerprints: vec![fingerprint] }
    }

    pub fn is_connected(&self) -> bool {
        self.keys.is_some()
    }

    /// What the handshake chose, once connected.
    pub fn suite(&self) -> Option<Suite> {
        self.keys.as_ref().map(|keys| keys.outbound.suite())
    }

    /// Takes these keys, as if the handshake had given them.
    pub fn use_keys(&mut self, master: &SrtpKeys) {
        self.keys = Some(PeerKeys {
            inbound: InboundSession::new(&master.inbound).expect("keys"),
            inbound_control: InboundControl::new(&master.inbound).expect("keys"),
            outbound: OutboundSession::new(&master.outbound).expect("keys"),
            outbound_control: OutboundControl::new(&master.outbound).expect("keys"),
        });
    }

    /// The node's credentials that checks carry.
    pub fn ice(&self) -> &IceParameters {
        &self.ice
    }

    /// Checks carry these credentials of the node's from now on; gives those before.
    pub fn use_ice(&mut self, parameters: IceParameters) -> IceParameters {
        std::mem::replace(&mut self.ice, parameters)
    }

    /// A valid ICE check that nominates.
    pub fn check(&mut self) -> Vec<u8> {
        self.checks += 1;
        let [_, _, _, _, id @ ..] = self.checks.to_be_bytes();
        let username = format!("{}:peer", self.ice.username_fragment);
        let mut message = Message::new();
        let setters: Vec<Box<dyn Setter>> = vec![
            Box::new(TransactionId(id)),
            Box::new(BINDING_REQUEST),
            Box::new(stun::textattrs::TextAttribute::new(ATTR_USERNAME, username)),
            Box::new(Raw(ATTR_PRIORITY, vec![0x6e, 0x7f, 0x1e, 0xff])),
            Box::new(Raw(ATTR_ICE_CONTROLLING, vec![7; 8])),
            Box::new(Raw(ATTR_USE_CANDIDATE, Vec::new())),
            Box::new(MessageIntegrity::new_short_term_integrity(self.ice.password.clone())),
            Box::new(FINGERPRINT),
        ];
        message.build(&setters).expect("a check");
        message.raw
    }

    /// Begins: the first check, and the handshake after it.
    pub fn start(&mut self, now: Instant) {
        let check = self.check();
        self.outgoing.push(check);
        self.dtls.start(now);
        self.poll_dtls();
    }

    /// Ends the connection by a `close_notify` alert, as a closed page does.
    pub fn close(&mut self) {
        self.dtls.close();
        self.poll_dtls();
    }

    /// Datagrams for the node.
    pub fn take_outgoing(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.outgoing)
    }

    /// Does what is due in the handshake.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.dtls.handle_timeout(now);
        self.poll_dtls();
    }

    /// Takes a datagram from the node.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) {
        self.receive_marked(datagram, Ecn::NotEct, now);
    }

    /// The same of one whose IP header has these bits.
    pub fn receive_marked(&mut self, datagram: &[u8], ecn: Ecn, now: Instant) {
        match classify(datagram) {
            Some(Kind::Dtls) => {
                self.dtls.handle(datagram, now);
                self.poll_dtls();
            }
            Some(Kind::Stun) => self.arrivals.push(Arrival::Stun(datagram.to_vec())),
            Some(Kind::Rtp) => self.receive_rtp(datagram, ecn, now),
            Some(Kind::Rtcp) => self.receive_rtcp(datagram, now),
            None => self.arrivals.push(Arrival::Unopened(datagram.to_vec())),
        }
    }

    fn receive_rtp(&mut self, datagram: &[u8], ecn: Ecn, now: Instant) {
        let mut packet = datagram.to_vec();
        let opened = self.keys.as_ref().and_then(|keys| {
            let header = RtpHeader::parse(&packet).ok()?;
            let stream = self.streams.entry(header.ssrc).or_default();
            keys.inbound.open_rtp(stream, &header, &mut packet).ok()
        });
        let arrival = match opened {
            Some(len) => {
                packet.truncate(len);
                if is_mid_packet(&packet) {
                    return self.mid_packets.push((self.arrivals.len(), packet));
                }
                self.heard.rtp(&packet, ecn, now);
                Arrival::Rtp(packet)
            }
            None => Arrival::Unopened(datagram.to_vec()),
        };
        self.arrivals.push(arrival);
    }

    fn receive_rtcp(&mut self, datagram: &[u8], now: Instant) {
        let mut packet = datagram.to_vec();
        let opened = self.keys.as_mut().and_then(|keys| keys.inbound_control.open_rtcp(&mut packet).ok());
        let arrival = match opened {
            Some(len) => {
                packet.truncate(len);
                self.heard.rtcp(&packet, now);
                Arrival::Rtcp(packet)
            }
            None => Arrival::Unopened(datagram.to_vec()),
        };
        self.arrivals.push(arrival);
    }

    /// Roll-over counter and sequence number of the newest packet that came of this stream.
    pub fn highest_index(&self, ssrc: u32) -> Option<u64> {
        self.streams.get(&ssrc)?.highest_index()
    }

    /// An RTP packet, sealed. `index`: roll-over counter and sequence number.
    pub fn seal_rtp(
        &self,
        header: HeaderWriter,
        index: u64,
        extensions: &[(u8, &[u8])],
        payload: &[u8],
    ) -> Vec<u8> {
        self.seal(header, index, extensions, payload, 0)
    }

    /// [`Self::seal_rtp`] of a packet whose header says that the payload ends in padding.
    pub fn seal_padded(&self, header: HeaderWriter, index: u64, payload: &[u8]) -> Vec<u8> {
        self.seal(header, index, &[], payload, 0x20)
    }

    /// `flags`: of the first byte, more than the header has.
    fn seal(
        &self,
        header: HeaderWriter,
        index: u64,
        extensions: &[(u8, &[u8])],
        payload: &[u8],
        flags: u8,
    ) -> Vec<u8> {
        let keys = self.keys.as_ref().expect("a connected peer");
        let mut out = vec![0; 1500];
        let written = header.write(&mut out, extensions).expect("room");
        out[0] |= flags;
        let len = keys.outbound.seal_rtp(index, header.ssrc, written.len, payload, &mut out);
        out.truncate(len.expect("a sealed packet"));
        out
    }

    /// A compound RTCP packet, sealed.
    pub fn seal_rtcp(&mut self, compound: &[u8]) -> Vec<u8> {
        let keys = self.keys.as_mut().expect("a connected peer");
        let mut out = compound.to_vec();
        out.resize(compound.len() + keys.outbound_control.overhead(), 0);
        keys.outbound_control.seal_rtcp(&mut out, compound.len()).expect("a sealed packet");
        out
    }

    fn poll_dtls(&mut self) {
        let mut buffer = [0; POLL_BUFFER_LEN];
        loop {
            match self.dtls.poll(&mut buffer) {
                DtlsOutput::Packet(len) => self.outgoing.push(buffer[..len].to_vec()),
                DtlsOutput::Connected(material) => self.use_keys(&material.split().expect("keys")),
                DtlsOutput::Failed(_) | DtlsOutput::Closed => {}
                DtlsOutput::None => return,
            }
        }
    }
}

/// An attribute as it is.
struct Raw(AttrType, Vec<u8>);

impl Setter for Raw {
    fn add_to(&self, message: &mut Message) -> Result<(), stun::Error> {
        message.add(self.0, &self.1);
        Ok(())
    }
}

fn is_mid_packet(packet: &[u8]) -> bool {
    RtpHeader::parse(packet).is_ok_and(|header| header.payload_type == MID_PAYLOAD_TYPE)
}
