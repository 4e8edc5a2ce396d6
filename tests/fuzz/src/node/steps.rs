//! What the input makes clients, strangers and the control-plane do.

use super::{End, Node, SUITE, address};
use crate::input::Input;
use crate::keys::outbound;
use railgun_media_core::packet::rtcp::{
    FirEntry, Pli, ReportBlock, SenderInfo, write_fir, write_nack, write_pli, write_receiver_report,
    write_sender_report,
};
use railgun_media_core::packet::rtp::HeaderWriter;
use railgun_media_core::srtp::InboundStream;
use railgun_peer::{MID_ID, REPAIRED_RID_ID, RID_ID, TRANSPORT_CC_ID};
use railgun_protocol::media_rpc::{Command, LeaveReason, Reply};
use railgun_protocol::signal::ConsumerLayers;
use std::net::SocketAddr;

impl Node {
    pub(super) fn step(&mut self, input: &mut Input<'_>) {
        let operation = input.u8();
        let which = usize::from(operation >> 4);
        match operation & 15 {
            0..=4 => self.media(which, input),
            5 => self.datagram(address(input.u8() % 12), input.datagram().to_vec()),
            6 | 7 => self.advance(input),
            8 => self.nominate(which, input),
            9 => self.feedback_bytes(which, input),
            10 | 11 => self.feedback(which, input),
            12 => self.restart_ice(which),
            _ => self.command_of(which, input),
        }
    }

    fn nominate(&mut self, which: usize, input: &mut Input<'_>) {
        let (end, how) = (which % self.ends.len(), input.u8());
        let source = if how & 3 == 0 { self.ends[end].address } else { address(how >> 3) };
        self.check(end, source, how & 4 != 0);
        // Whoever moves on purpose sends from there from now on; a forger does not.
        if how & 3 == 1 {
            self.ends[end].address = source;
        }
    }

    /// The next packet of a producer, perhaps with holes, other names, or damage.
    fn media(&mut self, which: usize, input: &mut Input<'_>) {
        let which = which % self.sending.len();
        let (flags, how) = (input.u8(), input.u8());
        let jump = if flags & 0x0f == 0x0f { u64::from(input.u16()) } else { u64::from(flags & 3) };
        let body = input.short();
        let it = &mut self.sending[which];
        it.index += jump;
        self.has_jumped |= jump > 1_000;
        let layer = how & 3;
        let header = HeaderWriter {
            marker: flags & 0x10 != 0,
            payload_type: if how & 0x80 != 0 { it.payload_type + 1 } else { it.payload_type },
            sequence: it.index as u16,
            timestamp: (it.index as u32).wrapping_mul(960),
            ssrc: it.ssrc.wrapping_add(u32::from(layer) * 16 + u32::from(how >> 7)),
        };
        let rid = [b'r', b'0' + layer];
        let number = (it.index as u16).to_be_bytes();
        let rid_id = if how & 0x80 != 0 { REPAIRED_RID_ID } else { RID_ID };
        let all: [(u8, &[u8]); 3] = [(MID_ID, it.mid.as_bytes()), (rid_id, &rid), (TRANSPORT_CC_ID, &number)];
        let elements = &all[..usize::from(how >> 2 & 3)];
        // A retransmission has the original's number in front: one of the last, or any.
        let is_retransmission = how & 0x80 != 0;
        let original = (it.index as u16).wrapping_sub(if jump > 3 { jump as u16 } else { u16::from(flags) });
        let original = &original.to_be_bytes()[..if is_retransmission { 2 } else { 0 }];
        self.has_jumped |= is_retransmission && jump > 3;
        // The tag is behind any descriptor.
        let payload = [original, body, &[0; 8], &[it.tag]].concat();
        let mut packet = vec![0; 600];
        let header_len = header.write(&mut packet, elements).expect("room").len;
        let (index, end) = (it.index, it.end);
        let len = outbound(SUITE, end, |session| {
            session.seal_rtp(index, header.ssrc, header_len, &payload, &mut packet).expect("room")
        });
        packet.truncate(len);
        it.index += 1;
        if flags & 0x20 != 0 {
            let at = usize::from(input.u16()) % packet.len();
            packet[at] ^= input.u8();
        }
        let source = if flags & 0x40 != 0 { address(input.u8() % 12) } else { self.ends[end].address };
        self.datagram(source, packet);
    }

    fn sealed_control(&mut self, end: usize, mut compound: Vec<u8>, source: SocketAddr) {
        let len = compound.len();
        let control = &mut self.ends[end].control;
        compound.resize(len + control.overhead(), 0);
        if control.seal_rtcp(&mut compound, len).is_err() {
            return;
        }
        // Feedback about packets that went there: the node may take it as the proof that it is.
        self.proved.insert(source);
        self.datagram(source, compound);
    }

    /// RTCP of any bytes, sealed.
    fn feedback_bytes(&mut self, which: usize, input: &mut Input<'_>) {
        let end = which % self.ends.len();
        let compound = [&[0x80 | input.u8() & 0x3f, 192 + input.u8() % 32][..], input.short()].concat();
        self.sealed_control(end, compound, self.ends[end].address);
    }

    /// Feedback on a consumer, or a sender report, that is well-formed.
    fn feedback(&mut self, which: usize, input: &mut Input<'_>) {
        let kind = input.u8();
        let mut out = vec![0; 600];
        let (end, len) = if kind & 0x80 != 0 {
            let it = &self.sending[which % self.sending.len()];
            let info = SenderInfo {
                ssrc: it.ssrc,
                ntp: u64::from(input.u32()) << 32 | u64::from(input.u32()),
                rtp_time: input.u32(),
                ..SenderInfo::default()
            };
            (it.end, write_sender_report(&mut out, &info, &[]))
        } else {
            let it = &self.receiving[which % self.receiving.len()];
            let highest =
                self.streams.get(&it.ssrc).and_then(InboundStream::highest_index).unwrap_or_default();
            let back = input.u16();
            let len = match kind & 3 {
                0 => {
                    let first = (highest as u16).wrapping_sub(back & 0x0fff);
                    let count = u16::from(input.u8());
                    let lost: Vec<u16> = (0..=count).map(|nth| first.wrapping_add(nth)).collect();
                    write_nack(&mut out, 1, it.ssrc, &lost)
                }
                1 => write_pli(&mut out, Pli { sender_ssrc: 1, media_ssrc: it.ssrc }),
                2 => write_fir(&mut out, 1, &[FirEntry { ssrc: it.ssrc, sequence: kind }]),
                _ => {
                    let block = ReportBlock {
                        ssrc: it.ssrc,
                        fraction_lost: input.u8(),
                        highest_sequence: (highest as u32).wrapping_sub(u32::from(back)),
                        total_lost: input.u16().into(),
                        jitter: input.u32(),
                        last_sr: input.u32(),
                        delay_since_last_sr: input.u32(),
                    };
                    write_receiver_report(&mut out, 1, &[block])
                }
            };
            (it.end, len)
        };
        out.truncate(len.expect("room"));
        self.sealed_control(end, out, self.ends[end].address);
    }

    fn restart_ice(&mut self, which: usize) {
        let end = which % self.ends.len();
        let End { room, session, transport, .. } = self.ends[end];
        if let Some(Reply::IceRestarted { ice_parameters, .. }) =
            self.command(room, Command::RestartIce { session, transport })
        {
            self.ends[end].ice = ice_parameters;
        }
    }

    fn command_of(&mut self, which: usize, input: &mut Input<'_>) {
        let kind = input.u8();
        let consumer = &self.receiving[which % self.receiving.len()];
        let producer = &self.sending[which % self.sending.len()];
        let End { session, room, .. } = self.ends[if kind & 7 < 2 { producer.end } else { consumer.end }];
        let (producer, consumer, layers) = (producer.id, consumer.id, kind >> 3);
        let command = match kind & 7 {
            0 => Command::PauseProducer { session, producer },
            1 => Command::ResumeProducer { session, producer },
            2 => Command::PauseConsumer { session, consumer },
            3 => Command::ResumeConsumer { session, consumer },
            4 => Command::RequestKeyFrame { session, consumer },
            5 if kind >= 0xf0 => Command::Leave { session, reason: LeaveReason::Lost, attachment: None },
            _ => Command::SetPreferredLayers {
                session,
                consumer,
                layers: ConsumerLayers { spatial_layer: layers & 3, temporal_layer: Some(layers >> 2 & 3) },
            },
        };
        self.command(room, command);
    }
}
