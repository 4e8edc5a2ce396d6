//! How a channel is encrypted by its record, held against the room that it has.

use super::table::RoomTable;
use crate::arena::RoomKey;
use railgun_protocol::media_rpc::EncryptionRule;

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
