//! Browser ↔ control-plane: the socket.io events, their payloads and the error codes.

pub(crate) mod source;
pub(crate) mod client_event;
mod error_code;
mod reason;
pub(crate) mod server_event;
mod stats;

pub use client_event::{
    ClientEvent, ClientRequest, ConsumerLayers, NetworkType, RequestError, StateUpdate, StatsReport, Token,
    UiEventName,
};
pub use error_code::{ErrorBody, ErrorCode};
pub use reason::{ConsumerCloseReason, KickReason, ProducerCloseReason};
pub use server_event::{
    AppData, AudioLevel, ChannelPerson, ConsumerInfo, GrantReason, IceServer, IceTransportPolicy, MuteReason,
    Participant, ProducerInfo, QueuePlace, RejoinReason, RtcConfig, ServerEvent, Speaker,
};
pub use source::{Source, VideoSource};
pub use stats::{ConsumerStats, ProducerStats, ProducerStreamStats, Stats, TrafficStats, TransportStats};
