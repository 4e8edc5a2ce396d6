//! What requests carry.

use super::error::ApiError;
use axum::Json;
use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A body that is a JSON object: serde alone would take an array of its fields as well.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Object<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Json(value) = Json::<Value>::from_request(request, state).await?;
        if !value.is_object() {
            return Err(ApiError::invalid("the body is no JSON object"));
        }
        serde_json::from_value(value).map(Self).map_err(|error| ApiError::invalid(error.to_string()))
    }
}
