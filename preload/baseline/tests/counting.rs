//! Code that counts, and what runs the rest of a function on the frame of its code.

mod support;

use std::arch::naked_asm;
use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use autojit_abi::{LocationKind, StackMap};
use autojit_baseline::{Baseline, Code, Counting};
use autojit_bitcode::{FunctionBody, Module};
use iced_x86::{Mnemonic, Register};
use support::link::Linked;
use support::{Scratch, open, run, source};

/// As the trampoline's, where compiled code expects it.
#[repr(C)]
struct Counter {
    left: i32,
    call: usize,
}

/// Where the rest of a function is; 0: nowhere.
static REST: AtomicUsize = AtomicUsize::new(0);
/// Where the last call of a counter that had run out returned to.
static RETURNED: AtomicUsize = AtomicUsize::new(0);
/// How often the rest was run.
static RUNS: AtomicU32 = AtomicU32::new(0);
/// The map of the frame that it runs on.
static MAP: Mutex<Option<StackMap>> = Mutex::new(None);

/// What a counter calls that has run out: keeps all registers but r11.
#[unsafe(naked)]
extern "C" fn tripped() {
    naked_asm!(
        "push rax",
        "mov rax, [rsp + 8]",
        "mov [rip + {returned}], rax",
        "pop rax",
        "mov r11, [rip + {rest}]",
        "ret",
        returned = sym RETURNED,
        rest = sym REST,
    );
}

fn bitcode() -> (Vec<u8>, Scratch) {
    let scratch = Scratch::new();
    let path = scratch.0.join("code.bc");
    run(Command::new("llvm-as-22").arg(source("counting.ll")).arg("-o").arg(&path));
    (std::fs::read(&path).expect("readable bitcode"), scratch)
}

/// A module, compiled.
struct Compiled<'m> {
    module: &'m Module<'m>,
    codes: HashMap<String, (u32, Code)>,
    counting: Counting,
}

impl<'m> Compiled<'m> {
    fn of(module: &'m Module<'m>, counting: Counting) -> Self {
        let mut codes = HashMap::new();
        let mut body = FunctionBody::default();
        for (index, global) in (0..).zip(module.globals()).filter(|(index, _)| module.has_body(*index)) {
            module.read_function(index, &mut body).expect("a readable body");
            let code = Baseline::new(module).compile(&body, Some(counting)).expect("it is compiled");
            codes.insert(String::from_utf8_lossy(module.name(global)).into_owned(), (index, code));
        }
        Self { module, codes, counting }
    }

    fn code(&self, name: &str) -> &Code {
        &self.codes[name].1
    }

    /// The map of the only loop of a function.
    fn map(&self, name: &str) -> Result<StackMap, String> {
        let (index, code) = &self.codes[name];
        let mut body = FunctionBody::default();
        self.module.read_function(*index, &mut body).expect("a readable body");
        let [header] = code.loops[..] else { panic!("{name}: {:?}", code.loops) };
        let map = Baseline::new(self.module).stack_map(&body, self.counting, header.block);
        map.map_err(|refused| refused.to_string())
    }
}

/// Code that counts does so once behind its prologue and once in each loop, and is as long for each counter: lines are found
/// by compiling it again.
#[test]
fn entries_and_loops_are_counted() {
    let (bytes, _scratch) = bitcode();
    let module = Module::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let weights = |counter: u64| {
        let compiled = Compiled::of(&module, Counting { counter, entry: 1000, round: 3 });
        let code = compiled.code("nested");
        let all: Vec<_> =
            iced_x86::Decoder::new(64, &code.text, iced_x86::DecoderOptions::NONE).into_iter().collect();
        let counts = all.windows(3).filter(|three| {
            three[0].op0_register() == Register::R11
                && three[0].immediate64() == counter
                && three[1].memory_base() == Register::R11
                && three[2].mnemonic() == Mnemonic::Js
        });
        let counts: Vec<_> =
            counts.map(|three| (three[1].immediate(1), three[2].near_branch_target())).collect();
        // Each has its call, and only what loops do tells whether to go on.
        let mut behind = Vec::new();
        for (_, out) in &counts {
            let call = all.iter().position(|it| it.ip() == *out).expect("a branch to an instruction");
            assert_eq!(all[call].mnemonic(), Mnemonic::Call);
            assert_eq!((all[call].memory_base(), all[call].memory_displacement64()), (Register::R11, 8));
            if all[call + 1].mnemonic() == Mnemonic::Test {
                behind.push(all[call].next_ip() as u32);
            } else {
                assert_eq!(all[call + 1].mnemonic(), Mnemonic::Jmp);
            }
        }
        let returns: Vec<_> = code.loops.iter().map(|header| header.returns).collect();
        assert_eq!(returns, behind);
        assert_eq!(code.loops.iter().map(|header| header.block).collect::<Vec<_>>(), [1, 2]);
        (counts.iter().map(|(weight, _)| *weight).collect::<Vec<_>>(), code.text.len())
    };
    let (counts, len) = weights(0x1234_5678_9abc);
    assert_eq!(counts, [1000, 3, 3]);
    assert_eq!(weights(1), (vec![1000, 3, 3], len));
}

/// Where exceptions arrive no loop is left; where a value lies in pieces there is no map, nor for blocks that are no loops.
#[test]
fn what_cannot_be_described_is_refused() {
    let (bytes, _scratch) = bitcode();
    let module = Module::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let compiled = Compiled::of(&module, Counting { counter: 1, entry: 1, round: 1 });
    assert_eq!(compiled.code("again").loops, []);
    assert_eq!(compiled.map("pieces"), Err("a live value that lies in pieces".to_owned()));
    let mut body = FunctionBody::default();
    module.read_function(compiled.codes["nested"].0, &mut body).expect("a readable body");
    let map = |block| Baseline::new(&module).stack_map(&body, compiled.counting, block);
    assert_eq!(map(1).expect("a map").block, 1);
    assert_eq!(map(2).expect("a map").block, 2);
    assert!(map(3).is_err());
}

/// A frame that the rest of a function runs on.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Frame(*const u8);

impl Frame {
    /// What is at the place of a value: the nth of the arguments and results.
    fn at<T>(self, value: u32, kind: LocationKind) -> *mut T {
        let map = MAP.lock().expect("a lock");
        let found = map.as_ref().expect("a map").locations.iter().find(|it| it.value == value);
        let location = found.unwrap_or_else(|| panic!("{value} is not in the map"));
        assert_eq!(location.kind, kind, "value {value}");
        self.0.wrapping_offset(location.offset as isize).cast_mut().cast()
    }

    fn value<T: Copy>(self, value: u32) -> T {
        // SAFETY: the map is of the frame, and the test knows the type.
        unsafe { self.at::<T>(value, LocationKind::Value).read_unaligned() }
    }

    fn variable<T: Copy>(self, value: u32) -> T {
        // SAFETY: as above.
        unsafe { self.at::<T>(value, LocationKind::Variable).read_unaligned() }
    }
}

/// What `everything` does from its loop on. Values: 12 arguments, then results.
extern "C" fn rest_of_everything(frame: Frame) -> i64 {
    RUNS.fetch_add(1, SeqCst);
    let (mut i, mut f): (u64, f64) = (frame.value(16), frame.value(17));
    let d: f64 = frame.value(3);
    let mut var: u64 = frame.variable(12);
    loop {
        var += i;
        i += 1;
        f += d;
        if i >= 100 {
            break;
        }
    }
    let out: *mut u64 = frame.value(7);
    let put = |at: usize, bytes: &[u8]| {
        // SAFETY: the test gives room for 17 words.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), out.add(at).cast(), bytes.len()) };
    };
    put(0, &var.to_le_bytes());
    put(1, &frame.value::<[u8; 1]>(0));
    put(2, &frame.value::<[u8; 16]>(2));
    put(4, &f.to_le_bytes());
    put(5, &frame.value::<[u8; 4]>(4));
    put(6, &frame.value::<[u8; 16]>(5));
    put(8, &frame.value::<[u8; 32]>(6));
    put(12, &frame.value::<[u8; 10]>(11));
    put(14, &frame.variable::<[u64; 3]>(10)[2].to_le_bytes());
    put(15, &frame.variable::<[i32; 4]>(13)[2].to_le_bytes());
    let (pointer, seven): (u64, i32) = (frame.value(14), frame.value::<(u64, i32)>(14).1);
    assert_eq!(seven, 7);
    put(16, &pointer.to_le_bytes());
    let before: i64 = frame.value(15);
    assert_eq!(before, 15);
    before + frame.value::<i64>(9) + frame.value::<i64>(8)
}

/// Calls `everything` with as many arguments as its type has.
#[unsafe(naked)]
extern "C" fn call_everything(_function: usize, _out: *mut u64) -> i64 {
    naked_asm!(
        "push rbp",
        "mov rbp, rsp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "sub rsp, 56",
        "mov rax, rdi",
        "mov r8, rsi",
        "mov edi, 0x1f5",
        "mov esi, 5",
        "mov rdx, -3",
        "mov ecx, 9",
        "mov r9d, 60",
        "mov qword ptr [rsp], 700",
        "mov qword ptr [rsp + 8], 11",
        "mov qword ptr [rsp + 16], 12",
        "mov qword ptr [rsp + 24], 13",
        "fldpi",
        "fstp tbyte ptr [rsp + 32]",
        "mov r10d, 3",
        "cvtsi2sd xmm0, r10d",
        "cvtsi2ss xmm1, r10d",
        "movq xmm2, rdx",
        "movq xmm3, rcx",
        // The second half of the large vector.
        "movq xmm4, rsi",
        // Callee-saved registers come back as they were.
        "mov ebx, 101",
        "mov r12d, 102",
        "mov r13d, 103",
        "mov r14d, 104",
        "mov r15d, 105",
        "call rax",
        "lea rcx, [rbx + r12]",
        "add rcx, r13",
        "add rcx, r14",
        "add rcx, r15",
        "cmp rcx, 515",
        "je 2f",
        "ud2",
        "2:",
        "add rsp, 56",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        "ret",
    );
}

#[repr(C)]
struct Large([i64; 5]);

extern "C" fn rest_of_large(frame: Frame) -> Large {
    RUNS.fetch_add(1, SeqCst);
    Large([frame.value(0), 2, 3, 4, frame.value(1)])
}

extern "C" fn rest_of_into(frame: Frame) {
    RUNS.fetch_add(1, SeqCst);
    let result: *mut i64 = frame.value(0);
    // SAFETY: the test's.
    unsafe { result.write(frame.value::<i64>(1) + frame.value::<i64>(2)) };
}

extern "C-unwind" fn rest_of_thrown(_: Frame) -> i64 {
    RUNS.fetch_add(1, SeqCst);
    std::panic::resume_unwind(Box::new("the rest"));
}

/// One test: the rest is found by way of statics.
#[test]
fn the_rest_runs_on_the_frame() {
    let (bytes, scratch) = bitcode();
    let module = Module::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let mut counter = Counter { left: 0, call: tripped as *const () as usize };
    let at = &raw mut counter;
    let compiled = Compiled::of(&module, Counting { counter: at as u64, entry: 1, round: 1 });
    let object = scratch.0.join("data.so");
    run(Command::new("clang++-22")
        .args(["-shared", "-fPIC", "-w", "-o"])
        .arg(&object)
        .arg(source("counting.ll")));
    let codes: Vec<(u32, Code)> = compiled.codes.values().cloned().collect();
    let linked = Linked::new(&module, &codes, open(&object));
    let arm = |name: &str, rest: usize, left: i32| {
        *MAP.lock().expect("a lock") = (rest != 0).then(|| compiled.map(name).expect("a map"));
        REST.store(rest, SeqCst);
        RUNS.store(0, SeqCst);
        // SAFETY: no other thread knows it.
        unsafe { (*at).left = left };
        linked.functions[name]
    };

    let everything = |rest, left| {
        let mut out = [0_u64; 17];
        let function = arm("everything", rest, left);
        let result = call_everything(function, out.as_mut_ptr());
        out[16] -= out.as_ptr() as u64;
        (result, out)
    };
    let expected = everything(0, 1000);
    assert_eq!(expected.0, 15 + 700 + 60);
    assert_eq!((expected.1[0], f64::from_bits(expected.1[4])), (5 + 4950, 300.0));
    // Counters that run out, and nothing comes of it.
    assert_eq!(everything(0, 0), expected);
    for left in [1, 2, 50, 100] {
        assert_eq!(everything(rest_of_everything as *const () as usize, left), expected, "{left}");
        assert_eq!(RUNS.load(SeqCst), 1);
        let code = compiled.code("everything");
        let returned = RETURNED.load(SeqCst) - linked.functions["everything"];
        assert_eq!(returned, code.loops[0].returns as usize);
    }

    let function = arm("large", rest_of_large as *const () as usize, 3);
    // SAFETY: its type, and that of the two below.
    let large: extern "C" fn(i64) -> Large = unsafe { std::mem::transmute(function) };
    assert_eq!((large(10).0, RUNS.load(SeqCst)), ([10, 2, 3, 4, 2], 1));

    let function = arm("into", rest_of_into as *const () as usize, 3);
    let mut result = [0_i64; 3];
    // SAFETY: as above; it returns its first argument.
    let into: extern "C" fn(*mut i64, i64) -> *mut i64 = unsafe { std::mem::transmute(function) };
    assert_eq!(into(result.as_mut_ptr(), 10), result.as_mut_ptr());
    assert_eq!((result[0], RUNS.load(SeqCst)), (12, 1));

    let function = arm("thrown", rest_of_thrown as *const () as usize, 3);
    // SAFETY: as above.
    let thrown: extern "C-unwind" fn(i64) -> i64 = unsafe { std::mem::transmute(function) };
    let caught = std::panic::catch_unwind(|| thrown(10)).expect_err("the rest throws");
    assert_eq!((caught.downcast_ref(), RUNS.load(SeqCst)), (Some(&"the rest"), 1));
}
