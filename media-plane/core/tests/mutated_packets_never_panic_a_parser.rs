//! A million mutated packets of each kind, the same ones on every run. Where a mutant is taken, all
//! that can be read of it is read.

use railgun_media_core::packet::ecn::Ecn;
use railgun_media_core::packet::kind::classify;
use railgun_media_core::packet::rtcp::{
    FirEntry, LastReference, Pli, Reception, ReportBlock, RtcpPacket, SenderInfo, parse_compound, write_bye,
    write_congestion_feedback, write_fir, write_last_references, write_nack, write_pli,
    write_receiver_report, write_reference_time, write_sdes_cname, write_sender_report,
};
use railgun_media_core::packet::rtp::{HeaderWriter, RtpHeader};
use railgun_media_core::packet::stun::{BindingRequest, IntegrityKey};
use railgun_media_core::srtp::{
    InboundControl, InboundSession, InboundStream, MasterKey, OutboundControl, OutboundSession, Suite,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const MUTANTS: usize = 1_000_000;

/// Makes mutants of seed packets in one buffer.
struct Mutator {
    rng: ChaCha8Rng,
    seeds: Vec<Vec<u8>>,
    buffer: [u8; 1600],
}

impl Mutator {
    fn new(seed: u64, seeds: Vec<Vec<u8>>) -> Self {
        Self { rng: ChaCha8Rng::seed_from_u64(seed), seeds, buffer: [0; 1600] }
    }

    /// The next mutant and the packet it comes from.
    fn next(&mut self) -> (&mut [u8], &[u8]) {
        let [pick, count, ..] = self.rng.next_u64().to_le_bytes();
        let seed = &self.seeds[usize::from(pick) % self.seeds.len()];
        let mut len = seed.len();
        self.buffer[..len].copy_from_slice(seed);
        for _ in 0..=count % 4 {
            let [what, value, a, b, c, ..] = self.rng.next_u64().to_le_bytes();
            let near = usize::from(u16::from_le_bytes([a, b]));
            let at = near % len.max(1);
            match what % 8 {
                0..=2 => self.buffer[at] ^= 1 << (value % 8),
                3 => self.buffer[at] = value,
                4 => self.buffer[at] = [0, 0xff, 0x7f, 0x80][usize::from(value % 4)],
                5 => len = at,
                6 => {
                    let longer = (len + usize::from(value)).min(self.buffer.len());
                    self.buffer[len..longer].fill(c);
                    len = longer;
                }
                _ => {
                    let from = usize::from(c) % len.max(1);
                    let count = usize::from(value % 24).min(len - from.min(len)).min(len - at.min(len));
                    self.buffer.copy_within(from..from + count, at);
                }
            }
        }
        (&mut self.buffer[..len], seed)
    }
}

fn rtp_seeds() -> Vec<Vec<u8>> {
    let elements: [&[(u8, &[u8])]; 4] =
        [&[], &[(1, b"mid"), (3, &[1, 2, 3])], &[(1, b"a"), (20, &[9; 30]), (4, &[])], &[(14, &[0; 16])]];
    elements
        .iter()
        .flat_map(|elements| [0x80, 0xa0, 0x83].map(|first| (elements, first)))
        .map(|(elements, first)| {
            let writer =
                HeaderWriter { marker: true, payload_type: 96, sequence: 65_530, timestamp: 1, ssrc: 2 };
            let mut packet = vec![0; 200];
            let len = writer.write(&mut packet, elements).unwrap().len;
            packet.truncate(len);
            packet[0] |= first;
            packet.splice(12..12, vec![7; 4 * usize::from(first & 3)]);
            packet.extend([4; 40]);
            packet
        })
        .collect()
}

fn rtcp_seeds() -> Vec<Vec<u8>> {
    let block = ReportBlock { ssrc: 5, ..ReportBlock::default() };
    let pli = Pli { sender_ssrc: 1, media_ssrc: 2 };
    let fir = [FirEntry { ssrc: 1, sequence: 2 }];
    let echo = LastReference { ssrc: 1, time: 2, delay: 3 };
    let mut compound = vec![0; 500];
    let mut len = write_sender_report(&mut compound, &SenderInfo::default(), &[block; 2]).unwrap();
    len += write_sdes_cname(&mut compound[len..], 1, b"cname").unwrap();
    len += write_nack(&mut compound[len..], 1, 2, &[1, 2, 50, 60]).unwrap();
    len += write_bye(&mut compound[len..], &[1, 2, 3]).unwrap();
    compound.truncate(len);
    let mut requests = vec![0; 500];
    let mut len = write_receiver_report(&mut requests, 1, &[block]).unwrap();
    len += write_pli(&mut requests[len..], pli).unwrap();
    len += write_fir(&mut requests[len..], 1, &fir).unwrap();
    len += write_reference_time(&mut requests[len..], 1, 1 << 40).unwrap();
    len += write_last_references(&mut requests[len..], 1, &[echo; 2]).unwrap();
    requests.truncate(len);
    let remb = b"\x8f\xce\0\x05\0\0\0\x01\0\0\0\0REMB\x01\x0e\xb7\x3b\0\0\0\x07".to_vec();
    let transport_cc = b"\x8f\xcd\0\x07\0\0\0\x01\0\0\0\x02\xff\xfe\0\x1c\0\0\x05\x07\
        \x20\x02\xa0\x01\xd8\x00\0\x05\x01\x02\x03\x04"
        .to_vec();
    let mut ccfb = vec![0; 500];
    let came = [
        Some(Reception { ecn: Ecn::Ce, offset: Some(5) }),
        None,
        Some(Reception { ecn: Ecn::Ect1, offset: None }),
    ];
    let streams = [(7, 65_535, 3), (9, 1, 2)].into_iter();
    let streams = streams.map(|(ssrc, begin, count)| (ssrc, begin, came.iter().copied().take(count)));
    let len = write_congestion_feedback(&mut ccfb, 1, 2, streams).unwrap();
    ccfb.truncate(len);
    assert!([&compound, &requests, &remb, &ccfb].iter().all(|packet| parse_compound(packet).is_ok()));
    vec![compound, requests, remb, transport_cc, ccfb]
}

fn read_all(packet: RtcpPacket<'_>) -> usize {
    match packet {
        RtcpPacket::SenderReport(report) => report.report_blocks().count(),
        RtcpPacket::ReceiverReport(report) => report.report_blocks().count(),
        RtcpPacket::Sdes(sdes) => sdes.cnames().map(|(_, name)| name.len()).sum(),
        RtcpPacket::Bye(bye) => bye.ssrcs().count(),
        RtcpPacket::Nack(nack) => nack.lost().count(),
        RtcpPacket::Pli(_) | RtcpPacket::Unknown { .. } => 0,
        RtcpPacket::Fir(fir) => fir.entries().count(),
        RtcpPacket::Remb(remb) => remb.ssrcs().count(),
        RtcpPacket::TransportCc(feedback) => feedback.received().count(),
        RtcpPacket::CongestionFeedback(feedback) => feedback.streams().map(|it| it.packets().count()).sum(),
        RtcpPacket::Extended(report) => {
            report.last_references().count() + usize::from(report.reference_time().is_some())
        }
    }
}

#[test]
fn rtp() {
    let mut mutator = Mutator::new(1, rtp_seeds());
    let mut taken = 0;
    for _ in 0..MUTANTS {
        let (packet, _) = mutator.next();
        classify(packet);
        let Ok(header) = RtpHeader::parse(packet) else { continue };
        taken += 1;
        assert!(header.header_len <= packet.len());
        let read: usize = header.extensions(packet).map(|(_, data)| data.len()).sum();
        assert!(read <= packet.len());
        if let Ok(payload) = header.strip_padding(packet) {
            assert!(payload.start <= payload.end && payload.end <= packet.len());
        }
    }
    assert!((MUTANTS / 10..MUTANTS).contains(&taken), "{taken} taken");
}

#[test]
fn rtcp() {
    let mut mutator = Mutator::new(2, rtcp_seeds());
    let mut taken = 0;
    for _ in 0..MUTANTS {
        let (packet, _) = mutator.next();
        classify(packet);
        let Ok(compound) = parse_compound(packet) else { continue };
        taken += 1;
        let read: usize = compound.map(read_all).sum();
        assert!(read <= 7 * packet.len());
    }
    assert!((MUTANTS / 10..MUTANTS).contains(&taken), "{taken} taken");
}

#[test]
fn stun() {
    let key = IntegrityKey::new(b"VOkJxbRl1RmTxUk/WvJxBt");
    // RFC 5769 section 2.1.
    let sample = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x10STUN test client\x00\x24\x00\x04\x6e\x00\x01\xff\
        \x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\x00\x06\x00\x09evtj:h6vY\x20\x20\x20\
        \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
        \x80\x28\x00\x04\xe5\x7a\x3b\xcf";
    let mut mutator = Mutator::new(3, vec![sample.to_vec()]);
    for _ in 0..MUTANTS {
        let (packet, seed) = mutator.next();
        classify(packet);
        let Ok(request) = BindingRequest::parse(packet) else { continue };
        assert_eq!(request.verify_integrity(packet, &key), packet == seed);
    }
}

fn master(suite: Suite) -> MasterKey {
    MasterKey::new(suite, &vec![1; suite.key_len()], &vec![2; suite.salt_len()]).unwrap()
}

#[test]
fn srtp() {
    for (nth, suite) in (0..).zip(Suite::ALL) {
        let outbound = OutboundSession::new(&master(suite)).unwrap();
        let seal = |plain: Vec<u8>| {
            let header = RtpHeader::parse(&plain).unwrap();
            let mut sealed = plain.clone();
            sealed.resize(plain.len() + outbound.overhead(), 0);
            let payload = &plain[header.header_len..];
            outbound.seal_rtp(65_530, header.ssrc, header.header_len, payload, &mut sealed).unwrap();
            sealed
        };
        let mut mutator = Mutator::new(4 + nth, rtp_seeds().into_iter().map(seal).collect());
        let inbound = InboundSession::new(&master(suite)).unwrap();
        for _ in 0..MUTANTS / 3 {
            let (packet, seed) = mutator.next();
            let same = packet == seed;
            let Ok(header) = RtpHeader::parse(packet) else { continue };
            let opened = inbound.open_rtp(&mut InboundStream::default(), &header, packet);
            assert_eq!(opened.is_ok(), same);
        }
    }
}

#[test]
fn srtcp() {
    for (nth, suite) in (0..).zip(Suite::ALL) {
        let mut outbound = OutboundControl::new(&master(suite)).unwrap();
        let seal = |mut packet: Vec<u8>| {
            let len = packet.len();
            packet.resize(len + outbound.overhead(), 0);
            outbound.seal_rtcp(&mut packet, len).unwrap();
            packet
        };
        let mut mutator = Mutator::new(7 + nth, rtcp_seeds().into_iter().map(seal).collect());
        let mut taken = 0;
        let mut inbound = InboundControl::new(&master(suite)).unwrap();
        for _ in 0..MUTANTS / 3 {
            let (packet, seed) = mutator.next();
            let same = packet == seed;
            if inbound.open_rtcp(packet).is_ok() {
                assert!(same);
                taken += 1;
            }
        }
        assert!(taken <= mutator.seeds.len(), "each is taken once");
    }
}
