//! The node is asked over its own RPC, with nothing of the control-plane's in between: the grant it
//! was given with the seat decides.

use railgun_client::{ErrorCode, Identity, Source, TransportDirection};
use railgun_protocol::ids::{ChannelId, SessionId, UserId};
use railgun_protocol::media_rpc::{Address, Command, EncryptionRule, Grant, JoinRequest, Reply};
use railgun_protocol::plan::{Permissions, RoomLimits, Tier};
use railgun_protocol::rtp_parameters::RtpParameters;
use railgun_protocol::signal::ErrorBody;
use railgun_protocol::transport_parameters::{DtlsParameters, DtlsRole};
use railgun_rpc::proto::media_node_client::MediaNodeClient;
use railgun_rpc::proto::{ControlFrame, DescribeRequest, NodeFrame};
use railgun_rpc::{FromNode, decode_node_frame, encode_command};
use railgun_tests::{MediaNode, send_parameters, within};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

const SESSION: SessionId = SessionId::from_bits(77);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// One control stream, used for one command at a time.
struct Stream {
    commands: mpsc::Sender<ControlFrame>,
    frames: Streaming<NodeFrame>,
    next: u64,
    boot_id: String,
}

impl Stream {
    async fn open(node: &MediaNode) -> Self {
        let mut client = MediaNodeClient::connect(node.rpc_url()).await.unwrap();
        let boot_id = client.describe(DescribeRequest {}).await.unwrap().into_inner().boot_id;
        let (commands, queue) = mpsc::channel(8);
        let frames = client.control(ReceiverStream::new(queue)).await.unwrap().into_inner();
        Self { commands, frames, next: 1, boot_id }
    }

    async fn ask(&mut self, command: Command) -> Result<Reply, ErrorBody> {
        let address = Address { channel: ChannelId::new("room").unwrap(), epoch: 1 };
        let number = self.next;
        self.next += 1;
        let mut frame = encode_command(number, &address, &command);
        frame.boot_id.clone_from(&self.boot_id);
        self.commands.send(frame).await.unwrap();
        within(ANSWER_WITHIN, "a reply of the node", async {
            loop {
                let frame = self.frames.message().await.unwrap().expect("the stream stays open");
                match decode_node_frame(frame).unwrap() {
                    FromNode::Reply { request, reply } if request == number => return reply,
                    _ => {}
                }
            }
        })
        .await
    }
}

fn join(tier: Tier) -> Command {
    Command::Join(Box::new(JoinRequest {
        session: SESSION,
        user: UserId::new("free-rider").unwrap(),
        device: None,
        name: None,
        avatar: None,
        grant: Grant { permissions: Permissions::of(tier), video_until: None, relay_only: false },
        limits: RoomLimits::of(Tier::Pro),
        rtp_capabilities: None,
        resume: None,
        diagnostics: false,
        asked_at: 0,
        anew: false,
        encryption: EncryptionRule::default(),
    }))
}

#[tokio::test]
async fn whatever_signaling_lets_through() {
    let node = MediaNode::start().await.unwrap();
    let mut stream = Stream::open(&node).await;
    stream.ask(join(Tier::Free)).await.unwrap();
    let create = Command::CreateTransport { session: SESSION, direction: TransportDirection::Send };
    let Ok(Reply::TransportCreated { transport, .. }) = stream.ask(create).await else {
        panic!("no transport")
    };
    let fingerprints = vec![Identity::generate().unwrap().fingerprint()];
    let dtls = DtlsParameters { role: DtlsRole::Client, fingerprints };
    stream.ask(Command::ConnectTransport { session: SESSION, transport, dtls }).await.unwrap();

    let produce = |source: Source, ssrc: u32| {
        let parameters = send_parameters(source.kind(), &ssrc.to_string(), ssrc);
        let rtp_parameters: RtpParameters = serde_json::from_value(parameters).unwrap();
        let (session, kind) = (SESSION, source.kind());
        Command::Produce { session, transport, kind, source, rtp_parameters: Box::new(rtp_parameters) }
    };
    let cases = [
        (Source::Camera, "VIDEO_CALLING"),
        (Source::Screen, "SCREEN_SHARE"),
        (Source::ScreenAudio, "SCREEN_SHARE"),
    ];
    for (source, capability) in cases {
        let refused = stream.ask(produce(source, 10)).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::CapabilityRequired, "{source:?}");
        assert_eq!(refused.details["capability"], capability, "{source:?}");
    }
    stream.ask(produce(Source::Mic, 20)).await.unwrap();

    // The same seat with a Pro grant may: it was the grant that decided.
    stream.ask(join(Tier::Pro)).await.unwrap();
    stream.ask(produce(Source::Camera, 30)).await.unwrap();
}
