//! What a client may ask twice because it did not hear the answer.

use railgun_client::{ErrorCode, MediaKind, Source, TransportDirection};
use railgun_protocol::plan::Tier;
use railgun_tests::System;
use serde_json::json;

#[tokio::test]
async fn joining_twice_gives_the_same_session_and_the_present_state() {
    let system = System::standalone().await.unwrap();
    let client = system.client("alice", Tier::Pro, None).await.unwrap();
    let first = client.join("room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let again = client.join("room").await.unwrap();
    assert_eq!(again.session_id, first.session_id);
    assert_eq!((first.participants.len(), again.participants.len()), (0, 1));
    assert_eq!(again.participants[0].session_id, bob.joined.session_id);
    assert!(again.room_seq > first.room_seq);
    let seen_by_bob = bob.client.join("room").await.unwrap().participants;
    assert_eq!(seen_by_bob.len(), 1, "one seat, however often it was taken");
}

#[tokio::test]
async fn joining_another_channel_leaves_the_first() {
    let system = System::standalone().await.unwrap();
    let bob = system.member("bob", Tier::Pro, "first").await.unwrap();
    let client = system.client("alice", Tier::Pro, None).await.unwrap();
    let mut events = bob.client.events();
    let session = client.join("first").await.unwrap().session_id;
    client.join("second").await.unwrap();
    let left =
        railgun_tests::within(railgun_tests::SEEN_WITHIN, "leaving", events.named("voice:participant:left"));
    assert_eq!(left.await.unwrap()["sessionId"], json!(session));
    assert!(bob.client.join("first").await.unwrap().participants.is_empty());
}

#[tokio::test]
async fn creating_a_transport_twice_gives_the_same_unconnected_one() {
    let system = System::standalone().await.unwrap();
    let client = system.client("alice", Tier::Pro, None).await.unwrap();
    client.join("room").await.unwrap();
    for direction in [TransportDirection::Send, TransportDirection::Recv] {
        let first = client.create_transport(direction).await.unwrap();
        let again = client.create_transport(direction).await.unwrap();
        assert_eq!((first.id(), first.remote()), (again.id(), again.remote()), "{direction:?}");
    }
}

#[tokio::test]
async fn connecting_a_transport_again_succeeds_with_the_same_parameters_only() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    alice.sending.connect().await.unwrap();
    let mut payload =
        json!({ "transportId": alice.sending.id(), "dtlsParameters": alice.sending.dtls_parameters() });
    let reply = alice.client.request("voice:rtc:connectTransport", payload.clone()).await.unwrap();
    assert_eq!(reply["transportId"], json!(alice.sending.id()));

    payload["dtlsParameters"]["fingerprints"][0]["value"] = vec!["AB"; 32].join(":").into();
    let other = alice.client.request("voice:rtc:connectTransport", payload).await.unwrap_err();
    assert_eq!(other.code(), Some(ErrorCode::InvalidState), "{other}");
    // It still works.
    alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
}

#[tokio::test]
async fn pausing_and_resuming_twice_succeeds() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let producer = alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let consumer = bob.receiving.consume(producer.id()).await.unwrap();
    for _ in 0..2 {
        producer.pause().await.unwrap();
        consumer.pause().await.unwrap();
    }
    for _ in 0..2 {
        producer.resume().await.unwrap();
        consumer.resume().await.unwrap();
    }
}
