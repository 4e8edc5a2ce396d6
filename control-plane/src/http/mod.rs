//! The public listener: the page, the signaling beside it, and whether we are well. And the operators'.

pub(crate) mod body;
pub(crate) mod connection;
mod connections;
pub(crate) mod descriptors;
mod dev_token;
mod operators;
mod page;
pub(crate) mod proxies;
mod readiness;
mod serve;
pub(crate) mod socket_io_path;

pub(crate) use connections::Connections;
pub(crate) use dev_token::DevTokens;
pub(crate) use operators::{Api, AuditLog, Scraped, Tokens, api, health};
pub use operators::{Scope, entry};
pub(crate) use proxies::Proxies;
pub(crate) use serve::serve;

use crate::placement::Placement;
use crate::policy::avatars::AvatarHosts;
use crate::records::Records;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use readiness::ready;
use std::sync::Arc;
use tower_http::cors::CorsLayer;

const BODY_BYTES_MAX: usize = 4096;

/// `with_sockets` adds what answers socket.io's requests before any of these routes.
pub(crate) fn router(
    cors_origins: &[String],
    (upgrade_url, avatars): (Option<&str>, &AvatarHosts),
    (placement, records): (Placement, Arc<Records>),
    dev_tokens: Option<DevTokens>,
    with_sockets: impl FnOnce(Router) -> Router,
) -> Router {
    let policy = page::content_security_policy(avatars);
    let security_headers = from_fn_with_state(policy, page::security_headers);
    let mut router = Router::new()
        .route("/healthz", get(started).with_state((placement.clone(), records)))
        .route("/readyz", get(ready).with_state(placement))
        .route("/page.json", get(page::settings).with_state(upgrade_url.map(Arc::from)))
        .fallback_service(get(page::serve).layer(security_headers).with_state(()));
    if let Some(dev_tokens) = dev_tokens {
        router = router.route("/dev/token", post(dev_token::issue).with_state(Arc::new(dev_tokens)));
    }
    with_sockets(router.layer(DefaultBodyLimit::max(BODY_BYTES_MAX))).layer(cors(cors_origins))
}

/// What a load balancer asks on the public listener: fails until everything in etcd was read once, for a
/// replica that knows no room can take nobody's session up; and never again, since one that has read
/// goes on without etcd. On the operators' listener `/healthz` says that the process runs.
async fn started(
    State((placement, records)): State<(Placement, Arc<Records>)>,
) -> (StatusCode, &'static str) {
    match placement.was_read() && records.is_complete() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "etcd was not read yet\n"),
    }
}

/// Pages of these origins may use the signaling, with the cookies that a load balancer may need.
fn cors(origins: &[String]) -> CorsLayer {
    let origins: Vec<_> = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE])
        .allow_credentials(true)
}
