//! The parser of the environment: a value or a complaint, whatever the text is. The input is one variable a line.
#![no_main]

use autojit_options::{Options, Reader};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for reader in [Reader::Plugin, Reader::Runtime, Reader::Daemon] {
        let lines = || data.split(|byte| *byte == b'\n' || *byte == 0);
        let variables: Vec<_> = lines().map(|line| [b"AUTOJIT_", line].concat()).collect();
        let (_, bad) = Options::read(reader, |visit| variables.iter().for_each(|variable| visit(variable)));
        assert!(bad.iter().all(|bad| variables.contains(&bad.variable) && !bad.to_string().is_empty()));
    }
});
