//! Records that etcd holds: what any replica writes, every replica reads.

use super::types::{Record, RecordError, RecordKey};
use super::{Records, Store, StoreError, View, created_on_join};
use crate::config::ChannelsConfig;
use railgun_etcd::{EtcdError, Outcome, PrefixWatch, Txn, TxnOp, Update};
use std::sync::{Arc, RwLock};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a write waits to be seen by its own replica, so that who writes reads it afterwards.
const SEEN_TIMEOUT: Duration = Duration::from_secs(1);

impl From<EtcdError> for StoreError {
    fn from(error: EtcdError) -> Self {
        tracing::warn!(%error, "a record could not be written");
        Self::Unreachable
    }
}

impl Records {
    /// The records below `store`'s prefix, which are followed until the task ends. They are known
    /// once [`Records::is_complete`] says so.
    pub(crate) fn in_etcd(
        config: &ChannelsConfig,
        store: railgun_etcd::Store,
    ) -> (Arc<Self>, JoinHandle<()>) {
        let view = View::new(created_on_join(config), 0);
        let prefix = store.keys().records();
        let watch = store.watch_prefix(prefix.clone());
        let records = Arc::new(Self {
            view: RwLock::new(view),
            changes: watch::Sender::new(0),
            complete: watch::Sender::new(false),
            dm_encryption: config.dm_encryption,
            store: Store::Etcd { store, prefix: prefix.clone() },
        });
        let following = tokio::spawn(follow(records.clone(), watch, prefix));
        (records, following)
    }

    pub(super) async fn write_to_etcd(
        &self,
        store: &railgun_etcd::Store,
        prefix: &str,
        key: &RecordKey,
        record: Option<&Record>,
    ) -> Result<(), StoreError> {
        let path = format!("{prefix}{}", key.path());
        let change = match record {
            Some(record) => TxnOp::put(path, record.to_json(), None),
            None => TxnOp::delete(path, None),
        };
        store.txn_once(Txn::new().and_then([change])).await?;
        self.wait_until_seen(key, record).await;
        Ok(())
    }

    /// False: the key was changed since `revision`; 0: since it was not there.
    pub(super) async fn write_to_etcd_if(
        &self,
        store: &railgun_etcd::Store,
        prefix: &str,
        key: &RecordKey,
        record: &Record,
        revision: u64,
    ) -> Result<bool, StoreError> {
        let path = format!("{prefix}{}", key.path());
        let value = record.to_json();
        let revision = i64::try_from(revision).unwrap_or(i64::MAX);
        let mut outcome = store.put_if(&path, revision, value.as_bytes(), None).await?;
        if let Outcome::Changed(Some(there)) = &outcome
            && Record::from_json(key, &there.value).is_err()
        {
            // Nothing that the view could have taken, so nothing that a write leaves out is lost with it.
            outcome = store.put_if(&path, there.mod_revision, value.as_bytes(), None).await?;
        }
        let is_done = matches!(outcome, Outcome::Done(_));
        if is_done {
            self.wait_until_seen(key, Some(record)).await;
        }
        Ok(is_done)
    }

    async fn wait_until_seen(&self, key: &RecordKey, record: Option<&Record>) {
        let mut changes = self.changes();
        let seen = changes.wait_for(|_| self.view().record(key).as_ref() == record);
        if timeout(SEEN_TIMEOUT, seen).await.is_err() {
            tracing::debug!("a record was written, and its own replica has not seen it yet");
        }
    }
}

async fn follow(records: Arc<Records>, mut watch: PrefixWatch, prefix: String) {
    loop {
        match watch.next().await {
            Update::Put(entry) => match read(&prefix, &entry.key, &entry.value) {
                Ok((key, record)) => {
                    records.apply(key, Some(record), u64::try_from(entry.mod_revision).unwrap_or_default());
                }
                // Somebody wrote past us; what it says cannot be guessed.
                Err(error) => tracing::warn!(%error, "a record in etcd cannot be read"),
            },
            Update::Deleted(key) => {
                if let Some(Ok(key)) = key.strip_prefix(&prefix).map(RecordKey::parse) {
                    // The watch does not say at which; later than what it deleted.
                    let revision = records.view().revision().saturating_add(1);
                    records.apply(key, None, revision);
                }
            }
            Update::Synced(revision) => {
                records.read_at(u64::try_from(revision).unwrap_or_default());
                // Sessions that were taken up without records are judged by them now.
                if !records.complete.send_replace(true) {
                    records.changes.send_modify(|changes| *changes += 1);
                }
            }
            Update::Lost => tracing::debug!("records stay as they were until etcd was read again"),
        }
    }
}

fn read(prefix: &str, key: &str, value: &[u8]) -> Result<(RecordKey, Record), RecordError> {
    let key = RecordKey::parse(key.strip_prefix(prefix).ok_or(RecordError::Key)?)?;
    let record = Record::from_json(&key, value)?;
    Ok((key, record))
}
