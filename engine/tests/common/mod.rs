//! What tests and examples share: the built library, loaded as the runtime loads it, and containers made from LLVM
//! assembly.

#![allow(dead_code, reason = "each test binary uses a part")]

use std::ffi::{CString, c_void};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use autojit_abi::{Buffer, ENGINE_ABI, ENGINE_SYMBOL, EngineApi, EngineModule, OpenOptions, StackMap};
use autojit_store::{Contents, FunctionKind, OptLevel, StoredFunction, whole};

/// The options of a runtime that asks for nothing.
pub const AS_BUILT: OpenOptions = OpenOptions { opt_override: -1, batch_limit: 0, full_debug: false };

/// The library that cargo built along with this test or example.
pub fn library() -> PathBuf {
    let exe = std::env::current_exe().expect("the test knows its path");
    exe.ancestors()
        .map(|dir| dir.join("deps/libautojit_engine.so"))
        .find(|path| path.exists())
        .expect("cargo builds the library before its tests")
}

/// The engine's functions.
pub fn api() -> &'static EngineApi {
    static API: OnceLock<&'static EngineApi> = OnceLock::new();
    API.get_or_init(|| {
        let path = CString::new(library().into_os_string().into_encoded_bytes()).expect("no NUL");
        // SAFETY: the library's constructors are LLVM's and mimalloc's; the symbol has the type that abi says.
        unsafe {
            let handle = libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL);
            assert!(!handle.is_null(), "{:?}", std::ffi::CStr::from_ptr(libc::dlerror()));
            let symbol = CString::new(ENGINE_SYMBOL).expect("no NUL");
            let entry = libc::dlsym(handle, symbol.as_ptr());
            assert!(!entry.is_null(), "the entry point is missing");
            let entry: extern "C" fn() -> *const EngineApi = std::mem::transmute(entry);
            let api = &*entry();
            assert_eq!(api.abi, ENGINE_ABI);
            api
        }
    })
}

/// Bytes or text from the engine, released on drop.
pub struct Owned(Buffer);

impl std::ops::Deref for Owned {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: the buffer is released on drop only.
        unsafe { std::slice::from_raw_parts(self.0.data, self.0.len) }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the buffer came from the engine and is released once.
        unsafe { (api().release_buffer)(self.0) }
    }
}

/// An open module. Its container is leaked: the engine wants it in place.
pub struct Module(*mut EngineModule);

// SAFETY: the engine lets any thread use a module, one at a time.
unsafe impl Send for Module {}

impl Module {
    pub fn open(container: &[u8], options: OpenOptions) -> Result<Self, String> {
        let container: &'static [u8] = Box::leak(container.to_vec().into_boxed_slice());
        let (mut module, mut error) = (std::ptr::null_mut(), Buffer::EMPTY);
        // SAFETY: the container stays; the other arguments are valid for the call.
        let status =
            unsafe { (api().open)(container.as_ptr(), container.len(), &options, &mut module, &mut error) };
        if status == 0 { Ok(Self(module)) } else { Err(text(error)) }
    }

    pub fn compile(&mut self, root: u32, mut claim: impl FnMut(u32) -> bool) -> Result<Owned, String> {
        unsafe extern "C" fn forward<F: FnMut(u32) -> bool>(context: *mut c_void, index: u32) -> bool {
            // SAFETY: `context` is the closure below.
            unsafe { (*context.cast::<F>())(index) }
        }
        fn forward_of<F: FnMut(u32) -> bool>(_: &F) -> autojit_abi::Claim {
            forward::<F>
        }
        let (mut object, mut error) = (Buffer::EMPTY, Buffer::EMPTY);
        let forward = forward_of(&claim);
        // SAFETY: the module is open and ours; claim outlives the call.
        let status = unsafe {
            (api().compile)(self.0, root, false, forward, (&raw mut claim).cast(), &mut object, &mut error)
        };
        if status == 0 { Ok(Owned(object)) } else { Err(text(error)) }
    }
}

impl Module {
    /// The continuation of a function from a loop on.
    pub fn continuation(&mut self, root: u32, map: &StackMap) -> Result<Owned, String> {
        let (mut object, mut error) = (Buffer::EMPTY, Buffer::EMPTY);
        let map = map.encode().expect("a small map");
        // SAFETY: the module is open and ours; the map is there during the call.
        let status = unsafe {
            (api().compile_continuation)(self.0, root, map.as_ptr(), map.len(), &mut object, &mut error)
        };
        if status == 0 { Ok(Owned(object)) } else { Err(text(error)) }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: the module is open and not used any more.
        unsafe { (api().close)(self.0) }
    }
}

fn text(error: Buffer) -> String {
    String::from_utf8(Owned(error).to_vec()).expect("messages are UTF-8")
}

/// A function's entry in a container: `name`, local, not interposable.
pub fn function(name: &str) -> StoredFunction {
    StoredFunction { name: name.into(), kind: FunctionKind::Local, import: None, interposable: false }
}

/// A container around bitcode.
pub fn container(bitcode: &[u8], functions: &[StoredFunction], opt: OptLevel) -> Vec<u8> {
    container_with("", bitcode, functions, opt)
}

/// The same of a build with further options.
pub fn container_with(options: &str, bitcode: &[u8], functions: &[StoredFunction], opt: OptLevel) -> Vec<u8> {
    let contents =
        Contents { source: "test.c", opt, options, functions, imports: &[], bitcode: &whole(bitcode) };
    autojit_store::encode(&contents).expect("zstd has memory").0
}

/// Bitcode of LLVM assembly.
pub fn assemble(ir: &str) -> Vec<u8> {
    let mut command =
        std::process::Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/llvm-as"));
    run(command.args(["-o", "-", "-"]), ir.as_bytes())
}

/// What a command writes to stdout.
pub fn run(command: &mut std::process::Command, input: &[u8]) -> Vec<u8> {
    use std::io::Write;
    use std::process::Stdio;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the tool is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    let out = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("the tool reads its input"));
        child.wait_with_output().expect("the tool ends")
    });
    assert!(out.status.success(), "{command:?} failed");
    out.stdout
}

/// A container of LLVM assembly with local functions.
pub fn container_of(ir: &str, names: &[&str], opt: OptLevel) -> Vec<u8> {
    let functions: Vec<_> = names.iter().map(|name| function(name)).collect();
    container(&assemble(ir), &functions, opt)
}

/// Reads a file or says which one is missing.
pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A container of C code; the lazy functions are `names`. Functions are as the plugin leaves them with -fPIC: not
/// bound locally. Static data must be constant.
pub fn container_of_c(source: &str, flags: &[&str], names: &[&str], opt: OptLevel) -> Vec<u8> {
    let mut clang = std::process::Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/clang"));
    clang.args(["-x", "c", "-fPIC", "-Xclang", "-disable-llvm-passes", "-emit-llvm", "-c", "-o", "-", "-"]);
    let bitcode = run(clang.args(flags), source.as_bytes());
    let functions: Vec<_> = names.iter().map(|name| function(name)).collect();
    container(&bitcode, &functions, opt)
}

/// -O0, -O1 and so on.
pub fn level(speed: u8) -> OptLevel {
    OptLevel { speed, size: 0 }
}

/// What an object says of itself.
pub struct Parsed<'a> {
    pub elf: goblin::elf::Elf<'a>,
    pub bytes: &'a [u8],
}

impl<'a> Parsed<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { elf: goblin::elf::Elf::parse(bytes).expect("an object"), bytes }
    }

    fn symbols(&self, wanted: impl Fn(&goblin::elf::Sym) -> bool) -> Vec<&str> {
        let found = self.elf.syms.iter().filter(|sym| sym.st_bind() != 0 && wanted(sym));
        let mut names: Vec<_> = found.map(|sym| &self.elf.strtab[sym.st_name]).collect();
        names.sort_unstable();
        names
    }

    /// Global definitions, sorted. They must not be weak.
    pub fn defined(&self) -> Vec<&str> {
        self.symbols(|sym| {
            assert!(sym.st_bind() == 1 || sym.st_shndx == 0, "a definition is not global");
            sym.st_shndx != 0
        })
    }

    /// What it refers to and does not define, sorted.
    pub fn undefined(&self) -> Vec<&str> {
        self.symbols(|sym| sym.st_shndx == 0)
    }

    /// Relocation types against a symbol outside of debug information and unwind tables, sorted, without repetitions.
    pub fn relocations(&self, symbol: &str) -> Vec<u32> {
        let mut types = Vec::new();
        for (index, table) in &self.elf.shdr_relocs {
            let section = &self.elf.section_headers[self.elf.section_headers[*index].sh_info as usize];
            let loaded = section.sh_flags & u64::from(goblin::elf::section_header::SHF_ALLOC) != 0;
            if loaded && self.name(section) != ".eh_frame" {
                let of_symbol = |r: &goblin::elf::Reloc| {
                    let symbol_of = self.elf.syms.get(r.r_sym).expect("a symbol");
                    &self.elf.strtab[symbol_of.st_name] == symbol
                };
                types.extend(table.iter().filter(of_symbol).map(|r| r.r_type));
            }
        }
        types.sort_unstable();
        types.dedup();
        types
    }

    /// Where calls and jumps through the PLT lie in their sections; the sections' alignment; the opcode.
    pub fn branches(&self) -> Vec<(u64, u64, u8)> {
        let mut found = Vec::new();
        for (index, table) in &self.elf.shdr_relocs {
            let section = &self.elf.section_headers[self.elf.section_headers[*index].sh_info as usize];
            for reloc in table.iter().filter(|reloc| reloc.r_type == goblin::elf::reloc::R_X86_64_PLT32) {
                let site = reloc.r_offset - 1;
                found.push((site, section.sh_addralign, self.bytes[(section.sh_offset + site) as usize]));
            }
        }
        found
    }

    fn name(&self, section: &goblin::elf::SectionHeader) -> &str {
        &self.elf.shdr_strtab[section.sh_name]
    }

    /// The bytes of a section; none if it is not there.
    pub fn section(&self, name: &str) -> &'a [u8] {
        let found = self.elf.section_headers.iter().find(|section| self.name(section) == name);
        found.map_or(&[], |s| &self.bytes[s.sh_offset as usize..][..s.sh_size as usize])
    }

    /// The code of a function.
    pub fn code(&self, name: &str) -> &'a [u8] {
        let sym =
            self.elf.syms.iter().find(|sym| &self.elf.strtab[sym.st_name] == name).expect("the function");
        let section = &self.elf.section_headers[sym.st_shndx];
        &self.bytes[(section.sh_offset + sym.st_value) as usize..][..sym.st_size as usize]
    }
}

/// A directory for files of tests, in cargo's target directory.
pub fn scratch() -> PathBuf {
    let dir = library().with_file_name("engine-tests");
    std::fs::create_dir_all(&dir).expect("the target directory is writable");
    dir
}

/// A shared library made of objects, by a linker that is not ours, and loaded.
pub struct Loaded(*mut c_void);

impl Loaded {
    pub fn new(name: &str, objects: &[Vec<u8>]) -> Self {
        let dir = scratch();
        let library = dir.join(format!("{name}.so"));
        let mut clang =
            std::process::Command::new(concat!("/usr/lib/llvm-", env!("LLVM_RELEASE"), "/bin/clang"));
        clang.args(["-shared", "-Wl,-z,defs", "-o"]).arg(&library);
        for (index, object) in objects.iter().enumerate() {
            let file = dir.join(format!("{name}-{index}.o"));
            std::fs::write(&file, object).expect("the target directory is writable");
            clang.arg(file);
        }
        run(&mut clang, b"");
        let path = CString::new(library.into_os_string().into_encoded_bytes()).expect("no NUL");
        // SAFETY: the library has no constructors.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        // SAFETY: dlopen failed, so there is a message.
        assert!(!handle.is_null(), "{:?}", unsafe { std::ffi::CStr::from_ptr(libc::dlerror()) });
        Self(handle)
    }

    /// Calls `int function(int)`.
    pub fn call(&self, function: &std::ffi::CStr, argument: i32) -> i32 {
        // SAFETY: the tests' functions have this type.
        unsafe {
            let address = libc::dlsym(self.0, function.as_ptr());
            assert!(!address.is_null(), "{function:?} is missing");
            std::mem::transmute::<*mut c_void, extern "C" fn(i32) -> i32>(address)(argument)
        }
    }
}
