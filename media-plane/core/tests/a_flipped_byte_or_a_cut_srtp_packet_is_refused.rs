//! No changed or shortened SRTP or SRTCP packet is taken, nor does it change what is remembered.

use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_media_core::srtp::{
    InboundControl, InboundSession, InboundStream, MasterKey, OutboundControl, OutboundSession, SrtpError,
    Suite,
};

const SSRC: u32 = 0x1234_5678;

fn master(suite: Suite) -> MasterKey {
    MasterKey::new(suite, &vec![3; suite.key_len()], &vec![4; suite.salt_len()]).unwrap()
}

fn sealed_rtp(suite: Suite) -> Vec<u8> {
    let writer = HeaderWriter { marker: true, payload_type: 96, sequence: 9, timestamp: 8, ssrc: SSRC };
    let mut packet = vec![0; 1500];
    let header = writer.write(&mut packet, &[(1, b"mid")]).unwrap();
    let session = OutboundSession::new(&master(suite)).unwrap();
    let len = session.seal_rtp(9, SSRC, header.len, &[5; 60], &mut packet).unwrap();
    packet.truncate(len);
    packet
}

fn open_rtp(session: &InboundSession, stream: &mut InboundStream, packet: &[u8]) -> bool {
    RtpHeader::parse(packet)
        .is_ok_and(|header| session.open_rtp(stream, &header, &mut packet.to_vec()).is_ok())
}

#[test]
fn rtp() {
    for suite in Suite::ALL {
        let packet = sealed_rtp(suite);
        let session = InboundSession::new(&master(suite)).unwrap();
        let mut stream = InboundStream::default();
        for (at, bit) in (0..packet.len()).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = packet.clone();
            changed[at] ^= 1 << bit;
            assert!(!open_rtp(&session, &mut stream, &changed), "{suite:?}: byte {at}, bit {bit}");
        }
        for len in 0..packet.len() {
            assert!(!open_rtp(&session, &mut stream, &packet[..len]), "{suite:?}: {len} bytes");
        }
        assert_eq!(stream, InboundStream::default());
        assert!(open_rtp(&session, &mut stream, &packet));
    }
}

#[test]
fn a_header_of_another_packet_is_refused() {
    for suite in Suite::ALL {
        let mut packet = sealed_rtp(suite);
        let session = InboundSession::new(&master(suite)).unwrap();
        let mut header = RtpHeader::parse(&packet).unwrap();
        header.header_len = packet.len();
        let opened = session.open_rtp(&mut InboundStream::default(), &header, &mut packet);
        assert_eq!(opened, Err(SrtpError::TooShort));
    }
}

#[test]
fn rtcp() {
    for suite in Suite::ALL {
        let mut packet = [0x80, 201, 0, 1, 1, 2, 3, 4].repeat(5);
        let plain_len = packet.len();
        packet.resize(100, 0);
        let mut session = OutboundControl::new(&master(suite)).unwrap();
        let len = session.seal_rtcp(&mut packet, plain_len).unwrap();
        packet.truncate(len);
        let mut session = InboundControl::new(&master(suite)).unwrap();
        for (at, bit) in (0..len).flat_map(|at| (0..8).map(move |bit| (at, bit))) {
            let mut changed = packet.clone();
            changed[at] ^= 1 << bit;
            assert!(session.open_rtcp(&mut changed).is_err(), "{suite:?}: byte {at}, bit {bit}");
        }
        for short in 0..len {
            assert!(session.open_rtcp(&mut packet[..short].to_vec()).is_err(), "{suite:?}: {short} bytes");
        }
        assert_eq!(session.open_rtcp(&mut packet.clone()), Ok(plain_len));
        assert_eq!(session.open_rtcp(&mut packet), Err(SrtpError::Replayed));
    }
}

/// More senders than are remembered: each still gets through, and none of the last is taken twice.
#[test]
fn rtcp_senders_beyond_the_cap_replace_the_oldest() {
    let mut outbound = OutboundControl::new(&master(Suite::AeadAes128Gcm)).unwrap();
    let mut inbound = InboundControl::new(&master(Suite::AeadAes128Gcm)).unwrap();
    let sealed: Vec<Vec<u8>> = (0..40)
        .map(|sender| {
            let mut packet = vec![0x80, 201, 0, 1, 0, 0, 0, sender];
            packet.resize(8 + outbound.overhead(), 0);
            outbound.seal_rtcp(&mut packet, 8).unwrap();
            packet
        })
        .collect();
    for packet in &sealed {
        assert_eq!(inbound.open_rtcp(&mut packet.clone()), Ok(8));
    }
    for packet in &sealed[24..] {
        assert_eq!(inbound.open_rtcp(&mut packet.clone()), Err(SrtpError::Replayed));
    }
}
