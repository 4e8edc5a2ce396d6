//! Steps 2 and 3: which stream and producer a packet belongs to, the checks from cheap to dear, SRTP
//! opened in place, and what the codec says of the frame.

use super::header::PassedElements;
use super::packet::RtpPacket;
use super::payload_types::{Codec, MappedCodec};
use super::policer::Policer;
use super::producer::Producer;
use super::tables::MediaTables;
use crate::arena::{Arena, PolicerKey, ProducerKey, RoomKey, TransportKey};
use crate::codec::{FrameInfo, av1, h264, vp8, vp9};
use crate::config::Datagram;
use crate::feedback::nack_generator::Answer;
use crate::feedback::rtx_cache::Plain;
use crate::feedback::rtx_payload;
use crate::output::DropReason;
use crate::packet::rtp::RtpHeader;
use crate::srtp::{InboundStream, rollover};
use crate::transport::stream::{Stream, StreamBinding};
use crate::transport::webrtc_transport::WebRtcTransport;
use railgun_protocol::rtp_parameters::MediaKind;
use std::ops::Range;
use std::time::Instant;

/// What the engine is to do about a packet besides forwarding it.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub(crate) struct Ingested {
    /// Encoding of which so much is missing that only a key frame helps.
    pub(crate) wants_key_frame: Option<(ProducerKey, u8)>,
    /// This room is to look at its audio levels: the first loud packet since it did.
    pub(crate) newly_heard_in: Option<RoomKey>,
    /// Feedback on what arrived is due then, earlier than the transport would be looked at.
    pub(crate) feedback_due: Option<Instant>,
}

/// Takes an RTP packet from a transport's client; if it is to be forwarded, it joins the burst.
pub(crate) fn ingest(
    media: &mut MediaTables,
    key: TransportKey,
    order: usize,
    datagram: &mut Datagram<'_>,
    now: Instant,
) -> Ingested {
    let MediaTables { transports, producers, policers, output, burst, .. } = media;
    let Some(transport) = transports.live_mut(key) else { return Ingested::default() };
    let mut ingested = Ingested::default();
    let mut drop = |reason, ssrc| output.counters.drop(reason, Some(key), ssrc);
    if let Some(opened) = open(transport, producers, policers, &mut drop, datagram, now) {
        transport.on_heard(datagram.source, datagram.bytes.len(), now);
        ingested.newly_heard_in = opened.is_newly_heard.then_some(transport.room);
        if let Some(mut packet) = opened.packet {
            packet.order = order;
            keep(producers, &packet, datagram.bytes, now);
            ingested.wants_key_frame = opened.is_overwhelmed.then_some((packet.producer, packet.encoding));
            burst.push(packet);
        }
    }
    let due = transport.feedback_due();
    ingested.feedback_due = due.filter(|due| transport.wake.is_none_or(|wake| *due < wake));
    ingested
}

/// Puts a video packet where consumers that lose it can have it again.
pub(crate) fn keep(
    producers: &mut Arena<ProducerKey, Producer>,
    packet: &RtpPacket,
    bytes: &[u8],
    now: Instant,
) {
    let Some(producer) = producers.live_mut(packet.producer).filter(|_| packet.is_video) else { return };
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

/// What came of an authentic packet.
struct Opened {
    /// None if nobody is to get it.
    packet: Option<RtpPacket>,
    is_overwhelmed: bool,
    is_newly_heard: bool,
}

fn open(
    transport: &mut WebRtcTransport,
    producers: &mut Arena<ProducerKey, Producer>,
    policers: &mut Arena<PolicerKey, Policer>,
    drop: &mut impl FnMut(DropReason, Option<u32>),
    datagram: &mut Datagram<'_>,
    now: Instant,
) -> Option<Opened> {
    let (bytes, arrived, ecn) = (&mut *datagram.bytes, datagram.arrived, datagram.ecn);
    let Ok(header) = RtpHeader::parse(bytes) else {
        drop(DropReason::Malformed, None);
        return None;
    };
    let Some(found) = find_stream(transport, producers, &header, bytes) else {
        drop(DropReason::UnknownStream, Some(header.ssrc));
        return None;
    };
    let binding = found.binding();
    let producer = producers.live_mut(binding.producer)?;
    let Some(codec) = codec_of(producer, binding.is_rtx, header.payload_type) else {
        drop(DropReason::WrongPayloadType, Some(header.ssrc));
        return None;
    };
    let Some((index, len)) = decrypt(transport, producer, found, &header, bytes) else {
        drop(DropReason::Unauthentic, Some(header.ssrc));
        return None;
    };
    transport.received.count(bytes.len());
    let packet = bytes.get(..len)?;
    let is_newest = match &mut transport.congestion_feedback {
        None => {
            let sequence = producer.extensions.transport_cc.and_then(|id| header.extension(packet, id));
            let sequence = sequence.and_then(|data| data.first_chunk());
            sequence.is_some_and(|data| transport.arrivals.on_packet(u16::from_be_bytes(*data), arrived))
        }
        Some(feedback) => {
            feedback.on_packet(header.ssrc, index, ecn, arrived);
            false
        }
    };
    let is_newly_heard = producer.hear(&header, packet, now);
    let Ok(payload) = header.strip_padding(packet) else {
        drop(DropReason::Malformed, Some(header.ssrc));
        return None;
    };
    let (index, payload, is_overwhelmed) = if binding.is_rtx {
        (
            restore(transport, binding, packet, &payload, now)?,
            payload.start + rtx_payload::OSN_LEN..payload.end,
            false,
        )
    } else {
        let stream = transport.stream_mut(header.ssrc)?;
        stream.received.count(payload.len());
        // A packet below the highest of its stream, whose transport-wide number is the newest, was sent again.
        let answer = stream.nacks.as_mut().filter(|nacks| is_newest && nacks.is_behind(index));
        let answer = answer.and_then(|nacks| nacks.on_answer(index, now));
        stream.on_packet(index, header.timestamp, codec.clock_rate, arrived, answer.is_some());
        let overwhelmed = stream.nacks.as_mut().is_some_and(|nacks| nacks.on_packet(index, now).is_err());
        answered(transport, answer, now);
        (index, payload, overwhelmed)
    };
    let policer = policers.live_mut(producer.policer)?;
    if !producer.paused && !policer.admit(producer.source, payload.len(), now) {
        producer.policed_packets += 1;
        drop(DropReason::Policed, Some(header.ssrc));
        return None;
    }
    let descriptor = producer.extensions.dependency_descriptor.and_then(|id| header.extension(packet, id));
    let asked = producer.encodings.iter().any(|it| it.key_frames.was_asked(now));
    let is_encrypted = producer.is_encrypted;
    let encoding = producer.encoding_mut(binding.encoding)?;
    let descriptor = descriptor.and_then(|data| encoding.structure.read(data).ok());
    let PayloadInfo { frame, vp8 } = match &descriptor {
        Some(descriptor) => PayloadInfo { frame: descriptor.frame_info(), vp8: None },
        None => {
            let payload = packet.get(payload.clone()).unwrap_or_default();
            read_payload(codec, payload, header.marker, is_encrypted)
        }
    };
    encoding.on_packet(&frame, asked, payload.len(), now);
    let packet = RtpPacket {
        is_video: producer.kind == MediaKind::Video,
        producer: binding.producer,
        encoding: binding.encoding,
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
    Some(Opened { packet: (!producer.paused).then_some(packet), is_overwhelmed, is_newly_heard })
}

/// The stream of a packet's SSRC.
#[derive(Clone, Copy, Debug)]
enum Found {
    /// The SSRC is bound to this encoding.
    Bound(StreamBinding),
    /// The SSRC is to be bound, once the packet proves authentic, to the encoding whose MID (and RID, if it has
    /// one) it carries.
    New(StreamBinding),
}

impl Found {
    fn binding(self) -> StreamBinding {
        match self {
            Self::Bound(binding) | Self::New(binding) => binding,
        }
    }
}

/// Only this transport's own producers are looked at, so no packet can speak as somebody else's.
fn find_stream(
    transport: &WebRtcTransport,
    producers: &Arena<ProducerKey, Producer>,
    header: &RtpHeader,
    packet: &[u8],
) -> Option<Found> {
    if let Some(stream) = transport.stream(header.ssrc) {
        let producer = producers.live(stream.producer)?;
        return Some(Found::Bound(producer.binding(stream.producer, stream.encoding, stream.is_rtx)));
    }
    if !transport.has_room_for(1) {
        return None;
    }
    transport.producers.iter().find_map(|key| {
        let producer = producers.live(*key)?;
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
        Some(Found::New(producer.binding(*key, encoding, is_rtx)))
    })
}

/// The codec of a packet, which must fit its stream: media on media, retransmissions on theirs.
fn codec_of(producer: &Producer, is_rtx: bool, payload_type: u8) -> Option<MappedCodec> {
    let codec = producer.payload_types.get(payload_type)?;
    match (codec.codec, is_rtx) {
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
        Found::Bound(_) => {
            let stream = transport.streams.iter_mut().find(|stream| stream.ssrc == header.ssrc)?;
            let len = session.open_rtp(&mut stream.srtp, header, packet).ok()?;
            Some((index_of(&stream.srtp, header)?, len))
        }
        Found::New(binding) => {
            let mut srtp = transport.resume_stream(header.ssrc);
            let len = session.open_rtp(&mut srtp, header, packet).ok()?;
            let index = index_of(&srtp, header)?;
            let encoding = producer.encoding_mut(binding.encoding)?;
            let bound = if binding.is_rtx { &mut encoding.rtx_ssrc } else { &mut encoding.ssrc };
            // A sender that restarts a layer gives it a new SSRC.
            if let Some(old) = bound.replace(header.ssrc) {
                transport.forget_streams(|stream| stream.ssrc == old);
            }
            transport.streams.push(Stream::new(header.ssrc, binding, srtp));
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
    binding: StreamBinding,
    packet: &[u8],
    payload: &Range<usize>,
    now: Instant,
) -> Option<u64> {
    let (sequence, _) = rtx_payload::read(packet.get(payload.clone())?)?;
    let is_original = |stream: &&mut Stream| {
        stream.producer == binding.producer && stream.encoding == binding.encoding && !stream.is_rtx
    };
    let original = transport.streams.iter_mut().find(is_original)?;
    let index = original.srtp.restore(sequence)?;
    original.repaired += 1;
    let answer = original.nacks.as_mut().and_then(|nacks| nacks.on_answer(index, now));
    answered(transport, answer, now);
    Some(index)
}

/// What a packet that was asked for tells of the round trip.
fn answered(transport: &mut WebRtcTransport, answer: Option<Answer>, now: Instant) {
    match answer {
        Some(Answer::After(time)) => transport.round_trip.measured(time, now),
        Some(Answer::Unclear) => transport.round_trip.unclear(),
        None => {}
    }
}

/// What a payload says of its frame.
#[derive(Default)]
struct PayloadInfo {
    frame: FrameInfo,
    vp8: Option<vp8::Descriptor>,
}

/// `is_encrypted`: by its sender, but for what packetisers need.
fn read_payload(codec: MappedCodec, payload: &[u8], marker: bool, is_encrypted: bool) -> PayloadInfo {
    let frame = match codec.codec {
        Codec::Vp8 => {
            let vp8 = vp8::Descriptor::parse(payload);
            let frame = vp8.map(|descriptor| descriptor.frame_info(marker));
            return PayloadInfo { frame: frame.unwrap_or_default(), vp8 };
        }
        Codec::Vp9 => vp9::Descriptor::parse(payload).map(|descriptor| descriptor.frame_info(marker)),
        Codec::H264 => h264::Payload::parse(payload, is_encrypted).map(|payload| payload.frame_info(marker)),
        Codec::Av1 => av1::Payload::parse(payload).map(|payload| payload.frame_info(marker)),
        Codec::Opus | Codec::Rtx { .. } => None,
    };
    PayloadInfo { frame: frame.unwrap_or_default(), vp8: None }
}
