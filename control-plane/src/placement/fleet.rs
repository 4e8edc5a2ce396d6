//! What the whole fleet can do: a channel is encrypted end to end only when each media node and each replica says
//! that it knows of it. One that does not would serve the channel as before.

use super::backend::Placement;
use super::overview::OverviewError;
#[cfg(feature = "etcd")]
use railgun_protocol::directory::{ReplicaRecord, decode};

impl Placement {
    /// A media node or replica that does not know of end-to-end encryption; None: each one does.
    pub(crate) async fn without_end_to_end(&self) -> Result<Option<String>, OverviewError> {
        match self {
            Self::Single(link) => {
                let described = link.describe().await.map_err(|_| OverviewError::Unreachable)?;
                Ok((!described.end_to_end).then(|| format!("media node {}", described.node_id)))
            }
            #[cfg(feature = "etcd")]
            Self::Cluster(cluster) => {
                let nodes = cluster.store.nodes().await?;
                if let Some(node) = nodes.into_iter().find(|node| !node.record.end_to_end) {
                    return Ok(Some(format!("media node {}", node.id)));
                }
                let (replicas, _) = cluster.store.list(&cluster.store.keys().replicas()).await?;
                let mut replicas = replicas.iter().filter_map(|entry| decode::<ReplicaRecord>(&entry.value));
                let without = replicas.find(|replica| !replica.end_to_end);
                Ok(without.map(|replica| format!("replica {}", replica.name)))
            }
        }
    }
}
