//! A real etcd with a quota of two megabytes, filled up: reads and renewals go on, writes are refused, and
//! that is what is said of it.

use railgun_etcd::testing::EtcdServer;
use railgun_etcd::{Condition, EtcdError, Outcome};
use std::time::Duration;

const QUOTA: u64 = 2 * 1024 * 1024;

#[tokio::test]
async fn a_full_etcd_is_told_from_one_that_is_away() {
    let server = EtcdServer::start_with_quota(QUOTA).await.unwrap();
    let store = server.store();
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();
    store.put("/rg/v1/a", b"x", Some(lease)).await.unwrap();
    assert_eq!(store.health().condition(), Condition::Well);

    server.fill().await.unwrap();
    assert_eq!(store.health().condition(), Condition::Well, "nobody has asked yet");
    assert!(matches!(store.put("/rg/v1/b", b"x", None).await, Err(EtcdError::Full)));
    assert!(matches!(store.put_if("/rg/v1/b", 0, b"x", None).await, Err(EtcdError::Full)));
    assert!(matches!(store.grant(Duration::from_secs(60)).await, Err(EtcdError::Full)));
    assert_eq!((store.health().is_full(), store.health().refused_writes()), (true, 3));

    // What a node does while it waits says nothing of that having ended.
    store.keep_alive(lease).await.unwrap();
    let there = store.read("/rg/v1/a").await.unwrap().unwrap();
    assert!(matches!(store.delete_if("/rg/v1/a", there.mod_revision).await, Ok(Outcome::Done(_))));
    assert!(matches!(store.health().condition(), Condition::Full(_)));

    server.make_room().await.unwrap();
    store.put("/rg/v1/b", b"x", None).await.unwrap();
    assert_eq!(store.health().condition(), Condition::Well);
}
