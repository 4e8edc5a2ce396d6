//! A TCP connection of a client, whatever becomes of it: HTTP requests, or one WebSocket. Whoever has a
//! [`Connection`] can end it; the socket itself belongs to its [`Stream`], and is closed with it.

use railgun_protocol::ids::UserId;
use socket2::SockRef;
use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// For so long a client may take none of what it is sent. The same for what its host does not acknowledge
/// (TCP_USER_TIMEOUT), which also bounds how long the kernel keeps it after the end.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(10);

/// What a listener keeps of its connections, as they report to it.
pub(super) trait Ledger: std::fmt::Debug + Send + Sync {
    /// Called when the connection is closed.
    fn leave(&self, connection: &Connection);
    fn belongs_to(&self, connection: &Connection, user: &UserId);
    fn is_over(&self, connection: &Connection);
    fn forwards(&self, connection: &Connection);
    fn set_idle(&self, connection: &Connection, is_idle: bool);
}

/// The handle of a connection, which does not keep it open.
#[derive(Clone, Debug)]
pub(crate) struct Connection(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    tcp: Weak<TcpStream>,
    number: u64,
    /// Whom it counts for, unless it is from a listed proxy, which speaks for many.
    network: Option<IpAddr>,
    /// The address at the other end, or the one that a PROXY header told.
    peer: IpAddr,
    ledger: Arc<dyn Ledger>,
    /// Requests that are being answered.
    requests: AtomicUsize,
    closed: watch::Sender<bool>,
}

impl Connection {
    pub(super) fn new(
        tcp: &Arc<TcpStream>,
        number: u64,
        network: Option<IpAddr>,
        peer: IpAddr,
        ledger: Arc<dyn Ledger>,
    ) -> Self {
        let options = SockRef::from(&**tcp);
        // A reply and the events after it are small; held back for an acknowledgement they are 40 ms late.
        let set = tcp.set_nodelay(true).and_then(|()| options.set_tcp_user_timeout(Some(STALL_TIMEOUT)));
        if let Err(error) = set {
            tracing::debug!(%error, "TCP_NODELAY, TCP_USER_TIMEOUT");
        }
        Self(Arc::new(Shared {
            tcp: Arc::downgrade(tcp),
            number,
            network,
            peer,
            ledger,
            requests: AtomicUsize::new(0),
            closed: watch::Sender::new(false),
        }))
    }

    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    pub(super) fn network(&self) -> Option<IpAddr> {
        self.0.network
    }

    pub(crate) fn peer(&self) -> IpAddr {
        self.0.peer
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Ends it: what the kernel has taken is still delivered, nothing more is read or written.
    pub(crate) fn shut(&self) {
        if let Some(tcp) = self.0.tcp.upgrade() {
            _ = SockRef::from(&*tcp).shutdown(Shutdown::Both);
        }
    }

    /// Ends it and drops what was not delivered, so that whoever does not read holds no memory.
    pub(crate) fn reset(&self) {
        if let Some(tcp) = self.0.tcp.upgrade() {
            let socket = SockRef::from(&*tcp);
            _ = socket.set_linger(Some(Duration::ZERO));
            _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub(crate) async fn closed(&self) {
        // An error means that nobody is left who could say so.
        _ = self.0.closed.subscribe().wait_for(|closed| *closed).await;
    }

    /// Whoever is at the other end has shown a token of this user, and counts by no address any more.
    pub(crate) fn belongs_to(&self, user: &UserId) {
        self.0.ledger.belongs_to(self, user);
    }

    /// Notes that its session is over: it is closed first when its user has too many connections.
    pub(crate) fn is_over(&self) {
        self.0.ledger.is_over(self);
    }

    /// A request of it says that it was forwarded.
    pub(crate) fn forwards(&self) {
        self.0.ledger.forwards(self);
    }

    /// A request begins, which ends when this is dropped.
    pub(crate) fn request(&self) -> Answering {
        if self.0.requests.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.ledger.set_idle(self, false);
        }
        Answering(self.clone())
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(crate) struct Answering(Connection);

impl Drop for Answering {
    fn drop(&mut self) {
        if self.0.0.requests.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.0.ledger.set_idle(&self.0, true);
        }
    }
}

/// The connection's bytes. It counts until this is dropped, also as a WebSocket.
#[derive(Debug)]
pub(super) struct Stream {
    tcp: Arc<TcpStream>,
    connection: Connection,
    /// Runs while the client takes nothing.
    stall: Option<Pin<Box<Sleep>>>,
}

impl Stream {
    pub(super) fn new(tcp: Arc<TcpStream>, connection: Connection) -> Self {
        Self { tcp, connection, stall: None }
    }

    fn write(
        &mut self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            match self.tcp.poll_write_ready(context) {
                Poll::Pending => {
                    let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL_TIMEOUT)));
                    ready!(stall.as_mut().poll(context));
                    self.connection.reset();
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(ready) => ready?,
            }
            match write(&self.tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => {
                    self.stall = None;
                    return Poll::Ready(written);
                }
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(context))?;
            match self.tcp.try_read(into.initialize_unfilled()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    into.advance(read?);
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |tcp| tcp.try_write(bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |tcp| tcp.try_write_vectored(bytes))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // An error means that it is gone already.
        _ = SockRef::from(&*self.tcp).shutdown(Shutdown::Write);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.0.ledger.leave(&self.connection);
        self.connection.0.closed.send_replace(true);
    }
}
