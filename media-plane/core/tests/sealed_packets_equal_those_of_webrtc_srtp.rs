//! The `webrtc-srtp` crate is the second implementation: with the same keys it must make the same
//! bytes, and each side must open what the other sealed. `PROPTEST_CASES` sets the number of
//! streams; 20000 of them are about a million packets.

use proptest::prelude::*;
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_media_core::srtp::{
    InboundControl, InboundSession, InboundStream, MasterKey, OutboundControl, OutboundSession, Suite,
};
use webrtc_srtp::context::Context;
use webrtc_srtp::protection_profile::ProtectionProfile;

#[derive(Clone, Debug)]
struct Keys {
    suite: Suite,
    key: Vec<u8>,
    salt: Vec<u8>,
}

impl Keys {
    fn ours(&self) -> MasterKey {
        MasterKey::new(self.suite, &self.key, &self.salt).unwrap()
    }

    fn theirs(&self) -> Context {
        let profile = match self.suite {
            Suite::AeadAes256Gcm => ProtectionProfile::AeadAes256Gcm,
            Suite::AeadAes128Gcm => ProtectionProfile::AeadAes128Gcm,
            Suite::AesCm128HmacSha1_80 => ProtectionProfile::Aes128CmHmacSha1_80,
        };
        Context::new(&self.key, &self.salt, profile, None, None).unwrap()
    }
}

fn keys() -> impl Strategy<Value = Keys> {
    let bytes = |len| prop::collection::vec(any::<u8>(), len);
    prop::sample::select(&Suite::ALL[..]).prop_flat_map(move |suite| {
        (bytes(suite.key_len()), bytes(suite.salt_len())).prop_map(move |(key, salt)| Keys {
            suite,
            key,
            salt,
        })
    })
}

#[derive(Clone, Debug)]
struct Packet {
    /// How far the sequence number goes on, so that a stream has several roll-overs.
    step: u64,
    csrcs: usize,
    elements: Vec<(u8, Vec<u8>)>,
    payload: Vec<u8>,
}

fn packet() -> impl Strategy<Value = Packet> {
    let elements = prop::collection::vec((1..=20_u8, prop::collection::vec(any::<u8>(), 1..20)), 0..4);
    let payload = prop::collection::vec(any::<u8>(), 0..300);
    (1..20_000_u64, 0..3_usize, elements, payload).prop_map(|(step, csrcs, elements, payload)| Packet {
        step,
        csrcs,
        elements,
        payload,
    })
}

impl Packet {
    /// The plain packet and its header's length.
    fn write(&self, index: u64, ssrc: u32) -> (Vec<u8>, usize) {
        let [.., s0, s1] = index.to_be_bytes();
        let writer = HeaderWriter {
            marker: index.is_multiple_of(3),
            payload_type: 111,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: 77,
            ssrc,
        };
        let elements: Vec<_> = self.elements.iter().map(|(id, data)| (*id, &data[..])).collect();
        let mut bytes = vec![0; 1000];
        let len = writer.write(&mut bytes, &elements).unwrap().len;
        bytes.truncate(len);
        bytes[0] |= u8::try_from(self.csrcs).unwrap();
        bytes.splice(12..12, vec![0xcc; 4 * self.csrcs]);
        let header_len = bytes.len();
        bytes.extend(&self.payload);
        (bytes, header_len)
    }
}

proptest! {
    #[test]
    fn rtp(keys in keys(), ssrc: u32, start in 0..65_536_u64, packets in prop::collection::vec(packet(), 1..100)) {
        let (outbound, mut theirs) = (OutboundSession::new(&keys.ours()).unwrap(), keys.theirs());
        let mut their_inbound = keys.theirs();
        let inbound = InboundSession::new(&keys.ours()).unwrap();
        let mut stream = InboundStream::default();
        let mut index = start;
        for packet in packets {
            let (plain, header_len) = packet.write(index, ssrc);
            let mut sealed = plain[..header_len].to_vec();
            sealed.resize(plain.len() + outbound.overhead(), 0);
            let len = outbound.seal_rtp(index, ssrc, header_len, &plain[header_len..], &mut sealed).unwrap();
            prop_assert_eq!(len, sealed.len());
            prop_assert_eq!(&sealed[..], &theirs.encrypt_rtp(&plain).unwrap()[..]);
            prop_assert_eq!(&their_inbound.decrypt_rtp(&sealed).unwrap()[..], &plain[..]);
            let header = RtpHeader::parse(&sealed).unwrap();
            prop_assert_eq!(header.header_len, header_len);
            let len = inbound.open_rtp(&mut stream, &header, &mut sealed).unwrap();
            prop_assert_eq!(&sealed[..len], &plain[..]);
            prop_assert_eq!(stream.highest_index(), Some(index));
            index += packet.step;
        }
    }

    #[test]
    fn rtcp(keys in keys(), ssrc: u32, bodies in prop::collection::vec(prop::collection::vec(any::<[u8; 4]>(), 0..40), 1..100)) {
        let mut outbound = OutboundControl::new(&keys.ours()).unwrap();
        let mut inbound = InboundControl::new(&keys.ours()).unwrap();
        let (mut theirs, mut their_inbound) = (keys.theirs(), keys.theirs());
        // The crate counts from 1, we from 0 as the RFC has it.
        outbound.seal_rtcp(&mut [0x80, 201, 0, 1, 0, 0, 0, 0].repeat(4), 8).unwrap();
        for body in bodies {
            let words = u16::try_from(body.len() + 1).unwrap().to_be_bytes();
            let mut plain = vec![0x80, 201, words[0], words[1]];
            plain.extend(ssrc.to_be_bytes());
            plain.extend(body.concat());
            let mut sealed = plain.clone();
            sealed.resize(plain.len() + outbound.overhead(), 0);
            let len = outbound.seal_rtcp(&mut sealed, plain.len()).unwrap();
            prop_assert_eq!(len, sealed.len());
            prop_assert_eq!(&sealed[..], &theirs.encrypt_rtcp(&plain).unwrap()[..]);
            prop_assert_eq!(&their_inbound.decrypt_rtcp(&sealed).unwrap()[..], &plain[..]);
            let len = inbound.open_rtcp(&mut sealed).unwrap();
            prop_assert_eq!(&sealed[..len], &plain[..]);
        }
    }
}
