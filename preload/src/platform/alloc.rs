//! The runtime's allocator: memory mapped from the kernel, never the program's malloc.
//!
//! Small blocks come in size classes (multiples of 16 up to 128 bytes, then four classes for each doubling up to
//! [`SMALL_MAX`]), each with a list of free blocks. What has been touched once serves again before memory that was not, as
//! each page of that costs a fault and counts as the program's: a block that is free in a larger class is cut, one that grows
//! is extended where it is if nothing lies behind it yet, and the last one that was cut off is put back. Large ones are mappings of
//! their own, which cost system calls and fresh pages each time. One lock guards it: the runtime allocates little, and only
//! with signals blocked, so no handler can find the lock held by its own thread. Memory of small blocks is never given back.
//!
//! A compiler that sees both a call of the allocator and what became of another one may take the block for as small as its layout
//! said, and leave out what is written behind: the link of a free block, or what a block has got that grew where it is. So what
//! frees and resizes is never inlined.
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
/// Alignment of all blocks.
const ALIGN: usize = 16;
/// Classes of blocks that are aligned to [`ALIGN`] only. Those of larger alignments follow: powers of two, each aligned to
/// itself, up to a page.
const PLAIN: usize = 8 + (SMALL_MAX / 128).ilog2() as usize * 4;
const CLASSES: usize = PLAIN + (SMALL_MAX / ALIGN).ilog2() as usize;
const _: () = assert!(CLASSES <= u64::BITS as usize);

/// The global allocator.
#[derive(Debug)]
pub struct Allocator {
    heap: Lock<Heap>,
}

#[derive(Debug)]
struct Heap {
    free: [*mut u8; CLASSES],
    /// The classes that have free blocks, as bits.
    filled: u64,
    /// Where blocks are cut off: first what is left of a block that was free in a larger class, then what was never used.
    regions: [Region; 2],
}

/// The rest of a block.
const REST: usize = 0;
/// The rest of the current chunk.
const FRESH: usize = 1;

// SAFETY: the pointers are to memory that only the heap knows.
unsafe impl Send for Heap {}

/// Memory from which blocks are cut off.
#[derive(Debug)]
struct Region {
    next: *mut u8,
    end: *mut u8,
    /// What lies behind it was never used.
    used: *mut u8,
}

/// The class of small blocks of `layout`, or None for a large one.
fn class_of(layout: Layout) -> Option<usize> {
    if layout.align() > ALIGN {
        let size = layout.size().max(layout.align()).next_power_of_two();
        return (size <= SMALL_MAX).then(|| PLAIN + (size / ALIGN).ilog2() as usize - 1);
    }
    let size = layout.size().max(1);
    (size <= SMALL_MAX).then(|| plain_class(size))
}

/// The class of the smallest blocks of at least so many bytes, [`SMALL_MAX`] at most.
fn plain_class(size: usize) -> usize {
    if size <= 128 {
        return size.div_ceil(16) - 1;
    }
    // 2^k < size <= 2^(k+1), in steps of 2^(k-2).
    let k = (size - 1).ilog2() as usize;
    let step = (size - 1 - (1 << k)) >> (k - 2);
    8 + (k - 7) * 4 + step
}

/// The size of the blocks of a class.
fn class_size(class: usize) -> usize {
    if class >= PLAIN {
        return (2 * ALIGN) << (class - PLAIN);
    }
    if class < 8 {
        return (class + 1) * 16;
    }
    let (k, step) = ((class - 8) / 4 + 7, (class - 8) % 4);
    (1 << k) + ((step + 1) << (k - 2))
}

fn class_align(class: usize) -> usize {
    if class < PLAIN { ALIGN } else { class_size(class).min(PAGE) }
}

fn pages(size: usize) -> usize {
    size.next_multiple_of(PAGE)
}

impl Region {
    const EMPTY: Self = Self { next: ptr::null_mut(), end: ptr::null_mut(), used: ptr::null_mut() };

    fn room(&self) -> usize {
        self.end as usize - self.next as usize
    }

    /// Cuts a block off; the number of its bytes that may have been used.
    fn cut(&mut self, size: usize, align: usize) -> Option<(*mut u8, usize)> {
        let skipped = (self.next as usize).wrapping_neg() & (align - 1);
        if self.room() < skipped.saturating_add(size) || self.next.is_null() {
            return None;
        }
        let start = self.next.wrapping_add(skipped);
        self.next = start.wrapping_add(size);
        let used = (self.used as usize).saturating_sub(start as usize).min(size);
        self.used = self.used.max(self.next);
        Some((start, used))
    }

    /// Makes a block that was cut off last longer, or shorter by giving it back. False if it was not.
    fn resize(&mut self, block: *mut u8, old: usize, new: usize) -> bool {
        let is_last = block.wrapping_add(old) == self.next;
        let fits = is_last && new <= self.end as usize - block as usize;
        if fits {
            self.next = block.wrapping_add(new);
            self.used = self.used.max(self.next);
        }
        fits
    }
}

impl Heap {
    /// A block of a class, and the number of its bytes that may have been used. `fresh`: better one that was not.
    #[inline]
    fn take(&mut self, class: usize, fresh: bool) -> (*mut u8, usize) {
        match self.filled & 1 << class {
            0 => self.make(class, fresh),
            _ => (self.pop(class), class_size(class)),
        }
    }

    /// The same if no block of the class is free.
    fn make(&mut self, class: usize, fresh: bool) -> (*mut u8, usize) {
        let size = class_size(class);
        if class < PLAIN && !fresh {
            if let Some(block) = self.regions[REST].cut(size, ALIGN) {
                return block;
            }
            let larger = self.filled & (u64::MAX << class) & ((1 << PLAIN) - 1);
            if larger != 0 {
                return (self.divide(larger.trailing_zeros() as usize, size), size);
            }
        }
        self.cut_fresh(size, class_align(class))
    }

    fn pop(&mut self, class: usize) -> *mut u8 {
        let block = self.free[class];
        // SAFETY: a free block's first word links to the next (see above).
        self.free[class] = unsafe { block.cast::<*mut u8>().read() };
        if self.free[class].is_null() {
            self.filled &= !(1 << class);
        }
        block
    }

    fn push(&mut self, class: usize, block: *mut u8) {
        // SAFETY: the block has at least 16 bytes, and nothing uses it (callers).
        unsafe { block.cast::<*mut u8>().write(self.free[class]) };
        self.free[class] = block;
        self.filled |= 1 << class;
    }

    /// The beginning of a free block of a larger class. Of the rest and what was left of another one, the larger is what
    /// blocks are cut off from; the other becomes a free block.
    fn divide(&mut self, class: usize, size: usize) -> *mut u8 {
        let block = self.pop(class);
        let (next, end) = (block.wrapping_add(size), block.wrapping_add(class_size(class)));
        let mut rest = Region { next, end, used: end };
        if rest.room() > self.regions[REST].room() {
            std::mem::swap(&mut rest, &mut self.regions[REST]);
        }
        self.leave(&rest);
        block
    }

    /// Makes a free block of what is left of a region, as far as it has been used.
    fn leave(&mut self, region: &Region) {
        let room = (region.used as usize).saturating_sub(region.next as usize).min(SMALL_MAX);
        if room >= ALIGN {
            let class = plain_class(room);
            self.push(if class_size(class) <= room { class } else { class - 1 }, region.next);
        }
    }

    /// A block of memory that was never used, or was given back.
    fn cut_fresh(&mut self, size: usize, align: usize) -> (*mut u8, usize) {
        if let Some(block) = self.regions[FRESH].cut(size, align) {
            return block;
        }
        let Ok(chunk) = sys::map_pages(CHUNK) else { return (ptr::null_mut(), 0) };
        let region = Region { next: chunk, end: chunk.wrapping_add(CHUNK), used: chunk };
        let last = std::mem::replace(&mut self.regions[FRESH], region);
        self.leave(&last);
        self.regions[FRESH].cut(size, align).unwrap_or((ptr::null_mut(), 0))
    }

    /// Makes a block one of a larger class where it is.
    fn extend(&mut self, block: *mut u8, old: usize, new: usize) -> bool {
        let (old, new) = (class_size(old), class_size(new));
        new > old && self.regions.iter_mut().any(|region| region.resize(block, old, new))
    }

    fn give_back(&mut self, block: *mut u8, class: usize) {
        let size = class_size(class);
        if !self.regions.iter_mut().any(|region| region.resize(block, size, 0)) {
            self.push(class, block);
        }
    }
}

impl Allocator {
    /// An empty heap.
    pub const fn new() -> Self {
        let regions = [Region::EMPTY; 2];
        Self { heap: Lock::new(Heap { free: [ptr::null_mut(); CLASSES], filled: 0, regions }) }
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
            Some(class) => self.heap.lock().take(class, false).0,
            None => sys::map_pages(pages(layout.size())).unwrap_or(ptr::null_mut()),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(class) = class_of(layout).filter(|_| layout.align() <= PAGE) else {
            // SAFETY: the caller's promise. Mappings consist of zeros.
            return unsafe { self.alloc(layout) };
        };
        // Much of a large block may never be touched, if it is not to be filled with zeros here.
        let (block, used) = self.heap.lock().take(class, layout.size() >= PAGE);
        if !block.is_null() {
            // SAFETY: the block has as many bytes, and is the caller's alone.
            unsafe { block.write_bytes(0, used.min(layout.size())) };
        }
        block
    }

    #[inline(never)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match class_of(layout) {
            // Nothing uses it any more (GlobalAlloc's contract).
            Some(class) => self.heap.lock().give_back(block, class),
            // SAFETY: alloc mapped it for this layout, or realloc moved it.
            None => unsafe { sys::unmap_pages(block as usize, pages(layout.size())) },
        }
    }

    #[inline(never)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the new size is valid for the alignment.
        let new_layout = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class_of(layout), class_of(new_layout)) {
            (Some(old), Some(new)) if old == new => block,
            (Some(old), Some(new)) => {
                let mut heap = self.heap.lock();
                if old < PLAIN && heap.extend(block, old, new) {
                    return block;
                }
                let (to, _) = heap.take(new, false);
                if !to.is_null() {
                    // SAFETY: both blocks have min(old, new) bytes, and they are disjoint.
                    unsafe { ptr::copy_nonoverlapping(block, to, layout.size().min(size)) };
                    heap.give_back(block, old);
                }
                to
            }
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
        assert_eq!(class_of(layout(SMALL_MAX, 1)), Some(PLAIN - 1));
        assert_eq!(class_of(layout(SMALL_MAX + 1, 1)), None);
    }

    #[test]
    fn aligned_classes_fit_their_sizes() {
        for align in (5..=12).map(|bits| 1 << bits) {
            for size in [1, align, align + 1, 3 * align, SMALL_MAX] {
                let class = class_of(layout(size, align)).unwrap();
                assert!((PLAIN..CLASSES).contains(&class), "{size} {align}");
                assert!(class_size(class) >= size && class_align(class) >= align, "{size} {align}");
            }
        }
        assert_eq!(class_of(layout(SMALL_MAX, 32)), Some(CLASSES - 1));
        assert_eq!(class_of(layout(SMALL_MAX + 1, 32)), None);
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

    /// How many bytes an allocator has ever cut off from what was never used.
    fn used(allocator: &Allocator) -> usize {
        let heap = allocator.heap.lock();
        let fresh = &heap.regions[FRESH];
        fresh.used as usize + CHUNK - fresh.end as usize
    }

    #[test]
    fn the_last_block_grows_where_it_is() {
        let allocator = Allocator::new();
        // SAFETY: blocks of the layouts that they are said to have.
        unsafe {
            let block = allocator.alloc(layout(64, 8));
            block.write_bytes(7, 64);
            assert_eq!(allocator.realloc(block, layout(64, 8), 5000), block);
            assert!(std::slice::from_raw_parts(block, 64).iter().all(|byte| *byte == 7));
            let behind = allocator.alloc(layout(16, 8));
            assert!(behind as usize >= block as usize + 5000, "they overlap");
            assert_ne!(allocator.realloc(block, layout(5000, 8), 9000), block);
        }
    }

    #[test]
    fn free_blocks_serve_smaller_ones() {
        let allocator = Allocator::new();
        // SAFETY: each block is freed once, and not used then.
        unsafe {
            let large = allocator.alloc(layout(60_000, 8));
            let _behind = allocator.alloc(layout(16, 8));
            allocator.dealloc(large, layout(60_000, 8));
            let before = used(&allocator);
            let small: Vec<_> = (1..100).map(|size| allocator.alloc(layout(10 * size, 8))).collect();
            let end = large.wrapping_add(60_000);
            assert!(small.iter().all(|block| (large..end).contains(block)), "{small:?} {large:?}");
            assert_eq!(used(&allocator), before, "nothing was to be touched");
        }
    }

    #[test]
    fn the_last_block_is_put_back() {
        let allocator = Allocator::new();
        // SAFETY: each block is freed once, and not used then.
        unsafe {
            let first = allocator.alloc(layout(4000, 8));
            let second = allocator.alloc(layout(4000, 8));
            first.write_bytes(0xaa, 4000);
            second.write_bytes(0xaa, 4000);
            allocator.dealloc(second, layout(4000, 8));
            allocator.dealloc(first, layout(4000, 8));
            // Of another size, and with bytes that were used.
            let both = allocator.alloc_zeroed(layout(9000, 8));
            assert_eq!(both, first);
            assert!(std::slice::from_raw_parts(both, 9000).iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn absurd_alignments_get_nothing() {
        // SAFETY: nothing is allocated.
        assert!(unsafe { Allocator::new().alloc(layout(1, 2 * PAGE)) }.is_null());
    }
}
