//! Who may come in before a token is shown: a share for each address, and the oldest of whoever has most
//! makes room for a newcomer. What has shown a token counts by no address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};

/// A newcomer does not put out what came less than so many milliseconds ago: it may be about to show
/// its token.
const GRACE_MS: u64 = 2000;
/// What an address that forwards for others may have of all places, in percent; the rest is kept for
/// everybody else.
const FORWARDER_PERCENT: usize = 75;

/// The address that a limit counts by: a whole IPv4 address, a /64 of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Strangers of one address.
    pub(crate) per_address: usize,
    /// Strangers and known ones together.
    pub(crate) total: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Admitted(u64),
    /// The second has to go for the first.
    InsteadOf(u64, u64),
    /// The address has its share of places, and all of them were taken just now.
    TooMany,
    /// All places are taken, by nobody who has to go.
    Full,
}

#[derive(Debug)]
pub(crate) struct Strangers {
    limits: Limits,
    by_address: HashMap<IpAddr, OfAddress>,
    strangers: usize,
    known: usize,
    last: u64,
    /// An address that forwards has reached its share.
    forwarder_found: bool,
}

#[derive(Debug, Default)]
struct OfAddress {
    /// Oldest first, so that their numbers ascend.
    strangers: Vec<Stranger>,
    /// Requests of the connection carry forwarding headers.
    forwards: bool,
}

#[derive(Clone, Copy, Debug)]
struct Stranger {
    number: u64,
    /// Milliseconds.
    since: u64,
    /// The connection was answered, and waits for nothing.
    is_idle: bool,
}

impl OfAddress {
    fn find(&mut self, number: u64) -> Option<usize> {
        self.strangers.binary_search_by_key(&number, |stranger| stranger.number).ok()
    }

    fn evictable(&self, now: u64) -> Option<u64> {
        let is_old = |stranger: &&Stranger| now.saturating_sub(stranger.since) >= GRACE_MS;
        let idle = self.strangers.iter().find(|stranger| stranger.is_idle);
        idle.or_else(|| self.strangers.first().filter(is_old)).map(|stranger| stranger.number)
    }
}

impl Strangers {
    pub(crate) fn new(limits: Limits) -> Self {
        let by_address = HashMap::new();
        Self { limits, by_address, strangers: 0, known: 0, last: 0, forwarder_found: false }
    }

    /// Somebody of this [`network`] comes, at `now` in milliseconds.
    pub(crate) fn arrive(&mut self, address: IpAddr, now: u64) -> Admission {
        let of_address = self.by_address.get(&address);
        let own = of_address.map_or(0, |of| of.strangers.len());
        let gone = if own >= self.share(of_address, own) {
            match of_address.and_then(|of| of.evictable(now)) {
                Some(gone) => Some((address, gone)),
                None => return Admission::TooMany,
            }
        } else if self.strangers + self.known >= self.limits.total {
            let crowd = self.by_address.iter().max_by_key(|(_, of)| of.strangers.len());
            let crowd = crowd.filter(|(_, of)| of.strangers.len() > own);
            match crowd.and_then(|(address, of)| Some((*address, of.evictable(now)?))) {
                Some(gone) => Some(gone),
                None => return Admission::Full,
            }
        } else {
            None
        };
        self.note_forwarder(address, own);
        if let Some((address, gone)) = gone {
            self.leave(address, gone);
        }
        self.last += 1;
        let stranger = Stranger { number: self.last, since: now, is_idle: false };
        self.by_address.entry(address).or_default().strangers.push(stranger);
        self.strangers += 1;
        gone.map_or(Admission::Admitted(self.last), |(_, gone)| Admission::InsteadOf(self.last, gone))
    }

    /// A load balancer that nobody listed has everybody's sockets, which must not be held to one address's
    /// share. Whoever only claims to be one leaves others their part.
    fn share(&self, of_address: Option<&OfAddress>, own: usize) -> usize {
        let is_most = own * 2 > self.strangers;
        match of_address.is_some_and(|of| of.forwards) && is_most {
            true => (self.limits.total * FORWARDER_PERCENT / 100).max(self.limits.per_address),
            false => self.limits.per_address,
        }
    }

    fn note_forwarder(&mut self, address: IpAddr, own: usize) {
        let forwards = self.by_address.get(&address).is_some_and(|of| of.forwards);
        self.forwarder_found |= forwards && own >= self.limits.per_address;
    }

    /// Whether an address that forwards for others has had to be given more than one address's share.
    pub(crate) fn has_forwarder(&self) -> bool {
        self.forwarder_found
    }

    /// Somebody comes who counts by no address. None: there is no place.
    pub(crate) fn arrive_known(&mut self) -> Option<u64> {
        if self.strangers + self.known >= self.limits.total {
            return None;
        }
        self.known += 1;
        self.last += 1;
        Some(self.last)
    }

    /// This stranger has shown who it is.
    pub(crate) fn become_known(&mut self, address: IpAddr, number: u64) {
        if self.leave(address, number) {
            self.known += 1;
        }
    }

    pub(crate) fn leave_known(&mut self) {
        self.known = self.known.saturating_sub(1);
    }

    /// Whether it was there.
    pub(crate) fn leave(&mut self, address: IpAddr, number: u64) -> bool {
        let Some(of_address) = self.by_address.get_mut(&address) else { return false };
        let Some(place) = of_address.find(number) else { return false };
        of_address.strangers.remove(place);
        if of_address.strangers.is_empty() {
            self.by_address.remove(&address);
        }
        self.strangers -= 1;
        true
    }

    /// Notes whether the connection waits for its next request.
    pub(crate) fn set_idle(&mut self, address: IpAddr, number: u64, is_idle: bool) {
        let Some(of_address) = self.by_address.get_mut(&address) else { return };
        if let Some(place) = of_address.find(number)
            && let Some(stranger) = of_address.strangers.get_mut(place)
        {
            stranger.is_idle = is_idle;
        }
    }

    /// A request of this address says for whom it was forwarded.
    pub(crate) fn forwards(&mut self, address: IpAddr) {
        if let Some(of_address) = self.by_address.get_mut(&address) {
            of_address.forwards = true;
        }
    }

    /// Strangers, and those who are known.
    #[cfg(test)]
    fn count(&self) -> (usize, usize) {
        (self.strangers, self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { per_address: 4, total: 16 };

    fn address(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn fill(strangers: &mut Strangers, of: IpAddr, number: usize, now: u64) -> Vec<u64> {
        let mut admitted = Vec::new();
        for _ in 0..number {
            match strangers.arrive(of, now) {
                Admission::Admitted(id) => admitted.push(id),
                other => panic!("{other:?}"),
            }
        }
        admitted
    }

    #[test]
    fn an_address_has_its_share_and_its_oldest_makes_room() {
        let mut strangers = Strangers::new(LIMITS);
        let first = fill(&mut strangers, address(1), 4, 0);
        assert_eq!(strangers.arrive(address(1), GRACE_MS - 1), Admission::TooMany);
        assert_eq!(strangers.arrive(address(1), GRACE_MS), Admission::InsteadOf(5, first[0]));
        // One that only waits for a next request goes at once.
        strangers.set_idle(address(1), 5, true);
        assert_eq!(strangers.arrive(address(1), GRACE_MS), Admission::InsteadOf(6, 5));
        fill(&mut strangers, address(2), 4, 0);
    }

    #[test]
    fn who_shows_a_token_or_leaves_makes_room() {
        let mut strangers = Strangers::new(LIMITS);
        let held = fill(&mut strangers, address(1), 4, 0);
        strangers.become_known(address(1), held[0]);
        assert!(strangers.leave(address(1), held[1]));
        assert!(!strangers.leave(address(1), held[1]));
        fill(&mut strangers, address(1), 2, 0);
        assert_eq!(strangers.count(), (4, 1));
        strangers.leave_known();
        assert_eq!(strangers.count(), (4, 0));
    }

    #[test]
    fn a_newcomer_gets_the_place_of_whoever_has_most() {
        let mut strangers = Strangers::new(LIMITS);
        for last in 1..=4 {
            fill(&mut strangers, address(last), 4, 0);
        }
        assert_eq!(strangers.arrive(address(9), 0), Admission::Full);
        assert!(matches!(strangers.arrive(address(9), GRACE_MS), Admission::InsteadOf(..)));
        assert_eq!(strangers.count(), (16, 0));
        // Nobody who is known goes for it.
        let mut strangers = Strangers::new(LIMITS);
        while strangers.arrive_known().is_some() {}
        assert_eq!(strangers.arrive(address(9), u64::MAX), Admission::Full);
    }

    #[test]
    fn one_that_forwards_for_most_has_more_and_leaves_others_their_part() {
        let mut strangers = Strangers::new(LIMITS);
        fill(&mut strangers, address(1), 4, 0);
        strangers.forwards(address(1));
        assert!(!strangers.has_forwarder());
        fill(&mut strangers, address(1), 8, 0);
        assert!(strangers.has_forwarder());
        assert_eq!(strangers.arrive(address(1), 0), Admission::TooMany);
        fill(&mut strangers, address(2), 4, 0);
    }

    #[test]
    fn ipv6_counts_by_64_bits_and_mapped_addresses_as_ipv4() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:10.0.0.1"), address(1));
        assert_ne!(of("10.0.0.1"), of("10.0.0.2"));
    }
}
