//! The socket.io server: its bounds, and what becomes of a socket.

use super::actor;
use super::anonymous::Anonymous;
use super::connect::admit;
use super::engine_io::{EngineSocket, Opened, Owner, Sockets};
use super::intake::{Intake, Requests};
use crate::ending::EndSignal;
use crate::http::proxies::Proxies;
use crate::services::Services;
use crate::session::{Admitted, Budget, Outbox, Session};
use railgun_protocol::limits;
use serde_json::Value;
use socketioxide::extract::{SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::DisconnectReason;
use socketioxide::{ParserConfig, SocketIo};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Packets that wait for a socket to read them; a socket with more is disconnected.
const PACKETS_QUEUED_MAX: usize = 128;

/// A session that starts when its socket has been told that it is connected.
struct Waiting {
    admitted: Admitted,
    requests: Requests,
    ending: EndSignal,
    engine: EngineSocket,
    budget: Budget,
}

/// How it waits on its socket, whose extensions have to be `Clone`.
#[derive(Clone)]
struct Place(Arc<Mutex<Option<Waiting>>>);

pub(crate) fn socket_io(
    services: Arc<Services>,
    sockets_per_address: usize,
    proxies: Proxies,
) -> (SocketIo, Sockets) {
    let (layer, io) = SocketIo::builder()
        .max_payload(limits::MESSAGE_BYTES_MAX as u64)
        // `max_payload` bounds polling only.
        .ws_max_message_size(limits::MESSAGE_BYTES_MAX)
        .ws_max_frame_size(limits::MESSAGE_BYTES_MAX)
        .max_buffer_size(PACKETS_QUEUED_MAX)
        .ping_interval(limits::HEARTBEAT_INTERVAL)
        .ping_timeout(limits::HEARTBEAT_TIMEOUT)
        .connect_timeout(CONNECT_TIMEOUT)
        // Nothing here is binary: a packet that announces an attachment closes its connection.
        .with_parser(ParserConfig::common().max_incoming_binaries(0).max_incoming_binary_buf_size(0))
        .build_layer();
    let of_sessions = services.clone();
    let sockets = Sockets::new(io.clone(), &layer, Anonymous::new(sockets_per_address), proxies);
    let of_middleware = sockets.clone();
    let middleware = async move |socket: SocketRef, TryData(auth): TryData<Value>| {
        let Some(opened) = socket.req_parts().extensions.get::<Opened>().cloned() else {
            return Err("INTERNAL");
        };
        let ending = EndSignal::new();
        let admitted = admit(&services, &of_middleware, &opened, auth.as_ref().ok(), ending.clone()).await;
        services.metrics.connected(admitted.as_ref().map(|_| ()).map_err(|message| *message));
        let admitted = match admitted {
            Ok(admitted) => admitted,
            Err(refusal) => {
                of_middleware.failed(&socket, &opened).await;
                return Err(refusal);
            }
        };
        let engine = of_middleware.of(&socket);
        engine.belongs_to(&admitted.identity.user);
        opened.place.give_back();
        prepare(&socket, admitted, ending, engine, services.clone());
        Ok::<(), &'static str>(())
    };
    let connected = async move |socket: SocketRef| start(socket, of_sessions).await;
    io.ns("/", connected.with(middleware));
    (io, sockets)
}

/// The handlers have to stand before the client hears that it is connected: it may ask at once.
fn prepare(
    socket: &SocketRef,
    admitted: Admitted,
    ending: EndSignal,
    engine: EngineSocket,
    services: Arc<Services>,
) {
    let budget = Budget::new();
    let (intake, requests) = Intake::new(ending.clone(), services, budget.clone());
    socket.on_fallback(intake);
    let gone = ending.clone();
    socket.on_disconnect(async move |reason: DisconnectReason| gone.set(reason.into()));
    socket.extensions.insert(Owner(admitted.identity.user.clone()));
    socket.extensions.insert(ending.clone());
    let waiting = Waiting { admitted, requests, ending, engine, budget };
    socket.extensions.insert(Place(Arc::new(Mutex::new(Some(waiting)))));
}

async fn start(socket: SocketRef, services: Arc<Services>) {
    let Some(Place(place)) = socket.extensions.remove::<Place>() else { return };
    let waiting = place.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Waiting { mut admitted, requests, ending, engine, budget }) = waiting else { return };
    let outbox = Outbox::new(socket, ending.clone(), budget);
    let resume = admitted.resume.take();
    let session = Session::new(admitted, services, outbox, ending);
    actor::run(session, resume, requests, engine).await;
}
