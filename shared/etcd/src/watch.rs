//! A prefix that is watched for good: read in full, then followed, then read again whenever anything
//! is in doubt. Whoever folds the updates has what etcd has.

use crate::backoff::Backoff;
use crate::error::EtcdError;
use crate::store::{Entry, Store, end_of, within};
use etcd_client::{EventType, WatchOptions, WatchResponse, WatchStream};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

/// Updates that wait for whoever folds them; then etcd waits.
const UPDATES_MAX: usize = 1024;
/// A quiet watch is asked for a sign so often.
const SIGN_INTERVAL: Duration = Duration::from_secs(4);
/// A watch without a sign for so long is one that may have missed something.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// However well the watch seems: its events have been lost before, in etcd itself.
const RECONCILE_INTERVAL: Duration = Duration::from_secs(60);
/// A watch that lasted so long did work, and its end is a new trouble.
const LASTED: Duration = Duration::from_secs(5);
/// Full reads older than one we have that are put down to a member that lags behind; after that,
/// etcd was restored from a backup.
const OLD_READS_MAX: u32 = 8;

/// What changed, in etcd's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// This key has this value now: it was there when the watch began, is new, or was changed.
    Put(Entry),
    /// This key is not there any more.
    Deleted(String),
    /// All that etcd has was told, as it was at this revision: what was not told was not there.
    Synced(i64),
    /// etcd does not answer: until the next [`Self::Synced`], what was told may be old.
    Lost,
}

/// A running watch; ends when it is dropped.
#[derive(Debug)]
pub struct PrefixWatch {
    updates: mpsc::Receiver<Update>,
    task: JoinHandle<()>,
}

impl Store {
    /// Follows everything whose key begins with `prefix`, in a task that ends with what is returned.
    pub fn watch_prefix(&self, prefix: impl Into<String>) -> PrefixWatch {
        PrefixWatch::start(self.clone(), prefix.into())
    }
}

impl PrefixWatch {
    pub(crate) fn start(store: Store, prefix: String) -> Self {
        let (out, updates) = mpsc::channel(UPDATES_MAX);
        let follower = Follower { store, prefix, out, known: BTreeMap::new(), seen: 0, old_reads: 0 };
        Self { updates, task: tokio::spawn(follower.run()) }
    }

    /// The next update. Safe to drop before it is there.
    pub async fn next(&mut self) -> Update {
        match self.updates.recv().await {
            Some(update) => update,
            // The task ends by a panic alone, and then nothing that was told can be relied on.
            None => std::future::pending().await,
        }
    }
}

impl Drop for PrefixWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Follower {
    store: Store,
    prefix: String,
    out: mpsc::Sender<Update>,
    /// Keys that were told, and the revision at which each was last changed.
    known: BTreeMap<String, i64>,
    /// The highest revision that was told.
    seen: i64,
    old_reads: u32,
}

/// Why a watch ended.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("it is time to read everything again")]
    Reconcile,
    #[error(transparent)]
    Etcd(#[from] EtcdError),
    #[error("etcd cancelled the watch: {0}")]
    Cancelled(String),
    #[error("the watch gave no sign for {SILENCE_MAX:?}")]
    Silent,
    #[error("a member of etcd lags behind")]
    Old,
    #[error("nobody listens")]
    Unheard,
}

impl From<mpsc::error::SendError<Update>> for Ended {
    fn from(_: mpsc::error::SendError<Update>) -> Self {
        Self::Unheard
    }
}

impl Follower {
    async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut told_lost = false;
        loop {
            let began = Instant::now();
            let ended = match self.read_all().await {
                Ok(()) => {
                    told_lost = false;
                    self.follow().await
                }
                Err(ended) => ended,
            };
            if began.elapsed() >= LASTED {
                backoff.reset();
            }
            match ended {
                Ended::Unheard => return,
                Ended::Reconcile => continue,
                why if told_lost => tracing::debug!(prefix = self.prefix, %why, "still nothing from etcd"),
                why => {
                    // Whether etcd is away is told by `health`, once for all watches.
                    tracing::debug!(prefix = self.prefix, %why, "a watch of etcd ended");
                    told_lost = true;
                    if self.out.send(Update::Lost).await.is_err() {
                        return;
                    }
                }
            }
            sleep(backoff.pause()).await;
        }
    }

    /// Reads everything, and tells what is different from what was told.
    async fn read_all(&mut self) -> Result<(), Ended> {
        let (entries, revision) = self.store.list(&self.prefix).await?;
        if revision < self.seen {
            self.old_reads += 1;
            if self.old_reads <= OLD_READS_MAX {
                return Err(Ended::Old);
            }
            // Another history: no revision of the former one means anything in it.
            self.known.values_mut().for_each(|revision| *revision = 0);
        }
        self.old_reads = 0;
        self.seen = revision;
        let mut gone = std::mem::take(&mut self.known);
        for entry in entries {
            let before = gone.remove(&entry.key);
            self.known.insert(entry.key.clone(), entry.mod_revision);
            if before.is_none_or(|before| before < entry.mod_revision) {
                self.out.send(Update::Put(entry)).await?;
            }
        }
        for key in gone.into_keys() {
            self.out.send(Update::Deleted(key)).await?;
        }
        self.out.send(Update::Synced(revision)).await?;
        Ok(())
    }

    async fn follow(&mut self) -> Ended {
        let options = WatchOptions::new()
            .with_range(end_of(&self.prefix))
            .with_start_revision(self.seen.saturating_add(1))
            .with_progress_notify();
        let opened = async {
            let mut client = self.store.client().await?;
            within(client.watch(self.prefix.as_bytes(), Some(options))).await
        };
        let mut watch = match opened.await {
            Ok(watch) => watch,
            Err(error) => return error.into(),
        };
        let reconcile = Instant::now() + RECONCILE_INTERVAL.mul_f64(rand::random_range(0.75..1.25));
        match self.listen(&mut watch, reconcile).await {
            Ok(()) => Ended::Reconcile,
            Err(ended) => ended,
        }
    }

    /// Until it is time to read everything again.
    async fn listen(&mut self, watch: &mut WatchStream, reconcile: Instant) -> Result<(), Ended> {
        let mut last_sign = Instant::now();
        let mut ask_at = last_sign + SIGN_INTERVAL;
        loop {
            tokio::select! {
                message = watch.message() => {
                    match message.map_err(EtcdError::from)? {
                        Some(response) => self.told(&response).await?,
                        None => return Err(Ended::Cancelled("the stream ended".into())),
                    }
                    last_sign = Instant::now();
                    ask_at = last_sign + SIGN_INTERVAL;
                }
                () = sleep_until(ask_at) => {
                    if last_sign.elapsed() >= SILENCE_MAX {
                        return Err(Ended::Silent);
                    }
                    watch.request_progress().await.map_err(EtcdError::from)?;
                    ask_at = Instant::now() + SIGN_INTERVAL.min(SILENCE_MAX / 4);
                }
                () = sleep_until(reconcile) => return Ok(()),
                () = self.out.closed() => return Err(Ended::Unheard),
            }
        }
    }

    async fn told(&mut self, response: &WatchResponse) -> Result<(), Ended> {
        if response.canceled() || response.compact_revision() > 0 {
            let reason = format!("{} (compacted: {})", response.cancel_reason(), response.compact_revision());
            return Err(Ended::Cancelled(reason));
        }
        for event in response.events() {
            let Some(entry) = event.kv().and_then(Entry::read) else { continue };
            let newer = self.known.get(&entry.key).is_none_or(|known| *known < entry.mod_revision);
            // Events come in the order of their revisions; whatever does not is an echo.
            if entry.mod_revision < self.seen || !newer {
                continue;
            }
            self.seen = entry.mod_revision;
            match event.event_type() {
                EventType::Put => {
                    self.known.insert(entry.key.clone(), entry.mod_revision);
                    self.out.send(Update::Put(entry)).await?;
                }
                EventType::Delete => {
                    if self.known.remove(&entry.key).is_some() {
                        self.out.send(Update::Deleted(entry.key)).await?;
                    }
                }
            }
        }
        Ok(())
    }
}
