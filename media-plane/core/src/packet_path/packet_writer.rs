//! Step 5, last part: where one consumer's packets of a burst leave. The header is written into the
//! send buffer, and the payload sealed from the shared plaintext behind it, which is the only copy.

use super::consumer_extensions::ConsumerExtensions;
use super::header::{self, OwnElements, PassedElements, passes};
use crate::arena::ConsumerKey;
use crate::congestion::pacer::{Pacer, TakenBack, Waiting};
use crate::feedback::sent_history::{Purpose, SentHistory};
use crate::feedback::traffic::Traffic;
use crate::packet::ecn::Ecn;
use crate::packet::rtp::HeaderWriter;
use crate::send_batch::SendBatch;
use crate::srtp::{MAX_RTP_OVERHEAD, OutboundSession};
use crate::transport::address_change::AddressChange;
use crate::transport::webrtc_transport::WebRtcTransport;
use std::net::SocketAddr;
use std::time::Instant;

/// Bytes that our own elements may add to a header: MID, send time, transport-wide number, each
/// with its two-byte element header, five bytes more of dependency descriptor, the block's header, and
/// padding.
const OWN_EXTENSIONS_MAX: usize = 48;

/// The moment of a burst, as every packet of it says it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) at: Instant,
    /// abs-send-time: seconds as a 6.18 fixed-point number.
    abs_send_time: u32,
}

impl Stamp {
    /// `ntp`: the time as a 32.32 fixed-point number of seconds.
    pub(crate) fn new(ntp: u64, at: Instant) -> Self {
        let [.., a, b, c] = (ntp >> 14).to_be_bytes();
        Self { at, abs_send_time: u32::from_be_bytes([0, a, b, c]) }
    }

    pub(super) fn abs_send_time(self) -> u32 {
        self.abs_send_time
    }
}

/// One outgoing packet, but for its header extensions.
pub(crate) struct Outgoing<'a> {
    pub(crate) header: HeaderWriter,
    /// Roll-over counter and sequence number.
    pub(crate) index: u64,
    /// Bytes of the source's header, which bound those of this one.
    pub(crate) header_len: usize,
    pub(crate) payload: &'a [u8],
    /// The dependency descriptor, for a consumer that gets one.
    pub(crate) descriptor: Option<&'a [u8]>,
}

impl Outgoing<'_> {
    /// Upper bound of the sealed packet's length in bytes.
    #[inline]
    fn len_max(&self) -> usize {
        self.header_len + OWN_EXTENSIONS_MAX + self.payload.len() + MAX_RTP_OVERHEAD
    }
}

/// What is the same for all of a burst's packets to one consumer.
pub(crate) struct PacketWriter<'a> {
    to: SocketAddr,
    /// ECN bits of the IP headers.
    ecn: Ecn,
    keys: &'a OutboundSession,
    /// State for an address that is not proved yet; usually `None`.
    change: Option<&'a mut AddressChange>,
    /// The transport's next transport-wide sequence number.
    next_transport_cc: &'a mut u16,
    history: &'a mut SentHistory,
    sent_us: i64,
    purpose: Purpose,
    /// Its packets are counted under transport-wide numbers.
    is_numbered: bool,
    /// Pacing queue of the receiver. None until it is sent video with transport-wide numbers.
    pacer: Option<&'a mut Pacer>,
    own: OwnElements,
    sends: &'a mut SendBatch,
    /// Packets and bytes that the transport sent since it was created.
    sent: &'a mut Traffic,
    pub(crate) stamp: Stamp,
}

impl<'a> PacketWriter<'a> {
    /// None until there are keys and an address.
    #[inline]
    pub(crate) fn new(
        transport: &'a mut WebRtcTransport,
        extensions: &ConsumerExtensions,
        sends: &'a mut SendBatch,
        purpose: Purpose,
        stamp: Stamp,
    ) -> Option<Self> {
        let to = transport.selected?;
        let keys = &transport.keys.as_ref()?.outbound;
        let change = transport.change.as_deref_mut();
        let own = extensions.own.at(stamp.abs_send_time);
        let next_transport_cc = &mut transport.next_transport_cc;
        let history = &mut transport.sent_history;
        let sent_us = history.micros(stamp.at);
        let sent = &mut transport.sent;
        let is_numbered = extensions.is_numbered();
        let mut pacer = transport.receiver_link.as_deref_mut().map(|link| &mut link.pacer);
        pacer = pacer.filter(|_| is_numbered);
        if let Some(pacer) = &mut pacer {
            pacer.fill(sent_us);
        }
        Some(Self {
            to,
            ecn: transport.ecn,
            keys,
            change,
            next_transport_cc,
            history,
            sent_us,
            purpose,
            is_numbered,
            pacer,
            own,
            sends,
            sent,
            stamp,
        })
    }

    /// Whether a packet of video has to wait for its turn.
    #[inline]
    pub(super) fn must_wait(&self) -> bool {
        self.pacer.as_ref().is_some_and(|pacer| pacer.must_wait())
    }

    pub(super) fn wait(&mut self, waiting: Waiting) {
        if let Some(pacer) = &mut self.pacer {
            pacer.push(waiting, self.stamp.at);
        }
    }

    /// Puts the packet into the batch; its bytes there, 0 if it may not be sent or found no room.
    /// `elements` gives once more what is `passed`, as (router's id, data), for the long form.
    #[inline]
    pub(crate) fn put<'e, I: Iterator<Item = (u8, &'e [u8])>>(
        &mut self,
        outgoing: &Outgoing<'_>,
        extensions: &ConsumerExtensions,
        passed: &PassedElements,
        elements: impl FnOnce() -> I,
    ) -> usize {
        if self.change.is_some() {
            return self.put_unproved(outgoing, extensions, passed, elements);
        }
        self.write(outgoing, extensions, passed, elements)
    }

    /// Discards the waiting packets of a consumer from this index on; None if there are none.
    #[cold]
    pub(super) fn take_back(&mut self, consumer: ConsumerKey, from: u64) -> Option<TakenBack> {
        self.pacer.as_mut()?.take_back(consumer, from)
    }

    /// The sealed packet that [`Self::put`] wrote last, with `len` bytes.
    pub(super) fn sealed(&self, len: usize) -> &[u8] {
        self.sends.last(len)
    }

    /// Puts what is speech for the new address as well, if it may be, or for it alone.
    #[cold]
    #[inline(never)]
    fn put_unproved<'e, I: Iterator<Item = (u8, &'e [u8])>>(
        &mut self,
        outgoing: &Outgoing<'_>,
        extensions: &ConsumerExtensions,
        passed: &PassedElements,
        elements: impl FnOnce() -> I,
    ) -> usize {
        if self.change.as_ref().is_some_and(|change| change.is_alone) {
            return match self.may_pass(extensions, outgoing.len_max()) {
                Some(_) => self.write(outgoing, extensions, passed, elements),
                None => 0,
            };
        }
        let written = self.write(outgoing, extensions, passed, elements);
        if written > 0
            && let Some(to) = self.may_pass(extensions, written)
        {
            self.sends.repeat(written, to);
        }
        written
    }

    /// The new address, if so many bytes of this consumer's may go there.
    fn may_pass(&mut self, extensions: &ConsumerExtensions, len: usize) -> Option<SocketAddr> {
        let change = self.change.as_deref_mut()?;
        (extensions.is_audio && change.try_speech(len, self.stamp.at)).then_some(change.to)
    }

    #[inline]
    fn write<'e, I: Iterator<Item = (u8, &'e [u8])>>(
        &mut self,
        outgoing: &Outgoing<'_>,
        extensions: &ConsumerExtensions,
        passed: &PassedElements,
        elements: impl FnOnce() -> I,
    ) -> usize {
        let Outgoing { header: fields, index, payload, descriptor, .. } = outgoing;
        let max = outgoing.len_max();
        let (keys, own, stamp, number) = (self.keys, &self.own, self.stamp, *self.next_transport_cc);
        let written = self.sends.write_as(self.ecn, self.to, max, |out| {
            let laid_out = match descriptor {
                None => header::write(out, fields, own, number, passed),
                Some(_) => None,
            };
            let header_len = match laid_out {
                Some(len) => len,
                None => match write_long_header(out, outgoing, extensions, stamp, number, elements()) {
                    Some(len) => len,
                    None => return 0,
                },
            };
            keys.seal_rtp(*index, fields.ssrc, header_len, payload, out).unwrap_or(0)
        });
        if written > 0 {
            self.sent.count(written);
        }
        if written > 0 && self.is_numbered {
            *self.next_transport_cc = number.wrapping_add(1);
            self.history.put(number, written, self.purpose, self.sent_us);
            self.history.name(number, fields.ssrc, fields.sequence);
            if let Some(pacer) = &mut self.pacer {
                pacer.on_sent(written);
            }
        }
        written
    }
}

#[cold]
fn write_long_header<'a>(
    out: &mut [u8],
    outgoing: &Outgoing<'_>,
    extensions: &ConsumerExtensions,
    stamp: Stamp,
    transport_cc: u16,
    elements: impl Iterator<Item = (u8, &'a [u8])>,
) -> Option<usize> {
    let [_, send_time @ ..] = stamp.abs_send_time.to_be_bytes();
    let transport_cc = transport_cc.to_be_bytes();
    let own = [
        extensions.transport_cc.map(|id| (id, &transport_cc[..])),
        extensions.abs_send_time.map(|id| (id, &send_time[..])),
        extensions.mid.as_ref().map(|(id, mid)| (*id, mid.as_bytes())),
        extensions.dependency_descriptor.zip(outgoing.descriptor),
    ];
    let passed = elements.filter(|(id, _)| passes(extensions.passed, *id));
    header::write_long(out, &outgoing.header, own.into_iter().flatten(), passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_send_time_is_seconds_with_eighteen_fraction_bits() {
        // 3.5 s: 3 in six bits, then the half as the first of eighteen.
        let stamp = Stamp::new(0x0000_0003_8000_0000, Instant::now());
        assert_eq!(stamp.abs_send_time, 0x0e_0000);
        // Seconds wrap at 64.
        let stamp = Stamp::new(0x0000_0041_0000_0000, Instant::now());
        assert_eq!(stamp.abs_send_time, 0x04_0000);
    }
}
