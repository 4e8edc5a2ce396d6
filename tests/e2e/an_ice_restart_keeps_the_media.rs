//! Both ends of a call get new ICE credentials and move to new ports, one after the other; the DTLS
//! association and every packet's numbering go on.

use railgun_client::{Consumer, MediaKind, Producer, Source};
use railgun_protocol::plan::Tier;
use railgun_tests::{SEEN_WITHIN, System, opus_payload, within};
use serde_json::json;
use std::time::Duration;
use tokio::time::sleep;

const SPACING: Duration = Duration::from_millis(10);

/// One way from a sender to a receiver, and how far it got.
struct Way {
    producer: Producer,
    consumer: Consumer,
    first_sequence: Option<u16>,
    sent: u32,
}

impl Way {
    /// Sends until a packet arrives that is sent from now on; some of those before it may be on
    /// their way to where the receiver was. Packet and sequence number still go one by one.
    async fn goes_on(&mut self) {
        let before = self.sent;
        let Self { producer, consumer, first_sequence, sent } = self;
        let sending = async {
            loop {
                producer.send(&opus_payload("alice", *sent), *sent == 0, *sent * 960).await.unwrap();
                *sent += 1;
                sleep(SPACING).await;
            }
        };
        let receiving = async {
            loop {
                let packet = consumer.receive().await.unwrap();
                let sequence = packet.header.sequence_number;
                let number = u32::from(sequence.wrapping_sub(*first_sequence.get_or_insert(sequence)));
                assert_eq!(packet.payload, opus_payload("alice", number));
                if number >= before {
                    return;
                }
            }
        };
        let either = async {
            tokio::select! {
                () = sending => {}
                () = receiving => {}
            }
        };
        within(SEEN_WITHIN, "a packet", either).await;
    }
}

#[tokio::test]
async fn of_the_sender_and_of_the_receiver() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let bob = system.member("bob", Tier::Pro, "room").await.unwrap();
    let producer = alice.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
    let consumer = bob.receiving.consume(producer.id()).await.unwrap();
    let mut way = Way { producer, consumer, first_sequence: None, sent: 0 };
    way.goes_on().await;
    alice.sending.restart_ice().await.unwrap();
    way.goes_on().await;
    bob.receiving.restart_ice().await.unwrap();
    way.goes_on().await;
    assert!(!alice.sending.is_closed() && !bob.receiving.is_closed());
    assert_eq!(bob.receiving.rtcp_counts().rejected, 0);
}

#[tokio::test]
async fn and_each_restart_gives_other_credentials() {
    let system = System::standalone().await.unwrap();
    let alice = system.member("alice", Tier::Pro, "room").await.unwrap();
    let mut seen = vec![alice.sending.remote().ice_parameters.username_fragment.clone()];
    for _ in 0..3 {
        let payload = json!({ "transportId": alice.sending.id() });
        let reply = alice.client.request("voice:rtc:restartIce", payload).await.unwrap();
        assert_eq!(reply["transportId"], json!(alice.sending.id()));
        assert_eq!(reply["iceParameters"]["iceLite"], json!(true));
        let ufrag = reply["iceParameters"]["usernameFragment"].as_str().unwrap().to_owned();
        assert!(!seen.contains(&ufrag));
        seen.push(ufrag);
    }
}
