//! A packet of nothing on the stream that mediasoup-client keeps for bandwidth probes: MID `probator`, SSRC
//! 1234, payload type 127.

use super::consumer_extensions::ConsumerExtensions;
use super::header;
use super::packet_writer::Stamp;
use crate::packet::ecn::Ecn;
use crate::packet::rtp::{FIXED_HEADER, HeaderWriter};
use crate::packet::sequence_of;
use crate::send_batch::SendBatch;
use crate::srtp::{MAX_RTP_OVERHEAD, OutboundSession};
use std::net::SocketAddr;

pub(crate) const PROBATOR_SSRC: u32 = 1234;
const PROBATOR_PAYLOAD_TYPE: u8 = 127;
const PROBATOR_MID: &[u8] = b"probator";
/// As long as a packet of video.
const PAYLOAD: [u8; 1_000] = [0; 1_000];
const PADDING_MAX: usize = FIXED_HEADER + 4 + 32 + PAYLOAD.len() + MAX_RTP_OVERHEAD;

/// Sends one; its length, 0 if its receiver reports on no packets or there is no room. `index`: its roll-over counter and
/// sequence number, none used twice.
pub(crate) fn send(
    sends: &mut SendBatch,
    (to, ecn): (SocketAddr, Ecn),
    keys: &OutboundSession,
    extensions: &ConsumerExtensions,
    (index, number): (u64, u16),
    stamp: Stamp,
) -> usize {
    if !extensions.is_numbered() {
        return 0;
    }
    let fields = HeaderWriter {
        marker: false,
        payload_type: PROBATOR_PAYLOAD_TYPE,
        sequence: sequence_of(index),
        timestamp: 0,
        ssrc: PROBATOR_SSRC,
    };
    let (number, [_, send_time @ ..]) = (number.to_be_bytes(), stamp.abs_send_time().to_be_bytes());
    let own = [
        extensions.transport_cc.map(|id| (id, &number[..])),
        extensions.abs_send_time.map(|id| (id, &send_time[..])),
        extensions.mid.as_ref().map(|(id, _)| (*id, PROBATOR_MID)),
    ];
    sends.write_as(ecn, to, PADDING_MAX, |out| {
        let none = std::iter::empty();
        let Some(len) = header::write_long(out, &fields, own.into_iter().flatten(), none) else { return 0 };
        keys.seal_rtp(index, fields.ssrc, len, &PAYLOAD, out).unwrap_or(0)
    })
}
