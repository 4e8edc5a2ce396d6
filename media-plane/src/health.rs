//! Whether the node is up, ready, and what it has done: the operators' HTTP listener.

use crate::fence::Fence;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) workers_alive: watch::Receiver<usize>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) fence: Arc<Fence>,
}

pub(crate) fn router(health: Health, registry: Registry) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(health))
        .route("/metrics", get(metrics).with_state(Arc::new(registry)))
}

/// 200 while the node takes rooms, else 503.
async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if *health.stop.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if *health.workers_alive.borrow() == 0 {
        (StatusCode::SERVICE_UNAVAILABLE, "no media worker is left\n")
    } else if !health.fence.is_valid(Instant::now()) {
        (StatusCode::SERVICE_UNAVAILABLE, "not registered in etcd\n")
    } else {
        (StatusCode::OK, "ok\n")
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
