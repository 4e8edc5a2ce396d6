//! Folding a watch's updates gives what etcd has: also after etcd was away, and after the history
//! that the watch would have needed was compacted.

use railgun_etcd::testing::EtcdServer;
use railgun_etcd::{PrefixWatch, Store, Update};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

const PREFIX: &str = "/rg/v1/rec/";
const PATIENCE: Duration = Duration::from_secs(30);

/// What a watch's updates come to.
struct Copy {
    watch: PrefixWatch,
    entries: BTreeMap<String, Vec<u8>>,
    last_revisions: BTreeMap<String, i64>,
}

impl Copy {
    fn of(store: &Store) -> Self {
        let watch = store.watch_prefix(PREFIX);
        Self { watch, entries: BTreeMap::new(), last_revisions: BTreeMap::new() }
    }

    async fn next(&mut self) -> Update {
        let update = timeout(PATIENCE, self.watch.next()).await.expect("no update came");
        match &update {
            Update::Put(entry) => {
                let before = self.last_revisions.insert(entry.key.clone(), entry.mod_revision);
                assert!(before.is_none_or(|before| before < entry.mod_revision), "an older {entry:?}");
                self.entries.insert(entry.key.clone(), entry.value.clone());
            }
            Update::Deleted(key) => assert!(self.entries.remove(key).is_some(), "{key} was not there"),
            Update::Synced(_) | Update::Lost => {}
        }
        update
    }

    /// All was told; the revision that it was read at is no older than any of its entries.
    async fn until_synced(&mut self) {
        let read_at = loop {
            if let Update::Synced(read_at) = self.next().await {
                break read_at;
            }
        };
        assert!(self.last_revisions.values().all(|revision| *revision <= read_at), "read at {read_at}");
    }

    async fn until_it_is(&mut self, wanted: &BTreeMap<String, Vec<u8>>) {
        while self.entries != *wanted {
            self.next().await;
        }
    }
}

fn key(number: usize) -> String {
    format!("{PREFIX}{number:04}")
}

#[tokio::test]
async fn pages_changes_and_deletions_are_told_in_order() {
    let server = EtcdServer::start().await.unwrap();
    let store = server.store();
    // More than one page of a listing.
    for number in 0..1100 {
        store.put(&key(number), b"old", None).await.unwrap();
    }
    store.put("/rg/v1/other", b"x", None).await.unwrap();
    let mut copy = Copy::of(&store);
    copy.until_synced().await;
    assert_eq!(copy.entries.len(), 1100);

    store.put(&key(5), b"new", None).await.unwrap();
    store.delete_if(&key(6), copy.last_revisions[&key(6)]).await.unwrap();
    store.put(&key(6), b"again", None).await.unwrap();
    assert!(matches!(copy.next().await, Update::Put(entry) if entry.key == key(5)));
    assert_eq!(copy.next().await, Update::Deleted(key(6)));
    assert!(matches!(copy.next().await, Update::Put(entry) if entry.value == b"again"));
}

#[tokio::test]
async fn etcd_was_away_and_its_history_is_gone() {
    let mut server = EtcdServer::start().await.unwrap();
    let store = server.store();
    for number in 0..3 {
        store.put(&key(number), b"old", None).await.unwrap();
    }
    let mut copy = Copy::of(&store);
    copy.until_synced().await;

    // More than a watch holds for who does not read: it asks for nothing until the history is gone.
    for number in 0..1100_u32 {
        store.put(&key(9), &number.to_be_bytes(), None).await.unwrap();
    }
    server.kill();
    server.start_again().await.unwrap();
    let other = server.store();
    let before = other.read(&key(1)).await.unwrap().unwrap().mod_revision;
    other.delete_if(&key(1), before).await.unwrap();
    other.put(&key(2), b"new", None).await.unwrap();
    let revision = other.read(&key(2)).await.unwrap().unwrap().mod_revision;
    server.compact(revision).await.unwrap();

    let wanted = BTreeMap::from([(key(0), b"old".to_vec()), (key(2), b"new".to_vec())]);
    let wanted = wanted.into_iter().chain([(key(9), 1099_u32.to_be_bytes().to_vec())]).collect();
    timeout(PATIENCE, copy.until_it_is(&wanted)).await.expect("it never was as etcd is");
    // It follows again.
    other.put(&key(3), b"x", None).await.unwrap();
    while !copy.entries.contains_key(&key(3)) {
        copy.next().await;
    }
}
