//! One handshake attempt: a `dimpl` object behind its gate. Nothing outside this file and `signing` sees `dimpl`.

use super::fingerprint::{ExpectedDigest, format_hex_pairs};
use super::gate::{Gate, MAX_HANDSHAKE_MESSAGE};
use super::signing::{ParsedKey, ParsedKeys};
use crate::packet::MAX_DATAGRAM;
use crate::srtp::Suite;
use aws_lc_rs::digest;
use dimpl::crypto::{CryptoProvider, aws_lc_rs::default_provider};
use dimpl::{Config, Dtls, DtlsCertificate, Output, SrtpProfile};
use railgun_protocol::limits::DTLS_HANDSHAKE_TIMEOUT;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use zeroize::Zeroizing;

/// A lost flight costs a join this much, not the second of RFC 6347 section 4.2.4.1; doubled per
/// retry, six retries outlast the handshake timeout.
const FLIGHT_RTO: Duration = Duration::from_millis(200);
const FLIGHT_RETRIES: usize = 6;

/// Fits the smallest path MTU of IPv6 with its headers.
const FLIGHT_MTU: usize = 1200;

/// A receive queue of this many datagrams holds a whole flight with its retransmission.
const RECEIVE_QUEUE_MAX: usize = 30;

/// The node's key pair and self-signed certificate (ECDSA P-256), and what else all its associations share:
/// `dimpl`'s configuration, which nothing changes once it is made. `dimpl` tries out all its cryptography for
/// each configuration, 1.3 ms, and parses the key for each attempt, so there is one of both a certificate. Neither
/// holds a seed: randoms, nonces, cookie secrets and ephemeral keys are drawn by each association from the system.
#[derive(Clone)]
pub struct Certificate(Arc<Shared>);

struct Shared {
    der: Vec<u8>,
    key: ParsedKey,
    config: Arc<Config>,
}

/// The cryptographic library made no key pair or no certificate.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("no certificate could be made")]
pub struct CertificateError;

impl Certificate {
    /// Makes a new one. It reads the system's clock and randomness, so the shell calls it.
    pub fn generate() -> Result<Self, CertificateError> {
        let pair = dimpl::certificate::generate_self_signed_certificate().map_err(|_| CertificateError)?;
        let key = ParsedKey::new(&Zeroizing::new(pair.private_key)).ok_or(CertificateError)?;
        let config = Arc::new(configuration().map_err(|_| CertificateError)?);
        Ok(Self(Arc::new(Shared { der: pair.certificate, key, config })))
    }

    /// The SHA-256 digest as `AB:CD:..`, for `dtlsParameters` (RFC 8122 section 5).
    #[must_use]
    pub fn fingerprint_sha256(&self) -> String {
        format_hex_pairs(digest::digest(&digest::SHA256, &self.0.der).as_ref())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.fingerprint_sha256()).finish()
    }
}

/// Which versions are spoken. A 1.3 server follows the client's order of SRTP profiles, and
/// browsers list AES-CM before AES-GCM; a 1.2 server follows its own, which starts with
/// AEAD_AES_256_GCM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DtlsVersion {
    /// RFC 6347 alone.
    #[default]
    Dtls12,
    /// RFC 9147 alone.
    Dtls13,
    /// What the client offers, 1.3 first.
    Auto,
}

/// Why an object is of no more use.
#[derive(Debug, Error)]
pub(super) enum AttemptError {
    #[error("the peer sent an empty certificate list")]
    NoCertificate,
    #[error(transparent)]
    Object(dimpl::Error),
}

impl From<dimpl::Error> for AttemptError {
    fn from(error: dimpl::Error) -> Self {
        match error {
            dimpl::Error::CertificateError(dimpl::CertificateError::NoClientCertificateReceived) => {
                Self::NoCertificate
            }
            other => Self::Object(other),
        }
    }
}

/// One `dimpl` object and what is known about the handshake it runs. Every error of `dimpl` is
/// final for its object, so an `Attempt` is dropped on the first.
pub(super) struct Attempt {
    dtls: Dtls,
    pub(super) gate: Gate,
    pub(super) started_at: Instant,
    /// Random of the ClientHello that it answers; none if we are the client.
    pub(super) client_random: Option<[u8; 32]>,
    pub(super) certificate: PeerCertificate,
    pub(super) is_finished: bool,
    pub(super) wake: Option<Instant>,
    /// `dimpl` panics if the peer's certificate does not fit the buffer of a poll, so during the
    /// handshake it gets one that every message the gate lets through fits.
    scratch: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PeerCertificate {
    Unseen,
    Matches,
    Differs,
}

/// `dimpl::Output` without its borrows.
pub(super) enum Event {
    Packet(usize),
    Keys(Suite, Zeroizing<Vec<u8>>),
    Closed,
    Idle,
}

impl Attempt {
    pub(super) fn new(
        certificate: &Certificate,
        version: DtlsVersion,
        client_random: Option<[u8; 32]>,
        now: Instant,
    ) -> Result<Self, AttemptError> {
        let is_server = client_random.is_some();
        let Shared { der, key, config } = &*certificate.0;
        let config = Arc::clone(config);
        let pair = DtlsCertificate { certificate: der.clone(), private_key: key.name().to_vec() };
        let mut dtls = match version {
            DtlsVersion::Dtls12 => Dtls::new_12(config, pair, now),
            DtlsVersion::Dtls13 => Dtls::new_13(config, pair, now),
            DtlsVersion::Auto => Dtls::new_auto(config, pair, now),
        };
        dtls.set_active(!is_server);
        dtls.handle_timeout(now)?;
        // A DTLS 1.3 certificate comes encrypted, where the gate cannot see its length; a full
        // receive queue bounds it.
        let (dtls13, certificate_len_max) = match version {
            DtlsVersion::Dtls12 => (false, MAX_HANDSHAKE_MESSAGE),
            DtlsVersion::Dtls13 | DtlsVersion::Auto => (true, RECEIVE_QUEUE_MAX * MAX_DATAGRAM),
        };
        Ok(Self {
            dtls,
            gate: Gate::new(is_server, dtls13),
            started_at: now,
            client_random,
            certificate: PeerCertificate::Unseen,
            is_finished: false,
            wake: None,
            scratch: vec![0; certificate_len_max],
        })
    }

    pub(super) fn feed(&mut self, datagram: &[u8], now: Instant) -> Result<(), AttemptError> {
        self.dtls.handle_timeout(now)?;
        Ok(self.dtls.handle_packet(datagram)?)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), AttemptError> {
        Ok(self.dtls.handle_timeout(now)?)
    }

    /// Queues a `close_notify` if there is a connection to close.
    pub(super) fn close(&mut self) -> Result<(), AttemptError> {
        Ok(self.dtls.close()?)
    }

    /// The handshake is done: what follows fits the caller's buffer.
    pub(super) fn release_scratch(&mut self) {
        self.scratch = Vec::new();
    }

    /// The next event that matters; a packet's bytes are in `buf`.
    pub(super) fn poll(&mut self, expected: &ExpectedDigest, buf: &mut [u8]) -> Event {
        if self.scratch.is_empty() {
            return self.poll_into(expected, buf);
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let event = self.poll_into(expected, &mut scratch);
        if let Event::Packet(len) = event
            && let (Some(packet), Some(out)) = (scratch.get(..len), buf.get_mut(..len))
        {
            out.copy_from_slice(packet);
        }
        self.scratch = scratch;
        event
    }

    fn poll_into(&mut self, expected: &ExpectedDigest, buf: &mut [u8]) -> Event {
        loop {
            match self.dtls.poll_output(buf) {
                Output::Packet(packet) => return Event::Packet(packet.len()),
                Output::PeerCert(der) => {
                    self.certificate = if expected.matches(der) {
                        PeerCertificate::Matches
                    } else {
                        PeerCertificate::Differs
                    };
                }
                Output::Connected => self.is_finished = true,
                Output::KeyingMaterial(keys, profile) => {
                    if let Some(suite) = suite_of(profile) {
                        return Event::Keys(suite, Zeroizing::new(keys.to_vec()));
                    }
                }
                Output::Timeout(at) => {
                    self.wake = Some(at);
                    return Event::Idle;
                }
                Output::CloseNotify => return Event::Closed,
                // Never happens with buffers of these lengths; waiting beats spinning.
                Output::BufferTooSmall { .. } => return Event::Idle,
                // There are no data channels.
                _ => {}
            }
        }
    }
}

fn configuration() -> Result<Config, dimpl::Error> {
    let builder = Config::builder()
        .with_crypto_provider(CryptoProvider { key_provider: &ParsedKeys, ..default_provider() })
        .mtu(FLIGHT_MTU)
        .max_queue_rx(RECEIVE_QUEUE_MAX)
        .flight_start_rto(FLIGHT_RTO)
        .flight_retries(FLIGHT_RETRIES)
        .handshake_timeout(DTLS_HANDSHAKE_TIMEOUT)
        // An ICE check came first and `AddressProof` bounds what is sent, so a cookie would
        // only cost a round trip.
        .use_server_cookie(false);
    // So that a fuzz target does the same with the same input.
    #[cfg(feature = "fuzzing")]
    let builder = builder.dangerously_set_rng_seed(1);
    builder.build()
}

fn suite_of(profile: SrtpProfile) -> Option<Suite> {
    match profile {
        SrtpProfile::AEAD_AES_256_GCM => Some(Suite::AeadAes256Gcm),
        SrtpProfile::AEAD_AES_128_GCM => Some(Suite::AeadAes128Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Some(Suite::AesCm128HmacSha1_80),
        _ => None,
    }
}
