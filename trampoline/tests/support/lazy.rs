//! A shared library with lazy functions in the test's own process. The test plays the runtime: it loads the library,
//! points the image's entry pointer at the trampoline and installs a resolver.
//!
//! Function `index` of the unit is stub `symbols[index]`; its body is entry `index` of the array `bodies` that the
//! library's plain code exports.

use std::ffi::{CStr, CString, c_void};
use std::path::Path;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use autojit_trampoline::contract::{ImageRecord, Slot};
use autojit_trampoline::entry::{self, Frame, ResolverFn};

use super::{assemble, clang, run, scratch, stub, unit};

/// The bodies of the library that is loaded, for resolvers, which have no other way to know.
static BODIES: AtomicPtr<*const c_void> = AtomicPtr::new(std::ptr::null_mut());
/// Calls of [`body`] since the last [`Library::arm`].
pub static RESOLVED: AtomicU32 = AtomicU32::new(0);
/// Resolver, slots and registers of the tests' libraries are the process's: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A loaded library with lazy functions.
pub struct Library {
    handle: *mut c_void,
    record: *const ImageRecord,
    lazy_entries: Vec<usize>,
    boot: usize,
    _alone: MutexGuard<'static, ()>,
}

impl Library {
    /// Builds the library from a unit with stubs for `symbols` and the objects `plain`, and loads it.
    pub fn load(name: &str, symbols: &[&str], plain: impl FnOnce(&Path) -> Vec<std::path::PathBuf>) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poison| poison.into_inner());
        let dir = scratch(name);
        let stubs: Vec<_> = symbols.iter().zip(0..).map(|(symbol, index)| stub(symbol, index)).collect();
        let lazy = assemble(&dir, "lazy", &unit(1, &stubs));
        let path = dir.join("library.so");
        // Bound at load time and to itself: the dynamic linker's own lazy binding keeps fewer registers than we do.
        run(clang()
            .args(["-shared", "-Wl,-z,now", "-Wl,-Bsymbolic", "-lgcc_s", "-o"])
            .arg(&path)
            .arg(lazy)
            .args(plain(&dir)));
        let path = CString::new(path.into_os_string().into_encoded_bytes()).unwrap();
        // SAFETY: the library's constructors are boot code and what the test itself wrote.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        // SAFETY: dlerror returns a C string or null.
        let error = unsafe { libc::dlerror() };
        // SAFETY: as above.
        assert!(!handle.is_null(), "{:?}", unsafe { CStr::from_ptr(error) });
        let mut library =
            Self { handle, record: std::ptr::null(), lazy_entries: Vec::new(), boot: 0, _alone: alone };
        library.record = library.variable::<*const ImageRecord>("registered");
        assert!(!library.record.is_null(), "the constructor found no __autojit_register");
        library.boot = library.entry_pointer().load(Ordering::Relaxed);
        let slots = library.slots();
        assert_eq!(slots.len(), symbols.len());
        library.lazy_entries = slots.iter().map(|slot| slot.target.load(Ordering::Relaxed)).collect();
        library
    }

    /// Makes all functions cold again, with first calls going to `trampoline` and from there to `resolver`.
    pub fn arm(&self, resolver: ResolverFn, trampoline: Option<usize>) {
        entry::install(resolver, entry::Processor::ask());
        RESOLVED.store(0, Ordering::Relaxed);
        BODIES.store(self.address("bodies") as *mut *const c_void, Ordering::Relaxed);
        self.entry_pointer().store(trampoline.unwrap_or_else(entry::address), Ordering::Relaxed);
        for (slot, lazy_entry) in self.slots().iter().zip(&self.lazy_entries) {
            slot.target.store(*lazy_entry, Ordering::Release);
        }
    }

    /// The entry pointer.
    pub fn entry_pointer(&self) -> &AtomicUsize {
        // SAFETY: the record is the library's, which stays loaded.
        unsafe { &*(*self.record).entry_pointer() }
    }

    /// The address of boot code: what the entry pointer held at first.
    pub fn boot(&self) -> usize {
        self.boot
    }

    /// The slots of the library, in order of the functions.
    pub fn slots(&self) -> &[Slot] {
        // SAFETY: as in entry_pointer(); between the bounds are slots.
        unsafe {
            let slots = (*self.record).slots();
            std::slice::from_raw_parts(slots.start, slots.end.offset_from(slots.start) as usize)
        }
    }

    /// The address of an exported symbol.
    pub fn address(&self, symbol: &str) -> usize {
        let name = CString::new(symbol).unwrap();
        // SAFETY: the handle is open.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) } as usize;
        assert_ne!(address, 0, "{symbol}");
        address
    }

    /// The value of an exported variable.
    pub fn variable<T: Copy>(&self, symbol: &str) -> T {
        // SAFETY: the test names a variable of type T.
        unsafe { (self.address(symbol) as *const T).read_volatile() }
    }

    /// An exported `int f(void)`.
    pub fn function(&self, symbol: &str) -> extern "C" fn() -> i32 {
        // SAFETY: the test names such a function.
        unsafe { std::mem::transmute(self.address(symbol)) }
    }
}

/// The body of the function at `slot`.
///
/// # Safety
/// The slot must be one of the library that was armed last.
pub unsafe fn body(slot: *const Slot) -> usize {
    RESOLVED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: bodies[] has an entry for each index (the library's sources).
    unsafe { *BODIES.load(Ordering::Relaxed).add((*slot).index as usize) as usize }
}

/// A resolver that publishes the function's body.
pub unsafe extern "C" fn publish(slot: *const Slot, _frame: &mut Frame) {
    // SAFETY: the trampoline passes the slot of the stub that was called, one of the armed library's.
    unsafe { (*slot).target.store(body(slot), Ordering::Release) };
}

/// A resolver that publishes the function's body and leaves no register as it was, except those that a function must
/// preserve.
pub unsafe extern "C" fn publish_and_clobber(slot: *const Slot, frame: &mut Frame) {
    // SAFETY: as the caller promises.
    unsafe { publish(slot, frame) };
    clobber();
}

/// Fills every register that a C function may change, as far as the processor has it, and leaves the x87 stack full
/// and MXCSR rounding to zero.
pub fn clobber() {
    // SAFETY: exactly the registers that a call may change are changed (clobber_abi), but for MXCSR, the x87 control
    // word and the x87 stack: no floating point operation follows on this stack.
    unsafe {
        std::arch::asm!(
            "pcmpeqd xmm0, xmm0",
            "movdqa xmm1, xmm0",
            "movdqa xmm2, xmm0",
            "movdqa xmm3, xmm0",
            "movdqa xmm4, xmm0",
            "movdqa xmm5, xmm0",
            "movdqa xmm6, xmm0",
            "movdqa xmm7, xmm0",
            "movdqa xmm8, xmm0",
            "movdqa xmm9, xmm0",
            "movdqa xmm10, xmm0",
            "movdqa xmm11, xmm0",
            "movdqa xmm12, xmm0",
            "movdqa xmm13, xmm0",
            "movdqa xmm14, xmm0",
            "movdqa xmm15, xmm0",
            "mov rax, -1",
            "mov rcx, rax",
            "mov rdx, rax",
            "mov rsi, rax",
            "mov rdi, rax",
            "mov r8, rax",
            "mov r9, rax",
            "mov r10, rax",
            "mov r11, rax",
            "fninit",
            "fldpi",
            "fldpi",
            "fldpi",
            "fldpi",
            "fldpi",
            "fldpi",
            "fldpi",
            "fldpi",
            "push 0x7f80",
            "ldmxcsr [rsp]",
            "mov dword ptr [rsp], 0xf7f",
            "fldcw [rsp]",
            "pop rax",
            clobber_abi("C"),
        );
        if std::arch::is_x86_feature_detected!("avx512bw") {
            std::arch::asm!(
                "vpternlogd zmm0, zmm0, zmm0, 255",
                "vmovdqa64 zmm1, zmm0",
                "vmovdqa64 zmm2, zmm0",
                "vmovdqa64 zmm3, zmm0",
                "vmovdqa64 zmm4, zmm0",
                "vmovdqa64 zmm5, zmm0",
                "vmovdqa64 zmm6, zmm0",
                "vmovdqa64 zmm7, zmm0",
                "vmovdqa64 zmm8, zmm0",
                "vmovdqa64 zmm9, zmm0",
                "vmovdqa64 zmm10, zmm0",
                "vmovdqa64 zmm11, zmm0",
                "vmovdqa64 zmm12, zmm0",
                "vmovdqa64 zmm13, zmm0",
                "vmovdqa64 zmm14, zmm0",
                "vmovdqa64 zmm15, zmm0",
                "vmovdqa64 zmm16, zmm0",
                "vmovdqa64 zmm17, zmm0",
                "vmovdqa64 zmm18, zmm0",
                "vmovdqa64 zmm19, zmm0",
                "vmovdqa64 zmm20, zmm0",
                "vmovdqa64 zmm21, zmm0",
                "vmovdqa64 zmm22, zmm0",
                "vmovdqa64 zmm23, zmm0",
                "vmovdqa64 zmm24, zmm0",
                "vmovdqa64 zmm25, zmm0",
                "vmovdqa64 zmm26, zmm0",
                "vmovdqa64 zmm27, zmm0",
                "vmovdqa64 zmm28, zmm0",
                "vmovdqa64 zmm29, zmm0",
                "vmovdqa64 zmm30, zmm0",
                "vmovdqa64 zmm31, zmm0",
                "kxnorq k0, k0, k0",
                "kmovq k1, k0",
                "kmovq k2, k0",
                "kmovq k3, k0",
                "kmovq k4, k0",
                "kmovq k5, k0",
                "kmovq k6, k0",
                "kmovq k7, k0",
                clobber_abi("C"),
            );
        } else if std::arch::is_x86_feature_detected!("avx") {
            std::arch::asm!("vzeroall", clobber_abi("C"));
        }
    }
}
