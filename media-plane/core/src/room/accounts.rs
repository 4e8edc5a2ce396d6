//! Accounts of a room's users: opened with their first seat, remembered beyond their last.

use super::account::Account;
use super::refusal::Refusal;
use super::table::RoomTable;
use crate::arena::{AccountKey, RoomKey};
use crate::packet_path::policer::Policer;
use crate::packet_path::tables::MediaTables;
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::limits::{BITRATE_HEADROOM_PERCENT, VIDEO_TOTAL_BITRATE, VIDEO_TOTAL_HEADROOM_PERCENT};
use railgun_protocol::signal::Source;
use std::time::Instant;

/// Most users without a session whose accounts a room keeps; beyond that, the oldest account is removed.
const GONE_MAX: usize = 64;

/// The account of a user who takes a seat.
pub(super) fn open(
    rooms: &mut RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    user: &UserId,
    now: Instant,
) -> AccountKey {
    forget(rooms, media, room, now);
    // Camera and screen together have as much more headroom, or less, as each source has.
    let videos = u64::from(VIDEO_TOTAL_BITRATE)
        * u64::from(VIDEO_TOTAL_HEADROOM_PERCENT)
        * u64::from(rooms.bitrate_headroom_percent)
        / u64::from(BITRATE_HEADROOM_PERCENT * 100);
    let mut known = rooms.get(room).into_iter().flat_map(|room| &room.accounts);
    let is_theirs = |key: &&AccountKey| rooms.accounts.live(**key).is_some_and(|it| it.user == *user);
    let key = known.find(is_theirs).copied().unwrap_or_else(|| {
        let policer = media.policers.insert(Policer::new(videos, now));
        let key = rooms.accounts.insert(Account::new(user.clone(), policer));
        if let Some(room) = rooms.get_mut(room) {
            room.accounts.push(key);
        }
        key
    });
    if let Some(account) = rooms.accounts.live_mut(key) {
        account.seats += 1;
    }
    key
}

/// Records that one session of the user left.
pub(super) fn leave(rooms: &mut RoomTable, key: AccountKey) {
    if let Some(account) = rooms.accounts.live_mut(key) {
        account.seats = account.seats.saturating_sub(1);
    }
}

/// Removes an account and the policer that belongs to it.
pub(super) fn remove(rooms: &mut RoomTable, media: &mut MediaTables, key: AccountKey) {
    if let Some(account) = rooms.accounts.remove(key) {
        media.policers.remove(account.policer);
    }
}

/// Forgets users without a seat who lose nothing by it, and the oldest beyond [`GONE_MAX`].
fn forget(rooms: &mut RoomTable, media: &mut MediaTables, key: RoomKey, now: Instant) {
    let Some(room) = rooms.get(key) else { return };
    let accounts = room.accounts.iter().filter_map(|key| Some((*key, rooms.accounts.live(*key)?)));
    let gone = accounts.filter(|(_, account)| account.seats == 0);
    let mut spare = gone.clone().count().saturating_sub(GONE_MAX);
    let is_as_new = |account: &Account| {
        let policer = media.policers.live(account.policer);
        account.is_as_new(now) && policer.is_none_or(|policer| policer.is_as_new(now))
    };
    let mut forgotten = Vec::new();
    for (key, account) in gone {
        if spare > 0 || is_as_new(account) {
            spare = spare.saturating_sub(1);
            forgotten.push(key);
        }
    }
    if let Some(room) = rooms.get_mut(key) {
        room.accounts.retain(|key| !forgotten.contains(key));
        forgotten.iter().for_each(|account| room.keys.forget_user(*account));
    }
    forgotten.into_iter().for_each(|key| remove(rooms, media, key));
}

/// What the session's user has done in the room.
fn of_session(rooms: &mut RoomTable, room: RoomKey, session: SessionId) -> Result<&mut Account, Refusal> {
    let key = rooms.session(room, session)?.account;
    rooms.accounts.live_mut(key).ok_or(Refusal::Internal)
}

/// The session is about to change the room so that each other member's client makes so many requests.
pub(super) fn charge_follow_ups(
    rooms: &mut RoomTable,
    room: RoomKey,
    session: SessionId,
    requests: u32,
    now: Instant,
) -> Result<(), Refusal> {
    of_session(rooms, room, session)?.charge_follow_ups(requests, now)
}

/// The session is about to change what the room shows of it.
pub(super) fn charge_state(
    rooms: &mut RoomTable,
    room: RoomKey,
    session: SessionId,
    now: Instant,
) -> Result<(), Refusal> {
    of_session(rooms, room, session)?.charge_states(1, now)
}

/// The session is about to send a data message.
pub(super) fn charge_data(
    rooms: &mut RoomTable,
    room: RoomKey,
    session: SessionId,
    now: Instant,
) -> Result<(), Refusal> {
    of_session(rooms, room, session)?.charge_data(now)
}

/// The session is about to send a message of key agreement of so many bytes.
pub(super) fn charge_key_message(
    rooms: &mut RoomTable,
    room: RoomKey,
    session: SessionId,
    bytes: usize,
    now: Instant,
) -> Result<(), Refusal> {
    of_session(rooms, room, session)?.charge_key_message(bytes, now)
}

/// Lets a source of a user take what the user's producers of it may take together.
pub(super) fn set_allowed_bitrate(
    rooms: &RoomTable,
    media: &mut MediaTables,
    room: RoomKey,
    account: AccountKey,
    source: Source,
    now: Instant,
) {
    let sessions = rooms.get(room).into_iter().flat_map(|room| &room.sessions);
    let own = sessions.filter(|session| session.account == account);
    let own = own.flat_map(|session| &session.producers).filter_map(|key| media.producers.live(*key));
    let allowed = own.filter(|producer| producer.source == source).map(|producer| producer.allowed);
    let rate = allowed.fold(0, u64::saturating_add);
    let policer = rooms.accounts.live(account).map(|account| account.policer);
    if rate > 0
        && let Some(policer) = policer.and_then(|key| media.policers.live_mut(key))
    {
        policer.set_rate(source, rate, now);
    }
}
