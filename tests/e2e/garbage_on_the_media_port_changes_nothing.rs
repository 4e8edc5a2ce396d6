//! Bytes of every kind from strangers and from a member's own address: the call goes on.

use railgun_client::{MediaKind, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{System, opus_payload, within};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::sleep;

const MEDIA_WITHIN: Duration = Duration::from_secs(5);
const DATAGRAMS: u32 = 2_000;

/// The `number`th piece of garbage: every first byte, many lengths, and bytes without a pattern.
fn garbage(number: u32) -> Vec<u8> {
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let length = 1 + usize::try_from(number).unwrap() * 37 % 1400;
    let random = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[0]
    });
    number.to_be_bytes()[3..].iter().copied().chain(random).take(length).collect()
}

#[tokio::test]
async fn whoever_sends_it() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let producer = alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let mut consumer = bob.receiving.consume(producer.id()).await.unwrap();

    let candidate = &alice.sending.remote().ice_candidates[0];
    let node = SocketAddr::new(candidate.address, candidate.port);
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for number in 0..DATAGRAMS {
        let bytes = garbage(number);
        stranger.send_to(&bytes, node).await.unwrap();
        // The agent itself refuses to send what looks like STUN.
        _ = alice.sending.send_datagram(&bytes).await;
        if number % 100 == 0 {
            sleep(Duration::from_millis(1)).await;
        }
    }
    for number in 0..20 {
        producer.send(&opus_payload("alice", number), number == 0, number * 960).await.unwrap();
        let packet = within(MEDIA_WITHIN, "audio after garbage", consumer.receive()).await.unwrap();
        assert_eq!(packet.payload, opus_payload("alice", number));
    }
    assert!(!alice.sending.is_closed() && !bob.receiving.is_closed());

    // Somebody new can still connect.
    let carol = system.member("carol", Tier::Pro, "room").await.unwrap();
    carol.sending.connect().await.unwrap();
}
