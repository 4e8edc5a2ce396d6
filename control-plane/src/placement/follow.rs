//! Keeps what a replica knows of nodes and rooms, and a link to every node; and tells etcd of a node
//! whose process is seen to be gone, so that nobody has to wait for its lease to end.

use super::cluster::Cluster;
use crate::config::MediaConfig;
use crate::media_client::{NodeLink, NodeState, Peer, Place, named_node_channel, node_channel};
use crate::metrics::LinkMetrics;
use crate::webhooks::Webhooks;
use railgun_etcd::{Outcome, PrefixWatch, Store, Update};
use railgun_protocol::directory::{NodeRecord, decode};
use railgun_protocol::ids::NodeId;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, sleep, timeout};
use tonic::transport::Channel;

const TIDY_INTERVAL: Duration = Duration::from_millis(500);
/// A process that is ending may still accept a connection.
const KNOCKS: usize = 10;
const KNOCK_INTERVAL: Duration = Duration::from_millis(50);
const KNOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// The three prefixes, in the order in which they are followed.
const NODES: usize = 0;
const LOADS: usize = 1;
const ROOMS: usize = 2;

async fn run(cluster: Arc<Cluster>) {
    let keys = cluster.store.keys();
    let mut nodes = cluster.store.watch_prefix(keys.nodes());
    let mut loads = cluster.store.watch_prefix(keys.loads());
    let mut rooms = cluster.store.watch_prefix(keys.rooms());
    let mut tidy = interval(TIDY_INTERVAL);
    let mut minders = JoinSet::new();
    let mut is_true = [false; 3];
    loop {
        let (prefix, update) = tokio::select! {
            update = next(&mut nodes) => (NODES, update),
            update = next(&mut loads) => (LOADS, update),
            update = next(&mut rooms) => (ROOMS, update),
            _ = tidy.tick() => {
                let is_true = cluster.is_true.load(Ordering::Relaxed);
                cluster.state().tidy(&cluster.name, is_true, Instant::now());
                while minders.try_join_next().is_some() {}
                continue;
            }
        };
        match update {
            Update::Put(entry) => match prefix {
                NODES => {
                    let Some(id) = keys.node_of(&entry.key) else { continue };
                    let Some(record) = decode(&entry.value) else { continue };
                    cluster.put_node_and_link(&id, record, entry.mod_revision, &mut minders);
                }
                LOADS => {
                    if let (Some(id), Some(load)) = (keys.load_of(&entry.key), decode(&entry.value)) {
                        cluster.state().put_load(&id, load, Instant::now());
                    }
                }
                _ => {
                    if let (Some(channel), Some(record)) = (keys.room_of(&entry.key), decode(&entry.value)) {
                        cluster.state().put_room(channel, entry.epoch(), record, Instant::now());
                    }
                }
            },
            Update::Deleted(key) => {
                if let Some(id) = keys.node_of(&key) {
                    cluster.state().remove_node(&id);
                } else if let Some(channel) = keys.room_of(&key) {
                    cluster.state().remove_room(&channel, Instant::now());
                }
            }
            Update::Synced(_) => {
                if prefix == ROOMS {
                    cluster.state().synced_rooms(Instant::now());
                }
                is_true[prefix] = true;
            }
            Update::Lost => is_true[prefix] = false,
        }
        cluster.is_true.store(is_true == [true; 3], Ordering::Relaxed);
        cluster.was_read.fetch_or(is_true == [true; 3], Ordering::Relaxed);
        cluster.changed();
    }
}

async fn next(watch: &mut PrefixWatch) -> Update {
    watch.next().await
}

impl Cluster {
    /// Follows etcd and keeps a link to every node until the task is aborted.
    pub(crate) fn start(
        store: Store,
        media: MediaConfig,
        metrics: LinkMetrics,
        webhooks: Webhooks,
    ) -> (Arc<Self>, JoinHandle<()>) {
        let cluster = Arc::new(Self::new(store, media, metrics, webhooks));
        let task = tokio::spawn(run(cluster.clone()));
        (cluster, task)
    }

    /// A node's record, of which etcd told in answer to something else.
    pub(super) fn put_node(&self, id: &NodeId, record: NodeRecord, mod_revision: i64) {
        // Its link is made when the watch tells of it.
        _ = self.state().put_node(id, record, mod_revision);
    }

    fn put_node_and_link(
        self: &Arc<Self>,
        id: &NodeId,
        record: NodeRecord,
        mod_revision: i64,
        minders: &mut JoinSet<()>,
    ) {
        let Some(address) = self.state().put_node(id, record, mod_revision) else { return };
        let channel = match node_channel(&self.media, &address) {
            Ok(channel) => channel,
            Err(error) => {
                return tracing::error!(node = %id, address, %error, "a media node cannot be reached");
            }
        };
        let link = self.link(id, &address, channel);
        minders.spawn(watch_link(self.clone(), id.clone(), address.clone(), link.watch()));
        self.state().put_link(id.clone(), address, link);
    }

    fn link(&self, id: &NodeId, address: &str, channel: Channel) -> NodeLink {
        let peer = Peer { node: Some(id.to_string()), address: address.into() };
        let (metrics, webhooks) = (self.metrics.clone(), self.webhooks.clone());
        let (link, task) = NodeLink::start(channel, peer, &self.name, metrics, webhooks);
        // It ends when the last handle on the link is gone.
        drop(task);
        link
    }

    /// Connects to a node of which only a token tells.
    pub(super) fn link_remembered(self: &Arc<Self>, Place { node, address, .. }: &Place) {
        let channel = match named_node_channel(&self.media, address, node) {
            Ok(channel) => channel,
            Err(error) => {
                return tracing::debug!(%node, address, %error, "a node that a token names is not asked");
            }
        };
        tracing::info!(%node, address, "etcd does not answer: a media node is looked for where it was");
        let link = self.link(node, address, channel);
        let minder = watch_link(self.clone(), node.clone(), address.clone(), link.watch());
        self.state().put_remembered(node.clone(), address.clone(), link, Instant::now());
        // It ends with the link, too.
        tokio::spawn(minder);
    }

    /// The process of this run of the node is gone: its record and lease go too, and with the lease
    /// its rooms, unless the node has registered again.
    async fn evict_dead_node(&self, id: &NodeId, boot_id: &str) {
        let node = self.state().node(id).cloned();
        let Some(node) = node.filter(|node| node.record.boot_id.to_string() == boot_id) else { return };
        let address = &node.record.rpc_address;
        tracing::warn!(node = %id, address, "a media node's process is gone: its rooms are free to be bound");
        let deleted = self.store.delete_if(&self.store.keys().node(id), node.mod_revision).await;
        let done = match deleted {
            Ok(Outcome::Done(_)) => self.store.revoke(node.record.lease).await,
            Ok(Outcome::Changed(_)) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            tracing::warn!(node = %id, %error, "its lease has to end by itself");
        }
    }
}

/// Watches one link until it is given up.
async fn watch_link(
    cluster: Arc<Cluster>,
    id: NodeId,
    address: String,
    mut state: watch::Receiver<Option<NodeState>>,
) {
    loop {
        let boot_id = match state.wait_for(Option::is_some).await {
            Ok(up) => up.as_ref().map(|up| up.boot_id.clone()).unwrap_or_default(),
            Err(_) => return,
        };
        cluster.changed();
        if state.wait_for(Option::is_none).await.is_err() {
            return;
        }
        cluster.changed();
        if is_gone(&address, &state).await {
            cluster.evict_dead_node(&id, &boot_id).await;
        }
    }
}

/// Whether the host says that nobody listens there. Silence says nothing: then the lease decides.
async fn is_gone(address: &str, state: &watch::Receiver<Option<NodeState>>) -> bool {
    for _ in 0..KNOCKS {
        if state.borrow().is_some() {
            return false;
        }
        match timeout(KNOCK_TIMEOUT, TcpStream::connect(address)).await {
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => return true,
            _ => sleep(KNOCK_INTERVAL).await,
        }
    }
    false
}
