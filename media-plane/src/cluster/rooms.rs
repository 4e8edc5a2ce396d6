//! Which rooms are this node's own: the keys in etcd, and the rooms in the engine, brought together.
//!
//! A room is closed here only if etcd says that it is somewhere else. If its key just vanished, the
//! node still answers for its people, so it binds the room anew and its people notice nothing.

use super::held::{Held, Me};
use crate::fence::Fence;
use crate::rpc::{Ask, Input, RoomCheck};
use railgun_etcd::{Backoff, Entry, EtcdError, LeaseId, Outcome, PrefixWatch, Store, Update};
use railgun_protocol::directory::{RoomRecord, decode, encode};
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::Address;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;
use tracing::warn;

/// Rooms that are looked up at the same time.
const LOOKUPS_MAX: usize = 32;
/// Between two tries to delete a key.
const DELETE_RETRY: Duration = Duration::from_secs(1);

pub(super) struct Bindings {
    desk: Desk,
    asks: mpsc::Receiver<Ask>,
    held: watch::Receiver<Held>,
    watch: PrefixWatch,
    /// Rooms bound to us, as the watch has it.
    bound: HashMap<ChannelId, u64>,
    /// Bindings among them that had no room here when everything was last read.
    unused: HashSet<Address>,
    /// Closed rooms whose keys are being deleted, or wait to be.
    closing: HashMap<ChannelId, u64>,
    /// Who asked for a room that is closing; the switchboard bounds their number.
    waiting: HashMap<ChannelId, Vec<Address>>,
    deleted_out: mpsc::Sender<(Address, bool)>,
    deleted: mpsc::Receiver<(Address, bool)>,
    /// Under which lease rooms are being looked up.
    adoption: Option<(LeaseId, JoinHandle<()>)>,
}

/// What short tasks work with.
#[derive(Clone)]
struct Desk {
    store: Store,
    me: Me,
    fence: Arc<Fence>,
    switchboard: mpsc::Sender<Input>,
}

impl Bindings {
    pub(super) fn new(
        store: Store,
        me: Me,
        fence: Arc<Fence>,
        switchboard: mpsc::Sender<Input>,
        asks: mpsc::Receiver<Ask>,
        held: watch::Receiver<Held>,
    ) -> Self {
        let watch = store.watch_prefix(store.keys().rooms());
        let (deleted_out, deleted) = mpsc::channel(LOOKUPS_MAX);
        Self {
            desk: Desk { store, me, fence, switchboard },
            asks,
            held,
            watch,
            bound: HashMap::new(),
            unused: HashSet::new(),
            closing: HashMap::new(),
            waiting: HashMap::new(),
            deleted_out,
            deleted,
            adoption: None,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                ask = self.asks.recv() => match ask {
                    Some(Ask::Verify(address)) => self.verify(address),
                    Some(Ask::Released(address)) => self.close(address),
                    None => return,
                },
                changed = self.held.changed() => match changed {
                    Ok(()) => self.adopt(),
                    Err(_) => return,
                },
                Some((address, done)) = self.deleted.recv() => self.was_deleted(address, done).await,
                update = self.watch.next() => self.told(update).await,
            }
        }
    }

    fn verify(&mut self, address: Address) {
        if self.closing.get(&address.channel).is_some_and(|epoch| *epoch >= address.epoch) {
            // Answer after the delete: the caller would otherwise read the key we are deleting and retry with it.
            return self.waiting.entry(address.channel.clone()).or_default().push(address);
        }
        let desk = self.desk.clone();
        tokio::spawn(async move {
            let verdict = desk.verdict(&address).await;
            desk.tell(Input::Verified { address, verdict }).await;
        });
    }

    /// Deletes the key of a room that is gone, if it is still that room's.
    fn close(&mut self, address: Address) {
        let earlier = self.closing.insert(address.channel.clone(), address.epoch);
        if earlier.is_none_or(|earlier| earlier < address.epoch) {
            self.delete(address, Duration::ZERO);
        }
    }

    fn delete(&self, address: Address, after: Duration) {
        let (store, deleted) = (self.desk.store.clone(), self.deleted_out.clone());
        tokio::spawn(async move {
            sleep(after).await;
            let key = store.keys().room(&address.channel);
            let epoch = i64::try_from(address.epoch).unwrap_or(i64::MAX);
            let done = store.delete_created(&key, epoch).await.is_ok();
            _ = deleted.send((address, done)).await;
        });
    }

    async fn was_deleted(&mut self, address: Address, done: bool) {
        let verdict = if done { RoomCheck::Moved } else { RoomCheck::Unknown };
        for address in self.waiting.remove(&address.channel).unwrap_or_default() {
            self.desk.tell(Input::Verified { address, verdict }).await;
        }
        if self.closing.get(&address.channel) != Some(&address.epoch) {
            return;
        }
        if done {
            self.closing.remove(&address.channel);
        } else {
            self.delete(address, DELETE_RETRY);
        }
    }

    /// Looks up every room that is here: under a new lease, or because the old one was in doubt.
    fn adopt(&mut self) {
        let Held { lease, .. } = *self.held.borrow_and_update();
        match self.adoption.take() {
            Some((of, task)) if of == lease && !task.is_finished() => self.adoption = Some((of, task)),
            earlier => {
                if let Some((_, task)) = earlier {
                    task.abort();
                }
                self.adoption = Some((lease, tokio::spawn(self.desk.clone().adopt(lease))));
            }
        }
    }

    async fn told(&mut self, update: Update) {
        match update {
            Update::Put(entry) => {
                let Some(channel) = self.desk.store.keys().room_of(&entry.key) else { return };
                let address = Address { channel, epoch: entry.epoch() };
                if self.desk.is_ours(&entry) {
                    self.bound.insert(address.channel.clone(), address.epoch);
                    self.desk.tell(Input::Rebind(address)).await;
                } else {
                    self.bound.remove(&address.channel);
                    self.desk.tell(Input::Close(address)).await;
                }
            }
            Update::Deleted(key) => {
                let Some(channel) = self.desk.store.keys().room_of(&key) else { return };
                let Some(epoch) = self.bound.remove(&channel) else { return };
                if self.closing.get(&channel) != Some(&epoch) {
                    tokio::spawn(self.desk.clone().bind_anew(channel, self.held.borrow().lease));
                }
            }
            Update::Synced(_) => self.reconcile().await,
            Update::Lost => {}
        }
    }

    /// Keys without a room for two full reads were bound for somebody who never came; rooms without
    /// a key lost it unnoticed.
    async fn reconcile(&mut self) {
        let here: HashMap<_, _> =
            self.desk.rooms().await.into_iter().map(|address| (address.channel, address.epoch)).collect();
        let bound = self.bound.iter().filter(|(channel, _)| !here.contains_key(*channel));
        let address =
            |(channel, epoch): (&ChannelId, &u64)| Address { channel: channel.clone(), epoch: *epoch };
        let unused: HashSet<_> = bound.map(address).collect();
        let long_unused: Vec<_> = unused.intersection(&self.unused).cloned().collect();
        self.unused = unused;
        for address in long_unused {
            self.close(address);
        }
        let unbound = here.into_iter().filter(|(channel, _)| !self.bound.contains_key(channel));
        let unbound: Vec<_> = unbound.map(|(channel, epoch)| Address { channel, epoch }).collect();
        let (desk, lease) = (self.desk.clone(), self.held.borrow().lease);
        if !unbound.is_empty() && lease != 0 {
            tokio::spawn(async move { desk.adopt_some(unbound, lease).await });
        }
    }
}

impl Desk {
    async fn tell(&self, input: Input) {
        // It fails when the node stops, and then nobody needs to know.
        _ = self.switchboard.send(input).await;
    }

    fn is_ours(&self, entry: &Entry) -> bool {
        decode::<RoomRecord>(&entry.value).is_some_and(|record| record == self.me.room())
    }

    async fn rooms(&self) -> Vec<Address> {
        let (asker, answer) = oneshot::channel();
        self.tell(Input::Addresses(asker)).await;
        answer.await.unwrap_or_default()
    }

    async fn verdict(&self, address: &Address) -> RoomCheck {
        match self.store.read(&self.store.keys().room(&address.channel)).await {
            Ok(Some(entry)) if entry.epoch() == address.epoch && self.is_ours(&entry) => RoomCheck::Ours,
            Ok(_) => RoomCheck::Moved,
            Err(_) => RoomCheck::Unknown,
        }
    }

    async fn adopt(self, lease: LeaseId) {
        let mut left = self.rooms().await;
        let mut backoff = Backoff::default();
        while !left.is_empty() {
            left = self.adopt_some(left, lease).await;
            if !left.is_empty() {
                warn!(rooms = left.len(), "rooms whose owner etcd did not tell");
                sleep(backoff.pause()).await;
            }
        }
        self.fence.adopted(lease);
        self.tell(Input::Release).await;
    }

    /// Gives the rooms that etcd said nothing of.
    async fn adopt_some(&self, rooms: Vec<Address>, lease: LeaseId) -> Vec<Address> {
        let mut left = Vec::new();
        let mut lookups = JoinSet::new();
        for address in rooms {
            if lookups.len() >= LOOKUPS_MAX {
                left.extend(lookups.join_next().await.and_then(Result::ok).flatten());
            }
            let desk = self.clone();
            lookups.spawn(async move {
                let result = desk.claim(&address.channel, lease).await;
                result.is_err().then_some(address)
            });
        }
        while let Some(done) = lookups.join_next().await {
            left.extend(done.ok().flatten());
        }
        left
    }

    /// The key of a room vanished; if the room is here, it gets another.
    async fn bind_anew(self, channel: ChannelId, lease: LeaseId) {
        if lease == 0 || !self.rooms().await.iter().any(|address| address.channel == channel) {
            return;
        }
        // A lease that is gone has the whole node look its rooms up again.
        if let Err(error) = self.claim(&channel, lease).await {
            warn!(%error, "a room without a key");
        }
    }

    /// Binds a room that is here to this node if it is bound to none, and tells the switchboard what
    /// came of it.
    async fn claim(&self, channel: &ChannelId, lease: LeaseId) -> Result<(), EtcdError> {
        let key = self.store.keys().room(channel);
        let record = encode(&self.me.room());
        let epoch = loop {
            match self.store.put_if(&key, 0, &record, Some(lease)).await? {
                Outcome::Done(revision) => break u64::try_from(revision).unwrap_or_default(),
                Outcome::Changed(None) => {}
                Outcome::Changed(Some(entry)) if !self.is_ours(&entry) => {
                    let address = Address { channel: channel.clone(), epoch: entry.epoch() };
                    self.tell(Input::Close(address)).await;
                    return Ok(());
                }
                // Under a lease that is about to end: the key has to outlive it.
                Outcome::Changed(Some(entry)) if entry.lease != lease => {
                    let moved = self.store.put_if(&key, entry.mod_revision, &record, Some(lease)).await?;
                    if let Outcome::Done(_) = moved {
                        break entry.epoch();
                    }
                }
                Outcome::Changed(Some(entry)) => break entry.epoch(),
            }
        };
        self.tell(Input::Rebind(Address { channel: channel.clone(), epoch })).await;
        Ok(())
    }
}
