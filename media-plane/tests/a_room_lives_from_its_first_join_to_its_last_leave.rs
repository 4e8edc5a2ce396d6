//! The control link over a pipe inside the process, from an empty node to an empty node.

use crate::support::{self, Link, join, mute, session};
use railgun_protocol::media_rpc::{Command, Event, LeaveReason, Reply};
use railgun_protocol::signal::ErrorCode;
use railgun_rpc::FromNode;
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use railgun_rpc::proto::{ControlFrame, DescribeRequest};
use tonic::transport::Channel;

async fn population(channel: &Channel) -> (u32, u32) {
    let described = MediaNodeClient::new(channel.clone()).describe(DescribeRequest {}).await;
    let description = described.unwrap().into_inner();
    assert_eq!((description.node_id.as_str(), description.boot_id.len()), ("media-1", 32));
    assert_eq!(description.media_addresses.len(), 2);
    (description.rooms, description.sessions)
}

#[tokio::test]
async fn a_room_lives_from_its_first_join_to_its_last_leave() {
    let (node, channel) = support::start_node();
    let mut link = Link::open(&channel).await;

    let early = link.send("lobby", mute(1, true)).await;
    assert_eq!(link.reply(early).await.unwrap_err().code, ErrorCode::NotFound);
    link.send_frame(ControlFrame { request: 77, ..ControlFrame::default() }).await;
    assert_eq!(link.reply(77).await.unwrap_err().code, ErrorCode::InvalidPayload);
    assert_eq!(population(&channel).await, (0, 0));

    let joined = link.send("lobby", join(1)).await;
    let Reply::Joined(snapshot) = link.reply(joined).await.unwrap() else { panic!("not joined") };
    assert!(snapshot.participants.is_empty());
    let joined = link.send("lobby", join(2)).await;
    let Reply::Joined(snapshot) = link.reply(joined).await.unwrap() else { panic!("not joined") };
    assert_eq!(snapshot.participants.len(), 1);
    assert_eq!(population(&channel).await, (1, 2));

    for number in [1, 2] {
        let leave = Command::Leave { session: session(number), reason: LeaveReason::Left, attachment: None };
        link.send("lobby", leave).await;
    }
    loop {
        if let FromNode::Event(event) = link.next().await.unwrap()
            && event.event == Event::RoomClosed
        {
            break;
        }
    }
    assert_eq!(population(&channel).await, (0, 0));
    node.stop().await;
    while link.next().await.is_some() {}
}
