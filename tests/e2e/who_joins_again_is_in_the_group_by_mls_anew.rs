//! A native client in an encrypted channel whose session is over joins again, and is in the group anew, without the leaf of
//! before: by another socket with another session, or by the same one, which has the same id. If the node has forgotten the
//! room, everybody is told to join again (`voice:rejoin`), and the group that they found is of a later generation.

use crate::mls_people::{Person, agreed, agreed_anew, hear_each_other};
use railgun_client::{EventStream, MlsPeer, Profile};
use railgun_protocol::plan::Tier;
use railgun_tests::{System, mls_peer, within};
use std::time::Duration;
use tokio::time::sleep;

const TOLD_WITHIN: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_another_socket() {
    let system = System::encrypted().await.unwrap();
    let (peer, ada, ben) = pair(&system).await;
    let (before, session) = (agreed(&[&ada, &ben]).await, ada.session());
    let profile = ada.keys.profile().to_bytes();
    ada.member.client.disconnect().await;
    let socket = system.client("ada", Tier::Pro, None).await.unwrap();
    let ada = ada.rejoin(&peer, socket).await;
    assert_ne!(ada.session(), session);
    assert_eq!(ada.keys.profile().to_bytes(), profile, "by which others know ada again");
    assert_ne!(agreed(&[&ada, &ben]).await, before, "the session of before is out");
    hear_each_other(&ada, &ben, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_another_run_of_the_program_with_the_key_of_its_profile() {
    let system = System::encrypted().await.unwrap();
    let (peer, ada, ben) = pair(&system).await;
    let (before, kept) = (agreed(&[&ada, &ben]).await, ada.keys.profile().to_bytes());
    ada.member.client.disconnect().await;
    drop(ada);
    let ada = Person::come_back(&system, &peer, "ada", Profile::from_bytes(kept)).await;
    assert_eq!(ada.keys.profile().to_bytes(), kept, "by which others know ada again");
    assert_ne!(agreed(&[&ada, &ben]).await, before, "the session of before is out");
    hear_each_other(&ada, &ben, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_the_same_socket() {
    let system = System::encrypted().await.unwrap();
    let (peer, ada, ben) = pair(&system).await;
    let before = agreed(&[&ada, &ben]).await;
    ada.member.client.leave().await.unwrap();
    let socket = ada.member.client.clone();
    let ada = ada.rejoin(&peer, socket).await;
    agreed_anew(&[&ada, &ben], &before).await;
    hear_each_other(&ada, &ben, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_node_has_forgotten_the_room() {
    let mut system = System::two_processes_encrypted().await.unwrap();
    let (peer, ada, ben) = pair(&system).await;
    let before = agreed(&[&ada, &ben]).await;
    let generation = ada.keys.generation();
    let told = [ada.member.client.events(), ben.member.client.events()];

    system.restart_node().await.unwrap();
    let mut people = Vec::new();
    for (person, mut told) in [ada, ben].into_iter().zip(told) {
        sleep(within(TOLD_WITHIN, "voice:rejoin", told_to_rejoin(&mut told)).await).await;
        let over = person.keys.among(&[]).await.unwrap_err().to_string();
        assert!(over.contains("voice:rejoin"), "{over}");
        let socket = person.member.client.clone();
        people.push(person.rejoin(&peer, socket).await);
    }
    let [ada, ben] = &people[..] else { panic!("two") };
    agreed_anew(&[ada, ben], &before).await;
    assert!(ada.keys.generation() > generation, "it comes after the groups before, for whoever knew them");
    hear_each_other(ada, ben, 0).await;
}

async fn pair(system: &System) -> (MlsPeer, Person, Person) {
    let peer = MlsPeer::start(&mls_peer().unwrap()).unwrap();
    let ada = Person::join(system, &peer, "ada").await;
    let ben = Person::join(system, &peer, "ben").await;
    (peer, ada, ben)
}

/// The delay that it asks for.
async fn told_to_rejoin(events: &mut EventStream) -> Duration {
    let payload = events.named("voice:rejoin").await.unwrap();
    Duration::from_millis(payload["retryAfterMs"].as_u64().unwrap())
}
