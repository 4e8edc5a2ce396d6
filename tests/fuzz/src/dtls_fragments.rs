//! A handshake amid forged fragments: what they cost, and that the true client gets through.

use crate::dtls::Side;
use crate::input::{Input, lot};
use railgun_protocol::limits::DTLS_HANDSHAKE_TIMEOUT;
use railgun_protocol::transport_parameters::DtlsRole;
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// An object that answered a forged hello is replaced after this.
const STUCK_FOR: Duration = Duration::from_secs(3);
/// One input in so many is followed by a whole handshake, which costs as much as a thousand others.
const HANDSHAKE_EVERY: u64 = 256;
/// A flight of the server; it is sent again five times an attempt at most.
const SENT_MAX: usize = 512 * 1024;

thread_local! {
    /// The datagrams of a client, of a handshake that is over.
    static RECORDED: Vec<Vec<u8>> = record();
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

fn record() -> Vec<Vec<u8>> {
    let now = Instant::now();
    let (mut client, mut server) = (Side::new(DtlsRole::Server, now), Side::new(DtlsRole::Client, now));
    client.dtls.start(now);
    client.drain();
    let mut recorded = Vec::new();
    for _ in 0..8 {
        for datagram in std::mem::take(&mut client.outgoing) {
            server.take(&datagram, now);
            recorded.push(datagram);
        }
        for datagram in std::mem::take(&mut server.outgoing) {
            client.take(&datagram, now);
        }
    }
    assert!(client.is_connected && server.is_connected);
    recorded
}

/// Recorded, mutated and made-up records in any order, over time: no keys, a bounded number of bytes
/// sent, and a true client that comes afterwards is connected unless the ten seconds are over.
pub fn sequence(data: &[u8]) {
    let mut input = Input::new(data);
    let begun = Instant::now();
    let mut now = begun;
    let mut server = Side::new(DtlsRole::Client, now);
    server.dtls.start(now);
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        let operation = input.u8();
        BUFFER.with_borrow_mut(|datagram| {
            datagram.clear();
            match operation & 7 {
                0 | 1 => recorded(&mut input, operation & 1 != 0, datagram),
                2 => advance(&mut input, &mut server, &mut now),
                3 => forged_record(&mut input, datagram),
                _ => forged_fragments(&mut input, operation >> 3, datagram),
            }
            if !datagram.is_empty() {
                server.take(datagram, now);
            }
        });
        assert!(!server.is_connected, "keys without the peer");
        assert!(server.sent <= SENT_MAX, "{} bytes", server.sent);
    }
    let left = DTLS_HANDSHAKE_TIMEOUT.saturating_sub(now - begun);
    if left > STUCK_FOR && lot(data).is_multiple_of(HANDSHAKE_EVERY) {
        true_client(&mut server, now + STUCK_FOR);
        return;
    }
    server.dtls.handle_timeout(begun + DTLS_HANDSHAKE_TIMEOUT.max(now - begun));
    server.drain();
    assert!(server.failure.is_some() && server.dtls.next_timeout().is_none());
}

/// A client that begins now, over a network that loses nothing.
fn true_client(server: &mut Side, mut now: Instant) {
    let mut client = Side::new(DtlsRole::Server, now);
    server.outgoing.clear();
    client.dtls.start(now);
    for _ in 0..20 {
        if client.talk_to(server, now) {
            return;
        }
        now += Duration::from_millis(200);
        server.dtls.handle_timeout(now);
        server.drain();
        server.outgoing.clear();
        client.dtls.handle_timeout(now);
    }
    panic!("the true client was shut out: {:?}", server.dtls);
}

fn advance(input: &mut Input<'_>, server: &mut Side, now: &mut Instant) {
    *now += Duration::from_millis(u64::from(input.u8()) * 10);
    server.dtls.handle_timeout(*now);
    server.drain();
}

fn recorded(input: &mut Input<'_>, mutates: bool, out: &mut Vec<u8>) {
    RECORDED.with(|recorded| out.extend_from_slice(&recorded[input.index(recorded.len())]));
    if mutates {
        let at = usize::from(input.u16()) % out.len();
        out[at] ^= input.u8();
        let len = usize::from(input.u16());
        out.truncate(if len == 0 { usize::MAX } else { len });
    }
}

fn forged_record(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let (kind, epoch) = (20 + input.u8() % 6, u16::from(input.u8() & 1));
    let body = input.short();
    record_header(out, kind, epoch, input.u8().into(), body.len());
    out.extend_from_slice(body);
}

/// One record with up to four fragments, whose fields mostly fit.
fn forged_fragments(input: &mut Input<'_>, more: u8, out: &mut Vec<u8>) {
    let mut body = Vec::new();
    for _ in 0..=more & 3 {
        let kind = input.choose(&[1, 1, 11, 15, 16, 14, 20, 2]);
        let message = u16::from(input.u8() % 12);
        let (length, offset) = (input.u16(), input.u16());
        let len = usize::from(input.u8()) * 5;
        // Random bytes, repeated: a hello's random decides which client it is of.
        let pattern = input.take(4);
        body.push(kind);
        body.extend_from_slice(&u32::from(length).to_be_bytes()[1..]);
        body.extend_from_slice(&message.to_be_bytes());
        body.extend_from_slice(&u32::from(offset).to_be_bytes()[1..]);
        body.extend_from_slice(&(len as u32).to_be_bytes()[1..]);
        body.extend(pattern.iter().chain(&[0xfe, 0xfd]).cycle().take(len));
    }
    record_header(out, 22, 0, 1, body.len());
    out.extend_from_slice(&body);
    out.truncate(1500);
}

fn record_header(out: &mut Vec<u8>, kind: u8, epoch: u16, sequence: u64, len: usize) {
    out.extend_from_slice(&[kind, 0xfe, 0xfd]);
    out.extend_from_slice(&epoch.to_be_bytes());
    out.extend_from_slice(&sequence.to_be_bytes()[2..]);
    out.extend_from_slice(&(len as u16).to_be_bytes());
}
