use railgun_peer::World;
use railgun_protocol::ids::{DeviceId, SessionId, UserId};
use railgun_protocol::media_rpc::{Address, Command, Event, JoinRequest, is_room_moved};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::KickReason;

fn request(session: u128, device: Option<&str>) -> JoinRequest {
    let device = device.map(|device| DeviceId::new(device).unwrap());
    JoinRequest { user: UserId::new("ada").unwrap(), device, ..World::join_request(session, Tier::Free) }
}

fn left(world: &World) -> Vec<SessionId> {
    let left = world.events.iter().filter_map(|event| match event.event {
        Event::ParticipantLeft { session, .. } => Some(session),
        _ => None,
    });
    left.collect()
}

#[test]
fn of_the_same_user_and_device_and_nobody_elses() {
    let (mut world, room) = (World::new(90), World::room("lobby"));
    let older = world.join_with(&room, request(1, Some("laptop")));
    world.join_with(&room, request(2, Some("phone")));
    world.join_with(&room, request(3, None));
    world.join_with(&room, request(4, None));
    assert!(left(&world).is_empty(), "a device that is not named is another one each time");
    let newer = world.join_with(&room, request(5, Some("laptop")));
    assert_eq!(left(&world), [older]);
    let told = world.heard_by(older);
    assert!(
        told.iter()
            .any(|event| matches!(event, Event::Kicked { reason, .. } if *reason == KickReason::Replaced))
    );
    assert_eq!(world.engine.session_count(), 4);
    world.command(&room, Command::Mute { session: newer }).unwrap();
}

#[test]
fn and_a_join_of_an_epoch_that_is_over_takes_none() {
    let mut world = World::new(91);
    let at = |epoch| Address { epoch, ..World::room("lobby") };
    world.join_with(&at(7), request(1, Some("laptop")));
    let late = Command::Join(Box::new(request(2, Some("laptop"))));
    assert!(is_room_moved(&world.command(&at(6), late).unwrap_err()));
    assert!(left(&world).is_empty());
}
