//! `voice:data` at the room: it says whose a message is, puts it into its order, and takes five a second of a user,
//! over all devices and joins.

use railgun_peer::World;
use railgun_protocol::ids::{SessionId, UserId};
use railgun_protocol::limits::{DATA_BURST, DATA_PER_SECOND};
use railgun_protocol::media_rpc::{Address, Audience, Command, Event, JoinRequest, LeaveReason};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{DataKind, DataPayload, ErrorBody, ErrorCode, StateUpdate};
use std::time::Duration;

fn send(
    world: &mut World,
    room: &Address,
    session: SessionId,
    payload: &str,
    to: Option<SessionId>,
) -> Result<(), ErrorBody> {
    let (kind, payload) = (DataKind::new("reaction").unwrap(), DataPayload::new(payload).unwrap());
    world.command(room, Command::SendData { session, kind, payload, to }).map(drop)
}

/// Whose message it was and what it said.
fn data(event: &Event) -> Option<(&UserId, SessionId, &str)> {
    match event {
        Event::Data { user, session, payload, .. } => Some((user, *session, payload.as_str())),
        _ => None,
    }
}

#[test]
fn everybody_else_gets_them_in_the_rooms_order_and_one_gets_what_is_for_it_alone() {
    let (mut world, room) = (World::new(91), World::room("data"));
    let [ada, bob, cid] = [1, 2, 3].map(|session| world.join(&room, session, Tier::Free));
    world.events.clear();
    send(&mut world, &room, ada, "one", None).unwrap();
    let update = StateUpdate { muted: Some(true), ..StateUpdate::default() };
    world.command(&room, Command::UpdateState { session: bob, update }).unwrap();
    send(&mut world, &room, bob, "two", None).unwrap();
    send(&mut world, &room, ada, "three", Some(cid)).unwrap();
    let user = UserId::new("user-1").unwrap();
    let heard =
        |session| world.heard_by(session).into_iter().filter_map(data).map(|it| it.2).collect::<Vec<_>>();
    assert_eq!((heard(ada), heard(bob), heard(cid)), (vec!["two"], vec!["one"], vec!["one", "two", "three"]));
    assert_eq!(data(&world.events[0].event), Some((&user, ada, "one")));
    let bobs = UserId::new("user-2").unwrap();
    assert_eq!(data(&world.events[2].event), Some((&bobs, bob, "two")));
    // Only what is for more than one moves the order.
    let first = world.events[0].room_seq;
    let numbers: Vec<u64> = world.events.iter().map(|event| event.room_seq - first).collect();
    assert_eq!(numbers, [0, 1, 2, 2]);
    assert_eq!(world.events[3].audience, Audience::Only(cid));
}

#[test]
fn nobody_reaches_another_room_itself_or_who_is_gone() {
    let (mut world, room, other) = (World::new(92), World::room("data"), World::room("other"));
    let [ada, bob] = [1, 2].map(|session| world.join(&room, session, Tier::Free));
    let elsewhere = world.join(&other, 3, Tier::Free);
    world
        .command(&room, Command::Leave { session: bob, reason: LeaveReason::Left, attachment: None })
        .unwrap();
    world.events.clear();
    for to in [bob, elsewhere, ada, SessionId::from_bits(99)] {
        let refused = send(&mut world, &room, ada, "x", Some(to)).unwrap_err();
        assert_eq!(refused.code, ErrorCode::NotFound);
    }
    assert_eq!(send(&mut world, &room, elsewhere, "x", None).unwrap_err().code, ErrorCode::NotFound);
    assert!(world.events.is_empty());
}

#[test]
fn five_a_second_of_a_user_are_told_over_all_devices_and_joins() {
    let (mut world, room) = (World::new(93), World::room("data"));
    let onlooker = world.join(&room, 1, Tier::Free);
    let eve = UserId::new("eve").unwrap();
    let mut next = 1;
    let mut join = |world: &mut World| {
        next += 1;
        let request = JoinRequest { user: eve.clone(), ..World::join_request(next, Tier::Free) };
        world.join_with(&room, request)
    };
    let mut sessions = [join(&mut world), join(&mut world)];
    for tick in 0..200 {
        for session in sessions {
            if let Err(refused) = send(&mut world, &room, session, "spam", None) {
                assert_eq!(refused.code, ErrorCode::RateLimited);
                let wait = refused.details["retryAfterMs"].as_u64().unwrap();
                assert!((1..=1_000 / u64::from(DATA_PER_SECOND) + 1).contains(&wait), "{wait}");
            }
        }
        // Each second one of her devices leaves and comes back, every other time both.
        if tick % 20 == 19 {
            let leaving = &mut sessions[..1 + tick / 20 % 2];
            for session in leaving.iter().copied() {
                let leave = Command::Leave { session, reason: LeaveReason::Left, attachment: None };
                world.command(&room, leave).unwrap();
            }
            leaving.fill_with(|| join(&mut world));
        }
        world.advance(Duration::from_millis(50));
    }
    let heard = world.heard_by(onlooker).into_iter().filter_map(data).count();
    let allowed = usize::try_from(DATA_BURST + 10 * DATA_PER_SECOND).unwrap();
    assert!((allowed - 1..=allowed).contains(&heard), "{heard} of {allowed}");
    // Nobody else has the less for it.
    send(&mut world, &room, onlooker, "well", None).unwrap();
}
