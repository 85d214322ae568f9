//! Definitions and references of the static library's object, as linkers see them.

use std::arch::naked_asm;

/// Defines [`ATTACH_SYMBOL`](crate::boot::ATTACH_SYMBOL), stronger than the images' own, and
/// [`CLAIM_SYMBOL`](crate::boot::CLAIM_SYMBOL), for which linkers take it. The function calls the one that is named, an
/// `unsafe extern "C" fn(*const ImageRecord)`, with the record of the image.
#[macro_export]
macro_rules! define_attach {
    ($function:path) => {
        ::core::arch::global_asm!(
            ".pushsection .text.autojit.linked,\"ax\",@progbits",
            ".globl __start_autojit_image",
            ".hidden __start_autojit_image",
            ".globl __autojit_attach",
            ".hidden __autojit_attach",
            ".type __autojit_attach,@function",
            ".hidden __autojit_image",
            ".p2align 4",
            "__start_autojit_image:",
            "__autojit_attach:",
            ".cfi_startproc",
            // gold drops notes that nothing refers to.
            ".reloc .,R_X86_64_NONE,__autojit_note",
            "endbr64",
            "lea rdi, [rip + __autojit_image]",
            "jmp {function}",
            ".cfi_endproc",
            ".size __autojit_attach,.-__autojit_attach",
            ".popsection",
            function = sym $function,
        );
    };
}

/// Defines the note by which debuggers find the runtime, in programs without symbols as well. A note of the owner `autojit` and type
/// 1 has three numbers of 32 bits, each relative to itself: the address of the function that is named, an
/// `extern "C" fn(u64) -> *const Answer`, and where the code of the runtime begins and ends (which
/// preload/src/startup/static_object.ld defines).
#[macro_export]
macro_rules! define_note {
    ($function:path) => {
        ::core::arch::global_asm!(
            ".pushsection .note.autojit,\"a\",@note",
            ".p2align 2",
            "__autojit_note:",
            ".long 8, 12, 1",
            ".asciz \"autojit\"",
            ".long {function} - .",
            ".long __autojit_text - .",
            ".long __autojit_text_end - .",
            ".popsection",
            function = sym $function,
        );
    };
}

/// Functions whose address is that of a symbol, or 0 where the image has none.
macro_rules! weak {
    ($($(#[$doc:meta])* $function:ident = $symbol:literal;)*) => { $(
        $(#[$doc])*
        #[unsafe(naked)]
        pub extern "C" fn $function() -> usize {
            naked_asm!(
                concat!(".weak ", $symbol),
                concat!("mov rax, qword ptr [rip + ", $symbol, "@GOTPCREL]"),
                "ret",
            )
        }
    )* };
}

weak! {
    /// libgcc's function for registering unwind tables with an object for its list.
    own_libgcc = "__register_frame_info";
    /// The same of LLVM's libunwind, which keeps its own list.
    own_libunwind = "__unw_add_dynamic_eh_frame_section";
    /// What glibc's pthread_atfork calls.
    own_register_atfork = "__register_atfork";
}

#[cfg(test)]
mod tests {
    use crate::boot;

    #[test]
    fn the_symbols_are_those_of_boot_code() {
        // Assembly takes no strings from constants.
        assert_eq!(boot::CLAIM_SYMBOL, "__start_autojit_image");
        assert_eq!(boot::ATTACH_SYMBOL, "__autojit_attach");
        assert_eq!(boot::IMAGE_SYMBOL, "__autojit_image");
    }
}
