//! A session's task: takes its requests one at a time, and hands on what the node says in the
//! node's order. Nobody else writes to its socket while it runs.

use super::seat::Seat;
use super::{Ack, Asked, End, Ending, Outbox, Owned, ReceiverCapabilities, Registered, ResumeToken};
use crate::auth::Identity;
use crate::clock::unix_millis;
use crate::control::Services;
use crate::gateway;
use crate::gateway::engine_io::EngineSocket;
use crate::media_client::{Delivery, Route};
use crate::metrics::Outcome;
use crate::networks::Origin;
use crate::policy::{entitlement, rejoin_spread};
use railgun_shared::ids::{ConsumerId, DeviceId, ProducerId, SessionId, TransportId};
use railgun_shared::media_rpc::{Command, Event, Grant};
use railgun_shared::plan::Permissions;
use railgun_shared::signal::{ClientEvent, ErrorBody, ErrorCode, NetworkType, RejoinReason, ServerEvent};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// What the node says and the session has not yet looked at. It only falls behind while the runtime
/// is overloaded.
const DELIVERIES_MAX: usize = 1024;

/// A request as it left the socket.
pub(crate) struct Incoming {
    pub(crate) asked: Asked,
    pub(crate) event: Result<ClientEvent, ErrorBody>,
    pub(crate) ack: Ack,
    pub(crate) arrived_at: Instant,
}

/// A socket that may stay.
pub(crate) struct Admitted {
    pub(crate) identity: Identity,
    pub(crate) device: Option<DeviceId>,
    pub(crate) origin: Origin,
    /// The session it wants to take up. None inside: what it showed is no token.
    pub(crate) resume: Option<Option<ResumeToken>>,
    pub(crate) registered: Registered,
}

pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) identity: Identity,
    pub(crate) device: Option<DeviceId>,
    /// By its address.
    origin: Origin,
    pub(crate) services: Arc<Services>,
    pub(crate) seat: Option<Seat>,
    /// It was told to join again, so its next join is not counted.
    pub(crate) may_rejoin: bool,
    /// It asked for its permissions itself, and the reply tells them.
    pub(crate) is_refreshing: bool,
    pub(crate) capabilities: ReceiverCapabilities,
    _registered: Registered,
    pub(super) route: Route,
    pub(super) deliveries: mpsc::Receiver<Box<Delivery>>,
    pub(super) last_ticket: u64,
    outbox: Outbox,
    records_changed: watch::Receiver<u64>,
    ended: watch::Receiver<Option<End>>,
    stopping: watch::Receiver<bool>,
    node_is_back: bool,
}

/// What happens next.
enum Next {
    Over(End),
    Delivery(Box<Delivery>),
    Request(Box<Incoming>),
    RecordsChanged,
    MediaIsDue,
}

impl Session {
    /// `ending` is said when the socket is gone or has to go.
    pub(crate) fn new(admitted: Admitted, services: Arc<Services>, outbox: Outbox, ending: Ending) -> Self {
        let Admitted { identity, device, origin, registered, .. } = admitted;
        let id = registered.id();
        let (to, deliveries) = mpsc::channel(DELIVERIES_MAX);
        let ended = ending.subscribe();
        let stopping = services.registry.stopping();
        let records_changed = services.records.changes();
        Self {
            id,
            identity,
            device,
            origin,
            services,
            seat: None,
            may_rejoin: false,
            is_refreshing: false,
            capabilities: ReceiverCapabilities::default(),
            _registered: registered,
            route: Route { session: id, to, ending },
            deliveries,
            last_ticket: 0,
            outbox,
            records_changed,
            ended,
            stopping,
            node_is_back: false,
        }
    }

    /// Until the socket is gone, or does not keep up. What is seldom or large has a future of its own,
    /// so that a socket that only waits takes little memory.
    pub(crate) async fn run(
        mut self,
        resume: Option<Option<ResumeToken>>,
        mut requests: mpsc::Receiver<Box<Incoming>>,
        engine: EngineSocket,
    ) {
        if let Some(shown) = resume {
            let resumed = Box::pin(gateway::resume(&mut self, shown)).await;
            self.services.metrics.resumed(gateway::NotResumed::outcome(&resumed));
            match resumed {
                Ok(resumed) => self.outbox.tell(&resumed).await,
                Err(gateway::NotResumed::Over(error)) => self.outbox.refuse_to_resume(error).await,
                Err(gateway::NotResumed::Unreachable) => self.route.ending.say(End::Elsewhere),
            }
        }
        let end = loop {
            if std::mem::take(&mut self.node_is_back) {
                Box::pin(gateway::reclaim(&mut self)).await;
            }
            match self.next(&mut requests).await {
                Next::Over(end) => break end,
                Next::Delivery(delivery) => self.hand_on(*delivery).await,
                Next::Request(request) => Box::pin(self.answer(*request)).await,
                Next::RecordsChanged => Box::pin(gateway::records_changed(&mut self)).await,
                Next::MediaIsDue => {
                    if let Some(call) = self.seat.as_mut().and_then(|seat| seat.call.as_mut()) {
                        call.settle();
                    }
                }
            }
        };
        drop(requests);
        Box::pin(self.say_goodbye(matches!(end, End::Lost | End::Elsewhere | End::Behind))).await;
        if end == End::Replaced {
            self.outbox.tell_at_last(&ServerEvent::Kicked { reason: "replaced".into(), until: None });
        }
        // A socket that is told to go does not come back by itself. One whose server stops should, and
        // one that another replica may serve, or that missed something: those just lose their connection.
        if matches!(end, End::Elsewhere | End::Behind) {
            // Without a DISCONNECT, after which a client never comes back.
            Box::pin(engine.close(end, false)).await;
        } else if !*self.stopping.borrow() {
            let is_told = self.outbox.close().await;
            // The place among the user's sessions is taken until the connection is gone.
            Box::pin(engine.close(end, is_told)).await;
        }
    }

    async fn next(&mut self, requests: &mut mpsc::Receiver<Box<Incoming>>) -> Next {
        let due = self.seat.as_ref().and_then(|seat| seat.call.as_ref()?.due());
        let mut end = self.end();
        tokio::select! {
            biased;
            end = over(&mut end) => Next::Over(end),
            Some(delivery) = self.deliveries.recv() => Next::Delivery(delivery),
            Ok(()) = self.records_changed.changed() => Next::RecordsChanged,
            () = sleep_until(due.unwrap_or_else(std::time::Instant::now).into()), if due.is_some() => {
                Next::MediaIsDue
            }
            request = requests.recv() => request.map_or(Next::Over(End::Left), Next::Request),
        }
    }

    pub(crate) fn end(&self) -> (watch::Receiver<Option<End>>, watch::Receiver<bool>) {
        (self.ended.clone(), self.stopping.clone())
    }

    async fn answer(&mut self, request: Incoming) {
        let Incoming { asked, event, ack, arrived_at } = request;
        if let Some(seat) = self.seat.as_mut().filter(|seat| seat.is_unconfirmed && !seat.is_silent) {
            seat.is_unconfirmed = false;
            // Refused or lost, it is said again by the next command.
            _ = self.ask(Command::ConfirmResume { session: self.id }).await;
        }
        let result = match event {
            Ok(event) => gateway::handle(self, event).await,
            Err(error) => Err(error),
        };
        self.services.metrics.answered(&asked.event, Outcome::of(&result), arrived_at.elapsed());
        self.outbox.answer(&asked, &ack, result).await;
    }

    /// What this session may do now. While records cannot be read, what its node has.
    pub(crate) fn grant(&self) -> Grant {
        if let Some(seat) = self.seat.as_ref().filter(|_| !self.services.records.is_complete()) {
            return seat.grant;
        }
        let view = self.services.records.view();
        let user = &self.identity.user;
        let is_revoked = view.is_revoked(user, self.identity.issued_at);
        entitlement::grant(&self.identity, view.entitlement(user), is_revoked, SystemTime::now())
    }

    /// Where its user is: by the token, or else by the operator's table of networks.
    pub(crate) fn region(&self) -> Option<&str> {
        self.identity.region.as_deref().or(self.origin.region.as_deref())
    }

    /// The kind of its network: as the client told it, or else by the operator's table.
    pub(crate) fn network(&self, told: Option<NetworkType>) -> Option<NetworkType> {
        told.filter(|told| *told != NetworkType::Unknown).or(self.origin.network)
    }

    /// What it may send now.
    pub(crate) fn permissions(&self) -> Permissions {
        self.grant().permissions
    }

    /// The token of a seat, as the client gets it.
    pub(crate) fn token_text(&self, seat: &Seat) -> Option<String> {
        let token = seat.token.as_ref()?;
        let place = seat.node.place(&seat.address);
        Some(self.services.place_seal.text(token, &self.identity.user, place.as_ref()))
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

    /// This socket speaks for that session from now on.
    pub(crate) fn become_session(&mut self, id: SessionId) {
        self.id = id;
        self.route.session = id;
    }

    pub(crate) async fn tell(&self, event: &ServerEvent) {
        self.outbox.tell(event).await;
    }

    /// The seat is gone through no fault of the client's.
    /// `people`: who has to join again at the same time.
    pub(crate) async fn tell_to_rejoin(&mut self, people: usize) {
        self.seat = None;
        self.may_rejoin = true;
        let retry_after_ms = rejoin_after(people);
        let rejoin = ServerEvent::Rejoin { reason: RejoinReason::NodeLost, retry_after_ms };
        self.outbox.tell(&rejoin).await;
    }

    pub(super) async fn hand_on(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Event(room_event) => {
                self.note(&room_event.event).await;
                let is_reply = self.is_refreshing && matches!(room_event.event, Event::Permissions { .. });
                let people = self.services.registry.count();
                if let Some(event) = gateway::room_event(room_event, people, SystemTime::now())
                    && !is_reply
                {
                    self.outbox.tell(&event).await;
                }
            }
            Delivery::NodeSilent => {
                if let Some(seat) = &mut self.seat {
                    seat.is_silent = true;
                }
            }
            Delivery::NodeBack => self.node_is_back = true,
            Delivery::NodeLost { people } => {
                if self.seat.is_some() {
                    self.tell_to_rejoin(people).await;
                }
            }
            Delivery::Reply { .. } => tracing::debug!("a reply came after its time"),
        }
    }

    /// What a room event takes from this session.
    async fn note(&mut self, event: &Event) {
        let Some(seat) = &mut self.seat else { return };
        seat.note(event);
        match event {
            Event::Kicked { banned_for, .. } => {
                self.seat = None;
                if let Some(duration) = banned_for {
                    let now = SystemTime::now();
                    let until = unix_millis(now + *duration);
                    // Seldom, and large: it asks etcd.
                    Box::pin(self.services.joins.bar(&self.identity.user, until, unix_millis(now))).await;
                }
            }
            Event::RoomClosed => self.seat = None,
            Event::Rejoin { .. } => {
                self.seat = None;
                self.may_rejoin = true;
            }
            Event::Superseded => {
                self.seat = None;
                self.route.ending.say(End::Superseded);
            }
            _ => {}
        }
    }
}

/// How long one of so many waits before it joins again, in milliseconds.
pub(crate) fn rejoin_after(people: usize) -> u64 {
    let spread = u64::try_from(rejoin_spread::spread(people).as_millis()).unwrap_or(u64::MAX);
    rand::random_range(0..=spread)
}

/// Returns when the session has to end, and why. An error means that nobody is left who could say
/// so, which is the end as well. A replica that stops gives its sessions to another.
pub(crate) async fn over(
    (ended, stopping): &mut (watch::Receiver<Option<End>>, watch::Receiver<bool>),
) -> End {
    tokio::select! {
        biased;
        ended = ended.wait_for(Option::is_some) => ended.ok().and_then(|end| *end).unwrap_or(End::Left),
        _ = stopping.wait_for(|stopping| *stopping) => End::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Run<F> = fn(Session, Option<Option<ResumeToken>>, mpsc::Receiver<Box<Incoming>>, EngineSocket) -> F;

    fn size_of_future<F: Future>(_: Run<F>) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_session_that_waits_is_a_few_kilobytes() {
        assert!(size_of_future(Session::run) < 6 * 1024);
        // A channel begins with room for 32.
        assert!(size_of::<Box<Incoming>>() + size_of::<Box<Delivery>>() <= 16);
    }
}
