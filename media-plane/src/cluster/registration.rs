//! The node's lease, and what is under it but the rooms: its record and its load.

use super::held::{Held, Me};
use super::strain::Strain;
use crate::clock::unix_millis;
use crate::fence::Fence;
use crate::health::WorkersState;
use crate::metrics::{Done, Gauges};
use crate::rpc::Input;
use railgun_etcd::{Backoff, Entry, EtcdError, LeaseId, Outcome, PrefixWatch, Store, Update};
use railgun_protocol::directory::{
    LOAD_INTERVAL, LoadRecord, NODE_LEASE_MARGIN, NODE_LEASE_RENEWAL, NODE_LEASE_TTL, NodeHealth, NodeRecord,
    NodeState, REPLICAS_TOLD_MAX, decode, encode,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{debug, info, warn};

/// Nodes that lost their leases together come back within this.
const SPREAD: Duration = Duration::from_millis(500);
/// How long a name that another run holds is waited for: that of a process that was killed is free after
/// one lease, and etcd may take as long again when its leader changed meanwhile.
const HELD_TIMEOUT: Duration = NODE_LEASE_TTL.saturating_mul(2);
const HELD_POLL: Duration = Duration::from_millis(250);

/// Why a node has no record of its own.
enum NotRegistered {
    Etcd(EtcdError),
    /// A process that lives has the name.
    Held,
}

impl From<EtcdError> for NotRegistered {
    fn from(error: EtcdError) -> Self {
        Self::Etcd(error)
    }
}

/// What changes under a name while its node lives: it writes its load every two seconds, and a new
/// registration has another lease. An operator's change of the record does neither.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Signs {
    lease: LeaseId,
    load_revision: Option<i64>,
}

impl Signs {
    fn shows_life_since(self, before: Self) -> bool {
        self.lease != before.lease
            || (self.load_revision.is_some() && self.load_revision != before.load_revision)
    }
}

pub(super) struct Registration {
    store: Store,
    me: Me,
    fence: Arc<Fence>,
    held: watch::Sender<Held>,
    switchboard: mpsc::Sender<Input>,
    /// As operators want it; kept over a new registration.
    state: watch::Sender<NodeState>,
    /// Told when this node cannot begin, since another one has its name. Gone once it has begun.
    refused: Option<oneshot::Sender<()>>,
    gauges: Arc<Gauges>,
    workers: watch::Receiver<WorkersState>,
    /// What the workers had done when the load was told last, and when that was.
    work_told: (Done, Instant),
    strain: Strain,
}

impl Registration {
    pub(super) fn new(
        store: Store,
        me: Me,
        fence: Arc<Fence>,
        (held, state): (watch::Sender<Held>, watch::Sender<NodeState>),
        switchboard: mpsc::Sender<Input>,
        refused: oneshot::Sender<()>,
        (gauges, workers): (Arc<Gauges>, watch::Receiver<WorkersState>),
    ) -> Self {
        let refused = Some(refused);
        let work_told = (Done::default(), Instant::now());
        Self {
            store,
            me,
            fence,
            held,
            switchboard,
            state,
            refused,
            gauges,
            workers,
            work_told,
            strain: Strain::default(),
        }
    }

    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::default();
        let mut own_key = self.store.watch_prefix(self.key());
        loop {
            match self.register().await {
                Ok((lease, asked)) => {
                    info!(lease, "registered in etcd");
                    backoff.reset();
                    self.refused = None;
                    self.found(lease, asked, true);
                    self.keep(lease, &mut own_key).await;
                    warn!(lease, "the node's lease is gone: registering anew");
                    sleep(SPREAD.mul_f64(rand::random_range(0.0..1.0))).await;
                }
                Err(NotRegistered::Etcd(error)) => {
                    Self::complain(&error);
                    sleep(backoff.pause()).await;
                }
                Err(NotRegistered::Held) => match self.refused.take() {
                    Some(refused) => _ = refused.send(()),
                    // With calls in its rooms a node goes on: losing them helps nobody.
                    None => {
                        warn!(node = %self.me.id, "another node registered under this node's name meanwhile");
                        sleep(HELD_TIMEOUT).await;
                    }
                },
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

    /// How etcd is, is told by `railgun_etcd::Health`, once for all requests.
    fn complain(error: &EtcdError) {
        debug!(%error, "the node's record, lease or load could not be kept");
    }

    /// A lease with our record under it, and when it was asked for.
    async fn register(&self) -> Result<(LeaseId, Instant), NotRegistered> {
        loop {
            self.until_free().await?;
            let asked = Instant::now();
            let lease = self.store.grant(NODE_LEASE_TTL).await?;
            if self.publish(lease).await?.is_none() {
                return Ok((lease, asked));
            }
            // Another one was quicker: it is looked at like any other that was there first.
            self.store.revoke(lease).await?;
        }
    }

    /// Until nobody has this node's name. A record of this very run, which lost its lease, is taken out of
    /// the way; that of another run ends with its lease if its process is gone, and keeps the name if it is
    /// not. Rooms go with the record they are bound to.
    async fn until_free(&self) -> Result<(), NotRegistered> {
        let (until, mut first) = (Instant::now() + HELD_TIMEOUT, None);
        while let Some(there) = self.store.read(&self.key()).await? {
            let record: Option<NodeRecord> = decode(&there.value);
            let is_ours = record.as_ref().is_some_and(|record| record.boot_id == self.me.boot);
            if is_ours || Instant::now() >= until {
                warn!(is_ours, node = %self.me.id, "the record of an earlier run is taken out of the way");
                self.store.revoke(there.lease).await?;
                self.store.delete_if(&there.key, there.mod_revision).await?;
                return Ok(());
            }
            let load = self.store.read(&self.store.keys().load(&self.me.id)).await?;
            let signs = Signs { lease: there.lease, load_revision: load.map(|load| load.mod_revision) };
            match first {
                Some(before) if signs.shows_life_since(before) => return Err(NotRegistered::Held),
                Some(_) => {}
                None => {
                    let address = record.map(|record| record.rpc_address);
                    info!(node = %self.me.id, address, "another run has this node's name: waiting for its lease");
                    first = Some(signs);
                }
            }
            sleep(HELD_POLL).await;
        }
        Ok(())
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
                Err(error) => Self::complain(&error),
            }
        }
    }

    async fn renew(&mut self, lease: LeaseId) -> Result<(), EtcdError> {
        let asked = Instant::now();
        self.store.keep_alive(lease).await?;
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

    /// Others compare their clocks with ours by when it was written.
    async fn tell_load(&mut self, lease: LeaseId) -> Result<(), EtcdError> {
        let (asker, answer) = oneshot::channel();
        if self.switchboard.send(Input::Population(asker)).await.is_err() {
            return Ok(());
        }
        let Ok((rooms, sessions)) = answer.await else { return Ok(()) };
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let (asker, replicas) = oneshot::channel();
        if self.switchboard.send(Input::Replicas(asker)).await.is_err() {
            return Ok(());
        }
        let mut replicas = replicas.await.unwrap_or_default();
        replicas.truncate(REPLICAS_TOLD_MAX);
        let at = Some(unix_millis());
        let health = Some(self.health(Instant::now()));
        let record = LoadRecord { rooms: count(rooms), sessions: count(sessions), at, replicas, health };
        self.store.put(&self.store.keys().load(&self.me.id), &encode(&record), Some(lease)).await
    }

    /// How the workers got on since the load was told last.
    fn health(&mut self, now: Instant) -> NodeHealth {
        let (before, at) = &self.work_told;
        let (health, done) = self.gauges.health(before, now.saturating_duration_since(*at));
        self.work_told = (done, now);
        self.strain.assess(health, *self.workers.borrow(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::Signs;

    #[test]
    fn a_node_that_was_killed_shows_no_life_and_one_that_lives_does() {
        let before = Signs { lease: 7, load_revision: Some(100) };
        let is_alive = |lease, load_revision| Signs { lease, load_revision }.shows_life_since(before);
        assert!(!is_alive(7, Some(100)));
        // The load goes with the lease.
        assert!(!is_alive(7, None));
        assert!(is_alive(7, Some(101)), "it wrote its load");
        assert!(is_alive(8, Some(100)), "it registered anew");
    }
}
