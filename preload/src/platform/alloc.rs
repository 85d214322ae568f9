//! The runtime's allocator: memory mapped from the kernel, never the program's malloc.
//!
//! Small blocks come in size classes (multiples of 16 up to 128 bytes, then four classes for each doubling up to
//! [`SMALL_MAX`]), each with a list of free blocks, so that pages that were touched once serve again; large ones are
//! mappings of their own, which cost system calls and fresh pages each time. One lock guards it: the
//! runtime allocates little, and only with signals blocked, so no handler can find the lock held by its own thread.
//! Memory of small blocks is never given back.
//!
//! # Safety
//! Free blocks are linked through their first word. A block belongs to the class of its layout, which GlobalAlloc's
//! callers promise to repeat when they free it.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

use crate::sys;
use autojit_code::lock::{ForkLock, Lock};

const PAGE: usize = 4096;
/// The largest block that comes from a size class.
const SMALL_MAX: usize = 128 * 1024;
/// Memory for small blocks is mapped in chunks of this size; untouched pages cost nothing.
const CHUNK: usize = 512 * 1024;
const CLASSES: usize = 8 + (SMALL_MAX / 128).ilog2() as usize * 4;

/// The global allocator.
#[derive(Debug)]
pub struct Allocator {
    heap: Lock<Heap>,
}

#[derive(Debug)]
struct Heap {
    free: [*mut u8; CLASSES],
    /// The rest of the current chunk.
    next: *mut u8,
    end: *mut u8,
}

// SAFETY: the pointers are to memory that only the heap knows.
unsafe impl Send for Heap {}

/// The class of small blocks of `layout`, or None for a large one.
fn class_of(layout: Layout) -> Option<usize> {
    // Powers of two are aligned to themselves (see Heap::carve): that is how a larger alignment is had.
    let size = if layout.align() > 16 {
        layout.size().max(layout.align()).next_power_of_two()
    } else {
        layout.size().max(1)
    };
    if size > SMALL_MAX {
        return None;
    }
    if size <= 128 {
        return Some(size.div_ceil(16) - 1);
    }
    // 2^k < size <= 2^(k+1), in steps of 2^(k-2).
    let k = (size - 1).ilog2() as usize;
    let step = (size - 1 - (1 << k)) >> (k - 2);
    Some(8 + (k - 7) * 4 + step)
}

/// The size of the blocks of a class.
fn class_size(class: usize) -> usize {
    if class < 8 {
        return (class + 1) * 16;
    }
    let (k, step) = ((class - 8) / 4 + 7, (class - 8) % 4);
    (1 << k) + ((step + 1) << (k - 2))
}

fn pages(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

impl Heap {
    fn take(&mut self, class: usize) -> *mut u8 {
        let block = self.free[class];
        if block.is_null() {
            return self.carve(class_size(class));
        }
        // SAFETY: a free block's first word links to the next (see above).
        self.free[class] = unsafe { block.cast::<*mut u8>().read() };
        block
    }

    /// A block that was never used.
    fn carve(&mut self, size: usize) -> *mut u8 {
        let align = if size.is_power_of_two() { size.min(PAGE) } else { 16 };
        let mut start = self.next.wrapping_add(self.next.align_offset(align));
        if self.next.is_null() || (self.end as usize).saturating_sub(start as usize) < size {
            let Ok(chunk) = sys::map_pages(CHUNK) else { return ptr::null_mut() };
            self.end = chunk.wrapping_add(CHUNK);
            start = chunk;
        }
        self.next = start.wrapping_add(size);
        start
    }
}

impl Allocator {
    /// An empty heap.
    pub const fn new() -> Self {
        let null = ptr::null_mut();
        Self { heap: Lock::new(Heap { free: [null; CLASSES], next: null, end: null }) }
    }
}

impl ForkLock for Allocator {
    fn before_fork(&self) {
        self.heap.raw_lock();
    }

    unsafe fn after_fork(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.heap.unlock() }
    }
}

// SAFETY: blocks are disjoint, of at least the layout's size, and aligned: 16 bytes for every class (all sizes are
// multiples of 16), the block's own size for the powers of two that class_of picks for larger alignments, the page
// for mappings. Alignments above the page's get no memory.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match class_of(layout) {
            _ if layout.align() > PAGE => ptr::null_mut(),
            Some(class) => self.heap.lock().take(class),
            None => sys::map_pages(pages(layout.size())).unwrap_or(ptr::null_mut()),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout).filter(|_| layout.align() <= PAGE) else {
            // SAFETY: the caller's promise. Mappings consist of zeros.
            return unsafe { self.alloc(layout) };
        };
        let mut heap = self.heap.lock();
        if heap.free[class].is_null() {
            // So does what was never used.
            return heap.carve(class_size(class));
        }
        let block = heap.take(class);
        // SAFETY: the block has as many bytes, and is the caller's alone.
        unsafe { block.write_bytes(0, layout.size()) };
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_of(layout) {
            Some(class) => {
                let mut heap = self.heap.lock();
                // SAFETY: the block has at least 16 bytes, and nothing uses it any more (GlobalAlloc's contract).
                unsafe { block.cast::<*mut u8>().write(heap.free[class]) };
                heap.free[class] = block;
            }
            // SAFETY: alloc mapped it for this layout, or realloc moved it.
            None => unsafe { sys::unmap_pages(block as usize, pages(layout.size())) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is valid for the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(new_layout)) {
            (Some(old), Some(new)) if old == new => block,
            (None, None) => {
                // SAFETY: a mapping of ours, which the caller gives up.
                let moved = unsafe { sys::resize_pages(block, pages(layout.size()), pages(size)) };
                moved.unwrap_or(ptr::null_mut())
            }
            _ => {
                // SAFETY: both blocks have min(old, new) bytes, and they are disjoint.
                unsafe {
                    let new = self.alloc(new_layout);
                    if !new.is_null() {
                        ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    new
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn classes_fit_their_sizes() {
        for size in 1..=SMALL_MAX {
            let class = class_of(layout(size, 8)).unwrap();
            assert!(class_size(class) >= size, "{size}");
            assert!(class == 0 || class_size(class - 1) < size, "{size}");
            assert_eq!(class_size(class) % 16, 0);
        }
        assert_eq!(class_of(layout(SMALL_MAX, 1)), Some(CLASSES - 1));
        assert_eq!(class_of(layout(SMALL_MAX + 1, 1)), None);
    }

    #[test]
    fn zeroed_blocks_are_zeroed() {
        let allocator = Allocator::new();
        for size in [16, 200, 5000, SMALL_MAX, SMALL_MAX + 1] {
            for round in ["never used", "used before"] {
                let layout = layout(size, 8);
                // SAFETY: a block of this layout, which is given back.
                unsafe {
                    let block = allocator.alloc_zeroed(layout);
                    let bytes = std::slice::from_raw_parts_mut(block, size);
                    assert!(bytes.iter().all(|byte| *byte == 0), "{size} {round}");
                    bytes.fill(0xaa);
                    allocator.dealloc(block, layout);
                }
            }
        }
    }

    /// A small generator, so that runs repeat.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 33) as usize % limit
        }
    }

    /// Fills blocks of random sizes and alignments with a byte of their own, and finds it there when it frees them.
    fn churn(allocator: &Allocator, seed: u64) {
        let mut random = Random(seed);
        let mut blocks: Vec<(*mut u8, Layout, u8)> = Vec::new();
        for round in 0..20_000_usize {
            if blocks.len() < 100 || random.below(2) == 0 {
                let size = 1 + if random.below(50) == 0 { random.below(200_000) } else { random.below(600) };
                let layout = layout(size, 1 << random.below(if round % 16 == 0 { 13 } else { 5 }));
                // SAFETY: the size is not zero; the whole block is written.
                unsafe {
                    let block = allocator.alloc(layout);
                    assert!(!block.is_null() && (block as usize).is_multiple_of(layout.align()));
                    block.write_bytes(round as u8, size);
                    blocks.push((block, layout, round as u8));
                }
                continue;
            }
            let (block, old, byte) = blocks.swap_remove(random.below(blocks.len()));
            // SAFETY: the block is alive and was filled.
            unsafe {
                assert!(std::slice::from_raw_parts(block, old.size()).iter().all(|&b| b == byte));
                if random.below(3) == 0 {
                    let size = 1 + random.below(100_000);
                    let moved = allocator.realloc(block, old, size);
                    let kept = std::slice::from_raw_parts(moved, size.min(old.size()));
                    assert!(kept.iter().all(|&b| b == byte));
                    moved.write_bytes(byte, size);
                    blocks.push((moved, layout(size, old.align()), byte));
                } else {
                    allocator.dealloc(block, old);
                }
            }
        }
    }

    #[test]
    fn blocks_do_not_overlap() {
        churn(&Allocator::new(), 1);
    }

    #[test]
    fn threads_share_it() {
        static ALLOCATOR: Allocator = Allocator::new();
        std::thread::scope(|scope| {
            for seed in 0..6 {
                scope.spawn(move || churn(&ALLOCATOR, seed));
            }
        });
    }

    #[test]
    fn freed_blocks_are_used_again() {
        let allocator = Allocator::new();
        // SAFETY: the block is not used after it is freed.
        unsafe {
            let first = allocator.alloc(layout(100, 8));
            allocator.dealloc(first, layout(100, 8));
            assert_eq!(allocator.alloc(layout(110, 8)), first);
        }
    }

    #[test]
    fn absurd_alignments_get_nothing() {
        // SAFETY: nothing is allocated.
        assert!(unsafe { Allocator::new().alloc(layout(1, 2 * PAGE)) }.is_null());
    }
}
