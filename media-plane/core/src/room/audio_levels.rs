//! How loud a room is: the active speaker, everybody's level, and noise loops.

use super::moderation;
use super::table::RoomTable;
use crate::arena::RoomKey;
use crate::audio::audio_level::SILENCE;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Audience, Event};
use railgun_protocol::signal::{AudioLevel, Speaker};
use std::time::Instant;

/// Schedules the room's next evaluation of its audio levels, after its first loud packet.
pub(crate) fn wake(rooms: &mut RoomTable, key: RoomKey, now: Instant) {
    if let Some(room) = rooms.get_mut(key) {
        room.speakers.wake(now);
        rooms.schedule(key);
    }
}

/// Takes the levels since the last look, and tells what changed.
pub(super) fn look(rooms: &mut RoomTable, media: &mut MediaTables, key: RoomKey, now: Instant) {
    let Some(room) = rooms.get_mut(key) else { return };
    let is_diagnostics = room.ends_at.is_some();
    let (mut levels, mut noises) = (Vec::new(), Vec::new());
    for session in &room.sessions {
        for producer in &session.producers {
            let Some(meter) = media.producers.live_mut(*producer).and_then(|it| it.meter.as_mut()) else {
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
        put_first(rooms, media, key, active);
        tell_speaker(rooms, media, key, active);
    }
    if let Some(levels) = changes.levels {
        let level = |(session_id, level): (SessionId, u8)| AudioLevel {
            session_id,
            level: -i8::try_from(level.min(SILENCE)).unwrap_or(i8::MAX),
        };
        let levels = levels.into_iter().map(level).collect();
        media.output.tell(key, Audience::Everyone, Event::AudioLevels(levels));
    }
    for (session, producer) in noises {
        moderation::strike(rooms, media, key, session, producer);
    }
}

/// From now on, what this session sends comes before what others of equal priority do.
fn put_first(rooms: &RoomTable, media: &mut MediaTables, key: RoomKey, active: Option<SessionId>) {
    let (Some(room), Some(active)) = (rooms.get(key), active) else { return };
    for session in &room.sessions {
        for producer in &session.producers {
            if let Some(producer) = media.producers.live_mut(*producer) {
                producer.is_speakers = session.id == active;
            }
        }
    }
}

fn tell_speaker(rooms: &RoomTable, media: &mut MediaTables, key: RoomKey, active: Option<SessionId>) {
    let speaker = active.and_then(|session_id| {
        let user_id = rooms.session(key, session_id).ok()?.user.clone();
        Some(Speaker { user_id, session_id })
    });
    media.output.tell(key, Audience::Everyone, Event::ActiveSpeaker(speaker));
}
