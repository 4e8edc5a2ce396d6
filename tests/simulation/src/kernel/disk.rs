//! Disks that are full, of machines by their number.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

/// What a disk takes before it is full: a part of a line.
const LAST_BYTES: usize = 40;

thread_local! {
    static FULL: RefCell<BTreeSet<u32>> = const { RefCell::new(BTreeSet::new()) };
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Fills a machine's disk, or makes room on it.
pub(crate) fn set_full(host: u32, is_full: bool) {
    LEFT.set(LAST_BYTES);
    FULL.with_borrow_mut(|full| match is_full {
        true => _ = full.insert(host),
        false => _ = full.remove(&host),
    });
}

pub(crate) fn is_full(host: u32) -> bool {
    FULL.with_borrow(|full| full.contains(&host))
}

/// Of so many bytes, what the disk takes.
pub(super) fn takes(host: u32, len: usize) -> usize {
    if is_full(host) { len.min(LEFT.replace(0)) } else { len }
}

pub(super) fn clear() {
    FULL.take();
}
