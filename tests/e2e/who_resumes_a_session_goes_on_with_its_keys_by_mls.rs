//! A native client in an encrypted channel loses its socket and takes its session up by another one. Its frames go on being
//! sealed and opened meanwhile, with the keys of its epoch. Commits that it missed, as somebody came or left, bring it to the
//! others' epoch; its leaf stays the same.

use crate::mls_people::{HEARD_WITHIN, Person, agreed, hear_each_other, hears};
use railgun_client::MlsPeer;
use railgun_tests::{System, mls_peer, within};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_the_standalone() {
    resume(&System::encrypted().await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_two_processes() {
    resume(&System::two_processes_encrypted().await.unwrap()).await;
}

async fn take_up(person: &Person, system: &System) {
    let (resumed, _) = person.member.client.resume(&system.url()).await.unwrap();
    assert_eq!(resumed.session_id, person.session());
}

async fn resume(system: &System) {
    let peer = MlsPeer::start(&mls_peer().unwrap()).unwrap();
    let ada = Person::join(system, &peer, "ada").await;
    let ben = Person::join(system, &peer, "ben").await;
    let pair = agreed(&[&ada, &ben]).await;

    // Without a socket, and after it.
    let (mut at_ben, mut opener_of_ben) = ben.consumes(&ada).await;
    let (mut at_ada, mut opener_of_ada) = ada.consumes(&ben).await;
    ada.member.client.vanish();
    let hearing = async {
        tokio::join!(
            ada.speaks(0),
            ben.speaks(0),
            hears(&ada, 0, &mut at_ben, &mut opener_of_ben),
            hears(&ben, 0, &mut at_ada, &mut opener_of_ada),
        )
    };
    within(HEARD_WITHIN, "hearing without a socket", hearing).await;
    take_up(&ada, system).await;
    assert_eq!(agreed(&[&ada, &ben]).await, pair, "nobody came, and nobody left");
    let hearing = async { tokio::join!(ada.speaks(100), hears(&ada, 100, &mut at_ben, &mut opener_of_ben)) };
    within(HEARD_WITHIN, "hearing after the resume", hearing).await;

    // Somebody comes meanwhile.
    ada.member.client.vanish();
    let cleo = Person::join(system, &peer, "cleo").await;
    let sessions = [ada.session(), ben.session(), cleo.session()];
    let three = within(HEARD_WITHIN, "letting cleo in", cleo.keys.among(&sessions)).await.unwrap();
    assert_eq!(ada.keys.code(), Some(pair), "ada is told nothing without a socket");
    take_up(&ada, system).await;
    assert_eq!(agreed(&[&ada, &ben, &cleo]).await, three, "ada's leaf is the same");
    hear_each_other(&ada, &cleo, 200).await;

    // Somebody leaves meanwhile.
    ada.member.client.vanish();
    cleo.member.client.leave().await.unwrap();
    let left = within(HEARD_WITHIN, "putting cleo out", ben.keys.among(&sessions[..2])).await.unwrap();
    take_up(&ada, system).await;
    assert_eq!(agreed(&[&ada, &ben]).await, left);
}
