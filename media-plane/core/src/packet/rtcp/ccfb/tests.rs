use super::*;
use crate::packet::rtcp::{RtcpPacket, parse_compound};
use proptest::prelude::*;

fn message(blocks: &[u8]) -> Vec<u8> {
    let len = u8::try_from(2 + blocks.len() / 4).unwrap();
    [&[0x8b, 205, 0, len, 0, 0, 0, 1][..], blocks, &[0, 1, 0, 0]].concat()
}

fn read(bytes: &[u8]) -> Result<CongestionFeedback<'_>, RtcpError> {
    match parse_compound(bytes)?.next() {
        Some(RtcpPacket::CongestionFeedback(feedback)) => Ok(feedback),
        other => panic!("{other:?}"),
    }
}

/// The example is laid out by hand after RFC 8888 section 3.1: two blocks around the wrap, an odd count padded.
#[test]
fn ccfb_says_of_each_packet_of_an_ssrc_when_it_arrived_and_with_which_mark() {
    let bytes = message(&[
        0, 0, 0, 9, 0xff, 0xff, 0, 3, // SSRC 9, from 65535 on, three packets
        0x84, 0x00, 0x00, 0x00, 0xe0, 0x01, 0, 0, // 1 s before, lost, CE 1/1024 s before, padding
        0, 0, 0, 7, 0, 5, 0, 2, // SSRC 7, from 5 on, two packets
        0xbf, 0xff, 0xdf, 0xfe, // ECT(1) at an unknown time, ECT(0) too long ago
    ]);
    let feedback = read(&bytes).unwrap();
    assert_eq!((feedback.sender_ssrc, feedback.timestamp), (1, 65_536));
    let at = |ecn, offset| Some(Reception { ecn, offset });
    let all: Vec<_> = feedback.streams().flat_map(|it| it.packets().map(move |of| (it.ssrc, of))).collect();
    let expected = [
        (9, (65_535, at(Ecn::NotEct, Some(1_024)))),
        (9, (0, None)),
        (9, (1, at(Ecn::Ce, Some(1)))),
        (7, (5, at(Ecn::Ect1, None))),
        (7, (6, at(Ecn::Ect0, None))),
    ];
    assert_eq!(all, expected);
    let first = feedback.streams().next().unwrap();
    assert_eq!((first.of(65_534), first.of(0), first.of(2)), (None, Some(None), None));
}

#[test]
fn an_offset_of_8_s_or_more_is_written_as_too_long_ago_and_an_unknown_one_as_unknown() {
    let came = |offset| Some(Reception { ecn: Ecn::NotEct, offset });
    let packets = [came(Some(0x1ffd)), came(Some(0x1ffe)), came(Some(u16::MAX)), came(None)];
    let mut out = [0; 40];
    let len = write_congestion_feedback(&mut out, 1, 2, [(9, 0, packets.into_iter())].into_iter()).unwrap();
    assert_eq!(out[16..len - 4], [0x9f, 0xfd, 0x9f, 0xfe, 0x9f, 0xfe, 0x9f, 0xff]);
}

#[test]
fn ccfb_of_no_stream_and_of_no_packet_is_read() {
    assert_eq!(read(&message(&[])).unwrap().streams().count(), 0);
    let nothing = message(&[0, 0, 0, 9, 0, 0, 0, 0]);
    assert!(read(&nothing).unwrap().streams().all(|it| it.is_empty()));
}

#[test]
fn broken_ccfb_is_refused() {
    let of = |blocks: &[u8]| read(&message(blocks)).map(|_| ()).unwrap_err();
    assert_eq!(of(&[0, 0, 0, 9]), RtcpError::CcfbBlocksPastEnd);
    assert_eq!(of(&[0, 0, 0, 9, 0, 0, 0, 3, 0x80, 0, 0x80, 0]), RtcpError::CcfbBlocksPastEnd);
    assert_eq!(of(&[0, 0, 0, 9, 0, 0, 0x40, 1]), RtcpError::BadCcfbCount);
    assert_eq!(read(&[0x8b, 205, 0, 1, 0, 0, 0, 1]).map(|_| ()).unwrap_err(), RtcpError::CcfbTooShort);
    assert_eq!(read(&[0x8b, 205, 0, 0]).map(|_| ()).unwrap_err(), RtcpError::CcfbTooShort);
}

fn any_packet() -> impl Strategy<Value = Option<Reception>> {
    let offset = proptest::option::of(0..NO_TIME);
    proptest::option::of(
        (0_u8..4, offset).prop_map(|(bits, offset)| Reception { ecn: Ecn::from_bits(bits), offset }),
    )
}

proptest! {
    #[test]
    fn ccfb_is_read_as_written(
        streams in proptest::collection::vec(
            (any::<u32>(), any::<u16>(), proptest::collection::vec(any_packet(), 0..40)), 0..12),
        timestamp: u32,
    ) {
        let mut out = [0; 1_500];
        let blocks = streams.iter().map(|(ssrc, begin, packets)| (*ssrc, *begin, packets.iter().copied()));
        let len = write_congestion_feedback(&mut out, 5, timestamp, blocks).unwrap();
        let feedback = read(&out[..len]).unwrap();
        prop_assert_eq!((feedback.sender_ssrc, feedback.timestamp), (5, timestamp));
        let read: Vec<_> = feedback.streams().map(|it| {
            let packets: Vec<_> = it.packets().collect();
            assert!(packets.iter().all(|(sequence, packet)| it.of(*sequence) == Some(*packet)));
            (it.ssrc, it.begin, packets.into_iter().map(|(_, packet)| packet).collect::<Vec<_>>())
        }).collect();
        prop_assert_eq!(read, streams);
    }

    /// Whatever stands behind the header is refused or read to its end.
    #[test]
    fn any_ccfb_body_is_refused_or_read(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let body = &body[..body.len() / 4 * 4];
        if let Ok(feedback) = CongestionFeedback::parse(body) {
            let packets: usize = feedback.streams().map(|it| it.packets().count()).sum();
            prop_assert!(2 * packets <= body.len());
        }
    }
}
