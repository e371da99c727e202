//! How much work a call is, counted, so that it is the same on every machine.
//!
//! Two things are counted: the bytes that are allocated, always; and the blocks of code that are run, if the compiler was
//! told to count them, as `make fuzz-core` tells it. Else there are none.

#![expect(
    unsafe_code,
    reason = "an allocator and what the compiler calls at each block are unsafe by nature"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static BLOCKS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// So many bytes that are allocated are as much as a block that is run.
const BYTES_PER_BLOCK: u64 = 16;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(counter: &AtomicU64, number: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(number), Relaxed); // one thread counts at a time
}

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(&BYTES, layout.size() as u64);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(&BYTES, size as u64);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The compiler has each block of code call this.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_pc_guard(_: *mut u32) {
    BLOCKS.store(BLOCKS.load(Relaxed) + 1, Relaxed);
}

/// It has each program begin with this.
#[unsafe(no_mangle)]
extern "C" fn __sanitizer_cov_trace_pc_guard_init(_: *mut u32, _: *mut u32) {}

/// Counts the work of a call.
pub(crate) fn of<T>(call: impl FnOnce() -> T) -> (u64, T) {
    let before = total();
    let given = call();
    (total() - before, given)
}

fn total() -> u64 {
    BLOCKS.load(Relaxed) + BYTES.load(Relaxed) / BYTES_PER_BLOCK
}

/// Whether blocks are counted.
pub(crate) fn counts_blocks() -> bool {
    BLOCKS.load(Relaxed) > 0
}
