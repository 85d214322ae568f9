//! An instruction of another machine.
//# try: -Copt-level=0
//# try: -Copt-level=2 -g
//# answers: no
//# says: error: invalid instruction mnemonic 'fmove.l'
//# says: assembly_rust.rs:
#[unsafe(no_mangle)]
pub fn set() -> u64 {
    let value: u64;
    unsafe { std::arch::asm!("fmove.l fpcr, {}", out(reg) value) };
    value
}
