//! Code memory: address space near an image, in which its compiled functions live. A list of areas, each with three
//! arenas in it (text, rodata, data); the first is small, and when one is full the next one, twice as large, follows.
//! Images within reach of each other share the reservations that areas come from (`reservation.rs`).
//!
//! Four verbs. *Reserve*: `CodeMemory::grow` takes an area, `Area::block` takes a block of it. *Commit*:
//! `Block::commit` makes a block executable and keeps it for ever. *Abort*: a block that is dropped without a commit is
//! given back. *Patch*: `Area::patch` changes one aligned word of committed code. (And the end of it all,
//! [`CodeMemory::release`], when the image is unloaded.)

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicPtr, Ordering};

use crate::area::Area;
use crate::arena::{self, PAGE};
use crate::live;
use crate::lock::{ForkLock, Lock};
use crate::reservation::{self, Booking, Near};
use crate::space::Side;

/// Which part of an area.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arena {
    /// Machine code: readable and executable. Half of an area, or more if a block needs it.
    Text,
    /// Constants and unwind information: readable. A quarter.
    Rodata,
    /// GOT entries, slots, entry pointers, the object's own variables: readable and writable, private to the process. A
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
    /// An arena of the area is used up, or can never have as much.
    Exhausted,
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
                    "no free addresses are left within 2 GiB of {:#x}..{:#x}, where its image is; build the image \
                     without autojit, or have the program map less around it",
                    image.start, image.end
                )
            }
            Self::Exhausted => f.write_str("the code memory is full"),
            Self::OutOfReach(address) => write!(f, "{address:#x} is out of reach of the code memory"),
            Self::System(what, libc::ENOMEM) => {
                write!(f, "{what} failed: out of memory, or a limit like that of `ulimit -v` was reached")
            }
            Self::System(what, errno) => write!(f, "{what} failed with errno {errno}"),
        }
    }
}

impl std::error::Error for MemoryError {}

/// Bytes of the first area.
const FIRST: usize = 512 << 10;
/// The size up to which areas double, if no block needs more.
const LARGEST: usize = 64 << 20;
/// No segment of a block is larger.
pub(crate) const LARGEST_SEGMENT: usize = 256 << 20;

/// The code memory of one image. Unmapped with the image only ([`CodeMemory::release`]): threads may be in its code.
#[derive(Debug)]
pub struct CodeMemory {
    near: Near,
    shared: bool,
    /// The newest area; those before it follow.
    newest: AtomicPtr<Area>,
    growth: Lock<Growth>,
}

/// What the next area is made from.
#[derive(Debug)]
struct Growth {
    booking: Booking,
    next: usize,
    largest: usize,
}

/// Seals what is there, too ([`CodeMemory::seal`]).
impl ForkLock for CodeMemory {
    fn before_fork(&self) {
        self.growth.raw_lock();
        self.areas().for_each(Area::before_fork);
    }

    unsafe fn after_fork(&self) {
        // SAFETY: before_fork has taken all of them (caller), and no area was added since.
        self.areas().for_each(|area| unsafe { area.after_fork() });
        // SAFETY: as above.
        unsafe { self.growth.unlock() };
    }
}

impl CodeMemory {
    /// Of nothing yet, wholly within ±2 GiB of every byte of `image`; its areas are taken on account of `booking`.
    pub fn new(image: Range<usize>, booking: Booking) -> Self {
        Self::with(Near { image, side: Side::Below }, true, booking)
    }

    /// [`new`](Self::new) without pages of memory files, whose name would stand for the code's in a profile. Calls in
    /// what was published are not rewritten there.
    pub fn new_private(image: Range<usize>, booking: Booking) -> Self {
        Self::with(Near { image, side: Side::Below }, false, booking)
    }

    /// [`new_private`](Self::new_private) above the image, for processes that are debugged: the kernel lets no tracer
    /// write breakpoints into shared pages.
    pub fn new_for_debugger(image: Range<usize>, booking: Booking) -> Self {
        Self::with(Near { image, side: Side::Above }, false, booking)
    }

    fn with(near: Near, shared: bool, booking: Booking) -> Self {
        let growth = Lock::new(Growth { booking, next: FIRST, largest: LARGEST });
        Self { near, shared, newest: AtomicPtr::new(std::ptr::null_mut()), growth }
    }

    /// One area of `size` bytes near `image`, and never another; with or without shared pages. For tests.
    #[doc(hidden)]
    pub fn with_options(image: Range<usize>, size: usize, shared: bool) -> Result<Self, MemoryError> {
        let memory = Self::with(Near { image, side: Side::Below }, shared, Booking::default());
        *memory.growth.lock() = Growth { booking: Booking::default(), next: size, largest: size };
        memory.grow(None, [0; 3])?;
        memory.growth.lock().largest = 0;
        Ok(memory)
    }

    /// Lets the first area have room for `text` bytes of text, if there is none yet: each further one takes a dozen system
    /// calls.
    pub fn expect(&self, text: usize) {
        let mut growth = self.growth.lock();
        if self.newest().is_none() {
            growth.next = (2 * text).next_power_of_two().clamp(FIRST, growth.largest.max(FIRST));
        }
    }

    /// Its areas, the newest first.
    pub fn areas(&self) -> impl Iterator<Item = &Area> {
        let mut next = self.newest.load(Ordering::Acquire).cast_const();
        std::iter::from_fn(move || {
            // SAFETY: areas are never freed.
            let area = unsafe { next.as_ref() }?;
            next = area.next;
            Some(area)
        })
    }

    /// The area that `address` lies in.
    pub fn area_of(&self, address: usize) -> Option<&Area> {
        self.areas().find(|area| area.range().contains(&address))
    }

    /// Whether `address` lies in one of its areas.
    pub fn contains(&self, address: usize) -> bool {
        self.area_of(address).is_some()
    }

    /// The area that blocks are taken of.
    pub fn newest(&self) -> Option<&Area> {
        self.areas().next()
    }

    /// Adds an area with room for a block of these sizes, unless another thread has done so since `full` was the newest.
    pub(crate) fn grow(&self, full: Option<&Area>, sizes: [usize; 3]) -> Result<&Area, MemoryError> {
        let mut growth = self.growth.lock();
        let newest = self.newest.load(Ordering::Relaxed);
        if let Some(newest) = self.newest()
            && !full.is_some_and(|full| std::ptr::eq(full, newest))
        {
            return Ok(newest);
        }
        if growth.largest == 0 {
            return Err(MemoryError::Exhausted);
        }
        // Wherever the arena's other blocks end.
        let needed = sizes.map(|size| if size == 0 { PAGE } else { size.next_multiple_of(PAGE) + PAGE });
        let lens = |size: usize| {
            let parts = [size / 2, size / 4, size / 4];
            // A block that is larger than usual is not all that comes.
            let len = |usual: usize, needed: usize| if needed > usual { usual + needed } else { usual };
            [0, 1, 2].map(|arena| len(parts[arena].next_multiple_of(PAGE), needed[arena]))
        };
        let next = growth.next;
        let mut result = Err(MemoryError::NoRoom(self.near.image.clone()));
        // Where addresses are short, as much as is needed will do.
        for size in [next, next / 8, 0] {
            let lens = lens(size);
            result = reservation::take(&self.near, lens.iter().sum(), &mut growth.booking)
                .map(|range| (range.start, lens));
            if result.is_ok() {
                break;
            }
        }
        let (start, lens) = result?;
        let total = lens.iter().sum::<usize>();
        growth.next = (total.next_power_of_two() * 2).clamp(FIRST, growth.largest);
        let area = Box::into_raw(Box::new(Area::new(start, lens, self.shared, newest)));
        self.newest.store(area, Ordering::Release);
        // SAFETY: areas are never freed.
        Ok(unsafe { &*area })
    }

    /// Sees to it that the newest area has room for `text` bytes of text, or half of that, or a quarter; if there are
    /// no addresses for that, it stays as it is. Returns the newest area, if there is one.
    pub fn make_room(&self, text: usize) -> Option<&Area> {
        for text in [text, text / 2, text / 4] {
            let newest = self.newest()?;
            let left = newest.arena(Arena::Text).end - newest.text_used();
            if left >= text || self.grow(Some(newest), [text, text / 2, text / 2]).is_ok() {
                break;
            }
        }
        self.newest()
    }

    /// Maps room for `text` bytes of text, and what belongs to that, or for half of it, or a quarter: it may not be allowed
    /// any more when it is needed.
    pub fn provide(&self, text: usize) {
        for text in [text, text / 2, text / 4] {
            let sizes = [text, text / 2, text / 2];
            let area = match self.newest() {
                None => self.grow(None, sizes).ok(),
                Some(_) => self.make_room(text),
            };
            // What is taken here is given back at once. The pages stay.
            if area.is_some_and(|area| area.block(sizes, [1; 3]).is_ok()) {
                return;
            }
        }
    }

    /// Takes `len` bytes of data, for ever, and has them filled by `fill`, which gets their address, too.
    pub fn keep_data(&self, len: usize, fill: impl FnOnce(usize, &mut [u8])) -> Result<usize, MemoryError> {
        let mut area = self.newest();
        let mut block = loop {
            match area.map(|area| area.block([0, 0, len], [1, 1, 8])) {
                None | Some(Err(MemoryError::Exhausted)) => area = Some(self.grow(area, [0, 0, len])?),
                Some(block) => break block?,
            }
        };
        let address = block.address(Arena::Data);
        fill(address, block.bytes(Arena::Data));
        block.commit()?;
        Ok(address)
    }

    /// Whether pages of a file may become code here ([`adopt`](Self::adopt)). Not if all code is to be in anonymous memory, or in
    /// live files.
    pub fn takes_pages(&self) -> bool {
        self.shared && !live::are_wanted()
    }

    /// Makes pages of a file an area: `pages`, mapped privately and writable, are moved to `start`, `complete` writes what is
    /// missing, then they are text, rodata and data, of these lengths. False, and nothing has happened, if the range is not
    /// free, or this is no memory for pages of files.
    ///
    /// # Errors
    /// The pages cannot be moved or made executable. They are gone.
    pub fn adopt(
        &self,
        pages: &'static mut [u8],
        start: usize,
        lens: [usize; 3],
        complete: impl FnOnce(&mut [u8]),
    ) -> Result<bool, MemoryError> {
        let (from, len) = (pages.as_ptr().addr(), pages.len());
        debug_assert_eq!(len, lens.iter().sum());
        let growth = self.growth.lock();
        let Some(end) = start.checked_add(len) else { return Ok(false) };
        let range = start..end;
        let are_pages = from.is_multiple_of(PAGE) && start.is_multiple_of(PAGE);
        if !self.takes_pages()
            || growth.largest == 0
            || !are_pages
            || !reservation::take_at(&self.near, &range)
        {
            return Ok(false);
        }
        let system = |error: autojit_sys::Errno| MemoryError::System("mapping an image pack", error.0);
        let publish = || {
            // SAFETY: nothing else refers to the pages, which the caller gives up; the range is reserved, and this area's.
            unsafe {
                autojit_sys::move_pages(from, len, start).map_err(system)?;
                complete(std::slice::from_raw_parts_mut(start as *mut u8, len));
                let mut at = start;
                for arena in Arena::ALL {
                    let part = at..at + lens[arena as usize];
                    at = part.end;
                    arena::publish_pages(arena, &part).map_err(system)?;
                }
            }
            Ok(())
        };
        if let Err(error) = publish() {
            // SAFETY: nothing knows of the range.
            unsafe { reservation::give_back(&range) };
            return Err(error);
        }
        let newest = self.newest.load(Ordering::Relaxed);
        let area = Box::into_raw(Box::new(Area::full(start, lens, newest)));
        self.newest.store(area, Ordering::Release);
        drop(growth);
        Ok(true)
    }

    /// From now on no page of text or rodata that exists is written any more; new code goes to fresh pages, and calls
    /// in what exists stay as they are. Allocates nothing; may be repeated. A fork wants
    /// [`before_fork`](ForkLock::before_fork), which also keeps other threads from making new pages meanwhile.
    pub fn seal(&self) {
        self.areas().for_each(Area::seal);
    }

    /// Gives everything back, once the image is gone: from now on no block is had, and no word is patched.
    ///
    /// # Safety
    /// No thread may run code of this memory, use its data, or have a block of it, and no unwinder may look for its tables.
    pub unsafe fn release(&self) {
        let mut growth = self.growth.lock();
        growth.largest = 0;
        growth.booking = Booking::default();
        // SAFETY: the caller's promise.
        self.areas().for_each(|area| unsafe { area.release() });
    }

    /// For a child process that came without `before_fork` (raw clone): takes the locks by force, and replaces the pages
    /// that the parent may still write by copies.
    ///
    /// # Safety
    /// The calling thread must be the only one of its process, and not be in a call of this crate.
    pub unsafe fn detach(&self) -> Result<(), MemoryError> {
        // SAFETY: the only thread, and it does not hold the lock (caller).
        drop(unsafe { self.growth.seize() });
        // SAFETY: the caller's promise.
        self.areas().try_for_each(|area| unsafe { area.detach() })
    }
}
