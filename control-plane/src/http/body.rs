//! A request's body, read before anybody looks at the request: one that drips is over at its deadline, and
//! nothing behind us ever waits for it.

use super::socket_io_path::is_engine_io;
use axum::body::{Body, HttpBody, to_bytes};
use axum::http::{HeaderValue, Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use railgun_protocol::limits::MESSAGE_BYTES_MAX;
use std::time::Duration;
use tokio::time::timeout;

/// From the end of a request's head to the end of its body.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The body was too large, and is not there: the socket that sent it has to go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TooLarge;

/// The error is what to answer.
pub(super) async fn whole(request: Request<Body>) -> Result<Request<Body>, Response> {
    if request.body().is_end_stream() {
        return Ok(request);
    }
    let (parts, body) = request.into_parts();
    let status = match timeout(BODY_TIMEOUT, to_bytes(body, MESSAGE_BYTES_MAX)).await {
        Ok(Ok(bytes)) => return Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Err(_)) if is_engine_io(parts.uri.path()) => {
            let mut request = Request::from_parts(parts, Body::empty());
            request.extensions_mut().insert(TooLarge);
            return Ok(request);
        }
        Ok(Err(_)) => StatusCode::PAYLOAD_TOO_LARGE,
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    };
    let mut response = status.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    Err(response)
}
