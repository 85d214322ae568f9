//! The unwind table of a function: what an unwinder has to do to find its caller, in DWARF's words.
//!
//! The frame is rbp's: at the entry the CFA is rsp+8, behind `push rbp` rsp+16, behind `mov rbp, rsp` rbp+16, and before
//! each `ret` rsp+8 again; what runs before `push rbp` may lie at the end. Numbers: DWARF 5 section 7.24, registers psABI figure 3.36.

use autojit_baseline::Frame;

const RBP: u8 = 6;
const RSP: u8 = 7;
const ADVANCE_LOC: u8 = 0x40;
const ADVANCE_LOC1: u8 = 0x02;
const ADVANCE_LOC2: u8 = 0x03;
const ADVANCE_LOC4: u8 = 0x04;
const OFFSET: u8 = 0x80;
const RESTORE: u8 = 0xc0;
const REMEMBER_STATE: u8 = 0x0a;
const RESTORE_STATE: u8 = 0x0b;
const DEF_CFA: u8 = 0x0c;
const DEF_CFA_REGISTER: u8 = 0x0d;
const DEF_CFA_OFFSET: u8 = 0x0e;

/// The instructions of the FDE. Slots count in words below the CFA.
pub fn instructions(frame: &Frame) -> Vec<u8> {
    let mut at = 0;
    let mut out = Vec::with_capacity(32);
    advance(&mut out, &mut at, frame.pushed);
    out.extend_from_slice(&[DEF_CFA_OFFSET, 16, OFFSET | RBP, 2]);
    advance(&mut out, &mut at, frame.established);
    out.extend_from_slice(&[DEF_CFA_REGISTER, RBP]);
    if !frame.saved_registers.is_empty() {
        advance(&mut out, &mut at, frame.saved);
        for &(register, below) in &frame.saved_registers {
            out.push(OFFSET | register);
            uleb(&mut out, below / 8);
        }
    }
    for &(start, end) in &frame.returns {
        advance(&mut out, &mut at, start);
        out.extend_from_slice(&[REMEMBER_STATE, DEF_CFA, RSP, 8]);
        advance(&mut out, &mut at, end);
        out.push(RESTORE_STATE);
    }
    if let Some(outside) = frame.outside {
        advance(&mut out, &mut at, outside);
        out.extend_from_slice(&[DEF_CFA, RSP, 8, RESTORE | RBP]);
        out.extend(frame.saved_registers.iter().map(|(register, _)| RESTORE | register));
    }
    out
}

fn advance(out: &mut Vec<u8>, at: &mut u32, to: u32) {
    let by = to - *at;
    *at = to;
    match by {
        0 => {}
        1..=0x3f => out.push(ADVANCE_LOC | by as u8),
        0x40..=0xff => out.extend_from_slice(&[ADVANCE_LOC1, by as u8]),
        0x100..=0xffff => {
            out.push(ADVANCE_LOC2);
            out.extend_from_slice(&(by as u16).to_le_bytes());
        }
        _ => {
            out.push(ADVANCE_LOC4);
            out.extend_from_slice(&by.to_le_bytes());
        }
    }
}

fn uleb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_with_a_saved_register() {
        let frame = Frame {
            pushed: 1,
            established: 4,
            saved_registers: vec![(3, 24)],
            saved: 5,
            returns: vec![(0x130, 0x131)],
            outside: Some(0x140),
            size: 32,
        };
        let expected: &[u8] = &[
            0x41, 0x0e, 16, 0x86, 2, //           after 1: CFA is rsp+16, rbp at CFA-16
            0x43, 0x0d, 6, //                     after 3: CFA is rbp+16
            0x41, 0x83, 3, //                     after 1: rbx at CFA-24
            0x03, 0x2b, 0x01, 0x0a, 0x0c, 7, 8, // after 299: CFA is rsp+8
            0x41, 0x0b, //                        after 1: as before
            0x4f, 0x0c, 7, 8, 0xc6,
            0xc3, //      after 15: CFA is rsp+8, rbp and rbx are as the caller has them
        ];
        assert_eq!(instructions(&frame), expected);
    }
}
