//! What the ways between machines do to what they carry.

use super::clock::{MILLISECOND, Nanos, below, chance};
use std::net::Ipv4Addr;

/// Which kind of way it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Between the machines of the operator.
    Inside,
    /// From and to a user's machine.
    Outside,
}

/// The probabilities are per million.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LinkFaults {
    pub delay_inside: Nanos,
    pub delay_outside: Nanos,
    /// Uniform from zero to this, added to the delay; datagrams overtake each other by it.
    pub jitter: Nanos,
    pub loss: u32,
    pub duplication: u32,
    pub corruption: u32,
    /// A TCP segment is lost and comes again after 200 ms.
    pub segment_loss: u32,
    /// After a datagram an older one of the same flow comes again, up to 200 datagrams old.
    pub replay: u32,
    /// A datagram that a user sent comes again from somebody else's address.
    pub spoofing: u32,
}

impl LinkFaults {
    pub(crate) const NONE: Self = Self {
        delay_inside: 500_000,
        delay_outside: 15 * MILLISECOND,
        jitter: 0,
        loss: 0,
        duplication: 0,
        corruption: 0,
        segment_loss: 0,
        replay: 0,
        spoofing: 0,
    };

    /// The same ways without loss, duplication and corruption.
    pub(crate) fn healed(self) -> Self {
        Self { delay_inside: self.delay_inside, delay_outside: self.delay_outside, ..Self::NONE }
    }

    pub(super) fn delay(&self, from: Ipv4Addr, to: Ipv4Addr) -> Nanos {
        let base = match (class(from), class(to)) {
            (Class::Inside, Class::Inside) => self.delay_inside,
            _ => self.delay_outside,
        };
        base + below(self.jitter)
    }

    pub(super) fn segment_delay(&self, from: Ipv4Addr, to: Ipv4Addr) -> Nanos {
        let again = if chance(self.segment_loss) { 200 * MILLISECOND } else { 0 };
        self.delay(from, to) + again
    }
}

/// What waits longer on a narrow way is lost.
const QUEUE_MAX: Nanos = 400 * MILLISECOND;

/// A way that carries so much and no more.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    /// Time that a bit takes; 0: there is no limit.
    takes: Nanos,
    /// When all that waits has left.
    free_at: Nanos,
}

impl Rate {
    /// Changes the rate, in kbit/s; `None`: no limit. Datagrams that wait already still leave first.
    pub(super) fn turn_to(&mut self, rate: Option<u64>) {
        self.takes = rate.map_or(0, |rate| 1_000_000 / rate.max(1));
    }

    /// The time at which a datagram's last bit leaves. `bytes`: its length. None: the queue is full, and it is lost.
    pub(super) fn pass(&mut self, bytes: usize, now: Nanos) -> Option<Nanos> {
        let begins = self.free_at.max(now);
        if begins > now + QUEUE_MAX {
            return None;
        }
        self.free_at = begins + self.takes * 8 * bytes as u64;
        Some(self.free_at)
    }
}

/// Nodes are 127.2.x.y.
pub(super) fn net_of_nodes(address: Ipv4Addr) -> bool {
    address.octets()[1] == 2
}

/// Users' machines are 127.9.x.y.
pub(super) fn class(address: Ipv4Addr) -> Class {
    if address.octets()[1] == 9 { Class::Outside } else { Class::Inside }
}
