//! A client's picture of its room: the fold of the room's events.

use crate::told::broken;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Other {
    pub user: String,
    pub muted: bool,
    pub reconnecting: bool,
    /// By id, the source and whether it is paused.
    pub producers: BTreeMap<String, (String, bool)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct View {
    /// By session.
    pub others: BTreeMap<String, Other>,
    pub room_seq: u64,
    closed: BTreeSet<String>,
    left: BTreeSet<String>,
}

/// A text of a payload.
pub(super) fn text(payload: &Value, key: &str) -> String {
    payload[key].as_str().unwrap_or_default().to_owned()
}

const ORDER: &str = "Replies and room events reach a socket in one order, the node's (contract, 4)";

impl View {
    /// As `voice:joined` and `voice:resumed` tell it.
    pub(crate) fn of(payload: &Value) -> Self {
        let mut view = Self { room_seq: payload["roomSeq"].as_u64().unwrap_or_default(), ..Self::default() };
        for participant in payload["participants"].as_array().into_iter().flatten() {
            view.others.insert(text(participant, "sessionId"), other(participant));
        }
        view
    }

    /// An event of the room.
    pub(crate) fn fold(&mut self, me: &str, name: &str, payload: &Value) {
        if let Some(seq) = payload["roomSeq"].as_u64() {
            if seq <= self.room_seq {
                broken(ORDER, || format!("{me} was told {name} with roomSeq {seq} after {}", self.room_seq));
            }
            self.room_seq = self.room_seq.max(seq);
        }
        let session = text(payload, "sessionId");
        let producer = text(payload, "producerId");
        let wrong = |what: &str| broken(ORDER, || format!("{me} was told {name} of {what}: {payload}"));
        match name {
            "voice:participant:joined" => {
                if self.left.contains(&session) {
                    wrong("a session that had left");
                }
                if self.others.insert(session, other(payload)).is_some() {
                    wrong("a session that was there");
                }
            }
            "voice:participant:left" => {
                if self.others.remove(&session).is_none() {
                    wrong("a session that was not there");
                }
                self.left.insert(session);
            }
            "voice:participant:state" => match self.others.get_mut(&session) {
                Some(other) => {
                    other.muted = payload["muted"].as_bool().unwrap_or_default();
                    other.reconnecting = payload["reconnecting"].as_bool().unwrap_or_default();
                }
                None => wrong("a session that was not there"),
            },
            "voice:newProducer" => {
                if self.closed.contains(&producer) {
                    wrong("a producer that was closed");
                }
                let source = text(&payload["appData"], "source");
                let paused = payload["paused"].as_bool().unwrap_or_default();
                match self.others.get_mut(&session) {
                    Some(other) => {
                        if other.producers.insert(producer, (source, paused)).is_some() {
                            wrong("a producer that was there");
                        }
                    }
                    None => wrong("a session that was not there"),
                }
            }
            "voice:producerClosed" => {
                let of = self.others.values_mut().find(|other| other.producers.contains_key(&producer));
                match of {
                    Some(other) => _ = other.producers.remove(&producer),
                    None => wrong("a producer that was not there"),
                }
                self.closed.insert(producer);
            }
            "voice:producerPaused" | "voice:producerResumed" => {
                let mut all = self.others.values_mut().flat_map(|other| other.producers.iter_mut());
                match all.find(|(id, _)| **id == producer) {
                    Some((_, (_, paused))) => *paused = name == "voice:producerPaused",
                    None => wrong("a producer that was not there"),
                }
            }
            _ => {}
        }
    }

    /// An event for this session alone, which has the number of the one before it.
    pub(crate) fn aside(&mut self, me: &str, name: &str, payload: &Value) {
        let seq = payload["roomSeq"].as_u64().unwrap_or_default();
        if seq < self.room_seq {
            broken(ORDER, || format!("{me} was told {name} with roomSeq {seq} after {}", self.room_seq));
        }
        self.room_seq = self.room_seq.max(seq);
    }

    /// Who has this producer, and its source.
    pub(crate) fn producer(&self, id: &str) -> Option<(&String, &Other)> {
        self.others.iter().find(|(_, other)| other.producers.contains_key(id))
    }
}

fn other(participant: &Value) -> Other {
    let producers = participant["producers"].as_array().into_iter().flatten();
    let producers = producers.map(|producer| {
        let source = text(&producer["appData"], "source");
        (text(producer, "producerId"), (source, producer["paused"].as_bool().unwrap_or_default()))
    });
    Other {
        user: text(participant, "userId"),
        muted: participant["muted"].as_bool().unwrap_or_default(),
        reconnecting: participant["reconnecting"].as_bool().unwrap_or_default(),
        producers: producers.collect(),
    }
}
