//! What a client says it can receive is a message full at most; the node's media thread is to see what of it a
//! router can meet, and only when it changed.

use crate::support::Harness;
use railgun_protocol::media_rpc::Command;
use railgun_protocol::ortc::{DEFAULT_CODECS, router_rtp_capabilities};
use railgun_protocol::rtp_parameters::RtpCapabilities;
use serde_json::{Value, json};

const PRODUCER: &str = "0123456789abcdef0123456789abcdef";

/// The router's codecs behind fifty others.
fn large(name: &str) -> Value {
    let mut capabilities = router_rtp_capabilities(&DEFAULT_CODECS, 64_000);
    for payload_type in (0..50).rev() {
        let mut other = capabilities.codecs[capabilities.codecs.len() - 1].clone();
        other.mime_type = format!("video/{name}");
        other.preferred_payload_type = Some(payload_type);
        capabilities.codecs.insert(0, other);
    }
    serde_json::to_value(capabilities).unwrap()
}

fn consumed(seen: &[Command]) -> Vec<Option<RtpCapabilities>> {
    let consumed = seen.iter().filter_map(|command| match command {
        Command::Consume { rtp_capabilities, .. } => Some(rtp_capabilities.clone()),
        _ => None,
    });
    consumed.collect()
}

#[tokio::test]
async fn a_consume_tells_the_node_of_capabilities_only_when_they_changed_and_narrowed() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = ada.ask("voice:join", json!({"channelId": "c", "rtpCapabilities": large("a")})).await;
    assert_eq!(joined["ok"], true, "{joined}");
    let narrowed = router_rtp_capabilities(&DEFAULT_CODECS, u32::MAX);
    let at_join = harness.node.seen().into_iter().find_map(|command| match command {
        Command::Join(request) => request.rtp_capabilities,
        _ => None,
    });
    assert_eq!(at_join.unwrap().codecs.len(), narrowed.codecs.len());

    for name in ["a", "b", "b", "a"] {
        let consume = json!({"producerId": PRODUCER, "rtpCapabilities": large(name)});
        assert_eq!(ada.ask("voice:rtc:consume", consume).await["ok"], true);
    }
    assert_eq!(ada.ask("voice:rtc:consume", json!({"producerId": PRODUCER})).await["ok"], true);
    let told: Vec<_> =
        consumed(&harness.node.seen()).into_iter().map(|it| it.map(|it| it.codecs.len())).collect();
    let known = Some(narrowed.codecs.len());
    assert_eq!(told, [None, known, known, None, None], "the node has those of the join");
    harness.stop().await;
}

#[tokio::test]
async fn capabilities_out_of_bounds_are_refused_before_the_node_hears_of_them() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    let before = harness.node.seen().len();
    let mut wrong = large("a");
    wrong["codecs"][0]["clockRate"] = json!(0);
    for event in ["voice:join", "voice:rtc:consume"] {
        let payload = json!({"channelId": "c", "producerId": PRODUCER, "rtpCapabilities": wrong});
        let refused = ada.ask(event, payload).await;
        assert_eq!(refused["code"], "INVALID_PAYLOAD", "{event}: {refused}");
    }
    assert_eq!(harness.node.seen().len(), before);
    harness.stop().await;
}

#[tokio::test]
async fn routers_offer_congestion_feedback_with_rtc_ccfb_and_the_same_bytes_as_ever_without() {
    for offers_ccfb in [false, true] {
        let harness = Harness::start_with(|config| config.offers_ccfb = offers_ccfb).await;
        let mut ada = harness.client("ada", "pro").await;
        ada.ask("voice:join", json!({"channelId": "c"})).await;
        let answer = ada.ask("voice:rtc:getRouterRtpCapabilities", json!({})).await;
        let codecs = answer["rtpCapabilities"]["codecs"].as_array().unwrap();
        let ccfb = json!({"type": "ack", "parameter": "ccfb"});
        let has = |codec: &Value| codec["rtcpFeedback"].as_array().unwrap().contains(&ccfb);
        assert!(codecs.len() == 9 && codecs.iter().all(|codec| has(codec) == offers_ccfb), "{answer}");
        harness.stop().await;
    }
}
