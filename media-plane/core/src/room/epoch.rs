//! Epochs: each room that a channel has, one after the other, has a higher one. And how a room ends that
//! another takes the place of.

use super::encryption_rule::{Follows, follows};
use super::membership::end;
use super::table::RoomTable;
use crate::arena::RoomKey;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::media_rpc::{Address, EncryptionRule, Reply};
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
