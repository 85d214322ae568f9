//! Compiles a source with clang, its bitcode with the baseline compiler, and runs both in this process.
//!
//! Data comes from a shared object that clang makes of the same IR: nothing in it is internal, so that the code made
//! here finds it by name. Another copy of the object is the reference, with data of its own.

#![allow(dead_code, reason = "each test uses a part of it")]

pub mod cases;
pub mod compiled;
pub mod generate;
pub mod link;
pub mod numbers;
pub mod unwind;

use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use autojit_baseline::{Baseline, Code, Refused};
use autojit_bitcode::{BitcodeModule, FunctionBody};

/// Values that a program may write.
const OUTPUT: usize = 1 << 20;

/// A function that was not compiled.
#[derive(Debug)]
pub struct Left {
    /// Its name.
    pub name: String,
    /// Why.
    pub refused: Refused,
}

/// A directory that is removed when the test is over.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// A new directory.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("autojit-baseline-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a scratch directory");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a command that must succeed.
pub fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The path of a test source.
pub fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources").join(name)
}

/// The bitcode of a file of IR.
pub fn assemble(path: &Path, scratch: &Scratch) -> Vec<u8> {
    let code = scratch.0.join("code.bc");
    run(Command::new(concat!("llvm-as-", env!("LLVM_RELEASE"))).arg(path).arg("-o").arg(&code));
    std::fs::read(&code).expect("readable bitcode")
}

/// The bitcode of IR.
pub fn bitcode_of(ir: &str, scratch: &Scratch) -> Vec<u8> {
    let text = scratch.0.join("code.ll");
    std::fs::write(&text, ir).expect("a writable directory");
    assemble(&text, scratch)
}

/// The IR of a source; that of an `.ll` file is what it contains.
pub fn ir(path: &Path, flags: &[&str], scratch: &Scratch) -> String {
    if path.extension().is_some_and(|ext| ext == "ll") {
        return std::fs::read_to_string(path).expect("a readable source");
    }
    let out = scratch.0.join("source.ll");
    let compiler = if path.extension().is_some_and(|ext| ext == "cpp") {
        concat!("clang++-", env!("LLVM_RELEASE"))
    } else {
        concat!("clang-", env!("LLVM_RELEASE"))
    };
    run(Command::new(compiler)
        .args(["-fPIC", "-S", "-emit-llvm", "-w", "-o"])
        .arg(&out)
        .args(flags)
        .arg(path));
    std::fs::read_to_string(out).expect("readable IR")
}

/// IR without internal symbols: what is defined in the shared object can be found by name, and nothing is near.
pub fn exported(ir: &str) -> String {
    let mut out = String::with_capacity(ir.len());
    for line in ir.lines() {
        let definition = line.starts_with('@') || line.starts_with("define ") || line.starts_with("declare ");
        if definition {
            let (head, tail) =
                line.split_once(if line.starts_with('@') { " = " } else { " " }).unwrap_or((line, ""));
            let (before, after) = tail
                .split_once(['"', '@', '{', '['])
                .map_or((tail, ""), |(before, _)| tail.split_at(before.len()));
            let mut before = before.to_owned();
            for word in ["private ", "internal ", "dso_local ", "hidden ", "protected "] {
                before = before.replace(word, "");
            }
            let separator = if line.starts_with('@') { " = " } else { " " };
            out.extend([head, separator, before.as_str(), after, "\n"]);
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// A program in both forms.
pub struct Program {
    /// Code of the functions that were compiled.
    pub linked: link::Linked,
    /// What was refused.
    pub left: Vec<Left>,
    reference: *mut libc::c_void,
    _scratch: Scratch,
}

/// Opens an object that a test has made.
pub fn open(path: &Path) -> *mut libc::c_void {
    let name = CString::new(path.as_os_str().as_encoded_bytes()).expect("a path without zeros");
    // SAFETY: the name is a C string; the object was made by this test and has no constructors that matter.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
    if handle.is_null() {
        // SAFETY: dlerror returns a C string after a failure.
        let message = unsafe { std::ffi::CStr::from_ptr(libc::dlerror()) };
        panic!("{}: {}", path.display(), message.to_string_lossy());
    }
    handle
}

/// The address of a symbol, 0 if there is none.
pub fn symbol(handle: *mut libc::c_void, name: &str) -> usize {
    let name = CString::new(name).expect("a name without zeros");
    // SAFETY: the handle comes from dlopen or is a pseudo-handle, the name is a C string.
    unsafe { libc::dlsym(handle, name.as_ptr()) as usize }
}

/// Compiles all functions of a module.
pub fn compile(module: &BitcodeModule<'_>) -> (Vec<(u32, Code)>, Vec<Left>) {
    let (mut done, mut left) = (Vec::new(), Vec::new());
    let mut baseline = Baseline::new(module);
    let mut body = FunctionBody::default();
    for (index, global) in module.globals().iter().enumerate() {
        if !module.has_body(index as u32) {
            continue;
        }
        module.read_function(index as u32, &mut body).expect("a readable body");
        match baseline.compile(&body, false) {
            Ok(code) => done.push((index as u32, code)),
            Err(refused) => {
                let name = String::from_utf8_lossy(module.name(global)).into_owned();
                left.push(Left { name, refused });
            }
        }
    }
    (done, left)
}

/// Functions that are refused, of IR that LLVM's code generator is not to see.
pub fn left_of(ir: &str) -> Vec<Left> {
    let bytes = bitcode_of(ir, &Scratch::new());
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    compile(&module).1
}

impl Program {
    /// Builds a source both ways.
    pub fn build(path: &Path, flags: &[&str]) -> Self {
        let scratch = Scratch::new();
        let ir = ir(path, flags, &scratch);
        Self::of_ir(&exported(&ir), scratch)
    }

    /// Builds IR both ways.
    pub fn of_ir(ir: &str, scratch: Scratch) -> Self {
        let at = |name: &str| scratch.0.join(name);
        let bytes = bitcode_of(ir, &scratch);
        run(Command::new(concat!("clang++-", env!("LLVM_RELEASE")))
            .args(["-shared", "-fPIC", "-O0", "-w", "-lm", "-o"])
            .arg(at("data.so"))
            .arg(at("code.ll"))
            .arg("-lm"));
        std::fs::copy(at("data.so"), at("reference.so")).expect("a copy of the object");
        let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
        let (codes, left) = compile(&module);
        let linked = link::Linked::new(&module, &codes, open(&at("data.so")));
        Self { linked, left, reference: open(&at("reference.so")), _scratch: scratch }
    }

    /// The address of a function's baseline code.
    pub fn function(&self, name: &str) -> usize {
        *self.linked.functions.get(name).unwrap_or_else(|| panic!("{name} was refused: {:?}", self.left))
    }

    /// The address of a function of the reference.
    pub fn reference(&self, name: &str) -> usize {
        symbol(self.reference, name)
    }

    /// Runs `run` both ways: where what it wrote differs, and both values.
    pub fn differences(&self) -> Vec<(usize, u64, u64)> {
        let (ours, theirs) = self.results();
        assert_eq!(ours.len(), theirs.len());
        let pairs = ours.into_iter().zip(theirs).enumerate();
        pairs.filter(|(_, (ours, theirs))| ours != theirs).map(|(index, (a, b))| (index, a, b)).collect()
    }

    fn results(&self) -> (Vec<u64>, Vec<u64>) {
        let theirs = call_run(self.reference("run"));
        let ours = call_run(self.function("run"));
        assert!(!theirs.is_empty(), "the program writes nothing");
        (ours, theirs)
    }

    /// Runs `unsigned long run(unsigned long long *out)` both ways and compares what it wrote.
    pub fn check(&self) {
        let (ours, theirs) = self.results();
        for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
            assert_eq!(ours, theirs, "value {index}: {ours:#x} instead of {theirs:#x}");
        }
        assert_eq!(ours.len(), theirs.len());
    }

    /// The same, and nothing was refused.
    pub fn check_all(&self) {
        assert!(self.left.is_empty(), "{:#?}", self.left);
        self.check();
    }
}

fn call_run(address: usize) -> Vec<u64> {
    let mut out = vec![0_u64; OUTPUT];
    // SAFETY: the programs of these tests define it with this type, and write no more than that.
    let count = unsafe {
        let run: extern "C" fn(*mut u64) -> u64 = std::mem::transmute(address);
        run(out.as_mut_ptr())
    };
    out.truncate(count as usize);
    out
}
