//! How often an address may show tokens that are not good. One that does without end has its further
//! tokens looked at slowly, in turn: others of that address wait a little and still get in.

use std::collections::HashMap;
use std::net::IpAddr;

/// Failures at once, after a while without any.
const BURST: u64 = 100;
/// Failures a second that are forgiven from then on.
const SUSTAINED: u64 = 10;
/// Tokens of such an address that are looked at, each second.
const IN_TURN: u64 = 100;
/// Longest wait, in milliseconds; who would wait longer is refused.
const WAIT_MS_MAX: u64 = 5000;
/// Addresses that are remembered; beyond them, all others count as one.
const ADDRESSES_MAX: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Now,
    /// In so many milliseconds.
    In(u64),
    Never,
}

#[derive(Debug, Default)]
pub(crate) struct ConnectFailures {
    by_address: HashMap<IpAddr, OfAddress>,
    others: OfAddress,
}

#[derive(Clone, Copy, Debug, Default)]
struct OfAddress {
    /// Thousandths of a failure.
    spent: u64,
    /// Milliseconds.
    at: u64,
    /// When the next token may be looked at.
    next: u64,
}

impl OfAddress {
    fn flow(&mut self, now: u64) {
        self.spent = self.spent.saturating_sub(now.saturating_sub(self.at).saturating_mul(SUSTAINED));
        self.at = self.at.max(now);
    }
}

impl ConnectFailures {
    /// When a token of this address may be looked at.
    pub(crate) fn turn(&mut self, address: IpAddr, now: u64) -> Turn {
        let has_room = self.by_address.len() < ADDRESSES_MAX;
        let of_address = match self.by_address.get_mut(&address) {
            Some(of_address) => of_address,
            None if has_room => return Turn::Now,
            None => &mut self.others,
        };
        of_address.flow(now);
        if of_address.spent < BURST * 1000 {
            return Turn::Now;
        }
        let next = of_address.next.max(now);
        if next - now > WAIT_MS_MAX {
            return Turn::Never;
        }
        of_address.next = next + 1000 / IN_TURN;
        Turn::In(next - now)
    }

    /// A token of this address was not good.
    pub(crate) fn failed(&mut self, address: IpAddr, now: u64) {
        if self.by_address.len() >= ADDRESSES_MAX {
            self.by_address.retain(|_, of_address| {
                of_address.flow(now);
                of_address.spent > 0
            });
        }
        let has_room = self.by_address.len() < ADDRESSES_MAX;
        let of_address = match self.by_address.get_mut(&address) {
            Some(of_address) => of_address,
            None if has_room => self
                .by_address
                .entry(address)
                .or_insert_with(|| OfAddress { at: now, ..OfAddress::default() }),
            None => &mut self.others,
        };
        of_address.flow(now);
        of_address.spent = (of_address.spent + 1000).min((BURST + 1) * 1000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(bits: u32) -> IpAddr {
        bits.to_be_bytes().into()
    }

    #[test]
    fn an_address_that_fails_without_end_has_its_tokens_looked_at_in_turn() {
        let mut failures = ConnectFailures::default();
        for _ in 0..BURST {
            assert_eq!(failures.turn(address(1), 0), Turn::Now);
            failures.failed(address(1), 0);
        }
        assert_eq!(failures.turn(address(1), 0), Turn::In(0));
        assert_eq!(failures.turn(address(1), 0), Turn::In(10));
        assert_eq!(failures.turn(address(2), 0), Turn::Now);
        while failures.turn(address(1), 0) != Turn::Never {}
        // What failed is forgotten a tenth of a second each.
        assert_eq!(failures.turn(address(1), 2000), Turn::Now);
    }

    #[test]
    fn more_addresses_than_are_remembered_count_as_one() {
        let mut failures = ConnectFailures::default();
        let many = u32::try_from(ADDRESSES_MAX).unwrap();
        for number in 0..many + 1000 {
            failures.failed(address(number), 0);
        }
        assert_eq!(failures.by_address.len(), ADDRESSES_MAX);
        assert_ne!(failures.turn(address(many + 5000), 0), Turn::Now);
        failures.failed(address(many), 60_000);
        assert_eq!(failures.by_address.len(), 1);
    }
}
