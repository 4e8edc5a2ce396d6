//! Which header extensions (RFC 8285) a consumer gets, by the router's ids, and how its receiver reports on packets.

use super::header::OwnElements;
use super::mid::Mid;
use railgun_protocol::rtp_parameters::{RtcpFeedback, RtpParameters, extension_uri};

/// Which header extensions, by the router's ids, this consumer gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsumerExtensions {
    /// Bit `id` is set if the source's value is passed on.
    pub(crate) passed: u16,
    /// The three below, laid out.
    pub(crate) own: OwnElements,
    /// The MID (RFC 9143), which is this consumer's own.
    pub(crate) mid: Option<(u8, Mid)>,
    pub(crate) abs_send_time: Option<u8>,
    pub(crate) transport_cc: Option<u8>,
    /// For a receiver that asked for it; what it says of layers is made this consumer's own.
    pub(crate) dependency_descriptor: Option<u8>,
    /// What passes to an address that is not proved yet.
    pub(crate) is_audio: bool,
    /// The receiver reports on its packets by SSRC and sequence number (RFC 8888). It then gets no transport-wide number:
    /// of the two it would use this one.
    pub(crate) has_ccfb: bool,
}

/// Values that are the sender's own and mean nothing, or something else, on another hop.
const NEVER_PASSED: [&str; 6] = [
    extension_uri::MID,
    extension_uri::RTP_STREAM_ID,
    extension_uri::REPAIRED_RTP_STREAM_ID,
    extension_uri::ABS_SEND_TIME,
    extension_uri::TRANSPORT_WIDE_CC,
    extension_uri::DEPENDENCY_DESCRIPTOR,
];

impl ConsumerExtensions {
    /// Its packets are counted under transport-wide numbers, on the wire or in our own history alone. Speech is not.
    #[inline]
    pub(crate) fn is_numbered(&self) -> bool {
        self.transport_cc.is_some() || self.has_ccfb && !self.is_audio
    }

    pub(crate) fn new(parameters: &RtpParameters) -> Self {
        let id_of = |uri: &str| {
            let found = parameters.header_extensions.iter().find(|extension| extension.uri == uri);
            found.map(|extension| extension.id)
        };
        let mut passed = 0;
        for extension in &parameters.header_extensions {
            if !NEVER_PASSED.contains(&extension.uri.as_str()) && extension.id < 16 {
                passed |= 1 << extension.id;
            }
        }
        let mid = id_of(extension_uri::MID).zip(parameters.mid.as_deref().and_then(Mid::new));
        let abs_send_time = id_of(extension_uri::ABS_SEND_TIME);
        let transport_cc = id_of(extension_uri::TRANSPORT_WIDE_CC);
        let own = OwnElements::new(mid, abs_send_time, transport_cc);
        let dependency_descriptor = id_of(extension_uri::DEPENDENCY_DESCRIPTOR);
        let is_audio =
            |mime_type: &str| mime_type.get(..6).is_some_and(|it| it.eq_ignore_ascii_case("audio/"));
        let is_audio = parameters.codecs.first().is_some_and(|codec| is_audio(&codec.mime_type));
        let has_ccfb =
            parameters.codecs.iter().any(|codec| codec.rtcp_feedback.iter().any(RtcpFeedback::is_ccfb));
        Self { passed, own, mid, abs_send_time, transport_cc, dependency_descriptor, is_audio, has_ccfb }
    }
}
