//! Pictures of people, in place of the claim `avatar` of their tokens.

use super::access::Operator;
use super::api::{Api, Changed, write};
use super::body::Object;
use super::error::{Absent, ApiError, Refused, Unavailable};
use super::path::{OfUser, user_id};
use super::scope::Scope;
use crate::records::{AvatarRecord, Record, RecordKey};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use std::sync::Arc;

type OfPath = Result<Path<String>, PathRejection>;

/// The record of a user's picture.
#[utoipa::path(get, operation_id = "getAvatar", path = "/v1/users/{user}/avatar", tag = "avatars", params(OfUser),
    responses((status = 200, body = AvatarRecord, description = "The record"), Refused, Absent))]
pub(super) async fn get(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
) -> Result<Json<AvatarRecord>, ApiError> {
    operator.may(Scope::ReadAvatars)?;
    let found = api.services.records.view().avatar(&user_id(&path?)?).cloned();
    found.map(Json).ok_or_else(|| ApiError::not_found("avatar"))
}

/// Decides which picture others see of a user, from the user's next join on; without `url` none.
#[utoipa::path(put, operation_id = "putAvatar", path = "/v1/users/{user}/avatar", tag = "avatars", params(OfUser),
    request_body = AvatarRecord, responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn put(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
    body: Result<Object<AvatarRecord>, ApiError>,
) -> Changed {
    operator.may(Scope::WriteAvatars)?;
    let key = RecordKey::Avatar(user_id(&path?)?);
    let Object(record) = body?;
    if record.url.as_deref().is_some_and(|url| api.services.avatars.shown(url).is_none()) {
        let wanted = "url is a path on the page's origin, or an https: URL of a host in avatar_hosts";
        return Err(ApiError::invalid(wanted));
    }
    write(&api, &operator, key, Some(Record::Avatar(record))).await
}

/// Leaves the picture to the user's token again.
#[utoipa::path(delete, operation_id = "deleteAvatar", path = "/v1/users/{user}/avatar", tag = "avatars", params(OfUser),
    responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn delete(operator: Operator, State(api): State<Arc<Api>>, path: OfPath) -> Changed {
    operator.may(Scope::WriteAvatars)?;
    write(&api, &operator, RecordKey::Avatar(user_id(&path?)?), None).await
}
