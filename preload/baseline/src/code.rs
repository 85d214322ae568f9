//! What the compiler hands on: machine code of one function in the form that it has before its addresses are known.
//!
//! The shape follows the linker's units (`autojit-code`): text and constants as bytes, relocations by their kind in the
//! psABI, a description of the frame from which an FDE is written, and tables for exceptions and lines.

/// What a relocation refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelocationTarget {
    /// A global value of the bitcode module, by its index.
    Global(u32),
    /// The function's own constants.
    Rodata,
    /// The function's own code.
    Text,
    /// A function of the C library or the compiler's support library.
    Runtime(Runtime),
    /// One of the function's own counters, by its number.
    Counter(u32),
}

/// Functions that the code generator itself calls. They are those that LLVM's code would call, so a program that was
/// linked with LLVM's code has them; `memcpy` and the like always exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Runtime(pub &'static str);

impl Runtime {
    /// What code calls when a counter of it has run out ([`LoopHeader`]). No library has it.
    pub const COUNTER: Self = Self("__autojit_counter");
}

/// How the value is computed and written; S, A and P as in the psABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelocationKind {
    /// S + A - P, 32 bits: the symbol is defined in the same image.
    Pc32,
    /// The same for the operand of a call or jump (e8, e9): any address with the function's code will do.
    Call,
    /// The distance to a GOT entry with the symbol's address. The instruction is a `mov` that psABI B.2 allows to
    /// relax, or a call.
    GotRelaxable,
    /// S + A, 64 bits.
    Abs64,
}

/// A field whose value depends on addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Relocation {
    /// Where, from the start of the piece.
    pub offset: u32,
    /// How.
    pub kind: RelocationKind,
    /// To what.
    pub target: RelocationTarget,
    /// What is added.
    pub addend: i64,
}

/// The frame, as far as unwinding needs it. The prologue is `push rbp; mov rbp, rsp; push …`, the CFA is rbp + 16 from
/// then on, and the epilogue ends with `pop rbp` or `leave`, then `ret`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The offset behind `push rbp`.
    pub pushed: u32,
    /// The offset behind `mov rbp, rsp`.
    pub established: u32,
    /// The callee-saved registers, by DWARF number, and their distance below the CFA in bytes; saved at `saved`.
    pub saved_registers: Vec<(u8, u32)>,
    /// The offset behind the last push.
    pub saved: u32,
    /// The offset from which on, to the end, the code runs before `push rbp`.
    pub outside: Option<u32>,
    /// The offsets of the `ret` (or tail jump) instructions at which the CFA is rsp + 8, and those behind them.
    pub returns: Vec<(u32, u32)>,
    /// Bytes below rbp.
    pub size: u32,
}

/// The language-specific data of a function, ready to be put into read-only memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lsda {
    /// The bytes, aligned to 4.
    pub bytes: Vec<u8>,
    /// Its references to type information: absolute addresses.
    pub relocations: Vec<Relocation>,
}

/// One row of the line table: code from `offset` on belongs to `location`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineRow {
    /// Where in the code.
    pub offset: u32,
    /// An instruction of the function, by its number over all blocks, whose debug location it is.
    pub instruction: u32,
}

/// A loop header in code that counts: the nth has the counter n + 1; entries have counter 0.
///
/// A counter ([`RelocationTarget::Counter`]) is a 32-bit number from which one is subtracted for each entry, or a
/// [step](LoopHeader::STEP) for so many rounds of loops; once that is below zero,
/// [`Runtime::COUNTER`] is called, with the address of the number in r11. What is called keeps all other registers, and leaves
/// an address in r11, or 0 to have the code go on. For an entry it is that of other code of the function. For a loop that may be left it is that of a function of the C convention that gets the address
/// of the frame (rbp), runs the rest of the function, and returns what that would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopHeader {
    /// The header's number among the blocks of the function.
    pub block: u32,
    /// Whether the loop may be left.
    pub left: bool,
}

impl LoopHeader {
    /// Where the step is: a number of 16 bits, at least 1, at this distance to the counter of entries. A call of the function
    /// counts rounds of its loops by itself until they are so many; fewer at its end, or at that of a loop, are lost.
    pub const STEP: i32 = 10;
}

/// Machine code of one function.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// The instructions; nothing else is between or behind them.
    pub text: Vec<u8>,
    /// Constants and jump tables.
    pub rodata: Vec<u8>,
    /// The alignment of the constants.
    pub rodata_align: u32,
    /// Relocations of the text.
    pub text_relocations: Vec<Relocation>,
    /// Relocations of the constants.
    pub rodata_relocations: Vec<Relocation>,
    /// The frame.
    pub frame: Frame,
    /// What a personality routine reads.
    pub lsda: Option<Lsda>,
    /// The personality routine, a global value of the module.
    pub personality: Option<u32>,
    /// Blocks to which `indirectbr` may lead, and their offsets: data may hold their addresses.
    pub blocks: Vec<(u32, u32)>,
    /// Lines, by offset.
    pub lines: Vec<LineRow>,
    /// Of code that counts, its loops.
    pub loops: Vec<LoopHeader>,
}
