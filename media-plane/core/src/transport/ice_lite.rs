//! The controlled, lite side of ICE (RFC 8445 section 2.5): it sends no checks, it answers them.
//!
//! A check that is not perfect is dropped without a word, so that nothing can be learnt from or
//! reflected off the node. The peer nominates with USE-CANDIDATE, repeatedly if it likes; the
//! latest nomination wins.

mod credentials;
mod relays;
mod tuples;

pub use credentials::{CREDENTIAL_LEN, IceCredentials};
pub use relays::{Network, NotANetwork, RELAYS_MAX, Relays};
pub use tuples::{TUPLES_MAX, Tuple};

use super::address_proof::UNPROVED_SEALED_PERIOD;
use crate::packet::stun::{BINDING_SUCCESS_MAX, BindingRequest, write_binding_success};
use railgun_protocol::limits::CONSENT_TIMEOUT;
use railgun_protocol::transport_parameters::IceState;
use rand::Rng;
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use thiserror::Error;
use tuples::Tuples;

/// Checks a transport remembers: nearly three hours of a client that checks every 2.5 s, half an hour
/// of one that is looking for a path. An older one that was recorded could move media, for as long as
/// its credentials are in use and within what an unproved address gets.
const TRANSACTIONS_MAX: usize = 4_096;
/// Addresses that a transport remembers as barred.
const BARRED_MAX: usize = 8;
/// For how long checks from a barred address get no answer.
const BARRED_FOR: Duration = Duration::from_secs(600);

/// Why a well-formed check was dropped; only ever counted.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each message says why")]
pub enum IceDrop {
    #[error("user fragment of another transport")]
    WrongUfrag,
    #[error("made without the password")]
    WrongIntegrity,
    /// A lite agent cannot take the controlling role, so there is no conflict to solve.
    #[error("peer does not claim the controlling role")]
    NotControlling,
    #[error("transaction id seen from another address, or long ago")]
    Replayed,
    #[error("a session in privacy mode, and not from a relay")]
    NotRelayed,
    #[error("from an address whose proof was guessed at")]
    Barred,
}

/// The answer to a valid check and what the check changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IceAnswer {
    /// The first so many bytes of the buffer are to be sent to the check's source.
    pub len: usize,
    /// Not one that came before: a sign of life.
    pub is_fresh: bool,
    /// Media goes to another address now.
    pub is_selected_changed: bool,
    /// [`IceLite::state`] says something else now.
    pub is_state_changed: bool,
}

/// ICE of one transport.
#[derive(Debug)]
pub struct IceLite {
    current: IceCredentials,
    /// Credentials in use before a restart, until the peer shows that it has the current ones.
    previous: Option<IceCredentials>,
    /// Set for a session in privacy mode: the only addresses that checks are taken from.
    relays: Option<Arc<Relays>>,
    tuples: Tuples,
    selected: Option<SocketAddr>,
    is_nominated: bool,
    is_lost: bool,
    transactions: VecDeque<Transaction>,
    /// With the end of it.
    barred: VecDeque<(SocketAddr, Instant)>,
    renewed: Option<Instant>,
}

/// A check that was taken: most of its transaction id, and a digest of where it came from, both being
/// compared with checks that are authentic.
#[derive(Clone, Copy, Debug)]
struct Transaction {
    id: u64,
    source: u64,
}

impl Transaction {
    fn new(id: &[u8; 12], source: SocketAddr) -> Self {
        let [_, _, _, _, id @ ..] = *id;
        let mut hasher = DefaultHasher::new();
        source.hash(&mut hasher);
        Self { id: u64::from_be_bytes(id), source: hasher.finish() }
    }
}

impl IceLite {
    /// With new credentials, and no address yet.
    pub fn new(rng: &mut impl Rng) -> Self {
        Self {
            current: IceCredentials::generate(rng),
            previous: None,
            relays: None,
            tuples: Tuples::default(),
            selected: None,
            is_nominated: false,
            is_lost: false,
            transactions: VecDeque::new(),
            barred: VecDeque::new(),
            renewed: None,
        }
    }

    /// Takes checks from these addresses only, so that the peer's own address is never answered,
    /// sent to, or learnt, and forgets those that are none of them. For a session in privacy mode.
    pub fn accept_only(&mut self, relays: Arc<Relays>) {
        self.tuples.retain(|tuple| relays.contains(tuple.address.ip()));
        self.relays = Some(relays);
        self.leave_lost(|ice| ice.tuples.latest());
    }

    /// What to tell the peer.
    #[must_use]
    pub fn credentials(&self) -> &IceCredentials {
        &self.current
    }

    /// The user fragment that still works beside the current one, during a restart.
    #[must_use]
    pub fn previous_ufrag(&self) -> Option<&str> {
        self.previous.as_ref().map(|it| it.ufrag.as_str())
    }

    /// Begins an ICE restart (RFC 8445 section 9). DTLS, SRTP and the selected tuple go on.
    pub fn restart(&mut self, rng: &mut impl Rng) {
        let replaced = std::mem::replace(&mut self.current, IceCredentials::generate(rng));
        // A second restart before the first was seen: the peer still uses the oldest.
        self.previous.get_or_insert(replaced);
    }

    /// Takes a check parsed from `datagram` and writes the answer to `out`.
    pub fn handle_binding(
        &mut self,
        request: &BindingRequest<'_>,
        datagram: &[u8],
        source: SocketAddr,
        now: Instant,
        out: &mut [u8; BINDING_SUCCESS_MAX],
    ) -> Result<IceAnswer, IceDrop> {
        if self.relays.as_ref().is_some_and(|relays| !relays.contains(source.ip())) {
            return Err(IceDrop::NotRelayed);
        }
        if self.barred.iter().any(|(address, until)| *address == source && now < *until) {
            return Err(IceDrop::Barred);
        }
        let credentials = self.credentials_of(request.local_ufrag()).ok_or(IceDrop::WrongUfrag)?;
        if !request.verify_integrity(datagram, &credentials.key) {
            return Err(IceDrop::WrongIntegrity);
        }
        if request.ice_controlling.is_none() {
            return Err(IceDrop::NotControlling);
        }
        let len = write_binding_success(out, &request.transaction_id, source, &credentials.key);
        let is_repeated = self.is_repeated(&request.transaction_id, source)?;

        let before = (self.selected, self.state());
        if !is_repeated {
            if request.local_ufrag() == self.current.ufrag && self.previous.take().is_some() {
                self.is_nominated = false;
            }
            self.tuples.checked(source, self.selected, now);
            self.select(source, request.use_candidate);
        }
        // A retransmission is answered but is no sign of life: anyone could have kept it.
        let tuple = self.tuples.get_mut(source).ok_or(IceDrop::Replayed)?;
        tuple.proof.on_received(datagram.len());
        tuple.proof.on_sent(len);
        Ok(IceAnswer {
            len,
            is_fresh: !is_repeated,
            is_selected_changed: before.0 != self.selected,
            is_state_changed: before.1 != self.state(),
        })
    }

    fn credentials_of(&self, ufrag: &str) -> Option<&IceCredentials> {
        let candidates = std::iter::once(&self.current).chain(&self.previous);
        candidates.into_iter().find(|it| it.ufrag == ufrag)
    }

    fn is_repeated(&mut self, transaction_id: &[u8; 12], source: SocketAddr) -> Result<bool, IceDrop> {
        let check = Transaction::new(transaction_id, source);
        match self.transactions.iter().find(|earlier| earlier.id == check.id) {
            Some(earlier) if earlier.source != check.source => Err(IceDrop::Replayed),
            Some(_) => Ok(true),
            None => {
                if self.transactions.len() == TRANSACTIONS_MAX {
                    self.transactions.pop_front();
                }
                self.transactions.push_back(check);
                Ok(false)
            }
        }
    }

    /// Until there is a nomination, the first tuple will do: DTLS need not wait.
    fn select(&mut self, source: SocketAddr, is_nomination: bool) {
        self.is_lost = false;
        if is_nomination || self.selected.is_none() {
            self.selected = Some(source);
        }
        self.is_nominated |= is_nomination;
    }

    /// Forgets an address and takes no check from it for ten minutes. If it was the selected one, the
    /// address proved last is selected instead.
    pub fn bar(&mut self, address: SocketAddr, now: Instant) {
        if self.barred.len() == BARRED_MAX {
            self.barred.pop_front();
        }
        self.barred.push_back((address, now + BARRED_FOR));
        self.tuples.forget(address);
        self.leave_lost(|ice| ice.tuples.latest_proved());
    }

    /// Forgets an address that leads to another transport now.
    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.tuples.forget(address);
        self.leave_lost(|ice| ice.tuples.latest());
    }

    /// Forgets tuples without consent (RFC 7675). Without the selected one, the tuple of the
    /// latest check is selected, a proved one first; without any, the state is `disconnected`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.tuples.expire(CONSENT_TIMEOUT, now);
        let is_over = |since: Instant| now.saturating_duration_since(since) >= UNPROVED_SEALED_PERIOD;
        if self.renewed.is_none_or(is_over) {
            self.renewed = Some(now);
            self.tuples.renew();
        }
        self.leave_lost(|ice| ice.tuples.latest());
    }

    /// If the selected tuple is gone, goes on with that of `other`.
    fn leave_lost(&mut self, other: impl Fn(&Self) -> Option<&Tuple>) {
        let is_selected_gone = self.selected.is_some_and(|address| self.tuples.get(address).is_none());
        if is_selected_gone {
            self.selected = other(self).map(|tuple| tuple.address);
            self.is_nominated = false;
            self.is_lost = self.selected.is_none();
        }
    }

    /// When [`Self::handle_timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.tuples.oldest_check_at().map(|at| at + CONSENT_TIMEOUT)
    }

    /// As `voice:rtc:getStats` and the room's events say it.
    #[must_use]
    pub fn state(&self) -> IceState {
        match (self.selected, self.is_nominated) {
            (Some(_), true) => IceState::Completed,
            (Some(_), false) => IceState::Connected,
            (None, _) if self.is_lost => IceState::Disconnected,
            (None, _) => IceState::New,
        }
    }

    /// Address that the peer nominated. Media goes there once the address is proved.
    #[must_use]
    pub fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// The proved tuple of the latest check.
    #[must_use]
    pub fn proved(&self) -> Option<SocketAddr> {
        self.tuples.latest_proved().map(|tuple| tuple.address)
    }

    /// Whether a tuple of this address exists and is proved.
    #[must_use]
    pub fn is_proved(&self, address: SocketAddr) -> bool {
        self.tuples.get(address).is_some_and(|tuple| tuple.proof.is_proved())
    }

    /// The tuple of `address`, if a check from there was valid and its consent has not expired.
    #[must_use]
    pub fn tuple(&self, address: SocketAddr) -> Option<&Tuple> {
        self.tuples.get(address)
    }

    /// All tuples: the addresses from which a check was valid within [`CONSENT_TIMEOUT`].
    pub fn tuples(&self) -> impl Iterator<Item = &Tuple> {
        self.tuples.iter()
    }

    /// Addresses that lost their tuple since the last call: for lack of consent, of room, or of a
    /// relay's name. Whoever finds transports by address takes these out of its table.
    pub fn take_lost(&mut self) -> Vec<SocketAddr> {
        self.tuples.take_lost()
    }

    /// [`Self::tuple`], to count what is sent there.
    #[must_use]
    pub fn tuple_mut(&mut self, address: SocketAddr) -> Option<&mut Tuple> {
        self.tuples.get_mut(address)
    }
}
