//! Whether the node is up, ready, and what it has done: the operators' HTTP listener.

use crate::fence::Fence;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use railgun_protocol::host::is_private_host;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) workers: watch::Receiver<WorkersState>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) fence: Arc<Fence>,
    /// None: this node knows of no etcd.
    #[cfg(feature = "etcd")]
    pub(crate) etcd: Option<Arc<railgun_etcd::Health>>,
    /// Names that a request may give as its `Host`, besides addresses and private ones.
    pub(crate) hosts: Arc<[String]>,
}

/// The workers, as readiness sees them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WorkersState {
    pub(crate) started: usize,
    pub(crate) alive: usize,
    pub(crate) last_death: Option<Instant>,
}

/// Whoever looks every 15 s or oftener sees each death.
const DEATH_SHOWN: Duration = Duration::from_secs(30);

pub(crate) fn router(health: Health, registry: Registry) -> Router {
    let hosts = health.hosts.clone();
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(health))
        .route(
            "/metrics",
            get(metrics).with_state(Arc::new(registry)).layer(from_fn_with_state(hosts, by_host)),
        )
}

/// Refuses a name that a stranger may have pointed here.
async fn by_host(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host.is_some_and(|host| is_private_host(host, &hosts)) {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, "the Host is not in health.hosts\n").into_response(),
    }
}

impl Health {
    /// Why the node is not as it should be; None: it is, and takes rooms.
    fn hindrance(&self, now: Instant) -> Option<String> {
        if *self.stop.borrow() {
            return Some("stopping".into());
        }
        let WorkersState { started, alive, last_death } = *self.workers.borrow();
        if alive < started {
            return Some(format!("{alive} of {started} media workers run"));
        }
        #[cfg(feature = "etcd")]
        if self.etcd.as_ref().is_some_and(|etcd| etcd.is_full()) {
            return Some("etcd refuses writes, its database is full".into());
        }
        if !self.fence.is_valid(now) {
            return Some("not registered in etcd".into());
        }
        let since =
            last_death.map(|at| now.saturating_duration_since(at)).filter(|since| *since < DEATH_SHOWN)?;
        Some(format!("a media worker died {} s ago; another one has taken its place", since.as_secs()))
    }
}

/// 200 while the node takes rooms and no worker died just now, else 503 and why.
async fn ready(State(health): State<Health>) -> impl IntoResponse {
    match health.hindrance(Instant::now()) {
        None => (StatusCode::OK, "ok\n".into()),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    match encode(&mut text, &registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
