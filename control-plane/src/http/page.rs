//! The web page. A release build carries it; a debug build reads it from the source tree.

use crate::policy::avatars::AvatarHosts;
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rust_embed::Embed;
use serde_json::json;
use std::sync::Arc;

#[derive(Embed)]
#[folder = "web/app/dist"]
struct Files;

const NOT_BUILT: &str = "The page has not been built: `make run` builds it and starts the server, `make build` builds \
     it and every program; a release build carries the page that was there when it was built.\n";

/// Everything from here; the socket, and media that a page plays, besides. WebAssembly is the noise
/// suppression's.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; \
     connect-src 'self' ws: wss:; media-src 'self' blob: mediastream:; worker-src 'self' blob:; object-src 'none'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data: blob:";

/// Pictures of people from the listed hosts besides: a redirect to any other is not followed either.
pub(super) fn content_security_policy(avatars: &AvatarHosts) -> HeaderValue {
    let hosts: String = avatars.origins().map(|origin| format!(" {origin}")).collect();
    let own = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    HeaderValue::from_str(&format!("{CONTENT_SECURITY_POLICY}{hosts}")).unwrap_or(own)
}

/// `GET /page.json`: what operators set for the page.
pub(super) async fn settings(State(upgrade_url): State<Option<Arc<str>>>) -> Response {
    let settings = json!({ "upgradeUrl": upgrade_url.as_deref() });
    ([(header::CACHE_CONTROL, "no-cache")], Json(settings)).into_response()
}

pub(super) async fn serve(uri: Uri) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => "index.html",
        path => path,
    };
    let Some(file) = Files::get(path) else {
        return match path {
            "index.html" => (StatusCode::SERVICE_UNAVAILABLE, NOT_BUILT).into_response(),
            _ => (StatusCode::NOT_FOUND, "not found\n").into_response(),
        };
    };
    // The build names what is in `assets` by its content.
    let caching =
        if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = [(header::CONTENT_TYPE, media_type(path)), (header::CACHE_CONTROL, caching)];
    (headers, Body::from(file.data.into_owned())).into_response()
}

pub(super) async fn security_headers(
    State(policy): State<HeaderValue>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in
        [(header::X_CONTENT_TYPE_OPTIONS, "nosniff"), (header::REFERRER_POLICY, "no-referrer")]
    {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("webp") => "image/webp",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
