//! Requests as they come off a socket, put into its session's queue in the order they came.
//!
//! This is a handler of its own type because socketioxide runs ordinary ones concurrently, one task
//! for each message, and a request could overtake another.

use super::actor::Incoming;
use crate::ending::{EndReason, EndSignal};
use crate::metrics::Outcome;
use crate::policy::event_budget::BudgetDecision;
use crate::refusal::Refusal;
use crate::services::Services;
use crate::session::{Ack, Budget, Outbox, RequestMeta};
use railgun_protocol::limits;
use railgun_protocol::signal::ClientRequest;
use serde_json::Value;
use socketioxide::adapter::LocalAdapter;
use socketioxide::extract::SocketRef;
use socketioxide::handler::{self, MessageHandler};
use socketioxide::socket::Socket;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Longest name of an event that is repeated in a refusal.
const EVENT_NAME_CHARS_MAX: usize = 64;

pub(super) struct Intake {
    /// Boxed, since a channel keeps room for dozens, and most sockets ask for nothing.
    requests: mpsc::Sender<Box<Incoming>>,
    ending: EndSignal,
    services: Arc<Services>,
    budget: Budget,
}

/// The other side of an [`Intake`]'s queue.
pub(super) type Requests = mpsc::Receiver<Box<Incoming>>;

/// Tells this handler from those that are functions.
pub(super) struct InOrder;

impl Intake {
    pub(super) fn new(ending: EndSignal, services: Arc<Services>, budget: Budget) -> (Self, Requests) {
        let (requests, queue) = mpsc::channel(limits::REQUESTS_QUEUED_MAX);
        (Self { requests, ending, services, budget }, queue)
    }

    fn refuse(&self, socket: Arc<Socket<LocalAdapter>>, refused: &Incoming, error: Refusal) {
        let waited = refused.arrived_at.elapsed();
        self.services.metrics.answered(&refused.asked.event, Outcome::Refused(error.code()), waited);
        let outbox = Outbox::new(SocketRef::from(socket), self.ending.clone(), self.budget.clone());
        outbox.refuse_at_once(&refused.asked, &refused.ack, error);
    }
}

impl MessageHandler<LocalAdapter, InOrder> for Intake {
    fn call(&self, socket: Arc<Socket<LocalAdapter>>, message: handler::Value, ack_id: Option<i64>) {
        if self.ending.is_set() {
            return;
        }
        let text = message.as_str().map_or("", |text| text.as_str());
        let verdict = self.budget.spend(name_of(text));
        if verdict == BudgetDecision::Exhausted {
            tracing::info!("a socket that sends without end is disconnected");
            self.ending.set(EndReason::Left);
            return;
        }
        let incoming = read(text, Ack::new(socket.clone(), ack_id));
        if let BudgetDecision::Refused(wait) = verdict {
            let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            return self.refuse(socket, &incoming, Refusal::TooManyEvents { wait });
        }
        if let Err(mpsc::error::TrySendError::Full(refused)) = self.requests.try_send(Box::new(incoming)) {
            self.refuse(socket, &refused, Refusal::TooManyRequests);
        }
    }
}

/// The name in `["name", …` before anything is parsed; any other writing of it is none.
fn name_of(text: &str) -> &str {
    let name =
        text.trim_start().strip_prefix('[').map(str::trim_start).and_then(|rest| rest.strip_prefix('"'));
    name.and_then(|rest| rest.split_once('"')).map_or("", |(name, _)| name)
}

/// A message is `[name, payload, …]`.
fn read(text: &str, ack: Ack) -> Incoming {
    let mut parts = serde_json::from_str::<Vec<Value>>(text).unwrap_or_default().into_iter();
    let name = parts.next().and_then(|name| name.as_str().map(String::from)).unwrap_or_default();
    let payload = parts.next().unwrap_or(Value::Null);
    let (event, request_id) = match ClientRequest::parse(&name, &payload) {
        Ok(ClientRequest { request_id, event }) => (Ok(event), request_id),
        Err((error, request_id)) => (Err(Refusal::Unreadable(error)), request_id),
    };
    let asked = RequestMeta { event: name.chars().take(EVENT_NAME_CHARS_MAX).collect(), request_id };
    Incoming { asked, event, ack, arrived_at: Instant::now() }
}
