//! What is told of a call: to other replicas as it was kept, and to operators with every bad minute explained.

use crate::policy::call_quality::{Cause, NodeMinute, ParticipantMinute, Side};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What one replica kept of a channel in some hours.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Records {
    pub(crate) participants: Vec<ParticipantMinute>,
    /// Nodes, and under an empty name all relays.
    pub(crate) nodes: Vec<NodeMinute>,
}

/// A call in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallSummary {
    /// Id of the call.
    pub(crate) call: String,
    /// The minute in which it began, RFC 3339.
    pub(crate) started_at: String,
    /// The minute in which it was last heard of.
    pub(crate) ended_at: String,
    /// Joins, however often one person joined.
    pub(crate) participants: usize,
    /// Minutes with at least one finding.
    pub(crate) bad_minutes: usize,
}

/// One call, minute by minute.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallDocument {
    /// Id of the call.
    pub(crate) call: String,
    /// The minute in which it began, RFC 3339.
    pub(crate) started_at: String,
    /// The minute in which it was last heard of.
    pub(crate) ended_at: String,
    /// In the order in which they came.
    pub(crate) participants: Vec<CallParticipant>,
    /// Media nodes that had it, the first first.
    pub(crate) nodes: Vec<String>,
    /// Oldest first; the last 1440 of a longer call.
    pub(crate) minutes: Vec<Minute>,
    /// Replicas that were asked for what they kept and did not answer: their part is missing.
    pub(crate) unreached: Vec<String>,
}

/// Somebody who joined.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallParticipant {
    /// What sentences and minutes call the participant: `P1` came first.
    pub(crate) participant: String,
    /// Session id, as webhooks and rooms have it.
    pub(crate) session_id: String,
    /// The user, if `calls.users` is set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) region: Option<String>,
    /// `wifi`, `cellular`, `ethernet`, `vpn`, `other` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<String>,
}

/// A minute of a call.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Minute {
    /// When it began, RFC 3339.
    pub(crate) at: String,
    pub(crate) participants: Vec<MinuteOf>,
    /// What was wrong; empty: nothing was.
    pub(crate) findings: Vec<Explained>,
}

/// How a minute went for one participant. What was not measured is absent.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MinuteOf {
    pub(crate) participant: String,
    /// The media node.
    pub(crate) node: String,
    /// `udp`, `tcp` or `relay`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<String>,
    /// Mean opinion score by the client, 1 to 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mos: Option<f64>,
    /// Node to client and back, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) round_trip_ms: Option<f64>,
    /// Lost on the way to the node, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) up_loss_percent: Option<f64>,
    /// Lost on the way from the node, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) down_loss_percent: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) up_jitter_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) down_jitter_ms: Option<f64>,
    /// What the downlink took, in kbit/s, if that was less than there was to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) available_kbps: Option<u32>,
    /// Videos that the client wanted, at the most at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) videos: Option<u8>,
    /// The lowest layers that any of them was sent in, as `spatial.temporal`, each from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layers_min: Option<String>,
    /// The highest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) layers_max: Option<String>,
    /// Part of the minute, in percent, in which one of them was not sent at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dark_percent: Option<f64>,
    /// How often the keys of an encrypted call changed; absent: not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_changes: Option<u8>,
    /// Epoch of the keys then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_epoch: Option<u64>,
    /// `joined`, `left`, `socketLost`, `resumed`, `pathChanged`, `pathLost`, `nodeLost` and so on.
    pub(crate) events: Vec<EventOf>,
}

/// Something that happened to a participant.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EventOf {
    /// Second of the minute.
    pub(crate) second: u8,
    pub(crate) what: String,
}

/// One thing that was wrong in a minute.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explained {
    pub(crate) side: Side,
    pub(crate) cause: Cause,
    /// Whose link or device it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) participant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) node: Option<String>,
    /// For people.
    pub(crate) sentence: String,
}
