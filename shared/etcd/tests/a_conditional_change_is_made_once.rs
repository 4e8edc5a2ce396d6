//! Of many who change what they all read, one succeeds; the others see what it wrote.

use railgun_etcd::testing::EtcdServer;
use railgun_etcd::{EtcdError, Outcome};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

const KEY: &str = "/rg/v1/rec/one";

#[tokio::test]
async fn of_fifty_who_create_the_same_key_one_does() {
    let server = EtcdServer::start().await.unwrap();
    let store = server.store();
    let mut tries = JoinSet::new();
    for number in 0..50_u8 {
        let store = store.clone();
        tries.spawn(async move { (number, store.put_if(KEY, 0, &[number], None).await.unwrap()) });
    }
    let outcomes = tries.join_all().await;
    let is_done = |outcome: &Outcome| matches!(outcome, Outcome::Done(_));
    let winners: Vec<_> = outcomes.iter().filter(|(_, outcome)| is_done(outcome)).collect();
    assert_eq!(winners.len(), 1);
    let now = store.read(KEY).await.unwrap().unwrap();
    assert_eq!(
        (now.value.as_slice(), &Outcome::Done(now.mod_revision)),
        (&[winners[0].0][..], &winners[0].1)
    );
    let seen = Outcome::Changed(Some(now.clone()));
    assert_eq!(outcomes.iter().filter(|(_, outcome)| *outcome == seen).count(), 49);

    let old = now.mod_revision - 1;
    assert_eq!(store.delete_if(KEY, old).await.unwrap(), seen);
    assert_eq!(store.delete_created(KEY, old).await.unwrap(), seen);
    assert!(is_done(&store.delete_created(KEY, now.create_revision).await.unwrap()));
    assert_eq!(store.read(KEY).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_under_a_lease_goes_with_it() {
    let server = EtcdServer::start().await.unwrap();
    let store = server.store();
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();
    store.put(KEY, b"x", Some(lease)).await.unwrap();
    store.keep_alive(lease).await.unwrap();
    assert_eq!(store.read(KEY).await.unwrap().unwrap().lease, lease);
    store.revoke(lease).await.unwrap();
    assert_eq!(store.read(KEY).await.unwrap(), None);
    assert!(matches!(store.keep_alive(lease).await, Err(EtcdError::LeaseGone)));
    assert!(matches!(store.put_if(KEY, 0, b"x", Some(lease)).await, Err(EtcdError::LeaseGone)));
    store.revoke(lease).await.unwrap();

    let lease = store.grant(Duration::from_secs(1)).await.unwrap();
    store.put(KEY, b"x", Some(lease)).await.unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while store.read(KEY).await.unwrap().is_some() {
        assert!(Instant::now() < until, "a lease of a second did not end");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_request_to_an_etcd_that_is_down_fails_within_its_time() {
    let mut server = EtcdServer::start().await.unwrap();
    let store = server.store();
    store.put(KEY, b"x", None).await.unwrap();
    server.kill();
    let asked = Instant::now();
    assert!(store.read(KEY).await.is_err());
    assert!(asked.elapsed() < Duration::from_secs(2));
    server.start_again().await.unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while store.read(KEY).await.is_err() {
        assert!(Instant::now() < until, "the same handle did not recover");
    }
}
