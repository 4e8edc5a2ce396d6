//! The control stream to one node: commands out, and replies and room events back in the node's
//! order. One task owns the stream, the room table and what is waiting for a reply, so nothing here
//! can overtake anything.

use super::room_table::{Delivery, RoomTable, Route};
use crate::metrics::LinkMetrics;
use futures::StreamExt;
use railgun_shared::ids::SessionId;
use railgun_shared::media_rpc::wire::proto::media_node_client::MediaNodeClient;
use railgun_shared::media_rpc::wire::proto::{ControlFrame, DescribeRequest, NodeFrame};
use railgun_shared::media_rpc::wire::{FromNode, decode_node_frame, encode_command};
use railgun_shared::media_rpc::{Address, Command, LeaveReason, Reply};
use railgun_shared::signal::{ErrorBody, ErrorCode};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
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
/// How long a node may take to accept the control stream.
const OPEN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long sessions wait for a node that fell silent. One whose machine refuses the connection has
/// ended, and is not waited for.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// A command for the node, and where its reply goes.
#[derive(Debug)]
pub(crate) struct NodeCall {
    pub(crate) address: Address,
    pub(crate) command: Command,
    pub(crate) route: Route,
    /// Comes back in [`Delivery::Reply`].
    pub(crate) ticket: u64,
}

/// What is known of a node while its control stream is up.
#[derive(Clone, Debug)]
pub(crate) struct NodeState {
    pub(crate) boot_id: String,
    pub(crate) media_address: Option<String>,
    pub(crate) node_id: String,
}

/// A node, as sessions hold it.
#[derive(Clone, Debug)]
pub struct NodeLink {
    calls: mpsc::Sender<NodeCall>,
    state: watch::Receiver<Option<NodeState>>,
}

impl NodeLink {
    /// Keeps a control stream to the node at the other end of `channel` until the task is aborted
    /// or the last handle is dropped.
    pub(crate) fn start(channel: Channel, metrics: LinkMetrics) -> (Self, JoinHandle<()>) {
        let (calls, queue) = mpsc::channel(CALLS_QUEUED_MAX);
        let (state_out, state) = watch::channel(None);
        let link = Link {
            client: MediaNodeClient::new(channel),
            queue,
            state: state_out,
            rooms: RoomTable::default(),
            pending: HashMap::new(),
            last_request: 0,
            left_behind: Vec::new(),
            silent: Vec::new(),
            metrics,
        };
        (Self { calls, state }, tokio::spawn(link.run()))
    }

    /// Hands a command over; its reply comes by the call's route, also when there is no node.
    pub(crate) async fn call(&self, call: NodeCall) -> Result<(), ErrorBody> {
        self.calls.send(call).await.map_err(|_| unavailable())
    }

    /// The node's description while the control stream is up.
    pub(crate) fn state(&self) -> Option<NodeState> {
        self.state.borrow().clone()
    }
}

pub(crate) fn unavailable() -> ErrorBody {
    ErrorBody::new(ErrorCode::NodeUnavailable, "no media node can be reached right now")
}

struct Link {
    client: MediaNodeClient<Channel>,
    queue: mpsc::Receiver<NodeCall>,
    state: watch::Sender<Option<NodeState>>,
    rooms: RoomTable,
    pending: HashMap<u64, Pending>,
    last_request: u64,
    /// Who was asking for a seat when the stream was lost, and was told that it has none.
    left_behind: Vec<(SessionId, Address)>,
    /// Who was in a room then. The node still has them, if it is the same.
    silent: Vec<Route>,
    metrics: LinkMetrics,
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
        let mut told = false;
        let mut silent_since = Instant::now();
        loop {
            let opening = tokio::time::timeout(OPEN_TIMEOUT, open(self.client.clone()));
            let opened = tokio::select! {
                opened = opening => opened,
                () = refuse_all(&mut self.queue) => return,
            };
            match opened {
                Ok(Ok(stream)) => {
                    tracing::info!(node = %stream.node.node_id, "the media node is reached");
                    let is_same = stream.node.boot_id == last_boot;
                    if !is_same {
                        self.left_behind.clear();
                        last_boot.clone_from(&stream.node.boot_id);
                    }
                    backoff = BACKOFF_FIRST;
                    told = false;
                    let ended = self.serve(stream, is_same).await;
                    silent_since = Instant::now();
                    if let Ended::Stopped = ended {
                        return;
                    }
                }
                Ok(Err(status)) if !self.silent.is_empty() && was_refused(&status) => {
                    tracing::warn!("the media node has ended");
                    self.give_up();
                }
                _ if !self.silent.is_empty() && silent_since.elapsed() >= SILENCE_MAX => {
                    tracing::warn!("the media node stays silent");
                    self.give_up();
                }
                failed if told => tracing::debug!(reached = failed.is_ok(), "still no media node"),
                Ok(Err(status)) => {
                    told = true;
                    tracing::warn!(code = ?status.code(), error = %status.message(), "no media node");
                }
                Err(_) => {
                    told = true;
                    tracing::warn!("the media node did not answer in time");
                }
            }
            let pause = tokio::time::sleep(backoff.mul_f64(rand::random_range(0.5..1.0)));
            backoff = (backoff * 2).min(BACKOFF_MAX);
            tokio::select! {
                () = pause => {}
                () = refuse_all(&mut self.queue) => return,
            }
        }
    }

    async fn serve(&mut self, stream: Stream, is_same: bool) -> Ended {
        let Stream { node, out, mut frames } = stream;
        self.state.send_replace(Some(node));
        self.metrics.set_up(true);
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
                        tracing::warn!(code = ?status.code(), "the media node is lost");
                        break Ended::Lost;
                    }
                    None => {
                        tracing::warn!("the media node closed its stream");
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
        self.metrics.set_up(false);
        self.lose();
        ended
    }

    /// Gives back the seats that the node still holds from before it was lost, ahead of any other
    /// command, so that who joins again finds the old seat empty. False: the stream is gone.
    fn empty_seats(&mut self, out: &mpsc::Sender<ControlFrame>) -> bool {
        while out.capacity() > 0
            && let Some((session, address)) = self.left_behind.pop()
        {
            self.last_request += 1;
            let leave = Command::Leave { session, reason: LeaveReason::Lost, attachment: None };
            if out.try_send(encode_command(self.last_request, &address, &leave)).is_err() {
                return false;
            }
        }
        true
    }

    /// Notes who waits for the reply.
    fn enter(&mut self, call: NodeCall) -> ControlFrame {
        self.last_request += 1;
        let frame = encode_command(self.last_request, &call.address, &call.command);
        let kind = match call.command {
            Command::Join(_) => Kind::Join,
            Command::Resume(_) => Kind::Resume,
            Command::Leave { .. } | Command::Detach { .. } => Kind::Leave,
            _ => Kind::Other,
        };
        let NodeCall { address, route, ticket, .. } = call;
        let pending = Pending { route, ticket, address, kind, sent_at: Instant::now() };
        self.pending.insert(self.last_request, pending);
        frame
    }

    fn receive(&mut self, frame: NodeFrame) {
        match decode_node_frame(frame) {
            Ok(FromNode::Event(event)) => self.rooms.spread(event),
            Ok(FromNode::Reply { request, reply }) => self.complete(request, reply),
            Err(error) => tracing::error!(%error, "the media node said what cannot be read"),
        }
        self.metrics.set_rooms(self.rooms.len());
    }

    fn complete(&mut self, request: u64, reply: Result<Reply, ErrorBody>) {
        // Replies to the leaves of those left behind are nobody's.
        let Some(pending) = self.pending.remove(&request) else { return };
        let Pending { route, ticket, address, kind, sent_at } = pending;
        self.metrics.replied(sent_at.elapsed());
        match &reply {
            Ok(Reply::Joined(_) | Reply::Resumed(..)) => self.rooms.join(&address, route.clone()),
            _ if kind == Kind::Leave => self.rooms.leave(&address.channel, &route),
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
                Kind::Leave | Kind::Other => {}
            }
        }
        for route in self.rooms.drain() {
            self.fall_silent(route);
        }
        self.metrics.set_rooms(0);
    }

    fn fall_silent(&mut self, route: Route) {
        route.deliver(Delivery::NodeSilent);
        self.silent.push(route);
    }

    /// The rooms are gone.
    fn give_up(&mut self) {
        self.silent.drain(..).for_each(|route| route.deliver(Delivery::NodeLost));
    }
}

/// Opens the control stream. `Describe` comes first: a client whose certificate is refused learns
/// it at its first call, not when it connects.
async fn open(mut client: MediaNodeClient<Channel>) -> Result<Stream, tonic::Status> {
    let node = client.describe(DescribeRequest {}).await?.into_inner();
    let (out, commands) = mpsc::channel(CALLS_QUEUED_MAX);
    let frames = client.control(ReceiverStream::new(commands)).await?.into_inner();
    let state = NodeState {
        boot_id: node.boot_id,
        media_address: node.media_addresses.into_iter().next(),
        node_id: node.node_id,
    };
    Ok(Stream { node: state, out, frames })
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
