//! Whether we are well, and what we do. It shows nothing of any user.

use super::super::ready;
use crate::metrics::{JoinLog, JoinRecord, Metrics};
use crate::placement::Placement;
use crate::session;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use socketioxide::SocketIo;
use std::sync::Arc;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a scrape reads.
pub(crate) struct Scraped {
    /// With the numbers of `metrics`, and of whoever else is in this process.
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) sessions: session::Registry,
    pub(crate) io: SocketIo,
}

pub(crate) fn health(placement: Placement, scraped: Scraped) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(placement))
        .route("/joins", get(joins).with_state(scraped.metrics.calls.log().clone()))
        .route("/metrics", get(metrics).with_state(Arc::new(scraped)))
}

/// The last joins, newest first: what became of each, and why.
async fn joins(State(log): State<JoinLog>) -> Json<Vec<JoinRecord>> {
    Json(log.recent())
}

async fn metrics(State(scraped): State<Arc<Scraped>>) -> Response {
    scraped.metrics.set_population(scraped.io.sockets().len(), scraped.sessions.count());
    let mut text = String::new();
    match encode(&mut text, &scraped.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
