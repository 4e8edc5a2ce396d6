//! Which seats of this node are whose, so that something can be done with all of one user's without a
//! look at everybody's. As many entries as there are seats.

use railgun_protocol::ids::{ChannelId, SessionId, UserId};
use railgun_protocol::media_rpc::{Grant, JoinRequest, Replacement, UserAction};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Users {
    sitting: HashMap<UserId, Vec<UserSeat>>,
}

/// One seat of a user.
#[derive(Debug)]
pub(super) struct UserSeat {
    pub(super) channel: ChannelId,
    pub(super) session: SessionId,
    /// Which other sessions of its device it replaces; none: it named no device.
    place: Option<Replacement>,
    /// Some grant of its confined it to relays.
    pub(super) relay_only: bool,
}

impl Users {
    pub(super) fn sits(&mut self, channel: &ChannelId, join: &JoinRequest) {
        let place = join.device.clone().map(|device| Replacement {
            device,
            by: join.session,
            asked_at: join.asked_at,
        });
        self.sitting.entry(join.user.clone()).or_default().push(UserSeat {
            channel: channel.clone(),
            session: join.session,
            place,
            relay_only: join.grant.relay_only,
        });
    }

    pub(super) fn stands(&mut self, user: &UserId, channel: &ChannelId, session: SessionId) {
        let Some(of_user) = self.sitting.get_mut(user) else { return };
        of_user.retain(|seat| seat.session != session || seat.channel != *channel);
        if of_user.is_empty() {
            self.sitting.remove(user);
        }
    }

    /// A session's grant is another one.
    pub(super) fn granted(&mut self, user: &UserId, session: SessionId, grant: &Grant) {
        let of_user = self.sitting.get_mut(user).into_iter().flatten();
        for seat in of_user.filter(|seat| seat.session == session) {
            seat.relay_only |= grant.relay_only;
        }
    }

    pub(super) fn of(&self, user: &UserId) -> &[UserSeat] {
        self.sitting.get(user).map(Vec::as_slice).unwrap_or_default()
    }

    /// The last seat of that device, if it was asked for later than this.
    pub(super) fn later_than(&self, user: &UserId, this: &Replacement) -> Option<&Replacement> {
        let places = self.of(user).iter().filter_map(|seat| seat.place.as_ref());
        let later = places.filter(|place| place.device == this.device && place.is_later_than(this));
        later.max_by_key(|place| (place.asked_at, place.by))
    }
}

impl UserSeat {
    /// Whether the order is about this seat, as far as the seat itself tells.
    pub(super) fn is_meant(&self, channel: Option<&ChannelId>, action: &UserAction) -> bool {
        let here = channel.is_none_or(|channel| *channel == self.channel);
        here && match action {
            UserAction::Kick { .. } | UserAction::EndLostVideo => true,
            UserAction::Replace(by) => {
                let is_before = |place: &Replacement| place.device == by.device && by.is_later_than(place);
                self.place.as_ref().is_some_and(is_before)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_peer::World;
    use railgun_protocol::ids::DeviceId;
    use railgun_protocol::plan::Tier;

    fn join(session: u128, device: Option<&str>, asked_at: u64) -> JoinRequest {
        JoinRequest {
            user: UserId::new("ada").unwrap(),
            device: device.map(|device| DeviceId::new(device).unwrap()),
            asked_at,
            ..World::join_request(session, Tier::Free)
        }
    }

    fn channel() -> ChannelId {
        ChannelId::new("c").unwrap()
    }

    fn users(joins: &[JoinRequest]) -> Users {
        let mut users = Users::default();
        joins.iter().for_each(|join| users.sits(&channel(), join));
        users
    }

    fn place(users: &Users, seat: usize) -> Replacement {
        users.of(&UserId::new("ada").unwrap())[seat].place.clone().unwrap()
    }

    #[test]
    fn of_two_that_replace_each_other_the_later_one_stays_and_the_other_hears_of_it() {
        for (first, second) in [(100, 100), (100, 101), (101, 100)] {
            let users = users(&[join(1, Some("laptop"), first), join(2, Some("laptop"), second)]);
            let ada = UserId::new("ada").unwrap();
            let [one, two] = [place(&users, 0), place(&users, 1)];
            let goes = |seat: usize, by: &Replacement| {
                users.of(&ada)[seat].is_meant(None, &UserAction::Replace(by.clone()))
            };
            assert_eq!(goes(0, &two), second >= first);
            assert_eq!(goes(1, &one), second < first);
            assert!(!goes(0, &one) && !goes(1, &two), "itself");
            assert_eq!(users.later_than(&ada, &one).is_some(), second >= first);
            assert_eq!(users.later_than(&ada, &two).is_some(), second < first);
        }
    }

    #[test]
    fn another_device_and_another_channel_are_not_meant() {
        let users = users(&[join(1, Some("phone"), 1), join(2, None, 1), join(9, Some("laptop"), 100)]);
        let ada = UserId::new("ada").unwrap();
        let replace = UserAction::Replace(place(&users, 2));
        assert!(!users.of(&ada).iter().any(|seat| seat.is_meant(None, &replace)));
        let kick = UserAction::Kick { reason: railgun_protocol::signal::KickReason::Banned };
        let elsewhere = ChannelId::new("d").unwrap();
        assert!(users.of(&ada).iter().all(|seat| seat.is_meant(Some(&channel()), &kick)));
        assert!(!users.of(&ada).iter().any(|seat| seat.is_meant(Some(&elsewhere), &kick)));
        assert!(users.of(&UserId::new("bob").unwrap()).is_empty());
    }
}
