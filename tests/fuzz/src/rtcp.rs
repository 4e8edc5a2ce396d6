//! RTCP: every sub-packet that can be written is written as it was read, and reads the same.

use railgun_media_core::packet::MAX_DATAGRAM;
use railgun_media_core::packet::rtcp::{
    FirEntry, LastReference, MAX_SUB_PACKETS, Pli, ReportBlock, RtcpPacket, StreamReport, parse_compound,
    write_bye, write_congestion_feedback, write_fir, write_last_references, write_nack, write_pli,
    write_receiver_report, write_reference_time, write_sdes_cname, write_sender_report,
};

/// A datagram is taken whole or not at all, what is read of it is bounded by its length, and a cut
/// one is refused or has fewer sub-packets.
pub fn compound(data: &[u8]) {
    let Ok(compound) = parse_compound(data) else { return };
    assert!(!data.is_empty() && data.len() <= MAX_DATAGRAM);
    let packets: Vec<_> = compound.collect();
    assert!((1..=MAX_SUB_PACKETS).contains(&packets.len()));
    let read: usize = packets.iter().map(check).sum();
    // A transport-cc run of thirteen bits is a word of two bytes and no packet that arrived.
    assert!(read <= 8 * data.len(), "{read} entries in {} bytes", data.len());
    let framed: usize = frame_lengths(data).sum();
    assert_eq!((framed, frame_lengths(data).count()), (data.len(), packets.len()));
    let last = frame_lengths(data).last().unwrap_or_default();
    if packets.len() > 1 {
        let fewer = parse_compound(&data[..data.len() - last]).expect("all but the last");
        assert_eq!(fewer.count(), packets.len() - 1);
    }
    assert!(parse_compound(&data[..data.len() - 1]).is_err(), "part of a word");
}

/// Bytes of each sub-packet by its length field.
fn frame_lengths(data: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut rest = data;
    std::iter::from_fn(move || {
        let len = 4 + 4 * usize::from(u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]));
        rest = rest.get(len..)?;
        Some(len)
    })
}

/// Entries in the packet.
fn check(packet: &RtcpPacket<'_>) -> usize {
    let mut out = [0; 2 * MAX_DATAGRAM];
    match packet {
        RtcpPacket::SenderReport(report) => {
            let blocks: Vec<ReportBlock> = report.report_blocks().collect();
            let len = write_sender_report(&mut out, &report.info, &blocks).expect("room");
            let RtcpPacket::SenderReport(again) = only(&out[..len]) else { panic!("another type") };
            assert!(again.info == report.info && again.report_blocks().eq(blocks.iter().copied()));
            blocks.len()
        }
        RtcpPacket::ReceiverReport(report) => {
            let blocks: Vec<ReportBlock> = report.report_blocks().collect();
            let len = write_receiver_report(&mut out, report.ssrc, &blocks).expect("room");
            let RtcpPacket::ReceiverReport(again) = only(&out[..len]) else { panic!("another type") };
            assert!(again.ssrc == report.ssrc && again.report_blocks().eq(blocks.iter().copied()));
            blocks.len()
        }
        RtcpPacket::Sdes(sdes) => {
            for (ssrc, name) in sdes.cnames() {
                let len = write_sdes_cname(&mut out, ssrc, name).expect("room");
                let RtcpPacket::Sdes(again) = only(&out[..len]) else { panic!("another type") };
                assert!(again.cnames().eq([(ssrc, name)]));
            }
            sdes.cnames().count()
        }
        RtcpPacket::Bye(bye) => {
            let ssrcs: Vec<u32> = bye.ssrcs().collect();
            if let Ok(len) = write_bye(&mut out, &ssrcs) {
                let RtcpPacket::Bye(again) = only(&out[..len]) else { panic!("another type") };
                assert!(again.ssrcs().eq(ssrcs.iter().copied()));
            }
            ssrcs.len()
        }
        RtcpPacket::Nack(nack) => {
            // In the order of sequence numbers, as the writer wants them.
            let mut lost: Vec<u16> = nack.lost().collect();
            let first = lost[0];
            lost.sort_by_key(|sequence| sequence.wrapping_sub(first));
            lost.dedup();
            let len = write_nack(&mut out, nack.sender_ssrc, nack.media_ssrc, &lost).expect("room");
            if len <= MAX_DATAGRAM {
                let RtcpPacket::Nack(again) = only(&out[..len]) else { panic!("another type") };
                assert_eq!((again.sender_ssrc, again.media_ssrc), (nack.sender_ssrc, nack.media_ssrc));
                assert!(again.lost().eq(lost));
            }
            nack.entries().count()
        }
        RtcpPacket::Pli(pli) => {
            let len = write_pli(&mut out, *pli).expect("room");
            let RtcpPacket::Pli(again) = only(&out[..len]) else { panic!("another type") };
            let Pli { sender_ssrc, media_ssrc } = *pli;
            assert_eq!((again.sender_ssrc, again.media_ssrc), (sender_ssrc, media_ssrc));
            1
        }
        RtcpPacket::Fir(fir) => {
            let entries: Vec<FirEntry> = fir.entries().collect();
            let len = write_fir(&mut out, fir.sender_ssrc, &entries).expect("room");
            let RtcpPacket::Fir(again) = only(&out[..len]) else { panic!("another type") };
            assert!(again.sender_ssrc == fir.sender_ssrc && again.entries().eq(entries.iter().copied()));
            entries.len()
        }
        RtcpPacket::Remb(remb) => remb.ssrcs().count(),
        RtcpPacket::TransportCc(feedback) => feedback.received().count(),
        RtcpPacket::CongestionFeedback(feedback) => {
            let read = |it: StreamReport<'_>| {
                let packets: Vec<_> = it.packets().collect();
                assert!(packets.iter().all(|(sequence, packet)| it.of(*sequence) == Some(*packet)));
                (it.ssrc, it.begin, packets.into_iter().map(|(_, packet)| packet).collect::<Vec<_>>())
            };
            let streams: Vec<_> = feedback.streams().map(read).collect();
            let blocks =
                streams.iter().map(|(ssrc, begin, packets)| (*ssrc, *begin, packets.iter().copied()));
            let len = write_congestion_feedback(&mut out, feedback.sender_ssrc, feedback.timestamp, blocks);
            let RtcpPacket::CongestionFeedback(again) = only(&out[..len.expect("room")]) else {
                panic!("another type")
            };
            assert_eq!((again.sender_ssrc, again.timestamp), (feedback.sender_ssrc, feedback.timestamp));
            assert!(again.streams().map(read).eq(streams.iter().cloned()));
            streams.iter().map(|(.., packets)| 1 + packets.len()).sum()
        }
        RtcpPacket::Extended(report) => {
            if let Some(time) = report.reference_time() {
                let len = write_reference_time(&mut out, report.ssrc, time).expect("room");
                let RtcpPacket::Extended(again) = only(&out[..len]) else { panic!("another type") };
                assert_eq!((again.ssrc, again.reference_time()), (report.ssrc, Some(time)));
            }
            let echoes: Vec<LastReference> = report.last_references().collect();
            let len = write_last_references(&mut out, report.ssrc, &echoes).expect("room");
            let RtcpPacket::Extended(again) = only(&out[..len]) else { panic!("another type") };
            assert!(again.ssrc == report.ssrc && again.last_references().eq(echoes.iter().copied()));
            echoes.len()
        }
        RtcpPacket::Unknown { format, .. } => {
            assert!(*format < 32);
            0
        }
    }
}

/// The one packet of what was written.
pub(crate) fn only(written: &[u8]) -> RtcpPacket<'_> {
    let mut compound = parse_compound(written).expect("what was written");
    let packet = compound.next().expect("a packet");
    assert!(compound.next().is_none());
    packet
}
