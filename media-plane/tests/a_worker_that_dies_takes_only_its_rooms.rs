//! A worker's thread panics: its people are told to join again, every control-plane hears that it died so that
//! operators do, readiness shows it, and everybody else's call goes on.

use crate::support::{Link, channel_to, config, join, mute};
use railgun_media::{Node, testing};
use railgun_protocol::media_rpc::{Audience, Event, Reply, WorkerDied};
use railgun_protocol::signal::RejoinReason;
use railgun_rpc::FromNode;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The value of a metric as a scraper reads it.
async fn scrape(address: SocketAddr, name: &str) -> String {
    let answer = get(address, "/metrics").await;
    let line = answer.lines().find(|line| line.starts_with(name)).expect("the metric");
    line.split_once(' ').unwrap().1.to_owned()
}

#[tokio::test]
async fn its_rooms_are_told_to_join_again_and_the_others_go_on() {
    let node = Node::start(config()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let health = tokio::spawn(node.serve_health(listener));
    let channel = channel_to(&node);
    let (mut lost, mut kept) = (Link::open(&channel).await, Link::open(&channel).await);
    // The first room goes to the first worker, the second to the other.
    let request = lost.send("lost", join(1)).await;
    lost.reply(request).await.unwrap();
    let request = kept.send("kept", join(2)).await;
    kept.reply(request).await.unwrap();
    assert_eq!(scrape(address, "railgun_media_dead_workers_total").await, "0");

    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));

    testing::crash_worker(node.media_addresses()[0]);
    let died = FromNode::WorkerDied(WorkerDied { worker: 0, rooms: 1, deaths: 1 });
    let (mut told, mut is_told) = (Vec::new(), false);
    while told.last() != Some(&Event::RoomClosed) {
        match lost.next().await.expect("the stream goes on") {
            FromNode::Event(event) => {
                assert_eq!((event.channel.as_str(), event.audience), ("lost", Audience::Everyone));
                told.push(event.event);
            }
            other => is_told |= other == died,
        }
    }
    assert!(is_told, "the control-plane of the lost room was not told");
    let ready = get(address, "/readyz").await;
    assert!(ready.starts_with("HTTP/1.1 503") && ready.contains("a media worker died"), "{ready}");
    let rejoin = Event::Rejoin { reason: RejoinReason::WorkerDied };
    assert!(told.ends_with(&[rejoin, Event::RoomClosed]), "{told:?}");
    assert_eq!(scrape(address, "railgun_media_dead_workers_total").await, "1");

    // It is told to every control-plane, whoever had the rooms.
    let mut next = kept.next().await;
    while !matches!(next, Some(FromNode::WorkerDied(_))) {
        next = kept.next().await;
    }
    assert_eq!(next, Some(died));
    let request = kept.send("kept", mute(2, true)).await;
    let mut next = kept.next().await;
    while !matches!(next, Some(FromNode::Reply { request: answered, .. }) if answered == request) {
        let other = matches!(&next, Some(FromNode::Event(event)) if event.channel.as_str() == "kept");
        assert!(other, "the other room hears nothing: {next:?}");
        next = kept.next().await;
    }
    assert!(matches!(next, Some(FromNode::Reply { reply: Ok(Reply::StateUpdated(_)), .. })));

    // Another worker takes the place: its port answers again, and it takes rooms.
    for (number, room) in [(3, "lost"), (4, "third"), (5, "fourth")] {
        let request = lost.send(room, join(number)).await;
        let reply = lost.reply(request).await;
        assert!(matches!(reply, Ok(Reply::Joined(_))), "{room}: {reply:?}");
    }
    let port = node.media_addresses()[0];
    let taken = UdpSocket::bind(port).await;
    assert!(taken.is_err(), "the dead worker's port is in use again");
    tokio::time::timeout(Duration::from_secs(5), node.stop()).await.unwrap();
    health.await.unwrap().unwrap();
}
