//! A call as it rings one user; in etcd, the value of the user's key.

use railgun_protocol::ids::{ChannelId, UserId};
use railgun_protocol::signal::RingEndReason;
use serde::{Deserialize, Serialize};

/// One user, called by another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ring {
    /// Of the call, random: the same for all whom it rings.
    pub(crate) id: u64,
    pub(crate) channel: ChannelId,
    pub(crate) from: UserId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Unix milliseconds.
    pub(crate) until: u64,
    /// How it ended, if it did before its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<RingEndReason>,
}

impl Ring {
    pub(crate) fn is_on(&self) -> bool {
        self.ended.is_none()
    }
}
