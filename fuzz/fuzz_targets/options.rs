//! The parser of the environment: a value or a complaint, whatever the text is. The input is one variable a line.
#![no_main]
#![allow(dead_code, reason = "the runtime uses more of it")]

#[path = "../../preload/src/options.rs"]
mod options;

/// What the options want of the runtime where the C library has no environment yet.
mod sys {
    use std::ffi::CStr;

    pub struct File;

    impl File {
        pub fn open(_: &CStr, _: i32, _: u32) -> Result<Self, ()> {
            Err(())
        }

        pub fn read_to_end(self) -> Result<Vec<u8>, ()> {
            Err(())
        }
    }
}

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let mut names = Vec::new();
    for line in data.split(|byte| *byte == b'\n' || *byte == 0).take(20) {
        let Some(equals) = line.iter().position(|byte| *byte == b'=').filter(|equals| *equals > 0) else {
            continue;
        };
        let name = [b"AUTOJIT_", &line[..equals]].concat();
        // SAFETY: the fuzzer runs its inputs in one thread.
        unsafe { std::env::set_var(OsStr::from_bytes(&name), OsStr::from_bytes(&line[equals + 1..])) };
        names.push(name);
    }
    let (_, bad) = options::Options::from_environment();
    assert!(bad.iter().all(|variable| variable.starts_with(b"AUTOJIT_")));
    for name in names {
        // SAFETY: as above.
        unsafe { std::env::remove_var(OsStr::from_bytes(&name)) };
    }
});
