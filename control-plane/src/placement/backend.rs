//! One node, or a cluster of them: the same questions to either.

#[cfg(feature = "etcd")]
use super::cluster::Cluster;
use super::found::Found;
use crate::media_client::{NodeLink, NodeState, Place};
use crate::refusal::Refusal;
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{Address, ONLY_EPOCH};
#[cfg(feature = "etcd")]
use std::sync::Arc;
use tokio::sync::watch;

#[derive(Clone, Debug)]
pub(crate) enum Placement {
    Single(NodeLink),
    #[cfg(feature = "etcd")]
    Cluster(Arc<Cluster>),
}

/// Changes of where rooms are.
#[derive(Debug)]
pub(crate) enum Changes {
    OfNode(watch::Receiver<Option<NodeState>>),
    #[cfg(feature = "etcd")]
    OfCluster(watch::Receiver<()>),
}

impl Changes {
    /// Returns at the next one since this was last called; never after the control-plane has stopped.
    pub(crate) async fn next(&mut self) {
        let changed = match self {
            Self::OfNode(changes) => changes.changed().await,
            #[cfg(feature = "etcd")]
            Self::OfCluster(changes) => changes.changed().await,
        };
        if changed.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Placement {
    /// Where the channel's room is, or where it is to be opened. Answers within a second.
    #[cfg_attr(
        not(feature = "etcd"),
        expect(clippy::unused_async, unused_variables, reason = "etcd has to be asked")
    )]
    pub(crate) async fn place(
        &self,
        channel: &ChannelId,
        region: Option<&str>,
    ) -> Result<(NodeLink, Address), Refusal> {
        match self {
            // What is left of a room when the node was lost for a while is emptied as soon as the node is back.
            Self::Single(node) => Ok((node.clone(), Address { channel: channel.clone(), epoch: ONLY_EPOCH })),
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.place(channel, region).await,
        }
    }

    /// Where the channel's room is, if there is one.
    pub(crate) fn find(&self, channel: &ChannelId) -> Found {
        match self {
            Self::Single(node) => {
                Found::Here(node.clone(), Address { channel: channel.clone(), epoch: ONLY_EPOCH })
            }
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.find(channel),
        }
    }

    /// Moves whenever [`Self::find`] may answer something else.
    pub(crate) fn changes(&self) -> Changes {
        match self {
            Self::Single(node) => Changes::OfNode(node.watch()),
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => Changes::OfCluster(cluster.changes()),
        }
    }

    /// Where a token says that the room was, for as long as etcd does not tell.
    #[cfg_attr(not(feature = "etcd"), expect(unused_variables, reason = "a single node is known"))]
    pub(crate) fn remembered(&self, channel: &ChannelId, place: &Place) -> Found {
        match self {
            Self::Single(_) => Found::Waiting,
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.remembered(channel, place),
        }
    }

    /// Whether the run of the node that had the channel's room is over, by what etcd says now. None: it
    /// does not say.
    #[cfg_attr(
        not(feature = "etcd"),
        expect(clippy::unused_async, unused_variables, reason = "etcd has to be asked")
    )]
    pub(crate) async fn is_over(&self, channel: &ChannelId) -> Option<bool> {
        match self {
            Self::Single(node) => Some(node.is_gone()),
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.is_over(channel).await,
        }
    }

    /// A node said that the room is not there under this epoch.
    #[cfg_attr(not(feature = "etcd"), expect(unused_variables, reason = "a single node's rooms do not move"))]
    pub(crate) fn forget(&self, address: &Address) {
        match self {
            Self::Single(_) => {}
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.forget(address),
        }
    }

    /// Whether all that etcd has of nodes and rooms was read once.
    pub(crate) fn was_read(&self) -> bool {
        match self {
            Self::Single(_) => true,
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.was_read(),
        }
    }

    /// Whether there is a node that other replicas reach, and this one does not.
    pub(crate) fn is_cut_off(&self) -> bool {
        match self {
            Self::Single(_) => false,
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.is_cut_off(),
        }
    }

    /// Why no room can be opened now; None: one can.
    pub(crate) fn hindrance(&self) -> Option<&'static str> {
        match self {
            Self::Single(node) => node.state().is_none().then_some("no media node can be reached"),
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => cluster.hindrance(),
        }
    }
}
