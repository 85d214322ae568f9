//! One area of a code memory: a range with three arenas in it (text, rodata, data). It receives sizes and hands out
//! blocks; the owner of a block fills it.
//!
//! The lock is held for a few instructions or a few system calls, never while a block is filled, so several threads
//! link at once. See `arena.rs` for pages, permissions and forks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use autojit_sys as sys;

use crate::arena::{ArenaState, PAGE, Segment};
use crate::eh_frame::Fde;
use crate::live::{Live, Place};
use crate::lock::{Guard, Lock};
use crate::memory::{Arena, MemoryError};
use crate::reservation;
use crate::space;
use crate::stub::StubBlock;
use crate::unwind::Named;

/// Bytes of a segment that are worth a system call.
const WANTED: usize = 3 * PAGE;

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct State {
    arenas: [ArenaState; 3],
    /// Far stubs by the address that they lead to, for all objects.
    pub(crate) thunks: BTreeMap<usize, usize>,
    /// The block that the next [`crate::RuntimeStub`] comes from.
    pub(crate) stubs: Option<StubBlock>,
    /// The file that its text lies in.
    live: Option<Live>,
}

/// An area of a [`CodeMemory`](crate::CodeMemory). Lives for ever, in a list.
#[derive(Debug)]
pub struct Area {
    parts: [Range<usize>; 3],
    state: Lock<State>,
    pub(crate) next: *const Area,
}

// SAFETY: `next` is written before the area is shared; the other fields are Send and Sync.
unsafe impl Send for Area {}
// SAFETY: as above.
unsafe impl Sync for Area {}

impl Area {
    /// An area at `start`, a reserved and inaccessible range with the sum of these lengths, whole pages.
    pub(crate) fn new(start: usize, lens: [usize; 3], shared: bool, next: *const Area) -> Self {
        let rodata = start + lens[0];
        let data = rodata + lens[1];
        let parts = [start..rodata, rodata..data, data..data + lens[2]];
        let arenas = Arena::ALL.map(|arena| ArenaState::new(arena, parts[arena as usize].clone(), shared));
        let state = State { arenas, thunks: BTreeMap::new(), stubs: None, live: None };
        Self { parts, state: Lock::new(state), next }
    }

    /// An area whose pages are there already, in the order of the arenas: it has no room.
    pub(crate) fn full(start: usize, lens: [usize; 3], next: *const Area) -> Self {
        let mut area = Self::new(start, lens, false, next);
        let parts = area.parts.clone();
        let arenas = Arena::ALL.map(|arena| ArenaState::full(arena, parts[arena as usize].clone()));
        area.state = Lock::new(State { arenas, thunks: BTreeMap::new(), stubs: None, live: None });
        area
    }

    /// All of its addresses.
    pub fn range(&self) -> Range<usize> {
        self.parts[0].start..self.parts[2].end
    }

    /// The addresses that `arena` can have.
    pub fn arena(&self, arena: Arena) -> Range<usize> {
        self.parts[arena as usize].clone()
    }

    /// Lets the text of later blocks begin at `address` or behind it, if that is within the arena.
    pub fn skip_text_to(&self, address: usize) {
        self.lock().arenas[Arena::Text as usize].skip_to(address);
    }

    /// The end of the text that blocks have had.
    pub fn text_used(&self) -> usize {
        self.lock().arenas[Arena::Text as usize].used()
    }

    /// Whether a 32-bit displacement reaches `target` from everywhere in the area.
    pub(crate) fn reaches(&self, target: usize) -> bool {
        space::reaches(&self.range(), target)
    }

    pub(crate) fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// Takes a block with `sizes` bytes of text, rodata and data, aligned to `aligns` (powers of two).
    pub(crate) fn block(&self, sizes: [usize; 3], aligns: [usize; 3]) -> Result<Block<'_>, MemoryError> {
        debug_assert!(aligns.iter().all(|align| align.is_power_of_two() && *align <= PAGE));
        let mut state = self.lock();
        let State { arenas, live, .. } = &mut *state;
        let live = &mut Place { file: live, parts: &self.parts };
        let text = arenas[0].take(sizes[0], aligns[0], live)?;
        let rodata = arenas[1].take(sizes[1], aligns[1], live).inspect_err(|_| arenas[0].abort(&text))?;
        let data = arenas[2].take(sizes[2], aligns[2], live).inspect_err(|_| {
            arenas[0].abort(&text);
            arenas[1].abort(&rodata);
        })?;
        Ok(Block { area: self, segments: [text, rodata, data], sizes, done: false })
    }

    /// Replaces the committed word of text at `address` (8-byte aligned) by what `change` makes of it, with one atomic
    /// store. False, with nothing written, if `change` returns None or the word cannot be written: not in a block of
    /// this area, sealed, or private.
    pub(crate) fn patch(&self, address: usize, change: impl FnOnce(u64) -> Option<u64>) -> bool {
        debug_assert!(address.is_multiple_of(8));
        // The lock keeps other patches of the word out, and a fork from sealing it half way.
        let mut state = self.lock();
        let Some(alias) = state.arenas[Arena::Text as usize].alias(address) else { return false };
        // SAFETY: the alias of an open chunk is mapped, readable and writable, as long as the lock is held; chunks
        // consist of whole pages, so the aligned word lies within it.
        let word = unsafe { AtomicU64::from_ptr(alias as *mut u64) };
        let Some(new) = change(word.load(Ordering::Relaxed)) else { return false };
        word.store(new, Ordering::Release);
        true
    }

    /// Adds functions and their unwind information to the file that the text lies in, if it lies in one of this process.
    pub fn describe(&self, functions: impl Iterator<Item = Named>, frames: impl Iterator<Item = Fde>) {
        if let Some(live) = &mut self.lock().live {
            live.describe(functions, frames);
        }
    }

    /// Removes the name of that file, unless children of the process have pages of it.
    pub fn remove_file(&self) {
        if let Some(live) = &self.lock().live {
            live.remove_unless_inherited();
        }
    }

    /// Takes the lock and seals what is there.
    pub(crate) fn before_fork(&self) {
        let mut state = self.lock();
        state.seal();
        std::mem::forget(state);
    }

    /// Releases the lock that [`before_fork`](Self::before_fork) took.
    ///
    /// # Safety
    /// As for [`ForkLock::after_fork`](crate::lock::ForkLock::after_fork).
    pub(crate) unsafe fn after_fork(&self) {
        // SAFETY: before_fork has forgotten the guard (caller).
        unsafe { self.state.unlock() };
    }

    /// See [`CodeMemory::seal`](crate::CodeMemory::seal).
    pub(crate) fn seal(&self) {
        self.lock().seal();
    }

    /// See [`CodeMemory::release`](crate::CodeMemory::release).
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn release(&self) {
        let mut state = self.lock();
        state.thunks.clear();
        state.stubs = None;
        if let Some(live) = state.live.take() {
            live.remove();
        }
        state.arenas.iter_mut().for_each(ArenaState::close);
        // SAFETY: the range is this area's, and unused (caller).
        unsafe { reservation::give_back(&self.range()) };
    }

    /// See [`CodeMemory::detach`](crate::CodeMemory::detach).
    ///
    /// # Safety
    /// As there.
    pub(crate) unsafe fn detach(&self) -> Result<(), MemoryError> {
        // SAFETY: the only thread, and it does not hold the lock (caller).
        let mut state = unsafe { self.state.seize() };
        // The parent's thread may have been changing them: start afresh, and leave the old ones alone.
        std::mem::forget(std::mem::take(&mut state.thunks));
        state.stubs = None;
        state.arenas.iter_mut().try_for_each(ArenaState::detach)
    }
}

impl State {
    fn seal(&mut self) {
        if let Some(live) = &mut self.live {
            live.pass_on();
        }
        self.arenas.iter_mut().for_each(ArenaState::seal);
    }
}

/// A segment of each arena, exclusively its holder's until it is committed. Dropped without commit: aborted.
#[derive(Debug)]
pub(crate) struct Block<'m> {
    area: &'m Area,
    segments: [Segment; 3],
    sizes: [usize; 3],
    done: bool,
}

impl Block<'_> {
    /// The address of its segment of `arena`, as the code will see it; meaningless if the segment is empty.
    pub fn address(&self, arena: Arena) -> usize {
        self.segments[arena as usize].address
    }

    /// The bytes of its segment of `arena`, to be filled. They hold remains of aborted blocks.
    pub fn bytes(&mut self, arena: Arena) -> &mut [u8] {
        let segment = &self.segments[arena as usize];
        if segment.len == 0 {
            return &mut [];
        }
        // SAFETY: the segment's alias is mapped, initialised and writable until commit or abort, and no other block has
        // it; the result borrows the block mutably.
        unsafe { std::slice::from_raw_parts_mut(segment.alias as *mut u8, self.sizes[arena as usize]) }
    }

    /// The bytes of all segments, by [`Arena`].
    pub fn all_bytes(&mut self) -> [&mut [u8]; 3] {
        let sizes = self.sizes;
        let mut sizes = sizes.iter();
        self.segments.each_ref().map(|segment| {
            let size = *sizes.next().expect("a size for each segment");
            match segment.len {
                0 => &mut [][..],
                // SAFETY: as in `bytes`; segments do not overlap.
                _ => unsafe { std::slice::from_raw_parts_mut(segment.alias as *mut u8, size) },
            }
        })
    }

    /// Brings its pages into memory, which are about to be written, if they are many: a fault for each costs more.
    pub fn want(&self) {
        for segment in self.segments.iter().filter(|segment| segment.len >= WANTED) {
            // Other blocks have the rest of the first page, and of the last one.
            let (start, end) =
                (segment.alias & !(PAGE - 1), (segment.alias + segment.len).next_multiple_of(PAGE));
            sys::populate_pages(start, end - start);
        }
    }

    /// Makes the block's text executable and its rodata read-only, and keeps it for ever.
    pub fn commit(mut self) -> Result<(), MemoryError> {
        // In case of an error the pages are neither used nor given back: some may be write-protected by now.
        self.done = true;
        let mut state = self.area.lock();
        let mut result = Ok(());
        for (arena, segment) in state.arenas.iter_mut().zip(&self.segments) {
            result = result.and(arena.commit(segment));
        }
        result
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.area.lock();
            state.arenas.iter_mut().zip(&self.segments).for_each(|(arena, segment)| arena.abort(segment));
        }
    }
}
