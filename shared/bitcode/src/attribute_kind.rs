//! The kinds of attributes, with the numbers of bitcode.

macro_rules! kinds {
    ($($name:ident = $number:literal $text:literal),* $(,)?) => {
        /// What an attribute says. The names are those of `LLVMBitCodes.h`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs)]
        pub enum AttributeKind {
            $($name = $number),*
        }

        impl AttributeKind {
            /// Its name in the text form of IR.
            pub const fn text(self) -> &'static str {
                match self {
                    $(AttributeKind::$name => $text,)*
                }
            }

            pub(crate) const fn from_encoded(encoded: u64) -> Option<AttributeKind> {
                match encoded {
                    $($number => Some(AttributeKind::$name),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    Alignment = 1 "align",
    AlwaysInline = 2 "alwaysinline",
    ByVal = 3 "byval",
    InlineHint = 4 "inlinehint",
    InReg = 5 "inreg",
    MinSize = 6 "minsize",
    Naked = 7 "naked",
    Nest = 8 "nest",
    NoAlias = 9 "noalias",
    NoBuiltin = 10 "nobuiltin",
    NoCapture = 11 "nocapture",
    NoDuplicate = 12 "noduplicate",
    NoImplicitFloat = 13 "noimplicitfloat",
    NoInline = 14 "noinline",
    NonLazyBind = 15 "nonlazybind",
    NoRedZone = 16 "noredzone",
    NoReturn = 17 "noreturn",
    NoUnwind = 18 "nounwind",
    OptimizeForSize = 19 "optsize",
    ReadNone = 20 "readnone",
    ReadOnly = 21 "readonly",
    Returned = 22 "returned",
    ReturnsTwice = 23 "returns_twice",
    SExt = 24 "signext",
    StackAlignment = 25 "alignstack",
    StackProtect = 26 "ssp",
    StackProtectReq = 27 "sspreq",
    StackProtectStrong = 28 "sspstrong",
    StructRet = 29 "sret",
    SanitizeAddress = 30 "sanitize_address",
    SanitizeThread = 31 "sanitize_thread",
    SanitizeMemory = 32 "sanitize_memory",
    UwTable = 33 "uwtable",
    ZExt = 34 "zeroext",
    Builtin = 35 "builtin",
    Cold = 36 "cold",
    OptimizeNone = 37 "optnone",
    InAlloca = 38 "inalloca",
    NonNull = 39 "nonnull",
    JumpTable = 40 "jumptable",
    Dereferenceable = 41 "dereferenceable",
    DereferenceableOrNull = 42 "dereferenceable_or_null",
    Convergent = 43 "convergent",
    Safestack = 44 "safestack",
    Argmemonly = 45 "argmemonly",
    SwiftSelf = 46 "swiftself",
    SwiftError = 47 "swifterror",
    NoRecurse = 48 "norecurse",
    InaccessiblememOnly = 49 "inaccessiblememonly",
    InaccessiblememOrArgmemonly = 50 "inaccessiblemem_or_argmemonly",
    AllocSize = 51 "allocsize",
    Writeonly = 52 "writeonly",
    Speculatable = 53 "speculatable",
    StrictFp = 54 "strictfp",
    SanitizeHwaddress = 55 "sanitize_hwaddress",
    NocfCheck = 56 "nocf_check",
    OptForFuzzing = 57 "optforfuzzing",
    Shadowcallstack = 58 "shadowcallstack",
    SpeculativeLoadHardening = 59 "speculative_load_hardening",
    Immarg = 60 "immarg",
    Willreturn = 61 "willreturn",
    Nofree = 62 "nofree",
    Nosync = 63 "nosync",
    SanitizeMemtag = 64 "sanitize_memtag",
    Preallocated = 65 "preallocated",
    NoMerge = 66 "nomerge",
    NullPointerIsValid = 67 "null_pointer_is_valid",
    Noundef = 68 "noundef",
    Byref = 69 "byref",
    Mustprogress = 70 "mustprogress",
    NoCallback = 71 "nocallback",
    Hot = 72 "hot",
    NoProfile = 73 "noprofile",
    VscaleRange = 74 "vscale_range",
    SwiftAsync = 75 "swiftasync",
    NoSanitizeCoverage = 76 "nosanitize_coverage",
    Elementtype = 77 "elementtype",
    DisableSanitizerInstrumentation = 78 "disable_sanitizer_instrumentation",
    NoSanitizeBounds = 79 "nosanitize_bounds",
    AllocAlign = 80 "allocalign",
    AllocatedPointer = 81 "allocptr",
    AllocKind = 82 "allockind",
    PresplitCoroutine = 83 "presplitcoroutine",
    FnretthunkExtern = 84 "fn_ret_thunk_extern",
    SkipProfile = 85 "skipprofile",
    Memory = 86 "memory",
    Nofpclass = 87 "nofpclass",
    OptimizeForDebugging = 88 "optdebug",
    Writable = 89 "writable",
    CoroOnlyDestroyWhenComplete = 90 "coro_only_destroy_when_complete",
    DeadOnUnwind = 91 "dead_on_unwind",
    Range = 92 "range",
    SanitizeNumericalStability = 93 "sanitize_numerical_stability",
    Initializes = 94 "initializes",
    HybridPatchable = 95 "hybrid_patchable",
    SanitizeRealtime = 96 "sanitize_realtime",
    SanitizeRealtimeBlocking = 97 "sanitize_realtime_blocking",
    CoroElideSafe = 98 "coro_elide_safe",
    NoExt = 99 "noext",
    NoDivergenceSource = 100 "nodivergencesource",
    SanitizeType = 101 "sanitize_type",
    Captures = 102 "captures",
    DeadOnReturn = 103 "dead_on_return",
    SanitizeAllocToken = 104 "sanitize_alloc_token",
    NoCreateUndefOrPoison = 105 "nocreateundeforpoison",
}
