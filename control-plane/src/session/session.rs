//! The session itself: whose it is, what it may do, and what a node's word changes of it. Nobody else
//! writes to its socket while it runs.

use super::capabilities::ReceiverCapabilities;
use super::outbox::Outbox;
use super::ownership::Owned;
use super::rejoin::rejoin_after;
use super::ringing::Ringing;
use super::room_event::room_event;
use super::seat::Seat;
use super::traced::Traced;
use super::watched::WatchedChannels;
use crate::auth::Identity;
use crate::clock::unix_millis;
use crate::ending::{EndReason, EndSignal};
use crate::media_client::{Delivery, NodeLink, Route};
use crate::networks::Origin;
use crate::policy::call_quality::{Identity as OfTimeline, What};
use crate::policy::entitlement;
use crate::refusal::Refusal;
use crate::registry::SessionGuard;
use crate::resume_token::ResumeToken;
use crate::services::Services;
use crate::timelines::SeatTimeline;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::ids::{ConsumerId, DeviceId, ProducerId, SessionId, TransportId};
use railgun_protocol::media_rpc::{Event, Grant, LeaveReason, Reply};
use railgun_protocol::plan::Permissions;
use railgun_protocol::signal::{ChannelPerson, NetworkType, Participant, RejoinReason, ServerEvent};
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, watch};

/// What the node says and the session has not yet looked at. It only falls behind while the runtime
/// is overloaded.
const DELIVERIES_MAX: usize = 1024;

/// A socket that may stay.
pub(crate) struct Admitted {
    pub(crate) identity: Identity,
    pub(crate) device: Option<DeviceId>,
    pub(crate) origin: Origin,
    /// The session it wants to take up. None inside: what it showed is no token.
    pub(crate) resume: Option<Option<ResumeToken>>,
    pub(crate) registered: SessionGuard,
}

pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(crate) identity: Identity,
    pub(crate) device: Option<DeviceId>,
    /// By its address.
    origin: Origin,
    pub(crate) services: Arc<Services>,
    pub(crate) seat: Option<Seat>,
    /// The timeline of the seat that is being left, until the node said so.
    pub(crate) left: Option<Box<SeatTimeline>>,
    /// The session was told to join again, so its next join is not counted.
    pub(crate) may_rejoin: bool,
    /// The session asked for its permissions itself, and the reply tells them.
    pub(crate) is_refreshing: bool,
    pub(crate) capabilities: ReceiverCapabilities,
    pub(crate) watched: WatchedChannels,
    pub(crate) traced: Traced,
    pub(crate) ringing: Ringing,
    _registered: SessionGuard,
    pub(crate) route: Route,
    pub(crate) deliveries: mpsc::Receiver<Box<Delivery>>,
    pub(super) last_ticket: u64,
    pub(crate) outbox: Outbox,
    pub(crate) records_changed: watch::Receiver<u64>,
    ended: watch::Receiver<Option<EndReason>>,
    pub(crate) stopping: watch::Receiver<bool>,
    /// The session's node is back, and its seat has to be taken up again there.
    pub(crate) node_is_back: bool,
}

impl Session {
    /// `ending` is said when the socket is gone or has to go.
    pub(crate) fn new(
        admitted: Admitted,
        services: Arc<Services>,
        outbox: Outbox,
        ending: EndSignal,
    ) -> Self {
        let Admitted { identity, device, origin, registered, .. } = admitted;
        let id = registered.id();
        let (to, deliveries) = mpsc::channel(DELIVERIES_MAX);
        let ended = ending.subscribe();
        let stopping = services.registry.stopping();
        let records_changed = services.records.changes();
        let ringing = Ringing::new(services.rings.listen(&identity.user));
        Self {
            id,
            identity,
            device,
            origin,
            services,
            seat: None,
            left: None,
            may_rejoin: false,
            is_refreshing: false,
            capabilities: ReceiverCapabilities::default(),
            watched: WatchedChannels::default(),
            traced: Traced::default(),
            ringing,
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

    pub(crate) fn end(&self) -> (watch::Receiver<Option<EndReason>>, watch::Receiver<bool>) {
        (self.ended.clone(), self.stopping.clone())
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

    /// What the session may send now.
    pub(crate) fn permissions(&self) -> Permissions {
        self.grant().permissions
    }

    /// The timeline of a seat that was just taken, or taken up; none: nothing is kept.
    pub(crate) fn timeline(
        &self,
        channel: &ChannelId,
        node: &NodeLink,
        network: Option<NetworkType>,
        is_new: bool,
    ) -> Option<Box<SeatTimeline>> {
        let who = OfTimeline {
            participant: self.id.to_string(),
            user: Some(self.identity.user.to_string()),
            node: node.state().map(|state| state.node_id).unwrap_or_default(),
            region: self.services.metrics.calls.region(self.region()),
            network: network.map(Into::into),
        };
        self.services.timelines.of_seat(channel, who, is_new)
    }

    /// Puts on record what became of the media, and asks the node how it goes, as each is due.
    pub(crate) async fn look_at_media(&mut self) {
        let Some(seat) = &mut self.seat else { return };
        if let Some(call) = &mut seat.call {
            call.settle();
        }
        if seat.timeline.as_mut().is_some_and(|timeline| timeline.is_due()) {
            self.look_at_media_at_once().await;
        }
    }

    /// Asks the node how the media goes, if a timeline is kept.
    pub(crate) async fn look_at_media_at_once(&mut self) {
        if self.seat.as_ref().is_none_or(|seat| seat.is_silent || seat.timeline.is_none()) {
            return;
        }
        let ticket = self.ask_for_stats().await;
        if let (Some(ticket), Some(timeline)) = (ticket, self.timeline_of_seat()) {
            timeline.asked(ticket);
        }
    }

    /// Of the seat, or of the one that is being left.
    fn timeline_of_seat(&mut self) -> Option<&mut SeatTimeline> {
        let of_seat = self.seat.as_mut().and_then(|seat| seat.timeline.as_deref_mut());
        of_seat.or(self.left.as_deref_mut())
    }

    /// The token of a seat, as the client gets it.
    pub(crate) fn token_text(&self, seat: &Seat) -> Option<String> {
        let token = seat.token.as_ref()?;
        let place = seat.node.place(&seat.address);
        Some(self.services.place_seal.text(token, &self.identity.user, place.as_ref()))
    }

    /// The seat, or the refusal of everything that needs one.
    pub(crate) fn seated(&self) -> Result<&Seat, Refusal> {
        self.seat.as_ref().ok_or(Refusal::NotJoined)
    }

    pub(crate) fn own_transport(&self, id: TransportId) -> Result<Owned<TransportId>, Refusal> {
        self.seated()?.owned.own(id)
    }

    pub(crate) fn own_producer(&self, id: ProducerId) -> Result<Owned<ProducerId>, Refusal> {
        self.seated()?.owned.own(id)
    }

    pub(crate) fn own_consumer(&self, id: ConsumerId) -> Result<Owned<ConsumerId>, Refusal> {
        self.seated()?.owned.own(id)
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
        if let Some(mut seat) = self.seat.take() {
            seat.ends_by(What::NodeLost);
        }
        self.may_rejoin = true;
        let retry_after_ms = rejoin_after(people);
        let rejoin = ServerEvent::Rejoin { reason: RejoinReason::NodeLost, retry_after_ms };
        self.outbox.tell(&rejoin).await;
    }

    /// The seat is given up, so that the client joins the channel as it is encrypted now.
    pub(crate) async fn leave_for_encryption(&mut self) {
        let Some(mut seat) = self.seat.take() else { return };
        seat.ends_by(What::EncryptionChanged);
        self.abandon(&seat.node, seat.address, LeaveReason::Left).await;
        self.may_rejoin = true;
        let reason = RejoinReason::EncryptionChanged;
        self.outbox.tell(&ServerEvent::Rejoin { reason, retry_after_ms: rejoin_after(1) }).await;
    }

    pub(crate) async fn deliver(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Event(event) => {
                self.note(&event.event).await;
                let mut event = event;
                if let Event::ParticipantJoined(participant) = &mut event.event
                    && self.identity.privacy_mode
                {
                    participant.avatar = None;
                }
                let is_reply = self.is_refreshing && matches!(event.event, Event::Permissions { .. });
                let people = self.services.registry.count();
                if let Some(event) = room_event(event, people, SystemTime::now())
                    && !is_reply
                {
                    self.outbox.tell(&event).await;
                }
            }
            Delivery::NodeSilent => {
                if let Some(seat) = &mut self.seat {
                    seat.is_silent = true;
                    seat.happened(What::NodeSilent);
                }
            }
            Delivery::Reply { ticket, reply: Ok(Reply::Stats(stats)) } => {
                if let Some(timeline) = self.timeline_of_seat().filter(|timeline| timeline.takes(ticket)) {
                    timeline.sampled(&stats);
                }
            }
            // Nobody waits for this reply any more: the client was told that the node made no producer, and cannot send the
            // source again while there is one.
            Delivery::Reply { reply: Ok(Reply::Produced { producer, .. }), .. } => {
                self.take_back(producer).await;
            }
            Delivery::NodeBack => {
                self.node_is_back = true;
                if let Some(seat) = &mut self.seat {
                    seat.happened(What::NodeBack);
                }
            }
            Delivery::NodeLost { people } => {
                if self.seat.is_some() {
                    self.tell_to_rejoin(people).await;
                }
            }
            Delivery::Reply { .. } => tracing::debug!("a reply came after its time"),
        }
    }

    /// Who may join nothing for a time sees nobody either.
    pub(crate) async fn watch_nothing(&mut self) {
        for channel in self.watched.names() {
            self.watched.remove(&channel);
            self.tell(&ServerEvent::ChannelUnwatched { channel_id: channel }).await;
        }
    }

    /// The picture that others are told of: the operator's, or else the token's. None in privacy mode, and none of
    /// a host that is not listed.
    pub(crate) fn own_avatar(&self) -> Option<String> {
        let Identity { user, avatar, privacy_mode, .. } = &self.identity;
        if *privacy_mode {
            return None;
        }
        let records = self.services.records.view();
        let url = records.avatar(user).map_or(avatar.as_deref(), |record| record.url.as_deref());
        url.and_then(|url| self.services.avatars.shown(url))
    }

    /// In privacy mode without pictures: whoever loads one tells its host an address.
    pub(crate) fn as_shown(&self, mut participants: Vec<Participant>) -> Vec<Participant> {
        if self.identity.privacy_mode {
            participants.iter_mut().for_each(|participant| participant.avatar = None);
        }
        participants
    }

    /// The same of who is in a channel.
    pub(crate) fn people_as_shown(&self, people: &[ChannelPerson]) -> Vec<ChannelPerson> {
        let mut people = people.to_vec();
        if self.identity.privacy_mode {
            people.iter_mut().for_each(|person| person.avatar = None);
        }
        people
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
                    Box::pin(self.watch_nothing()).await;
                }
            }
            Event::RoomClosed => self.seat = None,
            Event::Rejoin { .. } => {
                self.seat = None;
                self.may_rejoin = true;
            }
            Event::Superseded => {
                self.seat = None;
                self.route.ending.set(EndReason::Superseded);
            }
            _ => {}
        }
    }
}
