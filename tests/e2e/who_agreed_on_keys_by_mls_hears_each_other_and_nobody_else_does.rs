//! Members of a channel that is encrypted end to end agree on keys by MLS (mls-rs) through the real servers: each opens
//! the others' Opus frames. Who has a seat and no part in the group opens none of what it is forwarded, and who has left
//! none of what is sent then.

use crate::mls_people::{CHANNEL, HEARD_WITHIN, MIC, PACKETS, Person, agreed, hears};
use railgun_client::{Client, Consumer, Epoch, FrameOpener, MlsPeer, SframeError};
use railgun_protocol::plan::Tier;
use railgun_tests::{Member, System, mls_peer, opus_payload, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_the_standalone() {
    agree(&System::encrypted().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_two_processes() {
    agree(&System::two_processes_encrypted().await.unwrap()).await;
}

async fn agree(system: &System) {
    let peer = MlsPeer::start(&mls_peer().unwrap()).unwrap();
    let ada = Person::join(system, &peer, "ada").await;
    let alone = agreed(&[&ada]).await;
    let ben = Person::join(system, &peer, "ben").await;
    let pair = agreed(&[&ada, &ben]).await;
    assert_ne!(pair, alone);

    // A client that declares encryption, is let in, and is in no group: it has a key, and another one.
    let eve = outsider(system).await;
    let (mut of_ada, mut opener_of_ada) = ben.consumes(&ada).await;
    let (mut of_ben, mut opener_of_ben) = ada.consumes(&ben).await;
    let (mut at_eve, mut opener_of_eve) = eve.consumes(&ada).await;
    let speech = async { tokio::join!(ada.speaks(0), ben.speaks(0)) };
    let hearing = async {
        tokio::join!(
            hears(&ada, 0, &mut of_ada, &mut opener_of_ada),
            hears(&ben, 0, &mut of_ben, &mut opener_of_ben),
            opens_nothing(&ada, &mut at_eve, &mut opener_of_eve),
        )
    };
    let (_, (before, ..)) =
        within(HEARD_WITHIN, "the exchange", async { tokio::join!(speech, hearing) }).await;

    // Who comes later opens what is sent then, and nothing of before.
    let cleo = Person::join(system, &peer, "cleo").await;
    let three = agreed(&[&ada, &ben, &cleo]).await;
    let (mut at_cleo, mut opener_of_cleo) = cleo.consumes(&ada).await;
    for wire in &before {
        assert_eq!(opener_of_cleo.open(wire), Err(SframeError::NoKey));
    }
    let hearing = hears(&ada, 100, &mut at_cleo, &mut opener_of_cleo);
    within(HEARD_WITHIN, "cleo's hearing", async { tokio::join!(ada.speaks(100), hearing) }).await;

    // Who has left opens nothing of what is sent then, with whatever it was given.
    cleo.member.client.leave().await.unwrap();
    let after = agreed(&[&ada, &ben]).await;
    assert!(after != three && after != pair);
    let of_ada = async {
        // Those of while cleo was there are skipped.
        while let Some(packet) = of_ada.receive().await {
            if opener_of_ada.open(&packet.payload) == Ok(opus_payload("ada", 200)) {
                return packet.payload.to_vec();
            }
        }
        panic!("the transport is open")
    };
    let (_, wire) =
        within(HEARD_WITHIN, "ben's hearing", async { tokio::join!(ada.speaks(200), of_ada) }).await;
    assert!(opener_of_cleo.open(&wire).is_err(), "of an epoch without cleo");
}

/// Somebody with a seat and a key of their own.
struct Outsider {
    member: Member,
    key: Epoch,
}

async fn outsider(system: &System) -> Outsider {
    let client: Client = system.client("eve", Tier::Pro, None).await.unwrap();
    let joined = client.join_encrypted(CHANNEL).await.unwrap();
    let key = Epoch::from_invite(&Epoch::invite(1, CHANNEL, [7; 32]), CHANNEL).unwrap();
    Outsider { member: Member::of(client, joined).await.unwrap(), key }
}

impl Outsider {
    async fn consumes(&self, of: &Person) -> (Consumer, FrameOpener) {
        let consumer = self.member.receiving.consume(of.mic.id()).await.unwrap();
        (consumer, FrameOpener::new(&self.key, of.session(), MIC.0, MIC.1))
    }
}

/// It is forwarded each packet, and none has the speech in it.
async fn opens_nothing(of: &Person, consumer: &mut Consumer, opener: &mut FrameOpener) {
    for number in 0..PACKETS {
        let packet = consumer.receive().await.expect("the transport is open");
        let speech = opus_payload(of.name, number);
        assert!(opener.open(&packet.payload).is_err(), "packet {number}");
        let has_it = packet.payload.windows(8).any(|part| speech.windows(8).any(|it| it == part));
        assert!(!has_it, "packet {number} is readable");
    }
}
