//! The unwinder's functions that Rust's standard library refers to, so that libautojit.so does not load libgcc_s.
//!
//! The library is built with panic=abort and prints no backtraces, so none of them is ever called for it; loading an
//! unwinder would cost a plain C program half a millisecond. They are defined in assembly because Rust cannot define a
//! hidden symbol: the program's references must go on to its own unwinder.

use std::arch::global_asm;

macro_rules! never_called {
    ($($name:literal)*) => {
        $(
            global_asm!(
                ".pushsection .text.autojit.unwind,\"ax\",@progbits",
                concat!(".globl ", $name),
                concat!(".hidden ", $name),
                concat!(".type ", $name, ",@function"),
                concat!($name, ":"),
                "ud2",
                concat!(".size ", $name, ",.-", $name),
                ".popsection",
            );
        )*
    };
}

never_called! {
    "_Unwind_Backtrace" "_Unwind_DeleteException" "_Unwind_FindEnclosingFunction" "_Unwind_GetCFA"
    "_Unwind_GetDataRelBase" "_Unwind_GetIP" "_Unwind_GetIPInfo" "_Unwind_GetLanguageSpecificData"
    "_Unwind_GetRegionStart" "_Unwind_GetTextRelBase" "_Unwind_RaiseException" "_Unwind_Resume" "_Unwind_SetGR"
    "_Unwind_SetIP"
}
