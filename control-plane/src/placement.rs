//! Which node serves which channel, and which incarnation of its room that is.

use crate::media_client::NodeLink;
use railgun_shared::ids::ChannelId;
use railgun_shared::media_rpc::Address;

/// There is one node and we are its only control-plane, so a room has one incarnation: what is left
/// of it when the node was lost for a while is emptied as soon as the node is back.
const ONLY_EPOCH: u64 = 1;

#[derive(Debug)]
pub(crate) struct Placement {
    node: NodeLink,
}

impl Placement {
    pub(crate) fn single(node: NodeLink) -> Self {
        Self { node }
    }

    pub(crate) fn of(&self, channel: &ChannelId) -> (NodeLink, Address) {
        (self.node.clone(), Address { channel: channel.clone(), epoch: ONLY_EPOCH })
    }
}
