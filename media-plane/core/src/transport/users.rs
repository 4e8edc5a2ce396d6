//! Users who have transports on this worker, or had lately, over all rooms: what is limited by user is
//! counted here, since seats and transports can be made anew.

use crate::allowance::{Allowance, Rate};
use crate::arena::{Arena, SPARE_MIN, UserKey};
use railgun_protocol::ids::UserId;
use railgun_protocol::limits::{TRANSPORT_INTERVAL, TRANSPORTS_BURST};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const TRANSPORTS: Rate = Rate { burst: TRANSPORTS_BURST, interval: TRANSPORT_INTERVAL };
/// Between two looks for users to forget.
const FORGET_INTERVAL: Duration = Duration::from_secs(2);
/// Users without a transport that are remembered; beyond, nobody more is.
const REMEMBERED_MAX: usize = 65_536;

#[derive(Debug)]
pub(crate) struct Users {
    entries: Arena<UserKey, User>,
    by_id: HashMap<UserId, UserKey>,
    forget_at: Option<Instant>,
}

#[derive(Debug)]
struct User {
    id: UserId,
    /// Transports that exist.
    transports: usize,
    /// Transports among them whose handshake is in progress.
    handshakes: usize,
    /// Transports that may yet be made, first ones and those in place of failed ones.
    makes: Allowance,
}

impl Users {
    pub(crate) fn new() -> Self {
        Self { entries: Arena::new(), by_id: HashMap::new(), forget_at: None }
    }

    pub(crate) fn id(&self, key: UserKey) -> Option<&UserId> {
        self.entries.live(key).map(|user| &user.id)
    }

    pub(crate) fn handshakes_of(&self, key: UserKey) -> usize {
        self.entries.live(key).map_or(0, |user| user.handshakes)
    }

    /// The user makes one more transport; refused with the time after which one more is allowed.
    pub(crate) fn charge_transport(&mut self, id: &UserId, now: Instant) -> Result<UserKey, Duration> {
        self.forget(now);
        let Self { entries, by_id, .. } = self;
        let key = by_id.get(id).copied().unwrap_or_else(|| {
            let makes = Allowance::default();
            let key = entries.insert(User { id: id.clone(), transports: 0, handshakes: 0, makes });
            by_id.insert(id.clone(), key);
            key
        });
        if let Some(user) = entries.live_mut(key) {
            user.makes.take(TRANSPORTS, 1, now)?;
            user.transports += 1;
        }
        Ok(key)
    }

    /// Counts one transport of the user less.
    pub(super) fn release_transport(&mut self, key: UserKey) {
        if let Some(user) = self.entries.live_mut(key) {
            user.transports = user.transports.saturating_sub(1);
        }
    }

    /// A handshake of the user's begins, or is over.
    pub(super) fn count_handshake(&mut self, key: UserKey, begins: bool) {
        if let Some(user) = self.entries.live_mut(key) {
            user.handshakes = if begins { user.handshakes + 1 } else { user.handshakes.saturating_sub(1) };
        }
    }

    /// Forgets users who have no transport and whose allowance is whole.
    pub(crate) fn forget(&mut self, now: Instant) {
        if self.forget_at.is_some_and(|at| now < at) {
            return;
        }
        self.forget_at = Some(now + FORGET_INTERVAL);
        let Self { entries, by_id, .. } = self;
        let mut spare = by_id.len().saturating_sub(REMEMBERED_MAX);
        by_id.retain(|_, key| {
            let Some(user) = entries.live(*key) else { return false };
            let is_forgotten = user.transports == 0 && (spare > 0 || user.makes.is_whole(now));
            if is_forgotten {
                spare = spare.saturating_sub(1);
                entries.remove(*key);
            }
            !is_forgotten
        });
        if by_id.capacity() > 2 * SPARE_MIN && by_id.len() < by_id.capacity() / 8 {
            by_id.shrink_to(SPARE_MIN);
        }
    }
}
