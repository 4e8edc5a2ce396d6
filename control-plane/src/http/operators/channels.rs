//! Channels: which there are, how large their rooms are, and who may join.

use super::access::Operator;
use super::api::{Api, Changed, write};
use super::body::Object;
use super::error::{Absent, ApiError, Refused, Unavailable};
use super::path::{OfChannel, Page, channel_id};
use super::scope::Scope;
use crate::records::{ChannelKind, ChannelRecord, MEMBERS_MAX, Name, Record, RecordKey, TierName};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::plan::Tier;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Channel {
    /// Name of the channel.
    channel: String,
    kind: ChannelKind,
    /// How large its room is.
    #[schema(value_type = TierName)]
    tier: Tier,
    /// Who may join; empty: everyone, but nobody if it is a DM.
    #[schema(value_type = Vec<Name>)]
    members: Vec<UserId>,
}

impl Channel {
    fn of(channel: &ChannelId, record: &ChannelRecord) -> Self {
        let ChannelRecord { kind, tier, members } = record.clone();
        Self { channel: channel.to_string(), kind, tier, members }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Channels {
    /// In the order of their names.
    channels: Vec<Channel>,
}

/// The channels that were created, a page at a time.
#[utoipa::path(get, path = "/v1/channels", tag = "channels", params(Page), responses(
    (status = 200, body = Channels),
    Refused,
))]
pub(super) async fn list(
    operator: Operator,
    State(api): State<Arc<Api>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Channels>, ApiError> {
    operator.may(Scope::ReadChannels)?;
    let Query(page) = page?;
    let after = page.after.as_deref().map(channel_id).transpose()?;
    let view = api.services.records.view();
    let channels = view
        .channels(after.as_ref())
        .take(page.limit()?)
        .map(|(channel, record)| Channel::of(channel, record));
    Ok(Json(Channels { channels: channels.collect() }))
}

/// One channel.
#[utoipa::path(get, path = "/v1/channels/{channel}", tag = "channels", params(OfChannel), responses(
    (status = 200, body = ChannelRecord),
    Refused, Absent,
))]
pub(super) async fn get(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<ChannelRecord>, ApiError> {
    operator.may(Scope::ReadChannels)?;
    let channel = channel_id(&path?)?;
    let found = api.services.records.view().written_channel(&channel).cloned();
    found.map(Json).ok_or_else(|| ApiError::not_found("channel"))
}

/// Creates a channel or changes it. A room that is open follows at once, and evicts nobody.
#[utoipa::path(put, path = "/v1/channels/{channel}", tag = "channels", request_body = ChannelRecord, params(OfChannel), responses(
    (status = 204, description = "It is so"),
    Refused, Unavailable,
))]
pub(super) async fn put(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    body: Result<Object<ChannelRecord>, ApiError>,
) -> Changed {
    operator.may(Scope::WriteChannels)?;
    let channel = channel_id(&path?)?;
    let Object(record) = body?;
    check(&record)?;
    write(&api, &operator, RecordKey::Channel(channel), Some(Record::Channel(record))).await
}

fn check(record: &ChannelRecord) -> Result<(), ApiError> {
    if record.members.len() > MEMBERS_MAX {
        return Err(ApiError::invalid(format!("more than {MEMBERS_MAX} members")));
    }
    Ok(())
}

/// Deletes a channel. Its room goes on without newcomers until it is empty.
#[utoipa::path(delete, path = "/v1/channels/{channel}", tag = "channels", params(OfChannel), responses(
    (status = 204, description = "It is so"),
    Refused, Unavailable,
))]
pub(super) async fn delete(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Changed {
    operator.may(Scope::WriteChannels)?;
    let channel = channel_id(&path?)?;
    write(&api, &operator, RecordKey::Channel(channel), None).await
}
