//! Whoever comes by whichever replica, and at the same moment, is in the same room; and rooms go to
//! all nodes.

use crate::people;
use railgun_client::{MediaKind, Source};
use railgun_tests::{Cluster, ClusterOptions, Member, SEEN_WITHIN, within};
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;

const ROOMS: usize = 12;

#[tokio::test]
async fn one_room_spans_replicas_and_rooms_span_nodes() {
    let cluster = Cluster::start(2, 2).await.unwrap();
    let mut used = BTreeSet::new();
    for number in 0..ROOMS {
        let channel = format!("room-{number}");
        let mut joins = JoinSet::new();
        for seat in 0..4 {
            let client = cluster.client(&format!("user-{number}-{seat}"), seat % 2).await.unwrap();
            let channel = channel.clone();
            joins.spawn(async move {
                let joined = client.join(&channel).await.unwrap();
                (client, joined)
            });
        }
        let members = joins.join_all().await;
        // Each sees those who were there; the last one sees everybody.
        let most = members.iter().map(|(_, joined)| joined.participants.len()).max();
        assert_eq!(most, Some(3), "{channel} is more than one room");
        let (node, epoch) = cluster.room(&channel).await.unwrap().unwrap();
        assert!(epoch > 0);
        used.insert(node);
    }
    assert_eq!(used.len(), 2, "all rooms are on {used:?}");
}

/// Who is in a room, and what they send, is the room's to know.
#[tokio::test]
async fn etcd_holds_nodes_bindings_records_and_counts_and_nobody_who_is_in_a_room() {
    let options = ClusterOptions { replicas: 2, limits_joins: true, ..ClusterOptions::default() };
    let cluster = Cluster::start_with(options).await.unwrap();
    cluster.write_record(0, "/v1/channels/c", &json!({ "tier": "pro" })).await.unwrap();
    let ada = Member::join(cluster.client("ada", 0).await.unwrap(), "c").await.unwrap();
    let voice = ada.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let store = cluster.store();
    let (entries, _) = store.list("/rg/v1/").await.unwrap();
    let kinds = ["node", "load", "room", "rec", "joins", "session", "replica"];
    let mut found = BTreeSet::new();
    for entry in &entries {
        let kind = entry.key.split('/').nth(3).unwrap_or_default().to_owned();
        assert!(kinds.contains(&kind.as_str()), "{}", entry.key);
        let text = format!("{} {}", entry.key, String::from_utf8_lossy(&entry.value));
        for id in [ada.joined.session_id.to_string(), voice.id().to_string()] {
            assert!(!text.contains(&id), "{text}");
        }
        found.insert(kind);
    }
    assert_eq!(found.len(), kinds.len(), "{found:?}");
}

#[tokio::test]
async fn who_talks_at_one_replica_is_heard_at_the_other_and_the_empty_room_is_unbound() {
    let cluster = Cluster::start(2, 1).await.unwrap();
    let ada = cluster.client("ada", 0).await.unwrap();
    let bob = cluster.client("bob", 1).await.unwrap();
    let mut seen = ada.events();
    let mut said = bob.events();
    let (heard_by_ada, mut at_ada) = tokio::sync::watch::channel(None);
    let (heard_by_bob, mut at_bob) = tokio::sync::watch::channel(None);
    let calls = [
        tokio::spawn(people::talk(ada.clone(), "ada".into(), "c".into(), heard_by_ada)),
        tokio::spawn(people::talk(bob.clone(), "bob".into(), "c".into(), heard_by_bob)),
    ];
    within(Duration::from_secs(15), "speech", async {
        at_ada.wait_for(Option::is_some).await.unwrap();
        at_bob.wait_for(Option::is_some).await.unwrap();
    })
    .await;

    // What one says by voice:data is heard at the other replica, under the name that the room gives it.
    let hand = json!({ "kind": "hand", "payload": "up", "userId": "bob", "sessionId": "0".repeat(32) });
    ada.request("voice:data", hand).await.unwrap();
    let data = within(SEEN_WITHIN, "the data message", said.named("voice:data")).await.unwrap();
    assert_eq!((&data["userId"], &data["payload"]), (&json!("ada"), &json!("up")));

    for call in calls {
        call.abort();
    }
    bob.leave().await.unwrap();
    within(SEEN_WITHIN, "the news of bob's leaving", seen.named("voice:participant:left")).await.unwrap();
    ada.leave().await.unwrap();
    within(Duration::from_secs(5), "the end of the binding", async {
        while cluster.room("c").await.unwrap().is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // A channel that was emptied opens again, under a later epoch.
    bob.join("c").await.unwrap();
    assert!(cluster.room("c").await.unwrap().is_some());
}

/// The last one leaves at one replica while another comes at the other, again and again: whoever
/// meets the end of the room gets into the next.
#[tokio::test]
async fn nobody_is_stranded_at_a_room_that_is_closing() {
    let cluster = Cluster::start(2, 2).await.unwrap();
    let mut here = cluster.client("here", 0).await.unwrap();
    let mut there = cluster.client("there", 1).await.unwrap();
    here.join("c").await.unwrap();
    for _ in 0..100 {
        let (left, joined) = tokio::join!(here.leave(), there.join("c"));
        left.unwrap();
        joined.unwrap();
        std::mem::swap(&mut here, &mut there);
    }
}
