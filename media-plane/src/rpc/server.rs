//! The gRPC service: reads frames, and hands each stream's to the switchboard in their order.

use super::switchboard::Input;
use crate::clock::unix_millis;
use crate::metrics::Gauges;
use railgun_protocol::ids::BootId;
use railgun_protocol::media_rpc::{Command, REPLICA_HEADER, REPLICA_NAME_MAX, UserAction};
use railgun_protocol::signal::{ErrorBody, ErrorCode};
use railgun_rpc::proto::media_node_server::MediaNode;
use railgun_rpc::proto::{
    ControlFrame, DescribeRequest, ListRoomsRequest, NodeDescription, NodeFrame, RoomList, RoomSummary,
    UserOrder, UserOrdered,
};
use railgun_rpc::{decode_command, decode_user_order, encode_replacement};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, info};

/// Frames that wait for a stream to be written; one more closes the stream.
const FRAMES_MAX: usize = 4096;

/// From when a join is asked for to when a node reads it, at most.
const JOIN_MS_MAX: u64 = 10_000;

/// What does not change while the process runs.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) node_id: String,
    pub(crate) boot: BootId,
    /// Media address of each worker, as clients are told.
    pub(crate) media_addresses: Vec<SocketAddr>,
    /// `rtc.relays` is empty, so that sessions in privacy mode can have no media.
    pub(crate) lacks_relays: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct MediaNodeService {
    identity: Arc<Identity>,
    gauges: Arc<Gauges>,
    inputs: mpsc::Sender<Input>,
    next_stream: Arc<AtomicU64>,
}

impl MediaNodeService {
    pub(crate) fn new(identity: Identity, gauges: Arc<Gauges>, inputs: mpsc::Sender<Input>) -> Self {
        Self { identity: Arc::new(identity), gauges, inputs, next_stream: Arc::default() }
    }

    async fn population(&self) -> Option<(usize, usize)> {
        let (asker, answer) = oneshot::channel();
        self.inputs.send(Input::Population(asker)).await.ok()?;
        answer.await.ok()
    }
}

#[tonic::async_trait]
impl MediaNode for MediaNodeService {
    type ControlStream = ReceiverStream<Result<NodeFrame, Status>>;

    async fn control(
        &self,
        request: Request<Streaming<ControlFrame>>,
    ) -> Result<Response<Self::ControlStream>, Status> {
        let stream = self.next_stream.fetch_add(1, Ordering::Relaxed);
        let peer = request.remote_addr().map_or_else(|| "this process".into(), |peer| peer.to_string());
        let replica = replica_of(&request);
        let (frames, outgoing) = mpsc::channel(FRAMES_MAX);
        let (alive, given_up) = oneshot::channel();
        self.inputs.send(Input::Opened { stream, replica, frames, alive }).await.map_err(|_| stopping())?;
        let boot = self.identity.boot.to_string();
        let (inputs, incoming) = (self.inputs.clone(), request.into_inner());
        tokio::spawn(async move {
            info!(stream, peer, "a control-plane opened its control stream");
            let opened = Instant::now();
            read(incoming, stream, boot, inputs, given_up).await;
            info!(stream, peer, lasted = ?opened.elapsed(), "the control stream of a control-plane ended");
        });
        Ok(Response::new(ReceiverStream::new(outgoing)))
    }

    async fn describe(
        &self,
        _request: Request<DescribeRequest>,
    ) -> Result<Response<NodeDescription>, Status> {
        let (rooms, sessions) = self.population().await.ok_or_else(stopping)?;
        let identity = &self.identity;
        Ok(Response::new(NodeDescription {
            node_id: identity.node_id.clone(),
            boot_id: identity.boot.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            media_addresses: identity.media_addresses.iter().map(ToString::to_string).collect(),
            rooms: u32::try_from(rooms).unwrap_or(u32::MAX),
            sessions: u32::try_from(sessions).unwrap_or(u32::MAX),
            lacks_relays: identity.lacks_relays,
            end_to_end: true,
            work: Some(self.gauges.work()),
        }))
    }

    async fn list_rooms(&self, _request: Request<ListRoomsRequest>) -> Result<Response<RoomList>, Status> {
        let (asker, answer) = oneshot::channel();
        self.inputs.send(Input::Rooms(asker)).await.map_err(|_| stopping())?;
        let rooms = answer.await.map_err(|_| stopping())?.into_iter().map(|room| RoomSummary {
            channel: room.address.channel.to_string(),
            epoch: room.address.epoch,
            participants: u32::try_from(room.participants).unwrap_or(u32::MAX),
            producers: u32::try_from(room.producers).unwrap_or(u32::MAX),
        });
        Ok(Response::new(RoomList { rooms: rooms.collect() }))
    }

    async fn order_user(&self, request: Request<UserOrder>) -> Result<Response<UserOrdered>, Status> {
        let order = decode_user_order(request.into_inner());
        let mut order = order.map_err(|error| Status::invalid_argument(error.to_string()))?;
        if let UserAction::Replace(by) = &mut order.action {
            by.asked_at = believed(by.asked_at, unix_millis());
        }
        let (asker, answer) = oneshot::channel();
        self.inputs.send(Input::OrderUser(order, asker)).await.map_err(|_| stopping())?;
        let (sessions, later) = answer.await.map_err(|_| stopping())?;
        let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
        Ok(Response::new(UserOrdered { sessions, later: later.map(encode_replacement) }))
    }
}

/// What the replica at the other end calls itself; none: nothing that can be passed on.
fn replica_of<T>(request: &Request<T>) -> Option<String> {
    let name = request.metadata().get(REPLICA_HEADER)?.to_str().ok()?;
    let is_name = name.len() <= REPLICA_NAME_MAX && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then(|| name.to_owned())
}

fn stopping() -> Status {
    Status::unavailable("the node is stopping")
}

/// When a join was asked for that is read now, both in Unix milliseconds: the replica's clock may be off,
/// and then the older of a device's sessions would put the newer one out.
fn believed(asked_at: u64, now: u64) -> u64 {
    asked_at.clamp(now.saturating_sub(JOIN_MS_MAX), now)
}

/// Reads a stream until it ends or the switchboard gives it up. Sending waits when the switchboard
/// is busy, which holds this stream's client back by HTTP/2's flow control.
async fn read(
    mut incoming: Streaming<ControlFrame>,
    stream: u64,
    boot: String,
    inputs: mpsc::Sender<Input>,
    mut given_up: oneshot::Receiver<()>,
) {
    loop {
        let frame = tokio::select! {
            _ = &mut given_up => break,
            frame = incoming.message() => frame,
        };
        let frame = match frame {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            Err(status) => {
                debug!(stream, %status, "control stream broke");
                break;
            }
        };
        let (request, traceparent) = (frame.request, frame.traceparent.clone());
        let is_meant = frame.boot_id == boot;
        let input = match decode_command(frame) {
            Ok(_) if !is_meant => {
                let error = "this is another run of the node";
                Input::Unreadable {
                    stream,
                    request,
                    error: ErrorBody::new(ErrorCode::NodeUnavailable, error),
                }
            }
            Ok((request, address, mut command)) => {
                if let Command::Join(join) = &mut command {
                    join.asked_at = believed(join.asked_at, unix_millis());
                }
                Input::Command { stream, request, address, command, traceparent }
            }
            Err(error) => {
                let error = ErrorBody::new(ErrorCode::InvalidPayload, error.to_string());
                Input::Unreadable { stream, request, error }
            }
        };
        if inputs.send(input).await.is_err() {
            break;
        }
    }
    let _ = inputs.send(Input::Ended { stream }).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_whose_clock_is_five_minutes_off_makes_no_join_older_or_newer_than_it_is() {
        let now = 1_800_000_000_000;
        for (asked_at, expected) in [
            (now - 40, now - 40),
            (now + 300_000, now),
            (now - 300_000, now - JOIN_MS_MAX),
            (0, now - JOIN_MS_MAX),
            (u64::MAX, now),
        ] {
            assert_eq!(believed(asked_at, now), expected);
        }
        assert_eq!(believed(7, 5), 5, "a clock that starts at 1970");
    }
}
