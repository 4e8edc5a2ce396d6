//! A node in this process, and a control-plane's side of its link.
use hyper_util::rt::TokioIo;
use railgun_media::{Config, Node};
use railgun_peer::World;
use railgun_protocol::ids::{ChannelId, SessionId};
use railgun_protocol::media_rpc::{Address, Command};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::StateUpdate;
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use railgun_rpc::proto::{ControlFrame, DescribeRequest, NodeFrame};
use railgun_rpc::{FromNode, decode_node_frame, encode_command};
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Two workers on loopback, on ports that no default takes.
pub(crate) fn config() -> Config {
    let mut config = Config { workers: 2, node_id: "media-1".into(), ..Config::default() };
    (config.rtc.port_min, config.rtc.port_max) = (23_500, 23_999);
    config
}

/// A node whose link is a pipe inside the process, and the channel at its other end.
pub(crate) fn start_node() -> (Node, Channel) {
    let node = Node::start(config()).unwrap();
    let channel = channel_to(&node);
    (node, channel)
}

pub(crate) fn channel_to(node: &Node) -> Channel {
    let (server_ends, incoming) = mpsc::channel::<std::io::Result<DuplexStream>>(4);
    tokio::spawn(node.serve_rpc(ReceiverStream::new(incoming), None));
    let connect = tower::service_fn(move |_| {
        let server_ends = server_ends.clone();
        async move {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            server_ends.send(Ok(theirs)).await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(TokioIo::new(ours))
        }
    });
    Endpoint::from_static("http://node").connect_with_connector_lazy(connect)
}

/// One control stream.
pub(crate) struct Link {
    frames: mpsc::Sender<ControlFrame>,
    incoming: Streaming<NodeFrame>,
    next_request: u64,
    boot_id: String,
}

impl Link {
    pub(crate) async fn open(channel: &Channel) -> Self {
        let (frames, outgoing) = mpsc::channel(64);
        let mut client = MediaNodeClient::new(channel.clone());
        let boot_id = client.describe(DescribeRequest {}).await.unwrap().into_inner().boot_id;
        let response = client.control(ReceiverStream::new(outgoing)).await.unwrap();
        Self { frames, incoming: response.into_inner(), next_request: 0, boot_id }
    }

    /// Sends a command; returns its request number.
    pub(crate) async fn send(&mut self, room: &str, command: Command) -> u64 {
        let address = Address { channel: ChannelId::new(room).unwrap(), epoch: 1 };
        self.next_request += 1;
        let mut frame = encode_command(self.next_request, &address, &command);
        frame.boot_id.clone_from(&self.boot_id);
        self.frames.send(frame).await.unwrap();
        self.next_request
    }

    pub(crate) async fn send_frame(&mut self, frame: ControlFrame) {
        self.frames.send(frame).await.unwrap();
    }

    /// The next frame; none if the node ended the stream.
    pub(crate) async fn next(&mut self) -> Option<FromNode> {
        let message = tokio::time::timeout(PATIENCE, self.incoming.message()).await;
        let frame = message.expect("the node says nothing").ok().flatten()?;
        Some(decode_node_frame(frame).unwrap())
    }

    /// The reply to `request`; what comes before it is skipped.
    pub(crate) async fn reply(
        &mut self,
        request: u64,
    ) -> Result<railgun_protocol::media_rpc::Reply, railgun_protocol::signal::ErrorBody> {
        loop {
            match self.next().await.expect("the stream ended") {
                FromNode::Reply { request: answered, reply } if answered == request => return reply,
                _ => {}
            }
        }
    }
}

pub(crate) fn session(number: u128) -> SessionId {
    SessionId::from_bits(number)
}

pub(crate) fn join(number: u128) -> Command {
    Command::Join(Box::new(World::join_request(number, Tier::Pro)))
}

pub(crate) fn mute(number: u128, muted: bool) -> Command {
    let update = StateUpdate { muted: Some(muted), deafened: None, speaking: None };
    Command::UpdateState { session: session(number), update }
}
