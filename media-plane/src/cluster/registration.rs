//! The node's lease, and what is under it but the rooms: its record and its load.

use super::{Held, Me};
use crate::fence::Fence;
use crate::rpc::Input;
use railgun_etcd::{Backoff, Entry, EtcdError, LeaseId, Outcome, PrefixWatch, Store, Update};
use railgun_shared::directory::{
    LOAD_INTERVAL, LoadRecord, NODE_LEASE_MARGIN, NODE_LEASE_RENEWAL, NODE_LEASE_TTL, NodeRecord, NodeState,
    decode, encode,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

/// Nodes that lost their leases together come back within this.
const SPREAD: Duration = Duration::from_millis(500);

pub(super) struct Registration {
    store: Store,
    me: Me,
    fence: Arc<Fence>,
    held: watch::Sender<Held>,
    switchboard: mpsc::Sender<Input>,
    /// As operators want it; kept over a new registration.
    state: watch::Sender<NodeState>,
    is_away: bool,
}

impl Registration {
    pub(super) fn new(
        store: Store,
        me: Me,
        fence: Arc<Fence>,
        (held, state): (watch::Sender<Held>, watch::Sender<NodeState>),
        switchboard: mpsc::Sender<Input>,
    ) -> Self {
        Self { store, me, fence, held, switchboard, state, is_away: false }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut own_key = self.store.watch_prefix(self.key());
        loop {
            let asked = Instant::now();
            match self.register().await {
                Ok(lease) => {
                    info!(lease, "registered in etcd");
                    backoff.reset();
                    self.is_away = false;
                    self.found(lease, asked, true);
                    self.keep(lease, &mut own_key).await;
                    warn!(lease, "the node's lease is gone: registering anew");
                    sleep(SPREAD.mul_f64(rand::random_range(0.0..1.0))).await;
                }
                Err(error) => {
                    self.complain(&error);
                    sleep(backoff.pause()).await;
                }
            }
        }
    }

    fn key(&self) -> String {
        self.store.keys().node(&self.me.id)
    }

    fn record(&self, lease: LeaseId) -> Vec<u8> {
        encode(&NodeRecord { lease, state: *self.state.borrow(), ..self.me.record.clone() })
    }

    /// The lease was granted or renewed by a request sent at `asked`.
    fn found(&mut self, lease: LeaseId, asked: Instant, is_new: bool) {
        let was_over = self.fence.is_over(Instant::now()) || self.fence.is_held();
        if is_new || was_over {
            self.fence.doubt();
        }
        self.fence.renewed(lease, asked + NODE_LEASE_TTL - NODE_LEASE_MARGIN);
        if is_new || was_over {
            self.held.send_modify(|held| *held = Held { lease, round: held.round.wrapping_add(1) });
        }
    }

    fn complain(&mut self, error: &EtcdError) {
        if !self.is_away {
            warn!(%error, "etcd cannot be reached; calls go on");
        }
        self.is_away = true;
    }

    /// A lease with our record under it. A record of another run of this node is that of one that
    /// ended: its lease goes, and its rooms with it.
    async fn register(&self) -> Result<LeaseId, EtcdError> {
        let lease = self.store.grant(NODE_LEASE_TTL).await?;
        loop {
            match self.publish(lease).await? {
                None => return Ok(lease),
                Some(other) => {
                    let record: Option<NodeRecord> = decode(&other.value);
                    let ours = record.is_some_and(|record| record.boot_id == self.me.boot);
                    warn!(ours, "the record of an earlier registration is taken out of the way");
                    self.store.revoke(other.lease).await?;
                    self.store.delete_if(&other.key, other.mod_revision).await?;
                }
            }
        }
    }

    /// Puts our record if there is none; gives what is there instead.
    async fn publish(&self, lease: LeaseId) -> Result<Option<Entry>, EtcdError> {
        let record = self.record(lease);
        match self.store.put_if(&self.key(), 0, &record, Some(lease)).await? {
            Outcome::Changed(Some(there)) if there.lease != lease => Ok(Some(there)),
            Outcome::Done(_) | Outcome::Changed(_) => Ok(None),
        }
    }

    /// Until the lease is gone.
    async fn keep(&mut self, lease: LeaseId, own_key: &mut PrefixWatch) {
        let mut renewal = interval(NODE_LEASE_RENEWAL);
        let mut load = interval(LOAD_INTERVAL);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        load.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                biased;
                _ = renewal.tick() => self.renew(lease).await,
                update = own_key.next() => self.told(lease, update).await,
                _ = load.tick() => self.tell_load(lease).await,
            };
            match done {
                Ok(()) => {}
                Err(EtcdError::LeaseGone) => return,
                Err(error) => self.complain(&error),
            }
        }
    }

    async fn renew(&mut self, lease: LeaseId) -> Result<(), EtcdError> {
        let asked = Instant::now();
        self.store.keep_alive(lease).await?;
        if self.is_away {
            info!("etcd is back");
        }
        self.is_away = false;
        self.found(lease, asked, false);
        Ok(())
    }

    /// Something happened to our own record: operators drain the node, or it is gone.
    async fn told(&mut self, lease: LeaseId, update: Update) -> Result<(), EtcdError> {
        match update {
            Update::Put(entry) if entry.key == self.key() => {
                let record: Option<NodeRecord> = decode(&entry.value);
                if let Some(record) = record.filter(|record| record.boot_id == self.me.boot)
                    && self
                        .state
                        .send_if_modified(|state| std::mem::replace(state, record.state) != record.state)
                {
                    info!(state = ?record.state, "what this node takes was changed");
                }
                Ok(())
            }
            Update::Deleted(key) if key == self.key() => {
                self.store.keep_alive(lease).await?;
                self.publish(lease).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn tell_load(&self, lease: LeaseId) -> Result<(), EtcdError> {
        let (asker, answer) = oneshot::channel();
        if self.switchboard.send(Input::Population(asker)).await.is_err() {
            return Ok(());
        }
        let Ok((rooms, sessions)) = answer.await else { return Ok(()) };
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let record = LoadRecord { rooms: count(rooms), sessions: count(sessions) };
        self.store.put(&self.store.keys().load(&self.me.id), &encode(&record), Some(lease)).await
    }
}
