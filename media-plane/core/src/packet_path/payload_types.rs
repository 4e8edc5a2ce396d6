//! A sender's payload types, and what each is in the router.

use railgun_protocol::ortc::ProducerMapping;
use railgun_protocol::rtp_parameters::{RtpCodecParameters, RtpParameters};

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
