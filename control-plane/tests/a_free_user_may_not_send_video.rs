use crate::support::Harness;
use railgun_protocol::media_rpc::Command;
use serde_json::{Value, json};

fn produce(transport: &Value, kind: &str, source: &str) -> Value {
    json!({"transportId": transport, "kind": kind, "rtpParameters": {}, "appData": {"source": source}})
}

#[tokio::test]
async fn what_needs_pro_is_refused_with_the_capability_and_never_reaches_the_node() {
    let harness = Harness::start().await;
    let mut free = harness.client("ada", "free").await;
    let joined = free.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!(
        joined["permissions"],
        json!({"audio": true, "video": false, "screenshare": false, "maxBitrate": 32000})
    );
    let transport = free.ask("voice:rtc:createTransport", json!({"direction": "send"})).await["id"].clone();
    for (kind, source, capability) in [
        ("video", "camera", "VIDEO_CALLING"),
        ("video", "screen", "SCREEN_SHARE"),
        ("audio", "screenAudio", "SCREEN_SHARE"),
    ] {
        let refused = free.ask("voice:rtc:produce", produce(&transport, kind, source)).await;
        assert_eq!(refused["code"], "CAPABILITY_REQUIRED", "{source}");
        assert_eq!(refused["details"], json!({"capability": capability}));
    }
    // A claim in the payload changes nothing.
    let mut boast = produce(&transport, "video", "camera");
    boast["tier"] = json!("pro");
    boast["permissions"] = json!({"video": true});
    assert_eq!(free.ask("voice:rtc:produce", boast).await["code"], "CAPABILITY_REQUIRED");
    assert!(!harness.node.seen().iter().any(|command| matches!(command, Command::Produce { .. })));
    assert_eq!(free.ask("voice:rtc:produce", produce(&transport, "audio", "mic")).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn a_pro_user_may_send_each_source_as_its_own_kind_only() {
    let harness = Harness::start().await;
    let mut pro = harness.client("ada", "pro").await;
    pro.ask("voice:join", json!({"channelId": "c"})).await;
    let transport = pro.ask("voice:rtc:createTransport", json!({"direction": "send"})).await["id"].clone();
    for (right, wrong, source) in [
        ("audio", "video", "mic"),
        ("video", "audio", "camera"),
        ("video", "audio", "screen"),
        ("audio", "video", "screenAudio"),
    ] {
        let refused = pro.ask("voice:rtc:produce", produce(&transport, wrong, source)).await;
        assert_eq!(refused["code"], "INVALID_PAYLOAD", "{source}");
        assert_eq!(
            pro.ask("voice:rtc:produce", produce(&transport, right, source)).await["ok"],
            true,
            "{source}"
        );
    }
    harness.stop().await;
}
