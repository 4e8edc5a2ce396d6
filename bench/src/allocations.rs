//! The allocator of the shipped binaries, with a count of what each thread asks of it.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Counts and passes on.
pub(crate) struct Counting;

/// Allocations and reallocations of this thread since it started.
pub(crate) fn of_this_thread() -> u64 {
    COUNT.get()
}

fn count() {
    COUNT.set(COUNT.get().wrapping_add(1));
}

// SAFETY: every call goes to mimalloc with the caller's own arguments, so its guarantees are ours.
// The counter neither allocates nor has a destructor, so it is usable at any point of a thread's life.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise about `layout` is handed on.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from mimalloc with this layout, as everything here does.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
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
        let started = of_this_thread();
        assert!(started >= before);
        std::hint::black_box(Box::new(7u64));
        assert_eq!(of_this_thread() - started, 1);
    }
}
