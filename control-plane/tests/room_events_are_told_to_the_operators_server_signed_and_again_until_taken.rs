//! Webhooks, to a server that takes the second attempt.

use crate::support::Harness;
use railgun_shared::ids::{SessionId, UserId};
use railgun_shared::media_rpc::{Audience, Event, RoomEvent};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

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

async fn answer(listener: &TcpListener, status: &str) -> Request {
    let (mut stream, _) = timeout(TIMEOUT, listener.accept()).await.expect("no webhook came").unwrap();
    let request = request(&mut stream).await;
    let location = "location: http://127.0.0.1:1/\r\n";
    let answer = format!("HTTP/1.1 {status}\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    request
}

#[tokio::test]
async fn a_hook_that_was_not_taken_comes_again_with_its_id_and_a_redirect_is_not_followed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let secret = std::env::temp_dir().join(format!("railgun-hooks-{}", rand::random::<u64>()));
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let secret_file = secret.clone();
    let harness = Harness::start_with(|config| {
        config.webhooks.url = Some(url.parse().unwrap());
        config.webhooks.secret_file = Some(secret_file);
    })
    .await;
    let mut ada = harness.client("ada", "free").await;
    assert_eq!(ada.ask("voice:join", json!({"channelId": "lobby"})).await["ok"], true);
    let (address, _) = harness.node.joins().remove(0);
    let event =
        Event::ParticipantLeft { user: UserId::new("bob").unwrap(), session: SessionId::from_bits(9) };
    let (channel, epoch) = (address.channel, address.epoch);
    harness.node.say(RoomEvent { channel, epoch, room_seq: 9, audience: Audience::Everyone, event }).await;

    let first = answer(&listener, "307 Temporary Redirect").await;
    let second = answer(&listener, "204 No Content").await;
    for request in [&first, &second] {
        assert!(request.head.starts_with("POST /hooks HTTP/1.1"), "{}", request.head);
        assert!(request.header("webhook-signature").starts_with("v1,"));
        assert!(request.header("webhook-timestamp").parse::<u64>().is_ok());
        let body: Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["type"], "participant.left");
        assert_eq!(body["data"]["channel"], "lobby");
    }
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(first.body, second.body);
    harness.stop().await;
    std::fs::remove_file(secret).unwrap();
}
