//! Webhooks, to a server that takes the second attempt.

use crate::support::{Harness, http};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use railgun_protocol::ids::{ChannelId, SessionId, UserId};
use railgun_protocol::media_rpc::{Audience, Event, RoomEvent, WorkerDied};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TIMEOUT: Duration = Duration::from_secs(30);

struct Request {
    head: String,
    body: String,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let named = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}: "));
        self.head.lines().find(named).and_then(|line| line.split_once(": ")).map_or("", |(_, value)| value)
    }
}

async fn request(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let request = Request { head: head.into(), body: body.into() };
            if request.header("content-length").parse() == Ok(body.len()) {
                return request;
            }
        }
        assert_ne!(read, 0, "the request ended early");
    }
}

/// As Standard Webhooks has the receiver reckon it.
fn signed(request: &Request) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(SECRET).unwrap());
    let (id, at) = (request.header("webhook-id"), request.header("webhook-timestamp"));
    let tag = hmac::sign(&key, format!("{id}.{at}.{}", request.body).as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

async fn answer(listener: &TcpListener, status: &str) -> Request {
    let (mut stream, _) = timeout(TIMEOUT, listener.accept()).await.expect("no webhook came").unwrap();
    let request = request(&mut stream).await;
    let location = "location: http://127.0.0.1:1/\r\n";
    let answer = format!("HTTP/1.1 {status}\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    request
}

/// A control-plane whose hooks go to `listener`. The file of its secret is to be removed at the end.
async fn with_hooks(listener: &TcpListener) -> (Harness, PathBuf) {
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let secret = std::env::temp_dir().join(format!("railgun-hooks-{}", rand::random::<u64>()));
    std::fs::write(&secret, format!("whsec_{SECRET}\n")).unwrap();
    let secret_file = secret.clone();
    let harness = Harness::start_with(|config| {
        config.webhooks.url = Some(url.parse().unwrap());
        config.webhooks.secret_file = Some(secret_file);
    })
    .await;
    (harness, secret)
}

fn left(number: u64) -> RoomEvent {
    RoomEvent {
        channel: ChannelId::new("lobby").unwrap(),
        epoch: 1,
        room_seq: number,
        audience: Audience::Everyone,
        event: Event::ParticipantLeft { user: UserId::new("bob").unwrap(), session: SessionId::from_bits(9) },
    }
}

async fn waiting(harness: &Harness) -> String {
    let scraped = http(harness.operators, "GET", "/metrics", &[], "").await.body;
    let line = scraped.lines().find_map(|line| line.strip_prefix("railgun_control_webhooks_waiting "));
    line.unwrap_or_else(|| panic!("not in {scraped}")).to_owned()
}

#[tokio::test]
async fn a_hook_that_was_not_taken_comes_again_with_its_id_and_a_redirect_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (harness, secret) = with_hooks(&listener).await;
    let mut ada = harness.client("ada", "free").await;
    assert_eq!(ada.ask("voice:join", json!({"channelId": "lobby"})).await["ok"], true);
    let (address, _) = harness.node.joins().remove(0);
    assert_eq!((address.channel.as_str(), address.epoch), ("lobby", 1));
    harness.node.say(left(9)).await;

    let first = answer(&listener, "307 Temporary Redirect").await;
    let second = answer(&listener, "204 No Content").await;
    for request in [&first, &second] {
        assert!(request.head.starts_with("POST /hooks HTTP/1.1"), "{}", request.head);
        assert_eq!(request.header("webhook-signature"), signed(request));
        assert!(request.header("webhook-timestamp").parse::<u64>().is_ok());
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["type"], "participant.left");
        assert_eq!((&body["data"]["channel"], &body["data"]["roomSeq"]), (&"lobby".into(), &9.into()));
    }
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body);
    harness.stop().await;
    std::fs::remove_file(secret).unwrap();
}

#[tokio::test]
async fn a_worker_that_died_is_told_with_its_node_so_that_operators_are_alerted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (harness, secret) = with_hooks(&listener).await;
    harness.node.say_worker_died(WorkerDied { worker: 3, rooms: 17, deaths: 2 }).await;
    let told = answer(&listener, "204 No Content").await;
    let body: Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(body["type"], "node.worker_died");
    let data = json!({"node": "fake", "bootId": "0".repeat(32), "worker": 3, "rooms": 17, "deaths": 2});
    assert_eq!(body["data"], data);
    assert_eq!(told.header("webhook-signature"), signed(&told));
    harness.stop().await;
    std::fs::remove_file(secret).unwrap();
}

/// Of a replica that is told to stop: what waits in the queue, and what waits to be sent again.
#[tokio::test]
async fn hooks_that_wait_when_the_control_plane_stops_are_sent_before_it_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (harness, secret) = with_hooks(&listener).await;
    // Refused twice, it is sent again only after two seconds.
    harness.node.say(left(1)).await;
    let first = answer(&listener, "503 Service Unavailable").await;
    let second = answer(&listener, "503 Service Unavailable").await;
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    for number in 2..=5 {
        harness.node.say(left(number)).await;
    }
    // Their requests stand in the listener's queue: nobody answers them yet.
    while waiting(&harness).await != "5" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let taking = tokio::spawn(async move {
        let mut ids = std::collections::BTreeSet::new();
        while ids.len() < 5 {
            ids.insert(answer(&listener, "204 No Content").await.header("webhook-id").to_owned());
        }
        ids
    });
    harness.stop().await;
    assert!(taking.is_finished(), "it ended before its hooks were taken");
    assert!(taking.await.unwrap().contains(first.header("webhook-id")), "the one that had been refused");
    std::fs::remove_file(secret).unwrap();
}
