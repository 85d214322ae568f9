//! Live files: ELF files that the code of a process lies in, under names that can be opened (AUTOJIT_NAMES).
//!
//! Text and rodata of an area are pages of such a file, if the process [wants](begin) them and it can be had, and the file has
//! symbols and a table of unwind information of what is published there. Whoever looks code up in /proc/PID/maps opens it.
//! Nothing in it ever moves: all tables have room from the start, and the file is sparse. A page that is to be written is
//! allocated before (fallocate(2)): a disk that is full by then would end the process.
//!
//! No descriptor stays open: programs close those that they do not know, and use their numbers. A forked child has the
//! pages of its parent's file, which it never writes; its own code goes to files of its own.

mod layout;

use std::ffi::{CStr, CString};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use autojit_sys::{self as sys, Errno, File};

use crate::arena::{self, PAGE};
use crate::eh_frame::Fde;
use crate::memory::Arena;
use crate::unwind::Named;

use layout::{FRAME, FRAMES_HEAD, Layout, SYMBOL, Table};

/// Where files come from.
#[derive(Debug)]
pub struct Source {
    /// Makes an empty file, and says where.
    pub create: fn() -> Result<(File, CString), Failure>,
    /// Hears, once, why there are none from now on.
    pub failed: fn(&Failure),
}

/// Why there is no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was attempted.
    pub what: &'static str,
    /// With which file or directory.
    pub path: CString,
    /// The cause.
    pub error: Errno,
}

static SOURCE: OnceLock<Source> = OnceLock::new();
/// The process, whose copies are others: its own number would be that of a child that shares the memory (vfork).
static PROCESS: AtomicU32 = AtomicU32::new(0);
/// Whether there will be no further files.
static ENDED: AtomicBool = AtomicBool::new(false);

/// From now on code lies in files of this source.
pub fn begin(source: Source) {
    PROCESS.store(sys::process_id(), Ordering::Relaxed);
    SOURCE.get_or_init(|| source);
}

/// In a child after a fork: files of the parent are not this process's.
pub fn after_fork_in_child() {
    if are_wanted() {
        PROCESS.store(sys::process_id(), Ordering::Relaxed);
    }
}

/// Whether the process wants its code to lie in files.
pub fn are_wanted() -> bool {
    SOURCE.get().is_some()
}

/// From now on no files are made or opened: the process sees other ones, or may open none.
pub fn end() {
    ENDED.store(true, Ordering::Relaxed);
}

fn source() -> Option<&'static Source> {
    SOURCE.get().filter(|_| !ENDED.load(Ordering::Relaxed))
}

fn fail(failure: &Failure) {
    if let Some(source) = source()
        && !ENDED.swap(true, Ordering::Relaxed)
    {
        (source.failed)(failure);
    }
}

/// What an area's arenas need to know of its file.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// The file, if there is one.
    pub file: &'a mut Option<Live>,
    /// Text, rodata and data of the area.
    pub parts: &'a [Range<usize>; 3],
}

impl Place<'_> {
    /// The file of this process. A child does not write to that of its parent.
    fn own(&mut self) -> Option<&mut Live> {
        self.file.take_if(|file| !file.is_own());
        self.file.as_mut()
    }

    /// How many bytes of a new chunk at `start` are headers.
    pub fn head(&mut self, arena: Arena, start: usize) -> usize {
        let is_first = source().is_some() && self.own().is_none_or(|file| file.layout.base == start);
        if arena == Arena::Text && is_first { PAGE } else { 0 }
    }

    /// Maps pages of the file at `range`; returns the writable alias. May make the range shorter, down to `needed` bytes. A
    /// file begins with the first text.
    ///
    /// # Safety
    /// Nothing may use what is at `range`.
    pub unsafe fn map(&mut self, arena: Arena, range: &mut Range<usize>, needed: usize) -> Option<usize> {
        let source = source()?;
        if self.own().is_none() {
            if arena != Arena::Text {
                return None;
            }
            let layout = Layout::new(range.start..self.parts[0].end, self.parts[1].len());
            *self.file = Live::create(source, layout).inspect_err(fail).ok();
        }
        let live = self.file.as_mut()?;
        // SAFETY: the caller's promise; no chunk was made of these pages of the file, unless it is given up.
        let result = unsafe { live.map(arena, range, needed) };
        result.inspect_err(fail).ok()
    }
}

/// A file of an area.
#[derive(Debug)]
pub(crate) struct Live {
    path: CString,
    identity: (u64, u64),
    /// The process that writes it.
    process: u32,
    layout: Layout,
    /// Where headers and tables are written.
    headers: usize,
    tables: usize,
    /// Bytes of each table that are allocated.
    allocated: [usize; 3],
    /// Bytes of each table that are in use.
    used: [usize; 3],
    /// Whether a child has pages of it.
    inherited: bool,
}

impl Drop for Live {
    fn drop(&mut self) {
        // SAFETY: mappings of this value, of which nothing else knows.
        unsafe {
            sys::unmap_pages(self.headers, PAGE);
            sys::unmap_pages(self.tables, self.layout.tables().len());
        }
    }
}

impl Live {
    fn create(source: &Source, layout: Layout) -> Result<Self, Failure> {
        let (file, path) = (source.create)()?;
        let result = Self::set_up(&file, path.clone(), layout);
        result.inspect_err(|_| {
            let _ = sys::remove(&path);
        })
    }

    fn set_up(file: &File, path: CString, layout: Layout) -> Result<Self, Failure> {
        let size = layout.size();
        let failure = |what, error| Failure { what, path: path.clone(), error };
        // A file beyond the limit would be answered with a signal.
        if sys::soft_limit(libc::RLIMIT_FSIZE) < size as u64 {
            return Err(failure("making a file as large as its code", Errno(libc::EFBIG)));
        }
        let map = |range: Range<usize>| {
            let writable = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: not MAP_FIXED.
            unsafe { file.map_at(0, range.len(), writable, libc::MAP_SHARED, range.start) }
        };
        let identity = file.identity().map_err(|error| failure("looking at", error))?;
        file.set_size(size)
            .and_then(|()| file.allocate(0, PAGE))
            .and_then(|()| file.write_at(0, &layout.headers(&build_id(&path))))
            .map_err(|error| failure("writing", error))?;
        let headers = map(0..PAGE).map_err(|error| failure("mapping", error))?;
        let tables = map(layout.tables()).map_err(|error| {
            // SAFETY: mapped above, and nothing knows of it.
            unsafe { sys::unmap_pages(headers, PAGE) };
            failure("mapping", error)
        })?;
        let mut live = Self {
            path,
            identity,
            process: PROCESS.load(Ordering::Relaxed),
            layout,
            headers,
            tables,
            allocated: [0; 3],
            // An empty symbol, an empty string.
            used: [FRAMES_HEAD, SYMBOL, 1],
            inherited: false,
        };
        live.begin_tables(file).map_err(|error| live.failure("allocating pages of", error))?;
        Ok(live)
    }

    fn begin_tables(&mut self, file: &File) -> Result<(), Errno> {
        for table in Table::ALL {
            self.allocate(file, table, self.used[table as usize])?;
        }
        let head = self.layout.frames_head();
        self.table(Table::Frames)[..FRAMES_HEAD].copy_from_slice(&head);
        Table::ALL.iter().for_each(|table| self.tell(*table));
        Ok(())
    }

    fn failure(&self, what: &'static str, error: Errno) -> Failure {
        Failure { what, path: self.path.clone(), error }
    }

    fn is_own(&self) -> bool {
        self.process == PROCESS.load(Ordering::Relaxed)
    }

    /// The file, as long as it has its name.
    fn open(&self) -> Result<File, Failure> {
        let file = File::open(&self.path, libc::O_RDWR | libc::O_NOFOLLOW | libc::O_NONBLOCK, 0)
            .map_err(|error| self.failure("opening", error))?;
        if file.identity() != Ok(self.identity) {
            return Err(self.failure("opening", Errno(libc::ESTALE)));
        }
        Ok(file)
    }

    /// See [`Place::map`].
    ///
    /// # Safety
    /// As there; no chunk has these pages.
    unsafe fn map(
        &mut self,
        arena: Arena,
        range: &mut Range<usize>,
        needed: usize,
    ) -> Result<usize, Failure> {
        let file = self.open()?;
        let offset = range.start - self.layout.base;
        file.allocate(offset, range.len()).map_err(|error| self.failure("allocating pages of", error))?;
        // SAFETY: the range is free, and the pages of the file are (caller).
        let mapped = unsafe {
            match arena {
                Arena::Text => arena::map_text(&file, offset, range, needed, |text| {
                    arena::protect(Arena::Text, text.clone())
                }),
                _ => map_twice(&file, offset, range, arena::permissions(arena)),
            }
        };
        mapped.map_err(|error| match arena {
            Arena::Text => self.failure("mapping, to be executed,", error),
            _ => self.failure("mapping", error),
        })
    }

    /// Sees to it that the first `end` bytes of a table can be written.
    fn allocate(&mut self, file: &File, table: Table, end: usize) -> Result<(), Errno> {
        const STEP: usize = 64 << 10;
        let room = self.layout.table(table);
        let allocated = &mut self.allocated[table as usize];
        if end > *allocated {
            let new = end.next_multiple_of(STEP).min(room.len());
            file.allocate(room.start + *allocated, new - *allocated)?;
            *allocated = new;
        }
        Ok(())
    }

    /// The same for so many more bytes of each. False if there is no room.
    fn make_room(&mut self, more: [usize; 3]) -> bool {
        for table in Table::ALL {
            let end = self.used[table as usize] + more[table as usize];
            if end > self.layout.table(table).len() {
                return false;
            }
            if end <= self.allocated[table as usize] {
                continue;
            }
            if source().is_none() {
                return false;
            }
            let allocated = self.open().and_then(|file| {
                let result = self.allocate(&file, table, end);
                result.map_err(|error| self.failure("allocating pages of", error))
            });
            if allocated.inspect_err(fail).is_err() {
                return false;
            }
        }
        true
    }

    fn table(&mut self, table: Table) -> &mut [u8] {
        let start = self.layout.table(table).start - self.layout.tables().start;
        // SAFETY: mapped, writable and allocated so far; only this value writes there, and nothing reads it in this process.
        unsafe {
            std::slice::from_raw_parts_mut((self.tables + start) as *mut u8, self.allocated[table as usize])
        }
    }

    /// Lets readers of the file know how much of a table is in use.
    fn tell(&mut self, table: Table) {
        let used = self.used[table as usize];
        match table {
            Table::Frames => {
                let count = (used - FRAMES_HEAD) / FRAME;
                let at = layout::FRAMES_COUNT;
                let field = self.table(table)[at..].as_mut_ptr().cast::<u32>();
                // SAFETY: within the table, which begins with a page.
                unsafe { AtomicU32::from_ptr(field) }.store(count as u32, Ordering::Release);
            }
            Table::Symbols | Table::Strings => {
                let field = (self.headers + layout::size_field(table)) as *mut u64;
                // SAFETY: an aligned word of the page of headers, which is mapped and writable.
                unsafe { AtomicU64::from_ptr(field) }.store(used as u64, Ordering::Release);
            }
        }
    }

    /// See [`Area::describe`](crate::Area::describe).
    pub fn describe(&mut self, functions: impl Iterator<Item = Named>, frames: impl Iterator<Item = Fde>) {
        if !self.is_own() {
            return;
        }
        for function in functions {
            let name = function.name.to_bytes_with_nul();
            if !self.make_room([0, SYMBOL, name.len()]) {
                break;
            }
            let [_, symbol, string] = self.used;
            self.table(Table::Strings)[string..][..name.len()].copy_from_slice(name);
            let bytes = self.layout.symbol(string as u32, function.start, function.size);
            self.table(Table::Symbols)[symbol..][..SYMBOL].copy_from_slice(&bytes);
            self.used[Table::Strings as usize] += name.len();
            self.used[Table::Symbols as usize] += SYMBOL;
        }
        self.tell(Table::Strings);
        self.tell(Table::Symbols);
        for frame in frames {
            let Some(pair) = self.layout.frame(&frame) else { continue };
            if !self.make_room([FRAME, 0, 0]) {
                break;
            }
            self.insert(pair);
        }
        self.tell(Table::Frames);
    }

    /// Adds a pair to the table of unwind information, which is in the order of addresses. Text is mostly taken in that order.
    fn insert(&mut self, pair: [u8; FRAME]) {
        let used = self.used[Table::Frames as usize];
        let pairs = &mut self.table(Table::Frames)[FRAMES_HEAD..used + FRAME];
        let start = |pair: &[u8]| i32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]]);
        let mut at = pairs.len() - FRAME;
        while at > 0 && start(&pairs[at - FRAME..]) > start(&pair) {
            pairs.copy_within(at - FRAME..at, at);
            at -= FRAME;
        }
        pairs[at..at + FRAME].copy_from_slice(&pair);
        self.used[Table::Frames as usize] += FRAME;
    }

    /// A child is going to have pages of it.
    pub fn pass_on(&mut self) {
        self.inherited = true;
    }

    /// Removes its name, if this process has given it.
    pub fn remove(&self) {
        if self.is_own() {
            let _ = sys::remove(&self.path);
        }
    }

    /// The same, if no child has pages of it.
    pub fn remove_unless_inherited(&self) {
        if !self.inherited {
            self.remove();
        }
    }
}

/// Maps pages of a file with these permissions at `range`, and writable elsewhere.
///
/// # Safety
/// Nothing may use what is at `range`.
unsafe fn map_twice(
    file: &File,
    offset: usize,
    range: &Range<usize>,
    permissions: i32,
) -> Result<usize, Errno> {
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: not MAP_FIXED for the alias; the range is free (caller).
    unsafe {
        let alias = file.map_at(0, range.len(), writable, libc::MAP_SHARED, offset)?;
        file.map_at(range.start, range.len(), permissions, libc::MAP_SHARED | libc::MAP_FIXED, offset)
            .inspect_err(|_| sys::unmap_pages(alias, range.len()))?;
        Ok(alias)
    }
}

/// What tells the file from all others: profilers keep copies under it.
fn build_id(path: &CStr) -> [u8; layout::BUILD_ID] {
    let time = sys::monotonic_time().as_nanos() as u64;
    let now = [sys::now().to_le_bytes(), time.to_le_bytes()].concat();
    let first = xxhash_rust::xxh3::xxh3_64_with_seed(path.to_bytes(), time).to_le_bytes();
    let mut id = [0; layout::BUILD_ID];
    id[..8].copy_from_slice(&first);
    id[8..].copy_from_slice(&xxhash_rust::xxh3::xxh3_64(&now).to_le_bytes());
    id
}
