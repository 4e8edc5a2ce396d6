//! A TCP path that can be cut: nothing passes then, in either direction, and neither end is told.

use anyhow::Result;
use railgun_etcd::testing::free_address;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// Which connections go on, by the order in which they were made. None: all.
type Spared = Option<Range<usize>>;

/// Ends with the value.
#[derive(Debug)]
pub(crate) struct Cut {
    address: SocketAddr,
    target: SocketAddr,
    spared: watch::Sender<Spared>,
    made: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Drop for Cut {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Cut {
    /// A path to `target`, which need not be there yet.
    pub(crate) async fn start(target: SocketAddr) -> Result<Self> {
        let address = free_address()?;
        let listener = TcpListener::bind(address).await?;
        let (spared, state) = watch::channel(None);
        let made = Arc::<AtomicUsize>::default();
        let numbers = made.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = numbers.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(carry(stream, target, number, state.clone()));
            }
        });
        Ok(Self { address, target, spared, made, task: task.abort_handle() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn target(&self) -> SocketAddr {
        self.target
    }

    /// Connections so far.
    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::Relaxed)
    }

    /// From now on only these connections pass, and no new ones; none: all.
    pub(crate) fn spare(&self, spared: Spared) {
        self.spared.send_replace(spared);
    }
}

async fn passes(number: usize, state: &mut watch::Receiver<Spared>) -> bool {
    let spared = |it: &Spared| it.as_ref().is_none_or(|spared| spared.contains(&number));
    state.wait_for(spared).await.is_ok()
}

async fn carry(near: TcpStream, target: SocketAddr, number: usize, mut state: watch::Receiver<Spared>) {
    if !passes(number, &mut state).await {
        return;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    _ = (near.set_nodelay(true), far.set_nodelay(true));
    let (near, far) = (near.into_split(), far.into_split());
    let there = copy(near.0, far.1, number, state.clone());
    let back = copy(far.0, near.1, number, state);
    tokio::join!(there, back);
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    number: usize,
    mut state: watch::Receiver<Spared>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length) = from.read(&mut buffer).await {
        // What was on its way when the path was cut waits as well.
        if !passes(number, &mut state).await || length == 0 {
            break;
        }
        let bytes = buffer.get(..length).unwrap_or_default();
        if to.write_all(bytes).await.is_err() {
            break;
        }
    }
    _ = to.shutdown().await;
}
