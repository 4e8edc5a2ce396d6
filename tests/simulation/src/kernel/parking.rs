//! Where a runtime that has nothing to do gives its thread back.

use super::clock::{MILLISECOND, Nanos, OSCILLATOR, counted};
use std::cell::{Cell, RefCell};
use std::task::Waker;

thread_local! {
    pub(super) static IS_PARKED: Cell<bool> = const { Cell::new(false) };
    /// When the parked runtime wants to go on by itself.
    pub(super) static TIMER: Cell<Option<Nanos>> = const { Cell::new(None) };
    pub(super) static ROOT: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// The runtime has nothing to do for so many milliseconds; negative: until something comes.
pub(super) fn park(timeout: i32) {
    let when = |millis| OSCILLATOR.get().when(counted() + millis * MILLISECOND);
    TIMER.set(u64::try_from(timeout).ok().map(when));
    IS_PARKED.set(true);
    ROOT.with(|root| {
        if let Some(root) = root.borrow_mut().take() {
            root.wake();
        }
    });
}
