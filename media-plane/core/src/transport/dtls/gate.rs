//! The filter in front of the DTLS object: what it has never seen cannot harm it.
//!
//! Plaintext (epoch 0) records are not authenticated, so whoever can spoof the peer's address can
//! write them. The gate lets through only the handshake fragments a handshake needs, within a
//! budget, and drops plaintext alerts and application data at any time (RFC 6347 section 4.1.2.7
//! allows discarding what is not valid).

use crate::packet::MAX_DATAGRAM;
use std::hash::{DefaultHasher, Hasher};

/// Longest plaintext handshake message, in bytes; browsers' longest is a ClientHello of 1.4 KB.
pub(super) const MAX_HANDSHAKE_MESSAGE: usize = 16 * 1024;

/// Different plaintext fragments one handshake may consist of, and their bytes together. A
/// retransmission repeats fragments, so it costs nothing here.
const FRAGMENTS_MAX: usize = 64;
const FRAGMENT_BYTES_MAX: usize = 64 * 1024;

/// Everything passed to one DTLS object before it is connected, retransmissions included: twenty
/// times what a browser sends when each of its flights goes out five times.
const HANDSHAKE_BYTES_MAX: usize = 256 * 1024;

/// A whole handshake has at most eight messages from one side (RFC 6347 figure 1).
const MESSAGE_SEQ_END: u16 = 8;

/// The most the DTLS object takes from one datagram.
const RECORDS_PER_DATAGRAM: usize = 8;

const PLAINTEXT_HEADER_LEN: usize = 13;
const HANDSHAKE_HEADER_LEN: usize = 12;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO_DONE: u8 = 14;

/// Which records a DTLS object may see at this point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Handshaking,
    /// Connected, and the peer's repeated last flight may still ask for ours.
    Answering,
    Connected,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing in it may pass.
    Drop,
    /// The records in the output buffer may pass. `plaintext_handshake` if one of them is.
    Pass { plaintext_handshake: bool },
    /// The handshake's budget is used up: its DTLS object is to be discarded.
    Exhausted,
}

/// One handshake's accounting. A new attempt gets a new gate.
#[derive(Debug)]
pub(super) struct Gate {
    peer_is_client: bool,
    dtls13: bool,
    /// `(message_seq, offset, length)` of the different fragments passed, and a digest of the bytes that came first.
    fragments: Vec<((u16, u32, u32), u64)>,
    fragment_bytes: usize,
    handshake_bytes: usize,
}

impl Gate {
    pub(super) fn new(peer_is_client: bool, dtls13: bool) -> Self {
        Self { peer_is_client, dtls13, fragments: Vec::new(), fragment_bytes: 0, handshake_bytes: 0 }
    }

    /// Copies the records of `datagram` that may pass at `stage` into `out`, which is cleared.
    pub(super) fn admit(&mut self, datagram: &[u8], stage: Stage, out: &mut Vec<u8>) -> Verdict {
        out.clear();
        let mut plaintext_handshake = false;
        let mut passed = 0;
        for record in Records::new(datagram) {
            let Some(record) = record else {
                out.clear();
                return Verdict::Drop;
            };
            let pass = match record.kind {
                Kind::Plaintext { content_type: CHANGE_CIPHER_SPEC } => {
                    stage == Stage::Handshaking && record.body == [1]
                }
                Kind::Plaintext { content_type: HANDSHAKE } => {
                    let pass = stage != Stage::Connected && self.are_fragments_sane(record.body);
                    plaintext_handshake |= pass;
                    pass
                }
                Kind::Plaintext { .. } => false,
                Kind::Protected12 { content_type } => matches!(content_type, ALERT | HANDSHAKE),
                Kind::Protected13 => self.dtls13,
            };
            if !pass || passed == RECORDS_PER_DATAGRAM {
                continue;
            }
            if stage == Stage::Handshaking && !self.charge(&record) {
                out.clear();
                return Verdict::Exhausted;
            }
            passed += 1;
            out.extend_from_slice(record.whole);
        }
        if out.is_empty() { Verdict::Drop } else { Verdict::Pass { plaintext_handshake } }
    }

    fn are_fragments_sane(&self, body: &[u8]) -> bool {
        !body.is_empty()
            && Fragments(body).all(|fragment| fragment.is_some_and(|it| self.is_fragment_sane(&it)))
    }

    fn is_fragment_sane(&self, fragment: &Fragment<'_>) -> bool {
        let length = fragment.length as usize;
        let end = fragment.offset as usize + fragment.body.len();
        let only_empty_if_message_is =
            if length == 0 { fragment.msg_type == SERVER_HELLO_DONE } else { !fragment.body.is_empty() };
        // Finished is never in plaintext, HelloRequest would start a renegotiation.
        let type_is_the_peers = if self.peer_is_client {
            matches!(fragment.msg_type, CLIENT_HELLO | 11 | 15 | 16)
        } else {
            matches!(fragment.msg_type, 2..=4 | 11..=14)
        };
        length <= MAX_HANDSHAKE_MESSAGE
            && end <= length
            && only_empty_if_message_is
            && type_is_the_peers
            && fragment.message_seq < MESSAGE_SEQ_END
    }

    /// Counts a record that passes; false if the budget does not allow it.
    fn charge(&mut self, record: &Record<'_>) -> bool {
        self.handshake_bytes += record.whole.len();
        if self.handshake_bytes > HANDSHAKE_BYTES_MAX {
            return false;
        }
        if record.kind != (Kind::Plaintext { content_type: HANDSHAKE }) {
            return true;
        }
        for fragment in Fragments(record.body).flatten() {
            let Ok(len) = u32::try_from(fragment.body.len()) else { return false };
            let key = (fragment.message_seq, fragment.offset, len);
            if self.fragments.iter().any(|(passed, _)| *passed == key) {
                continue;
            }
            self.fragment_bytes += fragment.body.len();
            if self.fragments.len() == FRAGMENTS_MAX || self.fragment_bytes > FRAGMENT_BYTES_MAX {
                return false;
            }
            self.fragments.push((key, digest(fragment.body)));
        }
        true
    }

    /// Whether each plaintext handshake fragment of `datagram`, if it has any, is one that passed before.
    pub(super) fn knows(&self, datagram: &[u8]) -> bool {
        let is_known = |fragment: Option<Fragment<'_>>| {
            fragment.is_some_and(|it| {
                let len = u32::try_from(it.body.len()).unwrap_or(u32::MAX);
                self.fragments.contains(&((it.message_seq, it.offset, len), digest(it.body)))
            })
        };
        Records::new(datagram)
            .map_while(|record| record)
            .filter(|record| record.kind == Kind::Plaintext { content_type: HANDSHAKE })
            .all(|record| Fragments(record.body).all(is_known))
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}

/// The random of the ClientHello that `datagram` begins, if it does begin a handshake.
pub(super) fn first_client_hello(datagram: &[u8]) -> Option<[u8; 32]> {
    let gate = Gate::new(true, false);
    Records::new(datagram)
        .map_while(|record| record)
        .filter(|record| record.kind == Kind::Plaintext { content_type: HANDSHAKE })
        .flat_map(|record| Fragments(record.body).map_while(|fragment| fragment))
        .find(|it| it.msg_type == CLIENT_HELLO && it.message_seq == 0 && it.offset == 0)
        .filter(|hello| gate.is_fragment_sane(hello))
        .and_then(|hello| hello.body.get(2..)?.first_chunk().copied())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Epoch 0.
    Plaintext { content_type: u8 },
    /// DTLS 1.2, epoch 1.
    Protected12 { content_type: u8 },
    /// DTLS 1.3 unified header (RFC 9147 section 4).
    Protected13,
}

struct Record<'a> {
    kind: Kind,
    whole: &'a [u8],
    body: &'a [u8],
}

/// The records of a datagram; one `None` and then no more if the rest is not a record.
struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    fn new(datagram: &'a [u8]) -> Self {
        let too_long = datagram.len() > MAX_DATAGRAM;
        Self { rest: if too_long { &[] } else { datagram } }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Option<Record<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = *self.rest.first()?;
        let parsed = match first {
            20..=25 => plaintext_header_record(self.rest),
            0x20..=0x3f => unified_header_record(self.rest),
            _ => None,
        };
        self.rest = parsed.as_ref().and_then(|record| self.rest.get(record.whole.len()..)).unwrap_or(&[]);
        Some(parsed)
    }
}

/// RFC 6347 section 4.1: type, version, epoch, sequence number, length.
fn plaintext_header_record(bytes: &[u8]) -> Option<Record<'_>> {
    let header: [u8; PLAINTEXT_HEADER_LEN] = *bytes.first_chunk()?;
    let [content_type, major, minor, epoch_high, epoch_low, .., length_high, length_low] = header;
    let end = PLAINTEXT_HEADER_LEN + usize::from(u16::from_be_bytes([length_high, length_low]));
    let whole = bytes.get(..end)?;
    let body = whole.get(PLAINTEXT_HEADER_LEN..)?;
    let kind = match (u16::from_be_bytes([epoch_high, epoch_low]), major, minor) {
        // A ClientHello's record may still say DTLS 1.0.
        (0, 0xfe, 0xff | 0xfd) => Kind::Plaintext { content_type },
        (1, 0xfe, 0xfd) => Kind::Protected12 { content_type },
        _ => return None,
    };
    Some(Record { kind, whole, body })
}

/// RFC 9147 section 4: `001CSLEE`, connection id, 8 or 16 bits of sequence number, length.
fn unified_header_record(bytes: &[u8]) -> Option<Record<'_>> {
    const CONNECTION_ID: u8 = 0x10;
    const LONG_SEQUENCE: u8 = 0x08;
    const LENGTH: u8 = 0x04;
    /// Least length of a sealed body: one byte of content type and an AEAD tag.
    const BODY_LEN_MIN: usize = 17;

    let first = *bytes.first()?;
    // No connection id is ever negotiated.
    if first & CONNECTION_ID != 0 {
        return None;
    }
    let after_sequence = if first & LONG_SEQUENCE != 0 { 3 } else { 2 };
    let (header_len, end) = if first & LENGTH != 0 {
        let length = u16::from_be_bytes(*bytes.get(after_sequence..)?.first_chunk()?);
        (after_sequence + 2, after_sequence + 2 + usize::from(length))
    } else {
        (after_sequence, bytes.len())
    };
    let whole = bytes.get(..end)?;
    let body = whole.get(header_len..)?;
    (body.len() >= BODY_LEN_MIN).then_some(Record { kind: Kind::Protected13, whole, body })
}

struct Fragment<'a> {
    msg_type: u8,
    length: u32,
    message_seq: u16,
    offset: u32,
    body: &'a [u8],
}

/// The handshake fragments of one record; one `None` and then no more if the rest is not one.
struct Fragments<'a>(&'a [u8]);

impl<'a> Iterator for Fragments<'a> {
    type Item = Option<Fragment<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let parsed = fragment(self.0);
        self.0 = parsed.as_ref().map_or(&[], |(_, rest)| rest);
        Some(parsed.map(|(fragment, _)| fragment))
    }
}

/// RFC 6347 section 4.2.2: type, length, message_seq, fragment_offset, fragment_length.
fn fragment(bytes: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let header: [u8; HANDSHAKE_HEADER_LEN] = *bytes.first_chunk()?;
    let [msg_type, l0, l1, l2, seq0, seq1, o0, o1, o2, f0, f1, f2] = header;
    let fragment_len = u32::from_be_bytes([0, f0, f1, f2]) as usize;
    let (body, rest) = bytes.get(HANDSHAKE_HEADER_LEN..)?.split_at_checked(fragment_len)?;
    let fragment = Fragment {
        msg_type,
        length: u32::from_be_bytes([0, l0, l1, l2]),
        message_seq: u16::from_be_bytes([seq0, seq1]),
        offset: u32::from_be_bytes([0, o0, o1, o2]),
        body,
    };
    Some((fragment, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content_type: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![content_type, 0xfe, 0xfd];
        bytes.extend_from_slice(&epoch.to_be_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&u16::try_from(body.len()).unwrap().to_be_bytes());
        bytes.extend_from_slice(body);
        bytes
    }

    fn handshake(msg_type: u8, length: u32, seq: u16, offset: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![msg_type];
        bytes.extend_from_slice(&length.to_be_bytes()[1..]);
        bytes.extend_from_slice(&seq.to_be_bytes());
        bytes.extend_from_slice(&offset.to_be_bytes()[1..]);
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
        bytes.extend_from_slice(body);
        record(HANDSHAKE, 0, &bytes)
    }

    fn verdict(gate: &mut Gate, datagram: &[u8], stage: Stage) -> (Verdict, Vec<u8>) {
        let mut out = Vec::new();
        let verdict = gate.admit(datagram, stage, &mut out);
        (verdict, out)
    }

    fn drops(datagram: &[u8]) -> bool {
        let mut gate = Gate::new(true, true);
        verdict(&mut gate, datagram, Stage::Handshaking) == (Verdict::Drop, vec![])
    }

    #[test]
    fn only_the_records_a_handshake_needs_are_kept_of_a_datagram() {
        let key_exchange = handshake(16, 3, 2, 0, &[1, 2, 3]);
        let change_cipher_spec = record(CHANGE_CIPHER_SPEC, 0, &[1]);
        let finished = record(HANDSHAKE, 1, &[7; 40]);
        let mut datagram = record(ALERT, 0, &[2, 40]);
        datagram.extend_from_slice(&key_exchange);
        datagram.extend_from_slice(&record(23, 0, b"data"));
        datagram.extend_from_slice(&change_cipher_spec);
        datagram.extend_from_slice(&finished);
        datagram.extend_from_slice(&record(23, 1, b"data"));

        let mut gate = Gate::new(true, false);
        let (passed, out) = verdict(&mut gate, &datagram, Stage::Handshaking);
        assert_eq!(passed, Verdict::Pass { plaintext_handshake: true });
        assert_eq!(out, [key_exchange.clone(), change_cipher_spec, finished.clone()].concat());
        let (_, out) = verdict(&mut gate, &datagram, Stage::Answering);
        assert_eq!(out, [key_exchange, finished.clone()].concat());
        let (passed, out) = verdict(&mut gate, &datagram, Stage::Connected);
        assert_eq!((passed, out), (Verdict::Pass { plaintext_handshake: false }, finished));
    }

    #[test]
    fn what_is_not_a_whole_record_sinks_its_datagram() {
        let good = handshake(CLIENT_HELLO, 40, 0, 0, &[0; 40]);
        assert!(!drops(&good));
        assert!(drops(&[]));
        for len in 1..good.len() {
            assert!(drops(&good[..len]), "{len} bytes");
        }
        assert!(drops(&[good.clone(), vec![22]].concat()));
        assert!(drops(&[0xff; 64]));
        let mut other_version = good.clone();
        other_version[2] = 0xfc;
        assert!(drops(&other_version));
        assert!(drops(&record(HANDSHAKE, 2, &[0; 40])));
        assert!(drops(&[good, vec![0; MAX_DATAGRAM]].concat()));
    }

    #[test]
    fn impossible_fragments_are_dropped() {
        assert!(drops(&record(HANDSHAKE, 0, &[])));
        assert!(drops(&handshake(CLIENT_HELLO, 40, 0, 0, &[])), "empty fragment of a full message");
        assert!(drops(&handshake(CLIENT_HELLO, 0, 0, 0, &[])), "empty ClientHello");
        assert!(drops(&handshake(CLIENT_HELLO, 40, 0, 1, &[0; 40])), "past the end");
        assert!(drops(&handshake(CLIENT_HELLO, 16_385, 0, 0, &[0; 40])), "too long");
        assert!(drops(&handshake(CLIENT_HELLO, 40, 8, 0, &[0; 40])), "message_seq");
        assert!(drops(&handshake(20, 12, 5, 0, &[0; 12])), "plaintext Finished");
        assert!(drops(&handshake(0, 0, 0, 0, &[])), "HelloRequest");
        assert!(drops(&handshake(2, 40, 0, 0, &[0; 40])), "a server's message from a client");
    }

    #[test]
    fn unified_headers_pass_only_where_dtls_1_3_may_be_spoken() {
        let mut with_length = vec![0x2e, 0, 1, 0, 17];
        with_length.extend_from_slice(&[9; 17]);
        let mut to_the_end = vec![0x22, 1];
        to_the_end.extend_from_slice(&[9; 17]);
        for datagram in [with_length, to_the_end] {
            let mut gate13 = Gate::new(true, true);
            let (_, out) = verdict(&mut gate13, &datagram, Stage::Connected);
            assert_eq!(out, datagram);
            let mut gate12 = Gate::new(true, false);
            assert_eq!(verdict(&mut gate12, &datagram, Stage::Connected).0, Verdict::Drop);
            assert!(drops(&datagram[..datagram.len() - 1]));
        }
        assert!(drops(&[&[0x32, 1, 1][..], &[9; 17]].concat()), "connection id");
    }

    #[test]
    fn the_65th_different_fragment_exhausts_the_handshake_and_repeats_do_not() {
        let mut gate = Gate::new(true, false);
        for offset in 0..64 {
            let datagram = handshake(CLIENT_HELLO, 100, 0, offset, &[0]);
            for _ in 0..10 {
                let (passed, _) = verdict(&mut gate, &datagram, Stage::Handshaking);
                assert_eq!(passed, Verdict::Pass { plaintext_handshake: true });
            }
        }
        let one_more = handshake(CLIENT_HELLO, 100, 0, 64, &[0]);
        assert_eq!(verdict(&mut gate, &one_more, Stage::Handshaking).0, Verdict::Exhausted);
    }

    #[test]
    fn bytes_exhaust_a_handshake_whether_they_are_new_or_repeated() {
        let body = [0; 1400];
        let mut gate = Gate::new(true, false);
        let passed = (0..64)
            .take_while(|index| {
                let datagram = handshake(11, 16_384, 1 + index / 8, u32::from(index % 8), &body);
                verdict(&mut gate, &datagram, Stage::Handshaking).0 != Verdict::Exhausted
            })
            .count();
        assert_eq!(passed, FRAGMENT_BYTES_MAX / body.len());

        let mut gate = Gate::new(true, false);
        let datagram = handshake(11, 1400, 1, 0, &body);
        let repeats = (0..1000)
            .take_while(|_| verdict(&mut gate, &datagram, Stage::Handshaking).0 != Verdict::Exhausted)
            .count();
        assert_eq!(repeats, HANDSHAKE_BYTES_MAX / datagram.len());
    }

    #[test]
    fn a_client_hello_is_known_by_its_first_fragment() {
        let mut body = vec![0xfe, 0xfd];
        body.extend_from_slice(&[7; 32]);
        assert_eq!(first_client_hello(&handshake(CLIENT_HELLO, 200, 0, 0, &body)), Some([7; 32]));
        assert_eq!(first_client_hello(&handshake(CLIENT_HELLO, 200, 0, 0, &body[..33])), None);
        assert_eq!(first_client_hello(&handshake(CLIENT_HELLO, 200, 0, 34, &body)), None);
        assert_eq!(first_client_hello(&handshake(CLIENT_HELLO, 200, 1, 0, &body)), None);
        assert_eq!(first_client_hello(&handshake(11, 200, 0, 0, &body)), None);
    }
}
