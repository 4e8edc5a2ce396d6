//! Who is in a room, by what its node said last.

use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Event, RoomSnapshot};
use railgun_protocol::signal::{ChannelPerson, Participant};
use std::sync::Arc;

/// Who is in a channel; `None` until its node has said it.
pub(crate) type People = Option<Arc<[ChannelPerson]>>;

/// Sessions, oldest first.
#[derive(Debug, Default)]
pub(super) struct InRoom(Vec<(SessionId, ChannelPerson)>);

impl InRoom {
    pub(super) fn of(room: RoomSnapshot) -> Self {
        Self(room.participants.into_iter().map(entry).collect())
    }

    /// Whether the event, which came after what is known, may have changed the list.
    pub(super) fn take(&mut self, event: Event) -> bool {
        match event {
            Event::ParticipantJoined(participant) => {
                self.0.retain(|(session, _)| *session != participant.session_id);
                self.0.push(entry(*participant));
            }
            Event::ParticipantLeft { session, .. } => self.0.retain(|(of, _)| *of != session),
            Event::ParticipantState { session, muted, deafened, .. } => {
                let of = self.0.iter_mut().find(|(of, _)| *of == session);
                let Some((_, person)) = of else { return false };
                if (person.muted, person.deafened) == (muted, deafened) {
                    return false;
                }
                (person.muted, person.deafened) = (muted, deafened);
            }
            Event::Rejoin { .. } | Event::RoomClosed => self.0.clear(),
            _ => return false,
        }
        true
    }

    /// Each user once.
    pub(super) fn list(&self) -> Vec<ChannelPerson> {
        let mut people: Vec<ChannelPerson> = Vec::with_capacity(self.0.len());
        for (_, person) in &self.0 {
            match people.iter_mut().find(|known| known.user_id == person.user_id) {
                Some(known) => {
                    known.muted &= person.muted;
                    known.deafened &= person.deafened;
                }
                None => people.push(person.clone()),
            }
        }
        people
    }
}

fn entry(of: Participant) -> (SessionId, ChannelPerson) {
    let Participant { user_id, session_id, name, avatar, muted, deafened, .. } = of;
    (session_id, ChannelPerson { user_id, name, avatar, muted, deafened })
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ids::UserId;
    use railgun_protocol::signal::Encryption;

    fn participant(session: u128, user: &str) -> Participant {
        Participant {
            user_id: UserId::new(user).unwrap(),
            session_id: SessionId::from_bits(session),
            name: None,
            avatar: None,
            muted: true,
            deafened: false,
            speaking: false,
            reconnecting: false,
            producers: Vec::new(),
        }
    }

    fn state(session: u128, muted: bool) -> Event {
        Event::ParticipantState {
            user: UserId::new("ada").unwrap(),
            session: SessionId::from_bits(session),
            muted,
            deafened: false,
            speaking: true,
            reconnecting: false,
        }
    }

    fn told(room: &InRoom) -> Vec<(String, bool)> {
        room.list().into_iter().map(|person| (person.user_id.to_string(), person.muted)).collect()
    }

    #[test]
    fn a_user_on_two_devices_is_listed_once_and_muted_only_if_both_are() {
        let participants = vec![participant(1, "ada"), participant(2, "bob"), participant(3, "ada")];
        let mut room = InRoom::of(RoomSnapshot {
            room_seq: 1,
            participants,
            attachment: 0,
            encryption: Encryption::Transport,
        });
        assert_eq!(told(&room), [("ada".into(), true), ("bob".into(), true)]);
        assert!(room.take(state(3, false)));
        assert!(!room.take(state(3, false)), "who only speaks changes nothing");
        assert_eq!(told(&room), [("ada".into(), false), ("bob".into(), true)]);
        let left = |session| Event::ParticipantLeft {
            user: UserId::new("ada").unwrap(),
            session: SessionId::from_bits(session),
        };
        assert!(room.take(left(3)));
        assert_eq!(told(&room), [("ada".into(), true), ("bob".into(), true)]);
        assert!(room.take(left(1)));
        assert_eq!(told(&room), [("bob".into(), true)]);
        assert!(room.take(Event::ParticipantJoined(Box::new(participant(4, "eve")))));
        assert!(room.take(Event::RoomClosed));
        assert!(told(&room).is_empty());
    }
}
