//! What a user may send whatever the token says, and which tokens count no more.

use super::access::Operator;
use super::api::{Api, Changed, write};
use super::body::Object;
use super::error::{Absent, ApiError, Refused, Unavailable};
use super::path::{OfUser, user_id};
use super::scope::Scope;
use crate::records::{EntitlementRecord, Record, RecordKey, RevocationRecord};
use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use std::sync::Arc;

type OfPath = Result<Path<String>, PathRejection>;

/// The record that overrides a user's token.
#[utoipa::path(get, operation_id = "getEntitlement", path = "/v1/users/{user}/entitlement", tag = "entitlements", params(OfUser),
    responses((status = 200, body = EntitlementRecord, description = "The record"), Refused, Absent))]
pub(super) async fn entitlement(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
) -> Result<Json<EntitlementRecord>, ApiError> {
    operator.may(Scope::ReadEntitlements)?;
    let found = api.services.records.view().entitlement(&user_id(&path?)?);
    found.map(Json).ok_or_else(|| ApiError::not_found("entitlement"))
}

/// Decides what a user may send, in calls that are going on as well.
#[utoipa::path(put, operation_id = "putEntitlement", path = "/v1/users/{user}/entitlement", tag = "entitlements", params(OfUser),
    request_body = EntitlementRecord, responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn put_entitlement(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
    body: Result<Object<EntitlementRecord>, ApiError>,
) -> Changed {
    operator.may(Scope::WriteEntitlements)?;
    let key = RecordKey::Entitlement(user_id(&path?)?);
    let Object(record) = body?;
    write(&api, &operator, key, Some(Record::Entitlement(record))).await
}

/// Leaves the decision to the user's token again.
#[utoipa::path(delete, operation_id = "deleteEntitlement", path = "/v1/users/{user}/entitlement", tag = "entitlements", params(OfUser),
    responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn delete_entitlement(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
) -> Changed {
    operator.may(Scope::WriteEntitlements)?;
    let key = RecordKey::Entitlement(user_id(&path?)?);
    write(&api, &operator, key, None).await
}

/// From when on a user's tokens count.
#[utoipa::path(get, operation_id = "getRevocation", path = "/v1/users/{user}/revocation", tag = "entitlements", params(OfUser),
    responses((status = 200, body = RevocationRecord, description = "The revocation"), Refused, Absent))]
pub(super) async fn revocation(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
) -> Result<Json<RevocationRecord>, ApiError> {
    operator.may(Scope::ReadEntitlements)?;
    let found = api.services.records.view().revocation(&user_id(&path?)?);
    found.map(Json).ok_or_else(|| ApiError::not_found("revocation"))
}

/// Revokes the tokens issued before a moment: they open no socket and give no Pro from now on.
#[utoipa::path(put, operation_id = "putRevocation", path = "/v1/users/{user}/revocation", tag = "entitlements", params(OfUser),
    request_body = RevocationRecord, responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn put_revocation(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
    body: Result<Object<RevocationRecord>, ApiError>,
) -> Changed {
    operator.may(Scope::WriteEntitlements)?;
    let key = RecordKey::Revocation(user_id(&path?)?);
    let Object(record) = body?;
    write(&api, &operator, key, Some(Record::Revocation(record))).await
}

/// Lets every token count again.
#[utoipa::path(delete, operation_id = "deleteRevocation", path = "/v1/users/{user}/revocation", tag = "entitlements", params(OfUser),
    responses((status = 204, description = "It is so"), Refused, Unavailable))]
pub(super) async fn delete_revocation(
    operator: Operator,
    State(api): State<Arc<Api>>,
    path: OfPath,
) -> Changed {
    operator.may(Scope::WriteEntitlements)?;
    let key = RecordKey::Revocation(user_id(&path?)?);
    write(&api, &operator, key, None).await
}
