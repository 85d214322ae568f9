//! The code and data that each lazily compiled image carries to find the runtime, as assembler text (GNU syntax,
//! AT&T operands), for the plugin.
//!
//! Every object contains the same text. Each symbol in it is hidden and weak and has a comdat group of its own, so an
//! image (an executable, a shared library) keeps exactly one copy, whatever objects and archives it was made of.
//!
//! ```text
//! constructor ──────────────► __autojit_attach ──────────► __autojit_register(&__autojit_image)   (the runtime)
//!                                    ▲                          │ sets the entry cell
//! stub's tail ──► *__autojit_entry ──┤ at first: __autojit_boot ▼
//!                                    └ then: the trampoline ([`crate::entry`])
//! ```
//!
//! `__autojit_boot` serves first calls that come before the constructor: from earlier constructors, from other
//! images' constructors, from `.preinit_array`. Nothing is called but the runtime: a failure is written with a raw system
//! call, since even `write` could be a function of the program that is not compiled yet.

use std::fmt::Write;
use std::mem::offset_of;

use crate::contract::{
    CONTRACT_VERSION, ENTRY_SYMBOL, IMAGE_MAGIC, ImageRecord, MODULE_SECTION, REGISTER_SYMBOL, SLOT_SECTION,
};

/// The [`ImageRecord`] of the image.
pub const IMAGE_SYMBOL: &str = "__autojit_image";
/// The section that it is in. Its name is a C identifier for [`CLAIM_SYMBOL`].
const IMAGE_SECTION: &str = "autojit_image";
/// What makes linkers take the static library's object, which defines this symbol and its own [`ATTACH_SYMBOL`]. Without
/// that library they define it themselves, as the start of the section (docs/decisions/0015).
pub const CLAIM_SYMBOL: &str = "__start_autojit_image";
/// `extern "C" fn()`: finds the runtime and registers the image with it. May be called any number of times.
pub const ATTACH_SYMBOL: &str = "__autojit_attach";
/// What the entry cell holds before the runtime is there. Reached like the trampoline, with every register live.
pub const BOOT_SYMBOL: &str = "__autojit_boot";

/// Exit code where there is no runtime: what shells use for a command that cannot be run.
const EXIT_CODE: u32 = 127;

// Tags of dynamic sections (gABI, and LSB core for the hash table).
const DT_NEEDED: u32 = 1;
const DT_STRTAB: u32 = 5;
const DT_SYMTAB: u32 = 6;
const DT_DEBUG: u32 = 21;
const DT_GNU_HASH: u32 = 0x6fff_fef5;
const DT_FLAGS_1: u32 = 0x6fff_fffb;
/// Of DT_FLAGS_1: a position-independent executable.
const DF_1_PIE: u32 = 0x0800_0000;

/// The line for a program without its runtime, without the final newline.
pub const NO_RUNTIME_MESSAGE: &str = "autojit: this program (or a library it uses) was compiled lazily and needs \
     libautojit.so to run: use `autojit-run PROGRAM` or `LD_PRELOAD=libautojit.so PROGRAM`";
/// The line for a program that cannot have a runtime, without the final newline.
pub const STATIC_MESSAGE: &str = "autojit: this program was compiled lazily and linked statically, so that it cannot load libautojit.so: \
     link it with -lautojit_static-x86_64, or without -static";
/// The line for a runtime that leaves the entry cell as it is, without the final newline.
pub const REFUSED_MESSAGE: &str = "autojit: libautojit.so does not run this program's functions: it was compiled by another version of autojit";

/// State components that boot code saves if the kernel has enabled them: x87, SSE, AVX, AVX-512 and APX (SDM vol. 1,
/// 13.1). What else a first call could carry, the trampoline saves; before the runtime is there nothing changes it.
const SAVED_COMPONENTS: u32 = 0xe7 | 1 << 19;

// image() writes the fields one behind the other.
const _: () = assert!(offset_of!(ImageRecord, slots_start) == 8);
const _: () = assert!(offset_of!(ImageRecord, modules_start) == 16);
const _: () = assert!(offset_of!(ImageRecord, reserved) == 28);

/// The text. It leaves the assembler in the section that it found it in.
pub fn text() -> String {
    let mut out = String::with_capacity(6 << 10);
    bounds(&mut out);
    entry_cell(&mut out);
    image(&mut out);
    attach(&mut out);
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

fn entry_cell(out: &mut String) {
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

/// The hash of [`REGISTER_SYMBOL`] in DT_GNU_HASH tables.
const REGISTER_HASH: u32 = {
    let (mut hash, mut at) = (5381_u32, 0);
    while at < REGISTER_SYMBOL.len() {
        hash = hash.wrapping_mul(33).wrapping_add(REGISTER_SYMBOL.as_bytes()[at] as u32);
        at += 1;
    }
    hash
};

fn attach(out: &mut String) {
    // A plain function with an aligned stack. A weak reference finds the runtime, so that nothing is called which the
    // program may have defined, lazily perhaps: dlsym, above all. By way of the GOT, which is complete when the loader
    // asks the resolver of an indirect function, which may call lazy ones.
    //
    // Some linkers (mold) make a weak reference of an executable null once and for all. An executable can find the
    // loader's list of objects by itself, from DT_DEBUG, and the symbol in their DT_GNU_HASH tables. A library cannot;
    // there the reference is always left to the loader.
    //
    // A static PIE is one that needs no library; other static programs have no dynamic section.
    //
    // In the walk: rdx the object (struct link_map: base, name, dynamic section, next), rsi its hash table, rdi its
    // symbols, r8 its strings, ecx the index of a symbol. Addresses in the dynamic section of the kernel's object are
    // not relocated.
    let body = format!(
        "\
.cfi_startproc
.reloc .,R_X86_64_NONE,{CLAIM_SYMBOL}
endbr64
subq $24,%rsp
.cfi_def_cfa_offset 32
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
jz .Lautojit_alone
movq 8(%rsi),%rdx
.Lautojit_object:
testq %rdx,%rdx
jz .Lautojit_alone
xorl %esi,%esi
movq 16(%rdx),%rcx
.Lautojit_entry:
movq (%rcx),%rax
testq %rax,%rax
jz .Lautojit_tables
movq 8(%rcx),%r9
cmpq (%rdx),%r9
jae .Lautojit_relocated
addq (%rdx),%r9
.Lautojit_relocated:
cmpq ${DT_STRTAB},%rax
cmoveq %r9,%r8
cmpq ${DT_SYMTAB},%rax
cmoveq %r9,%rdi
cmpq ${DT_GNU_HASH},%rax
cmoveq %r9,%rsi
addq $16,%rcx
jmp .Lautojit_entry
.Lautojit_tables:
testq %rsi,%rsi
jz .Lautojit_next
movl (%rsi),%r9d
testl %r9d,%r9d
jz .Lautojit_next
movl 8(%rsi),%ecx
leaq 16(%rsi,%rcx,8),%r10
movq %rdx,%r11
movl ${REGISTER_HASH:#x},%eax
xorl %edx,%edx
divl %r9d
movl (%r10,%rdx,4),%ecx
movq %r11,%rdx
leaq (%r10,%r9,4),%r10
movl 4(%rsi),%r9d
cmpl %r9d,%ecx
jb .Lautojit_next
.Lautojit_symbol:
movl %ecx,%eax
subl %r9d,%eax
movl (%r10,%rax,4),%r11d
movl %r11d,%eax
orl $1,%eax
cmpl ${REGISTER_HASH:#x}|1,%eax
jne .Lautojit_chain
leaq (%rcx,%rcx,2),%rax
leaq (%rdi,%rax,8),%rax
cmpw $0,6(%rax)
je .Lautojit_chain
movl (%rax),%esi
addq %r8,%rsi
movq %rax,(%rsp)
movq %rcx,8(%rsp)
movq %rdi,16(%rsp)
leaq .Lautojit_register(%rip),%rdi
movl ${name_size},%ecx
repe cmpsb
movq (%rsp),%rax
movq 8(%rsp),%rcx
movq 16(%rsp),%rdi
jne .Lautojit_chain
movq 8(%rax),%rax
addq (%rdx),%rax
.Lautojit_found:
leaq {IMAGE_SYMBOL}(%rip),%rdi
callq *%rax
addq $24,%rsp
.cfi_def_cfa_offset 8
retq
.cfi_def_cfa_offset 32
.Lautojit_chain:
incl %ecx
testl $1,%r11d
jz .Lautojit_symbol
.Lautojit_next:
movq 24(%rdx),%rdx
jmp .Lautojit_object
.Lautojit_alone:
{die}\
.Lautojit_static:
{die_static}\
.Lautojit_register:
.asciz \"{REGISTER_SYMBOL}\"
.cfi_endproc
",
        name_size = REGISTER_SYMBOL.len() + 1,
        die_static = die(".Lautojit_static_message", STATIC_MESSAGE),
        die = die(".Lautojit_no_runtime", NO_RUNTIME_MESSAGE),
    );
    writeln!(out, ".weak {REGISTER_SYMBOL}\n.weak _DYNAMIC\n.hidden _DYNAMIC")
        .expect("a String takes everything");
    define(out, ATTACH_SYMBOL, ".text.autojit.attach", "ax", 4, "function", &body);
}

/// On entry (%rsp) is the return address into a stub's tail. The unwind information describes what changes of the
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
