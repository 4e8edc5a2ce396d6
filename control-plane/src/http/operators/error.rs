//! What a refused request of the operators' API is told.

use super::scope::Scope;
use crate::placement::OverviewError;
use crate::records::StoreError;
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDocument {
    /// For programs.
    code: &'static str,
    /// For people.
    error: String,
}

/// What any request can be told.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "documents responses")]
pub(super) enum Refused {
    /// The request cannot be read, or is not allowed to be so.
    #[response(status = 400)]
    Invalid(ErrorDocument),
    /// No token, or none of ours.
    #[response(status = 401)]
    Unauthorized(ErrorDocument),
    /// The token lacks the scope.
    #[response(status = 403)]
    Forbidden(ErrorDocument),
}

#[derive(IntoResponses)]
#[response(status = 404, description = "There is none")]
#[allow(dead_code, reason = "documents a response")]
pub(super) struct Absent(ErrorDocument);

#[derive(IntoResponses)]
#[response(status = 409, description = "There is no cluster, so that no other node could do its work")]
#[allow(dead_code, reason = "documents a response")]
pub(super) struct OnlyNode(ErrorDocument);

#[derive(IntoResponses)]
#[response(status = 409, description = "No timelines are kept: neither calls.dir nor calls.peers is set")]
#[allow(dead_code, reason = "documents a response")]
pub(super) struct NotKept(ErrorDocument);

#[derive(IntoResponses)]
#[response(status = 409, description = "A media node or replica does not know of end-to-end encryption")]
#[allow(dead_code, reason = "documents a response")]
pub(super) struct MixedFleet(ErrorDocument);

#[derive(IntoResponses)]
#[response(status = 503, description = "etcd, or the media node, does not answer now")]
#[allow(dead_code, reason = "documents a response")]
pub(super) struct Unavailable(ErrorDocument);

#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    document: ErrorDocument,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, error: impl Into<String>) -> Self {
        Self { status, document: ErrorDocument { code, error: error.into() } }
    }

    pub(crate) fn invalid(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID", error)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "a bearer token of the operators is needed")
    }

    pub(crate) fn forbidden(scope: Scope) -> Self {
        let scope = serde_json::to_string(&scope).unwrap_or_default();
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", format!("the token lacks the scope {scope}"))
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no such {what}"))
    }

    fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "ONLY_NODE", error)
    }

    /// Timelines of calls are kept nowhere.
    pub(super) fn not_kept() -> Self {
        let error = "no timelines of calls are kept: neither calls.dir nor calls.peers is set";
        Self::new(StatusCode::CONFLICT, "NOT_KEPT", error)
    }

    /// Part of the fleet is of a version that would serve the channel unencrypted.
    pub(super) fn mixed_fleet(who: &str) -> Self {
        let error = format!(
            "{who} does not know of end-to-end encryption: upgrade it first, or set \"encryption\": \"transport\""
        );
        Self::new(StatusCode::CONFLICT, "MIXED_FLEET", error)
    }

    pub(crate) fn unavailable(error: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", error)
    }

    pub(crate) fn code(&self) -> &'static str {
        self.document.code
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.document)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<OverviewError> for ApiError {
    fn from(error: OverviewError) -> Self {
        match error {
            OverviewError::Absent => Self::not_found("node"),
            OverviewError::OnlyNode => Self::conflict(error.to_string()),
            unreachable => Self::unavailable(unreachable.to_string()),
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::invalid(rejection.body_text())
    }
}
