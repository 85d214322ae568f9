//! Synthetic ELF files that give compiled code symbols and lines: which objects to announce (see
//! objects.rs), and the file that describes them.
//!
//! Receives each batch when it is published. Nothing is made of it until a description is asked for; from then on
//! it is brought up to date at each such question and each walk of a stack, if there is new code.
//!
//! Readers ask once and remember: libbacktrace reads everything at once, Rust's standard library remembers which file
//! describes which addresses, and opens a file when it first meets an address. So besides the code that is there, the
//! rest of an area is announced in slices, whose file comes to exist when they hold code; and once a file was
//! written, new code goes to the next slice, which no reader has seen yet.
//!
//! The file is a memory file under a high descriptor, opened as /proc/PID/fd/N: not /proc/self, as a reader may hand the path
//! to another process (llvm-symbolizer). Its content is never changed (others may have mapped it): a new one
//! takes its descriptor. Slices that hold no code yet are announced under a descriptor that will be taken when they do. A
//! forked child has the same descriptors, and names with its own id.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString, c_char};
use std::ops::Range;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};

use autojit_code::lock::{ForkLock, Guard, Lock};
use autojit_code::{Area, Arena, Code, CodeMemory, Fde, Named, describe};
use goblin::elf::program_header::{PF_R, PF_X, PT_GNU_EH_FRAME, PT_LOAD};
use goblin::elf64::program_header::ProgramHeader;

use crate::link::lines::{Bitcode, Described, Lines};
use crate::link::listeners::{Listener, Published};
use crate::platform::guards::SignalGuard;
use crate::program::fork::ForkGuard;
use crate::program::image::{self, Image};
use crate::program::unwind_table;
use crate::sys::{self, File};

/// A batch of code.
struct Batch {
    text: Range<usize>,
    memory: &'static CodeMemory,
    eh_frame: usize,
    /// Whether debuggers were told of its lines when it was published.
    told: bool,
    /// The objects that describe its lines, and their loaded sections.
    lines: Described,
}

/// What the lock protects.
struct State {
    batches: Vec<Batch>,
    /// How many of them are described.
    described: usize,
    /// The first of the descriptors that files are opened by; 0 before one was chosen.
    first: i32,
    /// How many of them are in use or announced.
    announced: i32,
    /// Which file each of them led to last: device and inode.
    files: [(u64, u64); DESCRIPTORS],
    /// Names of functions by the entry that the runtime has made for them.
    entries: BTreeMap<usize, &'static CStr>,
}

static STATE: Lock<State> = Lock::new(State {
    batches: Vec::new(),
    described: 0,
    first: 0,
    announced: 0,
    files: [(0, 0); DESCRIPTORS],
    entries: BTreeMap::new(),
});

/// Whether there was a request.
static ASKED: AtomicBool = AtomicBool::new(false);
/// Batches, and those that are described.
static PUBLISHED: AtomicUsize = AtomicUsize::new(0);
static DESCRIBED: AtomicUsize = AtomicUsize::new(0);

/// Descriptors for files. Each further description takes the next, then all share the last.
const DESCRIPTORS: usize = 8;
/// The highest number that the first of them has: programs do not come there by opening files.
const HIGHEST: u64 = 1000;
/// The name of an object that no file describes.
const NO_FILE: &CStr = c"[autojit]";
/// Slices of an area.
const SLICES: usize = 256;
/// Text of an area that is announced in slices: later areas are met only when it is asked again.
const ANNOUNCED: usize = 32 << 20;
/// All images together announce about so much, or some would take the addresses that others need for code.
const ANNOUNCED_IN_ALL: usize = 256 << 20;

/// Code that is announced as a loaded object. Lives for ever, in a list.
#[derive(Debug)]
pub struct Region {
    /// Where the code is, and its unwind information.
    pub headers: Box<[ProgramHeader]>,
    /// Which file describes it.
    file: DescribedBy,
    memory: &'static CodeMemory,
    /// Whether its image was unloaded.
    gone: AtomicBool,
    next: *const Region,
}

/// The newest region.
static REGIONS: AtomicPtr<Region> = AtomicPtr::new(std::ptr::null_mut());
/// How many there are.
static REGION_COUNT: AtomicU64 = AtomicU64::new(0);
/// How many of them are gone.
static REGIONS_GONE: AtomicU64 = AtomicU64::new(0);

/// The slices of an area. Lives for ever, in a list.
#[derive(Debug)]
pub struct Slices {
    area: &'static Area,
    headers: Box<[ProgramHeader]>,
    /// The first that holds no code that was described.
    free: AtomicUsize,
    next: *const Slices,
}

static SLICES_OF_IMAGES: AtomicPtr<Slices> = AtomicPtr::new(std::ptr::null_mut());
/// The file that will describe what is not there yet.
static LATER: AtomicUsize = AtomicUsize::new(DescribedBy::NOTHING.0);

/// Which of the files describes something: the number of its descriptor, from the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DescribedBy(usize);

impl DescribedBy {
    /// No file can be had.
    const NOTHING: Self = Self(DESCRIPTORS);

    /// The file's name in this process. Lives for ever.
    fn name(self) -> &'static CStr {
        let name = FILE_NAMES.get(self.0).map_or(std::ptr::null_mut(), |name| name.load(SeqCst));
        // SAFETY: null, or a C string that is never freed.
        if name.is_null() { NO_FILE } else { unsafe { CStr::from_ptr(name) } }
    }
}

/// The names of the files in this process; null before there are any.
static FILE_NAMES: [AtomicPtr<c_char>; DESCRIPTORS] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; DESCRIPTORS];

/// Names the files, of which the first has the descriptor `first`.
fn name_files(first: i32) {
    // The process's id in the namespace that this /proc belongs to.
    let process = sys::read_link(c"/proc/self").unwrap_or_else(|_| b"self".to_vec());
    for (descriptor, name) in (first..).zip(&FILE_NAMES) {
        let path = sys::c_string(&[b"/proc/", &process, b"/fd/", descriptor.to_string().as_bytes()]);
        name.store(Box::leak(path.into_boxed_c_str()).as_ptr().cast_mut(), SeqCst);
    }
}

/// In a child after a fork: names the files anew, if there are any.
pub fn after_fork_in_child() {
    let first = STATE.lock().first;
    if !FILE_NAMES[0].load(SeqCst).is_null() {
        name_files(first);
    }
}

impl Region {
    /// The file that describes it.
    pub fn file(&self) -> &'static CStr {
        self.file.name()
    }
}

/// Notes published code.
#[derive(Debug)]
pub struct Names;

impl Listener for Names {
    fn published(&self, published: &mut Published<'_>) {
        let lines = std::mem::replace(&mut published.lines, Lines::None);
        register(&published.code, published.memory, !published.objects.is_empty(), lines);
    }

    fn unloaded(&self, image: &Image) {
        image.reserved_memory().into_iter().for_each(forget);
    }
}

/// Notes published code. `lines` is what describes its lines; `told`: debuggers know them.
fn register(code: &Code, memory: &'static CodeMemory, told: bool, lines: Lines) {
    if code.text.is_empty() {
        return;
    }
    let lines = Described::of(lines, code);
    let batch = Batch { text: code.text.clone(), memory, eh_frame: code.eh_frame.start, told, lines };
    let mut state = STATE.lock();
    state.batches.push(batch);
    PUBLISHED.store(state.batches.len(), SeqCst);
}

/// The program asks which objects there are: describes all code.
pub fn ask() {
    ASKED.store(true, SeqCst);
    if DESCRIBED.load(SeqCst) != PUBLISHED.load(SeqCst) {
        bring_up_to_date();
    }
}

/// The program walks the stack: describes all code, if it has asked before. For signal handlers, too.
pub fn refresh() {
    if ASKED.load(Relaxed) && DESCRIBED.load(SeqCst) != PUBLISHED.load(SeqCst) {
        bring_up_to_date();
    }
}

/// For a debugger that knows `known` batches: how many there are, and a file that describes those whose lines it was not told
/// when they were published. None if these are all.
pub fn for_debugger(known: usize) -> Option<(usize, Vec<u8>)> {
    if PUBLISHED.load(SeqCst) == known {
        return None;
    }
    let _uninterrupted = SignalGuard::new();
    let _fork_guard = ForkGuard::enter();
    let mut state = lock_with_lines();
    let count = state.batches.len();
    let untold: Vec<_> = state.batches.iter_mut().filter(|batch| !batch.told).collect();
    Some((count, content(untold)))
}

/// The name of the function that the runtime has made the entry at `address` for, as a C string that stays.
pub fn of_entry(address: usize, name: &str) -> &'static CStr {
    let _uninterrupted = SignalGuard::new();
    let _fork_guard = ForkGuard::enter();
    STATE
        .lock()
        .entries
        .entry(address)
        .or_insert_with(|| Box::leak(CString::new(name).unwrap_or_default().into_boxed_c_str()))
}

/// Calls `visit` for each compiled function.
pub fn each_function(mut visit: impl FnMut(Named)) {
    for batch in &STATE.lock().batches {
        unwind_table::TABLE.symbols(batch.text.start).for_each(&mut visit);
    }
}

/// How many regions came, and how many went; both numbers only grow.
pub fn region_counts() -> [u64; 2] {
    [REGION_COUNT.load(SeqCst), REGIONS_GONE.load(SeqCst)]
}

/// The regions that are there.
pub fn regions() -> impl Iterator<Item = &'static Region> {
    let mut next = REGIONS.load(SeqCst).cast_const();
    let regions = std::iter::from_fn(move || {
        // SAFETY: regions are never freed.
        let region = unsafe { next.as_ref() }?;
        next = region.next;
        Some(region)
    });
    regions.filter(|region| !region.gone.load(SeqCst))
}

/// Withdraws everything in `memory`, whose image was unloaded.
fn forget(memory: &CodeMemory) {
    {
        let mut state = STATE.lock();
        let state = &mut *state;
        let gone = |batch: &Batch| std::ptr::eq(batch.memory, memory);
        state.described -= state.batches[..state.described].iter().filter(|batch| gone(batch)).count();
        state.batches.retain(|batch| !gone(batch));
        PUBLISHED.store(state.batches.len(), SeqCst);
        DESCRIBED.store(state.described, SeqCst);
    }
    // What was announced is read with the loader's lock held.
    crate::platform::loaded::with_all(|_| {
        for region in regions().filter(|region| std::ptr::eq(region.memory, memory)) {
            region.gone.store(true, SeqCst);
            REGIONS_GONE.fetch_add(1, SeqCst);
        }
        for slices in memory.areas().filter_map(slices_of) {
            slices.free.store(SLICES, SeqCst);
        }
    });
}

/// The slices of all images.
fn all_slices() -> impl Iterator<Item = &'static Slices> {
    let mut next = SLICES_OF_IMAGES.load(SeqCst).cast_const();
    std::iter::from_fn(move || {
        // SAFETY: slices are never freed.
        let slices = unsafe { next.as_ref() }?;
        next = slices.next;
        Some(slices)
    })
}

fn slices_of(area: &Area) -> Option<&'static Slices> {
    all_slices().find(|slices| std::ptr::eq(slices.area, area))
}

/// Slices that hold no code yet, as program headers, and the name of the file that will describe them.
pub fn slices() -> impl Iterator<Item = (&'static CStr, &'static ProgramHeader)> {
    let file = DescribedBy(LATER.load(SeqCst)).name();
    all_slices()
        .flat_map(|slices| &slices.headers[slices.free.load(SeqCst)..])
        .map(move |header| (file, header))
}

/// A fork waits until nothing is being described.
pub static FORK_LOCK: &dyn ForkLock = &STATE;

/// Describes all code: unwind information and place as regions, everything else as a file.
fn bring_up_to_date() {
    let _uninterrupted = SignalGuard::new();
    let _fork_guard = ForkGuard::enter();
    let mut state = lock_with_lines();
    let state = &mut *state;
    if state.batches.len() == state.described {
        return;
    }
    // The file comes first: what is told of a region may open it at once.
    let files = write_file(&mut state.batches, &mut state.first, &mut state.announced, &mut state.files);
    let new = &state.batches[state.described..];
    for image in image::all() {
        let Some(memory) = image.reserved_memory() else { continue };
        let mut batches: Vec<_> = new.iter().filter(|batch| std::ptr::eq(batch.memory, memory)).collect();
        if batches.is_empty() {
            continue;
        }
        batches.sort_by_key(|batch| batch.text.start);
        for batches in batches.chunk_by(|a, b| same_area(memory, a.text.start, b.text.start)) {
            // A program header count has 16 bits.
            for batches in batches.chunks(1 << 12) {
                add_region(memory, batches, files[0]);
            }
        }
        move_on(memory);
    }
    LATER.store(files[1].0, SeqCst);
    state.described = state.batches.len();
    DESCRIBED.store(state.described, SeqCst);
}

/// The state, when the lines of all code are there that can be had.
fn lock_with_lines() -> Guard<'static, State> {
    loop {
        let mut state = STATE.lock();
        let mut asked = state.batches.iter_mut().flat_map(|batch| batch.lines.bitcode());
        let Some(Bitcode { module, read, .. }) = asked.next() else { return state };
        let (module, read) = (*module, *read);
        let asked = state.batches.iter_mut().flat_map(|batch| batch.lines.bitcode());
        let of_module = asked.filter(|bitcode| std::ptr::eq(bitcode.module, module));
        let functions: Vec<_> = of_module.flat_map(|bitcode| bitcode.functions.iter().copied()).collect();
        // Without the lock: images stay loaded by the loader's, which others hold when they ask.
        drop(state);
        let made = module.image().while_loaded(|| read(module, &functions)).unwrap_or_default();
        let mut made: BTreeMap<_, _> = made.into_iter().map(|lines| (lines.start, lines)).collect();
        let asked: BTreeSet<_> = functions.iter().map(|function| function.start).collect();
        for batch in &mut STATE.lock().batches {
            batch.lines.complete(module, &asked, &mut made);
        }
    }
}

/// Whether two addresses lie in one area.
fn same_area(memory: &CodeMemory, a: usize, b: usize) -> bool {
    memory.area_of(a).is_some_and(|area| area.range().contains(&b))
}

/// Announces code of one area, in the order of addresses.
fn add_region(memory: &'static CodeMemory, batches: &[&Batch], file: DescribedBy) {
    let mut headers: Vec<ProgramHeader> = Vec::new();
    let mut end = 0;
    for batch in batches {
        match headers.last_mut() {
            // Nothing else fits between them.
            Some(last) if batch.text.start - end <= 16 => last.p_memsz += (batch.text.end - end) as u64,
            _ => headers.push(loaded(&batch.text)),
        }
        end = batch.text.end;
    }
    if let Some(table) = search_table(memory, batches) {
        let header = ProgramHeader { p_type: PT_GNU_EH_FRAME, p_flags: PF_R, ..loaded(&table) };
        headers.push(header);
    }
    let (gone, next) = (AtomicBool::new(false), REGIONS.load(SeqCst));
    let region = Region { headers: headers.into(), file, memory, gone, next };
    REGIONS.store(Box::leak(Box::new(region)), SeqCst);
    REGION_COUNT.fetch_add(1, SeqCst);
}

/// A PT_LOAD header of an object at [`describe::BASE`].
fn loaded(range: &Range<usize>) -> ProgramHeader {
    let (address, size) = ((range.start - describe::BASE) as u64, range.len() as u64);
    ProgramHeader {
        p_type: PT_LOAD,
        p_flags: PF_R | PF_X,
        p_offset: 0,
        p_vaddr: address,
        p_paddr: address,
        p_filesz: 0,
        p_memsz: size,
        p_align: 1,
    }
}

/// An .eh_frame_hdr (LSB core, 10.6.2) for unwinders that ask for objects; where it is.
fn search_table(memory: &CodeMemory, batches: &[&Batch]) -> Option<Range<usize>> {
    let fdes: Vec<Fde> =
        batches.iter().flat_map(|batch| unwind_table::TABLE.fdes(batch.text.start)).collect();
    let frames = batches.iter().find(|batch| batch.eh_frame != 0)?.eh_frame;
    let size = 12 + fdes.len() * 8;
    let fill = |address: usize, bytes: &mut [u8]| {
        // Areas are within reach of one image (checked below).
        let relative = |target: usize, base: usize| (target.wrapping_sub(base) as i32).to_le_bytes();
        // Version; .eh_frame relative to its field, count, and pairs relative to the table.
        bytes[..4].copy_from_slice(&[1, 0x1b, 0x03, 0x3b]);
        bytes[4..8].copy_from_slice(&relative(frames, address + 4));
        bytes[8..12].copy_from_slice(&(fdes.len() as u32).to_le_bytes());
        for (pair, fde) in bytes[12..].chunks_exact_mut(8).zip(&fdes) {
            pair[..4].copy_from_slice(&relative(fde.start, address));
            pair[4..].copy_from_slice(&relative(fde.fde, address));
        }
    };
    let address = memory.keep_data(size, fill).ok()?;
    let near = batches.first()?.text.start.abs_diff(address) < 1 << 30;
    near.then_some(address..address + size)
}

/// Lets new code go to the first slice that holds none, of an area that has room for all the code to come.
fn move_on(memory: &'static CodeMemory) {
    let images = image::all().filter(|image| image.reserved_memory().is_some()).count().max(1);
    let room = (ANNOUNCED_IN_ALL / images).min(ANNOUNCED);
    let announced = memory.newest().is_some_and(|area| slices_of(area).is_some());
    let area = if announced { memory.newest() } else { memory.make_room(room) };
    let Some(area) = area else { return };
    let text = area.arena(Arena::Text);
    let step = (text.len() / SLICES) & !4095;
    if step == 0 {
        return;
    }
    let slices = slices_of(area).unwrap_or_else(|| {
        let slice = |number| loaded(&(text.start + number * step..text.start + (number + 1) * step));
        let slices = Slices {
            area,
            headers: (0..SLICES).map(slice).collect(),
            free: AtomicUsize::new(0),
            next: SLICES_OF_IMAGES.load(SeqCst),
        };
        let slices: &'static Slices = Box::leak(Box::new(slices));
        SLICES_OF_IMAGES.store(std::ptr::from_ref(slices).cast_mut(), SeqCst);
        slices
    });
    let free = (area.text_used() - text.start).div_ceil(step).min(SLICES);
    if free > slices.free.load(SeqCst) {
        slices.free.store(free, SeqCst);
        area.skip_text_to(text.start + free * step);
    }
}

/// The file that describes `batches`.
fn content(mut batches: Vec<&mut Batch>) -> Vec<u8> {
    let linked: Vec<_> = batches.iter_mut().flat_map(|batch| batch.lines.objects().to_vec()).collect();
    let starts = || batches.iter().map(|batch| batch.text.start);
    let whole = starts().min().unwrap_or(0)..batches.iter().map(|batch| batch.text.end).max().unwrap_or(0);
    let functions = starts().flat_map(|start| unwind_table::TABLE.symbols(start));
    let lines = batches.iter().flat_map(|batch| batch.lines.lines());
    describe::elf(&whole, functions, linked, lines)
}

/// Writes the file that describes `batches`. Returns the file for what is there, and the one for what will be described
/// next, if there can be any.
fn write_file(
    batches: &mut [Batch],
    first: &mut i32,
    announced: &mut i32,
    files: &mut [(u64, u64); DESCRIPTORS],
) -> [DescribedBy; 2] {
    if *first == 0 {
        let room = sys::descriptor_limit().min(HIGHEST + DESCRIPTORS as u64);
        *first = room.saturating_sub(DESCRIPTORS as u64) as i32;
    }
    // A limit as low as this is one that the program lives with.
    if *first < DESCRIPTORS as i32 {
        return [DescribedBy::NOTHING; 2];
    }
    let content = content(batches.iter_mut().collect());
    *announced = (*announced + 1).min(DESCRIPTORS as i32 - 1);
    if let Ok(file) = File::memory(c"autojit-names")
        && let Ok(identity) = file.identity()
        && sys::write(file.descriptor(), &content).is_ok()
    {
        for number in 0..*announced {
            let descriptor = *first + number;
            let known = &mut files[number as usize];
            // The program may have closed ours, and opened another file under the number.
            let ours = File::identity_of(descriptor).is_none_or(|now| now == *known);
            if ours && file.duplicate_to(descriptor).is_ok() {
                *known = identity;
            }
        }
    }
    if FILE_NAMES[0].load(SeqCst).is_null() {
        name_files(*first);
    }
    [DescribedBy(0), DescribedBy(*announced as usize)]
}
