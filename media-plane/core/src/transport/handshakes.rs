//! Which DTLS handshakes may be in progress. A member who begins handshakes and never goes on holds one
//! for ten seconds: so each user and each room has a share of the worker's places, and when all are taken,
//! the user who holds most loses its oldest. A handshake in progress for less than
//! [`HANDSHAKE_UNDISTURBED`] is never ended for another.

use super::table::TransportTable;
use super::webrtc_transport::WebRtcTransport;
use crate::arena::{TransportKey, UserKey};
use crate::output::Counters;
use railgun_protocol::limits::{HANDSHAKE_UNDISTURBED, HANDSHAKES_PER_ROOM, HANDSHAKES_PER_USER};
use std::cmp::Reverse;
use std::time::{Duration, Instant};

/// A transport whose handshake found no place waits so long before one is sought for it again.
const SEEK_INTERVAL: Duration = Duration::from_millis(100);

/// Whether a handshake of this transport may begin. For that another may end, whose client begins it
/// anew if it is still there.
pub(super) fn admit(
    transports: &mut TransportTable,
    counters: &mut Counters,
    key: TransportKey,
    now: Instant,
) -> bool {
    let Some(transport) = transports.get(key) else { return false };
    let (user, room) = (transport.user, transport.room);
    let own = transports.users.handshakes_of(user);
    let is_in_room = |key: &&TransportKey| transports.live(**key).is_some_and(|it| it.room == room);
    let of_room = transports.handshakes.iter().filter(is_in_room).count();
    let is_admitted = if own >= HANDSHAKES_PER_USER {
        make_place(transports, counters, key, now, |it, _| it.user == user)
    } else if of_room >= HANDSHAKES_PER_ROOM {
        make_place(transports, counters, key, now, |it, held| it.room == room && held > own)
    } else {
        transports.handshakes.len() < transports.config.handshakes_max
            || make_place(transports, counters, key, now, |_, held| held > own)
    };
    counters.refused_handshakes += u64::from(!is_admitted);
    is_admitted
}

/// Ends one handshake to which `is_candidate` agrees, given how many its user has in progress: the oldest
/// of the user who has most. False if there is none.
fn make_place(
    transports: &mut TransportTable,
    counters: &mut Counters,
    asking: TransportKey,
    now: Instant,
    is_candidate: impl Fn(&WebRtcTransport, usize) -> bool,
) -> bool {
    let Some(transport) = transports.get_mut(asking) else { return false };
    if transport.seek_place_at.is_some_and(|at| now < at) {
        return false;
    }
    transport.seek_place_at = Some(now + SEEK_INTERVAL);
    let candidates = transports.handshakes.iter().filter_map(|key| {
        let transport = transports.live(*key)?;
        let (since, held) = (transport.handshaking_since?, transports.users.handshakes_of(transport.user));
        let is_disturbed = now.saturating_duration_since(since) >= HANDSHAKE_UNDISTURBED;
        (is_disturbed && is_candidate(transport, held)).then_some((held, Reverse(since), *key))
    });
    let Some((_, _, key)) = candidates.max() else { return false };
    if let Some((_, dtls)) = transports.live_mut(key).and_then(|it| it.connect.as_mut()) {
        // It waits as long itself: else those without a place would end each other's without end.
        dtls.abandon(now + HANDSHAKE_UNDISTURBED);
    }
    counters.evicted_handshakes += 1;
    update(transports, key, now);
    true
}

/// Counts the transport among the handshakes in progress, or no more.
pub(super) fn update(transports: &mut TransportTable, key: TransportKey, now: Instant) {
    let Some(transport) = transports.get_mut(key) else { return };
    let is = transport.connect.as_ref().is_some_and(|(_, dtls)| dtls.is_handshaking());
    if std::mem::replace(&mut transport.is_handshaking, is) == is {
        return;
    }
    // One that begins again keeps its age.
    transport.handshaking_since.get_or_insert(now);
    let user = transport.user;
    count(transports, key, user, is);
}

/// A transport is gone, and with it its handshake.
pub(super) fn release(transports: &mut TransportTable, key: TransportKey, transport: &WebRtcTransport) {
    if transport.is_handshaking {
        count(transports, key, transport.user, false);
    }
    transports.users.release_transport(transport.user);
}

fn count(transports: &mut TransportTable, key: TransportKey, user: UserKey, begins: bool) {
    transports.users.count_handshake(user, begins);
    if begins {
        transports.handshakes.push(key);
    } else {
        transports.handshakes.retain(|other| *other != key);
    }
}
