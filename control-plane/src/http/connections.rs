//! The connections of a listener: how many there are, for whom each counts, and which has to go.

use super::connection::{Connection, Ledger, Stream};
use super::proxies::{Proxies, read_proxy_header};
use crate::policy::strangers::{Admission, Limits, Strangers, network};
use railgun_protocol::ids::UserId;
use railgun_protocol::limits::CONNECTIONS_PER_USER;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// For so long a connection waits for its turn.
const WAIT: Duration = Duration::from_secs(5);
const WAIT_RETRY: Duration = Duration::from_millis(20);
/// Divisor: this part of all descriptors for connections is for those that wait.
const WAITING_PART: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    proxies: Proxies,
    waiting: AtomicUsize,
    waiting_max: usize,
    since: Instant,
    forwarder_told: AtomicBool,
}

#[derive(Debug)]
struct State {
    strangers: Strangers,
    open: HashMap<u64, Open>,
    of_user: HashMap<UserId, VecDeque<u64>>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    standing: Standing,
}

#[derive(Debug)]
enum Standing {
    Stranger(IpAddr),
    /// A connection of a listed proxy, which counts for no user.
    Proxy,
    Known {
        user: UserId,
        is_over: bool,
    },
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// `limits.total`: connections that there are descriptors for. One in [`WAITING_PART`] of them is kept for
    /// connections that wait for a place.
    pub(crate) fn new(limits: Limits, proxies: Proxies) -> Self {
        let waiting_max = limits.total / WAITING_PART;
        let limits = Limits { total: limits.total - waiting_max, ..limits };
        let state =
            State { strangers: Strangers::new(limits), open: HashMap::new(), of_user: HashMap::new() };
        Self(Arc::new(Inner {
            state: Mutex::new(state),
            proxies,
            waiting: AtomicUsize::new(0),
            waiting_max,
            since: Instant::now(),
            forwarder_told: AtomicBool::new(false),
        }))
    }

    /// Open ones, WebSockets with them.
    pub(crate) fn count(&self) -> usize {
        self.0.state().open.len()
    }

    /// None: there is no place for it.
    pub(super) async fn admit(&self, tcp: TcpStream, peer: IpAddr) -> Option<(Stream, Connection)> {
        let mut from = (peer.to_canonical(), !self.0.proxies.is_listed(peer));
        if !from.1 {
            match read_proxy_header(&tcp).await {
                Ok(Some(client)) => from = (client, !self.0.proxies.is_listed(client)),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%error, "a header of the PROXY protocol");
                    return None;
                }
            }
        }
        let (peer, counts) = from;
        let tcp = Arc::new(tcp);
        if let Some(connection) = self.enter(&tcp, peer, counts) {
            return Some((Stream::new(tcp, connection.clone()), connection));
        }
        let _waiting = self.wait()?;
        let until = Instant::now() + WAIT;
        loop {
            sleep(WAIT_RETRY).await;
            if let Some(connection) = self.enter(&tcp, peer, counts) {
                return Some((Stream::new(tcp, connection.clone()), connection));
            }
            if Instant::now() >= until {
                return None;
            }
        }
    }

    fn wait(&self) -> Option<Waiting> {
        let waiting = Waiting(self.clone());
        let before = self.0.waiting.fetch_add(1, Ordering::Relaxed);
        (before < self.0.waiting_max).then_some(waiting)
    }

    fn enter(&self, tcp: &Arc<TcpStream>, peer: IpAddr, counts: bool) -> Option<Connection> {
        let mut state = self.0.state();
        let (number, of, standing) = if counts {
            let of = network(peer);
            let now = u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX);
            let number = match state.strangers.arrive(of, now) {
                Admission::Admitted(number) => number,
                Admission::InsteadOf(number, gone) => {
                    if let Some(gone) = state.open.get(&gone) {
                        gone.connection.reset();
                    }
                    number
                }
                Admission::TooMany | Admission::Full => return None,
            };
            (number, Some(of), Standing::Stranger(of))
        } else {
            (state.strangers.arrive_known()?, None, Standing::Proxy)
        };
        let is_found = state.strangers.has_forwarder();
        let connection = Connection::new(tcp, number, of, peer, self.0.clone());
        state.open.insert(number, Open { connection: connection.clone(), standing });
        drop(state);
        if is_found && !self.0.forwarder_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "most connections come from one address that forwards them for others and is not in \
                 trusted_proxies: list it there, so that limits count by client"
            );
            tracing::debug!(address = %peer, "it may be this one");
        }
        Some(connection)
    }
}

impl Ledger for Inner {
    /// Takes a closed connection out of the table. An evicted one has not counted since its eviction.
    fn leave(&self, connection: &Connection) {
        let mut state = self.state();
        let Some(open) = state.open.remove(&connection.number()) else { return };
        match open.standing {
            Standing::Stranger(of) => {
                state.strangers.leave(of, connection.number());
            }
            Standing::Proxy => state.strangers.leave_known(),
            Standing::Known { user, .. } => {
                state.strangers.leave_known();
                state.forget(&user, connection.number());
            }
        }
    }

    fn belongs_to(&self, connection: &Connection, user: &UserId) {
        let mut state = self.state();
        let number = connection.number();
        let Some(open) = state.open.get_mut(&number) else { return };
        let known = Standing::Known { user: user.clone(), is_over: false };
        match std::mem::replace(&mut open.standing, known) {
            Standing::Stranger(of) => state.strangers.become_known(of, number),
            Standing::Proxy => {}
            Standing::Known { user: before, .. } if before == *user => return,
            Standing::Known { user: before, .. } => state.forget(&before, number),
        }
        let of_user = state.of_user.entry(user.clone()).or_default();
        of_user.push_back(number);
        if of_user.len() > CONNECTIONS_PER_USER
            && let Some(gone) = state.longest_held_of(user)
        {
            gone.reset();
        }
    }

    fn is_over(&self, connection: &Connection) {
        if let Some(Open { standing: Standing::Known { is_over, .. }, .. }) =
            self.state().open.get_mut(&connection.number())
        {
            *is_over = true;
        }
    }

    fn forwards(&self, connection: &Connection) {
        if let Some(of) = connection.network() {
            self.state().strangers.forwards(of);
        }
    }

    fn set_idle(&self, connection: &Connection, is_idle: bool) {
        if let Some(of) = connection.network() {
            self.state().strangers.set_idle(of, connection.number(), is_idle);
        }
    }
}

impl State {
    fn forget(&mut self, user: &UserId, number: u64) {
        if let Some(of_user) = self.of_user.get_mut(user) {
            of_user.retain(|of| *of != number);
            if of_user.is_empty() {
                self.of_user.remove(user);
            }
        }
    }

    /// The user's oldest connection whose session is over, else the oldest.
    fn longest_held_of(&mut self, user: &UserId) -> Option<Connection> {
        let of_user = self.of_user.get_mut(user)?;
        let is_over = |number: &u64| {
            let open = self.open.get(number).map(|open| &open.standing);
            matches!(open, Some(Standing::Known { is_over: true, .. }))
        };
        let place = of_user.iter().position(is_over).unwrap_or(0);
        let number = of_user.remove(place)?;
        self.open.get(&number).map(|open| open.connection.clone())
    }
}

struct Waiting(Connections);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
