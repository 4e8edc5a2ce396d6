//! Two replicas change one room at the same time; each hears every change, in the same order.

use crate::support::{self, Link, join, mute};
use railgun_shared::media_rpc::RoomEvent;
use railgun_shared::media_rpc::wire::FromNode;

const CHANGES: usize = 200;

async fn hear(link: &mut Link, own: u128) -> Vec<RoomEvent> {
    let mut heard = Vec::new();
    let mut sent = 0;
    while heard.len() < 2 * CHANGES {
        if sent < CHANGES {
            link.send("lobby", mute(own, sent % 2 == 0)).await;
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
    let request = first.send("lobby", join(1)).await;
    first.reply(request).await.unwrap();
    let request = second.send("lobby", join(2)).await;
    second.reply(request).await.unwrap();
    // The second one's joining is the last event before the changes.
    while !matches!(first.next().await.unwrap(), FromNode::Event(_)) {}

    let (at_first, at_second) = tokio::join!(hear(&mut first, 1), hear(&mut second, 2));
    assert_eq!(at_first, at_second);
    let start = at_first[0].room_seq;
    let expected = (start..).take(2 * CHANGES);
    assert!(at_first.iter().map(|event| event.room_seq).eq(expected));
    node.stop().await;
}
