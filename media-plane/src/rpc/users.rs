//! Which seats of this node are whose, so that something can be done with all of one user's without a
//! look at everybody's. As many entries as there are seats.

use railgun_shared::ids::{ChannelId, DeviceId, SessionId, UserId};
use railgun_shared::media_rpc::{Grant, JoinRequest, UserAction};
use std::collections::HashMap;

#[derive(Debug, Default)]
pub(super) struct Users {
    sitting: HashMap<UserId, Vec<Sitting>>,
}

/// One seat of a user.
#[derive(Debug)]
pub(super) struct Sitting {
    pub(super) channel: ChannelId,
    pub(super) session: SessionId,
    device: Option<DeviceId>,
    asked_at: u64,
    /// Some grant of its confined it to relays.
    pub(super) relay_only: bool,
}

impl Users {
    pub(super) fn sits(&mut self, channel: &ChannelId, join: &JoinRequest) {
        self.sitting.entry(join.user.clone()).or_default().push(Sitting {
            channel: channel.clone(),
            session: join.session,
            device: join.device.clone(),
            asked_at: join.asked_at,
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

    pub(super) fn of(&self, user: &UserId) -> &[Sitting] {
        self.sitting.get(user).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Sitting {
    /// Whether the order is about this seat, as far as the seat itself tells.
    pub(super) fn is_meant(&self, channel: Option<&ChannelId>, action: &UserAction) -> bool {
        let here = channel.is_none_or(|channel| *channel == self.channel);
        here && match action {
            UserAction::Kick { .. } | UserAction::EndLostVideo => true,
            UserAction::Replace { device, by, asked_at } => {
                let is_older = (self.asked_at, self.session) < (*asked_at, *by);
                self.device.as_ref() == Some(device) && self.session != *by && is_older
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(session: u128, device: Option<&str>, asked_at: u64) -> Sitting {
        Sitting {
            channel: ChannelId::new("c").unwrap(),
            session: SessionId::from_bits(session),
            device: device.map(|device| DeviceId::new(device).unwrap()),
            asked_at,
            relay_only: false,
        }
    }

    fn replace(by: &Sitting) -> UserAction {
        let (device, asked_at) = (by.device.clone().unwrap(), by.asked_at);
        UserAction::Replace { device, by: by.session, asked_at }
    }

    #[test]
    fn of_two_that_replace_each_other_exactly_one_goes() {
        for (first, second) in [(100, 100), (100, 101), (101, 100)] {
            let (one, two) = (seat(1, Some("laptop"), first), seat(2, Some("laptop"), second));
            let goes = [one.is_meant(None, &replace(&two)), two.is_meant(None, &replace(&one))];
            assert_eq!(goes.iter().filter(|goes| **goes).count(), 1, "{first}, {second}");
            assert!(!one.is_meant(None, &replace(&one)), "itself");
        }
    }

    #[test]
    fn another_device_and_another_channel_are_not_meant() {
        let by = seat(9, Some("laptop"), 100);
        assert!(!seat(1, Some("phone"), 1).is_meant(None, &replace(&by)));
        assert!(!seat(1, None, 1).is_meant(None, &replace(&by)));
        let (here, there) = (ChannelId::new("c").unwrap(), ChannelId::new("d").unwrap());
        let kick = UserAction::Kick { reason: "banned".into() };
        assert!(seat(1, None, 1).is_meant(Some(&here), &kick));
        assert!(!seat(1, None, 1).is_meant(Some(&there), &kick));
    }
}
