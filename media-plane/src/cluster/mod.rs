//! This node among others: its record and load in etcd under one lease, and which rooms are its own.
//!
//! `registration` keeps the lease; `rooms` answers the switchboard's questions, and brings rooms and
//! keys together again whenever they may have come apart; `drain` moves rooms away when that is wanted.

mod held;
mod drain;
mod registration;
mod rooms;
mod strain;

use self::held::{Held, Me};
use crate::config::Config;
use crate::fence::Fence;
use crate::health::WorkersState;
use crate::metrics::Gauges;
use crate::rpc::{ASKS_MAX, Input, JoinGate};
use anyhow::Context;
use railgun_etcd::Store;
use railgun_protocol::directory::{NodeRecord, NodeState};
use railgun_protocol::ids::{BootId, NodeId};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// How long a node that was told to stop goes on moving its rooms; what is left then ends with it.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// A member of a cluster; leaves it with [`Cluster::leave`].
#[derive(Debug)]
pub(crate) struct Cluster {
    store: Store,
    held: watch::Receiver<Held>,
    drain: drain::Drain,
    refused: Option<oneshot::Receiver<()>>,
    tasks: [JoinHandle<()>; 4],
}

impl Cluster {
    /// Joins, in tasks that go on trying while etcd is away.
    pub(crate) fn join(
        config: &Config,
        boot: BootId,
        media_addresses: Vec<SocketAddr>,
        inputs: mpsc::Sender<Input>,
        fence: Arc<Fence>,
        watched: (Arc<Gauges>, watch::Receiver<WorkersState>),
    ) -> anyhow::Result<Option<(Self, JoinGate)>> {
        let Some(settings) = &config.etcd else { return Ok(None) };
        let store = Store::open(settings)?;
        let record = NodeRecord {
            boot_id: boot,
            lease: 0,
            rpc_address: config.rpc.address.clone().unwrap_or_else(|| config.rpc.listen.to_string()),
            media_addresses,
            region: config.region.clone(),
            state: NodeState::Serving,
            version: env!("CARGO_PKG_VERSION").into(),
            capacity: config.capacity,
            end_to_end: true,
        };
        let me = Me { id: NodeId::new(config.node_id.clone()).context("node_id")?, boot, record };
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (held_out, held) = watch::channel(Held::default());
        let gate = JoinGate::new(asks, fence.clone());
        let (state_out, state) = watch::channel(NodeState::Serving);
        let (refuse, refused) = oneshot::channel();
        let registration = registration::Registration::new(
            store.clone(),
            me.clone(),
            fence.clone(),
            (held_out, state_out),
            inputs.clone(),
            refuse,
            watched,
        );
        let drain = drain::Drain { store: store.clone(), me: me.id.clone(), switchboard: inputs.clone() };
        let rooms = rooms::Bindings::new(store.clone(), me, fence, inputs, asked, held.clone());
        let tasks = [
            tokio::spawn(registration.run()),
            tokio::spawn(rooms.run()),
            tokio::spawn(drain.clone().run(state)),
            tokio::spawn(store.clone().say_how_it_is()),
        ];
        Ok(Some((Self { store, held, drain, refused: Some(refused), tasks }, gate)))
    }

    /// Returns if this node cannot begin, since another one that lives has its name.
    pub(crate) fn refused(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let refused = self.refused.take();
        async move {
            let is_refused = match refused {
                Some(refused) => refused.await.is_ok(),
                None => false,
            };
            if !is_refused {
                std::future::pending().await
            }
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Drains this node as an operator would, and returns when its rooms are elsewhere, have nowhere to
    /// go, or have had their time.
    pub(crate) async fn drain(&self) {
        if !matches!(self.store.set_node_state(&self.drain.me, NodeState::Draining).await, Ok(true)) {
            return tracing::warn!("etcd did not hear that this node is to stop: its rooms end with it");
        }
        if timeout(DRAIN_TIMEOUT, self.drain.finish()).await.is_err() {
            tracing::warn!("not every room moved in time");
        }
    }

    /// Gives the lease back, so that nobody has to wait until it ends by itself.
    pub(crate) async fn leave(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let lease = self.held.borrow().lease;
        if lease != 0 && self.store.revoke(lease).await.is_err() {
            tracing::warn!("etcd did not hear that this node stops");
        }
    }
}
