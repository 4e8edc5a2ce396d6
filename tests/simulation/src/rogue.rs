//! A replica that is not what it should be: it opens a control stream to a node as any replica can, takes a seat of its
//! own, and tries what only the node is there to refuse.

use crate::addresses::{RPC_PORT, node_address};
use crate::client::Person;
use crate::etcd::Etcd;
use crate::kernel::draw;
use crate::told::{broken, tell};
use anyhow::Context;
use railgun_peer::World;
use railgun_protocol::ids::{ChannelId, ConsumerId, ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::media_rpc::{
    Address, Command, JoinRequest, LeaveReason, Reply, ResumeRequest, TokenDigest,
};
use railgun_protocol::plan::{RoomLimits, Tier};
use railgun_protocol::signal::{ConsumerLayers, ErrorBody, StateUpdate, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection;
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use railgun_rpc::proto::{ControlFrame, DescribeRequest, NodeFrame};
use railgun_rpc::{FromNode, decode_node_frame, encode_command};
use std::collections::VecDeque;
use std::num::NonZeroU8;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

const OWNERSHIP: &str = "The node itself checks whose an id is, and who speaks for a session: another's is NOT_FOUND (contract, 2 and 5)";
const EPOCHS: &str = "A node refuses an epoch that is not its room's (contract, 2)";
/// Between looks for what the scenario wants.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);
/// For one deed.
const DEED_TIMEOUT: Duration = Duration::from_secs(8);

/// What it does next; shared with the scenario.
#[derive(Debug, Default)]
pub(crate) struct Rogue {
    deeds: Mutex<VecDeque<Deed>>,
}

#[derive(Debug)]
struct Deed {
    node: usize,
    address: Address,
    /// Its own, and its victim's.
    session: SessionId,
    victim: SessionId,
    /// What the victim has, or had: transports, producers and consumers.
    ids: Vec<u128>,
    is_same_room: bool,
    trick: u32,
}

impl Rogue {
    /// Chooses a room and a victim by this number, if there are any.
    pub(crate) fn plan(&self, etcd: &Etcd, nodes: usize, people: &[Arc<Person>], trick: u32, number: u64) {
        let pick =
            |from: usize, shift: u32| usize::try_from(number >> shift).unwrap_or_default() % from.max(1);
        let rooms = etcd.under("/rg/v1/room/");
        let Some((key, value, epoch)) = rooms.get(pick(rooms.len(), 0)) else { return };
        let value = String::from_utf8_lossy(value);
        let Some(node) = (0..nodes).find(|it| value.contains(&format!("\"media-{it}\""))) else {
            return;
        };
        let channel = key.rsplit('/').next().unwrap_or_default();
        let (Ok(channel), Ok(epoch)) = (ChannelId::new(channel), u64::try_from(*epoch)) else { return };
        let victim = &people[pick(people.len(), 8)];
        let (session, there, ids) =
            victim.has(|has| (has.session.clone(), has.channel.clone(), has.known.clone()));
        let Some(victim) = session.and_then(|session| session.parse().ok()) else { return };
        let ids = ids.iter().rev().take(8).filter_map(|id| u128::from_str_radix(id, 16).ok()).collect();
        let is_same_room = there == channel.as_str();
        let session = SessionId::from_bits(u128::from(draw()) << 64 | u128::from(draw()));
        let address = Address { channel, epoch };
        let deed = Deed { node, address, session, victim, ids, is_same_room, trick };
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).push_back(deed);
    }

    fn next(&self) -> Option<Deed> {
        self.deeds.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Lives for ever.
pub(crate) async fn live(rogue: Arc<Rogue>) {
    loop {
        while let Some(deed) = rogue.next() {
            match timeout(DEED_TIMEOUT, carry_out(deed)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tell("rogue", || format!("{error:#}")),
                Err(_) => tell("rogue", || "no answer".into()),
            }
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// A control stream, used for one command at a time.
struct Stream {
    commands: mpsc::Sender<ControlFrame>,
    frames: Streaming<NodeFrame>,
    next: u64,
    boot_id: String,
}

impl Stream {
    async fn open(node: usize) -> anyhow::Result<Self> {
        let url = format!("http://{}:{RPC_PORT}", node_address(node));
        let mut client = MediaNodeClient::connect(url).await?;
        let boot_id = client.describe(DescribeRequest {}).await?.into_inner().boot_id;
        let (commands, queue) = mpsc::channel(8);
        let frames = client.control(ReceiverStream::new(queue)).await?.into_inner();
        Ok(Self { commands, frames, next: 1, boot_id })
    }

    async fn ask(
        &mut self,
        address: &Address,
        command: &Command,
    ) -> anyhow::Result<Result<Reply, ErrorBody>> {
        let number = self.next;
        self.next += 1;
        let mut frame = encode_command(number, address, command);
        frame.boot_id.clone_from(&self.boot_id);
        self.commands.send(frame).await?;
        loop {
            let frame = self.frames.message().await?.context("the node closed the stream")?;
            match decode_node_frame(frame)? {
                FromNode::Reply { request, reply } if request == number => return Ok(reply),
                _ => {}
            }
        }
    }

    async fn has_to_refuse(
        &mut self,
        rule: &str,
        address: &Address,
        command: &Command,
    ) -> anyhow::Result<()> {
        if let Ok(reply) = self.ask(address, command).await? {
            broken(rule, || format!("{command:?} in {address:?}: {reply:?}"));
        }
        Ok(())
    }
}

async fn carry_out(deed: Deed) -> anyhow::Result<()> {
    let Deed { node, address, session, victim, .. } = &deed;
    let mut stream = Stream::open(*node).await?;
    let at = |channel: &ChannelId, epoch: u64| Address { channel: channel.clone(), epoch };
    match deed.trick % 4 {
        0 => {
            let joined = stream.ask(address, &join(*session)).await?;
            if joined.is_err() {
                return Ok(());
            }
            tell("rogue", || format!("sits in {address:?}"));
            for id in &deed.ids {
                for command in of_id(*session, *id, deed.is_same_room) {
                    stream.has_to_refuse(OWNERSHIP, address, &command).await?;
                }
            }
            let leave = Command::Leave { session: *session, reason: LeaveReason::Left, attachment: None };
            _ = stream.ask(address, &leave).await?;
        }
        1 => {
            for epoch in [address.epoch - 1, address.epoch + 1_000_000] {
                let other = at(&address.channel, epoch);
                stream.has_to_refuse(EPOCHS, &other, &join(*session)).await?;
            }
            let nowhere = at(&ChannelId::new("bound-nowhere")?, address.epoch);
            stream.has_to_refuse(EPOCHS, &nowhere, &join(*session)).await?;
        }
        2 => {
            let commands = deed.ids.iter().flat_map(|id| of_id(*victim, *id, true));
            for command in commands.chain(of_session(*victim)) {
                stream.has_to_refuse(OWNERSHIP, address, &command).await?;
            }
        }
        _ => {
            let resume = ResumeRequest {
                session: *victim,
                user: UserId::new("rogue")?,
                device: None,
                token: TokenDigest([7; 32]),
                next_token: TokenDigest([8; 32]),
                rights: None,
            };
            stream.has_to_refuse(OWNERSHIP, address, &Command::Resume(Box::new(resume))).await?;
        }
    }
    Ok(())
}

fn join(session: SessionId) -> Command {
    Command::Join(Box::new(JoinRequest {
        session,
        user: UserId::new("rogue").expect("a name"),
        limits: RoomLimits::of(Tier::Free),
        rtp_capabilities: None,
        ..World::join_request(0, Tier::Free)
    }))
}

/// What can be asked of an id that is not this session's; what it is, is not known.
fn of_id(session: SessionId, id: u128, may_consume: bool) -> Vec<Command> {
    let (producer, consumer) = (ProducerId::from_bits(id), ConsumerId::from_bits(id));
    let transport = TransportId::from_bits(id);
    let layers = ConsumerLayers { spatial_layer: 0, temporal_layer: None };
    let mut all = vec![
        Command::PauseProducer { session, producer },
        Command::ResumeProducer { session, producer },
        Command::CloseProducer { session, producer },
        Command::PauseConsumer { session, consumer },
        Command::ResumeConsumer { session, consumer },
        Command::RequestKeyFrame { session, consumer },
        Command::SetPreferredLayers { session, consumer, layers },
        Command::SetPriority { session, consumer, priority: NonZeroU8::MIN },
        Command::GetStats { session, transport: Some(transport) },
        Command::RestartIce { session, transport },
    ];
    if !may_consume {
        all.push(Command::Consume { session, transport: None, producer, rtp_capabilities: None });
    }
    all
}

/// What can be asked in the name of a session that another stream speaks for.
fn of_session(session: SessionId) -> [Command; 5] {
    let update = StateUpdate { muted: Some(true), ..StateUpdate::default() };
    [
        Command::UpdateState { session, update },
        Command::RequestSlot { session, source: VideoSource::Camera },
        Command::ReleaseSlot { session, source: VideoSource::Camera },
        Command::CreateTransport { session, direction: TransportDirection::Send },
        Command::ConfirmResume { session },
    ]
}
