//! The queue for video slots, from its commands to what each session hears of it.

use railgun_peer::{Offer, World};
use railgun_protocol::ids::{SessionId, TransportId, UserId};
use railgun_protocol::media_rpc::{Address, Command, Event, Grant, LeaveReason, Reply, Slot, SlotState};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::signal::{ErrorBody, ErrorCode, GrantReason, Source, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection::Send;
use std::time::Duration;

const HOLD: Duration = Duration::from_secs(30);

struct Room {
    world: World,
    address: Address,
    offers: u32,
}

impl Room {
    /// A room of Pro users in which so many may send video.
    fn new(max: u16, people: u128) -> (Self, Vec<SessionId>) {
        let mut room = Self { world: World::new(3), address: World::room("queue"), offers: 0 };
        let limits = RoomLimits { participants: 25, video_publishers: max };
        let people = (1..=people).map(|number| {
            let mut request = World::join_request(number, Tier::Pro);
            request.limits = limits;
            room.world.join_with(&room.address, request)
        });
        let people = people.collect();
        (room, people)
    }

    fn ask(&mut self, session: SessionId, source: VideoSource) -> Result<SlotState, ErrorBody> {
        match self.world.command(&self.address, Command::RequestSlot { session, source })? {
            Reply::Slot(state) => Ok(state),
            other => panic!("not the reply: {other:?}"),
        }
    }

    fn slot(&mut self, session: SessionId) -> Slot {
        self.ask(session, VideoSource::Camera).unwrap().slot
    }

    fn release(&mut self, session: SessionId, source: VideoSource) -> Result<Reply, ErrorBody> {
        self.world.command(&self.address, Command::ReleaseSlot { session, source })
    }

    fn open(&mut self, session: SessionId) -> TransportId {
        self.world.open(&self.address, session, Send)
    }

    fn produce(
        &mut self,
        session: SessionId,
        over: TransportId,
        source: Source,
    ) -> Result<railgun_protocol::ids::ProducerId, ErrorBody> {
        self.offers += 1;
        self.world.produce_on(&self.address, session, over, &Offer::new(source, self.offers))
    }

    /// What the session heard of slots since the last call for anybody.
    fn news(&mut self, sessions: &[SessionId]) -> Vec<Vec<Event>> {
        let about_slots =
            |event: &&Event| matches!(event, Event::VideoQueue { .. } | Event::VideoGranted { .. });
        let heard = |session: &SessionId| {
            self.world.heard_by(*session).into_iter().filter(about_slots).cloned().collect()
        };
        let news = sessions.iter().map(heard).collect();
        self.world.events.clear();
        news
    }
}

fn moved(position: u16) -> Event {
    Event::VideoQueue { source: VideoSource::Camera, position, current: 1, max: 1 }
}

fn granted() -> Event {
    Event::VideoGranted { source: VideoSource::Camera, hold: HOLD }
}

#[test]
fn the_head_of_the_queue_is_granted_at_once_and_loses_it_after_thirty_seconds() {
    let (mut room, people) = Room::new(1, 4);
    let transport = room.open(people[0]);
    let camera = room.produce(people[0], transport, Source::Camera).expect("a free slot needs no request");
    assert_eq!(room.slot(people[0]), Slot::Used);
    for (place, position) in [(1, 1), (2, 2), (3, 3), (1, 1), (3, 3)] {
        assert_eq!(room.slot(people[place]), Slot::Waiting(position));
    }
    assert!(room.news(&people).iter().all(Vec::is_empty), "the replies said it all");

    let close = Command::CloseProducer { session: people[0], producer: camera };
    room.world.command(&room.address, close).unwrap();
    assert_eq!(room.news(&people), [vec![], vec![granted()], vec![moved(1)], vec![moved(2)]]);
    let state = room.ask(people[1], VideoSource::Camera).unwrap();
    assert_eq!(state, SlotState { slot: Slot::Held(HOLD), current: 1, max: 1 });

    room.world.advance(HOLD - Duration::from_millis(1));
    assert!(room.news(&people).iter().all(Vec::is_empty));
    room.world.advance(Duration::from_millis(1));
    assert_eq!(room.news(&people), [vec![], vec![], vec![granted()], vec![moved(1)]]);

    let transport = room.open(people[1]);
    let refused = room.produce(people[1], transport, Source::Camera).unwrap_err();
    assert_eq!(refused.code, ErrorCode::VideoLimitReached, "it lost its turn");
    assert_eq!((&refused.details["current"], &refused.details["max"]), (&1.into(), &1.into()));
    assert_eq!(room.slot(people[1]), Slot::Waiting(2), "and a refused produce queued nobody");
    let transport = room.open(people[2]);
    room.produce(people[2], transport, Source::Camera).expect("its turn");
    room.world.advance(10 * HOLD);
    assert_eq!(room.slot(people[2]), Slot::Used);
    assert!(room.news(&people).iter().all(Vec::is_empty));
}

#[test]
fn who_leaves_is_kicked_loses_pro_or_gives_it_back_is_out_of_the_queue() {
    let (mut room, people) = Room::new(1, 6);
    for session in &people {
        room.slot(*session);
    }
    let free = Grant { permissions: Permissions::of(Tier::Free), video_until: None, relay_only: false };
    room.release(people[1], VideoSource::Camera).unwrap();
    room.release(people[1], VideoSource::Camera).expect("giving back what one has not is nothing");
    for command in [
        Command::Leave { session: people[2], reason: LeaveReason::Left, attachment: None },
        Command::Kick { session: people[3], reason: "admin".into(), banned_for: None },
        Command::SetGrant { session: people[4], grant: free, reason: GrantReason::Revoked },
    ] {
        room.world.command(&room.address, command).unwrap();
    }
    assert_eq!(room.news(&people[5..]), [vec![moved(4), moved(3), moved(2), moved(1)]]);
    assert_eq!(room.slot(people[1]), Slot::Waiting(2), "coming back starts at the end");
    let leave = Command::Leave { session: people[0], reason: LeaveReason::Lost, attachment: None };
    room.world.command(&room.address, leave).unwrap();
    assert_eq!(room.news(&[people[5], people[1]]), [vec![granted()], vec![moved(1)]]);
}

#[test]
fn only_who_may_send_a_source_may_ask_for_its_slot() {
    let (mut room, _) = Room::new(4, 0);
    let free = room.world.join(&room.address.clone(), 9, Tier::Free);
    for (source, capability) in
        [(VideoSource::Camera, "VIDEO_CALLING"), (VideoSource::Screen, "SCREEN_SHARE")]
    {
        let refused = room.ask(free, source).unwrap_err();
        assert_eq!(refused.code, ErrorCode::CapabilityRequired);
        assert_eq!(refused.details["capability"], capability);
    }
}

#[test]
fn a_live_slot_is_freed_by_closing_its_producer() {
    let (mut room, people) = Room::new(1, 1);
    let transport = room.open(people[0]);
    room.produce(people[0], transport, Source::Screen).unwrap();
    assert_eq!(room.release(people[0], VideoSource::Screen).unwrap_err().code, ErrorCode::InvalidState);
    assert_eq!(room.ask(people[0], VideoSource::Screen).unwrap().slot, Slot::Used);
}

#[test]
fn a_user_has_one_camera_and_one_screen_whichever_device() {
    let (mut room, _) = Room::new(4, 0);
    let devices: Vec<SessionId> = (1..=2)
        .map(|number| {
            let mut request = World::join_request(number, Tier::Pro);
            request.user = UserId::new("one-user").unwrap();
            room.world.join_with(&room.address, request)
        })
        .collect();
    assert_eq!(room.slot(devices[0]), Slot::Held(HOLD));
    let other = room.open(devices[1]);
    let refused = room.ask(devices[1], VideoSource::Camera).unwrap_err();
    assert_eq!(refused.code, ErrorCode::InvalidState);
    assert_eq!(room.produce(devices[1], other, Source::Camera).unwrap_err().code, ErrorCode::InvalidState);
    room.produce(devices[1], other, Source::Screen).expect("a screen is another source");
    room.release(devices[0], VideoSource::Camera).unwrap();
    room.produce(devices[1], other, Source::Camera).expect("the other device gave it up");
    assert_eq!(room.ask(devices[0], VideoSource::Camera).unwrap_err().code, ErrorCode::InvalidState);
}

#[test]
fn a_limit_that_shrinks_evicts_nobody_and_one_that_grows_grants_at_once() {
    let (mut room, people) = Room::new(2, 3);
    for session in &people[..2] {
        let transport = room.open(*session);
        room.produce(*session, transport, Source::Camera).unwrap();
    }
    let limits = |video_publishers| RoomLimits { participants: 1, video_publishers };
    room.world.command(&room.address, Command::SetLimits { limits: limits(1) }).unwrap();
    assert_eq!(room.slot(people[0]), Slot::Used);
    assert_eq!(room.slot(people[1]), Slot::Used);
    assert_eq!(room.slot(people[2]), Slot::Waiting(1));
    room.news(&people);
    room.world.command(&room.address, Command::SetLimits { limits: limits(3) }).unwrap();
    assert_eq!(room.news(&people[2..]), [vec![granted()]]);
}
