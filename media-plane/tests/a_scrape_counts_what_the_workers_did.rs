//! The node's numbers, summed over its workers, as a scraper reads them.

use crate::support::{Link, channel_to, config, join};
use railgun_media::Node;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::{Instant, sleep};

/// The workers tell their numbers once a second.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Every sample by its name. Fails on what is not OpenMetrics text.
async fn scrape(address: SocketAddr) -> BTreeMap<String, f64> {
    let answer = get(address, "/metrics").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/openmetrics-text"), "{head}");
    let (samples, end) = body.rsplit_once("# EOF").expect("an end");
    assert_eq!(end.trim(), "");
    let samples = samples.lines().filter(|line| !line.starts_with("# "));
    let read = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a sample");
        let of_both_planes = ["process_", "railgun_build_info", "railgun_certificate_"];
        let is_named =
            name.starts_with("railgun_media_") || of_both_planes.iter().any(|it| name.starts_with(it));
        assert!(is_named, "{line}");
        (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
    };
    samples.map(read).collect()
}

#[tokio::test]
async fn rooms_sessions_and_datagrams() {
    let node = Node::start(config()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = tokio::spawn(node.serve_health(listener));
    let mut link = Link::open(&channel_to(&node)).await;
    // Two rooms, which go to the two workers.
    for (room, number) in [("one", 1), ("one", 2), ("two", 3)] {
        let request = link.send(room, join(number)).await;
        link.reply(request).await.unwrap();
    }
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    for to in node.media_addresses() {
        stranger.send_to(b"neither STUN nor anything", to).await.unwrap();
    }

    let expected = [
        ("railgun_media_rooms", 2.0),
        ("railgun_media_calls", 2.0),
        ("railgun_media_sessions", 3.0),
        ("railgun_media_unknown_datagrams_total", 2.0),
        ("railgun_media_forwarded_packets_total", 0.0),
        ("railgun_media_dtls_handshakes_total", 0.0),
        ("railgun_media_udp_send_refused_total", 0.0),
        // One datagram for each worker.
        ("railgun_media_worker_lateness_seconds_count", 2.0),
        ("railgun_media_worker_lateness_seconds_bucket{le=\"+Inf\"}", 2.0),
    ];
    let until = Instant::now() + COUNTED_WITHIN;
    loop {
        let now = scrape(address).await;
        assert!(now["process_resident_memory_bytes"] > 1e6 && now["process_open_fds"] > 3.0);
        if expected.iter().all(|(name, value)| now.get(*name) == Some(value)) {
            break;
        }
        assert!(Instant::now() < until, "{now:#?}");
        sleep(Duration::from_millis(50)).await;
    }
    for path in ["/healthz", "/readyz"] {
        let answer = get(address, path).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    }
    node.stop().await;
    health.await.unwrap().unwrap();
}
