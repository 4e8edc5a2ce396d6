//! Which of this replica's sessions are in which room, so that one event of the node reaches them.

use crate::ending::{EndReason, EndSignal};
use crate::refusal::Refusal;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::{Address, Audience, Event, Reply, RoomEvent};
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// What the node, or the loss of it, has for one session.
#[derive(Debug)]
pub(crate) enum Delivery {
    Reply {
        ticket: u64,
        reply: Result<Reply, Refusal>,
    },
    Event(RoomEvent),
    /// The control stream is gone; the room may well go on. One of the next two follows.
    NodeSilent,
    /// There is a new stream to the same run of the node, which has to hear of this session again.
    NodeBack,
    /// The room is gone, as are those of so many sessions of this replica.
    NodeLost {
        people: usize,
    },
}

/// The way to one session. A session that does not keep up is told to end, since one that missed
/// an event no longer knows its room.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) session: SessionId,
    /// Boxed, since a channel keeps room for dozens, and most sockets wait for nothing.
    pub(crate) to: mpsc::Sender<Box<Delivery>>,
    pub(crate) ending: EndSignal,
}

impl Route {
    /// Whether it is the way to the same socket.
    fn is(&self, other: &Self) -> bool {
        self.to.same_channel(&other.to)
    }

    pub(crate) fn deliver(&self, delivery: Delivery) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.to.try_send(Box::new(delivery)) {
            self.ending.set(EndReason::Behind);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct RoomTable {
    rooms: BTreeMap<ChannelId, Room>,
    /// Who hears of a channel's people without a session there: one for all of this replica.
    watchers: BTreeMap<ChannelId, Route>,
}

#[derive(Debug)]
struct Room {
    epoch: u64,
    routes: BTreeMap<SessionId, Route>,
}

impl RoomTable {
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn join(&mut self, address: &Address, route: Route) {
        let fresh = || Room { epoch: address.epoch, routes: BTreeMap::new() };
        let room = self.rooms.entry(address.channel.clone()).or_insert_with(fresh);
        room.epoch = address.epoch;
        room.routes.insert(route.session, route);
    }

    /// Takes this route out, and not one of a newer socket of the same session.
    pub(super) fn leave(&mut self, channel: &ChannelId, route: &Route) {
        let Some(room) = self.rooms.get(channel) else { return };
        if room.routes.get(&route.session).is_some_and(|present| present.is(route)) {
            self.remove(channel, route.session);
        }
    }

    fn remove(&mut self, channel: &ChannelId, session: SessionId) {
        if let Some(room) = self.rooms.get_mut(channel) {
            room.routes.remove(&session);
            if room.routes.is_empty() {
                self.rooms.remove(channel);
            }
        }
    }

    pub(super) fn watch(&mut self, channel: &ChannelId, route: Route) {
        self.watchers.insert(channel.clone(), route);
    }

    /// Takes this route out, and not a newer one.
    pub(super) fn unwatch(&mut self, channel: &ChannelId, route: &Route) {
        if self.watchers.get(channel).is_some_and(|present| present.is(route)) {
            self.watchers.remove(channel);
        }
    }

    pub(super) fn drain_watchers(&mut self) -> impl Iterator<Item = Route> + use<> {
        std::mem::take(&mut self.watchers).into_values()
    }

    /// Hands an event to whom it is for.
    pub(super) fn spread(&mut self, event: RoomEvent) {
        if event.is_about_people()
            && let Some(watcher) = self.watchers.get(&event.channel)
        {
            watcher.deliver(Delivery::Event(event.clone()));
        }
        let room = self.rooms.get_mut(&event.channel).filter(|room| room.epoch <= event.epoch);
        let Some(room) = room else { return };
        // A room that was bound anew goes on under a later epoch.
        room.epoch = event.epoch;
        match event.audience {
            Audience::Only(session) => {
                let is_out =
                    matches!(event.event, Event::Kicked { .. } | Event::Superseded | Event::Rejoin { .. });
                let channel = event.channel.clone();
                if let Some(route) = room.routes.get(&session) {
                    route.deliver(Delivery::Event(event));
                }
                if is_out {
                    self.remove(&channel, session);
                }
            }
            Audience::Everyone | Audience::Except(_) => {
                let skipped =
                    if let Audience::Except(session) = event.audience { Some(session) } else { None };
                for route in room.routes.values().filter(|route| Some(route.session) != skipped) {
                    route.deliver(Delivery::Event(event.clone()));
                }
                if matches!(event.event, Event::RoomClosed | Event::Rejoin { .. }) {
                    self.rooms.remove(&event.channel);
                }
            }
        }
    }

    /// Empties the table: everyone who was in a room.
    pub(super) fn drain(&mut self) -> Vec<Route> {
        let rooms = std::mem::take(&mut self.rooms);
        rooms.into_values().flat_map(|room| room.routes.into_values()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ids::UserId;
    use railgun_protocol::signal::KickReason;

    fn route(bits: u128, depth: usize) -> (Route, mpsc::Receiver<Box<Delivery>>) {
        let (to, from) = mpsc::channel(depth);
        (Route { session: SessionId::from_bits(bits), to, ending: EndSignal::new() }, from)
    }

    fn address(epoch: u64) -> Address {
        Address { channel: ChannelId::new("c").unwrap(), epoch }
    }

    fn event(epoch: u64, audience: Audience, event: Event) -> RoomEvent {
        RoomEvent { channel: address(epoch).channel, epoch, room_seq: 1, audience, event }
    }

    fn left() -> Event {
        Event::ParticipantLeft { user: UserId::new("u").unwrap(), session: SessionId::from_bits(9) }
    }

    fn count(from: &mut mpsc::Receiver<Box<Delivery>>) -> usize {
        std::iter::from_fn(|| from.try_recv().ok()).count()
    }

    #[test]
    fn an_event_reaches_its_audience_and_nobody_else() {
        let mut table = RoomTable::default();
        let (one, mut at_one) = route(1, 8);
        let (two, mut at_two) = route(2, 8);
        let (first, second) = (one.session, two.session);
        table.join(&address(1), one);
        table.join(&address(1), two);
        table.spread(event(1, Audience::Everyone, left()));
        assert_eq!((count(&mut at_one), count(&mut at_two)), (1, 1));
        table.spread(event(1, Audience::Except(first), left()));
        assert_eq!((count(&mut at_one), count(&mut at_two)), (0, 1));
        table.spread(event(1, Audience::Only(second), left()));
        assert_eq!((count(&mut at_one), count(&mut at_two)), (0, 1));
        table.spread(event(2, Audience::Everyone, left()));
        assert_eq!((count(&mut at_one), count(&mut at_two)), (1, 1));
        table.spread(event(1, Audience::Everyone, left()));
        assert_eq!((count(&mut at_one), count(&mut at_two)), (0, 0));
    }

    #[test]
    fn who_was_kicked_hears_nothing_more() {
        let mut table = RoomTable::default();
        let (one, mut at_one) = route(1, 8);
        table.join(&address(1), one.clone());
        table.spread(event(
            1,
            Audience::Only(one.session),
            Event::Kicked { reason: KickReason::Replaced, banned_for: None },
        ));
        table.spread(event(1, Audience::Everyone, left()));
        assert_eq!(count(&mut at_one), 1);
        assert!(table.drain().is_empty());
    }

    #[test]
    fn an_older_socket_of_a_session_takes_nothing_from_the_newer_one() {
        let mut table = RoomTable::default();
        let (older, mut at_older) = route(1, 8);
        let (newer, mut at_newer) = route(1, 8);
        table.join(&address(1), older.clone());
        table.spread(event(1, Audience::Only(older.session), Event::Superseded));
        table.join(&address(1), newer.clone());
        table.leave(&address(1).channel, &older);
        table.spread(event(1, Audience::Everyone, left()));
        assert_eq!((count(&mut at_older), count(&mut at_newer)), (1, 1));
        table.leave(&address(1).channel, &newer);
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn who_watches_a_channel_hears_of_its_people_alone() {
        let mut table = RoomTable::default();
        let (watcher, mut at_watcher) = route(0, 8);
        let (later, mut at_later) = route(0, 8);
        let channel = address(1).channel;
        table.watch(&channel, watcher.clone());
        table.spread(event(1, Audience::Everyone, left()));
        table.spread(event(1, Audience::Everyone, Event::ActiveSpeaker(None)));
        table.spread(event(1, Audience::Only(SessionId::from_bits(9)), Event::RoomClosed));
        assert_eq!(count(&mut at_watcher), 1);
        table.watch(&channel, later);
        table.unwatch(&channel, &watcher);
        table.spread(event(1, Audience::Everyone, Event::RoomClosed));
        assert_eq!((count(&mut at_watcher), count(&mut at_later)), (0, 1));
        assert_eq!((table.len(), table.drain_watchers().count()), (0, 1));
    }

    #[test]
    fn a_room_that_is_gone_is_forgotten() {
        let mut table = RoomTable::default();
        let (one, mut at_one) = route(1, 8);
        table.join(&address(1), one);
        let reason = railgun_protocol::signal::RejoinReason::WorkerDied;
        table.spread(event(1, Audience::Everyone, Event::Rejoin { reason }));
        assert_eq!((count(&mut at_one), table.len()), (1, 0));
    }

    #[test]
    fn a_session_that_does_not_keep_up_is_ended() {
        let mut table = RoomTable::default();
        let (slow, _at_slow) = route(1, 1);
        let (quick, mut at_quick) = route(2, 8);
        let ending = slow.ending.clone();
        table.join(&address(1), slow);
        table.join(&address(1), quick);
        table.spread(event(1, Audience::Everyone, left()));
        assert!(!ending.is_set());
        table.spread(event(1, Audience::Everyone, left()));
        assert!(ending.is_set());
        assert_eq!(count(&mut at_quick), 2);
    }
}
