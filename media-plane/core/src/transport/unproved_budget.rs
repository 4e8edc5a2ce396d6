//! What a user's addresses may get and do before they are proved. It is counted by user, since
//! seats and transports can be made anew.

use crate::transport::address_change::GUESSES_MAX;
use railgun_protocol::ids::UserId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Seconds of speech a [`PERIOD`].
const SLICES_MAX: u8 = 10;
const PERIOD: Duration = Duration::from_secs(60);
/// For how long wrong guesses at a proof count after the last of them.
const GUESSES_FOR: Duration = Duration::from_hours(24);
/// Users that are counted at once. Others get no speech at an unproved address, and no guess.
const USERS_MAX: usize = 8_192;

#[derive(Debug, Default)]
pub(crate) struct UnprovedBudgets {
    by_user: HashMap<UserId, Budget>,
    swept_at: Option<Instant>,
}

#[derive(Debug)]
struct Budget {
    slices: u8,
    slices_end: Instant,
    guesses: u8,
    guesses_end: Instant,
}

impl Budget {
    fn renew(&mut self, now: Instant) {
        if self.slices_end <= now {
            self.slices = 0;
            self.slices_end = now + PERIOD;
        }
        if self.guesses_end <= now {
            self.guesses = 0;
        }
    }
}

impl UnprovedBudgets {
    /// A second of speech for one of the user's addresses; false if there were ten in this minute.
    pub(crate) fn take_slice(&mut self, user: &UserId, now: Instant) -> bool {
        let Some(budget) = self.budget(user, now) else { return false };
        let is_left = budget.slices < SLICES_MAX;
        budget.slices += u8::from(is_left);
        is_left
    }

    /// Returns a slice of which nothing was used.
    pub(crate) fn give_slice_back(&mut self, user: &UserId, now: Instant) {
        if let Some(budget) = self.by_user.get_mut(user).filter(|budget| budget.slices_end > now) {
            budget.slices = budget.slices.saturating_sub(1);
        }
    }

    /// Counts a wrong guess at one of the user's addresses; true if that was one too many.
    pub(crate) fn on_guess(&mut self, user: &UserId, now: Instant) -> bool {
        let Some(budget) = self.budget(user, now) else { return true };
        budget.guesses = budget.guesses.saturating_add(1);
        budget.guesses_end = now + GUESSES_FOR;
        budget.guesses >= GUESSES_MAX
    }

    /// No address of this user's is tried for now.
    pub(crate) fn is_out_of_guesses(&self, user: &UserId, now: Instant) -> bool {
        self.by_user.get(user).is_some_and(|it| it.guesses >= GUESSES_MAX && now < it.guesses_end)
    }

    fn budget(&mut self, user: &UserId, now: Instant) -> Option<&mut Budget> {
        if !self.by_user.contains_key(user) {
            self.sweep(now);
            if self.by_user.len() >= USERS_MAX {
                return None;
            }
            let budget = Budget { slices: 0, slices_end: now + PERIOD, guesses: 0, guesses_end: now };
            self.by_user.insert(user.clone(), budget);
        }
        let budget = self.by_user.get_mut(user)?;
        budget.renew(now);
        Some(budget)
    }

    /// Forgets whose periods are over, once a second at most.
    fn sweep(&mut self, now: Instant) {
        let is_soon = |at| now.saturating_duration_since(at) < Duration::from_secs(1);
        if self.swept_at.is_some_and(is_soon) {
            return;
        }
        self.swept_at = Some(now);
        self.by_user.retain(|_, budget| budget.slices_end > now || budget.guesses_end > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(n: usize) -> UserId {
        UserId::new(format!("user-{n}")).unwrap()
    }

    #[test]
    fn a_user_has_ten_seconds_of_speech_a_minute() {
        let (mut budgets, start) = (UnprovedBudgets::default(), Instant::now());
        let taken = |budgets: &mut UnprovedBudgets, user: &UserId, at: Instant| {
            (0..100).filter(|_| budgets.take_slice(user, at)).count()
        };
        assert_eq!(taken(&mut budgets, &user(1), start), 10);
        assert_eq!(taken(&mut budgets, &user(2), start), 10);
        assert_eq!(taken(&mut budgets, &user(1), start + Duration::from_secs(59)), 0);
        budgets.give_slice_back(&user(1), start + Duration::from_secs(59));
        assert_eq!(taken(&mut budgets, &user(1), start + Duration::from_secs(59)), 1);
        assert_eq!(taken(&mut budgets, &user(1), start + PERIOD), 10);
    }

    #[test]
    fn eight_guesses_are_remembered_for_a_day_after_the_last() {
        const DAY: Duration = Duration::from_hours(24);
        let (mut budgets, start) = (UnprovedBudgets::default(), Instant::now());
        let guesses: Vec<bool> = (0..9).map(|_| budgets.on_guess(&user(1), start)).collect();
        assert_eq!(guesses, [[false; 7].as_slice(), &[true; 2]].concat());
        let later = start + DAY - Duration::from_secs(1);
        assert!(budgets.is_out_of_guesses(&user(1), later));
        assert!(!budgets.is_out_of_guesses(&user(2), later));
        assert!(!budgets.is_out_of_guesses(&user(1), start + DAY));
        assert!(!budgets.on_guess(&user(1), start + DAY));
    }

    #[test]
    fn who_finds_no_room_gets_nothing_and_nobody_is_forgotten_for_it() {
        let (mut budgets, start) = (UnprovedBudgets::default(), Instant::now());
        (0..USERS_MAX).for_each(|n| assert!(budgets.take_slice(&user(n), start)));
        assert!(!budgets.take_slice(&user(USERS_MAX), start));
        assert!(budgets.on_guess(&user(USERS_MAX), start));
        (0..9).for_each(|_| assert!(budgets.take_slice(&user(0), start)));
        assert!(!budgets.take_slice(&user(0), start));
        let later = start + PERIOD;
        assert!(budgets.take_slice(&user(USERS_MAX), later), "their minute is over");
        assert_eq!(budgets.by_user.len(), 1);
    }
}
