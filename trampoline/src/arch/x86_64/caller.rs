//! Functions that want to know where they were called from: a symbol that hands on its return address.

/// Defines the global symbol `$name`, which passes its one or two arguments on to `$function`, an
/// `unsafe extern "C" fn(A, B, usize)`, with the return address as third argument.
#[macro_export]
macro_rules! define_with_caller {
    ($(#[$attribute:meta])* $name:ident, $function:path) => {
        $(#[$attribute])*
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        unsafe extern "C" fn $name() {
            ::core::arch::naked_asm!(
                "endbr64",
                "movq (%rsp),%rdx",
                "jmp {function}",
                function = sym $function,
                options(att_syntax),
            )
        }
    };
}
