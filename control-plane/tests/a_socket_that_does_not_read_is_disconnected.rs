use crate::support::Harness;
use railgun_shared::media_rpc::Command;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn its_session_may_be_taken_up_and_others_do_not_notice() {
    let harness = Harness::start().await;
    let mut deaf = harness.client("ada", "pro").await;
    let mut other = harness.client("bob", "pro").await;
    let session = deaf.ask("voice:join", json!({"channelId": "c"})).await["sessionId"].clone();
    other.ask("voice:join", json!({"channelId": "c"})).await;

    // Each is answered with as much; nobody reads the answers.
    let much = json!({"sentAt": "x".repeat(60 * 1024)});
    let flooding = tokio::spawn(async move {
        // No more than a socket may send.
        for number in 0..400 {
            deaf.request("voice:ping", much.clone()).await;
            if number >= 190 {
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
        deaf
    });
    // What it missed it is told when it takes its session up again.
    let detached =
        |command: &Command| matches!(command, Command::Detach { session: of, .. } if json!(of) == session);
    harness.node.until_seen(detached).await;
    assert_eq!(other.ask("voice:ping", json!({})).await["ok"], true);
    flooding.abort();
    harness.stop().await;
}
