//! etcd is away and every replica is killed and started again, with nothing in memory or on disk: people resume
//! there by what their tokens say, at the node whose certificate names it, and nobody's media has a hole. New
//! joins are refused until etcd is back, and what operators write then counts for these sessions too.

use crate::calls::{all_taken_up, assert_untouched, open_room, worst_hole};
use railgun_client::ErrorCode;
use railgun_tests::{Cluster, ClusterOptions, Member, within};
use serde_json::json;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const SEATS: usize = 5;
/// Several, since one request in two would find its replica by chance.
const POLLERS: usize = 4;
const ALL_WITHIN: Duration = Duration::from_secs(15);
const BACK_WITHIN: Duration = Duration::from_secs(20);
const HOLE_MAX: Duration = Duration::from_millis(500);
/// More than a resume window lasts, when it is to be seen that nobody is ended by it.
const LONG: &str = "RAILGUN_TEST_LONG";
const WINDOW: Duration = Duration::from_secs(65);

fn restart(cluster: &mut Cluster) {
    for replica in 0..2 {
        cluster.kill_replica(replica);
        cluster.launch_replica(replica).unwrap();
    }
}

async fn etcd_is_back(cluster: &mut Cluster) {
    cluster.etcd.start_again().await.unwrap();
    within(BACK_WITHIN, "health", async {
        while !matches!(cluster.health(0).await, Ok(200)) || !matches!(cluster.health(1).await, Ok(200)) {
            sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_back_within_seconds_and_bans_count_when_etcd_is() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    cluster.start_proxy().await.unwrap();
    let urls = [format!("http://{}", cluster.proxy())];
    let (outcome, mut outcomes) = mpsc::unbounded_channel();
    let mut rooms = [open_room(&cluster, "c", (SEATS, 2), &urls, &outcome).await.unwrap()];
    worst_hole(&mut rooms, Instant::now()).await;

    cluster.etcd.kill();
    let killed = Instant::now();
    restart(&mut cluster);
    let took = all_taken_up(&rooms, SEATS, &mut outcomes, ALL_WITHIN).await;
    println!("taken up after {took:?}");
    // From one empty replica to the next: what the first one gave out names the node as well.
    restart(&mut cluster);
    all_taken_up(&rooms, SEATS, &mut outcomes, ALL_WITHIN).await;
    assert!(!matches!(cluster.health(0).await, Ok(200)), "a replica that was told nothing is not healthy");
    let stranger = cluster.client_at("new", &urls[0]).await.unwrap();
    let refused = Member::join(stranger, "c").await.unwrap_err();
    let code =
        refused.downcast_ref::<railgun_client::ClientError>().and_then(railgun_client::ClientError::code);
    assert_eq!(code, Some(ErrorCode::NodeUnavailable), "{refused:#}");
    if std::env::var_os(LONG).is_some() {
        sleep(WINDOW).await;
    }
    let hole = worst_hole(&mut rooms, killed).await;
    assert!(hole < HOLE_MAX, "{hole:?}");
    assert_untouched(&rooms, &mut outcomes);

    etcd_is_back(&mut cluster).await;
    let ban = json!({"reason": "spam"});
    cluster.write_record(0, &format!("/v1/users/c-{}/ban", SEATS - 1), &ban).await.unwrap();
    within(BACK_WITHIN, "a ban", async {
        // The others are told that somebody left.
        while !outcomes.recv().await.unwrap().unwrap_err().to_string().contains("voice:kicked") {}
    })
    .await;
}

/// By HTTP polling, whose requests all have to reach the replica that has the session: HAProxy's cookie leads there,
/// also where it takes no replica for a healthy one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_polls_resumes_through_haproxy_as_well() {
    let mut cluster = Cluster::start(2, 1).await.unwrap();
    cluster.start_proxy().await.unwrap();
    let url = format!("http://{}", cluster.proxy());
    let mut pollers = Vec::new();
    for number in 0..POLLERS {
        let client = cluster.polling_client(&format!("poller-{number}")).await.unwrap();
        let member = Member::join(client.clone(), "p").await.unwrap();
        pollers.push((client, member));
    }
    cluster.etcd.kill();
    restart(&mut cluster);
    for (client, member) in &pollers {
        let resumed = within(ALL_WITHIN, "a resume", async {
            loop {
                match client.resume(&url).await {
                    Ok((resumed, _)) => break resumed,
                    Err(error) => assert_ne!(error.code(), Some(ErrorCode::ResumeFailed), "{error:#}"),
                }
                sleep(Duration::from_millis(500)).await;
            }
        })
        .await;
        assert_eq!(resumed.session_id, member.joined.session_id);
        for muted in [true, false, true] {
            let state = client.request("voice:state:update", json!({ "muted": muted })).await.unwrap();
            assert_eq!(state["muted"], muted);
        }
        assert!(!member.sending.is_closed() && !member.receiving.is_closed());
    }
    for replica in 0..2 {
        assert!(
            !matches!(cluster.health(replica).await, Ok(200)),
            "a replica that read etcd is no such case"
        );
    }
}

/// What stands at the address in a token could be anybody who has a certificate of the cluster.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_certificate_does_not_name_it_is_not_asked() {
    let options = ClusterOptions { replicas: 2, nodes_are_unnamed: true, ..ClusterOptions::default() };
    let mut cluster = Cluster::start_with(options).await.unwrap();
    let client = cluster.client("ada", 0).await.unwrap();
    let member = Member::join(client.clone(), "c").await.unwrap();
    cluster.etcd.kill();
    restart(&mut cluster);
    for _ in 0..4 {
        sleep(Duration::from_secs(1)).await;
        let refused = client.resume(&cluster.url(0)).await.unwrap_err();
        assert_ne!(refused.code(), Some(ErrorCode::ResumeFailed), "its media goes on: {refused:#}");
    }
    etcd_is_back(&mut cluster).await;
    client.resume(&cluster.url(0)).await.unwrap();
    assert!(!member.sending.is_closed());
}
