//! A link against a peer on loopback: ICE-lite on the `stun` crate, a DTLS server, SRTP back.

use super::dtls::{DtlsPipe, Identity};
use super::link::{Link, Remote};
use super::routes::Routes;
use super::srtp::{Contexts, SrtpProfile};
use crate::error::ClientError;
use bytes::Bytes;
use railgun_protocol::transport_parameters::{
    DtlsFingerprint, DtlsParameters, DtlsRole, IceCandidate, IceParameters, TransportParameters,
};
use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtp::header::Header;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use stun::attributes::ATTR_USERNAME;
use stun::fingerprint::FINGERPRINT;
use stun::integrity::MessageIntegrity;
use stun::message::{BINDING_SUCCESS, Message, Setter, is_message};
use stun::xoraddr::XorMappedAddress;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use webrtc_dtls::config::{ClientAuthType, Config};
use webrtc_dtls::conn::DTLSConn;
use webrtc_util::Conn;
use webrtc_util::marshal::{Marshal, Unmarshal};

const PASSWORD: &str = "a password of thirty-two letters";
const SSRC: u32 = 77;

/// How much of its part the peer plays.
#[derive(Clone, Copy, PartialEq)]
enum Peer {
    Silent,
    IceOnly,
    Whole,
}

fn parameters(address: SocketAddr, fingerprint: DtlsFingerprint) -> TransportParameters {
    TransportParameters {
        ice_parameters: IceParameters {
            username_fragment: "lite".into(),
            password: PASSWORD.into(),
            ice_lite: true,
        },
        ice_candidates: vec![IceCandidate::udp_host(address.ip(), address.port(), 0)],
        dtls_parameters: DtlsParameters { role: DtlsRole::Auto, fingerprints: vec![fingerprint] },
    }
}

/// Answers one client until the test ends.
async fn serve(socket: Arc<UdpSocket>, peer: Peer, identity: Identity, profile: SrtpProfile) {
    let mut buffer = [0; 2048];
    let (records, incoming) = mpsc::channel(32);
    let (media, media_queue) = mpsc::channel(32);
    let mut unstarted = Some((incoming, media_queue, identity));
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        let datagram = &buffer[..length];
        match datagram {
            _ if peer == Peer::Silent => {}
            _ if is_message(datagram) => {
                socket.send_to(&binding_success(datagram, from), from).await.unwrap();
            }
            [20..=63, ..] if peer == Peer::Whole => {
                if let Some((incoming, media_queue, identity)) = unstarted.take() {
                    socket.connect(from).await.unwrap();
                    tokio::spawn(secure(socket.clone(), incoming, media_queue, identity, profile));
                }
                _ = records.try_send(datagram.to_vec());
            }
            [128..=191, ..] => _ = media.try_send(datagram.to_vec()),
            _ => {}
        }
    }
}

fn binding_success(request: &[u8], from: SocketAddr) -> Vec<u8> {
    let mut asked = Message::new();
    asked.unmarshal_binary(request).unwrap();
    let (username, found) = asked.attributes.get(ATTR_USERNAME);
    assert!(found && username.value.starts_with(b"lite:"));
    let integrity = MessageIntegrity::new_short_term_integrity(PASSWORD.into());
    integrity.check(&mut asked).unwrap();
    let mut answer = Message::new();
    answer.transaction_id = asked.transaction_id;
    let mapped = XorMappedAddress { ip: from.ip(), port: from.port() };
    answer.set_type(BINDING_SUCCESS);
    answer.write_header();
    mapped.add_to(&mut answer).unwrap();
    integrity.add_to(&mut answer).unwrap();
    FINGERPRINT.add_to(&mut answer).unwrap();
    answer.raw
}

/// DTLS as the server, then every RTP payload back reversed and a PLI for it.
async fn secure(
    socket: Arc<UdpSocket>,
    incoming: mpsc::Receiver<Vec<u8>>,
    mut media: mpsc::Receiver<Vec<u8>>,
    identity: Identity,
    profile: SrtpProfile,
) {
    let conn: Arc<dyn Conn + Send + Sync> = socket;
    let config = Config {
        certificates: vec![identity.certificate().clone()],
        srtp_protection_profiles: vec![profile.offered()],
        client_auth: ClientAuthType::RequireAnyClientCert,
        insecure_skip_verify: true,
        ..Config::default()
    };
    let pipe = Arc::new(DtlsPipe::new(conn.clone(), incoming));
    let dtls = DTLSConn::new(pipe, config, false, None).await.unwrap();
    let mut contexts = Contexts::derive(dtls.connection_state().await, profile, false).await.unwrap();
    while let Some(datagram) = media.recv().await {
        let mut plain = contexts.receiving.decrypt_rtp(&datagram).unwrap();
        let header = Header::unmarshal(&mut plain).unwrap();
        let mut back = header.marshal().unwrap().to_vec();
        back.extend(plain.iter().rev());
        let sealed = contexts.sending.encrypt_rtp_with_header(&back, &header).unwrap();
        conn.send(&sealed).await.unwrap();
        // A replay, which the other end must not deliver twice.
        conn.send(&sealed).await.unwrap();
        let pli = PictureLossIndication { sender_ssrc: 1, media_ssrc: SSRC };
        let pli = rtcp::packet::marshal(&[Box::new(pli)]).unwrap();
        conn.send(&contexts.sending.encrypt_rtcp(&pli).unwrap()).await.unwrap();
    }
}

async fn link_to(
    peer: Peer,
    offered: &[SrtpProfile],
    profile: SrtpProfile,
    forged: bool,
    routes: Arc<Routes>,
) -> Result<Link, ClientError> {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let identity = Identity::generate().unwrap();
    let mut fingerprint = identity.fingerprint();
    if forged {
        fingerprint = Identity::generate().unwrap().fingerprint();
    }
    let parameters = parameters(socket.local_addr().unwrap(), fingerprint);
    tokio::spawn(serve(socket, peer, identity, profile));
    let handshake_timeout = Duration::from_secs(if peer == Peer::Whole { 10 } else { 1 });
    let remote = Remote { parameters: &parameters, relays: None, srtp_profiles: offered, handshake_timeout };
    Link::establish(remote, &Identity::generate().unwrap(), routes).await
}

#[tokio::test]
async fn media_goes_both_ways_under_every_profile() {
    for profile in SrtpProfile::ALL {
        let routes = Arc::new(Routes::default());
        let mut packets = routes.add(&[SSRC], 8, None);
        let mut feedback = routes.feedback();
        let link = link_to(Peer::Whole, &SrtpProfile::ALL, profile, false, routes.clone()).await.unwrap();
        assert_eq!(link.srtp_profile(), profile);

        let mut header = Header { version: 2, ssrc: SSRC, sequence_number: 65_535, ..Header::default() };
        header.set_extension(4, Bytes::from_static(b"0")).unwrap();
        link.send_rtp(&header, b"abc").await.unwrap();
        header.sequence_number = 0;
        link.send_rtp(&header, b"de").await.unwrap();

        let first = packets.recv().await.unwrap();
        assert_eq!((first.header.sequence_number, &first.payload[..]), (65_535, &b"cba"[..]));
        assert_eq!(first.header.get_extension(4).as_deref(), Some(&b"0"[..]));
        let second = packets.recv().await.unwrap();
        assert_eq!((second.header.sequence_number, &second.payload[..]), (0, &b"ed"[..]));
        feedback.recv().await.unwrap();
        feedback.recv().await.unwrap();
        let counts = routes.counts();
        assert_eq!((counts.plis, counts.rejected, counts.rtp_unrouted), (2, 2, 0), "{profile:?}");
    }
}

#[tokio::test]
async fn a_certificate_that_signaling_did_not_announce_is_refused() {
    let [profile, ..] = SrtpProfile::ALL;
    let linked = link_to(Peer::Whole, &[profile], profile, true, Arc::default()).await;
    assert!(matches!(linked, Err(ClientError::Fingerprint)), "{linked:?}");
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_an_error_in_time() {
    let [profile, ..] = SrtpProfile::ALL;
    let silent = link_to(Peer::Silent, &[profile], profile, false, Arc::default()).await;
    assert!(matches!(silent, Err(ClientError::Timeout("ICE"))), "{silent:?}");
    let hanging = link_to(Peer::IceOnly, &[profile], profile, false, Arc::default()).await;
    assert!(matches!(hanging, Err(ClientError::Timeout("DTLS"))), "{hanging:?}");
}
