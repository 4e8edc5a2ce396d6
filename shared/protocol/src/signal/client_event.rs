//! Client → server: everything that a client asks for.

use super::data_message::DataMessage;
use super::encryption::{E2eeMessage, E2eeSupport};
use super::source::{Source, VideoSource};
use crate::ids::{ChannelId, ConsumerId, ProducerId, TransportId};
use crate::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters};
use crate::transport_parameters::{DtlsParameters, TransportDirection};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::num::NonZeroU8;

/// Everything a client asks for, as the contract's table lists it.
#[derive(Clone, Debug, PartialEq)]
pub enum ClientEvent {
    /// `voice:join`: takes a seat in a channel's room.
    Join {
        /// The channel's id.
        channel_id: ChannelId,
        /// What the client can receive; none if it says so at consuming.
        rtp_capabilities: Option<RtpCapabilities>,
        /// The kind of network that the client is on; absent if it cannot tell.
        network_type: Option<NetworkType>,
        /// None: the client cannot encrypt end to end.
        e2ee: Option<E2eeSupport>,
    },
    /// `voice:leave`: gives the seat up.
    Leave {
        /// The channel to leave; none: the one that the session is in.
        channel_id: Option<ChannelId>,
    },
    /// `voice:rtc:getRouterRtpCapabilities`: codecs and header extensions that rooms forward.
    GetRouterRtpCapabilities,
    /// `voice:rtc:createTransport`: one transport, to send or to receive.
    CreateTransport {
        /// `send` or `recv`, as the client sees it.
        direction: TransportDirection,
    },
    /// `voice:rtc:connectTransport`: brings the client's DTLS fingerprints.
    ConnectTransport {
        /// The transport's id.
        transport_id: TransportId,
        /// The client's DTLS role and certificate fingerprints.
        dtls_parameters: DtlsParameters,
    },
    /// `voice:rtc:produce`: announces media that the client is going to send.
    Produce {
        /// The session's sending transport.
        transport_id: TransportId,
        /// `audio` or `video`.
        kind: MediaKind,
        /// Codecs, encodings, header extensions and RTCP, as mediasoup-client names them.
        rtp_parameters: RtpParameters,
        /// What is captured: microphone, camera, screen or the screen's sound.
        source: Source,
    },
    /// `voice:rtc:consume`: asks for a producer's media.
    Consume {
        /// The transport to receive by; none: the session's receiving one.
        transport_id: Option<TransportId>,
        /// The producer's id.
        producer_id: ProducerId,
        /// What the client can receive; none: as it said at joining.
        rtp_capabilities: Option<RtpCapabilities>,
    },
    /// `voice:rtc:pauseProducer`: nothing of it is forwarded until it is resumed.
    PauseProducer {
        /// The producer's id.
        producer_id: ProducerId,
    },
    /// `voice:rtc:resumeProducer`.
    ResumeProducer {
        /// The producer's id.
        producer_id: ProducerId,
    },
    /// `voice:rtc:closeProducer`: its consumers are closed too.
    CloseProducer {
        /// The producer's id.
        producer_id: ProducerId,
    },
    /// `voice:rtc:pauseConsumer`: nothing of it is sent until it is resumed.
    PauseConsumer {
        /// The consumer's id.
        consumer_id: ConsumerId,
    },
    /// `voice:rtc:resumeConsumer`.
    ResumeConsumer {
        /// The consumer's id.
        consumer_id: ConsumerId,
    },
    /// `voice:rtc:requestKeyFrame`: asks the sender of a video for a key frame.
    RequestKeyFrame {
        /// The consumer's id.
        consumer_id: ConsumerId,
    },
    /// `voice:rtc:setPreferredLayers`: the highest layers that the client wants.
    SetPreferredLayers {
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// Spatial and temporal layer.
        layers: ConsumerLayers,
    },
    /// `voice:rtc:restartIce`: new ICE credentials; DTLS and media go on.
    RestartIce {
        /// The transport's id.
        transport_id: TransportId,
    },
    /// `voice:rtc:setPriority`: whose layers are kept when the client's link does not take all.
    SetPriority {
        /// The consumer's id.
        consumer_id: ConsumerId,
        /// 1 (first to lose its layers) to 255 (last).
        priority: NonZeroU8,
    },
    /// `voice:rtc:getStats`: of one transport and what runs over it, or of everything the session owns.
    GetStats {
        /// None: of everything the session owns.
        transport_id: Option<TransportId>,
    },
    /// `voice:state:update`: muted, deafened, speaking.
    StateUpdate(StateUpdate),
    /// `voice:stats:report`: how the call goes, as the client measured it.
    StatsReport(StatsReport),
    /// `voice:turn:refresh`: a new credential for the relays.
    TurnRefresh,
    /// `voice:entitlement:refresh`: a newer token of the same user.
    EntitlementRefresh {
        /// The new token.
        token: Token,
    },
    /// `voice:video:requestSlot`: a video slot, or a place in the queue for one.
    RequestSlot {
        /// What is captured: microphone, camera, screen or the screen's sound.
        source: VideoSource,
    },
    /// `voice:video:releaseSlot`: gives a slot or a place in the queue back.
    ReleaseSlot {
        /// What is captured: microphone, camera, screen or the screen's sound.
        source: VideoSource,
    },
    /// `voice:data`: a small message to the others in the room, or to one of them.
    Data(DataMessage),
    /// `voice:e2ee:message`: a message of key agreement.
    E2eeMessage(E2eeMessage),
    /// `voice:ui:event`: what the interface did that operators count.
    UiEvent {
        /// What the interface did.
        name: UiEventName,
    },
    /// `voice:ring`: calls the other members of the DM that was joined.
    Ring {
        /// The channel's id.
        channel_id: ChannelId,
    },
    /// `voice:ring:decline`: of a call to oneself; of one's own, it is cancelled.
    DeclineRing {
        /// The channel's id.
        channel_id: ChannelId,
    },
    /// Who is in a channel, before joining it.
    WatchChannel {
        /// The channel's id.
        channel_id: ChannelId,
    },
    /// `voice:channel:unwatch`: no more of it.
    UnwatchChannel {
        /// The channel's id.
        channel_id: ChannelId,
    },
    /// `voice:ping`: answered at once with the server's time.
    Ping {
        /// Whatever the client sent as its time; the answer carries it back.
        sent_at: Value,
    },
}

/// What a participant says of itself; an absent field stays as it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
pub struct StateUpdate {
    /// The microphone is off.
    #[serde(default)]
    pub muted: Option<bool>,
    /// Nobody is heard.
    #[serde(default)]
    pub deafened: Option<bool>,
    /// The voice is heard now.
    #[serde(default)]
    pub speaking: Option<bool>,
}

/// How a client's call is going, as the client measured it. What was not measured is absent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct StatsReport {
    /// How its media travels: `udp`, `tcp`, or `turn` for through a relay.
    #[serde(default)]
    #[cfg_attr(test, ts(type = "\"udp\" | \"tcp\" | \"turn\""))]
    pub transport: Option<String>,
    /// Milliseconds.
    #[serde(default)]
    pub rtt: Option<f64>,
    /// Milliseconds.
    #[serde(default)]
    pub jitter: Option<f64>,
    /// Percent, 0 to 100.
    #[serde(default)]
    pub packet_loss: Option<f64>,
    /// Mean opinion score, 1 to 5.
    #[serde(default)]
    pub mos: Option<f64>,
    /// The kind of network that the client is on; absent if it cannot tell.
    #[serde(default)]
    pub network_type: Option<NetworkType>,
    /// True while the client sends less because its device is too slow; absent: not, or not known.
    #[serde(default)]
    pub cpu_limited: Option<bool>,
}

/// What the interface did that its operators count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum UiEventName {
    /// The offer of Pro was shown.
    UpgradeCtaShown,
    /// The offer of Pro was clicked.
    UpgradeCtaClicked,
    /// The user came back with Pro.
    Upgraded,
}

/// A token as it came, which no log may show.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(type = "string"))]
#[serde(transparent)]
pub struct Token(pub String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Layers of a consumer, counted from 0. Asked for without a temporal layer: all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct ConsumerLayers {
    /// Resolution: 0 is the smallest.
    pub spatial_layer: u8,
    /// Frame rate: 0 is the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
}

/// The kind of network a client is on, by its own word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
pub enum NetworkType {
    /// Wi-Fi.
    Wifi,
    /// A mobile network.
    Cellular,
    /// A cable.
    Ethernet,
    /// A virtual private network, over whatever carries it.
    Vpn,
    /// One that is none of these.
    Other,
    /// The client cannot tell.
    Unknown,
}

impl ClientEvent {
    /// Names of the requests this version answers, in the order of the contract's table.
    pub const NAMES: [&'static str; 31] = [
        "voice:join",
        "voice:leave",
        "voice:rtc:getRouterRtpCapabilities",
        "voice:rtc:createTransport",
        "voice:rtc:connectTransport",
        "voice:rtc:produce",
        "voice:rtc:consume",
        "voice:rtc:pauseProducer",
        "voice:rtc:resumeProducer",
        "voice:rtc:pauseConsumer",
        "voice:rtc:resumeConsumer",
        "voice:rtc:closeProducer",
        "voice:state:update",
        "voice:rtc:setPreferredLayers",
        "voice:rtc:setPriority",
        "voice:rtc:requestKeyFrame",
        "voice:rtc:restartIce",
        "voice:rtc:getStats",
        "voice:stats:report",
        "voice:turn:refresh",
        "voice:entitlement:refresh",
        "voice:video:requestSlot",
        "voice:video:releaseSlot",
        "voice:data",
        "voice:e2ee:message",
        "voice:ui:event",
        "voice:channel:watch",
        "voice:channel:unwatch",
        "voice:ring",
        "voice:ring:decline",
        "voice:ping",
    ];
}
