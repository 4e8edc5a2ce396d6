//! A user's places as replicas share them: five keys, each taken by a transaction, under a lease that
//! goes when its replica does. Whose place is given to another socket is told by a key below the
//! prefix of its replica. Sessions and devices are there as marks: equal or not, and nothing else.
//!
//! While etcd does not answer, a replica counts its own sessions alone, and enters them afterwards. No
//! session that exists is ever ended for the count.

use super::table::{Held, SESSIONS_MAX, Table, instead_of};
use crate::clock::unix_millis;
use crate::clock_watch::Replica;
use crate::ending::EndReason;
use futures::future::join_all;
use railgun_etcd::{
    Compare, CompareOp, Entry, EtcdError, LeaseId, Outcome, PutOptions, SharedLeases, Store, Txn, TxnOp,
    Update,
};
use railgun_protocol::directory::{decode, encode};
use railgun_protocol::ids::{BootId, SessionId, UserId};
use railgun_protocol::limits::SESSIONS_PER_USER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

/// A replica that died frees its places before the windows of its sessions are over.
const LEASE_TTL: Duration = Duration::from_secs(10);
const RENEWAL: Duration = Duration::from_secs(3);
/// A socket waits no longer for its place; then this replica's own count has to do.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(1);
/// Milliseconds after that in which no socket asks etcd, so that not each of them waits for the timeout.
const REST: u64 = 2000;
/// How long a replica may hear that a place of its was given away.
const NOTICE_TTL: Duration = Duration::from_secs(15);
/// At the same place, of sockets that come at the same moment.
const TRIES: usize = 8;
/// Places that are entered or freed at the same time.
const AT_ONCE: usize = 32;

/// Who has a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Slot {
    replica: BootId,
    id: Mark,
    session: Mark,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<Mark>,
}

/// The first half of a SHA-256 digest, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark(String);

impl Mark {
    fn of(id: &impl ToString) -> Self {
        let digest = Sha256::digest(id.to_string());
        Self(hex::encode(digest.get(..16).unwrap_or_default()))
    }
}

/// To a replica: somebody else has this place now.
#[derive(Debug, Serialize, Deserialize)]
struct Notice {
    user: UserId,
    id: Mark,
    is_taken_up: bool,
}

#[derive(Debug)]
pub(super) struct Slots {
    store: Store,
    /// Leases of notices.
    leases: SharedLeases,
    /// This run of this replica.
    replica: Replica,
    lease: tokio::sync::Mutex<Lease>,
    /// Unix milliseconds.
    rests_until: AtomicU64,
    /// Sessions that are over and may still have a place.
    over: Mutex<Vec<(UserId, SessionId)>>,
    wake: Notify,
}

#[derive(Debug)]
struct Lease {
    /// 0: none yet, or no more.
    id: LeaseId,
    renewed: Instant,
}

impl Slots {
    pub(super) fn new(store: Store, leases: SharedLeases, replica: Replica) -> Self {
        Self {
            store,
            leases,
            replica,
            lease: tokio::sync::Mutex::new(Lease { id: 0, renewed: Instant::now() }),
            rests_until: AtomicU64::new(0),
            over: Mutex::default(),
            wake: Notify::new(),
        }
    }

    /// Under which lease it has a place; 0: etcd did not say. None: all are taken.
    pub(super) async fn claim(&self, user: &UserId, held: &Held) -> Option<LeaseId> {
        let now = unix_millis(SystemTime::now());
        if now < self.rests_until.load(Ordering::Relaxed) {
            return Some(0);
        }
        match timeout(CLAIM_TIMEOUT, self.try_claim(user, held, true)).await {
            Ok(Ok(claimed)) => return claimed,
            Ok(Err(error)) => tracing::debug!(%error, "sessions are counted by this replica alone"),
            Err(_) => tracing::debug!("etcd is slow: sessions are counted by this replica alone"),
        }
        self.rests_until.store(now.saturating_add(REST), Ordering::Relaxed);
        Some(0)
    }

    /// `may_take`: also the place of one that is over anyway.
    async fn try_claim(
        &self,
        user: &UserId,
        held: &Held,
        may_take: bool,
    ) -> Result<Option<LeaseId>, EtcdError> {
        let lease = self.lease().await?;
        let (id, session) = (Mark::of(&held.id), Mark::of(&held.session));
        let device = held.device.as_ref().map(Mark::of);
        let own = Slot { replica: self.replica.id, id, session, device };
        let slot = encode(&own);
        for _ in 0..TRIES {
            let places = self.read(user).await?;
            let had = places.iter().find(|place| place.slot().is_some_and(|slot| slot.id == own.id));
            let free = places.iter().filter(|place| place.entry.is_none());
            for Place { key, entry } in had.into_iter().chain(free) {
                let revision = entry.as_ref().map_or(0, |entry| entry.mod_revision);
                if let Outcome::Done(_) = self.store.put_if(key, revision, &slot, Some(lease)).await? {
                    return Ok(Some(lease));
                }
            }
            let there: Vec<_> = places.iter().filter_map(|place| Some((place, place.slot()?))).collect();
            let sessions = there.iter().map(|(_, slot)| (&slot.session, slot.device.as_ref()));
            let instead = instead_of(&own.session, own.device.as_ref(), sessions);
            let Some((number, end)) = instead.filter(|_| may_take) else {
                return Ok(None);
            };
            let Some((place, victim)) = there.get(number) else { return Ok(None) };
            if self.take(user, place, victim, end, &slot, lease).await? {
                return Ok(Some(lease));
            }
        }
        Ok(None)
    }

    /// Gives a place to another, if it is still the victim's, and tells the victim's replica.
    async fn take(
        &self,
        user: &UserId,
        Place { key, entry }: &Place,
        victim: &Slot,
        end: EndReason,
        slot: &[u8],
        lease: LeaseId,
    ) -> Result<bool, EtcdError> {
        let revision = entry.as_ref().map_or(0, |entry| entry.mod_revision);
        let notice =
            Notice { user: user.clone(), id: victim.id.clone(), is_taken_up: end == EndReason::Lost };
        let told = format!("{}{}", self.store.keys().notices(victim.replica), victim.id.0);
        let under = |lease| Some(PutOptions::new().with_lease(lease));
        let of_notice = self.leases.lasting(NOTICE_TTL).await?;
        let change = [
            TxnOp::put(key.as_str(), slot, under(lease)),
            TxnOp::put(told, encode(&notice), under(of_notice)),
        ];
        let unchanged = [Compare::mod_revision(key.as_str(), CompareOp::Equal, revision)];
        let taken = self.store.txn(Txn::new().when(unchanged).and_then(change)).await;
        if let Err(EtcdError::LeaseGone) = &taken {
            self.leases.forget(of_notice).await;
        }
        Ok(taken?.succeeded())
    }

    /// The places of a user, in one read.
    async fn read(&self, user: &UserId) -> Result<Vec<Place>, EtcdError> {
        // Each by its name: a prefix could be that of another user's as well.
        let keys: Vec<String> =
            (0..SESSIONS_PER_USER).map(|at| self.store.keys().session(user, at)).collect();
        let gets: Vec<TxnOp> = keys.iter().map(|key| TxnOp::get(key.as_str(), None)).collect();
        let found = self.store.txn(Txn::new().and_then(gets)).await?.op_responses();
        let entries = found.iter().map(Entry::of);
        Ok(keys.into_iter().zip(entries).map(|(key, entry)| Place { key, entry }).collect())
    }

    /// The session is over: its place is freed as soon as etcd can be asked.
    pub(super) fn release_soon(&self, user: UserId, id: SessionId) {
        let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        if over.len() < SESSIONS_MAX {
            over.push((user, id));
        }
        self.wake.notify_one();
    }

    async fn release(&self, user: &UserId, id: SessionId) -> Result<(), EtcdError> {
        let id = Mark::of(&id);
        for Place { key, entry } in self.read(user).await? {
            if let Some(entry) = entry
                && decode::<Slot>(&entry.value).is_some_and(|slot| slot.id == id)
            {
                self.store.delete_if(&key, entry.mod_revision).await?;
            }
        }
        Ok(())
    }

    async fn release_over(&self) {
        let over = std::mem::take(&mut *self.over.lock().unwrap_or_else(PoisonError::into_inner));
        let mut chunks = over.chunks(AT_ONCE);
        while let Some(chunk) = chunks.next() {
            let released = join_all(chunk.iter().map(|(user, id)| self.release(user, *id))).await;
            if let Some(Err(error)) = released.into_iter().find(Result::is_err) {
                tracing::debug!(%error, "places could not be freed yet");
                // To free one again that is free does no harm.
                let mut over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
                [chunk].into_iter().chain(chunks).for_each(|left| over.extend_from_slice(left));
                return;
            }
        }
    }

    async fn lease(&self) -> Result<LeaseId, EtcdError> {
        let mut lease = self.lease.lock().await;
        if lease.id == 0 {
            *lease = Lease { id: self.store.grant(LEASE_TTL).await?, renewed: Instant::now() };
        }
        Ok(lease.id)
    }

    /// Renews the lease, or gets another. What is under one that is given up goes with it.
    async fn renew(&self) -> Result<LeaseId, EtcdError> {
        let mut lease = self.lease.lock().await;
        let is_crowded = self.over.lock().unwrap_or_else(PoisonError::into_inner).len() >= SESSIONS_MAX;
        if lease.id != 0 && !is_crowded {
            match self.store.keep_alive(lease.id).await {
                Ok(()) => {
                    lease.renewed = Instant::now();
                    return Ok(lease.id);
                }
                Err(EtcdError::LeaseGone) => {}
                Err(error) if lease.renewed.elapsed() < LEASE_TTL => return Err(error),
                Err(_) => {}
            }
        }
        lease.id = 0;
        self.over.lock().unwrap_or_else(PoisonError::into_inner).clear();
        drop(lease);
        self.lease().await
    }

    /// Frees all places of this replica.
    pub(super) async fn give_up(&self) {
        let lease = std::mem::take(&mut self.lease.lock().await.id);
        if lease != 0 && self.store.revoke(lease).await.is_err() {
            tracing::debug!("the places of this replica's sessions are freed when their lease ends");
        }
    }
}

/// One of a user's places.
struct Place {
    key: String,
    /// None: it is free.
    entry: Option<Entry>,
}

impl Place {
    fn slot(&self) -> Option<Slot> {
        decode(&self.entry.as_ref()?.value)
    }
}

impl Table {
    pub(super) fn find(&self, user: &UserId, id: SessionId) -> Option<Held> {
        self.by_user().get(user)?.iter().find(|held| held.id == id).cloned()
    }

    pub(super) fn is_under(&self, user: &UserId, id: SessionId, lease: LeaseId) {
        let mut by_user = self.by_user();
        let held = by_user.get_mut(user).and_then(|of_user| of_user.iter_mut().find(|held| held.id == id));
        if let Some(held) = held {
            held.lease = Some(lease);
        }
    }

    /// Enters the sessions that are not in etcd under this lease.
    async fn enter(&self, slots: &Slots, lease: LeaseId) {
        let is_missing = |held: &&Held| held.lease.is_some_and(|under| under != lease);
        let of_user = |(user, held): (&UserId, &Vec<Held>)| {
            held.iter().filter(is_missing).map(|held| (user.clone(), held.clone())).collect::<Vec<_>>()
        };
        let missing: Vec<(UserId, Held)> = self.by_user().iter().flat_map(of_user).collect();
        for missing in missing.chunks(AT_ONCE) {
            let claims = missing.iter().map(|(user, held)| slots.try_claim(user, held, false));
            for ((user, held), claimed) in missing.iter().zip(join_all(claims).await) {
                match claimed {
                    Ok(Some(lease)) => self.is_under(user, held.id, lease),
                    // It was let in while nobody could count, and stays.
                    Ok(None) => {}
                    Err(error) => return tracing::debug!(%error, "sessions could not be entered yet"),
                }
            }
        }
    }

    fn evict(&self, Notice { user, id, is_taken_up }: &Notice) {
        if let Some(held) = self.remove_if(user, |held| Mark::of(&held.id) == *id) {
            held.ending.set(if *is_taken_up { EndReason::Lost } else { EndReason::Replaced });
        }
    }
}

/// Keeps the places of this replica's sessions, until it is aborted.
pub(super) async fn keep(table: Arc<Table>, slots: Arc<Slots>) {
    let mut notices = slots.store.watch_prefix(slots.store.keys().notices(slots.replica.id));
    let mut renewal = interval(RENEWAL);
    renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            update = notices.next() => {
                if let Update::Put(entry) = update
                    && let Some(notice) = decode(&entry.value)
                {
                    table.evict(&notice);
                }
            }
            () = slots.wake.notified() => slots.release_over().await,
            _ = renewal.tick() => match slots.renew().await {
                Ok(lease) => {
                    if let Err(error) = slots.replica.stamp(&slots.store, lease).await {
                        tracing::debug!(%error, "this replica's record was not written");
                    }
                    slots.release_over().await;
                    table.enter(&slots, lease).await;
                }
                Err(error) => tracing::debug!(%error, "the lease of the sessions was not renewed"),
            },
        }
    }
}

#[cfg(test)]
mod tests;
