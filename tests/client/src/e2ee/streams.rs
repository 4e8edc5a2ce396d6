//! Frames of a call with keys of a group, and who of the others cannot be opened.

use super::key_ring::KeyRing;
use crate::sframe::{FrameCodec, SframeError};
use railgun_protocol::ids::SessionId;
use railgun_protocol::signal::Source;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Time for which no frame of a stream opens until the group is told that its sender's key is missing, and between two
/// such messages.
const MISSING_AFTER: Duration = Duration::from_millis(400);

/// The keys of one stay, as its streams use them.
#[derive(Clone)]
pub(super) struct Keys {
    ring: Arc<Mutex<KeyRing>>,
    /// Sessions whose frames cannot be opened.
    missing: mpsc::Sender<SessionId>,
}

impl Keys {
    pub(super) fn new(own: SessionId, missing: mpsc::Sender<SessionId>) -> Self {
        Self { ring: Arc::new(Mutex::new(KeyRing::new(own))), missing }
    }

    pub(super) fn ring(&self) -> MutexGuard<'_, KeyRing> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sealer(&self, source: Source, codec: FrameCodec) -> GroupSealer {
        GroupSealer { keys: self.clone(), source, codec }
    }

    pub(super) fn opener(&self, session: SessionId, source: Source, codec: FrameCodec) -> GroupOpener {
        GroupOpener { keys: self.clone(), of: (session, source, codec), failing_since: None }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// Encrypts the frames of one source of this client, each with the epoch of its time.
#[derive(Clone, Debug)]
pub struct GroupSealer {
    keys: Keys,
    source: Source,
    codec: FrameCodec,
}

impl GroupSealer {
    /// Whether there is a key to send with.
    pub fn may_send(&self) -> bool {
        self.keys.ring().may_send(Instant::now())
    }

    /// The frame as it goes to the packetiser; `None`: nothing may be sent, since there is no key, or somebody has it who
    /// has left.
    pub fn seal(&self, frame: &[u8]) -> Option<Vec<u8>> {
        self.keys.ring().seal((self.source, self.codec), frame, Instant::now())
    }
}

/// Decrypts the frames of one source of another client.
#[derive(Debug)]
pub struct GroupOpener {
    keys: Keys,
    of: (SessionId, Source, FrameCodec),
    /// Since when no frame was opened, or since the group was told.
    failing_since: Option<Instant>,
}

impl GroupOpener {
    /// The frame as its sender's encoder made it.
    pub fn open(&mut self, wire: &[u8]) -> Result<Vec<u8>, SframeError> {
        let now = Instant::now();
        let opened = self.keys.ring().open(self.of, wire, now);
        if opened.is_ok() {
            self.failing_since = None;
        } else if now - *self.failing_since.get_or_insert(now) >= MISSING_AFTER {
            self.failing_since = Some(now);
            // If many are told at a time, one more says nothing new.
            _ = self.keys.missing.try_send(self.of.0);
        }
        opened
    }
}
