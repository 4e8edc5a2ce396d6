//! "From other machines", "Two planes" and "One VM": what the README and the guide say to type, typed, from making a key to a call.

use railgun_client::{Client, MediaKind, Source, TransportDirection};
use railgun_tests::{Followed, opus_payload, within};
use std::time::Duration;
use tokio::time::sleep;

const MEDIA_WITHIN: Duration = Duration::from_secs(20);
/// As the contract has it, and a little more.
const COOLDOWN: Duration = Duration::from_millis(5_100);
const SERVER: &str = "http://127.0.0.1:8080";

/// Follows the passage, and then talks to oneself in two tabs with the token that it printed.
fn follow(document: &str, heading: &str, servers: usize) {
    let Some(followed) = Followed::passage(document, heading).unwrap() else { return };
    assert_eq!(followed.servers(), servers, "{followed:?}");
    followed.get("/readyz").unwrap();
    let token = followed.printed.last().unwrap().clone();
    assert_eq!(token.split('.').count(), 3, "a token: {token}");
    followed.there(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(within(MEDIA_WITHIN, "a call", async {
            let speaker = Client::connect(SERVER, &token, Some("one")).await.unwrap();
            speaker.join("lobby").await.unwrap();
            let sending = speaker.create_transport(TransportDirection::Send).await.unwrap();
            let microphone = sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
            // One user, who may join again so long after the last time.
            sleep(COOLDOWN).await;
            let listener = Client::connect(SERVER, &token, Some("two")).await.unwrap();
            listener.join("lobby").await.unwrap();
            let receiving = listener.create_transport(TransportDirection::Recv).await.unwrap();
            let mut consumer = receiving.consume(microphone.id()).await.unwrap();
            let payload = opus_payload("ada", 0);
            for number in 0..50 {
                microphone.send(&payload, false, 960 * number).await.unwrap();
            }
            assert_eq!(consumer.receive().await.unwrap().payload, payload);
        }));
    });
}

#[test]
fn from_other_machines() {
    follow("README.md", "**From other machines**", 1);
}

#[test]
fn two_planes() {
    follow("README.md", "## Two planes", 2);
}

#[test]
fn one_vm_of_the_guide() {
    follow("deploy/README.md", "## One VM", 1);
}
