//! An etcd that wants certificates and a password, and lets its user at nothing but our keys: a cluster
//! works over it, and whoever lacks one of them gets nothing out of it.

use crate::people;
use railgun_etcd::Store;
use railgun_settings::EtcdSettings;
use railgun_tests::{Cluster, ClusterOptions, within};
use std::time::Duration;
use tokio::sync::watch;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_signs_in_to_etcd() {
    let options = ClusterOptions { replicas: 2, nodes: 2, is_secured: true, ..ClusterOptions::default() };
    let mut cluster = Cluster::start_with(options).await.unwrap();
    let mut calls = Vec::new();
    for (replica, name) in ["ada", "bob"].into_iter().enumerate() {
        let client = cluster.client(name, replica).await.unwrap();
        let (heard, at) = watch::channel(None);
        calls.push((at, tokio::spawn(people::talk(client, name.into(), "c".into(), heard))));
    }
    for (heard, _) in &mut calls {
        within(Duration::from_secs(20), "speech", heard.wait_for(Option::is_some)).await.unwrap();
    }

    let good = cluster.etcd.settings();
    let key = cluster.store().keys().nodes();
    assert_eq!(Store::open(&good).unwrap().list(&key).await.unwrap().0.len(), 2);
    let nameless = EtcdSettings { user: None, ..good.clone() };
    let bare = EtcdSettings { identity: None, ..good.clone() };
    let stranger = EtcdSettings { ca: None, ..good.clone() };
    for (what, settings) in [("a password", nameless), ("a certificate", bare), ("the authority", stranger)] {
        let read = Store::open(&settings).unwrap().list(&key).await;
        assert!(read.is_err(), "without {what}");
    }
    assert!(cluster.store().read("/somebody/elses").await.is_err(), "another's key");

    // Its token of the time before is nothing to an etcd that starts anew.
    cluster.etcd.kill();
    cluster.etcd.start_again().await.unwrap();
    within(Duration::from_secs(20), "a new room", async {
        let late = cluster.client("late", 1).await.unwrap();
        people::join(&late, "another").await.unwrap();
    })
    .await;
    assert!(calls.iter().all(|(_, call)| !call.is_finished()));
}
