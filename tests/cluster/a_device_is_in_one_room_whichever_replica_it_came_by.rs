//! The same user and device join again, by another replica and in a room of another node: the older
//! session goes, also one whose socket is lost. Of two that join at the same moment one stays.

use crate::people;
use railgun_client::{Client, ErrorCode};
use railgun_tests::{Cluster, within};
use serde_json::json;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const ROUNDS: usize = 20;
const SOON: Duration = Duration::from_secs(10);

async fn is_seated(client: &Client) -> bool {
    match client.request("voice:state:update", json!({ "muted": false })).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code(), Some(ErrorCode::InvalidState), "{error}");
            false
        }
    }
}

async fn until_replaced(client: &Client, events: &mut railgun_client::EventStream) {
    let kicked = within(SOON, "the older session's end", events.named("voice:kicked")).await.unwrap();
    assert_eq!(kicked["reason"], "replaced");
    assert!(!is_seated(client).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_is_in_one_room_whichever_replica_it_came_by() {
    let cluster = Cluster::start(2, 2).await.unwrap();
    let (_there, on_first) = people::somebody_on(&cluster, 0, 0).await.unwrap();
    let (watcher, on_second) = people::somebody_on(&cluster, 1, 1).await.unwrap();
    let phone = cluster.client_on("ada", 0, "phone").await.unwrap();
    phone.join(&on_first).await.unwrap();

    let older = cluster.client_on("ada", 0, "laptop").await.unwrap();
    let mut at_older = older.events();
    older.join(&on_first).await.unwrap();
    let newer = cluster.client_on("ada", 1, "laptop").await.unwrap();
    newer.join(&on_second).await.unwrap();
    until_replaced(&older, &mut at_older).await;
    assert!(is_seated(&newer).await && is_seated(&phone).await);

    // Nobody is at its socket to be told, and its seat would wait.
    let mut at_watcher = watcher.client.events();
    newer.vanish();
    let again = cluster.client_on("ada", 0, "laptop").await.unwrap();
    again.join(&on_first).await.unwrap();
    let gone =
        async { while at_watcher.named("voice:participant:left").await.unwrap()["userId"] != "ada" {} };
    within(SOON, "an empty seat", gone).await;
    again.leave().await.unwrap();

    let racers = [
        cluster.client_on("bob", 0, "laptop").await.unwrap(),
        cluster.client_on("bob", 1, "laptop").await.unwrap(),
    ];
    for round in 0..ROUNDS {
        let mut events = racers.each_ref().map(Client::events);
        let (one, two) = tokio::join!(racers[0].join(&on_first), racers[1].join(&on_second));
        // Whoever is put out while the other still waits for its seat has been answered before that.
        one.unwrap();
        two.unwrap();
        let [first, second] = &mut events;
        let kicked = async {
            tokio::select! {
                kicked = first.named("voice:kicked") => kicked,
                kicked = second.named("voice:kicked") => kicked,
            }
        };
        assert_eq!(within(SOON, "the end of one", kicked).await.unwrap()["reason"], "replaced");
        // The other's end would come as soon.
        sleep(Duration::from_millis(100)).await;
        let seated = [is_seated(&racers[0]).await, is_seated(&racers[1]).await];
        assert_eq!(seated.iter().filter(|seated| **seated).count(), 1, "round {round}: {seated:?}");
        for (racer, _) in racers.iter().zip(seated).filter(|(_, seated)| *seated) {
            racer.leave().await.unwrap();
        }
    }
    assert!(timeout(Duration::from_millis(100), at_older.named("voice:kicked")).await.is_err(), "told twice");
    assert!(is_seated(&phone).await);
}
