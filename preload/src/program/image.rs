//! Images with lazily compiled code: the executable and shared libraries that registered themselves.
//!
//! Receives [`ImageRecord`]s; knows each image's mapping, its file, its modules and its code memory; hands on
//! the function that a slot or a stub stands for. The list only grows, and its readers take no lock. An image that was
//! unloaded is found out when another one registers, or when a function is compiled ([`notice_unloads`]).

use std::collections::{BTreeMap, HashMap};
use std::ffi::CString;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use autojit_code::prelinked::{self, ModuleFacts};
use autojit_code::{Booking, CodeMemory};
use autojit_trampoline::contract::{CONTRACT_VERSION, IMAGE_MAGIC, ImageRecord, ModuleRecord, Slot};
use goblin::elf::program_header::{PF_R, PF_W, PF_X};

use crate::platform::elf_file::{ElfFile, SymbolTable, Symbols};
use crate::platform::loaded::{self, Definition, LoadedObject};
use crate::platform::scope;
use crate::program::attachment::Attachment;
use crate::program::function::Function;
use crate::program::module::{self, Module};
use crate::program::symbols;
use crate::settings::failure::Failure;
use crate::settings::stats;
use crate::sys::Map;
use crate::sys::{self, File};
use autojit_code::lock::Lock;

mod lookup;
mod memory;
mod modules;
mod slots;

pub use lookup::*;
pub use memory::{memory_around, owner};
pub use modules::Modules;

/// An image. Lives for ever, in a list.
#[derive(Debug)]
pub struct Image {
    mapping: Mapping,
    slots: Range<usize>,
    records: Range<usize>,
    modules: Modules,
    /// Its file, mapped, once it was asked for; None inside if that is out of reach.
    file: Lock<Option<Option<Arc<Map>>>>,
    /// The pointer through which its stubs' lazy entries call.
    entry: usize,
    /// The static symbol table of its file, once it was asked for.
    symbols: Lock<Option<SymbolTable>>,
    /// The variables in it, by name: None for a name of several.
    variables: OnceLock<BTreeMap<String, Option<usize>>>,
    memory: OnceLock<CodeMemory>,
    /// Address space for that, until it is there.
    booking: Lock<Booking>,
    /// Where the slots of each module lie, by its position, once it was asked for.
    slot_runs: OnceLock<Vec<slots::SlotRun>>,
    /// By name, the one copy of each inline function that serves the image.
    inline: Lock<HashMap<&'static str, &'static Function, BuildHasherDefault<NameHasher>>>,
    /// What the object cache has of it, once that was asked for.
    attachment: Attachment,
    /// Tells names of functions, if it has any.
    naming: OnceLock<fn(&'static Function)>,
    /// May have stubs for functions that have none in the image.
    stubs: OnceLock<StubOf>,
    /// Whether it is described to a debugger in full.
    prepared: AtomicBool,
    unloaded: AtomicBool,
    next: *const Image,
}

// SAFETY: `next` is written before the image is shared; the other fields are Send and Sync.
unsafe impl Send for Image {}
// SAFETY: as above.
unsafe impl Sync for Image {}

/// Hashes names as containers do: they come from there, so nothing is gained by making them collide.
#[derive(Debug, Default)]
struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= autojit_store::hash(bytes);
    }

    /// What ends a name: the length is in its hash.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Gives the address of a function's stub, and its slot.
type StubOf = fn(&Function) -> Option<(usize, &'static Slot)>;

/// Where an image lies.
#[derive(Clone, Debug)]
struct Mapping {
    base: usize,
    range: Range<usize>,
    code: Vec<Range<usize>>,
    readable: Vec<Range<usize>>,
    executable: bool,
    /// It is never unloaded.
    permanent: bool,
    /// For messages.
    name: String,
    /// To open.
    path: CString,
}

/// The list's head.
static IMAGES: AtomicPtr<Image> = AtomicPtr::new(std::ptr::null_mut());

/// All images that are loaded.
pub fn all() -> impl Iterator<Item = &'static Image> {
    let mut next = IMAGES.load(Ordering::Acquire).cast_const();
    std::iter::from_fn(move || {
        // SAFETY: images are never freed.
        let image = unsafe { next.as_ref() }?;
        next = image.next;
        Some(image)
    })
    .filter(|image| !image.unloaded.load(Ordering::Acquire))
}

/// Registers the image of `record`, whose entry pointer is to hold `trampoline`. None if it has
/// registered before. `debugged`: a debugger wants to know everything of it. The caller holds the lifecycle's lock.
///
/// # Errors
/// The image was made for another runtime, or something it needs is not there: the program cannot run.
///
/// # Safety
/// The record must be one of a loaded and relocated image (contract).
pub unsafe fn register(
    record: *const ImageRecord,
    trampoline: usize,
    debugged: bool,
) -> Result<Option<&'static Image>, Failure> {
    // SAFETY: the caller's promise.
    let tables = unsafe { &*record };
    if tables.magic != IMAGE_MAGIC || tables.version != CONTRACT_VERSION {
        return Err(Failure::new(format_args!(
            "it was linked for contract version {}, this runtime has version {CONTRACT_VERSION}; use the plugin \
             and the runtime of one release",
            tables.version
        )));
    }
    // SAFETY: the pointer is the image's (contract).
    let entry = unsafe { &*tables.entry_pointer() };
    if entry.load(Ordering::Acquire) == trampoline {
        // The constructor of an image whose stubs were called before.
        return Ok(None);
    }
    let mapping = Mapping::of(record as usize).ok_or_else(|| {
        Failure::new(format_args!(
            "its tables are in no object of this namespace; a library for namespaces of its own (dlmopen) has to be built \
             without autojit"
        ))
    })?;
    all().filter(|old| overlap(&old.mapping.range, &mapping.range)).for_each(Image::unload);
    let image = Image::new(tables, mapping);
    let mut functions = 0;
    for record in image.modules.records() {
        module::check(record)?;
        functions += u64::from(record.functions);
    }
    log::info!(
        "{}: {} modules, {} stubs",
        image.mapping.name,
        image.modules.len(),
        image.slots.len() / size_of::<Slot>()
    );
    stats::COUNTERS.modules.add(image.modules.len() as u64);
    stats::COUNTERS.functions.add(functions);
    let image: &'static Image = Box::leak(Box::new(image));
    image.book(debugged, functions as usize);
    IMAGES.store(std::ptr::from_ref(image).cast_mut(), Ordering::Release);
    entry.store(trampoline, Ordering::Release);
    Ok(Some(image))
}

/// What is told of unloaded images.
static UNLOADED: OnceLock<fn(&Image)> = OnceLock::new();

/// From now on, `tell` is called with each image that was unloaded, before its memory is given back.
pub fn tell_of_unloads(tell: fn(&Image)) {
    UNLOADED.get_or_init(|| tell);
}

/// The loader's count of unloaded objects when [`notice_unloads`] last looked.
static UNLOADS: AtomicU64 = AtomicU64::new(0);

/// Whether the loader has unloaded objects that [`notice_unloads`] has not seen. Takes the loader's lock only if there is
/// an image that can be unloaded.
pub fn unloads_unnoticed() -> bool {
    !all().all(Image::is_permanent) && loaded::unloads() != UNLOADS.load(Ordering::Acquire)
}

/// Finds out which images the program has unloaded. The caller holds the lifecycle's lock.
pub fn notice_unloads() {
    let now = loaded::unloads();
    if UNLOADS.load(Ordering::Acquire) != now {
        all().filter(|image| !image.is_loaded()).for_each(Image::unload);
        symbols::forget_found();
        UNLOADS.store(now, Ordering::Release);
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

impl Mapping {
    /// The object around `address`.
    fn of(address: usize) -> Option<Self> {
        let permanent = loaded::is_permanent(address);
        loaded::each(|object| {
            if !object.contains(address) {
                return ControlFlow::Continue(());
            }
            let executable = object.name.is_empty();
            let path =
                if executable { c"/proc/self/exe".to_owned() } else { sys::absolute(object.name.to_bytes()) };
            let name = if executable { program() } else { path.to_string_lossy().into_owned() };
            ControlFlow::Break(Self {
                base: object.base,
                range: object.range(),
                code: object.segments(PF_X).collect(),
                readable: object.segments(PF_R).collect(),
                executable,
                permanent,
                name,
                path,
            })
        })
    }
}

/// The executable's path.
pub fn program() -> String {
    let path = sys::read_link(c"/proc/self/exe").unwrap_or_default();
    String::from_utf8_lossy(&path).into_owned()
}

impl Image {
    fn new(tables: &ImageRecord, mapping: Mapping) -> Self {
        let (slots, records) = (tables.slots(), tables.modules());
        // SAFETY: the linker put the records one behind the other (contract).
        let modules = unsafe { Modules::new(records.clone()) };
        let records = records.start as usize..records.end as usize;
        Self {
            mapping,
            slots: slots.start as usize..slots.end as usize,
            records,
            modules,
            file: Lock::new(None),
            entry: tables.entry_pointer() as usize,
            symbols: Lock::new(None),
            variables: OnceLock::new(),
            memory: OnceLock::new(),
            booking: Lock::new(Booking::default()),
            slot_runs: OnceLock::new(),
            inline: Lock::new(HashMap::default()),
            attachment: Attachment::default(),
            naming: OnceLock::new(),
            stubs: OnceLock::new(),
            prepared: AtomicBool::new(false),
            unloaded: AtomicBool::new(false),
            next: IMAGES.load(Ordering::Acquire),
        }
    }

    /// Its path.
    pub fn name(&self) -> &str {
        &self.mapping.name
    }

    /// Whether it is the executable.
    pub fn is_executable(&self) -> bool {
        self.mapping.executable
    }

    /// Whether it is never unloaded.
    pub fn is_permanent(&self) -> bool {
        self.mapping.permanent
    }

    /// The readable bytes from `address` to the end of the segment that it lies in.
    pub fn bytes_from(&self, address: usize) -> Option<&'static [u8]> {
        let segment = self.mapping.readable.iter().find(|segment| segment.contains(&address))?;
        // SAFETY: the image is loaded as long as its functions are called, and what is asked for here is read-only.
        Some(unsafe { std::slice::from_raw_parts(address as *const u8, segment.end - address) })
    }

    /// The word at `address`, such as an entry of its GOT: one that is relocated, and does not change any more.
    pub fn word_at(&self, address: usize) -> Option<usize> {
        let end = address.checked_add(size_of::<usize>())?;
        let is_there = |segment: &Range<usize>| segment.start <= address && end <= segment.end;
        if !address.is_multiple_of(size_of::<usize>()) || !self.mapping.readable.iter().any(is_there) {
            return None;
        }
        // SAFETY: an aligned word of a readable segment of the image, which is loaded as long as its functions are called.
        Some(unsafe { (address as *const usize).read_volatile() })
    }

    /// The function `name` in the static symbol table of the image's file, if it is not stripped.
    pub fn static_symbol(&self, name: &str) -> Option<Definition> {
        self.with_symbols(|symbols| symbols.find(name, self.mapping.base))
    }

    /// The variable `name` of the image, if it is not stripped and has one of that name only.
    pub fn variable(&self, name: &str) -> Option<usize> {
        let make = || match self.file() {
            Some(map) => ElfFile::parse(&map).map_or_else(BTreeMap::new, |file| file.variables()),
            None => BTreeMap::new(),
        };
        let found = (*self.variables.get_or_init(make).get(name)?)?;
        Some(self.mapping.base.wrapping_add(found))
    }

    /// The name of the function around `address`, if the image is not stripped.
    pub fn name_around(&self, address: usize) -> Option<String> {
        self.with_symbols(|symbols| {
            symbols.name_around(address.wrapping_sub(self.mapping.base)).map(str::to_owned)
        })
    }

    /// Whether its dynamic symbol table has the functions that are not hidden: an executable's only if it was asked for.
    pub fn exports_its_functions(&self) -> bool {
        let find_main =
            |object: loaded::LoadedObject<'_>| ControlFlow::Break(object.define("main").is_some());
        !self.mapping.executable || loaded::each(find_main).unwrap_or(false)
    }

    /// Whether an address is one of the image's.
    pub fn contains(&self, address: usize) -> bool {
        self.mapping.range.contains(&address)
    }

    /// Where in the image a module of it is.
    pub fn position_of(&self, module: &Module) -> u32 {
        let record = std::ptr::from_ref(module.record()) as usize;
        ((record - self.records.start) / size_of::<ModuleRecord>()) as u32
    }

    /// Its first page.
    pub fn start(&self) -> usize {
        self.mapping.range.start & !4095
    }

    /// What the tables of a module of it are like, which `number` stands for.
    pub fn facts_of(&self, number: u32, module: &Module) -> ModuleFacts {
        let (record, table) = (module.record(), module.import_table());
        let distance = |address: usize| address.wrapping_sub(self.start()) as u32;
        ModuleFacts {
            module: number,
            record: distance(std::ptr::from_ref(record) as usize),
            imports: distance(table.as_ptr() as usize),
            check: prelinked::check_of(table),
        }
    }

    /// Room for what the object cache has of it.
    pub fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// From now on, `naming` is told of each function of the image that is named for the first time.
    pub fn tell_of_names(&self, naming: fn(&'static Function)) {
        self.naming.get_or_init(|| naming);
    }

    /// From now on, `stub_of` is asked for stubs of functions that have none, before one is made.
    pub fn ask_for_stubs(&self, stub_of: StubOf) {
        self.stubs.get_or_init(|| stub_of);
    }

    /// A stub for a function that has none, if there is one that was not made here.
    pub fn stub_of(&self, function: &Function) -> Option<(usize, &'static Slot)> {
        self.stubs.get()?(function)
    }

    /// A function was named for the first time.
    pub fn introduce(&self, function: &'static Function) {
        if let Some(naming) = self.naming.get() {
            naming(function);
        }
    }

    /// Calls `work` if the image is loaded, which it stays until `work` is done.
    pub fn while_loaded<R>(&self, work: impl FnOnce() -> R) -> Option<R> {
        if self.is_permanent() {
            return Some(work());
        }
        let mut work = Some(work);
        loaded::each(|object| match work.take_if(|_| self.is(object)) {
            Some(work) => ControlFlow::Break(work()),
            None => ControlFlow::Continue(()),
        })
    }

    /// Its file. None if that is out of reach, or another one: if the file was replaced since, or if the loader was run
    /// as a program and then ran this one. Then it is as good as stripped.
    fn file(&self) -> Option<Arc<Map>> {
        let map = || {
            let map = File::open(&self.mapping.path, libc::O_RDONLY, 0).and_then(|file| file.map()).ok()?;
            let start = self.bytes_from(self.mapping.range.start)?;
            ElfFile::parse(&map)?.is_mapped(start).then(|| Arc::new(map))
        };
        self.file.lock().get_or_insert_with(map).clone()
    }

    /// Maps its file, which may be out of reach later.
    pub fn provide(&self) {
        // A failure is kept for the first use.
        let _ = self.file();
    }

    fn with_symbols<R>(&self, use_them: impl FnOnce(&Symbols<'_>) -> R) -> R {
        let mut table = self.symbols.lock();
        use_them(table.get_or_insert_with(|| SymbolTable::of(self.file())).symbols())
    }

    /// Whether it is still loaded, and not another one at its address, be it of the same name.
    pub fn is_loaded(&self) -> bool {
        self.while_loaded(|| ()).is_some()
    }

    /// Whether it is this loaded object.
    fn is(&self, object: LoadedObject<'_>) -> bool {
        object.base == self.mapping.base
            && object.range() == self.mapping.range
            && object.segments(PF_W).any(|data| data.contains(&self.entry))
            // SAFETY: an aligned word of a loaded object's data. Nothing but an image that has registered holds
            // this address there.
            && unsafe { (*(self.entry as *const AtomicUsize)).load(Ordering::Acquire) }
                == autojit_trampoline::entry::address()
    }

    /// Lets go of everything that belongs to the image, which the program has unloaded: a thread that runs its functions
    /// would run what is not there. Its modules and functions stay, as empty shells. The caller holds the lifecycle's
    /// lock.
    pub fn unload(&self) {
        log::info!("{} was unloaded", self.mapping.name);
        self.unloaded.store(true, Ordering::Release);
        if let Some(tell) = UNLOADED.get() {
            tell(self);
        }
        if let Some(memory) = self.reserved_memory() {
            // A debugger's breakpoints stay where they were written, for all it knows: no other code may come there.
            if !self.prepared.load(Ordering::Relaxed) {
                // SAFETY: the image's functions can no longer be called or returned to, and unwinders do not know of
                // them: they were told.
                unsafe { memory.release() };
            }
        }
        *self.booking.lock() = Booking::default();
        *self.symbols.lock() = None;
        *self.file.lock() = None;
        self.inline.lock().clear();
    }

    /// The address that `name`, an inline function, has in a static part of the process: taking its address must give
    /// this one. None if no object file has it.
    pub fn static_address(&'static self, name: &str) -> Option<usize> {
        if let Some(definition) = scope::find(name, self.address()).or_else(|| self.static_symbol(name)) {
            // SAFETY: the image is loaded and relocated.
            return Some(unsafe { definition.resolve() });
        }
        if !self.with_symbols(|symbols| symbols.is_empty()) {
            return None;
        }
        // Stripped: the other modules' import tables know.
        self.modules().find_map(|module| {
            let opened = module.open().ok()?;
            module.import(opened.import_of(name)?).filter(|address| *address != 0)
        })
    }

    /// From now on, it is described to a debugger in full. To be said before it has code memory.
    pub fn prepare(&self) {
        self.prepared.store(true, Ordering::Relaxed);
    }

    /// An address inside it.
    pub fn address(&self) -> usize {
        self.slots.start
    }

    /// The copy of an inline function that serves the image: `function`, if it is the first of its name.
    pub fn inline_function(&self, function: &'static Function) -> &'static Function {
        match self.modules.len() {
            // Names are long, and there are many.
            1 => function,
            _ => self.inline.lock().entry(function.info().name).or_insert(function),
        }
    }
}
