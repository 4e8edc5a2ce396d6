//! The whole node: `railgun-media` as a process of its own, asked over gRPC, its media over UDP. What counts is
//! the CPU time of all its threads, in the program and in the kernel.

use anyhow::{Context, Result, bail, ensure};
use railgun_peer::{Peer, World};
use railgun_protocol::ids::SessionId;
use railgun_protocol::media_rpc::{Address, Command, Reply};
use railgun_protocol::plan::Tier;
use railgun_protocol::transport_parameters::TransportDirection;
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use railgun_rpc::proto::{ControlFrame, DescribeRequest, NodeFrame};
use railgun_rpc::{FromNode, decode_node_frame, encode_command};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

const READY_TIMEOUT: Duration = Duration::from_secs(20);
const READY_POLL: Duration = Duration::from_millis(20);
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer waits for a datagram before it does what is due by time.
const PATIENCE: Duration = Duration::from_millis(10);
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Until the node has done what follows the last datagram of a handshake.
const SETTLED: Duration = Duration::from_millis(5);
/// For how long it is watched while nobody asks it for anything.
const IDLE: Duration = Duration::from_secs(1);

/// What setting up transports took, in ns of the process.
pub(super) struct Measured {
    /// Each, including what the process does anyway in the time.
    pub(super) each: Vec<u64>,
    /// In a second in which nothing was asked of it.
    pub(super) idle: u64,
}

/// Sets up `transports`, one after the other, each in a seat of its own; the first one more, unmeasured.
pub(super) fn measure(binary: Option<&Path>, transports: usize, per_room: usize) -> Result<Measured> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut node = Node::start(binary, runtime)?;
    let mut seats = Vec::new();
    for number in 0..=transports {
        let room = World::room(&format!("setup-{}", number / per_room));
        let mut request = World::join_request(number as u128 + 1, Tier::Free);
        request.limits.participants = u16::try_from(per_room)?;
        let session = request.session;
        node.command(&room, Command::Join(Box::new(request)))?;
        seats.push((room, session));
    }
    std::thread::sleep(IDLE);
    let before = node.cpu_ns()?;
    std::thread::sleep(IDLE);
    let idle = node.cpu_ns()? - before;
    let mut each = Vec::new();
    for (number, (room, session)) in seats.into_iter().enumerate() {
        let before = node.cpu_ns()?;
        node.connect(&room, session, number as u64)?;
        std::thread::sleep(SETTLED);
        each.push(node.cpu_ns()? - before);
    }
    each.remove(0);
    Ok(Measured { each, idle })
}

struct Node {
    child: Child,
    runtime: Runtime,
    frames: mpsc::Sender<ControlFrame>,
    incoming: Streaming<NodeFrame>,
    boot_id: String,
    next_request: u64,
}

impl Node {
    /// Starts `binary`, or the `railgun-media` beside this program, with one worker, on free ports.
    fn start(binary: Option<&Path>, runtime: Runtime) -> Result<Self> {
        let binary = binary.map_or_else(beside_us, |path| Ok(path.to_owned()))?;
        let (rpc, health) = (free_port()?, free_port()?);
        let mut child = std::process::Command::new(&binary)
            .args(["--workers", "1", "--rpc-insecure", "true"])
            .args(["--rpc-listen", &format!("127.0.0.1:{rpc}")])
            .args(["--health-listen", &format!("127.0.0.1:{health}")])
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        match runtime.block_on(open(rpc)) {
            Ok((frames, incoming, boot_id)) => {
                Ok(Self { child, runtime, frames, incoming, boot_id, next_request: 0 })
            }
            Err(error) => {
                // It was asked for nothing that would have to be kept.
                let _ = child.kill();
                let _ = child.wait();
                Err(error.context(format!("{} does not answer", binary.display())))
            }
        }
    }

    fn command(&mut self, room: &Address, command: Command) -> Result<Reply> {
        self.next_request += 1;
        let wanted = self.next_request;
        let mut frame = encode_command(wanted, room, &command);
        frame.boot_id.clone_from(&self.boot_id);
        let Self { runtime, frames, incoming, .. } = self;
        let reply = async {
            frames.send(frame).await.context("the stream ended")?;
            loop {
                let frame = incoming.message().await?.context("the stream ended")?;
                match decode_node_frame(frame)? {
                    FromNode::Reply { request, reply } if request == wanted => {
                        return reply.map_err(|error| anyhow::anyhow!("refused: {error:?}"));
                    }
                    _ => {}
                }
            }
        };
        runtime.block_on(async { tokio::time::timeout(REPLY_TIMEOUT, reply).await.context("no reply")? })
    }

    /// From `createTransport` to the first key.
    fn connect(&mut self, room: &Address, session: SessionId, seed: u64) -> Result<()> {
        let direction = TransportDirection::Recv;
        let reply = self.command(room, Command::CreateTransport { session, direction })?;
        let Reply::TransportCreated { transport, parameters, .. } = reply else { bail!("no transport") };
        let candidate = parameters.ice_candidates.first().context("no candidate")?;
        // An address of its own: what it costs to take over another's is not measured.
        let [.., high, low] = seed.to_be_bytes();
        let socket = UdpSocket::bind((Ipv4Addr::new(127, 9, high, low), 0))?;
        socket.connect(SocketAddr::new(candidate.ip, candidate.port))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut peer = Peer::new(transport, socket.local_addr()?, &parameters, 1 + seed, Instant::now());
        let dtls = peer.dtls_parameters();
        self.command(room, Command::ConnectTransport { session, transport, dtls })?;
        peer.start(Instant::now());
        let until = Instant::now() + HANDSHAKE_TIMEOUT;
        let mut buffer = [0; 2048];
        while !peer.is_connected() {
            ensure!(Instant::now() < until, "no handshake");
            for datagram in peer.take_outgoing() {
                socket.send(&datagram)?;
            }
            match socket.recv(&mut buffer) {
                Ok(len) => peer.receive(&buffer[..len], Instant::now()),
                Err(_) => peer.handle_timeout(Instant::now()),
            }
        }
        Ok(())
    }

    /// Of all threads, as the scheduler counts it. None of them ends while it is measured.
    fn cpu_ns(&self) -> Result<u64> {
        let mut sum = 0;
        for entry in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(entry?.path().join("schedstat"))?;
            sum += text.split_whitespace().next().context("schedstat")?.parse::<u64>()?;
        }
        Ok(sum)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn open(port: u16) -> Result<(mpsc::Sender<ControlFrame>, Streaming<NodeFrame>, String)> {
    let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}"))?;
    let until = Instant::now() + READY_TIMEOUT;
    let channel = loop {
        match endpoint.connect().await {
            Ok(channel) => break channel,
            Err(error) if Instant::now() > until => return Err(error.into()),
            Err(_) => tokio::time::sleep(READY_POLL).await,
        }
    };
    let mut client = MediaNodeClient::new(channel);
    let boot_id = client.describe(DescribeRequest {}).await?.into_inner().boot_id;
    let (frames, outgoing) = mpsc::channel(16);
    let incoming = client.control(ReceiverStream::new(outgoing)).await?.into_inner();
    Ok((frames, incoming, boot_id))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn beside_us() -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name("railgun-media");
    ensure!(
        path.is_file(),
        "{} is not there: build it with `cargo build --release --package railgun-media`, or give --node",
        path.display()
    );
    Ok(path)
}
