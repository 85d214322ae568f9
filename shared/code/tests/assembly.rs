//! Objects from assembler text: the bytes that relocations, relaxations and patches leave, and what is refused.

mod support;

use autojit_code::{Arena, LinkError, Usage, link_object, patch_call};
use support::{Code, Symbols, address_of, compile, memory, only, private_memory, publish};

/// The `len` bytes at an address of linked code.
fn bytes(address: usize, len: usize) -> &'static [u8] {
    // SAFETY: the tests ask for bytes of committed blocks, which are never unmapped.
    unsafe { std::slice::from_raw_parts(address as *const u8, len) }
}

fn word(address: usize) -> usize {
    usize::from_le_bytes(bytes(address, 8).try_into().unwrap())
}

/// Where the displacement at `address`, followed by `behind` bytes of the instruction, leads.
fn leads_to(address: usize, behind: usize) -> usize {
    let displacement = i32::from_le_bytes(bytes(address, 4).try_into().unwrap());
    (address + 4 + behind).wrapping_add_signed(displacement as isize)
}

fn linked(object: &[u8], symbols: &mut Symbols) -> Code {
    publish(object, symbols.memory, symbols).unwrap()
}

const GOT_LOADS: &str = "
.globl f
.type f,@function
f:
  movq near@GOTPCREL(%rip), %rax
  movq near@GOTPCREL(%rip), %r15
  movl near@GOTPCREL(%rip), %eax
  callq *near@GOTPCREL(%rip)
  jmpq *near@GOTPCREL(%rip)
  cmpq near@GOTPCREL(%rip), %rax
.globl g
.type g,@function
g:
  movq far@GOTPCREL(%rip), %rax
  callq *far@GOTPCREL(%rip)
  pushq far@GOTPCREL(%rip)
";

#[test]
fn got_loads_are_relaxed_within_reach() {
    let object = compile("assembler", GOT_LOADS, &[]);
    let memory = memory();
    let (near, far) = (only(memory).range().start + 0x40, only(memory).range().start ^ (1 << 45));
    let mut symbols = Symbols::new(memory).with_pending("near", near, 5).with("far", far);
    let code = linked(&object, &mut symbols);
    let f = address_of(&code, "f").unwrap();
    // Offset and bytes of the opcode, bytes of the instruction behind the displacement.
    let relaxed: [(usize, &[u8], usize); 5] = [
        (0, &[0x48, 0x8d, 0x05], 0),
        (7, &[0x4c, 0x8d, 0x3d], 0),
        (14, &[0x8d, 0x05], 0),
        (20, &[0x67, 0xe8], 0),
        (26, &[0xe9], 0),
    ];
    for (offset, opcode, behind) in relaxed {
        assert_eq!(bytes(f + offset, opcode.len()), opcode);
        assert_eq!(leads_to(f + offset + opcode.len(), behind), near, "{opcode:x?}");
    }
    assert_eq!(bytes(f + 31, 1), [0x90]);
    assert_eq!(bytes(f + 32, 3), [0x48, 0x3b, 0x05], "cmp keeps its GOT entry");
    assert_eq!(word(leads_to(f + 35, 0)), near);

    let sites: Vec<_> =
        code.call_sites.iter().map(|site| (site.address - f, site.target, site.pending)).collect();
    assert_eq!(sites, [(21, near, 5), (26, near, 5)]);

    let g = address_of(&code, "g").unwrap();
    assert_eq!(bytes(g, 3), [0x48, 0x8b, 0x05]);
    assert_eq!(bytes(g + 7, 2), [0xff, 0x15]);
    assert_eq!(bytes(g + 13, 2), [0xff, 0x35]);
    let entries = [leads_to(g + 3, 0), leads_to(g + 9, 0), leads_to(g + 15, 0)];
    for entry in entries {
        assert_eq!(word(entry), far);
        assert!(only(memory).arena(Arena::Data).contains(&entry));
    }
    assert_eq!(entries[0], entries[2], "one GOT entry for a symbol and usage");
    assert!(symbols.asked.contains(&("far".into(), Usage::Call, false)));
}

const KINDS: &str = "
.globl f
.type f,@function
f:
  call far
  jmp far
  jne far
  call 1f
1: leaq here(%rip), %rax
  leaq _GLOBAL_OFFSET_TABLE_(%rip), %rbx
  movabsq $here@GOTOFF, %rcx
  ret
.section .data.rel,\"aw\",@progbits
.globl words
words:
  .quad far
  .quad here + 8
  .quad here - .
  .quad f
  .quad lost
  .long here - .
  .weak lost
.section .rodata
  .space 24
here: .quad 0x1234567890abcdef
";

#[test]
fn values() {
    let object = compile("assembler", KINDS, &[]);
    let memory = memory();
    let (far, stub) = (only(memory).range().start ^ (1 << 45), only(memory).range().start + 0x18);
    let mut symbols = Symbols::new(memory).with_pending("far", far, 9).with("f", stub);
    let code = linked(&object, &mut symbols);
    let f = address_of(&code, "f").unwrap();
    let section = |name| code.section(name).unwrap();
    let here = section(".rodata") + 24;
    assert_eq!(word(here), 0x1234567890abcdef);

    let thunk = leads_to(f + 1, 0);
    assert_eq!(bytes(thunk, 2), [0xff, 0x25]);
    assert_eq!(word(leads_to(thunk + 2, 0)), far);
    assert!(code.text.contains(&thunk) && thunk.is_multiple_of(8));
    assert_eq!((leads_to(f + 6, 0), leads_to(f + 12, 0)), (thunk, thunk));
    let sites: Vec<_> =
        code.call_sites.iter().map(|site| (site.address - f, site.target, site.pending)).collect();
    assert_eq!(sites, [(0, thunk, 9), (5, thunk, 9)], "a conditional jump is not patched");
    assert_eq!(leads_to(f + 16 + 1, 0), f + 21);
    assert_eq!(leads_to(f + 21 + 3, 0), here);

    let got = leads_to(f + 28 + 3, 0);
    assert!(only(memory).arena(Arena::Data).contains(&got));
    assert_eq!(got.wrapping_add(word(f + 35 + 2)), here);

    let words = section(".data.rel");
    assert_eq!(word(words), far);
    assert_eq!(word(words + 8), here + 8);
    assert_eq!((words + 16).wrapping_add(word(words + 16)), here);
    assert_eq!(word(words + 24), stub, "the address of a function of the object is the resolver's");
    assert_eq!(word(words + 32), 0);
    assert_eq!(leads_to(words + 40, 0) - 4, here);
}

#[test]
fn calls_at_every_alignment_are_patched_or_left() {
    for jump in ["call", "jmp"] {
        let mut source = String::from(".skip 16,0x90\n");
        for offset in 0..8 {
            source +=
                &format!(".globl s{offset}\n.type s{offset},@function\n.p2align 4\n.skip {offset},0x90\n");
            source += &format!("s{offset}: {jump} stub\n.skip 8,0x90\n");
        }
        let object = compile("assembler", &source, &[]);
        for (memory, shared) in [(memory(), true), (private_memory(), false)] {
            let stub = only(memory).range().start + 0x123;
            let to = only(memory).range().start + 0x4567;
            let code = linked(&object, &mut Symbols::new(memory).with_pending("stub", stub, 1));
            assert_eq!(code.call_sites.len(), 8);
            for (offset, site) in code.call_sites.iter().enumerate() {
                let at = site.address;
                assert_eq!((at % 16, site.target), (offset, stub));
                let before = bytes(at - 8, 24).to_vec();
                assert!(!patch_call(memory, at, stub + 1, to), "another target");
                assert!(!patch_call(memory, at + 1, stub, to), "not an opcode");
                assert!(!patch_call(memory, at - 1, stub, to), "not an opcode");
                assert!(!patch_call(memory, at, stub, to ^ (1 << 40)), "out of reach");
                assert_eq!(bytes(at - 8, 24), before);

                let patchable = shared && (offset + 1) % 8 <= 4;
                assert_eq!(patch_call(memory, at, stub, to), patchable, "offset {offset}");
                let now = bytes(at - 8, 24);
                assert_eq!(leads_to(at + 1, 0), if patchable { to } else { stub });
                assert_eq!((&now[..9], &now[13..]), (&before[..9], &before[13..]));
                // Once patched it leads elsewhere.
                assert!(!patch_call(memory, at, stub, to));
                assert_eq!(patch_call(memory, at, to, stub), patchable);
            }
            memory.seal();
            assert!(!code.call_sites.iter().any(|site| patch_call(memory, site.address, stub, to)));
        }
    }
}

#[test]
fn nothing_outside_the_code_memory_is_patched() {
    let memory = memory();
    let object = compile("assembler", "\n.p2align 3\ncall stub\n", &[]);
    let code = linked(&object, &mut Symbols::new(memory).with_pending("stub", only(memory).range().start, 1));
    let other = crate::memory();
    let site = code.call_sites[0];
    assert!(!patch_call(other, site.address, site.target, only(other).range().start));
    for address in
        [0, 7, only(memory).range().start - 1, only(memory).range().end - 16, usize::MAX - 2, usize::MAX]
    {
        assert!(!patch_call(memory, address, site.target, only(memory).range().start));
    }
    assert!(patch_call(memory, site.address, site.target, only(memory).range().start + 16));
}

#[test]
fn what_cannot_be_linked_is_named() {
    let memory = memory();
    let error = |language, source: &str| {
        let object = compile(language, source, &["-O1"]);
        link_object(&object, memory, &mut Symbols::new(memory)).unwrap_err()
    };
    let unsupported = |language, source: &str, words: &[&str]| {
        let LinkError::Unsupported(text) = error(language, source) else {
            panic!("not unsupported: {source}")
        };
        assert!(words.iter().all(|word| text.contains(word)), "{text}");
    };
    unsupported("c", "extern __thread int ours;\nint f(void) { return ours; }\n", &["ours", "TLSGD"]);
    unsupported("c", "__thread int ours = 4;\nint f(void) { return ours; }\n", &[".tdata"]);
    unsupported(
        "c",
        "volatile int x;\n__attribute__((constructor)) void f(void) { x = 1; }\n",
        &[".init_array"],
    );
    unsupported("assembler", "\nmov %fs:ours@tpoff, %eax\n", &["ours", "TPOFF32"]);
    unsupported("assembler", "\n.section .both,\"awx\",@progbits\nnop\n", &[".both"]);
    unsupported("assembler", "\n.comm common,8,8\nleaq common(%rip), %rax\n", &["common"]);
    unsupported("assembler", "\n.p2align 14\nnop\n", &["16384"]);
    unsupported("assembler", "\n.bss\n.space 0x200000\n", &["2097152", ".bss"]);

    let unresolved = error("c", "int not_there(void);\nint f(void) { return not_there() + 1; }\n");
    assert_eq!(unresolved, LinkError::Unresolved("not_there".into(), "not in any library".into()));

    let object = compile("assembler", "\nleaq far(%rip), %rax\n", &[]);
    let mut symbols = Symbols::new(memory).with("far", only(memory).range().start ^ (1 << 45));
    let far = link_object(&object, memory, &mut symbols).unwrap_err();
    assert_eq!(far, LinkError::OutOfReach("far".into()));
    let object = compile("assembler", "\nmovl $far, %eax\n", &[]);
    let far = link_object(&object, memory, &mut symbols).unwrap_err();
    assert_eq!(far, LinkError::OutOfReach("far".into()));

    let object = compile("assembler", "\n.data\n.space 0x200000\n", &[]);
    let full = link_object(&object, memory, &mut symbols).unwrap_err();
    assert_eq!(full.to_string(), "the code memory is full");
}
