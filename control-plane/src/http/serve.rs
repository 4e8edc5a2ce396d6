//! HTTP/1.1 on a listener, with bounds: how many connections there are, how long one may take to say what
//! it wants, and how long to take what it is answered.

use super::body;
use super::connection::Connection;
use super::connections::Connections;
use super::proxies::says_forwarded;
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tower::Service;

/// From a connection's start, or its last answer, to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take, before a connection's first request.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest head of a request, and what is read ahead at most.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// After an error that is not one connection's, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves until `stopped` is true, and then until what was begun is done. With `https`, in TLS only.
pub(crate) fn serve(
    listener: TcpListener,
    https: Option<railgun_tls::Server>,
    app: Router,
    connections: Connections,
    mut stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut answering = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(_) = answering.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((tcp, peer)) => {
                    let (app, connections) = (app.clone(), connections.clone());
                    let https = https.clone();
                    _ = answering.spawn(answer(tcp, peer.ip(), https, app, connections, stopped.clone()));
                }
                Err(error) => rest(&error).await,
            }
        }
        drop(listener);
        while answering.join_next().await.is_some() {}
    })
}

/// Until it is closed, or has become a WebSocket.
async fn answer(
    tcp: TcpStream,
    peer: IpAddr,
    https: Option<railgun_tls::Server>,
    app: Router,
    connections: Connections,
    mut stopped: watch::Receiver<bool>,
) {
    let until_stopped = async move { _ = stopped.wait_for(|stopped| *stopped).await };
    let mut until_stopped = pin!(until_stopped);
    let admitted = tokio::select! {
        admitted = connections.admit(tcp, peer) => admitted,
        () = &mut until_stopped => return,
    };
    let Some((stream, connection)) = admitted else {
        tracing::debug!("a connection found no place");
        return;
    };
    let Some(https) = https else {
        return converse(stream, connection, app, until_stopped).await;
    };
    let shaken = tokio::select! {
        shaken = timeout(TLS_TIMEOUT, https.accept(stream)) => shaken,
        () = &mut until_stopped => return,
    };
    match shaken {
        Ok(Ok(stream)) => converse(stream, connection, app, until_stopped).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

/// HTTP over a connection whose bytes are `stream`.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    connection: Connection,
    app: Router,
    until_stopped: impl Future<Output = ()>,
) {
    let service = service_fn(move |request| pass(request, connection.clone(), app.clone()));
    let mut answering = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(BUFFER_BYTES_MAX)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = answering.as_mut() => ended,
        () = until_stopped => {
            answering.as_mut().graceful_shutdown();
            answering.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}

/// The request comes to `app` with its whole body, and with the [`Connection`] in its extensions.
async fn pass(
    request: Request<Incoming>,
    connection: Connection,
    mut app: Router,
) -> Result<axum::response::Response, std::convert::Infallible> {
    let _answering = connection.request();
    let mut request = match body::whole(request.map(Body::new)).await {
        Ok(request) => request,
        Err(refusal) => return Ok(refusal),
    };
    if says_forwarded(request.headers()) {
        connection.forwards();
    }
    request.extensions_mut().insert(connection);
    app.call(request).await
}

async fn rest(error: &io::Error) {
    let of_one = matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    );
    if !of_one {
        tracing::error!(%error, "no connection can be accepted");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
