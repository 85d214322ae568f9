//! How an image without a runtime finds one, as parts of [`crate::boot`]'s text: symbols are looked up in the loader's list of
//! objects, and `dlopen` is called with what `AUTOJIT_RUNTIME` names, else with the path that was known when the image was
//! compiled, else with the library's name, for the loader's usual places.
//!
//! Not in processes that run with others' rights; not while the loader is at work, nor before the C library knows the
//! environment (`.preinit_array`); and only once: `dlopen` may allocate, with a function of the program's that is lazy
//! itself.

use std::fmt::Write;

use crate::contract::REGISTER_SYMBOL;
use crate::emit::asciz;

// Tags of dynamic sections (gABI, and LSB core for the hash table).
const DT_STRTAB: u32 = 5;
const DT_SYMTAB: u32 = 6;
const DT_GNU_HASH: u32 = 0x6fff_fef5;

/// Bytes of the frame of [`ATTACH_SYMBOL`](crate::boot::ATTACH_SYMBOL): what lookups spill, and the fields below. With the
/// return address it keeps the stack aligned.
pub const FRAME: u32 = 72;
// What is looked up: the name, its size with the final null, its hash.
const NAME: u32 = 24;
const SIZE: u32 = 32;
const HASH: u32 = 40;
/// The loader's list (struct r_debug of <link.h>).
pub const LIST: u32 = 48;
const DLOPEN: u32 = 56;

/// r_map and r_state of struct r_debug.
const R_MAP: u32 = 8;
const R_STATE: u32 = 24;

/// RTLD_NOW | RTLD_GLOBAL.
const MODE: u32 = 0x102;

/// A byte that is not 0 once the image has looked for a runtime.
pub const ONCE: &str = "__autojit_searched";
const VARIABLE: &str = "AUTOJIT_RUNTIME=";
const LIBRARY: &str = "libautojit.so";

/// What is looked up.
const NAMES: [&str; 4] = [REGISTER_SYMBOL, "__libc_enable_secure", "dlopen", "environ"];

/// The hash of a name in DT_GNU_HASH tables.
fn hash(name: &str) -> u32 {
    name.bytes().fold(5381, |hash: u32, byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// Looks up one of [`NAMES`]: its address in %rax, null if nothing defines it.
pub fn lookup(name: &str) -> String {
    let index = NAMES.iter().position(|known| *known == name).expect("it is in the list");
    format!(
        "\
leaq .Lautojit_name_{index}(%rip),%rdi
movl ${size},%esi
movl ${hash:#x},%edx
callq .Lautojit_find
",
        size = name.len() + 1,
        hash = hash(name),
    )
}

/// The subroutine behind [`lookup`].
pub fn find() -> String {
    // rdx the object (struct link_map: base, name, dynamic section, next), rsi its hash table, rdi its symbols, r8 its
    // strings, ecx the index of a symbol. Addresses in the dynamic section of the kernel's object are not relocated.
    format!(
        "\
.Lautojit_find:
.cfi_def_cfa_offset {FRAME}+16
movq %rdi,{NAME}+8(%rsp)
movl %esi,{SIZE}+8(%rsp)
movl %edx,{HASH}+8(%rsp)
movq {LIST}+8(%rsp),%rdx
movq {R_MAP}(%rdx),%rdx
.Lautojit_object:
testq %rdx,%rdx
jz .Lautojit_absent
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
movl {HASH}+8(%rsp),%eax
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
xorl {HASH}+8(%rsp),%eax
shrl $1,%eax
jnz .Lautojit_chain
leaq (%rcx,%rcx,2),%rax
leaq (%rdi,%rax,8),%rax
cmpw $0,6(%rax)
je .Lautojit_chain
movl (%rax),%esi
addq %r8,%rsi
movq %rax,8(%rsp)
movq %rcx,16(%rsp)
movq %rdi,24(%rsp)
movq {NAME}+8(%rsp),%rdi
movl {SIZE}+8(%rsp),%ecx
repe cmpsb
movq 8(%rsp),%rax
movq 16(%rsp),%rcx
movq 24(%rsp),%rdi
jne .Lautojit_chain
movq 8(%rax),%rax
addq (%rdx),%rax
retq
.Lautojit_chain:
incl %ecx
testl $1,%r11d
jz .Lautojit_symbol
.Lautojit_next:
movq 24(%rdx),%rdx
jmp .Lautojit_object
.Lautojit_absent:
xorl %eax,%eax
retq
"
    )
}

/// Opens a runtime and goes on at .Lautojit_found, or falls through.
pub fn search() -> String {
    let open = format!("movl ${MODE:#x},%esi\ncallq *{DLOPEN}(%rsp)\n");
    format!(
        "\
movq {LIST}(%rsp),%rax
cmpl $0,{R_STATE}(%rax)
jne .Lautojit_alone
movb $1,%al
xchgb %al,{ONCE}(%rip)
testb %al,%al
jnz .Lautojit_alone
{secure}\
testq %rax,%rax
jz .Lautojit_alone
cmpl $0,(%rax)
jne .Lautojit_alone
{dlopen}\
testq %rax,%rax
jz .Lautojit_alone
movq %rax,{DLOPEN}(%rsp)
{environ}\
testq %rax,%rax
jz .Lautojit_alone
movq (%rax),%r8
testq %r8,%r8
jz .Lautojit_alone
.Lautojit_variables:
movq (%r8),%rdi
testq %rdi,%rdi
jz .Lautojit_recorded
addq $8,%r8
leaq .Lautojit_variable(%rip),%rsi
movl ${variable},%ecx
repe cmpsb
jne .Lautojit_variables
cmpb $0,(%rdi)
je .Lautojit_recorded
{open}\
jmp .Lautojit_opened
.Lautojit_recorded:
leaq .Lautojit_path(%rip),%rdi
cmpb $0,(%rdi)
je .Lautojit_usual
{open}\
testq %rax,%rax
jnz .Lautojit_opened
.Lautojit_usual:
leaq .Lautojit_library(%rip),%rdi
{open}\
.Lautojit_opened:
{register}\
testq %rax,%rax
jnz .Lautojit_found
",
        secure = lookup("__libc_enable_secure"),
        dlopen = lookup("dlopen"),
        environ = lookup("environ"),
        register = lookup(REGISTER_SYMBOL),
        variable = VARIABLE.len(),
    )
}

/// The names that the rest refers to, with the path of the runtime that is known.
pub fn names(runtime: &[u8]) -> String {
    let mut out = String::new();
    for (index, name) in NAMES.iter().enumerate() {
        writeln!(out, ".Lautojit_name_{index}:\n.asciz \"{name}\"").expect("a String takes everything");
    }
    for (label, text) in
        [("variable", VARIABLE.as_bytes()), ("path", runtime), ("library", LIBRARY.as_bytes())]
    {
        writeln!(out, ".Lautojit_{label}:\n.asciz {}", asciz(text)).expect("a String takes everything");
    }
    out
}
