//! What one user has used up of a room. It is kept by user, over all devices, and beyond the last of them
//! until nothing of it is used up any more: leaving and joining again gives nothing new.

use super::refusal;
use crate::allowance::{Allowance, Rate};
use crate::arena::{AccountKey, RoomKey};
use crate::engine::Engine;
use crate::packet_path::police::Police;
use railgun_shared::ids::{SessionId, UserId};
use railgun_shared::limits::{
    BITRATE_HEADROOM_PERCENT, FOLLOW_UPS_BURST, FOLLOW_UPS_PER_SECOND, STATES_BURST, STATES_PER_SECOND,
    VIDEO_TOTAL_BITRATE, VIDEO_TOTAL_HEADROOM_PERCENT,
};
use railgun_shared::signal::{ErrorBody, Source};
use std::time::Instant;

/// Users without a seat that a room remembers; beyond, the one who came first is forgotten.
const GONE_MAX: usize = 64;

const FOLLOW_UPS: Rate = Rate::per_second(FOLLOW_UPS_BURST, FOLLOW_UPS_PER_SECOND);
const STATES: Rate = Rate::per_second(STATES_BURST, STATES_PER_SECOND);

#[derive(Debug)]
pub(crate) struct Account {
    user: UserId,
    /// Seats that the user has now.
    seats: usize,
    pub(crate) police: Police,
    /// In requests that others make because of what the user does.
    follow_ups: Allowance,
    states: Allowance,
}

impl Account {
    /// `videos`: what camera and screen may take together, in bits a second.
    fn new(user: UserId, videos: u64, now: Instant) -> Self {
        Self {
            user,
            seats: 0,
            police: Police::new(videos, now),
            follow_ups: Allowance::default(),
            states: Allowance::default(),
        }
    }

    fn is_as_new(&self, now: Instant) -> bool {
        self.follow_ups.is_whole(now) && self.states.is_whole(now) && self.police.is_as_new(now)
    }
}

impl Engine {
    /// The account of a user who takes a seat.
    pub(super) fn open_account(&mut self, room: RoomKey, user: &UserId, now: Instant) -> AccountKey {
        self.forget_accounts(room, now);
        // With as much more headroom, or less, as each source has.
        let videos = u64::from(VIDEO_TOTAL_BITRATE)
            * u64::from(VIDEO_TOTAL_HEADROOM_PERCENT)
            * u64::from(self.config.bitrate_headroom_percent)
            / u64::from(BITRATE_HEADROOM_PERCENT * 100);
        let Self { rooms, accounts, .. } = self;
        let mut known = rooms.get(room).into_iter().flat_map(|room| &room.accounts);
        let is_theirs = |key: &&AccountKey| accounts.get(**key).is_some_and(|it| it.user == *user);
        let key = known.find(is_theirs).copied().unwrap_or_else(|| {
            let key = accounts.insert(Account::new(user.clone(), videos, now));
            if let Some(room) = rooms.get_mut(room) {
                room.accounts.push(key);
            }
            key
        });
        if let Some(account) = accounts.get_mut(key) {
            account.seats += 1;
        }
        key
    }

    /// One of the user's seats is free.
    pub(super) fn leave_account(&mut self, key: AccountKey) {
        if let Some(account) = self.accounts.get_mut(key) {
            account.seats = account.seats.saturating_sub(1);
        }
    }

    fn forget_accounts(&mut self, room: RoomKey, now: Instant) {
        let Self { rooms, accounts, .. } = self;
        let Some(room) = rooms.get_mut(room) else { return };
        let is_gone = |key: &AccountKey| accounts.get(*key).is_none_or(|it| it.seats == 0);
        let mut spare = room.accounts.iter().filter(|key| is_gone(key)).count().saturating_sub(GONE_MAX);
        room.accounts.retain(|key| {
            let Some(account) = accounts.get(*key) else { return false };
            let is_gone = account.seats == 0;
            let is_forgotten = is_gone && (spare > 0 || account.is_as_new(now));
            if is_forgotten {
                spare = spare.saturating_sub(1);
                accounts.remove(*key);
            }
            !is_forgotten
        });
    }

    /// The session is about to change the room so that each other member's client asks for so much.
    pub(super) fn charge_follow_ups(
        &mut self,
        room: RoomKey,
        session: SessionId,
        requests: u32,
        now: Instant,
    ) -> Result<(), ErrorBody> {
        let key = self.session(room, session)?.account;
        let account = self.accounts.get_mut(key).ok_or_else(refusal::internal)?;
        account.follow_ups.take(FOLLOW_UPS, requests, now).map_err(refusal::rate_limited)
    }

    /// The session is about to change what the room shows of it.
    pub(super) fn charge_state(
        &mut self,
        room: RoomKey,
        session: SessionId,
        now: Instant,
    ) -> Result<(), ErrorBody> {
        let key = self.session(room, session)?.account;
        let account = self.accounts.get_mut(key).ok_or_else(refusal::internal)?;
        account.states.take(STATES, 1, now).map_err(refusal::rate_limited)
    }

    /// Lets a source of a user take what the user's producers of it may take together.
    pub(super) fn set_allowed_bitrate(
        &mut self,
        room: RoomKey,
        account: AccountKey,
        source: Source,
        now: Instant,
    ) {
        let Self { rooms, accounts, producers, .. } = self;
        let sessions = rooms.get(room).into_iter().flat_map(|room| &room.sessions);
        let own = sessions.filter(|session| session.account == account);
        let own = own.flat_map(|session| &session.producers).filter_map(|key| producers.get(*key));
        let allowed = own.filter(|producer| producer.source == source).map(|producer| producer.allowed);
        let rate = allowed.fold(0, u64::saturating_add);
        if let Some(account) = accounts.get_mut(account)
            && rate > 0
        {
            account.police.set_rate(source, rate, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn an_account_is_as_new_when_all_that_was_used_is_there_again() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut account = Account::new(UserId::new("u").unwrap(), 4_400_000, start);
        assert!(account.is_as_new(start));
        account.states.take(STATES, 2, start).unwrap();
        assert!(!account.is_as_new(at(499)) && account.is_as_new(at(500)));
        account.follow_ups.take(FOLLOW_UPS, 4, start).unwrap();
        assert!(!account.is_as_new(at(1_999)) && account.is_as_new(at(2_000)));
        account.police.set_rate(Source::Mic, 48_000, at(2_000));
        assert!(account.police.admit(Source::Mic, 588, at(2_000)));
        assert!(!account.is_as_new(at(2_050)) && account.is_as_new(at(2_100)));
    }
}
