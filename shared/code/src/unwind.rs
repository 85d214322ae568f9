//! Program counter -> FDE and function name, for `_Unwind_Find_FDE` and for backtraces.
//!
//! Objects are added when they are published, and removed when their image was unloaded. Readers come from any thread at
//! any time, signal handlers included; they take no lock, allocate nothing, and see the table before or after a change.
//!
//! The table consists of *runs*, arrays sorted by address. Arenas grow upwards, so a new object mostly goes behind the last
//! one of some run: it is written there, then the run's length is raised. Otherwise (threads that publish in another order,
//! a further memory) it opens a run of its own, which is merged with those that are not much larger: there are few runs,
//! and however many objects come in whatever order, each is copied a few times. A full or merged run is a new array in a
//! new table, which replaces the old one; that is freed when no reader is in it.

use std::cell::UnsafeCell;
use std::ffi::CStr;
use std::fmt;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::description::Description;
use crate::eh_frame::{Fde, FrameIndex};
use crate::link::Code;
use crate::lock::{ForkLock, Lock};

/// The answer of [`UnwindTable::find`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdeInfo {
    /// The frame description entry in the relocated .eh_frame.
    pub fde: *const u8,
    /// The first address that it covers (`dwarf_eh_bases.func`).
    pub function: usize,
}

/// The answer of [`UnwindTable::frames`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    /// The addresses of an object's code.
    pub text: Range<usize>,
    /// The header (LSB core, 10.6.2) of its unwind information.
    pub header: *const u8,
}

/// A function with its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its symbol.
    pub name: &'static CStr,
    /// Its first byte.
    pub start: usize,
    /// Its size in bytes; 0 if it is not known.
    pub size: usize,
}

/// What is known of one linked object. Never freed, as readers may have it.
struct FrameObject {
    text: Range<usize>,
    frames: usize,
    fdes: FrameIndex,
    /// See [`header`]; none without unwind information.
    header: Option<[u8; HEADER_LEN]>,
    /// The names of its functions, sorted by start: read on demand.
    names: Option<Description>,
}

#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    end: usize,
    object: &'static FrameObject,
}

/// The first `len` entries are there, sorted by start, and do not change any more.
struct Run {
    len: AtomicUsize,
    entries: Box<[UnsafeCell<Option<Entry>>]>,
}

// SAFETY: as for `UnwindTable`.
unsafe impl Sync for Run {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for Run {}

/// Runs, the largest first when the table was made, but for the last. Tables that follow one another share those that stay.
#[derive(Default)]
struct Table {
    runs: Vec<Arc<Run>>,
}

/// All code of the runtime's making in the process, of any number of code memories.
pub struct UnwindTable {
    /// Null at first.
    current: AtomicPtr<Table>,
    /// Readers that may be in the current table or a replaced one.
    readers: AtomicUsize,
    /// Held to change the table; the replaced tables that readers may still be in.
    replaced: Lock<Vec<NonNull<Table>>>,
}

// SAFETY: entries are written under the lock before `len` or `current` make them visible, and not afterwards.
unsafe impl Sync for UnwindTable {}
// SAFETY: nothing in it belongs to a thread.
unsafe impl Send for UnwindTable {}

impl ForkLock for UnwindTable {
    fn before_fork(&self) {
        self.replaced.raw_lock();
    }

    unsafe fn after_fork(&self) {
        // SAFETY: the caller's promise.
        unsafe { self.replaced.unlock() };
    }
}

impl UnwindTable {
    /// An empty table, for a static.
    pub const fn new() -> Self {
        Self {
            current: AtomicPtr::new(std::ptr::null_mut()),
            readers: AtomicUsize::new(0),
            replaced: Lock::new(Vec::new()),
        }
    }

    /// Adds committed code with its unwind information, which is taken, and the function names of `description`, if there
    /// is one. From any thread, but not from a signal handler that may have interrupted another call of it.
    pub fn register(&self, code: &mut Code, description: Option<Description>) {
        if code.text.is_empty() {
            return;
        }
        let object: &'static FrameObject = Box::leak(Box::new(FrameObject::of(code, description)));
        let entry = Entry { start: code.text.start, end: code.text.end, object };
        let mut replaced = self.replaced.lock();
        let current = self.current.load(Ordering::Relaxed);
        // SAFETY: the current table is freed only after it was replaced, under the lock, which is held here.
        let old = unsafe { current.as_ref() };
        if old.is_some_and(|table| table.append(entry)) {
            return;
        }
        let new = old.map_or_else(Table::default, Table::share).with(entry);
        self.replace(&mut replaced, new);
    }

    /// Removes all code in `range`, which no thread runs any more.
    pub fn unregister(&self, range: &std::ops::Range<usize>) {
        let mut replaced = self.replaced.lock();
        // SAFETY: as in `register`.
        let Some(old) = (unsafe { self.current.load(Ordering::Relaxed).as_ref() }) else { return };
        let mut all: Vec<Entry> = old.runs.iter().flat_map(|run| run.all()).collect();
        let before = all.len();
        all.retain(|entry| !range.contains(&entry.start));
        if all.len() != before {
            all.sort_unstable_by_key(|entry| entry.start);
            self.replace(&mut replaced, Table { runs: vec![Arc::new(Run::new(all))] });
        }
    }

    /// Puts a new table in the place of the current one. The caller holds the lock.
    fn replace(&self, replaced: &mut Vec<NonNull<Table>>, new: Table) {
        let old = self.current.swap(Box::into_raw(Box::new(new)), Ordering::SeqCst);
        replaced.extend(NonNull::new(old));
        // A reader that comes after this load finds the new table (all three accesses are SeqCst).
        if self.readers.load(Ordering::SeqCst) == 0 {
            for table in replaced.drain(..) {
                // SAFETY: it came from Box::into_raw, is not the current one any more, and no reader is in it.
                drop(unsafe { Box::from_raw(table.as_ptr()) });
            }
        }
    }

    /// The FDE that covers `pc`. Takes no lock and allocates nothing: for signal handlers, too.
    pub fn find(&self, pc: usize) -> Option<FdeInfo> {
        let object = self.object(pc)?;
        let (fdes, at) = (&object.fdes, pc - object.text.start);
        let fde = fdes.before(at)?.at(object.text.start, object.frames);
        (pc < fde.end).then_some(FdeInfo { fde: fde.fde as *const u8, function: fde.start })
    }

    /// The function around `pc`. Like [`find`](Self::find).
    pub fn symbol(&self, pc: usize) -> Option<Named> {
        let object = self.object(pc)?;
        let names = object.names.as_ref()?;
        let (mut low, mut high) = (0, names.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if object.text.start.wrapping_add(names.offset(middle)) <= pc {
                low = middle + 1
            } else {
                high = middle
            }
        }
        let named = names.named(low.checked_sub(1)?, object.text.start);
        // Hand-written functions may lack a size: then they reach to the next.
        (named.size == 0 || pc - named.start < named.size).then_some(named)
    }

    /// The unwind information of the object around `pc`. Like [`find`](Self::find).
    pub fn frames(&self, pc: usize) -> Option<Frames> {
        let object = self.object(pc)?;
        Some(Frames { text: object.text.clone(), header: object.header.as_ref()?.as_ptr() })
    }

    /// Whether `pc` lies in code of the table.
    pub fn contains(&self, pc: usize) -> bool {
        self.object(pc).is_some()
    }

    /// The functions of the object around `pc`, by address. Like [`find`](Self::find).
    pub fn symbols(&self, pc: usize) -> impl Iterator<Item = Named> {
        let described = self.object(pc).and_then(|object| Some((object.names.as_ref()?, object.text.start)));
        described.into_iter().flat_map(|(names, text)| (0..names.len()).map(move |it| names.named(it, text)))
    }

    /// The FDEs of the object around `pc`, by address. Like [`find`](Self::find).
    pub fn fdes(&self, pc: usize) -> impl Iterator<Item = Fde> {
        let object = self.object(pc);
        object
            .into_iter()
            .flat_map(|object| object.fdes.iter().map(|fde| fde.at(object.text.start, object.frames)))
    }

    fn object(&self, pc: usize) -> Option<&'static FrameObject> {
        self.readers.fetch_add(1, Ordering::SeqCst);
        // SAFETY: a table is freed only if `readers` was 0 after it had been replaced; this reader was counted before it
        // read `current`, so the table it finds stays.
        let table = unsafe { self.current.load(Ordering::SeqCst).as_ref() };
        let object = table.and_then(|table| table.find(pc));
        self.readers.fetch_sub(1, Ordering::Release);
        object
    }

    /// For a child process that came without `before_fork` (raw clone): releases the lock, whichever thread held it.
    ///
    /// # Safety
    /// The calling thread must be the only one of its process, and not be in a call of this crate.
    pub unsafe fn detach(&self) {
        // SAFETY: the only thread, and it does not hold the lock (caller).
        let mut replaced = unsafe { self.replaced.seize() };
        // The parent's thread may have been changing the list: leave it alone.
        std::mem::forget(std::mem::take(&mut *replaced));
    }
}

impl Default for UnwindTable {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for UnwindTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnwindTable").finish_non_exhaustive()
    }
}

impl FrameObject {
    fn of(code: &mut Code, names: Option<Description>) -> Self {
        let (text, frames) = (code.text.clone(), code.eh_frame.start);
        let header = (!code.eh_frame.is_empty()).then(|| header(frames));
        Self { text, frames, fdes: std::mem::take(&mut code.fdes), header, names }
    }
}

const HEADER_LEN: usize = 12;

/// The header of the `.eh_frame` at `address`: version 1, the address as it is, and no table to search in, as an object
/// has a handful of entries.
fn header(address: usize) -> [u8; HEADER_LEN] {
    const ABSPTR: u8 = 0;
    const OMIT: u8 = 0xff;
    let mut header = [1, ABSPTR, OMIT, OMIT, 0, 0, 0, 0, 0, 0, 0, 0];
    header[4..].copy_from_slice(&address.to_le_bytes());
    header
}

impl Table {
    /// Another one with the same runs.
    fn share(&self) -> Self {
        Self { runs: self.runs.clone() }
    }

    /// Adds `entry` to a run that it can follow, if that has room. The caller holds the lock.
    fn append(&self, entry: Entry) -> bool {
        self.runs.iter().rev().any(|run| run.append(entry))
    }

    /// This table with `entry`, for which no run had room: behind the run that it can follow, else in one of its own.
    fn with(mut self, entry: Entry) -> Self {
        let follows = |run: &Arc<Run>| run.last().is_none_or(|last| last.start < entry.start);
        let mut all = match self.runs.iter().rposition(follows) {
            Some(full) => self.runs.remove(full).all(),
            None => Vec::new(),
        };
        all.push(entry);
        self.merge();
        self.runs.push(Arc::new(Run::new(all)));
        self
    }

    /// Leaves runs each of which has more than twice the entries of the next: they have grown since they were made.
    fn merge(&mut self) {
        self.runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
        let mut sorted: Vec<Arc<Run>> = Vec::with_capacity(self.runs.len() + 1);
        for run in self.runs.drain(..).rev() {
            match sorted.pop_if(|smaller| run.len() <= 2 * smaller.len()) {
                None => sorted.push(run),
                Some(smaller) => {
                    let mut all = [run.all(), smaller.all()].concat();
                    all.sort_unstable_by_key(|entry| entry.start);
                    sorted.push(Arc::new(Run::new(all)));
                }
            }
        }
        sorted.reverse();
        self.runs = sorted;
    }

    fn find(&self, pc: usize) -> Option<&'static FrameObject> {
        self.runs.iter().find_map(|run| run.find(pc))
    }
}

impl Run {
    /// The visible entries.
    fn all(&self) -> Vec<Entry> {
        // SAFETY: entries that are visible do not change any more.
        self.entries().iter().filter_map(|cell| unsafe { *cell.get() }).collect()
    }

    /// How many there are.
    fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// The last of them.
    fn last(&self) -> Option<Entry> {
        self.get(self.len().checked_sub(1)?)
    }

    /// A run of `all`, which is sorted, with room for more.
    fn new(all: Vec<Entry>) -> Self {
        let len = all.len();
        #[cfg(test)]
        tests::COPIED.with(|copied| copied.set(copied.get() + len));
        let entries = all.into_iter().map(Some).chain(std::iter::repeat_n(None, len.max(15)));
        Self { len: AtomicUsize::new(len), entries: entries.map(UnsafeCell::new).collect() }
    }

    /// The visible entries.
    fn entries(&self) -> &[UnsafeCell<Option<Entry>>] {
        &self.entries[..self.len.load(Ordering::Acquire)]
    }

    /// Adds `entry` behind the last if it belongs there and there is room. The caller holds the lock.
    fn append(&self, entry: Entry) -> bool {
        let len = self.len.load(Ordering::Relaxed);
        let last = len.checked_sub(1).and_then(|last| self.get(last));
        let Some(cell) = self.entries.get(len) else { return false };
        if last.is_some_and(|last| last.start > entry.start) {
            return false;
        }
        // SAFETY: entries from `len` on are not visible to readers, and the lock keeps other writers out.
        unsafe { *cell.get() = Some(entry) };
        self.len.store(len + 1, Ordering::Release);
        true
    }

    /// Visible entry `index`.
    fn get(&self, index: usize) -> Option<Entry> {
        // SAFETY: visible entries do not change any more.
        self.entries().get(index).and_then(|cell| unsafe { *cell.get() })
    }

    fn find(&self, pc: usize) -> Option<&'static FrameObject> {
        // SAFETY: visible entries do not change any more.
        let start = |cell: &UnsafeCell<Option<Entry>>| unsafe { (*cell.get()).map(|entry| entry.start) };
        let entries = self.entries();
        let behind = entries.partition_point(|cell| start(cell).is_some_and(|start| start <= pc));
        let entry = self.get(behind.checked_sub(1)?)?;
        (pc < entry.end).then_some(entry.object)
    }
}

#[cfg(test)]
mod tests;
