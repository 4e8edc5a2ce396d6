//! How soon each end of a control link notices that the other is gone: by HTTP/2 PING frames (RFC 9113, section 6.7).

use std::time::Duration;

/// Either end sends a PING after so long without a frame of the other.
pub const PING_INTERVAL: Duration = Duration::from_secs(2);
/// How long a control-plane waits for the answer. Its people are to go on elsewhere soon.
pub const CONTROL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a node waits. A replica that stands still for less keeps its stream.
pub const NODE_TIMEOUT: Duration = Duration::from_secs(5);
/// When a path is cut, the node ends the stream at most so long after the control-plane did: that one had a PING on
/// its way, and the node had just received a frame.
pub const NODE_BEHIND: Duration = PING_INTERVAL.saturating_add(NODE_TIMEOUT).saturating_sub(CONTROL_TIMEOUT);
