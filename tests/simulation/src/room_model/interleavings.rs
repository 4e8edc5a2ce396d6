//! Every order in which two sessions can do six things each in one room, beside the model.

use super::bench::{Bench, CHANNELS, limits};
use crate::told::is_broken;
use railgun_peer::{Offer, World};
use railgun_protocol::ids::{ChannelId, ConsumerId, DeviceId, ProducerId, SessionId, TransportId, UserId};
use railgun_protocol::media_rpc::{Address, Command, JoinRequest, LeaveReason, ResumeRequest, TokenDigest};
use railgun_protocol::plan::Tier;
use railgun_protocol::signal::{Source, VideoSource};
use railgun_protocol::transport_parameters::TransportDirection;

/// What a session does, on the newest of what there is.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Join,
    /// Under the room's next epoch.
    JoinAnew,
    Open(TransportDirection),
    Send(Source),
    /// The other's.
    Hear,
    Pause,
    Close,
    Ask,
    GiveBack,
    Resume,
    Leave,
}

use Deed::{Ask, Close, GiveBack, Hear, Join, JoinAnew, Leave, Open, Pause, Resume, Send};
use TransportDirection::{Recv, Send as Out};

type Life = [Deed; 6];
/// Whose turn it is in pairs of lives; the first two are of two users, the third of one user's only device.
const PAIRS: [(Life, Life, bool); 4] = [
    (
        [Join, Open(Out), Send(Source::Camera), Send(Source::Screen), Close, Leave],
        [Join, Open(Recv), Hear, Ask, Pause, Leave],
        false,
    ),
    (
        [Join, Open(Out), Ask, Send(Source::Camera), GiveBack, Leave],
        [Join, Open(Out), Send(Source::Screen), Send(Source::Camera), Ask, Leave],
        false,
    ),
    (
        [Join, Open(Out), Send(Source::Mic), Resume, Pause, Leave],
        [Join, Open(Recv), Hear, Resume, Ask, Leave],
        true,
    ),
    (
        [Join, Open(Out), Send(Source::Mic), Pause, Close, Leave],
        [Join, JoinAnew, Open(Recv), Hear, Resume, Leave],
        false,
    ),
];

/// Gives how many orders there were.
pub(crate) fn run() -> usize {
    let mut orders = 0;
    for (one, other, same_user) in PAIRS {
        // Bit `n`: the first session has turn `n`.
        for order in (0_u32..1 << 12).filter(|order| order.count_ones() == 6) {
            orders += 1;
            in_order([one, other], same_user, order);
            if is_broken() {
                return orders;
            }
        }
    }
    orders
}

fn in_order(lives: [Life; 2], same_user: bool, order: u32) {
    let mut bench = Bench::new(World::config(7), 7);
    let mut next = [0, 0];
    for turn in 0..12 {
        let who = usize::from(order >> turn & 1 == 0);
        let deed = lives[who][next[who]];
        next[who] += 1;
        let (_, last) = bench.rooms.get(CHANNELS[0]).map_or((5, 5), |room| room.next_epochs());
        let epoch = if matches!(deed, JoinAnew) { last + 1 } else { last };
        let address = Address { channel: ChannelId::new(CHANNELS[0]).expect("a name"), epoch };
        // Numbers of the two make one user or two.
        let session = SessionId::from_bits(2 + who as u128 * if same_user { 1 } else { 2 });
        let command = bench.of_deed(deed, session);
        let what = bench.carry_out(CHANNELS[0], &address, session, command);
        bench.compare(&format!("{what}, turn {turn} of {order:012b}"));
    }
}

impl Bench {
    fn of_deed(&mut self, deed: Deed, session: SessionId) -> Command {
        let producer = self.producers.last().copied().unwrap_or(ProducerId::from_bits(1));
        let seat = self.rooms.entry(CHANNELS[0]).or_default().seat(session).cloned().unwrap_or_default();
        let own = seat.producers.keys().last().copied().unwrap_or(producer);
        match deed {
            Join | JoinAnew => {
                self.next_token += 1;
                let user = UserId::new(format!("u{}", Self::user(session))).expect("a name");
                let device = Some(DeviceId::new("d1").expect("a name"));
                let resume = Some(TokenDigest([self.next_token; 32]));
                let request = World::join_request(session.to_bits(), Tier::Pro);
                let limits = limits();
                Command::Join(Box::new(JoinRequest { user, device, resume, limits, ..request }))
            }
            Open(direction) => Command::CreateTransport { session, direction },
            Send(source) => {
                self.next_offer += 1;
                let rtp_parameters = Box::new(Offer::new(source, self.next_offer).parameters);
                let transport = seat.send.unwrap_or(TransportId::from_bits(1));
                Command::Produce { session, transport, kind: source.kind(), source, rtp_parameters }
            }
            Hear => Command::Consume { session, transport: None, producer, rtp_capabilities: None },
            Pause => match seat.consumers.keys().last().copied() {
                Some(consumer) => Command::PauseConsumer { session, consumer },
                None if seat.producers.is_empty() => {
                    Command::PauseConsumer { session, consumer: ConsumerId::from_bits(1) }
                }
                None => Command::PauseProducer { session, producer: own },
            },
            Close => Command::CloseProducer { session, producer: own },
            Ask => Command::RequestSlot { session, source: VideoSource::Camera },
            GiveBack => Command::ReleaseSlot { session, source: VideoSource::Camera },
            Resume => {
                self.next_token += 1;
                Command::Resume(Box::new(ResumeRequest {
                    session,
                    user: UserId::new(format!("u{}", Self::user(session))).expect("a name"),
                    device: Some(DeviceId::new("d1").expect("a name")),
                    token: TokenDigest([seat.token; 32]),
                    next_token: TokenDigest([self.next_token; 32]),
                    rights: None,
                }))
            }
            Leave => Command::Leave { session, reason: LeaveReason::Left, attachment: None },
        }
    }
}
