//! How loud a room is: the active speaker, everybody's level, and noise loops.

use super::loudness::SILENCE;
use crate::arena::{ProducerKey, RoomKey};
use crate::engine::Engine;
use crate::packet::rtp::RtpHeader;
use crate::room::producer::Producer;
use railgun_shared::ids::SessionId;
use railgun_shared::media_rpc::{Audience, Event};
use railgun_shared::signal::{AudioLevel, Speaker};
use std::time::Instant;

/// The extension's highest bit says whether it is speech; a sender may set it on anything.
const LEVEL_BITS: u8 = 0x7f;

impl Producer {
    /// Notes the audio level of a packet (RFC 6464). True if its room has to look at the levels.
    #[inline]
    pub(crate) fn hear(&mut self, header: &RtpHeader, packet: &[u8], now: Instant) -> bool {
        let (Some(meter), false) = (&mut self.meter, self.paused) else { return false };
        let level = self.extensions.audio_level.and_then(|id| header.extension(packet, id));
        level.and_then(<[u8]>::first).is_some_and(|level| meter.on_packet(level & LEVEL_BITS, now))
    }
}

impl Engine {
    /// Somebody in this room is heard.
    pub(crate) fn wake_levels(&mut self, key: RoomKey, now: Instant) {
        if let Some(room) = self.rooms.get_mut(key) {
            room.speakers.wake(now);
            self.schedule_room(key);
        }
    }

    pub(super) fn look_at_levels(&mut self, key: RoomKey, now: Instant) {
        let Some(room) = self.rooms.get_mut(key) else { return };
        let is_diagnostics = room.ends_at.is_some();
        let (mut levels, mut noises) = (Vec::new(), Vec::new());
        for session in &room.sessions {
            for producer in &session.producers {
                let Some(meter) = self.producers.get_mut(*producer).and_then(|it| it.meter.as_mut()) else {
                    continue;
                };
                let (level, is_noise) = meter.take();
                levels.push((session.id, level));
                if is_noise && !is_diagnostics {
                    noises.push((session.id, *producer));
                }
            }
        }
        let changes = room.speakers.look(&levels, now);
        if let Some(active) = changes.active {
            self.tell_speaker(key, active);
        }
        if let Some(levels) = changes.levels {
            let level = |(session_id, level): (SessionId, u8)| AudioLevel {
                session_id,
                level: -i8::try_from(level.min(SILENCE)).unwrap_or(i8::MAX),
            };
            let levels = levels.into_iter().map(level).collect();
            self.tell(key, Audience::Everyone, Event::AudioLevels(levels));
        }
        self.strike_all(key, noises);
    }

    fn tell_speaker(&mut self, key: RoomKey, active: Option<SessionId>) {
        let speaker = active.and_then(|session_id| {
            let user_id = self.session(key, session_id).ok()?.user.clone();
            Some(Speaker { user_id, session_id })
        });
        self.tell(key, Audience::Everyone, Event::ActiveSpeaker(speaker));
    }

    fn strike_all(&mut self, key: RoomKey, noises: Vec<(SessionId, ProducerKey)>) {
        for (session, producer) in noises {
            self.strike(key, session, producer);
        }
    }
}
