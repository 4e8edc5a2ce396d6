//! What requests name in their path and query.

use super::error::ApiError;
use railgun_protocol::ids::{ChannelId, NodeId, SessionId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

const PAGE: usize = 100;
const PAGE_MAX: usize = 1000;

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "documents a parameter of the path")]
pub(super) struct OfChannel {
    /// Name of the channel, with `/` escaped.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    channel: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "documents a parameter of the path")]
pub(super) struct OfUser {
    /// The `sub` of the user's tokens, with `/` escaped.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    user: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "documents a parameter of the path")]
pub(super) struct OfSession {
    /// The `sessionId` of the participant.
    #[param(pattern = "^[0-9a-f]{32}$")]
    session: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "documents a parameter of the path")]
pub(super) struct OfNode {
    /// `node_id` of the node, with `/` escaped.
    #[param(min_length = 1, max_length = 64, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    node: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[allow(dead_code, reason = "documents a parameter of the path")]
pub(super) struct OfCall {
    /// Id of the call, as the list of a channel's calls has it.
    #[param(pattern = "^[0-9a-f]{32}-[0-9]{1,10}$")]
    call: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CallsOf {
    /// Name of the channel.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    pub(super) channel: String,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RecordsOf {
    /// The first part of a call's id, which is the channel's.
    #[param(pattern = "^[0-9a-f]{32}$")]
    pub(super) key: String,
    /// The first hour since 1970.
    #[param(minimum = 0, maximum = 10_000_000)]
    pub(super) from: u64,
    /// The last hour since 1970.
    #[param(minimum = 0, maximum = 10_000_000)]
    pub(super) to: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// The last name of the page before.
    #[param(min_length = 1, max_length = 128, pattern = r"^[^\u0000-\u001f\u007f-\u009f]+$")]
    pub(super) after: Option<String>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Limit {
    /// Most entries in the answer; 100 if absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

impl Limit {
    pub(super) fn get(&self) -> Result<usize, ApiError> {
        match self.limit.unwrap_or(PAGE) {
            limit @ 1..=PAGE_MAX => Ok(limit),
            _ => Err(ApiError::invalid(format!("limit is from 1 to {PAGE_MAX}"))),
        }
    }
}

pub(super) fn channel_id(text: &str) -> Result<ChannelId, ApiError> {
    ChannelId::new(text).map_err(|error| ApiError::invalid(format!("the channel is {error}")))
}

pub(super) fn session_id(text: &str) -> Result<SessionId, ApiError> {
    text.parse().map_err(|error| ApiError::invalid(format!("the session is {error}")))
}

pub(super) fn node_id(text: &str) -> Result<NodeId, ApiError> {
    NodeId::new(text).map_err(|error| ApiError::invalid(format!("the node is {error}")))
}

pub(super) fn user_id(text: &str) -> Result<UserId, ApiError> {
    UserId::new(text).map_err(|error| ApiError::invalid(format!("the user is {error}")))
}
