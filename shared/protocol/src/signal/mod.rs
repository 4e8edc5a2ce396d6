//! Browser ↔ control-plane: the socket.io events, their payloads and the error codes.

pub(crate) mod source;
mod data_message;
mod encryption;
pub(crate) mod client_event;
mod error_code;
mod reason;
pub(crate) mod server_event;
mod stats;

pub use client_event::{
    ClientEvent, ClientRequest, ConsumerLayers, NetworkType, RequestError, StateUpdate, StatsReport, Token,
    UiEventName,
};
pub use data_message::{DataKind, DataMessage, DataPayload};
pub use encryption::{
    E2EE_SUITE_OF_ALL, E2EE_VERSION, E2eeData, E2eeMessage, E2eeMessageKind, E2eeSupport, Encryption,
};
pub use error_code::{ErrorBody, ErrorCode};
pub use reason::{ConsumerCloseReason, KickReason, ProducerCloseReason, RingEndReason};
pub use server_event::{
    AppData, AudioLevel, ChannelPerson, ConsumerInfo, GrantReason, IceServer, IceTransportPolicy, MuteReason,
    Participant, ProducerInfo, QueuePlace, RejoinReason, RtcConfig, ServerEvent, Speaker,
};
pub use source::{Source, VideoSource};
pub use stats::{ConsumerStats, ProducerStats, ProducerStreamStats, Stats, TrafficStats, TransportStats};
