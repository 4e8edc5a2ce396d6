//! `POST /dev/token {userId, tier, name?}` → `{token}`: for trials on one's own machine only.
//!
//! Any page in the same browser can send requests to loopback, and any site can point a name of its
//! own at 127.0.0.1, so the `Host` has to be a loopback name with our port, and an `Origin`, if there
//! is one, has to be that same place.

use crate::auth::{Claims, LocalKey};
use crate::config::AuthConfig;
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use railgun_shared::ids::UserId;
use railgun_shared::plan::Tier;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const LIFETIME: Duration = Duration::from_secs(12 * 3600);

#[derive(Debug)]
pub(crate) struct DevTokens {
    key: LocalKey,
    audience: Option<String>,
    issuer: Option<String>,
    port: u16,
}

impl DevTokens {
    pub(crate) fn new(key: LocalKey, auth: &AuthConfig, port: u16) -> Self {
        Self { key, audience: auth.audience.clone(), issuer: auth.issuer.clone(), port }
    }

    fn is_our_host(&self, host: &str) -> bool {
        ["127.0.0.1", "localhost", "[::1]"].iter().any(|name| host == format!("{name}:{}", self.port))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    user_id: UserId,
    tier: Tier,
    #[serde(default)]
    name: Option<String>,
}

pub(super) async fn issue(
    State(dev): State<Arc<DevTokens>>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let host = only(&headers, header::HOST);
    let Some(host) = host.filter(|host| dev.is_our_host(host)) else {
        return refuse(StatusCode::FORBIDDEN, "the Host is not this machine");
    };
    if headers.contains_key(header::ORIGIN)
        && only(&headers, header::ORIGIN) != Some(&format!("http://{host}"))
    {
        return refuse(StatusCode::FORBIDDEN, "the Origin is not this page");
    }
    let wanted = match wanted {
        Ok(Json(wanted)) => wanted,
        Err(rejection) => return refuse(rejection.status(), &rejection.body_text()),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims {
        sub: wanted.user_id,
        iat: now,
        exp: now + LIFETIME.as_secs(),
        nbf: None,
        aud: dev.audience.clone(),
        iss: dev.issuer.clone(),
        tier: wanted.tier,
        pro_until: None,
        name: wanted.name,
        region: None,
        privacy_mode: false,
    };
    match dev.key.mint(&claims) {
        Ok(token) => ([(header::CACHE_CONTROL, "no-store")], Json(json!({ "token": token }))).into_response(),
        Err(error) => {
            tracing::error!(%error, "no token could be made");
            refuse(StatusCode::INTERNAL_SERVER_ERROR, "no token could be made")
        }
    }
}

/// The value of a header that is there exactly once.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
