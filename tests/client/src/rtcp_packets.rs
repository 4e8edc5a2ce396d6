//! RTCP as received, read by hand: the `rtcp` crate's parsers panic on some malformed packets, so
//! they only ever see what this client builds itself.

/// One RTCP packet, as far as a client cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feedback {
    /// `ntp`: 64-bit NTP timestamp of `rtp`.
    SenderReport {
        ssrc: u32,
        ntp: u64,
        rtp: u32,
        packets: u32,
        octets: u32,
    },
    /// One report block.
    ReceiverReport {
        ssrc: u32,
        fraction_lost: u8,
        highest_sequence: u32,
        jitter: u32,
    },
    Pli {
        ssrc: u32,
    },
    Fir {
        ssrc: u32,
    },
    Nack {
        ssrc: u32,
        sequences: Vec<u16>,
    },
    TransportCc,
    Remb,
    Bye {
        ssrc: u32,
    },
}

/// What a transport has received so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtcpCounts {
    pub sender_reports: u64,
    pub receiver_reports: u64,
    pub plis: u64,
    pub firs: u64,
    pub nacks: u64,
    pub transport_ccs: u64,
    pub rembs: u64,
    pub byes: u64,
    /// RTP of an SSRC that no consumer waits for.
    pub rtp_unrouted: u64,
    /// RTP dropped because its consumer's queue was full.
    pub rtp_overflowed: u64,
    /// Packets that failed authentication, replay protection or parsing.
    pub rejected: u64,
}

impl RtcpCounts {
    pub(crate) fn count(&mut self, feedback: &Feedback) {
        let counter = match feedback {
            Feedback::SenderReport { .. } => &mut self.sender_reports,
            Feedback::ReceiverReport { .. } => &mut self.receiver_reports,
            Feedback::Pli { .. } => &mut self.plis,
            Feedback::Fir { .. } => &mut self.firs,
            Feedback::Nack { .. } => &mut self.nacks,
            Feedback::TransportCc => &mut self.transport_ccs,
            Feedback::Remb => &mut self.rembs,
            Feedback::Bye { .. } => &mut self.byes,
        };
        *counter += 1;
    }
}

/// Reads a compound packet (RFC 3550 §6.1) up to its first malformed part.
pub(crate) fn parse(mut compound: &[u8]) -> Vec<Feedback> {
    let mut out = Vec::new();
    while let Some((head, _)) = compound.split_first_chunk::<4>() {
        let length = 4 + 4 * usize::from(u16::from_be_bytes([head[2], head[3]]));
        let Some((packet, rest)) = compound.split_at_checked(length) else { break };
        parse_one(head[0] & 0x1f, head[1], packet, &mut out);
        compound = rest;
    }
    out
}

fn parse_one(count: u8, packet_type: u8, packet: &[u8], out: &mut Vec<Feedback>) {
    match packet_type {
        200 => {
            if let Some(report) = sender_report(packet) {
                out.push(report);
            }
            report_blocks(count, packet.get(28..), out);
        }
        201 => report_blocks(count, packet.get(8..), out),
        203 => {
            let sources = packet.get(4..).unwrap_or_default().chunks_exact(4).take(count.into());
            out.extend(sources.filter_map(|source| Some(Feedback::Bye { ssrc: word(source, 0)? })));
        }
        205 if count == 1 => {
            let lost = packet.get(12..).unwrap_or_default().chunks_exact(4).flat_map(lost_sequences);
            if let Some(ssrc) = word(packet, 8) {
                out.push(Feedback::Nack { ssrc, sequences: lost.collect() });
            }
        }
        205 if count == 15 => out.push(Feedback::TransportCc),
        206 if count == 1 => out.extend(word(packet, 8).map(|ssrc| Feedback::Pli { ssrc })),
        206 if count == 4 => {
            let entries = packet.get(12..).unwrap_or_default().chunks_exact(8);
            out.extend(entries.filter_map(|entry| Some(Feedback::Fir { ssrc: word(entry, 0)? })));
        }
        206 if count == 15 => out.push(Feedback::Remb),
        _ => {}
    }
}

fn sender_report(packet: &[u8]) -> Option<Feedback> {
    let ntp = u64::from(word(packet, 8)?) << 32 | u64::from(word(packet, 12)?);
    Some(Feedback::SenderReport {
        ssrc: word(packet, 4)?,
        ntp,
        rtp: word(packet, 16)?,
        packets: word(packet, 20)?,
        octets: word(packet, 24)?,
    })
}

fn report_blocks(count: u8, blocks: Option<&[u8]>, out: &mut Vec<Feedback>) {
    let blocks = blocks.unwrap_or_default().chunks_exact(24).take(count.into());
    out.extend(blocks.filter_map(|block| {
        Some(Feedback::ReceiverReport {
            ssrc: word(block, 0)?,
            fraction_lost: *block.get(4)?,
            highest_sequence: word(block, 8)?,
            jitter: word(block, 12)?,
        })
    }));
}

/// RFC 4585 §6.2.1: a sequence number and a mask of the 16 after it.
fn lost_sequences(entry: &[u8]) -> Vec<u16> {
    let Some(&[a, b, c, d]) = entry.first_chunk::<4>() else { return Vec::new() };
    let (first, mask) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    let after = (0..16u16).filter(|bit| mask >> bit & 1 == 1).map(|bit| first.wrapping_add(bit + 1));
    std::iter::once(first).chain(after).collect()
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
    use rtcp::sender_report::SenderReport;
    use rtcp::transport_feedbacks::transport_layer_nack::{
        TransportLayerNack, nack_pairs_from_sequence_numbers,
    };

    #[test]
    fn a_compound_reads_as_it_was_written() {
        let ntp_time = 0x0102_0304_0506_0708;
        let report = SenderReport {
            ssrc: 1,
            ntp_time,
            rtp_time: 3,
            packet_count: 4,
            octet_count: 5,
            ..Default::default()
        };
        let sequences = vec![65_535, 0, 7, 100];
        let nack = TransportLayerNack {
            sender_ssrc: 9,
            media_ssrc: 8,
            nacks: nack_pairs_from_sequence_numbers(&sequences),
        };
        let pli = PictureLossIndication { sender_ssrc: 9, media_ssrc: 10 };
        let bytes = rtcp::packet::marshal(&[Box::new(report), Box::new(nack), Box::new(pli)]).unwrap();
        assert_eq!(
            parse(&bytes),
            [
                Feedback::SenderReport { ssrc: 1, ntp: ntp_time, rtp: 3, packets: 4, octets: 5 },
                Feedback::Nack { ssrc: 8, sequences },
                Feedback::Pli { ssrc: 10 },
            ]
        );
    }

    #[test]
    fn no_prefix_of_anything_panics() {
        for seed in 0..2000u32 {
            let bytes: Vec<u8> = (0..64u32)
                .map(|i| (seed.wrapping_mul(2_654_435_761).wrapping_add(i * i * 31) >> 11).to_be_bytes()[3])
                .collect();
            let mut rtcp = bytes.clone();
            rtcp[0] = 0x80 | (bytes[0] & 0x1f);
            rtcp[1] = 200 + bytes[1] % 8;
            rtcp[2] = 0;
            rtcp[3] = bytes[3] % 16;
            for end in 0..=rtcp.len() {
                parse(&rtcp[..end]);
            }
        }
    }
}
