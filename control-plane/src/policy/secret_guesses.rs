//! How often a wrong development secret may be shown: by one address, and by all together, since a process on
//! this machine has all of 127.0.0.0/8 to come from. Beyond that nobody's is looked at for a while, not
//! even the right one, or trying would go on.

use std::collections::HashMap;
use std::net::IpAddr;

/// Wrong ones of one address at once.
const BY_ADDRESS: u64 = 10;
/// Guesses of all addresses together.
const IN_ALL: u64 = ADDRESSES_MAX as u64;
/// After which one more of them is allowed, in milliseconds.
const EACH: u64 = 6000;
/// Addresses that are remembered. There cannot be more: each has made a wrong guess, and the guesses of all addresses
/// together are limited.
const ADDRESSES_MAX: usize = 50;

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Time at which the bucket is empty, in milliseconds.
    empty_at: u64,
}

impl Bucket {
    fn is_full(self, max: u64, now: u64) -> bool {
        self.empty_at.saturating_sub(now) > (max - 1) * EACH
    }

    fn add(&mut self, now: u64) {
        self.empty_at = self.empty_at.max(now) + EACH;
    }
}

/// Times are milliseconds of one monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct SecretGuesses {
    by_address: HashMap<IpAddr, Bucket>,
    all: Bucket,
}

impl SecretGuesses {
    pub(crate) fn may_guess(&self, from: IpAddr, now: u64) -> bool {
        let own = self.by_address.get(&from).copied().unwrap_or_default();
        !own.is_full(BY_ADDRESS, now) && !self.all.is_full(IN_ALL, now)
    }

    pub(crate) fn was_wrong(&mut self, from: IpAddr, now: u64) {
        self.all.add(now);
        self.by_address.retain(|_, bucket| bucket.empty_at > now);
        if self.by_address.len() < ADDRESSES_MAX || self.by_address.contains_key(&from) {
            self.by_address.entry(from).or_default().add(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(bits: u32) -> IpAddr {
        (0x7f00_0000 + bits).to_be_bytes().into()
    }

    /// How many wrong ones are looked at, of as many tries a second, in so many seconds.
    fn looked_at(addresses: u32, seconds: u64) -> u64 {
        let (mut guesses, mut looked_at) = (SecretGuesses::default(), 0);
        for (try_, bits) in (0..seconds * 1000).zip((0..addresses).cycle()) {
            let from = address(bits);
            if guesses.may_guess(from, try_) {
                guesses.was_wrong(from, try_);
                looked_at += 1;
            }
        }
        assert!(guesses.by_address.len() <= ADDRESSES_MAX);
        looked_at
    }

    #[test]
    fn an_address_gets_ten_and_ten_a_minute_and_a_thousand_addresses_fifty() {
        assert_eq!(looked_at(1, 60), BY_ADDRESS + 60_000 / EACH - 1);
        assert_eq!(looked_at(1000, 60), IN_ALL + 60_000 / EACH - 1);
    }

    #[test]
    fn another_address_is_not_held_up_by_the_first() {
        let mut guesses = SecretGuesses::default();
        (0..BY_ADDRESS).for_each(|_| guesses.was_wrong(address(1), 0));
        assert!(!guesses.may_guess(address(1), 0) && guesses.may_guess(address(2), 0));
        assert!(guesses.may_guess(address(1), EACH + 1));
    }
}
