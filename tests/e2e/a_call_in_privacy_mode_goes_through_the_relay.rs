//! Who is in privacy mode talks and listens through a relay; past it the node sends them nothing.

use railgun_client::{Client, ClientConfig, ClientError, Consumer, MediaKind, Producer, Source};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::IceTransportPolicy;
use railgun_tests::relay::{RELAY, Relay, unix_seconds};
use railgun_tests::{Member, System, opus_payload, within};
use serde_json::json;
use std::time::Duration;
use tokio::time::{sleep, timeout};

const PACKETS: u32 = 50;
const SPACING: Duration = Duration::from_millis(20);
const MEDIA_WITHIN: Duration = Duration::from_secs(20);
/// How long a client tries the way that the node does not answer.
const UNANSWERED: Duration = Duration::from_secs(3);
const DAY: u64 = 24 * 3600;

#[test]
fn both_ways_and_ends_with_the_relay() {
    let Some(relay) = Relay::start().unwrap() else { return };
    relay.as_client(async || {
        let system = System::behind(&relay).await.unwrap();
        let ada = private(&system, "ada", None).await;
        let bob = system.member("bob", Tier::Free, "call").await.unwrap();
        let (from_ada, mut to_bob) = hear(&ada, &bob).await;
        let (from_bob, mut to_ada) = hear(&bob, &ada).await;
        within(MEDIA_WITHIN, "the call", async {
            tokio::join!(
                speak("ada", &from_ada),
                speak("bob", &from_bob),
                listen("ada", &mut to_bob),
                listen("bob", &mut to_ada)
            );
        })
        .await;
        assert_eq!(unrelayed_checks(&system).await, 0);

        // Were there another way, it would be found now.
        relay.kill().unwrap();
        speak("ada", &from_ada).await;
        let more = timeout(Duration::from_secs(1), to_bob.receive()).await;
        assert!(more.is_err(), "ada was heard without the relay: {more:?}");
    });
}

#[test]
fn and_the_node_answers_no_check_from_elsewhere() {
    let Some(relay) = Relay::start().unwrap() else { return };
    relay.as_client(async || {
        let system = System::behind(&relay).await.unwrap();
        let eve = private(&system, "eve", Some(IceTransportPolicy::All)).await;
        let outcome = eve.sending.connect().await;
        assert!(matches!(outcome, Err(ClientError::Timeout("ICE"))), "{outcome:?}");
        assert!(unrelayed_checks(&system).await > 0);
        // From the same host, somebody who is not in privacy mode connects.
        let bob = system.member("bob", Tier::Free, "call").await.unwrap();
        bob.sending.connect().await.unwrap();
    });
}

#[test]
fn clients_are_told_the_relays_the_policy_and_when_their_credential_ends() {
    let Some(relay) = Relay::start().unwrap() else { return };
    relay.as_client(async || {
        let system = System::behind(&relay).await.unwrap();
        let relays = [format!("turn:{RELAY}:3478?transport=udp"), format!("turns:{RELAY}:443?transport=tcp")];
        let ada = private(&system, "ada", None).await;
        assert_eq!(ada.joined.rtc_config.ice_transport_policy, IceTransportPolicy::Relay);
        let [server] = ada.joined.rtc_config.ice_servers.as_slice() else { panic!("one server") };
        assert_eq!(server.urls, relays);
        let username = server.username.clone().unwrap();
        let expiry: u64 = username.split(':').next().unwrap().parse().unwrap();
        assert!((1..=DAY).contains(&(expiry - unix_seconds())), "{username}");
        assert!(!username.contains("ada") && !username.contains(&ada.joined.session_id.to_string()));
        assert!(ada.joined.turn_credential_expires_at.is_some());

        let bob = system.client("bob", Tier::Free, None).await.unwrap();
        // Before a join too.
        let turn = bob.request("voice:turn:refresh", json!({})).await.unwrap();
        assert_eq!(turn["iceServers"][0]["urls"], json!(relays));
        assert_ne!(turn["iceServers"][0]["username"], json!(username));
        assert!(turn["turnCredentialExpiresAt"].is_string());
        let bob = Member::join(bob, "call").await.unwrap();
        assert_eq!(bob.joined.rtc_config.ice_transport_policy, IceTransportPolicy::All);
        assert_eq!(bob.joined.rtc_config.ice_servers[1].urls, [format!("stun:{RELAY}:3478")]);
    });
}

/// Someone in privacy mode, in the call, who follows what the server says or this policy.
async fn private(system: &System, user: &str, policy: Option<IceTransportPolicy>) -> Member {
    let handshake_timeout = if policy.is_some() { UNANSWERED } else { MEDIA_WITHIN };
    let config = ClientConfig { ice_transport_policy: policy, handshake_timeout, ..ClientConfig::default() };
    let token = system.private_token(user).unwrap();
    let client = Client::connect_with(config, &system.url(), &token, None).await.unwrap();
    Member::join(client, "call").await.unwrap()
}

async fn hear(speaker: &Member, listener: &Member) -> (Producer, Consumer) {
    let producer = speaker.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let consumer = listener.receiving.consume(producer.id()).await.unwrap();
    (producer, consumer)
}

async fn speak(name: &str, producer: &Producer) {
    for number in 0..PACKETS {
        producer.send(&opus_payload(name, number), number == 0, number * 960).await.unwrap();
        sleep(SPACING).await;
    }
}

async fn listen(name: &str, consumer: &mut Consumer) {
    for number in 0..PACKETS {
        let packet = consumer.receive().await.expect("the transport is open");
        assert_eq!(packet.payload, opus_payload(name, number));
    }
}

/// As the node counts them: checks for sessions in privacy mode that came from no relay.
async fn unrelayed_checks(system: &System) -> u64 {
    // Workers write their numbers once a second.
    sleep(Duration::from_millis(1500)).await;
    let metrics = system.metrics().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("railgun_media_unrelayed_ice_checks_total "));
    line.and_then(|line| line.split(' ').nth(1)?.parse().ok()).expect("the metric")
}
