//! The only place that writes to a session's socket: replies, acks and room events in one order.

use super::budget::Budget;
use crate::ending::{EndReason, EndSignal};
use crate::refusal::Refusal;
use axum::body::Bytes;
use railgun_protocol::signal::ServerEvent;
use serde_json::{Map, Value};
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::{self, FromMessageParts};
use socketioxide::socket::Socket;
use socketioxide::{SendError, SocketError};
use std::sync::Arc;
use std::time::Duration;

/// A socket that takes nothing in this time is not told why it goes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const CLOSE_RETRY: Duration = Duration::from_millis(50);
/// A socket whose packets pile up has a second to read some of them.
const FULL_RETRY: Duration = Duration::from_millis(5);
const FULL_RETRIES: usize = 200;

/// What a request that succeeded is answered.
#[derive(Debug)]
pub(crate) enum Answer {
    Reply(Box<ServerEvent>),
    /// Requests without a reply event.
    AckOnly(Map<String, Value>),
}

impl From<ServerEvent> for Answer {
    fn from(event: ServerEvent) -> Self {
        Self::Reply(Box::new(event))
    }
}

/// What a reply has to carry back of its request.
#[derive(Debug)]
pub(crate) struct RequestMeta {
    pub(crate) event: String,
    pub(crate) request_id: Option<String>,
}

/// Where a request's ack goes, if the client gave a callback.
pub(crate) struct Ack {
    socket: Arc<Socket<LocalAdapter>>,
    id: Option<i64>,
}

impl Ack {
    pub(crate) fn new(socket: Arc<Socket<LocalAdapter>>, id: Option<i64>) -> Self {
        Self { socket, id }
    }

    fn send(&self, payload: &Map<String, Value>) -> Result<(), SendError> {
        let mut unused = handler::Value::Bytes(Bytes::new());
        let Ok(sender) = AckSender::from_message_parts(&self.socket, &mut unused, &self.id);
        sender.send(payload)
    }
}

pub(crate) struct Outbox {
    socket: SocketRef,
    ending: EndSignal,
    budget: Budget,
}

impl Outbox {
    /// `ending` is said when the socket cannot take any more.
    pub(crate) fn new(socket: SocketRef, ending: EndSignal, budget: Budget) -> Self {
        Self { socket, ending, budget }
    }

    /// A room event.
    pub(crate) async fn tell(&self, event: &ServerEvent) {
        self.budget.tell(event);
        // In a tuple, for a list by itself would be taken for one argument each.
        self.put(|| self.socket.emit(event.name(), &(event,))).await;
    }

    /// Why the socket has to go, if it can still take it.
    pub(crate) fn tell_at_last(&self, event: &ServerEvent) {
        _ = self.socket.emit(event.name(), &(event,));
    }

    /// That the session which the socket wanted to take up could not be.
    pub(crate) async fn refuse_to_resume(&self, error: Refusal) {
        let event = ServerEvent::Error(error.body());
        let mut payload = fields(&event);
        payload.insert("event".into(), "resume".into());
        self.put(|| self.socket.emit(event.name(), &payload)).await;
    }

    /// The reply event, and then the ack.
    pub(crate) async fn answer(&self, asked: &RequestMeta, ack: &Ack, result: Result<Answer, Refusal>) {
        if let Ok(Answer::Reply(event)) = &result {
            self.budget.tell(event);
        }
        let Answered { name, mut payload, ok } = asked.answered(result);
        if let Some(name) = name {
            self.put(|| self.socket.emit(name, &payload)).await;
        }
        payload.insert("ok".into(), ok.into());
        self.put(|| ack.send(&payload)).await;
    }

    /// Refuses a request that came while the session has no room for it, without waiting for
    /// anything. A socket that cannot even take that has to go.
    pub(crate) fn refuse_at_once(&self, asked: &RequestMeta, ack: &Ack, error: Refusal) {
        let Answered { name, mut payload, ok } = asked.answered(Err(error));
        let emitted = name.map_or(Ok(()), |name| self.socket.emit(name, &payload));
        payload.insert("ok".into(), ok.into());
        for sent in [emitted, ack.send(&payload)] {
            if !is_done(&sent) {
                self.ending.set(EndReason::Behind);
            }
        }
    }

    /// Tells the socket to go; its connection is another's to end. False: there was nobody to tell.
    pub(crate) async fn close(self) -> bool {
        let closing = async {
            loop {
                match self.socket.connected() {
                    true if self.socket.clone().disconnect().is_ok() => return true,
                    true => tokio::time::sleep(CLOSE_RETRY).await,
                    false => return false,
                }
            }
        };
        tokio::time::timeout(CLOSE_TIMEOUT, closing).await.unwrap_or_default()
    }

    /// Sends, and gives a full socket a moment to be read. One that stays full has to go: whoever
    /// misses a packet no longer knows the room.
    async fn put(&self, send: impl Fn() -> Result<(), SendError>) {
        if self.ending.is_set() {
            return;
        }
        for _ in 0..FULL_RETRIES {
            if is_done(&send()) {
                return;
            }
            tokio::time::sleep(FULL_RETRY).await;
        }
        tracing::info!("a socket that does not keep up is disconnected");
        self.ending.set(EndReason::Behind);
    }
}

/// Sent, or there is nobody to send to.
fn is_done(sent: &Result<(), SendError>) -> bool {
    match sent {
        Ok(()) | Err(SendError::Socket(SocketError::Closed)) => true,
        Err(SendError::Socket(_)) => false,
        Err(SendError::Serialize(error)) => {
            tracing::error!(%error, "a payload cannot be written");
            true
        }
    }
}

/// A reply event, unless there is none to this request, and what the ack says with it.
struct Answered {
    name: Option<&'static str>,
    payload: Map<String, Value>,
    ok: bool,
}

impl RequestMeta {
    fn answered(&self, result: Result<Answer, Refusal>) -> Answered {
        let (name, mut payload, ok) = match result {
            Ok(Answer::Reply(event)) => (Some(event.name()), fields(&event), true),
            Ok(Answer::AckOnly(payload)) => (None, payload, true),
            Err(error) => {
                let error = error.body().of_request(&self.event);
                let event = match self.event.as_str() {
                    "voice:join" => ServerEvent::Error(error),
                    _ => ServerEvent::RtcError(error),
                };
                let mut payload = fields(&event);
                payload.insert("event".into(), self.event.clone().into());
                (Some(event.name()), payload, false)
            }
        };
        if let Some(id) = &self.request_id {
            payload.insert("requestId".into(), id.clone().into());
        }
        Answered { name, payload, ok }
    }
}

/// A reply's payload as the object it always is.
fn fields(event: &ServerEvent) -> Map<String, Value> {
    match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => fields,
        other => {
            tracing::error!(event = event.name(), ok = other.is_ok(), "an event is not an object");
            Map::new()
        }
    }
}
