//! Steps 2 and 3: whose packet it is, the checks from cheap to dear, the plaintext, and what its
//! codec says of it.

use super::header::PassedElements;
use crate::arena::{AccountKey, Arena, ProducerKey};
use crate::codec::{FrameInfo, av1, dependency_descriptor, h264, vp8, vp9};
use crate::engine::{Counters, Datagram, Engine};
use crate::feedback::nack_generator::Answer;
use crate::feedback::rtx_cache::Plain;
use crate::feedback::rtx_payload;
use crate::packet::rtp::RtpHeader;
use crate::room::accounts::Account;
use crate::room::producer::{Codec, MappedCodec, Producer};
use crate::srtp::{InboundStream, rollover};
use crate::transport::webrtc_transport::{Place, Stream, WebRtcTransport};
use railgun_shared::rtp_parameters::MediaKind;
use std::ops::Range;
use std::time::Instant;

/// A packet that is authentic, plain, and to be forwarded. Its bytes stay where they arrived.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) is_video: bool,
    pub(crate) producer: ProducerKey,
    pub(crate) encoding: u8,
    /// Its place in the burst.
    pub(crate) order: usize,
    /// As it arrived; of a retransmission, the original's sequence is in `index` alone.
    pub(crate) header: RtpHeader,
    pub(crate) payload: Range<usize>,
    /// The sender's roll-over counter and sequence number.
    pub(crate) index: u64,
    /// The router's payload type.
    pub(crate) payload_type: u8,
    pub(crate) clock_rate: u32,
    pub(crate) frame: FrameInfo,
    pub(crate) vp8: Option<vp8::Descriptor>,
    /// The AV1 dependency descriptor, which says more than the payload.
    pub(crate) descriptor: Option<dependency_descriptor::Descriptor>,
    /// For the consumer that it was last sent to, and all who pass the same.
    pub(crate) passed: PassedElements,
}

impl Engine {
    pub(super) fn ingest(&mut self, order: usize, datagram: &mut Datagram<'_>, now: Instant) {
        let Some(key) = self.by_address.get(&datagram.source).copied() else {
            self.counters.unknown_addresses += 1;
            return;
        };
        let Self { transports, producers, accounts, counters, .. } = self;
        let Some(transport) = transports.get_mut(key) else { return };
        let opened = open(transport, producers, accounts, counters, datagram.bytes, now);
        if opened.is_some() {
            transport.on_heard(datagram.source, datagram.bytes.len(), now);
        }
        let (wants_key_frame, due) =
            (opened.as_ref().is_some_and(|it| it.is_overwhelmed), transport.feedback_due());
        let (wake, room) = (transport.wake, transport.room);
        let is_newly_heard = opened.as_ref().is_some_and(|it| it.is_newly_heard);
        if let Some(Ingested { packet: Some(mut packet), .. }) = opened {
            packet.order = order;
            self.keep(&packet, datagram.bytes, now);
            if wants_key_frame {
                self.want_key_frame(packet.producer, packet.encoding, now);
            }
            self.burst.push(packet);
        }
        if due.is_some_and(|due| wake.is_none_or(|wake| due < wake)) {
            self.schedule(key);
        }
        if is_newly_heard {
            self.wake_levels(room, now);
        }
    }

    /// Puts a video packet where consumers that lose it can have it again.
    pub(super) fn keep(&mut self, packet: &Opened, bytes: &[u8], now: Instant) {
        let Some(producer) = self.producers.get_mut(packet.producer).filter(|_| packet.is_video) else {
            return;
        };
        let Producer { encodings, extensions, .. } = producer;
        let Some(encoding) = encodings.get_mut(usize::from(packet.encoding)) else { return };
        let Some(payload) = bytes.get(packet.payload.clone()) else { return };
        let plain = Plain {
            index: packet.index,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            payload_type: packet.payload_type,
        };
        let elements = packet.header.extensions(bytes);
        let elements = elements.filter_map(|(id, data)| Some((extensions.to_router(id)?, data)));
        encoding.cache.put(plain, elements, payload, now);
    }
}

/// What came of an authentic packet.
struct Ingested {
    /// None if nobody is to get it.
    packet: Option<Opened>,
    /// So much of the stream is missing that only a key frame helps.
    is_overwhelmed: bool,
    /// The first loud packet since the room last looked at its levels.
    is_newly_heard: bool,
}

fn open(
    transport: &mut WebRtcTransport,
    producers: &mut Arena<ProducerKey, Producer>,
    accounts: &mut Arena<AccountKey, Account>,
    counters: &mut Counters,
    bytes: &mut [u8],
    now: Instant,
) -> Option<Ingested> {
    let Ok(header) = RtpHeader::parse(bytes) else {
        counters.malformed_packets += 1;
        return None;
    };
    let Some(place) = place_of(transport, producers, &header, bytes) else {
        counters.unknown_streams += 1;
        return None;
    };
    let producer = producers.get_mut(place.producer())?;
    let Some(codec) = codec_of(producer, place, header.payload_type) else {
        counters.wrong_payload_types += 1;
        return None;
    };
    let Some((index, len)) = decrypt(transport, producer, place, &header, bytes) else {
        counters.unauthentic_packets += 1;
        return None;
    };
    transport.received.count(bytes.len());
    let packet = bytes.get(..len)?;
    let sequence = producer.extensions.transport_cc.and_then(|id| header.extension(packet, id));
    if let Some(sequence) = sequence.and_then(|data| data.first_chunk()) {
        transport.arrivals.on_packet(u16::from_be_bytes(*sequence), now);
    }
    let is_newly_heard = producer.hear(&header, packet, now);
    let Ok(payload) = header.strip_padding(packet) else {
        counters.malformed_packets += 1;
        return None;
    };
    let (index, payload, is_overwhelmed) = if place.place().is_rtx {
        (
            restore(transport, place.place(), packet, &payload, now)?,
            payload.start + rtx_payload::OSN_LEN..payload.end,
            false,
        )
    } else {
        let stream = transport.stream_mut(header.ssrc)?;
        stream.received.count(payload.len());
        stream.on_packet(index, header.timestamp, codec.clock_rate, now);
        let overwhelmed = stream.nacks.as_mut().is_some_and(|nacks| nacks.on_packet(index, now).is_err());
        (index, payload, overwhelmed)
    };
    let account = accounts.get_mut(producer.account)?;
    if !producer.paused && !account.police.admit(producer.source, payload.len(), now) {
        producer.policed_packets += 1;
        counters.policed_packets += 1;
        return None;
    }
    let descriptor = producer.extensions.dependency_descriptor.and_then(|id| header.extension(packet, id));
    let encoding = producer.encoding_mut(place.place().encoding)?;
    let descriptor = descriptor.and_then(|data| encoding.structure.read(data).ok());
    let Look { frame, vp8 } = match &descriptor {
        Some(descriptor) => Look { frame: descriptor.frame_info(), vp8: None },
        None => look(codec, packet.get(payload.clone()).unwrap_or_default(), header.marker),
    };
    encoding.on_packet(&frame, payload.len(), now);
    let packet = Opened {
        is_video: producer.kind == MediaKind::Video,
        producer: place.producer(),
        encoding: place.place().encoding,
        order: 0,
        header,
        payload,
        index,
        payload_type: codec.payload_type,
        clock_rate: codec.clock_rate,
        frame,
        vp8,
        descriptor,
        passed: PassedElements::new(0, std::iter::empty()),
    };
    Some(Ingested { packet: (!producer.paused).then_some(packet), is_overwhelmed, is_newly_heard })
}

/// Where a packet belongs on its transport.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// A stream that is known by its SSRC.
    Known(Place),
    /// An SSRC that may be bound to this place, whose MID, and RID if it has one, it carries; it is
    /// bound once it proves authentic.
    Named(Place),
}

impl Found {
    fn place(self) -> Place {
        match self {
            Self::Known(place) | Self::Named(place) => place,
        }
    }

    fn producer(self) -> ProducerKey {
        self.place().producer
    }
}

/// Only this transport's own producers are looked at, so no packet can speak as somebody else's.
fn place_of(
    transport: &WebRtcTransport,
    producers: &Arena<ProducerKey, Producer>,
    header: &RtpHeader,
    packet: &[u8],
) -> Option<Found> {
    if let Some(stream) = transport.stream(header.ssrc) {
        let producer = producers.get(stream.producer)?;
        return Some(Found::Known(producer.place(stream.producer, stream.encoding, stream.is_rtx)));
    }
    if !transport.has_room_for(1) {
        return None;
    }
    transport.producers.iter().find_map(|key| {
        let producer = producers.get(*key)?;
        let ids = &producer.extensions;
        let carried = |id: Option<u8>| id.and_then(|id| header.extension(packet, id));
        // A RID means something only with its MID (RFC 8852 section 3).
        let mid = carried(ids.mid)?;
        if producer.mid.as_deref().map(str::as_bytes) != Some(mid) {
            return None;
        }
        let (encoding, is_rtx) = if producer.takes_undeclared() {
            (0, false)
        } else if let Some(rid) = carried(ids.repaired_rid) {
            (producer.encoding_of_rid(rid)?, true)
        } else {
            (producer.encoding_of_rid(carried(ids.rid)?)?, false)
        };
        Some(Found::Named(producer.place(*key, encoding, is_rtx)))
    })
}

/// The codec of a packet, which must fit its stream: media on media, retransmissions on theirs.
fn codec_of(producer: &Producer, found: Found, payload_type: u8) -> Option<MappedCodec> {
    let codec = producer.payload_types.get(payload_type)?;
    match (codec.codec, found.place().is_rtx) {
        (Codec::Rtx { apt }, true) => producer.payload_types.get(apt),
        (Codec::Rtx { .. }, false) | (_, true) => None,
        (_, false) => Some(codec),
    }
}

/// Opens the packet in place: its index, and its length without the tag.
fn decrypt(
    transport: &mut WebRtcTransport,
    producer: &mut Producer,
    found: Found,
    header: &RtpHeader,
    packet: &mut [u8],
) -> Option<(u64, usize)> {
    let session = &transport.keys.as_ref()?.inbound;
    match found {
        Found::Known(_) => {
            let stream = transport.streams.iter_mut().find(|stream| stream.ssrc == header.ssrc)?;
            let len = session.open_rtp(&mut stream.srtp, header, packet).ok()?;
            Some((index_of(&stream.srtp, header)?, len))
        }
        Found::Named(place) => {
            let mut srtp = transport.resume_stream(header.ssrc);
            let len = session.open_rtp(&mut srtp, header, packet).ok()?;
            let index = index_of(&srtp, header)?;
            let encoding = producer.encoding_mut(place.encoding)?;
            let bound = if place.is_rtx { &mut encoding.rtx_ssrc } else { &mut encoding.ssrc };
            // A sender that restarts a layer gives it a new SSRC.
            if let Some(old) = bound.replace(header.ssrc) {
                transport.forget_streams(|stream| stream.ssrc == old);
            }
            transport.streams.push(Stream::new(header.ssrc, place, srtp));
            Some((index, len))
        }
    }
}

fn index_of(stream: &InboundStream, header: &RtpHeader) -> Option<u64> {
    rollover::estimate(stream.highest_index(), header.sequence)
}

/// The original's index of a retransmission, if that was missing until now (RFC 4588 section 4).
/// None for padding in its place, and for what came before.
fn restore(
    transport: &mut WebRtcTransport,
    place: Place,
    packet: &[u8],
    payload: &Range<usize>,
    now: Instant,
) -> Option<u64> {
    let (sequence, _) = rtx_payload::read(packet.get(payload.clone())?)?;
    let is_original = |stream: &&mut Stream| {
        stream.producer == place.producer && stream.encoding == place.encoding && !stream.is_rtx
    };
    let original = transport.streams.iter_mut().find(is_original)?;
    let index = original.srtp.restore(sequence)?;
    original.repaired += 1;
    let answered = original.nacks.as_mut().and_then(|nacks| nacks.on_answer(index, now));
    match answered {
        Some(Answer::After(time)) => transport.round_trip.measured(time, now),
        Some(Answer::Unclear) => transport.round_trip.unclear(),
        None => {}
    }
    Some(index)
}

/// What the codec says of a packet.
#[derive(Default)]
struct Look {
    frame: FrameInfo,
    vp8: Option<vp8::Descriptor>,
}

fn look(codec: MappedCodec, payload: &[u8], marker: bool) -> Look {
    let frame = match codec.codec {
        Codec::Vp8 => {
            let vp8 = vp8::Descriptor::parse(payload);
            let frame = vp8.map(|descriptor| descriptor.frame_info(marker));
            return Look { frame: frame.unwrap_or_default(), vp8 };
        }
        Codec::Vp9 => vp9::Descriptor::parse(payload).map(|descriptor| descriptor.frame_info(marker)),
        Codec::H264 => h264::Payload::parse(payload).map(|payload| payload.frame_info(marker)),
        Codec::Av1 => av1::Payload::parse(payload).map(|payload| payload.frame_info(marker)),
        Codec::Opus | Codec::Rtx { .. } => None,
    };
    Look { frame: frame.unwrap_or_default(), vp8: None }
}

impl WebRtcTransport {
    /// When feedback on what arrived wants to go out.
    fn feedback_due(&self) -> Option<Instant> {
        let nacks = self.streams.iter().filter_map(|stream| stream.nacks.as_ref()?.due());
        nacks.chain(self.arrivals.due()).min()
    }
}
