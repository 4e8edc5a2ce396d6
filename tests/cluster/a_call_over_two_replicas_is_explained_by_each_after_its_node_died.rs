//! The timelines of a call whose people came by two replicas, each with a folder of its own: `GET /v1/calls/{call}` at
//! either puts both parts together and says that the node ended, also while the node is gone; and a replica that is left
//! alone tells its own part, and whose part is missing.

use crate::people;
use railgun_tests::{Cluster, ClusterOptions, within};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const WITHIN: Duration = Duration::from_secs(20);

/// The call in `lobby` as this replica tells it, once so many joins are on record.
async fn told(cluster: &Cluster, replica: usize, joins: u64) -> Value {
    loop {
        let list = cluster.read_record(replica, "/v1/calls?channel=lobby").await.unwrap();
        if list["calls"][0]["participants"].as_u64().is_some_and(|there| there >= joins) {
            // Two calls would be two that the node's end cut one into.
            assert_eq!(list["calls"].as_array().unwrap().len(), 1, "{list}");
            let id = list["calls"][0]["call"].as_str().unwrap();
            return cluster.read_record(replica, &format!("/v1/calls/{id}")).await.unwrap();
        }
        sleep(Duration::from_millis(100)).await;
    }
}

fn sessions(call: &Value) -> BTreeSet<&str> {
    let all = call["participants"].as_array().unwrap();
    all.iter().map(|of| of["sessionId"].as_str().unwrap()).collect()
}

fn findings(call: &Value) -> Vec<&Value> {
    let minutes = call["minutes"].as_array().unwrap();
    minutes.iter().flat_map(|of| of["findings"].as_array().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_over_two_replicas_is_explained_by_each_after_its_node_died() {
    let options = ClusterOptions { replicas: 2, nodes: 2, keeps_calls: true, ..ClusterOptions::default() };
    let mut cluster = Cluster::start_with(options).await.unwrap();
    let (_calls, mut hearing) = people::two_talk(&cluster, "lobby").await;
    let (node, _) = cluster.room("lobby").await.unwrap().unwrap();
    let victim = (0..2).find(|index| Cluster::node_id(*index) == node).unwrap();
    cluster.kill_node(victim);
    let killed = Instant::now() + Duration::from_millis(100);
    for heard in &mut hearing {
        let again = heard.wait_for(|last| last.is_some_and(|last| last > killed));
        drop(within(WITHIN, "speech elsewhere", again).await.unwrap());
    }
    // What they had on the node that died is on record, one at each replica; what they have now is not, as yet.
    let by_first = within(WITHIN, "both parts at one replica", told(&cluster, 0, 2)).await;
    let by_second = within(WITHIN, "both parts at the other", told(&cluster, 1, 2)).await;
    for call in [&by_first, &by_second] {
        assert_eq!(call["unreached"], json!([]), "{call}");
        assert_eq!(call["nodes"][0], json!(node), "{call}");
        let lost: Vec<_> = findings(call).into_iter().filter(|of| of["cause"] == "failed").collect();
        assert!(!lost.is_empty(), "nobody is told that the node ended: {call}");
        for of in lost {
            assert_eq!((&of["side"], &of["node"]), (&json!("node"), &json!(node)), "{call}");
            assert!(
                of["sentence"].as_str().unwrap().starts_with(&format!("Media node {node} ended")),
                "{of}"
            );
        }
    }
    assert!(sessions(&by_first).is_subset(&sessions(&by_second)), "{by_first} {by_second}");

    // With the first replica gone the second tells of those who came by itself, and whom it did not reach.
    let gone = format!("http://{}/", cluster.operators(0).unwrap());
    cluster.kill_replica(0);
    let alone = within(WITHIN, "the part of one", told(&cluster, 1, 1)).await;
    assert_eq!(alone["unreached"], json!([gone]));
    let was_at_the_other = |session| !sessions(&alone).contains(session);
    assert!(sessions(&by_first).into_iter().any(was_at_the_other), "{alone}");
    assert!(findings(&alone).iter().any(|of| of["side"] == "node" && of["cause"] == "failed"), "{alone}");
}
