//! Sixty people join within a short time: etcd gets a handful of leases for all that is remembered of their
//! joins, and not two for each.

use railgun_tests::{Cluster, ClusterOptions};

const PEOPLE: usize = 60;
/// The node's, the replica's, and one for each ten seconds in which somebody joined.
const LEASES_MAX: usize = 2 + 8;

#[tokio::test]
async fn joins_share_etcd_leases() {
    let options = ClusterOptions { limits_joins: true, ..ClusterOptions::default() };
    let cluster = Cluster::start_with(options).await.unwrap();
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        let client = cluster.client(&format!("user-{number}"), 0).await.unwrap();
        client.join(&format!("room-{}", number / 8)).await.unwrap();
        people.push(client);
    }
    let leases = cluster.etcd.leases().await.unwrap();
    println!("{PEOPLE} joins: {leases} leases");
    assert!(leases <= LEASES_MAX, "{leases} leases of {PEOPLE} joins");
}
