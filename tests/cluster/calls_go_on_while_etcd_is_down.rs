//! etcd is gone for 20 s, four times a lease: speech goes on, people join rooms that are open, new
//! rooms are refused at once, and ten seconds after etcd is back everything is as before.

use crate::people::{join, two_talk};
use railgun_client::ErrorCode;
use railgun_tests::Cluster;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const OUTAGE: Duration = Duration::from_secs(20);
const RECOVERED_WITHIN: Duration = Duration::from_secs(10);
/// The contract says one second; the machine under test may be slow.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);

#[tokio::test]
async fn calls_go_on_while_etcd_is_down() {
    let mut cluster = Cluster::start(2, 2).await.unwrap();
    let (calls, hearing) = two_talk(&cluster, "call").await;
    let bound = cluster.room("call").await.unwrap().unwrap();
    let late = cluster.client("late", 1).await.unwrap();
    let other = cluster.client("other", 0).await.unwrap();

    cluster.etcd.kill();
    let down = Instant::now();
    let mut refusals = 0;
    while down.elapsed() < OUTAGE {
        let asked = Instant::now();
        let refused = other.join(&format!("new-{refusals}")).await.unwrap_err();
        assert_eq!(refused.code(), Some(ErrorCode::NodeUnavailable), "{refused}");
        assert!(asked.elapsed() < REFUSED_WITHIN, "{:?}", asked.elapsed());
        refusals += 1;
        for heard in &hearing {
            let last = heard.borrow().unwrap();
            assert!(last.elapsed() < Duration::from_secs(2), "silence for {:?}", last.elapsed());
        }
        sleep(Duration::from_millis(500)).await;
    }
    late.join("call").await.unwrap();
    assert_eq!(cluster.readiness(0).await.unwrap(), 503);

    cluster.etcd.start_again().await.unwrap();
    let back = Instant::now();
    while let Err(error) = other.join("fresh").await {
        assert!(back.elapsed() < RECOVERED_WITHIN, "still {error}");
        sleep(Duration::from_millis(200)).await;
    }
    // No lease was lost, so nothing was bound anew.
    assert_eq!(cluster.room("call").await.unwrap(), Some(bound));
    join(&cluster.client("later", 0).await.unwrap(), "call").await.unwrap();
    assert!(calls.iter().all(|call| !call.is_finished()), "a call ended");
}
