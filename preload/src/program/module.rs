//! One lazily compiled module of an image: its record, its container, its functions.
//!
//! Receives a [`ModuleRecord`]; finds the container by its key, in the image's file or in a store directory, at the
//! first call of any of the module's functions; hands on [`Function`]s.

use std::ffi::{CStr, CString};
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use autojit_store::{Container, FunctionKind, Symbol, file_name};
use autojit_trampoline::contract::{CONTRACT_VERSION, MODULE_MAGIC, ModuleRecord, StoreKind};

use crate::program::attachment::Attachment;
use crate::program::function::Function;
use crate::program::image::Image;
use crate::settings::failure::Failure;
use crate::sys::{self, File};

/// A module. Lives for ever. Programs have thousands that are never entered: what only the others need is elsewhere, and one
/// that nothing has asked for consists of zeros ([`Modules`](crate::program::image::Modules)).
#[derive(Debug, Default)]
pub struct Module {
    /// Null until it is known.
    record: AtomicPtr<ModuleRecord>,
    image: AtomicPtr<Image>,
    /// Its functions, each as soon as it is named; null if none was. Few of many are.
    table: AtomicPtr<AtomicPtr<Function>>,
    /// Null until its container was asked for.
    entered: AtomicPtr<Entered>,
    /// How many functions it has: the record goes with the image.
    count: AtomicU32,
}

/// What is known of a module whose container was asked for.
#[derive(Debug, Default)]
struct Entered {
    opened: OnceLock<Result<Opened, Failure>>,
    /// Whether the index of the container is what was written.
    verified: OnceLock<Result<(), Failure>>,
    /// Whether its types and variables are described to a debugger.
    full_debug: AtomicBool,
    /// What the compilers keep of it.
    attachment: Attachment,
}

/// What opening a module's container yields.
pub struct Opened {
    /// The bytes of the container, which may lie in front of others.
    pub bytes: &'static [u8],
    /// Its index.
    pub container: Container<'static>,
    /// Where it lies, for messages.
    pub origin: String,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.bytes.len())
    }
}

/// The name of the source file of a record's module.
fn source_of(record: &ModuleRecord) -> String {
    // SAFETY: the record's string (contract).
    unsafe { CStr::from_ptr(record.source_name()) }.to_string_lossy().into_owned()
}

/// Checks of a module, before anything of it is used, what can be checked without opening its container.
///
/// # Errors
/// A record of another contract, or a container file that is not there.
pub fn check(record: &ModuleRecord) -> Result<(), Failure> {
    if record.magic != MODULE_MAGIC {
        return Err(Failure::new(format_args!("its table of modules is damaged")));
    }
    if u32::from(record.version) != CONTRACT_VERSION {
        return Err(Failure::new(format_args!(
            "{} was compiled by an autojit with contract version {}, this runtime has version \
             {CONTRACT_VERSION}; build it again with the plugin of the runtime's release (compiler caches may \
             hand out older objects: docs/ccache.md)",
            source_of(record),
            record.version
        )));
    }
    match container_path(record) {
        Some(path) => sys::readable(&path).map_err(|error| {
            Failure::new(format_args!(
                "the code of {} is not in its store: opening {}: {error}; restore the file or build the \
                 program again, with AUTOJIT_STORE=embed if the directory does not stay",
                source_of(record),
                path.to_string_lossy()
            ))
        }),
        None => Ok(()),
    }
}

/// The file of a container that is not in the image.
fn container_path(record: &ModuleRecord) -> Option<CString> {
    if record.store != StoreKind::Directory as u8 || record.store_directory().is_null() {
        return None;
    }
    // SAFETY: the record's string (contract).
    let directory = unsafe { CStr::from_ptr(record.store_directory()) };
    let path = [directory.to_bytes(), b"/", file_name(&record.key).as_bytes()].concat();
    Some(CString::new(path).expect("made of C strings"))
}

impl Module {
    /// Makes it the module of `record` in `image`, if it is none yet. All calls must pass the same record and image.
    ///
    /// # Safety
    /// `record` must be readable as long as the module is used, and must not change.
    pub unsafe fn make(&self, record: *const ModuleRecord, image: &'static Image) {
        if self.is_known() {
            return;
        }
        self.image.store(std::ptr::from_ref(image).cast_mut(), Relaxed);
        // SAFETY: the caller's promise.
        self.count.store(unsafe { (*record).functions }, Relaxed);
        // Release: a thread that reads the record sees the rest.
        self.record.store(record.cast_mut(), Release);
    }

    /// Whether it was made.
    pub fn is_known(&self) -> bool {
        !self.record.load(Acquire).is_null()
    }

    fn entered(&self) -> &Entered {
        let known = self.entered.load(Acquire);
        // SAFETY: null, or what was stored below, which is never freed.
        if let Some(known) = unsafe { known.as_ref() } {
            return known;
        }
        let made = Box::into_raw(Box::<Entered>::default());
        let known = match self.entered.compare_exchange(std::ptr::null_mut(), made, SeqCst, SeqCst) {
            Ok(_) => made,
            Err(known) => {
                // Another thread was quicker.
                // SAFETY: it came from Box::into_raw, and nothing else refers to it.
                drop(unsafe { Box::from_raw(made) });
                known
            }
        };
        // SAFETY: as above.
        unsafe { &*known }
    }

    /// The same, if it was asked for.
    fn known_entered(&self) -> Option<&Entered> {
        // SAFETY: as above.
        unsafe { self.entered.load(Acquire).as_ref() }
    }

    /// Its image.
    pub fn image(&self) -> &'static Image {
        // SAFETY: null, or what was stored above: an image, which lives for ever.
        unsafe { self.image.load(Relaxed).as_ref() }.expect("made with it")
    }

    /// Its record.
    pub fn record(&self) -> &'static ModuleRecord {
        // SAFETY: null, or readable (see make).
        unsafe { self.record.load(Acquire).as_ref() }.expect("made of it")
    }

    /// The name of its source file.
    pub fn source(&self) -> String {
        source_of(self.record())
    }

    /// Whether all of its functions have code.
    pub fn is_complete(&'static self) -> bool {
        (0..self.count()).all(|index| self.function(index).is_some_and(|function| function.code().is_some()))
    }

    /// How many of its functions have no code.
    pub fn left(&'static self) -> usize {
        (self.count() as usize)
            .saturating_sub(self.functions().filter(|function| function.code().is_some()).count())
    }

    /// Opens the container, once. Its names and kinds can be used; that they are what was written is for
    /// [`verify`](Self::verify) to find out.
    ///
    /// # Errors
    /// The container is missing, truncated, visibly damaged or of another version.
    pub fn open(&'static self) -> Result<&'static Opened, Failure> {
        self.entered().opened.get_or_init(|| self.read()).as_ref().map_err(Clone::clone)
    }

    /// Checks an opened container against its checksum, once: before anything is compiled from it. Code from the cache
    /// is known by the checksum of the container that it was compiled from.
    ///
    /// # Errors
    /// The container was altered.
    pub fn verify(&'static self) -> Result<(), Failure> {
        let Opened { container, origin, .. } = self.open()?;
        let check = || {
            container
                .check_index()
                .map_err(|error| Failure::new(format_args!("reading its bitcode in {origin}: {error}")))
        };
        self.entered().verified.get_or_init(check).clone()
    }

    /// What [`open`](Self::open) yielded, if it was called.
    pub fn opened(&self) -> Option<&Opened> {
        self.known_entered()?.opened.get()?.as_ref().ok()
    }

    fn read(&'static self) -> Result<Opened, Failure> {
        let record = self.record();
        let (bytes, origin) = match container_path(record) {
            Some(path) => {
                let origin = path.to_string_lossy().into_owned();
                let map = File::open(&path, libc::O_RDONLY, 0).and_then(|file| file.map());
                let bytes = map.map_err(|error| {
                    Failure::new(format_args!(
                        "opening {origin}: {error}; restore the file or build the program again"
                    ))
                })?;
                (bytes.keep(), origin)
            }
            None => {
                let origin = self.image().name().to_owned();
                let bytes = self.image().bytes_from(record.embedded_container() as usize);
                (
                    bytes.ok_or_else(|| Failure::new(format_args!("{origin} does not hold its bitcode")))?,
                    origin,
                )
            }
        };
        let failure =
            |cause: &dyn fmt::Display| Failure::new(format_args!("reading its bitcode in {origin}: {cause}"));
        let container = Container::open(bytes).map_err(|error| failure(&error))?;
        if container.key() != record.key {
            return Err(failure(&"the container there is another one"));
        }
        if container.function_count() != record.functions
            || (0..record.functions).any(|index| container.kind(index).is_none())
            || u64::from(container.import_count())
                != u64::from(record.got_imports) + u64::from(record.direct_imports)
        {
            // Most likely because it was altered.
            container.check_index().map_err(|error| failure(&error))?;
            return Err(failure(&"the container does not fit the program"));
        }
        Ok(Opened { bytes: &bytes[..container.byte_len()], container, origin })
    }

    /// The function of an index. The container need not be opened for it: functions of other modules are named all
    /// the time.
    pub fn function(&'static self, index: u32) -> Option<&'static Function> {
        if index >= self.count() {
            return None;
        }
        let table = self.table.load(Acquire);
        let table = if table.is_null() { self.make_table() } else { table };
        // SAFETY: the table has an entry for each function, and is never freed.
        let entry = unsafe { &*table.add(index as usize) };
        let known = entry.load(Acquire);
        // SAFETY: null, or what was stored below: a function, which lives for ever.
        Some(unsafe { known.as_ref() }.unwrap_or_else(|| {
            let made = Box::into_raw(Box::new(Function::new(self, index)));
            // SeqCst: see Image::introduce.
            match entry.compare_exchange(std::ptr::null_mut(), made, SeqCst, SeqCst) {
                Ok(_) => {
                    // SAFETY: made above, and never freed.
                    let made: &'static Function = unsafe { &*made };
                    self.image().introduce(made);
                    made
                }
                Err(known) => {
                    // Another thread was quicker.
                    // SAFETY: `made` came from Box::into_raw, and nothing else refers to it; the other one lives for ever.
                    unsafe {
                        drop(Box::from_raw(made));
                        &*known
                    }
                }
            }
        }))
    }

    /// The function of an index, if it was ever named.
    pub fn named_function(&self, index: u32) -> Option<&'static Function> {
        let table = self.table.load(SeqCst);
        if table.is_null() || index >= self.count() {
            return None;
        }
        // SAFETY: the table has an entry for each function, and is never freed; entries are null or functions, which live
        // for ever.
        unsafe { (*table.add(index as usize)).load(SeqCst).as_ref() }
    }

    fn make_table(&self) -> *mut AtomicPtr<Function> {
        // Of zeros, which large allocations consist of already: no page of it is touched before it is used.
        let made: Box<[*mut Function]> = vec![std::ptr::null_mut(); self.function_count()].into();
        let made = Box::into_raw(made);
        let table = made.cast::<AtomicPtr<Function>>();
        match self.table.compare_exchange(std::ptr::null_mut(), table, SeqCst, SeqCst) {
            Ok(_) => table,
            Err(known) => {
                // Another thread was quicker.
                // SAFETY: it came from Box::into_raw, and nothing else refers to it.
                drop(unsafe { Box::from_raw(made) });
                known
            }
        }
    }

    /// Those of its functions that were ever named.
    pub fn functions(&self) -> impl Iterator<Item = &'static Function> {
        let table = self.table.load(Acquire);
        let count = if table.is_null() { 0 } else { self.function_count() };
        // SAFETY: the table has an entry for each function, and is never freed; entries are null or functions, which live
        // for ever.
        (0..count).filter_map(move |index| unsafe { (*table.add(index)).load(Acquire).as_ref() })
    }

    /// How many functions it has.
    pub fn function_count(&self) -> usize {
        self.count() as usize
    }

    fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// Room for what the compilers keep of it.
    pub fn attachment(&self) -> &Attachment {
        &self.entered().attachment
    }

    /// The same, if the module was entered.
    pub fn known_attachment(&self) -> Option<&Attachment> {
        Some(&self.known_entered()?.attachment)
    }

    /// From now on, its types and variables are described to the debugger. To be said before the engine opens it.
    pub fn describe_in_full(&self) {
        self.entered().full_debug.store(true, Relaxed);
    }

    /// Whether its types and variables are described to a debugger.
    pub fn described_in_full(&self) -> bool {
        self.known_entered().is_some_and(|it| it.full_debug.load(Relaxed))
    }

    /// The address of an import, 0 if it is a weak one that nothing defines.
    pub fn import(&self, index: u32) -> Option<usize> {
        let record = self.record();
        if index >= record.got_imports + record.direct_imports {
            return None;
        }
        // SAFETY: an emitted record of a loaded image, and the index is in range.
        Some(unsafe { record.import(index) } as usize)
    }

    /// Its import table.
    pub fn import_table(&self) -> &'static [u8] {
        let record = self.record();
        let len = (record.got_imports + record.direct_imports) as usize * size_of::<i32>();
        // SAFETY: an emitted record of a loaded image has a table of so many entries (contract), which nothing changes.
        unsafe { std::slice::from_raw_parts(record.import_table().cast(), len) }
    }

    /// The GOT entry of an import, if it has one.
    pub fn import_got_entry(&self, index: u32) -> Option<usize> {
        let record = self.record();
        // SAFETY: as above.
        (index < record.got_imports).then(|| unsafe { record.import_address(index) } as usize)
    }
}

/// The addresses that the bodies of a record's module refer to without a GOT.
pub fn direct_imports(record: &ModuleRecord) -> impl Iterator<Item = usize> {
    let imports = record.got_imports..record.got_imports + record.direct_imports;
    // SAFETY: an emitted record of a loaded image, and the indices are in range.
    imports.map(|index| unsafe { record.import(index) } as usize)
}

impl Opened {
    /// The index of the import with the address of `name`, whether the module defines `name` or not.
    pub fn import_of(&self, name: &str) -> Option<u32> {
        match self.container.find(name)? {
            Symbol::Import(index) => Some(index),
            Symbol::Function(index) => {
                self.container.function(index).filter(|info| info.kind == FunctionKind::Stub)?.import
            }
        }
    }
}
