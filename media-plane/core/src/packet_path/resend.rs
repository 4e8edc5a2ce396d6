//! What a consumer lost, once more: from the producer's cache, as RTX (RFC 4588), within a budget.

use super::header::PassedElements;
use super::outlet::{Outgoing, Outlet, Stamp};
use super::rewrite::patch_payload;
use crate::arena::ConsumerKey;
use crate::codec::{dependency_descriptor, vp8};
use crate::engine::Engine;
use crate::feedback::rtx_payload;
use crate::packet::rtp::{FIXED_HEADER, HeaderWriter};
use crate::packet::{MAX_DATAGRAM, sequence_of};
use crate::room::producer::Codec;
use std::time::Instant;

/// Header bytes of a retransmission besides our own extensions: those that were passed on.
const HEADER_LEN: usize = FIXED_HEADER + 4 + 255;

impl Engine {
    /// Sends again what a consumer asks for, if it was sent to it, is still there, and may be.
    pub(crate) fn resend(&mut self, key: ConsumerKey, sequences: impl Iterator<Item = u16>, now: Instant) {
        let stamp = Stamp::new(self.ntp(now), now);
        for sequence in sequences {
            let resent = self.resend_one(key, sequence, stamp);
            match resent {
                Some(_) => self.counters.resent_packets += 1,
                None => self.counters.refused_resends += 1,
            }
            if let Some(consumer) = self.consumers.get_mut(key) {
                consumer.asked.packet(resent);
            }
        }
    }

    /// How many bytes of payload were sent.
    fn resend_one(&mut self, key: ConsumerKey, sequence: u16, stamp: Stamp) -> Option<usize> {
        let consumer = self.consumers.get_mut(key).filter(|consumer| !consumer.paused)?;
        let producer = self.producers.get(consumer.producer)?;
        let transport = self.transports.get_mut(consumer.transport)?;
        let sent = consumer.rtx.as_ref()?.sent.resendable(
            sequence,
            stamp.at,
            transport.round_trip.mean_or_guess(),
        )?;
        let cached = producer.encoding(sent.encoding)?.cache.get(sent.source, stamp.at)?;
        let mut buffer = [0; MAX_DATAGRAM];
        let len = rtx_payload::write(&mut buffer, sequence_of(sent.index), cached.payload)?;
        let payload = buffer.get_mut(..len)?;
        let original = payload.get(rtx_payload::OSN_LEN..)?;
        let is_vp8 = producer.payload_types.codec_of_router(cached.plain.payload_type) == Some(Codec::Vp8);
        let descriptor = if is_vp8 { vp8::Descriptor::parse(original) } else { None };
        if !patch_payload(descriptor.as_ref(), payload, rtx_payload::OSN_LEN, consumer) {
            return None;
        }
        let mut described: Option<[u8; dependency_descriptor::MAX_LEN]> = None;
        let descriptor = consumer.extensions.dependency_descriptor.and_then(|id| {
            let (_, data) = cached.elements().find(|(element, _)| *element == id)?;
            let encoding = producer.encoding(sent.encoding)?;
            let parsed = encoding.structure.read_again(data).ok()?;
            consumer.selection.describe(
                encoding,
                &parsed,
                data,
                described.insert([0; dependency_descriptor::MAX_LEN]),
            )
        });
        let rtx = consumer.rtx.as_mut()?;
        if !rtx.budget.try_spend(len, stamp.at) {
            return None;
        }
        let index = rtx.next;
        let outgoing = Outgoing {
            header: HeaderWriter {
                marker: sent.marker,
                payload_type: rtx.payload_type,
                sequence: sequence_of(index),
                timestamp: cached.plain.timestamp.wrapping_add(sent.offset),
                ssrc: rtx.ssrc,
            },
            index,
            header_len: HEADER_LEN,
            payload,
            descriptor,
        };
        let extensions = &consumer.extensions;
        let passed = PassedElements::new(extensions.passed, cached.elements());
        let mut outlet = Outlet::new(transport, extensions, &mut self.sends, stamp)?;
        if outlet.put(&outgoing, extensions, &passed, || cached.elements()) == 0 {
            return None;
        }
        rtx.next += 1;
        rtx.sent.on_resent(sent.index, stamp.at);
        Some(len)
    }
}
