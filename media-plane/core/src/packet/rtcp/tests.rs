use super::super::WriteError;
use super::*;

fn one(bytes: &[u8]) -> RtcpPacket<'_> {
    let mut packets = parse_compound(bytes).unwrap();
    let packet = packets.next().unwrap();
    assert!(packets.next().is_none());
    packet
}

fn error(bytes: &[u8]) -> RtcpError {
    parse_compound(bytes).map(|_| ()).unwrap_err()
}

fn sub_packet(first: u8, packet_type: u8, body: &[u8]) -> Vec<u8> {
    let words = u16::try_from(body.len() / 4).unwrap().to_be_bytes();
    [&[first, packet_type, words[0], words[1]], body].concat()
}

const BLOCK: ReportBlock = ReportBlock {
    ssrc: 1,
    fraction_lost: 2,
    total_lost: -3,
    highest_sequence: 0x1_0004,
    jitter: 5,
    last_sr: 6,
    delay_since_last_sr: 7,
};

#[test]
fn reports_are_read_as_written() {
    let info = SenderInfo { ssrc: 9, ntp: 0x0123_4567_89ab_cdef, rtp_time: 90_000, packets: 3, octets: 4 };
    let mut out = [0; 1500];
    for count in [0, 1, 31] {
        let blocks = vec![BLOCK; count];
        let len = write_sender_report(&mut out, &info, &blocks).unwrap();
        let RtcpPacket::SenderReport(report) = one(&out[..len]) else { panic!("sender report") };
        assert_eq!(report.info, info);
        assert!(report.report_blocks().eq(blocks.iter().copied()));
        let len = write_receiver_report(&mut out, 8, &blocks).unwrap();
        let RtcpPacket::ReceiverReport(report) = one(&out[..len]) else { panic!("receiver report") };
        assert_eq!(report.ssrc, 8);
        assert!(report.report_blocks().eq(blocks.iter().copied()));
    }
    let many = [BLOCK; 32];
    assert_eq!(write_sender_report(&mut out, &info, &many), Err(WriteError::TooManyElements));
    let clamped = ReportBlock { total_lost: i32::MAX, ..BLOCK };
    let len = write_receiver_report(&mut out, 8, &[clamped]).unwrap();
    let RtcpPacket::ReceiverReport(report) = one(&out[..len]) else { panic!("receiver report") };
    assert_eq!(report.report_blocks().next().unwrap().total_lost, 0x7f_ffff);
}

#[test]
fn a_compound_is_read_in_order() {
    let mut out = [0; 1500];
    let mut len = write_receiver_report(&mut out, 1, &[]).unwrap();
    len += write_sdes_cname(&mut out[len..], 1, b"a name").unwrap();
    len += write_bye(&mut out[len..], &[1, 2]).unwrap();
    len += write_pli(&mut out[len..], Pli { sender_ssrc: 1, media_ssrc: 3 }).unwrap();
    let packets: Vec<_> = parse_compound(&out[..len]).unwrap().collect();
    let [RtcpPacket::ReceiverReport(_), RtcpPacket::Sdes(sdes), RtcpPacket::Bye(bye), RtcpPacket::Pli(pli)] =
        packets[..]
    else {
        panic!("{packets:?}")
    };
    assert!(sdes.cnames().eq([(1, &b"a name"[..])]));
    assert!(bye.ssrcs().eq([1, 2]));
    assert_eq!(pli, Pli { sender_ssrc: 1, media_ssrc: 3 });
}

#[test]
fn names_of_every_length_end_in_zeros_at_a_word() {
    let mut out = [0; 300];
    for len in 0..=255 {
        let name = vec![b'n'; len];
        let len = write_sdes_cname(&mut out, 5, &name).unwrap();
        assert_eq!((len % 4, out[len - 1]), (0, 0));
        let RtcpPacket::Sdes(sdes) = one(&out[..len]) else { panic!("SDES") };
        assert!(sdes.cnames().eq([(5, &name[..])]));
    }
    assert_eq!(write_sdes_cname(&mut out, 5, &[0; 256]), Err(WriteError::ElementTooLong));
}

#[test]
fn nacks_are_packed_and_unpacked_around_the_wrap() {
    let lost = [65_530, 65_531, 65_535, 0, 10, 11, 27, 28];
    let mut out = [0; 100];
    let len = write_nack(&mut out, 1, 2, &lost).unwrap();
    let RtcpPacket::Nack(nack) = one(&out[..len]) else { panic!("NACK") };
    assert_eq!((nack.sender_ssrc, nack.media_ssrc, nack.entries().count()), (1, 2, 3));
    assert_eq!(usize::try_from(nack.count()).unwrap(), nack.lost().count());
    assert!(nack.lost().eq(lost));
    assert_eq!(write_nack(&mut out, 1, 2, &[]), Err(WriteError::NoElements));
}

#[test]
fn fir_is_read_as_written() {
    let entries = [FirEntry { ssrc: 3, sequence: 4 }, FirEntry { ssrc: 5, sequence: 255 }];
    let mut out = [0; 100];
    let len = write_fir(&mut out, 1, &entries).unwrap();
    let RtcpPacket::Fir(fir) = one(&out[..len]) else { panic!("FIR") };
    assert_eq!(fir.sender_ssrc, 1);
    assert!(fir.entries().eq(entries));
    assert_eq!(write_fir(&mut out, 1, &[]), Err(WriteError::NoElements));
}

#[test]
fn remb_bitrates_are_read() {
    let remb = |tail: &[u8]| sub_packet(0x8f, 206, &[&[0, 0, 0, 1, 0, 0, 0, 0][..], b"REMB", tail].concat());
    let bytes = remb(&[2, 0x0e, 0xb7, 0x3b, 0, 0, 0, 7, 0, 0, 0, 8]);
    let RtcpPacket::Remb(remb_read) = one(&bytes) else { panic!("REMB") };
    assert_eq!((remb_read.sender_ssrc, remb_read.bitrate), (1, (0x2_b73b << 3)));
    assert!(remb_read.ssrcs().eq([7, 8]));
    assert_eq!(error(&remb(&[255, 0, 0, 1, 0, 0, 0, 7])), RtcpError::BadRembLength);
    assert_eq!(error(&remb(&[0, 0xff, 0xff, 0xff])), RtcpError::RembOverflow);
    assert_eq!(error(&remb(&[])), RtcpError::BadRembLength);
    let other = sub_packet(0x8f, 206, b"\0\0\0\x01\0\0\0\0goog");
    assert!(matches!(one(&other), RtcpPacket::Unknown { packet_type: 206, format: 15 }));
}

fn transport_cc(base: u16, count: u16, tail: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 1, 0, 0, 0, 2];
    body.extend(base.to_be_bytes());
    body.extend(count.to_be_bytes());
    body.extend([0xff, 0xff, 0xfe, 7]);
    body.extend(tail);
    body.resize(body.len().next_multiple_of(4), 0);
    sub_packet(0x8f, 205, &body)
}

#[test]
fn transport_cc_chunks_and_deltas_are_read() {
    // A run of two small deltas, one-bit and two-bit vectors, a run of losses, one more received.
    let chunks = [0x20, 0x02, 0b1010_0000, 1, 0b1101_1000, 0, 0x00, 0x64, 0x20, 0x01];
    let deltas = [1, 2, 3, 4, 5, 0xff, 0xfe, 6];
    let bytes = transport_cc(65_534, 2 + 14 + 7 + 100 + 1, &[&chunks[..], &deltas].concat());
    let RtcpPacket::TransportCc(feedback) = one(&bytes) else { panic!("transport-cc") };
    assert_eq!((feedback.sender_ssrc, feedback.media_ssrc, feedback.base_sequence), (1, 2, 65_534));
    assert_eq!((feedback.status_count, feedback.reference_time, feedback.feedback_count), (124, -2, 7));
    let expected = [(65_534, 1), (65_535, 2), (0, 3), (13, 4), (14, 5), (15, -2), (121, 6)];
    assert!(feedback.received().eq(expected), "{:?}", feedback.received().collect::<Vec<_>>());
}

#[test]
fn broken_transport_cc_is_refused() {
    for (bytes, expected) in [
        (transport_cc(0, 0, &[0x20, 1, 1]), RtcpError::BadTransportCcCount),
        (transport_cc(0, MAX_STATUSES + 1, &[0x1f, 0xff, 0x1f, 0xff]), RtcpError::BadTransportCcCount),
        (transport_cc(0, 100, &[0, 1, 0, 1]), RtcpError::TransportCcChunksPastEnd),
        (transport_cc(0, 1, &[0x60, 1, 1]), RtcpError::TransportCcReservedStatus),
        (transport_cc(0, 7, &[0b1111_0000, 0, 1]), RtcpError::TransportCcReservedStatus),
        (transport_cc(0, 3, &[0x20, 3, 1, 2]), RtcpError::TransportCcDeltasPastEnd),
        (transport_cc(0, 2, &[0x40, 2, 1, 2]), RtcpError::TransportCcDeltasPastEnd),
        (sub_packet(0x8f, 205, &[0; 12]), RtcpError::TransportCcTooShort),
    ] {
        assert_eq!(error(&bytes), expected, "{bytes:02x?}");
    }
}

#[test]
fn every_way_to_be_wrong_has_its_error() {
    let pli = sub_packet(0x81, 206, &[0; 8]);
    for (bytes, expected) in [
        (vec![], RtcpError::Empty),
        (pli.repeat(126), RtcpError::TooLong),
        (sub_packet(0x80, 204, &[]).repeat(65), RtcpError::TooManySubPackets),
        (vec![0x80, 200, 0], RtcpError::HeaderPastEnd),
        ([&pli[..], &[0x80]].concat(), RtcpError::HeaderPastEnd),
        (sub_packet(0x41, 206, &[0; 8]), RtcpError::BadVersion),
        (pli[..11].to_vec(), RtcpError::LengthPastEnd),
        ([sub_packet(0xa1, 206, &[0, 0, 0, 0, 0, 0, 0, 4]), pli.clone()].concat(), RtcpError::PaddingNotLast),
        (sub_packet(0xa1, 206, &[0; 8]), RtcpError::BadPadding),
        (sub_packet(0xa1, 206, &[0, 0, 0, 3]), RtcpError::FeedbackTooShort),
        (sub_packet(0xa1, 206, &[0, 0, 0, 8]), RtcpError::BadPadding),
        (sub_packet(0xa1, 206, &[]), RtcpError::BadPadding),
        (sub_packet(0x80, 200, &[0; 20]), RtcpError::SenderReportTooShort),
        (sub_packet(0x81, 200, &[0; 44]), RtcpError::SenderReportTooShort),
        (sub_packet(0x80, 201, &[]), RtcpError::ReceiverReportTooShort),
        (sub_packet(0x9f, 201, &[0; 100]), RtcpError::ReceiverReportTooShort),
        (sub_packet(0x81, 202, &[0, 0, 0, 1]), RtcpError::SdesPastEnd),
        (sub_packet(0x81, 202, &[0, 0, 0, 1, 1, 200, 0, 0]), RtcpError::SdesPastEnd),
        (sub_packet(0x81, 202, &[0, 0, 0, 1, 1, 2, 0, 0]), RtcpError::SdesPastEnd),
        (sub_packet(0x82, 203, &[0; 4]), RtcpError::ByeTooShort),
        (sub_packet(0x81, 203, &[0, 0, 0, 1, 9, 0, 0, 0]), RtcpError::ByeTooShort),
        (sub_packet(0x81, 205, &[0; 4]), RtcpError::FeedbackTooShort),
        (sub_packet(0x81, 205, &[0; 8]), RtcpError::BadNackLength),
        (sub_packet(0x81, 206, &[0; 12]), RtcpError::BadPliLength),
        (sub_packet(0x84, 206, &[0; 8]), RtcpError::BadFirLength),
        (sub_packet(0x84, 206, &[0; 12]), RtcpError::BadFirLength),
    ] {
        assert_eq!(error(&bytes), expected, "{bytes:02x?}");
    }
    let padded = sub_packet(0xa1, 206, &[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 4]);
    assert!(matches!(one(&padded), RtcpPacket::Pli(Pli { sender_ssrc: 1, media_ssrc: 2 })));
}

#[test]
fn no_writer_writes_past_its_buffer() {
    let mut out = [0; 100];
    let info = SenderInfo::default();
    type Writer<'a> = &'a dyn Fn(&mut [u8]) -> Result<usize, WriteError>;
    let writers: [Writer<'_>; 7] = [
        &|out| write_sender_report(out, &info, &[BLOCK]),
        &|out| write_receiver_report(out, 1, &[BLOCK]),
        &|out| write_sdes_cname(out, 1, b"name"),
        &|out| write_bye(out, &[1]),
        &|out| write_nack(out, 1, 2, &[1, 100]),
        &|out| write_pli(out, Pli { sender_ssrc: 1, media_ssrc: 2 }),
        &|out| write_fir(out, 1, &[FirEntry { ssrc: 1, sequence: 0 }]),
    ];
    for write in writers {
        let len = write(&mut out).unwrap();
        assert!(parse_compound(&out[..len]).is_ok());
        for room in 0..len {
            assert_eq!(write(&mut out[..room]), Err(WriteError::NoRoom));
        }
    }
}
