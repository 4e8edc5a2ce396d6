//! All transports of a worker: by key, by the user fragment of an ICE check, and by the address that a
//! datagram comes from.

use super::dtls::{Certificate, DtlsVersion};
use super::ice_lite::Relays;
use super::unproved_budget::UnprovedBudgets;
use super::users::Users;
use super::webrtc_transport::WebRtcTransport;
use crate::arena::{Arena, SPARE_MIN, TransportKey};
use crate::random::Rng;
use crate::timers::TimerQueue;
use railgun_protocol::transport_parameters::IceCandidate;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Between two looks at one transport.
const TIMER_MIN: Duration = Duration::from_millis(1);

/// What all transports of a worker share.
#[derive(Debug)]
pub(crate) struct TransportConfig {
    pub(crate) candidates: Vec<IceCandidate>,
    pub(crate) certificate: Certificate,
    pub(crate) dtls_version: DtlsVersion,
    pub(crate) relays: Arc<Relays>,
    pub(crate) handshakes_max: usize,
    /// When the engine was made.
    pub(crate) started: Instant,
}

#[derive(Debug)]
pub(crate) struct TransportTable {
    pub(crate) config: TransportConfig,
    /// Source of ICE credentials, SSRCs, and what an address has to echo.
    pub(crate) rng: Rng,
    entries: Arena<TransportKey, WebRtcTransport>,
    /// By the local ICE user fragment, a restart's previous one included while it is valid.
    by_ufrag: HashMap<String, TransportKey>,
    /// By the addresses of their ICE tuples. To which of two transports with the same one it leads,
    /// `address_holds` says.
    by_address: HashMap<SocketAddr, TransportKey>,
    pub(crate) users: Users,
    /// What users' addresses may get before they are proved.
    pub(crate) unproved: UnprovedBudgets,
    /// DTLS handshakes in progress, in the order in which they began last.
    pub(crate) handshakes: Vec<TransportKey>,
    /// When each wants to be looked at; `WebRtcTransport::wake` is the valid entry.
    timers: TimerQueue<TransportKey>,
}

impl TransportTable {
    pub(crate) fn new(config: TransportConfig, rng: Rng) -> Self {
        Self {
            config,
            rng,
            entries: Arena::new(),
            by_ufrag: HashMap::new(),
            by_address: HashMap::new(),
            users: Users::new(),
            unproved: UnprovedBudgets::default(),
            handshakes: Vec::new(),
            timers: TimerQueue::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(crate) fn get(&self, key: TransportKey) -> Option<&WebRtcTransport> {
        self.entries.get(key)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: TransportKey) -> Option<&mut WebRtcTransport> {
        self.entries.get_mut(key)
    }

    /// [`Arena::live`].
    #[inline]
    pub(crate) fn live(&self, key: TransportKey) -> Option<&WebRtcTransport> {
        self.entries.live(key)
    }

    /// [`Arena::live_mut`].
    #[inline]
    pub(crate) fn live_mut(&mut self, key: TransportKey) -> Option<&mut WebRtcTransport> {
        self.entries.live_mut(key)
    }

    /// With the generator beside it, whose numbers a change of address jumps by.
    pub(crate) fn get_mut_with_rng(&mut self, key: TransportKey) -> Option<(&mut WebRtcTransport, &mut Rng)> {
        Some((self.entries.get_mut(key)?, &mut self.rng))
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (TransportKey, &WebRtcTransport)> {
        self.entries.iter()
    }

    #[inline]
    pub(crate) fn by_address(&self, address: SocketAddr) -> Option<TransportKey> {
        self.by_address.get(&address).copied()
    }

    pub(crate) fn by_ufrag(&self, ufrag: &str) -> Option<TransportKey> {
        self.by_ufrag.get(ufrag).copied()
    }

    /// Entries of the look-ups by user fragment and by address.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn index_sizes(&self) -> (usize, usize) {
        (self.by_ufrag.len(), self.by_address.len())
    }

    pub(crate) fn insert(&mut self, transport: WebRtcTransport) -> TransportKey {
        let ufrag = transport.ice.credentials().ufrag.clone();
        let key = self.entries.insert(transport);
        self.by_ufrag.insert(ufrag, key);
        key
    }

    /// Takes a transport out of every look-up.
    pub(super) fn remove(&mut self, key: TransportKey) -> Option<WebRtcTransport> {
        let transport = self.entries.remove(key)?;
        self.by_ufrag.remove(&transport.ice.credentials().ufrag);
        if let Some(previous) = transport.ice.previous_ufrag() {
            self.by_ufrag.remove(previous);
        }
        for tuple in transport.ice.tuples() {
            self.unbind_address(tuple.address, key);
        }
        Some(transport)
    }

    /// New ICE credentials (RFC 8445 section 9). The old ones are good until the client uses the new ones.
    pub(crate) fn restart_ice(&mut self, key: TransportKey) {
        let Some(transport) = self.entries.get_mut(key) else { return };
        // The last restart's, if no check ever came with them.
        if transport.ice.previous_ufrag().is_some() {
            self.by_ufrag.remove(&transport.ice.credentials().ufrag);
        }
        transport.ice.restart(&mut self.rng);
        self.by_ufrag.insert(transport.ice.credentials().ufrag.clone(), key);
    }

    /// A restart is complete: the credentials before it are none any more.
    pub(crate) fn forget_ufrag(&mut self, ufrag: &str) {
        self.by_ufrag.remove(ufrag);
    }

    /// The address leads to this transport from now on.
    pub(super) fn bind_address(&mut self, address: SocketAddr, key: TransportKey, now: Instant) {
        if self.by_address.insert(address, key) != Some(key)
            && let Some(tuple) = self.entries.get_mut(key).and_then(|it| it.ice.tuple_mut(address))
        {
            tuple.held_since = now;
        }
        self.unbind_lost_addresses(key);
    }

    /// Addresses whose ICE tuple is gone lead nowhere.
    pub(crate) fn unbind_lost_addresses(&mut self, key: TransportKey) {
        let Some(transport) = self.entries.get_mut(key) else { return };
        for address in transport.ice.take_lost() {
            self.unbind_address(address, key);
        }
    }

    fn unbind_address(&mut self, address: SocketAddr, key: TransportKey) {
        if self.by_address.get(&address) == Some(&key) {
            self.by_address.remove(&address);
        }
    }

    /// Has a transport looked at when it wants to be, if that is earlier than noted.
    pub(crate) fn schedule(&mut self, key: TransportKey) {
        if let Some(due) = self.entries.get(key).and_then(WebRtcTransport::due) {
            self.wake_by(key, due);
        }
    }

    /// Has a transport looked at by `due`.
    pub(crate) fn wake_by(&mut self, key: TransportKey, due: Instant) {
        let Some(transport) = self.entries.get_mut(key) else { return };
        if transport.wake.is_none_or(|wake| due < wake) {
            transport.wake = Some(due);
            self.timers.push(due, key);
        }
    }

    /// [`Self::schedule`] of one that was just looked at: a moment must pass, so that a loop over timers ends
    /// whatever a transport asks for. `other_due`: what else it is to be looked at for.
    pub(crate) fn schedule_again(&mut self, key: TransportKey, other_due: Option<Instant>, now: Instant) {
        let due = self.entries.get(key).and_then(WebRtcTransport::due);
        if let Some(due) = due.into_iter().chain(other_due).min() {
            self.wake_by(key, due.max(now + TIMER_MIN));
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Takes the next transport that is due.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<TransportKey> {
        while let Some((at, key)) = self.timers.pop_due(now) {
            if let Some(transport) = self.entries.get_mut(key)
                && transport.wake == Some(at)
            {
                transport.wake = None;
                return Some(key);
            }
        }
        None
    }

    /// Gives back memory that a flood of joins took.
    pub(crate) fn shrink(&mut self) {
        let is_spare = |len: usize, capacity: usize| capacity > 2 * SPARE_MIN && len < capacity / 8;
        if is_spare(self.by_ufrag.len(), self.by_ufrag.capacity()) {
            self.by_ufrag.shrink_to(SPARE_MIN);
        }
        if is_spare(self.by_address.len(), self.by_address.capacity()) {
            self.by_address.shrink_to(SPARE_MIN);
        }
        // Entries of transports that are gone, or that were looked at in between.
        if self.timers.len() > SPARE_MIN + 4 * self.entries.len() {
            let entries = &self.entries;
            self.timers.retain(|at, key| entries.get(key).is_some_and(|it| it.wake == Some(at)));
        }
        self.timers.shrink();
    }
}
