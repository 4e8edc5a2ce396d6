//! Through HAProxy as the project configures it: WebSocket without stickiness, and HTTP polling with
//! the cookie that HAProxy sets. Both join, talk, hear and resume.

use crate::people;
use crate::speech::Talk;
use railgun_client::{Client, MediaKind, Source};
use railgun_tests::{Cluster, Member, within};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Several, since one request in two would find its replica by chance.
const POLLERS: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_transports_pass_haproxy() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    cluster.start_proxy().await.unwrap();
    let url = format!("http://{}", cluster.proxy());

    let mut calls = Vec::new();
    for name in ["ada", "bob"] {
        let client = cluster.client_at(name, &url).await.unwrap();
        let (heard, at) = watch::channel(None);
        calls.push((at, tokio::spawn(people::talk(client, name.into(), "c".into(), heard))));
    }
    for (heard, _) in &mut calls {
        within(Duration::from_secs(15), "speech", heard.wait_for(Option::is_some)).await.unwrap();
    }

    let mut pollers: Vec<(Client, Member)> = Vec::new();
    let (mut microphones, mut talks) = (Vec::new(), Vec::new());
    for number in 0..POLLERS {
        let client = cluster.polling_client(&format!("poller-{number}")).await.unwrap();
        let member = people::join(&client, "p").await.unwrap();
        let microphone = Arc::new(member.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap());
        talks.push(Talk::start(microphone.clone()));
        microphones.push(microphone);
        pollers.push((client, member));
    }
    let mut listeners = Vec::new();
    for (number, (_, member)) in pollers.iter().enumerate() {
        let of = (number + 1) % POLLERS;
        let consumer = member.receiving.consume(microphones[of].id()).await.unwrap();
        listeners.push(talks[of].heard_by(consumer));
    }
    for listener in &mut listeners {
        listener.hears_after(Instant::now()).await;
    }

    for ((client, member), microphone) in pollers.iter().zip(&microphones) {
        client.vanish();
        let (resumed, _) = client.resume(&url).await.unwrap();
        assert_eq!(resumed.session_id, member.joined.session_id);
        let producers: Vec<_> = resumed.producers.iter().map(|producer| producer.producer_id).collect();
        assert_eq!((producers, resumed.consumers.len()), (vec![microphone.id()], 1));
        let state = client.request("voice:state:update", json!({ "muted": false })).await.unwrap();
        assert_eq!(state["muted"], false);
    }
    for listener in &mut listeners {
        listener.hears_after(Instant::now()).await;
    }
    for (client, _) in &pollers {
        client.leave().await.unwrap();
    }
}
