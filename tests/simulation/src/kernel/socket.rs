//! A socket of a process, as the network has it.

use super::clock::{MILLISECOND, Nanos};
use std::collections::VecDeque;
use std::net::SocketAddrV4;

pub(super) type SockId = u64;

/// Segments are sent again after so long at first, over a way that carries nothing.
pub(super) const AGAIN_FIRST: Nanos = 200 * MILLISECOND;

pub(super) struct Socket {
    pub(super) host: u32,
    pub(super) local: SocketAddrV4,
    pub(super) remote: SocketAddrV4,
    pub(super) kind: Kind,
    pub(super) registration: Option<Registration>,
    /// No program holds it yet, or any more.
    pub(super) fd: Option<i32>,
}

pub(super) enum Kind {
    Fresh,
    Listener { backlog: VecDeque<SockId> },
    Stream(Stream),
}

pub(super) struct Registration {
    pub(super) data: u64,
    pub(super) interest: u32,
    pub(super) pending: u32,
}

pub(super) struct Stream {
    pub(super) peer: SockId,
    pub(super) is_open: bool,
    pub(super) received: VecDeque<u8>,
    pub(super) is_at_end: bool,
    pub(super) error: Option<i32>,
    /// Bytes that the peer has not read yet.
    pub(super) unread: usize,
    pub(super) has_shut: bool,
    pub(super) incoming: VecDeque<(Nanos, Segment)>,
    pub(super) last_arrival: Nanos,
    pub(super) again: Nanos,
}

pub(super) enum Segment {
    Data(Vec<u8>),
    End,
    Reset,
}

impl Stream {
    pub(super) fn new(peer: SockId, is_open: bool) -> Self {
        Self {
            peer,
            is_open,
            received: VecDeque::new(),
            is_at_end: false,
            error: None,
            unread: 0,
            has_shut: false,
            incoming: VecDeque::new(),
            last_arrival: 0,
            again: AGAIN_FIRST,
        }
    }
}
