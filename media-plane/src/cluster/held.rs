//! What the tasks of a node in a cluster share: who the node is, and the lease that it holds.

use railgun_protocol::directory::{NodeRecord, RoomRecord};
use railgun_protocol::ids::{BootId, NodeId};

/// Who this node is.
#[derive(Clone, Debug)]
pub(super) struct Me {
    pub(super) id: NodeId,
    pub(super) boot: BootId,
    /// Without lease and state, which change.
    pub(super) record: NodeRecord,
}

impl Me {
    pub(super) fn room(&self) -> RoomRecord {
        RoomRecord { node: self.id.clone(), boot_id: self.boot }
    }
}

/// A lease under which the rooms have to be looked up; each time anew, the number is another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) lease: i64,
    pub(super) round: u64,
}
