//! A million commands of sessions that try every id they ever heard of, in every room: none works on
//! what belongs to another session, and what is somebody else's is answered as what never was.

use railgun_peer::{Offer, World};
use railgun_protocol::ids::{ConsumerId, DeviceId, ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::media_rpc::{
    Address, Audience, Command, Event, JoinRequest, LeaveReason, Reply, ResumeRequest, Rights, TokenDigest,
};
use railgun_protocol::plan::{Permissions, Tier};
use railgun_protocol::signal::{
    ConsumerLayers, ErrorBody, ErrorCode, GrantReason, Source, StateUpdate, VideoSource,
};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsParameters, DtlsRole, TransportDirection};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::collections::BTreeMap;
use std::time::Duration;

const OPERATIONS: usize = 1_000_000;
const ROOMS: usize = 12;
const USERS: u128 = 40;
/// Ids of the past that are still tried.
const MEMORY: usize = 400;

/// What the replies said of a seat.
struct Member {
    room: usize,
    user: u128,
    device: Option<u8>,
    attachment: u32,
    token: u32,
    next_token: Option<u32>,
}

/// Everything of one kind: who owns what is alive, and ids of all times.
struct Things<K> {
    alive: BTreeMap<K, SessionId>,
    seen: Vec<K>,
}

impl<K: Copy + Ord> Things<K> {
    fn new() -> Self {
        Self { alive: BTreeMap::new(), seen: Vec::new() }
    }

    fn add(&mut self, id: K, owner: SessionId) {
        if self.alive.insert(id, owner).is_none() {
            self.seen.push(id);
            if self.seen.len() > MEMORY {
                self.seen.remove(0);
            }
        }
    }

    fn drop_all_of(&mut self, owner: SessionId) {
        self.alive.retain(|_, of| *of != owner);
    }

    /// An id to try: mostly one's own, else anybody's of any time.
    fn pick(&self, actor: SessionId, rng: &mut ChaCha12Rng) -> Option<K> {
        let own: Vec<K> = self.alive.iter().filter(|(_, of)| **of == actor).map(|(id, _)| *id).collect();
        let own = own.choose(rng).copied().filter(|_| rng.random_bool(0.5));
        own.or_else(|| self.seen.choose(rng).copied())
    }
}

struct Model {
    world: World,
    rng: ChaCha12Rng,
    rooms: Vec<Address>,
    members: BTreeMap<SessionId, Member>,
    transports: Things<TransportId>,
    producers: Things<ProducerId>,
    consumers: Things<ConsumerId>,
    sessions: u128,
    tokens: u32,
    offers: u32,
    done: BTreeMap<&'static str, u32>,
}

fn digest(token: u32) -> TokenDigest {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&token.to_be_bytes());
    TokenDigest(bytes)
}

fn device(number: u8) -> DeviceId {
    DeviceId::new(format!("device-{number}")).unwrap()
}

impl Model {
    fn new() -> Self {
        Self {
            world: World::new(61),
            rng: ChaCha12Rng::seed_from_u64(61),
            rooms: (0..ROOMS).map(|room| World::room(&format!("room-{room}"))).collect(),
            members: BTreeMap::new(),
            transports: Things::new(),
            producers: Things::new(),
            consumers: Things::new(),
            sessions: 0,
            tokens: 0,
            offers: 0,
            done: BTreeMap::new(),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.done.entry(what).or_default() += 1;
    }

    fn fresh_token(&mut self) -> u32 {
        self.tokens += 1;
        self.tokens
    }

    /// Carries out a command and believes what it and the events say.
    fn command(&mut self, room: usize, command: Command) -> Result<Reply, ErrorBody> {
        let address = self.rooms[room].clone();
        let confirms = !matches!(
            command,
            Command::Join(_)
                | Command::Resume(_)
                | Command::Leave { .. }
                | Command::Detach { .. }
                | Command::SetGrant { .. }
                | Command::Kick { .. }
                | Command::Mute { .. }
        );
        if let Some(member) = command.session().and_then(|session| self.members.get_mut(&session))
            && confirms
            && member.room == room
            && let Some(next) = member.next_token.take()
        {
            member.token = next;
        }
        let reply = self.world.command(&address, command);
        for event in std::mem::take(&mut self.world.events) {
            assert_eq!(event.channel, address.channel, "news of another room: {event:?}");
            self.believe(room, event.audience, event.event);
        }
        reply
    }

    fn believe(&mut self, room: usize, audience: Audience, event: Event) {
        if let Audience::Only(session) = audience {
            let member = self.members.get(&session);
            assert!(member.is_some_and(|it| it.room == room), "{event:?} to a stranger");
        }
        match event {
            Event::ProducerClosed { producer, session, .. } => {
                assert_eq!(self.producers.alive.remove(&producer), Some(session));
            }
            Event::ConsumerClosed { consumer, .. } => {
                let owner = self.consumers.alive.remove(&consumer);
                assert_eq!(owner.map(Audience::Only), Some(audience), "told to its owner");
            }
            Event::ParticipantLeft { session, .. } => {
                assert!(self.members.remove(&session).is_some());
                self.transports.drop_all_of(session);
                self.consumers.drop_all_of(session);
                assert!(!self.producers.alive.values().any(|of| *of == session), "all were told closed");
            }
            _ => {}
        }
    }

    fn join(&mut self) {
        self.sessions += 1;
        let (room, user) = (self.rng.random_range(0..ROOMS), self.rng.random_range(0..USERS));
        let device_number = self.rng.random_bool(0.5).then(|| self.rng.random_range(0..3));
        let token = self.fresh_token();
        let tier = if self.rng.random_bool(0.7) { Tier::Pro } else { Tier::Free };
        let request = JoinRequest {
            user: UserId::new(format!("user-{user}")).unwrap(),
            device: device_number.map(device),
            resume: Some(digest(token)),
            ..World::join_request(self.sessions, tier)
        };
        let session = request.session;
        // The newcomer first: the replaced one's leaving comes among the events of the join.
        let member = Member { room, user, device: device_number, attachment: 1, token, next_token: None };
        self.members.insert(session, member);
        match self.command(room, Command::Join(Box::new(request))) {
            Ok(Reply::Joined(_)) => self.count("joined"),
            refused => {
                self.members.remove(&session);
                assert_eq!(refused.unwrap_err().code, ErrorCode::ChannelFull);
            }
        }
    }

    fn resume(&mut self, actor: SessionId) {
        let (shown, next) = (self.rng.random_range(0..4), self.fresh_token());
        let Some(member) = self.members.get(&actor) else { return };
        let token = match shown {
            0 => member.token,
            1 => member.next_token.unwrap_or(member.token),
            2 => member.token.saturating_sub(1),
            _ => self.rng.random_range(0..=self.tokens),
        };
        let user = if self.rng.random_bool(0.8) { member.user } else { self.rng.random_range(0..USERS) };
        let with = if self.rng.random_bool(0.8) { member.device } else { Some(self.rng.random_range(0..3)) };
        let room = if self.rng.random_bool(0.9) { member.room } else { self.rng.random_range(0..ROOMS) };
        let right = (room, user, with) == (member.room, member.user, member.device)
            && (token == member.token || member.next_token == Some(token));
        let joined = World::join_request(0, Tier::Pro);
        let request = ResumeRequest {
            session: actor,
            user: UserId::new(format!("user-{user}")).unwrap(),
            device: with.map(device),
            token: digest(token),
            next_token: digest(next),
            rights: Some(Rights { grant: joined.grant, limits: joined.limits }),
        };
        let reply = self.command(room, Command::Resume(Box::new(request)));
        assert_eq!(reply.is_ok(), right, "{reply:?}");
        match reply {
            Ok(Reply::Resumed(_, own)) => {
                self.count("resumed");
                let producers = own.producers.iter().map(|it| self.producers.alive.get(&it.producer_id));
                let consumers = own.consumers.iter().map(|it| self.consumers.alive.get(&it.consumer_id));
                assert!(producers.chain(consumers).all(|owner| owner == Some(&actor)));
                let member = self.members.get_mut(&actor).unwrap();
                member.attachment += 1;
                (member.token, member.next_token) = (token, Some(next));
            }
            Err(refused) => assert_eq!(refused.code, ErrorCode::ResumeFailed),
            other => panic!("{other:?}"),
        }
    }

    /// A command on a thing: it works only for the thing's owner, and is answered to anybody else as
    /// if there were no such thing.
    fn on_thing<K: Copy + Ord>(
        &mut self,
        (actor, room): (SessionId, usize),
        things: impl Fn(&Self) -> &Things<K>,
        absent: impl Fn(u128) -> K,
        must_work: bool,
        make: impl Fn(K) -> Command,
    ) {
        let picked = {
            let mut rng = self.rng.clone();
            let picked = things(self).pick(actor, &mut rng);
            self.rng = rng;
            picked
        };
        let Some(id) = picked else { return };
        let is_here = self.members.get(&actor).is_some_and(|member| member.room == room);
        let is_own = is_here && things(self).alive.get(&id) == Some(&actor);
        let reply = self.command(room, make(id));
        if is_own {
            // Resumed too often within a minute, which is another test's subject.
            let is_too_often = reply.as_ref().is_err_and(|error| error.code == ErrorCode::RateLimited);
            assert!(!must_work || is_too_often || reply.is_ok(), "its own: {reply:?}");
            self.count("own");
        } else {
            let twin = absent(self.rng.random());
            let never_was = self.command(room, make(twin));
            assert_eq!(reply, never_was, "somebody else's shows");
            assert!(reply.is_err());
            self.count("foreign");
        }
    }

    fn produce(&mut self, actor: SessionId, room: usize) {
        let source = *Source::ALL.choose(&mut self.rng).unwrap();
        self.offers += 1;
        let offer = Offer::new(source, self.offers % 100_000);
        let Some(transport) = self.transports.pick(actor, &mut self.rng.clone()) else { return };
        let is_own = self.transports.alive.get(&transport) == Some(&actor);
        let produce = |transport| Command::Produce {
            session: actor,
            transport,
            kind: source.kind(),
            source,
            rtp_parameters: Box::new(offer.parameters.clone()),
        };
        match self.command(room, produce(transport)) {
            Ok(Reply::Produced { producer, .. }) => {
                assert!(is_own, "over somebody else's transport");
                self.producers.add(producer, actor);
                self.count("produced");
            }
            refused if !is_own => {
                let absent = TransportId::from_bits(self.rng.random());
                assert_eq!(self.command(room, produce(absent)), refused);
            }
            refused => assert_ne!(refused.unwrap_err().code, ErrorCode::Internal),
        }
    }

    fn consume(&mut self, actor: SessionId, room: usize) {
        let in_room = |it: &&SessionId| self.members.get(it).is_some_and(|member| member.room == room);
        let near = self.producers.alive.iter().filter(|(_, owner)| in_room(owner)).map(|(id, _)| *id);
        let near: Vec<ProducerId> = near.collect();
        let near = near.choose(&mut self.rng).copied().filter(|_| self.rng.random_bool(0.6));
        let producer = near.or_else(|| self.producers.seen.choose(&mut self.rng).copied());
        let Some(producer) = producer else { return };
        let owner = self.producers.alive.get(&producer);
        let is_here = owner.and_then(|owner| self.members.get(owner)).is_some_and(|it| it.room == room);
        let consume =
            |producer| Command::Consume { session: actor, transport: None, producer, rtp_capabilities: None };
        match self.command(room, consume(producer)) {
            Ok(Reply::Consumed(consumer)) => {
                assert!(is_here, "a producer of another room");
                self.consumers.add(consumer.consumer, actor);
                self.count("consumed");
            }
            refused if !is_here => {
                let absent = ProducerId::from_bits(self.rng.random());
                assert_eq!(self.command(room, consume(absent)), refused);
            }
            refused => assert_ne!(refused.unwrap_err().code, ErrorCode::Internal),
        }
    }

    fn open(&mut self, actor: SessionId, room: usize) {
        for direction in [TransportDirection::Send, TransportDirection::Recv] {
            let create = Command::CreateTransport { session: actor, direction };
            if let Ok(Reply::TransportCreated { transport, .. }) = self.command(room, create) {
                self.transports.add(transport, actor);
                let value = ["AB"; 32].join(":");
                let fingerprints = vec![DtlsFingerprint { algorithm: "sha-256".into(), value }];
                let dtls = DtlsParameters { role: DtlsRole::Client, fingerprints };
                let connect = Command::ConnectTransport { session: actor, transport, dtls };
                self.command(room, connect).expect("its own");
            }
        }
    }

    /// What the others may do to a session, and it to itself, with nothing to be named.
    fn on_session(&mut self, actor: SessionId, room: usize) {
        let session = actor;
        let source = *VideoSource::ALL.choose(&mut self.rng).unwrap();
        let tier = if self.rng.random_bool(0.7) { Tier::Pro } else { Tier::Free };
        let mut grant = World::join_request(0, tier).grant;
        grant.permissions = Permissions::of(tier);
        let attachment = self.rng.random_range(1..4);
        let is_here = self.members.get(&actor).is_some_and(|member| member.room == room);
        let command = match self.rng.random_range(0..9) {
            0 => Command::ReleaseSlot { session, source },
            1 => Command::Mute { session },
            2 => Command::SetGrant { session, grant, reason: GrantReason::Refreshed },
            3 => Command::Detach { session, attachment },
            4 => Command::ConfirmResume { session },
            5 => {
                let update = StateUpdate { muted: Some(self.rng.random()), deafened: None, speaking: None };
                Command::UpdateState { session, update }
            }
            _ => Command::RequestSlot { session, source },
        };
        let reply = self.command(room, command);
        assert!(is_here || reply == Err(not_found()), "{reply:?}");
    }

    fn go(&mut self, actor: SessionId, room: usize) {
        let attachment = self.rng.random_bool(0.5).then(|| self.rng.random_range(1..4));
        let member = self.members.get(&actor).filter(|member| member.room == room);
        let goes = member.is_some_and(|it| attachment.is_none_or(|attachment| attachment == it.attachment));
        let command = match self.rng.random_bool(0.3) {
            true => Command::Kick { session: actor, reason: "admin".into(), banned_for: None },
            false => Command::Leave { session: actor, reason: LeaveReason::Lost, attachment },
        };
        let goes = goes || (member.is_some() && matches!(command, Command::Kick { .. }));
        let was_there = self.members.contains_key(&actor);
        _ = self.command(room, command);
        assert_eq!(self.members.contains_key(&actor), was_there && !goes);
    }

    fn inspect(&mut self, room: usize) {
        let seated = |it: &Self| it.members.values().filter(|member| member.room == room).count();
        match self.command(room, Command::Inspect) {
            Ok(Reply::Inspected(snapshot)) => {
                assert_eq!(snapshot.participants.len(), seated(self));
                for participant in snapshot.participants {
                    let owner = participant.session_id;
                    let told = participant.producers.iter().map(|it| it.producer_id);
                    assert!(told.clone().all(|id| self.producers.alive.get(&id) == Some(&owner)));
                    let alive = self.producers.alive.values().filter(|of| **of == owner).count();
                    assert_eq!(told.count(), alive);
                }
            }
            refused => assert_eq!((refused.unwrap_err().code, seated(self)), (ErrorCode::NotFound, 0)),
        }
    }

    fn step(&mut self) {
        let people: Vec<SessionId> = self.members.keys().copied().collect();
        let Some(actor) = people.choose(&mut self.rng).copied() else { return self.join() };
        // Now and then somebody who was never seated, or in a room of others.
        let actor = if self.rng.random_bool(0.02) { SessionId::from_bits(self.rng.random()) } else { actor };
        let own = self.members.get(&actor).map(|member| member.room);
        let anywhere = self.rng.random_range(0..ROOMS);
        let room = own.filter(|_| self.rng.random_bool(0.93)).unwrap_or(anywhere);
        let at = (actor, room);
        let session = actor;
        match self.rng.random_range(0..1_000) {
            0..12 => self.join(),
            12..20 => self.go(actor, room),
            20..40 => self.open(actor, room),
            40..90 => self.produce(actor, room),
            90..160 => self.consume(actor, room),
            160..200 => self.resume(actor),
            200..205 => self.inspect(room),
            205..400 => self.on_session(actor, room),
            400..450 => self.on_thing(
                at,
                |it| &it.transports,
                TransportId::from_bits,
                false,
                |transport| Command::RestartIce { session, transport },
            ),
            450..560 => self.on_thing(
                at,
                |it| &it.producers,
                ProducerId::from_bits,
                true,
                |producer| Command::PauseProducer { session, producer },
            ),
            560..650 => self.on_thing(
                at,
                |it| &it.producers,
                ProducerId::from_bits,
                true,
                |producer| Command::ResumeProducer { session, producer },
            ),
            650..670 => self.close(at),
            670..780 => self.on_thing(
                at,
                |it| &it.consumers,
                ConsumerId::from_bits,
                true,
                |consumer| Command::ResumeConsumer { session, consumer },
            ),
            780..860 => self.on_thing(
                at,
                |it| &it.consumers,
                ConsumerId::from_bits,
                true,
                |consumer| Command::PauseConsumer { session, consumer },
            ),
            860..930 => self.on_thing(
                at,
                |it| &it.consumers,
                ConsumerId::from_bits,
                true,
                |consumer| Command::RequestKeyFrame { session, consumer },
            ),
            _ => self.on_thing(
                at,
                |it| &it.consumers,
                ConsumerId::from_bits,
                true,
                |consumer| {
                    let layers = ConsumerLayers { spatial_layer: 0, temporal_layer: Some(1) };
                    Command::SetPreferredLayers { session, consumer, layers }
                },
            ),
        }
    }

    /// Its owner is not told of a closing that it asked for, but answered.
    fn close(&mut self, (session, room): (SessionId, usize)) {
        self.on_thing(
            (session, room),
            |it| &it.producers,
            ProducerId::from_bits,
            true,
            |producer| Command::CloseProducer { session, producer },
        );
    }

    /// Lets time pass, in which grants and holds end.
    fn wait(&mut self) {
        self.world.advance(Duration::from_millis(500));
        for event in std::mem::take(&mut self.world.events) {
            let room = self.rooms.iter().position(|room| room.channel == event.channel).unwrap();
            self.believe(room, event.audience, event.event);
        }
    }
}

fn not_found() -> ErrorBody {
    ErrorBody::new(ErrorCode::NotFound, "no such object in this session")
}

#[test]
fn whatever_it_tries() {
    let mut model = Model::new();
    for operation in 0..OPERATIONS {
        model.step();
        if operation % 1_000 == 0 {
            model.wait();
        }
    }
    for (what, least) in [
        ("joined", 5_000),
        ("resumed", 3_000),
        ("produced", 3_000),
        ("consumed", 5_000),
        ("own", 50_000),
        ("foreign", 50_000),
    ] {
        let count = model.done.get(what).copied().unwrap_or_default();
        assert!(count > least, "{what}: {:?}", model.done);
    }
}
