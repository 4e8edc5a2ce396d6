//! Calls, minute by minute, with a sentence for each bad minute: from what this replica and the others kept.

use super::access::Operator;
use super::api::Api;
use super::error::{Absent, ApiError, NotKept, Refused};
use super::path::{CallsOf, Limit, OfCall, RecordsOf, channel_id};
use super::scope::Scope;
use crate::timelines::{CallDocument, CallId, CallSummary, Question, Records};
use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName};
use axum::response::Html;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use utoipa::ToSchema;

/// Hours since 1970 that a question may name.
const HOUR_MAX: u64 = 10_000_000;
/// The page loads nothing from elsewhere, and is shown in no other.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Calls {
    /// The latest first.
    calls: Vec<CallSummary>,
    /// Replicas that were asked for what they kept and did not answer: their part is missing.
    unreached: Vec<String>,
}

/// What one replica kept, as replicas of this version read it.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "documents a response")]
pub(crate) struct CallRecords {
    /// A minute of one participant each.
    participants: Vec<Value>,
    /// A minute of one media node each, or of all relays.
    nodes: Vec<Value>,
}

/// The calls of a channel of the last seven days, the latest first.
#[utoipa::path(get, operation_id = "listCalls", path = "/v1/calls", tag = "calls", params(CallsOf, Limit),
    responses((status = 200, body = Calls, description = "Calls of the channel"), Refused, NotKept))]
pub(super) async fn list(
    operator: Operator,
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    query: Result<Query<CallsOf>, QueryRejection>,
    limit: Result<Query<Limit>, QueryRejection>,
) -> Result<Json<Calls>, ApiError> {
    operator.may(Scope::ReadCalls)?;
    let (channel, limit) = (channel_id(&query?.channel)?, limit?.get()?);
    let timelines = &api.services.timelines;
    if !timelines.are_kept() {
        return Err(ApiError::not_kept());
    }
    let (calls, unreached) = timelines.calls(&channel, limit, authorization(&headers)).await;
    Ok(Json(Calls { calls, unreached }))
}

/// One call, minute by minute: how it went for each participant, and for each bad minute which side it came from and
/// why. Any replica answers, from its own files and those of `calls.peers`, also when the media node is gone.
#[utoipa::path(get, operation_id = "getCall", path = "/v1/calls/{call}", tag = "calls", params(OfCall),
    responses((status = 200, body = CallDocument, description = "The call"), Refused, Absent, NotKept))]
pub(super) async fn get(
    operator: Operator,
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    path: Result<Path<String>, PathRejection>,
) -> Result<Json<CallDocument>, ApiError> {
    operator.may(Scope::ReadCalls)?;
    let Path(id) = path?;
    let id = CallId::parse(&id)
        .ok_or_else(|| ApiError::invalid("the call is not 32 hexadecimal digits, a dash and a minute"))?;
    let timelines = &api.services.timelines;
    if !timelines.are_kept() {
        return Err(ApiError::not_kept());
    }
    let found = timelines.call(&id, authorization(&headers)).await;
    found.map(Json).ok_or_else(|| ApiError::not_found("call"))
}

/// What this replica alone kept of a channel, for the other replicas.
#[utoipa::path(get, operation_id = "listCallRecords", path = "/v1/call-records", tag = "calls", params(RecordsOf),
    responses((status = 200, body = CallRecords, description = "What was kept"), Refused))]
pub(super) async fn records(
    operator: Operator,
    State(api): State<Arc<Api>>,
    query: Result<Query<RecordsOf>, QueryRejection>,
) -> Result<Json<Records>, ApiError> {
    operator.may(Scope::ReadCalls)?;
    let Query(RecordsOf { key, from, to }) = query?;
    if from > HOUR_MAX || to > HOUR_MAX {
        return Err(ApiError::invalid(format!("an hour is from 0 to {HOUR_MAX}")));
    }
    let question = Question::new(&key, from, to);
    let question = question.ok_or_else(|| ApiError::invalid("the key is not 32 hexadecimal digits"))?;
    Ok(Json(api.services.timelines.records(&question).await))
}

/// A page that draws a call; it asks for the operator's token and sends it to this listener alone.
pub(super) async fn page() -> ([(HeaderName, &'static str); 2], Html<&'static str>) {
    let headers = [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, Html(include_str!("calls.html")))
}

fn authorization(headers: &HeaderMap) -> &str {
    headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok()).unwrap_or_default()
}
