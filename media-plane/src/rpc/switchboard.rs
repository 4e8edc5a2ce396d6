//! One task between the control streams and the workers. It alone knows who asked what, so replies
//! and events of a room reach each stream in the engine's order; it never waits for either side.
//!
//! A stream's end, or word of a lost socket, leaves sessions where they are. Of one that no stream takes
//! up within [`RESUME_WINDOW`] the engine hears each second, and ends it when its ICE consent does.
//! Time without any stream does not count: a node that lost its control-plane carries its calls on.

use super::gate::{JoinGate, RoomCheck};
use super::rooms::{RoomSummary, RoutingTable, Silent, StreamId};
use super::setups::Setups;
use super::watches::Watches;
use crate::health::WorkersState;
use crate::worker::{WorkerEvent, WorkerHandle, WorkerNotice};
use crate::worker_pool::WorkerPool;
use railgun_media_core::Notice;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::limits::RESUME_WINDOW;
use railgun_protocol::media_rpc::{
    Address, Audience, Command, Event, Replacement, Reply, RoomEvent, UserOrder, WorkerDied,
};
use railgun_protocol::signal::{ErrorBody, ErrorCode, RejoinReason};
use railgun_rpc::proto::NodeFrame;
use railgun_rpc::{encode_event, encode_reply, encode_worker_died};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tonic::Status;
use tracing::{debug, error, warn};

mod at_gate;
mod of_users;
mod of_watches;

const TICK: Duration = Duration::from_secs(1);
/// When whoever was refused for want of time may come back, in milliseconds.
const RETRY_AFTER_MS: std::ops::RangeInclusive<u64> = 500..=3000;
/// Control streams, one per replica of the control-plane.
const STREAMS_MAX: usize = 256;

pub(crate) type FrameSender = mpsc::Sender<Result<NodeFrame, Status>>;

/// What the streams tell the switchboard.
#[derive(Debug)]
pub(crate) enum Input {
    /// `alive` is dropped when the switchboard gives the stream up.
    Opened {
        stream: StreamId,
        /// Name of the replica at the other end.
        replica: Option<String>,
        frames: FrameSender,
        alive: oneshot::Sender<()>,
    },
    Command {
        stream: StreamId,
        request: u64,
        address: Address,
        command: Command,
        /// Of the trace that it belongs to; empty: none.
        traceparent: String,
    },
    /// A frame that could not be read; answered in its turn.
    Unreadable {
        stream: StreamId,
        request: u64,
        error: ErrorBody,
    },
    Ended {
        stream: StreamId,
    },
    /// Answered with the numbers of rooms and sessions.
    Population(oneshot::Sender<(usize, usize)>),
    /// Answered with the names of the replicas that have streams.
    Replicas(oneshot::Sender<Vec<String>>),
    /// Answered with every room.
    Rooms(oneshot::Sender<Vec<RoomSummary>>),
    /// Whether a room may be opened here; those who wait for it are let in or refused.
    Verified {
        address: Address,
        verdict: RoomCheck,
    },
    /// The channel's room is this node's, under this epoch.
    Rebind(Address),
    /// The channel's room is somewhere else, under this epoch.
    Close(Address),
    /// Answered with how many sessions it is about, and who came later than a replacement.
    OrderUser(UserOrder, oneshot::Sender<(usize, Option<Replacement>)>),
    /// Operators drain this node: the room is closed, and its people are told to join again elsewhere.
    GiveUp(Address),
    /// Answered with every room that is here.
    Addresses(oneshot::Sender<Vec<Address>>),
    /// Whose the rooms are is known: workers that hold their packets back go on.
    Release,
}

#[derive(Debug)]
pub(crate) struct Switchboard {
    pool: WorkerPool,
    streams: HashMap<StreamId, Stream>,
    rooms: RoutingTable,
    watches: Watches,
    /// Commands that a worker has and has not answered: bounded by the workers' inboxes.
    pending: HashMap<u64, Pending>,
    next_tag: u64,
    workers: watch::Sender<WorkersState>,
    deaths: u32,
    /// None: there are no other nodes, and every room may be opened here.
    gate: Option<JoinGate>,
    setups: Setups,
}

#[derive(Debug)]
struct Stream {
    replica: Option<String>,
    frames: FrameSender,
    _alive: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Pending {
    /// None: our own order.
    asker: Option<(StreamId, u64)>,
    worker: usize,
    channel: ChannelId,
    about: About,
}

/// What an answer decides besides.
#[derive(Clone, Copy, Debug)]
enum About {
    Join(SessionId),
    Resume(SessionId, StreamId),
    Watch,
    Nothing,
}

impl Switchboard {
    pub(crate) fn new(pool: WorkerPool, workers: watch::Sender<WorkersState>) -> Self {
        let rooms = RoutingTable::new(pool.len());
        Self {
            pool,
            streams: HashMap::new(),
            rooms,
            watches: Watches::default(),
            pending: HashMap::new(),
            next_tag: 0,
            workers,
            deaths: 0,
            gate: None,
            setups: Setups::default(),
        }
    }

    /// Times the setting up of transports, and adds spans to traces.
    pub(crate) fn with_setups(self, setups: Setups) -> Self {
        Self { setups, ..self }
    }

    /// Opens only rooms that the gate knows to be this node's.
    pub(crate) fn with_gate(self, gate: Option<JoinGate>) -> Self {
        Self { gate, ..self }
    }

    /// Runs until `stop` is true. Returns the workers, for whoever joins their threads; the
    /// streams are closed by then.
    pub(crate) async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut notices: mpsc::Receiver<WorkerNotice>,
        mut stop: watch::Receiver<bool>,
    ) -> Vec<WorkerHandle> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return self.pool.into_workers(),
                _ = tick.tick() => self.tick(),
                Some(notice) = notices.recv() => self.told(notice),
                Some(input) = inputs.recv() => self.input(input),
                else => return self.pool.into_workers(),
            }
            self.give_back();
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Opened { stream, replica, frames, alive } => {
                if self.streams.len() >= STREAMS_MAX {
                    warn!("too many control streams, one is refused");
                    let _ = frames.try_send(Err(Status::resource_exhausted("too many control streams")));
                    return;
                }
                debug!(stream, "control stream opened");
                self.streams.insert(stream, Stream { replica, frames, _alive: alive });
            }
            Input::Command { stream, request, address, command, traceparent } => {
                // What comes after the end of its stream has nobody to be answered.
                if !self.streams.contains_key(&stream) {
                    return;
                }
                self.setups.asked((stream, request), &command, traceparent);
                if let Some(command) = self.at_gate(stream, request, &address, command) {
                    self.command(stream, request, address, command);
                }
            }
            Input::Unreadable { stream, request, error } => self.answer(stream, request, Err(error)),
            Input::Ended { stream } => self.end(stream),
            Input::Population(asker) => _ = asker.send(self.rooms.population()),
            Input::Replicas(asker) => _ = asker.send(self.replicas()),
            Input::Rooms(asker) => _ = asker.send(self.rooms.list()),
            Input::Verified { address, verdict } => self.verified(&address, verdict),
            Input::Rebind(address) => self.rebind(address),
            Input::Close(address) => self.close_older(address),
            Input::OrderUser(order, asker) => _ = asker.send(self.order_user(&order)),
            Input::GiveUp(address) => self.give_up(&address),
            Input::Addresses(asker) => _ = asker.send(self.rooms.addresses()),
            Input::Release => self.release(),
        }
    }

    fn replicas(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.streams.values().filter_map(|stream| stream.replica.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn command(&mut self, stream: StreamId, request: u64, address: Address, command: Command) {
        if let Command::Detach { session, attachment } = command {
            self.rooms.detach(&address.channel, session, attachment);
            return self.answer(stream, request, Ok(Reply::Done));
        }
        if matches!(command, Command::Watch | Command::Unwatch) {
            return self.watch_or_not(stream, request, &address.channel, command == Command::Watch);
        }
        let (worker, about) = match self.route(stream, &address, &command) {
            Ok(way) => way,
            Err(refused) => return self.answer(stream, request, Err(refused)),
        };
        let channel = address.channel.clone();
        if !self.order((Some((stream, request)), about), worker, address, command) {
            let busy = Err(overloaded("the media worker is overloaded"));
            self.decide(about, &channel, &busy);
            self.answer(stream, request, busy);
        }
    }

    /// Which worker a command is for, and what its answer decides.
    fn route(
        &mut self,
        stream: StreamId,
        address: &Address,
        command: &Command,
    ) -> Result<(usize, About), ErrorBody> {
        let refuse = |code, message: &'static str| move || ErrorBody::new(code, message);
        let channel = &address.channel;
        let (worker, about) = match command {
            Command::Join(join) => {
                let worker = self.rooms.join(address, join, stream);
                if let Some(Silent { worker, address, silence }) = self.rooms.one_too_many(&join.user) {
                    self.pool.silence(worker, address, silence);
                }
                let full = refuse(ErrorCode::NodeUnavailable, "this node takes no more rooms");
                return worker.map(|worker| (worker, About::Join(join.session))).ok_or_else(full);
            }
            Command::Resume(resume) => {
                let worker = self.rooms.resume(channel, resume.session, stream);
                if let Some(rights) = &resume.rights {
                    self.rooms.granted(channel, resume.session, &rights.grant);
                }
                let failed = refuse(ErrorCode::ResumeFailed, "this session cannot be resumed");
                let about = About::Resume(resume.session, stream);
                return worker.map(|worker| (worker, about)).ok_or_else(failed);
            }
            // The operators', and what is said of sockets that are gone: on whatever stream it comes.
            Command::SetGrant { session, grant, .. } => {
                self.rooms.granted(channel, *session, grant);
                (self.rooms.worker_of(channel), About::Nothing)
            }
            Command::SetLimits { .. }
            | Command::SetEncryption { .. }
            | Command::Inspect
            | Command::Kick { .. }
            | Command::Mute { .. }
            | Command::Leave { .. } => (self.rooms.worker_of(channel), About::Nothing),
            command => {
                let session = command.session();
                let worker = session.and_then(|session| self.rooms.route(channel, session, stream));
                (worker, About::Nothing)
            }
        };
        let absent = refuse(ErrorCode::NotFound, "no such object in this session");
        worker.map(|worker| (worker, about)).ok_or_else(absent)
    }

    /// Gives a command to a worker; false if it takes no more.
    fn order(
        &mut self,
        (asker, about): (Option<(StreamId, u64)>, About),
        worker: usize,
        address: Address,
        command: Command,
    ) -> bool {
        let channel = address.channel.clone();
        let tag = self.next_tag;
        if !self.pool.command(worker, tag, address, command) {
            return false;
        }
        self.next_tag = tag.wrapping_add(1);
        self.pending.insert(tag, Pending { asker, worker, channel, about });
        true
    }

    /// Notes what the answer to a join or a resume means for the session's seat.
    fn decide(&mut self, about: About, channel: &ChannelId, reply: &Result<Reply, ErrorBody>) {
        let accepted = match reply {
            Ok(Reply::Joined(room) | Reply::Resumed(room, _)) => Some(room.attachment),
            _ => None,
        };
        match about {
            About::Join(session) => self.rooms.join_answered(channel, session, accepted),
            About::Resume(session, stream) => {
                self.rooms.resume_answered(channel, session, stream, accepted);
                if !self.streams.contains_key(&stream) {
                    self.rooms.stream_ended(stream);
                }
            }
            About::Watch | About::Nothing => {}
        }
    }

    fn told(&mut self, notice: WorkerNotice) {
        match notice.event {
            WorkerEvent::Notice(Notice::Reply { tag, reply }) => self.replied(tag, reply),
            WorkerEvent::Notice(Notice::Event(event)) => self.event(event),
            WorkerEvent::Notice(Notice::MediaStarted(transport)) => self.setups.media_started(transport),
            WorkerEvent::Died => self.worker_died(notice.worker),
        }
    }

    fn replied(&mut self, tag: u64, reply: Result<Reply, ErrorBody>) {
        let Some(pending) = self.pending.remove(&tag) else {
            return error!(tag, "a reply to no command");
        };
        self.decide(pending.about, &pending.channel, &reply);
        let reply = match pending.about {
            About::Watch => Self::or_empty(reply),
            _ => reply,
        };
        if let Some((stream, request)) = pending.asker {
            self.answer(stream, request, reply);
        }
    }

    fn event(&mut self, event: RoomEvent) {
        self.setups.event(&event.event, Instant::now());
        let hearers = self.rooms.event(&event.channel, event.room_seq, &event.event);
        let hearers = self.with_watchers(hearers, &event);
        match (&event.event, event.audience) {
            (Event::ParticipantLeft { session, .. }, _) => self.rooms.left(&event.channel, *session),
            (Event::Kicked { .. }, Audience::Only(session)) => self.rooms.left(&event.channel, session),
            (Event::RoomClosed, _) => self.rooms.closed(&event.channel, event.epoch),
            _ => {}
        }
        let frame = encode_event(event);
        for stream in hearers {
            self.send(stream, frame.clone());
        }
    }

    fn worker_died(&mut self, worker: usize) {
        let lost = self.rooms.worker_died(worker);
        self.deaths = self.deaths.saturating_add(1);
        error!(worker, rooms = lost.len(), deaths = self.deaths, "a media worker died; its rooms are lost");
        self.workers.send_modify(|workers| {
            workers.alive = workers.alive.saturating_sub(1);
            workers.last_death = Some(Instant::now());
        });
        let count = |number| u32::try_from(number).unwrap_or(u32::MAX);
        let died = WorkerDied { worker: count(worker), rooms: count(lost.len()), deaths: self.deaths };
        for stream in self.streams.keys().copied().collect::<Vec<_>>() {
            self.send(stream, encode_worker_died(died));
        }
        let unanswered: Vec<_> = self.pending.extract_if(|_, pending| pending.worker == worker).collect();
        for (stream, request) in unanswered.into_iter().filter_map(|(_, pending)| pending.asker) {
            let gone = ErrorBody::new(ErrorCode::NodeUnavailable, "the media worker died");
            self.answer(stream, request, Err(gone));
        }
        // Its people are told first, and where they were afterwards.
        for (room, after) in lost.iter().flat_map(|room| [(room, 1), (room, 2)]) {
            let rejoin = Event::Rejoin { reason: RejoinReason::WorkerDied };
            let event = RoomEvent {
                channel: room.address.channel.clone(),
                epoch: room.address.epoch,
                room_seq: room.room_seq.saturating_add(after),
                audience: Audience::Everyone,
                event: if after == 1 { rejoin } else { Event::RoomClosed },
            };
            let hearers = self.with_watchers(room.subscribers.clone(), &event);
            let frame = encode_event(event);
            for stream in hearers {
                self.send(stream, frame.clone());
            }
        }
        if self.pool.replace(worker) {
            self.rooms.worker_started(worker);
            self.workers.send_modify(|workers| workers.alive = workers.alive.saturating_add(1));
        }
    }

    fn tick(&mut self) {
        self.setups.tick(Instant::now());
        if self.streams.is_empty() {
            return;
        }
        for Silent { worker, address, silence } in self.rooms.age(TICK, RESUME_WINDOW) {
            // Not taken: it comes up again in a second.
            self.pool.silence(worker, address, silence);
        }
    }

    fn answer(&mut self, stream: StreamId, request: u64, reply: Result<Reply, ErrorBody>) {
        self.setups.answered((stream, request), &reply, Instant::now());
        self.send(stream, encode_reply(request, reply));
    }

    /// A stream that does not read is closed: it may not hold up the room, nor miss anything.
    fn send(&mut self, stream: StreamId, frame: NodeFrame) {
        let Some(entry) = self.streams.get(&stream) else { return };
        match entry.frames.try_send(Ok(frame)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                warn!(stream, "a control stream does not read what it is sent, closing it");
                self.end(stream);
            }
            Err(mpsc::error::TrySendError::Closed(_)) => self.end(stream),
        }
    }

    fn end(&mut self, stream: StreamId) {
        if self.streams.remove(&stream).is_some() {
            debug!(stream, "control stream ended");
            self.rooms.stream_ended(stream);
            self.watches.stream_ended(stream);
            self.setups.stream_ended(stream);
        }
    }
}

/// The refusal of what is too much at this moment, with when to try again: everybody at another time.
fn overloaded(why: &str) -> ErrorBody {
    let wait: u64 = rand::random_range(RETRY_AFTER_MS);
    ErrorBody::new(ErrorCode::NodeUnavailable, why).with("retryAfterMs", wait)
}

#[cfg(test)]
mod tests;
