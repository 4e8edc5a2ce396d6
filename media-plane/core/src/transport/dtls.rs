//! The DTLS handshake of one transport (RFC 6347, RFC 9147, RFC 5764), over the sans-IO crate
//! `dimpl`, which `attempt` and `signing` alone see.
//!
//! Two things are ours: the `gate` in front of it, and the rule that SRTP keys come out only if the
//! peer's certificate has the signalled digest. Before the handshake is done nothing in it is
//! authenticated, so an error then says nothing about the peer: the object that reported it is
//! discarded and the next ClientHello starts a new one, each time after a longer wait. A handshake's
//! randomness is the system's, not the engine's: ephemeral keys and signatures by `aws-lc-rs`, randoms,
//! nonces and the jitter of retransmissions by `rand`.

mod attempt;
mod fingerprint;
mod gate;
mod keying;
mod signing;

pub use attempt::{Certificate, CertificateError, DtlsVersion};
pub use fingerprint::FingerprintError;
pub use keying::{SrtpKeyMaterial, SrtpKeys};

use crate::packet::MAX_DATAGRAM;
use attempt::{Attempt, AttemptError, Event, PeerCertificate};
use fingerprint::ExpectedDigest;
use gate::{Stage, Verdict, first_client_hello};
use railgun_protocol::limits::DTLS_HANDSHAKE_TIMEOUT;
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsRole};
use std::fmt;
use std::time::{Duration, Instant};
use thiserror::Error;

/// Shortest buffer for [`DtlsTransport::poll`], in bytes.
pub const POLL_BUFFER_LEN: usize = MAX_DATAGRAM;

/// Shortest time between the first attempts. Not longer than a client's retransmission takes, so a disturbed
/// join loses no more than that.
const ATTEMPT_INTERVAL: Duration = Duration::from_millis(100);
/// After so many attempts the interval doubles with each, as clients' own retransmission does, up to
/// [`ATTEMPT_INTERVAL_MAX`]: a transport has fifteen attempts in [`DTLS_HANDSHAKE_TIMEOUT`], each of which may
/// cost a key pair and a signature.
const QUICK_ATTEMPTS: u32 = 3;
const ATTEMPT_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// A ClientHello with another random replaces an unfinished handshake of this age: by then the one
/// it answers was forged, or its client gave up.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// How long, and how many times, the peer's repeated last flight is answered with ours.
const ANSWER_FINAL_FLIGHT_FOR: Duration = Duration::from_secs(10);
const ANSWER_FINAL_FLIGHT_MAX: u8 = 3;

/// Why a transport has no keys and never will.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[allow(missing_docs, reason = "each message says what was wrong")]
pub enum DtlsFailure {
    #[error("the handshake did not finish in time")]
    Timeout,
    #[error("the peer has no certificate")]
    NoCertificate,
    #[error("the peer's certificate is not the one it signalled")]
    FingerprintMismatch,
    #[error("no SRTP protection profile in common")]
    NoSrtpProfile,
    #[error("the DTLS object could not be set up")]
    Setup,
}

/// What [`DtlsTransport::poll`] has to say.
#[derive(Debug, PartialEq, Eq)]
pub enum DtlsOutput {
    /// The first so many bytes of the buffer are a datagram for the peer.
    Packet(usize),
    /// Said once. The peer holds the private key of the certificate it signalled.
    Connected(SrtpKeyMaterial),
    /// Returned once, and last.
    Failed(DtlsFailure),
    /// The peer closed the connection; said once.
    Closed,
    /// Nothing until the next datagram or [`DtlsTransport::next_timeout`].
    None,
}

/// One side of a DTLS connection.
pub struct DtlsTransport {
    certificate: Certificate,
    version: DtlsVersion,
    is_server: bool,
    expected: ExpectedDigest,
    /// The latest time that was passed in.
    now: Instant,
    phase: Phase,
    /// Three and a half KiB, which the table of transports would move whenever it grows.
    attempt: Option<Box<Attempt>>,
    attempts: u32,
    next_attempt_at: Option<Instant>,
    deadline: Option<Instant>,
    /// An unauthenticated hint, used only to name the failure at the deadline.
    saw_no_certificate: bool,
    last_word: Option<DtlsOutput>,
    filtered: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshaking,
    Connected {
        at: Instant,
        answers: u8,
        /// The next packet is an answer to a repeated flight.
        answering: bool,
    },
    Over,
}

impl DtlsTransport {
    /// `peer_role` is what the peer says it is: only if that is `client` are we the server.
    pub fn new(
        certificate: Certificate,
        version: DtlsVersion,
        peer_role: DtlsRole,
        fingerprints: &[DtlsFingerprint],
        now: Instant,
    ) -> Result<Self, FingerprintError> {
        Ok(Self {
            certificate,
            version,
            is_server: peer_role == DtlsRole::Client,
            expected: ExpectedDigest::first_strong(fingerprints)?,
            now,
            phase: Phase::Handshaking,
            attempt: None,
            attempts: 0,
            next_attempt_at: None,
            deadline: None,
            saw_no_certificate: false,
            last_word: None,
            filtered: Vec::new(),
        })
    }

    /// Says that ICE has a tuple: the time for the handshake runs, and a client begins it. May be
    /// said again.
    pub fn start(&mut self, now: Instant) {
        self.now = now;
        self.arm_deadline();
        if self.begins_at_start() {
            self.begin(None);
        }
    }

    /// [`Self::start`] would begin a handshake.
    pub(crate) fn begins_at_start(&self) -> bool {
        !self.is_server && self.may_begin() && self.next_attempt_at.is_none()
    }

    /// [`Self::handle`] would begin a handshake where none is in progress.
    pub(crate) fn begins_with(&self, datagram: &[u8], now: Instant) -> bool {
        self.is_server
            && self.may_begin()
            && self.next_attempt_at.is_none_or(|at| now >= at)
            && first_client_hello(datagram).is_some()
    }

    /// True if the datagram repeats a part of the handshake that is done, or is sealed, so that only the keys
    /// could tell.
    pub(crate) fn may_be_of_handshake(&self, datagram: &[u8]) -> bool {
        self.attempt.as_ref().is_some_and(|attempt| attempt.gate.knows(datagram))
    }

    /// [`Self::handle_timeout`] would begin one.
    pub(crate) fn begins_again_by(&self, now: Instant) -> bool {
        self.client_restart_at().is_some_and(|at| now >= at)
    }

    /// Does not begin again yet.
    pub(crate) fn put_off(&mut self, now: Instant) {
        self.next_attempt_at = Some(now + ATTEMPT_INTERVAL);
    }

    /// Discards the handshake in progress, and begins no other before this.
    pub(crate) fn abandon(&mut self, until: Instant) {
        if self.is_handshaking() {
            self.attempt = None;
            self.next_attempt_at = Some(until);
        }
    }

    /// As if the handshake were done, so that a fuzz target need not pay for one.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn skip(&mut self, now: Instant) {
        self.attempt = None;
        self.phase = Phase::Connected { at: now, answers: 0, answering: false };
    }

    /// Takes a datagram that RFC 7983 calls DTLS and that came from a tuple with a valid ICE check.
    pub fn handle(&mut self, datagram: &[u8], now: Instant) {
        self.now = now;
        match self.phase {
            Phase::Handshaking => self.handle_handshaking(datagram),
            Phase::Connected { at, answers, .. } => {
                let may_answer = answers < ANSWER_FINAL_FLIGHT_MAX
                    && now.saturating_duration_since(at) < ANSWER_FINAL_FLIGHT_FOR;
                self.handle_connected(datagram, may_answer);
            }
            Phase::Over => {}
        }
    }

    /// Retransmits what is due and gives up what is too late.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        if self.phase == Phase::Handshaking && self.deadline.is_some_and(|deadline| now >= deadline) {
            let no_certificate = self.saw_no_certificate;
            self.fail(if no_certificate { DtlsFailure::NoCertificate } else { DtlsFailure::Timeout });
            return;
        }
        if let Some(attempt) = &mut self.attempt {
            if let Err(error) = attempt.handle_timeout(now) {
                self.on_error(&error);
            }
        } else if self.client_restart_at().is_some_and(|at| now >= at) {
            self.begin(None);
        }
    }

    /// A handshake is in progress: there is an object for it.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.phase == Phase::Handshaking && self.attempt.is_some()
    }

    /// None is in progress, and one may be.
    fn may_begin(&self) -> bool {
        self.phase == Phase::Handshaking && self.attempt.is_none()
    }

    /// When [`Self::handle_timeout`] is due; known once [`Self::poll`] has answered `None`.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        let wake = self.attempt.as_ref().and_then(|attempt| attempt.wake);
        let deadline = self.deadline.filter(|_| self.phase == Phase::Handshaking);
        wake.into_iter().chain(self.client_restart_at()).chain(deadline).min()
    }

    /// What is to be done next; to be called until it says `None` after every other call. `buf`
    /// must hold [`POLL_BUFFER_LEN`] bytes, with less it always says `None`.
    pub fn poll(&mut self, buf: &mut [u8]) -> DtlsOutput {
        if let Some(last_word) = self.last_word.take() {
            return last_word;
        }
        if buf.len() < POLL_BUFFER_LEN {
            return DtlsOutput::None;
        }
        while let Some(attempt) = &mut self.attempt {
            let event = attempt.poll(&self.expected, buf);
            if attempt.is_finished && self.phase == Phase::Handshaking {
                return self.complete(event);
            }
            match event {
                Event::Packet(len) => {
                    self.count_answer();
                    return DtlsOutput::Packet(len);
                }
                Event::Closed => self.end(DtlsOutput::Closed),
                Event::Keys(..) => {}
                Event::Idle => return DtlsOutput::None,
            }
        }
        self.last_word.take().unwrap_or(DtlsOutput::None)
    }

    /// Closes the connection, if there is one: [`Self::poll`] then yields the `close_notify` alert.
    pub fn close(&mut self) {
        if let Some(attempt) = &mut self.attempt
            && attempt.close().is_err()
        {
            self.attempt = None;
        }
    }

    fn handle_handshaking(&mut self, datagram: &[u8]) {
        if self.is_server
            && let Some(random) = first_client_hello(datagram)
            && self.is_to_begin_with(&random)
        {
            self.begin(Some(random));
        }
        let Some(attempt) = &mut self.attempt else { return };
        match attempt.gate.admit(datagram, Stage::Handshaking, &mut self.filtered) {
            Verdict::Drop => {}
            Verdict::Pass { .. } => {
                if let Err(error) = attempt.feed(&self.filtered, self.now) {
                    self.on_error(&error);
                }
            }
            Verdict::Exhausted => self.attempt = None,
        }
    }

    fn is_to_begin_with(&self, client_random: &[u8; 32]) -> bool {
        match &self.attempt {
            Some(attempt) => {
                attempt.client_random.as_ref() != Some(client_random)
                    && self.now.saturating_duration_since(attempt.started_at) >= STUCK_AFTER
            }
            None => self.next_attempt_at.is_none_or(|at| self.now >= at),
        }
    }

    /// When a client whose attempt was discarded begins again. A server waits for a ClientHello.
    fn client_restart_at(&self) -> Option<Instant> {
        let is_due = !self.is_server && self.phase == Phase::Handshaking && self.attempt.is_none();
        self.next_attempt_at.filter(|_| is_due)
    }

    fn handle_connected(&mut self, datagram: &[u8], may_answer: bool) {
        let Some(attempt) = &mut self.attempt else { return };
        let stage = if may_answer { Stage::Answering } else { Stage::Connected };
        let Verdict::Pass { plaintext_handshake } = attempt.gate.admit(datagram, stage, &mut self.filtered)
        else {
            return;
        };
        if let Phase::Connected { answering, .. } = &mut self.phase {
            *answering = plaintext_handshake;
        }
        if let Err(error) = attempt.feed(&self.filtered, self.now) {
            self.on_error(&error);
        }
    }

    fn count_answer(&mut self) {
        if let Phase::Connected { answers, answering, .. } = &mut self.phase
            && std::mem::take(answering)
        {
            *answers = answers.saturating_add(1);
        }
    }

    /// The peer's Finished was right, so it has the key of the certificate it showed. Ours is still
    /// in the object: if anything is wrong, the peer never gets it. `dimpl` gives the keys right
    /// after it says that the handshake is finished, so any other `event` means there are none.
    fn complete(&mut self, event: Event) -> DtlsOutput {
        let Some(attempt) = &mut self.attempt else { return DtlsOutput::None };
        let failure = match (attempt.certificate, event) {
            (PeerCertificate::Unseen, _) => DtlsFailure::NoCertificate,
            (PeerCertificate::Differs, _) => DtlsFailure::FingerprintMismatch,
            (PeerCertificate::Matches, Event::Keys(suite, bytes)) => {
                attempt.release_scratch();
                self.phase = Phase::Connected { at: self.now, answers: 0, answering: false };
                return DtlsOutput::Connected(SrtpKeyMaterial { suite, bytes, is_server: self.is_server });
            }
            (PeerCertificate::Matches, _) => DtlsFailure::NoSrtpProfile,
        };
        self.fail(failure);
        self.last_word.take().unwrap_or(DtlsOutput::None)
    }

    fn on_error(&mut self, error: &AttemptError) {
        if self.phase != Phase::Handshaking {
            // Only authenticated records get this far: the peer itself ended the connection.
            tracing::debug!(?error, "DTLS connection over");
            self.end(DtlsOutput::Closed);
            return;
        }
        tracing::debug!(?error, "DTLS handshake disturbed");
        self.saw_no_certificate |= matches!(error, AttemptError::NoCertificate);
        self.attempt = None;
    }

    fn begin(&mut self, client_random: Option<[u8; 32]>) {
        self.attempts = self.attempts.saturating_add(1);
        self.next_attempt_at = Some(self.now + interval_after(self.attempts));
        self.arm_deadline();
        match Attempt::new(&self.certificate, self.version, client_random, self.now) {
            Ok(attempt) => self.attempt = Some(Box::new(attempt)),
            Err(error) => {
                tracing::error!(?error, "DTLS object");
                self.fail(DtlsFailure::Setup);
            }
        }
    }

    fn arm_deadline(&mut self) {
        let now = self.now;
        self.deadline.get_or_insert_with(|| now + DTLS_HANDSHAKE_TIMEOUT);
    }

    fn fail(&mut self, failure: DtlsFailure) {
        self.end(DtlsOutput::Failed(failure));
    }

    fn end(&mut self, last_word: DtlsOutput) {
        self.attempt = None;
        self.phase = Phase::Over;
        self.last_word = Some(last_word);
    }
}

/// Wait before the next attempt, after `attempts` of them.
fn interval_after(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(QUICK_ATTEMPTS).min(8);
    ATTEMPT_INTERVAL.saturating_mul(1 << doublings).min(ATTEMPT_INTERVAL_MAX)
}

/// The gate alone, for a fuzz target.
#[cfg(feature = "fuzzing")]
#[derive(Debug)]
pub struct FuzzedGate(gate::Gate);

#[cfg(feature = "fuzzing")]
impl FuzzedGate {
    /// Before the first datagram.
    pub fn new(peer_is_client: bool, dtls13: bool) -> Self {
        Self(gate::Gate::new(peer_is_client, dtls13))
    }

    /// Whether anything passes, which is then in `out`. `stage`: 0 handshaking, 1 answering a repeated
    /// flight, else connected.
    pub fn admit(&mut self, datagram: &[u8], stage: u8, out: &mut Vec<u8>) -> bool {
        let stage = match stage {
            0 => Stage::Handshaking,
            1 => Stage::Answering,
            _ => Stage::Connected,
        };
        matches!(self.0.admit(datagram, stage, out), Verdict::Pass { .. })
    }
}

impl fmt::Debug for DtlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DtlsTransport")
            .field("is_server", &self.is_server)
            .field("phase", &self.phase)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
