//! Each request at each stage of a session where it does not belong yet, or no longer.

use railgun_client::{Client, ErrorCode, EventStream, MediaKind, Source};
use railgun_protocol::ids::{ConsumerId, ProducerId, TransportId};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Participant;
use railgun_tests::{System, send_parameters};
use serde_json::{Value, json};
use std::time::Duration;

fn nowhere() -> TransportId {
    TransportId::from_bits(1)
}

fn dtls() -> Value {
    let fingerprint = vec!["AB"; 32].join(":");
    json!({ "role": "client", "fingerprints": [{ "algorithm": "sha-256", "value": fingerprint }] })
}

fn connect(transport: TransportId) -> (&'static str, Value) {
    ("voice:rtc:connectTransport", json!({ "transportId": transport, "dtlsParameters": dtls() }))
}

fn produce(transport: TransportId, source: Source) -> (&'static str, Value) {
    let ssrc = 5_000_000;
    let payload = json!({
        "transportId": transport,
        "kind": source.kind(),
        "rtpParameters": send_parameters(source.kind(), "out-of-order", ssrc),
        "appData": { "source": source },
    });
    ("voice:rtc:produce", payload)
}

async fn consume(
    client: &Client,
    transport: Option<TransportId>,
    producer: ProducerId,
) -> (&'static str, Value) {
    let mut payload = json!({ "producerId": producer });
    if let Some(transport) = transport {
        payload["transportId"] = json!(transport);
    }
    if let Ok(capabilities) = client.receive_capabilities().await {
        payload["rtpCapabilities"] = json!(capabilities);
    }
    ("voice:rtc:consume", payload)
}

fn of_strangers() -> Vec<(&'static str, Value)> {
    let producer = json!({ "producerId": ProducerId::from_bits(2) });
    let consumer = json!({ "consumerId": ConsumerId::from_bits(3) });
    vec![
        ("voice:rtc:pauseProducer", producer.clone()),
        ("voice:rtc:resumeProducer", producer.clone()),
        ("voice:rtc:closeProducer", producer),
        ("voice:rtc:pauseConsumer", consumer.clone()),
        ("voice:rtc:resumeConsumer", consumer.clone()),
        ("voice:rtc:requestKeyFrame", consumer),
    ]
}

async fn all_refused(client: &Client, stage: &str, requests: Vec<(&'static str, Value)>, code: ErrorCode) {
    for (event, payload) in requests {
        let refused = client.request(event, payload).await.map_err(|error| (error.code(), error.to_string()));
        assert!(
            matches!(&refused, Err((Some(got), _)) if *got == code),
            "{stage}: {event}: {refused:?}, not {code}"
        );
    }
}

/// What the others have been told of since the last look, and how the room looks to a watcher.
async fn unchanged(watcher: &Client, events: &mut EventStream, before: &[Participant], stage: &str) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    let told: Vec<_> =
        events.drain().into_iter().filter(|event| event.payload.get("roomSeq").is_some()).collect();
    assert!(told.is_empty(), "{stage}: {told:?}");
    let now = watcher.join("room").await.unwrap().participants;
    assert_eq!(now, before, "{stage}");
    events.drain();
}

#[tokio::test]
async fn at_every_stage_of_a_session() {
    let system = System::standalone().await.unwrap();
    let watcher = system.member("watcher", Tier::Pro, "room").await.unwrap();
    let shown = watcher.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap().id();
    let client = system.client("early", Tier::Pro, None).await.unwrap();
    let mut events = watcher.client.events();

    let stage = "not joined";
    let mut requests = of_strangers();
    requests.extend([
        ("voice:leave", json!({})),
        ("voice:rtc:getRouterRtpCapabilities", json!({})),
        ("voice:rtc:createTransport", json!({ "direction": "send" })),
        connect(nowhere()),
        produce(nowhere(), Source::Mic),
        consume(&client, Some(nowhere()), shown).await,
        ("voice:state:update", json!({ "muted": true })),
    ]);
    all_refused(&client, stage, requests, ErrorCode::InvalidState).await;
    assert_eq!(client.request("voice:ping", json!({ "sentAt": 7 })).await.unwrap()["sentAt"], 7);
    unchanged(&watcher.client, &mut events, &[], stage).await;

    let stage = "joined";
    client.join("room").await.unwrap();
    let before = watcher.client.join("room").await.unwrap().participants;
    events.drain();
    let mut requests = of_strangers();
    requests.extend([connect(nowhere()), produce(nowhere(), Source::Mic)]);
    requests.push(consume(&client, Some(nowhere()), shown).await);
    all_refused(&client, stage, requests, ErrorCode::NotFound).await;
    let requests = vec![consume(&client, None, shown).await];
    all_refused(&client, stage, requests, ErrorCode::InvalidState).await;
    unchanged(&watcher.client, &mut events, &before, stage).await;

    let stage = "transports created";
    let sending = client.create_transport(railgun_client::TransportDirection::Send).await.unwrap();
    let receiving = client.create_transport(railgun_client::TransportDirection::Recv).await.unwrap();
    let requests = vec![
        produce(sending.id(), Source::Mic),
        produce(receiving.id(), Source::Mic),
        consume(&client, Some(sending.id()), shown).await,
    ];
    all_refused(&client, stage, requests, ErrorCode::InvalidState).await;
    all_refused(&client, stage, of_strangers(), ErrorCode::NotFound).await;
    unchanged(&watcher.client, &mut events, &before, stage).await;

    let stage = "producing";
    let producer = sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    events.drain();
    let before = watcher.client.join("room").await.unwrap().participants;
    events.drain();
    let requests = vec![
        produce(sending.id(), Source::Mic),
        produce(receiving.id(), Source::Camera),
        connect(sending.id()),
    ];
    all_refused(&client, stage, requests, ErrorCode::InvalidState).await;
    all_refused(&client, stage, of_strangers(), ErrorCode::NotFound).await;
    unchanged(&watcher.client, &mut events, &before, stage).await;
    producer.pause().await.unwrap();
}

#[tokio::test]
async fn and_a_refused_second_consume_leaves_the_first_as_it_is() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let producer = alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap().id();
    let consumer = bob.receiving.consume(producer).await.unwrap();
    let video_only = json!({ "codecs": [{
        "kind": "video", "mimeType": "video/VP8", "preferredPayloadType": 101, "clockRate": 90000,
    }] });
    let payload = json!({
        "transportId": bob.receiving.id(), "producerId": producer, "rtpCapabilities": video_only,
    });
    let refused = bob.client.request("voice:rtc:consume", payload).await.unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode::UnsupportedCodec), "{refused}");
    consumer.pause().await.unwrap();
}
