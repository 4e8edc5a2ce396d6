//! HAProxy is gone for 20 s, longer than the least resume window: ICE consent shows that everybody is
//! there, so nobody leaves and media has no hole. Somebody connected past the balancer sees them as
//! reconnecting, and no longer when they have resumed.

use crate::calls::{all_taken_up, assert_untouched, open_room, worst_hole};
use railgun_tests::{Cluster, within};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

const SEATS: usize = 4;
const GONE: Duration = Duration::from_secs(20);
/// The contract's tries come 15 s and 31 s after the loss.
const ALL_WITHIN: Duration = Duration::from_secs(40);
const HOLE_MAX: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_balancer_that_is_gone_for_20_s_empties_no_seat() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    cluster.start_proxy().await.unwrap();
    let urls = [format!("http://{}", cluster.proxy())];
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let mut rooms = [open_room(&cluster, "c", (SEATS, 2), &urls, &outcome).await.unwrap()];
    let bystander = cluster.client("bystander", 0).await.unwrap();
    let mut seen = bystander.events();
    bystander.join("c").await.unwrap();
    for listener in &mut rooms[0].listeners {
        listener.hears_after(Instant::now()).await;
    }

    let gone = Instant::now();
    cluster.kill_proxy();
    sleep_until(gone + GONE).await;
    cluster.start_proxy().await.unwrap();
    let took = all_taken_up(&rooms, SEATS, &mut outcomes, ALL_WITHIN).await;
    let hole = worst_hole(&mut rooms, gone).await;
    println!("taken up after {took:?}, worst hole {hole:?}");
    assert!(hole < HOLE_MAX, "{hole:?}");
    assert_untouched(&rooms, &mut outcomes);

    let mut told: HashMap<String, Vec<bool>> = HashMap::new();
    within(Duration::from_secs(5), "the end of reconnecting", async {
        while told.len() < SEATS || told.values().any(|told| told.last() == Some(&true)) {
            let event = seen.next().await.unwrap().expect("an event");
            assert_ne!(event.name, "voice:participant:left");
            if event.name == "voice:participant:state" {
                let session = event.payload["sessionId"].as_str().unwrap().to_owned();
                let reconnecting = event.payload.get("reconnecting").and_then(Value::as_bool);
                told.entry(session).or_default().push(reconnecting.unwrap_or(false));
            }
        }
    })
    .await;
    assert!(told.values().all(|told| *told == [true, false]), "{told:?}");
}
