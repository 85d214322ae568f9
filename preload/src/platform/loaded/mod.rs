//! The objects that the dynamic linker has loaded, and what their dynamic symbol tables define.
//!
//! Receives names and addresses; hands on load addresses, paths and definitions. dlsym would take the loader's lock
//! and the program's malloc, so symbols are looked up here, through the hash tables that ld.so itself uses, with
//! goblin's structures.
//!
//! # Safety
//! The tables of a loaded object are mapped and relocated as long as it is: callers use an [`LoadedObject`] inside
//! [`each`] only, while the loader's list is locked, or one that stays ([`permanent`]).

mod link_map;
#[cfg_attr(feature = "static", path = "next_static.rs")]
mod next;
mod permanent;

use std::ffi::{CStr, c_int, c_void};
use std::ops::{ControlFlow, Range};

use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_NEEDED, DT_NULL, DT_SONAME, DT_STRTAB, DT_SYMTAB, DT_VERSYM,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_GNU_EH_FRAME, PT_LOAD};
use goblin::elf::section_header::SHN_UNDEF;
use goblin::elf::sym::{STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, STT_OBJECT, st_type};
use goblin::elf64::dynamic::Dyn;
use goblin::elf64::program_header::ProgramHeader;
use goblin::elf64::sym::Sym;

pub use link_map::*;
pub use next::*;
pub use permanent::*;

/// A symbol version that a reference without a version does not bind to.
const VERSION_HIDDEN: u16 = 0x8000;

/// An object in the process's address space.
#[derive(Clone, Copy, Debug)]
pub struct LoadedObject<'a> {
    /// What is added to the addresses in its file.
    pub base: usize,
    /// Its path as the loader has it; empty for the executable.
    pub name: &'a CStr,
    headers: &'a [ProgramHeader],
}

/// What a symbol table has under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its address, or that of the function which chooses it.
    pub address: usize,
    /// Whether the address is that of a chooser (STT_GNU_IFUNC).
    pub indirect: bool,
    /// Whether it is a variable.
    pub variable: bool,
}

impl Definition {
    /// The address, chosen if it is to be chosen.
    ///
    /// # Safety
    /// The definition must be of an object that is loaded and relocated.
    pub unsafe fn resolve(self) -> usize {
        if !self.indirect {
            return self.address;
        }
        // SAFETY: the ABI of GNU indirect functions on x86-64: no arguments, the address is returned (caller).
        unsafe {
            let choose: extern "C" fn() -> usize = std::mem::transmute(self.address);
            choose()
        }
    }
}

/// What dl_iterate_phdr calls for each object.
pub type Visit = unsafe extern "C" fn(*mut libc::dl_phdr_info, usize, *mut c_void) -> c_int;

/// Calls `visit` for each loaded object in load order, the executable first, until it breaks.
pub fn each<B>(mut visit: impl FnMut(LoadedObject<'_>) -> ControlFlow<B>) -> Option<B> {
    // The kernel's object is not in the scope in which the loader looks for symbols.
    each_mapped(|object| match object.name.to_bytes().starts_with(b"linux-vdso") {
        true => ControlFlow::Continue(()),
        false => visit(object),
    })
}

/// The same with the object that the kernel has mapped.
pub fn each_mapped<B>(mut visit: impl FnMut(LoadedObject<'_>) -> ControlFlow<B>) -> Option<B> {
    struct State<'a, B> {
        visit: &'a mut dyn FnMut(LoadedObject<'_>) -> ControlFlow<B>,
        result: Option<B>,
    }

    unsafe extern "C" fn step<B>(info: *mut libc::dl_phdr_info, _: usize, state: *mut c_void) -> c_int {
        // SAFETY: dl_iterate_phdr hands over a valid description and the pointer that it got below.
        let (info, state) = unsafe { (&*info, &mut *state.cast::<State<'_, B>>()) };
        // SAFETY: name and program headers are the loader's, mapped as long as the object is.
        let object = unsafe {
            let (base, headers) = (info.dlpi_addr as usize, info.dlpi_phdr.cast());
            let headers = std::slice::from_raw_parts(headers, info.dlpi_phnum.into());
            let name = if info.dlpi_name.is_null() { c"" } else { CStr::from_ptr(info.dlpi_name) };
            LoadedObject { base, name, headers }
        };
        match (state.visit)(object) {
            ControlFlow::Continue(()) => 0,
            ControlFlow::Break(value) => {
                state.result = Some(value);
                1
            }
        }
    }

    let mut state = State { visit: &mut visit, result: None };
    // SAFETY: `step` gets the state that it expects, which outlives the call.
    unsafe { iterate(step::<B>, (&raw mut state).cast()) };
    state.result
}

/// The entries of a dynamic section.
///
/// # Safety
/// It must be null or a loaded object's.
unsafe fn entries(dynamic: *const Dyn) -> impl Iterator<Item = Dyn> {
    let mut at = dynamic;
    std::iter::from_fn(move || {
        // SAFETY: the dynamic section of a loaded object is mapped and ends with DT_NULL (caller).
        let found = unsafe { at.as_ref() }?;
        at = at.wrapping_add(1);
        (found.d_tag != DT_NULL).then_some(*found)
    })
}

/// How many objects the loader has unloaded so far.
pub fn unloads() -> u64 {
    unsafe extern "C" fn read(info: *mut libc::dl_phdr_info, _: usize, unloads: *mut c_void) -> c_int {
        // SAFETY: dl_iterate_phdr hands over a valid description and the pointer that it got below.
        unsafe { unloads.cast::<u64>().write((*info).dlpi_subs) };
        1
    }
    let mut unloads = 0_u64;
    // SAFETY: `read` gets the number that it expects.
    unsafe { iterate(read, (&raw mut unloads).cast()) };
    unloads
}

/// Hands `look` all loaded objects in load order, while none can be loaded or unloaded.
pub fn with_all<R>(look: impl FnOnce(&[LoadedObject<'_>]) -> R) -> Option<R> {
    let mut look = Some(look);
    // The loader's lock is recursive: it is held around the second walk.
    each(|_| {
        let mut objects = Vec::new();
        each(|object| -> ControlFlow<()> {
            // SAFETY: the objects stay as they are as long as the lock of the first walk is held.
            objects.push(unsafe { std::mem::transmute::<LoadedObject<'_>, LoadedObject<'_>>(object) });
            ControlFlow::Continue(())
        });
        ControlFlow::Break(look.take().map(|look| look(&objects)))
    })
    .flatten()
}

/// The first definition of `name` in any object, in load order, leaving out the object around `except`.
pub fn find(name: &str, except: usize) -> Option<Definition> {
    let mut first = permanent().iter().filter(|object| !object.contains(except));
    if let Some(definition) = first.find_map(|object| object.define(name)) {
        return Some(definition);
    }
    each(|object| match object.contains(except) {
        true => ControlFlow::Continue(()),
        false => match object.define(name) {
            Some(definition) => ControlFlow::Break(definition),
            None => ControlFlow::Continue(()),
        },
    })
}

/// What `use_it` makes of the loaded object whose file has this name, in whatever directory.
pub fn by_file_name<T>(name: &[u8], mut use_it: impl FnMut(LoadedObject<'_>) -> T) -> Option<T> {
    let has_it =
        |object: &LoadedObject<'_>| object.name.to_bytes().rsplit(|&byte| byte == b'/').next() == Some(name);
    if let Some(object) = permanent().iter().find(|object| has_it(object)) {
        return Some(use_it(*object));
    }
    each(|object| match has_it(&object) {
        true => ControlFlow::Break(use_it(object)),
        false => ControlFlow::Continue(()),
    })
}

impl LoadedObject<'static> {
    /// An object that the loader does not know, mapped at `base` for ever.
    pub fn mapped(base: usize, headers: &'static [ProgramHeader]) -> Self {
        Self { base, name: c"", headers }
    }
}

impl<'a> LoadedObject<'a> {
    /// The names of the libraries that it needs.
    pub fn needed(&self) -> impl Iterator<Item = &'a CStr> {
        self.strings_tagged(DT_NEEDED)
    }

    /// Whether another object's DT_NEEDED entry `name` means this object.
    pub fn is_called(&self, name: &CStr) -> bool {
        self.names().any(|own| own == name)
    }

    /// What DT_NEEDED entries that mean this object have: its path, the file's name, and the one that it gives itself.
    fn names(&self) -> impl Iterator<Item = &'a CStr> {
        let path = self.name.to_bytes_with_nul();
        let file = path.iter().rposition(|&byte| byte == b'/').map_or(path, |slash| &path[slash + 1..]);
        let file = CStr::from_bytes_with_nul(file).unwrap_or_default();
        [self.name, file].into_iter().chain(self.strings_tagged(DT_SONAME))
    }

    /// The strings of its dynamic section with a tag.
    fn strings_tagged(&self, tag: u64) -> impl Iterator<Item = &'a CStr> {
        let strings = Tables::of(self).map(|tables| tables.strings);
        self.dynamic().filter(move |entry| entry.d_tag == tag).filter_map(move |entry| {
            // SAFETY: the object is loaded (see the head of the file); the offsets are of NUL-terminated names.
            Some(unsafe { CStr::from_ptr(strings?.add(entry.d_val as usize).cast()) })
        })
    }

    /// The entries of its dynamic section.
    pub fn dynamic(&self) -> impl Iterator<Item = Dyn> + use<> {
        let header = self.headers.iter().find(|header| header.p_type == PT_DYNAMIC);
        let address = header.map_or(0, |header| self.base.wrapping_add(header.p_vaddr as usize));
        // SAFETY: the object is loaded (see the head of the file).
        unsafe { entries(address as *const Dyn) }
    }

    /// The addresses from its first to its last loaded byte.
    pub fn range(&self) -> Range<usize> {
        let segments = || self.segments(0);
        let start = segments().map(|segment| segment.start).min().unwrap_or(0);
        let end = segments().map(|segment| segment.end).max().unwrap_or(0);
        start..end
    }

    /// The addresses of its `.eh_frame_hdr`.
    pub fn frames_header(&self) -> Option<Range<usize>> {
        let header = self.headers.iter().find(|header| header.p_type == PT_GNU_EH_FRAME)?;
        let start = self.base.wrapping_add(header.p_vaddr as usize);
        Some(start..start + header.p_memsz as usize)
    }

    /// The addresses of the loaded segments that have all of `flags`.
    pub fn segments(&self, flags: u32) -> impl Iterator<Item = Range<usize>> {
        let base = self.base;
        self.headers.iter().filter(move |h| h.p_type == PT_LOAD && h.p_flags & flags == flags).map(
            move |header| {
                let start = base.wrapping_add(header.p_vaddr as usize);
                start..start + header.p_memsz as usize
            },
        )
    }

    /// Whether `address` lies between its first and last loaded byte.
    pub fn contains(&self, address: usize) -> bool {
        self.range().contains(&address)
    }

    /// What its dynamic symbol table defines under `name`, in the version that is the default.
    pub fn define(&self, name: &str) -> Option<Definition> {
        // SAFETY: the object is loaded (see the head of the file).
        Some(unsafe { Tables::of(self)?.define(self.base, name)? }.0)
    }
}

/// The dynamic symbol table of an object, with what finds names in it.
struct Tables {
    symbols: *const Sym,
    strings: *const u8,
    versions: Option<*const u16>,
    hash: Hash,
}

enum Hash {
    Gnu(*const u32),
    SystemV(*const u32),
}

impl Tables {
    fn of(object: &LoadedObject<'_>) -> Option<Self> {
        Self::new(object.base, object.dynamic())
    }

    /// From the dynamic section of an object loaded at `base`.
    fn new(base: usize, dynamic: impl Iterator<Item = Dyn>) -> Option<Self> {
        let (mut symbols, mut strings, mut versions, mut gnu, mut system_v) = (None, None, None, None, None);
        for Dyn { d_tag, d_val } in dynamic {
            // glibc has relocated these in place on x86-64; an object whose dynamic section is read-only keeps
            // addresses as in the file.
            let value = d_val as usize;
            let address = if value < base { value + base } else { value };
            match d_tag {
                DT_SYMTAB => symbols = Some(address as *const Sym),
                DT_STRTAB => strings = Some(address as *const u8),
                DT_VERSYM => versions = Some(address as *const u16),
                DT_GNU_HASH => gnu = Some(Hash::Gnu(address as *const u32)),
                DT_HASH => system_v = Some(Hash::SystemV(address as *const u32)),
                _ => {}
            }
        }
        Some(Self { symbols: symbols?, strings: strings?, versions, hash: gnu.or(system_v)? })
    }

    /// What the object at `base` defines under `name`, and its size.
    ///
    /// # Safety
    /// The object must be loaded.
    unsafe fn define(&self, base: usize, name: &str) -> Option<(Definition, u64)> {
        // SAFETY: the caller's promise.
        let symbol = unsafe { self.lookup(name) }?;
        let definition = Definition {
            address: base.wrapping_add(symbol.st_value as usize),
            indirect: st_type(symbol.st_info) == STT_GNU_IFUNC,
            variable: st_type(symbol.st_info) == STT_OBJECT,
        };
        Some((definition, symbol.st_size))
    }

    /// # Safety
    /// The object must be loaded.
    unsafe fn lookup(&self, name: &str) -> Option<Sym> {
        // SAFETY: the caller's promise.
        unsafe {
            match self.hash {
                Hash::Gnu(table) => self.lookup_gnu(table, name),
                Hash::SystemV(table) => self.lookup_system_v(table, name),
            }
        }
    }

    /// # Safety
    /// `table` must be the DT_GNU_HASH table of a loaded object: header, Bloom filter, buckets, chains.
    unsafe fn lookup_gnu(&self, table: *const u32, name: &str) -> Option<Sym> {
        let hash = gnu_hash(name);
        // SAFETY: the layout of the table; indexes are taken modulo its sizes.
        unsafe {
            let [bucket_count, first, filter_words, shift] = table.cast::<[u32; 4]>().read();
            if bucket_count == 0 || filter_words == 0 {
                return None;
            }
            let filter = table.add(4).cast::<u64>();
            let buckets = filter.add(filter_words as usize).cast::<u32>();
            let chains = buckets.add(bucket_count as usize);
            let word = filter.add((hash / 64 % filter_words) as usize).read();
            // Two bits of one word say that the name may be there.
            if word & 1 << (hash % 64) == 0 || word & 1 << (hash.wrapping_shr(shift) % 64) == 0 {
                return None;
            }
            let mut index = buckets.add((hash % bucket_count) as usize).read();
            if index < first {
                return None;
            }
            loop {
                // The lowest bit marks the end of a chain.
                let found = chains.add((index - first) as usize).read();
                if (found | 1) == (hash | 1)
                    && let Some(symbol) = self.accept(index, name)
                {
                    return Some(symbol);
                }
                if found & 1 != 0 {
                    return None;
                }
                index += 1;
            }
        }
    }

    /// # Safety
    /// `table` must be the DT_HASH table of a loaded object: two counts, buckets, chains.
    unsafe fn lookup_system_v(&self, table: *const u32, name: &str) -> Option<Sym> {
        // SAFETY: the layout of the table; chains end with 0.
        unsafe {
            let [bucket_count, _] = table.cast::<[u32; 2]>().read();
            if bucket_count == 0 {
                return None;
            }
            let buckets = table.add(2);
            let chains = buckets.add(bucket_count as usize);
            let mut index = buckets.add((system_v_hash(name) % bucket_count) as usize).read();
            while index != 0 {
                if let Some(symbol) = self.accept(index, name) {
                    return Some(symbol);
                }
                index = chains.add(index as usize).read();
            }
            None
        }
    }

    /// The symbol of an index, if it defines `name` for a reference without a version.
    ///
    /// # Safety
    /// `index` must come from a hash table of the object.
    unsafe fn accept(&self, index: u32, name: &str) -> Option<Sym> {
        // SAFETY: the index is one of the symbol table's, and names are NUL-terminated.
        unsafe {
            let symbol = self.symbols.add(index as usize).read();
            let kind = st_type(symbol.st_info);
            if symbol.st_shndx == SHN_UNDEF as u16
                || !matches!(kind, STT_NOTYPE | STT_OBJECT | STT_FUNC | STT_GNU_IFUNC)
                || CStr::from_ptr(self.strings.add(symbol.st_name as usize).cast()).to_bytes()
                    != name.as_bytes()
            {
                return None;
            }
            let version = self.versions.map_or(0, |versions| versions.add(index as usize).read());
            (version & VERSION_HIDDEN == 0).then_some(symbol)
        }
    }
}

/// The hash of DT_GNU_HASH tables.
pub fn gnu_hash(name: &str) -> u32 {
    name.bytes().fold(5381, |hash, byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// The hash of DT_HASH tables (gABI, "Hash Table").
fn system_v_hash(name: &str) -> u32 {
    name.bytes().fold(0, |hash: u32, byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ high >> 24) & !high
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::elf::program_header::PF_X;

    fn dlsym(name: &CStr) -> usize {
        // SAFETY: a plain look-up.
        unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) as usize }
    }

    fn resolved(name: &str) -> Option<usize> {
        // SAFETY: everything that is loaded here is relocated.
        find(name, 0).map(|definition| unsafe { definition.resolve() })
    }

    #[test]
    fn finds_what_dlsym_finds() {
        for name in
            [c"malloc", c"getpid", c"qsort", c"environ", c"pthread_create", c"sin", c"dl_iterate_phdr"]
        {
            if dlsym(name) != 0 {
                assert_eq!(resolved(name.to_str().unwrap()), Some(dlsym(name)), "{name:?}");
            }
        }
        assert_eq!(resolved("no_such_function_anywhere"), None);
    }

    #[test]
    fn chooses_an_indirect_function() {
        let definition = find("memcpy", 0).unwrap();
        assert!(definition.indirect);
        // SAFETY: the C library is loaded.
        let memcpy: extern "C" fn(*mut u8, *const u8, usize) -> *mut u8 =
            unsafe { std::mem::transmute(definition.resolve()) };
        let mut to = [0; 5];
        memcpy(to.as_mut_ptr(), b"hello".as_ptr(), 5);
        assert_eq!(&to, b"hello");
        assert_eq!(resolved("memcpy"), Some(dlsym(c"memcpy")));
    }

    #[test]
    fn finds_the_128_bit_division_of_libgcc() {
        // Rust's test programs load libgcc_s for its unwinder.
        let address = resolved("__udivti3").expect("__udivti3 in libgcc_s");
        // SAFETY: its type, by the libgcc manual.
        let divide: extern "C" fn(u128, u128) -> u128 = unsafe { std::mem::transmute(address) };
        assert_eq!(divide(u128::MAX, 3), u128::MAX / 3);
    }

    #[test]
    fn system_v_hashes() {
        // The examples that binutils and the gABI's code give.
        assert_eq!(system_v_hash(""), 0);
        assert_eq!(system_v_hash("printf"), 0x0779_05a6);
        assert_eq!(system_v_hash("exit"), 0x0006_cf04);
    }

    #[test]
    fn leaves_out_the_object_asked_for() {
        let getpid = resolved("getpid").unwrap();
        assert_eq!(find("getpid", getpid), None);
    }

    #[test]
    fn the_own_object_is_found_and_executable() {
        let found = each(|object| {
            if object.contains(own_address()) {
                ControlFlow::Break(object.segments(PF_X).any(|code| code.contains(&own_address())))
            } else {
                ControlFlow::Continue(())
            }
        });
        assert_eq!(found, Some(true));
    }
}
