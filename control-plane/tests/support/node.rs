//! A media node without media: it takes every command, remembers it, and answers that it is done.

mod service;

use futures::StreamExt;
use railgun_protocol::ids::{
    BootId, ChannelId, ConsumerId, DeviceId, ProducerId, SessionId, TransportId, UserId,
};
use railgun_protocol::media_rpc::{
    Address, Audience, Command, ConsumerDescription, Event, JoinRequest, OwnState, Reply, ResumeRequest,
    RoomEvent, RoomSnapshot, Slot, SlotState, TokenDigest, UserAction, UserOrder, WorkerDied,
};
use railgun_protocol::rtp_parameters::{MediaKind, RtpParameters, StreamType};
use railgun_protocol::signal::{
    AppData, ConsumerInfo, Encryption, ErrorBody, ErrorCode, KickReason, Participant, ProducerInfo, Source,
    StateUpdate, VideoSource,
};
use railgun_protocol::transport_parameters::{
    DtlsParameters, DtlsRole, IceCandidate, IceParameters, TransportParameters,
};
use railgun_rpc::proto::media_node_server::MediaNodeServer;
use railgun_rpc::proto::{ControlFrame, NodeFrame};
use railgun_rpc::{decode_command, encode_event, encode_reply, encode_worker_died};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::ServerTlsConfig;
use tonic::{Status, Streaming};

#[derive(Clone)]
pub(crate) struct FakeNode {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<(Address, Command)>>,
    down: AtomicBool,
    lacks_relays: AtomicBool,
    /// As a version before end-to-end encryption.
    is_old: AtomicBool,
    refuses_encryption: AtomicBool,
    is_confused: AtomicBool,
    lose: Notify,
    counter: AtomicU64,
    boot: AtomicU64,
    /// Who could be taken up again.
    sessions: Mutex<HashMap<SessionId, Held>>,
    held: AtomicBool,
    release: Notify,
    /// People besides sessions of replicas, in each room.
    others: Mutex<Vec<Participant>>,
    /// The control stream that was opened last.
    out: Mutex<Option<mpsc::Sender<Result<NodeFrame, Status>>>>,
}

struct Held {
    channel: ChannelId,
    epoch: u64,
    user: UserId,
    device: Option<DeviceId>,
    asked_at: u64,
    encryption: Encryption,
    token: TokenDigest,
    next: Option<TokenDigest>,
    attachment: u32,
    is_attached: bool,
    own: OwnState,
}

impl FakeNode {
    pub(crate) async fn start() -> Self {
        Self::serve_by(tonic::transport::Server::builder()).await
    }

    pub(crate) async fn start_with_tls(tls: ServerTlsConfig) -> Self {
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
    pub(crate) fn seen(&self) -> Vec<Command> {
        self.state.seen.lock().unwrap().iter().map(|(_, command)| command.clone()).collect()
    }

    /// Takes whom the order puts out off their seats: their addresses, and why.
    fn put_out(&self, order: &UserOrder) -> Vec<(SessionId, Address, KickReason)> {
        let reason = match &order.action {
            UserAction::Kick { reason } => reason.clone(),
            UserAction::Replace(_) => KickReason::Replaced,
            UserAction::EndLostVideo => return Vec::new(),
        };
        let is_meant = |session: &SessionId, held: &mut Held| {
            held.user == order.user
                && order.channel.as_ref().is_none_or(|channel| *channel == held.channel)
                && match &order.action {
                    UserAction::Replace(by) => {
                        held.device.as_ref() == Some(&by.device)
                            && *session != by.by
                            && (held.asked_at, *session) < (by.asked_at, by.by)
                    }
                    _ => true,
                }
        };
        let mut sessions = self.state.sessions.lock().unwrap();
        let out = sessions.extract_if(is_meant);
        out.map(|(session, held)| {
            (session, Address { channel: held.channel, epoch: held.epoch }, reason.clone())
        })
        .collect()
    }

    /// Who asked for a seat, and where.
    pub(crate) fn joins(&self) -> Vec<(Address, JoinRequest)> {
        let seen = self.state.seen.lock().unwrap();
        let joins = seen.iter().filter_map(|(address, command)| match command {
            Command::Join(request) => Some((address.clone(), (**request).clone())),
            _ => None,
        });
        joins.collect()
    }

    /// Has this person in each room from now on.
    pub(crate) fn seat(&self, participant: Participant) {
        self.state.others.lock().unwrap().push(participant);
    }

    fn others(&self) -> Vec<Participant> {
        self.state.others.lock().unwrap().clone()
    }

    /// Answers nothing more until `release`.
    pub(crate) fn hold(&self) {
        self.state.held.store(true, Ordering::SeqCst);
    }

    pub(crate) fn release(&self) {
        self.state.held.store(false, Ordering::SeqCst);
        self.state.release.notify_waiters();
    }

    /// Answers whatever a session asks for with nothing but that it is done.
    pub(crate) fn is_confused(&self) {
        self.state.is_confused.store(true, Ordering::SeqCst);
    }

    /// Says something unasked.
    pub(crate) async fn say(&self, event: RoomEvent) {
        let out = self.state.out.lock().unwrap().clone().unwrap();
        out.send(Ok(encode_event(event))).await.unwrap();
    }

    /// Says from now on that it knows no relay, to whoever connects.
    pub(crate) fn lack_relays(&self) {
        self.state.lacks_relays.store(true, Ordering::SeqCst);
        self.lose(false);
    }

    /// Knows nothing of end-to-end encryption from now on.
    pub(crate) fn be_old(&self) {
        self.state.is_old.store(true, Ordering::SeqCst);
    }

    pub(crate) fn be_new(&self) {
        self.state.is_old.store(false, Ordering::SeqCst);
    }

    /// Refuses to change how a room is encrypted.
    pub(crate) fn refuse_encryption(&self) {
        self.state.refuses_encryption.store(true, Ordering::SeqCst);
    }

    pub(crate) fn encrypts(&self) -> bool {
        !self.state.is_old.load(Ordering::SeqCst)
    }

    /// Says that a worker died, as a node does on every stream.
    pub(crate) async fn say_worker_died(&self, died: WorkerDied) {
        let out = self.state.out.lock().unwrap().clone().unwrap();
        out.send(Ok(encode_worker_died(died))).await.unwrap();
    }

    /// Ends the control streams, and takes new ones only if `down` is not set.
    pub(crate) fn lose(&self, down: bool) {
        self.state.down.store(down, Ordering::SeqCst);
        self.state.out.lock().unwrap().take();
        self.state.lose.notify_waiters();
    }

    /// Loses its streams and everything else, as a node that starts anew.
    pub(crate) fn restart(&self) {
        self.state.sessions.lock().unwrap().clear();
        self.state.boot.fetch_add(1, Ordering::SeqCst);
        self.lose(false);
    }

    /// Of its present run.
    pub(crate) fn boot_id(&self) -> BootId {
        BootId::from_bits(self.state.boot.load(Ordering::SeqCst).into())
    }

    /// Every resume window closes.
    pub(crate) fn forget_sessions(&self) {
        self.state.sessions.lock().unwrap().clear();
    }

    /// Waits until a command like this has come.
    pub(crate) async fn until_seen(&self, wanted: impl Fn(&Command) -> bool) {
        for _ in 0..1500 {
            if self.seen().iter().any(&wanted) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the node never saw it: {:?}", self.seen());
    }

    pub(crate) fn recover(&self) {
        self.state.down.store(false, Ordering::SeqCst);
    }

    fn bits(&self) -> u128 {
        u128::from(self.state.counter.fetch_add(1, Ordering::SeqCst)) + 1
    }

    fn reply(&self, address: &Address, command: &Command) -> Result<Reply, ErrorBody> {
        if self.state.is_confused.load(Ordering::SeqCst) {
            return Ok(Reply::Done);
        }
        Ok(match command {
            Command::Join(request) => {
                if let Some(token) = request.resume {
                    let held = Held {
                        channel: address.channel.clone(),
                        epoch: address.epoch,
                        user: request.user.clone(),
                        device: request.device.clone(),
                        asked_at: request.asked_at,
                        encryption: request.encryption.encryption,
                        token,
                        next: None,
                        attachment: 1,
                        is_attached: true,
                        own: OwnState::default(),
                    };
                    self.state.sessions.lock().unwrap().entry(request.session).or_insert(held);
                }
                Reply::Joined(RoomSnapshot {
                    room_seq: 7,
                    participants: self.others(),
                    attachment: 1,
                    encryption: if self.encrypts() {
                        request.encryption.encryption
                    } else {
                        Encryption::Transport
                    },
                })
            }
            Command::Leave { session, attachment, .. } => {
                let mut sessions = self.state.sessions.lock().unwrap();
                let present = sessions.get(session).map(|held| held.attachment);
                if attachment.is_none() || *attachment == present {
                    sessions.remove(session);
                }
                Reply::Left
            }
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
            Command::SetPriority { consumer, priority, .. } => {
                Reply::PrioritySet { consumer: *consumer, priority: *priority }
            }
            Command::GetStats { .. } => Reply::Stats(Box::default()),
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
            Command::Resume(request) => return self.resume(address, request),
            Command::Inspect => match self.people_of(&address.channel) {
                people if people.is_empty() => {
                    return Err(ErrorBody::new(ErrorCode::NotFound, "there is no such room"));
                }
                participants => Reply::Inspected(RoomSnapshot {
                    room_seq: 8,
                    participants,
                    attachment: 0,
                    encryption: Encryption::Transport,
                }),
            },
            Command::Watch => {
                let mut participants = self.people_of(&address.channel);
                participants.extend(self.others());
                let encryption = Encryption::Transport;
                Reply::Inspected(RoomSnapshot { room_seq: 8, participants, attachment: 0, encryption })
            }
            Command::Kick { session, .. } | Command::Mute { session } => {
                let mut sessions = self.state.sessions.lock().unwrap();
                let is_there = sessions.get(session).is_some_and(|held| held.channel == address.channel);
                if !is_there {
                    return Err(ErrorBody::new(ErrorCode::NotFound, "there is no such session"));
                }
                if let Command::Kick { .. } = command {
                    sessions.remove(session);
                }
                Reply::Done
            }
            Command::SetEncryption { .. } if self.state.refuses_encryption.load(Ordering::SeqCst) => {
                return Err(ErrorBody::new(ErrorCode::NodeUnavailable, "not now"));
            }
            Command::RequestSlot { .. } => {
                Reply::Slot(SlotState { slot: Slot::Held(Duration::from_secs(30)), current: 1, max: 4 })
            }
            Command::ReleaseSlot { source, .. } => Reply::SlotReleased { source: *source },
            Command::ConfirmResume { .. }
            | Command::Detach { .. }
            | Command::SetGrant { .. }
            | Command::SetLimits { .. }
            | Command::SetEncryption { .. }
            | Command::SendData { .. }
            | Command::SendE2eeMessage { .. }
            | Command::Unwatch => Reply::Done,
        })
    }

    fn people_of(&self, channel: &ChannelId) -> Vec<Participant> {
        let sessions = self.state.sessions.lock().unwrap();
        let people = sessions.iter().filter(|(_, held)| held.channel == *channel);
        let participant = |(session, held): (&SessionId, &Held)| Participant {
            user_id: held.user.clone(),
            session_id: *session,
            name: None,
            avatar: None,
            muted: false,
            deafened: false,
            speaking: false,
            reconnecting: false,
            producers: held.own.producers.clone(),
        };
        people.map(participant).collect()
    }

    fn resume(&self, address: &Address, request: &ResumeRequest) -> Result<Reply, ErrorBody> {
        let mut sessions = self.state.sessions.lock().unwrap();
        let held = sessions.get_mut(&request.session).filter(|held| {
            held.channel == address.channel
                && held.user == request.user
                && held.device == request.device
                && (held.token == request.token || held.next == Some(request.token))
        });
        let Some(held) = held else {
            return Err(ErrorBody::new(ErrorCode::ResumeFailed, "there is no such session"));
        };
        held.token = request.token;
        held.next = Some(request.next_token);
        held.attachment += 1;
        held.is_attached = true;
        let room = RoomSnapshot {
            room_seq: 8,
            participants: self.others(),
            attachment: held.attachment,
            encryption: held.encryption,
        };
        Ok(Reply::Resumed(room, Box::new(held.own.clone())))
    }

    /// What every command but a resume does to its session: it confirms the token given last.
    fn note(&self, command: &Command, reply: &Result<Reply, ErrorBody>) {
        let mut sessions = self.state.sessions.lock().unwrap();
        let Some(held) = command.session().and_then(|session| sessions.get_mut(&session)) else { return };
        if let Command::Resume(_) = command {
            return;
        }
        if let Command::Detach { attachment, .. } = command {
            held.is_attached &= *attachment != held.attachment;
        } else if let Some(next) = held.next.take() {
            held.token = next;
        }
        match reply {
            Ok(Reply::TransportCreated { direction, transport, .. }) => {
                held.own.transports.push((*direction, *transport));
            }
            Ok(Reply::Produced { producer, kind, source }) => held.own.producers.push(ProducerInfo {
                producer_id: *producer,
                kind: *kind,
                app_data: AppData { source: *source },
                paused: false,
            }),
            Ok(Reply::Consumed(consumer)) => held.own.consumers.push(ConsumerInfo {
                consumer_id: consumer.consumer,
                producer_id: consumer.producer,
                kind: consumer.kind,
                paused: true,
                producer_paused: false,
            }),
            Ok(Reply::Slot(slot)) => held.own.slots.push((VideoSource::Camera, *slot)),
            _ => {}
        }
    }

    /// A session that is taken up while another socket has it is taken from that one first.
    fn superseded(&self, address: &Address, command: &Command) -> Option<NodeFrame> {
        let Command::Resume(request) = command else { return None };
        let sessions = self.state.sessions.lock().unwrap();
        sessions.get(&request.session).filter(|held| held.is_attached)?;
        Some(event_to(request.session, address, Event::Superseded))
    }

    /// The frames a command leads to. Creating a transport comes with an event on either side of its
    /// reply, so that a test sees whether one overtakes the other.
    fn frames(&self, request: u64, address: &Address, command: &Command) -> Vec<NodeFrame> {
        let superseded = self.superseded(address, command);
        let reply = self.reply(address, command);
        self.note(command, &reply);
        let is_taken = reply.is_ok();
        let reply = encode_reply(request, reply);
        match command {
            Command::Resume(_) if is_taken => superseded.into_iter().chain([reply]).collect(),
            Command::Kick { session, reason, banned_for } if is_taken => {
                let event = Event::Kicked { reason: reason.clone(), banned_for: *banned_for };
                vec![event_to(*session, address, event), reply]
            }
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
            self.state.seen.lock().unwrap().push((address.clone(), command.clone()));
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

fn event_to(session: SessionId, address: &Address, event: Event) -> NodeFrame {
    encode_event(RoomEvent {
        channel: address.channel.clone(),
        epoch: address.epoch,
        room_seq: 9,
        audience: Audience::Only(session),
        event,
    })
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
