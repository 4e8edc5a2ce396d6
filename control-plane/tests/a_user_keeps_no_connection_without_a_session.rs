use crate::support::{Harness, ends, frame, http, opening, raw, read_until, scraped, until_connections};
use railgun_protocol::limits::{CONNECTIONS_PER_USER, SESSIONS_PER_USER};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

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

/// A polling socket with this user's token: the path of its requests.
async fn polling(harness: &Harness, user: &str) -> String {
    let token = harness.token(user, "pro").await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let opened = http(harness.address, "GET", path, &[], "").await;
    let sid = opened.body.split("\"sid\":\"").nth(1).unwrap().split('"').next().unwrap();
    let path = format!("{path}&sid={sid}");
    let connect = format!("40{}", json!({"token": token}));
    assert_eq!(http(harness.address, "POST", &path, &[], &connect).await.status, 200);
    while !http(harness.address, "GET", &path, &[], "").await.body.contains("40{") {}
    path
}

#[tokio::test]
async fn by_polling_as_well() {
    let harness = Harness::start().await;
    let path = polling(&harness, "ada").await;
    assert_eq!(http(harness.address, "POST", &path, &[], "41").await.status, 200);
    let gone = async {
        while http(harness.address, "GET", &path, &[], "").await.status != 400 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // Sooner than a request that waits is answered with the next heartbeat.
    timeout(Duration::from_secs(3), gone).await.expect("the polling socket is still there");
    harness.stop().await;
}

#[tokio::test]
async fn and_of_polling_as_few_connections_as_otherwise() {
    let harness = Harness::start().await;
    let path = polling(&harness, "ada").await;
    let body = "42[\"voice:ping\",{}]";
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut kept = Vec::new();
    for _ in 0..2 * CONNECTIONS_PER_USER {
        let mut stream = raw([127, 0, 0, 1], harness.address, &head).await;
        read_until(&mut stream, "HTTP/1.1 200").await.unwrap();
        kept.push(stream);
    }
    assert!(until_connections(&harness, CONNECTIONS_PER_USER, Duration::from_secs(1)).await);
    assert!(ends(&mut kept[0], Duration::from_secs(1)).await);
    assert!(!ends(kept.last_mut().unwrap(), Duration::from_millis(100)).await);
    harness.stop().await;
}

/// What began as polling and was upgraded is its user's as any other: it takes no place of those that
/// show no token, and ends with its session.
#[tokio::test]
async fn nor_one_that_was_upgraded_from_polling() {
    let harness = Harness::start_with(|config| config.sockets_per_address = 3).await;
    let mut upgraded = Vec::new();
    for number in 0..8 {
        let path = polling(&harness, &format!("u{number}")).await;
        let path = path.replace("transport=polling", "transport=websocket");
        let head = opening("").replace("/socket.io/?EIO=4&transport=websocket", &path);
        let mut stream = raw([127, 0, 0, 1], harness.address, &head).await;
        read_until(&mut stream, "101 Switching").await.unwrap();
        stream.write_all(&frame("2probe")).await.unwrap();
        read_until(&mut stream, "3probe").await.unwrap();
        stream.write_all(&frame("5")).await.unwrap();
        upgraded.push(stream);
    }
    // Longer than whoever shows no token is left alone.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    harness.token("another", "free").await;
    assert_eq!(scraped(&harness, "railgun_control_tcp_connections").await, 8);
    for stream in &mut upgraded {
        stream.write_all(&frame("421[\"voice:ping\",{}]")).await.unwrap();
        read_until(stream, "431").await.unwrap();
        stream.write_all(&frame("41")).await.unwrap();
    }
    for stream in &mut upgraded {
        assert!(ends(stream, Duration::from_secs(3)).await);
    }
    assert!(until_connections(&harness, 0, Duration::from_secs(1)).await);
    harness.stop().await;
}
