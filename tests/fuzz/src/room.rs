//! Commands to rooms in any order, with ids that are one's own, another's, closed or made up, against
//! a model that keeps what the replies said.

use crate::engine::{OFFERS, drain, engine, join_request, offer, wall};
use crate::input::Input;
use railgun_media_core::Engine;
use railgun_media_core::fuzzing::table_sizes;
use railgun_protocol::ids::{ChannelId, ConsumerId, ProducerId, SessionId, TransportId};
use railgun_protocol::media_rpc::{Address, Audience, Command, Event, LeaveReason, Reply, RoomEvent};
use railgun_protocol::signal::{ConsumerLayers, ErrorBody, ErrorCode, StateUpdate};
use railgun_protocol::transport_parameters::{DtlsFingerprint, DtlsParameters, DtlsRole, TransportDirection};
use std::collections::BTreeSet;
use std::time::Instant;

const CHANNELS: [&str; 2] = ["one", "two"];
const SESSIONS: u8 = 6;

/// Who has no right to an id is told that it is not there, and nothing changes; each command has one
/// reply, room sequences rise by one, the events tell the truth, and nothing is left in the end.
pub fn operations(data: &[u8]) {
    let mut input = Input::new(data);
    let mut model = Model {
        engine: engine(input.u8()),
        now: Instant::now(),
        epochs: [0; 2],
        sequences: [0; 2],
        announced: Default::default(),
        seats: Vec::new(),
        transports: Vec::new(),
        producers: Vec::new(),
        consumers: Vec::new(),
        tag: 0,
    };
    for _ in 0..64 {
        if input.is_empty() {
            break;
        }
        model.operation(&mut input);
        model.check_tables();
    }
    while let Some(seat) = model.seats.first().copied() {
        model.leave(seat);
    }
    model.check_tables();
    assert_eq!(model.engine.room_count(), 0);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seat {
    channel: usize,
    session: u8,
}

struct Owned<T> {
    seat: Seat,
    id: T,
}

struct Model {
    engine: Engine,
    now: Instant,
    /// 0: no room.
    epochs: [u64; 2],
    sequences: [u64; 2],
    announced: [BTreeSet<ProducerId>; 2],
    seats: Vec<Seat>,
    transports: Vec<(Owned<TransportId>, TransportDirection)>,
    producers: Vec<Owned<ProducerId>>,
    consumers: Vec<(Owned<ConsumerId>, ProducerId)>,
    tag: u64,
}

/// Sessions 0 and 3, 1 and 4, 2 and 5 are of one user and device each.
fn user_of(session: u8) -> u8 {
    session % 3
}

fn id_of(session: u8) -> SessionId {
    SessionId::from_bits(u128::from(session) + 1)
}

impl Model {
    fn address(&self, seat: Seat, epoch: u64) -> Address {
        Address { channel: ChannelId::new(CHANNELS[seat.channel]).expect("a name"), epoch }
    }

    /// Carries out a command in the seat's room of this epoch.
    fn command_in(&mut self, seat: Seat, epoch: u64, command: Command) -> Result<Reply, ErrorBody> {
        self.tag += 1;
        let address = self.address(seat, epoch);
        self.engine.handle_command(self.tag, &address, command, self.now, wall());
        let (reply, events) = drain(&mut self.engine, self.tag);
        self.engine.sends().clear();
        assert!(reply.is_ok() || events.is_empty() || epoch != self.epochs[seat.channel], "{events:?}");
        events.iter().for_each(|event| self.hear(event));
        reply
    }

    fn command(&mut self, seat: Seat, command: Command) -> Result<Reply, ErrorBody> {
        self.command_in(seat, self.epochs[seat.channel], command)
    }

    /// Folds an event, as every participant does.
    fn hear(&mut self, event: &RoomEvent) {
        let channel = CHANNELS.iter().position(|name| *name == event.channel.as_str()).expect("a channel");
        if !matches!(event.audience, Audience::Only(_)) {
            let before = std::mem::replace(&mut self.sequences[channel], event.room_seq);
            assert!(event.room_seq == before + 1 || event.room_seq == 1, "{before} then {event:?}");
        }
        let changed = match &event.event {
            Event::NewProducer { producer, .. } => self.announced[channel].insert(*producer),
            Event::ProducerClosed { producer, .. } => self.announced[channel].remove(producer),
            Event::RoomClosed => self.announced[channel].is_empty(),
            _ => true,
        };
        assert!(changed, "said twice, or too late: {event:?}");
    }

    fn operation(&mut self, input: &mut Input<'_>) {
        let (operation, who) = (input.u8(), input.u8());
        let seat = Seat { channel: usize::from(who >> 7), session: who % SESSIONS };
        let session = id_of(seat.session);
        match operation % 18 {
            0 | 1 => self.join(seat, input.u8()),
            2 => self.leave(seat),
            3 | 4 => self.create_transport(seat, input.flag()),
            5 => self.connect(seat, input),
            6 | 7 => self.produce(seat, input),
            8 | 9 => self.consume(seat, input),
            10 => self.close_producer(seat, input),
            11 => self.of_producer(seat, input, |producer| Command::PauseProducer { session, producer }),
            12 => self.of_producer(seat, input, |producer| Command::ResumeProducer { session, producer }),
            13 => self.of_consumer(seat, input, |consumer| Command::PauseConsumer { session, consumer }),
            14 => self.of_consumer(seat, input, |consumer| Command::ResumeConsumer { session, consumer }),
            15 => {
                let layers = ConsumerLayers { spatial_layer: input.u8(), temporal_layer: Some(input.u8()) };
                self.of_consumer(seat, input, |consumer| Command::SetPreferredLayers {
                    session,
                    consumer,
                    layers,
                });
            }
            16 => self.restart_ice(seat, input),
            _ => {
                let update =
                    StateUpdate { muted: Some(input.flag()), deafened: None, speaking: Some(input.flag()) };
                let reply = self.command(seat, Command::UpdateState { session, update });
                assert_eq!(reply.is_ok(), self.seats.contains(&seat));
            }
        }
    }

    fn join(&mut self, seat: Seat, how: u8) {
        let current = self.epochs[seat.channel];
        let epoch = match how & 7 {
            0 => current + 1,
            1 => current.saturating_sub(1),
            _ => current.max(1),
        };
        let participants = [2, 4, 8][usize::from(how >> 3) % 3];
        let request = join_request(id_of(seat.session), user_of(seat.session), participants);
        let reply = self.command_in(seat, epoch, Command::Join(Box::new(request)));
        if epoch < current {
            assert_eq!(reply.expect_err("an older epoch").code, ErrorCode::NodeUnavailable);
            return;
        }
        if epoch > current {
            let gone: Vec<Seat> =
                self.seats.iter().filter(|it| it.channel == seat.channel).copied().collect();
            gone.into_iter().for_each(|seat| self.forget(seat));
        }
        if reply.is_err() {
            return;
        }
        if !self.seats.contains(&seat) {
            let is_older =
                |it: &&Seat| it.channel == seat.channel && user_of(it.session) == user_of(seat.session);
            if let Some(older) = self.seats.iter().find(is_older).copied() {
                self.forget(older);
            }
            self.seats.push(seat);
        }
        self.epochs[seat.channel] = epoch;
        let members = self.seats.iter().filter(|it| it.channel == seat.channel).count();
        assert_eq!(self.engine.session_count(), self.seats.len());
        assert!(members <= 8);
    }

    fn leave(&mut self, seat: Seat) {
        let command =
            Command::Leave { session: id_of(seat.session), reason: LeaveReason::Left, attachment: None };
        let reply = self.command(seat, command);
        assert_eq!(reply.is_ok(), self.seats.contains(&seat));
        if reply.is_ok() {
            self.forget(seat);
        }
    }

    /// The seat is free, with all that it had.
    fn forget(&mut self, seat: Seat) {
        self.seats.retain(|it| *it != seat);
        let (gone, kept) = std::mem::take(&mut self.producers).into_iter().partition(|it| it.seat == seat);
        self.producers = kept;
        let gone: Vec<Owned<ProducerId>> = gone;
        self.consumers.retain(|(it, of)| it.seat != seat && gone.iter().all(|producer| producer.id != *of));
        self.transports.retain(|(it, _)| it.seat != seat);
        if self.seats.iter().all(|it| it.channel != seat.channel) {
            self.epochs[seat.channel] = 0;
        }
    }

    fn create_transport(&mut self, seat: Seat, send: bool) {
        let direction = if send { TransportDirection::Send } else { TransportDirection::Recv };
        let reply = self.command(seat, Command::CreateTransport { session: id_of(seat.session), direction });
        let Ok(Reply::TransportCreated { transport, .. }) = reply else { return };
        assert!(self.seats.contains(&seat));
        let known = self.transports.iter().find(|(it, of)| it.seat == seat && *of == direction);
        match known {
            Some((it, _)) => assert_eq!(it.id, transport, "a second transport"),
            None => self.transports.push((Owned { seat, id: transport }, direction)),
        }
    }

    /// Anybody's transport, or one that there is not.
    fn some_transport(&self, input: &mut Input<'_>) -> (TransportId, Option<Seat>) {
        let which = usize::from(input.u8());
        let some = self.transports.get(which % (self.transports.len() + 1));
        some.map_or((TransportId::from_bits(7), None), |(it, _)| (it.id, Some(it.seat)))
    }

    fn connect(&mut self, seat: Seat, input: &mut Input<'_>) {
        let (transport, owner) = self.some_transport(input);
        let value = input.choose(&["AB:CD", OFFERS.fingerprint]).to_owned();
        let fingerprints = vec![DtlsFingerprint { algorithm: "sha-256".into(), value }];
        let dtls = DtlsParameters { role: DtlsRole::Client, fingerprints };
        let reply =
            self.command(seat, Command::ConnectTransport { session: id_of(seat.session), transport, dtls });
        self.only_the_owner(&reply, seat, owner);
    }

    fn restart_ice(&mut self, seat: Seat, input: &mut Input<'_>) {
        let (transport, owner) = self.some_transport(input);
        let reply = self.command(seat, Command::RestartIce { session: id_of(seat.session), transport });
        self.only_the_owner(&reply, seat, owner);
        assert_eq!(reply.is_ok(), owner == Some(seat));
    }

    /// Absent and somebody else's have one answer.
    fn only_the_owner(&self, reply: &Result<Reply, ErrorBody>, seat: Seat, owner: Option<Seat>) {
        if owner != Some(seat) {
            assert_eq!(reply.as_ref().map_err(|error| error.code), Err(ErrorCode::NotFound));
        }
    }

    fn produce(&mut self, seat: Seat, input: &mut Input<'_>) {
        let (transport, owner) = self.some_transport(input);
        let offer = offer(input.u8());
        let command = Command::Produce {
            session: id_of(seat.session),
            transport,
            kind: offer.source.kind(),
            source: offer.source,
            rtp_parameters: Box::new(offer.parameters.clone()),
        };
        let reply = self.command(seat, command);
        self.only_the_owner(&reply, seat, owner);
        if let Ok(Reply::Produced { producer, .. }) = reply {
            self.producers.push(Owned { seat, id: producer });
        }
    }

    fn some_producer(&self, input: &mut Input<'_>) -> (ProducerId, Option<Seat>) {
        let which = usize::from(input.u8());
        let some = self.producers.get(which % (self.producers.len() + 1));
        some.map_or((ProducerId::from_bits(7), None), |it| (it.id, Some(it.seat)))
    }

    fn consume(&mut self, seat: Seat, input: &mut Input<'_>) {
        let (producer, owner) = self.some_producer(input);
        let transport = input.flag().then(|| self.some_transport(input).0);
        let session = id_of(seat.session);
        let command = Command::Consume { session, transport, producer, rtp_capabilities: None };
        let reply = self.command(seat, command);
        let Ok(Reply::Consumed(description)) = reply else { return };
        let owner = owner.expect("a producer that there is");
        assert!(owner.channel == seat.channel && owner != seat, "a producer of another room, or its own");
        assert_eq!(description.session, id_of(owner.session));
        self.consumers.retain(|(it, of)| it.seat != seat || *of != producer);
        self.consumers.push((Owned { seat, id: description.consumer }, producer));
    }

    fn of_producer(&mut self, seat: Seat, input: &mut Input<'_>, command: impl Fn(ProducerId) -> Command) {
        let (producer, owner) = self.some_producer(input);
        let reply = self.command(seat, command(producer));
        self.only_the_owner(&reply, seat, owner);
        assert_eq!(reply.is_ok(), owner == Some(seat));
    }

    fn close_producer(&mut self, seat: Seat, input: &mut Input<'_>) {
        let (producer, owner) = self.some_producer(input);
        let reply = self.command(seat, Command::CloseProducer { session: id_of(seat.session), producer });
        self.only_the_owner(&reply, seat, owner);
        if reply.is_ok() {
            self.producers.retain(|it| it.id != producer);
            self.consumers.retain(|(_, of)| *of != producer);
        }
    }

    fn of_consumer(&mut self, seat: Seat, input: &mut Input<'_>, command: impl Fn(ConsumerId) -> Command) {
        let which = usize::from(input.u8());
        let some = self.consumers.get(which % (self.consumers.len() + 1));
        let (consumer, owner) =
            some.map_or((ConsumerId::from_bits(7), None), |(it, _)| (it.id, Some(it.seat)));
        let reply = self.command(seat, command(consumer));
        self.only_the_owner(&reply, seat, owner);
        assert_eq!(reply.is_ok(), owner == Some(seat));
    }

    fn check_tables(&self) {
        let [transports, producers, consumers, ufrags, addresses] = table_sizes(&self.engine);
        assert_eq!(transports, self.transports.len());
        assert_eq!(producers, self.producers.len());
        assert_eq!(consumers, self.consumers.len());
        assert!((transports..=2 * transports).contains(&ufrags) && addresses == 0);
        assert_eq!(self.engine.session_count(), self.seats.len());
        for channel in 0..CHANNELS.len() {
            let here = self.producers.iter().filter(|it| it.seat.channel == channel);
            assert!(here.map(|it| it.id).collect::<BTreeSet<_>>() == self.announced[channel]);
        }
    }
}
