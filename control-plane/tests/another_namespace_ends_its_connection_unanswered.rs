use crate::support::{Harness, ends, frame, http, opening, raw, read_until, scraped, until_connections};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

const HERE: [u8; 4] = [127, 0, 0, 1];

#[tokio::test]
async fn forty_sockets_that_never_read_leave_no_memory_and_no_place_taken() {
    let harness = Harness::start_with(|config| config.sockets_per_address = 50).await;
    let big = frame(&format!("40/{},", "x".repeat(60_000)));
    let mut attackers = Vec::new();
    for _ in 0..40 {
        let mut attacker = raw(HERE, harness.address, &opening("")).await;
        // Until it is written, or the end comes.
        for _ in 0..130 {
            let written = tokio::time::timeout(Duration::from_millis(200), attacker.write_all(&big)).await;
            if !matches!(written, Ok(Ok(()))) {
                break;
            }
        }
        attackers.push(attacker);
    }
    assert!(until_connections(&harness, 0, Duration::from_secs(2)).await, "connections are left");
    let mut honest = harness.client("ada", "pro").await;
    assert_eq!(honest.ask("voice:ping", serde_json::json!({})).await["ok"], true);
    assert_eq!(scraped(&harness, "railgun_control_tcp_connections").await, 1);
    drop(attackers);
    harness.stop().await;
}

#[tokio::test]
async fn by_websocket_and_by_polling() {
    let harness = Harness::start().await;
    let mut socket = raw(HERE, harness.address, &opening("")).await;
    read_until(&mut socket, "\"sid\"").await.unwrap();
    socket.write_all(&frame("40/admin,{}")).await.unwrap();
    assert!(ends(&mut socket, Duration::from_secs(2)).await);

    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = http(harness.address, "GET", path, &[], "").await;
    let sid = opened.body.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("{path}&sid={sid}");
    assert_eq!(http(harness.address, "POST", &path, &[], "3\u{1e}40/admin,").await.status, 400);
    // The socket is gone with it.
    assert_eq!(http(harness.address, "GET", &path, &[], "").await.status, 400);
    harness.stop().await;
}
