//! Rooms of many nodes: found where etcd says they are, or bound by one transaction, whose revision
//! is the room's epoch.

use super::found::Found;
use super::state::{Remembered, State};
use crate::config::MediaConfig;
use crate::media_client::{NodeLink, Place, later, overloaded};
use crate::metrics::LinkMetrics;
use crate::policy::placement::choose;
use crate::refusal::Refusal;
use crate::webhooks::Webhooks;
use railgun_etcd::{Compare, CompareOp, Condition, Entry, EtcdError, PutOptions, Store, Txn, TxnOp};
use railgun_protocol::directory::{NodeRecord, RoomRecord, decode, encode};
use railgun_protocol::ids::{ChannelId, NodeId};
use railgun_protocol::media_rpc::Address;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// How long a join may take to find its room or have it bound.
const PLACE_TIMEOUT: Duration = Duration::from_millis(900);
/// Between two tries while something is about to change.
const RETRY: Duration = Duration::from_millis(50);

pub(crate) struct Cluster {
    pub(super) store: Store,
    /// How the nodes are reached; their addresses are in etcd.
    pub(super) media: MediaConfig,
    pub(super) metrics: LinkMetrics,
    pub(super) webhooks: Webhooks,
    state: Mutex<State>,
    /// Moves whenever a wait may be over.
    changes: watch::Sender<()>,
    /// Everything was read, and etcd answers.
    pub(super) is_true: AtomicBool,
    /// Everything was read once.
    pub(super) was_read: AtomicBool,
    /// What nodes call this replica: eight hexadecimal digits.
    pub(super) name: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Cluster {
    /// A view of the cluster that knows nothing until [`Self::start`] follows etcd.
    pub(super) fn new(store: Store, media: MediaConfig, metrics: LinkMetrics, webhooks: Webhooks) -> Self {
        Self {
            store,
            media,
            metrics,
            webhooks,
            state: Mutex::default(),
            changes: watch::Sender::new(()),
            is_true: AtomicBool::new(false),
            was_read: AtomicBool::new(false),
            name: format!("{:08x}", rand::random::<u32>()),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn changed(&self) {
        self.changes.send_replace(());
    }

    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    /// Why no room can be opened now; None: one can.
    pub(crate) fn hindrance(&self) -> Option<&'static str> {
        let health = self.store.health();
        if health.is_full() {
            Some("no room can be opened: etcd refuses writes, its database is full")
        } else if !self.is_true.load(Ordering::Relaxed) || matches!(health.condition(), Condition::Away(_)) {
            Some("no room can be opened: etcd does not answer")
        } else if self.state().candidates().is_empty() {
            Some("no media node can be reached")
        } else {
            None
        }
    }

    /// The refusal of whoever needs a room that could not be found or bound in time.
    fn refusal(&self) -> Refusal {
        self.hindrance().map_or_else(overloaded, later)
    }

    pub(crate) fn was_read(&self) -> bool {
        self.was_read.load(Ordering::Relaxed)
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.state().is_cut_off()
    }

    /// Asks etcd itself, not what was heard from it.
    pub(crate) async fn is_over(&self, channel: &ChannelId) -> Option<bool> {
        timeout(PLACE_TIMEOUT, self.read_whether_over(channel)).await.ok()?.ok()
    }

    async fn read_whether_over(&self, channel: &ChannelId) -> Result<bool, EtcdError> {
        let keys = self.store.keys();
        let Some(room) = self.store.read(&keys.room(channel)).await? else { return Ok(true) };
        let Some(record) = decode::<RoomRecord>(&room.value) else { return Ok(false) };
        let node = self.store.read(&keys.node(&record.node)).await?;
        let node = node.and_then(|node| decode::<NodeRecord>(&node.value));
        let is_over = node.is_none_or(|node| node.boot_id != record.boot_id);
        if !is_over {
            self.state().found_room(channel.clone(), room.epoch(), record, Instant::now());
        }
        Ok(is_over)
    }

    /// Where the room is, if there is one.
    pub(crate) fn find(&self, channel: &ChannelId) -> Found {
        match self.state().find(channel, Instant::now()) {
            Found::Unbound | Found::Ended if !self.is_true.load(Ordering::Relaxed) => Found::Waiting,
            found => found,
        }
    }

    /// The node is connected to if it is not known; its certificate has to name it.
    pub(crate) fn remembered(self: &Arc<Self>, channel: &ChannelId, place: &Place) -> Found {
        if self.is_true.load(Ordering::Relaxed) {
            return Found::Waiting;
        }
        let remembered = self.state().remember(place, Instant::now());
        match remembered {
            Remembered::Link(link) if link.is_to(place.boot_id) => {
                Found::Here(link, Address { channel: channel.clone(), epoch: place.epoch })
            }
            // What certifies itself as the node runs anew.
            Remembered::Link(link) if link.state().is_some() => Found::Ended,
            Remembered::Unknown => {
                self.link_remembered(place);
                Found::Waiting
            }
            Remembered::Link(_) | Remembered::TooMany => Found::Waiting,
        }
    }

    pub(crate) fn forget(&self, address: &Address) {
        self.state().forget_room(address);
    }

    /// The room's node, or one that it is bound to now.
    pub(crate) async fn place(
        &self,
        channel: &ChannelId,
        region: Option<&str>,
    ) -> Result<(NodeLink, Address), Refusal> {
        let placed = timeout(PLACE_TIMEOUT, self.find_or_bind(channel, region)).await;
        placed.unwrap_or_else(|_| Err(self.refusal()))
    }

    async fn find_or_bind(
        &self,
        channel: &ChannelId,
        region: Option<&str>,
    ) -> Result<(NodeLink, Address), Refusal> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            let found = self.state().find(channel, Instant::now());
            match found {
                Found::Here(node, address) => return Ok((node, address)),
                Found::Waiting | Found::Ended => {}
                Found::Unbound => match self.bind(channel, region).await {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::debug!(%error, "a room could not be bound");
                        return Err(self.refusal());
                    }
                },
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep(RETRY) => {}
            }
        }
    }

    /// Binds the room to a node, unless somebody was faster. True: it is known now where the room
    /// is. False: the nodes are not what we thought they were.
    async fn bind(&self, channel: &ChannelId, region: Option<&str>) -> Result<bool, EtcdError> {
        let Some((id, record, mod_revision)) = self.choose(region) else { return Ok(false) };
        let keys = self.store.keys();
        let (room, node) = (keys.room(channel), keys.node(&id));
        let binding = RoomRecord { node: id.clone(), boot_id: record.boot_id };
        let lease = PutOptions::new().with_lease(record.lease);
        let is_free = [
            Compare::create_revision(room.as_str(), CompareOp::Equal, 0),
            Compare::mod_revision(node.as_str(), CompareOp::Equal, mod_revision),
        ];
        let bind = [TxnOp::put(room.as_str(), encode(&binding), Some(lease))];
        let look = [TxnOp::get(room.as_str(), None), TxnOp::get(node.as_str(), None)];
        let answer = match self.store.txn(Txn::new().when(is_free).and_then(bind).or_else(look)).await {
            Err(EtcdError::LeaseGone) => {
                self.state().remove_node(&id);
                return Ok(false);
            }
            answer => answer?,
        };
        let now = Instant::now();
        if answer.succeeded() {
            let epoch = answer.header().map_or(0, |header| header.revision());
            let epoch = u64::try_from(epoch).unwrap_or_default();
            self.state().found_room(channel.clone(), epoch, binding, now);
            return Ok(true);
        }
        let found = answer.op_responses();
        let mut found = found.iter().map(Entry::of);
        let (room, node) = (found.next().flatten(), found.next().flatten());
        if let Some(room) = room {
            let Some(record) = decode::<RoomRecord>(&room.value) else { return Ok(false) };
            self.state().found_room(channel.clone(), room.epoch(), record, now);
            return Ok(true);
        }
        match node.and_then(|node| Some((decode::<NodeRecord>(&node.value)?, node.mod_revision))) {
            Some((record, mod_revision)) => self.put_node(&id, record, mod_revision),
            None => self.state().remove_node(&id),
        }
        Ok(false)
    }

    fn choose(&self, region: Option<&str>) -> Option<(NodeId, NodeRecord, i64)> {
        let state = self.state();
        let candidates = state.candidates();
        let near = region.and_then(|region| self.media.near.get(region)).map_or(&[][..], Vec::as_slice);
        let chosen = choose(&candidates, region, near, [rand::random(), rand::random()])?;
        let node = state.node(&chosen.id)?;
        Some((chosen.id.clone(), node.record.clone(), node.mod_revision))
    }
}
