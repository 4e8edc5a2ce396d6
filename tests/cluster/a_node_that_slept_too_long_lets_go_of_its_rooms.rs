//! SIGSTOP for longer than the lease: the room is bound elsewhere meanwhile. When the node wakes up,
//! not one packet that waited in its socket goes out under the old epoch, nobody is called back, and
//! it takes new rooms again.

use crate::people::{self, consume, join, speak, told_to_rejoin};
use railgun_client::{MediaKind, Source};
use railgun_tests::{Cluster, within};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const SLEEP: Duration = Duration::from_secs(20);

#[tokio::test]
async fn a_node_that_slept_too_long_lets_go_of_its_rooms() {
    let cluster = Cluster::start(2, 2).await.unwrap();
    let (ada, channel) = people::somebody_on(&cluster, 0, 0).await.unwrap();
    let bob = join(&cluster.client("bob", 1).await.unwrap(), &channel).await.unwrap();
    let (_, epoch) = cluster.room(&channel).await.unwrap().unwrap();
    let mut events = bob.client.events();
    let microphone = ada.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let mut old = consume(&bob, &mut events).await.unwrap();
    let talking = tokio::spawn(async move { speak(&microphone, "ada").await });
    within(Duration::from_secs(10), "speech", old.receive()).await.unwrap();

    let mut told = [ada.client.events(), bob.client.events()];
    cluster.pause_node(0).unwrap();
    let paused = tokio::time::Instant::now();
    // The lease, and the time in which a silent link is given up.
    let moved = within(Duration::from_secs(15), "the call to join again", async {
        let delay = told_to_rejoin(&mut told[1]).await.unwrap();
        told_to_rejoin(&mut told[0]).await.unwrap();
        sleep(delay).await;
        let again = join(&bob.client, &channel).await.unwrap();
        join(&ada.client, &channel).await.unwrap();
        again
    })
    .await;
    let bound = cluster.room(&channel).await.unwrap().unwrap();
    assert_eq!(bound.0, Cluster::node_id(1));
    assert!(bound.1 > epoch);

    // Ada's old microphone still sends into the socket of the sleeping node.
    while timeout(Duration::from_millis(50), old.receive()).await.is_ok() {}
    sleep(SLEEP.saturating_sub(paused.elapsed())).await;
    cluster.resume_node(0).unwrap();
    let late = timeout(Duration::from_secs(4), old.receive()).await;
    assert!(late.is_err(), "a packet under the old epoch: {late:?}");
    assert_eq!(cluster.room(&channel).await.unwrap(), Some(bound));
    for events in &mut told {
        assert!(events.drain().iter().all(|event| event.name != "voice:rejoin"), "called back");
    }
    assert_eq!(moved.joined.channel_id.as_str(), channel);
    within(Duration::from_secs(20), "a room on the node that woke up", people::somebody_on(&cluster, 0, 1))
        .await
        .unwrap();
    talking.abort();
}
