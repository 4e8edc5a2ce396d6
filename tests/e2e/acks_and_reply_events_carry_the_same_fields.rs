//! A client may use callbacks or listen for reply events: both say the same, with the request's id.

use railgun_client::{Client, ClientError, EventStream, MediaKind, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{SEEN_WITHIN, System, send_parameters, within};
use serde_json::{Value, json};

/// Asks with a callback, and compares the ack with the event that comes too.
async fn both(
    client: &Client,
    events: &mut EventStream,
    request: &str,
    reply: &str,
    payload: Value,
) -> Value {
    let id = format!("id of {request}");
    let mut payload = payload;
    payload["requestId"] = id.clone().into();
    let ack = client.request(request, payload).await.unwrap();
    let event = within(SEEN_WITHIN, reply, async {
        loop {
            let payload = events.named(reply).await.unwrap();
            if payload["requestId"] == json!(id) {
                return payload;
            }
        }
    })
    .await;
    assert_eq!(ack, event, "{request}");
    ack
}

#[tokio::test]
async fn of_every_request_that_has_both() {
    let system = System::standalone().await.unwrap();
    let other = system.member("other", Tier::Pro, "room").await.unwrap();
    let shown = other.sending.produce(MediaKind::Video, Source::Camera).await.unwrap().id();
    let client = &system.client("alice", Tier::Pro, None).await.unwrap();
    let events = &mut client.events();

    let joined = both(client, events, "voice:join", "voice:joined", json!({ "channelId": "room" })).await;
    for field in [
        "channelId",
        "sessionId",
        "sfuEndpoint",
        "participants",
        "permissions",
        "limits",
        "rtcConfig",
        "encryption",
        "roomSeq",
    ] {
        assert!(joined.get(field).is_some(), "voice:joined has no {field}: {joined}");
    }
    let channel = json!({ "channelId": "room" });
    let watched = both(client, events, "voice:channel:watch", "voice:channel:watched", channel.clone()).await;
    let there: Vec<_> =
        watched["people"].as_array().unwrap().iter().map(|person| &person["userId"]).collect();
    assert_eq!(there, ["other", "alice"]);
    both(client, events, "voice:channel:unwatch", "voice:channel:unwatched", channel).await;
    let ask = "voice:rtc:getRouterRtpCapabilities";
    let router = both(client, events, ask, "voice:routerRtpCapabilities", json!({})).await;
    let mut transports = Vec::new();
    for direction in ["send", "recv"] {
        let payload = json!({ "direction": direction });
        let created =
            both(client, events, "voice:rtc:createTransport", "voice:transportCreated", payload).await;
        assert_eq!((&created["direction"], &created["id"]), (&json!(direction), &created["transportId"]));
        assert_eq!(created["iceParameters"]["iceLite"], true);
        transports.push(created["transportId"].clone());
    }
    let fingerprint = json!([{ "algorithm": "sha-256", "value": vec!["AB"; 32].join(":") }]);
    let dtls = json!({ "role": "client", "fingerprints": fingerprint });
    let payload = json!({ "transportId": transports[0], "dtlsParameters": dtls });
    both(client, events, "voice:rtc:connectTransport", "voice:transportConnected", payload).await;
    let payload = json!({ "transportId": transports[0] });
    both(client, events, "voice:rtc:restartIce", "voice:iceRestarted", payload).await;
    let parameters = send_parameters(MediaKind::Audio, "0", 99);
    let payload = json!({
        "transportId": transports[0], "kind": "audio", "rtpParameters": parameters, "appData": { "source": "mic" },
    });
    let produced = both(client, events, "voice:rtc:produce", "voice:produced", payload).await;
    let payload = json!({
        "transportId": transports[1], "producerId": shown, "rtpCapabilities": router["rtpCapabilities"],
    });
    let consumed = both(client, events, "voice:rtc:consume", "voice:consumed", payload).await;
    assert_eq!((&consumed["userId"], &consumed["kind"]), (&json!("other"), &json!("video")));

    let of_consumer = json!({ "consumerId": consumed["consumerId"] });
    let of_producer = json!({ "producerId": produced["producerId"] });
    let with_priority = json!({ "consumerId": consumed["consumerId"], "priority": 7 });
    for (request, reply, payload) in [
        ("voice:rtc:resumeConsumer", "voice:consumerResumed", &of_consumer),
        ("voice:rtc:requestKeyFrame", "voice:keyFrameRequested", &of_consumer),
        ("voice:rtc:setPriority", "voice:prioritySet", &with_priority),
        ("voice:rtc:pauseConsumer", "voice:consumerPaused", &of_consumer),
        ("voice:rtc:pauseProducer", "voice:producerPaused", &of_producer),
        ("voice:rtc:resumeProducer", "voice:producerResumed", &of_producer),
        ("voice:rtc:closeProducer", "voice:producerClosed", &of_producer),
        ("voice:rtc:getStats", "voice:stats", &json!({})),
        ("voice:leave", "voice:left", &json!({})),
    ] {
        both(client, events, request, reply, payload.clone()).await;
    }
}

#[tokio::test]
async fn of_refusals_too() {
    let system = System::standalone().await.unwrap();
    let client = system.client("alice", Tier::Pro, None).await.unwrap();
    for (request, reply, payload) in [
        ("voice:rtc:createTransport", "voice:rtc:error", json!({ "direction": "send" })),
        ("voice:join", "voice:error", json!({ "channelId": "" })),
    ] {
        let mut events = client.events();
        let mut payload = payload;
        payload["requestId"] = "r".into();
        let Err(ClientError::Refused(ack)) = client.request(request, payload.clone()).await else {
            panic!("{request} was not refused")
        };
        let event = within(SEEN_WITHIN, reply, events.named(reply)).await.unwrap();
        assert_eq!(
            event,
            json!({
                "code": ack.code, "error": ack.message, "details": ack.details, "event": request,
                "fatal": ack.fatal, "requestId": "r",
            })
        );
        let Err(ClientError::Refused(by_event)) = client.request_by_event(request, payload).await else {
            panic!("{request} was not refused")
        };
        assert_eq!((by_event.code, &by_event.message), (ack.code, &ack.message));
    }
}

#[tokio::test]
async fn and_a_client_without_callbacks_gets_through_a_call() {
    let system = System::standalone().await.unwrap();
    let client = system.client("alice", Tier::Pro, None).await.unwrap();
    let joined = client.request_by_event("voice:join", json!({ "channelId": "room" })).await.unwrap();
    assert_eq!(joined["channelId"], "room");
    let created =
        client.request_by_event("voice:rtc:createTransport", json!({ "direction": "send" })).await.unwrap();
    let dtls = json!({ "role": "client", "fingerprints": [{ "algorithm": "sha-256", "value": vec!["AB"; 32].join(":") }] });
    let payload = json!({ "transportId": created["transportId"], "dtlsParameters": dtls });
    client.request_by_event("voice:rtc:connectTransport", payload).await.unwrap();
    client.request_by_event("voice:leave", json!({})).await.unwrap();
}
