//! `voice:ring` across replicas: one who is called hears it wherever the sockets are, and once.

use railgun_tests::{Cluster, within};
use serde_json::json;
use std::time::Duration;

const HEARD_WITHIN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_ring_at_one_replica_is_heard_at_another() {
    let cluster = Cluster::start(2, 1).await.unwrap();
    for (dm, members) in [("one", ["ada", "bob"]), ("two", ["eve", "bob"])] {
        let record = json!({"kind": "dm", "tier": "free", "members": members, "encryption": "transport"});
        cluster.write_record(0, &format!("/v1/channels/{dm}"), &record).await.unwrap();
    }
    let ada = cluster.client("ada", 0).await.unwrap();
    let bob = [cluster.client("bob", 0).await.unwrap(), cluster.client("bob", 1).await.unwrap()];
    let eve = cluster.client("eve", 1).await.unwrap();
    let mut heard = [bob[0].events(), bob[1].events()];
    let mut of_caller = ada.events();
    ada.join("one").await.unwrap();
    within(HEARD_WITHIN, "the record", async {
        while eve.join("two").await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    ada.request("voice:ring", json!({"channelId": "one"})).await.unwrap();
    for events in &mut heard {
        let told = within(HEARD_WITHIN, "the ring", events.named("voice:ringing")).await.unwrap();
        assert_eq!((&told["channelId"], &told["from"]), (&json!("one"), &json!("ada")));
    }
    // Who is called already is not called by another, whichever replica is asked.
    assert!(eve.request("voice:ring", json!({"channelId": "two"})).await.is_err());
    bob[1].request("voice:ring:decline", json!({"channelId": "one"})).await.unwrap();
    for events in &mut heard {
        let told = within(HEARD_WITHIN, "the end", events.named("voice:ring:ended")).await.unwrap();
        assert_eq!(told["reason"], "declined");
    }
    let told = within(HEARD_WITHIN, "the answer", of_caller.named("voice:ring:ended")).await.unwrap();
    assert_eq!((&told["userId"], &told["reason"]), (&json!("bob"), &json!("declined")));
    eve.request("voice:ring", json!({"channelId": "two"})).await.unwrap();
    let told = within(HEARD_WITHIN, "the next ring", heard[0].named("voice:ringing")).await.unwrap();
    assert_eq!(told["from"], "eve");
}
