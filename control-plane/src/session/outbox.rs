//! The only place that writes to a session's socket: replies, acks and room events in one order.

use railgun_shared::signal::{ErrorBody, ServerEvent};
use serde_json::{Map, Value};
use socketioxide::SendError;
use socketioxide::SocketError;
use socketioxide::extract::{AckSender, SocketRef};
use std::time::Duration;
use tokio::sync::watch;

/// A socket that does not read is given up by its heartbeat after this at the latest.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(15);
const CLOSE_RETRY: Duration = Duration::from_millis(50);

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
pub(crate) struct Asked {
    pub(crate) event: String,
    pub(crate) request_id: Option<String>,
}

pub(crate) struct Outbox {
    socket: SocketRef,
    end: watch::Sender<bool>,
}

impl Outbox {
    /// `end` is set when the socket cannot take any more.
    pub(crate) fn new(socket: SocketRef, end: watch::Sender<bool>) -> Self {
        Self { socket, end }
    }

    /// A room event.
    pub(crate) fn tell(&self, event: &ServerEvent) {
        self.emit(event.name(), &fields(event));
    }

    pub(crate) fn answer(&self, asked: &Asked, ack: AckSender, result: Result<Answer, ErrorBody>) {
        match result {
            Ok(Answer::Reply(event)) => {
                let mut payload = fields(&event);
                asked.stamp(&mut payload);
                self.emit(event.name(), &payload);
                self.acknowledge(ack, true, payload);
            }
            Ok(Answer::AckOnly(mut payload)) => {
                asked.stamp(&mut payload);
                self.acknowledge(ack, true, payload);
            }
            Err(error) => {
                let event = match asked.event.as_str() {
                    "voice:join" => ServerEvent::Error(error),
                    _ => ServerEvent::RtcError(error),
                };
                let mut payload = fields(&event);
                payload.insert("event".into(), asked.event.clone().into());
                asked.stamp(&mut payload);
                self.emit(event.name(), &payload);
                self.acknowledge(ack, false, payload);
            }
        }
    }

    /// Disconnects the socket, however full it is.
    pub(crate) async fn close(self) {
        let closing = async {
            while self.socket.connected() && self.socket.clone().disconnect().is_err() {
                tokio::time::sleep(CLOSE_RETRY).await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            tracing::warn!("a socket could not be closed");
        }
    }

    fn emit(&self, name: &str, payload: &Map<String, Value>) {
        self.watch_for_overflow(self.socket.emit(name, payload));
    }

    fn acknowledge(&self, ack: AckSender, ok: bool, mut payload: Map<String, Value>) {
        payload.insert("ok".into(), ok.into());
        self.watch_for_overflow(ack.send(&payload));
    }

    fn watch_for_overflow(&self, sent: Result<(), SendError>) {
        match sent {
            Ok(()) | Err(SendError::Socket(SocketError::Closed)) => {}
            Err(error) => {
                if !self.end.send_replace(true) {
                    tracing::info!(%error, "a socket that does not keep up is disconnected");
                }
            }
        }
    }
}

impl Asked {
    fn stamp(&self, payload: &mut Map<String, Value>) {
        if let Some(id) = &self.request_id {
            payload.insert("requestId".into(), id.clone().into());
        }
    }
}

/// An event's payload as the object it always is.
fn fields(event: &ServerEvent) -> Map<String, Value> {
    match serde_json::to_value(event) {
        Ok(Value::Object(fields)) => fields,
        other => {
            tracing::error!(event = event.name(), ok = other.is_ok(), "an event is not an object");
            Map::new()
        }
    }
}
