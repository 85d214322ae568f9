//! Code memory: one contiguous reservation of address space near an image, with three arenas in it (text, rodata,
//! data). It receives sizes and hands out blocks; who has a block fills it.
//!
//! Four verbs. *Reserve*: [`CodeMemory::reserve`] takes the address space, `CodeMemory::block` takes a block of it.
//! *Commit*: `Block::commit` makes a block executable and keeps it for ever. *Abort*: a block that is dropped without
//! a commit is given back. *Patch*: `CodeMemory::patch` changes one aligned word of committed code. (And the end of it
//! all, [`CodeMemory::release`], when the image is unloaded.)
//!
//! The lock is held for a few instructions or a few system calls, never while a block is filled, so several threads
//! link at once. See `arena.rs` for pages, permissions and forks.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::arena::{ArenaState, PAGE, Piece};
use crate::lock::{Guard, Lock};
use crate::space::{self, Side};
use crate::stub::StubBlock;
use crate::sys;

/// Which part of the reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arena {
    /// Machine code: readable and executable. Half of the reservation.
    Text,
    /// Constants and unwind information: readable. A quarter.
    Rodata,
    /// GOT cells, slots, entry cells, the object's own variables: readable and writable, private to the process. A
    /// quarter.
    Data,
}

impl Arena {
    /// All of them, in the order of their addresses.
    pub const ALL: [Self; 3] = [Self::Text, Self::Rodata, Self::Data];
}

/// Why there is no code memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemoryError {
    /// No free address range within reach of the image.
    NoRoom(Range<usize>),
    /// The arena's part of the reservation is used up.
    Exhausted(Arena),
    /// This address is out of reach of the code memory.
    OutOfReach(usize),
    /// A system call failed: what was attempted, and the errno.
    System(&'static str, i32),
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRoom(image) => {
                write!(
                    f,
                    "no free address range within reach of the image at {:#x}..{:#x}",
                    image.start, image.end
                )
            }
            Self::Exhausted(arena) => write!(f, "the {arena:?} arena of the code memory is full"),
            Self::OutOfReach(address) => write!(f, "{address:#x} is out of reach of the code memory"),
            Self::System(what, libc::ENOMEM) => {
                write!(f, "{what} failed: out of memory, or a limit like that of `ulimit -v` was reached")
            }
            Self::System(what, errno) => write!(f, "{what} failed with errno {errno}"),
        }
    }
}

impl std::error::Error for MemoryError {}

/// What the lock protects.
#[derive(Debug)]
pub(crate) struct State {
    arenas: [ArenaState; 3],
    /// Far stubs by the address that they lead to, for all objects.
    pub(crate) far_stubs: BTreeMap<usize, usize>,
    /// The block that the next [`crate::RuntimeStub`] comes from.
    pub(crate) stubs: Option<StubBlock>,
}

/// The code memory of one image. Unmapped with the image only ([`CodeMemory::release`]): threads may be in its code.
#[derive(Debug)]
pub struct CodeMemory {
    parts: [Range<usize>; 3],
    state: Lock<State>,
}

impl CodeMemory {
    /// Reserves up to 256 MiB (at least 1 MiB) of address space wholly within ±2 GiB of every byte of `image`.
    pub fn reserve(image: Range<usize>) -> Result<Self, MemoryError> {
        Self::with_options(image, space::LARGEST, true)
    }

    /// [`reserve`](Self::reserve) without pages of memory files, whose name would stand for the code's in a profile. Calls
    /// in what was published are not rewritten there.
    pub fn reserve_private(image: Range<usize>) -> Result<Self, MemoryError> {
        Self::with_options(image, space::LARGEST, false)
    }

    /// [`reserve_private`](Self::reserve_private) above the image, for processes that are debugged: the kernel lets
    /// nobody write breakpoints into shared pages.
    pub fn reserve_for_debugger(image: Range<usize>) -> Result<Self, MemoryError> {
        Ok(Self::at(space::reserve(&image, space::LARGEST, Side::Above)?, false))
    }

    /// [`reserve`](Self::reserve) with another first size (a power of two of at least 1 MiB), and with or without
    /// shared pages; for tests.
    #[doc(hidden)]
    pub fn with_options(image: Range<usize>, largest: usize, shared: bool) -> Result<Self, MemoryError> {
        Ok(Self::at(space::reserve(&image, largest, Side::Below)?, shared))
    }

    fn at(range: Range<usize>, shared: bool) -> Self {
        let quarter = range.len() / 4;
        let (rodata, data) = (range.start + 2 * quarter, range.start + 3 * quarter);
        let parts = [range.start..rodata, rodata..data, data..range.end];
        let arenas = Arena::ALL.map(|arena| ArenaState::new(arena, parts[arena as usize].clone(), shared));
        let state = State { arenas, far_stubs: BTreeMap::new(), stubs: None };
        Self { parts, state: Lock::new(state) }
    }

    /// Gives address space back that is not used yet, but for `keep` bytes in each arena: for a process that is going
    /// to be limited. There will be no more code than that.
    pub fn trim(&self, keep: usize) {
        let keep = keep.next_multiple_of(PAGE);
        self.lock().arenas.iter_mut().for_each(|arena| arena.trim(keep));
    }

    /// The reservation.
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

    /// Whether a 32-bit displacement reaches `target` from everywhere in the reservation.
    pub(crate) fn reaches(&self, target: usize) -> bool {
        let range = self.range();
        range.end.max(target) - range.start.min(target) < space::REACH
    }

    pub(crate) fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// Takes a block with `sizes` bytes of text, rodata and data, aligned to `aligns` (powers of two).
    pub(crate) fn block(&self, sizes: [usize; 3], aligns: [usize; 3]) -> Result<Block<'_>, MemoryError> {
        debug_assert!(aligns.iter().all(|align| align.is_power_of_two() && *align <= PAGE));
        let mut state = self.lock();
        let arenas = &mut state.arenas;
        let text = arenas[0].take(sizes[0], aligns[0])?;
        let rodata = arenas[1].take(sizes[1], aligns[1]).inspect_err(|_| arenas[0].abort(&text))?;
        let data = arenas[2].take(sizes[2], aligns[2]).inspect_err(|_| {
            arenas[0].abort(&text);
            arenas[1].abort(&rodata);
        })?;
        Ok(Block { memory: self, pieces: [text, rodata, data], sizes, done: false })
    }

    /// Takes `len` bytes of data, for ever, and has them filled by `fill`, which gets their address, too.
    pub fn keep_data(&self, len: usize, fill: impl FnOnce(usize, &mut [u8])) -> Result<usize, MemoryError> {
        let mut block = self.block([0, 0, len], [1, 1, 8])?;
        let address = block.address(Arena::Data);
        fill(address, block.bytes(Arena::Data));
        block.commit()?;
        Ok(address)
    }

    /// Replaces the committed word of text at `address` (8-byte aligned) by what `change` makes of it, with one atomic
    /// store. False, with nothing written, if `change` returns None or the word cannot be written: not in a block of
    /// this memory, sealed, or private.
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

    /// Takes the memory's lock and seals what is there: for the `prepare` handler of a fork. To be followed by
    /// [`after_fork`](Self::after_fork) in the parent and in the child.
    pub fn before_fork(&self) {
        let mut state = self.lock();
        state.seal();
        std::mem::forget(state);
    }

    /// Releases the lock that [`before_fork`](Self::before_fork) took.
    ///
    /// # Safety
    /// The calling thread has called `before_fork`, or it is the child's image of the thread that has; and this is the
    /// first call since, in this process.
    pub unsafe fn after_fork(&self) {
        // SAFETY: before_fork has forgotten the guard (caller).
        unsafe { self.state.unlock() };
    }

    /// From now on no page of text or rodata that exists is written any more; new code goes to fresh pages, and calls
    /// in what exists stay as they are. Allocates nothing; may be repeated. A fork wants
    /// [`before_fork`](Self::before_fork), which also keeps other threads from making new pages meanwhile.
    pub fn seal(&self) {
        self.lock().seal();
    }

    /// Gives everything back, once the image is gone: from now on no block is had, and no word is patched.
    ///
    /// # Safety
    /// Nobody may run code of this memory, use its data, or have a block of it, and no unwinder may look for its tables.
    pub unsafe fn release(&self) {
        let mut state = self.lock();
        state.far_stubs.clear();
        state.stubs = None;
        state.arenas.iter_mut().for_each(ArenaState::close);
        let range = self.range();
        // SAFETY: the reservation is this memory's, and unused (caller).
        unsafe { sys::munmap(range.start, range.len()) };
    }

    /// For a child process that came without `before_fork` (raw clone): takes the lock by force, and replaces the pages
    /// that the parent may still write by copies.
    ///
    /// # Safety
    /// The calling thread must be the only one of its process, and not be in a call of this crate.
    pub unsafe fn detach(&self) -> Result<(), MemoryError> {
        // SAFETY: the only thread, and it does not hold the lock (caller).
        let mut state = unsafe { self.state.seize() };
        // The parent's thread may have been changing them: start afresh, and leave the old ones alone.
        std::mem::forget(std::mem::take(&mut state.far_stubs));
        state.stubs = None;
        state.arenas.iter_mut().try_for_each(ArenaState::detach)
    }
}

impl State {
    fn seal(&mut self) {
        self.arenas.iter_mut().for_each(ArenaState::seal);
    }
}

/// A piece of each arena, exclusively its holder's until it is committed. Dropped without commit: aborted.
#[derive(Debug)]
pub(crate) struct Block<'m> {
    memory: &'m CodeMemory,
    pieces: [Piece; 3],
    sizes: [usize; 3],
    done: bool,
}

impl Block<'_> {
    /// The address of its piece of `arena`, as the code will see it; meaningless if the piece is empty.
    pub fn address(&self, arena: Arena) -> usize {
        self.pieces[arena as usize].address
    }

    /// The bytes of its piece of `arena`, to be filled. They hold remains of aborted blocks.
    pub fn bytes(&mut self, arena: Arena) -> &mut [u8] {
        let piece = &self.pieces[arena as usize];
        if piece.len == 0 {
            return &mut [];
        }
        // SAFETY: the piece's alias is mapped, initialised and writable until commit or abort, and no other block has
        // it; the result borrows the block mutably.
        unsafe { std::slice::from_raw_parts_mut(piece.alias as *mut u8, self.sizes[arena as usize]) }
    }

    /// The bytes of all pieces, by [`Arena`].
    pub fn all_bytes(&mut self) -> [&mut [u8]; 3] {
        let sizes = self.sizes;
        let mut sizes = sizes.iter();
        self.pieces.each_ref().map(|piece| {
            let size = *sizes.next().expect("a size for each piece");
            match piece.len {
                0 => &mut [][..],
                // SAFETY: as in `bytes`; pieces do not overlap.
                _ => unsafe { std::slice::from_raw_parts_mut(piece.alias as *mut u8, size) },
            }
        })
    }

    /// Makes the block's text executable and its rodata read-only, and keeps it for ever.
    pub fn commit(mut self) -> Result<(), MemoryError> {
        // In case of an error the pages are neither used nor given back: some may be write-protected by now.
        self.done = true;
        let mut state = self.memory.lock();
        let mut result = Ok(());
        for (arena, piece) in state.arenas.iter_mut().zip(&self.pieces) {
            result = result.and(arena.commit(piece));
        }
        result
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        if !self.done {
            let mut state = self.memory.lock();
            state.arenas.iter_mut().zip(&self.pieces).for_each(|(arena, piece)| arena.abort(piece));
        }
    }
}
