//! Requests as they come off a socket, put into its session's queue in the order they came.
//!
//! This is a handler of its own type because socketioxide runs ordinary ones concurrently, one task
//! for each message, and a request could overtake another.

use crate::control::Services;
use crate::metrics::Outcome;
use crate::session::{Ack, Asked, Incoming, Outbox};
use railgun_shared::limits;
use railgun_shared::signal::{ClientRequest, ErrorBody, ErrorCode};
use serde_json::Value;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::{self, MessageHandler};
use socketioxide::socket::Socket;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// Longest name of an event that is repeated in a refusal.
const EVENT_NAME_CHARS_MAX: usize = 64;

pub(super) struct Intake {
    requests: mpsc::Sender<Incoming>,
    end: watch::Sender<bool>,
    services: Arc<Services>,
}

/// The other side of an [`Intake`]'s queue.
pub(super) type Requests = mpsc::Receiver<Incoming>;

/// Tells this handler from those that are functions.
pub(super) struct InOrder;

impl Intake {
    pub(super) fn new(end: watch::Sender<bool>, services: Arc<Services>) -> (Self, Requests) {
        let (requests, queue) = mpsc::channel(limits::REQUESTS_QUEUED_MAX);
        (Self { requests, end, services }, queue)
    }
}

impl MessageHandler<LocalAdapter, InOrder> for Intake {
    fn call(&self, socket: Arc<Socket<LocalAdapter>>, message: handler::Value, ack_id: Option<i64>) {
        let incoming = read(&message, Ack::new(socket.clone(), ack_id));
        if let Err(mpsc::error::TrySendError::Full(refused)) = self.requests.try_send(incoming) {
            let error = ErrorBody::new(ErrorCode::RateLimited, "too many requests wait already");
            let waited = refused.arrived_at.elapsed();
            self.services.metrics.answered(&refused.asked.event, Outcome::Refused(error.code), waited);
            let outbox = Outbox::new(SocketRef::from(socket), self.end.clone());
            outbox.refuse_at_once(&refused.asked, &refused.ack, error);
        }
    }
}

/// A message is `[name, payload, …]`.
fn read(message: &handler::Value, ack: Ack) -> Incoming {
    let text = message.as_str().map_or("", |text| text.as_str());
    let mut parts = serde_json::from_str::<Vec<Value>>(text).unwrap_or_default().into_iter();
    let name = parts.next().and_then(|name| name.as_str().map(String::from)).unwrap_or_default();
    let payload = parts.next().unwrap_or(Value::Null);
    let (event, request_id) = match ClientRequest::parse(&name, &payload) {
        Ok(ClientRequest { request_id, event }) => (Ok(event), request_id),
        Err((error, request_id)) => {
            (Err(ErrorBody::new(ErrorCode::InvalidPayload, error.to_string())), request_id)
        }
    };
    let asked = Asked { event: name.chars().take(EVENT_NAME_CHARS_MAX).collect(), request_id };
    Incoming { asked, event, ack, arrived_at: Instant::now() }
}
