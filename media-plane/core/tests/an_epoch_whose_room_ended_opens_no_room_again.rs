//! Epochs: each room of a channel has its own. A join that was on its way when its room ended does not open another one
//! under the same epoch, whose events would bear the numbers of the first one's.

use railgun_peer::World;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, LeaveReason, ONLY_EPOCH, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{ErrorBody, ErrorCode};

fn at(channel: &str, epoch: u64) -> Address {
    Address { channel: ChannelId::new(channel).unwrap(), epoch }
}

fn ask_to_join(world: &mut World, room: &Address, session: u128) -> Result<Reply, ErrorBody> {
    world.command(room, Command::Join(Box::new(World::join_request(session, Tier::Free))))
}

fn leave(world: &mut World, room: &Address, session: u128) {
    let session = SessionId::from_bits(session);
    world.command(room, Command::Leave { session, reason: LeaveReason::Left, attachment: None }).unwrap();
}

#[test]
fn the_next_room_of_a_channel_has_the_next_epoch() {
    let mut world = World::new(1);
    ask_to_join(&mut world, &at("call", 7), 1).unwrap();
    leave(&mut world, &at("call", 7), 1);
    for epoch in [7, 6] {
        let refused = ask_to_join(&mut world, &at("call", epoch), 2).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NodeUnavailable, "whoever asks is to look where the room is now");
    }
    ask_to_join(&mut world, &at("other", 7), 3).unwrap();
    ask_to_join(&mut world, &at("call", 8), 2).unwrap();
    // Replaced, which ends it as well.
    ask_to_join(&mut world, &at("call", 9), 2).unwrap();
    leave(&mut world, &at("call", 9), 2);
    assert!(
        ask_to_join(&mut world, &at("call", 8), 2).is_err()
            && ask_to_join(&mut world, &at("call", 10), 2).is_ok()
    );
}

#[test]
fn without_etcd_rooms_of_a_channel_follow_each_other_under_one_epoch() {
    let mut world = World::new(2);
    for session in 1..=3 {
        ask_to_join(&mut world, &at("call", ONLY_EPOCH), session).unwrap();
        leave(&mut world, &at("call", ONLY_EPOCH), session);
    }
}

#[test]
fn rooms_that_ended_long_ago_take_no_memory() {
    let mut world = World::new(3);
    for epoch in 2..1_000 {
        ask_to_join(&mut world, &at("call", epoch), 1).unwrap();
        leave(&mut world, &at("call", epoch), 1);
    }
    let old = at("call", 999);
    assert!(ask_to_join(&mut world, &old, 1).is_err());
    for other in 0..300 {
        let room = at(&format!("other-{other}"), 5);
        ask_to_join(&mut world, &room, 1).unwrap();
        leave(&mut world, &room, 1);
    }
    ask_to_join(&mut world, &old, 1).expect("it is remembered no longer: 300 rooms ended since");
}
