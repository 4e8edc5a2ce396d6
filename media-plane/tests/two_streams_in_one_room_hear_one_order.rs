//! Two replicas change one room at the same time; each hears every change, in the same order.

use crate::support::{self, Link, join, mute};
use railgun_protocol::media_rpc::RoomEvent;
use railgun_rpc::FromNode;

/// Of each stream, made by [`PEOPLE`] of its sessions in turn, each within what one user may change at once.
const CHANGES: usize = 200;
const PEOPLE: usize = 10;

/// The sessions of the first stream are 1 to [`PEOPLE`], those of the second follow.
fn people(stream: usize) -> impl Iterator<Item = u128> {
    (1..=PEOPLE).map(move |person| (stream * PEOPLE + person) as u128)
}

async fn take_seats(link: &mut Link, stream: usize) {
    for session in people(stream) {
        let request = link.send("lobby", join(session)).await;
        link.reply(request).await.unwrap();
    }
}

async fn hear(link: &mut Link, stream: usize) -> Vec<RoomEvent> {
    let own: Vec<u128> = people(stream).collect();
    let mut heard = Vec::new();
    let mut sent = 0;
    while heard.len() < 2 * CHANGES {
        if sent < CHANGES {
            link.send("lobby", mute(own[sent % PEOPLE], (sent / PEOPLE).is_multiple_of(2))).await;
            sent += 1;
        }
        if let FromNode::Event(event) = link.next().await.unwrap() {
            heard.push(event);
        }
    }
    heard
}

#[tokio::test]
async fn two_streams_in_one_room_hear_one_order() {
    let (node, channel) = support::start_node();
    let (mut first, mut second) = (Link::open(&channel).await, Link::open(&channel).await);
    take_seats(&mut first, 0).await;
    take_seats(&mut second, 1).await;
    // The last one's joining is the last event before the changes.
    for _ in people(1) {
        while !matches!(first.next().await.unwrap(), FromNode::Event(_)) {}
    }

    let (at_first, at_second) = tokio::join!(hear(&mut first, 0), hear(&mut second, 1));
    assert_eq!(at_first, at_second);
    let start = at_first[0].room_seq;
    let expected = (start..).take(2 * CHANGES);
    assert!(at_first.iter().map(|event| event.room_seq).eq(expected));
    node.stop().await;
}
