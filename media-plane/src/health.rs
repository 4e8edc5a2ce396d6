//! Whether the node is up, ready, and what it has done: the operators' HTTP listener.

use crate::metrics::{self, WorkerGauges};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) workers_alive: watch::Receiver<usize>,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) gauges: Vec<Arc<WorkerGauges>>,
}

pub(crate) fn router(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(show_metrics))
        .with_state(health)
}

/// 200 while the node takes rooms, else 503.
async fn ready(State(health): State<Health>) -> impl IntoResponse {
    if *health.stop.borrow() {
        (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
    } else if *health.workers_alive.borrow() == 0 {
        (StatusCode::SERVICE_UNAVAILABLE, "no media worker is left\n")
    } else {
        (StatusCode::OK, "ok\n")
    }
}

async fn show_metrics(State(health): State<Health>) -> impl IntoResponse {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (content_type, metrics::render(&health.gauges))
}
