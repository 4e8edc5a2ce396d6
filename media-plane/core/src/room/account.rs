//! What one user has used up of a room. It is kept by user, over all devices, and beyond the last of them
//! until nothing of it is used up any more: leaving and joining again gives nothing new.

use super::refusal::Refusal;
use crate::allowance::{Allowance, Rate};
use crate::arena::PolicerKey;
use railgun_protocol::ids::UserId;
use railgun_protocol::limits::{
    DATA_BURST, DATA_PER_SECOND, E2EE_BURST, E2EE_KIB_BURST, E2EE_KIB_PER_SECOND, E2EE_PER_SECOND,
    FOLLOW_UPS_BURST, FOLLOW_UPS_PER_SECOND, STATES_BURST, STATES_PER_SECOND,
};
use std::time::Instant;

const FOLLOW_UPS: Rate = Rate::per_second(FOLLOW_UPS_BURST, FOLLOW_UPS_PER_SECOND);
const STATES: Rate = Rate::per_second(STATES_BURST, STATES_PER_SECOND);
const DATA: Rate = Rate::per_second(DATA_BURST, DATA_PER_SECOND);
const KEY_MESSAGES: Rate = Rate::per_second(E2EE_BURST, E2EE_PER_SECOND);
const KEY_MESSAGE_KIB: Rate = Rate::per_second(E2EE_KIB_BURST, E2EE_KIB_PER_SECOND);

#[derive(Debug)]
pub(crate) struct Account {
    pub(super) user: UserId,
    /// Seats that the user has now.
    pub(super) seats: usize,
    /// What the user may send, in bits a second.
    pub(super) policer: PolicerKey,
    /// In requests that others make because of what the user does.
    follow_ups: Allowance,
    states: Allowance,
    data: Allowance,
    key_messages: Allowance,
    key_message_kib: Allowance,
}

impl Account {
    pub(super) fn new(user: UserId, policer: PolicerKey) -> Self {
        Self {
            user,
            seats: 0,
            policer,
            follow_ups: Allowance::default(),
            states: Allowance::default(),
            data: Allowance::default(),
            key_messages: Allowance::default(),
            key_message_kib: Allowance::default(),
        }
    }

    /// Forgetting it gives the user no request, no change of state and no message more.
    pub(super) fn is_as_new(&self, now: Instant) -> bool {
        let all = [self.follow_ups, self.states, self.data, self.key_messages, self.key_message_kib];
        all.iter().all(|allowance| allowance.is_whole(now))
    }

    /// The user is about to change the room so that each other member's client makes so many requests.
    pub(super) fn charge_follow_ups(&mut self, requests: u32, now: Instant) -> Result<(), Refusal> {
        self.follow_ups.take(FOLLOW_UPS, requests, now).map_err(Refusal::RateLimited)
    }

    /// The user is about to change what the room shows of it, so many times.
    pub(super) fn charge_states(&mut self, changes: u32, now: Instant) -> Result<(), Refusal> {
        self.states.take(STATES, changes, now).map_err(Refusal::RateLimited)
    }

    /// The user is about to send a data message.
    pub(super) fn charge_data(&mut self, now: Instant) -> Result<(), Refusal> {
        self.data.take(DATA, 1, now).map_err(Refusal::RateLimited)
    }

    /// The user is about to send a message of key agreement of so many bytes.
    pub(super) fn charge_key_message(&mut self, bytes: usize, now: Instant) -> Result<(), Refusal> {
        let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
        let mut left = self.key_message_kib;
        left.take(KEY_MESSAGE_KIB, kib, now).map_err(Refusal::RateLimited)?;
        self.key_messages.take(KEY_MESSAGES, 1, now).map_err(Refusal::RateLimited)?;
        self.key_message_kib = left;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Key;
    use std::time::Duration;

    #[test]
    fn an_account_is_as_new_when_all_that_was_used_is_there_again() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut account = Account::new(UserId::new("u").unwrap(), PolicerKey::new(0, 0));
        assert!(account.is_as_new(start));
        account.charge_states(2, start).unwrap();
        assert!(!account.is_as_new(at(499)) && account.is_as_new(at(500)));
        account.charge_follow_ups(4, start).unwrap();
        assert!(!account.is_as_new(at(1_999)) && account.is_as_new(at(2_000)));
        account.charge_data(at(2_000)).unwrap();
        assert!(!account.is_as_new(at(2_199)) && account.is_as_new(at(2_200)));
        account.charge_key_message(16 * 1024, at(2_200)).unwrap();
        assert!(!account.is_as_new(at(3_199)) && account.is_as_new(at(3_200)));
    }
}
