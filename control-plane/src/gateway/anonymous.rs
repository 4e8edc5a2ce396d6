//! Sockets that have not yet shown a token. There are only so many, of one address and of all, so that
//! strangers cannot take the memory of those who are known; each place is free as soon as its socket is
//! known or gone.

use crate::http::connection::Connection;
use crate::policy::strangers::{Admission, Limits, Strangers, network};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// At once, over all addresses. Each has ten seconds to show its token.
const ANONYMOUS_MAX: usize = 1000;
/// Places beyond them for sockets that show a token to resume with.
const RESERVE: Limits = Limits { per_address: 20, total: 200 };
/// There, this soon.
const RESERVE_TIMEOUT: Duration = Duration::from_secs(2);
/// For so long a socket waits for a place.
const WAIT: Duration = Duration::from_secs(5);
const WAIT_RETRY: Duration = Duration::from_millis(20);
/// Tokens that are not good, before the connection is ended.
const FAILURES_MAX: u8 = 3;

#[derive(Clone, Debug)]
pub(crate) struct Anonymous(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    since: Instant,
}

#[derive(Debug)]
struct State {
    places: Strangers,
    reserve: Strangers,
    /// By the number of its place, and whether that is of the reserve.
    holders: HashMap<(bool, u64), (IpAddr, Holder)>,
}

impl State {
    fn free(&mut self, is_reserve: bool, address: IpAddr, number: u64) {
        self.holders.remove(&(is_reserve, number));
        let places = if is_reserve { &mut self.reserve } else { &mut self.places };
        places.leave(address, number);
    }
}

/// What has to be ended for a place to be free.
#[derive(Clone, Debug)]
pub(super) enum Holder {
    WebSocket(Connection),
    /// Known by its `sid` once it has been answered.
    Polling(Option<Arc<str>>),
}

/// A place, until the last clone is dropped or it is given back.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Held>);

#[derive(Debug)]
struct Held {
    anonymous: Anonymous,
    address: IpAddr,
    number: u64,
    is_reserve: bool,
    failures: AtomicU8,
}

impl Anonymous {
    pub(crate) fn new(per_address: usize) -> Self {
        let limits = Limits { per_address, total: ANONYMOUS_MAX };
        let (places, reserve) = (Strangers::new(limits), Strangers::new(RESERVE));
        let state = Mutex::new(State { places, reserve, holders: HashMap::new() });
        Self(Arc::new(Inner { state, since: Instant::now() }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.0.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A place, and whoever has to be ended because it was theirs. None: there is no place, and there will
    /// be none soon.
    pub(super) async fn admit(
        &self,
        from: IpAddr,
        holder: Holder,
        forwards: bool,
    ) -> Option<(Place, Option<Holder>)> {
        let until = Instant::now() + WAIT;
        loop {
            match self.try_admit(from, &holder, forwards) {
                Ok(admitted) => return Some(admitted),
                Err(()) if Instant::now() >= until => return None,
                Err(()) => sleep(WAIT_RETRY).await,
            }
        }
    }

    fn try_admit(
        &self,
        from: IpAddr,
        holder: &Holder,
        forwards: bool,
    ) -> Result<(Place, Option<Holder>), ()> {
        let (address, now) = (network(from), self.now());
        let mut state = self.state();
        if forwards {
            state.places.forwards(address);
        }
        let (is_reserve, verdict) = match state.places.arrive(address, now) {
            Admission::Full => (true, state.reserve.arrive(address, now)),
            verdict => (false, verdict),
        };
        let (number, gone) = match verdict {
            Admission::Admitted(number) => (number, None),
            Admission::InsteadOf(number, gone) => {
                (number, state.holders.remove(&(is_reserve, gone)).map(|(_, holder)| holder))
            }
            Admission::TooMany | Admission::Full => return Err(()),
        };
        state.holders.insert((is_reserve, number), (address, holder.clone()));
        let failures = AtomicU8::new(0);
        let held = Held { anonymous: self.clone(), address, number, is_reserve, failures };
        Ok((Place(Arc::new(held)), gone))
    }

    /// Frees the place of a polling socket that its client closed.
    pub(super) fn closed(&self, sid: &str) {
        let mut state = self.state();
        let of_sid = |holder: &Holder| matches!(holder, Holder::Polling(Some(of)) if **of == *sid);
        let found = state.holders.iter().find(|(_, (_, holder))| of_sid(holder));
        if let Some((is_reserve, number, address)) =
            found.map(|((reserve, number), (of, _))| (*reserve, *number, *of))
        {
            state.free(is_reserve, address, number);
        }
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.state().holders.len()
    }
}

impl Place {
    /// A polling socket has been told its `sid`.
    pub(super) fn is_polled(&self, sid: &str) {
        if let Some(holder) = self.0.anonymous.state().holders.get_mut(&(self.0.is_reserve, self.0.number)) {
            holder.1 = Holder::Polling(Some(sid.into()));
        }
    }

    /// Who is known does not take the place of a stranger.
    pub(super) fn give_back(&self) {
        self.0.give_back();
    }

    pub(super) fn address(&self) -> IpAddr {
        self.0.address
    }

    /// Only what shows a token to resume with may be here.
    pub(super) fn is_reserve(&self) -> bool {
        self.0.is_reserve
    }

    /// If nothing was shown by then, it is over.
    pub(super) async fn until_late(&self) -> bool {
        sleep(RESERVE_TIMEOUT).await;
        self.0.anonymous.state().holders.contains_key(&(self.0.is_reserve, self.0.number))
    }

    /// Counts a token that is not good. True: one more than the connection may show.
    pub(super) fn failed(&self) -> bool {
        self.0.failures.fetch_add(1, Ordering::Relaxed) + 1 >= FAILURES_MAX
    }
}

impl Held {
    fn give_back(&self) {
        self.anonymous.state().free(self.is_reserve, self.address, self.number);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        (number + 1).to_be_bytes().into()
    }

    fn admit(anonymous: &Anonymous, from: IpAddr) -> Option<Place> {
        anonymous.try_admit(from, &Holder::Polling(None), false).ok().map(|(place, _)| place)
    }

    #[tokio::test]
    async fn a_place_is_taken_until_its_socket_is_known_or_gone() {
        let anonymous = Anonymous::new(5);
        let mut held: Vec<_> = (0..5).map(|_| admit(&anonymous, address(0)).unwrap()).collect();
        assert!(admit(&anonymous, address(0)).is_none());
        held[0].give_back();
        held[1].is_polled("AAAA");
        anonymous.closed("AAAA");
        assert_eq!(anonymous.count(), 3);
        held.extend([admit(&anonymous, address(0)).unwrap(), admit(&anonymous, address(0)).unwrap()]);
        assert!(admit(&anonymous, address(0)).is_none());
        held.clear();
        assert_eq!(anonymous.count(), 0);
        assert!(admit(&anonymous, address(0)).is_some());
    }

    #[tokio::test]
    async fn when_all_are_taken_there_is_a_reserve_for_who_resumes() {
        let anonymous = Anonymous::new(5);
        let number = u32::try_from(ANONYMOUS_MAX).unwrap();
        let held: Vec<_> = (0..number).map(|from| admit(&anonymous, address(from)).unwrap()).collect();
        assert!(held.iter().all(|place| !place.is_reserve()));
        let reserved = admit(&anonymous, address(number)).unwrap();
        assert!(reserved.is_reserve());
        drop(held);
        assert!(!admit(&anonymous, address(number)).unwrap().is_reserve());
    }

    #[tokio::test]
    async fn a_socket_may_fail_thrice() {
        let place = admit(&Anonymous::new(5), address(0)).unwrap();
        assert_eq!([place.failed(), place.failed(), place.failed()], [false, false, true]);
    }
}
