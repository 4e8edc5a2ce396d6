use crate::support::client::Client;
use crate::support::{Harness, opening, raw, read_until};
use futures::future::join_all;
use serde_json::json;
use std::cell::Cell;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Of one address that is not all others'.
const ATTACKER: [u8; 4] = [127, 0, 0, 66];
const ANOTHER: [u8; 4] = [127, 0, 0, 1];
/// Their places are free at once: nobody waits until an older one may be ended.
const LET_IN_WITHIN: Duration = Duration::from_secs(1);

/// Opens sockets and closes them, twenty at a time, until honest ones have had enough of it.
async fn churn(harness: &Harness, opened: &Cell<usize>, is_over: &Cell<bool>) {
    while !is_over.get() {
        join_all((0..20).map(async |_| {
            let mut socket = raw(ATTACKER, harness.address, &opening("")).await;
            read_until(&mut socket, "\"sid\"").await
        }))
        .await;
        opened.set(opened.get() + 20);
    }
}

#[tokio::test]
async fn while_fifteen_hundred_come_and_go_whoever_has_a_token_gets_in_also_from_their_address() {
    let harness = Harness::start().await;
    let token = harness.token("ada", "pro").await;
    let mut ada = Client::connect_from(ATTACKER, harness.address, json!({"token": token})).await.unwrap();
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    let (opened, is_over, started) = (Cell::new(0), Cell::new(false), Instant::now());
    let honest = async {
        let mut longest = Duration::ZERO;
        for number in 0.. {
            if number >= 45 && opened.get() >= 1_500 {
                break;
            }
            let from = if number % 2 == 0 { ATTACKER } else { ANOTHER };
            let auth = json!({"token": harness.token(&format!("u{number}"), "free").await});
            let asked = Instant::now();
            let mut client = Client::connect_from(from, harness.address, auth).await.unwrap();
            assert_eq!(client.ask("voice:ping", json!({})).await["ok"], true);
            longest = longest.max(asked.elapsed());
            client.close().await;
        }
        ada.reset();
        let resume = json!({"token": token, "resume": joined["resumeToken"]});
        let mut back = Client::connect_from(ATTACKER, harness.address, resume).await.unwrap();
        assert_eq!(back.event("voice:resumed").await["sessionId"], joined["sessionId"]);
        is_over.set(true);
        longest
    };
    let (longest, ()) = tokio::join!(honest, churn(&harness, &opened, &is_over));
    let rate = opened.get() as f64 / started.elapsed().as_secs_f64();
    println!("{rate:.0} sockets a second, an honest one let in after {longest:?} at most");
    assert!(longest < LET_IN_WITHIN, "{longest:?}");
    harness.stop().await;
}

/// They stay, from more addresses than places are there for, and never show a token.
#[tokio::test]
async fn nor_do_those_that_stay_and_show_no_token() {
    let harness = Harness::start().await;
    let token = harness.token("ada", "pro").await;
    let mut ada = Client::connect(harness.address, json!({"token": token})).await.unwrap();
    let joined = ada.ask("voice:join", json!({"channelId": "c"})).await;
    ada.reset();
    let (mut held, opening) = (Vec::new(), opening(""));
    for last in 10..20 {
        held.extend(join_all((0..110).map(|_| raw([127, 0, 0, last], harness.address, &opening))).await);
    }
    // Nobody yields yet: only whoever shows a resume token has a place in reserve.
    let resume = json!({"token": token, "resume": joined["resumeToken"]});
    let mut back = Client::connect_from([127, 0, 0, 30], harness.address, resume).await.unwrap();
    assert_eq!(back.event("voice:resumed").await["sessionId"], joined["sessionId"]);
    // What came just now may be about to show its token.
    sleep(Duration::from_secs(2)).await;
    for number in 0..20 {
        let mut client = harness.client(&format!("u{number}"), "free").await;
        assert_eq!(client.ask("voice:ping", json!({})).await["ok"], true);
    }
    drop(held);
    harness.stop().await;
}
