//! What instructions do: opcodes, and the enumerations that belong to them.

/// An instruction's operation. The order is LLVM's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum Opcode {
    Ret,
    /// An unconditional branch.
    Br,
    /// `br i1 …`
    CondBr,
    Switch,
    IndirectBr,
    Invoke,
    Resume,
    Unreachable,
    CleanupRet,
    CatchRet,
    CatchSwitch,
    CallBr,

    FNeg,

    Add,
    FAdd,
    Sub,
    FSub,
    Mul,
    FMul,
    UDiv,
    SDiv,
    FDiv,
    URem,
    SRem,
    FRem,
    Shl,
    LShr,
    AShr,
    And,
    Or,
    Xor,

    Alloca,
    Load,
    Store,
    GetElementPtr,
    Fence,
    CmpXchg,
    AtomicRmw,

    Trunc,
    ZExt,
    SExt,
    FPToUI,
    FPToSI,
    UIToFP,
    SIToFP,
    FPTrunc,
    FPExt,
    PtrToInt,
    PtrToAddr,
    IntToPtr,
    BitCast,
    AddrSpaceCast,

    CleanupPad,
    CatchPad,

    ICmp,
    FCmp,
    Phi,
    Call,
    Select,
    VAArg,
    ExtractElement,
    InsertElement,
    ShuffleVector,
    ExtractValue,
    InsertValue,
    LandingPad,
    Freeze,
}

impl Opcode {
    /// Whether it ends a block.
    pub const fn is_terminator(self) -> bool {
        (self as u8) < Opcode::FNeg as u8
    }

    /// Whether it is one of the binary operations, `add` to `xor`.
    pub const fn is_binary(self) -> bool {
        self as u8 >= Opcode::Add as u8 && self as u8 <= Opcode::Xor as u8
    }

    /// Whether it is one of the conversions, `trunc` to `addrspacecast`.
    pub const fn is_cast(self) -> bool {
        self as u8 >= Opcode::Trunc as u8 && self as u8 <= Opcode::AddrSpaceCast as u8
    }
}

/// What an instruction's or constant expression's optional keywords say. Each keyword has a bit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u32);

#[allow(missing_docs)] // The names are those of the language reference.
impl Flags {
    pub const NONE: Flags = Flags(0);
    /// The fast-math flags, at the bits that bitcode gives them.
    pub const NNAN: Flags = Flags(1 << 1);
    pub const NINF: Flags = Flags(1 << 2);
    pub const NSZ: Flags = Flags(1 << 3);
    pub const ARCP: Flags = Flags(1 << 4);
    pub const CONTRACT: Flags = Flags(1 << 5);
    pub const AFN: Flags = Flags(1 << 6);
    pub const REASSOC: Flags = Flags(1 << 7);
    /// All of them: `fast`.
    pub const FAST: Flags = Flags(0xfe);
    pub const NUW: Flags = Flags(1 << 8);
    pub const NSW: Flags = Flags(1 << 9);
    pub const EXACT: Flags = Flags(1 << 10);
    pub const DISJOINT: Flags = Flags(1 << 11);
    pub const NNEG: Flags = Flags(1 << 12);
    pub const SAMESIGN: Flags = Flags(1 << 13);
    pub const INBOUNDS: Flags = Flags(1 << 14);
    pub const NUSW: Flags = Flags(1 << 15);
    pub const VOLATILE: Flags = Flags(1 << 16);
    /// `cmpxchg weak`
    pub const WEAK: Flags = Flags(1 << 17);
    /// `alloca inalloca`
    pub const INALLOCA: Flags = Flags(1 << 18);
    /// `alloca swifterror`
    pub const SWIFTERROR: Flags = Flags(1 << 19);
    /// `landingpad … cleanup`
    pub const CLEANUP: Flags = Flags(1 << 20);
    pub const TAIL: Flags = Flags(1 << 21);
    pub const MUSTTAIL: Flags = Flags(1 << 22);
    pub const NOTAIL: Flags = Flags(1 << 23);
    /// A load, store, read-modify-write or fence that is atomic.
    pub const ATOMIC: Flags = Flags(1 << 24);

    /// Whether all of `other` are set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// A comparison, `icmp` and `fcmp` alike, with LLVM's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum Predicate {
    False = 0,
    Oeq = 1,
    Ogt = 2,
    Oge = 3,
    Olt = 4,
    Ole = 5,
    One = 6,
    Ord = 7,
    Uno = 8,
    Ueq = 9,
    Ugt = 10,
    Uge = 11,
    Ult = 12,
    Ule = 13,
    Une = 14,
    True = 15,
    IntEq = 32,
    IntNe = 33,
    IntUgt = 34,
    IntUge = 35,
    IntUlt = 36,
    IntUle = 37,
    IntSgt = 38,
    IntSge = 39,
    IntSlt = 40,
    IntSle = 41,
}

impl Predicate {
    pub(crate) const fn from_encoded(encoded: u64) -> Option<Predicate> {
        use Predicate::*;
        Some(match encoded {
            0 => False,
            1 => Oeq,
            2 => Ogt,
            3 => Oge,
            4 => Olt,
            5 => Ole,
            6 => One,
            7 => Ord,
            8 => Uno,
            9 => Ueq,
            10 => Ugt,
            11 => Uge,
            12 => Ult,
            13 => Ule,
            14 => Une,
            15 => True,
            32 => IntEq,
            33 => IntNe,
            34 => IntUgt,
            35 => IntUge,
            36 => IntUlt,
            37 => IntUle,
            38 => IntSgt,
            39 => IntSge,
            40 => IntSlt,
            41 => IntSle,
            _ => return None,
        })
    }
}

/// What an atomic access is ordered with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum Ordering {
    #[default]
    NotAtomic = 0,
    Unordered = 1,
    Monotonic = 2,
    Acquire = 3,
    Release = 4,
    AcquireRelease = 5,
    SequentiallyConsistent = 6,
}

impl Ordering {
    pub(crate) const fn from_encoded(encoded: u64) -> Option<Ordering> {
        use Ordering::*;
        Some(match encoded {
            0 => NotAtomic,
            1 => Unordered,
            2 => Monotonic,
            3 => Acquire,
            4 => Release,
            5 => AcquireRelease,
            6 => SequentiallyConsistent,
            _ => return None,
        })
    }
}

/// What `atomicrmw` does, with the numbers of bitcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum RmwOp {
    Xchg = 0,
    Add = 1,
    Sub = 2,
    And = 3,
    Nand = 4,
    Or = 5,
    Xor = 6,
    Max = 7,
    Min = 8,
    UMax = 9,
    UMin = 10,
    FAdd = 11,
    FSub = 12,
    FMax = 13,
    FMin = 14,
    UIncWrap = 15,
    UDecWrap = 16,
    USubCond = 17,
    USubSat = 18,
    FMaximum = 19,
    FMinimum = 20,
}

impl RmwOp {
    pub(crate) const fn from_encoded(encoded: u64) -> Option<RmwOp> {
        use RmwOp::*;
        Some(match encoded {
            0 => Xchg,
            1 => Add,
            2 => Sub,
            3 => And,
            4 => Nand,
            5 => Or,
            6 => Xor,
            7 => Max,
            8 => Min,
            9 => UMax,
            10 => UMin,
            11 => FAdd,
            12 => FSub,
            13 => FMax,
            14 => FMin,
            15 => UIncWrap,
            16 => UDecWrap,
            17 => USubCond,
            18 => USubSat,
            19 => FMaximum,
            20 => FMinimum,
            _ => return None,
        })
    }
}

/// Whether a call's frame is reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // The names are those of the language reference.
pub enum TailKind {
    None,
    Tail,
    MustTail,
    NoTail,
}
