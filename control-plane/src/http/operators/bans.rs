//! Bans: from one channel, or from all.

use super::access::Operator;
use super::api::{Api, Changed, write};
use super::body::Object;
use super::error::{Absent, ApiError, Refused, Unavailable};
use super::path::{OfChannel, OfUser, channel_id, user_id};
use super::scope::Scope;
use crate::records::{BanRecord, BanScope, REASON_CHARS_MAX, Record, RecordKey};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use std::sync::Arc;

type InChannel = Result<Path<(String, String)>, PathRejection>;
type Everywhere = Result<Path<String>, PathRejection>;
type Body = Result<Object<BanRecord>, ApiError>;

fn in_channel(path: InChannel) -> Result<RecordKey, ApiError> {
    let Path((channel, user)) = path?;
    Ok(RecordKey::Ban(BanScope::Channel(channel_id(&channel)?), user_id(&user)?))
}

fn everywhere(path: Everywhere) -> Result<RecordKey, ApiError> {
    Ok(RecordKey::Ban(BanScope::Everywhere, user_id(&path?)?))
}

fn read(operator: &Operator, api: &Api, key: &RecordKey) -> Result<Json<BanRecord>, ApiError> {
    operator.may(Scope::ReadBans)?;
    let RecordKey::Ban(scope, user) = key else { return Err(ApiError::not_found("ban")) };
    let found = api.services.records.view().written_ban(scope, user).cloned();
    found.map(Json).ok_or_else(|| ApiError::not_found("ban"))
}

async fn change(operator: &Operator, api: &Api, key: RecordKey, body: Option<Body>) -> Changed {
    operator.may(Scope::WriteBans)?;
    let ban = match body {
        None => None,
        Some(body) => {
            let Object(ban) = body?;
            if ban.reason.as_ref().is_some_and(|reason| reason.chars().count() > REASON_CHARS_MAX) {
                let error = format!("a reason of more than {REASON_CHARS_MAX} characters");
                return Err(ApiError::invalid(error));
            }
            Some(Record::Ban(ban))
        }
    };
    write(api, operator, key, ban).await
}

/// The ban of a user from a channel.
#[utoipa::path(get, operation_id = "getChannelBan", path = "/v1/channels/{channel}/bans/{user}", tag = "bans", params(OfChannel, OfUser),
    responses((status = 200, body = BanRecord, description = "The ban"), Refused, Absent))]
pub(super) async fn get_in_channel(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: InChannel,
) -> Result<Json<BanRecord>, ApiError> {
    read(&operator, &api, &in_channel(path)?)
}

/// Bans a user from a channel; who is in its room is out within 2 s.
#[utoipa::path(put, operation_id = "putChannelBan", path = "/v1/channels/{channel}/bans/{user}", tag = "bans", params(OfChannel, OfUser),
    request_body = BanRecord, responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn put_in_channel(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: InChannel,
    body: Body,
) -> Changed {
    change(&operator, &api, in_channel(path)?, Some(body)).await
}

/// Lifts a ban from a channel.
#[utoipa::path(delete, operation_id = "deleteChannelBan", path = "/v1/channels/{channel}/bans/{user}", tag = "bans", params(OfChannel, OfUser),
    responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn delete_in_channel(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: InChannel,
) -> Changed {
    change(&operator, &api, in_channel(path)?, None).await
}

/// The ban of a user from every channel.
#[utoipa::path(get, operation_id = "getBan", path = "/v1/users/{user}/ban", tag = "bans", params(OfUser),
    responses((status = 200, body = BanRecord, description = "The ban"), Refused, Absent))]
pub(super) async fn get(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Everywhere,
) -> Result<Json<BanRecord>, ApiError> {
    read(&operator, &api, &everywhere(path)?)
}

/// Bans a user from every channel; who is in a room is out within 2 s.
#[utoipa::path(put, operation_id = "putBan", path = "/v1/users/{user}/ban", tag = "bans", params(OfUser),
    request_body = BanRecord, responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn put(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: Everywhere,
    body: Body,
) -> Changed {
    change(&operator, &api, everywhere(path)?, Some(body)).await
}

/// Lifts a ban from every channel. Bans from single channels stay.
#[utoipa::path(delete, operation_id = "deleteBan", path = "/v1/users/{user}/ban", tag = "bans", params(OfUser),
    responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn delete(operator: Operator, State(api): State<Arc<Api>>, path: Everywhere) -> Changed {
    change(&operator, &api, everywhere(path)?, None).await
}
