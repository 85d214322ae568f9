//! What the tests share: compiling small sources to objects, a resolver, and memories near this test program.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::HashMap;
use std::ffi::CString;
use std::ops::Range;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use autojit_code::lock::ForkLock;
use autojit_code::unit::Segment;
use autojit_code::{
    Area, CodeMemory, Description, LinkError, Linked, Resolver, RuntimeStub, Symbol, Target, Unit,
    UnwindTable, Usage, describe_unit, link_object,
};
use autojit_trampoline::contract::ModuleRecord;

/// The table that all tests of a binary register in.
pub static UNWIND: UnwindTable = UnwindTable::new();

/// Compiles `source` (a file name in tests/objects, or text) and returns the object.
pub fn compile(language: &str, source: &str, flags: &[&str]) -> Vec<u8> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let object = directory.join(format!("{}-{number}.o", std::process::id()));
    let input = if source.contains('\n') {
        let input = object.with_extension("src");
        std::fs::write(&input, source).unwrap();
        input
    } else {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/objects").join(source)
    };
    let compiler = if language == "c++" {
        concat!("clang++-", env!("LLVM_RELEASE"))
    } else {
        concat!("clang-", env!("LLVM_RELEASE"))
    };
    let status = Command::new(compiler)
        .args(["-c", "-fPIC", "-Wno-everything", "-x", language])
        .args(flags)
        .arg("-o")
        .arg(&object)
        .arg(&input)
        .status()
        .expect("clang is needed for the tests");
    assert!(status.success(), "{compiler} failed on {source}");
    let bytes = std::fs::read(&object).unwrap();
    std::fs::remove_file(&object).unwrap();
    bytes
}

/// This program's own addresses.
pub fn image() -> Range<usize> {
    unsafe extern "C" {
        // The linker's names for the first byte of an executable, and for the first behind it.
        static __executable_start: u8;
        static _end: u8;
    }
    (&raw const __executable_start as usize)..(&raw const _end as usize)
}

/// A memory of one megabyte near this program.
pub fn memory() -> &'static CodeMemory {
    Box::leak(Box::new(CodeMemory::with_options(image(), 1 << 20, true).unwrap()))
}

/// The same with private pages.
pub fn private_memory() -> &'static CodeMemory {
    Box::leak(Box::new(CodeMemory::with_options(image(), 1 << 20, false).unwrap()))
}

/// The area of a memory that has one.
pub fn only(memory: &CodeMemory) -> &Area {
    memory.newest().unwrap()
}

/// A module record in this program's image.
// SAFETY: a record consists of numbers.
pub static RECORD: ModuleRecord = unsafe { std::mem::zeroed() };

/// Resolves from a map, else from the loaded libraries; addresses of functions that the object defines are run-time
/// stubs.
pub struct Symbols {
    pub memory: &'static CodeMemory,
    /// Name to address and token.
    pub known: HashMap<String, Target>,
    /// Stubs that were made.
    pub stubs: HashMap<String, RuntimeStub>,
    /// All questions.
    pub asked: Vec<(String, Usage, bool)>,
    /// Functions that get stubs.
    pub defined: Vec<String>,
}

impl Symbols {
    pub fn new(memory: &'static CodeMemory) -> Self {
        static LIBRARIES: Once = Once::new();
        LIBRARIES.call_once(|| {
            for library in [c"libm.so.6", c"libstdc++.so.6"] {
                // SAFETY: the name is NUL-terminated; the libraries' constructors are harmless.
                let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
                assert!(!handle.is_null());
            }
        });
        // Known without the loader, whose lock another thread may hold when a test forks.
        let abs = Target { address: libc::abs as *const () as usize, pending: None };
        let (known, stubs) = (HashMap::from([("abs".into(), abs)]), HashMap::new());
        Self { memory, known, stubs, asked: Vec::new(), defined: Vec::new() }
    }

    pub fn with(mut self, name: &str, address: usize) -> Self {
        self.known.insert(name.into(), Target { address, pending: None });
        self
    }

    pub fn with_pending(mut self, name: &str, address: usize, token: u64) -> Self {
        self.known.insert(name.into(), Target { address, pending: Some(token) });
        self
    }

    /// Makes the addresses of the global functions of `object` stubs.
    pub fn defined_by(mut self, object: &[u8]) -> Self {
        let elf = goblin::elf::Elf::parse(object).unwrap();
        let functions = elf.syms.iter().filter(|s| s.is_function() && s.st_bind() != 0 && s.st_shndx != 0);
        self.defined.extend(functions.map(|s| elf.strtab.get_at(s.st_name).unwrap().to_string()));
        self
    }
}

impl Resolver for Symbols {
    fn resolve(&mut self, symbol: &Symbol<'_>, usage: Usage, weak: bool) -> Result<Target, String> {
        let Symbol::Name(symbol) = symbol else { return Err("nothing has numbered it".into()) };
        let symbol: &str = symbol;
        self.asked.push((symbol.into(), usage, weak));
        if let Some(target) = self.known.get(symbol) {
            return Ok(*target);
        }
        if self.defined.iter().any(|name| name == symbol) {
            let (memory, trampoline) = (self.memory, trap as *const () as usize);
            let stub = *self
                .stubs
                .entry(symbol.into())
                .or_insert_with(|| RuntimeStub::create(memory, &UNWIND, &RECORD, 0, trampoline).unwrap());
            return Ok(Target { address: stub.function, pending: None });
        }
        let name = CString::new(symbol).unwrap();
        // SAFETY: the name is NUL-terminated.
        let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) } as usize;
        match (address, weak) {
            (0, false) => Err("not in any library".into()),
            _ => Ok(Target { address, pending: None }),
        }
    }
}

extern "C" fn trap() {
    panic!("a stub was called before its slot was published");
}

/// Code, and the unit of its object.
#[derive(Debug)]
pub struct Code {
    code: autojit_code::Code,
    unit: Unit<'static>,
    /// The names of the object's sections.
    sections: Vec<String>,
}

impl std::ops::Deref for Code {
    type Target = autojit_code::Code;

    fn deref(&self) -> &Self::Target {
        &self.code
    }
}

/// A function of an object: name, address, size, whether it is global.
pub type UnitFunction<'c> = (&'c str, usize, usize, bool);

impl Code {
    pub fn functions(&self) -> impl Iterator<Item = UnitFunction<'_>> {
        let address = |offset| self.segments[Segment::Text as usize] + offset as usize;
        let functions = self.unit.functions.iter().zip(&self.unit.names);
        functions.map(move |(it, name)| (&**name, address(it.offset), it.size as usize, it.global))
    }

    /// The address of a loaded section.
    pub fn section(&self, name: &str) -> Option<usize> {
        let index = self.sections.iter().position(|section| section == name)?;
        let section = self.unit.sections.iter().find(|section| section.index as usize == index)?;
        Some(self.segments[section.segment as usize] + section.offset as usize)
    }
}

/// Commits an object that was linked.
pub fn commit(object: &[u8], linked: Linked<'_>) -> Result<Code, LinkError> {
    let code = linked.commit()?;
    let unit = Unit::of(object, &|_| None)?;
    let elf = goblin::elf::Elf::parse(object).unwrap();
    let name = |section: &goblin::elf::SectionHeader| elf.shdr_strtab.get_at(section.sh_name).unwrap().into();
    let sections = elf.section_headers.iter().map(name).collect();
    Ok(Code { code, unit, sections })
}

/// Links and publishes: bytes, unwind information, slots.
pub fn publish(object: &[u8], memory: &'static CodeMemory, symbols: &mut Symbols) -> Result<Code, LinkError> {
    let mut code = commit(object, link_object(object, memory, symbols)?)?;
    let (description, text) = (describe_unit(&code.unit), code.text.start);
    UNWIND.register(&mut code.code, Description::bind(description, code.unit.functions.len(), text));
    for (name, stub) in &symbols.stubs {
        if let Some(address) = address_of(&code, name) {
            stub.slot.target.store(address, Ordering::Release);
        }
    }
    Ok(code)
}

/// The address of a function of `code`.
pub fn address_of(code: &Code, name: &str) -> Option<usize> {
    code.functions().find(|function| function.0 == name).map(|function| function.1)
}

/// Calls the function `name` of `code`, which takes nothing and returns an `int`.
pub fn call(code: &Code, name: &str) -> i32 {
    let address = address_of(code, name).unwrap_or_else(|| panic!("no function {name}"));
    // SAFETY: a committed function of this type, from a test's own source.
    unsafe { std::mem::transmute::<usize, extern "C-unwind" fn() -> i32>(address)() }
}

/// The lines of /proc/self/maps with write and execute permission.
pub fn writable_and_executable() -> Vec<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.split(' ').nth(1).unwrap().contains("wx")).map(String::from).collect()
}

/// A forked process.
#[must_use]
pub struct Child(i32);

/// Runs `child` in a forked process.
pub fn in_child(child: impl FnOnce()) -> Child {
    // Another test's thread may be registering code.
    UNWIND.before_fork();
    // SAFETY: the child only runs the closure and leaves by _exit; the lock is released once in each process.
    let pid = unsafe {
        let pid = libc::fork();
        UNWIND.after_fork();
        pid
    };
    if pid == 0 {
        let ok = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).is_ok();
        // SAFETY: ends the process.
        unsafe { libc::_exit(if ok { 0 } else { 1 }) };
    }
    Child(pid)
}

impl Child {
    /// Waits for its end, which must be a good one.
    pub fn join(self) {
        let mut status = 0;
        // SAFETY: the status is writable.
        assert_eq!(unsafe { libc::waitpid(self.0, &mut status, 0) }, self.0);
        assert_eq!(status, 0, "the child failed");
    }
}

/// A pipe: one side says that it has come this far, the other waits for it.
pub struct Step([i32; 2]);

impl Step {
    pub fn new() -> Self {
        let mut ends = [0; 2];
        // SAFETY: an array of two.
        assert_eq!(unsafe { libc::pipe(ends.as_mut_ptr()) }, 0);
        Self(ends)
    }

    pub fn done(&self) {
        // SAFETY: one byte to write.
        assert_eq!(unsafe { libc::write(self.0[1], [0u8].as_ptr().cast(), 1) }, 1);
    }

    /// Waits a minute: the other side may have failed.
    pub fn wait(&self) {
        let mut end = libc::pollfd { fd: self.0[0], events: libc::POLLIN, revents: 0 };
        // SAFETY: one descriptor to poll, one byte to read.
        unsafe {
            assert_eq!(libc::poll(&mut end, 1, 60_000), 1, "the other process does not come");
            assert_eq!(libc::read(self.0[0], [0u8].as_mut_ptr().cast(), 1), 1);
        }
    }
}
