//! A media source of a session, as the packet path needs it.

use super::encoding::Encoding;
use super::extension_ids::ExtensionIds;
use super::payload_types::PayloadTypes;
use super::wanted_layers::WantedLayers;
use crate::arena::{AccountKey, ConsumerKey, PolicerKey, ProducerKey, TransportKey};
use crate::audio::audio_level::LevelMeter;
use crate::packet::rtp::RtpHeader;
use crate::transport::stream::StreamBinding;
use railgun_protocol::ids::{ProducerId, SessionId};
use railgun_protocol::rtp_parameters::{MediaKind, RtpParameters, StreamType};
use railgun_protocol::signal::Source;
use std::time::Instant;

/// Level in the audio level extension's byte. The highest bit says whether it is speech, which a sender may set on
/// anything (RFC 6464 section 3).
const LEVEL_BITS: u8 = 0x7f;

#[derive(Debug)]
pub(crate) struct Producer {
    pub(crate) id: ProducerId,
    pub(crate) kind: MediaKind,
    pub(crate) source: Source,
    pub(crate) session: SessionId,
    pub(crate) transport: TransportKey,
    pub(crate) paused: bool,
    /// Of the room's active speaker, or in silence of the last one: a link that cannot take everything gives it more.
    pub(crate) is_speakers: bool,
    /// End to end, as its room is: of a payload only what packetisers need is in the clear.
    pub(crate) is_encrypted: bool,
    /// The score that its session was last told of.
    pub(crate) last_notified_score: Option<u8>,
    pub(crate) wanted_layers: WantedLayers,
    /// Account of the producer's user in its room.
    pub(crate) account: AccountKey,
    /// Policer of that account.
    pub(crate) policer: PolicerKey,
    /// Bitrate that this producer may add to its user's, in bits per second.
    pub(crate) allowed: u64,
    /// Packets that its bitrate limit has dropped so far.
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

impl Producer {
    /// Whether it may send on SSRCs it did not declare; they are then known by its MID alone.
    pub(crate) fn takes_undeclared(&self) -> bool {
        self.encodings.iter().all(|encoding| encoding.ssrc.is_none() && encoding.rid.is_none())
    }

    /// The binding of one SSRC of this producer. `key` is the producer's own.
    pub(crate) fn binding(&self, key: ProducerKey, encoding: u8, is_rtx: bool) -> StreamBinding {
        let is_video = self.kind == MediaKind::Video;
        StreamBinding { producer: key, encoding, is_rtx, is_video, answers_nacks: self.answers_nacks }
    }

    /// The SSRCs that it declared, those of retransmissions included.
    pub(crate) fn declared_streams(&self, key: ProducerKey) -> impl Iterator<Item = (u32, StreamBinding)> {
        (0..).zip(&self.encodings).flat_map(move |(encoding, it)| {
            let of = move |ssrc: Option<u32>, is_rtx| Some((ssrc?, self.binding(key, encoding, is_rtx)));
            [of(it.ssrc, false), of(it.rtx_ssrc, true)].into_iter().flatten()
        })
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

    /// Notes the audio level of a packet (RFC 6464). True if its room has to look at the levels.
    #[inline]
    pub(crate) fn hear(&mut self, header: &RtpHeader, packet: &[u8], now: Instant) -> bool {
        let (Some(meter), false) = (&mut self.meter, self.paused) else { return false };
        let level = self.extensions.audio_level.and_then(|id| header.extension(packet, id));
        level.and_then(<[u8]>::first).is_some_and(|level| meter.on_packet(level & LEVEL_BITS, now))
    }
}
