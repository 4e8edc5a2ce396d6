//! The addresses from which a transport's peer has passed a check.

use crate::arena::TransportKey;
use crate::transport::address_proof::AddressProof;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Addresses one transport keeps; Chromium uses one per local interface and address family.
pub const TUPLES_MAX: usize = 8;

/// An address of the peer. Ours is the worker's socket, which all its transports share.
#[derive(Clone, Copy, Debug)]
pub struct Tuple {
    /// The peer's, as its checks show it.
    pub address: SocketAddr,
    /// What was sent there, and whether it is known to arrive.
    pub proof: AddressProof,
    /// When the last valid check came from there.
    pub last_check_at: Instant,
    /// Since when the address leads to this transport, if it does.
    pub(in crate::transport) held_since: Instant,
    /// A transport without keys that a check from there named, and since when it has the turn.
    pub(in crate::transport) contested_by: Option<(TransportKey, Instant)>,
}

/// At most [`TUPLES_MAX`] of them.
#[derive(Debug, Default)]
pub(super) struct Tuples {
    entries: Vec<Tuple>,
    /// Addresses that were removed and not yet taken by [`Self::take_lost`].
    lost: Vec<SocketAddr>,
}

impl Tuples {
    pub(super) fn get_mut(&mut self, address: SocketAddr) -> Option<&mut Tuple> {
        self.entries.iter_mut().find(|tuple| tuple.address == address)
    }

    pub(super) fn get(&self, address: SocketAddr) -> Option<&Tuple> {
        self.entries.iter().find(|tuple| tuple.address == address)
    }

    /// Notes a valid check from `address`. A new one takes the place of that whose last check
    /// is the longest ago, of an unproved one first, and never of `selected`.
    pub(super) fn checked(&mut self, address: SocketAddr, selected: Option<SocketAddr>, now: Instant) {
        let known = self.entries.iter().position(|tuple| tuple.address == address);
        let mut tuple = match known {
            Some(index) => self.entries.swap_remove(index),
            None => Tuple {
                address,
                proof: AddressProof::default(),
                last_check_at: now,
                held_since: now,
                contested_by: None,
            },
        };
        tuple.last_check_at = now;
        if self.entries.len() == TUPLES_MAX {
            let oldest = self.entries.iter().enumerate().filter(|(_, tuple)| Some(tuple.address) != selected);
            let key = |tuple: &Tuple| (tuple.proof.is_proved(), tuple.last_check_at);
            if let Some((index, _)) = oldest.min_by_key(|(_, tuple)| key(tuple)) {
                let evicted = self.entries.swap_remove(index);
                self.lost.push(evicted.address);
            }
        }
        self.entries.push(tuple);
    }

    /// Removes every tuple that is not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&Tuple) -> bool) {
        let Self { entries, lost } = self;
        entries.retain(|tuple| {
            let is_kept = keep(tuple);
            if !is_kept {
                lost.push(tuple.address);
            }
            is_kept
        });
    }

    /// Addresses that were removed since the last call.
    pub(super) fn take_lost(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.lost)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Tuple> {
        self.entries.iter()
    }

    /// Removes every tuple whose last check is `timeout` ago.
    pub(super) fn expire(&mut self, timeout: Duration, now: Instant) {
        self.retain(|tuple| now.saturating_duration_since(tuple.last_check_at) < timeout);
    }

    /// Unproved addresses may be asked for a proof again.
    pub(super) fn renew(&mut self) {
        self.entries.iter_mut().for_each(|tuple| tuple.proof.renew());
    }

    /// The one of the latest check, of a proved one first.
    pub(super) fn latest(&self) -> Option<&Tuple> {
        self.entries.iter().max_by_key(|tuple| (tuple.proof.is_proved(), tuple.last_check_at))
    }

    pub(super) fn latest_proved(&self) -> Option<&Tuple> {
        self.latest().filter(|tuple| tuple.proof.is_proved())
    }

    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.retain(|tuple| tuple.address != address);
    }

    pub(super) fn oldest_check_at(&self) -> Option<Instant> {
        self.entries.iter().map(|tuple| tuple.last_check_at).min()
    }
}
