use crate::support::client::Client;
use crate::support::{Harness, frame, opening, raw, read_until, scraped};
use serde_json::json;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

const FORGED: &str = "40{\"token\":\"eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.AAAA\"}";
const REFUSED: &str = "railgun_control_connections_total{outcome=\"UNAUTHORIZED\"}";

#[tokio::test]
async fn the_third_on_one_connection() {
    let harness = Harness::start().await;
    let mut socket = raw([127, 0, 0, 1], harness.address, &opening("")).await;
    read_until(&mut socket, "\"sid\"").await.unwrap();
    for _ in 0..2 {
        socket.write_all(&frame(FORGED)).await.unwrap();
        timeout(Duration::from_secs(5), read_until(&mut socket, "UNAUTHORIZED")).await.unwrap().unwrap();
    }
    socket.write_all(&frame(FORGED)).await.unwrap();
    assert_eq!(timeout(Duration::from_secs(5), read_until(&mut socket, "never")).await, Ok(None));
    harness.stop().await;
}

/// One connection after the other, as fast as they come, each with as many as it takes.
async fn flood(harness: &Harness, from: [u8; 4], until: Instant) {
    while Instant::now() < until {
        let mut socket = raw(from, harness.address, &opening("")).await;
        if read_until(&mut socket, "\"sid\"").await.is_none() {
            continue;
        }
        let many = frame(FORGED).repeat(50);
        if timeout(Duration::from_secs(1), socket.write_all(&many)).await.is_ok_and(|sent| sent.is_ok()) {
            _ = timeout(Duration::from_secs(1), read_until(&mut socket, "never")).await;
        }
    }
}

/// In milliseconds, the slowest tenth left out.
async fn pings(client: &mut Client) -> f64 {
    let mut times = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        assert_eq!(client.ask("voice:ping", json!({})).await["ok"], true);
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    times.sort_by(f64::total_cmp);
    times[89]
}

#[tokio::test]
async fn and_an_address_that_does_not_stop_is_looked_at_in_turn() {
    let harness = Harness::start().await;
    let mut honest = harness.client("ada", "pro").await;
    let alone = pings(&mut honest).await;
    let started = Instant::now();
    let until = started + Duration::from_secs(4);
    let attacker = [127, 0, 0, 66];
    let floods = async {
        tokio::join!(
            flood(&harness, attacker, until),
            flood(&harness, attacker, until),
            flood(&harness, attacker, until),
            flood(&harness, attacker, until)
        )
    };
    let (_, during) = tokio::join!(floods, pings(&mut honest));
    let looked_at = scraped(&harness, REFUSED).await;
    let seconds = started.elapsed().as_secs_f64();
    println!("ping {alone:.2} ms alone, {during:.2} ms during; {looked_at} tokens in {seconds:.1} s");
    // A hundred at once and a hundred a second, and a turn for each connection that waits.
    assert!((looked_at as f64) < 100.0 + 110.0 * seconds + 12.0, "{looked_at}");
    // Somebody of the same address gets in meanwhile, and others do not notice.
    let mut same = harness.client("bob", "pro").await;
    assert_eq!(same.ask("voice:ping", json!({})).await["ok"], true);
    harness.stop().await;
}
