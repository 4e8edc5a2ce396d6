//! A hundred times: one video slot is free, twenty want it at two replicas: one gets it, the others
//! stand in one queue, and what is released goes to its head, at whichever replica that is.

use railgun_client::{Client, EventStream, MediaKind, Source};
use railgun_tests::{Cluster, Member, SEEN_WITHIN, within};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const ROUNDS: usize = 100;
const RACERS: usize = 20;
/// Of a Pro channel's six videos.
const SHOWING: usize = 5;
/// How many releases of each round are followed.
const PROMOTIONS: usize = 3;

async fn request(client: &Client, what: &str) -> Value {
    client.request(what, json!({ "source": "camera" })).await.unwrap()
}

/// The granted one, and the others by their place in the queue.
async fn race(racers: &[Client]) -> (usize, Vec<usize>) {
    let mut race = JoinSet::new();
    for (number, racer) in racers.iter().cloned().enumerate() {
        race.spawn(async move { (number, request(&racer, "voice:video:requestSlot").await) });
    }
    let (mut granted, mut queue) = (Vec::new(), Vec::new());
    for (number, slot) in race.join_all().await {
        match slot["granted"].as_bool().unwrap() {
            true => granted.push(number),
            false => queue.push((slot["position"].as_u64().unwrap(), number)),
        }
    }
    assert_eq!(granted.len(), 1, "{granted:?}");
    queue.sort_unstable();
    let places: Vec<u64> = queue.iter().map(|(place, _)| *place).collect();
    assert_eq!(places, Vec::from_iter(1..RACERS as u64));
    (granted[0], queue.into_iter().map(|(_, number)| number).collect())
}

fn was_granted(events: &mut EventStream) -> bool {
    events.drain().iter().any(|event| event.name == "voice:video:granted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_who_race_for_the_last_video_slot_one_gets_it() {
    let cluster = Cluster::start(2, 1).await.unwrap();
    cluster.write_record(0, "/v1/channels/c", &json!({ "tier": "pro" })).await.unwrap();
    // The replicas' watches are not ours.
    sleep(SEEN_WITHIN).await;
    let mut shows = Vec::new();
    for number in 0..SHOWING {
        let client = cluster.client(&format!("showing-{number}"), number % 2).await.unwrap();
        let member = Member::join(client, "c").await.unwrap();
        let camera = member.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
        shows.push((member, camera));
    }
    let mut racers = Vec::new();
    for number in 0..RACERS {
        let client = cluster.client(&format!("racer-{number}"), number % 2).await.unwrap();
        client.join("c").await.unwrap();
        racers.push(client);
    }
    for round in 0..ROUNDS {
        let (mut holder, queue) = race(&racers).await;
        for head in queue.iter().copied().take(PROMOTIONS) {
            let mut at_head = racers[head].events();
            let mut at_next = racers[queue[PROMOTIONS]].events();
            request(&racers[holder], "voice:video:releaseSlot").await;
            let granted = within(SEEN_WITHIN, "the head's turn", at_head.named("voice:video:granted")).await;
            assert_eq!(granted.unwrap()["source"], "camera", "round {round}");
            assert!(!was_granted(&mut at_next), "round {round}: two for one slot");
            holder = head;
        }
        // From the end, so that nobody else has a turn.
        for number in queue.iter().skip(PROMOTIONS).rev().copied().chain([holder]) {
            request(&racers[number], "voice:video:releaseSlot").await;
        }
        // Within what one user may change in a room: four places in the queue a second.
        sleep(Duration::from_millis(250)).await;
    }
    drop(shows);
}
