//! The control stream to one node: commands out, and replies and room events back in the node's
//! order. One task owns the stream, the room table and what is waiting for a reply, so nothing here
//! can overtake anything.

use super::place::Place;
use super::room_table::{Delivery, RoomTable, Route};
use crate::ending::EndReason;
use crate::metrics::LinkMetrics;
use crate::refusal::Refusal;
use crate::webhooks::Webhooks;
use futures::{FutureExt, StreamExt};
use railgun_process::each_minute::EachMinute;
use railgun_protocol::ids::{NodeId, SessionId};
use railgun_protocol::media_rpc::{Address, Command, LeaveReason, REPLICA_HEADER, Reply, WorkerDied};
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use railgun_rpc::proto::{ControlFrame, DescribeRequest, NodeFrame};
use railgun_rpc::{FromNode, decode_node_frame, encode_command};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Channel;

/// Commands of all sessions that wait to be sent; more of them wait in their sessions.
const CALLS_QUEUED_MAX: usize = 1024;
/// Commands that were sent and have no reply yet.
const PENDING_MAX: usize = 16_384;
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(2);
/// When whoever was refused for want of time may come back, in milliseconds.
const RETRY_AFTER_MS: std::ops::RangeInclusive<u64> = 500..=3000;
/// How long a node may take to accept the control stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// An order to send people elsewhere that comes sooner after the loss was meant for an earlier one.
const SILENT_AT_LEAST: Duration = Duration::from_secs(1);

/// The other end of a link, as logs name it.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    /// None: the node says its name when it is reached.
    pub(crate) node: Option<String>,
    pub(crate) address: String,
}

/// A command for the node, and where its reply goes.
#[derive(Debug)]
pub(crate) struct NodeCall {
    pub(crate) address: Address,
    pub(crate) command: Command,
    pub(crate) route: Route,
    /// Comes back in [`Delivery::Reply`].
    pub(crate) ticket: u64,
    /// Of the trace that it belongs to; empty: none.
    pub(crate) traceparent: String,
}

/// What is known of a node while its control stream is up.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) boot_id: String,
    pub(crate) media_address: Option<String>,
    pub(crate) node_id: String,
    /// Sessions in privacy mode can have no media there.
    pub(crate) lacks_relays: bool,
}

/// A node, as sessions hold it.
#[derive(Clone, Debug)]
pub struct NodeLink {
    /// For questions beside the control stream.
    pub(super) client: Arc<MediaNodeClient<Channel>>,
    /// Address of the node's control stream.
    address: Arc<str>,
    calls: mpsc::Sender<NodeCall>,
    state: watch::Receiver<Option<NodeState>>,
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "nobody else knows of the node"))]
    lost: Arc<Notify>,
    #[cfg_attr(not(feature = "etcd"), expect(dead_code, reason = "there is no other replica"))]
    elsewhere: Arc<Notify>,
    is_gone: Arc<AtomicBool>,
}

impl NodeLink {
    /// Keeps a control stream to the node at the other end of `channel` until the task is aborted
    /// or the last handle is dropped. `replica` is what the node calls us; empty: nothing.
    pub(crate) fn start(
        channel: Channel,
        peer: Peer,
        replica: &str,
        metrics: LinkMetrics,
        webhooks: Webhooks,
    ) -> (Self, JoinHandle<()>) {
        let (calls, queue) = mpsc::channel(CALLS_QUEUED_MAX);
        let (state_out, state) = watch::channel(None);
        let (lost, elsewhere) = (Arc::<Notify>::default(), Arc::<Notify>::default());
        let is_gone = Arc::<AtomicBool>::default();
        let client = MediaNodeClient::new(channel);
        let address = Arc::from(peer.address.as_str());
        if let Some(node) = &peer.node {
            metrics.expect(node);
        }
        let link = Link {
            client: client.clone(),
            node: peer.node.unwrap_or_default(),
            address: peer.address,
            replica: replica.to_owned(),
            queue,
            state: state_out,
            rooms: RoomTable::default(),
            pending: HashMap::new(),
            last_request: 0,
            boot_id: String::new(),
            left_behind: Vec::new(),
            silent: Vec::new(),
            metrics,
            webhooks,
            rooms_counted: 0,
            lost: lost.clone(),
            elsewhere: elsewhere.clone(),
            is_gone: is_gone.clone(),
        };
        let task = tokio::spawn(link.run());
        (Self { client: Arc::new(client), address, calls, state, lost, elsewhere, is_gone }, task)
    }

    /// Hands a command over; its reply comes by the call's route, also when there is no node.
    pub(crate) async fn call(&self, call: NodeCall) -> Result<(), Refusal> {
        self.calls.send(call).await.map_err(|_| unavailable())
    }

    /// Where a room of the node is, for a replica that knows neither; None: the node cannot be reached.
    pub(crate) fn place(&self, room: &Address) -> Option<Place> {
        let NodeState { node_id, boot_id, .. } = self.state()?;
        let (node, boot_id) = (NodeId::new(node_id).ok()?, boot_id.parse().ok()?);
        Some(Place { node, address: self.address.to_string(), boot_id, epoch: room.epoch })
    }

    /// Whether both go to the same node.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.calls.same_channel(&other.calls)
    }

    /// Whether the control stream is up, to this run of the node.
    #[cfg(feature = "etcd")]
    pub(crate) fn is_to(&self, boot_id: railgun_protocol::ids::BootId) -> bool {
        self.state.borrow().as_ref().is_some_and(|state| state.boot_id.parse() == Ok(boot_id))
    }

    /// The node is known to be lost: whoever waits for it is told now.
    #[cfg(feature = "etcd")]
    pub(crate) fn give_up(&self) {
        self.lost.notify_one();
    }

    /// Others reach the node: whoever waits for it here goes to them.
    #[cfg(feature = "etcd")]
    pub(crate) fn send_elsewhere(&self) {
        self.elsewhere.notify_one();
    }

    /// The node's description as it comes and goes.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<NodeState>> {
        self.state.clone()
    }

    /// Whether the node's host says that the process is gone.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Relaxed)
    }

    /// The node's description while the control stream is up.
    pub(crate) fn state(&self) -> Option<NodeState> {
        self.state.borrow().clone()
    }
}

pub(crate) fn unavailable() -> Refusal {
    Refusal::NoMediaNode
}

/// The node answered one thing with another, so nobody knows how the session stands.
pub(crate) fn unexpected(reply: &Reply) -> Refusal {
    tracing::error!(?reply, "a reply of the wrong kind");
    Refusal::UnexpectedReply
}

/// There are nodes, and more is asked of them at this moment than they can answer in time.
pub(crate) fn overloaded() -> Refusal {
    later("too much is asked of the media nodes at this moment")
}

/// What cannot be done now, and when to try again: everybody at another time.
pub(crate) fn later(why: &'static str) -> Refusal {
    let wait: u64 = rand::random_range(RETRY_AFTER_MS);
    Refusal::Later { why, wait }
}

struct Link {
    client: MediaNodeClient<Channel>,
    /// Name of the node; empty while it is not known.
    node: String,
    /// Address of the node's control stream.
    address: String,
    /// What the node calls us; empty: nothing.
    replica: String,
    queue: mpsc::Receiver<NodeCall>,
    state: watch::Sender<Option<NodeState>>,
    rooms: RoomTable,
    pending: HashMap<u64, Pending>,
    last_request: u64,
    /// The run of the node that the stream is to: commands are meant for no other.
    boot_id: String,
    /// Who was asking for a seat when the stream was lost, and was told that it has none.
    left_behind: Vec<(SessionId, Address)>,
    /// Who was in a room then. The node still has them, if it is the same.
    silent: Vec<Route>,
    metrics: LinkMetrics,
    webhooks: Webhooks,
    /// What the metrics have of our rooms.
    rooms_counted: usize,
    /// Somebody knows that the node is lost.
    lost: Arc<Notify>,
    elsewhere: Arc<Notify>,
    /// The last that was heard is that nobody listens where the node was.
    is_gone: Arc<AtomicBool>,
}

struct Pending {
    route: Route,
    ticket: u64,
    address: Address,
    kind: Kind,
    sent_at: Instant,
}

/// What a command is to the room table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Join,
    Resume,
    /// The session hears no more of its room, whatever the reply.
    Leave,
    Watch,
    Unwatch,
    Other,
}

struct Stream {
    node: NodeState,
    out: mpsc::Sender<ControlFrame>,
    frames: Streaming<NodeFrame>,
}

enum Ended {
    /// All handles are gone.
    Stopped,
    Lost,
}

impl Link {
    async fn run(mut self) {
        let mut backoff = BACKOFF_FIRST;
        let mut last_boot = String::new();
        let mut still = EachMinute::default();
        let mut silent_since = Instant::now();
        loop {
            let opening = tokio::time::timeout(OPEN_TIMEOUT, open(self.client.clone(), &self.replica));
            let opened = tokio::select! {
                opened = opening => opened,
                () = self.lost.notified() => {
                    self.give_up();
                    continue;
                }
                () = self.elsewhere.notified() => {
                    self.send_elsewhere(silent_since);
                    continue;
                }
                () = refuse_all(&mut self.queue) => return,
            };
            let is_gone = matches!(&opened, Ok(Err(status)) if was_refused(status));
            self.is_gone.store(is_gone, Ordering::Relaxed);
            match opened {
                Ok(Ok(stream)) => {
                    self.node.clone_from(&stream.node.node_id);
                    let is_same = stream.node.boot_id == last_boot;
                    let Self { node, address, .. } = &self;
                    let after = silent_since.elapsed();
                    tracing::info!(node, address, ?after, is_same, "the media node is reached");
                    if !is_same {
                        self.left_behind.clear();
                        last_boot.clone_from(&stream.node.boot_id);
                    }
                    backoff = BACKOFF_FIRST;
                    still.end();
                    let ended = self.serve(stream, is_same).await;
                    silent_since = Instant::now();
                    if let Ended::Stopped = ended {
                        return;
                    }
                }
                Ok(Err(_)) if !self.silent.is_empty() && is_gone => {
                    let Self { node, address, silent, .. } = &self;
                    let sessions = silent.len();
                    tracing::warn!(
                        node,
                        address,
                        sessions,
                        "the media node's process has ended: its host refuses connections; its sessions join again"
                    );
                    self.give_up();
                }
                failed => {
                    let Self { node, address, .. } = &self;
                    let (silent_for, error) =
                        (silent_since.elapsed(), why(failed.ok().and_then(Result::err)));
                    if still.is_due(Instant::now()) {
                        tracing::warn!(node, address, ?silent_for, error, "the media node cannot be reached");
                    } else {
                        tracing::debug!(node, address, ?silent_for, error, "still no media node");
                    }
                }
            }
            let pause = tokio::time::sleep(backoff.mul_f64(rand::random_range(0.5..1.0)));
            backoff = (backoff * 2).min(BACKOFF_MAX);
            tokio::select! {
                () = pause => {}
                () = self.lost.notified() => self.give_up(),
                () = self.elsewhere.notified() => self.send_elsewhere(silent_since),
                () = refuse_all(&mut self.queue) => return,
            }
        }
    }

    async fn serve(&mut self, stream: Stream, is_same: bool) -> Ended {
        let Stream { node, out, mut frames } = stream;
        // Said while it was lost, and heard too late.
        _ = self.lost.notified().now_or_never();
        self.boot_id.clone_from(&node.boot_id);
        self.state.send_replace(Some(node));
        self.metrics.set_up(&self.node, true);
        if is_same {
            self.silent.drain(..).for_each(|route| route.deliver(Delivery::NodeBack));
        } else {
            self.give_up();
        }
        let ended = loop {
            if !self.empty_seats(&out) {
                break Ended::Lost;
            }
            // Every command is replied to, so when there is no room for more, a frame comes.
            let room = self.left_behind.is_empty() && out.capacity() > 0 && self.pending.len() < PENDING_MAX;
            tokio::select! {
                frame = frames.next() => match frame {
                    Some(Ok(frame)) => self.receive(frame),
                    Some(Err(status)) => {
                        let Self { node, address, .. } = &self;
                        tracing::warn!(
                            node, address, code = ?status.code(), error = %status.message(),
                            "the control stream to the media node is lost; its calls go on"
                        );
                        break Ended::Lost;
                    }
                    None => {
                        let Self { node, address, .. } = &self;
                        tracing::warn!(node, address, "the media node closed its control stream");
                        break Ended::Lost;
                    }
                },
                call = self.queue.recv(), if room => match call {
                    Some(call) => {
                        let frame = self.enter(call);
                        if out.try_send(frame).is_err() {
                            break Ended::Lost;
                        }
                    }
                    None => break Ended::Stopped,
                },
            }
        };
        self.state.send_replace(None);
        self.metrics.set_up(&self.node, false);
        self.lose();
        ended
    }

    /// Gives back the seats that the node still holds from before it was lost, ahead of any other
    /// command, so that who joins again finds the old seat empty. False: the stream is gone.
    fn empty_seats(&mut self, out: &mpsc::Sender<ControlFrame>) -> bool {
        while out.capacity() > 0
            && let Some((session, address)) = self.left_behind.pop()
        {
            let leave = Command::Leave { session, reason: LeaveReason::Lost, attachment: None };
            if out.try_send(self.frame(&address, &leave)).is_err() {
                return false;
            }
        }
        true
    }

    fn frame(&mut self, address: &Address, command: &Command) -> ControlFrame {
        self.last_request += 1;
        let frame = encode_command(self.last_request, address, command);
        ControlFrame { boot_id: self.boot_id.clone(), ..frame }
    }

    /// Notes who waits for the reply.
    fn enter(&mut self, call: NodeCall) -> ControlFrame {
        let mut frame = self.frame(&call.address, &call.command);
        frame.traceparent.clone_from(&call.traceparent);
        let kind = match call.command {
            Command::Join(_) => Kind::Join,
            Command::Resume(_) => Kind::Resume,
            Command::Leave { .. } | Command::Detach { .. } => Kind::Leave,
            Command::Watch => Kind::Watch,
            Command::Unwatch => Kind::Unwatch,
            _ => Kind::Other,
        };
        let NodeCall { address, route, ticket, .. } = call;
        let pending = Pending { route, ticket, address, kind, sent_at: Instant::now() };
        self.pending.insert(self.last_request, pending);
        frame
    }

    fn receive(&mut self, frame: NodeFrame) {
        match decode_node_frame(frame) {
            Ok(FromNode::Event(event)) => {
                self.webhooks.observe(&event);
                self.rooms.spread(event);
            }
            Ok(FromNode::Reply { request, reply }) => self.complete(request, reply.map_err(Refusal::from)),
            Ok(FromNode::WorkerDied(died)) => {
                let Self { node, address, boot_id, .. } = &self;
                let WorkerDied { worker, rooms, deaths } = died;
                tracing::error!(node, address, worker, rooms, deaths, "a worker of a media node died");
                self.webhooks.worker_died(node, boot_id, died);
            }
            Err(error) => tracing::error!(%error, "the media node said what cannot be read"),
        }
        self.count_rooms();
    }

    fn count_rooms(&mut self) {
        let before = std::mem::replace(&mut self.rooms_counted, self.rooms.len());
        self.metrics.change_rooms(before, self.rooms_counted);
    }

    fn complete(&mut self, request: u64, reply: Result<Reply, Refusal>) {
        // Replies to the leaves of those left behind are nobody's.
        let Some(pending) = self.pending.remove(&request) else { return };
        let Pending { route, ticket, address, kind, sent_at } = pending;
        self.metrics.replied(sent_at.elapsed());
        match &reply {
            Ok(Reply::Joined(_) | Reply::Resumed(..)) => self.rooms.join(&address, route.clone()),
            _ if kind == Kind::Leave => self.rooms.leave(&address.channel, &route),
            Ok(_) if kind == Kind::Watch => self.rooms.watch(&address.channel, route.clone()),
            _ if kind == Kind::Unwatch => self.rooms.unwatch(&address.channel, &route),
            _ => {}
        }
        route.deliver(Delivery::Reply { ticket, reply });
    }

    /// The stream is gone: whoever waits is refused. Calls go on without us, so whoever was in a room
    /// waits to hear whether it is the same node that comes back.
    fn lose(&mut self) {
        for pending in std::mem::take(&mut self.pending).into_values() {
            let Pending { route, ticket, address, kind, .. } = pending;
            route.deliver(Delivery::Reply { ticket, reply: Err(unavailable()) });
            match kind {
                Kind::Join => self.left_behind.push((route.session, address)),
                Kind::Resume => self.fall_silent(route),
                Kind::Leave | Kind::Watch | Kind::Unwatch | Kind::Other => {}
            }
        }
        for route in self.rooms.drain() {
            self.fall_silent(route);
        }
        // Whoever watches a channel looks for its room anew.
        self.rooms.drain_watchers().for_each(|route| route.deliver(Delivery::NodeSilent));
        self.count_rooms();
    }

    fn fall_silent(&mut self, route: Route) {
        route.deliver(Delivery::NodeSilent);
        self.silent.push(route);
    }

    /// The node may still be reached by others, who then take the sessions up.
    fn send_elsewhere(&mut self, silent_since: Instant) {
        if silent_since.elapsed() >= SILENT_AT_LEAST {
            self.silent.drain(..).for_each(|route| route.ending.set(EndReason::Elsewhere));
        }
    }

    /// The rooms are gone.
    fn give_up(&mut self) {
        let people = self.silent.len();
        self.silent.drain(..).for_each(|route| route.deliver(Delivery::NodeLost { people }));
    }
}

/// Opens the control stream. `Describe` comes first: a client whose certificate is refused learns
/// it at its first call, not when it connects.
async fn open(mut client: MediaNodeClient<Channel>, replica: &str) -> Result<Stream, tonic::Status> {
    let node = client.describe(DescribeRequest {}).await?.into_inner();
    let (out, commands) = mpsc::channel(CALLS_QUEUED_MAX);
    let mut request = tonic::Request::new(ReceiverStream::new(commands));
    if let Ok(name) = replica.parse() {
        request.metadata_mut().insert(REPLICA_HEADER, name);
    }
    let frames = client.control(request).await?.into_inner();
    let state = NodeState {
        boot_id: node.boot_id,
        media_address: node.media_addresses.into_iter().next(),
        node_id: node.node_id,
        lacks_relays: node.lacks_relays,
    };
    Ok(Stream { node: state, out, frames })
}

/// Why a control stream was not opened.
fn why(failed: Option<tonic::Status>) -> String {
    failed.map_or_else(
        || format!("no answer within {OPEN_TIMEOUT:?}"),
        |status| format!("{:?}: {}", status.code(), status.message()),
    )
}

impl Drop for Link {
    fn drop(&mut self) {
        self.metrics.forget(&self.node);
    }
}

/// Whether the machine is there and nobody listens any more.
fn was_refused(status: &tonic::Status) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(status);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Refuses whatever is asked while there is no node; returns when all handles are gone.
async fn refuse_all(queue: &mut mpsc::Receiver<NodeCall>) {
    while let Some(NodeCall { route, ticket, .. }) = queue.recv().await {
        route.deliver(Delivery::Reply { ticket, reply: Err(unavailable()) });
    }
}
