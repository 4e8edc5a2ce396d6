//! Through HAProxy as the project configures it: WebSocket without stickiness, and HTTP polling with
//! the cookie that HAProxy sets.

use crate::people;
use railgun_tests::{Cluster, Polling, within};
use serde_json::json;
use std::time::Duration;
use tokio::sync::watch;

#[tokio::test]
async fn both_transports_pass_haproxy() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    cluster.start_proxy().await.unwrap();
    let url = format!("http://{}", cluster.proxy());

    let mut calls = Vec::new();
    for name in ["ada", "bob"] {
        let client = cluster.client_at(name, &url).await.unwrap();
        let (heard, at) = watch::channel(None);
        calls.push((at, tokio::spawn(people::talk(client, name.into(), "c".into(), heard))));
    }
    for (heard, _) in &mut calls {
        within(Duration::from_secs(15), "speech", heard.wait_for(Option::is_some)).await.unwrap();
    }

    // Several, since one request in two would find its replica by chance.
    for number in 0..4 {
        let token = cluster.token(&format!("poller-{number}")).unwrap();
        let mut socket = Polling::connect(cluster.proxy(), &token).await.unwrap();
        let joined = socket.ask("voice:join", json!({ "channelId": "c" })).await.unwrap();
        assert_eq!(joined["ok"], true, "{joined}");
        assert!(joined["participants"].as_array().is_some_and(|others| others.len() >= 2), "{joined}");
        let transport =
            socket.ask("voice:rtc:createTransport", json!({ "direction": "send" })).await.unwrap();
        assert_eq!(transport["ok"], true, "{transport}");
        assert_eq!(socket.ask("voice:leave", json!({})).await.unwrap()["ok"], true);
    }
}
