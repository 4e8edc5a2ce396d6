//! What a session hears of calls that ring: those to its user, and the one that it made.

use crate::clock::rfc3339;
use crate::rings::{Calling, Listening};
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::signal::{RingEndReason, ServerEvent};
use std::time::{Duration, SystemTime};

pub(crate) struct Ringing {
    listening: Listening,
    /// The ring that the client was told of, and not yet of its end.
    told: Option<(u64, ChannelId)>,
    /// Ends with the session's seat.
    pub(crate) calling: Option<Calling>,
}

impl Ringing {
    pub(crate) fn new(listening: Listening) -> Self {
        Self { listening, told: None, calling: None }
    }

    /// The next thing to tell the client; never, if there is none. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> ServerEvent {
        loop {
            tokio::select! {
                changed = self.listening.ring.changed() => {
                    if changed.is_err() {
                        std::future::pending::<()>().await;
                    }
                    if let Some(event) = self.changed() {
                        return event;
                    }
                }
                Some((user, reason)) = ended(&mut self.calling) => {
                    let channel_id = self.calling.as_ref().map(|calling| calling.channel.clone());
                    if let Some(channel_id) = channel_id {
                        return ServerEvent::RingEnded { channel_id, user_id: Some(user), reason };
                    }
                }
            }
        }
    }

    /// Of a ring that took another's place, the end of the other first.
    fn changed(&mut self) -> Option<ServerEvent> {
        let ring = self.listening.ring.borrow_and_update().clone();
        match (ring, self.told.take()) {
            (Some(ring), Some(told)) if ring.id == told.0 && ring.is_on() => {
                self.told = Some(told);
                None
            }
            (ring, Some((id, channel_id))) => {
                let ended = ring.as_ref().filter(|ring| ring.id == id).and_then(|ring| ring.ended);
                if ring.is_some_and(|ring| ring.id != id) {
                    self.listening.ring.mark_changed();
                }
                let reason = ended.unwrap_or(RingEndReason::Missed);
                Some(ServerEvent::RingEnded { channel_id, user_id: None, reason })
            }
            (Some(ring), None) if ring.is_on() => {
                self.told = Some((ring.id, ring.channel.clone()));
                let until = SystemTime::UNIX_EPOCH + Duration::from_millis(ring.until);
                Some(ServerEvent::Ringing {
                    channel_id: ring.channel,
                    from: ring.from,
                    name: ring.name,
                    expires_at: rfc3339(until),
                })
            }
            _ => None,
        }
    }
}

async fn ended(calling: &mut Option<Calling>) -> Option<(UserId, RingEndReason)> {
    match calling {
        Some(calling) => calling.ended.recv().await,
        None => std::future::pending().await,
    }
}
