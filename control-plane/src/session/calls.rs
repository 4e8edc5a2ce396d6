//! How a session asks a node: one command at a time, while the room's events go on to its socket.

use super::seat::Seat;
use super::session::Session;
use crate::ending::over;
use crate::media_client::{Delivery, NodeCall, NodeLink, overloaded, unavailable};
use crate::policy::call_quality::What;
use crate::refusal::Refusal;
use railgun_protocol::ids::ProducerId;
use railgun_protocol::media_rpc::{Address, Command, LeaveReason, Reply};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// How long a node may take to answer one command.
const REPLY_TIMEOUT: Duration = Duration::from_secs(8);
/// How long the last command of a socket that is gone may take.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

impl Session {
    /// Asks the room this session sits in.
    pub(crate) async fn ask(&mut self, command: Command) -> Result<Reply, Refusal> {
        let seat = self.seated()?;
        if seat.is_silent {
            return Err(unavailable());
        }
        let (node, address) = (seat.node.clone(), seat.address.clone());
        let reply = self.call(&node, address, command).await?;
        if let Some(seat) = &mut self.seat {
            seat.owned.note(&reply);
        }
        Ok(reply)
    }

    /// Sends a command and waits for its reply, handing on the room events that come before it.
    pub(crate) async fn call(
        &mut self,
        node: &NodeLink,
        address: Address,
        command: Command,
    ) -> Result<Reply, Refusal> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        let ticket = self.send(node, address, command, deadline).await?;
        let mut end = self.end();
        tokio::select! {
            reply = self.reply(ticket, deadline) => reply,
            // Not fatal: who loses the socket with its replica takes the session up at another one.
            _ = over(&mut end) => Err(unavailable()),
        }
    }

    /// The same, to its end: also when the socket is gone meanwhile, which the reply decides about.
    pub(crate) async fn call_through(
        &mut self,
        node: &NodeLink,
        address: Address,
        command: Command,
    ) -> Result<Reply, Refusal> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        let ticket = self.send(node, address, command, deadline).await?;
        self.reply(ticket, deadline).await
    }

    async fn reply(&mut self, ticket: u64, deadline: Instant) -> Result<Reply, Refusal> {
        loop {
            match timeout_at(deadline, self.deliveries.recv()).await {
                Ok(Some(delivery)) => match *delivery {
                    Delivery::Reply { ticket: of, reply } if of == ticket => return reply,
                    other => self.deliver(other).await,
                },
                Ok(None) | Err(_) => {
                    tracing::warn!("a media node did not reply in time");
                    return Err(overloaded());
                }
            }
        }
    }

    async fn send(
        &mut self,
        node: &NodeLink,
        address: Address,
        command: Command,
        deadline: Instant,
    ) -> Result<u64, Refusal> {
        self.last_ticket += 1;
        let (route, ticket) = (self.route.clone(), self.last_ticket);
        let call = NodeCall { address, command, route, ticket, traceparent: self.traced.of_command() };
        timeout_at(deadline, node.call(call)).await.map_err(|_| overloaded())??;
        Ok(self.last_ticket)
    }

    /// Asks the node for this session's figures, without waiting for them; none: it could not be asked now.
    pub(crate) async fn ask_for_stats(&mut self) -> Option<u64> {
        let seat = self.seat.as_ref()?;
        let (node, address) = (seat.node.clone(), seat.address.clone());
        let command = Command::GetStats { session: self.id, transport: None };
        self.send(&node, address, command, Instant::now() + GOODBYE_TIMEOUT).await.ok()
    }

    /// Closes a producer of which its client does not know, without waiting to hear of it.
    pub(super) async fn take_back(&mut self, producer: ProducerId) {
        let Some(seat) = &self.seat else { return };
        let (node, address) = (seat.node.clone(), seat.address.clone());
        let close = Command::CloseProducer { session: self.id, producer };
        if self.send(&node, address, close, Instant::now() + GOODBYE_TIMEOUT).await.is_err() {
            tracing::warn!("a producer that nobody knows of could not be closed");
        }
    }

    /// Leaves a room without waiting to hear of it.
    pub(crate) async fn abandon(&mut self, node: &NodeLink, address: Address, reason: LeaveReason) {
        let leave = Command::Leave { session: self.id, reason, attachment: None };
        let deadline = Instant::now() + GOODBYE_TIMEOUT;
        if self.send(node, address, leave, deadline).await.is_err() {
            tracing::warn!("a leave could not be sent");
        }
    }

    /// Gives the seat back, or leaves it for another socket; and waits a little for the node to say
    /// that it heard.
    pub(crate) async fn say_goodbye(&mut self, is_lost: bool) {
        let Some(mut seat) = self.seat.take() else { return };
        if is_lost {
            seat.ends_by(What::SocketLost);
        }
        let Seat { node, address, attachment, token, .. } = seat;
        let session = self.id;
        let command = match (is_lost, token) {
            (true, Some(_)) => Command::Detach { session, attachment },
            (true, None) => {
                Command::Leave { session, reason: LeaveReason::Lost, attachment: Some(attachment) }
            }
            (false, _) => Command::Leave { session, reason: LeaveReason::Left, attachment: Some(attachment) },
        };
        let deadline = Instant::now() + GOODBYE_TIMEOUT;
        let confirmed = match self.send(&node, address, command, deadline).await {
            Ok(ticket) => self.confirmed(ticket, deadline).await,
            Err(_) => false,
        };
        if !confirmed {
            tracing::warn!("a node did not confirm the end of a session in time");
        }
    }

    async fn confirmed(&mut self, ticket: u64, deadline: Instant) -> bool {
        while let Ok(Some(delivery)) = timeout_at(deadline, self.deliveries.recv()).await {
            if matches!(*delivery, Delivery::Reply { ticket: of, .. } if of == ticket) {
                return true;
            }
        }
        false
    }
}
