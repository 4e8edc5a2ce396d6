//! `voice:channel:watch` across replicas: the room's node tells each replica that watches.

use railgun_tests::{Cluster, within};
use serde_json::{Value, json};
use std::time::Duration;

fn names(people: &Value) -> Vec<&str> {
    people["people"].as_array().unwrap().iter().map(|person| person["userId"].as_str().unwrap()).collect()
}

/// The room is bound after the watch began, emptied, and bound anew.
#[tokio::test]
async fn who_watches_at_one_replica_sees_who_joins_at_another() {
    let cluster = Cluster::start(2, 2).await.unwrap();
    let eve = cluster.client("eve", 1).await.unwrap();
    let ada = cluster.client("ada", 0).await.unwrap();
    let mut told = eve.events();
    let watched = eve.request("voice:channel:watch", json!({"channelId": "c"})).await.unwrap();
    assert!(names(&watched).is_empty());
    for _ in 0..2 {
        ada.join("c").await.unwrap();
        let people = within(Duration::from_secs(5), "who joined", told.named("voice:channel:people"));
        assert_eq!(names(&people.await.unwrap()), ["ada"]);
        ada.leave().await.unwrap();
        let people = within(Duration::from_secs(5), "who left", told.named("voice:channel:people"));
        assert!(names(&people.await.unwrap()).is_empty());
    }
}
