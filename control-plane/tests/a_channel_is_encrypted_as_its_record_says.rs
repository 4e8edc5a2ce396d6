//! End-to-end encryption of a channel: who sets it, who may join it, what becomes of people who are in it when it
//! changes, and that no part of a fleet serves it as before.

use crate::support::Harness;
use crate::support::node::FakeNode;
use crate::support::operators::{TokensFile, ask, body};
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::ids::{BootId, ChannelId, SessionId};
use railgun_protocol::media_rpc::{Audience, Command, EncryptionRule, Event, RoomEvent};
use railgun_protocol::signal::{Encryption, RejoinReason};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Until a replica's watch of etcd tells it what another one wrote.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// What a client says that can encrypt.
fn able() -> Value {
    json!({"version": 1, "suites": [4, 5]})
}

fn join(channel: &str, e2ee: Value) -> Value {
    json!({"channelId": channel, "e2ee": e2ee})
}

fn tokens() -> TokensFile {
    TokensFile::of(&[("all", &["channels:read", "channels:write", "audit:read"])])
}

async fn start(tokens: &TokensFile, dm_encryption: Encryption) -> Harness {
    let path = tokens.path.clone();
    Harness::start_with(|config| {
        config.operators.tokens = Some(path);
        config.channels.dm_encryption = dm_encryption;
        config.joins.cooldown = 0;
    })
    .await
}

/// The status, and how the channel is encrypted then.
async fn put(harness: &Harness, channel: &str, record: Value) -> (u16, Value) {
    let path = format!("/v1/channels/{channel}");
    let status = ask(harness.operators, "all", "PUT", &path, record).await.status;
    let found = ask(harness.operators, "all", "GET", &path, Value::Null).await;
    (status, if found.status == 200 { body(&found)["encryption"].clone() } else { Value::Null })
}

/// The rule that the last join brought to the node.
fn last_rule(node: &FakeNode) -> EncryptionRule {
    node.joins().last().unwrap().1.encryption
}

#[tokio::test]
async fn a_dm_is_encrypted_end_to_end_unless_its_record_says_otherwise() {
    let tokens = tokens();
    let harness = start(&tokens, Encryption::EndToEnd).await;
    let dm = |encryption: Option<&str>| {
        let mut record = json!({"kind": "dm", "tier": "free", "members": ["ada"]});
        if let Some(encryption) = encryption {
            record["encryption"] = encryption.into();
        }
        record
    };
    assert_eq!(put(&harness, "dm", dm(None)).await, (204, json!("endToEnd")));
    assert_eq!(put(&harness, "old", dm(Some("transport"))).await, (204, json!("transport")));
    // Whoever writes it again without a word of it changes nothing.
    assert_eq!(put(&harness, "old", dm(None)).await, (204, json!("transport")));
    assert_eq!(put(&harness, "lobby", json!({"tier": "free"})).await, (204, json!("transport")));
    assert_eq!(put(&harness, "dm", dm(Some("none"))).await.0, 400);

    let mut ada = harness.client("ada", "pro").await;
    let suites = |version: u32, suites: Value| json!({"version": version, "suites": suites});
    for unable in [Value::Null, suites(0, json!([4])), suites(1, json!([])), suites(1, json!([5]))] {
        let refused = ada.ask("voice:join", join("dm", unable)).await;
        assert_eq!((&refused["code"], &refused["fatal"]), (&json!("CAPABILITY_REQUIRED"), &json!(true)));
        assert_eq!(refused["details"], json!({"capability": "E2EE"}));
    }
    assert!(harness.node.joins().is_empty());
    let joined = ada.ask("voice:join", join("dm", able())).await;
    assert_eq!((&joined["ok"], &joined["encryption"]), (&json!(true), &json!("endToEnd")));
    assert_eq!(last_rule(&harness.node).encryption, Encryption::EndToEnd);
    // Who is not to know of the channel learns nothing of it here either.
    let mut eve = harness.client("eve", "pro").await;
    assert_eq!(eve.ask("voice:join", join("dm", Value::Null)).await["code"], "CHANNEL_NOT_FOUND");
    // Old clients in other channels.
    for channel in ["old", "lobby", "unwritten"] {
        let joined = ada.ask("voice:join", json!({"channelId": channel})).await;
        assert_eq!((&joined["ok"], &joined["encryption"]), (&json!(true), &json!("transport")), "{channel}");
    }
    let noted = body(&ask(harness.operators, "all", "GET", "/v1/audit", Value::Null).await);
    let actions: Vec<&str> =
        noted.as_array().unwrap().iter().map(|it| it["action"].as_str().unwrap()).collect();
    assert_eq!(actions.iter().filter(|action| **action == "PUT channel/dm encryption=endToEnd").count(), 1);
    assert!(actions.contains(&"PUT channel/old"));

    let other = start(&tokens, Encryption::Transport).await;
    assert_eq!(put(&other, "dm", dm(None)).await, (204, json!("transport")));
}

#[tokio::test]
async fn channels_that_joining_makes_follow_the_configuration() {
    let configure = |config: &mut railgun_control::Config| {
        config.channels.default_encryption = Encryption::EndToEnd;
    };
    let harness = Harness::start_with(configure).await;
    let mut ada = harness.client("ada", "pro").await;
    let refused = ada.ask("voice:join", json!({"channelId": "c"})).await;
    assert_eq!(refused["code"], "CAPABILITY_REQUIRED");
    assert_eq!(ada.ask("voice:join", join("c", able())).await["encryption"], "endToEnd");
    // A network test is a client's with itself.
    assert_eq!(ada.ask("voice:join", json!({"channelId": "$diagnostics"})).await["encryption"], "transport");
}

#[tokio::test]
async fn a_change_ends_the_room_and_people_join_again_uncounted() {
    let tokens = tokens();
    let path = tokens.path.clone();
    let harness = Harness::start_with(|config| {
        config.operators.tokens = Some(path);
        // Only a join that the server asked for is let through so soon.
        config.joins.cooldown = 60;
    })
    .await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = ada.ask("voice:join", join("c", able())).await;
    assert_eq!(joined["encryption"], "transport");
    let before = last_rule(&harness.node);
    assert_eq!(
        put(&harness, "c", json!({"tier": "pro", "encryption": "endToEnd"})).await,
        (204, json!("endToEnd"))
    );
    let is_newer =
        |rule: &EncryptionRule| rule.encryption == Encryption::EndToEnd && rule.revision > before.revision;
    harness
        .node
        .until_seen(|command| matches!(command, Command::SetEncryption { rule } if is_newer(rule)))
        .await;
    let session: SessionId = joined["sessionId"].as_str().unwrap().parse().unwrap();
    let event = |room_seq, event| RoomEvent {
        channel: ChannelId::new("c").unwrap(),
        epoch: 1,
        room_seq,
        audience: Audience::Everyone,
        event,
    };
    harness.node.say(event(8, Event::Rejoin { reason: RejoinReason::EncryptionChanged })).await;
    harness.node.say(event(9, Event::RoomClosed)).await;
    assert_eq!(ada.event("voice:rejoin").await["reason"], "encryption_changed");
    let again = ada.ask("voice:join", join("c", able())).await;
    assert_eq!((&again["ok"], &again["encryption"]), (&json!(true), &json!("endToEnd")), "{session}");
    assert!(is_newer(&last_rule(&harness.node)));
}

#[tokio::test]
async fn a_session_whose_node_does_not_answer_goes_by_itself() {
    let tokens = tokens();
    let harness = start(&tokens, Encryption::EndToEnd).await;
    let mut ada = harness.client("ada", "pro").await;
    assert_eq!(ada.ask("voice:join", join("c", able())).await["ok"], true);
    harness.node.refuse_encryption();
    put(&harness, "c", json!({"tier": "pro", "encryption": "endToEnd"})).await;
    assert_eq!(ada.event("voice:rejoin").await["reason"], "encryption_changed");
    harness.node.until_seen(|command| matches!(command, Command::Leave { .. })).await;
    assert_eq!(ada.ask("voice:state:update", json!({"muted": true})).await["code"], "INVALID_STATE");
}

#[tokio::test]
async fn a_session_that_had_no_socket_then_ends_the_room_when_it_is_resumed() {
    let tokens = tokens();
    let harness = start(&tokens, Encryption::EndToEnd).await;
    let mut ada = harness.client("ada", "pro").await;
    let joined = ada.ask("voice:join", join("c", able())).await;
    ada.reset();
    harness.node.until_seen(|command| matches!(command, Command::Detach { .. })).await;
    put(&harness, "c", json!({"tier": "pro", "encryption": "endToEnd"})).await;
    let ends = |command: &Command| matches!(command, Command::SetEncryption { rule } if rule.encryption == Encryption::EndToEnd);
    // Nobody was there to ask for it.
    assert!(!harness.node.seen().iter().any(ends));
    let mut back = harness.client_with("ada", json!({"resume": joined["resumeToken"]})).await;
    assert_eq!(back.event("voice:resumed").await["encryption"], "transport");
    harness.node.until_seen(ends).await;
}

#[tokio::test]
async fn a_node_of_an_older_version_alone_keeps_it_from_being_set() {
    let tokens = tokens();
    let harness = start(&tokens, Encryption::EndToEnd).await;
    harness.node.be_old();
    let encrypted = || json!({"tier": "pro", "encryption": "endToEnd"});
    let refused = ask(harness.operators, "all", "PUT", "/v1/channels/c", encrypted()).await;
    assert_eq!((refused.status, body(&refused)["code"].as_str()), (409, Some("MIXED_FLEET")));
    harness.node.be_new();
    assert_eq!(put(&harness, "c", encrypted()).await, (204, json!("endToEnd")));
}

#[tokio::test]
async fn a_mixed_fleet_does_not_set_it_and_an_old_node_gets_nobody() {
    let (etcd, tokens, node) = (EtcdServer::start().await.unwrap(), tokens(), FakeNode::start().await);
    let store = etcd.store();
    node.be_old();
    node.register(&store).await;
    let path = tokens.path.clone();
    let configure = |config: &mut railgun_control::Config| config.operators.tokens = Some(path);
    let replica = Harness::in_cluster_with(node, etcd.settings(), configure).await;
    let encrypted = || json!({"tier": "pro", "encryption": "endToEnd"});
    let dm = json!({"kind": "dm", "tier": "pro", "members": ["ada"]});
    let refused = async |record: Value| {
        let refused = ask(replica.operators, "all", "PUT", "/v1/channels/c", record).await;
        assert_eq!((refused.status, body(&refused)["code"].as_str()), (409, Some("MIXED_FLEET")));
        body(&refused)["error"].as_str().unwrap().to_owned()
    };
    assert!(refused(encrypted()).await.contains("media node fake"));
    refused(dm).await;
    assert_eq!(put(&replica, "c", json!({"tier": "pro"})).await, (204, json!("transport")));
    // Each node knows of it, and a replica does not.
    replica.node.be_new();
    replica.node.register(&store).await;
    let key = store.keys().replica(BootId::from_bits(7));
    store.put(&key, br#"{"at":1,"name":"an older one"}"#, None).await.unwrap();
    assert!(refused(encrypted()).await.contains("replica an older one"));
    // It is stopped.
    assert!(store.delete_if(&key, store.read(&key).await.unwrap().unwrap().mod_revision).await.is_ok());
    let (status, encryption) = put(&replica, "c", encrypted()).await;
    assert_eq!((status, encryption), (204, json!("endToEnd")), "this replica says so itself");
    // A node of before all the same: it takes no notice, and nobody stays there unencrypted.
    replica.node.be_old();
    let mut ada = replica.client("ada", "pro").await;
    let refused = ada.ask("voice:join", join("c", able())).await;
    assert_eq!((&refused["code"], &refused["fatal"]), (&json!("NODE_UNAVAILABLE"), &json!(false)));
    replica.node.until_seen(|command| matches!(command, Command::Leave { .. })).await;
    // An older version reads what is not encrypted end to end, as it did.
    let record = store.read("/rg/v1/rec/channel/c").await.unwrap().unwrap();
    assert!(String::from_utf8(record.value).unwrap().contains("endToEnd"));
    put(&replica, "c", json!({"tier": "pro", "encryption": "transport"})).await;
    let record = store.read("/rg/v1/rec/channel/c").await.unwrap().unwrap();
    assert!(!String::from_utf8(record.value).unwrap().contains("encryption"));
}

#[tokio::test]
async fn messages_reach_the_node_under_the_sessions_own_name() {
    let harness = Harness::start().await;
    let mut ada = harness.client("ada", "pro").await;
    let data = json!({"kind": "hand", "payload": "up", "sessionId": "0".repeat(32), "userId": "bob"});
    assert_eq!(ada.ask("voice:data", data.clone()).await["code"], "INVALID_STATE", "before a join");
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    let session: SessionId = joined["sessionId"].as_str().unwrap().parse().unwrap();
    assert_eq!(ada.ask("voice:data", data).await, json!({"ok": true}));
    let is_own = move |command: &Command| {
        matches!(command, Command::SendData { session: of, kind, payload, to: None }
            if *of == session && kind.as_str() == "hand" && payload.as_str() == "up")
    };
    harness.node.until_seen(is_own).await;
    for wrong in [
        json!({"kind": "", "payload": ""}),
        json!({"kind": "k", "payload": "p".repeat(1025)}),
        json!({"kind": "k", "payload": {"not": "a string"}}),
        json!({"kind": "k", "payload": "p", "to": "everybody"}),
    ] {
        assert_eq!(ada.ask("voice:data", wrong).await["code"], "INVALID_PAYLOAD");
    }
    let commit = json!({"kind": "commit", "epoch": 3, "data": "AAEAAQ=="});
    assert_eq!(ada.ask("voice:e2ee:message", commit).await, json!({"ok": true}));
    let is_own = move |command: &Command| {
        matches!(command, Command::SendE2eeMessage { session: of, epoch: 3, to: None, data, .. }
            if *of == session && data.bytes() == [0, 1, 0, 1])
    };
    harness.node.until_seen(is_own).await;
    for wrong in [
        json!({"kind": "application", "epoch": 3, "data": "AAEAAQ=="}),
        json!({"kind": "commit", "epoch": -1, "data": "AAEAAQ=="}),
        json!({"kind": "commit", "epoch": 3, "data": "not base64"}),
        json!({"kind": "commit", "epoch": 3, "data": "A".repeat(16 * 1024 / 3 * 4 + 8)}),
    ] {
        assert_eq!(ada.ask("voice:e2ee:message", wrong).await["code"], "INVALID_PAYLOAD");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_writes_at_once_neither_undoes_the_others_encryption() {
    let (etcd, tokens) = (EtcdServer::start().await.unwrap(), tokens());
    let replica = async || {
        let node = FakeNode::start().await;
        node.register(&etcd.store()).await;
        let path = tokens.path.clone();
        let configure = |config: &mut railgun_control::Config| config.operators.tokens = Some(path);
        Harness::in_cluster_with(node, etcd.settings(), configure).await
    };
    let (one, two) = (replica().await, replica().await);
    // In about one round of twenty each write reads before the other writes.
    for round in 0..80 {
        let path = format!("/v1/channels/c{round}");
        assert_eq!(ask(one.operators, "all", "PUT", &path, json!({"tier": "pro"})).await.status, 204);
        let encrypted = json!({"tier": "pro", "encryption": "endToEnd"});
        // What it leaves out stays as it is, whichever of the two is first.
        let (first, second) = tokio::join!(
            ask(one.operators, "all", "PUT", &path, encrypted),
            ask(two.operators, "all", "PUT", &path, json!({"tier": "free"})),
        );
        assert_eq!((first.status, second.status), (204, 204));
        // This replica reads what the other wrote as soon as its watch tells it.
        let until = Instant::now() + TOLD_WITHIN;
        loop {
            let found = body(&ask(two.operators, "all", "GET", &path, Value::Null).await);
            if found["encryption"] == "endToEnd" {
                break;
            }
            assert!(Instant::now() < until, "round {round}: {found}");
            sleep(Duration::from_millis(20)).await;
        }
    }
    one.stop().await;
    two.stop().await;
}
