//! Which of this replica's sessions are in which room, so that one event of the node reaches them.

use railgun_shared::ids::{ChannelId, SessionId};
use railgun_shared::media_rpc::{Address, Audience, Event, Reply, RoomEvent};
use railgun_shared::signal::ErrorBody;
use std::collections::HashMap;
use tokio::sync::{mpsc, watch};

/// What the node, or the loss of it, has for one session.
#[derive(Debug)]
pub(crate) enum Delivery {
    Reply { ticket: u64, reply: Result<Reply, ErrorBody> },
    Event(RoomEvent),
    NodeLost,
}

/// The way to one session. A session that does not keep up is told to end, since one that missed
/// an event no longer knows its room.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) session: SessionId,
    pub(crate) to: mpsc::Sender<Delivery>,
    pub(crate) end: watch::Sender<bool>,
}

impl Route {
    pub(crate) fn deliver(&self, delivery: Delivery) {
        if let Err(mpsc::error::TrySendError::Full(_)) = self.to.try_send(delivery) {
            self.end.send_replace(true);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct RoomTable {
    rooms: HashMap<ChannelId, Room>,
}

#[derive(Debug)]
struct Room {
    epoch: u64,
    routes: HashMap<SessionId, Route>,
}

impl RoomTable {
    pub(super) fn len(&self) -> usize {
        self.rooms.len()
    }

    pub(super) fn join(&mut self, address: &Address, route: Route) {
        let fresh = || Room { epoch: address.epoch, routes: HashMap::new() };
        let room = self.rooms.entry(address.channel.clone()).or_insert_with(fresh);
        room.epoch = address.epoch;
        room.routes.insert(route.session, route);
    }

    pub(super) fn leave(&mut self, channel: &ChannelId, session: SessionId) {
        if let Some(room) = self.rooms.get_mut(channel) {
            room.routes.remove(&session);
            if room.routes.is_empty() {
                self.rooms.remove(channel);
            }
        }
    }

    /// Hands an event to whom it is for.
    pub(super) fn spread(&mut self, event: RoomEvent) {
        let Some(room) = self.rooms.get(&event.channel).filter(|room| room.epoch == event.epoch) else {
            return;
        };
        match event.audience {
            Audience::Only(session) => {
                let kicked = matches!(event.event, Event::Kicked { .. });
                let channel = event.channel.clone();
                if let Some(route) = room.routes.get(&session) {
                    route.deliver(Delivery::Event(event));
                }
                if kicked {
                    self.leave(&channel, session);
                }
            }
            Audience::Everyone | Audience::Except(_) => {
                let skipped =
                    if let Audience::Except(session) = event.audience { Some(session) } else { None };
                for route in room.routes.values().filter(|route| Some(route.session) != skipped) {
                    route.deliver(Delivery::Event(event.clone()));
                }
                if matches!(event.event, Event::RoomClosed) {
                    self.rooms.remove(&event.channel);
                }
            }
        }
    }

    /// Empties the table: everyone who was in a room, and where.
    pub(super) fn drain(&mut self) -> Vec<(Address, Route)> {
        let rooms = std::mem::take(&mut self.rooms);
        let seats = rooms.into_iter().flat_map(|(channel, room)| {
            let address = Address { channel, epoch: room.epoch };
            room.routes.into_values().map(move |route| (address.clone(), route))
        });
        seats.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_shared::ids::UserId;

    fn route(bits: u128, depth: usize) -> (Route, mpsc::Receiver<Delivery>) {
        let (to, from) = mpsc::channel(depth);
        (Route { session: SessionId::from_bits(bits), to, end: watch::Sender::new(false) }, from)
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

    fn count(from: &mut mpsc::Receiver<Delivery>) -> usize {
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
            Event::Kicked { reason: "replaced".into(), banned_for: None },
        ));
        table.spread(event(1, Audience::Everyone, left()));
        assert_eq!(count(&mut at_one), 1);
        assert!(table.drain().is_empty());
    }

    #[test]
    fn a_session_that_does_not_keep_up_is_ended() {
        let mut table = RoomTable::default();
        let (slow, _at_slow) = route(1, 1);
        let (quick, mut at_quick) = route(2, 8);
        let ended = slow.end.subscribe();
        table.join(&address(1), slow);
        table.join(&address(1), quick);
        table.spread(event(1, Audience::Everyone, left()));
        assert!(!*ended.borrow());
        table.spread(event(1, Audience::Everyone, left()));
        assert!(*ended.borrow());
        assert_eq!(count(&mut at_quick), 2);
    }
}
