//! A password costs etcd a hash, which a busy or distant etcd takes longer for than a request may last: signing in goes
//! on while requests give up, is not begun anew by each of them, and then they come out.

use railgun_etcd::testing::EtcdServer;
use railgun_etcd::{EtcdError, Store};
use railgun_settings::EtcdSettings;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// Before the first byte of each connection comes back; a request has a second.
const SLOW: Duration = Duration::from_millis(2500);
const WITHIN: Duration = Duration::from_secs(20);

/// Passes connections on to etcd, slowly at their beginning; counts them.
async fn slow_way(to: SocketAddr) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let made = Arc::<AtomicU32>::default();
    let count = made.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                let (mut from_client, mut to_client) = client.into_split();
                let (mut from_etcd, mut to_etcd) = TcpStream::connect(to).await?.into_split();
                let back = async {
                    sleep(SLOW).await;
                    copy(&mut from_etcd, &mut to_client).await
                };
                tokio::try_join!(copy(&mut from_client, &mut to_etcd), back)
            });
        }
    });
    (address, made)
}

#[tokio::test]
async fn a_sign_in_that_takes_longer_than_a_request_is_done_once() {
    let mut etcd = EtcdServer::start().await.unwrap();
    etcd.require_password("railgun", "no secret").await.unwrap();
    let settings = etcd.settings();
    let to = settings.endpoints[0].strip_prefix("http://").unwrap().parse().unwrap();
    let (slow, made) = slow_way(to).await;
    let store = Store::open(&EtcdSettings { endpoints: vec![format!("http://{slow}")], ..settings }).unwrap();
    let mut gave_up = 0;
    let there = async {
        // Two at a time, as programs ask.
        loop {
            match tokio::join!(store.read("/rg/v1/node/a"), store.read("/rg/v1/node/b")) {
                (Ok(a), Ok(b)) => return (a, b),
                (Err(EtcdError::Timeout), _) | (_, Err(EtcdError::Timeout)) => gave_up += 1,
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(timeout(WITHIN, there).await.expect("nobody signs in"), (None, None));
    assert!(gave_up > 0, "the way was not slow");
    // The one that signed in, and the one that requests go by, if that is another.
    assert!(made.load(Ordering::Relaxed) <= 2, "signed in {made:?} times");
}
