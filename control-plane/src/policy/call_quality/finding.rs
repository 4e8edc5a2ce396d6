//! Sides and causes that a bad minute may have.

use super::minute::ParticipantMinute;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Side {
    /// From a participant to the node: everybody heard that participant badly.
    SenderUplink,
    /// From the node to a participant, who heard everybody badly.
    ReceiverDownlink,
    Node,
    Relay,
    /// A participant's own device.
    Device,
    /// It was bad, and nothing that was measured says why.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Cause {
    /// Packets were lost.
    Loss,
    /// Packets waited in a queue, or came unevenly.
    Delay,
    /// The link took less than the pictures that were to be sent.
    Bandwidth,
    /// Nothing came for a while.
    Interrupted,
    /// A node's worker got too little CPU, or its sockets overflowed.
    Overload,
    /// The node's process ended, a worker of it died, or the replica lost it.
    Failed,
    /// The call moved to another node, as an operator wished.
    Moved,
    /// The device was too slow.
    Cpu,
    /// The microphone gave nothing.
    Microphone,
    Unknown,
}

/// What was wrong in one minute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    pub(crate) side: Side,
    pub(crate) cause: Cause,
    /// Whose link or device it was; its place among the minute's participants.
    pub(crate) participant: Option<usize>,
    pub(crate) node: Option<String>,
    pub(crate) sentence: String,
}

/// With the place of the participant whose it was.
pub(super) fn found(
    side: Side,
    cause: Cause,
    whose: Option<(usize, &ParticipantMinute)>,
    sentence: String,
) -> Finding {
    let node = whose.map(|(_, of)| of.who.node.clone());
    Finding { side, cause, participant: whose.map(|(place, _)| place), node, sentence }
}
