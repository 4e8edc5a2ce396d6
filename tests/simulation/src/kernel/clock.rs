//! What a thread's world has of time and chance.

use std::cell::Cell;

/// Nanoseconds of virtual time since the world began.
pub(crate) type Nanos = u64;
pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1000 * MILLISECOND;
/// What the clocks say when the world begins, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Epoch {
    pub monotonic: u64,
    /// Since 1970.
    pub wall: u64,
}

impl Epoch {
    /// A machine that was started a while ago, in 2027.
    pub(crate) const USUAL: Self = Self { monotonic: 1_000, wall: 1_800_000_000 };
}

thread_local! {
    pub(super) static IS_ACTIVE: Cell<bool> = const { Cell::new(false) };
    pub(super) static NOW: Cell<Nanos> = const { Cell::new(0) };
    /// What the running host's wall clock is ahead, in nanoseconds.
    pub(super) static SKEW: Cell<i64> = const { Cell::new(0) };
    /// The running host's oscillator, which both of its clocks go by.
    pub(super) static OSCILLATOR: Cell<Oscillator> = const { Cell::new(Oscillator::EXACT) };
    pub(super) static EPOCH: Cell<Epoch> = const { Cell::new(Epoch::USUAL) };
    pub(super) static HOST: Cell<u32> = const { Cell::new(0) };
    pub(super) static RANDOM: Cell<u64> = const { Cell::new(0) };
    /// Of the world itself, so that what programs draw does not move what the network does.
    pub(super) static FATE: Cell<u64> = const { Cell::new(0) };
}

/// What a machine counts time by: it goes at a rate of its own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Oscillator {
    /// Parts per million that it is too fast.
    ppm: i64,
    /// Since when it goes at this rate, and what it had counted then.
    since: Nanos,
    counted: Nanos,
}

impl Oscillator {
    pub(super) const EXACT: Self = Self { ppm: 0, since: 0, counted: 0 };

    /// Nanoseconds that it has counted at this time since the world began.
    pub(super) fn read(self, at: Nanos) -> Nanos {
        let elapsed = i128::from(at.saturating_sub(self.since));
        self.counted + nanos(elapsed * i128::from(MILLION + self.ppm) / i128::from(MILLION))
    }

    /// When it will have counted that.
    pub(super) fn when(self, counted: Nanos) -> Nanos {
        let left = i128::from(counted.saturating_sub(self.counted)) * i128::from(MILLION);
        let rate = i128::from(MILLION + self.ppm);
        self.since + nanos((left + rate - 1) / rate)
    }

    /// Goes at another rate from now on.
    pub(super) fn change_rate(&mut self, ppm: i64) {
        *self = Self { ppm, since: now(), counted: self.read(now()) };
    }
}

const MILLION: i64 = 1_000_000;

fn nanos(of: i128) -> Nanos {
    Nanos::try_from(of).unwrap_or(Nanos::MAX)
}

/// What the running host's clocks have counted since the world began.
pub(super) fn counted() -> Nanos {
    OSCILLATOR.get().read(now())
}

/// What an exact wall clock says now, in seconds since 1970.
pub(crate) fn wall_seconds() -> u64 {
    EPOCH.get().wall + now() / SECOND
}

/// Has clocks begin there. To be said before the first host is there.
pub(crate) fn set_epoch(epoch: Epoch) {
    EPOCH.set(epoch);
}

/// Now, since the world began.
pub(crate) fn now() -> Nanos {
    NOW.get()
}

pub(crate) fn millis() -> u64 {
    now() / MILLISECOND
}

pub(super) fn split_mix(state: &Cell<u64>) -> u64 {
    let next = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
    state.set(next);
    let mut z = next;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A draw of the world's own.
pub(crate) fn draw() -> u64 {
    FATE.with(split_mix)
}

/// Uniform below `bound`; 0 for 0.
pub(crate) fn below(bound: u64) -> u64 {
    if bound == 0 { 0 } else { draw() % bound }
}

/// True in so many of a million draws.
pub(crate) fn chance(per_million: u32) -> bool {
    per_million > 0 && below(1_000_000) < u64::from(per_million)
}

/// The number of the host whose turn it is.
pub(crate) fn current_host() -> u32 {
    HOST.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drifting_clock_goes_on_from_where_it_was_and_its_timers_are_never_early() {
        let mut clock = Oscillator::EXACT;
        NOW.set(10 * SECOND);
        clock.change_rate(-200);
        assert_eq!(clock.read(10 * SECOND), 10 * SECOND);
        assert_eq!(clock.read(1_010 * SECOND), 1_010 * SECOND - 200 * MILLISECOND);
        NOW.set(1_010 * SECOND);
        clock.change_rate(20_000);
        assert_eq!(clock.read(1_020 * SECOND), 1_020 * SECOND);
        for wanted in (1_011 * SECOND..).step_by(123_456_789).take(1000) {
            let at = clock.when(wanted);
            assert!(clock.read(at) >= wanted && clock.read(at - 1) <= wanted, "{wanted} at {at}");
        }
        NOW.set(0);
    }
}
