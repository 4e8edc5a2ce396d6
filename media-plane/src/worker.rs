//! THE LOOP. One thread, one socket, one engine with its own rooms; nothing here is shared with
//! another worker, so a packet meets no lock, no channel and no task between the two system calls.
//!
//! [`Worker::turn`] is the loop's body: it knows neither the thread nor the socket, which are the
//! `WorkerHost`'s.

use crate::fence::PauseGuard;
use crate::packet_io::PacketIo;
use railgun_media_core::send_batch::SendBatch;
use railgun_media_core::{Datagram, Engine, EngineConfig, Notice, Silence};
use railgun_process::each_minute::EachMinute;
use railgun_protocol::media_rpc::{Address, Command};
use railgun_protocol::signal::RejoinReason;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use tracing::warn;

pub use crate::fence::Fence;
pub use crate::metrics::WorkerGauges;

/// Commands that wait for a worker; one more is refused.
const INBOX_MAX: usize = 4096;
/// Bursts of datagrams before commands have their turn.
const BURSTS_PER_TURN: usize = 8;
/// Datagrams given to the engine at once: what they fan out to has to fit one send batch.
const DATAGRAMS_AT_ONCE: usize = 64;
const COMMANDS_PER_TURN: usize = 64;
/// How soon a worker tries again to hand over notices that found no room.
const NOTICE_RETRY: Duration = Duration::from_millis(5);
/// How often the gauges are brought up to date.
const GAUGE_INTERVAL: Duration = Duration::from_secs(1);
/// A packet that waited for so long is heard as a gap.
const LATE: Duration = Duration::from_millis(100);

/// What a worker tells the switchboard, in the engine's order.
#[derive(Debug)]
pub struct WorkerNotice {
    pub worker: usize,
    pub event: WorkerEvent,
}

#[derive(Debug)]
pub enum WorkerEvent {
    Notice(Notice),
    /// The thread is gone, and with it its rooms.
    Died,
}

enum WorkerCommand {
    Command {
        tag: u64,
        address: Address,
        command: Command,
    },
    /// The room of this channel has this epoch from now on.
    Rebind(Address),
    /// The room of this channel, if its epoch is an older one, is somewhere else now.
    Close(Address, RejoinReason),
    /// Nobody speaks for a session of this room.
    Silence(Address, Silence),
    /// Whose the rooms are is known.
    Release,
    Stop,
}

/// The handle of a running worker.
pub struct WorkerHandle {
    inbox: SyncSender<WorkerCommand>,
    runner: Runner,
}

/// What runs a worker: how its sleep is ended, and how its end is waited for.
pub struct Runner {
    /// Ends the worker's sleep, or the next one if it is awake; false if that failed.
    pub wake: Box<dyn Fn() -> bool + Send + Sync>,
    /// Blocks until the worker, which was told to stop, has ended. None: nothing is to be waited for.
    pub join: Option<Join>,
}

pub type Join = Box<dyn FnOnce() + Send>;

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").finish_non_exhaustive()
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

impl WorkerHandle {
    /// Hands a command over without waiting; false if the worker has too many, or is gone.
    pub fn command(&self, tag: u64, address: Address, command: Command) -> bool {
        self.post(WorkerCommand::Command { tag, address, command })
    }

    /// Gives a room another epoch. False, here and below: the worker has too much to do, or is gone.
    pub(crate) fn rebind(&self, to: Address) -> bool {
        self.post(WorkerCommand::Rebind(to))
    }

    /// Closes a room whose epoch is older than this one.
    pub(crate) fn close(&self, before: Address, reason: RejoinReason) -> bool {
        self.post(WorkerCommand::Close(before, reason))
    }

    /// Tells for how long nobody has spoken for a session.
    pub(crate) fn silence(&self, room: Address, silence: Silence) -> bool {
        self.post(WorkerCommand::Silence(room, silence))
    }

    /// Lets a worker that held its packets back go on.
    pub(crate) fn release(&self) -> bool {
        self.post(WorkerCommand::Release)
    }

    fn post(&self, command: WorkerCommand) -> bool {
        let accepted = match self.inbox.try_send(command) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        };
        accepted && (self.runner.wake)()
    }

    /// Ends the loop; blocks until the worker has ended.
    pub fn stop(self) {
        if let Some(join) = self.tell_to_stop() {
            join();
        }
    }

    /// Ends the loop, and says what its end is waited for with.
    pub(crate) fn tell_to_stop(self) -> Option<Join> {
        // A worker whose inbox is full sees the end of its inbox instead, once it has read it.
        self.post(WorkerCommand::Stop);
        let _ = (self.runner.wake)();
        drop(self.inbox);
        self.runner.join
    }
}

/// What a worker is made of beside its [`PacketIo`]. Its engine is made by whoever runs it, on its own thread.
#[derive(Debug)]
pub struct Parts {
    pub index: usize,
    engine: EngineConfig,
    commands: Inbox<WorkerCommand>,
    outbox: mpsc::Sender<WorkerNotice>,
    gauges: Arc<WorkerGauges>,
    fence: Arc<Fence>,
}

/// The parts of worker `index`, and the handle that it will have.
pub fn prepare(
    index: usize,
    engine: EngineConfig,
    outbox: mpsc::Sender<WorkerNotice>,
    gauges: Arc<WorkerGauges>,
    fence: Arc<Fence>,
) -> (Parts, impl FnOnce(Runner) -> WorkerHandle) {
    let (inbox, commands) = sync_channel(INBOX_MAX);
    let parts = Parts { index, engine, commands, outbox, gauges, fence };
    (parts, |runner| WorkerHandle { inbox, runner })
}

/// Tells the switchboard that a worker is gone, unless it was told to stop.
#[derive(Debug)]
pub struct DeathNotice {
    index: usize,
    outbox: mpsc::Sender<WorkerNotice>,
    gauges: Arc<WorkerGauges>,
}

impl DeathNotice {
    pub fn of(parts: &Parts) -> Self {
        Self { index: parts.index, outbox: parts.outbox.clone(), gauges: parts.gauges.clone() }
    }

    /// Blocks while the switchboard has too much to do.
    pub fn tell(self) {
        self.gauges.on_death();
        let _ = self.outbox.blocking_send(WorkerNotice { worker: self.index, event: WorkerEvent::Died });
    }

    /// [`Self::tell`] without blocking, for a runner whose worker shares its thread with the switchboard.
    pub async fn told(self) {
        self.gauges.on_death();
        let _ = self.outbox.send(WorkerNotice { worker: self.index, event: WorkerEvent::Died }).await;
    }
}

/// What a worker wants after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Another one at once; there may be more to receive.
    Again,
    /// To sleep until it is woken, something can be received, or this time is over.
    Sleep(Option<Duration>),
    Stopped,
}

/// The loop of one engine, a turn at a time.
pub struct Worker<W> {
    index: usize,
    packets: W,
    engine: Engine,
    commands: Inbox<WorkerCommand>,
    outbox: mpsc::Sender<WorkerNotice>,
    /// A notice that found no room in the outbox; what follows it waits in the engine.
    held: Option<WorkerNotice>,
    gauges: Arc<WorkerGauges>,
    gauges_due: Instant,
    late: EachMinute,
    pause: PauseGuard,
    stopping: bool,
}

impl<W: fmt::Debug> fmt::Debug for Worker<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("index", &self.index)
            .field("packets", &self.packets)
            .finish_non_exhaustive()
    }
}

impl<W: PacketIo> Worker<W> {
    pub fn new(parts: Parts, packets: W) -> Self {
        let Parts { index, engine, commands, outbox, gauges, fence } = parts;
        let now = Instant::now();
        Self {
            index,
            packets,
            engine: Engine::new(engine),
            commands,
            outbox,
            held: None,
            gauges,
            gauges_due: now,
            late: EachMinute::default(),
            pause: PauseGuard::new(fence, now),
            stopping: false,
        }
    }

    pub fn packets(&mut self) -> &mut W {
        &mut self.packets
    }

    pub fn fence(&self) -> &Fence {
        self.pause.fence()
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether it stood still for longer than the lease, and sends nothing until etcd was asked.
    pub fn is_held(&self) -> bool {
        self.pause.is_held()
    }

    /// Receives if something may be there, carries out commands, does what is due.
    pub fn turn(&mut self, is_readable: bool) -> Turn {
        let mut more = is_readable && self.receive();
        more |= self.run_commands();
        self.tick();
        match more {
            _ if self.stopping => Turn::Stopped,
            true => Turn::Again,
            false => Turn::Sleep(self.at_most()),
        }
    }

    /// Takes what the socket holds, up to a bound. Returns whether there may be more.
    fn receive(&mut self) -> bool {
        for _ in 0..BURSTS_PER_TURN {
            let Self { packets, engine, pause, .. } = self;
            let give = |datagrams: &mut [Datagram<'_>], send: &mut dyn FnMut(&SendBatch)| {
                let now = Instant::now();
                if !pause.may_send(now) {
                    return;
                }
                for part in datagrams.chunks_mut(DATAGRAMS_AT_ONCE) {
                    engine.handle_datagrams(part, now, |batch| send(batch));
                    let batch = engine.sends();
                    if !batch.is_empty() {
                        send(batch);
                        batch.clear();
                    }
                }
            };
            let more = match packets.receive(give) {
                Ok(more) => more,
                // An ICMP error of an earlier send, or a lack of memory, is about one packet.
                Err(cause) => {
                    warn!(worker = self.index, error = %cause, "receiving failed");
                    false
                }
            };
            self.send_notices();
            if !more {
                return false;
            }
        }
        true
    }

    /// Carries out commands, up to a bound. Returns whether there may be more.
    fn run_commands(&mut self) -> bool {
        for _ in 0..COMMANDS_PER_TURN {
            // Accept no commands while notices are blocked; this bounds the notice queue.
            if self.held.is_some() {
                return false;
            }
            match self.commands.try_recv() {
                Ok(WorkerCommand::Command { tag, address, command }) => {
                    let (now, wall) = (Instant::now(), SystemTime::now());
                    self.engine.handle_command(tag, &address, command, now, wall);
                    self.flush();
                }
                Ok(WorkerCommand::Rebind(address)) => self.engine.rebind_room(&address),
                Ok(WorkerCommand::Close(address, reason)) => {
                    self.engine.close_older_room(&address, reason);
                    self.flush();
                }
                Ok(WorkerCommand::Silence(room, silence)) => {
                    self.engine.on_silence(&room, silence, Instant::now());
                    self.flush();
                }
                Ok(WorkerCommand::Release) => self.pause.release(),
                Ok(WorkerCommand::Stop) | Err(std::sync::mpsc::TryRecvError::Disconnected) => {
                    self.stopping = true;
                    return true;
                }
                Err(std::sync::mpsc::TryRecvError::Empty) => return false,
            }
        }
        true
    }

    fn tick(&mut self) {
        let now = Instant::now();
        if self.pause.may_send(now) && self.engine.poll_timeout().is_some_and(|due| due <= now) {
            self.engine.handle_timeout(now);
        }
        self.flush();
        if now >= self.gauges_due {
            self.gauges_due = now + GAUGE_INTERVAL;
            let counts = self.packets.counts();
            self.gauges.update(&self.engine, &counts);
            let worst = counts.worst;
            if worst >= LATE && self.late.is_due(now) {
                warn!(
                    worker = self.index,
                    ?worst,
                    "a worker reads packets late: this machine has too little CPU for it"
                );
            }
        }
    }

    /// Until something is due.
    fn at_most(&self) -> Option<Duration> {
        let due = self.engine.poll_timeout().filter(|_| !self.pause.is_held());
        let due = due.map(|due| due.saturating_duration_since(Instant::now()));
        let retry = self.held.is_some().then_some(NOTICE_RETRY);
        let gauges = Some(self.gauges_due.saturating_duration_since(Instant::now()));
        [due, retry, gauges].into_iter().flatten().min()
    }

    fn flush(&mut self) {
        if self.pause.may_send(Instant::now()) {
            let batch = self.engine.sends();
            if !batch.is_empty() {
                self.packets.send(batch);
                batch.clear();
            }
        } else {
            self.engine.sends().clear();
        }
        self.send_notices();
    }

    /// Hands notices over as far as there is room, in their order.
    fn send_notices(&mut self) {
        loop {
            let next = self.held.take().or_else(|| {
                let notice = self.engine.poll_notice()?;
                Some(WorkerNotice { worker: self.index, event: WorkerEvent::Notice(notice) })
            });
            let Some(notice) = next else { return };
            match self.outbox.try_send(notice) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(notice)) => {
                    self.held = Some(notice);
                    return;
                }
                // The node is stopping, so nobody is left to be told.
                Err(mpsc::error::TrySendError::Closed(_)) => {}
            }
        }
    }
}
