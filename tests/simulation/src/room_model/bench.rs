//! An engine, its model, and what is done to both.

use super::model::{PEOPLE_MAX, Room, VIDEOS_MAX};
use super::told::Told;
use crate::kernel::Nanos;
use crate::told::broken;
use railgun_media_core::testing::census;
use railgun_media_core::{Engine, EngineConfig, Notice};
use railgun_peer::{Offer, World};
use railgun_protocol::ids::{ChannelId, ConsumerId, DeviceId, ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::media_rpc::{
    Address, Command, Grant, JoinRequest, LeaveReason, Reply, ResumeRequest, Rights, TokenDigest,
};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::signal::{ErrorBody, ErrorCode, GrantReason, Source, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

const MODEL: &str =
    "A room does what the contract says, whatever comes in whichever order (contract, 2 to 5)";
/// Sessions that come and go; two of a user.
const SESSIONS: u128 = 7;
pub(super) const CHANNELS: [&str; 2] = ["model-a", "model-b"];

pub(super) type Answer = Result<Reply, ErrorBody>;

pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) now: Instant,
    pub(super) wall: SystemTime,
    pub(super) tag: u64,
    pub(super) rooms: BTreeMap<&'static str, Room>,
    pub(super) told: Told,
    pub(super) rng: ChaCha12Rng,
    pub(super) next_offer: u32,
    pub(super) next_token: u8,
    /// Ids that there were, for those who try what is not theirs.
    pub(super) transports: Vec<TransportId>,
    pub(super) producers: Vec<ProducerId>,
    pub(super) consumers: Vec<ConsumerId>,
}

/// An answer that the model does not have.
pub(super) fn differs(asked: &Command, answer: &Answer, wanted: &str) {
    broken(MODEL, || format!("{asked:?}: {answer:?}, where the model has {wanted}"));
}

impl Bench {
    pub(super) fn new(mut config: EngineConfig, seed: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed ^ 0x0de1);
        rng.fill(&mut config.seed);
        let (now, wall) = config.started;
        Self {
            engine: Engine::new(config),
            now,
            wall,
            tag: 0,
            rooms: BTreeMap::new(),
            told: Told::default(),
            rng,
            next_offer: 1,
            next_token: 1,
            transports: Vec::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
        }
    }

    /// Does something, and has the model do it.
    pub(super) fn step(&mut self) -> String {
        let kind = self.rng.random_range(0..100);
        if kind < 12 {
            let millis: Nanos = if self.rng.random_range(0..6) == 0 { 31_000 } else { 900 };
            let by = self.rng.random_range(0..millis);
            self.advance(Duration::from_millis(by));
            return "time passed".into();
        }
        let channel = CHANNELS[usize::from(self.rng.random_range(0..4) == 0)];
        let place = u128::from(channel == CHANNELS[1]) * 1000;
        let session = SessionId::from_bits(place + self.rng.random_range(1..=SESSIONS));
        let command = self.command(kind, channel, session);
        let address = self.address(channel, kind);
        self.carry_out(channel, &address, session, command)
    }

    pub(super) fn carry_out(
        &mut self,
        channel: &'static str,
        address: &Address,
        session: SessionId,
        command: Command,
    ) -> String {
        self.rooms.entry(channel).or_default().settle(self.now);
        let answer = self.ask(address, command.clone());
        self.judge(channel, address, session, &command, &answer);
        self.rooms.entry(channel).or_default().settle(self.now);
        format!("{command:?} in {address:?}: {answer:?}")
    }

    /// Mostly the room's epoch; now and then one before it, or the next one.
    fn address(&mut self, channel: &'static str, kind: u32) -> Address {
        let (first, last) = self.rooms.get(channel).map_or((5, 5), Room::next_epochs);
        let epoch = match self.rng.random_range(0..30) {
            0 => first - 1,
            1 => last - 1,
            2 if kind < 30 => last + 1,
            3 => first,
            _ => last,
        };
        Address { channel: ChannelId::new(channel).expect("a name"), epoch }
    }

    pub(super) fn user(session: SessionId) -> u64 {
        u64::try_from(session.to_bits() % 100).unwrap_or_default() / 2
    }

    fn pick<T: Copy>(&mut self, all: Vec<T>, others: &[T], none: T) -> T {
        let from = if all.is_empty() || self.rng.random_range(0..4) == 0 { others.to_vec() } else { all };
        if from.is_empty() { none } else { from[self.rng.random_range(0..from.len())] }
    }

    fn command(&mut self, kind: u32, channel: &'static str, session: SessionId) -> Command {
        let seat = self.rooms.entry(channel).or_default().seat(session).cloned().unwrap_or_default();
        let (producers, consumers, transports) =
            (self.producers.clone(), self.consumers.clone(), self.transports.clone());
        let own: Vec<_> = seat.producers.keys().copied().collect();
        let producer = self.pick(own, &producers, ProducerId::from_bits(1));
        let own: Vec<_> = seat.consumers.keys().copied().collect();
        let consumer = self.pick(own, &consumers, ConsumerId::from_bits(1));
        let source = [VideoSource::Camera, VideoSource::Screen][self.rng.random_range(0..2)];
        match kind {
            12..30 => {
                self.next_token = self.next_token.wrapping_add(1);
                let device = self.rng.random_range(0..2);
                Command::Join(Box::new(JoinRequest {
                    session,
                    user: UserId::new(format!("u{}", Self::user(session))).expect("a name"),
                    device: (device > 0).then(|| DeviceId::new(format!("d{device}")).expect("a name")),
                    grant: self.grant(),
                    limits: limits(),
                    resume: Some(TokenDigest([self.next_token; 32])),
                    ..World::join_request(0, Tier::Pro)
                }))
            }
            30..36 => Command::Leave { session, reason: LeaveReason::Left, attachment: None },
            36..50 => {
                let direction =
                    [TransportDirection::Send, TransportDirection::Recv][self.rng.random_range(0..2)];
                Command::CreateTransport { session, direction }
            }
            50..62 => {
                let own: Vec<_> = seat.send.into_iter().collect();
                let transport = self.pick(own, &transports, TransportId::from_bits(1));
                let source = [Source::Mic, Source::Camera, Source::Screen][self.rng.random_range(0..3)];
                self.next_offer += 1;
                let mut rtp_parameters = Box::new(Offer::new(source, self.next_offer).parameters);
                // Now and then with a MID that the transport had before.
                if !seat.mids.is_empty() && self.rng.random_range(0..3) == 0 {
                    let place = self.rng.random_range(0..seat.mids.len());
                    rtp_parameters.mid = seat.mids.iter().nth(place).cloned();
                }
                Command::Produce { session, transport, kind: source.kind(), source, rtp_parameters }
            }
            62..65 => Command::PauseProducer { session, producer },
            65..68 => Command::ResumeProducer { session, producer },
            68..73 => Command::CloseProducer { session, producer },
            73..80 => {
                let producer = self.pick(producers.clone(), &producers, ProducerId::from_bits(1));
                Command::Consume { session, transport: None, producer, rtp_capabilities: None }
            }
            80..83 => Command::PauseConsumer { session, consumer },
            83..86 => Command::ResumeConsumer { session, consumer },
            86..92 => Command::RequestSlot { session, source },
            92..94 => Command::ReleaseSlot { session, source },
            94..97 => {
                let token = match self.rng.random_range(0..3) {
                    0 => seat.token,
                    1 => seat.next_token.unwrap_or(seat.token),
                    _ => seat.token.wrapping_sub(1),
                };
                self.next_token = self.next_token.wrapping_add(1);
                let rights = Rights { grant: self.grant(), limits: limits() };
                Command::Resume(Box::new(ResumeRequest {
                    session,
                    user: UserId::new(format!("u{}", Self::user(session))).expect("a name"),
                    device: seat.device.map(|it| DeviceId::new(format!("d{it}")).expect("a name")),
                    token: TokenDigest([token; 32]),
                    next_token: TokenDigest([self.next_token; 32]),
                    rights: self.rng.random::<bool>().then_some(rights),
                }))
            }
            _ => Command::SetGrant { session, grant: self.grant(), reason: GrantReason::Refreshed },
        }
    }

    fn grant(&mut self) -> Grant {
        let tier = if self.rng.random_range(0..4) == 0 { Tier::Free } else { Tier::Pro };
        let ends = self.rng.random_range(0..3) == 0;
        let video_until = (ends && tier == Tier::Pro)
            .then(|| self.wall + Duration::from_millis(self.rng.random_range(500..20_000)));
        Grant { permissions: Permissions::of(tier), video_until, relay_only: false }
    }

    pub(super) fn ask(&mut self, address: &Address, command: Command) -> Answer {
        self.tag += 1;
        let session = command.session();
        self.engine.handle_command(self.tag, address, command, self.now, self.wall);
        let mut answer = None;
        while let Some(notice) = self.engine.poll_notice() {
            match notice {
                Notice::Reply { reply, .. } => {
                    if let (Some(session), Ok(reply)) = (session, &reply) {
                        self.told.reply(session, &address.channel, reply);
                    }
                    answer = Some(reply);
                }
                Notice::Event(event) => self.told.event(&event),
                Notice::MediaStarted(_) => {}
            }
        }
        answer.unwrap_or_else(|| Err(ErrorBody::new(ErrorCode::Internal, "no answer")))
    }

    fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.at(due.max(self.now));
            self.engine.handle_timeout(self.now);
            while let Some(Notice::Event(event)) = self.engine.poll_notice() {
                self.told.event(&event);
            }
            self.rooms.values_mut().for_each(|room| room.settle(self.now));
        }
        self.at(until);
    }

    fn at(&mut self, now: Instant) {
        self.wall += now.saturating_duration_since(self.now);
        self.now = now;
    }

    pub(super) fn compare(&mut self, what: &str) {
        if let Some(how) = self.told.broken.take() {
            broken(MODEL, || format!("{how}, after {what}"));
        }
        let census = census(&self.engine, self.now);
        for (rule, how) in &census.broken {
            broken(rule, || format!("{how}, after {what}"));
        }
        for (channel, room) in &self.rooms {
            let there = census.rooms.iter().find(|it| it.address.channel.as_str() == *channel);
            let sessions: Vec<SessionId> = room.seats.iter().map(|(id, _)| *id).collect();
            let mut taken: Vec<_> =
                room.live.iter().copied().chain(room.grants.iter().map(|(claim, _)| *claim)).collect();
            taken.sort_unstable();
            let model = (sessions.clone(), room.queue.clone(), taken);
            let engine = there.map_or_else(Default::default, |it| {
                let mut taken = it.taken.clone();
                taken.sort_unstable();
                (it.sessions.clone(), it.waiting.clone(), taken)
            });
            if model != engine {
                broken(MODEL, || {
                    format!("{channel}: {engine:?}, where the model has {model:?}, after {what}")
                });
            }
            for session in sessions {
                if let Some(how) = self.told.differs(session, room) {
                    broken(MODEL, || format!("{session} in {channel}: {how}, after {what}"));
                }
            }
        }
    }
}

pub(super) fn limits() -> RoomLimits {
    RoomLimits {
        participants: u16::try_from(PEOPLE_MAX).unwrap_or_default(),
        video_publishers: u16::try_from(VIDEOS_MAX).unwrap_or_default(),
    }
}
