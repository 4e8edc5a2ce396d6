//! A media source of a session, as the packet path needs it.

use crate::arena::{ConsumerKey, TransportKey};
use crate::feedback::key_frame_request::KeyFrameRequests;
use railgun_shared::ids::{ProducerId, SessionId};
use railgun_shared::ortc::ProducerMapping;
use railgun_shared::rtp_parameters::{MediaKind, RtpParameters, StreamType, extension_uri};
use railgun_shared::signal::Source;

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
    pub(crate) stream_type: StreamType,
    /// What any consumer's parameters are made from.
    pub(crate) consumable: RtpParameters,
    pub(crate) cname: String,
    pub(crate) mid: Option<String>,
    pub(crate) payload_types: PayloadTypes,
    pub(crate) extensions: ExtensionIds,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) consumers: Vec<ConsumerKey>,
    pub(crate) key_frames: KeyFrameRequests,
}

/// One stream that the producer declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encoding {
    pub(crate) ssrc: Option<u32>,
    pub(crate) rtx_ssrc: Option<u32>,
    pub(crate) rid: Option<String>,
}

impl Producer {
    /// Whether it may send on SSRCs it did not declare; they are then known by its MID.
    pub(crate) fn takes_undeclared(&self) -> bool {
        self.encodings.iter().all(|encoding| encoding.ssrc.is_none() && encoding.rid.is_none())
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
    /// Retransmissions of the stream next to it.
    Rtx,
}

#[derive(Debug)]
pub(crate) struct PayloadTypes(Vec<(u8, MappedCodec)>);

impl PayloadTypes {
    /// None if the producer uses a codec that this node does not forward.
    pub(crate) fn new(parameters: &RtpParameters, mapping: &ProducerMapping) -> Option<Self> {
        let mut table = Vec::with_capacity(mapping.codecs.len());
        for map in &mapping.codecs {
            let codec = parameters.codecs.iter().find(|codec| codec.payload_type == map.from)?;
            let mapped = MappedCodec {
                payload_type: map.to,
                codec: Codec::from_mime_type(&codec.mime_type)?,
                clock_rate: codec.clock_rate,
            };
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
    fn from_mime_type(mime_type: &str) -> Option<Self> {
        let known = [("audio/opus", Self::Opus), ("video/VP8", Self::Vp8), ("video/rtx", Self::Rtx)];
        known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(mime_type)).map(|(_, codec)| codec)
    }
}

/// The sender's header extension ids in the router's, and those that this node reads itself.
#[derive(Debug)]
pub(crate) struct ExtensionIds {
    to_router: [u8; 256],
    pub(crate) mid: Option<u8>,
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
        Self { to_router, mid: id_of(extension_uri::MID) }
    }

    #[inline]
    pub(crate) fn to_router(&self, id: u8) -> Option<u8> {
        let mapped = self.to_router.get(usize::from(id)).copied();
        mapped.filter(|mapped| *mapped != UNMAPPED)
    }
}
