//! What the task that owns a connection and the handle to it exchange.

use crate::ending::Ending;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, oneshot};
use tokio_tungstenite::tungstenite::Message;

/// An event as the server sent it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    pub name: String,
    pub payload: Value,
}

/// For the connection to send, or to end with.
pub(super) enum Outgoing {
    Frame(Message),
    End(Ending),
}

/// What the task of a connection and its handle both reach.
#[derive(Debug)]
pub(super) struct Shared {
    waiting: Mutex<Waiting>,
    /// None once the socket has ended, so that readers learn of it.
    events: Mutex<Option<broadcast::Sender<Event>>>,
}

/// Requests without an answer yet.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) next_ack: u64,
    pub(super) acks: HashMap<u64, oneshot::Sender<Value>>,
    pub(super) replies: HashMap<String, oneshot::Sender<Event>>,
}

impl Shared {
    pub(super) fn new(events: broadcast::Sender<Event>) -> Self {
        Self { waiting: Mutex::default(), events: Mutex::new(Some(events)) }
    }

    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn events(&self) -> MutexGuard<'_, Option<broadcast::Sender<Event>>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn on_event(&self, event: Event) {
        if let Some(id) = event.payload.get("requestId").and_then(Value::as_str)
            && let Some(waiter) = self.waiting().replies.remove(id)
        {
            _ = waiter.send(event.clone());
        }
        if let Some(events) = &*self.events() {
            // Without a subscriber there is nobody to tell.
            _ = events.send(event);
        }
    }

    pub(super) fn on_ack(&self, id: u64, payload: Value) {
        if let Some(waiter) = self.waiting().acks.remove(&id) {
            _ = waiter.send(payload);
        }
    }

    /// Requests still waiting and readers of events learn that nothing more will come.
    pub(super) fn on_end(&self) {
        let mut waiting = self.waiting();
        waiting.acks.clear();
        waiting.replies.clear();
        self.events().take();
    }
}
