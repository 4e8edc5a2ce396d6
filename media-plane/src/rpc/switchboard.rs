//! One task between the control streams and the workers. It alone knows who asked what, so replies
//! and events of a room reach each stream in the engine's order; it never waits for either side.
//!
//! A stream's end leaves its sessions where they are. If no newer stream names such a session
//! within [`ABANDON_WINDOW`], it leaves its room. Time without any stream does not count: a node
//! that lost its control-plane carries its calls on.

use super::rooms::{Rooms, StreamId};
use crate::worker::{Told, WorkerHandle, WorkerNotice};
use railgun_media_core::Notice;
use railgun_shared::ids::{ChannelId, SessionId};
use railgun_shared::media_rpc::wire::proto::NodeFrame;
use railgun_shared::media_rpc::wire::{encode_event, encode_reply};
use railgun_shared::media_rpc::{Address, Audience, Command, Event, LeaveReason, Reply, RoomEvent};
use railgun_shared::signal::{ErrorBody, ErrorCode};
use std::collections::HashMap;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tonic::Status;
use tracing::{error, info, warn};

/// How long a session waits for a stream to take it over.
const ABANDON_WINDOW: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_secs(1);
/// Control streams, one per replica of the control-plane.
const STREAMS_MAX: usize = 256;

pub(crate) type FrameSender = mpsc::Sender<Result<NodeFrame, Status>>;

/// What the streams tell the switchboard.
#[derive(Debug)]
pub(crate) enum Input {
    /// `alive` is dropped when the switchboard gives the stream up.
    Opened {
        stream: StreamId,
        frames: FrameSender,
        alive: oneshot::Sender<()>,
    },
    Command {
        stream: StreamId,
        request: u64,
        address: Address,
        command: Command,
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
}

#[derive(Debug)]
pub(crate) struct Switchboard {
    workers: Vec<WorkerHandle>,
    streams: HashMap<StreamId, Stream>,
    rooms: Rooms,
    /// Commands that a worker has and has not answered: bounded by the workers' inboxes.
    pending: HashMap<u64, Pending>,
    next_tag: u64,
    workers_alive: watch::Sender<usize>,
}

#[derive(Debug)]
struct Stream {
    frames: FrameSender,
    _alive: oneshot::Sender<()>,
}

#[derive(Debug)]
struct Pending {
    /// None: our own order.
    asker: Option<(StreamId, u64)>,
    worker: usize,
    channel: ChannelId,
    session: SessionId,
    is_join: bool,
}

impl Switchboard {
    pub(crate) fn new(workers: Vec<WorkerHandle>, workers_alive: watch::Sender<usize>) -> Self {
        let rooms = Rooms::new(workers.len());
        Self { workers, streams: HashMap::new(), rooms, pending: HashMap::new(), next_tag: 0, workers_alive }
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
                _ = stop.wait_for(|stop| *stop) => return self.workers,
                _ = tick.tick() => self.tick(),
                Some(notice) = notices.recv() => self.told(notice),
                Some(input) = inputs.recv() => self.input(input),
                else => return self.workers,
            }
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Opened { stream, frames, alive } => {
                if self.streams.len() >= STREAMS_MAX {
                    warn!("too many control streams, one is refused");
                    let _ = frames.try_send(Err(Status::resource_exhausted("too many control streams")));
                    return;
                }
                info!(stream, "control stream opened");
                self.streams.insert(stream, Stream { frames, _alive: alive });
            }
            Input::Command { stream, request, address, command } => {
                // What comes after the end of its stream has nobody to be answered.
                if self.streams.contains_key(&stream) {
                    self.command(stream, request, address, command);
                }
            }
            Input::Unreadable { stream, request, error } => self.answer(stream, request, Err(error)),
            Input::Ended { stream } => self.end(stream),
            Input::Population(asker) => _ = asker.send(self.rooms.population()),
        }
    }

    fn command(&mut self, stream: StreamId, request: u64, address: Address, command: Command) {
        let Some(session) = command.session() else {
            let nobody = ErrorBody::new(ErrorCode::InvalidPayload, "a command of no session");
            return self.answer(stream, request, Err(nobody));
        };
        let is_join = matches!(command, Command::Join(_));
        let (worker, refusal) = if is_join {
            let refusal = (ErrorCode::NodeUnavailable, "this node takes no more rooms");
            (self.rooms.join(&address, session, stream), refusal)
        } else {
            let refusal = (ErrorCode::NotFound, "no such room on this node");
            (self.rooms.route(&address.channel, session, stream), refusal)
        };
        let Some(worker) = worker else {
            let (code, message) = refusal;
            return self.answer(stream, request, Err(ErrorBody::new(code, message)));
        };
        let channel = address.channel.clone();
        if !self.order(Some((stream, request)), worker, address, command) {
            if is_join {
                self.rooms.join_answered(&channel, session, false);
            }
            let busy = ErrorBody::new(ErrorCode::NodeUnavailable, "the media worker is overloaded");
            self.answer(stream, request, Err(busy));
        }
    }

    /// Gives a command to a worker; false if it takes no more.
    fn order(
        &mut self,
        asker: Option<(StreamId, u64)>,
        worker: usize,
        address: Address,
        command: Command,
    ) -> bool {
        let Some(handle) = self.workers.get(worker) else { return false };
        let Some(session) = command.session() else { return false };
        let is_join = matches!(command, Command::Join(_));
        let channel = address.channel.clone();
        let tag = self.next_tag;
        if !handle.command(tag, address, command) {
            return false;
        }
        self.next_tag = tag.wrapping_add(1);
        self.pending.insert(tag, Pending { asker, worker, channel, session, is_join });
        true
    }

    fn told(&mut self, notice: WorkerNotice) {
        match notice.told {
            Told::Notice(Notice::Reply { tag, reply }) => self.replied(tag, reply),
            Told::Notice(Notice::Event(event)) => self.event(event),
            Told::Died => self.worker_died(notice.worker),
        }
    }

    fn replied(&mut self, tag: u64, reply: Result<Reply, ErrorBody>) {
        let Some(pending) = self.pending.remove(&tag) else {
            return error!(tag, "a reply to no command");
        };
        if pending.is_join {
            self.rooms.join_answered(&pending.channel, pending.session, reply.is_ok());
        } else if matches!(reply, Ok(Reply::Left)) {
            self.rooms.left(&pending.channel, pending.session);
        }
        if let Some((stream, request)) = pending.asker {
            self.answer(stream, request, reply);
        }
    }

    fn event(&mut self, event: RoomEvent) {
        let hearers = self.rooms.event(&event.channel, event.room_seq);
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
        error!(worker, "a media worker ended; its rooms are closed");
        self.workers_alive.send_modify(|alive| *alive = alive.saturating_sub(1));
        let unanswered: Vec<_> = self.pending.extract_if(|_, pending| pending.worker == worker).collect();
        for (stream, request) in unanswered.into_iter().filter_map(|(_, pending)| pending.asker) {
            let gone = ErrorBody::new(ErrorCode::NodeUnavailable, "the media worker died");
            self.answer(stream, request, Err(gone));
        }
        for room in self.rooms.worker_died(worker) {
            let frame = encode_event(RoomEvent {
                channel: room.address.channel,
                epoch: room.address.epoch,
                room_seq: room.room_seq.saturating_add(1),
                audience: Audience::Everyone,
                event: Event::RoomClosed,
            });
            for stream in room.subscribers {
                self.send(stream, frame.clone());
            }
        }
    }

    fn tick(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        for abandoned in self.rooms.age(TICK, ABANDON_WINDOW) {
            let leave =
                Command::Leave { session: abandoned.session, reason: LeaveReason::Lost, attachment: None };
            // Not taken: it comes up again after another window.
            self.order(None, abandoned.worker, abandoned.address, leave);
        }
    }

    fn answer(&mut self, stream: StreamId, request: u64, reply: Result<Reply, ErrorBody>) {
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
            info!(stream, "control stream ended");
            self.rooms.stream_ended(stream);
        }
    }
}

#[cfg(test)]
mod tests;
