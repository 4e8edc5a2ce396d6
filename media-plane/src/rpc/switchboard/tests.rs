use super::*;
use crate::fence::Fence;
use crate::metrics::WorkerGauges;
use crate::testing;
use crate::udp::RtcSocket;
use crate::worker;
use crate::worker_host::{WorkerHost, WorkerThreads};
use railgun_media_core::EngineConfig;
use railgun_media_core::transport::dtls::{Certificate, DtlsVersion};
use railgun_peer::World;
use railgun_protocol::plan::Tier;
use railgun_rpc::{FromNode, decode_node_frame};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

const STREAM: StreamId = 1;

fn socket() -> RtcSocket {
    RtcSocket::bind(Ipv4Addr::LOCALHOST.into(), 0..=0).unwrap()
}

fn spawn_worker(index: usize, outbox: &mpsc::Sender<WorkerNotice>) -> WorkerHandle {
    spawn_worker_at(socket(), index, outbox)
}

fn spawn_worker_at(socket: RtcSocket, index: usize, outbox: &mpsc::Sender<WorkerNotice>) -> WorkerHandle {
    let engine = EngineConfig {
        candidates: Vec::new(),
        certificate: Certificate::generate().unwrap(),
        dtls_version: DtlsVersion::default(),
        relays: Default::default(),
        seed: [7; 32],
        handshakes_max: 500,
        bitrate_headroom_percent: 150,
        started: (Instant::now(), SystemTime::now()),
        tells_media_started: false,
        speech_fec: false,
        l4s: false,
    };
    let fence = Arc::new(Fence::new(false));
    let (parts, handle) =
        worker::prepare(index, engine, outbox.clone(), Arc::<WorkerGauges>::default(), fence);
    handle(WorkerThreads::default().run(parts, socket).unwrap())
}

/// Nobody takes the place of one that died.
fn pool(workers: Vec<WorkerHandle>) -> WorkerPool {
    WorkerPool::new(workers, Box::new(|_| anyhow::bail!("no more")))
}

fn all(workers: usize) -> WorkersState {
    WorkersState { started: workers, alive: workers, last_death: None }
}

fn join(request: u64, channel: &str) -> Input {
    let command = Command::Join(Box::new(World::join_request(request.into(), Tier::Pro)));
    let address = Address { channel: ChannelId::new(channel).unwrap(), epoch: 1 };
    Input::Command { stream: STREAM, request, address, command, traceparent: String::new() }
}

/// Passes on one notice of the workers.
async fn step(switchboard: &mut Switchboard, notices: &mut mpsc::Receiver<WorkerNotice>) {
    let notice = tokio::time::timeout(Duration::from_secs(5), notices.recv()).await;
    switchboard.told(notice.expect("a worker says nothing").unwrap());
}

fn drain(frames: &mut mpsc::Receiver<Result<NodeFrame, Status>>) -> Vec<FromNode> {
    std::iter::from_fn(|| frames.try_recv().ok()).map(|it| decode_node_frame(it.unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn the_rooms_of_a_dead_worker_are_closed_and_new_ones_go_elsewhere() {
    let (outbox, mut notices) = mpsc::channel(64);
    let doomed = socket();
    let address = doomed.address();
    let workers = vec![spawn_worker_at(doomed, 0, &outbox), spawn_worker(1, &outbox)];
    let (workers_out, workers_state) = watch::channel(all(2));
    let mut switchboard = Switchboard::new(pool(workers), workers_out);
    let (frames, mut told) = mpsc::channel(64);
    switchboard.input(Input::Opened { stream: STREAM, replica: None, frames, alive: oneshot::channel().0 });

    switchboard.input(join(1, "lobby"));
    while drain(&mut told).is_empty() || switchboard.rooms.population() != (1, 1) {
        step(&mut switchboard, &mut notices).await;
    }
    testing::crash_worker(address);
    while workers_state.borrow().alive == 2 {
        step(&mut switchboard, &mut notices).await;
    }
    let closed = drain(&mut told);
    let event = |it: &FromNode| match it {
        FromNode::Event(event) => Some(event.event.clone()),
        FromNode::Reply { .. } | FromNode::WorkerDied(_) => None,
    };
    let closed: Vec<Event> = closed.iter().filter_map(event).collect();
    let rejoin = Event::Rejoin { reason: RejoinReason::WorkerDied };
    assert!(closed.ends_with(&[rejoin, Event::RoomClosed]), "{closed:?}");

    switchboard.input(join(2, "lobby"));
    let mut answers = Vec::new();
    while answers.is_empty() {
        step(&mut switchboard, &mut notices).await;
        answers = drain(&mut told).into_iter().filter(|it| matches!(it, FromNode::Reply { .. })).collect();
    }
    assert!(matches!(answers[0], FromNode::Reply { request: 2, reply: Ok(Reply::Joined(_)) }));
    drop(notices);
    switchboard.pool.into_workers().into_iter().for_each(WorkerHandle::stop);
}

#[tokio::test]
async fn a_stream_that_does_not_read_is_closed() {
    let mut switchboard = Switchboard::new(pool(Vec::new()), watch::channel(all(0)).0);
    let (frames, mut told) = mpsc::channel(2);
    let (alive, mut given_up) = oneshot::channel();
    switchboard.input(Input::Opened { stream: STREAM, replica: None, frames, alive });
    for request in 1..=2 {
        switchboard.input(join(request, "lobby"));
    }
    assert_eq!(given_up.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    switchboard.input(join(3, "lobby"));
    assert_eq!(given_up.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    let refused = |it: &FromNode| matches!(it, FromNode::Reply { reply: Err(error), .. } if error.code == ErrorCode::NodeUnavailable);
    let answers = drain(&mut told);
    assert_eq!(answers.iter().filter(|it| refused(it)).count(), 2);
    assert!(told.is_closed());
}

/// Every replica is gone, for longer than any window: whoever comes back finds the seats.
#[tokio::test]
async fn while_no_control_stream_is_open_the_windows_stand_still() {
    let (outbox, mut notices) = mpsc::channel(64);
    let workers = vec![spawn_worker(0, &outbox)];
    let mut switchboard = Switchboard::new(pool(workers), watch::channel(all(1)).0);
    let (frames, mut told) = mpsc::channel(64);
    let opened = |frames: &FrameSender| Input::Opened {
        stream: STREAM,
        replica: None,
        frames: frames.clone(),
        alive: oneshot::channel().0,
    };
    switchboard.input(opened(&frames));
    switchboard.input(join(1, "lobby"));
    while !drain(&mut told).iter().any(|it| matches!(it, FromNode::Reply { request: 1, .. })) {
        step(&mut switchboard, &mut notices).await;
    }
    switchboard.input(Input::Ended { stream: STREAM });
    (0..100).for_each(|_| switchboard.tick());
    switchboard.input(opened(&frames));
    switchboard.tick();
    // Whatever the worker was ordered before comes before its reply to this.
    switchboard.input(join(2, "lobby"));
    while !drain(&mut told).iter().any(|it| matches!(it, FromNode::Reply { request: 2, .. })) {
        step(&mut switchboard, &mut notices).await;
    }
    assert_eq!(switchboard.rooms.population(), (1, 2));
    drop(notices);
    switchboard.pool.into_workers().into_iter().for_each(WorkerHandle::stop);
}

/// Of two that a device asked for at the same time, the replica of the earlier one hears of the later.
#[tokio::test]
async fn whoever_replaces_a_device_is_told_of_a_later_join_of_it() {
    use railgun_protocol::ids::DeviceId;
    use railgun_protocol::media_rpc::{JoinRequest, UserAction};
    let (outbox, _notices) = mpsc::channel(64);
    let workers = vec![spawn_worker(0, &outbox)];
    let mut switchboard = Switchboard::new(pool(workers), watch::channel(all(1)).0);
    let (frames, _told) = mpsc::channel(64);
    switchboard.input(Input::Opened { stream: STREAM, replica: None, frames, alive: oneshot::channel().0 });
    let place = |session: u128, asked_at| Replacement {
        device: DeviceId::new("laptop").unwrap(),
        by: SessionId::from_bits(session),
        asked_at,
    };
    let later = place(1, 2_000);
    let request = World::join_request(1, Tier::Pro);
    let user = request.user.clone();
    let request = JoinRequest { device: Some(later.device.clone()), asked_at: later.asked_at, ..request };
    let address = Address { channel: ChannelId::new("lobby").unwrap(), epoch: 1 };
    let command = Command::Join(Box::new(request));
    switchboard.input(Input::Command {
        stream: STREAM,
        request: 1,
        address,
        command,
        traceparent: String::new(),
    });
    let mut order = |by| {
        let order = UserOrder { user: user.clone(), channel: None, action: UserAction::Replace(by) };
        switchboard.order_user(&order)
    };
    assert_eq!(order(place(2, 1_000)), (0, Some(later)));
    assert_eq!(order(place(3, 3_000)), (1, None));
    switchboard.pool.into_workers().into_iter().for_each(WorkerHandle::stop);
}

#[cfg(feature = "etcd")]
mod at_the_gate {
    use super::super::super::gate::Ask;
    use super::*;
    use railgun_protocol::media_rpc::{LeaveReason, is_room_moved};

    fn lobby(epoch: u64) -> Address {
        Address { channel: ChannelId::new("lobby").unwrap(), epoch }
    }

    /// A switchboard whose lease is good, what it asks, and what its stream is told.
    struct Bench {
        switchboard: Switchboard,
        asks: mpsc::Receiver<Ask>,
        told: mpsc::Receiver<Result<NodeFrame, Status>>,
        notices: mpsc::Receiver<WorkerNotice>,
        fence: Arc<Fence>,
    }

    fn bench() -> Bench {
        let (outbox, notices) = mpsc::channel(64);
        let fence = Arc::new(Fence::new(true));
        fence.renewed(7, Instant::now() + Duration::from_secs(3600));
        fence.adopted(7);
        let (asks_out, asks) = mpsc::channel(8);
        let gate = JoinGate::new(asks_out, fence.clone());
        let workers = vec![spawn_worker(0, &outbox)];
        let mut switchboard = Switchboard::new(pool(workers), watch::channel(all(1)).0).with_gate(Some(gate));
        let (frames, told) = mpsc::channel(64);
        switchboard.input(Input::Opened {
            stream: STREAM,
            replica: None,
            frames,
            alive: oneshot::channel().0,
        });
        Bench { switchboard, asks, told, notices, fence }
    }

    impl Bench {
        async fn answer(&mut self) -> Result<Reply, ErrorBody> {
            loop {
                for frame in drain(&mut self.told) {
                    if let FromNode::Reply { reply, .. } = frame {
                        return reply;
                    }
                }
                step(&mut self.switchboard, &mut self.notices).await;
            }
        }

        fn end(self) {
            drop(self.notices);
            self.switchboard.pool.into_workers().into_iter().for_each(WorkerHandle::stop);
        }
    }

    #[tokio::test]
    async fn a_room_is_opened_when_it_is_known_to_be_ours_and_given_back_when_it_is_empty() {
        let mut bench = bench();
        bench.switchboard.input(join(1, "lobby"));
        assert_eq!(bench.asks.try_recv(), Ok(Ask::Verify(lobby(1))));
        assert!(drain(&mut bench.told).is_empty());
        bench.switchboard.input(Input::Verified { address: lobby(1), verdict: RoomCheck::Ours });
        assert!(matches!(bench.answer().await, Ok(Reply::Joined(_))));
        // A room that is here needs no word.
        bench.switchboard.input(join(2, "lobby"));
        assert!(matches!(bench.answer().await, Ok(Reply::Joined(_))));
        assert!(bench.asks.try_recv().is_err());

        for request in 1..=2_u64 {
            let session = SessionId::from_bits(request.into());
            let command = Command::Leave { session, reason: LeaveReason::Left, attachment: None };
            bench.switchboard.input(Input::Command {
                stream: STREAM,
                request,
                address: lobby(1),
                command,
                traceparent: String::new(),
            });
            assert!(matches!(bench.answer().await, Ok(Reply::Left)));
        }
        while bench.switchboard.rooms.population() != (0, 0) {
            step(&mut bench.switchboard, &mut bench.notices).await;
        }
        bench.switchboard.give_back();
        assert_eq!(bench.asks.try_recv(), Ok(Ask::Released(lobby(1))));
        bench.end();
    }

    #[tokio::test]
    async fn a_room_of_somebody_else_is_refused_and_without_a_lease_none_is_asked_for() {
        let mut bench = bench();
        for (verdict, is_moved) in [(RoomCheck::Moved, true), (RoomCheck::Unknown, false)] {
            bench.switchboard.input(join(1, "lobby"));
            bench.switchboard.input(Input::Verified { address: lobby(1), verdict });
            assert_eq!(is_room_moved(&bench.answer().await.unwrap_err()), is_moved);
        }
        bench.fence.doubt();
        while bench.asks.try_recv().is_ok() {}
        bench.switchboard.input(join(1, "lobby"));
        assert_eq!(bench.answer().await.unwrap_err().code, ErrorCode::NodeUnavailable);
        assert!(bench.asks.try_recv().is_err());
        bench.end();
    }

    #[tokio::test]
    async fn more_joins_than_can_be_looked_up_are_refused_as_overload_with_a_retry_after() {
        let mut bench = bench();
        for number in 0..8 {
            bench.switchboard.input(join(number, &format!("room-{number}")));
        }
        let mut waits = Vec::new();
        for number in 8..16 {
            bench.switchboard.input(join(number, &format!("room-{number}")));
            let refused = bench.answer().await.unwrap_err();
            assert_eq!(refused.code, ErrorCode::NodeUnavailable);
            assert!(refused.message.contains("overloaded"), "{refused}");
            waits.push(refused.details["retryAfterMs"].as_u64().unwrap());
        }
        assert!(waits.iter().all(|wait| RETRY_AFTER_MS.contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "all at the same moment: {waits:?}");
        bench.end();
    }

    #[tokio::test]
    async fn a_room_that_is_bound_elsewhere_ends_here_and_its_people_are_told() {
        let mut bench = bench();
        bench.switchboard.input(join(1, "lobby"));
        bench.switchboard.input(Input::Verified { address: lobby(1), verdict: RoomCheck::Ours });
        assert!(matches!(bench.answer().await, Ok(Reply::Joined(_))));
        // Bound anew to us, it goes on; what is told late of an earlier binding changes nothing.
        bench.switchboard.input(Input::Rebind(lobby(5)));
        bench.switchboard.input(Input::Close(lobby(4)));
        let Input::Command { request, command, .. } = join(2, "lobby") else { unreachable!() };
        bench.switchboard.input(Input::Command {
            stream: STREAM,
            request,
            address: lobby(5),
            command,
            traceparent: String::new(),
        });
        let Ok(Reply::Joined(room)) = bench.answer().await else { panic!("not joined") };
        assert_eq!(room.participants.len(), 1);
        bench.switchboard.input(join(3, "lobby"));
        assert!(is_room_moved(&bench.answer().await.unwrap_err()), "an epoch that is over");

        bench.switchboard.input(Input::Close(lobby(9)));
        let mut events = Vec::new();
        while !events.contains(&Event::RoomClosed) {
            step(&mut bench.switchboard, &mut bench.notices).await;
            let frames = drain(&mut bench.told).into_iter();
            events.extend(frames.filter_map(|frame| match frame {
                FromNode::Event(event) => Some(event.event),
                FromNode::Reply { .. } | FromNode::WorkerDied(_) => None,
            }));
        }
        let rejoin = Event::Rejoin { reason: RejoinReason::NodeLost };
        assert_eq!(events, [rejoin, Event::RoomClosed]);
        assert_eq!(bench.switchboard.rooms.population(), (0, 0));
        bench.end();
    }
}
