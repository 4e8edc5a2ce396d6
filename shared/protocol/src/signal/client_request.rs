//! Reads a request into a type before anything looks at it.

use super::client_event::{ClientEvent, NetworkType, Token, UiEventName};
use super::encryption::E2eeSupport;
use super::source::{Source, VideoSource};
use crate::ids::{ChannelId, ConsumerId, ProducerId, TransportId};
use crate::limits;
use crate::rtp_parameters::{MediaKind, RtpCapabilities, RtpParameters};
use crate::transport_parameters::{DtlsParameters, TransportDirection};
use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use std::num::NonZeroU8;

/// A request with the id that comes back in its reply.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientRequest {
    /// The client's own id for the request, up to 64 characters; its reply carries it back.
    pub request_id: Option<String>,
    /// What is asked for.
    pub event: ClientEvent,
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
    use crate::signal::{ConsumerLayers, DataMessage, E2eeMessage, StateUpdate, StatsReport};
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
