//! Channels: which there are, how large their rooms are, and who may join.

use super::access::Operator;
use super::api::{Api, Changed, encryption_changed, noted, write};
use super::body::Object;
use super::error::{Absent, ApiError, MixedFleet, Refused, Unavailable};
use super::path::{Limit, OfChannel, Page, channel_id};
use super::scope::Scope;
use crate::records::{
    ChannelKind, ChannelRecord, EncryptionName, MEMBERS_MAX, Name, Record, RecordKey, TierName,
};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Encryption;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::ToSchema;

/// What a write leaves out stays as it is, so it is made again when another one was first: so often.
const TRIES: usize = 8;
/// How long that other one is waited for.
const AGAIN_AFTER: Duration = Duration::from_millis(250);

/// A channel as it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelState {
    kind: ChannelKind,
    /// How large its room is.
    #[schema(value_type = TierName)]
    tier: Tier,
    /// Who may join; empty: everyone, but nobody if it is a DM.
    #[schema(value_type = Vec<Name>)]
    members: Vec<UserId>,
    #[schema(value_type = EncryptionName)]
    encryption: Encryption,
}

impl From<ChannelRecord> for ChannelState {
    fn from(record: ChannelRecord) -> Self {
        let ChannelRecord { kind, tier, members, encryption } = record;
        Self { kind, tier, members, encryption }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Channel {
    /// Its name.
    channel: String,
    #[serde(flatten)]
    state: ChannelState,
}

impl Channel {
    fn of(channel: &ChannelId, record: &ChannelRecord) -> Self {
        Self { channel: channel.to_string(), state: record.clone().into() }
    }
}

/// A channel as it is to be.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ChannelRecord)]
pub(crate) struct ChannelChange {
    #[serde(default)]
    kind: ChannelKind,
    /// How large its room is.
    #[schema(value_type = TierName)]
    tier: Tier,
    /// Who may join; empty: everyone, but nobody if it is a DM.
    #[serde(default)]
    #[schema(value_type = Vec<Name>, max_items = 1000)]
    members: Vec<UserId>,
    /// Absent: as it is; of a new DM `channels.dm_encryption` of the configuration, of another new channel
    /// `transport`. A change ends an open room, whose people join again.
    #[serde(default)]
    #[schema(value_type = Option<EncryptionName>)]
    encryption: Option<Encryption>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Channels {
    /// In the order of their names.
    channels: Vec<Channel>,
}

/// The channels that were created, a page at a time.
#[utoipa::path(get, operation_id = "listChannels", path = "/v1/channels", tag = "channels", params(Page, Limit), responses(
    (status = 200, body = Channels, description = "Channels"),
    Refused,
))]
pub(super) async fn list(
    operator: Operator,
    State(api): State<Arc<Api>>,
    page: Result<Query<Page>, QueryRejection>,
    limit: Result<Query<Limit>, QueryRejection>,
) -> Result<Json<Channels>, ApiError> {
    operator.may(Scope::ReadChannels)?;
    let Query(page) = page?;
    let after = page.after.as_deref().map(channel_id).transpose()?;
    let view = api.services.records.view();
    let channels = view
        .channels(after.as_ref())
        .take(limit?.get()?)
        .map(|(channel, record)| Channel::of(channel, record));
    Ok(Json(Channels { channels: channels.collect() }))
}

/// One channel.
#[utoipa::path(get, operation_id = "getChannel", path = "/v1/channels/{channel}", tag = "channels", params(OfChannel), responses(
    (status = 200, body = ChannelState, description = "The channel"),
    Refused, Absent,
))]
pub(super) async fn get(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<ChannelState>, ApiError> {
    operator.may(Scope::ReadChannels)?;
    let channel = channel_id(&path?)?;
    let found = api.services.records.view().written_channel(&channel).cloned();
    found.map(|record| Json(record.into())).ok_or_else(|| ApiError::not_found("channel"))
}

/// Creates a channel or changes it. A room that is open follows at once, and evicts nobody; when the encryption
/// changes its people are told to join again.
#[utoipa::path(put, operation_id = "putChannel", path = "/v1/channels/{channel}", tag = "channels", request_body = ChannelChange, params(OfChannel), responses(
    (status = 204, description = "It is so"),
    Refused, MixedFleet, Unavailable,
))]
pub(super) async fn put(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    body: Result<Object<ChannelChange>, ApiError>,
) -> Changed {
    operator.may(Scope::WriteChannels)?;
    let channel = channel_id(&path?)?;
    let Object(change) = body?;
    check(&change)?;
    let (key, records) = (RecordKey::Channel(channel.clone()), &api.services.records);
    let path = key.path();
    for _ in 0..TRIES {
        let mut changes = records.changes();
        let (record, revision) = record(&api, &channel, &change).await?;
        let written = Record::Channel(record.clone());
        let action = format!("PUT {path}{}", encryption_changed(&api, &key, Some(&written)));
        match records.write_channel(&channel, revision, record).await {
            Ok(true) => return noted(&api, &operator, action, Ok(())),
            Ok(false) => _ = timeout(AGAIN_AFTER, changes.changed()).await,
            Err(error) => return noted(&api, &operator, action, Err(error.into())),
        }
    }
    let contended = ApiError::unavailable("others change this channel at the same moment");
    noted(&api, &operator, format!("PUT {path}"), Err(contended))
}

/// What the change makes of the channel, and at which of its revisions. Part of a fleet that does not know of
/// end-to-end encryption would serve the channel as before.
async fn record(
    api: &Api,
    channel: &ChannelId,
    change: &ChannelChange,
) -> Result<(ChannelRecord, u64), ApiError> {
    let records = &api.services.records;
    let (before, revision) = {
        let view = records.view();
        (view.written_channel(channel).map(|record| record.encryption), view.channel_revision(channel))
    };
    let ChannelChange { kind, tier, members, encryption } = change.clone();
    let encryption = encryption.or(before).unwrap_or(match kind {
        ChannelKind::Dm => records.dm_encryption,
        ChannelKind::Voice => Encryption::Transport,
    });
    if encryption == Encryption::EndToEnd
        && before != Some(Encryption::EndToEnd)
        && let Some(who) = api.services.placement.without_end_to_end().await?
    {
        return Err(ApiError::mixed_fleet(&who));
    }
    Ok((ChannelRecord { kind, tier, members, encryption }, revision))
}

fn check(change: &ChannelChange) -> Result<(), ApiError> {
    if change.members.len() > MEMBERS_MAX {
        return Err(ApiError::invalid(format!("more than {MEMBERS_MAX} members")));
    }
    Ok(())
}

/// Deletes a channel. Its room goes on without newcomers until it is empty.
#[utoipa::path(delete, operation_id = "deleteChannel", path = "/v1/channels/{channel}", tag = "channels", params(OfChannel), responses(
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
