//! The operators' records: channels, bans, entitlements, revocations and avatars. Decisions read the view in
//! memory and never wait; writes go to the store, and come back into the view of every replica.

#[cfg(feature = "etcd")]
mod in_etcd;
// In memory, nothing is written to be read again.
#[cfg_attr(not(feature = "etcd"), allow(dead_code))]
mod types;
mod view;

pub(crate) use types::{
    AvatarRecord, BanRecord, BanScope, ChannelKind, ChannelRecord, EncryptionName, EntitlementRecord,
    MEMBERS_MAX, Name, REASON_CHARS_MAX, Record, RecordKey, RevocationRecord, TierName, seconds_if_any,
};
pub(crate) use view::View;

use crate::clock::unix_millis;
use crate::config::ChannelsConfig;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::signal::Encryption;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;
use tokio::sync::watch;

/// Records that are kept in memory when there is no other store.
const RECORDS_MAX: usize = 100_000;

/// Why a record was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("there are {RECORDS_MAX} records, and no room for another")]
    Full,
    #[cfg(feature = "etcd")]
    #[error("the store of records cannot be reached")]
    Unreachable,
}

#[derive(Debug)]
pub(crate) struct Records {
    view: RwLock<View>,
    /// Counts the changes of the view.
    changes: watch::Sender<u64>,
    /// Whether the view has held everything that the store has.
    complete: watch::Sender<bool>,
    /// How a DM is encrypted that is created without a word of it.
    pub(crate) dm_encryption: Encryption,
    store: Store,
}

/// Where records live.
#[derive(Debug)]
enum Store {
    /// In the view itself: one replica, and nothing outlives it.
    Memory,
    #[cfg(feature = "etcd")]
    Etcd { store: railgun_etcd::Store, prefix: String },
}

/// What joining makes of a channel that nobody created.
fn created_on_join(config: &ChannelsConfig) -> Option<ChannelRecord> {
    let record =
        ChannelRecord { encryption: config.default_encryption, ..ChannelRecord::open(config.default_tier) };
    config.create_on_join.then_some(record)
}

impl Records {
    pub(crate) fn in_memory(config: &ChannelsConfig) -> Self {
        // Of a later run, a higher one: the node may outlive this process.
        let started = unix_millis(SystemTime::now());
        let mut view = View::new(created_on_join(config), started);
        for (channel, tier) in &config.preset {
            let record = Record::Channel(ChannelRecord::open(*tier));
            view.put(RecordKey::Channel(channel.clone()), record, started);
        }
        Self {
            view: RwLock::new(view),
            changes: watch::Sender::new(0),
            complete: watch::Sender::new(true),
            dm_encryption: config.dm_encryption,
            store: Store::Memory,
        }
    }

    /// To read one decision's worth of records. Not to be held over an await.
    pub(crate) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Moves whenever a record changed, so that sessions look again at what concerns them.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Whether everything that was ever written is known; nobody may join before it is.
    pub(crate) fn is_complete(&self) -> bool {
        *self.complete.borrow()
    }

    /// Writes a record, or deletes it. Writing what already is so succeeds and changes nothing.
    pub(crate) async fn write(&self, key: RecordKey, record: Option<Record>) -> Result<(), StoreError> {
        match &self.store {
            Store::Memory => {
                if record.is_some() && self.view().len() >= RECORDS_MAX {
                    return Err(StoreError::Full);
                }
                let revision = self.view().revision().saturating_add(1).max(unix_millis(SystemTime::now()));
                self.apply(key, record, revision);
                Ok(())
            }
            #[cfg(feature = "etcd")]
            Store::Etcd { store, prefix } => self.write_to_etcd(store, prefix, &key, record.as_ref()).await,
        }
    }

    /// Writes a channel if it is as it was at `revision` ([`View::channel_revision`]). False: somebody else was
    /// first, whose change is in the view, or on its way there.
    pub(crate) async fn write_channel(
        &self,
        channel: &ChannelId,
        revision: u64,
        record: ChannelRecord,
    ) -> Result<bool, StoreError> {
        let (key, record) = (RecordKey::Channel(channel.clone()), Record::Channel(record));
        match &self.store {
            Store::Memory => {
                let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
                if view.channel_revision(channel) != revision {
                    return Ok(false);
                }
                if view.len() >= RECORDS_MAX {
                    return Err(StoreError::Full);
                }
                let revision = view.revision().saturating_add(1).max(unix_millis(SystemTime::now()));
                view.put(key, record, revision);
                drop(view);
                self.changes.send_modify(|changes| *changes += 1);
                Ok(true)
            }
            #[cfg(feature = "etcd")]
            Store::Etcd { store, prefix } => {
                self.write_to_etcd_if(store, prefix, &key, &record, revision).await
            }
        }
    }

    /// The view has what the store had at `revision`, and nothing else.
    #[cfg(feature = "etcd")]
    fn read_at(&self, revision: u64) {
        self.view.write().unwrap_or_else(PoisonError::into_inner).read_at(revision);
    }

    /// Takes a change of the store into the view. `revision` rises from each change to the next.
    pub(crate) fn apply(&self, key: RecordKey, record: Option<Record>, revision: u64) {
        let mut view = self.view.write().unwrap_or_else(PoisonError::into_inner);
        match record {
            Some(record) => view.put(key, record, revision),
            None => view.delete(&key, revision),
        }
        drop(view);
        self.changes.send_modify(|changes| *changes += 1);
    }
}
