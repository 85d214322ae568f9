//! Each instruction form over registers and addresses whose encodings differ, decoded again by iced-x86.

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};

use super::gp::*;
use super::*;

/// The text of all instructions that `emit` writes.
fn text(emit: impl FnOnce(&mut Assembler)) -> String {
    let mut asm = Assembler::default();
    emit(&mut asm);
    asm.finish().expect("all labels are bound");
    disassemble(asm.bytes())
}

fn disassemble(bytes: &[u8]) -> String {
    let mut formatter = IntelFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_hex_prefix("0x");
    options.set_hex_suffix("");
    options.set_branch_leading_zeros(false);
    options.set_memory_size_options(iced_x86::MemorySizeOptions::Always);
    options.set_show_branch_size(false);
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let mut lines = Vec::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        assert!(!instruction.is_invalid(), "{bytes:02x?}");
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        lines.push(line);
    }
    lines.join("; ")
}

const NAMES: [[&str; 16]; 4] = [
    [
        "al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil", "r8b", "r9b", "r10b", "r11b", "r12b", "r13b",
        "r14b", "r15b",
    ],
    [
        "ax", "cx", "dx", "bx", "sp", "bp", "si", "di", "r8w", "r9w", "r10w", "r11w", "r12w", "r13w", "r14w",
        "r15w",
    ],
    [
        "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "r8d", "r9d", "r10d", "r11d", "r12d", "r13d",
        "r14d", "r15d",
    ],
    [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
        "r14", "r15",
    ],
];
const WIDTHS: [Width; 4] = [Width::B1, Width::B2, Width::B4, Width::B8];
const SIZES: [&str; 4] = ["byte", "word", "dword", "qword"];

fn name(width: Width, reg: Gp) -> &'static str {
    NAMES[width as usize][reg.0 as usize]
}

/// Every base with displacements of all forms, every index with all scales.
fn addresses() -> Vec<(Mem, String)> {
    let mut all = Vec::new();
    for base in (0..16).map(Gp) {
        for disp in [0, 8, -8, 127, -128, 128, -129, 0x1234_5678_i32] {
            let sign = if disp < 0 { '-' } else { '+' };
            let tail =
                if disp == 0 { String::new() } else { format!("{sign}{}", number(disp.unsigned_abs())) };
            all.push((Mem::at(base, disp), format!("[{}{tail}]", name(Width::B8, base))));
        }
    }
    for index in (0..16).map(Gp).filter(|index| *index != RSP) {
        for (scale, base) in [(0, RAX), (1, RBP), (2, R13), (3, R12)] {
            let mem = Mem { base: Base::Reg(base), index: Some((index, scale)), disp: 16 };
            let times = if scale == 0 { String::new() } else { format!("*{}", 1 << scale) };
            let text = format!("[{}+{}{times}+0x10]", name(Width::B8, base), name(Width::B8, index));
            all.push((mem, text));
        }
        let mem = Mem { base: Base::None, index: Some((index, 3)), disp: 0x40 };
        all.push((mem, format!("[{}*8+0x40]", name(Width::B8, index))));
    }
    all.push((Mem { base: Base::None, index: None, disp: 0x1000 }, "[0x1000]".into()));
    all
}

fn number(value: u32) -> String {
    if value < 10 { value.to_string() } else { format!("0x{value:X}") }
}

#[test]
fn addresses_of_all_forms() {
    for (mem, expected) in addresses() {
        assert_eq!(
            text(|asm| asm.mov(Width::B8, RDX, mem)),
            format!("mov rdx, qword ptr {expected}"),
            "{mem:?}"
        );
        assert_eq!(text(|asm| asm.lea(R9, mem)), format!("lea r9, {expected}"), "{mem:?}");
    }
}

#[test]
fn integer_operations_of_all_widths() {
    let alus = [
        (Alu::Add, "add"),
        (Alu::Or, "or"),
        (Alu::Adc, "adc"),
        (Alu::Sbb, "sbb"),
        (Alu::And, "and"),
        (Alu::Sub, "sub"),
        (Alu::Xor, "xor"),
        (Alu::Cmp, "cmp"),
    ];
    let mem = Mem::at(R10, 4);
    for width in WIDTHS {
        let size = SIZES[width as usize];
        for reg in (0..16).map(Gp) {
            let r = name(width, reg);
            let other = Gp(reg.0 ^ 9);
            let o = name(width, other);
            for (alu, mnemonic) in alus {
                assert_eq!(text(|a| a.alu(alu, width, reg, other)), format!("{mnemonic} {r}, {o}"));
                assert_eq!(
                    text(|a| a.alu(alu, width, reg, mem)),
                    format!("{mnemonic} {r}, {size} ptr [r10+4]")
                );
                assert_eq!(
                    text(|a| a.alu_mr(alu, width, mem, reg)),
                    format!("{mnemonic} {size} ptr [r10+4], {r}")
                );
                assert_eq!(text(|a| a.alu_i(alu, width, reg, 5)), format!("{mnemonic} {r}, 5"));
                if width > Width::B1 {
                    assert_eq!(text(|a| a.alu_i(alu, width, reg, 0x1234)), format!("{mnemonic} {r}, 0x1234"));
                }
            }
            assert_eq!(text(|a| a.mov(width, reg, other)), format!("mov {r}, {o}"));
            assert_eq!(text(|a| a.mov_mr(width, mem, reg)), format!("mov {size} ptr [r10+4], {r}"));
            assert_eq!(text(|a| a.test(width, other, reg)), format!("test {o}, {r}"));
            assert_eq!(text(|a| a.test_i(width, reg, 7)), format!("test {r}, 7"));
            for (unary, mnemonic) in [
                (Unary::Not, "not"),
                (Unary::Neg, "neg"),
                (Unary::Mul, "mul"),
                (Unary::Imul, "imul"),
                (Unary::Div, "div"),
                (Unary::Idiv, "idiv"),
            ] {
                assert_eq!(text(|a| a.unary(unary, width, reg)), format!("{mnemonic} {r}"));
            }
            for (shift, mnemonic) in [
                (Shift::Rol, "rol"),
                (Shift::Ror, "ror"),
                (Shift::Shl, "shl"),
                (Shift::Shr, "shr"),
                (Shift::Sar, "sar"),
            ] {
                assert_eq!(text(|a| a.shift_i(shift, width, reg, 1)), format!("{mnemonic} {r}, 1"));
                assert_eq!(text(|a| a.shift_i(shift, width, reg, 7)), format!("{mnemonic} {r}, 7"));
                assert_eq!(text(|a| a.shift_cl(shift, width, reg)), format!("{mnemonic} {r}, cl"));
            }
            assert_eq!(text(|a| a.xchg(width, mem, reg)), format!("xchg {size} ptr [r10+4], {r}"));
            assert_eq!(text(|a| a.lock_xadd(width, mem, reg)), format!("lock xadd {size} ptr [r10+4], {r}"));
            assert_eq!(
                text(|a| a.lock_cmpxchg(width, mem, reg)),
                format!("lock cmpxchg {size} ptr [r10+4], {r}")
            );
            assert_eq!(
                text(|a| a.lock_alu_mr(Alu::Or, width, mem, reg)),
                format!("lock or {size} ptr [r10+4], {r}")
            );
            if width > Width::B1 {
                assert_eq!(text(|a| a.imul(width, reg, other)), format!("imul {r}, {o}"));
                assert_eq!(text(|a| a.imul_i(width, reg, other, 100)), format!("imul {r}, {o}, 0x64"));
                assert_eq!(text(|a| a.imul_i(width, reg, other, 1000)), format!("imul {r}, {o}, 0x3E8"));
                assert_eq!(text(|a| a.cmov(Cond::L, width, reg, other)), format!("cmovl {r}, {o}"));
                for (bits, mnemonic) in [
                    (Bits::Bsf, "bsf"),
                    (Bits::Bsr, "bsr"),
                    (Bits::Popcnt, "popcnt"),
                    (Bits::Lzcnt, "lzcnt"),
                    (Bits::Tzcnt, "tzcnt"),
                ] {
                    assert_eq!(text(|a| a.bits(bits, width, reg, other)), format!("{mnemonic} {r}, {o}"));
                }
                assert_eq!(
                    text(|a| a.double_shift_i(true, width, reg, other, 5)),
                    format!("shld {r}, {o}, 5")
                );
                assert_eq!(
                    text(|a| a.double_shift_cl(false, width, reg, other)),
                    format!("shrd {r}, {o}, cl")
                );
                assert_eq!(text(|a| a.bt_i(width, reg, 5)), format!("bt {r}, 5"));
            }
            if width >= Width::B4 {
                assert_eq!(text(|a| a.bswap(width, reg)), format!("bswap {r}"));
                for from in WIDTHS.into_iter().filter(|from| *from < width) {
                    let mnemonic = if from == Width::B4 { "movsxd" } else { "movsx" };
                    let f = name(from, other);
                    assert_eq!(text(|a| a.movsx(width, from, reg, other)), format!("{mnemonic} {r}, {f}"));
                }
            }
        }
    }
    for reg in (0..16).map(Gp) {
        let (b1, b2, b4, b8) =
            (name(Width::B1, reg), name(Width::B2, reg), name(Width::B4, reg), name(Width::B8, reg));
        assert_eq!(text(|a| a.setcc(Cond::Be, reg)), format!("setbe {b1}"));
        assert_eq!(text(|a| a.movzx(Width::B1, R9, reg)), format!("movzx r9d, {b1}"));
        assert_eq!(text(|a| a.movzx(Width::B2, R9, reg)), format!("movzx r9d, {b2}"));
        assert_eq!(text(|a| a.mov_i(reg, 7)), format!("mov {b4}, 7"));
        assert_eq!(text(|a| a.mov_i(reg, -2_i64 as u64)), format!("mov {b8}, 0xFFFFFFFFFFFFFFFE"));
        assert_eq!(text(|a| a.mov_i(reg, 1 << 40)), format!("mov {b8}, 0x10000000000"));
        assert_eq!(text(|a| a.push(reg)), format!("push {b8}"));
        assert_eq!(text(|a| a.pop(reg)), format!("pop {b8}"));
        assert_eq!(text(|a| a.zero(reg)), format!("xor {b4}, {b4}"));
        assert_eq!(text(|a| a.jmp_rm(reg)), format!("jmp {b8}"));
        assert_eq!(text(|a| a.call_rm(reg)), format!("call {b8}"));
    }
    assert_eq!(text(|a| a.mov_mi(Width::B2, mem, -2)), "mov word ptr [r10+4], 0xFFFE");
    assert_eq!(text(|a| a.mov_mi(Width::B8, mem, -2)), "mov qword ptr [r10+4], 0xFFFFFFFFFFFFFFFE");
    assert_eq!(text(|a| a.lock_cmpxchg16b(mem)), "lock cmpxchg16b xmmword ptr [r10+4]");
}

#[test]
fn vector_operations() {
    let mem = Mem::at(RBP, -16);
    for x in (0..16).map(Xmm) {
        let (n, o) = (x.0, x.0 ^ 9);
        let other = Xmm(o);
        for (prefix, suffix) in
            [(Prefix::None, "ps"), (Prefix::P66, "pd"), (Prefix::F3, "ss"), (Prefix::F2, "sd")]
        {
            for (sse, mnemonic) in [
                (Sse::Add, "add"),
                (Sse::Sub, "sub"),
                (Sse::Mul, "mul"),
                (Sse::Div, "div"),
                (Sse::Sqrt, "sqrt"),
                (Sse::Min, "min"),
                (Sse::Max, "max"),
            ] {
                assert_eq!(
                    text(|a| a.sse(prefix, sse, x, other)),
                    format!("{mnemonic}{suffix} xmm{n}, xmm{o}")
                );
            }
            assert_eq!(text(|a| a.cmp_x(prefix, x, other, 1)), format!("cmplt{suffix} xmm{n}, xmm{o}"));
        }
        assert_eq!(text(|a| a.sse(Prefix::P66, Sse::Ucomi, x, other)), format!("ucomisd xmm{n}, xmm{o}"));
        assert_eq!(text(|a| a.sse(Prefix::P66, Sse::Pxor, x, other)), format!("pxor xmm{n}, xmm{o}"));
        assert_eq!(text(|a| a.sse(Prefix::F3, Sse::Cvt, x, other)), format!("cvtss2sd xmm{n}, xmm{o}"));
        assert_eq!(text(|a| a.mov_xx(x, other)), format!("movaps xmm{n}, xmm{o}"));
        assert_eq!(text(|a| a.load_x(4, x, mem)), format!("movss xmm{n}, dword ptr [rbp-0x10]"));
        assert_eq!(text(|a| a.load_x(8, x, mem)), format!("movsd xmm{n}, qword ptr [rbp-0x10]"));
        assert_eq!(text(|a| a.load_x(16, x, mem)), format!("movups xmm{n}, xmmword ptr [rbp-0x10]"));
        assert_eq!(text(|a| a.store_x(8, mem, x)), format!("movsd qword ptr [rbp-0x10], xmm{n}"));
        assert_eq!(text(|a| a.mov_xg(Width::B8, x, R9)), format!("movq xmm{n}, r9"));
        assert_eq!(text(|a| a.mov_gx(Width::B4, R9, x)), format!("movd r9d, xmm{n}"));
        assert_eq!(text(|a| a.cvt_from_int(true, Width::B8, x, R9)), format!("cvtsi2sd xmm{n}, r9"));
        assert_eq!(text(|a| a.cvt_to_int(false, Width::B4, R9, x)), format!("cvttss2si r9d, xmm{n}"));
        assert_eq!(text(|a| a.pshufd(x, other, 0x1b)), format!("pshufd xmm{n}, xmm{o}, 0x1B"));
        assert_eq!(text(|a| a.pmovmskb(R9, x)), format!("pmovmskb r9d, xmm{n}"));
        assert_eq!(text(|a| a.shift_bytes(true, x, 4)), format!("pslldq xmm{n}, 4"));
        assert_eq!(text(|a| a.pinsrw(x, R9, 3)), format!("pinsrw xmm{n}, r9d, 3"));
        assert_eq!(text(|a| a.pinsr(Width::B1, x, R9, 15)), format!("pinsrb xmm{n}, r9d, 0xF"));
        assert_eq!(text(|a| a.pinsr(Width::B4, x, R9, 3)), format!("pinsrd xmm{n}, r9d, 3"));
        assert_eq!(text(|a| a.pinsr(Width::B8, x, R9, 1)), format!("pinsrq xmm{n}, r9, 1"));
        assert_eq!(text(|a| a.pextrw(R9, x, 3)), format!("pextrw r9d, xmm{n}, 3"));
        assert_eq!(text(|a| a.round_x(true, x, other, 9)), format!("roundsd xmm{n}, xmm{o}, 9"));
        assert_eq!(text(|a| a.pshufb(x, other)), format!("pshufb xmm{n}, xmm{o}"));
    }
}

#[test]
fn halves_of_registers() {
    for x in (0..16).map(Xmm) {
        let (n, o) = (x.0, x.0 ^ 9);
        assert_eq!(text(|a| a.insert_high(x, Xmm(o))), format!("vinsertf128 ymm{n}, ymm{n}, xmm{o}, 1"));
        assert_eq!(text(|a| a.extract_high(Xmm(o), x)), format!("vextractf128 xmm{o}, ymm{n}, 1"));
        for (mem, expected) in addresses() {
            assert_eq!(
                text(|a| a.insert_high(x, mem)),
                format!("vinsertf128 ymm{n}, ymm{n}, xmmword ptr {expected}, 1")
            );
            assert_eq!(
                text(|a| a.extract_high(mem, x)),
                format!("vextractf128 xmmword ptr {expected}, ymm{n}, 1")
            );
        }
    }
    assert_eq!(text(Assembler::zero_high), "vzeroupper");
}

#[test]
fn x87_operations() {
    let mem = Mem::at(RBP, -16);
    let cases = [
        (X87::Faddp, "faddp"),
        (X87::Fmulp, "fmulp"),
        (X87::Fsubp, "fsubp"),
        (X87::Fdivp, "fdivp"),
        (X87::Fxch, "fxch"),
        (X87::Fucomip, "fucomip st, st(1)"),
        (X87::FstpSt0, "fstp st(0), st"),
        (X87::Fchs, "fchs"),
        (X87::Fabs, "fabs"),
        (X87::Fsqrt, "fsqrt"),
        (X87::Fld1, "fld1"),
        (X87::Fldz, "fldz"),
    ];
    for (instruction, expected) in cases {
        assert_eq!(text(|a| a.x87(instruction)), expected);
    }
    assert_eq!(text(|a| a.fld(4, mem)), "fld st, dword ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fld(8, mem)), "fld st, qword ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fld(10, mem)), "fld st, tbyte ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fstp(10, mem)), "fstp tbyte ptr [rbp-0x10], st");
    assert_eq!(text(|a| a.fstp(4, mem)), "fstp dword ptr [rbp-0x10], st");
    assert_eq!(text(|a| a.fild(2, mem)), "fild st, word ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fild(4, mem)), "fild st, dword ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fild(8, mem)), "fild st, qword ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fistp(2, mem)), "fistp word ptr [rbp-0x10], st");
    assert_eq!(text(|a| a.fistp(4, mem)), "fistp dword ptr [rbp-0x10], st");
    assert_eq!(text(|a| a.fistp(8, mem)), "fistp qword ptr [rbp-0x10], st");
    assert_eq!(text(|a| a.fadd_m32(mem)), "fadd st, dword ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fnstcw(mem)), "fnstcw word ptr [rbp-0x10]");
    assert_eq!(text(|a| a.fldcw(mem)), "fldcw word ptr [rbp-0x10]");
}

#[test]
fn branches_reach_their_labels() {
    let forward = text(|a| {
        let end = a.label();
        a.jcc(Cond::E, end);
        a.jmp(end);
        a.bind(end);
        a.ret();
    });
    assert_eq!(forward, "je 0xB; jmp 0xB; ret");
    let backward = text(|a| {
        let start = a.label();
        a.bind(start);
        a.int3();
        a.jcc(Cond::Ne, start);
        a.jmp(start);
        a.raw(&[0x90; 126]);
        a.jmp(start);
    });
    assert!(backward.starts_with("int3; jne 0; jmp 0; nop"), "{backward}");
    assert!(backward.ends_with("nop; jmp 0"), "{backward}");
}

#[test]
fn relative_addresses_count_from_the_end_of_the_instruction() {
    let mem = Mem::symbol(RelocationKind::Pc32, RelocationTarget::Rodata, 8);
    let mut asm = Assembler::default();
    asm.mov(Width::B4, RAX, mem);
    asm.mov_mi(Width::B1, mem, 1);
    asm.alu_i(Alu::Add, Width::B8, mem, 0x1234);
    asm.insert_high(Xmm(9), mem);
    let relocations = asm.finish().unwrap();
    let found: Vec<_> = relocations.iter().map(|it| (it.offset, it.addend)).collect();
    assert_eq!(found, [(2, 4), (8, 3), (16, 0), (29, 3)]);
    assert_eq!(asm.bytes().len(), 34);
    let label = text(|a| {
        let here = a.label();
        a.bind(here);
        let mem = Mem { base: Base::Label(here), index: None, disp: 3 };
        a.lea(RAX, mem);
        a.mov_mi(Width::B4, mem, 1);
    });
    assert_eq!(
        label,
        "lea rax, [rip-0x4]; mov dword ptr [rip-0xE], 1"
            .replace("[rip-0x4]", "[3]")
            .replace("[rip-0xE]", "[3]")
    );
}
