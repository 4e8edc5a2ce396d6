//! A media source of a session, as the packet path needs it.

use crate::arena::{AccountKey, ConsumerKey, ProducerKey, TransportKey};
use crate::codec::FrameInfo;
use crate::codec::dependency_descriptor::StructureCache;
use crate::codec::vp9::SpatialPrediction;
use crate::feedback::key_frame_request::KeyFrameRequests;
use crate::feedback::rtx_cache::RtxCache;
use crate::feedback::traffic::Traffic;
use crate::room::demand::Demand;
use crate::room::loudness::LevelMeter;
use crate::transport::webrtc_transport::Place;
use railgun_shared::ids::{ProducerId, SessionId};
use railgun_shared::ortc::{EncodingMapping, ProducerMapping};
use railgun_shared::rtp_parameters::{
    MediaKind, RtpCodecParameters, RtpParameters, StreamType, extension_uri,
};
use railgun_shared::signal::Source;
use std::time::{Duration, Instant};

/// No mapping for this payload type or extension id.
const UNMAPPED: u8 = 0xff;

#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) kind: MediaKind,
    pub(crate) source: Source,
    pub(crate) session: SessionId,
    pub(crate) transport: TransportKey,
    pub(crate) paused: bool,
    /// The score that its session was last told of.
    pub(crate) told_score: Option<u8>,
    pub(crate) demand: Demand,
    /// Its user's, which has what it may send.
    pub(crate) account: AccountKey,
    /// What it adds to that, in bits a second.
    pub(crate) allowed: u64,
    /// Packets that were not let through so far.
    pub(crate) policed_packets: u64,
    pub(crate) stream_type: StreamType,
    /// What any consumer's parameters are made from.
    pub(crate) consumable: RtpParameters,
    pub(crate) cname: String,
    pub(crate) mid: Option<String>,
    pub(crate) payload_types: PayloadTypes,
    pub(crate) extensions: ExtensionIds,
    /// Lost packets may be asked for again (RFC 4585 section 6.2.1).
    pub(crate) answers_nacks: bool,
    /// Simulcast layers, lowest first; one otherwise.
    pub(crate) encodings: Vec<Encoding>,
    /// A microphone's.
    pub(crate) meter: Option<LevelMeter>,
    pub(crate) consumers: Vec<ConsumerKey>,
}

/// One stream of a producer.
#[derive(Debug)]
pub(crate) struct Encoding {
    /// Declared, or learnt from the RID it came with.
    pub(crate) ssrc: Option<u32>,
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) rid: Option<String>,
    pub(crate) last_packet: Option<Instant>,
    /// How its spatial layers depend on each other, if it has several.
    pub(crate) prediction: SpatialPrediction,
    /// As declared, inside this encoding.
    spatial_layers: u8,
    /// It declared layers inside, or was seen to have some; without, there is nothing to choose.
    pub(crate) is_layered: bool,
    /// The highest temporal layer that was ever seen.
    pub(crate) highest_temporal: u8,
    /// Payloads by spatial layer, the last for all above it; and their last bitrates on the wire that
    /// were not 0: what they take when they are sent.
    layers: [(Traffic, u64); LAYERS_MEASURED],
    /// When each spatial layer was last seen.
    spatial_seen: [Option<Instant>; SPATIAL_LAYERS_MAX],
    /// What its dependency descriptors are read with.
    pub(crate) structure: StructureCache,
    pub(crate) key_frames: KeyFrameRequests,
    /// The last sender report: NTP time and the timestamp that belongs to it.
    pub(crate) sender_report: Option<(u64, u32)>,
    /// Video's last packets, for consumers that lost some.
    pub(crate) cache: RtxCache,
}

/// A layer without packets for so long is not being sent.
const SILENT_AFTER: Duration = Duration::from_secs(2);
/// Browsers send three at most.
const LAYERS_MEASURED: usize = 4;
/// Three bits of VP9's descriptor say which one.
const SPATIAL_LAYERS_MAX: usize = 8;

impl Encoding {
    pub(crate) fn new(mapping: &EncodingMapping) -> Self {
        Self {
            ssrc: mapping.ssrc,
            rtx_ssrc: mapping.rtx_ssrc,
            rid: mapping.rid.clone(),
            last_packet: None,
            prediction: match mapping.scalability.key_frames_only {
                true => SpatialPrediction::KeyPictures,
                false => SpatialPrediction::EveryPicture,
            },
            spatial_layers: mapping.scalability.spatial_layers,
            is_layered: mapping.scalability.is_layered(),
            highest_temporal: 0,
            layers: Default::default(),
            spatial_seen: [None; SPATIAL_LAYERS_MAX],
            structure: StructureCache::default(),
            key_frames: KeyFrameRequests::default(),
            sender_report: None,
            cache: RtxCache::default(),
        }
    }

    pub(crate) fn on_packet(&mut self, frame: &FrameInfo, payload: usize, now: Instant) {
        if let Some((traffic, _)) = self.layers.get_mut(usize::from(frame.spatial).min(LAYERS_MEASURED - 1)) {
            traffic.count(payload);
        }
        self.last_packet = Some(now);
        self.highest_temporal = self.highest_temporal.max(frame.temporal);
        self.is_layered |= frame.spatial > 0 || frame.temporal > 0;
        if let Some(seen) = self.spatial_seen.get_mut(usize::from(frame.spatial)) {
            *seen = Some(now);
        }
        if frame.starts_key_frame {
            self.key_frames.on_key_frame();
        }
    }

    /// To be called about once a second.
    pub(crate) fn measure(&mut self, now: Instant) {
        for (traffic, bitrate) in &mut self.layers {
            traffic.measure(now);
            *bitrate = Some(traffic.wire_bitrate()).filter(|now| *now > 0).unwrap_or(*bitrate);
        }
    }

    /// Bits a second, on the wire, of what a receiver of this spatial layer gets.
    pub(crate) fn bitrate_up_to(&self, spatial: u8) -> u64 {
        let top = usize::from(spatial).min(LAYERS_MEASURED - 1);
        let needed = match self.prediction {
            SpatialPrediction::KeyPictures if spatial != u8::MAX => top..top + 1,
            _ => 0..top + 1,
        };
        self.layers.get(needed).unwrap_or_default().iter().map(|(_, bitrate)| bitrate).sum()
    }

    pub(crate) fn is_alive(&self, now: Instant) -> bool {
        is_recent(self.last_packet, now)
    }

    /// The highest spatial layer that is being sent.
    pub(crate) fn highest_spatial(&self, now: Instant) -> u8 {
        let highest = self.spatial_seen.iter().rposition(|seen| is_recent(*seen, now));
        highest.and_then(|highest| u8::try_from(highest).ok()).unwrap_or(0)
    }
}

fn is_recent(seen: Option<Instant>, now: Instant) -> bool {
    seen.is_some_and(|seen| now.saturating_duration_since(seen) < SILENT_AFTER)
}

impl Producer {
    /// Whether it may send on SSRCs it did not declare; they are then known by its MID alone.
    pub(crate) fn takes_undeclared(&self) -> bool {
        self.encodings.iter().all(|encoding| encoding.ssrc.is_none() && encoding.rid.is_none())
    }

    /// What a stream is to this producer, whose key is `key`.
    pub(crate) fn place(&self, key: ProducerKey, encoding: u8, is_rtx: bool) -> Place {
        let is_video = self.kind == MediaKind::Video;
        Place { producer: key, encoding, is_rtx, is_video, answers_nacks: self.answers_nacks }
    }

    /// How many spatial layers a consumer may choose from.
    pub(crate) fn spatial_layers(&self) -> u8 {
        match self.stream_type {
            StreamType::Svc => self.encodings.first().map_or(1, |encoding| encoding.spatial_layers),
            _ => u8::try_from(self.encodings.len()).unwrap_or(u8::MAX),
        }
    }

    /// The place of the encoding with this RID.
    pub(crate) fn encoding_of_rid(&self, rid: &[u8]) -> Option<u8> {
        let is_it = |encoding: &Encoding| encoding.rid.as_deref().map(str::as_bytes) == Some(rid);
        self.encodings.iter().position(is_it).and_then(|place| u8::try_from(place).ok())
    }

    pub(crate) fn encoding(&self, place: u8) -> Option<&Encoding> {
        self.encodings.get(usize::from(place))
    }

    pub(crate) fn encoding_mut(&mut self, place: u8) -> Option<&mut Encoding> {
        self.encodings.get_mut(usize::from(place))
    }

    /// The highest encoding that is being sent.
    pub(crate) fn highest_alive(&self, now: Instant) -> Option<u8> {
        let place = self.encodings.iter().rposition(|encoding| encoding.is_alive(now))?;
        u8::try_from(place).ok()
    }
}

/// What a payload type of the sender is in the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MappedCodec {
    pub(crate) payload_type: u8,
    pub(crate) codec: Codec,
    pub(crate) clock_rate: u32,
}

/// What the packet path tells apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Codec {
    Opus,
    Vp8,
    Vp9,
    H264,
    Av1,
    /// Retransmissions of the codec with this payload type of the sender (RFC 4588 `apt`).
    Rtx {
        apt: u8,
    },
}

#[derive(Debug)]
pub(crate) struct PayloadTypes(Vec<(u8, MappedCodec)>);

impl PayloadTypes {
    /// None if the producer uses a codec that this node does not forward.
    pub(crate) fn new(parameters: &RtpParameters, mapping: &ProducerMapping) -> Option<Self> {
        let mut table = Vec::with_capacity(mapping.codecs.len());
        for map in &mapping.codecs {
            let codec = parameters.codecs.iter().find(|codec| codec.payload_type == map.from)?;
            let mapped =
                MappedCodec { payload_type: map.to, codec: Codec::of(codec)?, clock_rate: codec.clock_rate };
            table.push((map.from, mapped));
        }
        Some(Self(table))
    }

    #[inline]
    pub(crate) fn get(&self, payload_type: u8) -> Option<MappedCodec> {
        self.0.iter().find(|(from, _)| *from == payload_type).map(|(_, mapped)| *mapped)
    }
}

impl Codec {
    fn of(codec: &RtpCodecParameters) -> Option<Self> {
        let is = |name: &str| codec.mime_type.eq_ignore_ascii_case(name);
        if is("video/rtx") {
            let apt = codec.parameters.get("apt").and_then(serde_json::Value::as_u64)?;
            return Some(Self::Rtx { apt: u8::try_from(apt).ok()? });
        }
        [
            ("audio/opus", Self::Opus),
            ("video/VP8", Self::Vp8),
            ("video/VP9", Self::Vp9),
            ("video/H264", Self::H264),
            ("video/AV1", Self::Av1),
        ]
        .into_iter()
        .find(|(name, _)| is(name))
        .map(|(_, codec)| codec)
    }
}

impl PayloadTypes {
    /// The codec that the router's payload type stands for.
    pub(crate) fn codec_of_router(&self, payload_type: u8) -> Option<Codec> {
        self.0.iter().find(|(_, mapped)| mapped.payload_type == payload_type).map(|(_, mapped)| mapped.codec)
    }
}

/// The sender's header extension ids in the router's, and those that this node reads itself.
#[derive(Debug)]
pub(crate) struct ExtensionIds {
    to_router: [u8; 256],
    pub(crate) mid: Option<u8>,
    pub(crate) rid: Option<u8>,
    pub(crate) repaired_rid: Option<u8>,
    pub(crate) transport_cc: Option<u8>,
    pub(crate) dependency_descriptor: Option<u8>,
    pub(crate) audio_level: Option<u8>,
}

impl ExtensionIds {
    pub(crate) fn new(parameters: &RtpParameters, mapping: &ProducerMapping) -> Self {
        let mut to_router = [UNMAPPED; 256];
        for map in &mapping.header_extensions {
            if let Some(entry) = to_router.get_mut(usize::from(map.from)) {
                *entry = map.to;
            }
        }
        let id_of = |uri| parameters.header_extensions.iter().find(|it| it.uri == uri).map(|it| it.id);
        Self {
            to_router,
            mid: id_of(extension_uri::MID),
            rid: id_of(extension_uri::RTP_STREAM_ID),
            repaired_rid: id_of(extension_uri::REPAIRED_RTP_STREAM_ID),
            transport_cc: id_of(extension_uri::TRANSPORT_WIDE_CC),
            dependency_descriptor: id_of(extension_uri::DEPENDENCY_DESCRIPTOR),
            audio_level: id_of(extension_uri::AUDIO_LEVEL),
        }
    }

    #[inline]
    pub(crate) fn to_router(&self, id: u8) -> Option<u8> {
        let mapped = self.to_router.get(usize::from(id)).copied();
        mapped.filter(|mapped| *mapped != UNMAPPED)
    }
}
