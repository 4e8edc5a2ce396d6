//! The mechanisms behind RTCP (RFC 3550 section 6, RFC 4585): each a state machine of its own that knows no
//! table.

pub(crate) mod congestion_feedback;
pub(crate) mod delivery;
pub(crate) mod key_frame_request;
pub(crate) mod layer_request;
pub(crate) mod link_estimate;
pub(crate) mod nack_generator;
mod queueing_delay;
pub(crate) mod reception;
pub(crate) mod round_trip;
pub(crate) mod rtx_budget;
pub(crate) mod rtx_cache;
pub(crate) mod rtx_payload;
pub(crate) mod score;
pub(crate) mod sent_history;
pub(crate) mod sent_packets;
pub(crate) mod sent_speech;
pub(crate) mod speech_loss;
pub(crate) mod stream_names;
pub(crate) mod traffic;
pub(crate) mod transport_cc;
