//! One arena of an area: a part of its range that is filled from low to high addresses.
//!
//! Pages come in chunks. A chunk of text or rodata is normally *shared*: memory that is mapped twice, once at its place
//! in the area with the permissions it is for, once elsewhere readable and writable (the alias). Everything is
//! written through the alias, so no page is ever writable and executable at one address, and published code can still
//! be patched. Where the system gives no second mapping, a chunk is *private*: its pages are writable until they are
//! published, and never again; then each block has pages of its own. The data arena's pages are plain private memory.
//!
//! Text is executed in a private mapping of a memfd: the kernel lets debuggers and tracers write breakpoints into private
//! mappings only, and the program itself may write there after mprotect. What either writes gives the mapping a page of
//! its own, which no longer follows the alias. [`ArenaState::commit`] notices that and completes such a page; a patch
//! that does not arrive there is no loss, as the slot remains right.
//!
//! In /proc/PID/maps text is execute-only ([`protect_text`]), unless it lies in a live file (`live.rs`).
//!
//! Other shared memory is anonymous, and its second mapping made with mremap, for text too where no memfd is to be had:
//! that takes a descriptor for a moment, and falls under the limit for file sizes (RLIMIT_FSIZE, SIGXFSZ).
//!
//! A shared page is one and the same page in a parent and a child process. A fork therefore *seals* the shared chunks:
//! afterwards neither side writes to them; the pages behind the last block are replaced by fresh ones when needed.

use std::ops::Range;

use autojit_sys::{self as sys, Errno, File};

use crate::allocated::TRAP;
use crate::live::{self, Place};
use crate::memory::{Arena, MemoryError};

/// Size of a chunk, if the arena has that much, and no block needs more: pages that are not used take no memory, but
/// each chunk is a mapping or two, of which a process can have so many.
const CHUNK: usize = 8 << 20;
/// The same of live files, whose pages take room on the disk.
const LIVE_CHUNK: usize = 1 << 20;
/// Bytes in a page.
pub const PAGE: usize = 4096;

/// `address`, rounded up to a multiple of `align`, a power of two. None if that is no address.
pub fn align_up(address: usize, align: usize) -> Option<usize> {
    Some(address.checked_add(align - 1)? & !(align - 1))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backing {
    /// Shared memory with a writable alias at this address.
    Shared { alias: usize },
    /// Pages that are writable until they are published.
    Private,
    /// Pages that stay writable.
    Data,
}

#[derive(Debug)]
struct Chunk {
    range: Range<usize>,
    backing: Backing,
    /// Blocks in it that are neither committed nor aborted: their owners may write through the alias.
    users: u32,
    sealed: bool,
}

/// A segment of an arena: one block's share.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Where it is read or executed.
    pub address: usize,
    /// Where it is written.
    pub alias: usize,
    /// Its length in bytes.
    pub len: usize,
    private: bool,
}

/// See the module's comment.
#[derive(Debug)]
pub struct ArenaState {
    arena: Arena,
    /// The arena's part of the area ends here.
    limit: usize,
    /// The first byte that no block has had.
    cursor: usize,
    /// The end of the current chunk.
    mapped: usize,
    /// By address; the last is the current one unless it is sealed. Sealed chunks are forgotten when nothing uses them.
    chunks: Vec<Chunk>,
    shared_allowed: bool,
}

impl ArenaState {
    /// An empty arena in a reserved, inaccessible range of whole pages.
    pub fn new(arena: Arena, range: Range<usize>, shared_allowed: bool) -> Self {
        Self {
            arena,
            limit: range.end,
            cursor: range.start,
            mapped: range.start,
            chunks: Vec::new(),
            shared_allowed,
        }
    }

    /// Takes `len` bytes, aligned to `align` (a power of two, a page at most); new pages may be those of a live file.
    pub fn take(&mut self, len: usize, align: usize, place: &mut Place<'_>) -> Result<Segment, MemoryError> {
        if len == 0 {
            return Ok(Segment { address: 0, alias: 0, len: 0, private: false });
        }
        if let Some(segment) = self.fit(len, align) {
            return Ok(segment);
        }
        self.grow(len, place)?;
        self.fit(len, align).ok_or(MemoryError::Exhausted)
    }

    /// Takes from the current chunk, if it has room.
    fn fit(&mut self, len: usize, align: usize) -> Option<Segment> {
        let chunk = self.chunks.last_mut().filter(|c| !c.sealed && c.range.end == self.mapped)?;
        let private = chunk.backing == Backing::Private;
        let address = align_up(self.cursor, align)?;
        // Private pages get their permissions block by block, so each block ends with a page.
        let end = align_up(address.checked_add(len)?, if private { PAGE } else { 1 })?;
        if address < chunk.range.start || end > self.mapped {
            return None;
        }
        chunk.users += 1;
        self.cursor = end;
        let alias = match chunk.backing {
            Backing::Shared { alias } => alias + (address - chunk.range.start),
            Backing::Private | Backing::Data => address,
        };
        Some(Segment { address, alias, len: end - address, private })
    }

    /// Makes a chunk with room for `len` bytes, behind the last.
    fn grow(&mut self, len: usize, place: &mut Place<'_>) -> Result<(), MemoryError> {
        let exhausted = MemoryError::Exhausted;
        // What a file begins with is no code.
        let head = if self.shared_allowed { place.head(self.arena, self.mapped) } else { 0 };
        let needed = len.checked_add(head).and_then(|len| align_up(len, PAGE)).ok_or(exhausted.clone())?;
        let room = self.limit - self.mapped;
        if needed > room {
            return Err(exhausted);
        }
        // A page more than a large block needs: see `map_text`.
        let usual = if self.shared_allowed && live::are_wanted() { LIVE_CHUNK } else { CHUNK };
        let size = needed.saturating_add(PAGE).max(usual).min(room);
        let mut range = self.mapped..self.mapped + size;
        let backing = match self.arena {
            Arena::Data => map_private(&range).map(|()| Backing::Data),
            Arena::Text | Arena::Rodata => match self.map_shared(&mut range, needed, place) {
                Ok(alias) => Ok(Backing::Shared { alias }),
                Err(_) => map_private(&range).map(|()| Backing::Private),
            },
        }
        .map_err(|e| MemoryError::System("mmap (code memory)", e.0))?;
        self.cursor = range.start + head;
        self.mapped = range.end;
        self.chunks.push(Chunk { range, backing, users: 0, sealed: false });
        Ok(())
    }

    /// Maps fresh memory twice; returns the alias. May make the range shorter, down to `needed` bytes.
    fn map_shared(
        &self,
        range: &mut Range<usize>,
        needed: usize,
        place: &mut Place<'_>,
    ) -> Result<usize, Errno> {
        if !self.shared_allowed {
            return Err(Errno(libc::ENOSYS));
        }
        // SAFETY: the range is behind the cursor: reserved for this arena, and never given to a block.
        unsafe {
            if let Some(alias) = place.map(self.arena, range, needed) {
                return Ok(alias);
            }
            if self.arena == Arena::Text
                && let Ok(alias) = map_memory_file(range, needed)
            {
                return Ok(alias);
            }
            map_anonymous_twice(self.arena, range).or_else(|_| map_file_twice(self.arena, range))
        }
    }

    /// The first byte that no block has had.
    pub fn used(&self) -> usize {
        self.cursor
    }

    /// Makes the segment as permanent as it gets: afterwards it has the arena's permissions.
    pub fn commit(&mut self, segment: &Segment) -> Result<(), MemoryError> {
        if segment.len == 0 {
            return Ok(());
        }
        if self.arena == Arena::Text && segment.alias != segment.address {
            complete_page(segment)
                .map_err(|e| MemoryError::System("mmap (completing a page of code)", e.0))?;
        }
        self.release(segment);
        if segment.private {
            protect(self.arena, segment.address..segment.address + segment.len)
                .map_err(|e| MemoryError::System("mprotect (publishing code)", e.0))?;
        }
        Ok(())
    }

    /// Gives the segment back if it is the last one that was taken; else it is lost.
    pub fn abort(&mut self, segment: &Segment) {
        if segment.len == 0 {
            return;
        }
        self.release(segment);
        // Harmless in a sealed chunk: nothing is taken from it, and the next chunk begins at `mapped`.
        if self.cursor == segment.address + segment.len {
            self.cursor = segment.address;
        }
    }

    fn release(&mut self, segment: &Segment) {
        if let Some(chunk) = self.chunk_at(segment.address) {
            chunk.users -= 1;
        }
        self.forget_sealed();
    }

    fn chunk_at(&mut self, address: usize) -> Option<&mut Chunk> {
        let behind = self.chunks.partition_point(|chunk| chunk.range.start <= address);
        self.chunks[..behind].last_mut().filter(|chunk| chunk.range.contains(&address))
    }

    /// Where `address` can be written, if it lies in a block of an open shared chunk.
    pub fn alias(&mut self, address: usize) -> Option<usize> {
        if address >= self.cursor {
            return None;
        }
        let chunk = self.chunk_at(address)?;
        match chunk.backing {
            Backing::Shared { alias } if !chunk.sealed => Some(alias + (address - chunk.range.start)),
            _ => None,
        }
    }

    /// Lets what is taken from now on begin at `address` or behind it, if that is within the arena.
    pub fn skip_to(&mut self, address: usize) {
        if address <= self.cursor || address >= self.limit {
            return;
        }
        self.cursor = address;
        // What lies between is not mapped: the next chunk begins here.
        self.mapped = self.mapped.max(address & !(PAGE - 1));
    }

    /// Seals the shared chunks: see the module's comment. Allocates nothing.
    pub fn seal(&mut self) {
        let shared = |chunk: &Chunk| matches!(chunk.backing, Backing::Shared { .. });
        if self.chunks.last().is_some_and(|chunk| shared(chunk) && !chunk.sealed) {
            // A chunk ends at a page, so the cursor stays within it.
            self.cursor = self.cursor.next_multiple_of(PAGE);
            self.mapped = self.cursor;
        }
        self.chunks.iter_mut().filter(|chunk| shared(chunk)).for_each(|chunk| chunk.sealed = true);
        self.forget_sealed();
    }

    /// Drops sealed chunks that nothing writes to any more, with their aliases. Their code stays.
    fn forget_sealed(&mut self) {
        self.chunks.retain(|chunk| {
            let Backing::Shared { alias } = chunk.backing else { return true };
            let keep = !chunk.sealed || chunk.users > 0;
            if !keep {
                // SAFETY: the alias is the chunk's, no block writes through it (users), and no patch does (sealed).
                unsafe { sys::unmap_pages(alias, chunk.range.len()) };
            }
            keep
        });
    }

    /// An arena in which everything is taken, by pages that are there already.
    pub fn full(arena: Arena, range: Range<usize>) -> Self {
        let mut full = Self::new(arena, range, false);
        full.close();
        full
    }

    /// Forgets all chunks, with their aliases: nothing can be taken or written any more.
    pub fn close(&mut self) {
        for chunk in self.chunks.drain(..) {
            if let Backing::Shared { alias } = chunk.backing {
                // SAFETY: the alias is the chunk's, which nothing writes to any more (CodeMemory::release).
                unsafe { sys::unmap_pages(alias, chunk.range.len()) };
            }
        }
        (self.cursor, self.mapped) = (self.limit, self.limit);
    }

    /// Replaces open shared chunks by private copies, in a child that the parent did not seal anything for.
    pub fn detach(&mut self) -> Result<(), MemoryError> {
        let chunks = std::mem::take(&mut self.chunks);
        for chunk in &chunks {
            let Backing::Shared { alias } = chunk.backing else { continue };
            let used = chunk.range.start..chunk.range.end.min(self.cursor.next_multiple_of(PAGE));
            if !chunk.sealed && !used.is_empty() {
                replace_by_private(self.arena, &used, |_| ())
                    .map_err(|e| MemoryError::System("mmap (copying code after a raw fork)", e.0))?;
            }
            // SAFETY: the alias is the chunk's; this is the only thread, and the chunk is forgotten here.
            unsafe { sys::unmap_pages(alias, chunk.range.len()) };
        }
        self.chunks = chunks;
        self.chunks.retain(|chunk| !matches!(chunk.backing, Backing::Shared { .. }));
        // Go on behind everything that the parent may still put to use.
        if self.chunks.last().is_none_or(|chunk| chunk.range.end != self.mapped) {
            self.cursor = self.mapped;
        }
        Ok(())
    }
}

/// Maps zeroed private memory, readable and writable.
fn map_private(range: &Range<usize>) -> Result<(), Errno> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_FIXED;
    // SAFETY: the range is behind the arena's cursor: reserved for it, and never given to a block.
    unsafe { sys::map_anonymous(range.start, range.len(), prot, flags) }.map(drop)
}

/// Maps fresh anonymous memory twice, as the arena wants it at `range`; returns the writable alias.
///
/// # Safety
/// Nothing may use what is at `range`.
unsafe fn map_anonymous_twice(arena: Arena, range: &Range<usize>) -> Result<usize, Errno> {
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_NORESERVE;
    // SAFETY: not MAP_FIXED; the range is free (caller).
    unsafe {
        let alias = sys::map_anonymous(0, range.len(), writable, flags)?;
        sys::map_pages_again(alias, range.len(), range.start)
            .and_then(|()| match arena {
                Arena::Text => protect_text(range),
                _ => protect(arena, range.clone()),
            })
            // Nothing knows of the alias.
            .inspect_err(|_| sys::unmap_pages(alias, range.len()))?;
        Ok(alias)
    }
}

/// Maps a fresh memory file as text: see [`map_text`].
///
/// # Safety
/// As above.
unsafe fn map_memory_file(range: &mut Range<usize>, needed: usize) -> Result<usize, Errno> {
    if sys::soft_limit(libc::RLIMIT_FSIZE) < range.len() as u64 {
        return Err(Errno(libc::EFBIG));
    }
    let file = File::memory(c"autojit")?;
    file.set_size(range.len())?;
    // SAFETY: the caller's promise.
    unsafe { map_text(&file, 0, range, needed, protect_text) }
}

/// Maps pages of a file, from `offset`, twice: as text at `range`, privately there, with the permissions that `publish` gives
/// it; returns the writable alias. The last page of the range becomes a copy, and is taken out of it, if `needed` bytes are
/// left: so core files have the text, as kernels leave private mappings out that have nothing of their own.
///
/// # Safety
/// As above; nothing else writes these pages of the file.
pub(crate) unsafe fn map_text(
    file: &File,
    offset: usize,
    range: &mut Range<usize>,
    needed: usize,
    publish: fn(&Range<usize>) -> Result<(), Errno>,
) -> Result<usize, Errno> {
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    let (start, len) = (range.start, range.len());
    let used = if len - PAGE >= needed { len - PAGE } else { len };
    // SAFETY: not MAP_FIXED for the alias; the range is free (caller), and the byte is in its last page.
    unsafe {
        let alias = file.map_at(0, used, writable, libc::MAP_SHARED, offset)?;
        let view =
            |permissions| file.map_at(start, len, permissions, libc::MAP_PRIVATE | libc::MAP_FIXED, offset);
        let dumped = || {
            view(writable)?;
            if used < len {
                ((start + used) as *mut u8).write_volatile(TRAP);
            }
            publish(&(start..start + len))
        };
        dumped()
            // Where memory must not become executable it can be from the start.
            .or_else(|_| view(permissions(Arena::Text)).and_then(|_| publish(&(start..start + len))))
            .inspect_err(|_| sys::unmap_pages(alias, used))?;
        range.end = start + used;
        Ok(alias)
    }
}

/// Gives pages of a file, mapped privately and writable, the permissions of their arena. Their last byte is written, as it
/// is: kernels leave private mappings out of core files that have nothing of their own.
///
/// # Safety
/// Nothing else may use them yet.
pub unsafe fn publish_pages(arena: Arena, range: &Range<usize>) -> Result<(), Errno> {
    let last = (range.end - 1) as *mut u8;
    // SAFETY: mapped and writable, and nothing else's (caller).
    unsafe { last.write_volatile(last.read_volatile()) };
    match arena {
        Arena::Text => protect_text(range),
        Arena::Rodata => protect(arena, range.clone()),
        Arena::Data => Ok(()),
    }
}

/// Sees to it that the first page of a finished segment of text has the segment, if the page is older than the segment: once
/// something was written where the text is executed, the page does not follow its alias.
fn complete_page(segment: &Segment) -> Result<(), Errno> {
    let page = segment.address & !(PAGE - 1);
    let within = segment.address - page;
    let len = segment.len.min(PAGE - within);
    if within == 0 {
        return Ok(());
    }
    // SAFETY: both are mapped and readable for the length of the segment, which nothing else writes.
    let (seen, written) = unsafe {
        (
            std::slice::from_raw_parts(segment.address as *const u8, len),
            std::slice::from_raw_parts(segment.alias as *const u8, len),
        )
    };
    if seen == written {
        return Ok(());
    }
    replace_by_private(Arena::Text, &(page..page + PAGE), |copy| {
        copy[within..within + len].copy_from_slice(written)
    })
}

/// The same with a memfd, whose pages are never anything but executable at `range`: systems that let no memory become
/// executable (PR_SET_MDWE, systemd's MemoryDenyWriteExecute) allow that.
///
/// # Safety
/// As above.
unsafe fn map_file_twice(arena: Arena, range: &Range<usize>) -> Result<usize, Errno> {
    let file = File::memory(c"autojit")?;
    file.set_size(range.len())?;
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: as above.
    unsafe {
        let alias = file.map_at(0, range.len(), writable, libc::MAP_SHARED, 0)?;
        file.map_at(range.start, range.len(), permissions(arena), libc::MAP_SHARED | libc::MAP_FIXED, 0)
            .and_then(|_| if arena == Arena::Text { protect_text(range) } else { Ok(()) })
            .inspect_err(|_| sys::unmap_pages(alias, range.len()))?;
        Ok(alias)
    }
}

/// What the arena's pages are for.
pub(crate) fn permissions(arena: Arena) -> i32 {
    match arena {
        Arena::Text => libc::PROT_READ | libc::PROT_EXEC,
        Arena::Rodata => libc::PROT_READ,
        Arena::Data => libc::PROT_READ | libc::PROT_WRITE,
    }
}

/// Gives pages the permissions of their arena.
pub(crate) fn protect(arena: Arena, range: Range<usize>) -> Result<(), Errno> {
    // SAFETY: whole pages that nothing writes at this address: fresh ones, or those of one block that is finished.
    unsafe { sys::protect_pages(range.start, range.len(), permissions(arena)) }
}

/// Gives text that is mapped from memory with a path its permissions: to be executed, and no others as /proc/PID/maps
/// lists them. Symbolizers open the path of each mapping that is readable and executable, and complain of one
/// that is not there ("/memfd:autojit (deleted)"). The processor has no such permission, so that the text can be read as
/// before: unwinders, and [`complete_page`], do so. Where protection keys withhold it after all, it gets both.
fn protect_text(text: &Range<usize>) -> Result<(), Errno> {
    // SAFETY: whole pages that nothing writes at this address; that they can be read is seen to here.
    let hidden = unsafe { sys::protect_execute_only(text.start, text.len()) };
    match hidden {
        Ok(readable) if readable || sys::is_readable(text.start) => Ok(()),
        _ => protect(Arena::Text, text.clone()),
    }
}

/// Puts a private copy of the pages, changed by `change`, in their place, at once for all readers.
fn replace_by_private(
    arena: Arena,
    range: &Range<usize>,
    change: impl FnOnce(&mut [u8]),
) -> Result<(), Errno> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE;
    // SAFETY: not MAP_FIXED.
    let copy = unsafe { sys::map_anonymous(0, range.len(), prot, flags)? };
    // SAFETY: the range is mapped readable (a chunk's view), the copy is fresh and of the same length; the final move
    // replaces pages by pages that differ only where nothing runs yet.
    unsafe {
        std::ptr::copy_nonoverlapping(range.start as *const u8, copy as *mut u8, range.len());
        change(std::slice::from_raw_parts_mut(copy as *mut u8, range.len()));
        protect(arena, copy..copy + range.len())?;
        sys::move_pages(copy, range.len(), range.start)
    }
}
