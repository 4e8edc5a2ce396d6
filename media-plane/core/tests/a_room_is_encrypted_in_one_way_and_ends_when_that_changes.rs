//! Encryption is the room's: whoever joins by a newer rule ends a room of the other kind, whoever joins by an older
//! one is told to try again, and nobody is ever in a room of two kinds.

use railgun_peer::World;
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{
    Address, Audience, Command, EncryptionRule, Event, JoinRequest, Reply, is_room_moved,
};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::Encryption::{self, EndToEnd, Transport};
use railgun_protocol::signal::{ErrorBody, ErrorCode, RejoinReason};
use std::time::Duration;

fn rule(encryption: Encryption, revision: u64) -> EncryptionRule {
    EncryptionRule { encryption, revision }
}

/// How the room is encrypted, if it takes the session.
fn join(
    world: &mut World,
    room: &Address,
    session: u128,
    rule: EncryptionRule,
) -> Result<Encryption, ErrorBody> {
    let request = JoinRequest { encryption: rule, ..World::join_request(session, Tier::Free) };
    match world.command(room, Command::Join(Box::new(request)))? {
        Reply::Joined(room) => Ok(room.encryption),
        other => panic!("not the reply to a join: {other:?}"),
    }
}

fn people(world: &mut World, room: &Address) -> usize {
    match world.command(room, Command::Inspect) {
        Ok(Reply::Inspected(room)) => room.participants.len(),
        _ => 0,
    }
}

/// Everybody there is told to join again, then that the room is closed, and nothing else.
fn assert_ended(world: &World) {
    let told: Vec<_> = world.events.iter().map(|event| (&event.event, event.audience)).collect();
    let rejoin = Event::Rejoin { reason: RejoinReason::EncryptionChanged };
    assert_eq!(told[..2], [(&rejoin, Audience::Everyone), (&Event::RoomClosed, Audience::Everyone)]);
}

#[test]
fn a_newer_rule_ends_the_room_for_those_with_and_without_a_socket() {
    let (mut world, room) = (World::new(111), World::room("c"));
    for session in 1..=3 {
        assert_eq!(join(&mut world, &room, session, rule(Transport, 5)), Ok(Transport));
    }
    world.silence(&room, SessionId::from_bits(3), 1, Duration::from_secs(1));
    world.events.clear();
    let set = |world: &mut World, rule| world.command(&room, Command::SetEncryption { rule });
    // Of the same kind, or older: nothing.
    for same in [rule(Transport, 6), rule(EndToEnd, 4), rule(EndToEnd, 6)] {
        assert_eq!(set(&mut world, same), Ok(Reply::Done));
    }
    assert!(world.events.is_empty());
    assert_eq!(set(&mut world, rule(EndToEnd, 7)), Ok(Reply::Done));
    assert_ended(&world);
    assert_eq!(world.events.len(), 2);
    assert_eq!(world.engine.room_count(), 0);
    assert_eq!(join(&mut world, &room, 1, rule(EndToEnd, 7)), Ok(EndToEnd));
}

#[test]
fn a_join_by_a_newer_rule_ends_it_too_and_one_by_an_older_rule_is_to_be_tried_again() {
    let (mut world, room) = (World::new(112), World::room("c"));
    join(&mut world, &room, 1, rule(Transport, 5)).unwrap();
    join(&mut world, &room, 2, rule(Transport, 5)).unwrap();
    world.events.clear();
    // Whoever ends it looks for the next room, which has an epoch of its own.
    let moved = join(&mut world, &room, 3, rule(EndToEnd, 6)).unwrap_err();
    assert!(is_room_moved(&moved));
    assert_ended(&world);
    assert_eq!(join(&mut world, &room, 3, rule(EndToEnd, 6)), Ok(EndToEnd));
    assert_eq!(people(&mut world, &room), 1);
    world.events.clear();
    // A replica that has not heard of the change.
    let refused = join(&mut world, &room, 2, rule(Transport, 5)).unwrap_err();
    assert_eq!(refused.code, ErrorCode::NodeUnavailable);
    assert!(refused.details["retryAfterMs"].as_u64().unwrap() > 0 && !refused.fatal);
    assert_eq!((people(&mut world, &room), world.events.len()), (1, 0));
    // And back.
    assert!(is_room_moved(&join(&mut world, &room, 2, rule(Transport, 8)).unwrap_err()));
    assert_eq!(join(&mut world, &room, 2, rule(Transport, 8)), Ok(Transport));
    assert_eq!(people(&mut world, &room), 1);
}
