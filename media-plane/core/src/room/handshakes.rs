//! Whose DTLS handshake may begin. Places are few, and a member who begins handshakes and never goes on
//! holds one for ten seconds: so each user and each room has a share, and when all are taken, who holds
//! most loses its oldest. One that is under way for less than [`HANDSHAKE_UNDISTURBED`] stays.

use super::refusal;
use crate::allowance::{Allowance, Rate};
use crate::arena::{Arena, RoomKey, SPARE_MIN, TransportKey, UserKey};
use crate::engine::Engine;
use crate::transport::webrtc_transport::WebRtcTransport;
use railgun_shared::ids::UserId;
use railgun_shared::limits::{
    HANDSHAKE_UNDISTURBED, HANDSHAKES_PER_ROOM, HANDSHAKES_PER_USER, TRANSPORT_INTERVAL, TRANSPORTS_BURST,
};
use railgun_shared::signal::ErrorBody;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const TRANSPORTS: Rate = Rate { burst: TRANSPORTS_BURST, interval: TRANSPORT_INTERVAL };
/// Between two looks for users to forget.
const FORGET_INTERVAL: Duration = Duration::from_secs(2);
/// Users without a transport that are remembered; beyond, nobody more is.
const REMEMBERED_MAX: usize = 65_536;

/// How long a transport whose handshake found no place waits before one is sought for it again.
const SEEK_INTERVAL: Duration = Duration::from_millis(100);

/// Who has transports on this worker, or had lately.
#[derive(Debug)]
pub(crate) struct Users {
    entries: Arena<UserKey, User>,
    by_id: HashMap<UserId, UserKey>,
    forget_at: Option<Instant>,
}

/// What one user has of a worker, over all rooms.
#[derive(Debug, Default)]
struct User {
    /// Those that exist.
    transports: usize,
    /// Those of them whose handshake is in progress.
    handshakes: usize,
    /// Transports that may yet be made, first ones and those in place of failed ones.
    makes: Allowance,
}

impl Users {
    pub(crate) fn new() -> Self {
        Self { entries: Arena::new(), by_id: HashMap::new(), forget_at: None }
    }

    fn handshakes_of(&self, key: UserKey) -> usize {
        self.entries.get(key).map_or(0, |user| user.handshakes)
    }

    /// Forgets users who have no transport and lose nothing by it.
    pub(crate) fn forget(&mut self, now: Instant) {
        if self.forget_at.is_some_and(|at| now < at) {
            return;
        }
        self.forget_at = Some(now + FORGET_INTERVAL);
        let Self { entries, by_id, .. } = self;
        let mut spare = by_id.len().saturating_sub(REMEMBERED_MAX);
        by_id.retain(|_, key| {
            let Some(user) = entries.get(*key) else { return false };
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

impl Engine {
    /// The user makes one more transport.
    pub(super) fn charge_transport(&mut self, id: &UserId, now: Instant) -> Result<UserKey, ErrorBody> {
        self.users.forget(now);
        let Users { entries, by_id, .. } = &mut self.users;
        let key = by_id.get(id).copied().unwrap_or_else(|| {
            let key = entries.insert(User::default());
            by_id.insert(id.clone(), key);
            key
        });
        let user = entries.get_mut(key).ok_or_else(refusal::internal)?;
        user.makes.take(TRANSPORTS, 1, now).map_err(refusal::rate_limited)?;
        user.transports += 1;
        Ok(key)
    }

    /// A transport is gone, and with it its handshake.
    pub(super) fn release_transport(&mut self, key: TransportKey, transport: &WebRtcTransport) {
        if transport.is_handshaking {
            self.count_handshake(key, transport.user, transport.room, false);
        }
        if let Some(user) = self.users.entries.get_mut(transport.user) {
            user.transports = user.transports.saturating_sub(1);
        }
    }

    /// Whether a handshake of this transport may begin. For that another may end, whose client begins it
    /// anew if it is still there.
    pub(crate) fn admit_handshake(&mut self, key: TransportKey, now: Instant) -> bool {
        let Some(transport) = self.transports.get(key) else { return false };
        let (user, room) = (transport.user, transport.room);
        let own = self.users.handshakes_of(user);
        let of_room = self.rooms.get(room).map_or(0, |room| room.handshakes);
        let is_admitted = if own >= HANDSHAKES_PER_USER {
            self.make_place(key, now, |it, _| it.user == user)
        } else if of_room >= HANDSHAKES_PER_ROOM {
            self.make_place(key, now, |it, held| it.room == room && held > own)
        } else {
            self.handshakes.len() < self.config.handshakes_max
                || self.make_place(key, now, |_, held| held > own)
        };
        self.counters.refused_handshakes += u64::from(!is_admitted);
        is_admitted
    }

    /// Ends one handshake to which `is_candidate` agrees, knowing how many its user has in progress: of
    /// who has most the oldest. False if there is none.
    fn make_place(
        &mut self,
        asking: TransportKey,
        now: Instant,
        is_candidate: impl Fn(&WebRtcTransport, usize) -> bool,
    ) -> bool {
        let Some(transport) = self.transports.get_mut(asking) else { return false };
        if transport.seek_place_at.is_some_and(|at| now < at) {
            return false;
        }
        transport.seek_place_at = Some(now + SEEK_INTERVAL);
        let Self { handshakes, transports, users, .. } = self;
        let candidates = handshakes.iter().filter_map(|key| {
            let transport = transports.get(*key)?;
            let (since, held) = (transport.handshaking_since?, users.handshakes_of(transport.user));
            let is_disturbed = now.saturating_duration_since(since) >= HANDSHAKE_UNDISTURBED;
            (is_disturbed && is_candidate(transport, held)).then_some((held, Reverse(since), *key))
        });
        let Some((_, _, key)) = candidates.max() else { return false };
        if let Some((_, dtls)) = self.transports.get_mut(key).and_then(|it| it.connect.as_mut()) {
            // Else those who wait would throw each other out without end.
            dtls.abandon(now + HANDSHAKE_UNDISTURBED);
        }
        self.counters.evicted_handshakes += 1;
        self.note_handshake(key, now);
        true
    }

    /// Counts the transport among the handshakes in progress, or no more.
    pub(super) fn note_handshake(&mut self, key: TransportKey, now: Instant) {
        let Some(transport) = self.transports.get_mut(key) else { return };
        let is = transport.connect.as_ref().is_some_and(|(_, dtls)| dtls.is_handshaking());
        if std::mem::replace(&mut transport.is_handshaking, is) == is {
            return;
        }
        // One that begins again is as old as it was.
        transport.handshaking_since.get_or_insert(now);
        let (user, room) = (transport.user, transport.room);
        self.count_handshake(key, user, room, is);
    }

    fn count_handshake(&mut self, key: TransportKey, user: UserKey, room: RoomKey, begins: bool) {
        let step = |count: &mut usize| *count = if begins { *count + 1 } else { count.saturating_sub(1) };
        if let Some(user) = self.users.entries.get_mut(user) {
            step(&mut user.handshakes);
        }
        if let Some(room) = self.rooms.get_mut(room) {
            step(&mut room.handshakes);
        }
        if begins {
            self.handshakes.push(key);
        } else {
            self.handshakes.retain(|other| *other != key);
        }
    }
}
