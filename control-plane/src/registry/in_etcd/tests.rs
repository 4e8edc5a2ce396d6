use super::super::{Newcomer, Registry, SessionGuard};
use super::*;
use crate::ending::EndSignal;
use railgun_etcd::testing::EtcdServer;
use railgun_protocol::ids::DeviceId;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(20);
/// The window in which a session can be taken up.
const WINDOW: Duration = Duration::from_secs(15);

fn newcomer(device: Option<&str>) -> Newcomer {
    Newcomer {
        user: UserId::new("ada").unwrap(),
        device: device.map(|device| DeviceId::new(device).unwrap()),
        resumes: None,
        ending: EndSignal::new(),
    }
}

fn replica(etcd: &EtcdServer) -> (Registry, JoinHandle<()>) {
    let replica = Replica::listening_at("127.0.0.1:8080".parse().unwrap());
    Registry::shared(etcd.store(), SharedLeases::new(etcd.store()), replica)
}

/// Five over both.
async fn five(one: &Registry, two: &Registry) -> Vec<SessionGuard> {
    let mut held = Vec::new();
    for number in 0..SESSIONS_PER_USER {
        let replica = if number % 2 == 0 { one } else { two };
        held.push(replica.register(newcomer(Some(&format!("d{number}")))).await.unwrap());
    }
    held
}

/// Once there is a place again.
async fn registered_within(replica: &Registry, patience: Duration) -> SessionGuard {
    let until = Instant::now() + patience;
    loop {
        if let Some(registered) = replica.register(newcomer(None)).await {
            return registered;
        }
        assert!(Instant::now() < until, "no place was freed");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn ended(newcomer: &EndSignal) -> Option<EndReason> {
    let mut ending = newcomer.subscribe();
    *timeout(PATIENCE, ending.wait_for(Option::is_some)).await.expect("it did not end").unwrap()
}

/// A replica whose connection to etcd is not made anew yet counts its own alone.
async fn refused_within(replica: &Registry, patience: Duration) {
    let until = Instant::now() + patience;
    while replica.register(newcomer(None)).await.is_some() {
        assert!(Instant::now() < until, "it was never refused");
        sleep(Duration::from_millis(50)).await;
    }
}

async fn taken(slots: &Slots) -> usize {
    let places = slots.read(&UserId::new("ada").unwrap()).await.unwrap();
    places.iter().filter(|place| place.entry.is_some()).count()
}

#[tokio::test]
async fn a_sixth_session_is_refused_by_either_replica_until_one_ends() {
    let etcd = EtcdServer::start().await.unwrap();
    let ((one, _first), (two, _second)) = (replica(&etcd), replica(&etcd));
    let mut held = five(&one, &two).await;
    for replica in [&one, &two] {
        assert!(replica.register(newcomer(None)).await.is_none());
        assert!(replica.register(newcomer(Some("d9"))).await.is_none());
        let other = Newcomer { user: UserId::new("ada/0").unwrap(), ..newcomer(None) };
        assert!(replica.register(other).await.is_some());
    }
    held.remove(1);
    held.push(registered_within(&one, PATIENCE).await);
    assert!(two.register(newcomer(None)).await.is_none());
}

#[tokio::test]
async fn of_ten_that_come_at_once_five_are_let_in() {
    let etcd = EtcdServer::start().await.unwrap();
    let ((one, _first), (two, _second)) = (replica(&etcd), replica(&etcd));
    for _ in 0..5 {
        let mut race = JoinSet::new();
        for number in 0..2 * SESSIONS_PER_USER {
            let replica = if number % 2 == 0 { one.clone() } else { two.clone() };
            race.spawn(async move { replica.register(newcomer(None)).await });
        }
        let held: Vec<_> = race.join_all().await.into_iter().flatten().collect();
        assert_eq!(held.len(), SESSIONS_PER_USER);
        drop(held);
        let until = Instant::now() + PATIENCE;
        while taken(one.inner.shared.as_ref().unwrap()).await > 0 {
            assert!(Instant::now() < until, "the places were not freed");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn another_replica_gives_a_place_to_the_same_session_or_device_and_the_old_socket_ends() {
    let etcd = EtcdServer::start().await.unwrap();
    let ((one, _first), (two, _second)) = (replica(&etcd), replica(&etcd));
    let (phone, laptop) = (newcomer(Some("phone")), newcomer(Some("laptop")));
    let endings = (phone.ending.clone(), laptop.ending.clone());
    let (phone, _laptop) = (one.register(phone).await.unwrap(), one.register(laptop).await.unwrap());
    let mut held = Vec::new();
    for replica in [&one, &one, &two] {
        held.push(replica.register(newcomer(None)).await.unwrap());
    }
    let taking_up = Newcomer { resumes: Some(phone.id()), ..newcomer(Some("laptop")) };
    held.push(two.register(taking_up).await.unwrap());
    assert_eq!(ended(&endings.0).await, Some(EndReason::Lost));
    assert!(!endings.1.is_set());
    // The socket that lost its place frees none.
    drop(phone);
    let same = Newcomer { resumes: None, ..newcomer(Some("laptop")) };
    held.push(two.register(same).await.unwrap());
    // Of two that are of that device, one had to go.
    let places = two.inner.shared.as_ref().unwrap().read(&UserId::new("ada").unwrap()).await.unwrap();
    let laptops = places.iter().filter_map(Place::slot).filter(|slot| slot.device.is_some());
    assert_eq!((laptops.count(), taken(two.inner.shared.as_ref().unwrap()).await), (2, SESSIONS_PER_USER));
    assert!(one.register(newcomer(None)).await.is_none());
}

#[tokio::test]
async fn a_dead_replicas_places_are_free_within_the_window_and_a_stopped_ones_at_once() {
    let etcd = EtcdServer::start().await.unwrap();
    let ((one, task), (two, other_task)) = (replica(&etcd), replica(&etcd));
    let held = five(&one, &two).await;
    task.abort();
    _ = task.await;
    std::mem::forget((one, held));
    let died = Instant::now();
    let _held = registered_within(&two, PATIENCE).await;
    assert!(died.elapsed() <= WINDOW);

    other_task.abort();
    two.inner.shared.as_ref().unwrap().give_up().await;
    assert_eq!(taken(two.inner.shared.as_ref().unwrap()).await, 0);
}

#[tokio::test]
async fn without_etcd_nobody_is_put_out_and_afterwards_all_count_together() {
    let mut etcd = EtcdServer::start().await.unwrap();
    let ((one, _first), (two, _second)) = (replica(&etcd), replica(&etcd));
    let before = newcomer(None);
    let ending = before.ending.clone();
    let mut held = vec![one.register(before).await.unwrap()];
    etcd.kill();
    let asked = Instant::now();
    for _ in 0..SESSIONS_PER_USER - 1 {
        held.push(two.register(newcomer(None)).await.unwrap());
    }
    assert!(asked.elapsed() < Duration::from_secs(2));
    etcd.start_again().await.unwrap();
    let until = Instant::now() + PATIENCE;
    while taken(one.inner.shared.as_ref().unwrap()).await < SESSIONS_PER_USER {
        assert!(Instant::now() < until, "they were never entered");
        sleep(Duration::from_millis(100)).await;
    }
    for replica in [&one, &two] {
        refused_within(replica, PATIENCE).await;
    }
    assert!(!ending.is_set());
}
