//! What a client keeps: over connections, and of one session.

use super::media::Transport;
use super::relayed::Login;
use crate::kernel::Nanos;
use crate::messages::Messages;
use railgun_peer::Offer;
use std::collections::{BTreeMap, BTreeSet};

/// What a client remembers over connections.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) resume: Option<String>,
    /// Used, and to be shown again.
    pub(super) old_token: Option<String>,
    pub(super) call: Option<Call>,
    pub(super) replica: usize,
    pub(super) tries: usize,
    pub(super) port: u16,
    /// At the relay.
    pub(super) login: Option<Login>,
    /// Not before this time.
    pub(super) join_at: Nanos,
}

impl Kept {
    /// Another one for the next transport.
    pub(super) fn next_port(&mut self) {
        self.port = if self.port >= 60_000 { 20_000 } else { self.port + 1 };
    }
}

/// One session's media.
pub(super) struct Call {
    pub(super) channel: String,
    pub(super) session: String,
    pub(super) send: Option<Transport>,
    pub(super) recv: Option<Transport>,
    pub(super) offers: BTreeMap<String, Sending>,
    /// What was consumed in this session, by SSRC: the user and source.
    pub(super) streams: BTreeMap<u32, (String, String)>,
    pub(super) untold: Vec<(Nanos, u32, String)>,
    /// By SSRC, the indices that senders gave their packets.
    pub(super) heard: BTreeMap<u32, BTreeSet<u64>>,
    pub(super) sequences: BTreeMap<u32, u16>,
    /// Whether its consumers are paused; none: not known.
    pub(super) is_deaf: Option<bool>,
    /// Producers that `voice:resumed` lists and whose replies were lost, so that the client does not know them.
    pub(super) strays: Vec<String>,
    /// Whom it asked to hear, by user and source, without an answer: it may hear them nonetheless.
    pub(super) unanswered: BTreeSet<(String, String)>,
    pub(super) next_offer: u32,
    pub(super) next_packet: Nanos,
    pub(super) ended: Option<&'static str>,
    pub(super) not_before: BTreeMap<String, Nanos>,
    pub(super) slot_asked: bool,
    pub(super) is_encrypted: bool,
    pub(super) messages: Messages,
}

pub(super) struct Sending {
    pub(super) offer: Offer,
    /// SRTP packet index of the last packet: roll-over counter and sequence number (RFC 3711, 3.3.1).
    pub(super) index: u64,
    /// Pictures sent so far.
    pub(super) picture: u64,
    pub(super) source: String,
    pub(super) paused: bool,
    /// Of simulcast; 0: it is sent as one stream.
    pub(super) layers: u8,
}
