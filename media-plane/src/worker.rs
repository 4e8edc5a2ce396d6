//! THE LOOP. One thread, one socket, one engine with its own rooms; nothing here is shared with
//! another worker, so a packet meets no lock, no channel and no task between the two system calls.

use crate::fence::PauseGuard;
use crate::sleep::Waker;
use crate::udp::{Receiver, RtcSocket, Sender};
use railgun_media_core::{Datagram, Engine, EngineConfig, Notice, Silence};
use railgun_process::each_minute::EachMinute;
use railgun_protocol::media_rpc::{Address, Command};
use railgun_protocol::signal::RejoinReason;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;
use tracing::{error, warn};

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
#[derive(Debug)]
pub struct WorkerHandle {
    inbox: SyncSender<WorkerCommand>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
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
        accepted && self.waker.wake().is_ok()
    }

    /// Ends the loop; blocks until the thread has ended.
    pub fn stop(self) {
        // A worker whose inbox is full sees the end of its inbox instead, once it has read it.
        self.post(WorkerCommand::Stop);
        let _ = self.waker.wake();
        drop(self.inbox);
        let _ = self.thread.join();
    }
}

/// Starts worker `index` on its own thread.
pub fn spawn(
    index: usize,
    socket: RtcSocket,
    engine: EngineConfig,
    outbox: mpsc::Sender<WorkerNotice>,
    gauges: Arc<WorkerGauges>,
    fence: Arc<Fence>,
) -> io::Result<WorkerHandle> {
    let waker = Arc::new(Waker::new()?);
    let alarm = waker.clone();
    let (inbox, commands) = sync_channel(INBOX_MAX);
    let notices = outbox.clone();
    let deaths = gauges.clone();
    let run = move || {
        let turn = || {
            let pause = PauseGuard::new(&fence, Instant::now());
            Worker::new(index, alarm, socket, Engine::new(engine), commands, outbox, gauges, pause).run()
        };
        match catch_unwind(AssertUnwindSafe(turn)) {
            Ok(Ok(())) => return,
            Ok(Err(cause)) => error!(worker = index, error = %cause, "a worker's socket failed"),
            Err(_) => error!(worker = index, "a worker panicked"),
        }
        deaths.on_death();
        let _ = notices.blocking_send(WorkerNotice { worker: index, event: WorkerEvent::Died });
    };
    let thread = std::thread::Builder::new().name(format!("media-{index}")).spawn(run)?;
    Ok(WorkerHandle { inbox, waker, thread })
}

struct Worker<'a> {
    index: usize,
    waker: Arc<Waker>,
    socket: RtcSocket,
    receiver: Receiver,
    sender: Sender,
    engine: Engine,
    commands: Inbox<WorkerCommand>,
    outbox: mpsc::Sender<WorkerNotice>,
    /// A notice that found no room in the outbox; what follows it waits in the engine.
    held: Option<WorkerNotice>,
    gauges: Arc<WorkerGauges>,
    gauges_due: Instant,
    late: EachMinute,
    pause: PauseGuard<'a>,
    stopping: bool,
}

impl<'a> Worker<'a> {
    #[expect(clippy::too_many_arguments, reason = "each is a part of the one worker")]
    fn new(
        index: usize,
        waker: Arc<Waker>,
        socket: RtcSocket,
        engine: Engine,
        commands: Inbox<WorkerCommand>,
        outbox: mpsc::Sender<WorkerNotice>,
        gauges: Arc<WorkerGauges>,
        pause: PauseGuard<'a>,
    ) -> Self {
        let sender = Sender::new(socket.has_gso());
        let receiver = Receiver::default();
        let gauges_due = Instant::now();
        Self {
            index,
            waker,
            socket,
            receiver,
            sender,
            engine,
            commands,
            outbox,
            held: None,
            gauges,
            gauges_due,
            late: EachMinute::default(),
            pause,
            stopping: false,
        }
    }

    fn run(&mut self) -> io::Result<()> {
        let mut is_readable = true;
        while !self.stopping {
            #[cfg(any(test, feature = "testing"))]
            crate::testing::panic_if_told(self.socket.address().port());
            let mut more = is_readable && self.receive();
            more |= self.run_commands();
            self.tick();
            is_readable = more || self.waker.sleep(self.socket.as_socket(), self.at_most())?;
        }
        Ok(())
    }

    /// Takes what the socket holds, up to a bound. Returns whether there may be more.
    fn receive(&mut self) -> bool {
        for _ in 0..BURSTS_PER_TURN {
            let Self { receiver, socket, engine, sender, pause, .. } = self;
            let give = |datagrams: &mut [Datagram<'_>]| {
                let now = Instant::now();
                if !pause.may_send(now) {
                    return;
                }
                for part in datagrams.chunks_mut(DATAGRAMS_AT_ONCE) {
                    engine.handle_datagrams(part, now, |batch| sender.send(socket, batch));
                    send(sender, socket, engine);
                }
            };
            let more = match receiver.receive(socket, give) {
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
            let drops = self.socket.kernel_drops().unwrap_or_default();
            let worst = self.receiver.lateness.take_worst();
            self.gauges.update(&self.engine, self.sender.counters(), self.receiver.lateness, drops);
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
            send(&mut self.sender, &self.socket, &mut self.engine);
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

fn send(sender: &mut Sender, socket: &RtcSocket, engine: &mut Engine) {
    let batch = engine.sends();
    if !batch.is_empty() {
        sender.send(socket, batch);
        batch.clear();
    }
}
