//! From an SSRC to the consumer that waits for it, with what was counted on the way.

use crate::rtcp_packets::{Feedback, RtcpCounts};
use rtp::packet::Packet;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{broadcast, mpsc};

/// Of padding alone, that tells a MID.
const MID_PAYLOAD_TYPE: u8 = 126;
/// Feedback a slow reader may fall behind.
const FEEDBACK_MAX: usize = 64;

/// Called with each packet of a stream, on the task that reads its transport: it must not wait.
pub type Tap = Arc<dyn Fn(&Packet) + Send + Sync>;

#[derive(Clone)]
enum Route {
    Queue(mpsc::Sender<Packet>),
    Tap(Tap),
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Queue(_)) { "Queue" } else { "Tap" })
    }
}

#[derive(Debug)]
pub(crate) struct Routes {
    table: Mutex<Table>,
    feedback: broadcast::Sender<Feedback>,
}

#[derive(Debug, Default)]
struct Table {
    by_ssrc: HashMap<u32, Route>,
    counts: RtcpCounts,
}

impl Default for Routes {
    fn default() -> Self {
        Self { table: Mutex::default(), feedback: broadcast::channel(FEEDBACK_MAX).0 }
    }
}

impl Routes {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leads these SSRCs to the tap, or without one into the queue whose end is given back.
    pub(crate) fn add(&self, ssrcs: &[u32], capacity: usize, tap: Option<Tap>) -> mpsc::Receiver<Packet> {
        let (sender, receiver) = mpsc::channel(capacity.max(1));
        let route = tap.map_or(Route::Queue(sender), Route::Tap);
        let mut table = self.table();
        for ssrc in ssrcs {
            table.by_ssrc.insert(*ssrc, route.clone());
        }
        receiver
    }

    pub(crate) fn remove(&self, ssrcs: &[u32]) {
        let mut table = self.table();
        for ssrc in ssrcs {
            table.by_ssrc.remove(ssrc);
        }
    }

    pub(crate) fn on_rtp(&self, packet: Packet) {
        let mut table = self.table();
        match table.by_ssrc.get(&packet.header.ssrc) {
            // It tells the MID of a stream that has not begun. A payload type without a codec is ignored (RFC 3550 section 5.1).
            Some(_) if packet.header.payload_type == MID_PAYLOAD_TYPE => {}
            None => table.counts.rtp_unrouted += 1,
            Some(Route::Tap(tap)) => tap(&packet),
            Some(Route::Queue(queue)) => {
                if queue.try_send(packet).is_err() {
                    table.counts.rtp_overflowed += 1;
                }
            }
        }
    }

    pub(crate) fn on_feedback(&self, feedback: Feedback) {
        self.table().counts.count(&feedback);
        // Without a subscriber there is nobody to tell.
        _ = self.feedback.send(feedback);
    }

    /// A packet that failed authentication or could not be read.
    pub(crate) fn on_rejected(&self) {
        self.table().counts.rejected += 1;
    }

    pub(crate) fn counts(&self) -> RtcpCounts {
        self.table().counts
    }

    pub(crate) fn feedback(&self) -> broadcast::Receiver<Feedback> {
        self.feedback.subscribe()
    }
}
