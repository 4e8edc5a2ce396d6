//! Client → server: every request, read into a type before anything looks at it.

use super::data_message::DataMessage;
use super::encryption::{E2eeMessage, E2eeSupport};
use super::source::{Source, VideoSource};
use crate::ids::{ChannelId, ConsumerId, ProducerId, TransportId};
use crate::limits;
use crate::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters};
use crate::transport_parameters::{DtlsParameters, TransportDirection};
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::Value;
use std::fmt;
use std::num::NonZeroU8;

/// A request with the id that comes back in its reply.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRequest {
    /// The client's own id for the request, up to 64 characters; its reply carries it back.
    pub request_id: Option<String>,
    /// What is asked for.
    pub event: ClientEvent,
}

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

/// Why a request could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// No request has this name.
    #[error("no such request")]
    UnknownEvent,
    /// The payload is nested deeper than [`limits::JSON_DEPTH_MAX`].
    #[error("nested deeper than {}", limits::JSON_DEPTH_MAX)]
    TooDeep,
    /// `requestId` is no string, or a longer one than [`limits::REQUEST_ID_CHARS_MAX`].
    #[error("requestId is not a string of at most {} characters", limits::REQUEST_ID_CHARS_MAX)]
    RequestId,
    /// The payload is not of the request's shape; the text says where.
    #[error("{0}")]
    Payload(String),
}

impl ClientRequest {
    /// Reads the payload of the event called `name`. The request id is given back even when the
    /// rest cannot be read, so that the refusal can carry it.
    pub fn parse(name: &str, payload: &Value) -> Result<Self, (RequestError, Option<String>)> {
        if depth_exceeds(payload, limits::JSON_DEPTH_MAX) {
            return Err((RequestError::TooDeep, None));
        }
        let request_id = match payload.get("requestId") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if id.chars().count() <= limits::REQUEST_ID_CHARS_MAX => Some(id.clone()),
            Some(_) => return Err((RequestError::RequestId, None)),
        };
        match parse_event(name, payload) {
            Ok(event) => Ok(Self { request_id, event }),
            Err(error) => Err((error, request_id)),
        }
    }
}

fn parse_event(name: &str, payload: &Value) -> Result<ClientEvent, RequestError> {
    Ok(match name {
        "voice:join" => {
            let Join { channel_id, rtp_capabilities, network_type, e2ee } = read(payload)?;
            ClientEvent::Join { channel_id, rtp_capabilities, network_type, e2ee }
        }
        "voice:leave" => ClientEvent::Leave { channel_id: read::<Leave>(payload)?.channel_id },
        "voice:rtc:getRouterRtpCapabilities" => ClientEvent::GetRouterRtpCapabilities,
        "voice:rtc:createTransport" => {
            ClientEvent::CreateTransport { direction: read::<CreateTransport>(payload)?.direction }
        }
        "voice:rtc:connectTransport" => {
            let ConnectTransport { transport_id, dtls_parameters } = read(payload)?;
            ClientEvent::ConnectTransport { transport_id, dtls_parameters }
        }
        "voice:rtc:produce" => {
            let Produce { transport_id, kind, rtp_parameters, app_data } = read(payload)?;
            ClientEvent::Produce { transport_id, kind, rtp_parameters, source: app_data.source }
        }
        "voice:rtc:consume" => {
            let Consume { transport_id, producer_id, rtp_capabilities } = read(payload)?;
            ClientEvent::Consume { transport_id, producer_id, rtp_capabilities }
        }
        "voice:rtc:pauseProducer" => ClientEvent::PauseProducer { producer_id: producer(payload)? },
        "voice:rtc:resumeProducer" => ClientEvent::ResumeProducer { producer_id: producer(payload)? },
        "voice:rtc:closeProducer" => ClientEvent::CloseProducer { producer_id: producer(payload)? },
        "voice:rtc:pauseConsumer" => ClientEvent::PauseConsumer { consumer_id: consumer(payload)? },
        "voice:rtc:resumeConsumer" => ClientEvent::ResumeConsumer { consumer_id: consumer(payload)? },
        "voice:rtc:requestKeyFrame" => ClientEvent::RequestKeyFrame { consumer_id: consumer(payload)? },
        "voice:rtc:setPreferredLayers" => {
            ClientEvent::SetPreferredLayers { consumer_id: consumer(payload)?, layers: read(payload)? }
        }
        "voice:rtc:restartIce" => ClientEvent::RestartIce { transport_id: transport(payload)? },
        "voice:rtc:setPriority" => {
            let SetPriority { consumer_id, priority } = read(payload)?;
            ClientEvent::SetPriority { consumer_id, priority }
        }
        "voice:rtc:getStats" => {
            ClientEvent::GetStats { transport_id: read::<GetStats>(payload)?.transport_id }
        }
        "voice:state:update" => ClientEvent::StateUpdate(read(payload)?),
        "voice:stats:report" => ClientEvent::StatsReport(read(payload)?),
        "voice:turn:refresh" => ClientEvent::TurnRefresh,
        "voice:entitlement:refresh" => {
            ClientEvent::EntitlementRefresh { token: read::<OfToken>(payload)?.token }
        }
        "voice:video:requestSlot" => ClientEvent::RequestSlot { source: read::<OfSource>(payload)?.source },
        "voice:video:releaseSlot" => ClientEvent::ReleaseSlot { source: read::<OfSource>(payload)?.source },
        "voice:data" => ClientEvent::Data(read(payload)?),
        "voice:e2ee:message" => ClientEvent::E2eeMessage(read(payload)?),
        "voice:ui:event" => ClientEvent::UiEvent { name: read::<OfName>(payload)?.name },
        "voice:channel:watch" => {
            ClientEvent::WatchChannel { channel_id: read::<OfChannel>(payload)?.channel_id }
        }
        "voice:channel:unwatch" => {
            ClientEvent::UnwatchChannel { channel_id: read::<OfChannel>(payload)?.channel_id }
        }
        "voice:ring" => ClientEvent::Ring { channel_id: read::<OfChannel>(payload)?.channel_id },
        "voice:ring:decline" => {
            ClientEvent::DeclineRing { channel_id: read::<OfChannel>(payload)?.channel_id }
        }
        "voice:ping" => ClientEvent::Ping { sent_at: payload.get("sentAt").cloned().unwrap_or(Value::Null) },
        _ => return Err(RequestError::UnknownEvent),
    })
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
struct Join {
    channel_id: ChannelId,
    #[serde(default, deserialize_with = "absent_if_empty")]
    rtp_capabilities: Option<RtpCapabilities>,
    #[serde(default)]
    network_type: Option<NetworkType>,
    #[serde(default)]
    e2ee: Option<E2eeSupport>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
struct Leave {
    #[serde(default)]
    channel_id: Option<ChannelId>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
struct OfChannel {
    channel_id: ChannelId,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
struct OfToken {
    token: Token,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
struct OfSource {
    source: VideoSource,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
struct OfName {
    name: UiEventName,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
struct CreateTransport {
    direction: TransportDirection,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
struct ConnectTransport {
    transport_id: TransportId,
    dtls_parameters: DtlsParameters,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
struct Produce {
    transport_id: TransportId,
    kind: MediaKind,
    rtp_parameters: RtpParameters,
    app_data: ProduceAppData,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
struct ProduceAppData {
    source: Source,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
struct Consume {
    #[serde(default)]
    transport_id: Option<TransportId>,
    producer_id: ProducerId,
    #[serde(default, deserialize_with = "absent_if_empty")]
    rtp_capabilities: Option<RtpCapabilities>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
struct SetPriority {
    consumer_id: ConsumerId,
    priority: NonZeroU8,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
struct GetStats {
    #[serde(default)]
    transport_id: Option<TransportId>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
struct OfTransport {
    transport_id: TransportId,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
struct OfProducer {
    producer_id: ProducerId,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
struct OfConsumer {
    consumer_id: ConsumerId,
}

fn transport(payload: &Value) -> Result<TransportId, RequestError> {
    Ok(read::<OfTransport>(payload)?.transport_id)
}

fn producer(payload: &Value) -> Result<ProducerId, RequestError> {
    Ok(read::<OfProducer>(payload)?.producer_id)
}

fn consumer(payload: &Value) -> Result<ConsumerId, RequestError> {
    Ok(read::<OfConsumer>(payload)?.consumer_id)
}

/// An absent payload reads as an empty one, since socket.io lets a client send none.
fn read<T: for<'de> Deserialize<'de>>(payload: &Value) -> Result<T, RequestError> {
    let result = match payload {
        Value::Null => T::deserialize(Value::Object(serde_json::Map::new())),
        other => T::deserialize(other),
    };
    result.map_err(|error| RequestError::Payload(error.to_string()))
}

/// `{}` and capabilities without codecs count as not given.
fn absent_if_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RtpCapabilities>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    match value {
        None => Ok(None),
        Some(Value::Object(fields)) if fields.is_empty() => Ok(None),
        Some(value) => {
            let capabilities: RtpCapabilities = serde_json::from_value(value).map_err(de::Error::custom)?;
            Ok(Some(capabilities).filter(|given| !given.codecs.is_empty()))
        }
    }
}

fn depth_exceeds(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels == 0 || items.iter().any(|item| depth_exceeds(item, levels - 1)),
        Value::Object(fields) => levels == 0 || fields.values().any(|item| depth_exceeds(item, levels - 1)),
        _ => false,
    }
}

/// Each request's payload and reply in TypeScript, in the order of [`ClientEvent::NAMES`].
#[cfg(test)]
pub(crate) mod payloads {
    use super::*;
    use crate::typescript::Types;

    #[derive(ts_rs::TS)]
    #[allow(dead_code)]
    struct SetPreferredLayers {
        #[ts(flatten)]
        of: OfConsumer,
        #[ts(flatten)]
        layers: ConsumerLayers,
    }

    /// `{}`.
    #[derive(ts_rs::TS)]
    #[ts(type = "Record<never, never>")]
    struct Nothing {}

    #[derive(ts_rs::TS)]
    #[ts(type = "{ sentAt: number; padding?: string }")]
    struct Ping {}

    macro_rules! requests {
        ($types:ident, $($name:literal: $payload:ty => $reply:expr),* $(,)?) => {
            vec![$(($name, $types.name::<$payload>(), String::from($reply)),)*]
        };
    }

    /// The acknowledgement has the fields of the reply event of this name.
    fn of(event: &str) -> String {
        format!("ServerEvents[\"{event}\"]")
    }

    pub(crate) fn describe(types: &mut Types) -> Vec<(&'static str, String, String)> {
        const NOTHING: &str = "Nothing";
        requests![types,
            "voice:join": Join => of("voice:joined"),
            "voice:leave": Leave => of("voice:left"),
            "voice:rtc:getRouterRtpCapabilities": Nothing => of("voice:routerRtpCapabilities"),
            "voice:rtc:createTransport": CreateTransport => of("voice:transportCreated"),
            "voice:rtc:connectTransport": ConnectTransport => of("voice:transportConnected"),
            "voice:rtc:produce": Produce => of("voice:produced"),
            "voice:rtc:consume": Consume => of("voice:consumed"),
            "voice:rtc:pauseProducer": OfProducer => of("voice:producerPaused"),
            "voice:rtc:resumeProducer": OfProducer => of("voice:producerResumed"),
            "voice:rtc:pauseConsumer": OfConsumer => of("voice:consumerPaused"),
            "voice:rtc:resumeConsumer": OfConsumer => of("voice:consumerResumed"),
            "voice:rtc:closeProducer": OfProducer => of("voice:producerClosed"),
            "voice:state:update": StateUpdate => NOTHING,
            "voice:rtc:setPreferredLayers": SetPreferredLayers => of("voice:preferredLayersSet"),
            "voice:rtc:setPriority": SetPriority => of("voice:prioritySet"),
            "voice:rtc:requestKeyFrame": OfConsumer => of("voice:keyFrameRequested"),
            "voice:rtc:restartIce": OfTransport => of("voice:iceRestarted"),
            "voice:rtc:getStats": GetStats => of("voice:stats"),
            "voice:stats:report": StatsReport => NOTHING,
            "voice:turn:refresh": Nothing => of("voice:turn"),
            "voice:entitlement:refresh": OfToken => of("voice:permissions"),
            "voice:video:requestSlot": OfSource => of("voice:video:slot"),
            "voice:video:releaseSlot": OfSource => of("voice:video:slotReleased"),
            "voice:data": DataMessage => NOTHING,
            "voice:e2ee:message": E2eeMessage => NOTHING,
            "voice:ui:event": OfName => NOTHING,
            "voice:channel:watch": OfChannel => of("voice:channel:watched"),
            "voice:channel:unwatch": OfChannel => of("voice:channel:unwatched"),
            "voice:ring": OfChannel => "{ users: number }",
            "voice:ring:decline": OfChannel => NOTHING,
            "voice:ping": Ping => "{ sentAt: number; serverTime: number }",
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_unknown_field_is_ignored_at_every_depth() {
        let payload = json!({"direction": "send", "more": {"x": [1]}, "requestId": "r1"});
        let request = ClientRequest::parse("voice:rtc:createTransport", &payload).unwrap();
        assert_eq!(request.request_id.as_deref(), Some("r1"));
        assert_eq!(request.event, ClientEvent::CreateTransport { direction: TransportDirection::Send });
    }

    #[test]
    fn empty_capabilities_count_as_absent() {
        for empty in [json!({}), json!({"codecs": []}), Value::Null] {
            let payload = json!({"channelId": "c", "rtpCapabilities": empty});
            let request = ClientRequest::parse("voice:join", &payload).unwrap();
            assert!(matches!(request.event, ClientEvent::Join { rtp_capabilities: None, .. }));
        }
    }

    #[test]
    fn a_request_that_cannot_be_read_still_gives_its_id() {
        let payload = json!({"requestId": "r2", "producerId": "not hex"});
        let (error, id) = ClientRequest::parse("voice:rtc:closeProducer", &payload).unwrap_err();
        assert!(matches!(error, RequestError::Payload(_)));
        assert_eq!(id.as_deref(), Some("r2"));
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let mut value = json!(1);
        for _ in 0..=limits::JSON_DEPTH_MAX {
            value = json!([value]);
        }
        let parsed = ClientRequest::parse("voice:leave", &json!({"x": value}));
        assert_eq!(parsed.unwrap_err().0, RequestError::TooDeep);
    }

    #[test]
    fn a_priority_goes_from_1_to_255() {
        let consumer = "0".repeat(32);
        for (priority, allowed) in [(0, false), (1, true), (255, true), (256, false)] {
            let payload = json!({"consumerId": consumer, "priority": priority});
            let request = ClientRequest::parse("voice:rtc:setPriority", &payload);
            assert_eq!(request.is_ok(), allowed, "{priority}");
        }
    }

    #[test]
    fn every_name_of_the_table_is_known() {
        for name in ClientEvent::NAMES {
            let parsed = ClientRequest::parse(name, &json!({}));
            assert!(!matches!(parsed, Err((RequestError::UnknownEvent, _))), "{name}");
        }
        let parsed = ClientRequest::parse("voice:other", &json!({}));
        assert_eq!(parsed.unwrap_err().0, RequestError::UnknownEvent);
    }
}
