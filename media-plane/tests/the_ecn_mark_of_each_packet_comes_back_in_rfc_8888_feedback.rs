//! ECN from end to end, over real sockets: what a client's kernel puts into the IP headers of its packets comes back in the
//! feedback (RFC 8888) of a node with `rtc.l4s`; one without it reads no marks.

use crate::support::{self, Link, join, session};
use railgun_media::Node;
use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::rtcp::{RtcpPacket, parse_compound};
use railgun_peer::{Arrival, MID_ID, Offer, Peer};
use railgun_protocol::media_rpc::{Command, Reply};
use railgun_protocol::signal::Source;
use railgun_protocol::transport_parameters::TransportDirection;
use socket2::SockRef;
use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const PACKETS: u16 = 40;
/// Not-ECT, ECT(1), CE, ECT(0), again and again.
const MARKS: [Ecn; 4] = [Ecn::NotEct, Ecn::Ect1, Ecn::Ce, Ecn::Ect0];

/// A client at a real socket.
struct Client {
    socket: UdpSocket,
    node: SocketAddr,
    peer: Peer,
}

impl Client {
    /// Sends what waits, and takes what comes within a moment.
    fn exchange(&mut self) {
        for datagram in self.peer.take_outgoing() {
            self.socket.send_to(&datagram, self.node).unwrap();
        }
        let mut buffer = [0; 2_000];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            self.peer.receive(&buffer[..len], Instant::now());
        }
        self.peer.handle_timeout(Instant::now());
    }

    /// Until that is so.
    fn exchange_until(&mut self, what: &str, mut is_so: impl FnMut(&mut Peer) -> bool) {
        let from = Instant::now();
        while !is_so(&mut self.peer) {
            assert!(from.elapsed() < support::PATIENCE, "{what}");
            self.exchange();
        }
    }
}

/// A microphone whose packets come with each of the marks, and what a node says of them, by sequence number.
async fn echoed(l4s: bool) -> BTreeMap<u16, Ecn> {
    let mut config = support::config();
    config.rtc.l4s = l4s;
    let node = Node::start(config).unwrap();
    let channel = support::channel_to(&node);
    let mut link = Link::open(&channel).await;
    let request = link.send("lobby", join(1)).await;
    link.reply(request).await.unwrap();
    let create = Command::CreateTransport { session: session(1), direction: TransportDirection::Send };
    let request = link.send("lobby", create).await;
    let Ok(Reply::TransportCreated { transport, parameters, .. }) = link.reply(request).await else {
        panic!("no transport")
    };
    let candidate = &parameters.ice_candidates[0];
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    let peer = Peer::new(transport, socket.local_addr().unwrap(), &parameters, 1, Instant::now());
    let dtls = peer.dtls_parameters();
    let mut client = Client { socket, node: (candidate.address, candidate.port).into(), peer };
    let request =
        link.send("lobby", Command::ConnectTransport { session: session(1), transport, dtls }).await;
    link.reply(request).await.unwrap();
    let offer = Offer::new(Source::Mic, 0).with_ccfb();
    let produce = Command::Produce {
        session: session(1),
        transport,
        kind: offer.source.kind(),
        source: offer.source,
        rtp_parameters: Box::new(offer.parameters.clone()),
    };
    let request = link.send("lobby", produce).await;
    link.reply(request).await.unwrap();

    client.peer.start(Instant::now());
    client.exchange_until("no handshake", |peer| peer.is_connected());
    for (index, mark) in (0..PACKETS).zip(MARKS.into_iter().cycle()) {
        let header = offer.header(index.into(), 960 * u32::from(index), false);
        let mid = [(MID_ID, offer.mid.as_bytes())];
        let packet = client.peer.seal_rtp(header, index.into(), &mid, b"speech");
        SockRef::from(&client.socket).set_tos_v4(mark.bits().into()).unwrap();
        client.socket.send_to(&packet, client.node).unwrap();
    }
    SockRef::from(&client.socket).set_tos_v4(0).unwrap();
    let mut told = BTreeMap::new();
    client.exchange_until("no feedback on each packet", |peer| {
        for arrival in peer.arrivals.drain(..) {
            let Arrival::Rtcp(compound) = arrival else { continue };
            for packet in parse_compound(&compound).unwrap() {
                assert!(!matches!(packet, RtcpPacket::TransportCc(_)));
                let RtcpPacket::CongestionFeedback(feedback) = packet else { continue };
                let mine = feedback.streams().filter(|stream| stream.ssrc == offer.ssrc);
                told.extend(
                    mine.flat_map(|stream| stream.packets())
                        .filter_map(|(sequence, packet)| Some((sequence, packet?.ecn))),
                );
            }
        }
        told.len() == usize::from(PACKETS)
    });
    node.stop().await;
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_as_it_was_set_with_l4s() {
    let expected: BTreeMap<u16, Ecn> = (0..PACKETS).zip(MARKS.into_iter().cycle()).collect();
    assert_eq!(echoed(true).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_none_without_it() {
    assert!(echoed(false).await.into_values().all(|ecn| ecn == Ecn::NotEct));
}
