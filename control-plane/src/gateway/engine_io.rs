//! The engine.io sockets below the sessions: over which connection each one goes, and how it is ended.
//!
//! Requests of engine.io pass here on their way to socketioxide. One that becomes a WebSocket is handed to
//! it as a stream of ours, so that its connection stays in our hands. Long-polling is many requests over any
//! connection; such a socket is ended by a close packet in its client's place.

use super::anonymous::{Anonymous, Holder, Place};
use super::websocket::{Watched, names_namespace};
use crate::ending::{EndReason, EndSignal};
use crate::http::body::TooLarge;
use crate::http::connection::Connection;
use crate::http::proxies::{Proxies, says_forwarded};
use crate::http::socket_io_path::{PATH, is_engine_io};
use crate::policy::connect_failures::{ConnectFailures, Turn};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use hyper_util::rt::TokioIo;
use railgun_protocol::ids::UserId;
use railgun_protocol::limits::MESSAGE_BYTES_MAX;
use socketioxide::extract::SocketRef;
use socketioxide::layer::SocketIoLayer;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use socketioxide::{SocketIo, TransportType};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tower::{Layer, Service};
use tungstenite::handshake::derive_accept_key;

/// What a socket was told at last reaches the kernel meanwhile.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// A socket whose change to a WebSocket failed has gone by then, unless it still is a polling one.
const UPGRADE_FAILED_AFTER: Duration = Duration::from_secs(1);
/// Between the packets of a polling body.
const SEPARATOR: u8 = 0x1e;
/// The answer that opens a polling socket.
const OPENING_BYTES_MAX: usize = 4096;

const ACCEPT_KEY: HeaderName = HeaderName::from_static("sec-websocket-accept");
const REQUEST_KEY: HeaderName = HeaderName::from_static("sec-websocket-key");

/// Whose socket it is, in its extensions.
#[derive(Clone, Debug)]
pub(super) struct Owner(pub(super) UserId);

/// How a socket was opened, in the extensions of that request.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) place: Place,
    /// None: by polling.
    connection: Option<Connection>,
}

#[derive(Clone)]
pub(crate) struct Sockets(Arc<Inner>);

struct Inner {
    io: SocketIo,
    service: SocketIoService<Router>,
    anonymous: Anonymous,
    proxies: Proxies,
    failures: Mutex<ConnectFailures>,
    /// Polling sockets that became WebSockets, or try to.
    upgraded: Mutex<HashMap<Sid, Vec<Connection>>>,
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sockets").finish_non_exhaustive()
    }
}

/// What a request of engine.io asks for, read as engine.io reads it.
struct Asked<'a> {
    sid: Option<&'a str>,
    is_websocket: bool,
}

impl<'a> Asked<'a> {
    fn of(query: &'a str) -> Self {
        let value = |key: &str| query.split('&').find_map(|pair| pair.strip_prefix(key));
        Self { sid: value("sid="), is_websocket: value("transport=") == Some("websocket") }
    }
}

impl Sockets {
    pub(super) fn new(io: SocketIo, layer: &SocketIoLayer, anonymous: Anonymous, proxies: Proxies) -> Self {
        Self(Arc::new(Inner {
            io,
            service: layer.layer(Router::new()),
            anonymous,
            proxies,
            failures: Mutex::default(),
            upgraded: Mutex::default(),
        }))
    }

    fn upgraded(&self) -> MutexGuard<'_, HashMap<Sid, Vec<Connection>>> {
        self.0.upgraded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failures(&self) -> MutexGuard<'_, ConnectFailures> {
        self.0.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a token that this socket shows may be looked at. False: it may not.
    pub(super) async fn turn(&self, opened: &Opened) -> bool {
        let turn = self.failures().turn(opened.place.address(), self.0.anonymous.now());
        match turn {
            Turn::Now => true,
            Turn::In(wait) => {
                sleep(Duration::from_millis(wait)).await;
                true
            }
            Turn::Never => false,
        }
    }

    /// A token was not good. Whoever shows several loses the connection.
    pub(super) async fn failed(&self, socket: &SocketRef, opened: &Opened) {
        self.failures().failed(opened.place.address(), self.0.anonymous.now());
        if opened.place.failed() {
            self.of(socket).close(EndReason::Lost, false).await;
        }
    }

    /// The engine.io socket below a socket of ours.
    pub(super) fn of(&self, socket: &SocketRef) -> EngineSocket {
        let opened = socket.req_parts().extensions.get::<Opened>();
        let connection = opened.and_then(|opened| opened.connection.clone());
        EngineSocket { sid: socket.id, connection, sockets: self.clone() }
    }

    /// Ends a polling socket; a WebSocket, and one that is gone already, do not notice.
    pub(super) async fn close_polling(&self, sid: &str) {
        self.0.anonymous.closed(sid);
        let uri = format!("{PATH}/?EIO=4&transport=polling&sid={sid}");
        let Ok(request) = Request::post(uri).body(Body::from("1")) else { return };
        self.ask(request).await;
    }

    /// socketioxide itself. Every socket has to be with this service: each that its layer makes has
    /// sockets of its own.
    async fn ask(&self, request: Request) -> Response {
        let Ok(response) = self.0.service.clone().call(request).await;
        response.map(Body::new)
    }

    /// None as well once the replica ends: `SocketIo::get_socket` panics then, since no namespace is left.
    fn socket(&self, sid: Sid) -> Option<SocketRef> {
        self.0.io.of("/")?.get_socket(sid)
    }

    /// Whose session this is, once it has shown a token.
    fn owner(&self, sid: Sid) -> Option<UserId> {
        self.socket(sid)?.extensions.get::<Owner>().map(|Owner(user)| user)
    }

    async fn polls(&self, sid: &str, request: Request) -> Response {
        if request.extensions().get::<TooLarge>().is_some() {
            self.close_polling(sid).await;
            return StatusCode::PAYLOAD_TOO_LARGE.into_response();
        }
        let user = sid.parse().ok().and_then(|sid| self.owner(sid));
        if let (Some(user), Some(connection)) = (user, request.extensions().get::<Connection>()) {
            connection.belongs_to(&user);
        }
        if request.method() != Method::POST {
            return self.ask(request).await;
        }
        let (parts, body) = request.into_parts();
        // It is whole already.
        let bytes = to_bytes(body, MESSAGE_BYTES_MAX).await.unwrap_or_default();
        if bytes.split(|byte| *byte == SEPARATOR).any(names_namespace) {
            self.close_polling(sid).await;
            return StatusCode::BAD_REQUEST.into_response();
        }
        let closes = bytes.split(|byte| *byte == SEPARATOR).any(|packet| packet == b"1");
        let response = self.ask(Request::from_parts(parts, Body::from(bytes))).await;
        if closes {
            self.0.anonymous.closed(sid);
        }
        response
    }

    /// Opens a socket, if there is a place for it.
    async fn open(&self, is_websocket: bool, mut request: Request) -> Response {
        let Some(connection) = request.extensions().get::<Connection>().cloned() else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let from = self.0.proxies.client(connection.peer(), request.headers());
        let forwards = says_forwarded(request.headers()) && !self.0.proxies.is_listed(connection.peer());
        let holder = match is_websocket {
            true => Holder::WebSocket(connection.clone()),
            false => Holder::Polling(None),
        };
        let Some((place, gone)) = self.0.anonymous.admit(from, holder, forwards).await else {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        };
        match gone {
            Some(Holder::WebSocket(connection)) => connection.reset(),
            Some(Holder::Polling(Some(sid))) => self.close_polling(&sid).await,
            Some(Holder::Polling(None)) | None => {}
        }
        let opened = Opened { place: place.clone(), connection: is_websocket.then(|| connection.clone()) };
        request.extensions_mut().insert(opened);
        if is_websocket {
            if place.is_reserve() {
                let (place, connection) = (place.clone(), connection.clone());
                tokio::spawn(async move {
                    if place.until_late().await {
                        connection.reset();
                    }
                });
            }
            return self.take_over(None, connection, Some(place), request);
        }
        let (parts, body) = self.ask(request).await.into_parts();
        let bytes = to_bytes(body, OPENING_BYTES_MAX).await.unwrap_or_default();
        if let Some(sid) = sid_of(&bytes) {
            place.is_polled(sid);
        }
        Response::from_parts(parts, Body::from(bytes))
    }

    /// Makes a WebSocket of the request's connection, and hands it to socketioxide.
    fn take_over(
        &self,
        sid: Option<Sid>,
        connection: Connection,
        place: Option<Place>,
        mut request: Request,
    ) -> Response {
        let Some(key) = websocket_key(request.headers()) else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let upgrading = hyper::upgrade::on(&mut request);
        let (parts, _) = request.into_parts();
        let sockets = self.clone();
        if let Some(sid) = sid {
            self.upgraded().entry(sid).or_default().push(connection.clone());
        }
        // Not idle, which would make it the first to go.
        let busy = connection.request();
        tokio::spawn(async move {
            let _busy = busy;
            if let Ok(upgraded) = upgrading.await {
                let stream = Watched::new(TokioIo::new(upgraded), connection.clone());
                let request = axum::http::Request::from_parts(parts, ());
                if sockets.0.service.clone().call((stream, request)).await.is_ok() {
                    connection.closed().await;
                }
            }
            if let Some(place) = place {
                place.give_back();
            }
            if let Some(sid) = sid {
                sockets.was_upgraded(sid, &connection).await;
            }
        });
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(ACCEPT_KEY, key);
        response
    }

    /// The connection of a WebSocket that a polling socket was to become is closed.
    async fn was_upgraded(&self, sid: Sid, connection: &Connection) {
        {
            let mut upgraded = self.upgraded();
            if let Some(connections) = upgraded.get_mut(&sid) {
                connections.retain(|other| !other.is(connection));
                if connections.is_empty() {
                    upgraded.remove(&sid);
                }
            }
        }
        sleep(UPGRADE_FAILED_AFTER).await;
        // One that is still polling began to change and cannot go on: it answers nothing any more.
        match self.socket(sid) {
            Some(socket) if socket.transport_type() == TransportType::Polling => {
                if let Some(ending) = socket.extensions.get::<EndSignal>() {
                    ending.set(EndReason::Lost);
                }
            }
            Some(_) => {}
            None => self.close_polling(sid.as_str()).await,
        }
    }
}

/// These routes, of which socket.io's path is answered here.
pub(crate) fn in_front_of(routes: Router, sockets: Sockets) -> Router {
    routes.layer(from_fn_with_state(sockets, pass))
}

async fn pass(State(sockets): State<Sockets>, request: Request, next: Next) -> Response {
    if !is_engine_io(request.uri().path()) || request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let query = request.uri().query().unwrap_or_default().to_owned();
    let Asked { sid, is_websocket } = Asked::of(&query);
    let is_websocket = is_websocket && request.method() == Method::GET;
    match sid {
        None if request.method() != Method::GET => sockets.ask(request).await,
        None => sockets.open(is_websocket, request).await,
        Some(sid) if is_websocket => {
            let Some(connection) = request.extensions().get::<Connection>().cloned() else {
                return StatusCode::INTERNAL_SERVER_ERROR.into_response();
            };
            match sid.parse() {
                Ok(sid) => {
                    if let Some(user) = sockets.owner(sid) {
                        connection.belongs_to(&user);
                    }
                    sockets.take_over(Some(sid), connection, None, request)
                }
                Err(_) => StatusCode::BAD_REQUEST.into_response(),
            }
        }
        Some(sid) => sockets.polls(sid, request).await,
    }
}

/// What to answer the key of a request that wants to be a WebSocket (RFC 6455 section 4.2.2).
fn websocket_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let upgrade = headers.get(header::UPGRADE)?.to_str().ok()?;
    let key = headers.get(REQUEST_KEY)?;
    let is_websocket = upgrade.split(',').any(|name| name.trim().eq_ignore_ascii_case("websocket"));
    is_websocket.then(|| derive_accept_key(key.as_bytes()).parse().ok())?
}

/// In the packet that opens a polling socket: `0{"sid":"…",…}`.
fn sid_of(opening: &[u8]) -> Option<&str> {
    let (_, rest) = std::str::from_utf8(opening).ok()?.split_once("\"sid\":\"")?;
    rest.split('"').next()
}

/// The engine.io socket of one session.
#[derive(Clone, Debug)]
pub(crate) struct EngineSocket {
    sid: Sid,
    connection: Option<Connection>,
    sockets: Sockets,
}

impl EngineSocket {
    fn connections(&self) -> Vec<Connection> {
        let upgraded = self.sockets.upgraded().get(&self.sid).cloned().unwrap_or_default();
        self.connection.iter().cloned().chain(upgraded).collect()
    }

    /// Counts the WebSocket for this user from now on.
    pub(super) fn belongs_to(&self, user: &UserId) {
        for connection in self.connections() {
            connection.belongs_to(user);
        }
    }

    /// Ends the connection. `is_told`: something is on its way that says why, and has a moment to go.
    pub(crate) async fn close(self, end: EndReason, is_told: bool) {
        let connections = self.connections();
        connections.iter().for_each(Connection::is_over);
        if is_told {
            let closed = futures::future::join_all(connections.iter().map(Connection::closed));
            match connections.is_empty() {
                true => sleep(FLUSH_TIMEOUT).await,
                false => _ = timeout(FLUSH_TIMEOUT, closed).await,
            }
        }
        for connection in &connections {
            if matches!(end, EndReason::Lost | EndReason::Behind) {
                connection.reset()
            } else {
                connection.shut()
            }
        }
        self.sockets.close_polling(self.sid.as_str()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_as_engine_io_reads_it() {
        let read = |query| {
            let Asked { sid, is_websocket } = Asked::of(query);
            (sid, is_websocket)
        };
        assert_eq!(read("EIO=4&transport=websocket"), (None, true));
        assert_eq!(read("EIO=4&transport=polling&sid=AAAA&t=x"), (Some("AAAA"), false));
        assert_eq!(read("transport=polling&transport=websocket&sid=&sid=B"), (Some(""), false));
        assert!(is_engine_io("/socket.io/") && is_engine_io("/socket.io") && !is_engine_io("/socket.iox"));
    }

    #[tokio::test]
    async fn a_replica_that_ends_has_no_sockets_and_does_not_panic_over_one() {
        let (layer, io) = SocketIo::new_layer();
        io.ns("/", async |_: SocketRef| {});
        let sockets = Sockets::new(io.clone(), &layer, Anonymous::new(10), Proxies::default());
        let sid = Sid::new();
        assert!(sockets.owner(sid).is_none(), "while it serves");
        io.close().await;
        assert!(sockets.owner(sid).is_none());
    }

    #[test]
    fn the_sid_of_an_opening_is_found() {
        assert_eq!(sid_of(b"0{\"sid\":\"AbC\",\"upgrades\":[]}"), Some("AbC"));
        assert_eq!(sid_of(b"{\"code\":\"5\"}"), None);
    }
}
