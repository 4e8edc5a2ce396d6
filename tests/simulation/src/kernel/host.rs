//! Processes, each a tokio runtime of its own, and the loop that gives them their turns in virtual time.

use super::clock::{HOST, NOW, Nanos, OSCILLATOR, Oscillator, SKEW, now};
use super::net::{Event, activate, deactivate, set_dark, with_net};
use super::parking::{IS_PARKED, ROOT, TIMER};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::task::Poll;
use tokio::runtime::{Builder, Runtime};

type What = Box<dyn FnOnce(&mut Sim)>;

thread_local! {
    /// The scenario's, by the number that its event has.
    static TURNS: RefCell<(u64, BTreeMap<u64, What>)> = const { RefCell::new((0, BTreeMap::new())) };
}

/// Has this done at that time.
pub(crate) fn schedule(time: Nanos, what: impl FnOnce(&mut Sim) + 'static) {
    let number = TURNS.with(|turns| {
        let mut turns = turns.borrow_mut();
        turns.0 += 1;
        let number = turns.0;
        turns.1.insert(number, Box::new(what));
        number
    });
    with_net(|net| net.at(time, Event::Turn(number)));
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct HostId(u32);

impl HostId {
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

struct Host {
    address: Ipv4Addr,
    /// None: it is not running.
    runtime: Option<Runtime>,
    timer: Option<Nanos>,
    is_paused: bool,
    /// Between two turns, of a machine that has too little CPU.
    slowness: Nanos,
    next_turn: Nanos,
    /// Nanoseconds that its wall clock is ahead.
    skew: i64,
    oscillator: Oscillator,
    runs: u32,
}

impl Host {
    /// What happens on this thread happens there.
    fn is_running(&self, number: u32) {
        HOST.set(number);
        SKEW.set(self.skew);
        OSCILLATOR.set(self.oscillator);
    }
}

/// The world's loop.
pub(crate) struct Sim {
    hosts: Vec<Host>,
    timers: BTreeSet<(Nanos, u32)>,
    /// Turns that were given.
    pub turns: u64,
}

impl Sim {
    /// A new world on this thread. What programs draw, and what befalls them, follows from the seed.
    pub(crate) fn new(seed: u64) -> Self {
        activate(seed);
        TURNS.take();
        Self { hosts: Vec::new(), timers: BTreeSet::new(), turns: 0 }
    }

    /// A machine at this address, where no process runs yet.
    pub(crate) fn host(&mut self, address: Ipv4Addr) -> HostId {
        let id = u32::try_from(self.hosts.len()).unwrap_or(u32::MAX);
        self.hosts.push(Host {
            address,
            runtime: None,
            timer: None,
            is_paused: false,
            slowness: 0,
            next_turn: 0,
            skew: 0,
            oscillator: Oscillator::EXACT,
            runs: 0,
        });
        with_net(|net| net.addresses.insert(address, id));
        HostId(id)
    }

    /// Starts a process there.
    pub(crate) fn start<F>(&mut self, host: HostId, main: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.kill(host);
        let index = host.0 as usize;
        self.hosts[index].is_running(host.0);
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        {
            let _inside = runtime.enter();
            drop(runtime.spawn(main()));
        }
        let it = &mut self.hosts[index];
        it.runtime = Some(runtime);
        it.runs += 1;
        it.is_paused = false;
        with_net(|net| net.runnable.insert(host.0));
    }

    /// Ends the process at once: its memory is lost, its connections end as a kernel ends them.
    pub(crate) fn kill(&mut self, host: HostId) {
        let it = &mut self.hosts[host.0 as usize];
        if let Some(at) = it.timer.take() {
            self.timers.remove(&(at, host.0));
        }
        it.is_running(host.0);
        drop(it.runtime.take());
        with_net(|net| net.runnable.remove(&host.0));
    }

    /// The same to the whole machine: nobody is told. [`set_dark`] gives it its power back.
    pub(crate) fn power_off(&mut self, host: HostId) {
        set_dark(self.hosts[host.0 as usize].address, true);
        self.kill(host);
    }

    /// Has the process stand still (SIGSTOP) until [`Self::resume`]; its machine goes on receiving.
    pub(crate) fn pause(&mut self, host: HostId) {
        self.hosts[host.0 as usize].is_paused = true;
    }

    /// The same of every machine, until [`Self::resume_all`].
    pub(crate) fn pause_all(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.is_paused = true);
    }

    pub(crate) fn resume_all(&mut self) {
        (0..self.hosts.len()).for_each(|index| self.resume(HostId(u32::try_from(index).unwrap_or(u32::MAX))));
    }

    pub(crate) fn resume(&mut self, host: HostId) {
        self.hosts[host.0 as usize].is_paused = false;
        with_net(|net| net.runnable.insert(host.0));
    }

    /// Has each turn of the machine's process take so long.
    pub(crate) fn slow_down(&mut self, host: HostId, slowness: Nanos) {
        self.hosts[host.0 as usize].slowness = slowness;
    }

    /// Sets the machine's wall clock so many nanoseconds ahead.
    pub(crate) fn skew(&mut self, host: HostId, nanos: i64) {
        self.hosts[host.0 as usize].skew = nanos;
    }

    /// Has the machine's clocks go so many parts per million too fast from now on.
    pub(crate) fn drift(&mut self, host: HostId, ppm: i64) {
        self.hosts[host.0 as usize].oscillator.change_rate(ppm);
    }

    pub(crate) fn address(&self, host: HostId) -> Ipv4Addr {
        self.hosts[host.0 as usize].address
    }

    /// Runs the world until that time, or until `is_over` says so after a step.
    pub(crate) fn run(&mut self, until: Nanos, mut is_over: impl FnMut() -> bool) {
        loop {
            while let Some(host) = with_net(|net| net.runnable.pop_first()) {
                self.turn(host);
            }
            if is_over() {
                return;
            }
            let event = with_net(|net| net.events.first_key_value().map(|((at, _), _)| *at));
            let timer = self.timers.first().map(|(at, _)| *at);
            let Some(next) = event.into_iter().chain(timer).min().filter(|next| *next <= until) else {
                NOW.set(until.max(now()));
                return;
            };
            NOW.set(next.max(now()));
            loop {
                let due = with_net(|net| {
                    let entry = net.events.first_entry().filter(|entry| entry.key().0 <= now());
                    entry.map(|entry| entry.remove())
                });
                match due {
                    Some(Event::Turn(number)) => {
                        let what = TURNS.with(|turns| turns.borrow_mut().1.remove(&number));
                        if let Some(what) = what {
                            what(self);
                        }
                    }
                    Some(event) => with_net(|net| net.carry_out(event)),
                    None => break,
                }
            }
            while let Some((at, host)) = self.timers.first().copied().filter(|(at, _)| *at <= now()) {
                self.timers.remove(&(at, host));
                self.hosts[host as usize].timer = None;
                with_net(|net| net.runnable.insert(host));
            }
        }
    }

    fn turn(&mut self, index: u32) {
        let Some(host) = self.hosts.get_mut(index as usize) else { return };
        if host.is_paused {
            return;
        }
        if now() < host.next_turn && host.runtime.is_some() {
            let at = host.timer.map_or(host.next_turn, |at| at.min(host.next_turn));
            if let Some(before) = host.timer.replace(at) {
                self.timers.remove(&(before, index));
            }
            self.timers.insert((at, index));
            return;
        }
        host.next_turn = now() + host.slowness;
        let Some(runtime) = host.runtime.take() else { return };
        host.is_running(index);
        IS_PARKED.set(false);
        TIMER.set(None);
        runtime.block_on(poll_fn(|context| {
            if IS_PARKED.get() {
                return Poll::Ready(());
            }
            ROOT.with(|root| *root.borrow_mut() = Some(context.waker().clone()));
            Poll::Pending
        }));
        self.turns += 1;
        // What runs here may have had the host killed by a turn of the scenario: that comes later.
        let host = &mut self.hosts[index as usize];
        host.runtime = Some(runtime);
        if let Some(at) = host.timer.take() {
            self.timers.remove(&(at, index));
        }
        if let Some(at) = TIMER.get() {
            host.timer = Some(at);
            self.timers.insert((at, index));
        }
    }

    /// Has something done after so long.
    pub(crate) fn after(&self, wait: Nanos, what: impl FnOnce(&mut Self) + 'static) {
        schedule(now() + wait, what);
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        for index in 0..self.hosts.len() {
            self.kill(HostId(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        with_net(|net| net.events.clear());
        TURNS.take();
        deactivate();
    }
}
