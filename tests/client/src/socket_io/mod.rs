//! A small socket.io client over websocket or HTTP long-polling: events in order, acks, heartbeat,
//! reasons of an end.

mod carrier;
mod connection;
mod packet;
mod polling;
mod shared;

pub use shared::Event;

use crate::ending::{DisconnectReason, Ending};
use crate::error::ClientError;
use serde_json::Value;
use shared::{Outgoing, Shared};
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::Message;

/// Frames that wait for the socket to take them.
const OUTGOING_MAX: usize = 64;
/// Events a slow reader of [`EventStream`] may fall behind before it is told that it lost some.
const EVENTS_MAX: usize = 512;
/// Requests without an answer yet.
const WAITING_MAX: usize = 256;

/// One connected socket. Dropping it disconnects.
#[derive(Debug)]
pub(crate) struct SocketIo {
    outgoing: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
    ended: watch::Receiver<Option<DisconnectReason>>,
    task: AbortHandle,
}

impl SocketIo {
    /// Connects to `url` (`http://host:port`) with the given `auth` object, over HTTP long-polling if
    /// `polling` is set. Gives its events as well, from the first on, for two readers.
    pub(crate) async fn connect(
        url: &str,
        auth: &Value,
        polling: bool,
    ) -> Result<(Self, EventStream, EventStream), ClientError> {
        let opened = connection::open(url, auth, polling).await?;
        let (outgoing, outgoing_queue) = mpsc::channel(OUTGOING_MAX);
        let (events, receiver) = broadcast::channel(EVENTS_MAX);
        let streams = [receiver, events.subscribe()].map(|receiver| EventStream { receiver });
        let (ended_sender, ended) = watch::channel(None);
        let shared = Arc::new(Shared::new(events));
        let task = tokio::spawn({
            let shared = shared.clone();
            async move {
                let reason = connection::run(opened, outgoing_queue, &shared).await;
                ended_sender.send_replace(Some(reason));
                shared.on_end();
            }
        })
        .abort_handle();
        let [first, second] = streams;
        Ok((Self { outgoing, shared, ended, task }, first, second))
    }

    pub(crate) async fn emit(&self, name: &str, payload: &Value) -> Result<(), ClientError> {
        self.send_text(packet::event(name, payload, None)).await
    }

    /// Sends an event with a callback and waits for the ack.
    pub(crate) async fn emit_with_ack(&self, name: &str, payload: &Value) -> Result<Value, ClientError> {
        let (waiter, answer) = oneshot::channel();
        let id = {
            let mut waiting = self.shared.waiting();
            if waiting.acks.len() >= WAITING_MAX {
                return Err(ClientError::Protocol("too many requests without an ack".into()));
            }
            let id = waiting.next_ack;
            waiting.next_ack = id.wrapping_add(1);
            waiting.acks.insert(id, waiter);
            id
        };
        self.send_text(packet::event(name, payload, Some(id))).await?;
        answer.await.map_err(|_| self.lost())
    }

    /// Sends an event without a callback; the answer is the event that carries `request_id`.
    pub(crate) async fn emit_with_reply(
        &self,
        name: &str,
        payload: &Value,
        request_id: &str,
    ) -> Result<Event, ClientError> {
        let (waiter, answer) = oneshot::channel();
        {
            let mut waiting = self.shared.waiting();
            if waiting.replies.len() >= WAITING_MAX {
                return Err(ClientError::Protocol("too many requests without a reply".into()));
            }
            waiting.replies.insert(request_id.to_owned(), waiter);
        }
        self.emit(name, payload).await?;
        answer.await.map_err(|_| self.lost())
    }

    pub(crate) async fn send_text(&self, text: String) -> Result<(), ClientError> {
        self.enqueue(Outgoing::Frame(Message::text(text))).await
    }

    pub(crate) async fn send_binary(&self, bytes: Vec<u8>) -> Result<(), ClientError> {
        self.enqueue(Outgoing::Frame(Message::binary(bytes))).await
    }

    pub(crate) fn events(&self) -> EventStream {
        let receiver = match &*self.shared.events() {
            Some(events) => events.subscribe(),
            None => broadcast::channel(1).1,
        };
        EventStream { receiver }
    }

    /// Ends the socket and waits until it is closed.
    pub(crate) async fn end(&self, ending: Ending) -> DisconnectReason {
        // A full or closed queue means that the socket is ending already.
        _ = self.outgoing.send(Outgoing::End(ending)).await;
        self.ended().await
    }

    /// Drops the TCP connection without a word.
    pub(crate) fn vanish(&self) {
        self.task.abort();
        self.shared.on_end();
    }

    pub(crate) async fn ended(&self) -> DisconnectReason {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(reason) => reason.unwrap_or(DisconnectReason::TransportClose),
            Err(_) => DisconnectReason::TransportClose,
        }
    }

    async fn enqueue(&self, outgoing: Outgoing) -> Result<(), ClientError> {
        self.outgoing.send(outgoing).await.map_err(|_| self.lost())
    }

    fn lost(&self) -> ClientError {
        ClientError::Disconnected(self.ended.borrow().unwrap_or(DisconnectReason::TransportClose))
    }
}

/// The events of one socket from the moment of subscribing, in the server's order.
#[derive(Debug)]
pub struct EventStream {
    receiver: broadcast::Receiver<Event>,
}

impl EventStream {
    /// The next event; `None` when the socket has ended and all events were read.
    ///
    /// # Errors
    /// [`ClientError::Protocol`] if this reader was too slow and events were lost.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        match self.receiver.recv().await {
            Ok(event) => Ok(Some(event)),
            Err(broadcast::error::RecvError::Closed) => Ok(None),
            Err(broadcast::error::RecvError::Lagged(lost)) => {
                Err(ClientError::Protocol(format!("{lost} events lost to a slow reader")))
            }
        }
    }

    /// Skips to the next event of this name.
    pub async fn named(&mut self, name: &str) -> Result<Value, ClientError> {
        loop {
            match self.next().await? {
                Some(event) if event.name == name => return Ok(event.payload),
                Some(_) => {}
                None => return Err(ClientError::Disconnected(DisconnectReason::TransportClose)),
            }
        }
    }

    /// What has arrived and was not read yet.
    pub fn drain(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.receiver.try_recv().ok()).collect()
    }
}
