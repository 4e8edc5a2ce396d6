//! What a thread's world has of time and chance.

use std::cell::Cell;

/// Nanoseconds of virtual time since the world began.
pub(crate) type Nanos = u64;
pub(crate) const MILLISECOND: Nanos = 1_000_000;
pub(crate) const SECOND: Nanos = 1000 * MILLISECOND;
/// What the clocks say when the world begins: seconds of the monotonic clock, and of the year 2027.
pub(super) const MONOTONIC_BASE: u64 = 1_000;
pub(crate) const WALL_BASE: u64 = 1_800_000_000;

thread_local! {
    pub(super) static IS_ACTIVE: Cell<bool> = const { Cell::new(false) };
    pub(super) static NOW: Cell<Nanos> = const { Cell::new(0) };
    /// What the running host's wall clock is ahead, in nanoseconds.
    pub(super) static SKEW: Cell<i64> = const { Cell::new(0) };
    pub(super) static HOST: Cell<u32> = const { Cell::new(0) };
    pub(super) static RANDOM: Cell<u64> = const { Cell::new(0) };
    /// Of the world itself, so that what programs draw does not move what the network does.
    pub(super) static FATE: Cell<u64> = const { Cell::new(0) };
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
