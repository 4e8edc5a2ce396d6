//! What etcd holds: its keys, and the records under them. Never participants, producers or stats.
//!
//! | key | lease | what |
//! |---|---|---|
//! | `node/{id}` | the node's | [`NodeRecord`]: a media node that is up |
//! | `load/{id}` | the node's | [`LoadRecord`], apart because it changes every two seconds |
//! | `room/{channel}` | the node's | [`RoomRecord`]; its create revision is the room's epoch |
//! | `rec/…` | none | what operators wrote |
//! | `joins/{user}/…` | its own | counts of one user's joins |
//! | `ring/{user}` | its own | a call that rings this user |
//! | `session/{user}/{0..4}` | its replica's | one of the sessions that a user may have |
//! | `replica/{boot id}` | the replica's, 10 s | [`ReplicaRecord`]: when its clock said it was what, every 3 s |
//! | `notice/{replica}/…` | its own | sessions of a replica whose places others have got |

use crate::ids::{BootId, ChannelId, NodeId, UserId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::time::Duration;

/// How long a node's lease outlives its last renewal, at least.
pub const NODE_LEASE_TTL: Duration = Duration::from_secs(5);
/// Between two renewals.
pub const NODE_LEASE_RENEWAL: Duration = Duration::from_millis(1500);
/// Safety margin: a node treats its lease as expired this much before etcd does.
pub const NODE_LEASE_MARGIN: Duration = Duration::from_millis(500);
/// Replicas that a node's load names.
pub const REPLICAS_TOLD_MAX: usize = 16;
/// Between two writes of a node's load.
pub const LOAD_INTERVAL: Duration = Duration::from_secs(2);

const _: () = {
    let ttl = NODE_LEASE_TTL.as_millis();
    // Two renewals may be lost before a lease is.
    assert!(2 * NODE_LEASE_RENEWAL.as_millis() + NODE_LEASE_MARGIN.as_millis() < ttl);
};

/// The keys below one prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    prefix: String,
}

impl Keys {
    /// `prefix` has no slash at its end.
    pub fn new(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// What the keys of all nodes begin with.
    pub fn nodes(&self) -> String {
        format!("{}/node/", self.prefix)
    }

    /// Key of a [`NodeRecord`].
    pub fn node(&self, id: &NodeId) -> String {
        format!("{}/node/{id}", self.prefix)
    }

    /// What the keys of all nodes' loads begin with.
    pub fn loads(&self) -> String {
        format!("{}/load/", self.prefix)
    }

    /// Key of a [`LoadRecord`].
    pub fn load(&self, id: &NodeId) -> String {
        format!("{}/load/{id}", self.prefix)
    }

    /// What the keys of all rooms begin with.
    pub fn rooms(&self) -> String {
        format!("{}/room/", self.prefix)
    }

    /// Key of a [`RoomRecord`].
    pub fn room(&self, channel: &ChannelId) -> String {
        format!("{}/room/{channel}", self.prefix)
    }

    /// Below it, operators' records.
    pub fn records(&self) -> String {
        format!("{}/rec/", self.prefix)
    }

    /// Below it, the users who are called.
    pub fn rings(&self) -> String {
        format!("{}/ring/", self.prefix)
    }

    /// The call that rings this user.
    pub fn ring(&self, user: &UserId) -> String {
        format!("{}/ring/{user}", self.prefix)
    }

    /// Below it, one user's joins.
    pub fn joins(&self, user: &UserId) -> String {
        format!("{}/joins/{user}/", self.prefix)
    }

    /// Key of one of the places for a user's sessions, from 0.
    pub fn session(&self, user: &UserId, place: usize) -> String {
        format!("{}/session/{user}/{place}", self.prefix)
    }

    /// Below it, what concerns the sessions of one run of a replica.
    pub fn notices(&self, replica: BootId) -> String {
        format!("{}/notice/{replica}/", self.prefix)
    }

    /// Below it, a record of each replica that is up.
    pub fn replicas(&self) -> String {
        format!("{}/replica/", self.prefix)
    }

    /// The record of one run of a replica.
    pub fn replica(&self, replica: BootId) -> String {
        format!("{}/replica/{replica}", self.prefix)
    }

    /// The node that a key below [`Self::nodes`] is of.
    pub fn node_of(&self, key: &str) -> Option<NodeId> {
        NodeId::new(key.strip_prefix(&self.nodes())?).ok()
    }

    /// The node that a key below [`Self::loads`] is of.
    pub fn load_of(&self, key: &str) -> Option<NodeId> {
        NodeId::new(key.strip_prefix(&self.loads())?).ok()
    }

    /// The channel that a key below [`Self::rooms`] is of.
    pub fn room_of(&self, key: &str) -> Option<ChannelId> {
        ChannelId::new(key.strip_prefix(&self.rooms())?).ok()
    }
}

/// Whether a node takes rooms that it does not have yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeState {
    /// The node gets rooms, as its load and capacity allow.
    #[default]
    Serving,
    /// The node's rooms go on until they are empty; it gets no others.
    Draining,
}

/// A media node that is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRecord {
    /// Which run of its program this is: commands for another are refused.
    pub boot_id: BootId,
    /// Lease of this key, of the load and of the rooms: whoever revokes it gives all of them up.
    pub lease: i64,
    /// Host and port of the control link.
    pub rpc_address: String,
    /// Media address of each worker, as clients are told.
    pub media_addresses: Vec<SocketAddr>,
    /// As operators name it: new rooms of a region go to its nodes, if one takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Serving at its start; an operator changes it through any replica.
    #[serde(default)]
    pub state: NodeState,
    /// Version of the node's program.
    pub version: String,
    /// Sessions that it takes.
    pub capacity: u32,
    /// Its rooms can be encrypted end to end. False: not, or written by a version that does not know of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_to_end: bool,
}

/// What a node has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadRecord {
    /// Rooms that are open.
    pub rooms: u32,
    /// Sessions that have a seat, in all of its rooms.
    pub sessions: u32,
    /// When it was written by the node's clock, in Unix milliseconds. None: by an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
    /// The replicas whose control streams it has, by what they call themselves; at most
    /// [`REPLICAS_TOLD_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<String>,
    /// How the workers get on. None: written by a version that does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<NodeHealth>,
}

/// What a node's workers did since its load before was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeHealth {
    /// CPU time of the busiest worker, in thousandths of the time that passed.
    pub cpu_per_mille: u32,
    /// Media packets forwarded a second, by all workers.
    pub packets_per_second: u32,
    /// Datagrams dropped, in thousandths of those that were forwarded or dropped.
    pub dropped_per_mille: u32,
    /// Workers that died in the last [`DEATH_REMEMBERED`], and those that were not replaced.
    pub dead_workers: u32,
    /// Other nodes are to be preferred for new rooms: too little CPU is left or too much was dropped for several
    /// loads in a row, or a worker died.
    #[serde(default)]
    pub is_degraded: bool,
}

/// How long a node that lost a worker is avoided: what killed it may come again with the same rooms.
pub const DEATH_REMEMBERED: Duration = Duration::from_secs(60);

/// A replica that is up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaRecord {
    /// When it was written by the replica's clock, in Unix milliseconds.
    pub at: u64,
    /// Host and listening address, for logs.
    pub name: String,
    /// It knows channels that are encrypted end to end. False: not, or written by a version that does not say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_to_end: bool,
}

/// Where a room is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomRecord {
    /// The node that has it.
    pub node: NodeId,
    /// The run of that node: after a restart the room is gone, and the record void.
    pub boot_id: BootId,
}

/// A record as etcd keeps it.
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    // Records have string keys and no fallible serialisers.
    serde_json::to_vec(record).unwrap_or_default()
}

/// None: it is not of this kind, or of a version that cannot be read.
pub fn decode<T: DeserializeOwned>(value: &[u8]) -> Option<T> {
    serde_json::from_slice(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_what_it_is_of_and_nothing_else() {
        let keys = Keys::new("/rg/v1");
        let node = NodeId::new("eu/1").unwrap();
        let channel = ChannelId::new("a channel/with everything").unwrap();
        assert_eq!(keys.node(&node), "/rg/v1/node/eu/1");
        assert_eq!(keys.node_of(&keys.node(&node)), Some(node.clone()));
        assert_eq!(keys.load_of(&keys.load(&node)), Some(node.clone()));
        assert_eq!(keys.room_of(&keys.room(&channel)), Some(channel));
        assert_eq!(keys.node_of(&keys.load(&node)), None);
        assert_eq!(keys.room_of("/rg/v1/room/"), None);
    }

    #[test]
    fn a_record_reads_back_what_it_was_and_newer_fields_do_no_harm() {
        let record = NodeRecord {
            boot_id: BootId::from_bits(7),
            lease: 9,
            rpc_address: "127.0.0.1:50051".into(),
            media_addresses: vec![SocketAddr::from(([127, 0, 0, 1], 40_000))],
            region: None,
            state: NodeState::Draining,
            version: "1".into(),
            capacity: 3,
            end_to_end: true,
        };
        assert_eq!(decode(&encode(&record)), Some(record));
        let newer = br#"{"rooms":1,"sessions":2,"cpu":0.5}"#;
        assert_eq!(decode(newer), Some(LoadRecord { rooms: 1, sessions: 2, ..LoadRecord::default() }));
        assert_eq!(decode::<RoomRecord>(b"{}"), None);
    }
}
