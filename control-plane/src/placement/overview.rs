//! Nodes and rooms as operators see them: what the nodes themselves say, so that it is as true as
//! theirs.

use super::backend::Placement;
use crate::media_client::NodeLink;
use crate::policy::call_quality::Work;
use futures::future::join_all;
use railgun_protocol::directory::NodeState;
use railgun_protocol::ids::{ChannelId, NodeId};
use railgun_protocol::media_rpc::{Replacement, UserAction, UserOrder};
use std::collections::BTreeMap;

/// A media node that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NodeView {
    pub(crate) id: NodeId,
    pub(crate) region: Option<String>,
    pub(crate) state: NodeState,
    pub(crate) version: String,
    pub(crate) rooms: u32,
    pub(crate) sessions: u32,
    /// Sessions that it takes, where rooms are placed by it.
    pub(crate) capacity: Option<u32>,
}

/// A room that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomView {
    pub(crate) node: String,
    pub(crate) epoch: u64,
    pub(crate) participants: u32,
    pub(crate) producers: u32,
}

/// Why operators were not told, or obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OverviewError {
    #[error("no media node can be reached right now")]
    Unreachable,
    #[cfg(feature = "etcd")]
    #[error("etcd cannot be reached right now")]
    Etcd,
    #[error("there is no such node")]
    Absent,
    #[error("this is the only media node: its rooms have nowhere else to go")]
    OnlyNode,
}

#[cfg(feature = "etcd")]
impl From<railgun_etcd::EtcdError> for OverviewError {
    fn from(error: railgun_etcd::EtcdError) -> Self {
        tracing::warn!(%error, "operators' question about nodes");
        Self::Etcd
    }
}

impl Placement {
    /// The nodes that are up, by name.
    pub(crate) async fn nodes(&self) -> Result<Vec<NodeView>, OverviewError> {
        match self {
            Self::Single(link) => {
                let Ok(described) = link.describe().await else { return Ok(Vec::new()) };
                let id = NodeId::new(described.node_id).map_err(|_| OverviewError::Unreachable)?;
                Ok(vec![NodeView {
                    id,
                    region: None,
                    state: NodeState::Serving,
                    version: described.version,
                    rooms: described.rooms,
                    sessions: described.sessions,
                    capacity: None,
                }])
            }
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => {
                let nodes = cluster.store.nodes().await?.into_iter().map(|entry| NodeView {
                    id: entry.id,
                    region: entry.record.region,
                    state: entry.record.state,
                    version: entry.record.version,
                    rooms: entry.load.rooms,
                    sessions: entry.load.sessions,
                    capacity: Some(entry.record.capacity),
                });
                Ok(nodes.collect())
            }
        }
    }

    /// Whether a node takes rooms. Those of one that does not move to others.
    #[cfg_attr(not(feature = "etcd"), expect(unused_variables, reason = "a single node always serves"))]
    pub(crate) async fn set_node_state(&self, id: &NodeId, state: NodeState) -> Result<(), OverviewError> {
        match self {
            Self::Single(_) => match self.nodes().await?.iter().any(|node| node.id == *id) {
                true => Err(OverviewError::OnlyNode),
                false => Err(OverviewError::Absent),
            },
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => {
                let changed = cluster.store.set_node_state(id, state).await?;
                changed.then_some(()).ok_or(OverviewError::Absent)
            }
        }
    }

    /// What each node that can be reached did since it started, with the id of its run.
    pub(crate) async fn work(&self) -> Vec<(String, String, Work)> {
        let links = self.links().unwrap_or_default().into_iter().filter_map(|(_, link)| link);
        let asked = links.map(|link| async move {
            let described = link.describe().await.ok()?;
            let work = described.work?;
            let work = Work {
                forwarded_packets: work.forwarded_packets,
                dropped_datagrams: work.dropped_datagrams,
                lateness_us: work.lateness_us,
                messages: work.messages,
                dead_workers: work.dead_workers,
            };
            Some((described.node_id, described.boot_id, work))
        });
        join_all(asked).await.into_iter().flatten().collect()
    }

    /// The rooms that are open, by channel; and the nodes that did not answer.
    pub(crate) async fn rooms(&self) -> Result<(BTreeMap<ChannelId, RoomView>, Vec<String>), OverviewError> {
        let asked = self.links()?.into_iter().map(|(node, link)| async move {
            let listed = match link {
                Some(link) => link.list_rooms().await.ok(),
                None => None,
            };
            (node, listed)
        });
        let (mut rooms, mut unreached) = (BTreeMap::<ChannelId, RoomView>::new(), Vec::new());
        for (node, listed) in join_all(asked).await {
            let Some(listed) = listed else {
                unreached.push(node);
                continue;
            };
            for room in listed {
                let Ok(channel) = ChannelId::new(room.channel) else { continue };
                // While a room moves, two nodes may have it; the later one is it.
                if rooms.get(&channel).is_none_or(|other| other.epoch < room.epoch) {
                    let view = RoomView {
                        node: node.clone(),
                        epoch: room.epoch,
                        participants: room.participants,
                        producers: room.producers,
                    };
                    rooms.insert(channel, view);
                }
            }
        }
        Ok((rooms, unreached))
    }

    /// Tells every node that can be reached what is wanted of a user's sessions, in a task of its own:
    /// nothing waits for it, and it is over within seconds.
    pub(crate) fn order(&self, order: UserOrder) {
        let placement = self.clone();
        tokio::spawn(async move {
            let user = order.user.clone();
            // Its own seat was not there yet when the later one looked for it.
            if let Some(later) = placement.order_all(order).await {
                let action = UserAction::Replace(later);
                placement.order_all(UserOrder { user, channel: None, action }).await;
            }
        });
    }

    /// Gives, to a replacement, the last one that came even later.
    async fn order_all(&self, order: UserOrder) -> Option<Replacement> {
        let links = self.links().unwrap_or_default().into_iter().filter_map(|(_, link)| link);
        let ordered = links.map(|link| {
            let order = order.clone();
            async move { link.order_user(order).await }
        });
        let mut last: Option<Replacement> = None;
        for later in join_all(ordered).await {
            match later {
                Ok(Some(later)) if last.as_ref().is_none_or(|last| later.is_later_than(last)) => {
                    last = Some(later);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(code = %error.code(), "a media node did not hear of an order"),
            }
        }
        last
    }

    /// The nodes that are up, and the ways to them; none: there is none at this moment.
    fn links(&self) -> Result<Vec<(String, Option<NodeLink>)>, OverviewError> {
        match self {
            Self::Single(link) => {
                let state = link.state().ok_or(OverviewError::Unreachable)?;
                Ok(vec![(state.node_id, Some(link.clone()))])
            }
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => Ok(cluster.state().links()),
        }
    }
}
