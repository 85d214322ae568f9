//! Code that counts, and what runs the rest of a function on the frame of its code.

mod support;

use std::arch::naked_asm;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};

use autojit_abi::{LocationKind, StackMap};
use autojit_baseline::{Baseline, Code, LoopHeader, RelocationKind, RelocationTarget, Runtime};
use autojit_bitcode::{BitcodeModule, FunctionBody};
use iced_x86::{Mnemonic, Register};
use support::Scratch;
use support::compiled::{Compiled, assembled};
use support::link::RAN_OUT;

/// As the trampoline's, where compiled code expects it.
#[repr(C)]
struct Counter {
    left: i32,
    number: u32,
    of: u16,
    step: u16,
    state: u32,
}

const _: () = assert!(std::mem::offset_of!(Counter, step) == LoopHeader::STEP as usize);

impl Counter {
    /// One whose function counts each round at once.
    fn new(number: u32, left: i32) -> Self {
        Self { left, number, of: 0, step: 1, state: 0 }
    }
}

/// Where the rest of a function is; 0: nowhere.
static REST: AtomicUsize = AtomicUsize::new(0);
/// How often the rest was run.
static RUNS: AtomicU32 = AtomicU32::new(0);
/// The number of the last counter that had run out.
static TRIPPED: AtomicU32 = AtomicU32::new(0);
/// The map of the frame that it runs on.
static MAP: Mutex<Option<StackMap>> = Mutex::new(None);

/// Called by a counter that has run out: keeps all registers but r11.
#[unsafe(naked)]
extern "C" fn tripped() {
    naked_asm!(
        "push rax",
        "mov eax, [r11 + 4]",
        "mov [rip + {tripped}], eax",
        "pop rax",
        "mov r11, [rip + {rest}]",
        "ret",
        tripped = sym TRIPPED,
        rest = sym REST,
    );
}

fn bitcode() -> (Vec<u8>, Scratch) {
    assembled("counting.ll")
}

/// Code that counts does so once in front of its prologue, and rounds of all loops in the frame; steps of those in counters of their own.
#[test]
fn entries_and_loops_are_counted() {
    let (bytes, _scratch) = bitcode();
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let compiled = Compiled::of(&module);
    // Branches lead back to both headers; of the other function only jumps lead back to the inner one, from two blocks.
    for (name, numbers, jumps) in [("nested", [0, 1, 2].as_slice(), [0, 0]), ("jumps", &[0, 1, 2, 2], [2, 2])]
    {
        let code = compiled.code(name);
        assert_eq!(counts(code), (numbers.to_vec(), jumps), "{name}");
        let header = |block| LoopHeader { block, left: true };
        assert_eq!(code.loops, [header(1), header(2)], "{name}");
    }
}

/// Checks where code counts. Returns the counters, and how many times it counts in the place of a jump, and in a register.
fn counts(code: &Code) -> (Vec<u32>, [usize; 2]) {
    let all: Vec<_> =
        iced_x86::Decoder::new(64, &code.text, iced_x86::DecoderOptions::NONE).into_iter().collect();
    // What is said of the counter in a displacement that ends at this offset.
    let counter = |end: u64| {
        let of = code.text_relocations.iter().find(|it| u64::from(it.offset) + 4 == end)?;
        if let RelocationTarget::Counter(number) = of.target { Some(number) } else { None }
    };
    let find = |address: u64| all.iter().position(|it| it.ip() == address).expect("an instruction");
    let mut counts = Vec::new();
    let mut slots = Vec::new();
    let (mut in_jumps, mut in_register) = (0, 0);
    for two in all.windows(2).filter(|two| two[0].mnemonic() == Mnemonic::Dec) {
        let mut on = two[1].next_ip();
        let mut out = find(two[1].near_branch_target());
        if two[0].memory_base() == Register::RIP {
            assert_eq!(two[1].mnemonic(), Mnemonic::Js);
            assert_eq!(counter(two[0].next_ip()), Some(0));
        } else {
            if two[1].mnemonic() == Mnemonic::Jne {
                // In the place of a jump to the header.
                on = two[1].near_branch_target();
                let jump = &all[find(two[1].next_ip())];
                assert!(jump.mnemonic() == Mnemonic::Jmp && on < two[0].ip());
                out = find(jump.near_branch_target());
                in_jumps += 1;
            } else {
                assert_eq!(two[1].mnemonic(), Mnemonic::Je);
            }
            // Of a step that is complete, the next begins.
            let [step, store, sub, jns] = &all[out..out + 4] else { unreachable!() };
            assert_eq!((step.mnemonic(), step.op0_register()), (Mnemonic::Movzx, Register::R11D));
            assert_eq!(counter(step.next_ip()), Some(0));
            assert_eq!((store.mnemonic(), store.op1_register()), (Mnemonic::Mov, Register::R11D));
            if two[0].memory_base() == Register::RBP {
                slots.extend([two[0].memory_displacement64(), store.memory_displacement64()]);
            } else {
                assert_eq!([two[0], *store].map(|it| it.op0_register()), [Register::R10D; 2]);
                in_register += 1;
            }
            assert_eq!((sub.mnemonic(), sub.op1_register()), (Mnemonic::Sub, Register::R11D));
            assert_eq!((jns.mnemonic(), jns.near_branch_target()), (Mnemonic::Jns, on));
            out += 4;
            assert_eq!(counter(sub.next_ip()), counter(all[out].next_ip()));
        }
        // Each has its call, and what comes of that.
        let [lea, call, test, je, then] = &all[out..out + 5] else { unreachable!() };
        assert_eq!((lea.mnemonic(), lea.op0_register()), (Mnemonic::Lea, Register::R11));
        let number = counter(lea.next_ip()).expect("it is of a counter");
        counts.push((two[0].ip(), number));
        assert_eq!(call.mnemonic(), Mnemonic::Call);
        let called = code.text_relocations.iter().find(|it| u64::from(it.offset) + 4 == call.next_ip());
        let called = called.map(|it| (it.kind, it.target));
        assert_eq!(
            called,
            Some((RelocationKind::GotRelaxable, RelocationTarget::Runtime(Runtime("__autojit_counter"))))
        );
        assert_eq!((test.mnemonic(), je.mnemonic()), (Mnemonic::Test, Mnemonic::Je));
        assert_eq!(je.near_branch_target(), on);
        if number == 0 {
            assert_eq!((then.mnemonic(), then.op0_register()), (Mnemonic::Jmp, Register::R11));
            // Before the frame is there.
            assert_eq!(code.frame.outside.map(u64::from), Some(lea.ip()));
        }
    }
    slots.dedup();
    assert_eq!(slots.len(), 1, "all loops have one slot");
    assert_eq!(counts[0].0, 0);
    let begins =
        |it: &iced_x86::Instruction| it.mnemonic() == Mnemonic::Movzx && it.op0_register() == Register::R10D;
    assert_eq!(all.iter().any(begins), in_register > 0);
    (counts.into_iter().map(|(_, number)| number).collect(), [in_jumps, in_register])
}

/// Rounds are subtracted by whole steps: of those in the frame a call loses what is left of its last one, of those in a register
/// each way through the loop.
#[test]
fn rounds_are_counted_by_steps() {
    const LEFT: i32 = 1_000_000;
    let (bytes, scratch) = bitcode();
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let linked = Compiled::of(&module).linked(&scratch);
    let counted = |name: &str, step: u16, n: i64| {
        for (number, counter) in linked.counters[name].iter().enumerate() {
            // SAFETY: no other thread knows it.
            unsafe {
                (*counter as *mut Counter).write(Counter { step, ..Counter::new(number as u32, LEFT) });
            }
        }
        // SAFETY: both functions take a number and return one.
        let function: extern "C" fn(i64) -> i64 = unsafe { std::mem::transmute(linked.functions[name]) };
        function(n);
        // SAFETY: as above.
        let left = linked.counters[name]
            .iter()
            .map(|counter| LEFT - unsafe { (*counter as *const Counter).read() }.left);
        left.collect::<Vec<_>>()
    };
    for step in [1, 4, 7] {
        let n = 10;
        // From each i on, the inner loop of `nested` goes round until it comes to n, at least once.
        let nested = counted("nested", step, n);
        let rounds = i32::from(step) * ((55 + 10) / i32::from(step));
        assert_eq!((nested[0], nested[1] + nested[2]), (1, rounds), "{step}");
        let back = |i: i64| {
            let mut k = i;
            let mut jumps = 0;
            while k < n {
                k += if k & 1 == 0 { 3 } else { 1 };
                jumps += 1;
            }
            jumps
        };
        let whole = |rounds: i32| i32::from(step) * (rounds / i32::from(step));
        let inner: i32 = (0..n).map(|i| whole(back(i))).sum();
        assert_eq!(counted("jumps", step, n), [1, whole(10), inner], "{step}");
    }
}

/// Functions with `indirectbr` count unless they keep a label: the targets do so, where no label is live.
#[test]
fn labels_may_be_taken_but_not_kept() {
    let (bytes, _scratch) = assembled("labels.ll");
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let mut body = FunctionBody::default();
    let (mut kept, mut others) = (0, 0);
    for (index, global) in (0..).zip(module.globals()).filter(|(index, _)| module.has_body(*index)) {
        let name = String::from_utf8_lossy(module.name(global)).into_owned();
        module.read_function(index, &mut body).expect("a readable body");
        let mut baseline = Baseline::new(&module);
        let plain = baseline.compile(&body, false).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        assert_eq!(plain.loops, []);
        let counting = baseline.compile(&body, true).map_err(|refused| refused.to_string());
        if name.starts_with("kept_") {
            let why = counting.expect_err(&name);
            assert_eq!(why, "labels that are kept, in code that is to be replaced", "{name}");
            kept += 1;
            continue;
        }
        others += 1;
        let mut loops = counting.unwrap_or_else(|refused| panic!("{name}: {refused}")).loops;
        loops.sort_by_key(|header| header.block);
        if name == "interprets" {
            // The end is in no loop.
            let targets = [2, 3].map(|block| LoopHeader { block, left: true });
            assert_eq!(loops, targets);
            let map = baseline.stack_map(&body, 3).expect("a map");
            let values: Vec<u32> = map.locations.iter().map(|location| location.value).collect();
            // Of code 0, at 1, sum 2, op 3, index 4, slot 5, label 6, what is live, and nothing of labels.
            assert!(values.contains(&1) && values.contains(&2), "{values:?}");
            assert!(!values.contains(&5) && !values.contains(&6), "{values:?}");
        } else {
            assert_eq!(loops, [], "{name}");
        }
    }
    assert_eq!((kept, others), (6, 2));
}

/// Where exceptions arrive no loop is left; where a value lies in pieces there is no map, nor for blocks that are no loops.
#[test]
fn what_cannot_be_described_is_refused() {
    let (bytes, _scratch) = bitcode();
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let compiled = Compiled::of(&module);
    assert!(!compiled.code("again").loops.iter().any(|header| header.left));
    assert_eq!(compiled.map("pieces"), Err("a live value that lies in pieces".to_owned()));
    let mut body = FunctionBody::default();
    module.read_function(compiled.codes["nested"].0, &mut body).expect("a readable body");
    let map = |block| Baseline::new(&module).stack_map(&body, block);
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
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let compiled = Compiled::of(&module);
    let linked = compiled.linked(&scratch);
    let arm = |name: &str, rest: usize, left: i32| {
        *MAP.lock().expect("a lock") = (rest != 0).then(|| compiled.map(name).expect("a map"));
        REST.store(rest, SeqCst);
        RUNS.store(0, SeqCst);
        RAN_OUT.store(tripped as *const () as usize, SeqCst);
        for (number, counter) in linked.counters[name].iter().enumerate() {
            let left = if number == 0 { i32::MAX } else { left };
            // SAFETY: no other thread knows it.
            unsafe {
                (*counter as *mut Counter).write(Counter::new(number as u32, left));
            }
        }
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
    for left in [1, 2, 50, 99] {
        assert_eq!(everything(rest_of_everything as *const () as usize, left), expected, "{left}");
        assert_eq!(RUNS.load(SeqCst), 1);
        assert_eq!(TRIPPED.load(SeqCst), 1);
    }

    let function = arm("large", rest_of_large as *const () as usize, 3);
    // SAFETY: its type, and that of the two below.
    let large: extern "C" fn(i64) -> Large = unsafe { std::mem::transmute(function) };
    assert_eq!((large(10).0, RUNS.load(SeqCst)), ([10, 2, 3, 4, 3], 1));

    let function = arm("into", rest_of_into as *const () as usize, 3);
    let mut result = [0_i64; 3];
    // SAFETY: as above; it returns its first argument.
    let into: extern "C" fn(*mut i64, i64) -> *mut i64 = unsafe { std::mem::transmute(function) };
    assert_eq!(into(result.as_mut_ptr(), 10), result.as_mut_ptr());
    assert_eq!((result[0], RUNS.load(SeqCst)), (13, 1));

    let function = arm("thrown", rest_of_thrown as *const () as usize, 3);
    // SAFETY: as above.
    let thrown: extern "C-unwind" fn(i64) -> i64 = unsafe { std::mem::transmute(function) };
    let caught = std::panic::catch_unwind(|| thrown(10)).expect_err("the rest throws");
    assert_eq!((caught.downcast_ref(), RUNS.load(SeqCst)), (Some(&"the rest"), 1));

    // An entry goes on in other code, with all arguments.
    let newer: extern "C" fn(*mut i64, i64) -> *mut i64 = newer_into;
    arm("into", newer as *const () as usize, 1000);
    // SAFETY: as above.
    unsafe { (*(linked.counters["into"][0] as *mut Counter)).left = 1 };
    assert_eq!(into(result.as_mut_ptr(), 1), result.as_mut_ptr());
    assert_eq!(RUNS.load(SeqCst), 0);
    assert_eq!(into(result.as_mut_ptr(), 7), result.as_mut_ptr());
    assert_eq!((result[0], RUNS.load(SeqCst), TRIPPED.load(SeqCst)), (-7, 1, 0));
}

extern "C" fn newer_into(result: *mut i64, number: i64) -> *mut i64 {
    RUNS.fetch_add(1, SeqCst);
    // SAFETY: the test's.
    unsafe { result.write(-number) };
    result
}

/// What registers are when a counter of entries has run out is known to unwinders.
#[test]
fn frames_are_right_in_front_of_the_prologue() {
    let (bytes, scratch) = bitcode();
    let module = BitcodeModule::parse(&bytes).unwrap_or_else(|error| panic!("{error:?}"));
    let compiled = Compiled::of(&module);
    let linked = compiled.linked(&scratch);
    for name in ["into", "everything"] {
        let counter = linked.counters[name][0] as *mut Counter;
        // SAFETY: no other thread knows it.
        unsafe { counter.write(Counter::new(0, 0)) };
        RAN_OUT.store(walk as *const () as usize, SeqCst);
        WALKED.store(0, SeqCst);
        call_with_rbp(linked.functions[name]);
        assert_eq!(WALKED.load(SeqCst), 1, "{name}");
    }
}

/// How often the caller was found as it is.
static WALKED: AtomicU32 = AtomicU32::new(0);
/// What the caller has in rbp and rbx.
const RBP: usize = 0x1234_5678;
const RBX: usize = 0x8765_4321;

#[unsafe(naked)]
extern "C" fn call_with_rbp(_function: usize) {
    naked_asm!(
        ".cfi_startproc",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "push rbx",
        ".cfi_def_cfa_offset 24",
        ".cfi_offset rbx, -24",
        "sub rsp, 8",
        ".cfi_def_cfa_offset 32",
        "mov ebp, {rbp}",
        "mov ebx, {rbx}",
        "call rdi",
        "add rsp, 8",
        ".cfi_def_cfa_offset 24",
        "pop rbx",
        ".cfi_def_cfa_offset 16",
        "pop rbp",
        ".cfi_def_cfa_offset 8",
        "ret",
        ".cfi_endproc",
        rbp = const RBP,
        rbx = const RBX,
    );
}

/// What the counter calls: walks the stack, and has the function return at once.
#[unsafe(naked)]
extern "C" fn walk() {
    naked_asm!(
        ".cfi_startproc",
        "call {walk_frames}",
        "lea r11, [rip + 2f]",
        "2:",
        "ret",
        ".cfi_endproc",
        walk_frames = sym walk_frames,
    );
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: extern "C" fn(*mut libc::c_void, *mut libc::c_void) -> i32,
        data: *mut libc::c_void,
    ) -> i32;
    fn _Unwind_GetIP(context: *mut libc::c_void) -> usize;
    fn _Unwind_GetGR(context: *mut libc::c_void, register: i32) -> usize;
}

extern "C" fn walk_frames() {
    // SAFETY: the function takes no data.
    unsafe { _Unwind_Backtrace(look_at, std::ptr::null_mut()) };
}

extern "C" fn look_at(context: *mut libc::c_void, _: *mut libc::c_void) -> i32 {
    let start = call_with_rbp as *const () as usize;
    // SAFETY: the context is the unwinder's; DWARF numbers of rbp and rbx.
    let (ip, rbp, rbx) =
        unsafe { (_Unwind_GetIP(context), _Unwind_GetGR(context, 6), _Unwind_GetGR(context, 3)) };
    if (start..start + 64).contains(&ip) && (rbp, rbx) == (RBP, RBX) {
        WALKED.fetch_add(1, SeqCst);
    }
    0
}
