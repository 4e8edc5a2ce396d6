//! Epochs: each room that a channel has, one after the other, has a higher one. And how a room ends that
//! another takes the place of.

use super::membership;
use super::table::RoomTable;
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::media_rpc::{Address, Audience, EncryptionRule, Event, Reply};
use railgun_protocol::signal::RejoinReason;

/// The same room, with its people and media, has a later epoch from now on. Sessions that came
/// under an earlier one of its epochs go on using that.
pub(crate) fn rebind(rooms: &RoomTable, media: &mut MediaTables, to: &Address) {
    let feed = rooms.of_channel(&to.channel).and_then(|key| media.output.feed_mut(key));
    if let Some(feed) = feed
        && feed.address.epoch < to.epoch
    {
        feed.address.epoch = to.epoch;
    }
}

/// The channel has a room of this epoch somewhere else: an older one here is closed at once, and
/// its people are told to join again.
pub(crate) fn close_older(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    before: &Address,
    reason: RejoinReason,
) {
    let Some(key) = rooms.of_channel(&before.channel) else { return };
    if media.output.feed(key).is_none_or(|feed| feed.address.epoch >= before.epoch) {
        return;
    }
    end(rooms, media, key, reason);
}

/// Whether a room may go on by a rule for its channel.
pub(super) enum Follows {
    /// It is encrypted that way.
    Yes,
    /// Another room has to take its place.
    No,
    /// The rule is older than the room's.
    Outdated,
}

pub(super) fn follows(rooms: &mut RoomTable, key: RoomKey, rule: EncryptionRule) -> Follows {
    let Some(room) = rooms.get_mut(key) else { return Follows::Yes };
    if room.encryption.encryption == rule.encryption {
        room.encryption.revision = room.encryption.revision.max(rule.revision);
        Follows::Yes
    } else if rule.revision > room.encryption.revision {
        Follows::No
    } else {
        Follows::Outdated
    }
}

/// The channel is to be encrypted in another way from now on, so that the room ends: there is never a mixture.
pub(super) fn set_encryption(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    key: RoomKey,
    rule: EncryptionRule,
) -> Reply {
    if let Follows::No = follows(rooms, key, rule) {
        end(rooms, media, key, RejoinReason::EncryptionChanged);
    }
    Reply::Done
}

/// Ends a room whose people are told to join again, those without a socket included.
pub(super) fn end(rooms: &mut RoomTable, media: &mut MediaTables, key: RoomKey, reason: RejoinReason) {
    media.output.tell(key, Audience::Everyone, Event::Rejoin { reason });
    // They leave together: nobody is told who else does.
    let told = media.output.notices.len();
    let sessions = rooms.get(key).map(|room| room.session_ids()).unwrap_or_default();
    for session in sessions {
        membership::remove_session(rooms, media, key, session);
    }
    let closed = media.output.notices.pop_back();
    media.output.notices.truncate(told);
    media.output.notices.extend(closed);
}
