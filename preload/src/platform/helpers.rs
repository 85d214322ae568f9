//! Arithmetic that x86-64 has no instruction for, as functions that code generators call by name.
//!
//! A plainly built program gets them from libgcc.a when it is linked; the calls in lazily compiled code appear when it
//! runs, and a C program has no libgcc_s loaded. So the runtime hands on its own copies, those of Rust's
//! compiler_builtins, as the last resort.

/// Names and addresses of functions of compiler_builtins.
macro_rules! helpers {
    ($($name:ident)*) => {
        /// The address of the helper `name`.
        pub fn find(name: &str) -> Option<usize> {
            unsafe extern "C" {
                $( fn $name(); )*
            }
            match name {
                $( stringify!($name) => Some($name as *const () as usize), )*
                _ => None,
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$( stringify!($name) ),*];
    };
}

helpers! {
    __divti3 __modti3 __udivti3 __umodti3 __udivmodti4 __multi3 __ashlti3 __ashrti3 __lshrti3 __muloti4
    __fixsfti __fixdfti __fixunssfti __fixunsdfti __floattisf __floattidf __floatuntisf __floatuntidf
    __powisf2 __powidf2
    __extendhfsf2 __truncsfhf2 __truncdfhf2
    __addtf3 __subtf3 __multf3 __divtf3
    __eqtf2 __netf2 __lttf2 __letf2 __gttf2 __getf2 __unordtf2
    __extendsftf2 __extenddftf2 __trunctfsf2 __trunctfdf2
    __fixtfsi __fixtfdi __fixunstfsi __fixunstfdi __floatsitf __floatditf __floatunsitf __floatunditf
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_compute() {
        let address = find("__umodti3").unwrap();
        // SAFETY: its type, by the libgcc manual.
        let modulo: extern "C" fn(u128, u128) -> u128 = unsafe { std::mem::transmute(address) };
        assert_eq!(modulo(u128::MAX, 1_000_007), u128::MAX % 1_000_007);
        let address = find("__powidf2").unwrap();
        // SAFETY: as above.
        let power: extern "C" fn(f64, i32) -> f64 = unsafe { std::mem::transmute(address) };
        assert_eq!(power(3.0, 5), 243.0);
        assert_eq!(find("memcpy"), None);
    }

    #[test]
    fn each_has_an_address() {
        let addresses: Vec<_> = NAMES.iter().map(|name| find(name).unwrap()).collect();
        assert!(addresses.iter().all(|&address| address != 0));
    }
}
