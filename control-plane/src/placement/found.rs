//! The answer to where a channel's room is.

use crate::media_client::NodeLink;
use railgun_protocol::media_rpc::Address;

/// What is known of a channel's room.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub(crate) enum Found {
    Here(NodeLink, Address),
    /// The room's node does not answer now, or has to bind the room anew, or etcd has not told us yet.
    Waiting,
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "a single node's rooms are there"))]
    Unbound,
    /// The room's node is gone by the records, or runs anew: the key ends with the lease of the run that had it.
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "a single node's rooms are there"))]
    Ended,
}
