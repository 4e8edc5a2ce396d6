use crate::support::{Harness, http, scraped, until_connections};
use railgun_shared::limits::{CONNECTIONS_PER_USER, SESSIONS_PER_USER};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_disconnect_packet_ends_its_connection() {
    let harness = Harness::start().await;
    let mut kept = Vec::new();
    for _ in 0..30 {
        let mut client = harness.client("ada", "pro").await;
        client.disconnect().await;
        kept.push(client);
    }
    for client in &mut kept {
        assert!(client.connection_ends().await);
    }
    assert!(until_connections(&harness, 0, Duration::from_secs(2)).await);
    harness.stop().await;
}

/// Each takes the place of the one before, which does not close its connection when it is told to go.
#[tokio::test]
async fn a_device_that_comes_again_and_again_holds_few() {
    let harness = Harness::start().await;
    let mut kept = Vec::new();
    for _ in 0..SESSIONS_PER_USER - 1 {
        kept.push(harness.client("ada", "pro").await);
    }
    let mut most = 0;
    for number in 0..80 {
        kept.push(harness.client_with("ada", json!({"deviceId": "d"})).await);
        if number % 10 == 9 {
            most = most.max(scraped(&harness, "railgun_control_tcp_connections").await);
        }
    }
    assert!(most <= CONNECTIONS_PER_USER, "{most}");
    assert!(until_connections(&harness, SESSIONS_PER_USER, Duration::from_secs(3)).await);
    assert_eq!(kept.last_mut().unwrap().ask("voice:ping", json!({})).await["ok"], true);
    harness.stop().await;
}

#[tokio::test]
async fn by_polling_as_well() {
    let harness = Harness::start().await;
    let token = harness.token("ada", "pro").await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = http(harness.address, "GET", path, &[], "").await;
    let sid = opened.body.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("{path}&sid={sid}");
    let connect = format!("40{}", json!({"token": token}));
    assert_eq!(http(harness.address, "POST", &path, &[], &connect).await.status, 200);
    while !http(harness.address, "GET", &path, &[], "").await.body.contains("40{") {}
    assert_eq!(http(harness.address, "POST", &path, &[], "41").await.status, 200);
    for _ in 0..100 {
        if http(harness.address, "GET", &path, &[], "").await.status == 400 {
            return harness.stop().await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the polling socket is still there");
}
