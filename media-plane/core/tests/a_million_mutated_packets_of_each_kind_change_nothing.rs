//! Packets of every kind, taken from a live call and damaged at random, thrown at the whole node
//! from the talker's own address: nothing panics, nothing grows, and the call goes on.

use railgun_peer::{Call, KEY_FRAME};
use railgun_protocol::signal::Source;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::net::SocketAddr;

const PACKETS: u32 = 1_000_000;
const BETWEEN_CHECKS: u32 = 50_000;
/// Of resident memory, over all packets of a kind.
const GROWTH_MAX: u64 = 16 << 20;

fn damage(rng: &mut ChaCha8Rng, original: &[u8]) -> Vec<u8> {
    let mut packet = original.to_vec();
    match rng.random_range(0..8) {
        0 => packet.truncate(rng.random_range(0..=packet.len())),
        1 => packet.extend((0..rng.random_range(1..64)).map(|_| rng.random::<u8>())),
        2 => {
            let from = rng.random_range(0..packet.len());
            packet[from..].iter_mut().for_each(|byte| *byte = rng.random());
        }
        _ => {}
    }
    for _ in 0..rng.random_range(1..6) {
        if !packet.is_empty() {
            // Mostly at the start, where the structure is.
            let reach = if rng.random() { packet.len() } else { packet.len().min(24) };
            let at = rng.random_range(0..reach);
            packet[at] = rng.random();
        }
    }
    // Still of its kind, or it would test only the first step.
    if let (Some(first), Some(kept)) = (packet.first_mut(), original.first()) {
        *first = if rng.random_range(0..4) == 0 { *first } else { *kept };
    }
    packet
}

fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Throws damaged copies of what `make` gives, from `source`, and checks the call in between.
fn throw(seed: u64, make: impl Fn(&mut Call) -> (SocketAddr, Vec<u8>)) {
    let mut call = Call::new(3);
    call.assert_goes_on();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut before = None;
    for n in 0..PACKETS {
        if n % BETWEEN_CHECKS == 0 {
            call.assert_goes_on();
            let rooms = (call.world.engine.room_count(), call.world.engine.session_count());
            assert_eq!(rooms, (1, 2));
            before.get_or_insert_with(resident);
        }
        let (source, original) = make(&mut call);
        let packet = damage(&mut rng, &original);
        if packet != original {
            call.world.send(source, packet);
            call.world.peers[call.listener_recv].arrivals.clear();
            call.world.peers[call.talker_send].arrivals.clear();
            call.world.events.clear();
        }
    }
    call.assert_goes_on();
    let growth = resident().saturating_sub(before.unwrap());
    assert!(growth <= GROWTH_MAX, "grew by {growth} bytes");
}

fn talker(call: &Call) -> SocketAddr {
    call.world.peers[call.talker_send].address
}

#[test]
fn rtp() {
    throw(1, |call| {
        let payload = [&KEY_FRAME[..], &[7; 60]].concat();
        let next = call.camera.next;
        let packet = call.packet(Source::Camera, &payload);
        // The original is never sent, so that its number stays free for the next check.
        call.camera.next = next;
        (talker(call), packet)
    });
}

#[test]
fn rtcp() {
    let report = [
        &[0x81, 201, 0, 7, 0x10, 0, 0, 2, 0x10, 0, 0, 2, 0, 0, 0, 0][..],
        &[0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x81, 206, 0, 2, 0x10, 0, 0, 2, 0x10, 0, 0, 2],
    ]
    .concat();
    throw(2, move |call| (talker(call), call.world.peers[call.talker_send].seal_rtcp(&report)));
}

#[test]
fn stun() {
    throw(3, |call| (talker(call), call.world.peers[call.talker_send].check()));
}

#[test]
fn dtls() {
    // A ClientHello's start, an alert, application data of the next epoch, a fragment.
    let records: [&[u8]; 4] = [
        &[
            22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 24, 1, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 12, 254, 253, 1,
            2, 3, 4, 5, 6, 7, 8, 9, 10,
        ],
        &[21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40],
        &[
            23, 254, 253, 0, 1, 0, 0, 0, 0, 0, 9, 0, 24, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9,
            10, 11, 12, 13, 14, 15, 16,
        ],
        &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 13, 11, 0, 4, 0, 0, 1, 0, 0, 9, 0, 0, 1, 5],
    ];
    let turn = std::cell::Cell::new(0);
    throw(4, move |call| {
        turn.set((turn.get() + 1) % records.len());
        (talker(call), records[turn.get()].to_vec())
    });
}
