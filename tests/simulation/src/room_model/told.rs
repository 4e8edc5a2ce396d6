//! What each session was told of the others: the fold of its room's events.

use super::model::Room;
use railgun_protocol::ids::{ChannelId, ProducerId, SessionId};
use railgun_protocol::media_rpc::{Audience, Event, Reply, RoomEvent};
use railgun_protocol::signal::{Participant, Source};
use std::collections::BTreeMap;

type Producers = BTreeMap<ProducerId, (Source, bool)>;

#[derive(Debug)]
struct View {
    channel: ChannelId,
    others: BTreeMap<SessionId, Producers>,
}

#[derive(Debug, Default)]
pub(super) struct Told {
    views: BTreeMap<SessionId, View>,
    seqs: BTreeMap<ChannelId, u64>,
    pub broken: Option<String>,
}

fn producers(participant: &Participant) -> Producers {
    let all = participant.producers.iter();
    all.map(|it| (it.producer_id, (it.app_data.source, it.paused))).collect()
}

impl Told {
    /// The answer to this session.
    pub(super) fn reply(&mut self, session: SessionId, channel: &ChannelId, reply: &Reply) {
        match reply {
            Reply::Joined(room) | Reply::Resumed(room, _) => {
                let others = room.participants.iter().map(|it| (it.session_id, producers(it))).collect();
                self.views.insert(session, View { channel: channel.clone(), others });
            }
            Reply::Left => _ = self.views.remove(&session),
            _ => {}
        }
    }

    pub(super) fn event(&mut self, told: &RoomEvent) {
        let is_passing = matches!(told.event, Event::ActiveSpeaker(_) | Event::AudioLevels(_));
        let is_counted = !is_passing && !matches!(told.audience, Audience::Only(_));
        let last = self.seqs.entry(told.channel.clone()).or_default();
        let wanted = *last + u64::from(is_counted);
        if told.room_seq != wanted {
            self.broken.get_or_insert_with(|| format!("{told:?} has another roomSeq than {wanted}"));
        }
        *last = told.room_seq;
        match (&told.event, told.audience) {
            (Event::RoomClosed, _) => {
                self.seqs.remove(&told.channel);
                self.views.retain(|_, view| view.channel != told.channel);
                return;
            }
            (Event::Kicked { .. }, Audience::Only(session)) => {
                self.views.remove(&session);
                return;
            }
            _ => {}
        }
        let in_room = self.views.iter_mut().filter(|(_, view)| view.channel == told.channel);
        for (session, view) in in_room {
            let is_for_it = match told.audience {
                Audience::Everyone => true,
                Audience::Except(other) => other != *session,
                Audience::Only(other) => other == *session,
            };
            if is_for_it && !fold(&mut view.others, *session, &told.event) {
                self.broken
                    .get_or_insert_with(|| format!("{session} was told {told:?}, which does not follow"));
            }
        }
    }

    /// How what this session was told differs from the room.
    pub(super) fn differs(&self, session: SessionId, room: &Room) -> Option<String> {
        let there: BTreeMap<SessionId, Producers> = room
            .seats
            .iter()
            .filter(|(id, _)| *id != session)
            .map(|(id, seat)| (*id, seat.producers.clone()))
            .collect();
        let told = self.views.get(&session).map(|view| &view.others);
        (told != Some(&there)).then(|| format!("was told {told:?}, where the model has {there:?}"))
    }
}

/// False: it does not follow what was told before.
fn fold(others: &mut BTreeMap<SessionId, Producers>, me: SessionId, event: &Event) -> bool {
    let paused =
        |others: &mut BTreeMap<SessionId, Producers>, of: &SessionId, id: &ProducerId, paused: bool| {
            let it = others.get_mut(of).and_then(|other| other.get_mut(id));
            it.map(|it| it.1 = paused).is_some()
        };
    match event {
        Event::ParticipantJoined(it) => others.insert(it.session_id, producers(it)).is_none(),
        Event::ParticipantLeft { session, .. } => others.remove(session).is_some_and(|left| left.is_empty()),
        Event::NewProducer { producer, session, source, paused, .. } => {
            others.get_mut(session).is_some_and(|it| it.insert(*producer, (*source, *paused)).is_none())
        }
        Event::ProducerClosed { producer, session, .. } => {
            *session == me || others.get_mut(session).is_some_and(|it| it.remove(producer).is_some())
        }
        Event::ProducerPaused { producer, session, .. } => paused(others, session, producer, true),
        Event::ProducerResumed { producer, session, .. } => paused(others, session, producer, false),
        _ => true,
    }
}
