//! A packet of padding alone, as senders use to probe for bandwidth: it carries a transport-wide
//! number to an address, and a receiver that gets it says so.

use super::consumer::RtxStream;
use super::consumer_extensions::ConsumerExtensions;
use super::header;
use super::packet_writer::Stamp;
use crate::packet::rtp::{FIXED_HEADER, HeaderWriter};
use crate::packet::sequence_of;
use crate::send_batch::SendBatch;
use crate::srtp::{MAX_RTP_OVERHEAD, OutboundSession};
use std::net::SocketAddr;

/// The padding bit (RFC 3550 section 5.1), and padding of the one byte that says so.
const PADDED: u8 = 0x20;
const PADDING: [u8; 1] = [1];
/// With our own elements in the longer form, at most.
pub(crate) const PROBE_MAX: usize = FIXED_HEADER + 4 + 24 + PADDING.len() + MAX_RTP_OVERHEAD;

/// Sends one on the stream of retransmissions, whose numbers no other packet shares and which a
/// receiver does not miss; its length, 0 if the receiver gets no transport-wide numbers.
pub(crate) fn send(
    sends: &mut SendBatch,
    to: SocketAddr,
    keys: &OutboundSession,
    (rtx, extensions): (&mut RtxStream, &ConsumerExtensions),
    (number, timestamp): (u16, u32),
    stamp: Stamp,
) -> usize {
    let Some(transport_cc) = extensions.transport_cc else { return 0 };
    let index = rtx.next;
    let fields = HeaderWriter {
        marker: false,
        payload_type: rtx.payload_type,
        sequence: sequence_of(index),
        timestamp,
        ssrc: rtx.ssrc,
    };
    let (number, [_, send_time @ ..]) = (number.to_be_bytes(), stamp.abs_send_time().to_be_bytes());
    let own = [
        Some((transport_cc, &number[..])),
        extensions.abs_send_time.map(|id| (id, &send_time[..])),
        extensions.mid.as_ref().map(|(id, mid)| (*id, mid.as_bytes())),
    ];
    let len = sends.write(to, PROBE_MAX, |out| {
        let none = std::iter::empty();
        let Some(len) = header::write_long(out, &fields, own.into_iter().flatten(), none) else { return 0 };
        if let Some(flags) = out.first_mut() {
            *flags |= PADDED;
        }
        keys.seal_rtp(index, fields.ssrc, len, &PADDING, out).unwrap_or(0)
    });
    rtx.next += u64::from(len > 0);
    len
}
