//! Puts code into memory and applies its relocations: the least that a test needs of a linker.

use std::arch::naked_asm;
use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;

use autojit_baseline::{Code, Relocation, RelocationKind, RelocationTarget, Runtime};
use autojit_bitcode::BitcodeModule;

use super::{symbol, unwind};

/// Room for code, GOT entries and constants.
const SIZE: usize = 64 << 20;
/// The end of it, for counters: it stays writable.
const COUNTERS: usize = 1 << 20;
/// Bytes of a counter.
const COUNTER: usize = 16;

/// What is called when a counter has run out.
pub static RAN_OUT: AtomicUsize = AtomicUsize::new(0);

#[unsafe(naked)]
extern "C" fn ran_out() {
    naked_asm!("jmp [rip + {to}]", to = sym RAN_OUT);
}

/// Code that can be called.
pub struct Linked {
    /// Addresses by name.
    pub functions: HashMap<String, usize>,
    /// Those of their counters.
    #[allow(dead_code, reason = "not all tests count")]
    pub counters: HashMap<String, Vec<usize>>,
}

struct Memory {
    base: usize,
    next: usize,
}

impl Memory {
    fn new() -> Self {
        // SAFETY: an anonymous mapping at any address.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(base, libc::MAP_FAILED);
        Self { base: base as usize, next: base as usize }
    }

    fn put(&mut self, bytes: &[u8], align: usize) -> usize {
        self.next = self.next.next_multiple_of(align.max(1));
        let at = self.next;
        self.next += bytes.len();
        assert!(self.next <= self.base + SIZE - COUNTERS, "the test's code memory is too small");
        // SAFETY: within the mapping, which is writable and ours.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
        at
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(at >= self.base && at + bytes.len() <= self.next);
        // SAFETY: within the mapping, as was just checked.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at as *mut u8, bytes.len()) };
    }
}

/// Where things are.
struct Addresses<'a> {
    module: &'a BitcodeModule<'a>,
    compiled: HashMap<u32, usize>,
    /// By where the code begins.
    counters: HashMap<usize, usize>,
    data: *mut libc::c_void,
    got: HashMap<usize, usize>,
    stubs: HashMap<usize, usize>,
}

impl Addresses<'_> {
    fn of(&self, target: RelocationTarget, text: usize, rodata: usize) -> usize {
        match target {
            RelocationTarget::Counter(number) => self.counters[&text] + number as usize * COUNTER,
            RelocationTarget::Text => text,
            RelocationTarget::Rodata => rodata,
            RelocationTarget::Runtime(Runtime::COUNTER) => ran_out as *const () as usize,
            RelocationTarget::Runtime(runtime) => {
                let found = symbol(self.data, runtime.0);
                assert_ne!(found, 0, "{}", runtime.0);
                found
            }
            RelocationTarget::Global(index) => {
                if let Some(address) = self.compiled.get(&index) {
                    return *address;
                }
                let global = &self.module.globals()[index as usize];
                let name = String::from_utf8_lossy(self.module.name(global)).into_owned();
                let found = symbol(self.data, &name);
                let weak = global.linkage == autojit_bitcode::Linkage::ExternalWeak;
                assert!(found != 0 || weak, "{name}");
                found
            }
        }
    }

    /// A GOT entry with an address.
    fn got_entry(&mut self, memory: &mut Memory, address: usize) -> usize {
        *self.got.entry(address).or_insert_with(|| memory.put(&address.to_le_bytes(), 8))
    }

    /// Code within reach that jumps to an address.
    fn stub(&mut self, memory: &mut Memory, address: usize) -> usize {
        // jmp *0(%rip)
        let stub = [&[0xff, 0x25, 0, 0, 0, 0], address.to_le_bytes().as_slice()].concat();
        *self.stubs.entry(address).or_insert_with(|| memory.put(&stub, 16))
    }

    fn apply(
        &mut self,
        memory: &mut Memory,
        piece: usize,
        relocation: &Relocation,
        text: usize,
        rodata: usize,
    ) {
        let target = self.of(relocation.target, text, rodata);
        let place = piece + relocation.offset as usize;
        let target = match relocation.kind {
            RelocationKind::Abs64 => {
                let value =
                    if target == 0 { 0 } else { target.wrapping_add_signed(relocation.addend as isize) };
                memory.write(place, &value.to_le_bytes());
                return;
            }
            RelocationKind::Pc32 => target,
            RelocationKind::GotRelaxable => self.got_entry(memory, target),
            RelocationKind::Call => self.stub(memory, target),
        };
        let value = target as i64 + relocation.addend - place as i64;
        memory.write(place, &i32::try_from(value).expect("within reach").to_le_bytes());
    }
}

impl Linked {
    /// Links code; what it does not define is looked up in `data`, then in the process.
    pub fn new(module: &BitcodeModule<'_>, codes: &[(u32, Code)], data: *mut libc::c_void) -> Self {
        let mut memory = Memory::new();
        let (got, stubs) = Default::default();
        let mut addresses =
            Addresses { module, compiled: HashMap::new(), counters: HashMap::new(), data, got, stubs };
        let mut places = Vec::new();
        let mut counters = memory.base + SIZE - COUNTERS;
        for (index, code) in codes {
            let text = memory.put(&code.text, 16);
            let rodata = memory.put(&code.rodata, code.rodata_align as usize);
            let lsda = code.lsda.as_ref().map(|lsda| memory.put(&lsda.bytes, 8));
            addresses.compiled.insert(*index, text);
            addresses.counters.insert(text, counters);
            for _ in 0..=code.loops.len() {
                assert!(counters + COUNTER <= memory.base + SIZE);
                // SAFETY: within the mapping, as was just checked. It does not run out unless a test wants that.
                unsafe { (counters as *mut i32).write(i32::MAX) };
                counters += COUNTER;
            }
            places.push((text, rodata, lsda));
        }
        let mut frames = unwind::Frames::default();
        for ((_, code), (text, rodata, lsda)) in codes.iter().zip(&places) {
            for relocation in &code.text_relocations {
                addresses.apply(&mut memory, *text, relocation, *text, *rodata);
            }
            for relocation in &code.rodata_relocations {
                addresses.apply(&mut memory, *rodata, relocation, *text, *rodata);
            }
            if let (Some(at), Some(lsda)) = (lsda, &code.lsda) {
                for relocation in &lsda.relocations {
                    addresses.apply(&mut memory, *at, relocation, *text, *rodata);
                }
            }
            let personality =
                code.personality.map(|global| addresses.of(RelocationTarget::Global(global), 0, 0));
            frames.add(code, *text, personality.zip(*lsda));
        }
        frames.register();
        // SAFETY: the mapping is ours; from here on it is only executed and read.
        let result = unsafe {
            libc::mprotect(memory.base as *mut _, SIZE - COUNTERS, libc::PROT_READ | libc::PROT_EXEC)
        };
        assert_eq!(result, 0);
        let name = |index: u32| {
            let global = &module.globals()[index as usize];
            String::from_utf8_lossy(module.name(global)).into_owned()
        };
        let functions = addresses.compiled.iter().map(|(index, at)| (name(*index), *at)).collect();
        let counters_of = |(index, code): &(u32, Code)| {
            let first = addresses.counters[&addresses.compiled[index]];
            (name(*index), (0..=code.loops.len()).map(|number| first + number * COUNTER).collect())
        };
        Self { functions, counters: codes.iter().map(counters_of).collect() }
    }
}
