//! One replica's clock is five minutes ahead, another's five minutes behind. Who joins by the first may join by
//! the others as the limits say, and a call over it has no hole; the second refuses fresh tokens, and says why;
//! each says by how much it is off, in its log and to a scrape, and those that are right know that they are.

use crate::calls::{assert_untouched, open_room, worst_hole};
use railgun_client::ErrorCode;
use railgun_tests::{Cluster, ClusterOptions};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const RIGHT: usize = 0;
const AHEAD: usize = 1;
const BEHIND: usize = 2;
const SKEW: i64 = 300;
/// Stamps come every three seconds, and two are needed.
const SAID_WITHIN: Duration = Duration::from_secs(20);
/// The cooldown, and a slow machine.
const ALLOWED_WITHIN: Duration = Duration::from_secs(15);
const HOLE_MAX: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_whose_clock_is_off_locks_nobody_out_and_says_so() {
    let options = ClusterOptions {
        replicas: 3,
        limits_joins: true,
        clocks_ahead: &[0, SKEW, -SKEW],
        ..ClusterOptions::default()
    };
    let cluster = Cluster::start_with(options).await.unwrap();
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let urls = [cluster.url(RIGHT), cluster.url(AHEAD)];
    let mut rooms = [open_room(&cluster, "call", (4, 2), &urls, &outcome).await.unwrap()];
    worst_hole(&mut rooms, Instant::now()).await;
    let began = Instant::now();

    let ada = cluster.client("ada", AHEAD).await.unwrap();
    ada.join("lobby").await.unwrap();
    let joined = Instant::now();
    ada.leave().await.unwrap();

    // The cooldown holds, from when it was seen at the latest, and no longer.
    let elsewhere = cluster.client("ada", RIGHT).await.unwrap();
    let early = elsewhere.join("lobby").await.unwrap_err();
    assert_eq!(early.code(), Some(ErrorCode::RateLimited), "{early}");
    while let Err(refused) = elsewhere.join("lobby").await {
        assert_eq!(refused.code(), Some(ErrorCode::RateLimited), "{refused}");
        assert!(joined.elapsed() < ALLOWED_WITHIN, "locked out: {refused}");
        sleep(Duration::from_millis(500)).await;
    }

    // To whom it is five minutes ago, a token of now is from the future.
    let refused = cluster.client("bob", BEHIND).await.unwrap_err();
    assert!(refused.to_string().contains("UNAUTHORIZED"), "{refused}");
    let log = cluster.replica_log(BEHIND).unwrap();
    assert!(log.contains("the issuer's clock or this machine's is off"), "{log}");

    let until = Instant::now() + SAID_WITHIN;
    loop {
        let skew = |replica| cluster.sample(replica, "railgun_control_clock_skew_seconds");
        let now = [skew(RIGHT).await.unwrap(), skew(AHEAD).await.unwrap(), skew(BEHIND).await.unwrap()];
        let is_near = |(skew, expected): (f64, f64)| (skew - expected).abs() < 1.5;
        if now.into_iter().zip([0.0, 300.0, -300.0]).all(is_near) {
            break;
        }
        assert!(Instant::now() < until, "{now:?}");
        sleep(Duration::from_millis(500)).await;
    }
    let own = "this machine's clock is not that of the others";
    while [AHEAD, BEHIND].iter().any(|replica| !cluster.replica_log(*replica).unwrap().contains(own)) {
        assert!(Instant::now() < until, "nobody says so");
        sleep(Duration::from_millis(500)).await;
    }
    let log = cluster.replica_log(RIGHT).unwrap();
    assert!(!log.contains(own), "{log}");
    let peers = cluster.sample(RIGHT, "railgun_control_clock_skewed_peers").await.unwrap();
    assert_eq!(peers, 2.0, "{log}");
    let hole = worst_hole(&mut rooms, began).await;
    println!("worst hole {hole:?}");
    assert!(hole < HOLE_MAX, "{hole:?}");
    assert_untouched(&rooms, &mut outcomes);
}
