use crate::support::Harness;
use railgun_protocol::media_rpc::Command;
use railgun_protocol::plan::{Permissions, Tier};
use railgun_protocol::signal::GrantReason;
use serde_json::json;

#[tokio::test]
async fn at_the_node_and_here_and_tells_it_once() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "free").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    let refused = ada.ask("voice:video:requestSlot", json!({"source": "camera"})).await;
    assert_eq!(
        (&refused["code"], &refused["details"]),
        (&json!("CAPABILITY_REQUIRED"), &json!({"capability": "VIDEO_CALLING"}))
    );
    let token = harness.token("ada", "pro").await;
    let mut upgraded = ada.ask("voice:entitlement:refresh", json!({"token": token})).await;
    assert_eq!(upgraded.as_object_mut().unwrap().remove("ok"), Some(json!(true)));
    assert_eq!(
        upgraded,
        json!({
            "permissions": {"audio": true, "video": true, "screenshare": true, "maxBitrate": 64000},
            "limits": {"participants": 25, "videoPublishers": 6},
            "reason": "upgraded",
        })
    );
    assert_eq!(ada.event("voice:permissions").await, upgraded);
    harness
        .node
        .until_seen(|command| {
            matches!(command, Command::SetGrant { grant, reason: GrantReason::Upgraded, .. }
                if grant.permissions == Permissions::of(Tier::Pro))
        })
        .await;
    assert_eq!(ada.ask("voice:video:requestSlot", json!({"source": "camera"})).await["ok"], true);
    let again = ada.ask("voice:entitlement:refresh", json!({"token": token})).await;
    assert_eq!(again["reason"], "refreshed");
    harness.stop().await;
}

#[tokio::test]
async fn before_a_join_as_well() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "free").await;
    let token = harness.token("ada", "pro").await;
    assert_eq!(ada.ask("voice:entitlement:refresh", json!({"token": token})).await["reason"], "upgraded");
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!(joined["permissions"]["video"], true);
    harness.stop().await;
}

#[tokio::test]
async fn but_not_a_token_of_somebody_else_or_of_nobody() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "free").await;
    ada.ask("voice:join", json!({"channelId": "c"})).await;
    let of_bob = harness.token("bob", "pro").await;
    let mut changed = harness.token("ada", "pro").await;
    changed.pop();
    for token in [of_bob, changed, "none".into(), "x".repeat(9000)] {
        let refused = ada.ask("voice:entitlement:refresh", json!({"token": token})).await;
        assert_eq!(refused["code"], "UNAUTHORIZED");
        assert!(!refused.to_string().contains(&token));
    }
    let shapeless = ada.ask("voice:entitlement:refresh", json!({"tier": "pro"})).await;
    assert_eq!(shapeless["code"], "INVALID_PAYLOAD");
    assert!(!harness.node.seen().iter().any(|command| matches!(command, Command::SetGrant { .. })));
    harness.stop().await;
}
