use crate::support::client::Client;
use crate::support::{Harness, opening, raw, read_until};
use futures::future::join_all;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Of one address that is not the others'.
const ATTACKER: [u8; 4] = [127, 0, 0, 66];

/// Opens sockets and closes them, so many at a time.
async fn churn(harness: &Harness, times: usize) {
    for _ in 0..times / 20 {
        join_all((0..20).map(async |_| {
            let mut socket = raw(ATTACKER, harness.address, &opening("")).await;
            read_until(&mut socket, "\"sid\"").await
        }))
        .await;
    }
}

#[tokio::test]
async fn fifteen_hundred_within_ten_seconds_leave_every_place_free() {
    let harness = Harness::start().await;
    let token = harness.token("ada", "pro").await;
    let mut ada = Client::connect(harness.address, json!({"token": token})).await.unwrap();
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    let started = Instant::now();
    churn(&harness, 1500).await;
    println!("{:.0} sockets a second", 1500.0 / started.elapsed().as_secs_f64());
    ada.reset();
    let mut let_in = 0;
    for number in 0..45 {
        let client = harness.client(&format!("u{number}"), "free").await;
        let_in += 1;
        client.close().await;
    }
    assert_eq!(let_in, 45);
    let resume = json!({"token": token, "resume": joined["resumeToken"]});
    let mut back = Client::connect(harness.address, resume).await.unwrap();
    assert_eq!(back.event("voice:resumed").await["sessionId"], joined["sessionId"]);
    harness.stop().await;
}

/// They stay, from more addresses than places are there for, and never show a token.
#[tokio::test]
async fn nor_do_those_that_stay_and_show_no_token() {
    let harness = Harness::start().await;
    let (mut held, opening) = (Vec::new(), opening(""));
    for last in 10..20 {
        held.extend(join_all((0..110).map(|_| raw([127, 0, 0, last], harness.address, &opening))).await);
    }
    // What came just now may be about to show its token.
    sleep(Duration::from_secs(2)).await;
    for number in 0..20 {
        let mut client = harness.client(&format!("u{number}"), "free").await;
        assert_eq!(client.ask("voice:ping", json!({})).await["ok"], true);
    }
    drop(held);
    harness.stop().await;
}
