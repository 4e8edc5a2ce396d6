//! Five of the eight in a room produce and close without end, within their own budgets of events: their room
//! is told no more than it can follow, and two members with compliant clients, which consume whatever they
//! are told of, are neither refused anything nor disconnected.

use railgun_client::{Client, ClientError, ErrorCode, MediaKind, Source};
use railgun_protocol::limits::{FOLLOW_UPS_BURST, FOLLOW_UPS_PER_PRODUCER, FOLLOW_UPS_PER_SECOND};
use railgun_protocol::plan::Tier;
use railgun_tests::{FREE_CHANNEL, Member, System};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Long enough to use up any budget of events twice.
const FOR: Duration = Duration::from_secs(15);
/// Forty requests a second.
const EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
struct Seen {
    producers: AtomicU32,
    consumers: AtomicU32,
    rate_limited: AtomicU32,
}

/// Does as a client must: consumes each new producer, and lets it begin.
async fn follow(client: Client, seen: Arc<Seen>) {
    let capabilities = client.receive_capabilities().await.unwrap();
    let mut events = client.events();
    while let Ok(Some(event)) = events.next().await {
        if event.name != "voice:newProducer" {
            continue;
        }
        seen.producers.fetch_add(1, Ordering::Relaxed);
        let (client, seen) = (client.clone(), seen.clone());
        let consume = json!({ "producerId": event.payload["producerId"], "rtpCapabilities": capabilities });
        tokio::spawn(async move {
            let consumed = match client.request("voice:rtc:consume", consume).await {
                Ok(consumed) => consumed,
                Err(error) => return note(&error, &seen),
            };
            seen.consumers.fetch_add(1, Ordering::Relaxed);
            let resume = json!({ "consumerId": consumed["consumerId"] });
            for request in ["voice:rtc:resumeConsumer", "voice:rtc:requestKeyFrame"] {
                if let Err(error) = client.request(request, resume.clone()).await {
                    note(&error, &seen);
                }
            }
        });
    }
}

fn note(error: &ClientError, seen: &Seen) {
    // What was closed meanwhile is NOT_FOUND, which is nobody's fault.
    if error.code() != Some(ErrorCode::NotFound) {
        seen.rate_limited.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many producers it was allowed.
async fn attack(member: Member) -> u32 {
    let (end, mut made, mut refused) = (Instant::now() + FOR, 0, 0);
    let mut ticks = tokio::time::interval(EVERY);
    while Instant::now() < end {
        ticks.tick().await;
        match member.sending.produce(MediaKind::Audio, Source::Mic).await {
            Ok(producer) => {
                made += 1;
                producer.close().await.unwrap();
            }
            Err(ClientError::Refused(refusal)) if refusal.code == ErrorCode::RateLimited => {
                assert!(refusal.details["retryAfterMs"].as_u64().unwrap() > 0, "{refusal:?}");
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 100, "{refused} of it were refused");
    made
}

#[tokio::test]
async fn of_a_room_of_eight() {
    let system = System::standalone().await.unwrap();
    let mut victims = Vec::new();
    for number in 0..2 {
        let victim = system.member(&format!("victim-{number}"), Tier::Free, FREE_CHANNEL).await.unwrap();
        let seen = Arc::new(Seen::default());
        tokio::spawn(follow(victim.client.clone(), seen.clone()));
        victims.push((victim, seen));
    }
    let mut attacks = Vec::new();
    for number in 0..5 {
        let member = system.member(&format!("eve-{number}"), Tier::Free, FREE_CHANNEL).await.unwrap();
        attacks.push(tokio::spawn(attack(member)));
    }
    let mut made = 0;
    for attack in attacks {
        made += attack.await.unwrap();
    }
    let seconds = u32::try_from(FOR.as_secs()).unwrap() + 2;
    let allowed = 5 * (FOLLOW_UPS_BURST + seconds * FOLLOW_UPS_PER_SECOND) / FOLLOW_UPS_PER_PRODUCER;
    assert!(made <= allowed, "{made} of at most {allowed}");

    // And somebody who comes now is heard of by both.
    let ada = system.member("ada", Tier::Free, FREE_CHANNEL).await.unwrap();
    ada.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for (victim, seen) in victims {
        victim.client.request("voice:ping", json!({ "sentAt": 1 })).await.expect("still in the call");
        assert_eq!(seen.rate_limited.load(Ordering::Relaxed), 0, "{seen:?}");
        assert_eq!(seen.producers.load(Ordering::Relaxed), made + 1);
        assert!(seen.consumers.load(Ordering::Relaxed) >= 1, "{seen:?}");
    }
}
