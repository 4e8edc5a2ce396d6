//! One producer as forwarded to one session.

use crate::arena::{ProducerKey, RoomKey, TransportKey};
use crate::packet_path::sequence::SequenceMap;
use railgun_shared::ids::{ConsumerId, SessionId};
use railgun_shared::rtp_parameters::{MediaKind, RtpParameters, extension_uri};
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) id: ConsumerId,
    pub(crate) kind: MediaKind,
    pub(crate) room: RoomKey,
    pub(crate) session: SessionId,
    pub(crate) transport: TransportKey,
    pub(crate) producer: ProducerKey,
    pub(crate) paused: bool,
    /// Forward nothing before a key frame.
    pub(crate) awaits_key_frame: bool,
    pub(crate) ssrc: u32,
    pub(crate) cname: String,
    pub(crate) clock_rate: u32,
    pub(crate) extensions: ConsumerExtensions,
    pub(crate) sequence: SequenceMap,
    pub(crate) sent: Sent,
    /// First index sent to the transport's present address; what feedback must reach to prove it.
    pub(crate) unproved_from: u64,
}

impl Consumer {
    /// Forwarding stops for now; video goes on with the next key frame.
    pub(crate) fn interrupt(&mut self) {
        self.sequence.interrupt();
        self.awaits_key_frame = self.kind == MediaKind::Video;
    }
}

/// For sender reports (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sent {
    pub(crate) packets: u32,
    pub(crate) octets: u32,
    /// The last packet's timestamp, and when it went out.
    pub(crate) last: Option<(u32, Instant)>,
}

/// Which header extensions, by the router's ids, this consumer gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConsumerExtensions {
    /// Bit `id` is set if the source's value is passed on.
    passed: u16,
    /// The MID (RFC 9143), which is this consumer's own.
    pub(crate) mid: Option<(u8, Mid)>,
    pub(crate) abs_send_time: Option<u8>,
    pub(crate) transport_cc: Option<u8>,
}

/// At most eight characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mid {
    text: [u8; 8],
    len: u8,
}

impl Mid {
    pub(crate) fn new(text: &str) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { text: bytes, len: u8::try_from(text.len()).ok()? })
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// Values that are the sender's own and mean nothing on another hop.
const NEVER_PASSED: [&str; 5] = [
    extension_uri::MID,
    extension_uri::RTP_STREAM_ID,
    extension_uri::REPAIRED_RTP_STREAM_ID,
    extension_uri::ABS_SEND_TIME,
    extension_uri::TRANSPORT_WIDE_CC,
];

impl ConsumerExtensions {
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
        let mid = parameters.mid.as_deref().and_then(Mid::new);
        Self {
            passed,
            mid: id_of(extension_uri::MID).zip(mid),
            abs_send_time: id_of(extension_uri::ABS_SEND_TIME),
            transport_cc: id_of(extension_uri::TRANSPORT_WIDE_CC),
        }
    }

    #[inline]
    pub(crate) fn passes(&self, id: u8) -> bool {
        id < 16 && self.passed & (1 << id) != 0
    }
}
