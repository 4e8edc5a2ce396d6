mod support;

use railgun_shared::media_rpc::Command;
use serde_json::json;
use std::time::Duration;
use support::Harness;

#[tokio::test]
async fn it_leaves_its_room_and_others_do_not_notice() {
    let harness = Harness::start().await;
    let mut deaf = harness.client("ada", "pro").await;
    let mut other = harness.client("bob", "pro").await;
    let session = deaf.ask("voice:join", json!({"channelId": "c"})).await["sessionId"].clone();
    other.ask("voice:join", json!({"channelId": "c"})).await;

    // Each is answered with as much; nobody reads the answers.
    let much = json!({"sentAt": "x".repeat(60 * 1024)});
    let flooding = tokio::spawn(async move {
        for _ in 0..1000 {
            deaf.request("voice:ping", much.clone()).await;
        }
        deaf
    });
    let left =
        |command: &Command| matches!(command, Command::Leave { session: of, .. } if json!(of) == session);
    for _ in 0..1000 {
        if harness.node.seen().iter().any(left) {
            assert_eq!(other.ask("voice:ping", json!({})).await["ok"], true);
            flooding.abort();
            return harness.stop().await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it is still in its room");
}
