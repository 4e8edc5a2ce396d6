//! Which room events are told, and how they look.

use crate::clock::rfc3339;
use railgun_protocol::media_rpc::{Event, ONLY_EPOCH, RoomEvent, WorkerDied};
use railgun_protocol::signal::RejoinReason;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::time::SystemTime;

const WORKER_DIED: &str = "node.worker_died";

/// One message to the operator's server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hook {
    /// Id of the event, the same whichever replica tells it.
    pub(super) id: String,
    /// JSON: `{type, timestamp, data}`.
    pub(super) body: String,
}

/// The hooks of one room event: none for most, two for the one that opens a room.
pub(super) fn hooks(event: &RoomEvent, now: SystemTime) -> Vec<Hook> {
    // A test in `$diagnostics` is no call.
    if event.channel.as_str().starts_with('$') {
        return Vec::new();
    }
    let room = |data: Value| {
        let mut data = data;
        data["channel"] = json!(event.channel);
        data["epoch"] = json!(event.epoch);
        data["roomSeq"] = json!(event.room_seq);
        data
    };
    let mut told: Vec<(&str, Value)> = Vec::new();
    match &event.event {
        Event::ParticipantJoined(participant) => {
            if event.room_seq == 1 {
                told.push(("room.started", json!({})));
            }
            let data = json!({"userId": participant.user_id, "sessionId": participant.session_id});
            told.push(("participant.joined", data));
        }
        Event::ParticipantLeft { user, session } => {
            told.push(("participant.left", json!({"userId": user, "sessionId": session})));
        }
        Event::NewProducer { producer, user, session, source, .. } => told.push((
            "producer.started",
            json!({"producerId": producer, "userId": user, "sessionId": session, "source": source}),
        )),
        Event::ProducerClosed { producer, user, session, .. } => told
            .push(("producer.ended", json!({"producerId": producer, "userId": user, "sessionId": session}))),
        Event::Rejoin { reason: RejoinReason::EncryptionChanged } => {
            told.push(("room.encryption_changed", json!({})));
        }
        Event::RoomClosed => told.push(("room.ended", json!({}))),
        _ => {}
    }
    let hook = |(kind, data): (&str, Value)| Hook {
        id: id(event, kind, now),
        body: json!({"type": kind, "timestamp": rfc3339(now), "data": room(data)}).to_string(),
    };
    told.into_iter().map(hook).collect()
}

/// The hook that calls operators: a worker of a node died, and its rooms with it.
pub(super) fn worker_died(node: &str, boot_id: &str, died: WorkerDied, now: SystemTime) -> Hook {
    let WorkerDied { worker, rooms, deaths } = died;
    let data = json!({"node": node, "bootId": boot_id, "worker": worker, "rooms": rooms, "deaths": deaths});
    Hook {
        id: digest(&[boot_id.as_bytes(), &deaths.to_be_bytes(), WORKER_DIED.as_bytes()]),
        body: json!({"type": WORKER_DIED, "timestamp": rfc3339(now), "data": data}).to_string(),
    }
}

/// What is told moves the room's sequence, so that channel, epoch, sequence and kind name it. Without etcd the rooms
/// of a channel have one epoch; there is one replica then, and the time sets them apart.
fn id(event: &RoomEvent, kind: &str, now: SystemTime) -> String {
    let (epoch, room_seq) = (event.epoch.to_be_bytes(), event.room_seq.to_be_bytes());
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let time = if event.epoch == ONLY_EPOCH { since_epoch.as_nanos() } else { 0 };
    let channel = event.channel.as_str().as_bytes();
    digest(&[&epoch, &room_seq, &time.to_be_bytes(), kind.as_bytes(), &[0], channel])
}

fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().take(16).fold(String::from("evt_"), |id, byte| format!("{id}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ids::{ChannelId, SessionId, UserId};
    use railgun_protocol::media_rpc::Audience;

    fn left(room_seq: u64) -> RoomEvent {
        RoomEvent {
            channel: ChannelId::new("lobby").unwrap(),
            epoch: 7,
            room_seq,
            audience: Audience::Everyone,
            event: Event::ParticipantLeft {
                user: UserId::new("ada").unwrap(),
                session: SessionId::from_bits(1),
            },
        }
    }

    #[test]
    fn two_replicas_give_one_event_one_id_and_two_events_two() {
        let at = |seconds| SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        let (first, second) = (hooks(&left(4), at(1)), hooks(&left(4), at(2)));
        assert_eq!(first[0].id, second[0].id);
        let of_one_node =
            |seconds| hooks(&RoomEvent { epoch: ONLY_EPOCH, ..left(4) }, at(seconds))[0].id.clone();
        assert_ne!(of_one_node(1), of_one_node(2), "two rooms of the channel, one after the other");
        let changed = Event::Rejoin { reason: RejoinReason::EncryptionChanged };
        let changed = hooks(&RoomEvent { event: changed, ..left(5) }, at(1));
        assert!(changed[0].body.contains(r#""type":"room.encryption_changed""#));
        let drained = Event::Rejoin { reason: RejoinReason::NodeDraining };
        assert!(hooks(&RoomEvent { event: drained, ..left(5) }, at(1)).is_empty());
        assert_ne!(first[0].id, hooks(&left(5), at(1))[0].id);
        let body: Value = serde_json::from_str(&first[0].body).unwrap();
        assert_eq!(body["type"], "participant.left");
        assert_eq!(body["timestamp"], "1970-01-01T00:00:01Z");
        assert_eq!((&body["data"]["channel"], &body["data"]["epoch"]), (&json!("lobby"), &json!(7)));
    }

    #[test]
    fn a_test_in_diagnostics_is_told_to_no_webhook() {
        let channel = ChannelId::new("$diagnostics/1").unwrap();
        assert!(hooks(&RoomEvent { channel, ..left(4) }, SystemTime::UNIX_EPOCH).is_empty());
        assert_eq!(hooks(&left(4), SystemTime::UNIX_EPOCH).len(), 1);
    }
}
