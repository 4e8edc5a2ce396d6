//! The operators' server that webhooks are sent to: it looks at each, and takes it or not. It has the users' tokens' keys
//! as well.

use crate::addresses::hooks_address;
use crate::told::{broken, tell};
use aws_lc_rs::hmac;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;

pub(crate) const PORT: u16 = 9000;
const SIGNED: &str =
    "A webhook is signed with the secret of both, over id, time and body (Standard Webhooks)";
const IDS: &str = "One event has one id, whichever replica tells it, and two events have two";
const NO_CALL: &str = "A test in $diagnostics is no call (contract, 5)";
const TOLD: &str = "Each event of a room is told to the operators' server once at least";

#[derive(Debug, Default)]
struct Told {
    /// Some: hooks are refused; true: they get no answer.
    refuses: Option<bool>,
    /// By id, the type and data.
    by_id: BTreeMap<String, (Value, Value)>,
    /// Sessions that joined and that left, as it was told.
    joined: BTreeSet<String>,
    left: BTreeSet<String>,
}

/// Shared with the scenario.
#[derive(Debug, Default)]
pub(crate) struct Hooks(Mutex<Told>);

impl Hooks {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn refuse(&self, how: Option<bool>) {
        self.told().refuses = how;
    }

    /// These sessions left when nothing was wrong any more.
    pub(crate) fn look_at_leaves(&self, sessions: &[String]) {
        let told = self.told();
        let missing: Vec<_> = sessions.iter().filter(|it| !told.left.contains(*it)).collect();
        if !missing.is_empty() {
            broken(TOLD, || format!("not of the leaves of {missing:?}"));
        }
    }

    /// These sessions joined, and all have left: as far as nothing went wrong at the servers, each was told.
    pub(crate) fn look(&self, sessions: &BTreeSet<String>) {
        let told = self.told();
        let missing: Vec<_> =
            sessions.iter().filter(|it| !told.joined.contains(*it) || !told.left.contains(*it)).collect();
        if !missing.is_empty() {
            broken(TOLD, || format!("not of {missing:?}"));
        }
    }
}

pub(crate) async fn serve(hooks: Arc<Hooks>) {
    let Ok(listener) = TcpListener::bind((hooks_address(), PORT)).await else { return };
    let app = Router::new().route("/hooks", post(take)).route("/jwks.json", get(keys)).with_state(hooks);
    _ = axum::serve(listener, app).await;
}

async fn keys() -> Vec<u8> {
    std::fs::read(crate::tokens::jwks()).unwrap_or_default()
}

fn is_signed(headers: &HeaderMap, body: &str) -> bool {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let secret = crate::tokens::HOOK_SECRET.trim_start_matches("whsec_");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret).unwrap_or_default());
    let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
    let mut signatures = text("webhook-signature").split(' ').filter_map(|it| it.strip_prefix("v1,"));
    signatures
        .any(|it| STANDARD.decode(it).is_ok_and(|tag| hmac::verify(&key, signed.as_bytes(), &tag).is_ok()))
}

async fn take(State(hooks): State<Arc<Hooks>>, headers: HeaderMap, body: String) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|it| it.to_str().ok()).unwrap_or_default().to_owned();
    if !is_signed(&headers, &body) {
        broken(SIGNED, || format!("{headers:?} {body}"));
    }
    let hook: Value = serde_json::from_str(&body).unwrap_or_default();
    let (kind, data) = (hook["type"].clone(), hook["data"].clone());
    tell("hooks", || format!("{kind} {data}"));
    if data["channel"].as_str().is_some_and(|channel| channel.starts_with('$')) {
        broken(NO_CALL, || format!("{kind} {data}"));
    }
    let refuses = {
        let mut told = hooks.told();
        if let Some(before) = told.by_id.insert(id.clone(), (kind.clone(), data.clone()))
            && before != (kind.clone(), data.clone())
        {
            broken(IDS, || format!("{id}: {before:?}, and {kind} {data}"));
        }
        let session = data["sessionId"].as_str().unwrap_or_default().to_owned();
        match (told.refuses, kind.as_str()) {
            (None, Some("participant.joined")) => _ = told.joined.insert(session),
            (None, Some("participant.left")) => _ = told.left.insert(session),
            _ => {}
        }
        told.refuses
    };
    match refuses {
        None => StatusCode::OK,
        Some(false) => StatusCode::SERVICE_UNAVAILABLE,
        Some(true) => std::future::pending().await,
    }
}
