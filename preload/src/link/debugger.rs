//! Debuggers: which code there is, with names and lines for all of it, and with types and variables if a debugger
//! started the process.
//!
//! Receives linked objects and registered images; hands on files to the debugger, through gdb's JIT interface
//! (autojit_trampoline::debugger): what describes the code, or, if there are lines, the object's tables, relocated. So
//! every process has one: a debugger that attaches later, or opens a core file, finds names. Full information would cost several times the
//! compile, so it is for processes that are being debugged when an image registers: the image's modules are compiled
//! completely then, before anything of them runs, so that breakpoints, types and variables are known at once.

use std::borrow::Cow;
use std::ffi::CStr;
use std::ops::Range;

use autojit_code::lock::{ForkLock, Lock};
use autojit_code::unit::{Lines, Segment};
use autojit_code::{Code, CodeMemory, DebugFile, Description};
use autojit_store::Symbol;
use autojit_trampoline::debugger::{Entry, changed, descriptor};

use crate::link::listeners::{Listener, Published};
use crate::program::image::Image;
use crate::program::module::Module;
use crate::settings::options::{self, Debugger};
use crate::sys::File;

/// One thread at a time changes the list.
static LIST: Lock<List> = Lock::new(List { described: Vec::new(), young: Vec::new() });

/// Functions of code that has a file of its own for a while.
const FEW: usize = 16;
/// So many files of few functions become one: a debugger that attaches needs a time for each that grows with their number.
const MANY: usize = 128;

/// What is known of the files in gdb's list, and of those that are not there yet.
#[derive(Debug)]
struct List {
    /// Images all of whose modules are being described, with what is one file at last.
    described: Vec<(&'static Image, Gathered)>,
    /// Files of few functions.
    young: Vec<Young>,
}

/// A file of few functions that is in the list.
#[derive(Debug)]
struct Young {
    entry: *mut Entry,
    /// What it consists of.
    description: Description,
    code: usize,
    /// The memory that this is in: what is combined goes together.
    memory: &'static CodeMemory,
}

// SAFETY: entries are changed by the thread that has the list only, and are freed when they are in neither list.
unsafe impl Send for Young {}

/// A fork waits until the list is whole.
pub static FORK_LOCK: &dyn ForkLock = &LIST;

/// Whether a debugger is to get full information of images that register now.
pub fn wants_everything() -> bool {
    match options::get().map(|options| options.debugger) {
        Some(Debugger::Auto) => tracer().is_some_and(|name| is_debugger(&name)),
        Some(Debugger::On) => true,
        Some(Debugger::Off) | None => false,
    }
}

/// The name of the process that traces this one.
pub fn tracer() -> Option<Vec<u8>> {
    let id = status(b"TracerPid:")?;
    if id == b"0" {
        return None;
    }
    let path = std::ffi::CString::new([b"/proc/", &id[..], b"/comm"].concat()).ok()?;
    start_of(&path)
}

/// Whether this thread is the only one of the process.
pub fn is_only_thread() -> bool {
    status(b"Threads:").is_some_and(|threads| threads == b"1")
}

/// A field of the process's status.
fn status(name: &[u8]) -> Option<Vec<u8>> {
    let status = start_of(c"/proc/self/status")?;
    let mut lines = status.split(|&byte| byte == b'\n');
    Some(lines.find_map(|line| line.strip_prefix(name))?.trim_ascii().to_vec())
}

/// What is looked for is at the start, and /proc gives as much as there is room for.
fn start_of(path: &CStr) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 4096];
    let count = File::open(path, libc::O_RDONLY, 0).and_then(|file| file.read(&mut bytes)).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

/// Whether a tracer of this name wants to know variables. strace and its like do not.
fn is_debugger(name: &[u8]) -> bool {
    let has = |part: &[u8]| name.windows(part.len()).any(|window| window == part);
    // gdb, gdbserver; lldb, lldb-server, codelldb; rr, whose recordings gdb replays.
    has(b"gdb") || has(b"lldb") || name.trim_ascii() == b"rr"
}

/// Whether debuggers are told nothing.
fn is_off() -> bool {
    options::get().is_none_or(|options| options.debugger == Debugger::Off)
}

/// Tells debuggers.
#[derive(Debug)]
pub struct Debuggers;

impl Listener for Debuggers {
    fn published(&self, published: &mut Published<'_>) {
        if is_off() {
            return;
        }
        let Published { module, memory, code, description, objects, .. } = published;
        if !objects.is_empty() {
            register(module, objects, code);
        } else if let Some(description) = *description {
            let code = code.text.start;
            let entry = add(description.bytes().into(), code);
            if description.len() < FEW {
                combine(Young { entry, description, code, memory });
            }
        }
    }

    fn unloaded(&self, image: &Image) {
        let areas = image.reserved_memory().into_iter().flat_map(CodeMemory::areas);
        areas.for_each(|area| forget(&area.range()));
    }
}

/// Objects that become one file, and where some of their code is.
#[derive(Debug, Default)]
struct Gathered {
    file: DebugFile,
    code: usize,
}

impl Gathered {
    /// Puts it into the list.
    fn register(self) {
        if !self.file.is_empty() {
            add(self.file.finish().into(), self.code);
        }
    }
}

/// Until it is dropped, what is told of the image's code is gathered: a debugger that is told of hundreds of files looks
/// hundreds of times at all that it knows. Nothing of the image may run meanwhile.
#[derive(Debug)]
pub struct Gathering(&'static Image);

/// Begins to gather.
pub fn gather(image: &'static Image) -> Gathering {
    LIST.lock().described.push((image, Gathered::default()));
    Gathering(image)
}

impl Drop for Gathering {
    fn drop(&mut self) {
        let gathered = {
            let all = &mut LIST.lock().described;
            let at = all.iter().position(|(image, _)| std::ptr::eq(*image, self.0));
            at.map(|at| all.swap_remove(at).1)
        };
        gathered.into_iter().for_each(Gathered::register);
    }
}

/// Tells debuggers of `code`, which was linked from `objects` and belongs to `module`.
fn register(module: &'static Module, objects: &[Lines<'_>], code: &Code) {
    // Without variables nothing refers to symbols that are elsewhere.
    let address = |name: &str| module.described_in_full().then(|| address_of(module, name)).flatten();
    for Lines { object, sections, .. } in objects {
        let section = |&(index, segment, offset): &(u32, Segment, u32)| {
            (index, code.segments[segment as usize] + offset as usize)
        };
        let sections: Vec<_> = sections.iter().map(section).collect();
        // No other code of an image that is being described is published meanwhile.
        let known = find(&mut LIST.lock().described, module.image()).map(std::mem::take);
        let is_gathered = known.is_some();
        let mut gathered = known.unwrap_or_default();
        if gathered.file.has_no_room_for(object) {
            std::mem::take(&mut gathered).register();
        }
        gathered.code = code.text.start;
        if let Err(error) = gathered.file.add(object, &sections, address) {
            log::info!("code of {} is not described to debuggers: {error}", module.source());
        }
        if is_gathered {
            let mut list = LIST.lock();
            find(&mut list.described, module.image())
                .into_iter()
                .for_each(|place| std::mem::swap(place, &mut gathered));
        } else {
            gathered.register();
        }
    }
}

/// What is gathered of an image.
fn find<'l>(list: &'l mut [(&'static Image, Gathered)], image: &Image) -> Option<&'l mut Gathered> {
    list.iter_mut().find(|(it, _)| std::ptr::eq(*it, image)).map(|(_, gathered)| gathered)
}

/// The address of a symbol that debugging information mentions.
fn address_of(module: &'static Module, name: &str) -> Option<usize> {
    match module.opened()?.container.find(name) {
        Some(Symbol::Import(index)) => module.import(index).filter(|address| *address != 0),
        // Its stub, in this module or another.
        Some(Symbol::Function(index)) => {
            module.function(index)?.kind().1.and_then(|import| module.import(import))
        }
        None => module.image().variable(name),
    }
}

/// A file in the list.
#[repr(C)]
struct Registered {
    /// First, as the list consists of these.
    entry: Entry,
    /// The address of its code.
    code: usize,
    /// What the entry points to.
    _file: Cow<'static, [u8]>,
}

/// Notes a file of few functions; if there are many, one takes their place.
fn combine(young: Young) {
    let memory = young.memory;
    let is_of = |it: &Young| std::ptr::eq(it.memory, memory);
    let many: Vec<Young> = {
        let all = &mut LIST.lock().young;
        all.push(young);
        if all.iter().filter(|it| is_of(it)).count() < MANY {
            return;
        }
        let (many, others) = all.drain(..).partition(is_of);
        *all = others;
        many
    };
    if tracer().is_some_and(|name| is_debugger(&name)) {
        // It knows them, and would have to be told that they go.
        return;
    }
    let mut file = DebugFile::default();
    for Young { description, code, .. } in &many {
        if let Err(error) = file.add_description(description, *code) {
            log::debug!("names of code cannot be combined for debuggers: {error}");
            return;
        }
    }
    add(file.finish().into(), many[0].code);
    let _one_at_a_time = LIST.lock();
    // SAFETY: the lock makes the list this thread's; they were in it, and in no other.
    many.iter().for_each(|young| unsafe { take_out(young.entry) });
}

/// Puts the file of the code at `code` into the list.
fn add(file: Cow<'static, [u8]>, code: usize) -> *mut Entry {
    let (null, length) = (std::ptr::null_mut(), file.len() as u64);
    let entry = Entry { next: null, previous: null, file: file.as_ptr(), length };
    let entry = Box::into_raw(Box::new(Registered { entry, code, _file: file })).cast::<Entry>();
    let _one_at_a_time = LIST.lock();
    let list = descriptor();
    // SAFETY: the lock makes the list this thread's, and its entries live until they are taken out.
    unsafe {
        (*entry).next = (*list).first;
        if let Some(next) = (*list).first.as_mut() {
            next.previous = entry;
        }
        (*list).first = entry;
        (*list).relevant = entry;
        (*list).action = ADDED;
    }
    changed();
    entry
}

/// Takes an entry out of the list and frees it.
///
/// # Safety
/// It must be in the list, which must be the calling thread's.
unsafe fn take_out(entry: *mut Entry) {
    let list = descriptor();
    // SAFETY: the caller's promise; what is taken out nothing else knows but the debugger, which is done with it when
    // `changed` returns.
    unsafe {
        let next = (*entry).next;
        match (*entry).previous.as_mut() {
            Some(previous) => previous.next = next,
            None => (*list).first = next,
        }
        if let Some(next) = next.as_mut() {
            next.previous = (*entry).previous;
        }
        (*list).relevant = entry;
        (*list).action = REMOVED;
        changed();
        (*list).relevant = std::ptr::null_mut();
        drop(Box::from_raw(entry.cast::<Registered>()));
    }
}

/// Takes the files of all code in `range` out of the list: its image was unloaded.
fn forget(range: &Range<usize>) {
    let mut list = LIST.lock();
    list.young.retain(|young| !range.contains(&young.code));
    // SAFETY: the lock makes the list this thread's, and its entries live until they are taken out.
    unsafe {
        let mut next = (*descriptor()).first;
        while !next.is_null() {
            let entry = next;
            next = (*entry).next;
            if range.contains(&(*entry.cast::<Registered>()).code) {
                take_out(entry);
            }
        }
    }
}

/// gdb's JIT_REGISTER_FN.
const ADDED: u32 = 1;
/// gdb's JIT_UNREGISTER_FN.
const REMOVED: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debuggers_are_told_from_tracers() {
        for name in ["gdb\n", "gdbserver\n", "gdb-multiarch\n", "lldb-server\n", "rr\n"] {
            assert!(is_debugger(name.as_bytes()), "{name}");
        }
        for name in ["strace\n", "ltrace\n", "perf\n", "rrdtool\n"] {
            assert!(!is_debugger(name.as_bytes()), "{name}");
        }
    }
}
