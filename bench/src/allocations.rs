//! The allocator of the shipped binaries, with a count of what each thread asks of it.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// Counts and passes on.
pub(crate) struct Counting;

/// Allocations and reallocations of this thread since it started.
pub(crate) fn of_this_thread() -> u64 {
    COUNT.get()
}

/// Bytes that this thread asked for, less those that it gave back. What one thread asks for and
/// another gives back counts for each.
pub(crate) fn held_by_this_thread() -> i64 {
    HELD.get()
}

fn count(bytes: usize) {
    COUNT.set(COUNT.get().wrapping_add(1));
    hold(bytes.cast_signed() as i64);
}

fn hold(bytes: i64) {
    HELD.set(HELD.get().wrapping_add(bytes));
}

// SAFETY: every call goes to mimalloc with the caller's own arguments, so its guarantees are ours.
// The counter neither allocates nor has a destructor, so it is usable at any point of a thread's life.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        hold(-(layout.size().cast_signed() as i64));
        // SAFETY: `pointer` came from mimalloc with this layout, as everything here does.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        hold(-(layout.size().cast_signed() as i64));
        // SAFETY: as for `dealloc`; the caller's promise about `size` is handed on.
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allocation_counts_on_its_own_thread_only() {
        let before = of_this_thread();
        let elsewhere = std::thread::spawn(|| {
            let before = of_this_thread();
            std::hint::black_box(vec![1u8; 64]);
            of_this_thread() - before
        });
        assert_eq!(elsewhere.join().unwrap(), 1);
        let (started, held) = (of_this_thread(), held_by_this_thread());
        assert!(started >= before);
        std::hint::black_box(Box::new(7u64));
        assert_eq!((of_this_thread() - started, held_by_this_thread() - held), (1, 0));
        let kept = std::hint::black_box(vec![0u8; 300]);
        assert_eq!(held_by_this_thread() - held, 300);
        drop(kept);
    }
}
