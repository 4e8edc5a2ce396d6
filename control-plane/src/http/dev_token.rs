//! `POST /dev/token {userId, tier, secret, name?, region?}` → `{token}`, in development mode only.
//!
//! Any page in the same browser can send requests to loopback, any site can point a name of its own at
//! 127.0.0.1, and a proxy on this machine lets anybody in. So the `Host` has to be a loopback name with
//! our port; an `Origin`, if there is one, has to be that same place or a listed one on loopback; what
//! came by way of a proxy that says so is refused; and the secret has to be shown, which a proxy that
//! says nothing cannot know.

use super::connection::Connection;
use super::proxies::says_forwarded;
use crate::auth::{Claims, LocalKey};
use crate::config::Config;
use crate::dev_mode::DevMode;
use crate::policy::secret_guesses::SecretGuesses;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use railgun_protocol::ids::UserId;
use railgun_protocol::plan::Tier;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// An invitation is good for a day.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);
const HTTP_PORT: u16 = 80;

#[derive(Debug)]
pub(crate) struct DevTokens {
    key: LocalKey,
    /// SHA-256, so that comparing tells nothing by its time.
    secret: [u8; 32],
    audience: Option<String>,
    issuer: Option<String>,
    port: u16,
    /// Scheme of our own page's origin.
    scheme: &'static str,
    /// Origins among `cors_origins` that are on loopback.
    origins: Vec<String>,
    guesses: Mutex<SecretGuesses>,
    started: Instant,
}

impl DevTokens {
    /// `port`: where we listen.
    pub(crate) fn new(key: LocalKey, mode: &DevMode, config: &Config, port: u16) -> Self {
        let origins = config.cors_origins.iter().filter(|origin| is_loopback(origin)).cloned().collect();
        let (audience, issuer) = (config.auth.audience.clone(), config.auth.issuer.clone());
        Self {
            key,
            secret: mode.digest(),
            audience,
            issuer,
            port,
            scheme: if config.https.is_some() { "https" } else { "http" },
            origins,
            guesses: Mutex::default(),
            started: Instant::now(),
        }
    }

    /// For whoever the start's second link is given to.
    pub(crate) fn for_guest(&self) -> Option<String> {
        let user_id = UserId::new(format!("friend-{:08x}", rand::random::<u32>())).ok()?;
        let wanted = Wanted {
            user_id,
            tier: Tier::Pro,
            secret: String::new(),
            name: Some("Friend".into()),
            region: None,
        };
        self.key.mint(&self.claims(wanted)).ok()
    }

    fn is_our_host(&self, host: &str) -> bool {
        ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|name| host == format!("{name}:{}", self.port) || (self.port == HTTP_PORT && host == *name))
    }

    /// Why whoever sends these headers gets nothing.
    fn refusal(&self, headers: &HeaderMap) -> Option<&'static str> {
        if says_forwarded(headers) {
            return Some("this came through a proxy");
        }
        let Some(host) = only(headers, header::HOST).filter(|host| self.is_our_host(host)) else {
            return Some("the Host is not this machine");
        };
        if !headers.contains_key(header::ORIGIN) {
            return None;
        }
        let is_ours = only(headers, header::ORIGIN).is_some_and(|origin| {
            origin == format!("{}://{host}", self.scheme)
                || self.origins.iter().any(|listed| listed == origin)
        });
        (!is_ours).then_some("the Origin is neither this page nor a loopback origin of cors_origins")
    }

    /// Whether the secret is ours. None: there were too many wrong ones, so this one was not looked at.
    fn is_secret(&self, shown: &str, from: IpAddr) -> Option<bool> {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        if !guesses.may_guess(from, now) {
            return None;
        }
        let is_ours = self.secret == <[u8; 32]>::from(Sha256::digest(shown));
        if !is_ours {
            guesses.was_wrong(from, now);
        }
        Some(is_ours)
    }

    fn claims(&self, wanted: Wanted) -> Claims {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Claims {
            sub: wanted.user_id,
            iat: now,
            exp: now + LIFETIME.as_secs(),
            nbf: None,
            aud: self.audience.clone(),
            iss: self.issuer.clone(),
            tier: wanted.tier,
            pro_until: None,
            name: wanted.name,
            avatar: None,
            region: wanted.region,
            privacy_mode: false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wanted {
    user_id: UserId,
    tier: Tier,
    #[serde(default)]
    secret: String,
    #[serde(default)]
    name: Option<String>,
    /// Where rooms that this user opens should be.
    #[serde(default)]
    region: Option<String>,
}

pub(super) async fn issue(
    State(dev): State<Arc<DevTokens>>,
    connection: Option<Extension<Connection>>,
    headers: HeaderMap,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    if let Some(why) = dev.refusal(&headers) {
        return refuse(StatusCode::FORBIDDEN, why);
    }
    let wanted = match wanted {
        Ok(Json(wanted)) => wanted,
        Err(rejection) => return refuse(rejection.status(), &rejection.body_text()),
    };
    let from = connection.and_then(|Extension(connection)| connection.network());
    match dev.is_secret(&wanted.secret, from.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))) {
        Some(true) => {}
        Some(false) => {
            return refuse(
                StatusCode::FORBIDDEN,
                "the secret is not the one that the server printed at its start",
            );
        }
        None => {
            return refuse(StatusCode::TOO_MANY_REQUESTS, "too many wrong secrets: try again in a minute");
        }
    }
    match dev.key.mint(&dev.claims(wanted)) {
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

/// An origin (RFC 6454) whose host is this machine under any name that no resolver can change.
fn is_loopback(origin: &str) -> bool {
    let Ok(url) = origin.parse::<reqwest::Url>() else { return false };
    let host = url.host_str().unwrap_or_default();
    let ip = host.parse::<Ipv4Addr>().map(IpAddr::from).or_else(|_| {
        host.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>().map(IpAddr::from)
    });
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_on_loopback_by_its_host_alone() {
        for origin in
            ["http://localhost:5173", "https://127.0.0.1", "http://127.1.2.3:80", "http://[::1]:5173"]
        {
            assert!(is_loopback(origin), "{origin}");
        }
        for origin in ["https://app.example.com", "http://localhost.example.com", "http://10.0.0.1", "null"] {
            assert!(!is_loopback(origin), "{origin}");
        }
    }
}
