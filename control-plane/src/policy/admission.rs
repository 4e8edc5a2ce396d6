//! Whether a user may be in a channel, by the operators' records.

use crate::records::View;
use crate::refusal::Refusal;
use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::plan::RoomLimits;

/// How much the channel's room takes, if this user may join it at `now` (Unix seconds). A channel
/// that is closed to the user does not exist for the user.
pub(crate) fn admit(
    view: &View,
    user: &UserId,
    channel: &ChannelId,
    now: u64,
) -> Result<RoomLimits, Refusal> {
    let record = view.channel(channel).filter(|record| record.admits(user));
    let Some(record) = record else {
        return Err(Refusal::NoSuchChannel);
    };
    if let Some(ban) = view.ban(user, channel, now) {
        return Err(Refusal::Banned { until: ban.until });
    }
    Ok(RoomLimits::of(record.tier))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BanRecord, BanScope, ChannelKind, ChannelRecord, Record, RecordKey};
    use railgun_protocol::plan::Tier;
    use railgun_protocol::signal::ErrorCode;

    #[test]
    fn a_closed_channel_does_not_exist_and_a_banned_user_is_denied() {
        let (ada, eve) = (UserId::new("ada").unwrap(), UserId::new("eve").unwrap());
        let (dm, lobby) = (ChannelId::new("dm").unwrap(), ChannelId::new("lobby").unwrap());
        let mut view = View::new(Some(ChannelRecord::open(Tier::Pro)), 0);
        let members = vec![ada.clone()];
        let closed = ChannelRecord { kind: ChannelKind::Dm, members, ..ChannelRecord::open(Tier::Free) };
        view.put(RecordKey::Channel(dm.clone()), Record::Channel(closed), 1);
        let ban = BanRecord { reason: None, until: Some(50) };
        view.put(RecordKey::Ban(BanScope::Everywhere, eve.clone()), Record::Ban(ban), 2);

        assert_eq!(admit(&view, &ada, &dm, 1), Ok(RoomLimits::of(Tier::Free)));
        // Whoever is banned learns no more of a closed channel than anybody else.
        assert_eq!(admit(&view, &eve, &dm, 1).unwrap_err().code(), ErrorCode::ChannelNotFound);
        let denied = admit(&view, &eve, &lobby, 1).unwrap_err().body();
        assert_eq!((denied.code, &denied.details["until"]), (ErrorCode::PermissionDenied, &50.into()));
        assert_eq!(admit(&view, &eve, &lobby, 50), Ok(RoomLimits::of(Tier::Pro)));
    }
}
