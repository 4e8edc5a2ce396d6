//! A media node without media: it takes every command, remembers it, and answers that it is done.

use futures::{Stream, StreamExt};
use railgun_shared::ids::{ConsumerId, ProducerId, SessionId, TransportId, UserId};
use railgun_shared::media_rpc::wire::proto::media_node_server::{MediaNode, MediaNodeServer};
use railgun_shared::media_rpc::wire::proto::{
    ControlFrame, DescribeRequest, ListRoomsRequest, NodeDescription, NodeFrame, RoomList,
};
use railgun_shared::media_rpc::wire::{decode_command, encode_event, encode_reply};
use railgun_shared::media_rpc::{
    Address, Audience, Command, ConsumerDescription, Event, Reply, RoomEvent, RoomSnapshot, Slot, SlotState,
};
use railgun_shared::rtp_parameters::{MediaKind, RtpParameters, StreamType};
use railgun_shared::signal::{ErrorBody, ErrorCode, Source, StateUpdate};
use railgun_shared::transport_parameters::{
    DtlsParameters, DtlsRole, IceCandidate, IceParameters, TransportParameters,
};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::ServerTlsConfig;
use tonic::{Request, Response, Status, Streaming};

#[derive(Clone)]
pub struct FakeNode {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<Command>>,
    down: AtomicBool,
    lose: Notify,
    counter: AtomicU64,
    held: AtomicBool,
    release: Notify,
    /// The control stream that was opened last.
    out: Mutex<Option<mpsc::Sender<Result<NodeFrame, Status>>>>,
}

impl FakeNode {
    pub async fn start() -> Self {
        Self::serve_by(tonic::transport::Server::builder()).await
    }

    pub async fn start_with_tls(tls: ServerTlsConfig) -> Self {
        // A build of the whole workspace has two providers, and rustls chooses neither.
        _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Self::serve_by(tonic::transport::Server::builder().tls_config(tls).unwrap()).await
    }

    async fn serve_by(mut server: tonic::transport::Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let node = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let router = server.add_service(MediaNodeServer::new(node.clone()));
        tokio::spawn(router.serve_with_incoming(TcpListenerStream::new(listener)));
        node
    }

    /// Every command so far.
    pub fn seen(&self) -> Vec<Command> {
        self.state.seen.lock().unwrap().clone()
    }

    /// Answers nothing more until `release`.
    pub fn hold(&self) {
        self.state.held.store(true, Ordering::SeqCst);
    }

    pub fn release(&self) {
        self.state.held.store(false, Ordering::SeqCst);
        self.state.release.notify_waiters();
    }

    /// Says something unasked.
    pub async fn say(&self, event: RoomEvent) {
        let out = self.state.out.lock().unwrap().clone().unwrap();
        out.send(Ok(encode_event(event))).await.unwrap();
    }

    /// Ends the control streams, and takes new ones only if `down` is not set.
    pub fn lose(&self, down: bool) {
        self.state.down.store(down, Ordering::SeqCst);
        self.state.out.lock().unwrap().take();
        self.state.lose.notify_waiters();
    }

    pub fn recover(&self) {
        self.state.down.store(false, Ordering::SeqCst);
    }

    fn bits(&self) -> u128 {
        u128::from(self.state.counter.fetch_add(1, Ordering::SeqCst)) + 1
    }

    fn reply(&self, command: &Command) -> Result<Reply, ErrorBody> {
        Ok(match command {
            Command::Join(_) => {
                Reply::Joined(RoomSnapshot { room_seq: 7, participants: Vec::new(), attachment: 1 })
            }
            Command::Leave { .. } => Reply::Left,
            Command::CreateTransport { direction, .. } => Reply::TransportCreated {
                direction: *direction,
                transport: TransportId::from_bits(self.bits()),
                parameters: transport_parameters(),
            },
            Command::ConnectTransport { transport, .. } => {
                Reply::TransportConnected { transport: *transport }
            }
            Command::SetPreferredLayers { consumer, layers, .. } => {
                Reply::PreferredLayersSet { consumer: *consumer, layers: *layers }
            }
            Command::RestartIce { transport, .. } => Reply::IceRestarted {
                transport: *transport,
                ice_parameters: transport_parameters().ice_parameters,
            },
            Command::Produce { kind, source, .. } => {
                Reply::Produced { producer: ProducerId::from_bits(self.bits()), kind: *kind, source: *source }
            }
            Command::PauseProducer { producer, .. } => Reply::ProducerPaused { producer: *producer },
            Command::ResumeProducer { producer, .. } => Reply::ProducerResumed { producer: *producer },
            Command::CloseProducer { producer, .. } => Reply::ProducerClosed { producer: *producer },
            Command::Consume { producer, .. } if producer.to_bits() == u128::MAX => {
                return Err(ErrorBody::new(ErrorCode::NotFound, "there is no such producer"));
            }
            Command::Consume { producer, session, .. } => Reply::Consumed(Box::new(ConsumerDescription {
                consumer: ConsumerId::from_bits(self.bits()),
                producer: *producer,
                user: UserId::new("somebody").unwrap(),
                session: *session,
                kind: MediaKind::Video,
                source: Source::Camera,
                stream_type: StreamType::Simple,
                rtp_parameters: RtpParameters::default(),
                producer_paused: false,
            })),
            Command::PauseConsumer { consumer, .. } => Reply::ConsumerPaused { consumer: *consumer },
            Command::ResumeConsumer { consumer, .. } => Reply::ConsumerResumed { consumer: *consumer },
            Command::RequestKeyFrame { consumer, .. } => Reply::KeyFrameRequested { consumer: *consumer },
            Command::UpdateState { update, .. } => Reply::StateUpdated(StateUpdate {
                muted: Some(update.muted.unwrap_or_default()),
                deafened: Some(update.deafened.unwrap_or_default()),
                speaking: Some(update.speaking.unwrap_or_default()),
            }),
            Command::Resume(_) => {
                let room = RoomSnapshot { room_seq: 8, participants: Vec::new(), attachment: 2 };
                Reply::Resumed(room, Box::default())
            }
            Command::Inspect => {
                Reply::Inspected(RoomSnapshot { room_seq: 8, participants: Vec::new(), attachment: 0 })
            }
            Command::RequestSlot { .. } => {
                Reply::Slot(SlotState { slot: Slot::Held(Duration::from_secs(30)), current: 1, max: 4 })
            }
            Command::ReleaseSlot { source, .. } => Reply::SlotReleased { source: *source },
            Command::ConfirmResume { .. }
            | Command::Detach { .. }
            | Command::SetGrant { .. }
            | Command::Kick { .. }
            | Command::Mute { .. }
            | Command::SetLimits { .. } => Reply::Done,
        })
    }

    /// The frames a command leads to. Creating a transport comes with an event on either side of its
    /// reply, so that a test sees whether one overtakes the other.
    fn frames(&self, request: u64, address: &Address, command: &Command) -> Vec<NodeFrame> {
        let reply = encode_reply(request, self.reply(command));
        match command {
            Command::CreateTransport { .. } => vec![event(address, 1), reply, event(address, 2)],
            Command::CloseProducer { .. } => vec![reply, event(address, 3)],
            _ => vec![reply],
        }
    }

    async fn serve(
        self,
        mut commands: Streaming<ControlFrame>,
        out: mpsc::Sender<Result<NodeFrame, Status>>,
    ) {
        while let Some(Ok(frame)) = commands.next().await {
            let (request, address, command) = decode_command(frame).unwrap();
            self.state.seen.lock().unwrap().push(command.clone());
            loop {
                // Before the look at `held`, or a release in between would go unnoticed.
                let released = self.state.release.notified();
                if !self.state.held.load(Ordering::SeqCst) {
                    break;
                }
                released.await;
            }
            for frame in self.frames(request, &address, &command) {
                let _ = out.send(Ok(frame)).await;
            }
        }
    }
}

#[tonic::async_trait]
impl MediaNode for FakeNode {
    type ControlStream = Pin<Box<dyn Stream<Item = Result<NodeFrame, Status>> + Send>>;

    async fn control(
        &self,
        request: Request<Streaming<ControlFrame>>,
    ) -> Result<Response<Self::ControlStream>, Status> {
        let (out, frames) = mpsc::channel(64);
        *self.state.out.lock().unwrap() = Some(out.clone());
        let node = self.clone();
        tokio::spawn(async move {
            let state = node.state.clone();
            tokio::select! {
                () = node.serve(request.into_inner(), out) => {}
                () = state.lose.notified() => {}
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(frames))))
    }

    async fn describe(&self, _: Request<DescribeRequest>) -> Result<Response<NodeDescription>, Status> {
        if self.state.down.load(Ordering::SeqCst) {
            return Err(Status::unavailable("down"));
        }
        Ok(Response::new(NodeDescription {
            node_id: "fake".into(),
            boot_id: "0".repeat(32),
            version: "0".into(),
            media_addresses: vec!["127.0.0.1:40000".into()],
            rooms: 0,
            sessions: 0,
        }))
    }

    async fn list_rooms(&self, _: Request<ListRoomsRequest>) -> Result<Response<RoomList>, Status> {
        Ok(Response::new(RoomList::default()))
    }
}

fn event(address: &Address, room_seq: u64) -> NodeFrame {
    encode_event(RoomEvent {
        channel: address.channel.clone(),
        epoch: address.epoch,
        room_seq,
        audience: Audience::Everyone,
        event: Event::ParticipantLeft {
            user: UserId::new("somebody").unwrap(),
            session: SessionId::from_bits(u128::from(room_seq)),
        },
    })
}

fn transport_parameters() -> TransportParameters {
    TransportParameters {
        ice_parameters: IceParameters {
            username_fragment: "ufrag".into(),
            password: "password".into(),
            ice_lite: true,
        },
        ice_candidates: vec![IceCandidate::udp_host([127, 0, 0, 1].into(), 40_000, 0)],
        dtls_parameters: DtlsParameters { role: DtlsRole::Auto, fingerprints: Vec::new() },
    }
}
