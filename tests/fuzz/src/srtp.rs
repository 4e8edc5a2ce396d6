//! Packet protection: what was sealed opens once, what was touched does not.

use crate::input::{Input, lot};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_media_core::srtp::{
    InboundControl, InboundSession, InboundStream, MasterKey, OutboundControl, OutboundSession, SrtpError,
    Suite,
};

/// A sealed packet with some of its bytes changed, cut off or added: it opens only if it is the same,
/// to what was sealed, and only once.
pub fn unprotect(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.u8();
    let suite = input.choose(&Suite::ALL);
    // A key of its own: a fuzzer that sees what is compared learns packets that were sealed before.
    let key = lot(data).to_be_bytes().repeat(4);
    let master = MasterKey::new(suite, &key[..suite.key_len()], &key[..suite.salt_len()]).expect("a key");
    if flags & 1 == 0 { media(&mut input, &master) } else { control(&mut input, &master) }
}

fn media(input: &mut Input<'_>, master: &MasterKey) {
    let outbound = OutboundSession::new(master).expect("a key");
    let inbound = InboundSession::new(master).expect("a key");
    let (sequence, ssrc, rollovers) = (input.u16(), input.u32(), u64::from(input.u8() & 3));
    let header =
        HeaderWriter { marker: false, payload_type: input.u8() & 0x7f, sequence, timestamp: 9, ssrc };
    let mid = input.short();
    let payload = input.short();
    let mut plain = [0; 1024];
    let elements = [(1, mid)];
    let header_len = header.write(&mut plain, &elements[..usize::from(!mid.is_empty())]).expect("room").len;
    let mut stream = InboundStream::default();
    let mut packet = plain;
    let index = if rollovers == 0 { u64::from(sequence) } else { rollovers << 16 | u64::from(sequence) };
    let sealed = outbound.seal_rtp(index, ssrc, header_len, payload, &mut packet);
    let original = packet[..sealed.expect("room")].to_vec();
    let mut mutant = original.clone();
    mutate(input, &mut mutant);

    if let Ok(read) = RtpHeader::parse(&mutant) {
        let before = stream.clone();
        let mut opened = mutant.clone();
        match inbound.open_rtp(&mut stream, &read, &mut opened) {
            Ok(len) => {
                assert!(mutant == original && rollovers == 0, "a forged packet was opened");
                assert_eq!(&opened[header_len..len], payload);
            }
            Err(_) => assert_eq!(stream, before, "a forged packet was remembered"),
        }
    }
    if rollovers != 0 {
        return;
    }
    let read = RtpHeader::parse(&original).expect("what was written");
    let open = |stream: &mut InboundStream| inbound.open_rtp(stream, &read, &mut original.clone());
    assert_eq!(open(&mut stream).is_ok(), mutant != original, "the packet itself opens, once");
    assert_eq!(open(&mut stream), Err(SrtpError::Replayed));
}

fn control(input: &mut Input<'_>, master: &MasterKey) {
    let plain = [&[0x80, 201, 0, 1][..], &input.u32().to_be_bytes(), input.short()].concat();
    let mut outbound = OutboundControl::new(master).expect("a key");
    let mut original = plain.clone();
    original.resize(plain.len() + outbound.overhead(), 0);
    outbound.seal_rtcp(&mut original, plain.len()).expect("room");
    let mut mutant = original.clone();
    mutate(input, &mut mutant);
    let mut inbound = InboundControl::new(master).expect("a key");
    let mut opened = mutant.clone();
    if let Ok(len) = inbound.open_rtcp(&mut opened) {
        assert_eq!(mutant, original, "a forged packet was opened");
        assert_eq!(opened[..len], plain);
    }
    assert_eq!(inbound.open_rtcp(&mut original.clone()).is_ok(), mutant != original);
    assert_eq!(inbound.open_rtcp(&mut original.clone()), Err(SrtpError::Replayed));
}

/// Up to eight changes, as the input says.
fn mutate(input: &mut Input<'_>, packet: &mut Vec<u8>) {
    for _ in 0..8 {
        if input.is_empty() {
            return;
        }
        match input.u8() % 4 {
            0 | 1 if !packet.is_empty() => {
                let at = usize::from(input.u16()) % packet.len();
                packet[at] ^= input.u8();
            }
            2 => packet.truncate(usize::from(input.u16())),
            _ => packet.extend_from_slice(input.short()),
        }
    }
}
