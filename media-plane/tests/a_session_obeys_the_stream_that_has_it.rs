//! Two replicas and one session: the old one may lose its socket, the new one resumes it, in any
//! order, over real control streams.

use crate::support::{self, Link, join, mute, session};
use railgun_protocol::media_rpc::{
    Audience, Command, Event, JoinRequest, Reply, ResumeRequest, Rights, TokenDigest,
};
use railgun_protocol::signal::ErrorCode;
use railgun_rpc::FromNode;
use railgun_rpc::proto::ListRoomsRequest;
use railgun_rpc::proto::media_node_client::MediaNodeClient;

fn request() -> JoinRequest {
    let Command::Join(request) = join(1) else { panic!("not a join") };
    JoinRequest { resume: Some(TokenDigest([1; 32])), ..*request }
}

fn resume(token: u8, next: u8) -> Command {
    let joined = request();
    Command::Resume(Box::new(ResumeRequest {
        session: session(1),
        user: joined.user,
        device: joined.device,
        token: TokenDigest([token; 32]),
        next_token: TokenDigest([next; 32]),
        rights: Some(Rights { grant: joined.grant, limits: joined.limits }),
    }))
}

#[tokio::test]
async fn after_a_resume_the_old_stream_commands_nothing() {
    let (node, channel) = support::start_node();
    let (mut old, mut new) = (Link::open(&channel).await, Link::open(&channel).await);
    let joined = old.send("lobby", Command::Join(Box::new(request()))).await;
    let Reply::Joined(room) = old.reply(joined).await.unwrap() else { panic!("not joined") };
    assert_eq!(room.attachment, 1);

    let stranger = new.send("lobby", mute(1, true)).await;
    assert_eq!(new.reply(stranger).await.unwrap_err().code, ErrorCode::NotFound);
    let guessed = new.send("lobby", resume(7, 8)).await;
    assert_eq!(new.reply(guessed).await.unwrap_err().code, ErrorCode::ResumeFailed);
    let elsewhere = new.send("elsewhere", resume(1, 8)).await;
    assert_eq!(new.reply(elsewhere).await.unwrap_err().code, ErrorCode::ResumeFailed);
    let still = old.send("lobby", mute(1, true)).await;
    old.reply(still).await.expect("a refused resume changes nothing");

    let resumed = new.send("lobby", resume(1, 2)).await;
    let mut before = Vec::new();
    let room = loop {
        match new.next().await.unwrap() {
            FromNode::Event(event) => before.push((event.audience, event.event)),
            FromNode::WorkerDied(died) => panic!("no worker died: {died:?}"),
            FromNode::Reply { request, reply } => {
                assert_eq!(request, resumed);
                let Ok(Reply::Resumed(room, _)) = reply else { panic!("not resumed: {reply:?}") };
                break room;
            }
        }
    };
    assert_eq!(room.attachment, 2);
    assert_eq!(before.last(), Some(&(Audience::Only(session(1)), Event::Superseded)));
    // The old stream heard the same, and has no say any more.
    while !matches!(old.next().await.unwrap(), FromNode::Event(event) if event.event == Event::Superseded) {}
    let late = old.send("lobby", mute(1, false)).await;
    assert_eq!(old.reply(late).await.unwrap_err().code, ErrorCode::NotFound);
    for stale in [
        Command::Detach { session: session(1), attachment: 1 },
        Command::Leave {
            session: session(1),
            reason: railgun_protocol::media_rpc::LeaveReason::Lost,
            attachment: Some(1),
        },
    ] {
        let request = old.send("lobby", stale).await;
        assert!(matches!(old.reply(request).await, Ok(Reply::Done | Reply::Left)));
    }
    drop(old);
    let alive = new.send("lobby", mute(1, false)).await;
    new.reply(alive).await.expect("the new stream has it");

    let listed = MediaNodeClient::new(channel.clone()).list_rooms(ListRoomsRequest {}).await.unwrap();
    let rooms = listed.into_inner().rooms;
    let only =
        rooms.first().map(|room| (room.channel.as_str(), room.epoch, room.participants, room.producers));
    assert_eq!((rooms.len(), only), (1, Some(("lobby", 1, 1, 0))));
    node.stop().await;
}
