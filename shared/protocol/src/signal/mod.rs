//! Browser ↔ control-plane: the socket.io events, their payloads and the error codes.

pub(crate) mod client_event;
pub(crate) mod client_request;
mod data_message;
mod encryption;
mod error_code;
mod participant;
mod reason;
mod rtc_config;
pub(crate) mod server_event;
pub(crate) mod source;
mod stats;

pub use client_event::{
    ClientEvent, ConsumerLayers, NetworkType, StateUpdate, StatsReport, Token, UiEventName,
};
pub use client_request::{ClientRequest, RequestError};
pub use data_message::{DataKind, DataMessage, DataPayload};
pub use encryption::{
    E2EE_SUITE_OF_ALL, E2EE_VERSION, E2eeData, E2eeMessage, E2eeMessageKind, E2eeSupport, Encryption,
};
pub use error_code::{ErrorBody, ErrorCode};
pub use participant::{
    AppData, AudioLevel, ChannelPerson, ConsumerInfo, Participant, ProducerInfo, QueuePlace, Speaker,
};
pub use reason::{
    ConsumerCloseReason, GrantReason, KickReason, MuteReason, ProducerCloseReason, RejoinReason,
    RingEndReason,
};
pub use rtc_config::{IceServer, IceTransportPolicy, RtcConfig};
pub use server_event::ServerEvent;
pub use source::{Source, VideoSource};
pub use stats::{ConsumerStats, ProducerStats, ProducerStreamStats, Stats, TrafficStats, TransportStats};
