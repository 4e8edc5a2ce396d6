//! A user in privacy mode is heard through TURN relays alone. Where none is configured the join says so, to
//! the user and in `/joins`, and nothing blames the network.

use crate::support::client::Client;
use crate::support::{Harness, Issuer, http};
use railgun_protocol::media_rpc::Command;
use railgun_protocol::signal::IceServer;
use serde_json::{Value, json};

async fn join(harness: &Harness, issuer: &Issuer, privacy: bool) -> Value {
    let token = issuer.token("ada", |claims| claims.privacy_mode = privacy);
    let mut client = Client::connect(harness.address, json!({"token": token})).await.unwrap();
    client.ask("voice:join", json!({"channelId": "c"})).await
}

async fn is_refused(harness: &Harness, issuer: &Issuer, missing: &str) {
    let answer = join(harness, issuer, true).await;
    let why = format!("privacy mode needs a TURN relay, and {missing} names none");
    assert_eq!((&answer["code"], &answer["error"]), (&json!("TRANSPORT_FAILED"), &json!(why)));
    let joins = http(harness.operators, "GET", "/joins", &[], "").await;
    let joins: Value = serde_json::from_str(&joins.body).unwrap();
    assert_eq!(joins[0]["why"], json!(format!("The join was refused: {why}.")));
}

#[tokio::test]
async fn privacy_mode_without_relays_is_refused_with_the_reason() {
    let issuer = Issuer::new();
    let harness = Harness::start_with(|config| config.auth.jwks = issuer.jwks()).await;
    is_refused(&harness, &issuer, "turn.urls of the control-plane").await;
    assert!(!harness.node.seen().iter().any(|command| matches!(command, Command::Join(_))));
    assert_eq!(join(&harness, &issuer, false).await["ok"], true);
    harness.stop().await;

    let relay = IceServer { urls: vec!["turn:relay.example.com".into()], username: None, credential: None };
    let harness = Harness::start_with(|config| {
        config.auth.jwks = issuer.jwks();
        config.joins.cooldown = 0;
        config.rtc.ice_servers = vec![relay];
    })
    .await;
    assert_eq!(join(&harness, &issuer, true).await["ok"], true);
    harness.node.lack_relays();
    harness.until_ready(false).await;
    harness.until_ready(true).await;
    is_refused(&harness, &issuer, "rtc.relays of the media node").await;
    harness.stop().await;
}
