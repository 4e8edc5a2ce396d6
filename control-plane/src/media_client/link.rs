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
    /// Who was in a room when the stream was lost. The node still has them, if it is the same.
    left_behind: Vec<(SessionId, Address)>,
    metrics: LinkMetrics,
}

struct Pending {
    route: Route,
    ticket: u64,
    address: Address,
    joins: bool,
    sent_at: Instant,
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
        loop {
            let opening = tokio::time::timeout(OPEN_TIMEOUT, open(self.client.clone()));
            let opened = tokio::select! {
                opened = opening => opened,
                () = refuse_all(&mut self.queue) => return,
            };
            match opened {
                Ok(Ok(stream)) => {
                    tracing::info!(node = %stream.node.node_id, "the media node is reached");
                    if stream.node.boot_id != last_boot {
                        self.left_behind.clear();
                        last_boot.clone_from(&stream.node.boot_id);
                    }
                    backoff = BACKOFF_FIRST;
                    told = false;
                    if let Ended::Stopped = self.serve(stream).await {
                        return;
                    }
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

    async fn serve(&mut self, stream: Stream) -> Ended {
        let Stream { node, out, mut frames } = stream;
        self.state.send_replace(Some(node));
        self.metrics.set_up(true);
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
        let joins = matches!(call.command, Command::Join(_));
        let NodeCall { address, route, ticket, .. } = call;
        self.pending
            .insert(self.last_request, Pending { route, ticket, address, joins, sent_at: Instant::now() });
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
        let Pending { route, ticket, address, sent_at, .. } = pending;
        self.metrics.replied(sent_at.elapsed());
        match &reply {
            Ok(Reply::Joined(_)) => self.rooms.join(&address, route.clone()),
            Ok(Reply::Left) => self.rooms.leave(&address.channel, route.session),
            _ => {}
        }
        route.deliver(Delivery::Reply { ticket, reply });
    }

    /// The stream is gone: whoever waits is refused, whoever was in a room is told.
    fn lose(&mut self) {
        for pending in std::mem::take(&mut self.pending).into_values() {
            let Pending { route, ticket, address, joins, .. } = pending;
            if joins {
                self.left_behind.push((route.session, address));
            }
            route.deliver(Delivery::Reply { ticket, reply: Err(unavailable()) });
        }
        for (address, route) in self.rooms.drain() {
            self.left_behind.push((route.session, address));
            route.deliver(Delivery::NodeLost);
        }
        self.metrics.set_rooms(0);
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

/// Refuses whatever is asked while there is no node; returns when all handles are gone.
async fn refuse_all(queue: &mut mpsc::Receiver<NodeCall>) {
    while let Some(NodeCall { route, ticket, .. }) = queue.recv().await {
        route.deliver(Delivery::Reply { ticket, reply: Err(unavailable()) });
    }
}
