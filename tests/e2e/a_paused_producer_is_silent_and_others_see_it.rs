//! A pause stops the media at the node and is told to the others; so is a mute.

use railgun_client::{MediaKind, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{SEEN_WITHIN, System, opus_payload, within};
use serde_json::json;
use std::time::Duration;

const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn until_it_is_resumed() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let producer = alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let mut consumer = bob.receiving.consume(producer.id()).await.unwrap();
    let mut events = bob.client.events();

    producer.send(&opus_payload("alice", 0), true, 0).await.unwrap();
    let before = within(SEEN_WITHIN, "audio", consumer.receive()).await.unwrap();
    producer.pause().await.unwrap();
    let paused = within(SEEN_WITHIN, "the pause", events.named("voice:producerPaused")).await.unwrap();
    assert_eq!((&paused["producerId"], &paused["userId"]), (&json!(producer.id()), &json!("alice")));
    for number in 1..5 {
        producer.send(&opus_payload("alice", number), false, number * 960).await.unwrap();
    }
    let leaked = tokio::time::timeout(SILENCE, consumer.receive()).await;
    assert!(leaked.is_err(), "{leaked:?}");

    producer.resume().await.unwrap();
    let resumed = within(SEEN_WITHIN, "the resume", events.named("voice:producerResumed")).await.unwrap();
    assert!(resumed["roomSeq"].as_u64() > paused["roomSeq"].as_u64());
    producer.send(&opus_payload("alice", 5), true, 5 * 960).await.unwrap();
    let after = within(SEEN_WITHIN, "audio again", consumer.receive()).await.unwrap();
    assert_eq!(after.payload, opus_payload("alice", 5));
    // What was held back is no loss to the receiver.
    assert_eq!(after.header.sequence_number, before.header.sequence_number.wrapping_add(1));
}

#[tokio::test]
async fn and_a_mute_is_seen_in_the_participants_state() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let mut events = bob.client.events();
    let state = alice.client.request("voice:state:update", json!({ "muted": true })).await.unwrap();
    assert_eq!(state, json!({ "muted": true, "deafened": false, "speaking": false }));
    let seen = within(SEEN_WITHIN, "the mute", events.named("voice:participant:state")).await.unwrap();
    assert_eq!(
        (&seen["userId"], &seen["muted"], &seen["deafened"]),
        (&json!("alice"), &json!(true), &json!(false))
    );
    let room = bob.client.join("room").await.unwrap();
    assert!(room.participants[0].muted);
}
