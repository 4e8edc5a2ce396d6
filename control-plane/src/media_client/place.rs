//! Where a room is, so that a replica which knows neither the room nor its node finds both.

use railgun_protocol::ids::{BootId, NodeId};
use serde::{Deserialize, Serialize};

/// The node that has a room, the way to it, and which run and epoch of them is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(rename = "n")]
    pub(crate) node: NodeId,
    /// Host and port of the control link.
    #[serde(rename = "a")]
    pub(crate) address: String,
    #[serde(rename = "b")]
    pub(crate) boot_id: BootId,
    #[serde(rename = "e")]
    pub(crate) epoch: u64,
}
