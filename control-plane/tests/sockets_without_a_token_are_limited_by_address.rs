use crate::support::client::Client;
use crate::support::{Harness, ends, opening, raw, read_until};
use futures::future::join_all;
use serde_json::json;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_millis(1500);
const HERE: [u8; 4] = [127, 0, 0, 1];

/// Whether a socket is opened soon.
async fn opens(harness: &Harness, from: [u8; 4], header: &str) -> Option<tokio::net::TcpStream> {
    let mut stream = raw(from, harness.address, &opening(header)).await;
    let opened = timeout(SOON, read_until(&mut stream, "\"sid\"")).await;
    opened.ok().flatten().map(|_| stream)
}

#[tokio::test]
async fn three_hundred_people_behind_one_address_join() {
    let harness = Harness::start().await;
    let token = harness.token("ada", "pro").await;
    let tokens = join_all((0..300).map(|number| {
        let harness = &harness;
        async move { harness.token(&format!("u{number}"), "free").await }
    }));
    let tokens = tokens.await;
    let joined = join_all(tokens.into_iter().map(async |token| {
        let mut client = Client::connect(harness.address, json!({"token": token})).await.unwrap();
        assert_eq!(client.ask("voice:join", json!({"channelId": "c"})).await["ok"], true);
        client
    }));
    assert_eq!(joined.await.len(), 300);
    Client::connect(harness.address, json!({"token": token})).await.unwrap();
    harness.stop().await;
}

#[tokio::test]
async fn the_oldest_goes_after_two_seconds_and_another_address_does_not_notice() {
    let harness = Harness::start_with(|config| config.sockets_per_address = 5).await;
    let (from, other) = ([127, 0, 0, 7], [127, 0, 0, 8]);
    let mut held = Vec::new();
    for _ in 0..5 {
        held.push(opens(&harness, from, "").await.unwrap());
    }
    let mut others = opens(&harness, other, "").await.unwrap();
    let started = Instant::now();
    let mut late = raw(from, harness.address, &opening("")).await;
    read_until(&mut late, "\"sid\"").await.unwrap();
    assert!(started.elapsed() > Duration::from_secs(1));
    assert!(ends(&mut held[0], SOON).await);
    assert!(!ends(&mut others, Duration::from_millis(100)).await);
    harness.stop().await;
}

#[tokio::test]
async fn behind_a_listed_proxy_by_what_it_says() {
    let harness = Harness::start_with(|config| {
        config.sockets_per_address = 3;
        config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut held = Vec::new();
    for client in 1..=10 {
        for _ in 0..3 {
            let header = format!("X-Forwarded-For: 192.0.2.99, 203.0.113.{client}\r\n");
            held.push(opens(&harness, HERE, &header).await.unwrap());
        }
    }
    assert!(opens(&harness, HERE, "X-Forwarded-For: 203.0.113.1\r\n").await.is_none());
    // HTTP polling is counted with it.
    let polled = |client: u8| {
        format!(
            "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n\
             X-Forwarded-For: 203.0.113.{client}\r\n\r\n"
        )
    };
    for (client, is_opened) in [(20, true), (20, true), (20, true), (21, true), (20, false)] {
        let mut stream = raw(HERE, harness.address, &polled(client)).await;
        let opened = timeout(SOON, read_until(&mut stream, "\"sid\"")).await.ok().flatten();
        assert_eq!(opened.is_some(), is_opened, "{client}");
        held.push(stream);
    }
    // The same by the PROXY protocol, of which each connection begins with a header.
    let proxied = |client: u8| format!("PROXY TCP4 198.51.100.{client} 127.0.0.1 4711 80\r\n{}", opening(""));
    for client in [1, 1, 1, 2] {
        let mut stream = raw(HERE, harness.address, &proxied(client)).await;
        timeout(SOON, read_until(&mut stream, "\"sid\"")).await.unwrap().unwrap();
        held.push(stream);
    }
    let mut late = raw(HERE, harness.address, &proxied(1)).await;
    assert!(timeout(Duration::from_millis(300), read_until(&mut late, "\"sid\"")).await.is_err());
    harness.stop().await;
}

/// Nobody who is not listed is believed: it counts as one, wherever its requests are said to be from.
#[tokio::test]
async fn a_claim_of_anybody_else_buys_no_other_address() {
    let harness = Harness::start_with(|config| config.sockets_per_address = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(opens(&harness, [127, 0, 0, 9], "").await.unwrap());
    }
    let proxied = format!("PROXY TCP4 198.51.100.1 127.0.0.1 4711 80\r\n{}", opening(""));
    let mut refused = raw([127, 0, 0, 10], harness.address, &proxied).await;
    assert_eq!(timeout(SOON, read_until(&mut refused, "\"sid\"")).await, Ok(None));
    assert!(opens(&harness, [127, 0, 0, 9], "").await.is_none());
    harness.stop().await;
}

#[tokio::test]
async fn a_balancer_that_nobody_listed_has_more_than_one_address() {
    let harness = Harness::start_with(|config| config.sockets_per_address = 3).await;
    let mut held = Vec::new();
    for client in 0..40 {
        let header = format!("X-Forwarded-For: 203.0.113.{client}\r\n");
        held.push(opens(&harness, HERE, &header).await.unwrap());
    }
    let mut newest = held.pop().unwrap();
    assert!(!ends(&mut newest, Duration::from_millis(100)).await);
    harness.stop().await;
}
