//! A session's task: takes its requests one at a time, and hands on what the node says in the
//! node's order. Nobody else writes to its socket while it runs.

use super::{Ack, Asked, Outbox, Owned, Possessions, Registered};
use crate::auth::Identity;
use crate::control::Services;
use crate::gateway;
use crate::media_client::{Delivery, NodeCall, NodeLink, Route, unavailable};
use crate::metrics::Outcome;
use crate::policy::entitlement;
use railgun_shared::ids::{ConsumerId, DeviceId, ProducerId, SessionId, TransportId};
use railgun_shared::media_rpc::{Address, Command, Event, LeaveReason, Reply};
use railgun_shared::plan::Permissions;
use railgun_shared::signal::{ClientEvent, ErrorBody, ErrorCode, RejoinReason, ServerEvent};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// What the node says and the session has not yet looked at. It only falls behind while the runtime
/// is overloaded.
const DELIVERIES_MAX: usize = 1024;
/// How long a node may take to answer one command.
const REPLY_TIMEOUT: Duration = Duration::from_secs(8);
/// The same for the last leave of a socket that is gone.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);
/// Everybody whose node was lost comes back within this, spread evenly.
pub(crate) const REJOIN_SPREAD_MS: u64 = 1500;

/// A request as it left the socket.
pub(crate) struct Incoming {
    pub(crate) asked: Asked,
    pub(crate) event: Result<ClientEvent, ErrorBody>,
    pub(crate) ack: Ack,
    pub(crate) arrived_at: Instant,
}

/// A place in a room.
pub(crate) struct Seat {
    pub(crate) node: NodeLink,
    pub(crate) address: Address,
    pub(crate) possessions: Possessions,
}

pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) identity: Identity,
    pub(crate) device: Option<DeviceId>,
    pub(crate) services: Arc<Services>,
    pub(crate) seat: Option<Seat>,
    outbox: Outbox,
    route: Route,
    deliveries: mpsc::Receiver<Delivery>,
    ended: watch::Receiver<bool>,
    stopping: watch::Receiver<bool>,
    last_ticket: u64,
    _registered: Registered,
}

impl Session {
    /// `end` is set when the socket is gone or has to go.
    pub(crate) fn new(
        identity: Identity,
        device: Option<DeviceId>,
        services: Arc<Services>,
        registered: Registered,
        outbox: Outbox,
        end: watch::Sender<bool>,
    ) -> Self {
        let id = SessionId::from_bits(rand::random());
        let (to, deliveries) = mpsc::channel(DELIVERIES_MAX);
        let ended = end.subscribe();
        let stopping = services.registry.stopping();
        Self {
            id,
            identity,
            device,
            services,
            seat: None,
            outbox,
            route: Route { session: id, to, end },
            deliveries,
            ended,
            stopping,
            last_ticket: 0,
            _registered: registered,
        }
    }

    /// Until the socket is gone, or does not keep up.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Incoming>) {
        loop {
            tokio::select! {
                biased;
                () = over(&mut self.ended, &mut self.stopping) => break,
                Some(delivery) = self.deliveries.recv() => self.hand_on(delivery).await,
                request = requests.recv() => match request {
                    Some(request) => self.answer(request).await,
                    None => break,
                },
            }
        }
        drop(requests);
        self.say_goodbye().await;
        // A socket that is told to go does not come back by itself, and one whose server stops
        // should: that one just loses its connection.
        if !*self.stopping.borrow() {
            self.outbox.close().await;
        }
    }

    async fn answer(&mut self, request: Incoming) {
        let Incoming { asked, event, ack, arrived_at } = request;
        let result = match event {
            Ok(event) => gateway::handle(self, event).await,
            Err(error) => Err(error),
        };
        self.services.metrics.answered(&asked.event, Outcome::of(&result), arrived_at.elapsed());
        self.outbox.answer(&asked, &ack, result).await;
    }

    /// What this session may send now.
    pub(crate) fn permissions(&self) -> Permissions {
        entitlement::grant(&self.identity, SystemTime::now()).permissions
    }

    /// The seat, or the refusal of everything that needs one.
    pub(crate) fn seated(&self) -> Result<&Seat, ErrorBody> {
        self.seat.as_ref().ok_or_else(|| ErrorBody::new(ErrorCode::InvalidState, "join a channel first"))
    }

    pub(crate) fn own_transport(&self, id: TransportId) -> Result<Owned<TransportId>, ErrorBody> {
        self.seated()?.possessions.own(id)
    }

    pub(crate) fn own_producer(&self, id: ProducerId) -> Result<Owned<ProducerId>, ErrorBody> {
        self.seated()?.possessions.own(id)
    }

    pub(crate) fn own_consumer(&self, id: ConsumerId) -> Result<Owned<ConsumerId>, ErrorBody> {
        self.seated()?.possessions.own(id)
    }

    /// Asks the room this session sits in.
    pub(crate) async fn ask(&mut self, command: Command) -> Result<Reply, ErrorBody> {
        let seat = self.seated()?;
        let (node, address) = (seat.node.clone(), seat.address.clone());
        let reply = self.call(&node, address, command).await?;
        if let Some(seat) = &mut self.seat {
            seat.possessions.note(&reply);
        }
        Ok(reply)
    }

    /// Sends a command and waits for its reply, handing on the room events that come before it.
    pub(crate) async fn call(
        &mut self,
        node: &NodeLink,
        address: Address,
        command: Command,
    ) -> Result<Reply, ErrorBody> {
        let deadline = Instant::now() + REPLY_TIMEOUT;
        let ticket = self.send(node, address, command, deadline).await?;
        loop {
            let delivery = tokio::select! {
                delivery = timeout_at(deadline, self.deliveries.recv()) => delivery,
                () = over(&mut self.ended, &mut self.stopping) => {
                    return Err(ErrorBody::new(ErrorCode::Internal, "the session ended"));
                }
            };
            match delivery {
                Ok(Some(Delivery::Reply { ticket: of, reply })) if of == ticket => return reply,
                Ok(Some(other)) => self.hand_on(other).await,
                Ok(None) | Err(_) => {
                    tracing::warn!("a media node did not reply in time");
                    return Err(unavailable());
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
    ) -> Result<u64, ErrorBody> {
        self.last_ticket += 1;
        let call = NodeCall { address, command, route: self.route.clone(), ticket: self.last_ticket };
        timeout_at(deadline, node.call(call)).await.map_err(|_| unavailable())??;
        Ok(self.last_ticket)
    }

    /// Leaves a room without waiting to hear of it.
    pub(crate) async fn abandon(&mut self, node: &NodeLink, address: Address, reason: LeaveReason) {
        let leave = Command::Leave { session: self.id, reason, attachment: None };
        let deadline = Instant::now() + GOODBYE_TIMEOUT;
        if self.send(node, address, leave, deadline).await.is_err() {
            tracing::warn!("a leave could not be sent");
        }
    }

    async fn hand_on(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Event(room_event) => {
                self.note(&room_event.event);
                if let Some(event) = gateway::room_event(room_event, SystemTime::now()) {
                    self.outbox.tell(&event).await;
                }
            }
            Delivery::NodeLost => {
                self.seat = None;
                let retry_after_ms = rand::random_range(0..=REJOIN_SPREAD_MS);
                let rejoin = ServerEvent::Rejoin { reason: RejoinReason::NodeLost, retry_after_ms };
                self.outbox.tell(&rejoin).await;
            }
            Delivery::Reply { .. } => tracing::debug!("a reply came after its time"),
        }
    }

    /// What a room event takes from this session.
    fn note(&mut self, event: &Event) {
        let Some(seat) = &mut self.seat else { return };
        match event {
            Event::ProducerClosed { producer, .. } => seat.possessions.producer_closed(*producer),
            Event::ConsumerClosed { consumer, .. } => seat.possessions.consumer_closed(*consumer),
            Event::Kicked { .. } | Event::RoomClosed => self.seat = None,
            _ => {}
        }
    }

    /// Leaves the room, and waits a little for the node to say so.
    async fn say_goodbye(&mut self) {
        let Some(Seat { node, address, .. }) = self.seat.take() else { return };
        self.abandon(&node, address, LeaveReason::Left).await;
        let ticket = self.last_ticket;
        let replied = async {
            while let Some(delivery) = self.deliveries.recv().await {
                if matches!(delivery, Delivery::Reply { ticket: of, .. } if of == ticket) {
                    return;
                }
            }
        };
        if tokio::time::timeout(GOODBYE_TIMEOUT, replied).await.is_err() {
            tracing::warn!("a node did not confirm a leave in time");
        }
    }
}

/// Returns when the session has to end. An error means that nobody is left who could say so, which
/// is the end as well.
async fn over(ended: &mut watch::Receiver<bool>, stopping: &mut watch::Receiver<bool>) {
    tokio::select! {
        _ = ended.wait_for(|ended| *ended) => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}
