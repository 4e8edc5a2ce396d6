//! `GET /v1/calls/{call}`: each bad minute with its side, its cause and a sentence, from the timelines that every
//! replica keeps in files of its own; also of calls whose node is gone, and asked of a replica that had no part in it.

use crate::support::operators::{TokensFile, ask, body};
use crate::support::{Harness, http};
use railgun_control::{Config, JoinLimits};
use railgun_protocol::ids::ChannelId;
use railgun_protocol::media_rpc::{Audience, Command, Event, RoomEvent};
use railgun_protocol::signal::RejoinReason;
use serde_json::{Value, json};
use std::path::PathBuf;

struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        Self(std::env::temp_dir().join(format!("railgun-calls-{:x}", rand::random::<u64>())))
    }

    /// Of all files together.
    fn text(&self) -> String {
        let files = std::fs::read_dir(&self.0).unwrap();
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

fn tokens() -> TokensFile {
    TokensFile::of(&[("calls", &["calls:read"]), ("rooms", &["rooms:read"])])
}

fn keeps(config: &mut Config, folder: &Folder, tokens: &TokensFile) {
    config.joins = JoinLimits { per_minute: 0, cooldown: 0 };
    config.calls.folder = Some(folder.0.clone());
    config.operators.tokens = Some(tokens.path.clone());
}

async fn get(harness: &Harness, token: &str, path: &str) -> (u16, Value) {
    let answer = ask(harness.operators, token, "GET", path, Value::Null).await;
    (answer.status, body(&answer))
}

/// A call in `lobby` of zoe, whose device is too slow, and bob. It ends when its node starts anew.
async fn call(harness: &Harness) {
    let mut zoe = harness.client("zoe", "pro").await;
    let mut bob = harness.client("bob", "pro").await;
    for (person, slow) in [(&mut zoe, true), (&mut bob, false)] {
        person.ask("voice:join", json!({"channelId": "lobby", "networkType": "wifi"})).await;
        for _ in 0..3 {
            let mut report = json!({"transport": "turn", "rtt": 40, "packetLoss": 0, "mos": 4.1});
            if slow {
                report["cpuLimited"] = true.into();
            }
            assert_eq!(person.ask("voice:stats:report", report).await, json!({"ok": true}));
        }
    }
    harness.node.restart();
    for person in [&mut zoe, &mut bob] {
        assert_eq!(person.event("voice:rejoin").await["reason"], "node_lost");
    }
}

/// The only call in `lobby`, once its last minute was written.
async fn listed(harness: &Harness) -> (String, Value) {
    for _ in 0..100 {
        let (status, list) = get(harness, "calls", "/v1/calls?channel=lobby").await;
        assert_eq!(status, 200, "{list}");
        if list["calls"][0]["participants"] == 2 {
            return (list["calls"][0]["call"].as_str().unwrap().to_owned(), list);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("no call of two is on record");
}

#[tokio::test]
async fn a_replica_without_a_part_in_the_call_explains_it_and_says_whom_it_did_not_reach() {
    let (here, there, tokens) = (Folder::new(), Folder::new(), tokens());
    let had = Harness::start_with(|config| keeps(config, &here, &tokens)).await;
    let peer = format!("http://{}/", had.operators);
    let other = Harness::start_beside_with(&had, |config| {
        keeps(config, &there, &tokens);
        config.calls.peers = vec![peer.parse().unwrap(), "http://127.0.0.1:1/".parse().unwrap()];
    })
    .await;
    call(&had).await;
    let (id, list) = listed(&other).await;
    assert_eq!(list["unreached"], json!(["http://127.0.0.1:1/"]));
    let (status, call) = get(&other, "calls", &format!("/v1/calls/{id}")).await;
    assert_eq!((status, &call["nodes"]), (200, &json!(["fake"])), "{call}");
    assert_eq!(call["unreached"], json!(["http://127.0.0.1:1/"]));
    let minutes = call["minutes"].as_array().unwrap();
    let findings: Vec<&Value> = minutes.iter().flat_map(|of| of["findings"].as_array().unwrap()).collect();
    let found =
        |side: &str, cause: &str| findings.iter().find(|of| of["side"] == side && of["cause"] == cause);
    let slow = found("device", "cpu").unwrap_or_else(|| panic!("{call}"));
    let who = slow["participant"].as_str().unwrap();
    assert!(
        slow["sentence"].as_str().unwrap().starts_with(&format!("{who}'s device was too slow")),
        "{slow}"
    );
    let lost = found("node", "failed").unwrap_or_else(|| panic!("{call}"));
    assert!(lost["sentence"].as_str().unwrap().starts_with("Media node fake ended"), "{lost}");
    assert!(findings.iter().all(|of| of["side"] == "device" || of["side"] == "node"), "{call}");
    assert_eq!(call["participants"][0]["network"], "wifi");
    let of = minutes.iter().flat_map(|of| of["participants"].as_array().unwrap()).next().unwrap();
    assert_eq!((&of["path"], &of["mos"]), (&json!("relay"), &json!(4.1)));

    // Nobody's name, address or channel, on the disk or in the answer. No id, in hexadecimal, has such letters.
    for (name, text) in [("files", here.text()), ("answer", call.to_string())] {
        assert!(!text.is_empty());
        for told in ["zoe", "bob", "lobby", "127.0.0.1:4"] {
            assert!(!text.contains(told), "{told} in {name}: {text}");
        }
    }
    // The token's own scopes count, at this replica and at the other.
    assert_eq!(get(&other, "rooms", &format!("/v1/calls/{id}")).await.0, 403);
    assert_eq!(
        get(&had, "rooms", "/v1/call-records?key=00000000000000000000000000000000&from=0&to=9").await.0,
        403
    );
    assert_eq!(get(&other, "calls", &format!("/v1/calls/{}-1", "0".repeat(32))).await.0, 404);
    assert_eq!(get(&other, "calls", "/v1/calls/lobby").await.0, 400);
    let page = http(other.operators, "GET", "/calls", &[], "").await;
    assert!(
        page.status == 200
            && page.head.to_lowercase().contains("content-security-policy: default-src 'none'")
    );
    // What was kept outlives the replica that had the call, where the files are.
    had.stop().await;
    let again = Harness::start_beside_with(&other, |config| keeps(config, &here, &tokens)).await;
    assert_eq!(get(&again, "calls", &format!("/v1/calls/{id}")).await.0, 200);
    again.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_call_whose_node_was_drained_was_moved() {
    let (folder, tokens) = (Folder::new(), tokens());
    let harness = Harness::start_with(|config| keeps(config, &folder, &tokens)).await;
    let mut people = [harness.client("zoe", "pro").await, harness.client("bob", "pro").await];
    for person in &mut people {
        assert_eq!(person.ask("voice:join", json!({"channelId": "lobby"})).await["ok"], true);
    }
    let drained = RoomEvent {
        channel: ChannelId::new("lobby").unwrap(),
        epoch: 1,
        room_seq: 9,
        audience: Audience::Everyone,
        event: Event::Rejoin { reason: RejoinReason::NodeDraining },
    };
    harness.node.say(drained).await;
    for person in &mut people {
        assert_eq!(person.event("voice:rejoin").await["reason"], "node_draining");
    }
    let (id, _) = listed(&harness).await;
    let (_, call) = get(&harness, "calls", &format!("/v1/calls/{id}")).await;
    let minutes = call["minutes"].as_array().unwrap();
    let mut findings = minutes.iter().flat_map(|of| of["findings"].as_array().unwrap());
    let moved = findings.find(|of| of["side"] == "node").unwrap_or_else(|| panic!("{call}"));
    assert_eq!((&moved["cause"], &moved["node"]), (&json!("moved"), &json!("fake")));
    harness.stop().await;
}

#[tokio::test]
async fn the_node_is_asked_how_it_goes_and_users_are_named_only_if_that_is_set() {
    let (folder, tokens) = (Folder::new(), tokens());
    let harness = Harness::start_with(|config| {
        keeps(config, &folder, &tokens);
        config.calls.users = true;
    })
    .await;
    let mut eve = harness.client("eve", "pro").await;
    eve.ask("voice:join", json!({"channelId": "garden"})).await;
    call(&harness).await;
    let (id, _) = listed(&harness).await;
    let (_, call) = get(&harness, "calls", &format!("/v1/calls/{id}")).await;
    let mut users: Vec<&str> =
        call["participants"].as_array().unwrap().iter().map(|of| of["userId"].as_str().unwrap()).collect();
    users.sort_unstable();
    assert_eq!(users, ["bob", "zoe"]);
    // A client that reports nothing, and joined again, is measured by its node all the same.
    eve.ask("voice:join", json!({"channelId": "garden"})).await;
    let is_asked = || harness.node.seen().iter().any(|command| matches!(command, Command::GetStats { .. }));
    while !is_asked() {
        // Meanwhile the socket answers its heartbeat.
        eve.ask("voice:ping", json!({"sentAt": 1})).await;
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_and_joins_anew_is_measured_by_its_node_to_the_end() {
    let (folder, tokens) = (Folder::new(), tokens());
    let harness = Harness::start_with(|config| keeps(config, &folder, &tokens)).await;
    let mut zoe = harness.client("zoe", "pro").await;
    zoe.ask("voice:join", json!({"channelId": "lobby"})).await;
    zoe.ask("voice:leave", json!({})).await;
    let left = |command: &Command| matches!(command, Command::Leave { .. });
    let asked = |command: &Command| matches!(command, Command::GetStats { .. });
    let seen = harness.node.seen();
    assert!(seen.iter().position(asked) < seen.iter().position(left) && seen.iter().any(asked), "{seen:?}");
    // Its only sample: the next one would be due ten seconds after the join.
    while !folder.text().contains("\"samples\":1") {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    harness.stop().await;
}

#[tokio::test]
async fn a_replica_that_keeps_nothing_says_so_and_asks_no_node() {
    let tokens = tokens();
    let harness = Harness::start_with(|config| config.operators.tokens = Some(tokens.path.clone())).await;
    let (status, refused) = get(&harness, "calls", "/v1/calls?channel=lobby").await;
    assert_eq!((status, &refused["code"]), (409, &json!("NOT_KEPT")));
    harness.stop().await;
}
