//! A user who goes from replica to replica joins no more often for it: the cooldown and the joins of a
//! minute are those of all replicas together.

use railgun_client::{Client, ClientError, ErrorCode};
use railgun_tests::{Cluster, ClusterOptions};

const SEATS: usize = 8;
const PER_MINUTE: usize = 10;

/// Of a refusal for having asked too often, in milliseconds.
fn wait(refused: Result<railgun_client::Joined, ClientError>) -> u64 {
    match refused {
        Err(ClientError::Refused(refusal)) => {
            assert_eq!(refusal.code, ErrorCode::RateLimited);
            refusal.details["retryAfterMs"].as_u64().unwrap()
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn joins_are_counted_across_replicas() {
    let options = ClusterOptions { replicas: 2, limits_joins: true, ..ClusterOptions::default() };
    let cluster = Cluster::start_with(options).await.unwrap();
    let mut seated = Vec::new();
    for seat in 0..SEATS {
        let client = cluster.client(&format!("seated-{seat}"), seat % 2).await.unwrap();
        client.join("full").await.unwrap();
        seated.push(client);
    }
    let elsewhere = cluster.client("seated-0", 1).await.unwrap();
    assert!((1..=5000).contains(&wait(elsewhere.join("other").await)), "the cooldown");

    // A full room counts as asked for, and not as joined.
    let bob: [Client; 2] = [cluster.client("bob", 0).await.unwrap(), cluster.client("bob", 1).await.unwrap()];
    for number in 0..PER_MINUTE {
        let refused = bob[number % 2].join("full").await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::ChannelFull), "{number}: {refused}");
    }
    for bob in &bob {
        let wait = wait(bob.join("other").await);
        assert!((10_000..=60_000).contains(&wait), "{wait}");
    }
    cluster.client("carol", 0).await.unwrap().join("other").await.unwrap();
}
