//! Whatever says it is DTLS: before the gate, behind it, and to a connection that is done.

use crate::input::Input;
use railgun_media_core::fuzzing::Gate;
use railgun_media_core::transport::dtls::{
    Certificate, DtlsFailure, DtlsOutput, DtlsTransport, DtlsVersion, POLL_BUFFER_LEN,
};
use railgun_protocol::limits::DTLS_HANDSHAKE_TIMEOUT;
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsRole};
use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

pub(crate) static CERTIFICATE: LazyLock<Certificate> =
    LazyLock::new(|| Certificate::generate().expect("a certificate"));

/// Records of one datagram that may reach the DTLS object.
const RECORDS_MAX: usize = 8;
/// What one handshake that never ends may send: its longest flight, again at each timeout, for each
/// attempt of ten seconds.
const SENT_MAX: usize = 512 * 1024;

/// Datagrams of any bytes: the gate lets through whole records of the kinds that its stage allows and
/// nothing else; a server makes no keys of them and is over after ten seconds; a connection stays.
pub fn records(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.u8();
    let mut gate = Gate::new(flags & 1 == 0, flags & 2 != 0);
    let mut now = Instant::now();
    let mut server = Side::new(DtlsRole::Client, now);
    server.dtls.start(now);
    let begun = now;
    for _ in 0..32 {
        if input.is_empty() {
            break;
        }
        let step = input.u8();
        now += Duration::from_millis(u64::from(step >> 2) * 10);
        let datagram = input.datagram();
        check_gate(&mut gate, datagram, step & 3);
        server.take(datagram, now);
        assert!(!server.is_connected, "keys from nowhere");
        connected(datagram);
    }
    server.dtls.handle_timeout(begun + DTLS_HANDSHAKE_TIMEOUT.max(now - begun));
    server.drain();
    assert!(matches!(server.failure, Some(DtlsFailure::Timeout | DtlsFailure::NoCertificate)));
    assert_eq!(server.dtls.next_timeout(), None);
    assert!(server.sent <= SENT_MAX, "{} bytes", server.sent);
}

fn check_gate(gate: &mut Gate, datagram: &[u8], stage: u8) {
    let mut out = vec![1, 2, 3];
    let passes = gate.admit(datagram, stage, &mut out);
    assert_eq!(passes, !out.is_empty());
    let (given, passed) = (split(datagram), split(&out));
    assert!(passed.len() <= RECORDS_MAX);
    assert_eq!(passed.iter().map(|record| record.len()).sum::<usize>(), out.len(), "whole records");
    let mut given = given.into_iter();
    for record in passed {
        assert!(given.any(|other| other == record), "a record that was not there");
        let is_plaintext = (20..=25).contains(&record[0]) && record[3..5] == [0, 0];
        let allowed: &[u8] = match stage {
            0 => &[20, 22],
            1 => &[22],
            _ => &[],
        };
        assert!(!is_plaintext || allowed.contains(&record[0]), "plaintext of type {}", record[0]);
    }
}

/// The records of a datagram, as far as they are any (RFC 6347 section 4.1, RFC 9147 section 4).
fn split(datagram: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let mut rest = datagram;
    while let Some(first) = rest.first() {
        let length_at =
            |at: usize| Some(usize::from(u16::from_be_bytes([*rest.get(at)?, *rest.get(at + 1)?])));
        let sequence = if first & 0x08 != 0 { 3 } else { 2 };
        let len = match first {
            20..=25 => length_at(11).map(|len| 13 + len),
            0x20..=0x3f if first & 4 != 0 => length_at(sequence).map(|len| sequence + 2 + len),
            0x20..=0x3f => Some(rest.len()),
            _ => None,
        };
        let Some((record, after)) = len.and_then(|len| rest.split_at_checked(len)) else { break };
        records.push(record);
        rest = after;
    }
    records
}

thread_local! {
    static CONNECTED: RefCell<(Side, Instant)> = RefCell::new(connect());
}

/// A connection for all inputs, since none may change it.
fn connect() -> (Side, Instant) {
    let now = Instant::now();
    let mut server = Side::new(DtlsRole::Client, now);
    let mut client = Side::new(DtlsRole::Server, now);
    client.dtls.start(now);
    assert!(client.talk_to(&mut server, now));
    (server, now)
}

fn connected(datagram: &[u8]) {
    CONNECTED.with_borrow_mut(|(server, at)| {
        // Past the time in which a repeated flight is answered, so that no input matters to another.
        server.take(datagram, *at + Duration::from_secs(11));
        assert!(!server.is_closed && server.failure.is_none(), "a forger ended a connection");
        assert!(server.outgoing.is_empty(), "a forger was answered");
    });
}

/// A transport and what it said.
pub(crate) struct Side {
    pub(crate) dtls: DtlsTransport,
    pub(crate) outgoing: Vec<Vec<u8>>,
    pub(crate) sent: usize,
    pub(crate) is_connected: bool,
    pub(crate) is_closed: bool,
    pub(crate) failure: Option<DtlsFailure>,
}

impl Side {
    pub(crate) fn new(peer: DtlsRole, now: Instant) -> Self {
        static FINGERPRINT: LazyLock<DtlsFingerprint> = LazyLock::new(|| DtlsFingerprint {
            algorithm: "sha-256".into(),
            value: CERTIFICATE.fingerprint_sha256(),
        });
        let fingerprints = std::slice::from_ref(&*FINGERPRINT);
        let dtls = DtlsTransport::new(CERTIFICATE.clone(), DtlsVersion::Dtls12, peer, fingerprints, now);
        Self {
            dtls: dtls.expect("a fingerprint"),
            outgoing: Vec::new(),
            sent: 0,
            is_connected: false,
            is_closed: false,
            failure: None,
        }
    }

    pub(crate) fn take(&mut self, datagram: &[u8], now: Instant) {
        self.dtls.handle(datagram, now);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        let mut buffer = [0; POLL_BUFFER_LEN];
        loop {
            match self.dtls.poll(&mut buffer) {
                DtlsOutput::Packet(len) => {
                    self.sent += len;
                    self.outgoing.push(buffer[..len].to_vec());
                }
                DtlsOutput::Connected(_) => self.is_connected = true,
                DtlsOutput::Failed(failure) => self.failure = Some(failure),
                DtlsOutput::Closed => self.is_closed = true,
                DtlsOutput::None => return,
            }
        }
    }

    /// Lets both talk until neither has anything to say; whether both are connected.
    pub(crate) fn talk_to(&mut self, other: &mut Self, now: Instant) -> bool {
        self.drain();
        for _ in 0..64 {
            for datagram in std::mem::take(&mut self.outgoing) {
                other.take(&datagram, now);
            }
            for datagram in std::mem::take(&mut other.outgoing) {
                self.take(&datagram, now);
            }
        }
        self.is_connected && other.is_connected
    }
}
