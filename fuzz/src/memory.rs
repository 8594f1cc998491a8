//! Holds a target to memory in proportion to its input: the allocator counts what is live.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is taken at most: some for tables of the parser's own, and so many times the input.
const LEAST: usize = 4 << 20;
const TIMES: usize = 512;

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work; what is added only counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(live, Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Runs a target, and panics where it held more memory at once than its input explains.
pub(crate) fn bounded(data: &[u8], check: fn(&[u8])) {
    let before = LIVE.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    check(data);
    let taken = MOST.load(Ordering::Relaxed).saturating_sub(before);
    let allowed = LEAST + TIMES * data.len();
    assert!(taken <= allowed, "{taken} bytes were held for an input of {}", data.len());
}
