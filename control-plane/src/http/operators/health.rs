//! Whether we are well, and what we do. It shows nothing of any user.

use crate::http::connections::Connections;
use crate::http::readiness::ready;
use crate::metrics::{JoinLog, JoinRecord, Metrics};
use crate::placement::Placement;
use crate::registry;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use railgun_protocol::host::is_private_host;
use socketioxide::SocketIo;
use std::sync::Arc;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What a scrape reads.
pub(crate) struct Scraped {
    /// With the numbers of `metrics`, and of whoever else is in this process.
    pub(crate) registry: Registry,
    pub(crate) metrics: Metrics,
    pub(crate) sessions: registry::Registry,
    pub(crate) io: SocketIo,
    pub(crate) connections: Connections,
}

/// `hosts`: names that a request may give as its `Host`, besides addresses and private ones.
pub(crate) fn health(placement: Placement, scraped: Scraped, hosts: Arc<[String]>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(placement))
        .merge(
            Router::new()
                .route("/joins", get(joins).with_state(scraped.metrics.calls.log().clone()))
                .route("/metrics", get(metrics).with_state(Arc::new(scraped)))
                .layer(from_fn_with_state(hosts, by_host)),
        )
}

/// Refuses a name that a stranger may have pointed here.
async fn by_host(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    match host.is_some_and(|host| is_private_host(host, &hosts)) {
        true => next.run(request).await,
        false => (StatusCode::FORBIDDEN, "the Host is not in operators.hosts\n").into_response(),
    }
}

/// The last joins, newest first: what became of each, and why.
async fn joins(State(log): State<JoinLog>) -> Json<Vec<JoinRecord>> {
    Json(log.recent())
}

async fn metrics(State(scraped): State<Arc<Scraped>>) -> Response {
    scraped.metrics.set_population(scraped.io.sockets().len(), scraped.sessions.count());
    scraped.metrics.set_connections(scraped.connections.count());
    let mut text = String::new();
    match encode(&mut text, &scraped.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "the metrics cannot be written");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
