//! HTTP/1.1 on a listener, with bounds: how many connections there are, and how long one may take to
//! say what it wants.

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Connections at once; one that became a WebSocket counts no longer.
const CONNECTIONS_MAX: usize = 24_000;
/// From a connection's start, or its last answer, to the end of a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// After an error that is not one connection's, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The other end of a request's connection, among its extensions.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Serves until `stopped` is true, and then until what was begun is done.
pub(crate) fn serve(
    listener: TcpListener,
    app: Router,
    mut stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
            };
            match accepted {
                Ok((connection, from)) => {
                    let peer = Peer(from.ip());
                    _ = connections.spawn(answer(connection, peer, app.clone(), stopped.clone()))
                }
                Err(error) => rest(&error).await,
            }
        }
        drop(listener);
        while connections.join_next().await.is_some() {}
    })
}

/// Until it is closed, or has become a WebSocket.
async fn answer(connection: TcpStream, peer: Peer, app: Router, mut stopped: watch::Receiver<bool>) {
    // A reply and the events after it are small; held back for an acknowledgement they are 40 ms late.
    if let Err(error) = connection.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let service = TowerToHyperService::new(app);
    let with_peer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        service.call(request)
    });
    let mut answering = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(connection), with_peer)
            .with_upgrades()
    );
    let until_stopped = async move { _ = stopped.wait_for(|stopped| *stopped).await };
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
