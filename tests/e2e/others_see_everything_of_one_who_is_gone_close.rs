//! Leaving, disconnecting or closing the tab: the others see each producer close, then the
//! participant leave, in the room's order and within the contract's two seconds.

use railgun_client::{EventStream, MediaKind, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{Member, SEEN_WITHIN, System, within};
use serde_json::{Value, json};

/// The room events up to the first that somebody left.
async fn until_left(events: &mut EventStream) -> Vec<(String, Value)> {
    let mut seen = Vec::new();
    loop {
        let event = events.next().await.unwrap().expect("the watcher stays connected");
        if event.payload.get("roomSeq").is_none() {
            continue;
        }
        let last = event.name == "voice:participant:left";
        seen.push((event.name, event.payload));
        if last {
            return seen;
        }
    }
}

async fn the_others_see_it<End: Future<Output = ()>>(how: &str, end: impl FnOnce(Member) -> End) {
    let system = System::standalone().await.unwrap();
    let watcher = system.member("watcher", Tier::Pro, "room").await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let audio = alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap().id();
    let video = alice.sending.produce(MediaKind::Video, Source::Camera).await.unwrap().id();
    let consumer = watcher.receiving.consume(audio).await.unwrap();
    let session = alice.joined.session_id;

    // Everything before has been told when this reply is here.
    watcher.client.join("room").await.unwrap();
    let mut events = watcher.client.events();
    end(alice).await;
    let seen = within(SEEN_WITHIN, how, until_left(&mut events)).await;

    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    let expected = ["voice:producerClosed", "voice:producerClosed", "voice:participant:left"];
    assert_eq!(names, expected, "{how}");
    let mut closed = vec![seen[0].1["producerId"].clone(), seen[1].1["producerId"].clone()];
    closed.sort_by_key(Value::to_string);
    let mut producers = vec![json!(audio), json!(video)];
    producers.sort_by_key(Value::to_string);
    assert_eq!(closed, producers, "{how}");
    for (name, payload) in &seen {
        assert_eq!(
            (&payload["userId"], &payload["sessionId"]),
            (&json!("alice"), &json!(session)),
            "{how}: {name}"
        );
    }
    let order: Vec<u64> = seen.iter().filter_map(|(_, payload)| payload["roomSeq"].as_u64()).collect();
    assert!(order.is_sorted_by(|a, b| a < b) && order.len() == 3, "{how}: {order:?}");

    let room = watcher.client.join("room").await.unwrap();
    assert!(room.participants.is_empty(), "{how}");
    let of_a_closed_consumer =
        watcher.client.request("voice:rtc:pauseConsumer", json!({ "consumerId": consumer.id() })).await;
    assert!(of_a_closed_consumer.is_err(), "{how}: the consumer went with its producer");
}

#[tokio::test]
async fn when_one_leaves() {
    the_others_see_it("leaving", async |alice: Member| alice.client.leave().await.unwrap()).await;
}

#[tokio::test]
async fn when_one_disconnects() {
    the_others_see_it("disconnecting", async |alice: Member| _ = alice.client.disconnect().await).await;
}

#[tokio::test]
async fn when_a_tab_is_closed() {
    the_others_see_it("closing the tab", async |alice: Member| _ = alice.client.close_websocket().await)
        .await;
}

#[tokio::test]
async fn and_when_one_closes_a_producer_only_that_is_seen() {
    let system = System::standalone().await.unwrap();
    let watcher = system.member("watcher", Tier::Pro, "room").await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let producer = alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let id = producer.id();
    watcher.client.join("room").await.unwrap();
    let mut events = watcher.client.events();
    producer.close().await.unwrap();
    let closed = within(SEEN_WITHIN, "closing", events.named("voice:producerClosed")).await.unwrap();
    assert_eq!((&closed["producerId"], &closed["userId"]), (&json!(id), &json!("alice")));
    assert_eq!(watcher.client.join("room").await.unwrap().participants.len(), 1);
}
