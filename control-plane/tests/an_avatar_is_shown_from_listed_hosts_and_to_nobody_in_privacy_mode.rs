//! A picture of a user is what an operator wrote down, or else what the signed token says, from the page's own origin or a host that the operator listed.
//! Whoever is in privacy mode is told of none, and has none told of: loading one tells its host an address.

use crate::support::client::Client;
use crate::support::node::FakeNode;
use crate::support::operators::TokensFile;
use crate::support::{Harness, Issuer, http};
use railgun_control::{AvatarHosts, Config};
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::ids::{ChannelId, SessionId, UserId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent};
use railgun_protocol::signal::{IceServer, Participant};
use serde_json::{Value, json};

fn operators() -> TokensFile {
    TokensFile::of(&[("secret", &["avatars:read", "avatars:write"])])
}

/// With these hosts listed, and a relay.
fn configure(config: &mut Config, issuer: &Issuer, tokens: &TokensFile, hosts: &[&str]) {
    let hosts = hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let relay = IceServer { urls: vec!["turn:relay.example.com".into()], username: None, credential: None };
    config.operators.tokens = Some(tokens.path.clone());
    config.auth.jwks = issuer.jwks();
    config.avatars = AvatarHosts::of(&hosts).unwrap();
    config.joins.cooldown = 0;
    config.joins.per_minute = 100;
    config.rtc.ice_servers = vec![relay];
}

/// With an operator whose token is `secret`.
async fn start(issuer: &Issuer, hosts: &[&str]) -> Harness {
    let tokens = operators();
    Harness::start_with(|config| configure(config, issuer, &tokens, hosts)).await
}

fn bob() -> Participant {
    Participant {
        user_id: UserId::new("bob").unwrap(),
        session_id: SessionId::from_bits(77),
        name: None,
        avatar: Some("/bob.png".into()),
        muted: false,
        deafened: false,
        speaking: false,
        reconnecting: false,
        producers: Vec::new(),
    }
}

/// Asks the operators' API of the record of `ada`.
async fn of_ada(harness: &Harness, method: &str, body: &str) -> (u16, String) {
    let headers = [("Authorization", "Bearer secret"), ("Content-Type", "application/json")];
    let answer = http(harness.operators, method, "/v1/users/ada/avatar", &headers, body).await;
    (answer.status, answer.body)
}

async fn joined(harness: &Harness, issuer: &Issuer, avatar: &str, privacy: bool) -> Client {
    let token = issuer.token("ada", |claims| {
        claims.avatar = Some(avatar.into());
        claims.privacy_mode = privacy;
    });
    let mut client = Client::connect(harness.address, json!({"token": token})).await.unwrap();
    assert_eq!(client.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
    client
}

/// What the room was told at the last join.
fn told(harness: &Harness) -> Option<String> {
    harness.node.joins().last().unwrap().1.avatar.clone()
}

#[tokio::test]
async fn an_avatar_is_shown_from_listed_hosts_and_to_nobody_in_privacy_mode() {
    let issuer = Issuer::new();
    let harness = start(&issuer, &["cdn.example.com"]).await;
    for (avatar, privacy, shown) in [
        ("/ada.png", false, Some("/ada.png")),
        ("https://cdn.example.com/ada.png", false, Some("https://cdn.example.com/ada.png")),
        ("https://evil.example.com/ada.png", false, None),
        ("javascript:alert(1)", false, None),
        ("data:image/svg+xml,<svg/>", false, None),
        ("http://cdn.example.com/ada.png", false, None),
        ("https://cdn.example.com@evil.example.com/a", false, None),
        ("https://cdn.example.com.evil.example.com/a", false, None),
        ("https://cdn.example.com:8443/a", false, None),
        ("//evil.example.com/a", false, None),
        ("/\\evil.example.com/a", false, None),
        ("/\t/evil.example.com/a", false, None),
        (&format!("/{}", "a".repeat(512)), false, None),
        (&format!("/{}", "a".repeat(511)), false, Some(&*format!("/{}", "a".repeat(511)))),
        ("/ada.png", true, None),
    ] {
        joined(&harness, &issuer, avatar, privacy).await.close().await;
        assert_eq!(told(&harness).as_deref(), shown, "{avatar} privacy={privacy}");
    }

    let comes = RoomEvent {
        channel: ChannelId::new("c").unwrap(),
        epoch: 1,
        room_seq: 9,
        audience: Audience::Everyone,
        event: Event::ParticipantJoined(Box::new(bob())),
    };
    for (privacy, heard) in [(false, json!("/bob.png")), (true, Value::Null)] {
        let mut client = joined(&harness, &issuer, "/ada.png", privacy).await;
        let watched = client.ask("voice:channel:watch", json!({"channelId": "c"})).await;
        assert_eq!(watched["ok"], true);
        harness.node.say(comes.clone()).await;
        assert_eq!(client.event("voice:participant:joined").await["avatar"], heard);
        // Who is in the channel is told the same way, before a join as well.
        let told = client.event("voice:channel:people").await;
        let bob = told["people"].as_array().unwrap().iter().find(|person| person["userId"] == "bob");
        assert_eq!(bob.unwrap()["avatar"], heard);
        client.close().await;
    }
    harness.stop().await;
}

#[tokio::test]
async fn an_operators_record_counts_before_the_token_until_it_is_deleted() {
    let issuer = Issuer::new();
    let harness = start(&issuer, &["cdn.example.com"]).await;
    assert_eq!(of_ada(&harness, "GET", "").await.0, 404);
    let listed = "https://cdn.example.com/operator.png";
    for (record, shown) in [(json!({"url": listed}), Some(listed)), (json!({}), None)] {
        assert_eq!(of_ada(&harness, "PUT", &record.to_string()).await.0, 204);
        assert_eq!(of_ada(&harness, "GET", "").await, (200, record.to_string()));
        joined(&harness, &issuer, "/token.png", false).await.close().await;
        assert_eq!(told(&harness).as_deref(), shown);
    }
    assert_eq!(of_ada(&harness, "PUT", &json!({"url": listed}).to_string()).await.0, 204);
    joined(&harness, &issuer, "/token.png", true).await.close().await;
    assert_eq!(told(&harness), None, "in privacy mode");
    for url in ["https://evil.example.com/a", "//evil.example.com/a", "javascript:alert(1)", ""] {
        assert_eq!(of_ada(&harness, "PUT", &json!({"url": url}).to_string()).await.0, 400, "{url}");
    }
    assert_eq!(of_ada(&harness, "DELETE", "").await.0, 204);
    joined(&harness, &issuer, "/token.png", false).await.close().await;
    assert_eq!(told(&harness).as_deref(), Some("/token.png"));
    harness.stop().await;
}

#[tokio::test]
async fn no_answer_to_whoever_is_in_privacy_mode_has_a_picture() {
    let issuer = Issuer::new();
    let harness = start(&issuer, &[]).await;
    harness.node.seat(bob());
    for (privacy, avatar) in [(false, json!("/bob.png")), (true, Value::Null)] {
        let token = issuer.token("ada", |claims| claims.privacy_mode = privacy);
        let mut client = Client::connect(harness.address, json!({"token": token})).await.unwrap();
        let watched = client.ask("voice:channel:watch", json!({"channelId": "c"})).await;
        let joined = client.ask("voice:join", json!({"channelId": "c"})).await;
        let resume = json!({"token": token, "resume": joined["resumeToken"]});
        let mut back = Client::connect(harness.address, resume).await.unwrap();
        let resumed = back.event("voice:resumed").await;
        for (answer, people) in [(&watched, "people"), (&joined, "participants"), (&resumed, "participants")]
        {
            let people = answer[people].as_array().unwrap();
            let bob = people.iter().find(|person| person["userId"] == "bob").unwrap();
            assert_eq!(bob["avatar"], avatar, "privacy={privacy}: {answer}");
        }
        back.close().await;
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_record_of_a_host_that_is_no_longer_listed_is_not_shown() {
    let (etcd, issuer, tokens) = (EtcdServer::start().await.unwrap(), Issuer::new(), operators());
    let node = FakeNode::start().await;
    node.register(&etcd.store()).await;
    let listed = "https://cdn.example.com/operator.png";
    for (hosts, shown) in [(&["cdn.example.com"][..], Some(listed)), (&[], None)] {
        let of_replica = |config: &mut Config| configure(config, &issuer, &tokens, hosts);
        let replica = Harness::in_cluster_with(node.clone(), etcd.settings(), of_replica).await;
        if shown.is_some() {
            assert_eq!(of_ada(&replica, "PUT", &json!({"url": listed}).to_string()).await.0, 204);
        }
        joined(&replica, &issuer, "/token.png", false).await.close().await;
        assert_eq!(told(&replica).as_deref(), shown);
        replica.stop().await;
    }
}

#[tokio::test]
async fn the_pages_policy_lets_pictures_come_from_listed_hosts_alone() {
    for (hosts, pictures) in [
        (&[] as &[&str], "img-src 'self' data: blob:"),
        (
            &["cdn.example.com", "other.example.com:8443"],
            "img-src 'self' data: blob: https://cdn.example.com https://other.example.com:8443",
        ),
    ] {
        let harness = start(&Issuer::new(), hosts).await;
        let page = http(harness.address, "GET", "/", &[], "").await;
        let of = |name: &str| page.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let policy = of("content-security-policy").unwrap();
        assert!(policy.split("; ").any(|part| part == pictures), "{policy}");
        assert_eq!(of("referrer-policy"), Some("no-referrer"));
        harness.stop().await;
    }
}
