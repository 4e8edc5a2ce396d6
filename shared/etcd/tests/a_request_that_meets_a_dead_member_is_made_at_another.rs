//! One of three members is killed, while requests are on their way and afterwards: each comes out as if
//! it were not so, and no change is made twice.

use railgun_etcd::testing::EtcdServer;
use railgun_etcd::{Outcome, Store};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::sleep;

const WRITERS: u8 = 8;
const CHANGES: u8 = 40;
/// By so many changes, the member is dead.
const KILLED_AFTER: Duration = Duration::from_millis(50);

/// One change after the other of a key of its own, each on the condition that it is the next one.
async fn count(store: Store, writer: u8) {
    let key = format!("/rg/v1/rec/{writer}");
    let mut revision = 0;
    for number in 0..CHANGES {
        match store.put_if(&key, revision, &[number], None).await {
            Ok(Outcome::Done(now)) => revision = now,
            other => panic!("change {number} of {writer}: {other:?}"),
        }
        let found = store.read(&key).await.unwrap().unwrap();
        assert_eq!((found.value, found.mod_revision), (vec![number], revision));
        sleep(Duration::from_millis(5)).await;
    }
    assert!(matches!(store.delete_if(&key, revision).await, Ok(Outcome::Done(_))));
}

#[tokio::test]
async fn a_request_that_meets_a_dead_member_is_made_at_another() {
    let mut etcd = EtcdServer::start_with(3, None).await.unwrap();
    let store = etcd.store();
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(count(store.clone(), writer));
    }
    sleep(KILLED_AFTER).await;
    etcd.kill_follower().await.unwrap();
    writers.join_all().await;
    let (left, _) = store.list("/rg/v1/rec/").await.unwrap();
    assert_eq!(left, []);
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();
    store.keep_alive(lease).await.unwrap();
    store.revoke(lease).await.unwrap();
}
