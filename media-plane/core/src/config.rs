//! What an engine is made with, and what goes into it.

use crate::packet::ecn::Ecn;
use crate::transport::dtls::{Certificate, DtlsVersion};
use crate::transport::ice_lite::Relays;
use railgun_protocol::transport_parameters::IceCandidate;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// A received datagram. It is decrypted in place: its bytes afterwards are not those that arrived.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Where it came from, as the kernel says.
    pub source: SocketAddr,
    /// The whole UDP payload.
    pub bytes: &'a mut [u8],
    /// When the kernel took it in, as far as that is known, and not after it is handed over. Feedback to senders, jitter
    /// and delay go by it: they tell of the network, and not of how long a packet waited for its worker.
    pub arrived: Instant,
    /// The ECN bits of its IP header; not-ECT where the driver does not read them.
    pub ecn: Ecn,
}

/// The longest wait for a worker that senders are not told of. A longer one is a node that has too little CPU, or a wall clock
/// that was set.
const LATE_MAX: Duration = Duration::from_millis(50);

impl Datagram<'_> {
    /// When a packet counts as arrived that is taken at `now`, `late` after the kernel took it in: 50 ms before at the most.
    pub fn arrived(now: Instant, late: Duration) -> Instant {
        now.checked_sub(late.min(LATE_MAX)).unwrap_or(now)
    }
}

/// What the driver of an engine decides; the same for all of its rooms.
pub struct EngineConfig {
    /// What clients are told to send to.
    pub candidates: Vec<IceCandidate>,
    /// Shown in every DTLS handshake; its digest is in `dtlsParameters`.
    pub certificate: Certificate,
    /// Which versions are accepted.
    pub dtls_version: DtlsVersion,
    /// Where sessions in privacy mode may come from.
    pub relays: Arc<Relays>,
    /// Source of every id, ICE credential, SSRC and sequence start. Secret and new for each engine.
    pub seed: [u8; 32],
    /// DTLS handshakes in progress at once.
    pub handshakes_max: usize,
    /// What a producer may send of its owner's bitrate limit, in percent.
    pub bitrate_headroom_percent: u32,
    /// One moment on both clocks, from which wall time is counted; sender reports alone use wall time.
    pub started: (Instant, SystemTime),
    /// Whether [`Notice::MediaStarted`](crate::Notice::MediaStarted) is told of consumers.
    pub tells_media_started: bool,
    /// Whether publishers of microphones are told what their receivers lose, so that they add Opus in-band FEC.
    pub speech_fec: bool,
    /// Whether receivers that report ECN marks (RFC 8888) are sent ECT(1), the mark of a scalable control (RFC 9331). Marks
    /// on what came ([`Datagram::ecn`]) are echoed to senders that negotiated RFC 8888 feedback, whatever this says.
    pub l4s: bool,
}

impl std::fmt::Debug for EngineConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the seed: every id and credential follows from it.
        f.debug_struct("EngineConfig").field("candidates", &self.candidates).finish_non_exhaustive()
    }
}
