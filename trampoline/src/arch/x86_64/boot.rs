//! The code and data that each lazily compiled image carries to find the runtime, as assembler text (GNU syntax,
//! AT&T operands), for the plugin.
//!
//! Every object contains the same text. Each symbol in it is hidden and weak and has a comdat group of its own, so an
//! image (an executable, a shared library) keeps exactly one copy, whatever objects and archives it was made of.
//!
//! ```text
//! constructor ──────────────► __autojit_attach ──────────► __autojit_register(&__autojit_image)   (the runtime)
//!                                    ▲                          │ sets the entry pointer
//! lazy entry  ──► *__autojit_entry ──┤ at first: __autojit_boot ▼
//!                                    └ then: the trampoline ([`crate::entry`])
//! ```
//!
//! `__autojit_boot` serves first calls that come before the constructor: from earlier constructors, from other
//! images' constructors, from `.preinit_array`. Nothing is called but the runtime, and `dlopen` where it is not there: a
//! failure is written with a raw system call, since even `write` could be a function of the program that is not compiled
//! yet.

use std::fmt::Write;
use std::mem::offset_of;

use crate::contract::{
    CONTRACT_VERSION, ENTRY_SYMBOL, IMAGE_MAGIC, ImageRecord, MODULE_SECTION, REGISTER_SYMBOL, SLOT_SECTION,
};

use super::search::{self, FRAME, LIST};

/// The [`ImageRecord`] of the image.
pub const IMAGE_SYMBOL: &str = "__autojit_image";
/// The section that it is in. Its name is a C identifier for [`CLAIM_SYMBOL`].
const IMAGE_SECTION: &str = "autojit_image";
/// What makes linkers take the static library's object, which defines this symbol and its own [`ATTACH_SYMBOL`]. Without
/// that library they define it themselves, as the start of the section (docs/decisions/0015).
pub const CLAIM_SYMBOL: &str = "__start_autojit_image";
/// `extern "C" fn()`: finds the runtime and registers the image with it. May be called any number of times.
pub const ATTACH_SYMBOL: &str = "__autojit_attach";
/// What the entry pointer holds before the runtime is there. Reached like the trampoline, with every register live.
pub const BOOT_SYMBOL: &str = "__autojit_boot";

/// Exit code if there is no runtime: as shells have it for a command that cannot be run.
const EXIT_CODE: u32 = 127;

// Tags of dynamic sections (gABI, and LSB core for the hash table).
const DT_NEEDED: u32 = 1;
const DT_DEBUG: u32 = 21;
const DT_FLAGS_1: u32 = 0x6fff_fffb;
/// Of DT_FLAGS_1: a position-independent executable.
const DF_1_PIE: u32 = 0x0800_0000;

/// The line for a program without its runtime, without the final newline.
pub const NO_RUNTIME_MESSAGE: &str = "autojit: this program (or a library it uses) was compiled lazily and needs \
     libautojit.so to run: use `autojit-run PROGRAM`, or say in AUTOJIT_RUNTIME where that file is";
/// The line for a program that cannot have a runtime, without the final newline.
pub const STATIC_MESSAGE: &str = "autojit: this program was compiled lazily and linked statically, or with -nostdlib, so that it cannot load libautojit.so: \
     link it with -lautojit_static-x86_64, or as a program that uses the shared C library";
/// The line for a runtime that leaves the entry pointer as it is, without the final newline.
pub const REFUSED_MESSAGE: &str = "autojit: libautojit.so does not run this program's functions: it was compiled by another version of autojit";

/// State components that boot code saves if the kernel has enabled them: x87, SSE, AVX, AVX-512 and APX (SDM vol. 1,
/// 13.1). What else a first call could carry, the trampoline saves; before the runtime is there nothing changes it.
const SAVED_COMPONENTS: u32 = 0xe7 | 1 << 19;

// image() writes the fields one behind the other.
const _: () = assert!(offset_of!(ImageRecord, slots_start) == 8);
const _: () = assert!(offset_of!(ImageRecord, modules_start) == 16);
const _: () = assert!(offset_of!(ImageRecord, reserved) == 28);

/// The text, for a runtime whose path is known (empty if it is not). It leaves the assembler in the section that it found
/// it in.
pub fn text(runtime: &[u8]) -> String {
    let mut out = String::with_capacity(8 << 10);
    bounds(&mut out);
    entry_pointer(&mut out);
    image(&mut out);
    attach(&mut out, runtime);
    boot(&mut out);
    constructor(&mut out);
    out
}

/// A definition in its own comdat group, which is named like the symbol.
fn define(out: &mut String, symbol: &str, section: &str, flags: &str, align: u32, kind: &str, body: &str) {
    write!(
        out,
        "\
.pushsection {section},\"{flags}G\",@progbits,{symbol},comdat
.weak {symbol}
.hidden {symbol}
.type {symbol},@{kind}
.p2align {align}
{symbol}:
{body}.size {symbol},.-{symbol}
.popsection
"
    )
    .expect("a String takes everything");
}

/// Empty parts of the tables' sections: linkers define `__start_` and `__stop_` only for sections that exist, and an
/// image may have modules without a single slot.
fn bounds(out: &mut String) {
    for (section, flags) in [(SLOT_SECTION, "awR"), (MODULE_SECTION, "aR")] {
        write!(
            out,
            "\
.pushsection {section},\"{flags}\",@progbits
.popsection
.hidden __start_{section}
.hidden __stop_{section}
"
        )
        .expect("a String takes everything");
    }
    writeln!(out, ".hidden {CLAIM_SYMBOL}").expect("a String takes everything");
}

fn entry_pointer(out: &mut String) {
    // .data.rel: it needs a relative relocation in position-independent images. Not relro: the runtime writes it.
    let body = format!(".quad {BOOT_SYMBOL}\n");
    define(out, ENTRY_SYMBOL, ".data.rel.autojit", "aw", 3, "object", &body);
}

fn image(out: &mut String) {
    let body = format!(
        "\
.long {IMAGE_MAGIC:#x}
.long {CONTRACT_VERSION}
.long __start_{SLOT_SECTION}-.
.long __stop_{SLOT_SECTION}-.
.long __start_{MODULE_SECTION}-.
.long __stop_{MODULE_SECTION}-.
.long {ENTRY_SYMBOL}-.
.long 0
"
    );
    define(out, IMAGE_SYMBOL, IMAGE_SECTION, "a", 3, "object", &body);
}

/// Writes a message and ends the process, with what follows it in `out` never reached.
fn die(label: &str, message: &str) -> String {
    const SYS_WRITE: u32 = 1;
    const SYS_EXIT_GROUP: u32 = 231;
    format!(
        "\
movl ${SYS_WRITE},%eax
movl $2,%edi
leaq {label}(%rip),%rsi
movl ${length},%edx
syscall
movl ${SYS_EXIT_GROUP},%eax
movl ${EXIT_CODE},%edi
syscall
ud2
{label}:
.ascii \"{message}\\n\"
",
        length = message.len() + 1,
    )
}

fn attach(out: &mut String, runtime: &[u8]) {
    // A plain function with an aligned stack. A weak reference finds the runtime, so that nothing is called which the
    // program may have defined, lazily perhaps: dlsym, above all. By way of the GOT, which is complete when the loader
    // asks the resolver of an indirect function, which may call lazy ones.
    //
    // Some linkers (mold) make a weak reference of an executable null once and for all, and a runtime may have come after
    // this image. So the loader's list of objects is searched next: an executable finds it by itself, from DT_DEBUG, a library
    // by the loader's own variable. At last a runtime is opened ([`search`]).
    //
    // A static PIE is one that needs no library; other static programs have no dynamic section.
    let body = format!(
        "\
.cfi_startproc
.reloc .,R_X86_64_NONE,{CLAIM_SYMBOL}
endbr64
subq ${FRAME},%rsp
.cfi_def_cfa_offset {FRAME}+8
movq {REGISTER_SYMBOL}@GOTPCREL(%rip),%rax
testq %rax,%rax
jnz .Lautojit_found
movq _DYNAMIC@GOTPCREL(%rip),%rdx
testq %rdx,%rdx
jz .Lautojit_static
xorl %ecx,%ecx
xorl %esi,%esi
xorl %r8d,%r8d
.Lautojit_dynamic:
movq (%rdx),%rax
testq %rax,%rax
jz .Lautojit_debug
movq 8(%rdx),%r9
cmpq ${DT_NEEDED},%rax
cmoveq %rax,%r8
cmpq ${DT_FLAGS_1},%rax
cmoveq %r9,%rcx
cmpq ${DT_DEBUG},%rax
cmoveq %r9,%rsi
addq $16,%rdx
jmp .Lautojit_dynamic
.Lautojit_debug:
testq %r8,%r8
jnz .Lautojit_list
testl ${DF_1_PIE},%ecx
jnz .Lautojit_static
.Lautojit_list:
testq %rsi,%rsi
jnz .Lautojit_listed
movq _r_debug@GOTPCREL(%rip),%rsi
testq %rsi,%rsi
jz .Lautojit_alone
.Lautojit_listed:
movq %rsi,{LIST}(%rsp)
{lookup}\
testq %rax,%rax
jnz .Lautojit_found
{search}\
.Lautojit_alone:
{die}\
.Lautojit_static:
{die_static}\
.Lautojit_found:
leaq {IMAGE_SYMBOL}(%rip),%rdi
callq *%rax
addq ${FRAME},%rsp
.cfi_def_cfa_offset 8
retq
.cfi_def_cfa_offset {FRAME}+8
{find}\
.cfi_endproc
{names}",
        lookup = search::lookup(REGISTER_SYMBOL),
        search = search::search(),
        find = search::find(),
        names = search::names(runtime),
        die_static = die(".Lautojit_static_message", STATIC_MESSAGE),
        die = die(".Lautojit_no_runtime", NO_RUNTIME_MESSAGE),
    );
    writeln!(out, ".weak {REGISTER_SYMBOL}\n.weak _DYNAMIC\n.hidden _DYNAMIC\n.weak _r_debug")
        .expect("a String takes everything");
    define(out, search::ONCE, ".data.autojit", "aw", 0, "object", ".byte 0\n");
    define(out, ATTACH_SYMBOL, ".text.autojit.attach", "ax", 4, "function", &body);
}

/// On entry (%rsp) is the return address into a stub's lazy entry. The unwind information describes what changes of the
/// registers that a C function would preserve, %rbp and %rbx; the other four are left alone here and by what is
/// called, and so are not saved.
fn boot(out: &mut String) {
    // Bytes of the registers pushed below the saved %rbp, in order of the pushes.
    let saved = ["rbx", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11"];
    let pushes: String = saved.iter().map(|register| format!("pushq %{register}\n")).collect();
    let pops: String = saved.iter().rev().map(|register| format!("popq %{register}\n")).collect();
    // From movq on the canonical frame address is %rbp+16, so that pushes and alignment do not matter.
    //
    // With XSAVE (CPUID.1:ECX bit 27) the area has the size that all enabled components take (CPUID.0DH:EBX), and the
    // header at 512 is cleared: xsave does not write all of it, and xrstor faults on what it finds there. Without,
    // it has the 512 bytes of fxsave. The registers must not be what the program's code makes of them while others'
    // code runs: an x87 stack may be full, exceptions may be unmasked.
    let body = format!(
        "\
.cfi_startproc
endbr64
pushq %rbp
.cfi_def_cfa_offset 16
.cfi_offset %rbp,-16
movq %rsp,%rbp
.cfi_def_cfa_register %rbp
{pushes}\
.cfi_offset %rbx,-24
cld
movl $1,%eax
xorl %ecx,%ecx
cpuid
testl $0x8000000,%ecx
jz .Lautojit_boot_fxsave
movl $13,%eax
xorl %ecx,%ecx
cpuid
subq %rbx,%rsp
andq $-64,%rsp
xorl %eax,%eax
movq %rax,512(%rsp)
movq %rax,520(%rsp)
movq %rax,528(%rsp)
movq %rax,536(%rsp)
movq %rax,544(%rsp)
movq %rax,552(%rsp)
movq %rax,560(%rsp)
movq %rax,568(%rsp)
movl ${SAVED_COMPONENTS:#x},%eax
xorl %edx,%edx
xsave64 (%rsp)
fninit
ldmxcsr .Lautojit_boot_mxcsr(%rip)
callq {ATTACH_SYMBOL}
movl ${SAVED_COMPONENTS:#x},%eax
xorl %edx,%edx
xrstor64 (%rsp)
jmp .Lautojit_boot_restored
.Lautojit_boot_fxsave:
subq $512,%rsp
andq $-64,%rsp
fxsave64 (%rsp)
fninit
ldmxcsr .Lautojit_boot_mxcsr(%rip)
callq {ATTACH_SYMBOL}
fxrstor64 (%rsp)
.Lautojit_boot_restored:
leaq {BOOT_SYMBOL}(%rip),%rax
cmpq %rax,{ENTRY_SYMBOL}(%rip)
je .Lautojit_boot_refused
leaq -{pushed}(%rbp),%rsp
{pops}\
.cfi_restore %rbx
popq %rbp
.cfi_def_cfa %rsp,8
.cfi_restore %rbp
jmpq *{ENTRY_SYMBOL}(%rip)
.cfi_def_cfa %rbp,16
.cfi_offset %rbp,-16
.cfi_offset %rbx,-24
.Lautojit_boot_refused:
{die}\
.p2align 2
.Lautojit_boot_mxcsr:
.long 0x1f80
.cfi_endproc
",
        pushed = saved.len() * 8,
        die = die(".Lautojit_boot_message", REFUSED_MESSAGE),
    );
    define(out, BOOT_SYMBOL, ".text.autojit.boot", "ax", 4, "function", &body);
}

/// Constructors run in the order of their sections' numbers; below 101 is reserved to the implementation, so ours is
/// before all of the program's that do not say otherwise. A member of the group of what it refers to.
fn constructor(out: &mut String) {
    write!(
        out,
        "\
.pushsection .init_array.00001,\"awG\",@init_array,{ATTACH_SYMBOL},comdat
.p2align 3
.quad {ATTACH_SYMBOL}
.popsection
"
    )
    .expect("a String takes everything");
}
