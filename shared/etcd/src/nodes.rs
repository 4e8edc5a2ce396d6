//! The media nodes, as operators see and change them.

use crate::error::EtcdError;
use crate::store::{Outcome, Store};
use railgun_protocol::directory::{LoadRecord, NodeRecord, NodeState, decode, encode};
use railgun_protocol::ids::NodeId;
use std::collections::HashMap;

/// A media node that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEntry {
    /// From its key.
    pub id: NodeId,
    /// Where it is reached, and which of its runs this is.
    pub record: NodeRecord,
    /// Last written by the node itself, every few seconds.
    pub load: LoadRecord,
}

impl Store {
    /// All nodes that are up.
    pub async fn nodes(&self) -> Result<Vec<NodeEntry>, EtcdError> {
        let keys = self.keys();
        let (loads, _) = self.list(&keys.loads()).await?;
        let loads = loads.iter().filter_map(|entry| Some((keys.load_of(&entry.key)?, decode(&entry.value)?)));
        let mut loads: HashMap<NodeId, LoadRecord> = loads.collect();
        let (nodes, _) = self.list(&keys.nodes()).await?;
        let nodes = nodes.iter().filter_map(|entry| {
            let id = keys.node_of(&entry.key)?;
            let load = loads.remove(&id).unwrap_or_default();
            Some(NodeEntry { id, record: decode(&entry.value)?, load })
        });
        Ok(nodes.collect())
    }

    /// Drains a node, or has it serve again. The node keeps this until it is stopped. False: there
    /// is no such node.
    pub async fn set_node_state(&self, id: &NodeId, state: NodeState) -> Result<bool, EtcdError> {
        let key = self.keys().node(id);
        loop {
            let Some(entry) = self.read(&key).await? else { return Ok(false) };
            let Some(record) = decode::<NodeRecord>(&entry.value) else { return Ok(false) };
            if record.state == state {
                return Ok(true);
            }
            let changed = encode(&NodeRecord { state, ..record });
            // The lease stays the node's, so that the record goes with it.
            if let Outcome::Done(_) =
                self.put_if(&key, entry.mod_revision, &changed, Some(entry.lease)).await?
            {
                return Ok(true);
            }
        }
    }
}
