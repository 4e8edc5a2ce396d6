//! Binary, too large, too deep, of the wrong shape, or unknown: refused, and nobody else notices.

use railgun_client::{Client, ClientError, ErrorCode};
use railgun_protocol::limits::{JSON_DEPTH_MAX, MESSAGE_BYTES_MAX, REQUEST_ID_CHARS_MAX};
use railgun_protocol::plan::Tier;
use railgun_tests::{SEEN_WITHIN, System, within};
use serde_json::{Value, json};

async fn seated(system: &System, user: &str) -> Client {
    let client = system.client(user, Tier::Pro, None).await.unwrap();
    client.join("room").await.unwrap();
    client
}

#[tokio::test]
async fn and_the_socket_goes_on_if_it_was_only_a_bad_request() {
    let system = System::standalone().await.unwrap();
    let client = seated(&system, "alice").await;
    let mut deep = json!(1);
    for _ in 0..=JSON_DEPTH_MAX {
        deep = json!([deep]);
    }
    let cases = [
        ("voice:rtc:createTransport", json!({})),
        ("voice:rtc:createTransport", json!({ "direction": "sideways" })),
        ("voice:rtc:createTransport", json!({ "direction": "send", "more": deep })),
        (
            "voice:rtc:createTransport",
            json!({ "direction": "send", "requestId": "x".repeat(REQUEST_ID_CHARS_MAX + 1) }),
        ),
        ("voice:rtc:createTransport", json!({ "direction": "send", "requestId": 7 })),
        ("voice:rtc:createTransport", json!("send")),
        ("voice:rtc:createTransport", json!([])),
        ("voice:rtc:createTransport", Value::Null),
        ("voice:rtc:pauseProducer", json!({ "producerId": "../etc" })),
        ("voice:rtc:pauseProducer", json!({ "producerId": 7 })),
        ("voice:state:update", json!({ "muted": "yes" })),
        ("voice:no:such:request", json!({})),
    ];
    for (event, payload) in cases {
        let refused = client.request(event, payload.clone()).await;
        assert_eq!(
            refused.as_ref().err().and_then(ClientError::code),
            Some(ErrorCode::InvalidPayload),
            "{event} {payload}: {refused:?}"
        );
    }
    client.request("voice:ping", json!({ "sentAt": 1 })).await.unwrap();
}

#[tokio::test]
async fn and_unknown_fields_are_no_reason() {
    let system = System::standalone().await.unwrap();
    let client = seated(&system, "alice").await;
    let payload = json!({ "direction": "send", "later": { "versions": ["say", { "more": true }] } });
    client.request("voice:rtc:createTransport", payload).await.unwrap();
}

/// The socket ends or the request is refused; in no case is it answered as if it were good.
async fn ends_or_is_refused(client: &Client, what: &str) {
    let mut events = client.events();
    within(SEEN_WITHIN, what, async {
        tokio::select! {
            _ = client.disconnected() => {}
            refused = events.named("voice:rtc:error") => {
                if let Ok(refused) = refused {
                    assert_eq!(refused["code"], "INVALID_PAYLOAD", "{what}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn and_binary_gets_nowhere() {
    let system = System::standalone().await.unwrap();
    let witness = seated(&system, "witness").await;
    let event = r#"451-["voice:rtc:createTransport",{"direction":"send","x":{"_placeholder":true,"num":0}}]"#;
    let client = seated(&system, "binary-event").await;
    let mut events = client.events();
    let waiting = ends_or_is_refused(&client, "a binary event");
    let sending = async {
        client.send_text_frame(event.into()).await.unwrap();
        // The socket may be gone already.
        _ = client.send_binary_frame(vec![1, 2, 3]).await;
    };
    tokio::join!(waiting, sending);
    assert!(events.drain().iter().all(|event| event.name != "voice:transportCreated"));

    let client = seated(&system, "bare-binary").await;
    client.send_binary_frame(vec![0; 100]).await.unwrap();
    witness.request("voice:ping", json!({ "sentAt": 1 })).await.unwrap();
    system.client("next", Tier::Pro, None).await.unwrap().join("room").await.unwrap();
}

#[tokio::test]
async fn and_what_is_too_large_gets_nowhere() {
    let system = System::standalone().await.unwrap();
    let witness = seated(&system, "witness").await;
    let client = seated(&system, "large").await;
    let large = json!({ "direction": "send", "more": "x".repeat(MESSAGE_BYTES_MAX + 1) });
    let answer = client.request("voice:rtc:createTransport", large).await;
    assert!(answer.is_err(), "{answer:?}");
    witness.request("voice:ping", json!({ "sentAt": 1 })).await.unwrap();

    // A little less is only a request with much that is unknown.
    let client = seated(&system, "almost").await;
    let almost = json!({ "direction": "send", "more": "x".repeat(MESSAGE_BYTES_MAX - 1024) });
    client.request("voice:rtc:createTransport", almost).await.unwrap();
}
