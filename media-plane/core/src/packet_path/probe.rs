//! A packet of padding alone, that a receiver may ignore but for one element of its header: the transport-wide number
//! that proves an address, or the MID of a stream.

use super::consumer::{Consumer, RtxStream};
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
/// Of no codec that the router offers, nor of mediasoup-client's bandwidth probes.
const MID_PAYLOAD_TYPE: u8 = 126;
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
    let stream = (rtx.ssrc, rtx.payload_type);
    let number = Some((transport_cc, number.to_be_bytes()));
    let len = write(sends, to, keys, extensions, (stream, rtx.next, timestamp), (number, stamp));
    rtx.next += u64::from(len > 0);
    len
}

/// Sends one with its MID on a consumer's stream that has sent no media. Returns its length in bytes, 0 if media was sent or there
/// is no MID. Receivers ignore a payload type without a codec (RFC 3550 section 5.1): they neither decode nor count it.
pub(crate) fn send_mid(
    sends: &mut SendBatch,
    to: SocketAddr,
    keys: &OutboundSession,
    consumer: &mut Consumer,
    stamp: Stamp,
) -> usize {
    if consumer.extensions.mid.is_none() {
        return 0;
    }
    let Some(index) = consumer.sequence.take_before_first() else { return 0 };
    let stream = (consumer.ssrc, MID_PAYLOAD_TYPE);
    write(sends, to, keys, &consumer.extensions, (stream, index, 0), (None, stamp))
}

fn write(
    sends: &mut SendBatch,
    to: SocketAddr,
    keys: &OutboundSession,
    extensions: &ConsumerExtensions,
    ((ssrc, payload_type), index, timestamp): ((u32, u8), u64, u32),
    (number, stamp): (Option<(u8, [u8; 2])>, Stamp),
) -> usize {
    let fields = HeaderWriter { marker: false, payload_type, sequence: sequence_of(index), timestamp, ssrc };
    let [_, send_time @ ..] = stamp.abs_send_time().to_be_bytes();
    let own = [
        number.as_ref().map(|(id, number)| (*id, &number[..])),
        extensions.abs_send_time.map(|id| (id, &send_time[..])),
        extensions.mid.as_ref().map(|(id, mid)| (*id, mid.as_bytes())),
    ];
    sends.write(to, PROBE_MAX, |out| {
        let none = std::iter::empty();
        let Some(len) = header::write_long(out, &fields, own.into_iter().flatten(), none) else { return 0 };
        if let Some(flags) = out.first_mut() {
            *flags |= PADDED;
        }
        keys.seal_rtp(index, ssrc, len, &PADDING, out).unwrap_or(0)
    })
}
