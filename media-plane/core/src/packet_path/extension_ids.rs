//! A sender's header extension ids (RFC 8285), and what each is in the router.

use railgun_protocol::ortc::ProducerMapping;
use railgun_protocol::rtp_parameters::{RtpParameters, extension_uri};

/// No router's id for this one.
const UNMAPPED: u8 = 0xff;

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
