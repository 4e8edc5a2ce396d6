//! Steps 2 and 3: whose packet it is, the checks from cheap to dear, and the plaintext.

use crate::arena::ProducerKey;
use crate::codec::vp8;
use crate::engine::{Datagram, Engine};
use crate::packet::rtp::RtpHeader;
use crate::room::producer::{Codec, MappedCodec, Producer};
use crate::srtp::{InboundStream, rollover};
use crate::transport::webrtc_transport::{Stream, WebRtcTransport};
use railgun_shared::rtp_parameters::MediaKind;
use std::ops::Range;
use std::time::Instant;

/// A packet that is authentic, plain, and to be forwarded. Its bytes stay where they arrived.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    /// Audio first.
    pub(crate) is_video: bool,
    pub(crate) producer: ProducerKey,
    /// Its place in the burst.
    pub(crate) order: usize,
    pub(crate) header: RtpHeader,
    pub(crate) payload: Range<usize>,
    /// The sender's roll-over counter and sequence number.
    pub(crate) index: u64,
    /// The router's payload type.
    pub(crate) payload_type: u8,
    pub(crate) starts_key_frame: bool,
}

impl Engine {
    pub(super) fn ingest(&mut self, order: usize, datagram: &mut Datagram<'_>, now: Instant) {
        let Some(key) = self.by_address.get(&datagram.source).copied() else {
            self.counters.unknown_addresses += 1;
            return;
        };
        let Some(transport) = self.transports.get_mut(key) else { return };
        let Ok(header) = RtpHeader::parse(datagram.bytes) else {
            self.counters.malformed_packets += 1;
            return;
        };
        let Some(place) = place_of(transport, &self.producers, &header, datagram.bytes) else {
            self.counters.unknown_streams += 1;
            return;
        };
        let Some(producer) = self.producers.get_mut(place.producer()) else { return };
        let Some(codec) = producer.payload_types.get(header.payload_type) else {
            self.counters.wrong_payload_types += 1;
            return;
        };
        if codec.codec == Codec::Rtx {
            self.counters.unasked_retransmissions += 1;
            return;
        }
        let Some((index, len)) = open(transport, place, &header, datagram.bytes) else {
            self.counters.unauthentic_packets += 1;
            return;
        };
        if let Some(stream) = transport.stream_mut(header.ssrc) {
            stream.reception.on_packet(index, header.timestamp, codec.clock_rate, now);
        }
        let payload =
            datagram.bytes.get(..len).ok_or(()).and_then(|packet| header.strip_padding(packet).map_err(drop));
        let Ok(payload) = payload else {
            self.counters.malformed_packets += 1;
            return;
        };
        if producer.paused {
            return;
        }
        let starts_key_frame =
            starts_key_frame(codec, datagram.bytes.get(payload.clone()).unwrap_or_default());
        if starts_key_frame {
            producer.key_frames.on_key_frame();
        }
        self.burst.push(Opened {
            is_video: producer.kind == MediaKind::Video,
            producer: place.producer(),
            order,
            header,
            payload,
            index,
            payload_type: codec.payload_type,
            starts_key_frame,
        });
    }
}

/// Where a packet belongs on its transport.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A stream that is known by its SSRC.
    Known(ProducerKey),
    /// An SSRC that may be bound to this producer, whose MID it carries, once it proves authentic.
    ByMid(ProducerKey),
}

impl Place {
    fn producer(self) -> ProducerKey {
        match self {
            Self::Known(producer) | Self::ByMid(producer) => producer,
        }
    }
}

/// Only this transport's own producers are looked at, so no packet can speak as somebody else's.
fn place_of(
    transport: &WebRtcTransport,
    producers: &crate::arena::Arena<ProducerKey, Producer>,
    header: &RtpHeader,
    packet: &[u8],
) -> Option<Place> {
    if let Some(stream) = transport.stream(header.ssrc) {
        return Some(Place::Known(stream.producer));
    }
    if !transport.has_room_for(1) {
        return None;
    }
    let by_mid = |key: &&ProducerKey| {
        producers.get(**key).is_some_and(|producer| {
            let id = producer.extensions.mid;
            let carried = id.and_then(|id| header.extension(packet, id));
            producer.takes_undeclared()
                && carried.is_some()
                && carried == producer.mid.as_deref().map(str::as_bytes)
        })
    };
    transport.producers.iter().find(by_mid).map(|key| Place::ByMid(*key))
}

/// Opens the packet in place: its index, and its length without the tag.
fn open(
    transport: &mut WebRtcTransport,
    place: Place,
    header: &RtpHeader,
    packet: &mut [u8],
) -> Option<(u64, usize)> {
    let session = &transport.keys.as_ref()?.inbound;
    match place {
        Place::Known(_) => {
            let stream = transport.streams.iter_mut().find(|stream| stream.ssrc == header.ssrc)?;
            let len = session.open_rtp(&mut stream.srtp, header, packet).ok()?;
            Some((index_of(&stream.srtp, header)?, len))
        }
        Place::ByMid(producer) => {
            let mut srtp = InboundStream::default();
            let len = session.open_rtp(&mut srtp, header, packet).ok()?;
            let index = index_of(&srtp, header)?;
            transport.streams.push(Stream::new(header.ssrc, producer, srtp));
            Some((index, len))
        }
    }
}

fn index_of(stream: &InboundStream, header: &RtpHeader) -> Option<u64> {
    rollover::estimate(stream.highest_index(), header.sequence)
}

fn starts_key_frame(codec: MappedCodec, payload: &[u8]) -> bool {
    match codec.codec {
        Codec::Vp8 => vp8::starts_key_frame(payload),
        Codec::Opus | Codec::Rtx => false,
    }
}
