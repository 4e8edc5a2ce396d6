//! What one user makes the others ask for, and what a room shows of it, are limited: by user, over all
//! devices and joins, and not by session. What is refused is `RATE_LIMITED` with the time to wait; pausing
//! and closing never are.

use railgun_peer::{Offer, World};
use railgun_protocol::ids::{ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::limits::{
    FOLLOW_UPS_BURST, FOLLOW_UPS_PER_PRODUCER, FOLLOW_UPS_PER_RESUME, FOLLOW_UPS_PER_SECOND,
    PARTICIPANTS_PRO, REQUESTS_PER_SECOND, STATES_BURST, STATES_PER_SECOND,
};
use railgun_protocol::media_rpc::{Address, Command, Event, JoinRequest, LeaveReason};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{ErrorBody, ErrorCode, Source, StateUpdate, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection::Send;
use std::time::Duration;

struct Member {
    session: SessionId,
    transport: TransportId,
    producer: Option<ProducerId>,
}

struct Churn {
    world: World,
    room: Address,
    offers: u32,
    sessions: u128,
}

impl Churn {
    /// A room with somebody in it who looks on.
    fn new(seed: u8) -> Self {
        let (mut world, room) = (World::new(seed), World::room("churn"));
        world.join(&room, 1, Tier::Pro);
        Self { world, room, offers: 0, sessions: 1 }
    }

    fn join(&mut self, user: &str) -> Member {
        self.sessions += 1;
        let user = UserId::new(user).unwrap();
        let request = JoinRequest { user, ..World::join_request(self.sessions, Tier::Pro) };
        let session = self.world.join_with(&self.room, request);
        let transport = self.world.open(&self.room, session, Send);
        Member { session, transport, producer: None }
    }

    fn leave(&mut self, member: &Member) {
        let leave = Command::Leave { session: member.session, reason: LeaveReason::Left, attachment: None };
        self.world.command(&self.room, leave).unwrap();
    }

    fn produce(&mut self, member: &mut Member) -> Result<(), ErrorBody> {
        self.offers += 1;
        let offer = Offer::new(Source::Mic, self.offers);
        let made = self.world.produce_on(&self.room, member.session, member.transport, &offer)?;
        member.producer = Some(made);
        Ok(())
    }

    fn close(&mut self, member: &mut Member) {
        let Some(producer) = member.producer.take() else { return };
        let close = Command::CloseProducer { session: member.session, producer };
        self.world.command(&self.room, close).expect("closing is free");
    }

    /// Produces and closes twenty times a second, for so long; how often it was allowed.
    fn churn(&mut self, member: &mut Member, seconds: u32) -> u32 {
        let mut made = 0;
        for _ in 0..seconds * 20 {
            match self.produce(member) {
                Ok(()) => made += 1,
                Err(refused) => {
                    assert_eq!(refused.code, ErrorCode::RateLimited);
                    let wait = refused.details["retryAfterMs"].as_u64().unwrap();
                    assert!((1..=2_001).contains(&wait), "{wait}");
                }
            }
            self.close(member);
            self.world.advance(Duration::from_millis(50));
        }
        made
    }

    fn count(&self, is_counted: impl Fn(&Event) -> bool) -> u32 {
        let onlooker = SessionId::from_bits(1);
        u32::try_from(self.world.heard_by(onlooker).into_iter().filter(|event| is_counted(event)).count())
            .unwrap()
    }
}

fn allowed(seconds: u32) -> u32 {
    (FOLLOW_UPS_BURST + seconds * FOLLOW_UPS_PER_SECOND) / FOLLOW_UPS_PER_PRODUCER
}

#[test]
fn producing_and_closing_without_end_is_not_followed() {
    let mut churn = Churn::new(71);
    let mut member = churn.join("eve");
    let made = churn.churn(&mut member, 30);
    assert!((allowed(29)..=allowed(30)).contains(&made), "{made}");
    assert_eq!(churn.count(|event| matches!(event, Event::NewProducer { .. })), made);
    // Somebody else is not the less for it.
    let mut other = churn.join("ada");
    churn.produce(&mut other).unwrap();
    // When she waits as she is told, she may go on.
    churn.close(&mut member);
    let refused = loop {
        match churn.produce(&mut member) {
            Ok(()) => churn.close(&mut member),
            Err(refused) => break refused,
        }
    };
    let wait = Duration::from_millis(refused.details["retryAfterMs"].as_u64().unwrap());
    churn.world.advance(wait - Duration::from_millis(2));
    assert!(churn.produce(&mut member).is_err());
    churn.world.advance(Duration::from_millis(2));
    churn.produce(&mut member).unwrap();
}

#[test]
fn a_full_room_of_them_leaves_everybody_able_to_follow() {
    let mut churn = Churn::new(72);
    let mut members: Vec<Member> = (2..=PARTICIPANTS_PRO).map(|n| churn.join(&format!("user-{n}"))).collect();
    let mut second = |churn: &mut Churn| {
        let before = churn.count(|event| matches!(event, Event::NewProducer { .. }));
        for _ in 0..10 {
            for member in &mut members {
                _ = churn.produce(member);
                churn.close(member);
            }
            churn.world.advance(Duration::from_millis(100));
        }
        churn.count(|event| matches!(event, Event::NewProducer { .. })) - before
    };
    // Until nobody has any burst left.
    (0..2).for_each(|_| _ = second(&mut churn));
    let made: u32 = (0..20).map(|_| second(&mut churn)).sum();
    assert!(made * FOLLOW_UPS_PER_PRODUCER <= 20 * REQUESTS_PER_SECOND, "{made} in 20 s");
    assert!(made >= 20 * 24 * FOLLOW_UPS_PER_SECOND / FOLLOW_UPS_PER_PRODUCER - 24, "{made} in 20 s");
}

#[test]
fn another_device_or_another_join_gives_nothing_new() {
    let mut churn = Churn::new(73);
    let (mut phone, mut laptop) = (churn.join("eve"), churn.join("eve"));
    let mut made = 0;
    for second in 0..20 {
        made += churn.churn(&mut phone, 1);
        made += churn.churn(&mut laptop, 1);
        if second % 5 == 4 {
            churn.leave(&phone);
            churn.leave(&laptop);
            (phone, laptop) = (churn.join("eve"), churn.join("eve"));
        }
    }
    assert!(made <= allowed(40), "{made} in 40 s");
    // After a while in which she did nothing she is like anybody.
    churn.leave(&phone);
    churn.leave(&laptop);
    churn.world.advance(Duration::from_secs(20));
    let mut phone = churn.join("eve");
    let made = churn.churn(&mut phone, 1);
    assert!((allowed(0)..=allowed(1)).contains(&made), "{made}");
}

#[test]
fn whoever_wants_to_be_silent_is_and_resuming_is_limited() {
    let mut churn = Churn::new(74);
    let mut member = churn.join("eve");
    churn.produce(&mut member).unwrap();
    let (session, producer) = (member.session, member.producer.unwrap());
    let (mut resumed, mut refused) = (0, 0);
    for _ in 0..200 {
        let pause = Command::PauseProducer { session, producer };
        churn.world.command(&churn.room, pause).expect("pausing is free");
        match churn.world.command(&churn.room, Command::ResumeProducer { session, producer }) {
            Ok(_) => resumed += 1,
            Err(error) => {
                assert_eq!(error.code, ErrorCode::RateLimited);
                refused += 1;
            }
        }
        churn.world.advance(Duration::from_millis(50));
    }
    let left = FOLLOW_UPS_BURST + 10 * FOLLOW_UPS_PER_SECOND - FOLLOW_UPS_PER_PRODUCER;
    assert!(
        (left / FOLLOW_UPS_PER_RESUME - 1..=left / FOLLOW_UPS_PER_RESUME).contains(&resumed),
        "{resumed}"
    );
    assert_eq!(resumed + refused, 200);
    // One that runs is resumed for nothing.
    churn.world.advance(Duration::from_secs(2));
    churn.world.command(&churn.room, Command::ResumeProducer { session, producer }).unwrap();
    (0..50).for_each(|_| {
        churn.world.command(&churn.room, Command::ResumeProducer { session, producer }).unwrap();
    });
}

#[test]
fn states_and_places_in_the_queue_are_told_four_times_a_second() {
    let mut churn = Churn::new(75);
    let member = churn.join("eve");
    let session = member.session;
    let mut refused = 0;
    for n in 0..1_000 {
        let update = StateUpdate { muted: None, deafened: None, speaking: Some(n % 2 == 0) };
        match churn.world.command(&churn.room, Command::UpdateState { session, update }) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.code, ErrorCode::RateLimited);
                assert!(error.details["retryAfterMs"].as_u64().unwrap() <= 251);
                refused += 1;
            }
        }
        churn.world.advance(Duration::from_millis(10));
    }
    let told = churn.count(|event| matches!(event, Event::ParticipantState { .. }));
    assert!(told <= STATES_BURST + 10 * STATES_PER_SECOND, "{told}");
    assert!(told >= 10 * STATES_PER_SECOND && refused > 100, "{told} told, {refused} refused");

    let mut taken = 0;
    for _ in 0..1_000 {
        let source = VideoSource::Camera;
        if churn.world.command(&churn.room, Command::RequestSlot { session, source }).is_ok() {
            taken += 1;
            // Asking again keeps the place, and is nothing to anybody.
            churn.world.command(&churn.room, Command::RequestSlot { session, source }).unwrap();
        }
        churn.world.command(&churn.room, Command::ReleaseSlot { session, source }).unwrap();
        churn.world.advance(Duration::from_millis(10));
    }
    assert!(taken <= 1 + 10 * STATES_PER_SECOND, "{taken}");
}
