//! Reports and transport-wide feedback go to whoever sends; reports of the sender to whoever
//! receives, under the SSRC it receives.

use railgun_client::{Feedback, MediaKind, Producer, Source, Transport};
use railgun_protocol::plan::Tier;
use railgun_tests::{System, vp8_payload, within};
use std::time::Duration;
use tokio::time::sleep;

const FEEDBACK_WITHIN: Duration = Duration::from_secs(8);
const SPACING: Duration = Duration::from_millis(20);

/// Sends frames until `seen` comes among the feedback of `transport`.
async fn send_until(
    producer: &Producer,
    transport: &Transport,
    what: &str,
    seen: impl Fn(&Feedback) -> bool,
) {
    let mut feedback = transport.feedback();
    let listen = async { while !feedback.recv().await.is_ok_and(|item| seen(&item)) {} };
    let send = async {
        for number in 0.. {
            let frame = vp8_payload("alice", number, number == 0);
            producer.send(&frame, true, number.wrapping_mul(3000)).await.unwrap();
            if number % 25 == 0 {
                producer.send_report(u64::from(number) << 32, number.wrapping_mul(3000)).await.unwrap();
            }
            sleep(SPACING).await;
        }
    };
    within(FEEDBACK_WITHIN, what, async {
        tokio::select! {
            () = listen => {}
            () = send => {}
        }
    })
    .await;
}

#[tokio::test]
async fn by_receiver_reports() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let video = alice.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    let mine = video.ssrc();
    let seen = |item: &Feedback| matches!(item, Feedback::ReceiverReport { ssrc, fraction_lost: 0, .. } if *ssrc == mine);
    send_until(&video, &alice.sending, "a receiver report without loss", seen).await;
}

#[tokio::test]
async fn by_transport_wide_feedback() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let video = alice.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    let seen = |item: &Feedback| matches!(item, Feedback::TransportCc);
    send_until(&video, &alice.sending, "transport-wide feedback", seen).await;
}

#[tokio::test]
async fn and_a_receiver_gets_sender_reports_of_what_it_receives() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let video = alice.sending.produce(MediaKind::Video, Source::Camera).await.unwrap();
    let consumer = bob.receiving.consume(video.id()).await.unwrap();
    consumer.resume().await.unwrap();
    let theirs = consumer.ssrc();
    let seen = |item: &Feedback| matches!(item, Feedback::SenderReport { ssrc, packets: 1.., .. } if *ssrc == theirs);
    send_until(&video, &bob.receiving, "a sender report", seen).await;
}
